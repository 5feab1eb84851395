//! What is wrong with a state that was read, so that nothing counts on it later.

use disklayer_sqlite::script::Suite;

use super::lane::Lane;
use super::state::State;
use super::{LONGEST, gate};

/// No soak counts so far, and sums of such counts are no larger than a number can be.
const MOST: u64 = 1 << 48;
/// The numbers of scripts begin higher in the second lane of a suite.
const LAST_SCRIPT: u64 = 1 << 62;

/// The first thing that is wrong.
pub(super) fn of(state: &State) -> Option<String> {
    let times = [("wanted_seconds", state.wanted_seconds), ("spent_seconds", state.spent_seconds)];
    let points = state.curve.iter().map(|point| ("at", point.at));
    let found = state.findings.iter();
    let counts = [("starts", state.starts)].into_iter().chain(found.map(|found| ("times", found.finding.times)));
    time(times.into_iter().chain(points))
        .or_else(|| count(counts, MOST))
        .or_else(|| state.lanes.iter().find_map(lane))
        .or_else(|| missing(&state.lanes))
}

fn lane(lane: &Lane) -> Option<String> {
    let Lane { name, suite, executions, slices, features, coverage, .. } = lane;
    let counts = [("executions", *executions), ("slices", *slices), ("features", *features), ("coverage", *coverage)];
    let unknown = match &lane.fuzz {
        Some(target) => (*name != Lane::fuzz(target).name).then(|| format!("fuzz is `{target}`")),
        None => suites().all(|known| known != suite).then(|| format!("there is no suite `{suite}`")),
    };
    unknown
        .or_else(|| count(counts, MOST))
        .or_else(|| count([("next", lane.next)], LAST_SCRIPT))
        .or_else(|| time([("seconds", lane.seconds), ("fresh", lane.fresh)]))
        .or_else(|| (lane.credit.abs() > LONGEST.as_secs_f64()).then(|| format!("credit is {}", lane.credit)))
        .map(|what| format!("lane `{name}`: {what}"))
}

/// A soak that lacks a suite would pass with nothing done.
fn missing(lanes: &[Lane]) -> Option<String> {
    let missing = suites().find(|suite| lanes.iter().all(|lane| lane.fuzz.is_some() || lane.suite != *suite));
    missing.map(|suite| format!("it has no lane of the suite `{suite}`"))
}

fn suites() -> impl Iterator<Item = &'static str> {
    Suite::ALL.into_iter().map(gate::name)
}

fn time<'a>(seconds: impl IntoIterator<Item = (&'a str, f64)>) -> Option<String> {
    let wrong = seconds.into_iter().find(|(_, seconds)| !(0.0..=LONGEST.as_secs_f64()).contains(seconds));
    wrong.map(|(name, seconds)| format!("{name} is {seconds:e}"))
}

fn count<'a>(counts: impl IntoIterator<Item = (&'a str, u64)>, most: u64) -> Option<String> {
    let wrong = counts.into_iter().find(|(_, count)| *count > most);
    wrong.map(|(name, count)| format!("{name} is {count}"))
}
