//! The secret sweep over evidence, and the values of the lane's environment that must not appear in it.

use std::collections::BTreeSet;
use std::fmt;

use ci_formats::secrets::{Scanner, ValuesTooLarge, is_placeholder};
use ci_types::Digest;
use ci_types::record::{FileDigest, SecretHit, SecretSweep};

/// Why there is no sweep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SweepError {
    /// Nothing was given: an empty sweep would look clean.
    #[error("the secret sweep was given no file; pass every evidence file that is an input to the decision")]
    NothingToScan,
    /// A path was given twice, so one record would stand for two contents.
    #[error("`{0}` was given to the secret sweep twice")]
    RepeatedPath(String),
}

/// Searches every file. `scanned` and `findings` come sorted; a hit inside a given value is `env:<NAME>`.
///
/// # Errors
/// See [`SweepError`].
pub fn sweep<'a>(
    scanner: &Scanner,
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    withheld_env: &[String],
) -> Result<SecretSweep, SweepError> {
    let (mut scanned, mut findings, mut paths) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (path, bytes) in files {
        if !paths.insert(path) {
            return Err(SweepError::RepeatedPath(path.to_owned()));
        }
        scanned.push(FileDigest { path: path.to_owned(), digest: Digest::of(bytes) });
        findings.extend(hits(scanner, path, bytes));
    }
    if scanned.is_empty() {
        return Err(SweepError::NothingToScan);
    }
    scanned.sort_by(|a, b| a.path.cmp(&b.path));
    findings.sort();
    findings.dedup();
    let withheld: BTreeSet<_> = withheld_env.iter().cloned().collect();
    Ok(SecretSweep {
        schema: Default::default(),
        rules: scanner.rules_digest(),
        rule_count: scanner.rule_count(),
        scanned,
        withheld_env: withheld.into_iter().collect(),
        findings,
    })
}

/// The secrets of one file, as a context manifest and a sweep record them.
#[must_use]
pub fn hits(scanner: &Scanner, path: &str, bytes: &[u8]) -> Vec<SecretHit> {
    let place = |hit: ci_formats::secrets::Hit<'_>| SecretHit {
        rule: hit.rule_id.to_owned(),
        path: path.to_owned(),
        line: hit.line,
    };
    scanner.scan(bytes).into_iter().map(place).collect()
}

/// Variables of the environment that hold credentials. Shows names only.
#[derive(Clone, Default)]
pub struct EnvSecrets {
    entries: Vec<(String, String)>,
}

impl fmt::Debug for EnvSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EnvSecrets").field(&self.names()).finish()
    }
}

impl EnvSecrets {
    /// Picks the variables whose name says secret or whose value is one by the rules. Placeholders, empty values, and paths
    /// and sockets in variables named for what they point at are left out.
    pub fn collect(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let scanner = Scanner::builtin();
        let mut entries: Vec<_> = variables
            .into_iter()
            .filter(|(name, value)| {
                let named = says_secret(name) && !points_elsewhere(name, value) && !is_placeholder(value.trim());
                named || !scanner.scan(value.as_bytes()).is_empty()
            })
            .collect();
        entries.sort();
        Self { entries }
    }

    /// Names, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.entries.iter().map(|(name, _)| name.clone()).collect()
    }

    /// A scanner that also finds these values.
    ///
    /// # Errors
    /// See [`Scanner::with_values`].
    pub fn scanner(&self) -> Result<Scanner, ValuesTooLarge> {
        Scanner::with_values(&self.entries)
    }
}

fn says_secret(name: &str) -> bool {
    const ANYWHERE: &[&str] =
        &["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIAL", "APIKEY", "ACCESSKEY", "PRIVATEKEY"];
    const WORDS: &[&str] = &["KEY", "PASS", "PAT", "AUTH", "PWD", "PSK", "SALT", "DSN", "COOKIE"];
    let name = name.to_ascii_uppercase();
    // The shell's working directories.
    if matches!(name.as_str(), "PWD" | "OLDPWD") {
        return false;
    }
    ANYWHERE.iter().any(|word| name.contains(word)) || name.split(['_', '-', '.']).any(|word| WORDS.contains(&word))
}

fn points_elsewhere(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let pointer = ["_FILE", "_PATH", "_DIR", "_SOCK", "_ID", "_NAME", "_URL"].iter().any(|end| name.ends_with(end));
    // Base64 begins with `/` too: only what is there is a path.
    pointer || (value.starts_with('/') && value.len() < 4096 && std::path::Path::new(value).exists())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn secrets(pairs: &[(&str, &str)]) -> EnvSecrets {
        EnvSecrets::collect(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn names_and_values_pick_secrets() {
        let token = Scanner::builtin().rules().next().unwrap().example(3).text;
        let found = secrets(&[
            ("DB_PASSWORD", &["tr0ub4", "dor&3"].concat()),
            ("MY_API_KEY", "0123456789"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "abcdefgh"),
            ("HARMLESS", &token),
            ("DATABASE_URL", &["postgres://app:", "s3cr3tpass@db/app"].concat()),
            ("PWD", "/work/app"),
            ("SSH_AUTH_SOCK", "/run/agent.sock"),
            ("TOKEN_FILE", "/run/token"),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://example.org/x"),
            ("SECRET_MODE", "disabled"),
            ("KEYBOARD", "us-layout"),
            ("PATH", "/usr/bin"),
        ]);
        assert_eq!(
            found.names(),
            ["ACTIONS_ID_TOKEN_REQUEST_TOKEN", "DATABASE_URL", "DB_PASSWORD", "HARMLESS", "MY_API_KEY"]
        );
        let shown = format!("{found:?}");
        assert!(shown.contains("DB_PASSWORD") && !shown.contains("tr0ub4dor"), "{shown}");
    }

    #[test]
    fn a_value_of_the_environment_in_a_log_is_found() {
        let found = secrets(&[("DEPLOY_PASSWORD", "correct horse battery")]);
        let scanner = found.scanner().unwrap();
        let record = sweep(
            &scanner,
            [("logs/build.log", b"one\nlogin with correct horse battery\n".as_slice()), ("a.json", b"{}")],
            &found.names(),
        )
        .unwrap();
        assert_eq!(
            record.findings,
            [SecretHit { rule: "env:DEPLOY_PASSWORD".to_owned(), path: "logs/build.log".to_owned(), line: 2 }]
        );
        assert_eq!(
            record.scanned.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
            ["a.json", "logs/build.log"]
        );
        assert_eq!(record.withheld_env, ["DEPLOY_PASSWORD"]);
        assert_eq!(record.scanned[0].digest, Digest::of(b"{}"));
        let text = serde_json::to_string(&record).unwrap();
        assert!(!text.contains("battery"));
    }

    #[test]
    fn an_empty_or_ambiguous_sweep_rejects() {
        let scanner = Scanner::builtin();
        assert_eq!(sweep(&scanner, [], &[]), Err(SweepError::NothingToScan));
        let twice = [("a", b"1".as_slice()), ("a", b"2")];
        assert_eq!(sweep(&scanner, twice, &[]), Err(SweepError::RepeatedPath("a".to_owned())));
    }
}
