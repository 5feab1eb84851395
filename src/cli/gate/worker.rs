//! One thread of a run.

use disklayer_sqlite::harness::{Divergence, Summary, World, explore, prove, sweep};
use disklayer_sqlite::script::Suite;

use super::findings::Findings;
use super::plan::{Plan, Runs};
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
            let suite = plan.suite(case);
            progress.begins(case);
            match run(plan, case, suite, world, &mut tallies) {
                Ok(summary) => tallies.note(case, suite, &summary),
                Err(found) if findings.lack_room(&found) => return tallies,
                Err(found) => {
                    tallies.note_divergence(case, suite, &found);
                    progress.found_one();
                    findings.meet(case, suite, found, world, progress);
                }
            }
            progress.did_one();
        }
    }
    tallies
}

/// Runs a script; after one with power cuts another is cut short in many ways, and after one with a failing drive another
/// is struck at every call.
pub(super) fn run(
    plan: &Plan,
    case: u64,
    suite: Suite,
    world: &mut World,
    tallies: &mut Tallies,
) -> Result<Summary, Box<Divergence>> {
    let script = plan.script(case);
    let summary = prove(&script, world)?;
    if plan.runs == Runs::Twice {
        tallies.repeats.note(case, prove(&script, world)? == summary);
    }
    if suite == Suite::PowerCuts
        && let Some(states) = plan.states_of(case)
    {
        tallies.explored.add(&explore(&plan.explored(case), world, states, case)?);
    }
    if suite == Suite::FailingDrive && plan.is_followed_by_a_sweep(case) {
        tallies.swept.add(&sweep(&plan.swept(case), world)?);
    }
    Ok(summary)
}
