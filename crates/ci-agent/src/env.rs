//! The environment of build commands: a fixed determinism part, a short allow-list, and never a credential.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use ci_types::Timestamp;

/// Always passed on where set: without them the usual tool chains are not found.
const ALLOWED: [&str; 7] = ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "GOPATH", "GOROOT"];

/// Parts of a variable's name that tell of a credential.
const CREDENTIAL_WORDS: [&str; 12] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "KEY",
    "CREDENTIAL",
    "AUTH",
    "COOKIE",
    "PRIVATE",
    "BEARER",
    "_PAT_",
];

/// Where one build runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildDirs {
    /// The materialised context; commands start here.
    pub build: PathBuf,
    /// `TMPDIR`.
    pub tmp: PathBuf,
    /// Caches that must not carry results from one build into the next.
    pub cache: PathBuf,
}

/// Why an environment cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// `build.pass_env` names a variable that the lane fixes.
    #[error(
        "build.pass_env names {name}, which the determinism environment fixes; remove it from .ci-intel/config.yml"
    )]
    Fixed {
        /// Variable.
        name: String,
    },
    /// `build.pass_env` has something that is no name.
    #[error("build.pass_env has `{name}`, which is not the name of a variable (letters, digits, `_`)")]
    NotAName {
        /// Text.
        name: String,
    },
}

/// The environment of a build's commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildEnv {
    determinism: BTreeMap<String, String>,
    passed: BTreeMap<String, OsString>,
    withheld: Vec<String>,
    dirs: BuildDirs,
}

impl BuildEnv {
    /// Makes the environment from the machine's (`host`), the variables asked for (`pass_env`) and the commit time.
    ///
    /// # Errors
    /// See [`EnvError`].
    pub fn new(
        host: &BTreeMap<OsString, OsString>,
        pass_env: &[String],
        source_epoch: Timestamp,
        dirs: BuildDirs,
    ) -> Result<Self, EnvError> {
        let mut determinism = determinism(source_epoch, &dirs);
        let withheld: Vec<String> = host
            .iter()
            .filter(|(name, value)| is_credential(&name.to_string_lossy(), value))
            .map(|(name, _)| name.to_string_lossy().into_owned())
            .collect();
        let blocked: BTreeSet<&str> = withheld.iter().map(String::as_str).collect();
        let mut passed = BTreeMap::new();
        for name in ALLOWED.into_iter().chain(pass_env.iter().map(String::as_str)) {
            let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            if name.is_empty() || !name.bytes().all(word) || name.as_bytes()[0].is_ascii_digit() {
                return Err(EnvError::NotAName { name: name.to_owned() });
            }
            let Some(value) = host.get(OsStr::new(name)).filter(|_| !blocked.contains(name)) else { continue };
            match (name, determinism.contains_key(name)) {
                ("GOFLAGS", _) => {
                    determinism
                        .insert(name.to_owned(), format!("{} -trimpath", value.to_string_lossy()).trim().to_owned());
                }
                // Cargo reads one source of flags only, so what the user passes must carry ours too.
                ("RUSTFLAGS" | "CARGO_BUILD_RUSTFLAGS", _) => {
                    determinism.remove("CARGO_BUILD_RUSTFLAGS");
                    let flags = format!("{} {}", value.to_string_lossy(), remap(&dirs.build));
                    determinism.insert(name.to_owned(), flags.trim().to_owned());
                }
                (_, true) => return Err(EnvError::Fixed { name: name.to_owned() }),
                (_, false) => {
                    passed.insert(name.to_owned(), value.clone());
                }
            }
        }
        Ok(Self { determinism, passed, withheld, dirs })
    }

    /// Every variable and its value, for the command.
    pub fn vars(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        let fixed = self.determinism.iter().map(|(name, value)| (name.as_str(), OsStr::new(value)));
        fixed.chain(self.passed.iter().map(|(name, value)| (name.as_str(), value.as_os_str())))
    }

    /// The determinism part as records show it: this build's directories are `{build}`, `{tmp}` and `{cache}`, so two builds of
    /// the same input record the same.
    #[must_use]
    pub fn recorded(&self) -> BTreeMap<String, String> {
        let dirs = [("{build}", &self.dirs.build), ("{tmp}", &self.dirs.tmp), ("{cache}", &self.dirs.cache)];
        let hide = |value: &str| {
            dirs.iter().fold(value.to_owned(), |value, (name, dir)| value.replace(&*dir.to_string_lossy(), name))
        };
        self.determinism.iter().map(|(name, value)| (name.clone(), hide(value))).collect()
    }

    /// Names of the variables passed on from the machine; never their values.
    #[must_use]
    pub fn passed_names(&self) -> Vec<String> {
        self.passed.keys().cloned().collect()
    }

    /// Names of the machine's variables that look like credentials; none of them is ever passed, also where asked for.
    #[must_use]
    pub fn withheld(&self) -> &[String] {
        &self.withheld
    }

    /// The value of a passed variable.
    #[must_use]
    pub fn passed(&self, name: &str) -> Option<&OsStr> {
        self.passed.get(name).map(OsString::as_os_str)
    }

    /// The directories.
    #[must_use]
    pub const fn dirs(&self) -> &BuildDirs {
        &self.dirs
    }
}

fn determinism(source_epoch: Timestamp, dirs: &BuildDirs) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = [
        ("TZ", "UTC"),
        ("LC_ALL", "C"),
        ("LANG", "C"),
        ("PYTHONHASHSEED", "0"),
        ("ZERO_AR_DATE", "1"),
        ("CARGO_INCREMENTAL", "0"),
        ("GOFLAGS", "-trimpath"),
        // A cache that answers the second build with the first one's result would hide a difference.
        ("CCACHE_DISABLE", "1"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PIP_NO_INPUT", "1"),
        ("npm_config_audit", "false"),
        ("npm_config_fund", "false"),
        ("npm_config_update_notifier", "false"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    env.insert("SOURCE_DATE_EPOCH".to_owned(), source_epoch.unix_s().to_string());
    env.insert("TMPDIR".to_owned(), dirs.tmp.to_string_lossy().into_owned());
    env.insert("GOCACHE".to_owned(), dirs.cache.join("go").to_string_lossy().into_owned());
    let remap = remap(&dirs.build);
    if !remap.is_empty() {
        // Not RUSTFLAGS: that would silently replace what the repository's .cargo/config.toml says; this one is joined to it.
        env.insert("CARGO_BUILD_RUSTFLAGS".to_owned(), remap);
    }
    env
}

/// Empty where the directory has white space, which these variables cannot quote; a dual build then shows what it matters.
fn remap(build: &Path) -> String {
    match build.to_str() {
        Some(dir) if !dir.contains(char::is_whitespace) => format!("--remap-path-prefix={dir}=/build"),
        _ => String::new(),
    }
}

/// Whether a variable holds a credential, by its name or by a URL with a password in its value.
#[must_use]
pub fn is_credential(name: &str, value: &OsStr) -> bool {
    // `GIT_AUTHOR_NAME` is none; `GH_PAT` is one and `LD_LIBRARY_PATH` is not.
    let name = format!("{}_", name.to_ascii_uppercase().replace("AUTHOR", ""));
    if CREDENTIAL_WORDS.iter().any(|word| name.contains(word)) {
        return true;
    }
    let value = value.to_string_lossy();
    value.match_indices("://").any(|(at, _)| {
        let rest = &value[at + 3..];
        let authority = rest.split(['/', '?', '#', ' ', ',']).next().unwrap_or(rest);
        authority.rsplit_once('@').is_some_and(|(user, _)| !user.is_empty())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn make(host: &[(&str, &str)], pass: &[&str], build: &str) -> Result<BuildEnv, EnvError> {
        let host = host.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
        let pass: Vec<String> = pass.iter().map(|name| (*name).to_owned()).collect();
        let dirs = BuildDirs { build: build.into(), tmp: format!("{build}.tmp").into(), cache: "/c".into() };
        BuildEnv::new(&host, &pass, Timestamp::from_unix_s(1_700_000_000).unwrap(), dirs)
    }

    fn value(env: &BuildEnv, name: &str) -> Option<String> {
        env.vars().find(|(n, _)| *n == name).map(|(_, value)| value.to_string_lossy().into_owned())
    }

    #[test]
    fn the_determinism_part_is_the_specs() {
        let env = make(&[("TZ", "Asia/Tokyo"), ("LC_ALL", "de_DE"), ("PATH", "/bin")], &[], "/b").unwrap();
        for (name, expected) in [
            ("SOURCE_DATE_EPOCH", "1700000000"),
            ("TZ", "UTC"),
            ("LC_ALL", "C"),
            ("PYTHONHASHSEED", "0"),
            ("GOFLAGS", "-trimpath"),
            ("CARGO_BUILD_RUSTFLAGS", "--remap-path-prefix=/b=/build"),
            ("PATH", "/bin"),
        ] {
            assert_eq!(value(&env, name).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn credentials_are_withheld_even_if_listed() {
        let host = [
            ("GITHUB_TOKEN", "x"),
            ("aws_secret_access_key", "x"),
            ("DB_PASSWORD", "x"),
            ("HTTPS_PROXY", "http://u:p@proxy:1"),
            ("NO_PROXY", "localhost"),
            ("OTHER", "x"),
        ];
        let env =
            make(&host, &["GITHUB_TOKEN", "aws_secret_access_key", "DB_PASSWORD", "HTTPS_PROXY", "NO_PROXY"], "/b")
                .unwrap();
        assert_eq!(env.passed_names(), ["NO_PROXY"]);
        assert_eq!(env.withheld(), ["DB_PASSWORD", "GITHUB_TOKEN", "HTTPS_PROXY", "aws_secret_access_key"]);
        assert!(env.vars().all(|(_, value)| value != "x"));
    }

    #[test]
    fn names_that_only_look_alike_are_no_credentials() {
        for (name, credential) in [
            ("GH_PAT", true),
            ("NPM_AUTH", true),
            ("LD_LIBRARY_PATH", false),
            ("GIT_AUTHOR_DATE", false),
            ("CI", false),
        ] {
            assert_eq!(is_credential(name, OsStr::new("1")), credential, "{name}");
        }
        assert!(is_credential("GOPROXY", OsStr::new("https://tok@proxy.corp,direct")));
        assert!(!is_credential("GOPROXY", OsStr::new("https://proxy.corp/@v/x,direct")));
    }

    #[test]
    fn unlisted_variables_are_not_passed() {
        let env = make(&[("FOO", "1"), ("LD_PRELOAD", "/evil.so")], &["FOO"], "/b").unwrap();
        assert_eq!(env.passed_names(), ["FOO"]);
        assert_eq!(value(&env, "LD_PRELOAD"), None);
    }

    #[test]
    fn a_fixed_variable_cannot_be_passed() {
        assert_eq!(make(&[("TZ", "Asia/Tokyo")], &["TZ"], "/b"), Err(EnvError::Fixed { name: "TZ".to_owned() }));
        assert!(matches!(make(&[], &["A=B"], "/b"), Err(EnvError::NotAName { .. })));
    }

    #[test]
    fn flags_of_the_user_are_joined_with_ours() {
        let env = make(&[("GOFLAGS", "-mod=vendor"), ("RUSTFLAGS", "-C opt-level=1")], &["GOFLAGS", "RUSTFLAGS"], "/b")
            .unwrap();
        assert_eq!(value(&env, "GOFLAGS").unwrap(), "-mod=vendor -trimpath");
        assert_eq!(value(&env, "RUSTFLAGS").unwrap(), "-C opt-level=1 --remap-path-prefix=/b=/build");
        assert_eq!(value(&env, "CARGO_BUILD_RUSTFLAGS"), None);
    }

    #[test]
    fn the_record_is_the_same_for_both_builds() {
        let (one, two) = (make(&[], &[], "/w/a").unwrap(), make(&[], &[], "/w/second").unwrap());
        assert_eq!(one.recorded(), two.recorded());
        assert_ne!(value(&one, "TMPDIR"), value(&two, "TMPDIR"));
    }
}
