//! Sets of numbers, as ranges.

use std::ops::Range;

/// The same ranges, in order, with none that touch.
pub(super) fn merged(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// What `ranges` have and `gone` has not; both are merged.
pub(super) fn without(ranges: &[Range<u64>], gone: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut left = Vec::new();
    for range in ranges {
        let mut start = range.start;
        let first = gone.partition_point(|gone| gone.end <= range.start);
        for gone in gone[first..].iter().take_while(|gone| gone.start < range.end) {
            left.extend((start < gone.start).then_some(start..gone.start));
            start = gone.end;
        }
        left.extend((start < range.end).then_some(start..range.end));
    }
    left
}

/// Adds a number to ranges that grow at either end of the last one.
pub(super) fn push(ranges: &mut Vec<Range<u64>>, number: u64) {
    match ranges.last_mut() {
        Some(last) if last.end == number => last.end += 1,
        Some(last) if last.start == number + 1 => last.start = number,
        _ => ranges.push(number..number + 1),
    }
}
