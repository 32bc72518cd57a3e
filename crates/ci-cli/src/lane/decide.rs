//! Decision and record: facts, decision, log, bundle, referrers, and last of all the tag.

use std::path::Path;

use ci_evidence::set::EvidenceSet;
use ci_evidence::trust::TrustRoots;
use ci_evidence::verifiers::{self, Inputs};
use ci_execute::{Attachment, AttachmentFile};
use ci_policy::bundle::{self, Sealed};
use ci_policy::{Question, decide, telemetry};
use ci_types::record::{Decision, EvidenceFile, EvidenceKind, Publication, Verdict};
use ci_types::{Descriptor, Digest, Subject, Timestamp, canonical};

use super::Released;
use super::preflight::Cleared;
use super::setup::{Run, Setup};
use super::state::State;
use crate::args::ReleaseArgs;
use crate::commands::key;
use crate::failure::Failure;
use crate::files;
use crate::ui::Progress;

/// `artifactType` of the bundle as a referrer.
const BUNDLE_TYPE: &str = "application/vnd.ci-intel.evidence-bundle.v1.tar+zstd";

/// The evidence of a run and the time that it is decided at. It is collected anew by every attempt: what a scanner said
/// before an interruption must not decide after it.
pub(crate) struct Evidence {
    pub(crate) now: Timestamp,
    pub(crate) files: Vec<(EvidenceFile, Vec<u8>)>,
}

#[allow(clippy::too_many_arguments)]
pub(crate) fn run(
    args: &ReleaseArgs,
    setup: &Setup,
    state: &State,
    run: &Run,
    cleared: &Cleared,
    publication: &Publication,
    evidence: Evidence,
    progress: &mut Progress,
) -> Result<Released, Failure> {
    progress.begin("decision", "facts, gates, signature, record");
    let set = EvidenceSet::new(evidence.files).map_err(Failure::internal)?;
    let decision = decision(setup, run, cleared, publication, &set, evidence.now)?;
    let digest = Digest::of(&canonical::to_vec(&decision).map_err(Failure::internal)?);
    let entry = state.append(&setup.effective.config.project.name, &decision, digest)?;
    let record = telemetry::record(&set, &decision).map_err(Failure::internal)?;
    let sealed = bundle::seal(&set, &decision, &entry, &record, &setup.key).map_err(Failure::internal)?;

    let bundle = run.folder.bundle(&setup.tag);
    files::write(&run.folder.path().join("ci_m1_outputs.json"), &sealed.outputs)?;
    files::write(&run.folder.path().join("pipeline_run.ndjson"), &record)?;
    files::write(&bundle, &sealed.archive)?;
    attach(setup, publication, &set, &sealed)?;
    let accepted = decision.verdict == Verdict::Accepted;
    if accepted {
        move_tag(setup, &decision.subject)?;
    }
    if let Some(out) = &args.out {
        copy_out(out, &bundle, &sealed, &record)?;
    }
    github_outputs(&decision, &bundle)?;
    state.finish(&run.resume_key)?;
    let _ = std::fs::remove_dir_all(run.folder.path().join("work"));
    progress.end(if accepted { "accepted" } else { "rejected" }, accepted);
    Ok(Released {
        decision,
        bundle,
        key_id: setup.key.verifying_key().id().map_err(Failure::internal)?,
        public_key: key::public_path(&setup.key_path),
    })
}

fn decision(
    setup: &Setup,
    run: &Run,
    cleared: &Cleared,
    publication: &Publication,
    set: &EvidenceSet,
    now: Timestamp,
) -> Result<Decision, Failure> {
    // The lane trusts what any verifier would be told to trust, nothing more.
    let trust = TrustRoots {
        keys: vec![setup.key.verifying_key()],
        organisation_keys: setup.organisation_keys.clone(),
        issuer_keys: set
            .one(EvidenceKind::IssuerKeys)
            .ok()
            .map(|(_, content)| content.to_vec())
            .filter(|kept| cleared.identity.issuer_keys() == Some(kept.as_slice())),
        identity: setup.effective.config.lane.clone(),
    };
    let config = &setup.effective.config;
    let subject = &publication.subject;
    let facts = verifiers::derive(&Inputs { set, subject, run_id: &run.id, trust: &trust, config, now });
    decide(&Question {
        run_id: &run.id,
        subject,
        environment: setup.environment,
        facts: &facts,
        config,
        overlay: setup.overlay.as_ref().map(|overlay| overlay.digest),
        now,
    })
    .map_err(Failure::internal)
}

/// Attaches what verifiers look for at the image itself. Rejected candidates get it too: their summary says FAILED.
fn attach(setup: &Setup, publication: &Publication, set: &EvidenceSet, sealed: &Sealed) -> Result<(), Failure> {
    let subject = Descriptor {
        media_type: publication.media_type.clone(),
        digest: publication.subject.digest,
        size: publication.manifest_bytes,
        artifact_type: None,
        annotations: std::collections::BTreeMap::new(),
    };
    let one = |kind: EvidenceKind| set.one(kind).ok().map(|(_, content)| content.to_vec());
    let in_toto = "application/vnd.in-toto+json";
    let attachments = [
        ("application/vnd.cyclonedx+json", "sbom.cdx.json", one(EvidenceKind::SbomCyclonedx), None),
        ("application/spdx+json", "sbom.spdx.json", one(EvidenceKind::SbomSpdx), None),
        (in_toto, "provenance.dsse.json", one(EvidenceKind::Provenance), Some("https://slsa.dev/provenance/v1")),
        (in_toto, "summary.dsse.json", Some(sealed.summary.clone()), Some("https://slsa.dev/verification_summary/v1")),
        (BUNDLE_TYPE, "evidence.tar.zst", Some(sealed.archive.clone()), None),
    ];
    let mut attached = Vec::new();
    for (artifact_type, title, content, predicate) in attachments {
        let Some(content) = content else { continue };
        let media_type = if artifact_type == in_toto { "application/vnd.dsse.envelope.v1+json" } else { artifact_type };
        let attachment = Attachment {
            artifact_type: artifact_type.to_owned(),
            files: vec![AttachmentFile { title: title.to_owned(), media_type: media_type.to_owned(), content }],
            annotations: predicate
                .map(|predicate| ("in-toto.io/predicate-type".to_owned(), predicate.to_owned()))
                .into_iter()
                .collect(),
        };
        attached.push(setup.store.attach(&subject, &attachment).map_err(Failure::rejected)?.digest);
    }
    // A rival writer of the fallback tag can drop entries unseen (registry reference, "race"): what others will look for
    // must be there when the lane says so.
    let listed = setup.store.referrers(&subject.digest, None).map_err(Failure::rejected)?;
    match attached.iter().find(|digest| listed.iter().all(|referrer| referrer.digest != **digest)) {
        None => Ok(()),
        Some(lost) => {
            Err(Failure::rejected(format!("{lost} was attached to {}, but is not listed there", subject.digest))
                .fix("another writer changes the same referrers; run the command again"))
        }
    }
}

/// The last step: only an accepted image gets its tag, and what the tag names is read back.
fn move_tag(setup: &Setup, subject: &Subject) -> Result<(), Failure> {
    let names = || setup.store.resolve_tag(&subject.tag).map_err(Failure::rejected);
    match names()? {
        Some(digest) if digest == subject.digest => return Ok(()),
        Some(other) => {
            return Err(Failure::rejected(format!("tag `{}` was taken by {other} meanwhile", subject.tag))
                .fix("release under a new tag: set `publish.tag` so that it contains {commit}"));
        }
        None => {}
    }
    setup.store.set_tag(&subject.tag, &subject.digest).map_err(Failure::rejected)?;
    match names()? {
        Some(digest) if digest == subject.digest => Ok(()),
        other => Err(Failure::rejected(format!(
            "tag `{}` names {} after it was set to {}",
            subject.tag,
            other.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string()),
            subject.digest
        ))
        .fix("another writer uses this tag; release again under a tag of its own")),
    }
}

fn copy_out(out: &Path, bundle: &Path, sealed: &Sealed, record: &[u8]) -> Result<(), Failure> {
    let name = bundle.file_name().unwrap_or_default();
    files::write(&out.join(name), &sealed.archive)?;
    files::write(&out.join("ci_m1_outputs.json"), &sealed.outputs)?;
    files::write(&out.join("pipeline_run.ndjson"), record)
}

/// Step outputs for later jobs of a GitHub workflow.
fn github_outputs(decision: &Decision, bundle: &Path) -> Result<(), Failure> {
    let verdict = if decision.verdict == Verdict::Accepted { "accepted" } else { "rejected" };
    let lines = format!(
        "verdict={verdict}\ndigest={}\nreference={}\nbundle={}\n",
        decision.subject.digest,
        decision.subject.reference(),
        bundle.display()
    );
    files::github_output(&lines)
}
