//! Which sectors a layer of the oracle holds, and what is in them: one map of extents.

use std::collections::BTreeMap;
use std::ops::Range;

/// Start of an extent, and its end and value; extents do not overlap.
#[derive(Clone, Debug)]
pub(crate) struct Extents<T>(BTreeMap<u64, (u64, T)>);

impl<T: Copy> Extents<T> {
    pub(crate) fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(crate) fn get(&self, sector: u64) -> Option<T> {
        let (_, &(end, value)) = self.0.range(..=sector).next_back()?;
        (sector < end).then_some(value)
    }

    /// Puts `value` into `range`, or takes out what is there.
    pub(crate) fn set(&mut self, range: Range<u64>, value: Option<T>) {
        if range.is_empty() {
            return;
        }
        self.cut(range.start);
        self.cut(range.end);
        while let Some((&start, _)) = self.0.range(range.clone()).next() {
            self.0.remove(&start);
        }
        if let Some(value) = value {
            self.0.insert(range.start, (range.end, value));
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Range<u64>, T)> + '_ {
        self.0.iter().map(|(&start, &(end, value))| (start..end, value))
    }

    /// Present runs, joined where they touch.
    pub(crate) fn runs(&self) -> Vec<Range<u64>> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for (extent, _) in self.iter() {
            match runs.last_mut() {
                Some(last) if last.end == extent.start => last.end = extent.end,
                _ => runs.push(extent),
            }
        }
        runs
    }

    /// Where extents begin and end.
    pub(crate) fn borders(&self) -> impl Iterator<Item = u64> + '_ {
        self.iter().flat_map(|(extent, _)| [extent.start, extent.end])
    }

    /// Makes `at` a border: an extent across it becomes two.
    fn cut(&mut self, at: u64) {
        if let Some((_, (end, value))) = self.0.range_mut(..at).next_back()
            && *end > at
        {
            let tail = (*end, *value);
            *end = at;
            self.0.insert(at, tail);
        }
    }
}

/// The parts of `range` between `borders`, in order.
pub(crate) fn pieces(range: Range<u64>, borders: impl Iterator<Item = u64>) -> Vec<Range<u64>> {
    let mut ends: Vec<u64> = borders.filter(|at| range.start < *at && *at < range.end).collect();
    ends.extend((!range.is_empty()).then_some(range.end));
    ends.sort_unstable();
    ends.dedup();
    let mut start = range.start;
    ends.into_iter().map(|end| std::mem::replace(&mut start, end)..end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_lie_between_the_borders_inside_a_range() {
        assert_eq!(pieces(10..20, [25, 15, 5, 10, 15, 20].into_iter()), [10..15, 15..20]);
        assert_eq!(pieces(10..20, [7, 30].into_iter()).len(), 1);
        assert_eq!(pieces(10..10, [10].into_iter()), []);
    }
}
