//! The pure crates name no effect. Clippy decides it exactly (lint/pure/clippy.toml); this finds it without a build, and
//! finds whole modules where clippy lists functions.

use std::sync::LazyLock;

use regex::Regex;

use crate::repo::{Repo, table, without_tests};

#[allow(clippy::unwrap_used)]
static EFFECT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
        \bstd\s*::\s*(?:\{[^}]*?\b)?(?P<module>fs|env|process|thread|net)\b (?: ::(?P<items>\{[^}]*\}|\w+) )?
        | \b(?P<path>tokio|rand|getrandom|SystemTime::now|Instant::now|Timestamp::now|Zoned::now|io::stdin|io::stdout|io::stderr)\b
        ",
    )
    .unwrap()
});
/// Parts of `std::net` that only compute.
const PURE_NET: &[&str] = &["IpAddr", "Ipv4Addr", "Ipv6Addr", "SocketAddr", "AddrParseError"];

pub fn check(repo: &Repo) -> Vec<String> {
    let doc = repo.text("docs/ARCHITECTURE.md").unwrap_or_default();
    let pure: Vec<String> = table(doc, "crate")
        .into_iter()
        .filter(|row| row.get(3).is_some_and(|effects| effects == "none"))
        .map(|row| format!("crates/{}/src/", row[0]))
        .collect();
    if pure.is_empty() {
        return vec!["docs/ARCHITECTURE.md: no crate has effect `none`; restore the table".to_owned()];
    }
    let mut failures = Vec::new();
    for (path, text) in repo.texts(|path| path.ends_with(".rs") && pure.iter().any(|start| path.starts_with(start))) {
        if repo.is_test(path) {
            continue;
        }
        for (number, line) in without_tests(text) {
            let code = line.split("//").next().unwrap_or_default();
            if let Some(found) = EFFECT.captures(code) {
                let computes = found.name("items").is_some_and(|items| {
                    let names = items.as_str().split(|letter: char| !letter.is_alphanumeric());
                    names.filter(|name| !name.is_empty()).all(|name| PURE_NET.contains(&name))
                });
                if found.name("module").is_some_and(|module| module.as_str() == "net") && computes {
                    continue;
                }
                failures.push(format!(
                    "{path}:{number}: `{}` in a pure crate; take it as an argument, or move it to ci-agent, ci-adapters or ci-cli",
                    found[0].trim()
                ));
            }
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: &str) -> usize {
        let table = "| crate | holds | may depend on | effects |\n|---|---|---|---|\n| `ci-a` | x | – | none |\n";
        let files = [
            ("docs/ARCHITECTURE.md", table),
            ("crates/ci-a/src/x.rs", code),
            ("crates/ci-b/src/x.rs", "std::fs::read"),
        ];
        check(&Repo { files: files.map(|(path, text)| (path.to_owned(), Some(text.to_owned()))).into() }).len()
    }

    #[test]
    fn effects_reject() {
        for code in [
            "let a = std::fs::read(p);",
            "use std::{collections::BTreeMap, env};",
            "use std::net::TcpStream;",
            "use std::net::{IpAddr, TcpStream};",
            "let now = SystemTime::now();",
            "let now = jiff::Timestamp::now();",
            "use tokio::spawn;",
            "std::thread::sleep(d)",
        ] {
            assert_eq!(told(code), 1, "{code}");
        }
    }

    #[test]
    fn computing_passes_and_tests_may_read_fixtures() {
        for code in [
            "use std::net::IpAddr;",
            "use std::net::{IpAddr, Ipv4Addr};",
            "// std::fs is for others",
            "let environment = 1;",
            "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n",
            "use std::{collections::BTreeMap, fmt};",
        ] {
            assert_eq!(told(code), 0, "{code}");
        }
    }
}
