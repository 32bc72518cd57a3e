//! JUnit XML: what pytest, jest-junit, Node, mocha, surefire, cargo-nextest, go-junit-report, GoogleTest and Playwright write.
//!
//! There is no standard, so the reader is tolerant about shape and strict about meaning: every count is derived from the
//! `testcase` elements, and a count attribute that contradicts them refuses the report (it was cut, merged or edited).
//! Document type declarations and undeclared entities are refused, so no entity is ever expanded.

use std::fmt;

mod counts;
mod walk;

/// Largest report that is read, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// Most test cases in one report.
pub const MAX_CASES: usize = 1_000_000;
/// Deepest nesting of elements.
pub const MAX_DEPTH: usize = 64;
/// Most attributes of one element.
pub const MAX_ATTRIBUTES: usize = 64;
/// Longest message kept of one case, in bytes; the rest is cut.
pub const MAX_MESSAGE_BYTES: usize = 4096;

/// A test report. All numbers are derived from `cases`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestReport {
    /// Suites that hold cases of their own, in document order.
    pub suites: Vec<TestSuite>,
    /// Number of cases.
    pub total: u64,
    /// Cases with outcome [`Outcome::Failed`].
    pub failed: u64,
    /// Cases with outcome [`Outcome::Errored`].
    pub errored: u64,
    /// Cases with outcome [`Outcome::Skipped`].
    pub skipped: u64,
    /// Cases that passed only after a retry.
    pub flaky: u64,
    /// Sum of the cases' times in milliseconds; the root's own time where no case has one. Not wall time for parallel runs.
    pub duration_ms: u64,
    /// The cases in document order.
    pub cases: Vec<TestCase>,
}

impl TestReport {
    /// Cases that ran and passed, flaky ones included.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.cases.iter().filter(|case| case.outcome == Outcome::Passed).count() as u64
    }
}

/// One suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestSuite {
    /// Names from the outermost suite to this one, joined by ` › `. Empty for cases that stand outside any suite.
    pub name: String,
    /// Number of its own cases.
    pub total: u64,
    /// When it ran, as the tool wrote it: there are many spellings, not all have a zone.
    pub timestamp: Option<String>,
    /// Where it ran.
    pub hostname: Option<String>,
}

/// One test case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestCase {
    /// Name of its suite, as in [`TestSuite::name`].
    pub suite: String,
    /// Class, module or file, as the tool writes it.
    pub classname: Option<String>,
    /// Name.
    pub name: String,
    /// Source file.
    pub file: Option<String>,
    /// Source line, from 1 (pytest counts from 0).
    pub line: Option<u32>,
    /// When it ran, as the tool wrote it.
    pub timestamp: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Passed after at least one failed try (`flakyFailure`, `flakyError`).
    pub flaky: bool,
    /// Failed tries that a `flakyFailure`, `flakyError`, `rerunFailure` or `rerunError` tells of, beyond the final result.
    pub retries: u32,
    /// Time in milliseconds.
    pub duration_ms: Option<u64>,
    /// Message of the first failure, error or skip, cut at [`MAX_MESSAGE_BYTES`].
    pub message: Option<String>,
}

/// How a case ended. Where elements contradict each other, the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing says otherwise.
    Passed,
    /// `skipped`, or GoogleTest's `status="notrun"`.
    Skipped,
    /// `failure`; also `rerunFailure` or a failing `status` attribute without one.
    Failed,
    /// `error`.
    Errored,
}

/// A place in the document, both from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Line.
    pub line: u64,
    /// Column.
    pub column: u64,
}

impl Place {
    /// The place of byte `offset`.
    pub(crate) fn of(bytes: &[u8], offset: usize) -> Self {
        let before = &bytes[..offset.min(bytes.len())];
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let lines = before.iter().filter(|&&byte| byte == b'\n').count() as u64;
        // Bytes that start a character are those that do not continue one.
        let column = before[line_start..].iter().filter(|&&byte| byte & 0xC0 != 0x80).count() as u64;
        Self { line: lines + 1, column: column + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a report was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("JUnit XML, {place}: {reason}")]
pub struct JunitError {
    /// Where.
    pub place: Place,
    /// Why.
    pub reason: JunitReason,
}

/// Why a report was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JunitReason {
    /// No bytes, or none but white space, comments and the XML declaration.
    #[error("the document is empty; let the test run write its report before it is read")]
    Empty,
    /// Larger than [`MAX_BYTES`].
    #[error("the report has {bytes} bytes, the limit is {MAX_BYTES}; split it by suite")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not UTF-8.
    #[error("not UTF-8; write the report as UTF-8")]
    NotUtf8,
    /// Declares another encoding.
    #[error("declares encoding `{0}`; write the report as UTF-8")]
    Encoding(String),
    /// Not well-formed XML.
    #[error("not well-formed XML: {0}")]
    Malformed(String),
    /// Ends inside an element.
    #[error("the document ends inside <{0}>; the report was cut off")]
    Truncated(String),
    /// A document type declaration.
    #[error("a document type declaration is refused; no test tool needs one")]
    Doctype,
    /// An entity that XML does not predefine.
    #[error("entity `&{0};` is not predefined in XML; entities are never expanded")]
    Entity(String),
    /// Another root element.
    #[error("the root is <{0}>; expected <testsuites> or <testsuite>")]
    WrongRoot(String),
    /// Something stands after the root element.
    #[error("there is content outside the root element")]
    OutsideRoot,
    /// A suite or case inside something that must not hold one.
    #[error("<{child}> inside <{parent}> would hide results; expected it inside <testsuite>")]
    Misplaced {
        /// The element.
        child: String,
        /// What it stands in.
        parent: String,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("elements are nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// More than [`MAX_ATTRIBUTES`].
    #[error("<{0}> has more than {MAX_ATTRIBUTES} attributes")]
    TooManyAttributes(String),
    /// More than [`MAX_CASES`].
    #[error("more than {MAX_CASES} test cases; split the report by suite")]
    TooManyCases,
    /// A case without a name.
    #[error("<testcase> has no `name`")]
    Unnamed,
    /// An attribute that is no number of the expected kind.
    #[error("attribute `{attribute}` of <{element}> is `{value}`; expected {expected}")]
    BadNumber {
        /// Element.
        element: String,
        /// Attribute.
        attribute: &'static str,
        /// What stands there, cut.
        value: String,
        /// What should.
        expected: &'static str,
    },
    /// A count attribute contradicts the cases.
    #[error(
        "inconsistent counts in <{element} name=\"{name}\">: attribute `{attribute}` says {declared}, the test cases say {counted}; \
         the report was cut, merged wrongly or edited: run the tests again"
    )]
    InconsistentCounts {
        /// Element.
        element: String,
        /// Its name.
        name: String,
        /// Attribute.
        attribute: &'static str,
        /// The attribute's value.
        declared: u64,
        /// What the cases say.
        counted: u64,
    },
    /// Not one test case.
    #[error("the report has no test case; a run that tests nothing proves nothing: check the test selection")]
    NoCases,
}

/// Reads a JUnit XML report.
///
/// # Errors
/// See [`JunitReason`]. Nothing is guessed: a report that is refused has no counts.
pub fn read(bytes: &[u8]) -> Result<TestReport, JunitError> {
    walk::read(bytes)
}

#[cfg(test)]
mod tests;
