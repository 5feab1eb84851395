//! Random scripts of several threads: the stack's histories are all explained, whoever goes on where.

use std::time::Instant;

use disklayer_sqlite::harness::{Summary, Threads, World, prove};
use disklayer_sqlite::script::{Profile, Script, SeedChoices, Suite};

const SEED: u64 = 1;

pub(super) fn script(case: u64) -> Script {
    Script::generate(&Profile::new(Suite::Threads), &mut SeedChoices::new(SEED, case))
}

fn run(scripts: u64, world: &mut World) -> Summary {
    let start = Instant::now();
    let mut total = Summary::default();
    for case in 0..scripts {
        total.add(&prove(&script(case), world).unwrap_or_else(|divergence| panic!("case {case}: {divergence}")));
    }
    println!("{scripts} scripts in {:?}: {:?}", start.elapsed(), total.histories);
    total
}

#[test]
fn rule_23_random_interleavings_of_threads_that_take_turns_are_explained() {
    let histories = run(300, &mut World::new(None).unwrap()).histories;
    assert!(histories.groups > 1000 && histories.raced * 4 > histories.groups, "{histories:?}");
}

#[test]
fn rule_23_histories_of_threads_that_run_free_are_explained() {
    let mut world = World::new(None).unwrap().with_threads(Threads::RunFree);
    let histories = run(300, &mut world).histories;
    assert!(histories.overlapped > 0, "no two requests were under way at the same time: {histories:?}");
}
