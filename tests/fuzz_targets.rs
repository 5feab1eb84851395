//! What the fuzzer drives, without a fuzzer: bytes become meaningful inputs, find planted mistakes, and every committed
//! seed passes.

use std::path::Path;
use std::time::{Duration, Instant};

use disklayer_sqlite::fault::{self, Fault};
use disklayer_sqlite::harness::target::{Finding, Input, Playground, Target};
use disklayer_sqlite::script::{Choices, Content, Line, Op, Script, SeedChoices};

fn now() -> Duration {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    START.elapsed()
}

/// As a fuzzer that knows nothing would make them.
fn noise(len: usize, case: u64) -> Vec<u8> {
    let mut choices = SeedChoices::new(7, case);
    (0..len).map(|_| choices.below(256) as u8).collect()
}

/// Records of an operation begin here, and are so long.
const HEAD: usize = 64;
const RECORD: usize = 16;

#[test]
fn random_bytes_are_long_scripts_that_pass() {
    let mut place = Playground::new(now);
    for target in [Target::Script, Target::Layer, Target::PowerCut] {
        let (mut lines, mut stacks) = (0, 0);
        for case in 0..300 {
            let input = target.decode(&noise(1000, case));
            let script = input.script().unwrap();
            lines += script.lines.len();
            stacks += usize::from(script.shape.layers.len() > 1);
            assert_eq!(&script.to_string().parse::<Script>().unwrap(), script, "a script is its text");
            place.run_input(&input).unwrap_or_else(|found| panic!("{target}, case {case}:\n{found}"));
        }
        assert!(lines > 300 * 36, "{target}: {lines} operations");
        assert_eq!(stacks > 150, target != Target::Layer, "{target}: {stacks} stacks of several layers");
    }
}

#[test]
fn random_bytes_of_the_other_targets_pass() {
    let mut place = Playground::new(now);
    for target in [Target::HostileDatabase, Target::ScriptText, Target::Description] {
        for case in 0..400 {
            place.run(target, &noise(1 + case as usize / 4, case)).unwrap_or_else(|found| panic!("{target}: {found}"));
        }
    }
    for len in 0..100 {
        for target in Target::ALL {
            place.run(target, &vec![0xff; len]).unwrap_or_else(|found| panic!("{target}, {len}: {found}"));
        }
    }
}

/// The operation without what it only counts.
fn plain(line: &Line) -> String {
    let mut op = line.op;
    if let Op::Write { content: content @ Content::Stamp(_), .. }
    | Op::Fill { content: content @ Content::Stamp(_), .. } = &mut op
    {
        *content = Content::Stamp(0);
    }
    op.to_string()
}

#[test]
fn what_is_done_to_a_record_is_done_to_its_operation() {
    let lines = |bytes: &[u8]| -> Vec<String> {
        Target::Script.decode(bytes).script().unwrap().lines.iter().map(plain).collect()
    };
    let (mut same, mut all) = (0, 0);
    for case in 0..200 {
        let bytes = noise(HEAD + 40 * RECORD, case);
        let at = case as usize % 40;
        let less = [&bytes[..HEAD + at * RECORD], &bytes[HEAD + (at + 1) * RECORD..]].concat();
        let (mut before, after) = (lines(&bytes), lines(&less));
        assert_eq!((before.len(), after.len()), (40, 39));
        assert_eq!(before[..at], after[..at], "what came before is as it was");
        before.remove(at);
        same += before.iter().zip(&after).filter(|(before, after)| before == after).count();
        all += after.len();
    }
    println!("{same} of {all} operations stay what they are when another is deleted");
    assert!(same * 10 > all * 9, "{same} of {all}");
}

#[test]
fn one_byte_changes_one_operation() {
    let (mut changed, mut others) = (0, 0);
    for case in 0..200 {
        let mut bytes = noise(HEAD + 40 * RECORD, case);
        let before = Target::Script.decode(&bytes);
        let at = case as usize % 40;
        bytes[HEAD + at * RECORD + case as usize % 8] ^= 0x40;
        let after = Target::Script.decode(&bytes);
        let (before, after) = (before.script().unwrap(), after.script().unwrap());
        assert_eq!(before.shape, after.shape);
        let differ = |n: &usize| plain(&before.lines[*n]) != plain(&after.lines[*n]);
        changed += usize::from(differ(&at));
        others += (0..40).filter(|n| *n != at).filter(differ).count();
    }
    println!("a bit changes its operation in {changed} of 200 scripts, and {others} others");
    assert!(changed > 60 && others < 400, "{changed}, {others}");
}

/// The first input of random bytes that shows something.
fn search(target: Target, len: usize, place: &mut Playground) -> Option<(u64, Finding)> {
    (0..4000).find_map(|case| Some((case, place.run(target, &noise(len, case)).err()?)))
}

#[test]
fn bytes_find_planted_mistakes_through_every_target_that_runs_something() {
    let planted = [
        (Target::Script, Fault::CacheFilledFromRequestStart),
        (Target::Script, Fault::CommitSkipsZeroes),
        (Target::Layer, Fault::FillCoversZeroed),
        (Target::Layer, Fault::UnmapMissesLast),
        (Target::PowerCut, Fault::FuaNotCommitted),
        (Target::PowerCut, Fault::SynchronousOff),
        (Target::HostileDatabase, Fault::SectorRangeUnchecked),
        (Target::HostileDatabase, Fault::LengthUnchecked),
    ];
    for (target, fault) in planted {
        let mut place = Playground::new(now);
        let found = fault::with(fault, || search(target, 1000, &mut place));
        let (case, found) = found.unwrap_or_else(|| panic!("{target} does not find {fault:?}"));
        println!("{target} finds {fault:?} with input {case}: {}", found.slug());
        // What was found is the fault's doing.
        place.run(target, &noise(1000, case)).unwrap_or_else(|found| panic!("without {fault:?}: {found}"));
    }
}

#[test]
fn a_target_is_known_by_the_path_of_its_input() {
    for target in Target::ALL {
        assert_eq!(target.name().parse::<Target>().unwrap(), target);
        for path in
            [format!("fuzz/artifacts/{target}/crash-00"), format!("a/{target}-crash-00"), format!("{target}.bin")]
        {
            assert_eq!(Target::of_artifact(Path::new(&path)), Some(target), "{path}");
        }
    }
    assert_eq!(Target::of_artifact(Path::new("fuzz/artifacts/script_text/crash-1")), Some(Target::ScriptText));
    assert_eq!(Target::of_artifact(Path::new("somewhere/crash-1")), None);
    let error = "scripts".parse::<Target>().unwrap_err();
    assert!(error.to_string().contains("power_cut"), "{error}");
}

#[test]
fn a_text_that_is_not_read_back_would_be_found() {
    let mut place = Playground::new(now);
    for text in ["disk 512\nlayer ram 8\nread 0 1\n", "layer 512 8 seed 1 flushes 0; flip file 3 1", "nonsense"] {
        place.run_input(&Input::ScriptText(text.to_owned())).unwrap_or_else(|found| panic!("{found}"));
    }
    place.run_input(&Input::Description("memdiff:mem:64M".to_owned())).unwrap_or_else(|found| panic!("{found}"));
}

/// Bytes of all seeds together.
const MOST_SEEDS: u64 = 1 << 20;

#[test]
fn every_committed_seed_passes() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let mut place = Playground::new(now);
    let mut bytes = 0;
    for target in Target::ALL {
        let mut seen = 0;
        for entry in std::fs::read_dir(seeds.join(target.name())).unwrap() {
            let path = entry.unwrap().path();
            let seed = std::fs::read(&path).unwrap();
            assert_eq!(Target::of_artifact(&path), Some(target));
            place.run(target, &seed).unwrap_or_else(|found| panic!("{}:\n{found}", path.display()));
            (bytes, seen) = (bytes + seed.len() as u64, seen + 1);
        }
        assert!(seen >= 20, "{target} has {seen} seeds");
    }
    assert!(bytes < MOST_SEEDS, "the seeds are {bytes} bytes");
}

#[test]
fn the_seeds_of_each_target_find_a_planted_mistake() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let planted = [
        (Target::Script, Fault::UnmapKeepsData),
        (Target::Layer, Fault::LastClusterTakenForFull),
        (Target::PowerCut, Fault::FlushDoesNothing),
        (Target::HostileDatabase, Fault::StrangersAllowed),
    ];
    for (target, fault) in planted {
        let mut place = Playground::new(now);
        let files = std::fs::read_dir(seeds.join(target.name())).unwrap();
        let found = fault::with(fault, || {
            files
                .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
                .find_map(|seed| place.run(target, &seed).err())
        });
        let found = found.unwrap_or_else(|| panic!("no seed of {target} finds {fault:?}"));
        println!("a seed of {target} finds {fault:?}: {}", found.slug());
    }
}
