//! A set of numbers as runs of them: sectors, or clusters.

use std::collections::BTreeMap;
use std::ops::Range;

/// The start of each run and its end; no two touch.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs(BTreeMap<u64, u64>);

impl Runs {
    /// How many runs there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The run that has this number.
    pub(super) fn at(&self, number: u64) -> Option<Range<u64>> {
        self.0.range(..=number).next_back().filter(|(_, end)| **end > number).map(|(start, end)| *start..*end)
    }

    /// The first run at or after a number; if the number is in one, the rest of that.
    pub(super) fn from(&self, number: u64) -> Option<Range<u64>> {
        let later = || self.0.range(number..).next().map(|(start, end)| *start..*end);
        self.at(number).map(|run| number..run.end).or_else(later)
    }

    /// Whether any number of a range, which has some, is in a run.
    pub(super) fn meets(&self, range: &Range<u64>) -> bool {
        self.0.range(..range.end).next_back().is_some_and(|(_, end)| *end > range.start)
    }

    /// The parts of runs that lie in a range.
    pub(super) fn within(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let mut next = range.start;
        std::iter::from_fn(move || {
            let run = self.from(next).filter(|run| run.start < range.end)?;
            next = run.end.min(range.end);
            (run.start < next).then_some(run.start..next)
        })
    }

    /// Adds all of a range.
    pub(super) fn insert(&mut self, range: Range<u64>) {
        let (mut start, mut end) = (range.start, range.end);
        if range.is_empty() {
            return;
        }
        while let Some((&from, &to)) = self.0.range(..=end).next_back().filter(|(_, to)| **to >= start) {
            (start, end) = (start.min(from), end.max(to));
            self.0.remove(&from);
        }
        self.0.insert(start, end);
    }

    /// Takes all of a range out.
    pub(super) fn remove(&mut self, range: Range<u64>) {
        while let Some(run) = self.from(range.start).filter(|run| run.start < range.end) {
            let whole = self.at(run.start).unwrap_or(run);
            self.0.remove(&whole.start);
            for rest in [whole.start..range.start, range.end..whole.end] {
                if rest.start < rest.end {
                    self.0.insert(rest.start, rest.end);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every question about a set of small numbers, after each of many changes.
    #[test]
    fn runs_are_the_set_of_what_was_put_in_and_not_taken_out() {
        const ALL: Range<u64> = 0..24;
        let (mut runs, mut set) = (Runs::default(), BTreeSet::new());
        let mut state = 1_u64;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..3000 {
            let start = draw(ALL.end);
            let range = start..start + draw(9).min(ALL.end - start);
            match draw(2) {
                0 => {
                    runs.insert(range.clone());
                    set.extend(range);
                }
                _ => {
                    runs.remove(range.clone());
                    set.retain(|number| !range.contains(number));
                }
            }
            let starts = set.iter().filter(|number| number.checked_sub(1).is_none_or(|before| !set.contains(&before)));
            assert_eq!(runs.count(), starts.count());
            for number in ALL {
                assert_eq!(runs.at(number).is_some(), set.contains(&number));
                assert_eq!(runs.from(number).map(|run| run.start), set.range(number..).next().copied());
                let within: Vec<_> = runs.within(number..20).flatten().collect();
                assert!(number >= 20 || runs.meets(&(number..20)) != within.is_empty());
                assert_eq!(within, set.iter().copied().filter(|at| (number..20).contains(at)).collect::<Vec<_>>());
            }
        }
    }
}
