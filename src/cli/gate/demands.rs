//! What a run must have met to mean anything: a harness that never saw an end has not tested ends.

use disklayer_sqlite::harness::{BUSY, Sight};
use serde::{Deserialize, Serialize};

use super::report::Report;

/// Percentages mean nothing over fewer scripts.
const SHARES_FROM: u64 = 2000;
/// Rare things may be missing among fewer scripts.
pub(super) const SIGHTS_FROM: u64 = 20_000;
/// The largest part of all operations that may be refusals.
const MOST_REFUSED: u64 = 20;
/// The least part of all states of the drive that are cut with several writes unsynced.
const BUSY_STATES: u64 = 50;

const SHARES: [(Sight, u64); 3] = [(Sight::Files, 30), (Sight::ThreeLayers, 30), (Sight::UnequalSizes, 20)];

/// The part of all scripts that had something.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Share {
    /// What they had.
    pub(super) what: String,
    pub(super) percent: f64,
    /// The least that is demanded.
    pub(super) at_least: u64,
}

pub(super) fn shares(report: &Report) -> Vec<Share> {
    let share = |(sight, at_least)| Share {
        what: Sight::text(sight).to_owned(),
        percent: percent(report.seen(sight), report.total.scripts),
        at_least,
    };
    SHARES.map(share).into()
}

/// What was demanded and not met, each in a sentence. Over a base the sights depend on its size and are not demanded.
/// With only some suites nothing is demanded of the rest.
pub(super) fn unmet(report: &Report) -> Vec<String> {
    let (mut unmet, cuts, total) = (Vec::new(), &report.power_cuts, &report.total);
    if cuts.states >= SHARES_FROM && percent(cuts.busy, cuts.states) < BUSY_STATES as f64 {
        let busy = percent(cuts.busy, cuts.states);
        unmet.push(format!("{busy:.1} % of the states had {BUSY} unsynced writes, and {BUSY_STATES} % must"));
    }
    if !report.is_whole() {
        return unmet;
    }
    if total.scripts - total.divergences >= SHARES_FROM {
        for Share { what, percent, at_least } in shares(report) {
            if percent < at_least as f64 {
                unmet.push(format!("{percent:.1} % of the scripts had {what}, and {at_least} % must"));
            }
        }
        let refused = percent(total.refusals, total.operations);
        if refused > MOST_REFUSED as f64 {
            unmet.push(format!("{refused:.1} % of the operations were refused, and {MOST_REFUSED} % may be"));
        }
    }
    if total.scripts - total.divergences >= SIGHTS_FROM && report.base_sectors.is_none() {
        unmet.extend(never_met(report));
    }
    unmet
}

/// What many scripts of every suite must have met, and have not.
pub(super) fn never_met(report: &Report) -> Vec<String> {
    let never = report.sights.iter().filter(|seen| seen.count == 0);
    let strikes = report.failing_drive.strikes.iter().filter(|(_, strikes)| **strikes == 0);
    never
        .map(|seen| format!("never met: {}", seen.what))
        .chain(strikes.map(|(name, _)| format!("no call was struck with the failure `{name}`")))
        .collect()
}

pub(super) fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}
