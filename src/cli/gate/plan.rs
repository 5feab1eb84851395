//! Which scripts a run has, and whose turn they are.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

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

/// The scripts of a run. Each is known by its number alone, whoever runs it.
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) extent: Extent,
    /// Sectors of the image under the stacks.
    pub(super) base: Option<u64>,
    /// If given, only these.
    suites: Vec<Suite>,
    /// So many states for each script of power cuts.
    pub(super) states: u64,
    next: AtomicU64,
}

impl Plan {
    pub(super) fn new(seed: u64, extent: Extent, base: Option<u64>, suites: Vec<Suite>, states: u64) -> Self {
        Self { seed, extent, base, suites, states, next: AtomicU64::new(0) }
    }

    /// The next scripts for whoever asks. With a time limit chunks are whole, so that the scripts done are the first
    /// ones, and the trace is that of a run of so many.
    pub(super) fn take(&self) -> Option<Range<u64>> {
        let end = match self.extent {
            Extent::Scripts(count) => count,
            Extent::Until(end) if Instant::now() >= end => 0,
            Extent::Until(_) => u64::MAX,
        };
        let start = self.next.fetch_add(CHUNK, Relaxed);
        (start < end).then(|| start..end.min(start.saturating_add(CHUNK)))
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
