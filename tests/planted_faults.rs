//! The harness finds every fault that is planted for scripts, and what it finds is gone without the fault.

use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use disklayer_sqlite::fault::{self, Fault, FaultSuite};
use disklayer_sqlite::harness::{Divergence, Ground, Hunt, Shown, World, minimize, prove};
use disklayer_sqlite::script::{Bias, LayerKind, LayerShape, OpKind, Script};

/// So many scripts are tried for each fault: a twentieth of the gate's default.
const BUDGET: u64 = 5000;
/// The plain generator gets as many scripts as the other one needed, and at least so many.
const UNIFORM_BUDGET: u64 = 1000;
const SEED: u64 = 1;

struct Found {
    scripts: u64,
    after: Duration,
    shrunk: Box<Divergence>,
    /// With so many operations the stack diverges in one way or another.
    fewest: usize,
}

fn hunt(fault: Fault, bias: Bias) -> Hunt {
    Hunt { fault, bias, seed: SEED }
}

fn first_divergence(hunt: Hunt, budget: u64, ground: &mut Ground) -> Option<(u64, Box<Divergence>)> {
    (0..budget).find_map(|case| match hunt.attempt(case, ground) {
        Err((_, Shown::Script(found))) => Some((case, found)),
        _ => None,
    })
}

fn find(fault: Fault, ground: &mut Ground) -> Option<Found> {
    let start = Instant::now();
    let (case, found) = first_divergence(hunt(fault, Bias::Swarm), BUDGET, ground)?;
    let after = start.elapsed();
    let world = ground.world();
    fault::with(fault, || {
        let signature = found.signature();
        let shrunk = minimize(found, &mut |script| prove(script, world).map(drop));
        assert_eq!(shrunk.signature(), signature, "{fault:?}: shrinking found another divergence");
        let fewest = fewest(&shrunk.script, world);
        Some(Found { scripts: case + 1, after, shrunk, fewest })
    })
}

/// Shrinking keeps the kind of divergence: `write; unmap; read` stays so although a look at the layers would show it
/// after the unmap. Here any divergence will do.
fn fewest(script: &Script, world: &mut World) -> usize {
    let fewer = (0..script.lines.len()).map(|index| script.without_ops(index..index + 1));
    match fewer.into_iter().find(|script| prove(script, world).is_err()) {
        Some(script) => fewest(&script, world),
        None => script.lines.len(),
    }
}

/// A line of the table, and whether the plain generator finds the fault too.
fn examine(fault: Fault, ground: &mut Ground) -> Result<(Found, bool), String> {
    let found = find(fault, ground).ok_or_else(|| format!("{fault:?} was not found in {BUDGET} scripts"))?;
    // What was found is the fault's doing: without it the same run and the shrunk script pass.
    for case in 0..found.scripts {
        let control = hunt(fault, Bias::Swarm).control(case, ground);
        control.map_err(|(_, shown)| format!("without {fault:?}, case {case}: {}", shown.text()))?;
    }
    prove(&found.shrunk.script, ground.world()).map_err(|d| format!("without {fault:?}: {d}"))?;
    let uniform = first_divergence(hunt(fault, Bias::Uniform), found.scripts.max(UNIFORM_BUDGET), ground);
    Ok((found, uniform.is_some()))
}

/// Whether it takes three operations and a stack of more than one plain layer to show the fault.
fn is_hard(found: &Found) -> bool {
    let shape = &found.shrunk.script.shape;
    let pushed = found.shrunk.script.lines.iter().any(|line| line.op.kind() == OpKind::Push);
    let particular = shape.layers.len() > 1
        || pushed
        || shape.layers[0] != LayerShape::new(LayerKind::Sqlite, shape.layers[0].sector_count);
    found.shrunk.script.lines.len() >= 3 && particular
}

/// Looks for every fault of a group, prints the table, and fails if one was not found or something was found without.
fn examine_all(finder: FaultSuite) -> Vec<(Fault, (Found, bool))> {
    let faults: Vec<Fault> = Fault::found_by(finder).collect();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut ground = Ground::new().unwrap();
                while let Some(&fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = examine(fault, &mut ground);
                    results.lock().unwrap().push((fault, result));
                }
            });
        }
    });
    let (results, failures): (Vec<_>, Vec<_>) = results.into_inner().unwrap().into_iter().partition(|(_, r)| r.is_ok());
    let mut results: Vec<_> = results.into_iter().filter_map(|(fault, result)| Some((fault, result.ok()?))).collect();
    results.sort_by_key(|(fault, _)| *fault as usize);
    println!("{}", table(&results));
    results.iter().for_each(|(fault, (found, _))| println!("{fault:?}: {:?}", found.shrunk.script));
    let failures: Vec<_> = failures.into_iter().filter_map(|(_, result)| result.err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));

    let mut lines: Vec<_> = results.iter().map(|(_, (found, _))| found.shrunk.script.lines.len()).collect();
    lines.sort_unstable();
    assert!(lines[lines.len() / 2] <= 5, "the median shrunk script has {} operations", lines[lines.len() / 2]);
    results
}

#[test]
fn every_planted_fault_is_found_and_shrunk() {
    let results = examine_all(FaultSuite::Scripts);
    let missed = results.iter().filter(|(_, (_, uniform))| !uniform).count();
    let hard = results.iter().filter(|(_, (found, _))| is_hard(found)).count();
    assert!(missed > 0, "a plain uniform generator finds everything: the faults are too easy");
    let (needing, all) = (results.iter().filter(|(_, (found, _))| found.fewest >= 3).count(), results.len());
    assert!(hard * 2 >= all, "{hard} of {all} faults shrink to three operations and a stack");
    assert!(needing * 3 >= all, "{needing} of {all} faults need three operations, whatever is taken for a divergence");
}

#[test]
fn every_planted_fault_of_durability_is_found_by_cuts_and_failing_drives() {
    examine_all(FaultSuite::PowerCuts);
}

/// A harness with a broken oracle says so: it differs from a system that is right, or is blind to what is planted.
#[test]
fn every_planted_fault_of_the_oracle_and_of_repeats_is_found() {
    let mut ground = Ground::new().unwrap();
    let mut missed = Vec::new();
    for fault in Fault::found_by(FaultSuite::Oracle).chain(Fault::found_by(FaultSuite::Repeats)) {
        let hunt = hunt(fault, Bias::Swarm);
        match (0..BUDGET).find_map(|case| Some((case, hunt.attempt(case, &mut ground).err()?))) {
            Some((case, (engine, shown))) => {
                let shown = hunt.minimize(shown, &mut ground);
                println!("{fault:?}: case {case}, {engine:?}: {}", shown.text());
                assert!(shown.is_the_doing_of(fault, &mut ground), "{fault:?}: {}", shown.text());
            }
            None => missed.push(fault),
        }
    }
    assert!(missed.is_empty(), "not found in {BUDGET} scripts: {missed:?}");
}

fn table(results: &[(Fault, (Found, bool))]) -> String {
    let mut text = format!(
        "{:<28} {:>7} {:>8} {:>4} {:>6} {:>6}  {:<4}  uniform\n",
        "fault", "scripts", "ms", "ops", "fewest", "layers", "hard"
    );
    for (fault, (found, uniform)) in results {
        let (script, ms) = (&found.shrunk.script, found.after.as_secs_f64() * 1e3);
        let uniform = if *uniform { "finds it" } else { "misses it" };
        let (name, ops, layers) = (format!("{fault:?}"), script.lines.len(), script.shape.layers.len());
        let (scripts, fewest, hard) = (found.scripts, found.fewest, if is_hard(found) { "hard" } else { "" });
        let _ =
            writeln!(text, "{name:<28} {scripts:>7} {ms:>8.1} {ops:>4} {fewest:>6} {layers:>6}  {hard:<4}  {uniform}");
    }
    let missed = results.iter().filter(|(_, (_, uniform))| !uniform).count();
    let hard = results.iter().filter(|(_, (found, _))| is_hard(found)).count();
    let _ = write!(text, "{} faults, {hard} of them hard, ", results.len());
    let _ = write!(text, "{missed} missed by the uniform generator in {UNIFORM_BUDGET} scripts each");
    text
}

#[test]
fn every_fault_names_its_mistake() {
    for fault in Fault::ALL {
        assert!(fault.mistake().ends_with('.') && fault.mistake().contains(": "), "{fault:?}: {}", fault.mistake());
    }
    assert!(Fault::ALL.len() >= 30 && OpKind::ALL.len() == 10);
}
