//! Where each kind of evidence stands in a bundle: `evidence-pack/release-<tag>/…` (hardening report, annex A).

use ci_types::Tag;
use ci_types::record::EvidenceKind;

/// Path of the manifest below the release folder.
pub const MANIFEST: &str = "manifest.json";
/// Path of the manifest's envelope below the release folder.
pub const MANIFEST_SIGNATURE: &str = "manifest.dsse.json";

/// Folder of a release below [`crate::archive::ROOT`].
#[must_use]
pub fn release_folder(tag: &Tag) -> String {
    format!("release-{tag}")
}

/// Path of a kind of which a release has one file.
#[must_use]
pub fn path(kind: EvidenceKind, tag: &Tag) -> Option<String> {
    Some(match kind {
        EvidenceKind::Identity => "identity/identity.json".to_owned(),
        EvidenceKind::IssuerKeys => "identity/issuer-keys.json".to_owned(),
        EvidenceKind::Context => "context/manifest.json".to_owned(),
        EvidenceKind::Commands => "build_command_surface_receipt.json".to_owned(),
        EvidenceKind::Packaging => "packaging_provenance.json".to_owned(),
        EvidenceKind::SecretSweep => "security_secret_injection_checks.json".to_owned(),
        EvidenceKind::Outputs => "ci_m1_outputs.json".to_owned(),
        EvidenceKind::Publication => "image/publication.json".to_owned(),
        EvidenceKind::ImageManifest => "image/manifest.json".to_owned(),
        EvidenceKind::ImageConfig => "image/config.json".to_owned(),
        EvidenceKind::Determinism => "determinism/report.json".to_owned(),
        EvidenceKind::Smoke => "smoke/report.json".to_owned(),
        EvidenceKind::SbomCyclonedx => format!("sbom/sbom-{tag}.cdx.json"),
        EvidenceKind::SbomSpdx => format!("sbom/sbom-{tag}.spdx.json"),
        EvidenceKind::Provenance => format!("provenance/provenance-{tag}.json"),
        EvidenceKind::Config => "policies/config.yml".to_owned(),
        EvidenceKind::Overlay => "policies/overlay.yml".to_owned(),
        EvidenceKind::OverlaySignature => "policies/overlay.dsse.json".to_owned(),
        EvidenceKind::Decision => format!("policies/decision-{tag}.json"),
        EvidenceKind::DecisionSignature => format!("policies/decision-{tag}.dsse.json"),
        EvidenceKind::Summary => format!("policies/vsa-{tag}.dsse.json"),
        EvidenceKind::LogEntry => "policies/decision-log-entry.json".to_owned(),
        EvidenceKind::PipelineRun => "telemetry/pipeline_run.ndjson".to_owned(),
        EvidenceKind::TestResults | EvidenceKind::ScanResults | EvidenceKind::Log => return None,
    })
}

/// Folder of a kind of which a release may have several files.
#[must_use]
pub const fn folder(kind: EvidenceKind) -> Option<&'static str> {
    match kind {
        EvidenceKind::TestResults => Some("tests/"),
        EvidenceKind::ScanResults => Some("scans/"),
        EvidenceKind::Log => Some("logs/"),
        _ => None,
    }
}

/// Whether `path` is where `kind` stands.
#[must_use]
pub fn stands_at(kind: EvidenceKind, tag: &Tag, candidate: &str) -> bool {
    match (path(kind, tag), folder(kind)) {
        (Some(expected), _) => expected == candidate,
        (None, Some(folder)) => candidate.strip_prefix(folder).is_some_and(|rest| !rest.is_empty()),
        (None, None) => false,
    }
}

/// Media type of a kind; for kinds with several formats the most general one.
#[must_use]
pub const fn media_type(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::SbomCyclonedx => "application/vnd.cyclonedx+json",
        EvidenceKind::SbomSpdx => "application/spdx+json",
        EvidenceKind::Provenance | EvidenceKind::Summary => "application/vnd.in-toto.dsse+json",
        EvidenceKind::DecisionSignature | EvidenceKind::OverlaySignature => "application/vnd.dsse.envelope.v1+json",
        EvidenceKind::TestResults => "application/xml",
        EvidenceKind::Config | EvidenceKind::Overlay => "application/yaml",
        EvidenceKind::PipelineRun => "application/x-ndjson",
        EvidenceKind::Log => "text/plain",
        EvidenceKind::ImageManifest => "application/vnd.oci.image.manifest.v1+json",
        EvidenceKind::ImageConfig => "application/vnd.oci.image.config.v1+json",
        EvidenceKind::IssuerKeys => "application/jwk-set+json",
        _ => "application/json",
    }
}
