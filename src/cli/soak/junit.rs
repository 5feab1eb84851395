//! The report for CI systems: a test suite for each lane, and one for what a soak must have met.

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::lane::Lane;
use super::report::Report;
use super::state::Found;

pub(super) fn text(report: &Report) -> Result<String> {
    let mut junit = Junit::new("disklayer soak");
    junit.set_time(report.state.spent());
    junit.add_test_suites(report.state.lanes.iter().map(|lane| suite(lane, &report.state.findings)));
    junit.add_test_suite(demands(report));
    junit.to_string().map_err(|e| Error::new(ErrorKind::Io, "writing the JUnit file").because(e))
}

/// One test if it passed, and one for each finding if not. A finding is told where it was first met.
fn suite(lane: &Lane, findings: &[Found]) -> TestSuite {
    let mut suite = TestSuite::new(lane.name.as_str());
    suite.add_property(("scripts", lane.executions.to_string().as_str()));
    let found: Vec<_> = findings.iter().filter(|found| found.finding.suite == lane.name).map(failure).collect();
    if found.is_empty() {
        suite.add_test_case(TestCase::new("stack and oracle agree", TestCaseStatus::success()));
    } else {
        suite.add_test_cases(found);
    }
    suite
}

fn failure(found: &Found) -> TestCase {
    let finding = &found.finding;
    let first = finding.story.lines().next().unwrap_or_default();
    let text = format!("{}\n\n{}\n{}", finding.story, finding.script, finding.replay);
    failed(&finding.differs, first, &text)
}

fn failed(name: &str, message: &str, description: &str) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(message).set_description(description);
    TestCase::new(name, status)
}

/// That the soak was whole, and met what it must.
fn demands(report: &Report) -> TestSuite {
    let mut suite = TestSuite::new("exercise");
    let name = "the soak met what it must";
    suite.add_test_case(match report.unmet.is_empty() {
        false => failed(name, "too little was exercised", &report.unmet.join("\n")),
        true if report.verdict == "interrupted" => failed(name, "the soak was interrupted", ""),
        true => TestCase::new(name, TestCaseStatus::success()),
    });
    suite
}
