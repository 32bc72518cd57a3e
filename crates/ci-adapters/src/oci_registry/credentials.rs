//! Logins as docker, podman, skopeo and buildah keep them (docker CLI `config.json`; containers-auth.json(5)).

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::secret::Secret;

const MAX_FILE_BYTES: u64 = 4 << 20;
const HELPER_TIME: Duration = Duration::from_secs(30);

/// How to log in at one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// User name and password (or access token used as one).
    Basic {
        /// User.
        user: String,
        /// Password.
        password: Secret,
    },
    /// An OAuth2 refresh token (`identitytoken`).
    IdentityToken(Secret),
    /// A ready bearer token (`registrytoken`).
    RegistryToken(Secret),
}

/// Known logins. `Debug` hides the secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    logins: BTreeMap<String, Login>,
    helpers: BTreeMap<String, String>,
    default_helper: Option<String>,
}

/// Why logins cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("{path}: cannot be read: {cause}; log in again or correct REGISTRY_AUTH_FILE or DOCKER_CONFIG", path = .path.display())]
    Unreadable {
        /// File.
        path: PathBuf,
        /// Cause.
        cause: String,
    },
    /// The file is not what docker or podman write.
    #[error("{path}: malformed at {place}; log in again to have it rewritten", path = .path.display())]
    Malformed {
        /// File.
        path: PathBuf,
        /// Line or key; never a value.
        place: String,
    },
    /// A credential helper failed.
    #[error("credential helper docker-credential-{helper}: {cause}")]
    Helper {
        /// Name.
        helper: String,
        /// Cause; never what the helper printed.
        cause: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigFile {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<Secret>,
    username: Option<String>,
    password: Option<Secret>,
    identitytoken: Option<Secret>,
    registrytoken: Option<Secret>,
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl Credentials {
    /// No logins.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a login for `host[:port]` or `host[:port]/name/prefix`.
    #[must_use]
    pub fn with(mut self, registry: &str, login: Login) -> Self {
        self.logins.insert(registry_key(registry), login);
        self
    }

    /// Reads a docker or podman login file: `path`, else `$REGISTRY_AUTH_FILE`, else `$DOCKER_CONFIG/config.json`, else the
    /// files of podman and docker where they exist. This is the only place of the registry adapter that reads the
    /// environment.
    ///
    /// # Errors
    /// A file that was named, or that is there, must be readable.
    pub fn from_docker_config(path: Option<&Path>) -> Result<Self, CredentialsError> {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let named = path
            .map(Path::to_owned)
            .or_else(|| variable("REGISTRY_AUTH_FILE"))
            .or_else(|| variable("DOCKER_CONFIG").map(|dir| dir.join("config.json")));
        if let Some(path) = named {
            return Self::read(&path)?
                .ok_or_else(|| CredentialsError::Unreadable { path, cause: "no such file".to_owned() });
        }
        let usual = [
            variable("XDG_RUNTIME_DIR").map(|dir| dir.join("containers/auth.json")),
            variable("HOME").map(|home| home.join(".docker/config.json")),
        ];
        for path in usual.into_iter().flatten() {
            if let Some(found) = Self::read(&path)? {
                return Ok(found);
            }
        }
        Ok(Self::none())
    }

    fn read(path: &Path) -> Result<Option<Self>, CredentialsError> {
        let unreadable = |cause: String| CredentialsError::Unreadable { path: path.to_owned(), cause };
        let mut content = Vec::new();
        match fs::File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error.to_string())),
            Ok(file) => {
                file.take(MAX_FILE_BYTES).read_to_end(&mut content).map_err(|error| unreadable(error.to_string()))?
            }
        };
        let malformed = |place: String| CredentialsError::Malformed { path: path.to_owned(), place };
        // serde_json's own text may quote a value; its place does not.
        let file: ConfigFile = serde_json::from_slice(&content)
            .map_err(|error| malformed(format!("line {} column {}", error.line(), error.column())))?;
        let mut logins = BTreeMap::new();
        for (key, entry) in file.auths {
            match entry.login() {
                Ok(Some(login)) => _ = logins.insert(registry_key(&key), login),
                Ok(None) => {}
                Err(()) => return Err(malformed(format!("auths[{key}].auth"))),
            }
        }
        let helpers = file.cred_helpers.into_iter().map(|(key, helper)| (registry_key(&key), helper)).collect();
        Ok(Some(Self { logins, helpers, default_helper: file.creds_store.filter(|name| !name.is_empty()) }))
    }

    /// The login for `host` and image `name`: the longest matching key wins; then credential helpers.
    ///
    /// # Errors
    /// [`CredentialsError::Helper`].
    pub fn login(&self, host: &str, name: &str) -> Result<Option<Login>, CredentialsError> {
        let host = registry_key(host);
        if let Some(helper) = self.helpers.get(&host) {
            return ask_helper(helper, &host);
        }
        let full = format!("{host}/{name}");
        let mut key = full.as_str();
        loop {
            if let Some(login) = self.logins.get(key) {
                return Ok(Some(login.clone()));
            }
            match key.rfind('/') {
                Some(end) => key = &key[..end],
                None => break,
            }
        }
        self.default_helper.as_ref().map_or(Ok(None), |helper| ask_helper(helper, &host))
    }
}

impl Entry {
    fn login(self) -> Result<Option<Login>, ()> {
        let filled = |secret: Option<Secret>| secret.filter(|secret| !secret.expose().is_empty());
        if let Some(token) = filled(self.registrytoken) {
            return Ok(Some(Login::RegistryToken(token)));
        }
        if let Some(token) = filled(self.identitytoken) {
            return Ok(Some(Login::IdentityToken(token)));
        }
        if let Some(auth) = filled(self.auth) {
            let decoded = STANDARD.decode(auth.expose().trim()).map_err(|_| ())?;
            let text = String::from_utf8(decoded).map_err(|_| ())?;
            let (user, password) = text.trim_end_matches('\0').split_once(':').ok_or(())?;
            return Ok(Some(Login::Basic { user: user.to_owned(), password: Secret::new(password) }));
        }
        Ok(match (self.username, filled(self.password)) {
            (Some(user), Some(password)) => Some(Login::Basic { user, password }),
            _ => None,
        })
    }
}

/// `https://index.docker.io/v1/` and `docker.io` are one registry; scheme and API version are no part of a key.
fn registry_key(text: &str) -> String {
    let bare = text.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    let bare = bare.trim_end_matches("/v1").trim_end_matches("/v2");
    match bare {
        "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        other => other.to_owned(),
    }
}

/// docker-credential-helpers protocol: `get`, server on stdin, JSON on stdout.
fn ask_helper(helper: &str, host: &str) -> Result<Option<Login>, CredentialsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: Secret,
    }
    let failed = |cause: &str| CredentialsError::Helper { helper: helper.to_owned(), cause: cause.to_owned() };
    if !helper.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        return Err(failed("the name is not a plain word"));
    }
    let server = if host == "docker.io" { "https://index.docker.io/v1/" } else { host };
    let mut child = Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|_| failed("cannot be started; install it or remove it from the docker config"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that exits without reading is judged by its exit code.
        let _ = stdin.write_all(server.as_bytes());
    }
    let stdout = child.stdout.take().ok_or_else(|| failed("has no output"))?;
    let reader = std::thread::spawn(move || {
        let mut output = Vec::new();
        stdout.take(MAX_FILE_BYTES).read_to_end(&mut output).map(|_| output)
    });
    let start = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if start.elapsed() < HELPER_TIME => std::thread::sleep(Duration::from_millis(10)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed("did not answer within 30 s"));
            }
        }
    };
    let output = reader.join().ok().and_then(Result::ok).ok_or_else(|| failed("output cannot be read"))?;
    if !status.success() {
        // The protocol's only word for "no login here".
        let none = String::from_utf8_lossy(&output).contains("credentials not found");
        return if none { Ok(None) } else { Err(failed("failed")) };
    }
    let answer: Answer = serde_json::from_slice(&output).map_err(|_| failed("did not answer as documented"))?;
    Ok(Some(if answer.username == "<token>" {
        Login::IdentityToken(answer.secret)
    } else {
        Login::Basic { user: answer.username, password: answer.secret }
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parsed(text: &str) -> Result<Credentials, CredentialsError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        fs::write(&path, text).unwrap();
        Credentials::from_docker_config(Some(&path))
    }

    fn basic(user: &str, password: &str) -> Login {
        Login::Basic { user: user.to_owned(), password: Secret::new(password) }
    }

    #[test]
    fn the_longest_matching_key_wins() {
        let auth = |text: &str| STANDARD.encode(text);
        let text = format!(
            r#"{{"auths":{{"r:5000":{{"auth":"{}"}},"r:5000/org":{{"auth":"{}"}},"https://index.docker.io/v1/":{{"auth":"{}"}}}}}}"#,
            auth("a:1"),
            auth("b:2:3"),
            auth("c:4")
        );
        let known = parsed(&text).unwrap();
        assert_eq!(known.login("r:5000", "other/app").unwrap(), Some(basic("a", "1")));
        assert_eq!(known.login("r:5000", "org/app").unwrap(), Some(basic("b", "2:3")));
        assert_eq!(known.login("registry-1.docker.io", "x").unwrap(), Some(basic("c", "4")));
        assert_eq!(known.login("r", "org/app").unwrap(), None);
    }

    #[test]
    fn a_damaged_login_rejects_without_showing_it() {
        // Base64 without a colon inside; put together here, or our own lane would take it for a login.
        let without_user = format!(r#"{{"auths":{{"r":{{"auth":"{}"}}}}}}"#, ["c3VwZXJz", "ZWNyZXQ="].concat());
        for text in [
            without_user.as_str(),
            r#"{"auths":{"r":{"auth":"supersecret!"}}}"#,
            r#"{"auths":{"r":{"auth":["supersecret"]}}}"#,
            r#"{"auths":{"r":"supersecret"}}"#,
            "supersecret",
        ] {
            let error = parsed(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("supersecret"), "{error}");
        }
    }

    #[test]
    fn a_named_file_that_is_missing_rejects() {
        let error = Credentials::from_docker_config(Some(Path::new("/nonexistent/config.json"))).unwrap_err();
        assert!(matches!(error, CredentialsError::Unreadable { .. }));
    }

    #[test]
    fn a_helper_that_cannot_be_started_rejects() {
        let known = parsed(r#"{"credHelpers":{"r":"no-such-helper"},"credsStore":"../../bin/sh"}"#).unwrap();
        assert!(matches!(known.login("r", "app"), Err(CredentialsError::Helper { .. })));
        assert!(matches!(known.login("s", "app"), Err(CredentialsError::Helper { .. })));
    }
}
