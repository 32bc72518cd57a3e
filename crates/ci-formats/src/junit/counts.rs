//! What count attributes may say about the cases below them.
//!
//! Tools count differently: nested suites included or not, a nested suite as one test (Node), errors as failures (mocha),
//! `todo` cases left out (jest), a test that passed and then broke in teardown twice (pytest). Each of these is allowed as
//! a named deviation; none of them lets a failing or missing case go unnoticed where the report has no other failure.

use super::{JunitReason, Outcome};

/// Counts of cases.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) cases: u64,
    pub(super) failed: u64,
    pub(super) errored: u64,
    /// Cases with a `failure` and an `error`: counted as errored, some tools count them as failures too.
    pub(super) failed_too: u64,
    /// Errors that stand in a suite itself: a case here, but not in the tool's `tests`.
    pub(super) suite_level: u64,
    /// Skipped by a `skipped` element.
    pub(super) skipped: u64,
    /// Cases with `skipped` and something worse.
    pub(super) skipped_too: u64,
    /// Skipped by `status="notrun"`.
    pub(super) not_run: u64,
    /// Passed with a time of literally `0`: how jest-junit writes a `todo`, which it leaves out of `tests`.
    pub(super) maybe_todo: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.failed += other.failed;
        self.errored += other.errored;
        self.failed_too += other.failed_too;
        self.suite_level += other.suite_level;
        self.skipped += other.skipped;
        self.skipped_too += other.skipped_too;
        self.not_run += other.not_run;
        self.maybe_todo += other.maybe_todo;
    }

    pub(super) const fn bad(&self) -> u64 {
        self.failed + self.errored
    }
}

/// What is known of one finished case beyond its outcome.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CaseSigns {
    pub(super) failure: bool,
    pub(super) error: bool,
    pub(super) skipped: bool,
    pub(super) not_run: bool,
    pub(super) zero_time: bool,
    pub(super) suite_level: bool,
}

impl CaseSigns {
    pub(super) fn tally(self, outcome: Outcome) -> Tally {
        let one = |yes: bool| u64::from(yes);
        Tally {
            cases: 1,
            failed: one(outcome == Outcome::Failed),
            errored: one(outcome == Outcome::Errored),
            failed_too: one(outcome == Outcome::Errored && self.failure),
            suite_level: one(self.suite_level),
            skipped: one(outcome == Outcome::Skipped && self.skipped),
            skipped_too: one(outcome > Outcome::Skipped && self.skipped),
            not_run: one(outcome == Outcome::Skipped && !self.skipped && self.not_run),
            maybe_todo: one(outcome == Outcome::Passed && self.zero_time),
        }
    }
}

/// The count attributes of a `testsuites` or `testsuite`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Declared {
    pub(super) tests: Option<u64>,
    pub(super) failures: Option<u64>,
    pub(super) errors: Option<u64>,
    pub(super) skipped: Option<u64>,
    pub(super) disabled: Option<u64>,
}

/// The cases of a suite, counted in the ways that tools count.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted {
    /// The suite's own cases.
    pub(super) own: Tally,
    /// Its own and those of all suites below.
    pub(super) all: Tally,
    /// Suites directly below.
    pub(super) children: u64,
    /// Of these, suites with a failed or errored case.
    pub(super) failing_children: u64,
}

impl Declared {
    /// Refuses an attribute that no way of counting explains.
    pub(super) fn check(&self, counted: &Counted, element: &str, name: &str) -> Result<(), JunitReason> {
        let views = counted.views(element == "testsuites");
        // One way of counting must explain all attributes at once.
        if views.iter().any(|view| view.explains(self)) {
            return Ok(());
        }
        let all = &counted.all;
        let (attribute, declared, counted) = match *self {
            Self { tests: Some(tests), .. } if !views.iter().any(|view| view.tests(tests)) => {
                ("tests", tests, all.cases)
            }
            Self { failures: Some(failures), .. } if failures != all.failed => ("failures", failures, all.failed),
            Self { errors: Some(errors), .. } if errors != all.errored => ("errors", errors, all.errored),
            Self { skipped: Some(skipped), .. } if skipped != all.skipped => ("skipped", skipped, all.skipped),
            Self { disabled: Some(disabled), .. } => ("disabled", disabled, all.not_run),
            _ => ("tests", self.tests.unwrap_or(0), all.cases),
        };
        Err(JunitReason::InconsistentCounts {
            element: element.to_owned(),
            name: name.to_owned(),
            attribute,
            declared,
            counted,
        })
    }
}

impl Counted {
    /// The ways of counting: with all suites below; without them; each of them as one test (Node). A root sums up everything.
    fn views(&self, root: bool) -> Vec<Tally> {
        if root || self.children == 0 {
            return vec![self.all];
        }
        let mut node = self.own;
        node.cases += self.children;
        node.failed += self.failing_children;
        vec![self.all, self.own, node]
    }
}

impl Tally {
    fn explains(&self, declared: &Declared) -> bool {
        declared.tests.is_none_or(|tests| self.tests(tests))
            && self.failures(declared.failures, declared.errors)
            && self.skipped(declared.skipped, declared.disabled)
    }

    /// pytest counts a test that broke in teardown once or twice, whatever number of elements it writes. The slack is the
    /// number of errored cases, so a report that uses it is not green anyway.
    fn tests(&self, declared: u64) -> bool {
        let low = self.cases.saturating_sub(self.errored + self.maybe_todo);
        (low..=self.cases + self.errored).contains(&declared)
    }

    fn failures(&self, failures: Option<u64>, errors: Option<u64>) -> bool {
        let bad = self.bad();
        let failed = self.failed..=self.failed + self.failed_too;
        let errored = self.errored - self.suite_level..=self.errored;
        match (failures, errors) {
            (None, None) => true,
            (Some(failures), None) => failed.contains(&failures) || failures == bad,
            (None, Some(errors)) => errored.contains(&errors) || errors == bad,
            (Some(failures), Some(errors)) => {
                (failed.contains(&failures) && errored.contains(&errors))
                    || failures.checked_add(errors) == Some(bad)
                    || (failures == bad && errors == bad)
            }
        }
    }

    fn skipped(&self, skipped: Option<u64>, disabled: Option<u64>) -> bool {
        let all = self.skipped + self.not_run;
        let skipped_ok = skipped.is_none_or(|n| (self.skipped..=all + self.skipped_too).contains(&n));
        // quick-junit writes skipped cases into `disabled`; GoogleTest those that did not run.
        let disabled_ok = disabled.is_none_or(|n| n == self.not_run || n == self.skipped || n == all);
        skipped_ok && disabled_ok
    }
}
