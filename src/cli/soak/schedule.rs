//! Whose turn it is.

use super::lane::Lane;

/// So much of the time is shared equally, so that nobody starves: what finds nothing now may find something later.
const FLOOR: f64 = 0.5;

/// The lane that is furthest behind what it should have had; none if all are busy.
pub(super) fn next(lanes: &mut [Lane], busy: &[bool], slice: f64) -> Option<usize> {
    let shares = shares(lanes);
    lanes.iter_mut().zip(shares).for_each(|(lane, share)| lane.credit += share * slice);
    let idle = (0..lanes.len()).filter(|&index| !busy[index]);
    let next = idle.max_by(|&one, &other| {
        // Who has never had a turn is asked first.
        let never = |index: usize| lanes[index].slices == 0;
        never(one).cmp(&never(other)).then(lanes[one].credit.total_cmp(&lanes[other].credit)).then(other.cmp(&one))
    })?;
    lanes[next].credit -= slice;
    Some(next)
}

/// The part of the time that each lane should have.
fn shares(lanes: &[Lane]) -> Vec<f64> {
    let all: f64 = lanes.iter().map(|lane| lane.fresh).sum();
    let equal = 1.0 / lanes.len() as f64;
    let share = |lane: &Lane| if all > 0.0 { FLOOR * equal + (1.0 - FLOOR) * lane.fresh / all } else { equal };
    lanes.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each lane was on, of a thousand turns of one job.
    fn turns(fresh: &[f64]) -> Vec<usize> {
        let lane = |(n, fresh): (usize, &f64)| Lane { fresh: *fresh, slices: 1, ..Lane::suite(&n.to_string(), 0) };
        let mut lanes: Vec<Lane> = fresh.iter().enumerate().map(lane).collect();
        let mut turns = vec![0; lanes.len()];
        for _ in 0..1000 {
            let Some(next) = next(&mut lanes, &vec![false; fresh.len()], 5.0) else { unreachable!("all are idle") };
            turns[next] += 1;
        }
        turns
    }

    #[test]
    fn half_of_the_time_goes_to_what_finds_something_new_and_nobody_starves() {
        assert_eq!(turns(&[0.0; 4]), [250; 4]);
        let turns = turns(&[3.0, 1.0, 0.0, 0.0]);
        for (turns, expected) in turns.iter().zip([500_usize, 250, 125, 125]) {
            assert!(turns.abs_diff(expected) <= 2, "{turns} where {expected} are due");
        }
    }

    #[test]
    fn a_lane_that_is_busy_is_not_taken() {
        let mut lanes = vec![Lane::suite("one", 0), Lane::suite("two", 0)];
        assert_eq!(next(&mut lanes, &[true, false], 5.0), Some(1));
        assert_eq!(next(&mut lanes, &[true, true], 5.0), None);
    }
}
