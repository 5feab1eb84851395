//! Thousands of hostile files, and the mistakes that they find.

use std::time::{Duration, Instant};

use disklayer_sqlite::fault::{self, Fault, FaultSuite};
use disklayer_sqlite::harness::hostile::{Case, Finding, Outcome, Tally, Yard};

const SEED: u64 = 1;

fn judge(yard: &mut Yard, case: &Case) -> Result<disklayer_sqlite::harness::hostile::Judged, Box<Finding>> {
    let start = Instant::now();
    yard.judge(case, &|| start.elapsed())
}

#[test]
fn rule_19_thousands_of_hostile_files_are_served_right_or_refused() {
    let mut yard = Yard::new().unwrap();
    let mut tally = Tally::default();
    for number in 0..6000 {
        match judge(&mut yard, &Case::draw(SEED, number)) {
            Ok(judged) => tally.note(&judged),
            Err(found) => {
                let least = found.minimize(&mut |case| judge(&mut yard, case).err());
                panic!("case {number}:\n{least}");
            }
        }
    }
    println!("{tally:#?}");
    assert!(tally.past_schema * 2 > tally.files, "{tally:?}");
    for outcome in [Outcome::Served, Outcome::ServedInPart, Outcome::NotADisk, Outcome::Corrupt, Outcome::TooNew] {
        assert!(tally.outcomes.get(&outcome).is_some_and(|count| *count > 10), "{outcome:?}: {tally:?}");
    }
    assert!(tally.slowest < Duration::from_secs(1) && tally.struck_rows > 10, "{tally:?}");
}

/// A page of the metadata in the place of the sectors' was read as rows without data, which are zeros.
#[test]
fn rule_19_a_page_of_another_table_is_damage() {
    let mut yard = Yard::new().unwrap();
    for (from, to) in (0..6).flat_map(|from| (0..6).map(move |to| (from, to))) {
        for how in ["copy", "swap"] {
            let case = format!("layer 512 28 seed 889297 flushes 0; {how} file {from} {to}");
            judge(&mut yard, &case.parse().unwrap()).unwrap_or_else(|found| panic!("{found}"));
        }
    }
}

/// Cases that once showed something wrong.
#[test]
fn rule_19_what_was_once_found_is_found_no_more() {
    let mut yard = Yard::new().unwrap();
    for case in [
        // A read past the end of the file was called a failure of I/O, and then showed zeros.
        "layer 4096 3 seed 893987 flushes 1; cut file 16681",
        // The log of a file of one byte was deleted.
        "layer 4096 1 seed 521019 flushes 1; cut file 1",
        // No mistake of the layer: the ends of two rows changed places, which nobody can tell.
        "layer 65536 3 seed 342333 flushes 0; swap file 19 34",
        // The copy that a journal is judged by was taken for a file with a log.
        "layer 512 1 seed 240430 flushes 0; flip file 18 1; journal 4 lie 2",
        // The file was refused for its length after its journal had been rolled back.
        "layer 4096 4 seed 402410 flushes 0; cut file 28515; journal 4",
        // A leaf in the place of the root showed its sectors, and all others as absent.
        "layer 512 24 seed 563542 flushes 0; number file 28 4; swap file 5 1",
        // The same with a log, whose count of pages SQLite does not ask for.
        "layer 512 99 seed 952455 flushes 1; number file 28 4; copy file 11 1",
        // An encoding that is none was refused when the schema was read again, after the file had been taken over; and once
        // more after its journal had been rolled back.
        "layer 512 11 seed 264808 flushes 1 format 1 pages 1024; number file 56 60",
        "layer 512 1 seed 439347 flushes 0; number file 56 8; journal 2 lie 4",
        // Such an encoding served a reader and kept a writer out.
        "layer 512 1 seed 582530 flushes 0 format 1 pages 1024; number file 56 2147483648",
        // A version that SQLite does not write kept the log from being copied, and the file was read below it.
        "layer 512 21 seed 230776 flushes 1 format 1 pages 4096; fill file 18 1 182",
        // A reader's second look at the schema was better than the first, and told of the header; a writer had one look.
        "layer 4096 1 seed 98025 flushes 0; noise file 20 1 seed 2975966502; flip file 60 3",
        "layer 512 1 seed 514496 flushes 0 format 1 pages 512; noise file 67 14 seed 3825207312; fill file 114 1 28",
    ] {
        judge(&mut yard, &case.parse().unwrap()).unwrap_or_else(|found| panic!("{found}"));
    }
}

#[test]
fn a_case_is_its_text() {
    for number in 0..3000 {
        let case = Case::draw(SEED, number);
        assert_eq!(case.to_string().parse::<Case>().unwrap(), case);
        assert_eq!(case.to_string().replace('\n', "; ").parse::<Case>().unwrap(), case);
    }
    for wrong in ["", "layer 512", "layer 512 8 seed 1 flushes 0\nflip nowhere", "attack x file"] {
        wrong.parse::<Case>().unwrap_err();
    }
}

/// So many files are tried for each fault.
const BUDGET: u64 = 6000;

#[test]
fn every_fault_that_is_planted_for_hostile_files_is_found_and_shrunk() {
    let mut missed = Vec::new();
    for fault in Fault::found_by(FaultSuite::HostileFiles) {
        let mut yard = Yard::new().unwrap();
        let found = fault::with(fault, || {
            let (number, found) = (0..BUDGET).find_map(|n| Some((n, judge(&mut yard, &Case::draw(SEED, n)).err()?)))?;
            Some((number, found.minimize(&mut |case| judge(&mut yard, case).err())))
        });
        let Some((number, found)) = found else {
            missed.push(fault);
            continue;
        };
        println!("{fault:?}: file {}, {}", number + 1, found.to_string().replace('\n', "; "));
        // What was found is the fault's doing.
        judge(&mut yard, &Case::draw(SEED, number)).unwrap();
        judge(&mut yard, &found.case).unwrap();
        assert!(found.case.damages.len() <= 2, "{fault:?}: {found}");
    }
    assert!(missed.is_empty(), "{missed:?}");
}
