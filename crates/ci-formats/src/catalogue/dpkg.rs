//! Debian packages: dpkg's database (dpkg(1), deb822(5)) and, for licences, machine-readable copyright files.

use super::error::{Malformed, Place};
use super::found::{Found, text};
use super::{deb822, found};
use crate::license;

/// States in which a package's files are on disk (dpkg(1), "Package states"). A half-installed package can be exploited
/// like any other, so it is listed too.
const ON_DISK: [&str; 6] =
    ["installed", "triggers-pending", "triggers-awaited", "half-configured", "unpacked", "half-installed"];
const NOT_ON_DISK: [&str; 2] = ["config-files", "not-installed"];
const WANTED: [&str; 5] = ["unknown", "install", "hold", "deinstall", "purge"];
const ERROR_FLAG: [&str; 2] = ["ok", "reinstreq"];

/// `var/lib/dpkg/status`: every paragraph has a `Status`.
pub(super) fn status(bytes: &[u8]) -> Result<Vec<Found>, Place> {
    packages(bytes, true)
}

/// A file of `var/lib/dpkg/status.d`, as images without dpkg have it: control paragraphs, all of them installed.
pub(super) fn status_d(bytes: &[u8]) -> Result<Vec<Found>, Place> {
    packages(bytes, false)
}

fn packages(bytes: &[u8], with_status: bool) -> Result<Vec<Found>, Place> {
    // People's names in old packages are Latin-1; the fields that identify a package are checked below.
    let text = String::from_utf8_lossy(bytes);
    if with_status && !text.is_empty() && !text.ends_with('\n') {
        return Err(Malformed::Truncated.at(text.lines().count()));
    }
    let mut out = Vec::new();
    for paragraph in deb822::paragraphs(&text)? {
        let at = |reason: Malformed| reason.at(paragraph.line());
        let name = paragraph.required("Package")?;
        if with_status && !on_disk(paragraph.required("Status")?).map_err(at)? {
            continue;
        }
        let version = paragraph.required("Version")?;
        let architecture = paragraph.required("Architecture")?;
        found::check("Package", name, "+-._").map_err(at)?;
        found::check("Version", version, "+-._:~").map_err(at)?;
        found::check("Architecture", architecture, "-").map_err(at)?;
        let package = Found::new("deb", "", name, version).map_err(|error| at(error.into()))?;
        let upstream = paragraph.get("Source").map_or(Ok(String::new()), upstream).map_err(at)?;
        let package =
            package.qualified("arch", architecture).and_then(|package| package.qualified("upstream", &upstream));
        out.push(package.map_err(|error| at(error.into()))?);
    }
    Ok(out)
}

fn on_disk(status: &str) -> Result<bool, Malformed> {
    let unknown = || Malformed::value("Status", status);
    let words: Vec<&str> = status.split_whitespace().collect();
    let [wanted, flag, state] = words[..] else { return Err(unknown()) };
    if !WANTED.contains(&wanted) || !ERROR_FLAG.contains(&flag) {
        return Err(unknown());
    }
    match state {
        state if ON_DISK.contains(&state) => Ok(true),
        state if NOT_ON_DISK.contains(&state) => Ok(false),
        _ => Err(unknown()),
    }
}

/// `gcc-12 (12.2.0-14)` as `gcc-12@12.2.0-14`: advisories are about source packages, so scanners need it.
fn upstream(source: &str) -> Result<String, Malformed> {
    let (name, version) = source.split_once(' ').unwrap_or((source, ""));
    found::check("Source", name, "+-._")?;
    if version.is_empty() {
        return Ok(name.to_owned());
    }
    let inner = version.trim().strip_prefix('(').and_then(|version| version.strip_suffix(')'));
    let inner = inner.ok_or_else(|| Malformed::value("Source", source))?;
    found::check("Source", inner, "+-._:~")?;
    Ok(format!("{name}@{inner}"))
}

/// The package of `usr/share/doc/<package>/copyright`.
pub(super) fn copyright_of(path: &str) -> Option<&str> {
    let package = path.strip_prefix("usr/share/doc/")?.strip_suffix("/copyright")?;
    (!package.contains('/')).then_some(package)
}

/// The licence expression of a machine-readable copyright file (DEP-5): what all its files are under, together.
/// `None` for free-text files: those name no licence that a machine could read.
pub(super) fn copyright(bytes: &[u8]) -> Option<String> {
    let text = text(bytes).ok()?;
    if !text.starts_with("Format") {
        return None;
    }
    let paragraphs = deb822::paragraphs(text).ok()?;
    let of_files = paragraphs.iter().filter(|paragraph| paragraph.get("Files").is_some());
    let mut expressions: Vec<String> = of_files
        .filter_map(|paragraph| paragraph.get("License"))
        .map(|license| license::debian(license.lines().next().unwrap_or_default()))
        .collect();
    expressions.sort();
    expressions.dedup();
    match &expressions[..] {
        [] => None,
        [one] => Some(one.clone()),
        several => {
            let group = |one: &String| if one.contains(" OR ") { format!("({one})") } else { one.clone() };
            Some(several.iter().map(group).collect::<Vec<_>>().join(" AND "))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const BASH: &str =
        "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nSource: bash (5.2-1)\nVersion: 5.2-1+b2\n";

    #[test]
    fn only_packages_on_disk_are_listed() {
        for (status_line, listed) in [
            ("install ok installed", 1),
            ("hold ok installed", 1),
            ("install reinstreq half-installed", 1),
            ("deinstall ok config-files", 0),
            ("purge ok not-installed", 0),
        ] {
            let text = BASH.replace("install ok installed", status_line);
            assert_eq!(status(text.as_bytes()).unwrap().len(), listed, "{status_line}");
        }
    }

    #[test]
    fn broken_databases_reject_with_their_place() {
        for (from, to, expected) in [
            ("bash\n", "bash\nstray\n", Malformed::Line("stray".to_owned()).at(2)),
            ("Version: 5.2-1+b2\n", "", Malformed::Missing("Version").at(1)),
            ("Architecture: amd64\n", "", Malformed::Missing("Architecture").at(1)),
            ("Package: bash\n", "", Malformed::Missing("Package").at(1)),
            ("Status: install ok installed\n", "", Malformed::Missing("Status").at(1)),
            ("install ok installed", "install ok", Malformed::value("Status", "install ok").at(1)),
            ("ok installed", "ok exploded", Malformed::value("Status", "install ok exploded").at(1)),
            ("bash\n", "bash\nPackage: zsh\n", Malformed::Repeated("Package".to_owned()).at(1)),
            ("Package: bash", "Package: ba sh", Malformed::value("Package", "ba sh").at(1)),
            ("5.2-1+b2\n", "5.2", Malformed::Truncated.at(5)),
            ("(5.2-1)", "(5.2-1", Malformed::value("Source", "bash (5.2-1").at(1)),
        ] {
            let text = BASH.replace(from, to);
            assert_ne!(text, BASH);
            assert_eq!(status(text.as_bytes()).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn copyright_files_give_one_expression() {
        let text = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n\
                    Files: *\nCopyright: x\nLicense: GPL-2+ or Artistic\n text\n\n\
                    Files: a\nLicense: Expat\n\nLicense: Expat\n Permission is hereby granted\n";
        assert_eq!(copyright(text.as_bytes()).as_deref(), Some("(GPL-2.0-or-later OR Artistic-1.0) AND MIT"));
        assert_eq!(copyright(b"This package was debianized by"), None);
        assert_eq!(copyright_of("usr/share/doc/bash/copyright"), Some("bash"));
        assert_eq!(copyright_of("usr/share/doc/a/b/copyright"), None);
    }
}
