//! Evidence as it is collected: each file is searched for secrets before anything of it is kept.

use ci_policy::bundle;
use ci_types::record::{EvidenceFile, EvidenceKind, Producer, SecretHit};
use ci_types::{Digest, Tag};

use super::setup::Setup;
use crate::failure::Failure;

/// Files and what was found in them.
pub(crate) struct Collected<'a> {
    setup: &'a Setup,
    pub(crate) files: Vec<(EvidenceFile, Vec<u8>)>,
    pub(crate) findings: Vec<SecretHit>,
}

impl<'a> Collected<'a> {
    pub(crate) const fn new(setup: &'a Setup) -> Self {
        Self { setup, files: Vec::new(), findings: Vec::new() }
    }

    fn tag(&self) -> &Tag {
        &self.setup.tag
    }

    /// Keeps a file of a unique kind.
    pub(crate) fn put(&mut self, kind: EvidenceKind, content: Vec<u8>) -> Result<Digest, Failure> {
        let path = ci_evidence::layout::path(kind, self.tag()).unwrap_or_default();
        self.put_at(kind, path, content, Producer::ci_intel(env!("CARGO_PKG_VERSION")))
    }

    /// Keeps a file at a path. Where it holds a secret, the redacted form is kept and the finding decides; where its bytes
    /// cannot be changed, because a digest elsewhere names them, nothing is kept and the lane ends here.
    pub(crate) fn put_at(
        &mut self,
        kind: EvidenceKind,
        path: String,
        content: Vec<u8>,
        producer: Producer,
    ) -> Result<Digest, Failure> {
        let hits = ci_agent::sweep::hits(&self.setup.scanner, &path, &content);
        let content = match hits.first() {
            None => content,
            Some(hit) if matches!(kind, EvidenceKind::ImageManifest | EvidenceKind::ImageConfig) => {
                return Err(Failure::rejected(format!("the {kind} holds a secret ({})", hit.rule))
                    .fix("revoke that credential and pass it at run time instead of baking it into the image"));
            }
            Some(_) => self.setup.scanner.redact(&content),
        };
        // Logs are redacted as they are written; what is left to find in them is nobody's decision.
        if kind != EvidenceKind::Log {
            self.findings.extend(hits);
        }
        let entry = bundle::entry(kind, path, &content, producer);
        let digest = entry.digest;
        self.files.push((entry, content));
        Ok(digest)
    }
}

/// A file name that a bundle can hold, from any path below a folder.
pub(crate) fn plain_name(path: &str) -> String {
    path.chars()
        .map(|character| if character.is_ascii_alphanumeric() || ".-_".contains(character) { character } else { '-' })
        .collect()
}
