//! Why a configuration was refused: place, reason and fix.

use std::fmt;
use std::ops::Range;

/// Foreign text made fit for a message: short, and without characters that move the cursor or turn the reading direction.
pub(super) fn clip(text: &str) -> String {
    let unsafe_to_show = |character: char| {
        character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut shown = String::new();
    for character in text.chars().take(96) {
        if unsafe_to_show(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    if text.chars().nth(96).is_some() {
        shown.push('…');
    }
    shown
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// 1-based line; 0 for values that stand in no file (defaults).
    pub line: u64,
    /// 1-based column, in characters.
    pub column: u64,
    /// Byte offset of the first byte.
    pub start: usize,
    /// Byte offset behind the last byte.
    pub end: usize,
}

impl Place {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1, start: 0, end: 0 };

    /// The bytes, for a renderer that underlines them.
    #[must_use]
    pub const fn span(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// Which layer a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayerOrigin {
    /// Built in.
    Defaults,
    /// The organisation's signed overlay.
    Overlay,
    /// The repository's `.ci-intel/config.yml`.
    Repository,
}

impl LayerOrigin {
    /// Name in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Defaults => "built-in default",
            Self::Overlay => "organisation overlay",
            Self::Repository => "repository",
        }
    }
}

impl fmt::Display for LayerOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is wrong with a configuration, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{}:{}: {}{reason}; {fix}", .place.line, .place.column, if .key.is_empty() { String::new() } else { format!("{}: ", .key) })]
pub struct ConfigError {
    /// The file as the caller named it.
    pub path: String,
    /// Line, column and byte span in that file.
    pub place: Place,
    /// Dotted key, with list positions: `build.assemble.files[2].to`. Empty where the file as a whole is meant.
    pub key: String,
    /// What is wrong.
    pub reason: Reason,
    /// What to write instead.
    pub fix: String,
}

impl ConfigError {
    /// 1-based line.
    #[must_use]
    pub const fn line(&self) -> u64 {
        self.place.line
    }

    /// 1-based column, in characters.
    #[must_use]
    pub const fn column(&self) -> u64 {
        self.place.column
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Reason {
    #[error("the file has {bytes} bytes, more than {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("the file is not UTF-8")]
    NotUtf8,
    #[error("not YAML: {0}")]
    Syntax(String),
    #[error("anchors and aliases are not accepted")]
    Anchor,
    #[error("merge keys (`<<`) are not accepted")]
    MergeKey,
    #[error("tags are not accepted")]
    Tag,
    #[error("the file holds more than one YAML document")]
    Documents,
    #[error("nested too deeply or too large")]
    TooComplex,
    #[error("the file says nothing")]
    Empty,
    #[error("unknown key `{0}`")]
    UnknownKey(String),
    #[error("key `{key}` stands twice; first in line {first_line}")]
    RepeatedKey { key: String, first_line: u64 },
    #[error("the key has no value")]
    NoValue,
    #[error("expected {expected}, found {found}")]
    WrongType { expected: String, found: &'static str },
    #[error("{found} is not between {min} and {max}")]
    OutOfRange { found: String, min: u64, max: u64 },
    #[error("`{found}` is not one of {allowed}")]
    UnknownChoice { found: String, allowed: String },
    #[error("this key is required")]
    Missing,
    #[error("nothing is listed")]
    NothingListed,
    #[error("`{0}` stands twice")]
    RepeatedEntry(String),
    #[error("{0}")]
    Value(#[from] Fault),
    #[error("an overlay may not describe a repository")]
    NotForOverlay,
    #[error("a repository may not say this where the overlay demands scanners")]
    NotForRepository,
    #[error("{layer} value {value} is looser than {above_value} of the {above} ({above_at})")]
    Loosens { layer: LayerOrigin, value: String, above: LayerOrigin, above_value: String, above_at: String },
    #[error("the key table and the types disagree: {0}")]
    Model(String),
}

impl Reason {
    /// Stable id of the kind of error, for SARIF and for tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "config-too-large",
            Self::NotUtf8 => "config-not-utf8",
            Self::Syntax(_) => "config-syntax",
            Self::Anchor => "config-anchor",
            Self::MergeKey => "config-merge-key",
            Self::Tag => "config-tag",
            Self::Documents => "config-documents",
            Self::TooComplex => "config-too-complex",
            Self::Empty => "config-empty",
            Self::UnknownKey(_) => "config-unknown-key",
            Self::RepeatedKey { .. } => "config-repeated-key",
            Self::NoValue => "config-no-value",
            Self::WrongType { .. } => "config-wrong-type",
            Self::OutOfRange { .. } => "config-out-of-range",
            Self::UnknownChoice { .. } => "config-unknown-choice",
            Self::Missing => "config-missing-key",
            Self::NothingListed => "config-nothing-listed",
            Self::RepeatedEntry(_) => "config-repeated-entry",
            Self::Value(_) => "config-value",
            Self::NotForOverlay => "config-not-for-overlay",
            Self::NotForRepository => "config-not-for-repository",
            Self::Loosens { .. } => "config-loosens",
            Self::Model(_) => "config-model",
        }
    }
}

/// What is wrong with a value of the right type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Fault {
    #[error("`{0}` is empty or holds a control character")]
    Text(String),
    #[error("`{0}` is not an image name")]
    Name(String),
    #[error("`{0}` is not `owner/name`")]
    Repository(String),
    #[error("`{0}` has no boundary: it can match everything at the top of the repository")]
    Unbounded(String),
    #[error("`{0}` is not a path inside the repository")]
    Outside(String),
    #[error("`{0}` lies in ci-intel's or git's own state")]
    OwnState(String),
    #[error("`{pattern}` uses `{character}`, which patterns here do not have")]
    PatternCharacter { pattern: String, character: char },
    #[error("`{0}` is not a glob")]
    Glob(String),
    #[error("`{0}` is not an absolute, normalised path")]
    NotAbsolute(String),
    #[error("`{0}` is not pinned by digest")]
    BaseNotPinned(String),
    #[error("`{0}` is not an octal mode")]
    Mode(String),
    #[error("`{0}` is not `uid` or `uid:gid`")]
    User(String),
    #[error("`{0}` is not a port")]
    Port(String),
    #[error("`{0}` is not a name of an environment variable")]
    EnvName(String),
    #[error("`{0}` looks like a credential")]
    Credential(String),
    #[error("`{0}` is set by the lane itself")]
    LaneEnv(String),
    #[error("no argument holds `{0}`")]
    NoPlaceholder(&'static str),
    #[error("`{0}` is neither `oci-layout:PATH` nor `registry:HOST[:PORT]/NAME`")]
    Target(String),
    #[error("plain HTTP to `{0}`, which is not this machine")]
    PlainHttp(String),
    #[error("`{0}` does not make a tag")]
    Tag(String),
    #[error("`{0}` is not an issuer: https, no user, query or fragment")]
    Issuer(String),
    #[error("`{0}` is not a numeric repository id")]
    RepositoryId(String),
    #[error("`{0}` is not `owner/repository/.github/workflows/FILE.yml`")]
    Workflow(String),
    #[error("`{0}` is not one branch or tag, or a bounded prefix of them")]
    Ref(String),
    #[error("`{0}` is not a path of a URL")]
    UrlPath(String),
    #[error("the image is started, but nothing is asked of it")]
    NoProbe,
    #[error("a job that exits cannot answer HTTP probes")]
    JobAnswersHttp,
}
