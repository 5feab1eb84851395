//! Which scripts a run has, and whose turn they are.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use disklayer_sqlite::script::{Profile, Script, SeedChoices, Suite};

/// So many scripts are taken at once.
const CHUNK: u64 = 32;

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
    next: AtomicU64,
}

impl Plan {
    pub(super) fn new(seed: u64, extent: Extent, base: Option<u64>) -> Self {
        Self { seed, extent, base, next: AtomicU64::new(0) }
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

    /// The suite of script `case`: they take turns, those on a simulated drive less often because they take longer.
    pub(super) fn suite(case: u64) -> Suite {
        let turn = |suites: &[Suite], nth: u64| suites[(nth % suites.len() as u64) as usize];
        match case % CHUNK {
            nth @ 30.. => turn(&Suite::STRUCK, nth),
            nth => turn(&Suite::CALM, nth),
        }
    }

    pub(super) fn script(&self, case: u64) -> Script {
        let profile = Profile { base: self.base, ..Profile::new(Self::suite(case)) };
        Script::generate(&profile, &mut SeedChoices::new(self.seed, case))
    }
}
