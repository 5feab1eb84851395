//! What the selftest has to tell, as a value.

use std::time::Duration;

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::fault::Fault;
use serde::Serialize;

use super::super::gate::Outcome;
use super::super::interrupt;
use super::trial::{Found, Trial};
use super::{Generator, Selftest};

/// What a good harness does, over all faults and seeds.
const MEDIAN_SECONDS: f64 = 1.0;
const MOST_SECONDS: f64 = 60.0;
const MEDIAN_LINES: f64 = 4.0;
const MOST_LINES: f64 = 8.0;

/// The report, and the form of the JSON.
#[derive(Serialize)]
pub(super) struct Report {
    /// `pass`, `fail` or `interrupted`.
    pub(super) verdict: Outcome,
    pub(super) seeds: u64,
    pub(super) seconds: f64,
    /// Until a fault was found, in seconds: median and 95th percentile over faults and seeds.
    pub(super) until_found: [f64; 2],
    /// Lines of the shrunk script: median and 95th percentile over faults and seeds.
    pub(super) lines: [f64; 2],
    /// What was demanded and not met, each in a sentence.
    pub(super) unmet: Vec<String>,
    /// Whether the plain generator was asked.
    pub(super) compared: bool,
    pub(super) faults: Vec<Row>,
}

/// A fault, and what came of it with each seed.
#[derive(Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) mistake: &'static str,
    /// The part of the harness that is to find it.
    pub(super) suite: String,
    pub(super) trials: Vec<Trial>,
}

impl Row {
    pub(super) fn found(&self) -> impl Iterator<Item = &Found> {
        self.trials.iter().filter_map(|trial| trial.found.as_ref())
    }

    pub(super) fn is_found(&self) -> bool {
        self.trials.iter().all(|trial| trial.found.is_some())
    }
}

impl Report {
    pub(super) fn new(faults: &[Fault], trials: &[(Fault, Trial)], selftest: &Selftest, time: Duration) -> Self {
        let row = |fault: &Fault| {
            let of_it = trials.iter().filter(|(of, _)| of == fault).map(|(_, trial)| trial.clone());
            let mut trials: Vec<_> = of_it.collect();
            trials.sort_by_key(|trial| trial.seed);
            let suite = format!("{:?}", fault.suite());
            Row { name: format!("{fault:?}"), mistake: fault.mistake(), suite, trials }
        };
        let rows: Vec<Row> = faults.iter().map(row).filter(|row| !row.trials.is_empty()).collect();
        let both = |of: &dyn Fn(&Found) -> f64| {
            let values: Vec<f64> = rows.iter().flat_map(Row::found).map(of).collect();
            [percentile(&values, 50), percentile(&values, 95)]
        };
        let (until_found, lines) = (both(&|found| found.seconds), both(&|found| found.lines as f64));
        let unmet = unmet(&rows, until_found, lines);
        let verdict = match () {
            () if !unmet.is_empty() => Outcome::Fail,
            () if interrupt::requested() => Outcome::Interrupted,
            () => Outcome::Pass,
        };
        let compared = selftest.compare == Some(Generator::Uniform);
        let (seeds, seconds) = (selftest.seeds, time.as_secs_f64());
        Self { verdict, seeds, seconds, until_found, lines, unmet, compared, faults: rows }
    }

    pub(super) fn json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self);
        text.map(|text| text + "\n").map_err(|e| Error::new(ErrorKind::Io, "writing the report as JSON").because(e))
    }
}

fn unmet(rows: &[Row], until_found: [f64; 2], lines: [f64; 2]) -> Vec<String> {
    let mut unmet = Vec::new();
    for row in rows {
        let missed: Vec<_> = row.trials.iter().filter(|trial| trial.found.is_none()).collect();
        if let Some(trial) = missed.first() {
            unmet.push(format!("{} was not found in {} scripts: {}", row.name, trial.scripts, row.mistake));
        }
        for found in row.found().filter(|found| !found.same).take(1) {
            unmet.push(format!("{}: what it was shrunk to does not show the same: {}", row.name, found.script));
        }
    }
    let goals = [
        (until_found[0], MEDIAN_SECONDS, "the median of the seconds until a fault is found"),
        (until_found[1], MOST_SECONDS, "the 95th percentile of the seconds until a fault is found"),
        (lines[0], MEDIAN_LINES, "the median of the lines of a shrunk script"),
        (lines[1], MOST_LINES, "the 95th percentile of the lines of a shrunk script"),
    ];
    let beyond = goals.iter().filter(|(value, most, _)| value > most);
    unmet.extend(beyond.map(|(value, most, what)| format!("{what} is {value:.1}, and may be {most}")));
    unmet
}

/// The smallest value that so many percent do not exceed.
pub(super) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let nth = (values.len() * percent).div_ceil(100).max(1) - 1;
    values.get(nth).copied().unwrap_or(0.0)
}
