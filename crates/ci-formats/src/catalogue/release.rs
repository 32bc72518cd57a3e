//! Which distribution an image is: os-release(5).

use serde::{Deserialize, Serialize};

use super::error::{Malformed, Place};
use super::found::{check, text};

/// The distribution of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// `ID`: `debian`, `ubuntu`, `alpine`, …
    pub id: String,
    /// `VERSION_ID`, else `VERSION_CODENAME`; absent for rolling releases.
    pub version: Option<String>,
    /// `PRETTY_NAME`, else the id.
    pub name: String,
}

impl Release {
    /// The `distro` qualifier of package URLs: `debian-12`, or `arch` where there is no version.
    #[must_use]
    pub fn distro(&self) -> String {
        self.version.as_ref().map_or_else(|| self.id.clone(), |version| format!("{}-{version}", self.id))
    }
}

/// Reads os-release; `None` where it names no `ID`.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Release>, Place> {
    let (mut id, mut version_id, mut codename, mut pretty) = (None, None, None, None);
    for (index, line) in text(bytes)?.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let shown = || Malformed::Line(line.chars().take(80).collect()).at(index + 1);
        let (key, value) = line.split_once('=').ok_or_else(shown)?;
        let slot = match key {
            "ID" => &mut id,
            "VERSION_ID" => &mut version_id,
            "VERSION_CODENAME" => &mut codename,
            "PRETTY_NAME" => &mut pretty,
            _ => continue,
        };
        // A shell would take the last assignment; a reader that takes the first would see another distribution.
        if slot.replace(unquote(value).ok_or_else(shown)?).is_some() {
            return Err(Malformed::Repeated(key.to_owned()).at(index + 1));
        }
    }
    let Some(id) = id else { return Ok(None) };
    check("ID", &id, "._-")?;
    let version = version_id.filter(|version| !version.is_empty()).or(codename).filter(|version| !version.is_empty());
    if let Some(version) = &version {
        check("VERSION_ID", version, "._-+~")?;
    }
    let name = pretty.filter(|name| !name.is_empty()).unwrap_or_else(|| id.clone());
    Ok(Some(Release { id, version, name }))
}

/// A value as os-release(5) allows it: bare, or in quotes with backslash escapes.
fn unquote(value: &str) -> Option<String> {
    let value = value.trim();
    let Some(quote) = value.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        return (!value.contains(['"', '\'', ' ', '$', '`'])).then(|| value.to_owned());
    };
    let inner = value.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut out = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if quote == '"' => out.push(letters.next()?),
            letter if letter == quote => return None,
            letter => out.push(letter),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn debian_alpine_and_rolling_releases() {
        let text =
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID=debian\n";
        let debian = read(text.as_bytes()).unwrap().unwrap();
        assert_eq!((debian.distro().as_str(), debian.name.as_str()), ("debian-12", "Debian GNU/Linux 12 (bookworm)"));
        let alpine = read(b"# made by hand\n\nID='alpine'\nVERSION_ID=3.18.4\n").unwrap().unwrap();
        assert_eq!(alpine.distro(), "alpine-3.18.4");
        assert_eq!(read(b"ID=arch\n").unwrap().unwrap().distro(), "arch");
        assert_eq!(read(b"NAME=x\n").unwrap(), None);
    }

    #[test]
    fn broken_ones_reject() {
        for (text, expected) in [
            ("ID\n", Malformed::Line("ID".to_owned()).at(1)),
            ("ID=a\nID=b\n", Malformed::Repeated("ID".to_owned()).at(2)),
            ("ID=\"a\n", Malformed::Line("ID=\"a".to_owned()).at(1)),
            ("ID=a b\n", Malformed::Line("ID=a b".to_owned()).at(1)),
            ("ID=\n", Malformed::value("ID", "").into()),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap_err(), expected, "{text}");
        }
    }
}
