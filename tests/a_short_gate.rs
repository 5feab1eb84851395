//! The quickest look at everything: a few scripts of each suite, a few hostile files, and every canary.
//!
//! Tests run in the order of their names, so that this one is the first. `cargo mutants` judges by it, and most
//! mutants go no further.

use std::time::Instant;

use disklayer_sqlite::fault::Fault;
use disklayer_sqlite::harness::hostile::{Case, Yard};
use disklayer_sqlite::harness::{Canary, World, explore, prove, sweep};
use disklayer_sqlite::script::{Profile, Script, SeedChoices, Suite};

#[test]
fn every_canary_is_seen_and_nothing_without_its_fault() {
    let mut world = World::new(None).unwrap();
    let canaries = Canary::all();
    for canary in &canaries {
        let Canary { fault, script } = canary;
        prove(script, &mut world).unwrap_or_else(|found| panic!("without {fault:?}: {found}"));
        assert!(canary.is_seen(&mut world), "{fault:?} is not seen in {script:?}");
    }
    for fault in Fault::ALL.iter().filter(|fault| Canary::is_due(**fault)) {
        assert!(canaries.iter().any(|canary| canary.fault == *fault), "{fault:?} has no canary");
    }
}

#[test]
fn a_few_scripts_of_each_suite_pass() {
    let mut world = World::new(None).unwrap();
    for case in 0..SCRIPTS {
        let suite = Suite::ALL[case as usize % Suite::ALL.len()];
        let script =
            |max_ops| Script::generate(&Profile { max_ops, ..Profile::new(suite) }, &mut SeedChoices::new(SEED, case));
        prove(&script(Profile::new(suite).max_ops), &mut world).unwrap_or_else(|found| panic!("{found}"));
        match suite {
            Suite::PowerCuts => explore(&script(12), &mut world, 24, case).map(drop),
            Suite::FailingDrive if case < SWEPT => sweep(&script(3), &mut world).map(drop),
            _ => Ok(()),
        }
        .unwrap_or_else(|found| panic!("{found}"));
    }
}

#[test]
fn a_few_hostile_files_are_served_right_or_refused() {
    let mut yard = Yard::new().unwrap();
    for number in 0..FILES {
        let start = Instant::now();
        let judged = yard.judge(&Case::draw(SEED, number), &|| start.elapsed());
        judged.unwrap_or_else(|found| panic!("case {number}:\n{found}"));
    }
}

const SEED: u64 = 21;
const FILES: u64 = 400;
const SCRIPTS: u64 = 900;
/// Of the first so many scripts, those of a failing drive are struck at every call.
const SWEPT: u64 = 30;
