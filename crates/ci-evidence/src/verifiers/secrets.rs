//! Secrets: the lane's sweep covers every evidence file, and the verifier sweeps again itself.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use ci_formats::secrets::Scanner;
use ci_types::record::{EvidenceFile, EvidenceKind, IdentityRecord, SecretHit, SecretSweep};

use super::{Inputs, ensure, identity};
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

/// Secrets in one file. The identity's token is exempt where its audience makes it good for nothing but this digest; that it
/// does is for the identity verifier to prove, and without that proof no gate passes.
pub(crate) fn hits(scanner: &Scanner, file: &EvidenceFile, content: &[u8]) -> Vec<SecretHit> {
    let exempt = (file.kind == EvidenceKind::Identity)
        .then(|| ci_types::canonical::from_slice::<IdentityRecord>(content).ok())
        .flatten()
        .filter(|record| record.claims.as_ref().is_some_and(|claims| claims.aud.starts_with(identity::AUDIENCE_PREFIX)))
        .and_then(|record| record.digest_token);
    let text = match &exempt {
        Some(token) => String::from_utf8_lossy(content).replace(token, "").into_bytes(),
        None => content.to_vec(),
    };
    scanner
        .scan(&text)
        .into_iter()
        .map(|hit| SecretHit { rule: hit.rule_id.to_owned(), path: file.path.clone(), line: hit.line })
        .collect()
}
