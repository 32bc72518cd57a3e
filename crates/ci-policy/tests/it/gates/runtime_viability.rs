//! The image starts: probes that are the configured ones and passed, nothing it loads missing.

use ci_types::Digest;
use ci_types::record::{Dependency, EvidenceKind, Probe, ProbeKind};

use super::{accepts, denials, replace, without};
use ci_testkit::release::Release;

const HTTP: &str = "  http:\n    - { path: /healthz }\n";

fn probe(kind: ProbeKind, target: &str) -> Probe {
    Probe { kind, target: target.to_owned(), passed: true, detail: "exit code 0".to_owned(), duration_ms: 1 }
}

fn failed(release: &mut Release, detail: &str) {
    release.smoke.probes[0].passed = false;
    release.smoke.probes[0].detail = detail.to_owned();
}

denials! { "runtime-viability";
    local missing_smoke_report_rejects => "smoke-missing", |r| without(r, EvidenceKind::Smoke);
    local smoke_report_of_another_schema_rejects => "smoke-malformed",
        |r| replace(r, EvidenceKind::Smoke, b"{}");
    local smoke_of_another_image_rejects => "smoke-wrong-subject", |r| r.smoke.image = Digest::of(b"other");
    local zero_probes_reject => "smoke-empty", |r| r.smoke.probes.clear();
    local failed_probe_rejects => "probe-failed", |r| failed(r, "500");
    local probe_that_timed_out_rejects => "probe-failed", |r| failed(r, "no answer within 30 s");
    local one_failed_probe_of_many_rejects => "probe-failed", |r| {
        r.smoke.probes.extend(std::iter::repeat_n(probe(ProbeKind::Http, "/"), 99));
        failed(r, "500");
    };
    local probe_of_another_path_rejects => "smoke-inconsistent", |r| r.smoke.probes[0].target = "/".to_owned();
    local probe_of_another_kind_rejects => "smoke-inconsistent", |r| r.smoke.probes[0].kind = ProbeKind::Exec;
    local one_probe_does_not_answer_for_two => "smoke-inconsistent",
        |r| r.config = r.config.replace(HTTP, "  http:\n    - { path: /healthz }\n    - { path: /healthz, contains: ok }\n");
    local configured_command_that_was_not_run_rejects => "smoke-inconsistent",
        |r| r.config = r.config.replace(HTTP, "  http:\n    - { path: /healthz }\n  exec: [[/app, --version]]\n");
    local job_whose_exit_was_not_awaited_rejects => "smoke-inconsistent",
        |r| r.config = r.config.replace(HTTP, "  exits: true\n");
    local isolation_that_is_not_allowed_rejects => "smoke-inconsistent",
        |r| r.config = r.config.replace("smoke:\n", "smoke:\n  isolation: [podman]\n");
    local dependency_drift_rejects => "dependency-drift", |r| r.smoke.dependencies.push(Dependency {
        of: "app".to_owned(), needs: "libssl.so.3".to_owned(), resolved: None,
    });
}

#[test]
fn resolved_dependencies_and_commands_with_a_port_pass() {
    let mut release = Release::local();
    release.config = release.config.replace(HTTP, "  exec: [[/app, '--check={port}']]\n  exits: true\n");
    release.smoke.probes = vec![probe(ProbeKind::Exec, "/app --check=8080"), probe(ProbeKind::Exit, "/app")];
    release.smoke.dependencies.push(Dependency {
        of: "app".to_owned(),
        needs: "libc.so.6".to_owned(),
        resolved: Some("lib/libc.so.6".to_owned()),
    });
    accepts(&release);
}
