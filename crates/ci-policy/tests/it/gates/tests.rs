//! Tests: really run, on this context, by the configured command, all results kept, none failed.

use ci_testkit::release::{Release, junit};
use ci_types::Digest;
use ci_types::record::EvidenceKind;

use super::{accepts, denials, without};

const FAILURE: &str = "<failure message=\"no\"/>";
const SKIPPED: &str = "<skipped/>";

fn results(release: &mut Release, cases: &[(&str, &str)]) {
    release.junit = junit(cases);
}

denials! { "tests";
    local missing_test_results_reject => "test-results-missing", |r| without(r, EvidenceKind::TestResults);
    local missing_command_receipt_rejects => "commands-missing", |r| without(r, EvidenceKind::Commands);
    local failed_test_rejects => "tests-failed", |r| results(r, &[("works", ""), ("fails", FAILURE)]);
    local errored_test_rejects => "tests-failed", |r| results(r, &[("works", ""), ("crashes", "<error/>")]);
    local one_failure_in_a_thousand_rejects => "tests-failed", |r| {
        let mut cases = vec![("works", ""); 999];
        cases.push(("fails", FAILURE));
        results(r, &cases);
    };
    local test_command_with_exit_code_1_rejects => "test-command-failed", |r| r.commands.commands[0].exit_code = Some(1);
    local test_command_that_timed_out_rejects => "test-command-failed", |r| r.commands.commands[0].exit_code = None;
    local zero_tests_reject => "test-results-malformed", |r| results(r, &[]);
    local skipped_tests_are_not_enough => "too-few-tests", |r| results(r, &[("later", SKIPPED), ("never", SKIPPED)]);
    local fewer_tests_than_configured_reject => "too-few-tests",
        |r| r.config = r.config.replace("tests:\n", "tests:\n  min_total: 3\n");
    local skipped_tests_do_not_fill_the_minimum => "too-few-tests", |r| {
        r.config = r.config.replace("tests:\n", "tests:\n  min_total: 3\n");
        results(r, &[("a", ""), ("b", ""), ("c", SKIPPED)]);
    };
    local tests_that_were_never_run_reject => "test-results-missing", |r| drop(r.commands.commands.remove(0));
    local two_test_commands_reject => "test-results-repeated", |r| {
        let again = r.commands.commands[0].clone();
        r.commands.commands.push(again);
    };
    local another_test_command_than_configured_rejects => "test-results-inconsistent",
        |r| r.commands.commands[0].argv = vec!["true".to_owned()];
    local test_command_with_another_argument_rejects => "test-results-inconsistent",
        |r| r.commands.commands[0].argv.push("--exclude=all".to_owned());
    local tests_of_another_context_reject => "test-results-wrong-subject",
        |r| r.commands.commands[0].inputs = vec![Digest::of(b"another context")];
    local result_file_that_was_left_out_rejects => "test-results-missing", |r| {
        let left_out = ci_types::record::FileDigest { path: "tests/b.xml".to_owned(), digest: Digest::of(b"failed") };
        r.commands.commands[0].outputs.push(left_out);
    };
    local unreadable_results_reject => "test-results-malformed", |r| r.junit = b"<testsuites><testsuite>".to_vec();
    local results_with_counts_that_contradict_reject => "test-results-malformed", |r| {
        r.junit = b"<testsuites><testsuite name=\"app\" tests=\"9\"><testcase name=\"a\"/></testsuite></testsuites>".to_vec();
    };
}

mod several_files {
    use ci_evidence::set::EvidenceSet;
    use ci_evidence::verifiers::{self, Inputs};
    use ci_policy::bundle;
    use ci_testkit::release::RUN_ID;
    use ci_types::record::Producer;

    use super::*;

    fn code(release: &Release, set: &EvidenceSet) -> Option<String> {
        let facts = verifiers::derive(&Inputs {
            set,
            subject: &release.publication.subject,
            run_id: RUN_ID,
            trust: &release.trust(),
            config: &release.effective(),
            now: release.now,
        });
        facts.tests.err().map(|rejection| rejection.id())
    }

    fn with(release: &Release, path: &str, bytes: &[u8], command: Option<u64>) -> EvidenceSet {
        let mut files = release.evidence().files().to_vec();
        let producer = Producer { name: "tool".to_owned(), version: None, command };
        files.push((bundle::entry(EvidenceKind::TestResults, path.to_owned(), bytes, producer), bytes.to_vec()));
        EvidenceSet::new(files).unwrap()
    }

    #[test]
    fn results_that_do_not_come_from_the_test_command_reject() {
        let release = Release::local();
        let foreign = with(&release, "tests/foreign.xml", &junit(&[("a", "")]), None);
        assert_eq!(code(&release, &foreign).as_deref(), Some("test-results-inconsistent"));
        let scanners = with(&release, "tests/foreign.xml", &junit(&[("a", "")]), Some(1));
        assert_eq!(code(&release, &scanners).as_deref(), Some("test-results-inconsistent"));
    }

    #[test]
    fn one_result_file_counts_once() {
        let release = Release::local();
        let twice = with(&release, "tests/copy.xml", &release.junit, Some(0));
        assert_eq!(code(&release, &twice).as_deref(), Some("test-results-repeated"));
    }
}

#[test]
fn a_skipped_test_beside_enough_others_passes() {
    let mut release = Release::local();
    results(&mut release, &[("a", ""), ("b", SKIPPED)]);
    accepts(&release);
}
