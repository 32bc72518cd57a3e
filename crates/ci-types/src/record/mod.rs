//! The evidence documents that ci-intel itself writes. One file a document; each carries its `schema` id, refuses unknown
//! keys, and is stored as RFC 8785 canonical JSON. Their JSON Schemas are generated into `schema/`.

pub mod commands;
pub mod context;
pub mod decision;
pub mod determinism;
pub mod identity;
pub mod kind;
pub mod manifest;
pub mod outputs;
pub mod packaging;
pub mod publication;
#[cfg(feature = "schema")]
mod schema;
pub mod smoke;
pub mod sweep;

pub use commands::{CommandReceipt, CommandRun, FileDigest};
pub use context::{ContextFile, ContextManifest, SourceState};
pub use decision::{Decision, GateOutcome, GateReason, GateVerdict, Lane, Verdict};
pub use determinism::{BuildRun, DeterminismMode, DeterminismReport, Difference};
pub use identity::{GithubClaims, IdentityKind, IdentityRecord, Permission, RegistryAction};
pub use kind::EvidenceKind;
pub use manifest::{EvidenceFile, EvidenceManifest, Producer};
pub use outputs::ReleaseOutputs;
pub use packaging::PackagingProvenance;
pub use publication::{Publication, TargetKind};
#[cfg(feature = "schema")]
pub use schema::schemas;
pub use smoke::{Dependency, Isolation, Probe, ProbeKind, SmokeReport};
pub use sweep::{SecretHit, SecretSweep};

/// Declares a one-valued `schema` field: any other id is refused while reading.
macro_rules! schema_id {
    ($name:ident, $id:literal) => {
        #[doc = concat!("The schema id `", $id, "`; reading refuses any other.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum $name {
            #[doc = concat!("`", $id, "`")]
            #[default]
            #[serde(rename = $id)]
            V1,
        }
    };
}
pub(crate) use schema_id;
