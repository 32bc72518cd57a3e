//! Alpine packages: apk's database `lib/apk/db/installed` (apk-tools, "APKv2 installed database"): one-letter fields,
//! entries separated by blank lines.

use super::error::{Malformed, Place};
use super::found::{Found, check};

#[derive(Default)]
struct Entry<'a> {
    line: usize,
    name: Option<&'a str>,
    version: Option<&'a str>,
    architecture: Option<&'a str>,
    license: Option<&'a str>,
    origin: Option<&'a str>,
}

/// All packages of the database.
pub(super) fn installed(bytes: &[u8]) -> Result<Vec<Found>, Place> {
    let text = String::from_utf8_lossy(bytes);
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(Malformed::Truncated.at(text.lines().count()));
    }
    let mut out = Vec::new();
    let mut entry: Option<Entry<'_>> = None;
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        if line.is_empty() {
            out.extend(entry.take().map(Entry::package).transpose()?);
            continue;
        }
        let letter = line.as_bytes().first().filter(|letter| letter.is_ascii_alphabetic());
        let (Some(letter), Some(value)) = (letter, line.get(1..).and_then(|rest| rest.strip_prefix(':'))) else {
            return Err(Malformed::Line(line.chars().take(80).collect()).at(line_number));
        };
        let entry = entry.get_or_insert_with(|| Entry { line: line_number, ..Entry::default() });
        let field = match letter {
            b'P' => &mut entry.name,
            b'V' => &mut entry.version,
            b'A' => &mut entry.architecture,
            b'L' => &mut entry.license,
            b'o' => &mut entry.origin,
            _ => continue,
        };
        if field.replace(value).is_some() {
            return Err(Malformed::Repeated(char::from(*letter).to_string()).at(line_number));
        }
    }
    out.extend(entry.map(Entry::package).transpose()?);
    Ok(out)
}

impl Entry<'_> {
    fn package(self) -> Result<Found, Place> {
        let at = |reason: Malformed| reason.at(self.line);
        let name = self.name.ok_or_else(|| at(Malformed::Missing("P")))?;
        let version = self.version.ok_or_else(|| at(Malformed::Missing("V")))?;
        let architecture = self.architecture.ok_or_else(|| at(Malformed::Missing("A")))?;
        check("P", name, "+-._").map_err(at)?;
        check("V", version, "+-._~").map_err(at)?;
        check("A", architecture, "-_").map_err(at)?;
        // Like a Debian source package: advisories are about the origin.
        let origin = self.origin.filter(|origin| *origin != name).unwrap_or_default();
        let package = Found::new("apk", "", name, version)
            .and_then(|package| package.qualified("arch", architecture)?.qualified("upstream", origin))
            .map_err(|error| at(error.into()))?;
        Ok(package.licensed(self.license))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const TWO: &str = "C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\no:musl\nF:lib\nR:libc.so\na:0:0:755\n\n\
                       P:ssl_client\nV:1.36.1-r5\nA:x86_64\nL:GPL-2.0-only\no:busybox\n\n";

    #[test]
    fn entries_become_packages() {
        let packages = installed(TWO.as_bytes()).unwrap();
        let purls: Vec<String> = packages.iter().map(|package| package.purl.to_string()).collect();
        let client = "pkg:apk/ssl_client@1.36.1-r5?arch=x86_64&upstream=busybox";
        assert_eq!(purls, ["pkg:apk/musl@1.2.4-r2?arch=x86_64", client]);
        assert_eq!(packages[1].license.as_deref(), Some("GPL-2.0-only"));
    }

    #[test]
    fn broken_databases_reject_with_their_place() {
        for (from, to, expected) in [
            ("P:musl\n", "", Malformed::Missing("P").at(1)),
            ("V:1.36.1-r5\n", "", Malformed::Missing("V").at(11)),
            ("A:x86_64\nL:MIT", "L:MIT", Malformed::Missing("A").at(1)),
            ("F:lib\n", "F lib\n", Malformed::Line("F lib".to_owned()).at(7)),
            ("P:musl\n", "P:musl\nP:glibc\n", Malformed::Repeated("P".to_owned()).at(3)),
            ("V:1.2.4-r2", "V:1.2 4", Malformed::value("V", "1.2 4").at(1)),
            ("o:busybox\n\n", "o:busy", Malformed::Truncated.at(15)),
        ] {
            let text = TWO.replace(from, to);
            assert_ne!(text, TWO);
            assert_eq!(installed(text.as_bytes()).unwrap_err(), expected, "{to}");
        }
    }
}
