//! The build context: declared, bounded, clean, and adding up.

use ci_evidence::verifiers::{self, Inputs};
use ci_policy::{Question, decide};
use ci_testkit::release::{RUN_ID, Release};
use ci_types::record::{ContextFile, EvidenceKind, Verdict};
use ci_types::{Digest, Environment};

use super::{accepts, denials, replace, without};

fn file(path: &str) -> ContextFile {
    ContextFile { path: path.to_owned(), mode: "0644".to_owned(), bytes: 0, digest: Digest::of(b"") }
}

denials! { "context-boundary";
    local missing_context_rejects => "context-missing", |r| without(r, EvidenceKind::Context);
    local context_of_another_schema_rejects => "context-malformed",
        |r| replace(r, EvidenceKind::Context, b"{}");
    local context_without_files_rejects => "context-empty", |r| {
        r.context.files.clear();
        r.context.total_bytes = 0;
    };
    local undeclared_file_rejects => "context-inconsistent", |r| r.context.files.insert(0, file("secret/key.pem"));
    local file_that_climbs_out_of_the_context_rejects => "context-inconsistent",
        |r| r.context.files.insert(0, file("src/../../etc/passwd"));
    local file_below_gits_own_directory_rejects => "context-inconsistent", |r| r.context.files.insert(0, file("src/.git/config"));
    local unsorted_files_reject => "context-inconsistent", |r| r.context.files.push(file("Cargo.toml"));
    local file_listed_twice_rejects => "context-inconsistent", |r| {
        let twice = r.context.files[0].clone();
        r.context.total_bytes += twice.bytes;
        r.context.files.push(twice);
    };
    local total_that_does_not_add_up_rejects => "context-inconsistent", |r| r.context.total_bytes += 1;
    local sizes_that_overflow_reject => "context-inconsistent", |r| {
        // The largest size that RFC 8785 can spell.
        let huge = ContextFile { bytes: 18_446_744_073_709_550_000, ..file("src/b") };
        r.context.files.push(huge);
        r.context.total_bytes = 2;
    };
    local include_list_that_is_not_the_configured_one_rejects => "context-inconsistent",
        |r| r.context.include.push("vendor/**".to_owned());
    local commit_that_is_no_commit_rejects => "context-malformed", |r| r.context.source.commit = "main".to_owned();
    local context_with_too_many_files_rejects => "context-too-large", |r| {
        r.config = r.config.replace("  context:\n", "  context:\n    max_files: 1\n");
        r.context.files.push(file("src/b"));
    };
    local context_with_too_many_bytes_rejects => "context-too-large",
        |r| r.config = r.config.replace("  context:\n", "  context:\n    max_bytes: 2\n");
    local dirty_tree_rejects => "tree-dirty", |r| r.context.source.dirty.push("src/app".to_owned());
}

/// Configuration without a declared context does not load, so this reason needs one that was made otherwise.
pub(super) const BY_HAND: [(&str, &str); 1] = [("context-boundary", "context-undeclared")];

#[test]
fn context_that_is_not_declared_rejects() {
    let mut release = Release::local();
    release.context.include.clear();
    let mut config = release.effective();
    config.build.context.include.clear();
    let subject = &release.publication.subject;
    let facts = verifiers::derive(&Inputs {
        set: &release.evidence(),
        subject,
        run_id: RUN_ID,
        trust: &release.trust(),
        config: &config,
        now: release.now,
    });
    let environment = Environment::Local;
    let (facts, config, now) = (&facts, &config, release.now);
    let decision =
        decide(&Question { run_id: RUN_ID, subject, environment, facts, config, overlay: None, now }).unwrap();
    let codes: Vec<_> =
        decision.gates.iter().flat_map(|gate| &gate.reasons).map(|reason| reason.code.as_str()).collect();
    assert_eq!(decision.verdict, Verdict::Rejected);
    assert!(codes.contains(&BY_HAND[0].1), "{codes:?}");
}

#[test]
fn a_literal_directory_declares_its_tree() {
    let mut release = Release::local();
    release.config = release.config.replace("'src/**'", "src");
    release.context.include[0] = "src".to_owned();
    accepts(&release);
}
