//! The harness finds every fault that is planted for threads, in an interleaving that replays, and what it finds is
//! gone without the fault.

use std::fmt::Write;
use std::time::Instant;

use disklayer_sqlite::fault::{self, Fault, FaultSuite};
use disklayer_sqlite::harness::{Divergence, World, minimize, prove};
use disklayer_sqlite::script::Script;

use super::search::script;

const BUDGET: u64 = 1000;

struct Found {
    scripts: u64,
    ms: f64,
    shrunk: Box<Divergence>,
}

fn find(fault: Fault, world: &mut World) -> Option<Found> {
    fault::with(fault, || {
        let start = Instant::now();
        let (case, found) = (0..BUDGET).find_map(|case| Some((case, prove(&script(case), world).err()?)))?;
        let ms = start.elapsed().as_secs_f64() * 1e3;
        let shrunk = minimize(found, &mut |script| prove(script, world).map(drop));
        let text = shrunk.to_string();
        let again = prove(&text.parse().unwrap(), world).expect_err("what was found replays");
        assert_eq!(again.to_string(), text, "{fault:?}: a replay of the interleaving is another story");
        Some(Found { scripts: case + 1, ms, shrunk })
    })
}

/// Without the fault the same run and the shrunk script pass.
fn passes_without(found: &Found, world: &mut World) -> Result<(), Box<Divergence>> {
    (0..found.scripts).try_for_each(|case| prove(&script(case), world).map(drop))?;
    prove(&found.shrunk.script, world).map(drop)
}

/// The same script, each thread's lines on one thread, one after the other: no fault of this suite shows there.
fn in_turn(script: &Script) -> Script {
    let mut script = script.clone();
    script.lines.iter_mut().for_each(|line| line.turn = None);
    script
}

#[test]
fn rule_23_every_fault_that_is_planted_for_threads_is_found_and_shrunk() {
    let mut world = World::new(None).unwrap();
    let mut table = format!("{:<24} {:>7} {:>8} {:>4} {:>7}\n", "fault", "scripts", "ms", "ops", "threads");
    let mut stories = String::new();
    let mut missed = Vec::new();
    for fault in Fault::found_by(FaultSuite::Threads) {
        let Some(found) = find(fault, &mut world) else {
            missed.push(fault);
            continue;
        };
        passes_without(&found, &mut world).unwrap_or_else(|d| panic!("without {fault:?}: {d}"));
        let script = &found.shrunk.script;
        fault::with(fault, || prove(&in_turn(script), &mut world))
            .unwrap_or_else(|d| panic!("{fault:?} is not a mistake of threads: {d}"));
        let threads = script.lines.iter().filter_map(|line| line.turn.as_ref()).map(|turn| turn.thread).max();
        let (name, ops, threads) = (format!("{fault:?}"), script.lines.len(), threads.unwrap_or(0));
        let _ = writeln!(table, "{name:<24} {:>7} {:>8.1} {ops:>4} {threads:>7}", found.scripts, found.ms);
        let _ = writeln!(stories, "{fault:?}:\n{}", found.shrunk);
    }
    println!("{table}\n{stories}");
    assert!(missed.is_empty(), "not found in {BUDGET} scripts: {missed:?}");
}
