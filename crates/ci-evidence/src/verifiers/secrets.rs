//! Secrets: the lane's sweep covers every evidence file, and the verifier sweeps again itself.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use ci_formats::secrets::Scanner;
use ci_types::record::{EvidenceFile, EvidenceKind, SecretHit, SecretSweep};

use super::{Inputs, ensure};
use crate::facts::{Outcome, RejectionCode, SecretsFact, VerifiedFact};

const KIND: EvidenceKind = EvidenceKind::SecretSweep;

pub(super) fn verify(inputs: &Inputs<'_>) -> Outcome<SecretsFact> {
    let (entry, record): (_, SecretSweep) = inputs.set.record(KIND)?;
    // Building it takes longer than searching a small bundle.
    static SCANNER: LazyLock<Scanner> = LazyLock::new(Scanner::builtin);
    let scanner = &*SCANNER;
    let mut findings: BTreeSet<SecretHit> = record.findings.iter().cloned().collect();
    let mut searched = 0;
    for (file, content) in inputs.set.files().iter().filter(|(file, _)| !file.kind.is_derived()) {
        findings.extend(hits(scanner, file, content));
        if file.kind == KIND {
            continue;
        }
        let covered = record.scanned.iter().any(|scanned| scanned.path == file.path && scanned.digest == file.digest);
        ensure(KIND, RejectionCode::Inconsistent, covered, || format!("the sweep did not cover `{}`", file.path))?;
        searched += 1;
    }
    ensure(KIND, RejectionCode::Inconsistent, record.scanned.len() as u64 == searched, || {
        "the sweep lists files that are not there".to_owned()
    })?;
    ensure(KIND, RejectionCode::Empty, record.rule_count > 0 && searched > 0, || "nothing was searched".to_owned())?;
    Ok(VerifiedFact::proven(
        SecretsFact { files: searched, rules: record.rules, findings: findings.into_iter().collect() },
        vec![entry.digest],
    ))
}

/// Secrets in one file. The rules themselves let a token pass whose only audience is an image digest: it is good for nothing
/// else, and that it is genuine is for the identity verifier to prove.
fn hits(scanner: &Scanner, file: &EvidenceFile, content: &[u8]) -> Vec<SecretHit> {
    let hit = |hit: ci_formats::secrets::Hit<'_>| SecretHit {
        rule: hit.rule_id.to_owned(),
        path: file.path.clone(),
        line: hit.line,
    };
    scanner.scan(content).into_iter().map(hit).collect()
}
