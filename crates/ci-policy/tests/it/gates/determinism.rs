//! Two builds that agree, recomputed from their digests.

use ci_testkit::release::Release;
use ci_types::record::{DeterminismMode, Difference, EvidenceKind};
use ci_types::{Digest, Timestamp};

use super::{accepts, denials, replace, without};

fn once(release: &mut Release) {
    release.determinism.mode = DeterminismMode::Single;
    release.determinism.runs.truncate(1);
}

fn configure_once(release: &mut Release) {
    release.config = release.config.replace("build:\n", "build:\n  determinism: single\n");
}

fn differ(release: &mut Release) {
    release.determinism.runs[1].manifest = Digest::of(b"second");
}

denials! { "determinism";
    local missing_determinism_report_rejects => "determinism-missing", |r| without(r, EvidenceKind::Determinism);
    local determinism_report_of_another_schema_rejects => "determinism-malformed",
        |r| replace(r, EvidenceKind::Determinism, b"{}");
    authoritative single_build_is_not_enough_for_dev => "determinism-unproven", |r| {
        configure_once(r);
        once(r);
    };
    local single_build_where_two_are_configured_rejects => "determinism-inconsistent", once;
    local two_builds_that_differ_reject => "not-deterministic", |r| {
        differ(r);
        let text = str::to_owned;
        r.determinism.first_difference = Some(Difference {
            part: text("layer 1"), path: Some(text("app")), member: Some(text(".note.gnu.build-id")),
            what: text("build-id"), first: text("aa"), second: text("bb"),
        });
    };
    local difference_that_the_report_hides_rejects => "determinism-inconsistent", differ;
    local two_builds_in_one_directory_reject => "determinism-inconsistent",
        |r| r.determinism.runs[1].directory = r.determinism.runs[0].directory.clone();
    local two_builds_at_one_time_reject => "determinism-inconsistent",
        |r| r.determinism.runs[1].started_at = r.determinism.runs[0].started_at;
    local build_after_the_decision_rejects => "determinism-inconsistent",
        |r| r.determinism.runs[1].started_at = Timestamp::from_unix_s(r.now.unix_s() + 1).unwrap();
    local dual_report_with_one_build_rejects => "determinism-inconsistent", |r| r.determinism.runs.truncate(1);
    local report_without_builds_rejects => "determinism-inconsistent", |r| r.determinism.runs.clear();
    local report_of_another_engine_rejects => "determinism-inconsistent", |r| r.determinism.engine = "buildah".to_owned();
    local report_about_another_image_rejects => "determinism-wrong-subject",
        |r| r.determinism.runs[0].manifest = Digest::of(b"other");
    local report_with_other_layers_rejects => "determinism-inconsistent",
        |r| r.determinism.runs[0].layers.push(Digest::of(b"more"));
    local report_with_another_image_config_rejects => "determinism-inconsistent",
        |r| r.determinism.runs[0].config = Digest::of(b"other");
}

#[test]
fn single_build_is_enough_for_local_where_configured() {
    let mut release = Release::local();
    configure_once(&mut release);
    once(&mut release);
    accepts(&release);
}
