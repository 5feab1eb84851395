//! What a run has to tell, as a value; the text, JUnit and JSON are three ways to write it.

use std::collections::BTreeMap;
use std::time::Duration;

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::harness::{Explored, Histories, Sight, Swept};
use disklayer_sqlite::script::{LayerKind, OpKind, Suite};
use disklayer_sqlite::strike::Failure;
use serde::Serialize;

use super::super::{Verdict, interrupt};
use super::demands::{self, Share};
use super::findings::Finding;
use super::kills::Kills;
use super::plan::Plan;
use super::tally::{Tallies, Tally};

/// The kinds of layer that stacks are made of.
pub(super) const LAYERS: [LayerKind; 3] = [LayerKind::Sqlite, LayerKind::Ram, LayerKind::File];

/// The report, and the form of the JSON.
#[derive(Serialize)]
pub(super) struct Report {
    /// `pass`, `fail` or `interrupted`.
    pub(super) verdict: Outcome,
    pub(super) seed: u64,
    /// How many threads there were.
    pub(super) jobs: usize,
    pub(super) seconds: f64,
    /// 16 hexadecimal digits; the same for the same seed and number of scripts.
    pub(super) trace: String,
    #[serde(flatten)]
    pub(super) total: Counts,
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
    /// What several threads did at once.
    pub(super) threads: Threads,
    /// What only catches a bug if it really happens, and how often it did.
    pub(super) sights: Vec<Seen>,
    /// What was demanded and not met, each in a sentence.
    pub(super) unmet: Vec<String>,
    /// Each kind of divergence once.
    pub(super) findings: Vec<Finding>,
    /// Processes killed while they worked on a file; `null` unless asked for.
    pub(super) kills: Option<Kills>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Pass,
    Fail,
    Interrupted,
}

#[derive(Serialize)]
pub(super) struct Counts {
    /// The suite; `all` for the total.
    pub(super) name: &'static str,
    pub(super) scripts: u64,
    pub(super) operations: u64,
    pub(super) refusals: u64,
    pub(super) sectors_compared: u64,
    pub(super) divergences: u64,
}

#[derive(Serialize)]
pub(super) struct OpsByLayer {
    pub(super) operation: String,
    #[serde(flatten)]
    pub(super) layers: BTreeMap<String, u64>,
}

#[derive(Serialize)]
pub(super) struct PowerCuts {
    /// Scripts that were cut short at every moment.
    pub(super) scripts: u64,
    /// Different states of the drive that were opened and judged.
    pub(super) states: u64,
    /// Those with three unsynced writes or more.
    pub(super) busy: u64,
    /// Those whose opening was cut short as well.
    pub(super) deep: u64,
    /// How often a layer might have been in so many states; numbers above 63 are powers of two.
    pub(super) permitted: BTreeMap<u64, u64>,
}

impl PowerCuts {
    fn new(explored: &Explored) -> Self {
        let Explored { scripts, states, busy, deep, permitted } = explored;
        Self { scripts: *scripts, states: *states, busy: *busy, deep: *deep, permitted: permitted.counts().collect() }
    }
}

#[derive(Serialize)]
pub(super) struct FailingDrive {
    /// Scripts whose every call was struck.
    pub(super) scripts: u64,
    /// How often each kind of failure struck.
    pub(super) strikes: BTreeMap<&'static str, u64>,
}

impl FailingDrive {
    fn new(swept: &Swept) -> Self {
        let strikes = Failure::ALL.iter().zip(swept.strikes).map(|((name, _), strikes)| (*name, strikes));
        Self { scripts: swept.scripts, strikes: strikes.collect() }
    }
}

#[derive(Serialize)]
pub(super) struct Medians {
    pub(super) stack_depth: u64,
    pub(super) disk_sectors: u64,
    pub(super) request_sectors: u64,
}

#[derive(Serialize)]
pub(super) struct Threads {
    /// Groups of operations that ran at once.
    pub(super) groups: u64,
    /// Those with requests of different threads under way at the same time.
    pub(super) overlapped: u64,
    /// Those with a change that overlapped another request for the same sectors.
    pub(super) raced: u64,
    /// How often another thread went on.
    pub(super) switches: u64,
    /// Orders of changes that were begun in looking for one that explains a history.
    pub(super) orders: u64,
}

#[derive(Serialize)]
pub(super) struct Seen {
    pub(super) what: &'static str,
    pub(super) count: u64,
}

impl Report {
    pub(super) fn new(plan: &Plan, jobs: usize, time: Duration, tallies: &Tallies, findings: Vec<Finding>) -> Self {
        let total = tallies.total();
        let unmet = demands::unmet(&total, tallies, plan);
        let verdict = match () {
            () if total.divergences > 0 || !unmet.is_empty() => Outcome::Fail,
            () if interrupt::requested() => Outcome::Interrupted,
            () => Outcome::Pass,
        };
        let exercise = &total.exercise;
        Self {
            verdict,
            seed: plan.seed,
            jobs,
            seconds: time.as_secs_f64(),
            trace: format!("{:016x}", tallies.trace),
            total: Counts::new("all", &total),
            suites: tallies.suites().map(|(suite, tally)| Counts::new(name(suite), tally)).collect(),
            operations_by_layer: OpKind::ALL.map(|kind| OpsByLayer::new(kind, &total)).into(),
            power_cuts: PowerCuts::new(&tallies.explored),
            failing_drive: FailingDrive::new(&tallies.swept),
            shares: demands::shares(&total),
            medians: Medians {
                stack_depth: exercise.depths.median(),
                disk_sectors: exercise.sizes.median(),
                request_sectors: exercise.lengths.median(),
            },
            threads: Threads::new(total.histories),
            sights: Sight::ALL.iter().map(|&s| Seen { what: s.text(), count: exercise.seen(s) }).collect(),
            unmet,
            findings,
            kills: None,
        }
    }

    pub(super) fn with_kills(mut self, kills: Option<Kills>) -> Self {
        self.unmet.extend(kills.iter().flat_map(Kills::unmet));
        match &kills {
            Some(kills) if !kills.findings.is_empty() || !self.unmet.is_empty() => self.verdict = Outcome::Fail,
            Some(_) if self.verdict == Outcome::Pass && interrupt::requested() => self.verdict = Outcome::Interrupted,
            _ => {}
        }
        self.kills = kills;
        self
    }

    pub(super) fn json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self);
        text.map(|text| text + "\n").map_err(|e| Error::new(ErrorKind::Io, "writing the report as JSON").because(e))
    }
}

impl Threads {
    fn new(histories: Histories) -> Self {
        let Histories { groups, overlapped, raced, switches, orders, .. } = histories;
        Self { groups, overlapped, raced, switches, orders }
    }
}

impl Counts {
    fn new(name: &'static str, tally: &Tally) -> Self {
        Self {
            name,
            scripts: tally.scripts,
            operations: tally.exercise.executed(),
            refusals: tally.exercise.refused,
            sectors_compared: tally.sectors,
            divergences: tally.divergences,
        }
    }
}

impl OpsByLayer {
    fn new(kind: OpKind, total: &Tally) -> Self {
        let counts = total.exercise.ops[kind as usize];
        let layers = LAYERS.map(|layer| (layer.to_string(), counts[layer as usize])).into();
        Self { operation: format!("{kind:?}").to_lowercase(), layers }
    }
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
pub(super) fn name(suite: Suite) -> &'static str {
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
