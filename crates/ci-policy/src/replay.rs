//! Verifying a bundle offline: every digest and signature, then the facts again, then the decision again, byte for byte.
//!
//! The recorded time explains the recorded decision; it authorises nothing. Whom to trust is always named by the caller.

use std::collections::BTreeMap;

use ci_evidence::archive::{self, ArchiveError};
use ci_evidence::decision_log::LogEntry;
use ci_evidence::dsse::{self, DsseError};
use ci_evidence::facts::{Facts, Rejection};
use ci_evidence::layout;
use ci_evidence::set::EvidenceSet;
use ci_evidence::trust::TrustRoots;
use ci_evidence::verifiers::{self, Inputs};
use ci_types::config::{self, Config, Layer, LayerOrigin};
use ci_types::record::{
    Decision, EvidenceKind, EvidenceManifest, IdentityKind, IdentityRecord, Producer, ReleaseOutputs, Verdict,
};
use ci_types::strict_json::JsonError;
use ci_types::{Digest, Environment, Timestamp, canonical};

use crate::decide::{DecideError, Question, decide, lane_mismatches};
use crate::{summary, telemetry};

/// What the caller expects of a bundle, besides its being genuine.
#[derive(Debug, Clone, Default)]
pub struct Expectations {
    /// The artifact it must be about.
    pub digest: Option<Digest>,
    /// The environment it must have been decided for.
    pub environment: Option<Environment>,
    /// How old the decision may be, in seconds.
    pub max_age_s: Option<u64>,
}

/// A bundle that is genuine and whose decision was derived anew from its evidence.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// The decision, the same bytes as recorded.
    pub decision: Decision,
    /// Digest of those bytes.
    pub decision_digest: Digest,
    /// The facts it rests on.
    pub facts: Facts,
    /// Id of the key that signed the manifest.
    pub signed_by: String,
    /// The manifest.
    pub manifest: EvidenceManifest,
    /// The effective configuration.
    pub config: Config,
}

/// Why a bundle does not vouch for anything.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It could not be decided: the caller has not said whom to trust. Exit code 3.
    #[error("could not decide: {0}")]
    Undecided(MissingTrust),
    /// The bundle is rejected. Exit code 1.
    #[error("rejected: {0}")]
    Rejected(#[from] Fault),
}

/// What the caller must name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MissingTrust {
    /// A key for the evidence.
    #[error(
        "no key is trusted; the bundle names key {claimed}, which proves nothing by itself. Get the public key from whoever runs the lane, then: ci-intel verify BUNDLE --key FILE"
    )]
    Key {
        /// Key id that the bundle names.
        claimed: String,
    },
    /// A key of the organisation.
    #[error(
        "the bundle was decided under an organisation overlay; name the organisation's public key: ci-intel verify BUNDLE --organisation-key FILE"
    )]
    Organisation,
    /// Keys of the OIDC issuer.
    #[error(
        "the bundle claims to come from {claimed}; name the issuer's public keys (JWKS): ci-intel verify BUNDLE --issuer-keys FILE"
    )]
    IssuerKeys {
        /// Claimed subject.
        claimed: String,
    },
    /// Identity policy of the lane.
    #[error(
        "the bundle claims to come from {claimed}; name the identity that you accept: ci-intel verify BUNDLE --identity FILE"
    )]
    Identity {
        /// Claimed subject.
        claimed: String,
    },
}

/// What is wrong with a bundle.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The container.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Files and manifest do not match.
    #[error("the bundle's files are not those of its manifest: {0}")]
    Contents(String),
    /// A document of ours does not read.
    #[error("{path}: {error}")]
    Document {
        /// The file.
        path: String,
        /// What is wrong.
        error: JsonError,
    },
    /// A signature.
    #[error("{path}: {error}")]
    Signature {
        /// The file.
        path: String,
        /// What is wrong.
        error: DsseError,
    },
    /// Evidence that the replay itself needs.
    #[error(transparent)]
    Evidence(#[from] Rejection),
    /// The configuration does not hold, or loosens what the organisation or the defaults demand.
    #[error("configuration: {0}")]
    Config(String),
    /// The organisation's overlay is missing although the caller demands one.
    #[error("the caller demands an organisation overlay, the bundle was decided without one")]
    NoOverlay,
    /// The identity is not the one that the caller accepts.
    #[error("identity: {0}")]
    Identity(String),
    /// A derived document is not what the decision amounts to.
    #[error("`{0}` is not what the evidence amounts to")]
    NotDerived(EvidenceKind),
    /// The decision derived from the evidence has other bytes.
    #[error("replaying the decision gives another one: {0}")]
    ReplayDiffers(String),
    /// The caller expected something else.
    #[error("the bundle is about {found}, expected {expected}")]
    Unexpected {
        /// Found.
        found: String,
        /// Expected.
        expected: String,
    },
    /// The decision lies in the future or is too old.
    #[error("decided at {decided}, checked at {now}: {what}")]
    Time {
        /// Decision time.
        decided: Timestamp,
        /// Verification time.
        now: Timestamp,
        /// Too old, or in the future.
        what: &'static str,
    },
    /// No canonical form.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// The evidence amounts to no sound telemetry.
    #[error(transparent)]
    Telemetry(#[from] telemetry::TelemetryError),
}

/// Opens a bundle: container, manifest signature, and each file against the manifest.
///
/// # Errors
/// See [`Refusal`].
pub fn open(bytes: &[u8], trust: &TrustRoots) -> Result<(EvidenceManifest, EvidenceSet, String), Refusal> {
    let mut files = archive::unpack(bytes).map_err(Fault::from)?;
    let folder = single_folder(&files)?;
    let take = |files: &mut BTreeMap<String, Vec<u8>>, name: &str| {
        files.remove(&format!("{folder}/{name}")).ok_or_else(|| Fault::Contents(format!("{name} is missing")))
    };
    let signature = take(&mut files, layout::MANIFEST_SIGNATURE)?;
    let manifest_bytes = take(&mut files, layout::MANIFEST)?;
    if trust.keys.is_empty() {
        let claimed = dsse::claimed_key_id(&signature).unwrap_or_else(|| "(none)".to_owned());
        return Err(Refusal::Undecided(MissingTrust::Key { claimed }));
    }
    let opened = dsse::open(&signature, dsse::MANIFEST, &trust.keys)
        .map_err(|error| Fault::Signature { path: layout::MANIFEST_SIGNATURE.to_owned(), error })?;
    if opened.payload != manifest_bytes {
        return Err(Fault::Contents(format!("{} is not what was signed", layout::MANIFEST)).into());
    }
    let manifest: EvidenceManifest = canonical::from_slice(&manifest_bytes)
        .map_err(|error| Fault::Document { path: layout::MANIFEST.to_owned(), error })?;
    let set = match_files(&manifest, &folder, files)?;
    Ok((manifest, set, opened.key_id))
}

fn single_folder(files: &BTreeMap<String, Vec<u8>>) -> Result<String, Fault> {
    let mut folders = files.keys().map(|path| path.split('/').next().unwrap_or_default());
    let first = folders.next().ok_or_else(|| Fault::Contents("it is empty".to_owned()))?;
    if folders.all(|folder| folder == first) {
        Ok(first.to_owned())
    } else {
        Err(Fault::Contents("it holds more than one release".to_owned()))
    }
}

fn match_files(
    manifest: &EvidenceManifest,
    folder: &str,
    mut files: BTreeMap<String, Vec<u8>>,
) -> Result<EvidenceSet, Fault> {
    let tag = &manifest.subject.tag;
    if layout::release_folder(tag) != folder {
        return Err(Fault::Contents(format!("folder `{folder}` is not the one of tag `{tag}`")));
    }
    if !manifest.files.is_sorted_by(|a, b| a.path < b.path) {
        return Err(Fault::Contents("manifest entries are not sorted, or one stands twice".to_owned()));
    }
    let mut matched = Vec::with_capacity(manifest.files.len());
    for entry in &manifest.files {
        if !layout::stands_at(entry.kind, tag, &entry.path) {
            return Err(Fault::Contents(format!("{} is no place for {}", entry.path, entry.kind)));
        }
        if entry.media_type != layout::media_type(entry.kind) {
            return Err(Fault::Contents(format!("{} is no media type of {}", entry.media_type, entry.kind)));
        }
        let content = files
            .remove(&format!("{folder}/{}", entry.path))
            .ok_or_else(|| Fault::Contents(format!("{} is missing", entry.path)))?;
        matched.push((entry.clone(), content));
    }
    if let Some(extra) = files.keys().next() {
        return Err(Fault::Contents(format!("{extra} is not in the manifest")));
    }
    EvidenceSet::new(matched).map_err(|error| Fault::Contents(error.to_string()))
}

/// Verifies a bundle and replays its decision. `Ok` means genuine; whether it was accepted is in the decision.
///
/// # Errors
/// See [`Refusal`].
pub fn replay(bytes: &[u8], trust: &TrustRoots, expected: &Expectations, now: Timestamp) -> Result<Replayed, Refusal> {
    let (manifest, set, signed_by) = open(bytes, trust)?;
    check_expectations(&manifest, expected)?;
    let (config, overlay) = effective_config(&set, trust)?;
    demand_identity(&set, trust)?;

    let (decision_file, recorded): (_, Decision) = set.record(EvidenceKind::Decision).map_err(Fault::from)?;
    let (_, recorded_bytes) = set.one(EvidenceKind::Decision).map_err(Fault::from)?;
    if recorded.subject != manifest.subject || recorded.run_id != manifest.run_id || recorded.now != manifest.created_at
    {
        return Err(Fault::Contents("decision and manifest name different releases".to_owned()).into());
    }
    check_time(&recorded, expected, now)?;
    let facts = verifiers::derive(&Inputs {
        set: &set,
        subject: &manifest.subject,
        run_id: &manifest.run_id,
        trust,
        config: &config,
        now: recorded.now,
    });
    let question = Question {
        run_id: &manifest.run_id,
        subject: &manifest.subject,
        environment: recorded.environment,
        facts: &facts,
        config: &config,
        overlay,
        now: recorded.now,
    };
    let decision = decide(&question).map_err(Fault::from)?;
    let derived_bytes = canonical::to_vec(&decision).map_err(|error| Fault::from(DecideError::from(error)))?;
    if derived_bytes != recorded_bytes {
        return Err(Fault::ReplayDiffers(describe_difference(&recorded, &decision)).into());
    }
    check_derived(&set, &decision, decision_file.digest, &config, trust)?;
    check_accepted_identity(&facts, trust, &decision)?;
    if let Some(environment) = expected.environment
        && decision.environment != environment
    {
        return Err(Fault::Unexpected {
            found: format!("environment {}", decision.environment),
            expected: format!("environment {environment}"),
        }
        .into());
    }
    Ok(Replayed { decision_digest: decision_file.digest, decision, facts, signed_by, manifest, config })
}

fn check_expectations(manifest: &EvidenceManifest, expected: &Expectations) -> Result<(), Fault> {
    match expected.digest {
        Some(digest) if digest != manifest.subject.digest => {
            Err(Fault::Unexpected { found: manifest.subject.digest.to_string(), expected: digest.to_string() })
        }
        _ => Ok(()),
    }
}

fn check_time(decision: &Decision, expected: &Expectations, now: Timestamp) -> Result<(), Fault> {
    /// Clocks of lane and verifier may differ by this much.
    const SKEW_S: i64 = 300;
    let age_s = now.unix_s() - decision.now.unix_s();
    let fault = |what| Fault::Time { decided: decision.now, now, what };
    if age_s < -SKEW_S {
        return Err(fault("it lies in the future"));
    }
    match expected.max_age_s {
        Some(limit) if u64::try_from(age_s).unwrap_or(0) > limit => Err(fault("it is older than demanded")),
        _ => Ok(()),
    }
}

/// Defaults, overlay and repository file merged anew; a layer that loosens is refused here as it is in the lane.
fn effective_config(set: &EvidenceSet, trust: &TrustRoots) -> Result<(Config, Option<Digest>), Refusal> {
    let (_, repository) = set.one(EvidenceKind::Config).map_err(Fault::from)?;
    let overlay = set.optional(EvidenceKind::Overlay).map_err(Fault::from)?;
    let overlay = match overlay {
        None if !trust.organisation_keys.is_empty() => return Err(Fault::NoOverlay.into()),
        None if set.all(EvidenceKind::OverlaySignature).next().is_some() => {
            return Err(Fault::Contents("an overlay's signature without the overlay".to_owned()).into());
        }
        None => None,
        Some(_) if trust.organisation_keys.is_empty() => return Err(Refusal::Undecided(MissingTrust::Organisation)),
        Some((entry, content)) => {
            let (signature, envelope) = set.one(EvidenceKind::OverlaySignature).map_err(Fault::from)?;
            let opened = dsse::open(envelope, dsse::OVERLAY, &trust.organisation_keys)
                .map_err(|error| Fault::Signature { path: signature.path.clone(), error })?;
            if opened.payload != content {
                return Err(Fault::Contents(format!("{} is not what the organisation signed", entry.path)).into());
            }
            Some((entry.digest, content))
        }
    };
    let layer = |origin, file, bytes| Layer { origin, file, bytes };
    let overlay_layer = overlay.map(|(_, bytes)| layer(LayerOrigin::Overlay, "policies/overlay.yml", bytes));
    let repository = layer(LayerOrigin::Repository, "policies/config.yml", repository);
    let effective = config::load(overlay_layer.as_ref(), &repository)
        .map_err(|errors| Fault::Config(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))?;
    Ok((effective.config, overlay.map(|(digest, _)| digest)))
}

/// A CI identity needs issuer keys and an identity policy, both of the caller.
fn demand_identity(set: &EvidenceSet, trust: &TrustRoots) -> Result<(), Refusal> {
    let Ok((_, identity)) = set.record::<IdentityRecord>(EvidenceKind::Identity) else { return Ok(()) };
    if identity.kind == IdentityKind::GithubActions {
        let claimed = identity.subject;
        if trust.issuer_keys.is_none() {
            return Err(Refusal::Undecided(MissingTrust::IssuerKeys { claimed }));
        }
        if trust.identity.is_none() {
            return Err(Refusal::Undecided(MissingTrust::Identity { claimed }));
        }
    }
    Ok(())
}

fn check_accepted_identity(facts: &Facts, trust: &TrustRoots, decision: &Decision) -> Result<(), Fault> {
    let Some(policy) = &trust.identity else { return Ok(()) };
    let Ok(identity) = &facts.identity else {
        return Err(Fault::Identity("it is not proven".to_owned()));
    };
    let Some(claims) = &identity.claims else {
        return Err(Fault::Identity(format!("{} is a developer, a CI identity is demanded", identity.subject)));
    };
    match lane_mismatches(policy, claims, decision.now).first() {
        Some(mismatch) => Err(Fault::Identity(mismatch.clone())),
        None => Ok(()),
    }
}

fn check_derived(
    set: &EvidenceSet,
    decision: &Decision,
    digest: Digest,
    config: &Config,
    trust: &TrustRoots,
) -> Result<(), Fault> {
    let open = |kind: EvidenceKind, payload_type: &str| -> Result<Vec<u8>, Fault> {
        let (entry, content) = set.one(kind)?;
        dsse::open(content, payload_type, &trust.keys)
            .map(|opened| opened.payload)
            .map_err(|error| Fault::Signature { path: entry.path.clone(), error })
    };
    let ensure = |kind: EvidenceKind, holds: bool| if holds { Ok(()) } else { Err(Fault::NotDerived(kind)) };
    let canonical = |error: serde_json::Error| Fault::from(DecideError::from(error));

    let (_, decision_bytes) = set.one(EvidenceKind::Decision)?;
    ensure(EvidenceKind::DecisionSignature, open(EvidenceKind::DecisionSignature, dsse::DECISION)? == decision_bytes)?;
    let statement = summary::statement(decision, digest, set).map_err(canonical)?;
    ensure(EvidenceKind::Summary, open(EvidenceKind::Summary, dsse::IN_TOTO)? == statement)?;
    let outputs = canonical::to_vec(&ReleaseOutputs::of(decision, digest)).map_err(canonical)?;
    ensure(EvidenceKind::Outputs, set.one(EvidenceKind::Outputs)?.1 == outputs)?;
    // Inputs and their producers are part of the facts; what came after the decision is ci-intel's own.
    let ours = Producer::ci_intel(&summary::lane_version(set));
    for (entry, _) in set.files().iter().filter(|(entry, _)| entry.kind.is_derived()) {
        ensure(entry.kind, entry.producer == ours)?;
    }
    let (_, entry): (_, LogEntry) = set.record(EvidenceKind::LogEntry)?;
    ensure(EvidenceKind::LogEntry, (entry.sequence == 0) == entry.previous.is_none())?;
    let expected = LogEntry::decided(entry.sequence, entry.previous, &config.project.name, decision, digest);
    ensure(EvidenceKind::LogEntry, entry == expected)?;
    let telemetry = telemetry::record(set, decision)?;
    ensure(EvidenceKind::PipelineRun, set.one(EvidenceKind::PipelineRun)?.1 == telemetry)
}

fn describe_difference(recorded: &Decision, derived: &Decision) -> String {
    if recorded.verdict != derived.verdict {
        let word = |verdict| match verdict {
            Verdict::Accepted => "accepted",
            Verdict::Rejected => "rejected",
        };
        let denied: Vec<&str> = derived.denied_by().collect();
        return format!(
            "recorded as {}, the evidence gives {} ({})",
            word(recorded.verdict),
            word(derived.verdict),
            denied.join(", ")
        );
    }
    for (recorded, derived) in recorded.gates.iter().zip(&derived.gates) {
        if recorded != derived {
            let reason = derived.reasons.first().map(|reason| reason.message.as_str()).unwrap_or_default();
            return format!("gate {} gives another answer: {reason}", derived.gate);
        }
    }
    if recorded.policy != derived.policy {
        return "it was made by another set of gates; verify with the ci-intel version that made it".to_owned();
    }
    if recorded.config != derived.config {
        return "it was made with another effective configuration".to_owned();
    }
    "it rests on other facts".to_owned()
}
