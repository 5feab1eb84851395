//! The report as one page: the verdict, the curves, the lanes, and each finding with its picture.

use std::process::Command;
use std::time::Duration;

use super::child::{End, watch};
use super::curves::curve;
use super::report::Report;
use super::state::Found;
use super::text;
use crate::cli::picture::{escaped, page as around};

/// So long the drawing of a script may take.
const DRAWING: Duration = Duration::from_secs(20);

pub(super) fn page(report: &Report) -> String {
    let verdict = text::verdict(report);
    let (word, rest) = verdict.split_once("  ").unwrap_or((&verdict, ""));
    let class = if report.verdict == "pass" { "pass" } else { "fail" };
    let mut body = format!("<h1><span class=\"verdict {class}\">{word}</span> {}</h1>\n", escaped(rest));
    if !report.unmet.is_empty() {
        body += "<ul class=\"notes\">";
        report.unmet.iter().for_each(|unmet| body += &format!("<li>{}</li>", escaped(unmet)));
        body += "</ul>\n";
    }
    let points = &report.state.curve;
    body += "<div class=\"curves\">\n";
    body += &curve("features: what scripts have met together", points, |point| point.features);
    body += &curve("executions", points, |point| point.executions);
    body += &curve("kinds of divergence found", points, |point| point.findings);
    body += "</div>\n<h2>Lanes</h2>\n";
    body += &lanes(report);
    body += &index(report);
    report.state.findings.iter().enumerate().for_each(|(nth, found)| body += &finding(report, nth, found));
    around("disklayer soak", &body)
}

fn lanes(report: &Report) -> String {
    let mut html = "<table><tr><th>lane</th><th>executions</th><th>a second</th><th>seconds</th><th>features</th>\
                    <th>new % a minute</th><th>divergences</th></tr>\n"
        .to_owned();
    for lane in &report.state.lanes {
        let found = lane.report.as_ref().map_or(0, |report| report.total.divergences);
        html += &format!(
            "<tr><td>{}</td><td>{}</td><td>{:.0}</td><td>{:.0}</td><td>{}</td><td>{:.2}</td><td>{found}</td></tr>\n",
            escaped(&lane.name),
            lane.executions,
            lane.executions as f64 / lane.seconds.max(0.001),
            lane.seconds,
            lane.features,
            lane.fresh * 6000.0,
        );
    }
    html + "</table>\n"
}

/// All findings, in a few words each.
fn index(report: &Report) -> String {
    if report.state.findings.is_empty() {
        return String::new();
    }
    let mut html = "<h2>Findings</h2>\n<table><tr><th>what differs</th><th>suite</th><th>times</th><th>lines</th>\
                    <th>first after</th></tr>\n"
        .to_owned();
    for (nth, Found { at, finding }) in report.state.findings.iter().enumerate() {
        html += &format!(
            "<tr><td><a href=\"#finding-{nth}\">{}</a></td><td>{}</td><td>{}</td><td>{}</td><td>{at:.0} s</td></tr>\n",
            escaped(&finding.differs),
            escaped(&finding.suite),
            finding.times.max(1),
            finding.script.lines().count(),
        );
    }
    html + "</table>\n"
}

fn finding(report: &Report, nth: usize, found: &Found) -> String {
    let finding = &found.finding;
    let mut html = format!("<h2 id=\"finding-{nth}\">{}</h2>\n", escaped(&finding.differs));
    html += &format!(
        "<p class=\"soft\">suite {}, script {}, met {} times, first after {:.0} s</p>\n<pre>{}</pre>\n<pre>{}</pre>\n\
         <p><code>{}</code></p>\n",
        escaped(&finding.suite),
        finding.case,
        finding.times.max(1),
        found.at,
        escaped(&finding.story),
        escaped(&finding.script),
        escaped(&finding.replay),
    );
    html + &picture(report, found)
}

/// Drawn in a process of its own: what is drawn may be a script that ends it.
fn picture(report: &Report, found: &Found) -> String {
    let Some(file) = &found.finding.file else { return String::new() };
    let Ok(program) = std::env::current_exe() else { return String::new() };
    let mut command = Command::new(program);
    command.arg("draw").arg(file).args(report.plant.option().split_whitespace());
    match watch(command, &|| 0, DRAWING) {
        Ok(drawn) if matches!(drawn.end, End::Code) => drawn.out,
        _ => "<p class=\"soft\">There is no picture: the script ends the process that draws it.</p>\n".to_owned(),
    }
}
