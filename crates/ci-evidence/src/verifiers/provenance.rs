//! SLSA provenance v1 in a signed in-toto Statement.
//!
//! The statement is a function of the other records, so the verifier writes it anew and demands the same bytes: a claim that
//! the evidence does not back cannot stand in it.

use ci_types::canonical;
use ci_types::record::{
    CommandReceipt, DeterminismReport, EvidenceKind, IdentityKind, IdentityRecord, PackagingProvenance,
};
use serde_json::{Value, json};

use super::{Inputs, ensure};
use crate::dsse::{self, DsseError};
use crate::facts::{Outcome, ProvenanceFact, Rejection, RejectionCode, VerifiedFact};
use crate::set::EvidenceSet;

const KIND: EvidenceKind = EvidenceKind::Provenance;

/// `builder.id` of a lane on GitHub Actions.
pub const BUILDER_GITHUB_ACTIONS: &str = "https://ci-intel.dev/builders/github-actions/v1";
/// `builder.id` of a developer's machine.
pub const BUILDER_LOCAL: &str = "https://ci-intel.dev/builders/local/v1";

/// `buildType` of an engine.
#[must_use]
pub fn build_type(engine: &str) -> String {
    format!("https://ci-intel.dev/build-types/{engine}/v1")
}

/// The in-toto Statement v1 with SLSA provenance v1 that the records of `set` amount to.
///
/// # Errors
/// Where a record is missing or unreadable.
pub fn statement(set: &EvidenceSet) -> Result<Value, Rejection> {
    let (packaging_file, packaging): (_, PackagingProvenance) = set.record(EvidenceKind::Packaging)?;
    let (commands_file, commands): (_, CommandReceipt) = set.record(EvidenceKind::Commands)?;
    let (determinism_file, determinism): (_, DeterminismReport) = set.record(EvidenceKind::Determinism)?;
    let (_, identity): (_, IdentityRecord) = set.record(EvidenceKind::Identity)?;
    let (context_file, _) = set.one(EvidenceKind::Context)?;
    let (config_file, _) = set.one(EvidenceKind::Config)?;
    let source = &packaging.source;
    // Only a token says which forge a repository is on; elsewhere its name is just a name (purl-spec, type generic).
    let (builder, workflow, source_uri) = match identity.kind {
        IdentityKind::GithubActions => (
            BUILDER_GITHUB_ACTIONS,
            identity.claims.as_ref().map_or("", |claims| claims.job_workflow_ref.as_str()),
            format!("git+https://github.com/{}@{}", source.repository, source.git_ref),
        ),
        IdentityKind::Developer => (BUILDER_LOCAL, "", format!("pkg:generic/{}@{}", source.repository, source.commit)),
    };
    let mut dependencies = vec![json!({
        "uri": source_uri,
        "digest": { "gitCommit": source.commit },
    })];
    if let Some(base) = &packaging.base {
        dependencies.push(json!({ "uri": "base-image", "digest": { "sha256": base.hex() } }));
    }
    let byproduct =
        |name: &str, digest: &ci_types::Digest| json!({ "name": name, "digest": { "sha256": digest.hex() } });
    let started = determinism.runs.first().map(|run| run.started_at.to_string()).unwrap_or_default();
    Ok(json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{
            "name": packaging.artifact.name,
            "digest": { "sha256": packaging.artifact.digest.hex() },
        }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": build_type(&packaging.engine),
                "externalParameters": {
                    "repository": source.repository,
                    "ref": source.git_ref,
                    "workflow": workflow,
                    "config": { "digest": { "sha256": config_file.digest.hex() } },
                },
                "internalParameters": { "environment": packaging.env },
                "resolvedDependencies": dependencies,
            },
            "runDetails": {
                "builder": { "id": builder, "version": { "ci-intel": commands.ci_intel_version } },
                "metadata": { "invocationId": packaging.run_id, "startedOn": started },
                "byproducts": [
                    byproduct("context", &context_file.digest),
                    byproduct("commands", &commands_file.digest),
                    byproduct("packaging", &packaging_file.digest),
                    byproduct("determinism", &determinism_file.digest),
                ],
            },
        },
    }))
}

pub(super) fn verify(inputs: &Inputs<'_>) -> Outcome<ProvenanceFact> {
    let (entry, content) = inputs.set.one(KIND)?;
    let opened = dsse::open(content, dsse::IN_TOTO, &inputs.trust.keys).map_err(|error| {
        let code = match error {
            DsseError::UntrustedKey(_) | DsseError::BadSignature | DsseError::SignatureCount(_) => {
                RejectionCode::Untrusted
            }
            _ => RejectionCode::Malformed,
        };
        Rejection::new(KIND, code, format!("{}: {error}", entry.path))
    })?;
    let expected = statement(inputs.set)?;
    let bytes = canonical::to_vec(&expected)
        .map_err(|error| Rejection::new(KIND, RejectionCode::Malformed, error.to_string()))?;
    ensure(KIND, RejectionCode::Inconsistent, opened.payload == bytes, || {
        format!("{}: the statement is not what the other evidence amounts to", entry.path)
    })?;
    let (_, packaging): (_, PackagingProvenance) = inputs.set.record(EvidenceKind::Packaging)?;
    ensure(KIND, RejectionCode::WrongSubject, packaging.artifact == *inputs.subject, || {
        format!("{}: it is about {}", entry.path, packaging.artifact.reference())
    })?;
    Ok(VerifiedFact::proven(
        ProvenanceFact {
            builder_id: expected["predicate"]["runDetails"]["builder"]["id"].as_str().unwrap_or_default().to_owned(),
            build_type: build_type(&packaging.engine),
            repository: packaging.source.repository,
            commit: packaging.source.commit,
            signed_by: opened.key_id,
        },
        vec![entry.digest],
    ))
}
