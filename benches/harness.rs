//! How fast the harness is: scripts and sectors a second, and where the time goes. Prints the figures of the README.
//!
//! Each figure is the median of rounds in which the variants take turns, on one core.

use std::hint::black_box;
use std::time::Instant;

use disklayer_sqlite::harness::{Summary, World, prove};
use disklayer_sqlite::oracle::Oracle;
use disklayer_sqlite::script::{LayerKind, Line, Medium, Op, Outcome, Profile, Script, SeedChoices, Suite};

const ROUNDS: usize = 7;
const SCRIPTS: u64 = 600;
const OPS: usize = 50;

/// Scripts of exactly fifty operations, from all suites of ordinary disks, with SQLite on top.
fn scripts(medium: Medium) -> Vec<Script> {
    let suites = [Suite::Layers, Suite::Stacks, Suite::Caches, Suite::Reopen, Suite::Reshape];
    let make = |case: u64| {
        let profile = Profile { max_ops: OPS as u64, ..Profile::new(suites[case as usize % suites.len()]) };
        let mut script = Script::generate(&profile, &mut SeedChoices::new(1, case));
        script.shape.medium = medium;
        let runs = Oracle::new(&script.shape).1 == Outcome::Done;
        (runs && script.lines.len() == OPS && script.shape.layers[0].kind == LayerKind::Sqlite).then_some(script)
    };
    (0..).filter_map(make).take(SCRIPTS as usize).collect()
}

/// Runs all, and gives scripts and sectors a second.
fn whole(scripts: &[Script], world: &mut World) -> (f64, f64) {
    let start = Instant::now();
    let mut total = Summary::default();
    for script in scripts {
        match prove(script, world) {
            Ok(summary) => total.add(&summary),
            Err(divergence) => panic!("{divergence}"),
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    (scripts.len() as f64 / seconds, total.sectors as f64 / seconds)
}

/// Seconds for making as many scripts, and for running them on the oracle alone.
fn without_the_system(scripts: &[Script]) -> f64 {
    let start = Instant::now();
    black_box(self::generate_as_many(scripts.len() as u64));
    let mut buf = Vec::new();
    for script in scripts {
        let (mut oracle, _) = Oracle::new(&script.shape);
        for Line { op, .. } in &script.lines {
            buf.clear();
            buf.resize(op.buffer_len(script.shape.sector_size as usize), 1);
            black_box(oracle.apply(op, &mut buf));
            if matches!(op, Op::Reopen(_)) {
                look(&oracle, script, &mut buf);
            }
        }
        look(&oracle, script, &mut buf);
    }
    start.elapsed().as_secs_f64()
}

fn generate_as_many(count: u64) -> usize {
    let profile = Profile::new(Suite::Stacks);
    (0..count).map(|case| Script::generate(&profile, &mut SeedChoices::new(2, case)).lines.len()).sum()
}

/// What the harness asks of the oracle when it compares every layer.
fn look(oracle: &Oracle, script: &Script, buf: &mut Vec<u8>) {
    for index in 0..oracle.layer_count() {
        buf.clear();
        buf.resize(oracle.sector_count(index).min(4096) as usize * script.shape.sector_size as usize, 1);
        black_box(oracle.look(index, 0, buf));
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let mut world = World::new(None).expect("a directory for the layers");
    let (memory, files) = (scripts(Medium::Memory), scripts(Medium::Files));
    let mut figures: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        let (scripts, sectors) = whole(&memory, &mut world);
        figures[0].push(scripts);
        figures[1].push(sectors);
        figures[2].push(whole(&files, &mut world).0);
        figures[3].push(without_the_system(&memory) * scripts / memory.len() as f64);
    }
    let [memory, sectors, files, share] = figures.map(median);
    println!("scripts of {OPS} operations, one core, medians of {ROUNDS} rounds");
    println!("  in memory             {memory:>10.0} scripts/s");
    println!("  sectors compared      {sectors:>10.0} sectors/s");
    println!("  on files              {files:>10.0} scripts/s");
    println!("  oracle and generator  {:>10.0} % of the time", share * 100.0);
}
