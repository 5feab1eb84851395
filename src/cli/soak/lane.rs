//! A lane: one suite, whose scripts follow one another through the night, or one fuzz target.

use std::process::Command;
use std::time::Duration;

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::Board;
use super::child::{End, Watched, watch};
use crate::cli::gate::{self, Finding, Seen};

/// A lane, and what it has done so far.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Lane {
    /// What it is called.
    pub(super) name: String,
    /// The suite; none if it is a fuzz target.
    pub(super) suite: String,
    /// The fuzz target, if it is one.
    pub(super) fuzz: Option<String>,
    /// The number of the next script.
    pub(super) next: u64,
    /// How often it was on.
    pub(super) slices: u64,
    pub(super) executions: u64,
    pub(super) seconds: f64,
    pub(super) features: u64,
    /// Edges of the code, which only a fuzzer knows.
    pub(super) coverage: u64,
    /// New features a second, in parts of those that were known, lately.
    pub(super) fresh: f64,
    /// Seconds that it should have had and has not.
    pub(super) credit: f64,
    /// What it counted; nothing before its first slice.
    pub(super) report: Option<gate::Report>,
}

/// What came of a slice.
pub(super) enum Came {
    Report(Box<gate::Report>),
    /// The process died in this script, after so many, and this is what that is.
    Died(u64, u64, Box<Finding>),
    /// A fuzzer ran, and may have left something.
    Fuzzed(Fuzzed, Option<Box<Finding>>),
    /// It died before it said anything.
    Nothing,
}

/// What a fuzzer says of a run.
pub(super) struct Fuzzed {
    pub(super) executions: u64,
    pub(super) coverage: u64,
    pub(super) features: u64,
    pub(super) seconds: f64,
}

impl Lane {
    pub(super) fn suite(suite: &str, first: u64) -> Self {
        Self {
            name: suite.to_owned(),
            suite: suite.to_owned(),
            fuzz: None,
            next: first,
            slices: 0,
            executions: 0,
            seconds: 0.0,
            features: 0,
            coverage: 0,
            fresh: 0.0,
            credit: 0.0,
            report: None,
        }
    }

    pub(super) fn fuzz(target: &str) -> Self {
        Self { name: format!("fuzz {target}"), fuzz: Some(target.to_owned()), ..Self::suite("", 0) }
    }

    /// Runs scripts for `time`.
    pub(super) fn run(&self, board: &Board<'_>, job: usize, seed: u64, time: Duration) -> Result<Came> {
        if let Some(target) = &self.fuzz {
            return board.fuzz(target, job, time);
        }
        let mark = board.work.join(format!("{job}.mark"));
        let _ = std::fs::remove_file(&mark);
        let mut command = Command::new(&board.program);
        command.args(["slice", "--seed", &seed.to_string(), "--from", &self.next.to_string()]);
        command.args(["--suite", &self.suite.replace(' ', "-"), "--time", &format!("{}ms", time.as_millis())]);
        command.arg("--mark").arg(&mark).arg("--findings").arg(board.dir.path("findings"));
        command.arg("--dir").arg(&board.work).args(board.plant.option().split_whitespace());
        let watched = watch(command, &|| Seen::read(&mark).map_or(0, |seen| seen.beats), board.hang)?;
        let Watched { end: End::Died(death, how), .. } = watched else { return reported(&watched) };
        let Some(Seen { case, .. }) = Seen::read(&mark) else { return Ok(Came::Nothing) };
        let finding = board.died(self, job, seed, case, (death, how))?;
        Ok(Came::Died(case, case - self.next + 1, Box::new(finding)))
    }

    /// Takes over what a slice has counted.
    pub(super) fn add(&mut self, report: gate::Report) {
        self.next += report.total.scripts;
        self.executions += report.total.scripts;
        let seconds = report.seconds.max(0.001);
        match &mut self.report {
            Some(sum) => sum.add(report),
            None => self.report = Some(report),
        }
        self.know(self.report.as_ref().map_or(0, |report| report.coverage.features()), seconds);
    }

    /// Takes over what a fuzzer says.
    pub(super) fn add_fuzzed(&mut self, fuzzed: &Fuzzed) {
        self.executions += fuzzed.executions;
        self.coverage = self.coverage.max(fuzzed.coverage);
        self.know(fuzzed.features.max(self.features), fuzzed.seconds.max(0.001));
    }

    /// Has so many features, after so many seconds more.
    fn know(&mut self, features: u64, seconds: f64) {
        let new = features.saturating_sub(self.features) as f64 / features.max(1) as f64 / seconds;
        self.fresh = (self.fresh + new) / 2.0;
        self.features = features;
    }

    /// A slice that took `time` is over; `slice` of it had been paid for.
    pub(super) fn paid(&mut self, time: Duration, slice: Duration) {
        self.slices += 1;
        self.credit -= time.as_secs_f64() - slice.as_secs_f64();
        self.seconds += time.as_secs_f64();
    }
}

fn reported(watched: &Watched) -> Result<Came> {
    match serde_json::from_str(&watched.out) {
        Ok(report) => Ok(Came::Report(Box::new(report))),
        Err(_) if watched.out.is_empty() && crate::cli::interrupt::requested() => Ok(Came::Nothing),
        Err(error) => {
            let what = format!("a slice did not report: {}", watched.err.trim());
            Err(Error::new(ErrorKind::Failed, what).because(error))
        }
    }
}
