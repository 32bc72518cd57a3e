//! Licences as packages declare them, to SPDX licence expressions (SPDX 2.3, annex D) where that loses nothing.

use spdx::identifiers::{EXCEPTIONS, LICENSES};
use spdx::{Expression, LicenseItem, ParseMode};

/// Declarations longer than this are texts, not expressions.
const MAX_EXPRESSION_BYTES: usize = 4096;

/// Spellings that mean exactly one licence. Vague ones (`BSD`, `GPL`, `Apache`) are left out on purpose.
const SYNONYMS: &[(&str, &str)] = &[
    ("apache 2.0", "Apache-2.0"),
    ("apache license 2.0", "Apache-2.0"),
    ("apache license version 2.0", "Apache-2.0"),
    ("apache license, version 2.0", "Apache-2.0"),
    ("apache-2", "Apache-2.0"),
    ("bsd 2-clause license", "BSD-2-Clause"),
    ("bsd 3-clause license", "BSD-3-Clause"),
    ("expat", "MIT"),
    ("isc license", "ISC"),
    ("isc license (iscl)", "ISC"),
    ("mit license", "MIT"),
    ("mozilla public license 2.0 (mpl 2.0)", "MPL-2.0"),
    ("mpl 2.0", "MPL-2.0"),
    ("python software foundation license", "PSF-2.0"),
    ("the mit license", "MIT"),
    ("the unlicense (unlicense)", "Unlicense"),
    ("zlib/libpng license", "Zlib"),
];

/// GNU licences whose short names the SPDX list has deprecated.
const GNU: &[&str] = &[
    "AGPL-1.0", "AGPL-3.0", "GFDL-1.1", "GFDL-1.2", "GFDL-1.3", "GPL-1.0", "GPL-2.0", "GPL-3.0", "LGPL-2.0",
    "LGPL-2.1", "LGPL-3.0",
];

/// The SPDX expression that `text` stands for, in canonical spelling; `None` where it is none.
#[must_use]
pub fn expression(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_EXPRESSION_BYTES {
        return None;
    }
    if let Some((_, id)) = SYNONYMS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Some((*id).to_owned());
    }
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let words: Option<Vec<String>> = spaced.split_whitespace().map(word).collect();
    let canonical = words?.join(" ").replace("( ", "(").replace(" )", ")");
    let mode = ParseMode { allow_deprecated: true, ..ParseMode::STRICT };
    Expression::parse_mode(&canonical, mode).ok().map(|_| canonical)
}

/// One word of an expression in the list's own spelling (identifiers match without regard to case: annex D.2).
fn word(word: &str) -> Option<String> {
    for operator in ["AND", "OR", "WITH"] {
        if word.eq_ignore_ascii_case(operator) {
            return Some(operator.to_owned());
        }
    }
    if matches!(word, "(" | ")") || word.starts_with("LicenseRef-") {
        return Some(word.to_owned());
    }
    identifier(word).or_else(|| {
        let exception = EXCEPTIONS.iter().find(|exception| exception.name.eq_ignore_ascii_case(word))?;
        Some(exception.name.to_owned())
    })
}

/// A licence identifier in the list's spelling; GNU names say `-only` or `-or-later`.
fn identifier(text: &str) -> Option<String> {
    let (base, later) = text.strip_suffix('+').map_or((text, false), |base| (base, true));
    if let Some(gnu) = GNU.iter().find(|gnu| gnu.eq_ignore_ascii_case(base)) {
        return Some(format!("{gnu}-{}", if later { "or-later" } else { "only" }));
    }
    let license = LICENSES.iter().find(|license| license.name.eq_ignore_ascii_case(base))?;
    Some(format!("{}{}", license.name, if later { "+" } else { "" }))
}

/// The `LicenseRef-` names in an expression, sorted; `None` where it refers to another document, which SPDX output of
/// ours does not have.
pub(crate) fn license_refs(expression: &str) -> Option<Vec<String>> {
    let mode = ParseMode { allow_deprecated: true, ..ParseMode::STRICT };
    let parsed = Expression::parse_mode(expression, mode).ok()?;
    let mut refs = Vec::new();
    for requirement in parsed.requirements() {
        if let LicenseItem::Other(other) = &requirement.req.license {
            if other.doc_ref.is_some() {
                return None;
            }
            refs.push(format!("LicenseRef-{}", other.lic_ref));
        }
    }
    refs.sort();
    refs.dedup();
    Some(refs)
}

/// The expression of one `License:` short name of a machine-readable Debian copyright file (DEP-5, "License
/// specification"): `GPL-2+ or Artistic, and BSD-3-clause`. Names that SPDX does not know become `LicenseRef-…`.
pub(crate) fn debian(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // A comma binds weaker than any word; `and` binds tighter than `or`.
    for (separator, operator) in [(", and ", " AND "), (", or ", " OR "), (" or ", " OR "), (" and ", " AND ")] {
        let parts: Vec<&str> = text.split(separator).filter(|part| !part.is_empty()).collect();
        if parts.len() > 1 {
            let parts: Vec<String> = parts.into_iter().map(debian).collect();
            let group = |part: &String| if part.contains(' ') { format!("({part})") } else { part.clone() };
            return parts.iter().map(group).collect::<Vec<_>>().join(operator);
        }
    }
    debian_name(text.trim_matches(','))
}

fn debian_name(name: &str) -> String {
    // `GPL-2+`, `GPLv2+` and `GPL-2.0+` are the same name there.
    let (base, later) = name.strip_suffix('+').map_or((name, ""), |base| (base, "+"));
    for family in ["AGPL", "GFDL", "LGPL", "GPL"] {
        if let Some(version) = base.strip_prefix(family) {
            let version = version.trim_start_matches(['-', 'v']);
            let version = if version.len() == 1 { format!("{version}.0") } else { version.to_owned() };
            if let Some(id) = identifier(&format!("{family}-{version}{later}")) {
                return id;
            }
        }
    }
    let known = match name {
        "Artistic" => Some("Artistic-1.0".to_owned()),
        "BSD-2" => Some("BSD-2-Clause".to_owned()),
        "BSD-3" => Some("BSD-3-Clause".to_owned()),
        _ => SYNONYMS.iter().find(|(synonym, _)| synonym.eq_ignore_ascii_case(name)).map(|(_, id)| (*id).to_owned()),
    };
    known.or_else(|| identifier(name)).unwrap_or_else(|| license_ref(name))
}

/// SPDX 2.3, 10.1: letters, digits, `.` and `-`.
fn license_ref(name: &str) -> String {
    let safe = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' };
    let name: String = name.chars().take(64).map(safe).collect();
    let name = name.trim_matches('-');
    format!("LicenseRef-{}", if name.is_empty() { "unnamed" } else { name })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn expressions_get_one_spelling() {
        for (text, expected) in [
            ("MIT", "MIT"),
            ("mit or apache-2.0", "MIT OR Apache-2.0"),
            (" ( MIT AND bsd-3-clause )OR ISC ", "(MIT AND BSD-3-Clause) OR ISC"),
            ("GPL-2.0+", "GPL-2.0-or-later"),
            ("GPL-2.0-only WITH classpath-exception-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"),
            ("Apache License, Version 2.0", "Apache-2.0"),
            ("LicenseRef-x AND Zlib", "LicenseRef-x AND Zlib"),
        ] {
            assert_eq!(expression(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn vague_and_broken_ones_are_no_expressions() {
        for text in
            ["", "BSD", "GPL", "SEE LICENSE IN LICENSE.md", "MIT AND", "(MIT", "MIT/X11", "UNLICENSED", "MIT MIT"]
        {
            assert_eq!(expression(text), None, "{text}");
        }
    }

    #[test]
    fn debian_names_become_expressions() {
        for (text, expected) in [
            ("Expat", "MIT"),
            ("GPL-2", "GPL-2.0-only"),
            ("GPLv3+", "GPL-3.0-or-later"),
            ("LGPL-2.1+", "LGPL-2.1-or-later"),
            ("BSD-3-clause or GPL-2", "BSD-3-Clause OR GPL-2.0-only"),
            ("GPL-1+ or Artistic, and BSD-3-clause", "(GPL-1.0-or-later OR Artistic-1.0) AND BSD-3-Clause"),
            ("public-domain", "LicenseRef-public-domain"),
            ("GPL-2+ with Autoconf exception", "LicenseRef-GPL-2--with-Autoconf-exception"),
            ("GPL", "LicenseRef-GPL"),
            ("-", "LicenseRef-unnamed"),
        ] {
            assert_eq!(debian(text), expected, "{text}");
            assert_eq!(super::expression(expected).as_deref(), Some(expected), "{expected}");
        }
    }
}
