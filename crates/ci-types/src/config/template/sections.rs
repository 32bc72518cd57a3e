//! The sections of the template, one function a kind of project. What stands here was released with ci-intel as it is.

use super::{Detected, NpmTests, ProjectKind, Scanner};

/// `build`, `smoke`, `tests` and `scan` of a project.
pub(super) fn of(detected: &Detected, program: &str) -> [String; 4] {
    let [build, tests] = match detected.kind {
        ProjectKind::Cargo => cargo(detected, program),
        ProjectKind::Go => go(detected, program),
        ProjectKind::Npm => {
            [with_dockerfile(detected, NPM_DOCKERFILE, NPM_FILES), npm_tests(detected.npm_tests).to_owned()]
        }
        ProjectKind::Python => [with_dockerfile(detected, PYTHON_DOCKERFILE, PYTHON_FILES), PYTHON_TESTS.to_owned()],
        ProjectKind::Dockerfile => [with_dockerfile(detected, "", &["Dockerfile", "src/**"]), MAKE_TESTS.to_owned()],
        ProjectKind::Plain => [plain(detected, program), MAKE_TESTS.to_owned()],
    };
    [build, smoke(detected, program), tests, scan(detected.scanner).to_owned()]
}

/// The include list, quoted where YAML needs it.
fn include(detected: &Detected, usual: &[&str]) -> String {
    let found = detected.include.iter().map(String::as_str);
    let patterns: Vec<&str> = if detected.include.is_empty() { usual.to_vec() } else { found.collect() };
    let mut text =
        "  context:\n    include: # all that build, tests and scanner may read; files outside are not there for them\n"
            .to_owned();
    for pattern in patterns {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        // YAML has words of its own: `true`, `no`, `42`, `.inf`.
        let alphabetic = |at: usize| pattern.as_bytes().get(at).is_some_and(u8::is_ascii_alphabetic);
        let word = (alphabetic(0) && pattern.len() > 5) || (pattern.contains('/') && (alphabetic(0) || alphabetic(1)));
        let bare = word && pattern.trim_end_matches("/**").bytes().all(plain);
        let item = if bare { pattern.to_owned() } else { quoted(pattern) };
        text.push_str(&format!("      - {item}\n"));
    }
    text
}

/// A double-quoted YAML scalar: JSON's escapes are a subset of YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn cargo(detected: &Detected, program: &str) -> [String; 2] {
    let rust = detected.machine.rust();
    let include = include(detected, &["Cargo.toml", "Cargo.lock", "src/**"]);
    let package = detected.target.as_ref().map(|name| format!("--package, {}, ", quoted(name))).unwrap_or_default();
    let build = format!(
        "\
build:
  engine: assemble # files onto an empty image; no daemon, the same bytes every time
{include}  steps:
    # An image without a C library needs a static program: crt-static.
    - [cargo, build, --release, --locked, {package}--bin, \"{program}\", --target, {rust},
       --config, 'build.rustflags=[\"-Ctarget-feature=+crt-static\"]']
  outputs:
    - target/{rust}/release/{program}
  assemble:
    base: scratch
    architecture: {arch}
    files:
      - from: target/{rust}/release/{program}
        to: /usr/bin/{program}
      # A Rust program does not name its crates. The SBOM is read from this file; without it the SBOM is empty, and that rejects.
      - from: Cargo.lock
        to: /usr/share/{program}/Cargo.lock
    entrypoint: [/usr/bin/{program}]
    user: \"65532:65532\"
",
        arch = detected.machine.oci()
    );
    [build, CARGO_TESTS.to_owned()]
}

const CARGO_TESTS: &str = "\
tests:
  # cargo-nextest writes the JUnit report: cargo install --locked cargo-nextest
  command:
    - sh
    - -c
    - |
      printf '[profile.ci-intel.junit]\\npath = \"junit.xml\"\\n' >\"$TMPDIR/nextest.toml\"
      code=0
      cargo nextest run --locked --profile ci-intel --tool-config-file \"ci-intel:$TMPDIR/nextest.toml\" || code=$?
      cp target/nextest/ci-intel/junit.xml \"$1/\"
      exit $code
    - sh
    - \"{results}\"
";

fn go(detected: &Detected, program: &str) -> [String; 2] {
    let arch = detected.machine.oci();
    let include = include(detected, &["go.mod", "*.go"]);
    let package = quoted(detected.target.as_deref().unwrap_or("."));
    let build = format!(
        "\
build:
  engine: assemble # files onto an empty image; no daemon, the same bytes every time
{include}  pass_env: [GOPROXY, GOSUMDB, GOFLAGS]
  steps:
    # The SBOM is read from the build information that Go puts into the program.
    - [env, CGO_ENABLED=0, GOOS=linux, GOARCH={arch}, go, build, -trimpath, -buildvcs=false, -o, out/{program}, {package}]
  outputs:
    - out/{program}
  assemble:
    base: scratch
    architecture: {arch}
    files:
      - from: out/{program}
        to: /usr/bin/{program}
    entrypoint: [/usr/bin/{program}]
    user: \"65532:65532\"
"
    );
    let tests = "\
tests:
  # gotestsum writes the JUnit report: go install gotest.tools/gotestsum@latest
  command: [gotestsum, --junitfile, \"{results}/junit.xml\", ./...]
";
    [build, tests.to_owned()]
}

fn with_dockerfile(detected: &Detected, start: &str, usual: &[&str]) -> String {
    let include = include(detected, usual);
    format!(
        "\
build:
  engine: buildah # or docker
  dockerfile: Dockerfile
  # Images are named by digest: FROM NAME@sha256:…, from: skopeo inspect --format '{{{{.Digest}}}}' docker://NAME:TAG
{start}{include}"
    )
}

const NPM_FILES: &[&str] = &["Dockerfile", "package.json", "package-lock.json", "src/**"];

const NPM_DOCKERFILE: &str = "  # The SBOM is read from package-lock.json and node_modules in the image; without either it is empty, and that rejects:
  #   COPY package.json package-lock.json ./
  #   RUN npm ci --omit=dev --cache=/tmp/npm && rm -rf /tmp/npm
";

const PYTHON_FILES: &[&str] = &["Dockerfile", "pyproject.toml", "src/**"];

const PYTHON_DOCKERFILE: &str = "  # The SBOM is read from the *.dist-info that pip leaves in the image; without it the SBOM is empty, and that rejects.
  # --no-compile, because .pyc files differ from build to build:
  #   RUN pip install --no-cache-dir --no-compile --requirement requirements.txt
";

const fn npm_tests(runner: NpmTests) -> &'static str {
    match runner {
        NpmTests::Node => {
            "\
tests:
  command: [node, --test, --test-reporter=junit, \"--test-reporter-destination={results}/junit.xml\"]
"
        }
        NpmTests::NodeWithPackages => {
            "\
tests:
  command: [sh, -c, \"npm ci && node --test --test-reporter=junit --test-reporter-destination=$1/junit.xml\", sh, \"{results}\"]
"
        }
        NpmTests::Vitest => {
            "\
tests:
  command: [sh, -c, \"npm ci && npx vitest run --reporter=junit --outputFile=$1/junit.xml\", sh, \"{results}\"]
"
        }
        NpmTests::Jest => {
            "\
tests:
  # EDIT: needs the package jest-junit in devDependencies: npm install --save-dev jest-junit
  command: [sh, -c, \"npm ci && JEST_JUNIT_OUTPUT_DIR=$1 npx jest --reporters=jest-junit\", sh, \"{results}\"]
"
        }
        NpmTests::Mocha => {
            "\
tests:
  command: [sh, -c, \"npm ci && npx mocha --reporter xunit --reporter-option output=$1/junit.xml\", sh, \"{results}\"]
"
        }
    }
}

const PYTHON_TESTS: &str = "\
tests:
  # Tests that need packages: make a virtual environment below $TMPDIR first, in a script of yours that is in the context.
  command: [python3, -m, pytest, -p, no:cacheprovider, \"--junitxml={results}/junit.xml\"]
";

const MAKE_TESTS: &str = "\
tests:
  # EDIT: a program that writes JUnit XML into the directory it is given.
  command: [make, test, \"RESULTS={results}\"]
";

fn plain(detected: &Detected, program: &str) -> String {
    let include = include(detected, &["app/**"]);
    let first = detected.include.first().map_or("app", |pattern| pattern.trim_end_matches("/**"));
    format!(
        "\
build:
  engine: assemble # files onto an empty image; no daemon, the same bytes every time
{include}  # steps: # EDIT: what makes the program, and the files it leaves
  #   - [make, {program}]
  # outputs:
  #   - {program}
  assemble:
    base: scratch # or a layout pinned by digest: path/to/layout@sha256:…
    architecture: {arch}
    files: # EDIT: the files of the image
      - from: {from}
        to: /app
    entrypoint: [/app/{program}]
    user: \"65532:65532\"

# The SBOM is read from lock files and package databases in the image. Without any it is empty, and that rejects: then name a
# program that writes CycloneDX, like docs/guide/first-release.md shows.
# sbom:
#   command: [./sbom.sh, \"{{layout}}\", \"{{output}}\"]
",
        arch = detected.machine.oci(),
        from = quoted(first),
    )
}

fn smoke(detected: &Detected, program: &str) -> String {
    let http = "\
smoke:
  # The service is started without a network and is asked on port {port}: what the image exposes, else 8080.
  env: { PORT: \"{port}\" }
  http:
    - path: /healthz # EDIT: a path that answers 200
";
    let exec = |command: &str, says: &str| {
        format!(
            "\
smoke:
  exec: # runs inside the image and must exit 0
    - {command} # EDIT: {says}
  # http: # for a service, which is then started and asked
  #   - path: /healthz
"
        )
    };
    match (detected.kind, detected.service) {
        (_, true) | (ProjectKind::Npm | ProjectKind::Dockerfile, false) => http.to_owned(),
        (ProjectKind::Python, false) => exec("[python3, -m, pip, check]", "better still: import your package"),
        (ProjectKind::Go, false) => {
            exec(&format!("[/usr/bin/{program}, -h]"), "arguments that your program ends well with")
        }
        (ProjectKind::Cargo, false) => {
            exec(&format!("[/usr/bin/{program}, --version]"), "arguments that your program ends well with")
        }
        (ProjectKind::Plain, false) => {
            exec(&format!("[/app/{program}, --version]"), "arguments that your program ends well with")
        }
    }
}

const fn scan(scanner: Scanner) -> &'static str {
    match scanner {
        Scanner::Grype => {
            "\
scan:
  commands: # at least one; any program that writes SARIF, or the JSON of grype or trivy, to {output}
    - run: [grype, \"sbom:{sbom}\", --output, json, --file, \"{output}\"]
      format: grype
"
        }
        Scanner::Trivy => {
            "\
scan:
  commands: # at least one; any program that writes SARIF, or the JSON of grype or trivy, to {output}
    - run: [trivy, sbom, --format, json, --output, \"{output}\", \"{sbom}\"]
      format: trivy
"
        }
    }
}

/// The lane, commented out: nobody can guess the workflow that may release.
pub(super) fn lane(repository: &str) -> String {
    format!(
        "\
# Until a lane is named, every release is good for environment `local` only. Name the one workflow that may release:
# lane:
#   issuer: https://token.actions.githubusercontent.com
#   repository_id: \"123456\" # gh api repos/{repository} --jq .id
#   workflow: {repository}/.github/workflows/release.yml
#   refs: [refs/heads/main]
"
    )
}
