//! What a soak has to tell, as a value; the text, JUnit, JSON and the page are four ways to write it.

use std::path::{Path, PathBuf};

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use serde::Serialize;

use super::state::State;
use crate::cli::plant::Plant;
use crate::cli::{Verdict, interrupt};

/// The report; its fields are only added to.
#[derive(Serialize)]
pub(super) struct Report {
    /// `pass`, `fail` or `interrupted`.
    pub(super) verdict: &'static str,
    /// What was demanded and not met, each in a sentence.
    pub(super) unmet: Vec<String>,
    pub(super) executions: u64,
    pub(super) features: u64,
    #[serde(flatten)]
    pub(super) state: State,
    #[serde(skip)]
    pub(super) dir: PathBuf,
    #[serde(skip)]
    pub(super) plant: Plant,
}

impl Report {
    pub(super) fn new(state: State, dir: &Path, plant: Plant) -> Self {
        let unmet = unmet(&state);
        let verdict = match () {
            () if !state.findings.is_empty() || !unmet.is_empty() => "fail",
            () if interrupt::requested() => "interrupted",
            () => "pass",
        };
        let (executions, features) = (state.executions(), state.features());
        Self { verdict, unmet, executions, features, state, dir: dir.to_owned(), plant }
    }

    pub(super) fn verdict(&self) -> Verdict {
        match self.verdict {
            "pass" => Verdict::Pass,
            "interrupted" => Verdict::Interrupted,
            _ => Verdict::Fail,
        }
    }

    pub(super) fn json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self);
        text.map(|text| text + "\n").map_err(|e| Error::new(ErrorKind::Io, "writing the report as JSON").because(e))
    }
}

/// A soak that was whole has run every lane, and has met all that there is to be met.
fn unmet(state: &State) -> Vec<String> {
    if state.spent() + super::LEAST < state.wanted() {
        return Vec::new();
    }
    let idle = state.lanes.iter().filter(|lane| lane.executions == 0);
    let mut unmet: Vec<String> = idle.map(|lane| format!("never run: {}", lane.name)).collect();
    let reports = state.lanes.iter().filter_map(|lane| lane.report.clone());
    let sum = reports.reduce(|mut sum, report| {
        sum.add(report);
        sum
    });
    unmet.extend(sum.iter().flat_map(|sum| sum.never_met()));
    unmet
}
