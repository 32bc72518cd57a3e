//! Whether a recorded command is the configured one. The lane replaces `{results}`, `{sbom}` and the like by paths of its own,
//! so a placeholder fits any text; everything else must stand there as configured.

/// Whether `recorded` is `template` with its placeholders (`{word}`) replaced.
pub(crate) fn fits(template: &str, recorded: &str) -> bool {
    let mut literals = literals(template).into_iter();
    let Some(rest) = literals.next().and_then(|first| recorded.strip_prefix(first)) else { return false };
    let Some(last) = literals.next_back() else { return rest.is_empty() };
    let Some(mut rest) = rest.strip_suffix(last) else { return false };
    // Leftmost matches are enough: a placeholder fits any text.
    for literal in literals {
        let Some(at) = rest.find(literal) else { return false };
        rest = &rest[at + literal.len()..];
    }
    true
}

/// Whether a recorded program with its arguments is the configured one.
pub(crate) fn fits_command(template: &[String], recorded: &[String]) -> bool {
    template.len() == recorded.len()
        && template.iter().zip(recorded).all(|(template, argument)| fits(template, argument))
}

/// The texts around the placeholders; at least one.
fn literals(template: &str) -> Vec<&str> {
    let (mut out, mut start, mut from) = (Vec::new(), 0, 0);
    while let Some(open) = template[from..].find('{').map(|at| from + at) {
        let inside = &template[open + 1..];
        match inside.find('}') {
            Some(length) if length > 0 && inside[..length].bytes().all(|byte| byte.is_ascii_lowercase()) => {
                out.push(&template[start..open]);
                start = open + length + 2;
                from = start;
            }
            _ => from = open + 1,
        }
    }
    out.push(&template[start..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_fit_any_text_and_literals_only_themselves() {
        for (template, recorded, expected) in [
            ("make", "make", true),
            ("make", "make ", false),
            ("make", "true", false),
            ("", "", true),
            ("", "x", false),
            ("{results}", "/w/results", true),
            ("RESULTS={results}", "RESULTS=/w", true),
            ("RESULTS={results}", "OTHER=/w", false),
            ("sbom:{sbom}:x", "sbom:/w/s.json:x", true),
            ("sbom:{sbom}:x", "sbom:x", false),
            ("{layout}-{output}", "/a-b-/c", true),
            ("{a}x{b}x{c}", "1x2x3", true),
            ("{a}x{b}x{c}", "1x2", false),
            ("aa{a}aa", "aaa", false),
            ("{}", "{}", true),
            ("{}", "x", false),
            ("{N}", "x", false),
            ("${x", "${x", true),
        ] {
            assert_eq!(fits(template, recorded), expected, "{template} {recorded}");
        }
    }

    #[test]
    fn a_left_out_argument_rejects() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(fits_command(&words("make test {results}"), &words("make test /w")));
        assert!(!fits_command(&words("make test {results}"), &words("make test")));
        assert!(!fits_command(&words("make test"), &words("make test --exclude=all")));
    }
}
