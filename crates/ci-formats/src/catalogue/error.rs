//! Why an image cannot be catalogued. Each names the file, the line where there is one, the cause and the fix.

use crate::purl::InvalidPurl;

/// Why there is no catalogue. Nothing of the image is listed then: half a list reads like a whole one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// A package database or a package's own metadata is broken.
    #[error("{path}{}: {reason}; rebuild the image with an intact file, or remove the package and its metadata together",
        line.map_or_else(String::new, |line| format!(":{line}")))]
    Malformed {
        /// File of the image.
        path: String,
        /// 1-based line.
        line: Option<usize>,
        /// What is wrong there.
        reason: Malformed,
    },
    /// A package database without a single package.
    #[error("{path}: the package database lists no package; keep the database that the package manager wrote")]
    EmptyDatabase {
        /// File of the image.
        path: String,
    },
    /// A distribution's package database, but nothing tells which distribution.
    #[error(
        "{path}: packages of an unknown distribution: the image has no etc/os-release or usr/lib/os-release with `ID`; \
         keep that file in the image (Debian: base-files, Alpine: alpine-release)"
    )]
    NoRelease {
        /// The database.
        path: String,
    },
    /// The caller gave the same path twice.
    #[error("{path}: given twice; give each path of the unpacked image once, as its topmost layer has it")]
    RepeatedFile {
        /// File of the image.
        path: String,
    },
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The file ends in the middle of a line.
    #[error("ends in the middle of a line")]
    Truncated,
    /// The text is not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
    /// A line that is neither `Field: value` nor a continuation.
    #[error("expected `Field: value`, found `{0}`")]
    Line(String),
    /// A required field is missing or empty.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A field stands twice in one entry.
    #[error("`{0}` stands twice in one entry")]
    Repeated(String),
    /// A field's value breaks the format's rules.
    #[error("`{value}` is no value for `{field}`")]
    Value {
        /// Field.
        field: &'static str,
        /// Its value, shortened.
        value: String,
    },
    /// A version of the format that this cataloguer does not know.
    #[error("format version `{0}` is not known")]
    FormatVersion(String),
    /// Not the JSON expected.
    #[error("{0}")]
    Json(String),
    /// Not the TOML expected.
    #[error("{0}")]
    Toml(String),
    /// An executable carries build information that cannot be read.
    #[error("build information in the executable: {0}")]
    BuildInfo(&'static str),
    /// A decompressed content is larger than allowed.
    #[error("is larger than {limit} bytes when decompressed")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// Name and version do not make a package URL.
    #[error(transparent)]
    Purl(#[from] InvalidPurl),
}

impl Malformed {
    pub(super) fn value(field: &'static str, value: &str) -> Self {
        Self::Value { field, value: value.chars().take(80).collect() }
    }

    /// This reason at a line of the file being read.
    pub(super) fn at(self, line: usize) -> Place {
        Place { line: Some(line), reason: self }
    }
}

/// A reason and its line; the cataloguer adds the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: Option<usize>,
    pub(super) reason: Malformed,
}

impl<E: Into<Malformed>> From<E> for Place {
    fn from(reason: E) -> Self {
        Self { line: None, reason: reason.into() }
    }
}

/// Something that the catalogue could not tell, although nothing is broken. A gate may demand that there is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Problem {
    /// An executable was too large to look into.
    #[error("{path}: {bytes} bytes: executables above {limit} bytes are not searched for build information")]
    TooLarge {
        /// File of the image.
        path: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// An installed package has no version; it is listed without one.
    #[error("{path}: no version")]
    NoVersion {
        /// File of the image.
        path: String,
    },
    /// A `package.json` where a package is expected, without a name; the directory's name is listed.
    #[error("{path}: no name")]
    NoName {
        /// File of the image.
        path: String,
    },
    /// An executable's section table cannot be read; it was not searched.
    #[error("{path}: the ELF headers cannot be read")]
    UnreadableExecutable {
        /// File of the image.
        path: String,
    },
    /// A Go executable built without modules; only its standard library is listed.
    #[error("{path}: a Go executable without a module list")]
    NoModules {
        /// File of the image.
        path: String,
    },
    /// Two files declare different hashes for one package; neither is listed.
    #[error("{purl}: two different {algorithm} hashes are declared")]
    HashConflict {
        /// The package.
        purl: String,
        /// Hash algorithm.
        algorithm: String,
    },
}
