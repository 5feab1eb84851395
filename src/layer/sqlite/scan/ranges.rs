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

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_go_on_in_either_direction_are_one_range() {
        let mut ranges = Vec::new();
        [5, 6, 4, 9, 8, 7, 20, 11].into_iter().for_each(|number| push(&mut ranges, number));
        assert_eq!(ranges, [4..7, 7..10, 20..21, 11..12]);
        assert_eq!(merged(ranges), [4..10, 11..12, 20..21]);
    }

    #[test]
    fn what_is_gone_is_left_out() {
        let left = |gone: &[Range<u64>]| without(&[0..4, 6..10], gone);
        assert_eq!(left(&[]), [0..4, 6..10]);
        assert_eq!(left(&[0..1, 3..7]), [1..3, 7..10]);
        assert_eq!(left(&[1..2, 4..6, 9..12]), [0..1, 2..4, 6..9]);
        assert_eq!(left(&[0..20]), []);
    }
}
