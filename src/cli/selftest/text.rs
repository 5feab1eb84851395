//! The report for people: the verdict first, then a line for each fault.

use super::super::gate::Outcome;
use super::super::table::{Align, counted, table};
use super::report::{Report, Row, percentile};
use super::trial::{Found, Trial};

pub(super) fn text(report: &Report) -> String {
    let mut text = verdict(report) + "\n";
    report.unmet.iter().for_each(|unmet| text += &format!("      {unmet}\n"));
    text.push('\n');
    text += &faults(report);
    if report.compared {
        text += &format!("\n{}\n", comparison(report));
    }
    text
}

/// One line that says it all.
fn verdict(report: &Report) -> String {
    let word = match report.verdict {
        Outcome::Pass => "PASS",
        Outcome::Fail => "FAIL",
        Outcome::Interrupted => "STOP",
    };
    let found = report.faults.iter().filter(|row| row.is_found()).count();
    let ([median, most], [lines, most_lines]) = (report.until_found, report.lines);
    let same = match report.faults.iter().flat_map(Row::found).all(|found| found.same) {
        true => "each shows the same as at first",
        false => "not all show the same as at first",
    };
    format!(
        "{word}  {found} of {} found with {}: median {median:.2} s, 95 % within {most:.1} s; \
         shrunk to {lines:.0} lines, 95 % to {most_lines:.0}; {same} ({:.0} s in all)",
        counted(report.faults.len() as u64, "planted fault"),
        counted(report.seeds, "seed"),
        report.seconds
    )
}

fn faults(report: &Report) -> String {
    let mut head = vec!["fault", "found by", "scripts", "worst", "ms", "worst", "lines", "worst", "same"];
    let mut aligns = vec![Align::Left; 2];
    aligns.extend([Align::Right; 6]);
    aligns.push(Align::Left);
    if report.compared {
        head.push("uniform");
        aligns.push(Align::Right);
    }
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    rows.extend(report.faults.iter().map(|row| line(row, report)));
    table(&rows, &aligns)
}

fn line(row: &Row, report: &Report) -> Vec<String> {
    let of = |value: &dyn Fn(&Found) -> f64| row.found().map(value).collect::<Vec<f64>>();
    let both = |values: &[f64]| [percentile(values, 50), percentile(values, 100)];
    let scripts = both(&row.trials.iter().map(|trial| trial.scripts as f64).collect::<Vec<_>>());
    let ms = both(&of(&|found| found.seconds * 1e3));
    let lines = both(&of(&|found| found.lines as f64));
    let mut engines: Vec<&str> = row.found().map(|found| found.by.as_str()).collect();
    engines.sort_unstable();
    engines.dedup();
    let by = if row.is_found() { engines.join(", ") } else { "NOT FOUND".to_owned() };
    let mut cells = vec![row.name.clone(), by];
    cells.extend([scripts, ms, lines].iter().flatten().map(|value| format!("{value:.0}")));
    cells.push(if row.found().all(|found| found.same) { "yes" } else { "NO" }.to_owned());
    if report.compared {
        cells.push(match plainly(row).len() {
            0 => "misses it".to_owned(),
            _ => format!("{:.0}", percentile(&plainly(row), 50)),
        });
    }
    cells
}

/// How many scripts of the plain generator each seed took that found it.
fn plainly(row: &Row) -> Vec<f64> {
    row.trials.iter().filter_map(|trial| trial.uniform).map(|scripts| scripts as f64).collect()
}

/// What swarm and bias buy.
fn comparison(report: &Report) -> String {
    let trials: Vec<&Trial> = report.faults.iter().flat_map(|row| &row.trials).collect();
    let both: Vec<f64> = trials
        .iter()
        .filter(|trial| trial.found.is_some())
        .filter_map(|trial| Some(trial.uniform? as f64 / trial.scripts as f64))
        .collect();
    let missed = report.faults.iter().filter(|row| row.trials.iter().all(|trial| trial.uniform.is_none())).count();
    let now_and_then =
        report.faults.iter().filter(|row| row.trials.iter().any(|trial| trial.uniform.is_none())).count();
    format!(
        "  A plain uniform generator misses {missed} with every seed and {now_and_then} with some, in 1000 scripts or four \
         times as many as were needed here.\n  What both find takes it {:.1} times as many scripts on average, and {:.1} \
         times in the median.",
        both.iter().sum::<f64>() / both.len().max(1) as f64,
        percentile(&both, 50)
    )
}
