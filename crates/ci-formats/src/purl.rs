//! Package URLs (ECMA-427, "Package-URL specification"): the one name of a package across SBOMs and scanners.
//!
//! A [`Purl`] is always normalised, so two spellings of one package are equal and print the same text.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A normalised package URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purl {
    kind: String,
    namespace: Vec<String>,
    name: String,
    version: Option<String>,
    qualifiers: BTreeMap<String, String>,
    subpath: Vec<String>,
}

/// Why a text or its parts are not a package URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPurl {
    /// Longer than [`MAX_BYTES`].
    #[error("package URL is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Does not start with `pkg:`.
    #[error("package URL does not start with `pkg:`")]
    NoScheme,
    /// The type is missing or has characters other than letters, digits, `.` and `-`, or starts with a digit.
    #[error("`{0}` is not a package URL type")]
    Type(String),
    /// No name.
    #[error("package URL has no name")]
    NoName,
    /// `@` with nothing after it.
    #[error("package URL has an empty version")]
    EmptyVersion,
    /// A qualifier key has other characters than letters, digits, `.`, `-` and `_`, starts with a digit, or has no `=`.
    #[error("`{0}` is not a package URL qualifier")]
    Qualifier(String),
    /// A qualifier key stands twice.
    #[error("package URL qualifier `{0}` stands twice")]
    RepeatedQualifier(String),
    /// A percent sign without two hex digits, or bytes that are not UTF-8.
    #[error("package URL has a broken percent-encoding")]
    Encoding,
    /// A control character inside.
    #[error("package URL has a control character")]
    Control,
}

/// Longest package URL accepted, in bytes.
pub const MAX_BYTES: usize = 8192;

impl Purl {
    /// A package URL from decoded parts. `namespace` may hold several segments separated by `/`; empty means none. An
    /// empty `version` means none.
    ///
    /// # Errors
    /// See [`InvalidPurl`].
    pub fn new(kind: &str, namespace: &str, name: &str, version: &str) -> Result<Self, InvalidPurl> {
        let namespace = namespace.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let version = (!version.is_empty()).then(|| version.to_owned());
        let purl = Self {
            kind: kind.to_owned(),
            namespace,
            name: name.to_owned(),
            version,
            qualifiers: BTreeMap::new(),
            subpath: Vec::new(),
        };
        purl.normalised()
    }

    /// A qualifier more. An empty value adds nothing.
    ///
    /// # Errors
    /// When the key is not a qualifier key, or stands already.
    pub fn with(mut self, key: &str, value: &str) -> Result<Self, InvalidPurl> {
        if !is_key(key) {
            return Err(InvalidPurl::Qualifier(shorten(key)));
        }
        if value.chars().any(char::is_control) {
            return Err(InvalidPurl::Control);
        }
        let key = key.to_ascii_lowercase();
        if self.qualifiers.contains_key(&key) {
            return Err(InvalidPurl::RepeatedQualifier(key));
        }
        if !value.is_empty() {
            self.qualifiers.insert(key, value.to_owned());
        }
        Ok(self)
    }

    /// The same package in another namespace.
    ///
    /// # Errors
    /// See [`InvalidPurl`].
    pub fn in_namespace(mut self, namespace: &str) -> Result<Self, InvalidPurl> {
        self.namespace = namespace.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        self.normalised()
    }

    /// The type: `deb`, `npm`, …
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Name without namespace.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Version, where there is one.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Value of a qualifier.
    #[must_use]
    pub fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers.get(key).map(String::as_str)
    }

    /// The rules of the types (purl-spec, "Known purl types").
    fn normalised(mut self) -> Result<Self, InvalidPurl> {
        if !is_kind(&self.kind) {
            return Err(InvalidPurl::Type(shorten(&self.kind)));
        }
        self.kind.make_ascii_lowercase();
        let lower_namespace = matches!(
            self.kind.as_str(),
            "alpm" | "apk" | "bitbucket" | "composer" | "deb" | "github" | "gitlab" | "golang" | "hex" | "npm"
        );
        let lower_name = lower_namespace || matches!(self.kind.as_str(), "bitnami" | "oci" | "pypi");
        if lower_namespace {
            self.namespace.iter_mut().for_each(|part| *part = part.to_lowercase());
        }
        if lower_name {
            self.name = self.name.to_lowercase();
        }
        if self.kind == "pypi" {
            self.name = pep_503(&self.name);
        }
        if self.kind == "oci" {
            self.version = self.version.map(|version| version.to_lowercase());
        }
        if self.name.is_empty() {
            return Err(InvalidPurl::NoName);
        }
        let parts = self.namespace.iter().chain([&self.name]).chain(&self.version).chain(&self.subpath);
        if parts.flat_map(|part| part.chars()).any(char::is_control) {
            return Err(InvalidPurl::Control);
        }
        Ok(self)
    }
}

/// PEP 503, "Normalized Names", as the `pypi` type demands: runs of `-`, `_` and `.` are one `-`.
fn pep_503(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut pending = false;
    for letter in name.chars() {
        if matches!(letter, '-' | '_' | '.') {
            pending = true;
            continue;
        }
        if std::mem::take(&mut pending) {
            out.push('-');
        }
        out.push(letter);
    }
    if pending {
        out.push('-');
    }
    out
}

fn is_kind(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

fn is_key(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}

/// ECMA-427, "Character encoding": letters, digits, `.-_~` and `:` stand for themselves, all else is percent-encoded.
fn encode(text: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~' | b':') {
            write!(out, "{}", char::from(byte))?;
        } else {
            write!(out, "%{byte:02X}")?;
        }
    }
    Ok(())
}

fn decode(text: &str) -> Result<String, InvalidPurl> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).ok_or(InvalidPurl::Encoding);
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes().iter();
    while let Some(byte) = bytes.next() {
        if *byte == b'%' {
            let value = digit(bytes.next())? << 4 | digit(bytes.next())?;
            out.push(u8::try_from(value).map_err(|_| InvalidPurl::Encoding)?);
        } else {
            out.push(*byte);
        }
    }
    String::from_utf8(out).map_err(|_| InvalidPurl::Encoding)
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkg:{}/", self.kind)?;
        for part in &self.namespace {
            encode(part, f)?;
            f.write_str("/")?;
        }
        encode(&self.name, f)?;
        if let Some(version) = &self.version {
            f.write_str("@")?;
            encode(version, f)?;
        }
        for (index, (key, value)) in self.qualifiers.iter().enumerate() {
            write!(f, "{}{key}=", if index == 0 { '?' } else { '&' })?;
            encode(value, f)?;
        }
        for (index, part) in self.subpath.iter().enumerate() {
            f.write_str(if index == 0 { "#" } else { "/" })?;
            encode(part, f)?;
        }
        Ok(())
    }
}

impl FromStr for Purl {
    type Err = InvalidPurl;

    fn from_str(text: &str) -> Result<Self, InvalidPurl> {
        if text.len() > MAX_BYTES {
            return Err(InvalidPurl::TooLong);
        }
        let (rest, subpath) = text.rsplit_once('#').unwrap_or((text, ""));
        let (rest, qualifiers) = rest.rsplit_once('?').unwrap_or((rest, ""));
        let (scheme, rest) = rest.split_once(':').ok_or(InvalidPurl::NoScheme)?;
        if !scheme.eq_ignore_ascii_case("pkg") {
            return Err(InvalidPurl::NoScheme);
        }
        let rest = rest.trim_matches('/');
        let (kind, rest) = rest.split_once('/').ok_or_else(|| InvalidPurl::Type(shorten(rest)))?;
        // An `@` that opens a path segment is an npm scope that someone forgot to encode, not a version.
        let (path, version) = match rest.rsplit_once('@') {
            Some((before, after)) if before.ends_with('/') || before.is_empty() => {
                if !after.contains('/') {
                    return Err(InvalidPurl::NoName);
                }
                (rest, None)
            }
            Some((_, "")) => return Err(InvalidPurl::EmptyVersion),
            Some((before, after)) => (before, Some(decode(after)?)),
            None => (rest, None),
        };
        let path = path.trim_matches('/');
        let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parts = |text: &str| text.split('/').filter(|part| !part.is_empty()).map(decode).collect();
        let namespace: Vec<String> = Result::from_iter::<Vec<_>>(parts(namespace))?;
        let subpath: Vec<String> = Result::from_iter::<Vec<_>>(parts(subpath))?;
        let purl = Self {
            kind: kind.to_owned(),
            namespace,
            name: decode(name)?,
            version,
            qualifiers: BTreeMap::new(),
            subpath: subpath.into_iter().filter(|part| part != "." && part != "..").collect(),
        };
        let mut pairs = qualifiers.split('&').filter(|pair| !pair.is_empty());
        pairs.try_fold(purl.normalised()?, |purl, pair| {
            let (key, value) = pair.split_once('=').ok_or_else(|| InvalidPurl::Qualifier(shorten(pair)))?;
            purl.with(key, &decode(value)?)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// Given and canonical, after the examples and test cases of purl-spec.
    const CASES: &[(&str, &str)] = &[
        (
            "pkg:deb/debian/curl@7.50.3-1?distro=jessie&arch=i386",
            "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie",
        ),
        ("pkg:deb/debian/attr@1:2.4.47-2+b1?arch=amd64", "pkg:deb/debian/attr@1:2.4.47-2%2Bb1?arch=amd64"),
        ("pkg:deb/debian/attr@1%3A2.4.47-2?arch=source", "pkg:deb/debian/attr@1:2.4.47-2?arch=source"),
        ("pkg:apk/Alpine/Curl@7.83.0-r0?arch=x86", "pkg:apk/alpine/curl@7.83.0-r0?arch=x86"),
        ("pkg:npm/@babel/core#/googleapis/api/", "pkg:npm/%40babel/core#googleapis/api"),
        ("pkg:npm/%40angular/animation@12.3.1", "pkg:npm/%40angular/animation@12.3.1"),
        ("pkg:npm/@angular/animation@12.3.1", "pkg:npm/%40angular/animation@12.3.1"),
        ("pkg:npm/%40MyScope/MyPackage@1.0.0", "pkg:npm/%40myscope/mypackage@1.0.0"),
        ("pkg:pypi/My.PyPI_.--._Package@1.11.1.dev1", "pkg:pypi/my-pypi-package@1.11.1.dev1"),
        ("pkg:GOLANG/google.golang.org/genproto@ab#/a/../b/", "pkg:golang/google.golang.org/genproto@ab#a/b"),
        ("pkg:golang/GitHub.com/Gorilla/context@234fd", "pkg:golang/github.com/gorilla/context@234fd"),
        (
            "pkg:oci/Debian@SHA256%3A244fd?repository_url=docker.io/library/debian&arch=amd64&tag=latest",
            "pkg:oci/debian@sha256:244fd?arch=amd64&repository_url=docker.io%2Flibrary%2Fdebian&tag=latest",
        ),
        ("PKG://cargo/rand@0.7.2", "pkg:cargo/rand@0.7.2"),
        (
            "pkg:generic/openssl@1?checksum=sha1:ad%2Csha256:41&empty=",
            "pkg:generic/openssl@1?checksum=sha1:ad%2Csha256:41",
        ),
    ];

    #[test]
    fn spellings_become_canonical_once() {
        for (given, canonical) in CASES {
            let purl: Purl = given.parse().unwrap_or_else(|error| panic!("{given}: {error}"));
            assert_eq!(purl.to_string(), *canonical, "{given}");
            assert_eq!(canonical.parse::<Purl>().unwrap(), purl, "{canonical}");
        }
    }

    #[test]
    fn broken_ones_reject() {
        for (text, expected) in [
            ("EnterpriseLibrary.Common@6.0.1304", InvalidPurl::NoScheme),
            ("pkg:EnterpriseLibrary.Common@6.0", InvalidPurl::Type("EnterpriseLibrary.Common@6.0".to_owned())),
            ("pkg:n&ginx/nginx@0.8.9", InvalidPurl::Type("n&ginx".to_owned())),
            ("pkg:3nginx/nginx@0.8.9", InvalidPurl::Type("3nginx".to_owned())),
            ("pkg:nginx:a/nginx@0.8.9", InvalidPurl::Type("nginx:a".to_owned())),
            ("pkg%3Amaven/org.apache.commons/io", InvalidPurl::NoScheme),
            ("pkg:npm/a@1?in%20production=true", InvalidPurl::Qualifier("in%20production".to_owned())),
            ("pkg:npm/a@1?x", InvalidPurl::Qualifier("x".to_owned())),
            ("pkg:npm/a@1?x=1&X=2", InvalidPurl::RepeatedQualifier("x".to_owned())),
            ("pkg:maven/@1.3.4", InvalidPurl::NoName),
            ("pkg:npm/foobar@", InvalidPurl::EmptyVersion),
            ("pkg:npm/a@%G1", InvalidPurl::Encoding),
            ("pkg:npm/a@%ff", InvalidPurl::Encoding),
            ("pkg:npm/a%0A@1", InvalidPurl::Control),
            ("", InvalidPurl::NoScheme),
        ] {
            assert_eq!(text.parse::<Purl>().expect_err(text), expected, "{text}");
        }
    }

    #[test]
    fn parts_are_encoded() {
        let purl = Purl::new("deb", "debian", "libstdc++6", "1:12.2.0-14+b1").unwrap();
        let purl = purl.with("upstream", "gcc-12@12.2.0").unwrap().with("arch", "amd64").unwrap();
        let text = "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bb1?arch=amd64&upstream=gcc-12%4012.2.0";
        assert_eq!(purl.to_string(), text);
        assert_eq!(Purl::new("cargo", "", "", "1"), Err(InvalidPurl::NoName));
    }
}
