//! All that a soak is, in a form that can be written down and gone on with.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fuzz::Fuzzers;
use super::lane::{Came, Lane};
use crate::cli::gate::{self, Finding};

/// More points than this say no more.
const MOST_POINTS: usize = 2000;

#[derive(Serialize, Deserialize)]
pub(super) struct State {
    /// Of this form.
    pub(super) version: u32,
    pub(super) seed: u64,
    pub(super) wanted_seconds: f64,
    pub(super) spent_seconds: f64,
    /// How often it was begun.
    pub(super) starts: u64,
    pub(super) jobs: usize,
    /// Where its processes have their layers, while it runs.
    pub(super) workplace: Option<PathBuf>,
    pub(super) lanes: Vec<Lane>,
    pub(super) findings: Vec<Found>,
    pub(super) curve: Vec<Point>,
}

/// A finding, and when it was made.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Found {
    /// Seconds of the soak.
    pub(super) at: f64,
    #[serde(flatten)]
    pub(super) finding: Finding,
}

/// How far it was at a moment.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Point {
    /// Seconds of the soak.
    pub(super) at: f64,
    pub(super) executions: u64,
    pub(super) features: u64,
    pub(super) findings: u64,
}

impl State {
    pub(super) const VERSION: u32 = 1;

    /// A soak at its beginning. With more jobs than lanes there is one more lane of each suite, far from the first.
    pub(super) fn new(seed: u64, time: Duration, jobs: usize) -> Self {
        let suites = disklayer_sqlite::script::Suite::ALL.map(gate::name);
        let rounds = jobs.div_ceil(suites.len()) as u64;
        let lane = |suite: &str, round: u64| {
            let lane = Lane::suite(suite, round << 48);
            if round == 0 { lane } else { Lane { name: format!("{suite} {}", round + 1), ..lane } }
        };
        Self {
            version: Self::VERSION,
            seed,
            wanted_seconds: time.as_secs_f64(),
            spent_seconds: 0.0,
            starts: 0,
            jobs,
            workplace: None,
            lanes: (0..rounds).flat_map(|round| suites.map(|suite| lane(suite, round))).collect(),
            findings: Vec::new(),
            curve: Vec::new(),
        }
    }

    pub(super) fn wanted(&self) -> Duration {
        Duration::try_from_secs_f64(self.wanted_seconds).unwrap_or_default()
    }

    pub(super) fn spent(&self) -> Duration {
        Duration::try_from_secs_f64(self.spent_seconds).unwrap_or_default()
    }

    pub(super) fn executions(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.executions).sum()
    }

    /// What all lanes have met, each feature once.
    pub(super) fn features(&self) -> u64 {
        let reports = self.lanes.iter().filter_map(|lane| lane.report.as_ref());
        let sum = reports.map(|report| report.coverage.clone()).reduce(|mut sum, coverage| {
            sum.add(&coverage);
            sum
        });
        let fuzzed: u64 = self.lanes.iter().filter(|lane| lane.fuzz.is_some()).map(|lane| lane.features).sum();
        sum.map_or(0, |coverage| coverage.features()) + fuzzed
    }

    /// Has the lanes of these fuzz targets, and of no others.
    pub(super) fn fit(&mut self, fuzzers: &Fuzzers) {
        let there: Vec<Lane> = fuzzers.lanes().collect();
        self.lanes.retain(|lane| lane.fuzz.is_none() || there.iter().any(|other| other.name == lane.name));
        let new = there.into_iter().filter(|lane| self.lanes.iter().all(|other| other.name != lane.name));
        let new: Vec<Lane> = new.collect();
        self.lanes.extend(new);
    }

    /// Takes over findings that are there, and that nobody has written down elsewhere.
    pub(super) fn remember(&mut self, findings: Vec<Finding>) {
        let at = self.spent_seconds;
        findings.into_iter().for_each(|finding| self.find(Finding { times: 0, ..finding }, at));
    }

    /// Takes over what came of a slice.
    pub(super) fn absorb(&mut self, index: usize, came: Came, spent: Duration) {
        self.spent_seconds = spent.as_secs_f64();
        match came {
            Came::Nothing => {}
            Came::Report(mut report) => {
                let findings = std::mem::take(&mut report.findings);
                self.lanes[index].add(*report);
                findings.into_iter().for_each(|finding| self.find(finding, spent.as_secs_f64()));
            }
            Came::Fuzzed(fuzzed, finding) => {
                self.lanes[index].add_fuzzed(&fuzzed);
                finding.into_iter().for_each(|finding| self.find(*finding, spent.as_secs_f64()));
            }
            Came::Died(case, executions, finding) => {
                self.lanes[index].next = case + 1;
                self.lanes[index].executions += executions;
                self.find(*finding, spent.as_secs_f64());
            }
        }
        self.note();
    }

    /// Each kind once.
    fn find(&mut self, finding: Finding, at: f64) {
        match self.findings.iter_mut().find(|known| known.finding.differs == finding.differs) {
            Some(known) => known.finding.times += finding.times,
            None => self.findings.push(Found { at, finding }),
        }
    }

    fn note(&mut self) {
        let findings = self.findings.len() as u64;
        let point =
            Point { at: self.spent_seconds, executions: self.executions(), features: self.features(), findings };
        self.curve.push(point);
        if self.curve.len() > MOST_POINTS {
            let mut nth = 0;
            self.curve.retain(|_| {
                nth += 1;
                nth % 2 == 0
            });
        }
    }
}
