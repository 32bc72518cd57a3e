//! Nothing in the repository looks like a credential by the rules that our own lane applies: what is committed here must be
//! releasable here. Fixtures that must look like one are put together at run time.

use ci_formats::secrets::Scanner;

use crate::repo::Repo;

pub fn check(repo: &Repo) -> Vec<String> {
    let scanner = Scanner::builtin();
    repo.texts(|_| true)
        .flat_map(|(path, text)| {
            let hits = scanner.scan(text.as_bytes()).into_iter();
            hits.map(move |hit| (path, hit.line, hit.rule_id.to_owned())).collect::<Vec<_>>()
        })
        .map(|(path, line, rule)| {
            format!("{path}:{line}: looks like a credential ({rule}); revoke it, or build the fixture at run time")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_reject_and_are_not_repeated() {
        for rule in Scanner::builtin().rules().take(5) {
            let example = rule.example(7);
            let files = [("a".to_owned(), Some(format!("x\n{}\n", example.text)))].into();
            let failures = check(&Repo { files });
            assert!(!failures.is_empty(), "{}", rule.id);
            assert!(
                failures.iter().all(|failure| !failure.contains(&example.text[example.secret.clone()])),
                "{failures:?}"
            );
        }
    }

    #[test]
    fn talk_about_credentials_passes() {
        let text = "`ghp_…` tokens, a header -----BEGIN PUBLIC KEY----- and sha256:…";
        assert!(check(&Repo { files: [("a".to_owned(), Some(text.to_owned()))].into() }).is_empty());
    }
}
