//! Nothing in the repository looks like a credential. Fixtures that must are put together at run time.

use std::sync::LazyLock;

use regex::Regex;

use crate::repo::Repo;

#[allow(clippy::unwrap_used)]
static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\b(AKIA|ASIA)[0-9A-Z]{16}\b",
        r"|\bgh[pousr]_[A-Za-z0-9]{36}\b",
        r"|\bgithub_pat_[A-Za-z0-9_]{60,}",
        r"|\bglpat-[A-Za-z0-9_-]{20}\b",
        r"|\bxox[baprs]-[A-Za-z0-9-]{20,}",
        r"|\bsk_live_[A-Za-z0-9]{20,}",
        r"|\bAIza[0-9A-Za-z_-]{35}\b",
        r"|-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{32,}",
    ))
    .unwrap()
});

pub fn check(repo: &Repo) -> Vec<String> {
    let mut failures = Vec::new();
    for (path, text) in repo.texts(|_| true) {
        for found in SECRET.find_iter(text) {
            // The vendor's own documentation example.
            if found.as_str().ends_with("EXAMPLE") {
                continue;
            }
            let line = text[..found.start()].lines().count().max(1);
            // The first letters tell the kind; the rest is not repeated.
            let kind: String = found.as_str().chars().take(8).collect();
            failures.push(format!(
                "{path}:{line}: looks like a credential ({kind}…); revoke it, or build the fixture at run time"
            ));
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_reject_and_are_not_repeated() {
        let token = format!("ghp_{}", "a1B2".repeat(9));
        let pem = format!("-----BEGIN {} KEY-----\n{}\n", "PRIVATE", "A".repeat(64));
        for secret in [token, pem, format!("AKIA{}", "Z".repeat(16))] {
            let files = [("a".to_owned(), Some(format!("x\nkey: {secret}\n")))].into();
            let failures = check(&Repo { files });
            assert_eq!(failures.len(), 1);
            assert!(failures[0].starts_with("a:2:") && !failures[0].contains(&secret[10..]), "{failures:?}");
        }
    }

    #[test]
    fn talk_about_credentials_passes() {
        let text = "`ghp_…` tokens, AKIAIOSFODNN7EXAMPLE, a header -----BEGIN PRIVATE KEY----- without a body";
        assert!(check(&Repo { files: [("a".to_owned(), Some(text.to_owned()))].into() }).is_empty());
    }
}
