//! Every call of a few scripts to their drive fails, in every way; and what that finds.

use disklayer_sqlite::fault::{self, Fault};
use disklayer_sqlite::harness::{Swept, World, prove, sweep};
use disklayer_sqlite::script::{Profile, Script, SeedChoices, Suite};
use disklayer_sqlite::strike::Failure;

fn script(case: u64) -> Script {
    let profile = Profile { max_ops: 5, ..Profile::new(Suite::FailingDrive) };
    Script::generate(&profile, &mut SeedChoices::new(11, case))
}

#[test]
fn rule_18_every_call_may_fail_in_every_way() {
    let (mut world, mut swept) = (World::new(None).unwrap(), Swept::default());
    // Few drawn scripts open many files, which is when they are locked.
    let opening: Script = "disk 512\nlayer sqlite 8\nreopen\npush sqlite\nreopen\nreopen".parse().unwrap();
    for script in (0..12).map(script).chain([opening]) {
        swept.add(&sweep(&script, &mut world).unwrap_or_else(|found| panic!("{found}")));
    }
    println!("{swept:?}");
    for ((name, _), strikes) in Failure::ALL.iter().zip(swept.strikes) {
        assert!(strikes >= 20, "{name}: {swept:?}");
    }
}

#[test]
fn a_script_of_so_many_calls_is_struck_at_each_of_them() {
    let mut world = World::new(None).unwrap();
    let script: Script = "disk 512\nlayer sqlite 8\nwrite 0 1 stamp 1\nflush".parse().unwrap();
    let swept = sweep(&script, &mut world).unwrap();
    // Alone and with all that follow: an even number of each, and as many errors as failures for want of memory.
    let [error, full, short, sync, lock, open, memory] = swept.strikes;
    assert_eq!(error, memory);
    assert!(swept.strikes.iter().all(|strikes| strikes % 2 == 0), "{swept:?}");
    assert!([full, short, sync].iter().all(|fewer| (2..error).contains(fewer)), "{swept:?}");
    assert!(error > full + sync + lock + open, "{swept:?}");
}

#[test]
fn a_sweep_finds_who_does_not_listen_to_a_failing_drive() {
    let mut world = World::new(None).unwrap();
    for fault in [Fault::CommitFailureForgotten, Fault::CloseFailureUntold, Fault::RollbackUnnoticed] {
        // What closing does with what was written is not asked by every drawn script.
        let closing: Script = "disk 512\nlayer sqlite 8\nwrite 0 1 stamp 1\nreopen\nread 0 1".parse().unwrap();
        let scripts = std::iter::once(closing).chain((0..40).map(script));
        let found = fault::with(fault, || scripts.into_iter().find_map(|script| sweep(&script, &mut world).err()));
        let found = found.unwrap_or_else(|| panic!("{fault:?} was not found"));
        println!("{fault:?}: {:?}", found.script);
        // What was found is the fault's doing.
        prove(&found.script, &mut world).unwrap();
    }
}
