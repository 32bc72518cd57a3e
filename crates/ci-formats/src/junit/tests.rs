#![allow(clippy::unwrap_used, clippy::expect_used)]
//! Real and hand-made reports of each tool, then what must be refused.

use super::*;
use proptest::prelude::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/fixtures/junit/", $name)).as_slice()
    };
}

/// Tool, report, (total, failed, errored, skipped, flaky).
const REPORTS: [(&str, &[u8], [u64; 5]); 11] = [
    ("pytest xunit2", fixture!("pytest-xunit2.xml"), [13, 3, 3, 2, 0]),
    ("pytest xunit1", fixture!("pytest-xunit1.xml"), [13, 3, 3, 2, 0]),
    ("node:test", fixture!("node-test.xml"), [7, 2, 0, 2, 0]),
    ("jest-junit", fixture!("jest-junit.xml"), [4, 1, 0, 1, 0]),
    ("mocha-junit-reporter", fixture!("mocha-junit-reporter.xml"), [4, 1, 0, 1, 0]),
    ("mocha xunit", fixture!("mocha-xunit.xml"), [4, 1, 0, 1, 0]),
    ("playwright", fixture!("playwright.xml"), [4, 1, 0, 1, 1]),
    ("go-junit-report", fixture!("go-junit-report.xml"), [5, 1, 0, 1, 0]),
    ("gtest", fixture!("gtest.xml"), [4, 1, 0, 2, 0]),
    ("cargo-nextest", fixture!("nextest.xml"), [4, 1, 0, 1, 1]),
    ("surefire", fixture!("surefire.xml"), [5, 1, 1, 1, 1]),
];

fn reason(text: &str) -> JunitReason {
    read(text.as_bytes()).expect_err(text).reason
}

#[test]
fn every_tool_is_read() {
    for (tool, bytes, expected) in REPORTS {
        let report = read(bytes).unwrap_or_else(|error| panic!("{tool}: {error}"));
        assert_eq!([report.total, report.failed, report.errored, report.skipped, report.flaky], expected, "{tool}");
        assert_eq!(report.total, report.cases.len() as u64, "{tool}");
        assert_eq!(report.suites.iter().map(|suite| suite.total).sum::<u64>(), report.total, "{tool}");
        assert_eq!(report.passed() + report.failed + report.errored + report.skipped, report.total, "{tool}");
    }
}

#[test]
fn details_are_kept() {
    let report = read(fixture!("pytest-xunit1.xml")).unwrap();
    let case = report.cases.iter().find(|case| case.name == "test_fail").unwrap();
    assert_eq!((case.file.as_deref(), case.line), (Some("test_shop.py"), Some(14)));
    assert_eq!(case.classname.as_deref(), Some("test_shop"));
    assert!(case.message.as_deref().unwrap().starts_with("assert 'a<b>&' == 'c\"d'"));
    assert!(report.suites[0].timestamp.as_deref().unwrap().starts_with("2026-11-22T"));

    let report = read(fixture!("node-test.xml")).unwrap();
    assert_eq!(report.cases[4].suite, "cart › inner");
    assert_eq!(report.cases.last().map(|case| case.suite.as_str()), Some(""));

    let report = read(fixture!("surefire.xml")).unwrap();
    assert_eq!(report.duration_ms, 1_200_500 + 67 + 4000);
    assert_eq!(report.cases[3].retries, 1);
    assert_eq!(report.cases[2].message.as_deref(), Some("boom\nat org.example.CartTest.errs(CartTest.java:20)"));
}

#[test]
fn counts_come_from_the_cases_where_no_attribute_tells() {
    let report = read(b"<testsuite><testcase name='a'/><testcase name='b'><error/></testcase></testsuite>").unwrap();
    assert_eq!((report.total, report.errored), (2, 1));
}

#[test]
fn attributes_that_contradict_the_cases_reject() {
    for (attributes, attribute) in [
        ("tests='2'", "tests"),
        ("tests='0'", "tests"),
        ("failures='1'", "failures"),
        ("errors='1'", "errors"),
        ("tests='1' failures='0' errors='1'", "errors"),
        ("skipped='1'", "skipped"),
        ("disabled='1'", "disabled"),
    ] {
        for text in [
            format!("<testsuite name='s' {attributes}><testcase name='a' time='1'/></testsuite>"),
            format!("<testsuites {attributes}><testsuite><testcase name='a' time='1'/></testsuite></testsuites>"),
        ] {
            let JunitReason::InconsistentCounts { attribute: found, .. } = reason(&text) else { panic!("{text}") };
            assert_eq!(found, attribute, "{text}");
        }
    }
    for text in [
        "<testsuite failures='0'><testcase name='a'><failure/></testcase></testsuite>",
        "<testsuite errors='0'><testcase name='a'><error/></testcase></testsuite>",
        "<testsuite skipped='0'><testcase name='a'><skipped/></testcase></testsuite>",
        "<testsuites tests='1'><testsuite><testcase name='a' time='1'/><testcase name='b' time='1'/></testsuite></testsuites>",
    ] {
        assert!(matches!(reason(text), JunitReason::InconsistentCounts { .. }), "{text}");
    }
}

#[test]
fn a_report_that_leaves_out_pending_tests_rejects() {
    let error = read(fixture!("mocha-junit-reporter-default.xml")).unwrap_err();
    assert!(matches!(error.reason, JunitReason::InconsistentCounts { declared: 3, counted: 2, .. }), "{error}");
}

/// Dropping any one failing case from a real report, its attributes left alone, must not make it greener unnoticed.
#[test]
fn a_failing_case_cut_out_rejects() {
    for (tool, bytes, expected) in REPORTS {
        if expected[1] + expected[2] != 1 {
            continue;
        }
        let text = std::str::from_utf8(bytes).unwrap();
        let failure = text.find("<failure").or_else(|| text.find("<error")).unwrap();
        let start = text[..failure].rfind("<testcase").unwrap();
        let end = failure + text[failure..].find("</testcase>").unwrap() + "</testcase>".len();
        let without = format!("{}{}", &text[..start], &text[end..]);
        let error = read(without.as_bytes()).expect_err(tool);
        assert!(matches!(error.reason, JunitReason::InconsistentCounts { .. }), "{tool}: {error}");
    }
}

#[test]
fn the_worst_of_contradicting_elements_counts() {
    let one = |inside: &str| {
        read(format!("<testsuite><testcase name='a'>{inside}</testcase></testsuite>").as_bytes()).unwrap().cases[0]
            .clone()
    };
    assert_eq!(one("<skipped/><failure/><error/>").outcome, Outcome::Errored);
    assert_eq!(one("<skipped/><failure/>").outcome, Outcome::Failed);
    assert_eq!(one("<rerunFailure/>").outcome, Outcome::Failed);
    assert_eq!(one("<FAILURE/>").outcome, Outcome::Failed);
    let case = one("<flakyFailure/><failure/>");
    assert!(case.outcome == Outcome::Failed && !case.flaky);
    let report = read(b"<testsuite><testcase name='a' status='failed'/></testsuite>").unwrap();
    assert_eq!(report.failed, 1);
}

#[test]
fn a_suite_that_broke_outside_its_cases_is_an_error() {
    for inside in ["<error message='no database'/>", "<error message='no database'>trace</error>"] {
        let report = read(
            format!("<testsuite name='s' tests='1' errors='1'>{inside}<testcase name='a'/></testsuite>").as_bytes(),
        );
        let report = report.unwrap();
        assert_eq!((report.total, report.errored), (2, 1));
        assert!(report.cases[0].message.as_deref().unwrap().starts_with("no database"));
    }
}

#[test]
fn empty_and_caseless_documents_reject() {
    for text in ["", " \n", "<?xml version='1.0'?>", "<!-- nothing -->", "\u{FEFF}"] {
        assert_eq!(reason(text), JunitReason::Empty, "{text:?}");
    }
    for text in ["<testsuites/>", "<testsuite tests='0'></testsuite>", "<testsuites><testsuite name='s'/></testsuites>"]
    {
        assert_eq!(reason(text), JunitReason::NoCases, "{text}");
    }
}

#[test]
fn other_roots_reject() {
    assert_eq!(reason("<html/>"), JunitReason::WrongRoot("html".to_owned()));
    assert_eq!(reason("<testcase name='a'/>"), JunitReason::WrongRoot("testcase".to_owned()));
    assert_eq!(reason("<testsuite><testcase name='a'/></testsuite><testsuite/>"), JunitReason::OutsideRoot);
    assert_eq!(reason("<testsuite><testcase name='a'/></testsuite>x"), JunitReason::OutsideRoot);
    assert_eq!(reason("x<testsuite/>"), JunitReason::OutsideRoot);
}

#[test]
fn hidden_cases_reject() {
    for text in [
        "<testsuite><properties><testcase name='a'/></properties></testsuite>",
        "<testsuite><testcase name='a'><system-out><testcase name='b'/></system-out></testcase></testsuite>",
        "<testsuite><testcase name='a'><testcase name='b'/></testcase></testsuite>",
    ] {
        assert!(matches!(reason(text), JunitReason::Misplaced { .. }), "{text}");
    }
}

#[test]
fn entity_bombs_reject_before_anything_expands() {
    let bomb =
        "<!DOCTYPE t [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]><testsuite><testcase name='&b;'/></testsuite>";
    assert_eq!(reason(bomb), JunitReason::Doctype);
    assert_eq!(reason("<testsuite><testcase name='&b;'/></testsuite>"), JunitReason::Entity("b".to_owned()));
    assert_eq!(
        reason("<testsuite><testcase name='a'><failure>&x;</failure></testcase></testsuite>"),
        JunitReason::Entity("x".to_owned())
    );
    assert_eq!(reason("<testsuite><properties>&x;</properties></testsuite>"), JunitReason::Entity("x".to_owned()));
}

/// At every byte a real report may be cut off; no prefix is a report.
#[test]
fn truncated_reports_reject_at_every_byte() {
    for (tool, bytes, _) in REPORTS {
        let last = bytes.iter().rposition(|&byte| byte == b'>').unwrap();
        for end in 0..=last {
            assert!(read(&bytes[..end]).is_err(), "{tool} cut at {end}");
        }
    }
    assert_eq!(reason("<testsuite><testcase name='a'>"), JunitReason::Truncated("testcase".to_owned()));
    assert_eq!(reason("<testsuite><testcase name='a'/></testsui"), JunitReason::Truncated("testsuite".to_owned()));
}

#[test]
fn malformed_documents_name_line_and_column() {
    let error = read("<testsuite>\n é <testcase name='a' name='b'/>\n</testsuite>".as_bytes()).unwrap_err();
    assert!(matches!(error.reason, JunitReason::Malformed(_)), "{error}");
    assert_eq!(error.place, Place { line: 2, column: 4 });
    assert!(matches!(reason("<testsuite></testsuites>"), JunitReason::Malformed(_)));
    assert_eq!(read(b"<testsuite>\xff</testsuite>").unwrap_err().reason, JunitReason::NotUtf8);
    assert_eq!(
        reason("<?xml version='1.0' encoding='ISO-8859-1'?><testsuite/>"),
        JunitReason::Encoding("ISO-8859-1".to_owned())
    );
}

#[test]
fn numbers_that_are_none_reject() {
    for attributes in [
        "tests='-1'",
        "tests='1.5'",
        "failures='x'",
        "tests='99999999999999999999'",
        "time='NaN'",
        "time='-1'",
        "time='0,123'",
        "time='1,23'",
        "time='inf'",
        "time='1e12'",
    ] {
        let text = format!("<testsuite {attributes}><testcase name='a'/></testsuite>");
        assert!(matches!(reason(&text), JunitReason::BadNumber { .. }), "{text}");
    }
    assert_eq!(reason("<testsuite><testcase/></testsuite>"), JunitReason::Unnamed);
}

#[test]
fn limits_hold() {
    let deep = "<testsuite>".repeat(MAX_DEPTH + 1);
    assert_eq!(reason(&deep), JunitReason::TooDeep);
    let wide = format!("<testsuite {}/>", (0..=MAX_ATTRIBUTES).map(|n| format!("a{n}='' ")).collect::<String>());
    assert!(matches!(reason(&wide), JunitReason::TooManyAttributes(_)));
    assert!(matches!(read(&vec![b' '; MAX_BYTES + 1]).unwrap_err().reason, JunitReason::TooLarge { .. }));
    let long = format!("<testsuite><testcase name='a'><failure>{}</failure></testcase></testsuite>", "é".repeat(5000));
    assert!(read(long.as_bytes()).unwrap().cases[0].message.as_ref().unwrap().len() <= MAX_MESSAGE_BYTES);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
    }

    #[test]
    fn random_xml_never_panics(parts in prop::collection::vec(prop::sample::select(vec![
        "<testsuites>", "</testsuites>", "<testsuite tests='1'>", "</testsuite>", "<testcase name='a'>", "</testcase>",
        "<failure/>", "<error>", "</error>", "<skipped/>", "x", "&amp;", "<!--", "-->", "<![CDATA[", "]]>", "&#0;",
    ]), 0..24)) {
        if let Ok(report) = read(parts.concat().as_bytes()) {
            prop_assert!(report.total > 0);
        }
    }

    #[test]
    fn mutated_reports_never_panic_and_never_lose_their_sums(
        which in 0..REPORTS.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = REPORTS[which].1.to_vec();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(report) = read(&bytes) {
            prop_assert_eq!(report.passed() + report.failed + report.errored + report.skipped, report.total);
        }
    }
}
