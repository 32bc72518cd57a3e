//! What a file of a bundle is. Verifiers look evidence up by kind, never by file name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of an evidence file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum EvidenceKind {
    /// Who ran the release and what the registry allowed: [`super::IdentityRecord`].
    Identity,
    /// Public keys of the OIDC issuer as fetched at release time (RFC 7517). Informative: a verifier names its own.
    IssuerKeys,
    /// Every file that the build may read: [`super::ContextManifest`].
    Context,
    /// `build_command_surface_receipt.json`: [`super::CommandReceipt`].
    Commands,
    /// `packaging_provenance.json`: [`super::PackagingProvenance`].
    Packaging,
    /// `security_secret_injection_checks.json`: [`super::SecretSweep`].
    SecretSweep,
    /// `ci_m1_outputs.json`: [`super::ReleaseOutputs`]. Derived from the decision.
    Outputs,
    /// Built, published and read-back digests: [`super::Publication`].
    Publication,
    /// The OCI image manifest, byte for byte.
    ImageManifest,
    /// The OCI image config, byte for byte.
    ImageConfig,
    /// Dual-build comparison: [`super::DeterminismReport`].
    Determinism,
    /// Runtime viability: [`super::SmokeReport`].
    Smoke,
    /// CycloneDX 1.6 JSON.
    SbomCyclonedx,
    /// SPDX 2.3 JSON.
    SbomSpdx,
    /// DSSE envelope with an in-toto Statement, predicate SLSA provenance v1.
    Provenance,
    /// JUnit XML.
    TestResults,
    /// Grype or Trivy JSON, or SARIF.
    ScanResults,
    /// The repository's `.ci-intel/config.yml`, byte for byte.
    Config,
    /// The organisation's overlay, byte for byte.
    Overlay,
    /// DSSE envelope by the organisation over the overlay.
    OverlaySignature,
    /// The decision: [`super::Decision`]. Derived.
    Decision,
    /// DSSE envelope over the decision. Derived.
    DecisionSignature,
    /// DSSE envelope with a SLSA Verification Summary. Derived.
    Summary,
    /// Entry of the hash-chained decision log. Derived.
    LogEntry,
    /// `pipeline_run.v1.2` NDJSON. Derived.
    PipelineRun,
    /// Redacted log of a command.
    Log,
}

impl EvidenceKind {
    /// All kinds, in reading order.
    pub const ALL: [Self; 26] = [
        Self::Identity,
        Self::IssuerKeys,
        Self::Context,
        Self::Commands,
        Self::Packaging,
        Self::SecretSweep,
        Self::Outputs,
        Self::Publication,
        Self::ImageManifest,
        Self::ImageConfig,
        Self::Determinism,
        Self::Smoke,
        Self::SbomCyclonedx,
        Self::SbomSpdx,
        Self::Provenance,
        Self::TestResults,
        Self::ScanResults,
        Self::Config,
        Self::Overlay,
        Self::OverlaySignature,
        Self::Decision,
        Self::DecisionSignature,
        Self::Summary,
        Self::LogEntry,
        Self::PipelineRun,
        Self::Log,
    ];

    /// Derived kinds come after the decision; they are no input to it.
    #[must_use]
    pub const fn is_derived(self) -> bool {
        matches!(
            self,
            Self::Outputs
                | Self::Decision
                | Self::DecisionSignature
                | Self::Summary
                | Self::LogEntry
                | Self::PipelineRun
        )
    }

    /// Kinds of which a bundle may hold more than one file. Every other kind is unique.
    #[must_use]
    pub const fn may_repeat(self) -> bool {
        matches!(self, Self::TestResults | Self::ScanResults | Self::Log)
    }

    /// The name used in the manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::IssuerKeys => "issuer-keys",
            Self::Context => "context",
            Self::Commands => "commands",
            Self::Packaging => "packaging",
            Self::SecretSweep => "secret-sweep",
            Self::Outputs => "outputs",
            Self::Publication => "publication",
            Self::ImageManifest => "image-manifest",
            Self::ImageConfig => "image-config",
            Self::Determinism => "determinism",
            Self::Smoke => "smoke",
            Self::SbomCyclonedx => "sbom-cyclonedx",
            Self::SbomSpdx => "sbom-spdx",
            Self::Provenance => "provenance",
            Self::TestResults => "test-results",
            Self::ScanResults => "scan-results",
            Self::Config => "config",
            Self::Overlay => "overlay",
            Self::OverlaySignature => "overlay-signature",
            Self::Decision => "decision",
            Self::DecisionSignature => "decision-signature",
            Self::Summary => "summary",
            Self::LogEntry => "log-entry",
            Self::PipelineRun => "pipeline-run",
            Self::Log => "log",
        }
    }
}

impl fmt::Display for EvidenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_serialised_ones() {
        for kind in EvidenceKind::ALL {
            let json = serde_json::to_value(kind).ok();
            assert_eq!(json, Some(serde_json::Value::from(kind.as_str())));
        }
    }
}
