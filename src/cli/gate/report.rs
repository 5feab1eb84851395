//! What a run has to tell, as a value; the text, JUnit and JSON are three ways to write it.

use std::time::Duration;

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::harness::{Coverage, Sight};
use disklayer_sqlite::script::{LayerKind, OpKind, Suite};
use serde::{Deserialize, Serialize};

use super::super::Verdict;
use super::demands::{self, Share};
use super::findings::Finding;
use super::kills::Kills;
use super::plan::{Plan, Shard};
use super::tally::{Repeats, Tallies};

mod add;
mod counts;

pub(in super::super) use counts::Counts;
pub(super) use counts::{FailingDrive, Medians, OpsByLayer, PowerCuts, Seen, Spreads, Threads};

/// The kinds of layer that stacks are made of.
pub(super) const LAYERS: [LayerKind; 3] = [LayerKind::Sqlite, LayerKind::Ram, LayerKind::File];

/// The report, and the form of the JSON.
#[derive(Clone, Serialize, Deserialize)]
pub(in super::super) struct Report {
    /// `pass`, `fail` or `interrupted`.
    pub(super) verdict: Outcome,
    pub(super) seed: u64,
    /// Which part of the scripts it had; `null` for all of them.
    pub(super) shard: Option<Shard>,
    /// The suites that were asked for; none for all of them.
    pub(super) only: Vec<String>,
    /// Sectors of the image under the stacks, if there was one.
    pub(super) base_sectors: Option<u64>,
    /// How many scripts the run has, those of all shards together; `null` if it ended with the time.
    #[serde(default)]
    pub(super) scripts_of_all: Option<u64>,
    /// So many states were asked for, for each script of power cuts.
    #[serde(default)]
    pub(super) states: u64,
    /// Whether it came to its end.
    pub(super) end: End,
    /// How many threads there were.
    pub(super) jobs: usize,
    pub(in super::super) seconds: f64,
    /// 16 hexadecimal digits; the same for the same seed and number of scripts.
    pub(super) trace: String,
    #[serde(flatten)]
    pub(in super::super) total: Counts,
    /// Each suite by itself.
    pub(super) suites: Vec<Counts>,
    /// Operations by kind and by the kind of layer that they met first.
    pub(super) operations_by_layer: Vec<OpsByLayer>,
    /// States of the drive after power cuts.
    pub(super) power_cuts: PowerCuts,
    pub(super) failing_drive: FailingDrive,
    /// Parts of all scripts that are demanded.
    pub(super) shares: Vec<Share>,
    pub(super) medians: Medians,
    /// What the medians are of.
    pub(super) spreads: Spreads,
    /// What several threads did at once.
    pub(super) threads: Threads,
    /// What only catches a bug if it really happens, and how often it did.
    pub(super) sights: Vec<Seen>,
    /// What scripts have met together, and how much that is.
    pub(in super::super) coverage: Coverage,
    pub(in super::super) features: u64,
    /// What was demanded and not met, each in a sentence.
    pub(super) unmet: Vec<String>,
    /// Each kind of divergence once.
    pub(in super::super) findings: Vec<Finding>,
    /// Scripts that were run twice; none unless asked for.
    #[serde(default)]
    pub(super) repeats: Repeats,
    /// Processes killed while they worked on a file; `null` unless asked for.
    pub(super) kills: Option<Kills>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Outcome {
    Pass,
    Fail,
    Interrupted,
}

impl Report {
    pub(super) fn new(
        plan: &Plan,
        jobs: usize,
        time: Duration,
        tallies: &Tallies,
        found: (Vec<Finding>, Option<Kills>),
        end: End,
    ) -> Self {
        let (findings, kills) = found;
        let total = tallies.total();
        let mut report = Self {
            verdict: Outcome::Pass,
            seed: plan.seed,
            shard: plan.shard,
            only: plan.only().map(|suite| name(suite).to_owned()).collect(),
            base_sectors: plan.base,
            scripts_of_all: plan.scripts(),
            states: plan.states,
            end,
            jobs,
            seconds: time.as_secs_f64(),
            trace: format!("{:016x}", tallies.trace),
            total: Counts::new("all", &total),
            suites: tallies.suites().map(|(suite, tally)| Counts::new(name(suite), tally)).collect(),
            operations_by_layer: OpKind::ALL.map(|kind| OpsByLayer::new(kind, &total)).into(),
            power_cuts: PowerCuts::new(&tallies.explored),
            failing_drive: FailingDrive::new(&tallies.swept),
            shares: Vec::new(),
            medians: Medians::default(),
            spreads: Spreads::new(&total.exercise),
            threads: Threads::new(total.histories),
            sights: Sight::ALL
                .iter()
                .map(|&s| Seen { what: s.text().to_owned(), count: total.exercise.seen(s) })
                .collect(),
            coverage: tallies.coverage.clone(),
            features: 0,
            unmet: Vec::new(),
            findings,
            repeats: tallies.repeats.clone(),
            kills,
        };
        report.judge();
        report
    }

    /// Whether it has every suite, so that it can be asked what it has met.
    pub(super) fn is_whole(&self) -> bool {
        self.only.is_empty()
    }

    /// How often something was met.
    pub(super) fn seen(&self, sight: Sight) -> u64 {
        self.sights.iter().find(|seen| seen.what == sight.text()).map_or(0, |seen| seen.count)
    }

    /// Says what follows from the counts.
    pub(super) fn judge(&mut self) {
        self.shares = demands::shares(self);
        self.medians = self.spreads.medians();
        self.features = self.coverage.features();
        self.unmet = demands::unmet(self);
        self.unmet.extend(self.kills.iter().flat_map(Kills::unmet));
        if self.total.scripts == 0 && self.end == End::Whole {
            self.unmet.push("no script was run".to_owned());
        }
        let killed = self.kills.as_ref().is_some_and(|kills| !kills.findings.is_empty());
        let repeated = self.repeats.unequal.is_empty();
        self.verdict = match self.end {
            _ if self.total.divergences > 0 || killed || !repeated || !self.unmet.is_empty() => Outcome::Fail,
            End::Interrupted => Outcome::Interrupted,
            End::Whole | End::Enough => Outcome::Pass,
        };
    }

    /// What was never met, if there were scripts enough to meet everything.
    pub(in super::super) fn never_met(&self) -> Vec<String> {
        match self.total.scripts - self.total.divergences >= demands::SIGHTS_FROM {
            true => demands::never_met(self),
            false => Vec::new(),
        }
    }

    /// Adds what else was demanded and not met.
    pub(super) fn lack(&mut self, unmet: Vec<String>) {
        self.verdict = if unmet.is_empty() { self.verdict } else { Outcome::Fail };
        self.unmet.extend(unmet);
    }

    pub(super) fn json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self);
        text.map(|text| text + "\n").map_err(|e| Error::new(ErrorKind::Io, "writing the report as JSON").because(e))
    }
}

/// Whether a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum End {
    Whole,
    Interrupted,
    /// It had found enough.
    Enough,
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Pass => Self::Pass,
            Outcome::Fail => Self::Fail,
            Outcome::Interrupted => Self::Interrupted,
        }
    }
}

/// What a suite is called.
pub(in crate::cli) fn name(suite: Suite) -> &'static str {
    match suite {
        Suite::Layers => "layers",
        Suite::Stacks => "stacks",
        Suite::Caches => "caches",
        Suite::Reopen => "reopen",
        Suite::Reshape => "reshape",
        Suite::Huge => "huge",
        Suite::PowerCuts => "power cuts",
        Suite::FailingDrive => "failing drive",
        Suite::Threads => "threads",
    }
}
