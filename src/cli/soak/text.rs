//! The report for people: the verdict first, then what it rests on.

use std::fmt::Write;

use super::report::Report;
use super::screen::time;
use super::state::{Found, State};
use crate::cli::shell;
use crate::cli::table::{counted, name_and_numbers, rounded};

pub(super) fn text(report: &Report) -> String {
    let mut text = verdict(report) + "\n";
    report.unmet.iter().for_each(|unmet| text += &format!("      {unmet}\n"));
    text += &format!("\n{}", lanes(&report.state));
    report.state.findings.iter().for_each(|found| text += &format!("\n{}", told(found)));
    let _ = writeln!(text, "\n  the report with its curves and pictures: {}", report.dir.join("report.html").display());
    if report.state.spent() + super::LEAST < report.state.wanted() {
        let dir = shell(&report.dir.display().to_string());
        let _ = writeln!(text, "  to go on: disklayer soak --dir {dir}{}", report.plant.option());
    }
    text
}

/// One line that says it all.
pub(super) fn verdict(report: &Report) -> String {
    let state = &report.state;
    let found = counted(state.findings.len() as u64, "finding");
    let (word, what) = match report.verdict {
        "pass" => ("PASS", "nothing found".to_owned()),
        "interrupted" => ("STOP", "interrupted, nothing found".to_owned()),
        _ if state.findings.is_empty() => ("FAIL", "too little was exercised".to_owned()),
        _ => ("FAIL", found),
    };
    let starts = if state.starts > 1 { format!(", in {} goes", state.starts) } else { String::new() };
    format!(
        "{word}  {what}: {} executions, {} features in {} of {}{starts}, {}, seed {}",
        rounded(report.executions),
        rounded(report.features),
        time(state.spent()),
        time(state.wanted()),
        counted(state.jobs as u64, "job"),
        state.seed,
    )
}

/// A line for each lane.
pub(super) fn lanes(state: &State) -> String {
    let mut rows = vec![
        ["lane", "executions", "a second", "time", "features", "new % a minute", "divergences"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(state.lanes.iter().map(|lane| {
        let found = lane.report.as_ref().map_or(0, |report| report.total.divergences);
        vec![
            lane.name.clone(),
            lane.executions.to_string(),
            format!("{:.0}", lane.executions as f64 / lane.seconds.max(0.001)),
            format!("{:.0} s", lane.seconds),
            lane.features.to_string(),
            format!("{:.2}", lane.fresh * 6000.0),
            found.to_string(),
        ]
    }));
    name_and_numbers(&rows)
}

/// A finding: what happened, the script, and how to see it again.
fn told(found: &Found) -> String {
    let finding = &found.finding;
    let times = if finding.times <= 1 { String::new() } else { format!(", {} times", finding.times) };
    let mut text = format!(
        "{}: suite {}, script {}{times}, first after {:.0} s\n",
        finding.differs, finding.suite, finding.case, found.at
    );
    for line in finding.story.lines().chain([""]).chain(finding.script.lines()) {
        let _ = writeln!(text, "{}", format!("    {line}").trim_end());
    }
    text + &format!("  {}\n", finding.replay)
}
