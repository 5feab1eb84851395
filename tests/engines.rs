//! The same script, made and shrunk by other engines: proptest's state machine, and quickcheck.

mod state_machine;

use disklayer_sqlite::harness::{World, prove};
use disklayer_sqlite::script::{Profile, Script, SeedChoices, Suite};
use quickcheck::{Arbitrary, Gen, QuickCheck};

/// A script for quickcheck.
#[derive(Clone, Debug)]
struct Quick(Script);

impl Arbitrary for Quick {
    fn arbitrary(g: &mut Gen) -> Self {
        let suite = *g.choose(&Suite::ALL).unwrap();
        Self(Script::generate(&Profile::new(suite), &mut SeedChoices::new(u64::arbitrary(g), 0)))
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let script = self.0.clone();
        let shorter = {
            let script = script.clone();
            (0..script.lines.len()).rev().map(move |at| script.without_ops(at..at + 1))
        };
        Box::new(shorter.chain(script.simpler()).map(Self))
    }
}

#[test]
fn quickcheck_finds_no_divergence() {
    fn agrees(Quick(script): Quick) -> Result<(), String> {
        let mut world = World::new(None).map_err(|e| e.to_string())?;
        prove(&script, &mut world).map(drop).map_err(|divergence| divergence.to_string())
    }
    QuickCheck::new().tests(300).max_tests(300).quickcheck(agrees as fn(Quick) -> Result<(), String>);
}

#[test]
fn the_same_seed_gives_the_same_script_and_the_same_trace() {
    let mut world = World::new(None).unwrap();
    for case in 0..200 {
        let profile = Profile::new(Suite::ALL[case as usize % Suite::ALL.len()]);
        let once = Script::generate(&profile, &mut SeedChoices::new(7, case));
        let again = Script::generate(&profile, &mut SeedChoices::new(7, case));
        assert_eq!(once, again);
        assert_eq!(prove(&once, &mut world).unwrap().trace, prove(&again, &mut world).unwrap().trace, "case {case}");
    }
}

#[test]
fn neighbouring_seeds_and_cases_give_other_scripts() {
    let script = |seed, case| Script::generate(&Profile::new(Suite::Stacks), &mut SeedChoices::new(seed, case));
    for seed in 0..50 {
        assert_ne!(script(seed, 0), script(seed + 1, 0), "seeds {seed} and the next");
        assert_ne!(script(0, seed), script(0, seed + 1), "cases {seed} and the next");
    }
}

#[test]
fn other_bytes_give_another_trace() {
    let mut world = World::new(None).unwrap();
    let mut trace = |text: &str| prove(&text.parse().unwrap(), &mut world).unwrap().trace;
    let one = trace("disk 512 in-memory; layer sqlite 8; write 0 1 stamp 1; read 0 1");
    let other = trace("disk 512 in-memory; layer sqlite 8; write 0 1 stamp 2; read 0 1");
    assert_ne!(one, other);
}
