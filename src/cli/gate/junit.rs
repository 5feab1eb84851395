//! The report for CI systems: a test suite for each suite, and one for what a run must have met.

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::findings::Finding;
use super::kills::Kills;
use super::report::{Counts, Outcome, Report};

pub(super) fn text(report: &Report) -> Result<String> {
    let mut junit = Junit::new("disklayer gate");
    junit.set_time(std::time::Duration::from_secs_f64(report.seconds));
    junit.add_test_suites(report.suites.iter().map(|counts| suite(counts, &report.findings)));
    junit.add_test_suite(demands(report));
    junit.add_test_suites(report.kills.iter().map(killed));
    junit.to_string().map_err(|e| Error::new(ErrorKind::Io, "writing the JUnit file").because(e))
}

/// One test if it passed, and one for each kind of divergence if not.
fn suite(counts: &Counts, findings: &[Finding]) -> TestSuite {
    let mut suite = TestSuite::new(counts.name.as_str());
    let name = "stack and oracle agree".to_owned();
    suite.add_property(("scripts", counts.scripts.to_string().as_str()));
    suite.add_property(("operations", counts.operations.to_string().as_str()));
    let found: Vec<_> = findings.iter().filter(|finding| finding.suite == counts.name).map(failure).collect();
    match (found.is_empty(), counts.divergences) {
        (true, 0) => suite.add_test_case(TestCase::new(name, TestCaseStatus::success())),
        (true, times) => {
            let what = format!("{times} divergences of kinds that were first met in another suite");
            suite.add_test_case(failed(name, &what, ""))
        }
        (false, _) => suite.add_test_cases(found),
    };
    suite
}

fn failure(finding: &Finding) -> TestCase {
    let Finding { name, story, script, replay, .. } = finding;
    let first = story.lines().next().unwrap_or_default();
    failed(name.clone(), first, &format!("{story}\n\n{script}\n{replay}"))
}

fn failed(name: String, message: &str, description: &str) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(message).set_description(description);
    TestCase::new(name, status)
}

/// That what killed processes left is what they may leave.
fn killed(kills: &Kills) -> TestSuite {
    let mut suite = TestSuite::new("kills");
    suite.add_property(("kills", kills.kills.to_string().as_str()));
    let name = "what a killed process leaves is a prefix";
    suite.add_test_case(match kills.findings.first() {
        None => TestCase::new(name, TestCaseStatus::success()),
        Some(first) => failed(name.to_owned(), first.lines().next().unwrap_or_default(), &kills.findings.join("\n")),
    });
    suite
}

/// That a run was whole, and met what it must.
fn demands(report: &Report) -> TestSuite {
    let mut suite = TestSuite::new("exercise");
    let name = "the run met what it must";
    suite.add_test_case(match (report.unmet.is_empty(), report.verdict) {
        (false, _) => failed(name.to_owned(), "too little was exercised", &report.unmet.join("\n")),
        (true, Outcome::Interrupted) => failed(name.to_owned(), "the run was interrupted", ""),
        (true, _) => TestCase::new(name, TestCaseStatus::success()),
    });
    suite
}
