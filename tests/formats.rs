//! One script on both formats: what comes of it does not depend on how sectors lie in the file.

use disklayer_sqlite::harness::{World, prove_watched};
use disklayer_sqlite::layer::Format;
use disklayer_sqlite::script::{Bias, Outcome, Profile, Script, SeedChoices, Shape, Suite};

/// What came of each operation, and the hash of every byte.
struct Course {
    outcomes: Vec<(usize, Outcome)>,
    trace: u64,
}

fn course(script: &Script, format: Format, page_size: u32, world: &mut World) -> Course {
    let shape = Shape { format, page_size, ..script.shape.clone() };
    let script = Script { shape, lines: script.lines.clone() };
    let mut outcomes = Vec::new();
    let summary = prove_watched(&script, world, &mut |step| outcomes.push((step.index, step.outcome)));
    let summary = summary.unwrap_or_else(|divergence| panic!("{script}\n{divergence}"));
    Course { outcomes, trace: summary.trace }
}

/// Runs a script on both formats, with pages of several sizes.
pub(super) fn runs_alike(script: &Script, suite: Option<Suite>, world: &mut World) {
    let original = course(script, Format::Original, Shape::PAGE_SIZE, world);
    let struck = script.lines.iter().position(|line| line.strike.is_some()).unwrap_or(script.lines.len());
    for page_size in [512, 2048, Shape::PAGE_SIZE] {
        let clusters = course(script, Format::One, page_size, world);
        let before =
            |course: &Course| course.outcomes.iter().copied().filter(|(at, _)| *at < struck).collect::<Vec<_>>();
        assert_eq!(before(&clusters), before(&original), "pages of {page_size}: {script:?}");
        // What strikes an operation, and when threads go on, is counted in steps that each format has its own of.
        if struck == script.lines.len() && suite != Some(Suite::Threads) {
            assert_eq!(clusters.trace, original.trace, "pages of {page_size}: {script:?}");
        }
    }
}

#[test]
fn one_script_on_both_formats() {
    let mut world = World::new(None).unwrap();
    let (mut ran, mut struck) = (0, 0);
    for case in 0..450 {
        let suite = Suite::ALL[case as usize % Suite::ALL.len()];
        let bias = if case % 4 == 0 { Bias::Uniform } else { Bias::Swarm };
        let script = Script::generate(&Profile { bias, ..Profile::new(suite) }, &mut SeedChoices::new(11, case));
        // Made for extents, a script may have the original's format remember 2^32 zeroed sectors, one by one.
        if suite == Suite::Huge && script.shape.format != Format::Original {
            continue;
        }
        runs_alike(&script, Some(suite), &mut world);
        if script.lines.iter().any(|line| line.strike.is_some()) {
            runs_alike(&script.without_strikes(), Some(suite), &mut world);
            struck += 1;
        }
        ran += 1;
    }
    assert!(ran > 350 && struck > 50, "{ran} scripts, {struck} of them struck");
}
