//! Which scripts a run has, and whose turn they are.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use disklayer_sqlite::script::{Profile, Script, SeedChoices, Suite};

/// So many scripts are taken at once.
const CHUNK: u64 = 32;
/// After so many scripts the suites begin anew.
const CYCLE: u64 = 64;
/// Scripts whose every end is tried have at most so many operations, and other seeds.
const EXPLORED_OPS: u64 = 16;
/// One script in so many of the suite of power cuts is explored.
const EXPLORED_EVERY: u64 = 4;
const EXPLORED: u64 = 0x9e37_79b9_7f4a_7c15;
/// One script in so many of the suite of failing drives has every call struck, in a shorter script of other seeds.
const SWEPT_EVERY: u64 = 256;
const SWEPT_OPS: u64 = 5;

/// How far a run goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Extent {
    Scripts(u64),
    Until(Instant),
}

/// A part of the scripts of a run, with which no other shares any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shard {
    /// Its number, from 1.
    pub(super) number: u64,
    /// How many there are.
    pub(super) of: u64,
}

impl Shard {
    /// Without an end there is room for so many scripts between the beginnings of two shards.
    const APART: u64 = 1 << 48;

    /// Whether there can be one like that.
    pub(super) fn is_one(self) -> bool {
        (1..=self.of).contains(&self.number) && self.of <= 1 << 16
    }

    /// Its part of `count` scripts.
    fn of_count(self, count: u64) -> Range<u64> {
        let before = |number: u64| (u128::from(count) * u128::from(number) / u128::from(self.of)) as u64;
        before(self.number - 1)..before(self.number)
    }

    /// Its part of scripts without an end.
    fn of_all(self) -> Range<u64> {
        let first = (self.number - 1) * Self::APART;
        first..first.saturating_add(Self::APART)
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (Self { number, of }).is_one() => Ok(Self { number, of }),
            _ => Err("NUMBER/OF is expected, such as 1/4 to 4/4; 65536 shards are the most".to_owned()),
        }
    }
}

/// How often a script is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runs {
    Once,
    /// To see whether it gives the same trace.
    Twice,
}

/// The scripts of a run. Each is known by its number alone, whoever runs it.
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) extent: Extent,
    pub(super) shard: Option<Shard>,
    end: u64,
    /// Sectors of the image under the stacks.
    pub(super) base: Option<u64>,
    /// If given, only these.
    suites: Vec<Suite>,
    /// So many states for each script of power cuts.
    pub(super) states: u64,
    /// So many are taken at once.
    chunk: u64,
    pub(super) runs: Runs,
    next: AtomicU64,
}

impl Plan {
    pub(super) fn new(seed: u64, extent: Extent, shard: Option<Shard>, suites: Vec<Suite>) -> Self {
        let whole = Shard { number: 1, of: 1 };
        let cases = match extent {
            Extent::Scripts(count) => shard.unwrap_or(whole).of_count(count),
            Extent::Until(_) => shard.unwrap_or(whole).of_all(),
        };
        Self {
            seed,
            extent,
            shard,
            end: cases.end,
            base: None,
            suites,
            states: 0,
            runs: Runs::Once,
            chunk: CHUNK,
            next: AtomicU64::new(cases.start),
        }
    }

    /// The same, over an image of so many sectors, and cut to so many states.
    pub(super) fn with(self, base: Option<u64>, states: u64) -> Self {
        Self { base, states, ..self }
    }

    /// The same, beginning with script `first`, and without an end but the time, which is looked at after each script.
    pub(super) fn from(self, first: u64) -> Self {
        Self { next: AtomicU64::new(first), end: u64::MAX, chunk: 1, ..self }
    }

    pub(super) fn with_runs(self, runs: Runs) -> Self {
        Self { runs, ..self }
    }

    /// The next scripts for whoever asks. With a time limit chunks are whole, so that the scripts done are the first
    /// ones, and the trace is that of a run of so many.
    pub(super) fn take(&self) -> Option<Range<u64>> {
        if matches!(self.extent, Extent::Until(end) if Instant::now() >= end) {
            return None;
        }
        let start = self.next.fetch_add(self.chunk, Relaxed);
        (start < self.end).then(|| start..self.end.min(start.saturating_add(self.chunk)))
    }

    /// How many scripts there are with those of all other shards; none if the time ends them.
    pub(super) fn scripts(&self) -> Option<u64> {
        match self.extent {
            Extent::Scripts(count) => Some(count),
            Extent::Until(_) => None,
        }
    }

    /// How many scripts there are, if there is no other end.
    pub(super) fn count(&self) -> u64 {
        self.end - self.next.load(Relaxed)
    }

    /// The suites that were asked for, if not all.
    pub(super) fn only(&self) -> impl Iterator<Item = Suite> {
        self.suites.iter().copied()
    }

    /// The suite of script `case`: they take turns, and those that take longer have fewer of them.
    pub(super) fn suite(&self, case: u64) -> Suite {
        let turn = |suites: &[Suite], nth: u64| suites[(nth % suites.len() as u64) as usize];
        match case % CYCLE {
            _ if !self.suites.is_empty() => turn(&self.suites, case),
            nth @ 62.. => turn(&Suite::STRUCK, nth),
            61 => Suite::Threads,
            nth @ 18.. => turn(&[Suite::Layers, Suite::Stacks, Suite::Caches, Suite::Layers], nth),
            nth => turn(&Suite::CALM, nth),
        }
    }

    /// Whether a run has every suite, so that it can be asked what it has met.
    pub(super) fn is_whole(&self) -> bool {
        self.suites.is_empty()
    }

    /// How many states the script of power cuts `case` is cut to. A few scripts in many states tell as much as many in
    /// a few, and take less time.
    pub(super) fn states_of(&self, case: u64) -> Option<u64> {
        let nth = if self.is_whole() { case / CYCLE } else { case };
        (self.states > 0 && nth.is_multiple_of(EXPLORED_EVERY)).then_some(self.states * EXPLORED_EVERY)
    }

    /// A script of power cuts is short: what matters is in how many ways it ends.
    pub(super) fn explored(&self, case: u64) -> Script {
        let profile = Profile { max_ops: EXPLORED_OPS, ..Profile::new(Suite::PowerCuts) };
        Script::generate(&profile, &mut SeedChoices::new(self.seed ^ EXPLORED, case))
    }

    /// Whether the script of a failing drive `case` is followed by one whose every call is struck.
    pub(super) fn is_followed_by_a_sweep(&self, case: u64) -> bool {
        let nth = if self.is_whole() { case / CYCLE } else { case };
        nth.is_multiple_of(SWEPT_EVERY)
    }

    pub(super) fn swept(&self, case: u64) -> Script {
        let profile = Profile { max_ops: SWEPT_OPS, ..Profile::new(Suite::FailingDrive) };
        Script::generate(&profile, &mut SeedChoices::new(self.seed ^ EXPLORED, case))
    }

    pub(super) fn script(&self, case: u64) -> Script {
        let profile = Profile { base: self.base, ..Profile::new(self.suite(case)) };
        Script::generate(&profile, &mut SeedChoices::new(self.seed, case))
    }
}
