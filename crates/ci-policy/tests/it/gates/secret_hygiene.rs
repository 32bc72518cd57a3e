//! No secret in context or evidence; the verifier searches again itself.

use ci_formats::secrets::Scanner;
use ci_testkit::release::{Release, junit};
use ci_types::record::{EvidenceKind, FileDigest, SecretHit};
use ci_types::{Digest, Severity};

use super::{denials, replace, without};

/// A made-up GitHub token.
fn token() -> String {
    let example = Scanner::builtin().rules().find(|rule| rule.id == "github-pat").unwrap().example(7);
    example.text[example.secret].to_owned()
}

fn hit() -> SecretHit {
    SecretHit { rule: "github-pat".to_owned(), path: "src/app".to_owned(), line: 3 }
}

denials! { "secret-hygiene";
    local missing_secret_sweep_rejects => "secret-sweep-missing", |r| without(r, EvidenceKind::SecretSweep);
    local missing_context_leaves_it_unsearched => "context-missing", |r| without(r, EvidenceKind::Context);
    local sweep_of_another_schema_rejects => "secret-sweep-malformed",
        |r| replace(r, EvidenceKind::SecretSweep, b"{}");
    local secret_in_context_rejects => "secret-in-context", |r| r.context.secrets.push(hit());
    local secret_that_the_sweep_found_rejects => "secret-in-evidence", |r| r.edit_sweep = |sweep| sweep.findings.push(hit());
    local secret_in_a_test_name_rejects_although_the_sweep_says_none => "secret-in-evidence",
        |r| r.junit = junit(&[(&token(), "")]);
    local secret_in_a_command_rejects_although_the_sweep_says_none => "secret-in-evidence",
        |r| drop(r.commands.commands[0].env.insert("TOKEN".to_owned(), token()));
    local secret_in_smoke_output_rejects_although_the_sweep_says_none => "secret-in-evidence",
        |r| r.smoke.output_tail.push(format!("using {}", token()));
    local secret_in_the_sweep_itself_rejects => "secret-in-evidence", |r| r.edit_sweep = |sweep| sweep.withheld_env.push(token());
    authoritative secret_beside_the_exempt_token_rejects => "secret-in-evidence",
        |r| r.identity.permissions[0].detail = token();
    local file_that_the_sweep_did_not_cover_rejects => "secret-sweep-inconsistent",
        |r| r.edit_sweep = |sweep| drop(sweep.scanned.pop());
    local sweep_of_other_bytes_rejects => "secret-sweep-inconsistent",
        |r| r.edit_sweep = |sweep| sweep.scanned[0].digest = Digest::of(b"other");
    local sweep_of_a_file_that_is_not_there_rejects => "secret-sweep-inconsistent", |r| r.edit_sweep = |sweep| {
        sweep.scanned.push(FileDigest { path: "logs/x.log".to_owned(), digest: Digest::of(b"x") });
    };
    local sweep_without_rules_rejects => "secret-sweep-empty", |r| r.edit_sweep = |sweep| sweep.rule_count = 0;
}

#[test]
fn a_secret_is_named_by_kind_and_place_and_never_repeated() {
    let token = token();
    assert_eq!(Scanner::builtin().scan(token.as_bytes()).len(), 1, "the sample is one that is found");
    let mut release = Release::local();
    release.smoke.output_tail.push(token.clone());
    let decision = release.decision();
    let text = serde_json::to_string(&decision).unwrap();
    assert!(text.contains("github-pat at smoke/report.json:1") && !text.contains(&token), "{text}");
    assert!(decision.gates.iter().any(|gate| gate.gate == "secret-hygiene" && gate.severity == Severity::Critical));
}
