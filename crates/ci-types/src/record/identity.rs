//! Who ran the release, and what the registry let them do.

use serde::{Deserialize, Serialize};

use super::schema_id;

schema_id!(IdentitySchema, "https://ci-intel.dev/schema/identity.v1.json");

/// Identity of the lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IdentityRecord {
    /// Schema id.
    pub schema: IdentitySchema,
    /// What kind of identity this is.
    pub kind: IdentityKind,
    /// For people: `repo:org/app:ref:refs/heads/main` or `alice@laptop`.
    pub subject: String,
    /// Claims of the CI's OIDC token. Present exactly where `kind` is `github-actions`.
    pub claims: Option<GithubClaims>,
    /// A token of the issuer whose audience is `ci-intel:<image digest>`: it proves that this workflow named this
    /// digest, and is good for nothing else. Present exactly where `kind` is `github-actions`.
    pub digest_token: Option<String>,
    /// What the registry allowed, probed before anything was built.
    pub permissions: Vec<Permission>,
}

/// What kind of identity ran the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum IdentityKind {
    /// A workflow of GitHub Actions, proven by its OIDC token.
    GithubActions,
    /// A person's machine. Never authoritative.
    Developer,
}

/// The claims that identity policy looks at (GitHub, "OpenID Connect reference", OIDC token claims). All are strings there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct GithubClaims {
    pub iss: String,
    pub sub: String,
    pub aud: String,
    pub repository: String,
    pub repository_id: String,
    pub repository_owner_id: String,
    pub job_workflow_ref: String,
    pub workflow_ref: String,
    #[serde(rename = "ref")]
    pub git_ref: String,
    pub sha: String,
    pub event_name: String,
    pub run_id: String,
    pub run_attempt: String,
    pub runner_environment: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Issued at, seconds since 1970.
    pub iat: i64,
    /// Not before, seconds since 1970.
    pub nbf: i64,
    /// Expires, seconds since 1970.
    pub exp: i64,
}

/// A right at the registry or layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Permission {
    /// The right.
    pub action: RegistryAction,
    /// Whether the probe succeeded.
    pub granted: bool,
    /// How it was probed and what came back, for example `POST /v2/org/app/blobs/uploads/ -> 403 DENIED`.
    pub detail: String,
}

/// What a release needs to do at its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub enum RegistryAction {
    Pull,
    Push,
    Tag,
    ListReferrers,
}

impl RegistryAction {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Pull, Self::Push, Self::Tag, Self::ListReferrers];

    /// Name in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Tag => "tag",
            Self::ListReferrers => "list-referrers",
        }
    }
}
