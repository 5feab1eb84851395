//! What a run counts, suite by suite.

use disklayer_sqlite::harness::{Coverage, Divergence, Exercise, Explored, Histories, Summary, Swept};
use disklayer_sqlite::script::Suite;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

/// Counts of one suite, or of all.
#[derive(Clone, Default)]
pub(super) struct Tally {
    pub(super) scripts: u64,
    pub(super) divergences: u64,
    pub(super) sectors: u64,
    pub(super) exercise: Exercise,
    pub(super) histories: Histories,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.scripts += other.scripts;
        self.divergences += other.divergences;
        self.sectors += other.sectors;
        self.exercise.add(&other.exercise);
        self.histories.add(&other.histories);
    }
}

/// Scripts that were run twice.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(in crate::cli) struct Repeats {
    pub(super) scripts: u64,
    /// The numbers of those that gave another trace the second time.
    pub(super) unequal: Vec<u64>,
}

impl Repeats {
    pub(super) fn note(&mut self, case: u64, equal: bool) {
        self.scripts += 1;
        self.unequal.extend((!equal).then_some(case));
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.scripts += other.scripts;
        self.unequal.extend(&other.unequal);
        self.unequal.sort_unstable();
    }
}

/// Counts of every suite, in the order of [`Suite::ALL`].
#[derive(Default)]
pub(super) struct Tallies {
    suites: [Tally; Suite::ALL.len()],
    /// The sum over all scripts, so that their order does not matter.
    pub(super) trace: u64,
    /// What came of cutting scripts short at every moment.
    pub(super) explored: Explored,
    /// What came of running scripts twice.
    pub(super) repeats: Repeats,
    /// What came of striking scripts at every call.
    pub(super) swept: Swept,
    /// What scripts have met together.
    pub(super) coverage: Coverage,
}

impl Tallies {
    pub(super) fn note(&mut self, case: u64, suite: Suite, summary: &Summary) {
        self.trace = self.trace.wrapping_add(hash(case, summary.trace));
        self.coverage.note(&summary.exercise);
        let tally = &mut self.suites[suite as usize];
        tally.scripts += 1;
        tally.sectors += summary.sectors;
        tally.exercise.add(&summary.exercise);
        tally.histories.add(&summary.histories);
    }

    pub(super) fn note_divergence(&mut self, case: u64, suite: Suite, found: &Divergence) {
        let step = found.step.map_or(0, |step| step as u64 + 1);
        self.trace = self.trace.wrapping_add(hash(case, !step));
        let tally = &mut self.suites[suite as usize];
        tally.scripts += 1;
        tally.divergences += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.trace = self.trace.wrapping_add(other.trace);
        self.explored.add(&other.explored);
        self.swept.add(&other.swept);
        self.coverage.add(&other.coverage);
        self.repeats.add(&other.repeats);
        self.suites.iter_mut().zip(&other.suites).for_each(|(to, from)| to.add(from));
    }

    pub(super) fn suites(&self) -> impl Iterator<Item = (Suite, &Tally)> {
        Suite::ALL.into_iter().zip(&self.suites)
    }

    pub(super) fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.suites.iter().for_each(|tally| total.add(tally));
        total
    }
}

fn hash(case: u64, trace: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&case.to_le_bytes());
    bytes[8..].copy_from_slice(&trace.to_le_bytes());
    XxHash3_64::oneshot(&bytes)
}
