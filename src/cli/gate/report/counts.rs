//! The parts of a report, each of which can be summed.

use std::collections::BTreeMap;

use disklayer_sqlite::harness::{Exercise, Explored, Histogram, Histories, Swept};
use disklayer_sqlite::script::OpKind;
use disklayer_sqlite::strike::Failure;
use serde::{Deserialize, Serialize};

use super::super::tally::Tally;
use super::LAYERS;

#[derive(Clone, Serialize, Deserialize)]
pub(in super::super::super) struct Counts {
    /// The suite; `all` for the total.
    pub(in super::super::super) name: String,
    pub(in super::super::super) scripts: u64,
    pub(in super::super::super) operations: u64,
    pub(in super::super::super) refusals: u64,
    pub(in super::super::super) sectors_compared: u64,
    pub(in super::super::super) divergences: u64,
}

#[derive(Clone, Serialize, Deserialize)]
pub(in super::super) struct OpsByLayer {
    pub(in super::super) operation: String,
    #[serde(flatten)]
    pub(in super::super) layers: BTreeMap<String, u64>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(in super::super) struct PowerCuts {
    /// Scripts that were cut short at every moment.
    pub(in super::super) scripts: u64,
    /// Different states of the drive that were opened and judged.
    pub(in super::super) states: u64,
    /// Those with three unsynced writes or more.
    pub(in super::super) busy: u64,
    /// Those whose opening was cut short as well.
    pub(in super::super) deep: u64,
    /// How often a layer might have been in so many states; numbers above 63 are powers of two.
    pub(in super::super) permitted: BTreeMap<u64, u64>,
}

impl PowerCuts {
    pub(super) fn new(explored: &Explored) -> Self {
        let Explored { scripts, states, busy, deep, permitted } = explored;
        Self { scripts: *scripts, states: *states, busy: *busy, deep: *deep, permitted: permitted.counts().collect() }
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub(in super::super) struct FailingDrive {
    /// Scripts whose every call was struck.
    pub(in super::super) scripts: u64,
    /// How often each kind of failure struck.
    pub(in super::super) strikes: BTreeMap<String, u64>,
}

impl FailingDrive {
    pub(super) fn new(swept: &Swept) -> Self {
        let strikes = Failure::ALL.iter().zip(swept.strikes).map(|((name, _), strikes)| ((*name).to_owned(), strikes));
        Self { scripts: swept.scripts, strikes: strikes.collect() }
    }
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub(in super::super) struct Medians {
    pub(in super::super) stack_depth: u64,
    pub(in super::super) disk_sectors: u64,
    pub(in super::super) request_sectors: u64,
}

#[derive(Clone, Serialize, Deserialize)]
pub(in super::super) struct Threads {
    /// Groups of operations that ran at once.
    pub(in super::super) groups: u64,
    /// Those with requests of different threads under way at the same time.
    pub(in super::super) overlapped: u64,
    /// Those with a change that overlapped another request for the same sectors.
    pub(in super::super) raced: u64,
    /// How often another thread went on.
    pub(in super::super) switches: u64,
    /// Orders of changes that were begun in looking for one that explains a history.
    pub(in super::super) orders: u64,
}

#[derive(Clone, Serialize, Deserialize)]
pub(in super::super) struct Seen {
    pub(in super::super) what: String,
    pub(in super::super) count: u64,
}

impl Threads {
    pub(super) fn new(histories: Histories) -> Self {
        let Histories { groups, overlapped, raced, switches, orders, .. } = histories;
        Self { groups, overlapped, raced, switches, orders }
    }
}

impl Counts {
    pub(super) fn new(name: &str, tally: &Tally) -> Self {
        Self {
            name: name.to_owned(),
            scripts: tally.scripts,
            operations: tally.exercise.executed(),
            refusals: tally.exercise.refused,
            sectors_compared: tally.sectors,
            divergences: tally.divergences,
        }
    }
}

impl OpsByLayer {
    pub(super) fn new(kind: OpKind, total: &Tally) -> Self {
        let counts = total.exercise.ops[kind as usize];
        let layers = LAYERS.map(|layer| (layer.to_string(), counts[layer as usize])).into();
        Self { operation: format!("{kind:?}").to_lowercase(), layers }
    }
}

/// How often each number was met; those above 63 are powers of two.
#[derive(Clone, Serialize, Deserialize)]
pub(in super::super) struct Spreads {
    pub(in super::super) stack_depth: BTreeMap<u64, u64>,
    pub(in super::super) disk_sectors: BTreeMap<u64, u64>,
    pub(in super::super) request_sectors: BTreeMap<u64, u64>,
}

impl Spreads {
    pub(super) fn new(exercise: &Exercise) -> Self {
        let spread = |histogram: &Histogram| histogram.counts().collect();
        Self {
            stack_depth: spread(&exercise.depths),
            disk_sectors: spread(&exercise.sizes),
            request_sectors: spread(&exercise.lengths),
        }
    }

    pub(super) fn medians(&self) -> Medians {
        Medians {
            stack_depth: median(&self.stack_depth),
            disk_sectors: median(&self.disk_sectors),
            request_sectors: median(&self.request_sectors),
        }
    }
}

/// The median, and 0 if nothing was met.
fn median(spread: &BTreeMap<u64, u64>) -> u64 {
    let half = spread.values().sum::<u64>().div_ceil(2);
    let mut so_far = 0;
    let found = spread.iter().find(|(_, times)| {
        so_far += **times;
        so_far >= half
    });
    found.map_or(0, |(number, _)| *number)
}
