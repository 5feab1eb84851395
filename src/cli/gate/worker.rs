//! One thread of a run.

use disklayer_sqlite::harness::{World, prove};

use super::findings::Findings;
use super::plan::Plan;
use super::progress::Progress;
use super::stopped;
use super::tally::Tallies;

/// Runs scripts as long as there are any; what it counted.
pub(super) fn work(plan: &Plan, world: &mut World, findings: &Findings, progress: &Progress) -> Tallies {
    let mut tallies = Tallies::default();
    while let Some(cases) = plan.take() {
        for case in cases {
            if stopped(findings) {
                return tallies;
            }
            let suite = Plan::suite(case);
            match prove(&plan.script(case), world) {
                Ok(summary) => tallies.note(case, suite, &summary),
                Err(found) => {
                    tallies.note_divergence(case, suite, &found);
                    progress.found_one();
                    findings.meet(case, suite, found, world);
                }
            }
            progress.did_one();
        }
    }
    tallies
}
