//! The table: every key, its shape, its default's weight, how layers may change it, and what it means.
//!
//! It is the one list that the parser, the merge, `ci-intel config explain`, the JSON Schema and the reference page read.
//! A test holds it against the types: same keys, same texts.

use super::check::{self, Check};
use super::rule::Rule;
use super::shape::{Field, Shape};

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Dotted path.
    pub path: &'static str,
    /// Shape of the value.
    pub shape: Shape,
    /// How a lower layer may change it.
    pub rule: Rule,
    /// Whether the built-in default counts as a layer: `true`, and the first file may only be stricter than it; `false`,
    /// and the default is a proposal that the first file may replace.
    pub default_binds: bool,
    /// What it means.
    pub doc: &'static str,
    pub(super) check: Check,
}

impl Key {
    /// Whether a file must give it: `None` no, `Some(true)` always, `Some(false)` once any key of its group is given.
    #[must_use]
    pub fn required(&self) -> Option<bool> {
        match self.path {
            "version" | "project.name" => Some(true),
            path if LANE_REQUIRED.contains(&path) => Some(false),
            _ => None,
        }
    }

    const fn binding(mut self) -> Self {
        self.default_binds = true;
        self
    }
}

const fn key(path: &'static str, shape: Shape, rule: Rule, check: Check, doc: &'static str) -> Key {
    Key { path, shape, rule, default_binds: false, doc, check }
}

const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field { name, shape, required: true, doc }
}

const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field { name, shape, required: false, doc }
}

/// Keys without which there is no lane.
pub(super) const LANE_REQUIRED: [&str; 4] = ["lane.issuer", "lane.repository_id", "lane.workflow", "lane.refs"];

/// JSON numbers are exact up to here (RFC 8785, section 3.2.2.3), and so is every limit.
const MAX_EXACT: u64 = (1 << 53) - 1;

const fn up_to(max: u64) -> Shape {
    Shape::Count { min: 0, max }
}

const fn from_one_to(max: u64) -> Shape {
    Shape::Count { min: 1, max }
}

const HOUR_S: u64 = 3600;

const ASSEMBLE_FILE: &[Field] = &[
    required("from", Shape::Text, "Path in the build directory; must lie in the context or be one of `build.outputs`."),
    required("to", Shape::Text, "Absolute path in the image."),
    optional(
        "mode",
        Shape::Text,
        "Octal mode like `0755`; default `0755` where the owner may execute the source, else `0644`.",
    ),
];

const HTTP_PROBE: &[Field] = &[
    required("path", Shape::Text, "Path, for example `/healthz`."),
    optional("status", Shape::Count { min: 100, max: 599 }, "Expected status."),
    optional("contains", Shape::Text, "Text that the body must contain."),
];

const SCAN_COMMAND: &[Field] = &[
    required("run", Shape::Command, "Program and arguments."),
    required("format", Shape::Choice(&["grype", "trivy", "sarif"]), "Format of the report."),
];

/// Every key, in the order of the reference page.
pub static KEYS: &[Key] = &[
    key("version", from_one_to(1), Rule::SetOnce, check::nothing, "Version of this contract: 1."),
    key(
        "project.name",
        Shape::Text,
        Rule::Free,
        check::project_name,
        "Name of the service: lower-case letters, digits, `.`, `_`, `-` and `/`. Required.",
    ),
    key(
        "project.repository",
        Shape::Text,
        Rule::Free,
        check::repository,
        "`owner/name` on the forge. Taken from the CI's token where there is one.",
    ),
    key(
        "lane.issuer",
        Shape::Text,
        Rule::SetOnce,
        check::issuer,
        "OIDC issuer, for example `https://token.actions.githubusercontent.com`.",
    ),
    key(
        "lane.repository_id",
        Shape::Text,
        Rule::SetOnce,
        check::repository_id,
        "GitHub's numeric repository id as text: unlike the name it cannot be taken over.",
    ),
    key(
        "lane.workflow",
        Shape::Text,
        Rule::SetOnce,
        check::workflow,
        "The workflow file, for example `org/app/.github/workflows/release.yml`; what stands before `@` in \
         `job_workflow_ref`.",
    ),
    key(
        "lane.refs",
        Shape::Texts,
        Rule::Refs,
        check::refs,
        "Git refs that may release, exact or with one trailing `*`: `refs/heads/main`, `refs/tags/v*`.",
    ),
    key(
        "lane.environments",
        Shape::Texts,
        Rule::SubsetOrAny,
        check::environments,
        "GitHub environments that the job must run in. Empty: any or none.",
    ),
    key(
        "lane.events",
        Shape::Choices(&["push", "workflow_dispatch", "release", "schedule", "repository_dispatch", "merge_group"]),
        Rule::Subset,
        check::events,
        "Events that may start a release. Those that run code of a fork or of an unreviewed change are not offered.",
    ),
    key(
        "lane.max_token_age_s",
        from_one_to(HOUR_S),
        Rule::Lower,
        check::nothing,
        "How old a token may be, in seconds.",
    )
    .binding(),
    key(
        "build.engine",
        Shape::Choice(&["assemble", "buildah", "docker", "command"]),
        Rule::SetOnce,
        check::nothing,
        "The engine.",
    ),
    key(
        "build.context.include",
        Shape::Texts,
        Rule::Free,
        check::patterns,
        "Paths and globs relative to the repository root: `src/**`, `Cargo.toml`. `*` and `?` stop at `/`; `**` stands for \
         any number of directories. Patterns that match everything (`.`, `*`, `**`, `**/*`) are refused: a context has a \
         boundary, so the first component is literal unless the pattern names files at the top (`*.toml`).",
    ),
    key(
        "build.context.max_files",
        from_one_to(1_000_000),
        Rule::Lower,
        check::nothing,
        "Most files the context may hold.",
    ),
    key(
        "build.context.max_bytes",
        from_one_to(64 << 30),
        Rule::Lower,
        check::nothing,
        "Most bytes the context may hold.",
    ),
    key(
        "build.determinism",
        Shape::Choice(&["single", "dual"]),
        Rule::Order(&["single", "dual"]),
        check::nothing,
        "`dual` builds twice in different directories and at different times and compares; `single` is good for \
         environment `local` only.",
    ),
    key(
        "build.steps",
        Shape::Commands,
        Rule::Free,
        check::argvs,
        "Commands that run in the build directory before the image is made, for example a compiler.",
    ),
    key(
        "build.outputs",
        Shape::Texts,
        Rule::Free,
        check::patterns,
        "Files that the steps make, relative to the build directory: the only files besides the context that an image may \
         hold.",
    ),
    key(
        "build.pass_env",
        Shape::Texts,
        Rule::Subset,
        check::env_names,
        "Names of environment variables passed to build commands besides PATH and HOME. Credentials are never passed.",
    ),
    key(
        "build.assemble.base",
        Shape::Text,
        Rule::SetOnce,
        check::base,
        "`scratch`, or an OCI image layout and a digest: `path/to/layout@sha256:…`. A tag is refused.",
    ),
    key(
        "build.assemble.files",
        Shape::Records(ASSEMBLE_FILE),
        Rule::Free,
        check::assemble_files,
        "The files of the image.",
    ),
    key("build.assemble.entrypoint", Shape::Command, Rule::Free, check::argv, "Entrypoint of the image."),
    key("build.assemble.cmd", Shape::Texts, Rule::Free, check::nothing, "Default arguments."),
    key("build.assemble.env", Shape::Table, Rule::Free, check::env_table, "Environment of the image."),
    key("build.assemble.workdir", Shape::Text, Rule::Free, check::absolute_path, "Working directory."),
    key("build.assemble.user", Shape::Text, Rule::Free, check::user, "`uid` or `uid:gid`."),
    key("build.assemble.ports", Shape::Texts, Rule::Free, check::ports, "Ports, like `8080/tcp`."),
    key("build.assemble.labels", Shape::Table, Rule::Free, check::labels, "Labels."),
    key(
        "build.assemble.architecture",
        Shape::Choice(&["amd64", "arm64", "386", "arm", "loong64", "ppc64le", "riscv64", "s390x"]),
        Rule::Free,
        check::nothing,
        "`architecture` of the image config; default `amd64` or `arm64` by the machine.",
    ),
    key(
        "build.dockerfile",
        Shape::Text,
        Rule::Free,
        check::relative_path,
        "For engines `buildah` and `docker`: the Dockerfile, relative to the context.",
    ),
    key(
        "build.command",
        Shape::Command,
        Rule::Free,
        check::argv,
        "For engine `command`: program and arguments. `{layout}` is replaced by the directory to leave an OCI image layout \
         in.",
    ),
    key(
        "build.timeout_s",
        from_one_to(24 * HOUR_S),
        Rule::Lower,
        check::nothing,
        "How long the whole build may take, in seconds.",
    ),
    key(
        "publish.target",
        Shape::Text,
        Rule::SetOnce,
        check::target,
        "`oci-layout:PATH` (relative to the repository, or absolute), or `registry:HOST[:PORT]/NAME`.",
    ),
    key(
        "publish.tag",
        Shape::Text,
        Rule::SetOnce,
        check::tag,
        "The tag. `{commit}` is replaced by the full commit id.",
    ),
    key(
        "publish.plain_http",
        Shape::Flag,
        Rule::FalseStricter,
        check::nothing,
        "Allow plain HTTP; loopback hosts only.",
    ),
    key("smoke.args", Shape::Texts, Rule::Free, check::nothing, "Arguments instead of the image's own."),
    key(
        "smoke.env",
        Shape::Table,
        Rule::Free,
        check::env_table,
        "Environment for the started image. `{port}` is replaced by the chosen port.",
    ),
    key(
        "smoke.http",
        Shape::Records(HTTP_PROBE),
        Rule::Free,
        check::http_probes,
        "HTTP probes against the started service.",
    ),
    key(
        "smoke.exec",
        Shape::Commands,
        Rule::Free,
        check::argvs,
        "Commands run inside the image that must exit 0: imports, `--version`.",
    ),
    key("smoke.exits", Shape::Flag, Rule::Free, check::nothing, "The entrypoint is a job: it must exit 0 by itself."),
    key(
        "smoke.timeout_s",
        from_one_to(HOUR_S),
        Rule::Lower,
        check::nothing,
        "How long to wait for all probes, in seconds.",
    ),
    key(
        "smoke.isolation",
        Shape::Choices(&["bubblewrap", "podman", "docker", "process"]),
        Rule::Isolation,
        check::isolation,
        "Ways to isolate the image, most wanted first: `bubblewrap`, `podman`, `docker`, `process`.",
    ),
    key(
        "tests.command",
        Shape::Command,
        Rule::Free,
        check::tests_command,
        "Command that runs the tests in the build directory. `{results}` is replaced by an empty directory for JUnit files.",
    ),
    key("tests.results", Shape::Text, Rule::Free, check::glob, "Glob for JUnit XML files below `{results}`."),
    key(
        "tests.min_total",
        from_one_to(MAX_EXACT),
        Rule::Higher,
        check::nothing,
        "Fewest tests that must have run. 0 would accept an empty run and is refused.",
    )
    .binding(),
    key(
        "tests.timeout_s",
        from_one_to(24 * HOUR_S),
        Rule::Lower,
        check::nothing,
        "How long the tests may take, in seconds.",
    ),
    key(
        "scan.commands",
        Shape::Records(SCAN_COMMAND),
        Rule::Superset,
        check::scan_commands,
        "Scanners, each run in an empty folder. `{source}` is replaced by the build directory, `{sbom}` by the CycloneDX file, `{layout}` by the image layout, `{output}` by the file to \
         write.",
    ),
    key(
        "scan.max_db_age_h",
        from_one_to(365 * 24),
        Rule::Lower,
        check::nothing,
        "Oldest vulnerability database that counts, in hours, where the report names its age.",
    )
    .binding(),
    key(
        "scan.timeout_s",
        from_one_to(6 * HOUR_S),
        Rule::Lower,
        check::nothing,
        "How long a scanner may take, in seconds.",
    ),
    key(
        "sbom.command",
        Shape::Command,
        Rule::SetOnce,
        check::sbom_command,
        "Tool to use instead of the built-in cataloguer, run in an empty folder: program and arguments. `{source}` is the build directory, `{layout}` the image layout, `{output}` \
         the CycloneDX JSON file to write. The SPDX document is converted from it.",
    ),
    key(
        "budgets.vulnerabilities.critical",
        up_to(MAX_EXACT),
        Rule::Lower,
        check::nothing,
        "Critical findings. 0 is the floor and the only value allowed.",
    )
    .binding(),
    key(
        "budgets.vulnerabilities.high",
        up_to(MAX_EXACT),
        Rule::Lower,
        check::nothing,
        "High findings and findings of unknown severity.",
    )
    .binding(),
    key("budgets.vulnerabilities.medium", up_to(MAX_EXACT), Rule::Lower, check::nothing, "Medium findings."),
    key("budgets.vulnerabilities.low", up_to(MAX_EXACT), Rule::Lower, check::nothing, "Low findings."),
];

/// The key at a path.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether some key lies below `path`.
pub(super) fn is_group(path: &str) -> bool {
    KEYS.iter().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The names that may stand directly below `group` (the root where it is empty), each once, in order.
pub(super) fn children(group: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for key in KEYS {
        let rest = if group.is_empty() {
            Some(key.path)
        } else {
            key.path.strip_prefix(group).and_then(|rest| rest.strip_prefix('.'))
        };
        if let Some(name) = rest.and_then(|rest| rest.split('.').next())
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}
