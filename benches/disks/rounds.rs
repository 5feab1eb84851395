//! Runs everything, again and again, each time in another order.
//!
//! A round takes the workloads in random order, and for each the systems in random order, one right after the other: so
//! what slows the machine down for a while meets both sides of a ratio.

use std::path::Path;

use rand_core::SeedableRng;
use rand_pcg::Pcg64Mcg;

use super::disk::Result;
use super::medium::Medium;
use super::options::Options;
use super::place::Place;
use super::plan::shuffle;
use super::results::{Measurement, Results};
use super::task::Task;

pub(crate) fn run(options: &Options) -> Result<Results> {
    let mut results = Results::new(options.size(), options.operations(), options.rounds(), options.seed);
    let mut places = Vec::new();
    for directory in options.directories() {
        std::fs::create_dir_all(&directory)?;
        let directory = tempfile::Builder::new().prefix("disks-").tempdir_in(directory)?;
        let medium = Medium::of(directory.path())?;
        for system in options.systems() {
            eprintln!("{medium}: filling a disk of {system}");
            Place::new(directory.path(), options.size()).prepare(&system)?;
        }
        places.push((medium, directory));
    }
    for round in 0..options.rounds() {
        for (medium, directory) in &places {
            run_round(options, round, *medium, directory.path(), &mut results);
        }
    }
    Ok(results)
}

fn run_round(options: &Options, round: u64, medium: Medium, root: &Path, results: &mut Results) {
    let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(round);
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let (mut workloads, mut systems) = (options.workloads(), options.systems());
    shuffle(&mut workloads, &mut random);
    for workload in workloads {
        shuffle(&mut systems, &mut random);
        for system in &systems {
            let task = Task {
                system: system.clone(),
                workload: workload.clone(),
                root: root.to_owned(),
                size: options.size(),
                operations: options.operations(),
                seed,
            };
            match task.run() {
                Ok(outcome) => {
                    let said = outcome.map_or("cannot".to_owned(), |sample| format!("{:.4} s", sample.seconds));
                    eprintln!("round {} {medium} {workload} {system}: {said}", round + 1);
                    let (system, workload) = (task.system, task.workload);
                    results.measurements.extend(outcome.map(|sample| Measurement {
                        medium,
                        round,
                        system,
                        workload,
                        sample,
                    }));
                }
                Err(error) => {
                    eprintln!("round {} {medium} {workload} {system}: FAILED: {error}", round + 1);
                    results.failures.push(format!("{medium}: {error}"));
                }
            }
        }
    }
}
