//! The effective configuration. Field docs say what the key table (`keys.rs`) says; a test holds them together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::DeterminismMode;

/// `.ci-intel/config.yml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Config {
    /// Version of this contract: 1.
    pub version: ContractVersion,
    /// What is being released.
    pub project: Project,
    /// The one CI workflow whose releases are authoritative. Without it every release is `local`.
    pub lane: Option<LanePolicy>,
    /// How the image is built.
    pub build: Build,
    /// Where the image goes.
    pub publish: Publish,
    /// How the image is proven to start.
    pub smoke: Smoke,
    /// How the tests are run.
    pub tests: Tests,
    /// How the image is scanned for vulnerabilities.
    pub scan: Scan,
    /// How the SBOMs are made.
    pub sbom: Sbom,
    /// Limits that gates enforce.
    pub budgets: Budgets,
}

/// Version of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "u32"))]
pub enum ContractVersion {
    /// `version: 1`
    #[default]
    V1,
}

impl TryFrom<u32> for ContractVersion {
    type Error = String;

    fn try_from(version: u32) -> Result<Self, String> {
        if version == 1 { Ok(Self::V1) } else { Err(format!("config version {version} is not known; expected 1")) }
    }
}

impl From<ContractVersion> for u32 {
    fn from(_: ContractVersion) -> Self {
        1
    }
}

/// What is being released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Project {
    /// Name of the service: lower-case letters, digits, `.`, `_`, `-` and `/`. Required.
    pub name: String,
    /// `owner/name` on the forge. Taken from the CI's token where there is one.
    pub repository: Option<String>,
}

/// Identity policy of the authoritative lane. A release whose CI identity does not match all of it is not authoritative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LanePolicy {
    /// OIDC issuer, for example `https://token.actions.githubusercontent.com`.
    pub issuer: String,
    /// GitHub's numeric repository id as text: unlike the name it cannot be taken over.
    pub repository_id: String,
    /// The workflow file, for example `org/app/.github/workflows/release.yml`; what stands before `@` in `job_workflow_ref`.
    pub workflow: String,
    /// Git refs that may release, exact or with one trailing `*`: `refs/heads/main`, `refs/tags/v*`.
    pub refs: Vec<String>,
    /// GitHub environments that the job must run in. Empty: any or none.
    #[serde(default)]
    pub environments: Vec<String>,
    /// Events that may start a release. Those that run code of a fork or of an unreviewed change are not offered.
    #[serde(default = "default_events")]
    pub events: Vec<String>,
    /// How old a token may be, in seconds.
    #[serde(default = "default_token_age")]
    pub max_token_age_s: u64,
}

pub(super) fn default_events() -> Vec<String> {
    ["push", "workflow_dispatch", "release"].map(str::to_owned).to_vec()
}

pub(super) const fn default_token_age() -> u64 {
    600
}

/// Build engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Engine {
    /// A declared file set onto a base layout or scratch; no daemon; byte-reproducible.
    #[default]
    Assemble,
    /// `buildah bud` on a Dockerfile.
    Buildah,
    /// `docker buildx build` on a Dockerfile.
    Docker,
    /// Any command that leaves an OCI image layout.
    Command,
}

impl Engine {
    /// Name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assemble => "assemble",
            Self::Buildah => "buildah",
            Self::Docker => "docker",
            Self::Command => "command",
        }
    }
}

/// How the image is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Build {
    /// The engine.
    pub engine: Engine,
    /// Which files the build may read.
    pub context: Context,
    /// `dual` builds twice in different directories and at different times and compares; `single` is good for
    /// environment `local` only.
    pub determinism: DeterminismMode,
    /// Commands that run in the build directory before the image is made, for example a compiler.
    pub steps: Vec<Vec<String>>,
    /// Files that the steps make, relative to the build directory: the only files besides the context that an image may hold.
    pub outputs: Vec<String>,
    /// Names of environment variables passed to build commands besides PATH and HOME. Credentials are never passed.
    pub pass_env: Vec<String>,
    /// For engine `assemble`.
    pub assemble: Assemble,
    /// For engines `buildah` and `docker`: the Dockerfile, relative to the context.
    pub dockerfile: String,
    /// For engine `command`: program and arguments. `{layout}` is replaced by the directory to leave an OCI image layout in.
    pub command: Vec<String>,
    /// How long the whole build may take, in seconds.
    pub timeout_s: u64,
}

impl Default for Build {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            context: Context::default(),
            determinism: DeterminismMode::Dual,
            steps: Vec::new(),
            outputs: Vec::new(),
            pass_env: Vec::new(),
            assemble: Assemble::default(),
            dockerfile: "Dockerfile".to_owned(),
            command: Vec::new(),
            timeout_s: 3600,
        }
    }
}

/// The build context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Context {
    /// Paths and globs relative to the repository root: `src/**`, `Cargo.toml`. `*` and `?` stop at `/`; `**` stands for
    /// any number of directories. Patterns that match everything (`.`, `*`, `**`, `**/*`) are refused: a context has a
    /// boundary, so the first component is literal unless the pattern names files at the top (`*.toml`).
    pub include: Vec<String>,
    /// Most files the context may hold.
    pub max_files: u64,
    /// Most bytes the context may hold.
    pub max_bytes: u64,
}

impl Default for Context {
    fn default() -> Self {
        Self { include: Vec::new(), max_files: 20_000, max_bytes: 512 << 20 }
    }
}

/// Engine `assemble`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Assemble {
    /// `scratch`, or an OCI image layout and a digest: `path/to/layout@sha256:…`. A tag is refused.
    pub base: Option<String>,
    /// The files of the image.
    pub files: Vec<AssembleFile>,
    /// Entrypoint of the image.
    pub entrypoint: Vec<String>,
    /// Default arguments.
    pub cmd: Vec<String>,
    /// Environment of the image.
    pub env: BTreeMap<String, String>,
    /// Working directory.
    pub workdir: Option<String>,
    /// `uid` or `uid:gid`.
    pub user: Option<String>,
    /// Ports, like `8080/tcp`.
    pub ports: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// `architecture` of the image config; default `amd64` or `arm64` by the machine.
    pub architecture: Option<String>,
}

/// One file (or directory tree) of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AssembleFile {
    /// Path in the build directory; must lie in the context or be one of `build.outputs`.
    pub from: String,
    /// Absolute path in the image.
    pub to: String,
    /// Octal mode like `0755`; default `0755` where the owner may execute the source, else `0644`.
    #[serde(default)]
    pub mode: Option<String>,
}

/// Where the image goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Publish {
    /// `oci-layout:PATH` (relative to the repository, or absolute), or `registry:HOST[:PORT]/NAME`.
    pub target: String,
    /// The tag. `{commit}` is replaced by the full commit id.
    pub tag: String,
    /// Allow plain HTTP; loopback hosts only.
    pub plain_http: bool,
}

impl Default for Publish {
    fn default() -> Self {
        Self {
            target: "oci-layout:.ci-intel/state/images".to_owned(),
            tag: "git-{commit}".to_owned(),
            plain_http: false,
        }
    }
}

/// How the image is proven to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Smoke {
    /// Arguments instead of the image's own.
    pub args: Vec<String>,
    /// Environment for the started image. `{port}` is replaced by the chosen port.
    pub env: BTreeMap<String, String>,
    /// HTTP probes against the started service.
    pub http: Vec<HttpProbe>,
    /// Commands run inside the image that must exit 0: imports, `--version`.
    pub exec: Vec<Vec<String>>,
    /// The entrypoint is a job: it must exit 0 by itself.
    pub exits: bool,
    /// How long to wait for all probes, in seconds.
    pub timeout_s: u64,
    /// Ways to isolate the image, most wanted first: `bubblewrap`, `podman`, `docker`, `process`.
    pub isolation: Vec<crate::record::Isolation>,
}

impl Default for Smoke {
    fn default() -> Self {
        use crate::record::Isolation::{Bubblewrap, Docker, Podman, Process};
        Self {
            args: Vec::new(),
            env: BTreeMap::new(),
            http: Vec::new(),
            exec: Vec::new(),
            exits: false,
            timeout_s: 30,
            isolation: vec![Bubblewrap, Podman, Docker, Process],
        }
    }
}

/// One HTTP probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HttpProbe {
    /// Path, for example `/healthz`.
    pub path: String,
    /// Expected status.
    #[serde(default = "default_status")]
    pub status: u16,
    /// Text that the body must contain.
    #[serde(default)]
    pub contains: Option<String>,
}

const fn default_status() -> u16 {
    200
}

/// How the tests are run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tests {
    /// Command that runs the tests in the build directory. `{results}` is replaced by an empty directory for JUnit files.
    pub command: Vec<String>,
    /// Glob for JUnit XML files below `{results}`.
    pub results: String,
    /// Fewest tests that must have run. 0 would accept an empty run and is refused.
    pub min_total: u64,
    /// How long the tests may take, in seconds.
    pub timeout_s: u64,
}

impl Default for Tests {
    fn default() -> Self {
        Self { command: Vec::new(), results: "**/*.xml".to_owned(), min_total: 1, timeout_s: 3600 }
    }
}

/// How the image is scanned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Scan {
    /// Scanners, each run in an empty folder. `{source}` is replaced by the build directory, `{sbom}` by the CycloneDX file, `{layout}` by the image layout, `{output}` by the file to write.
    pub commands: Vec<ScanCommand>,
    /// Oldest vulnerability database that counts, in hours, where the report names its age.
    pub max_db_age_h: u64,
    /// How long a scanner may take, in seconds.
    pub timeout_s: u64,
}

impl Default for Scan {
    fn default() -> Self {
        Self { commands: Vec::new(), max_db_age_h: 120, timeout_s: 900 }
    }
}

/// One scanner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScanCommand {
    /// Program and arguments.
    pub run: Vec<String>,
    /// Format of the report.
    pub format: ScanFormat,
}

/// Report formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub enum ScanFormat {
    Grype,
    Trivy,
    Sarif,
}

/// How the SBOMs are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sbom {
    /// Tool to use instead of the built-in cataloguer, run in an empty folder: program and arguments. `{source}` is the build directory, `{layout}` the image layout, `{output}` the
    /// CycloneDX JSON file to write. The SPDX document is converted from it.
    pub command: Vec<String>,
}

/// Limits that gates enforce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Budgets {
    /// Most findings by severity. Unknown severities draw on `high`.
    pub vulnerabilities: VulnerabilityBudget,
}

/// Most findings by severity; absent means unlimited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VulnerabilityBudget {
    /// Critical findings. 0 is the floor and the only value allowed.
    pub critical: u64,
    /// High findings and findings of unknown severity.
    pub high: u64,
    /// Medium findings.
    pub medium: Option<u64>,
    /// Low findings.
    pub low: Option<u64>,
}
