//! `disklayer replay`: scripts that were kept, and inputs that a fuzzer has left, run again.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use disklayer_sqlite::error::Result;
use disklayer_sqlite::harness::target::Target;
use disklayer_sqlite::harness::{Divergence, Summary, World, prove_watched};

use super::artifacts::{self, Artifact};
use super::place::Place;
use super::scripts::{self, Saved};
use super::table::{counted, rounded};
use super::trace::Trace;
use super::{Verdict, interrupt};

/// Run saved scripts: a file, a directory of files *.script, what proptest has left, or a fuzzer
#[derive(Args)]
pub(super) struct Replay {
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The files are inputs of this fuzz target [default: what artifacts/TARGET/… or the file's name says]
    #[arg(long, value_name = "TARGET")]
    target: Option<Target>,
    /// Show each operation with its outcome, and how many sectors of each layer it touched
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    place: Place,
}

impl Replay {
    pub(super) fn execute(self) -> Result<Verdict> {
        self.place.base_sectors()?;
        let (artifacts, files) = artifacts::sort_out(&self.files, self.target)?;
        let (scripts, inputs) = (scripts::load(&files)?, artifacts.len());
        let mut world = self.place.world()?;
        let mut replayed = Replayed::default();
        for saved in scripts.iter().take_while(|_| !interrupt::requested()) {
            replayed.run(saved, &mut world, self.trace);
        }
        for artifact in artifacts.into_iter().take_while(|_| !interrupt::requested()) {
            replayed.inputs += 1;
            replayed.run_artifact(artifact, self.trace);
        }
        let (verdict, line) = replayed.verdict(scripts.len() + inputs);
        super::print(&format!("{line}\n{}", replayed.text))?;
        Ok(verdict)
    }
}

#[derive(Default)]
struct Replayed {
    run: usize,
    /// How many of them a fuzzer has left.
    inputs: usize,
    failed: usize,
    operations: u64,
    refused: u64,
    sectors: u64,
    /// The traces that were asked for, and what went wrong.
    text: String,
}

impl Replayed {
    fn run(&mut self, saved: &Saved, world: &mut World, show: bool) {
        let mut trace = Trace::default();
        let result = super::quietly(|| prove_watched(&saved.script, world, &mut |step| trace.note(step)));
        self.run += 1;
        match &result {
            Ok(Summary { sectors, exercise, .. }) => {
                self.operations += exercise.executed();
                self.refused += exercise.refused;
                self.sectors += sectors;
            }
            Err(divergence) => {
                trace.note_divergence(divergence);
                self.failed += 1;
            }
        }
        if show {
            let _ = write!(self.text, "\n{}\n{trace}", saved.name);
        }
        if let Err(divergence) = result {
            self.text += &told(saved, &divergence);
        }
    }

    /// Runs an input where the fuzzer ran it, and shows what it is.
    fn run_artifact(&mut self, artifact: Artifact, show: bool) {
        let Artifact { name, target, input } = &artifact;
        let Some(script) = input.script() else {
            let (failed, text) = artifact.run();
            self.run += 1;
            self.failed += usize::from(failed);
            self.text += &text;
            return;
        };
        let saved = Saved { name: format!("{name}: an input of {target}"), script: script.clone(), story: Vec::new() };
        self.run(&saved, &mut World::in_memory(), show);
        let _ = writeln!(self.text, "\n{name}, as a script:");
        script.to_string().lines().for_each(|line| _ = writeln!(self.text, "    {line}"));
    }

    fn verdict(&self, all: usize) -> (Verdict, String) {
        let Self { run, failed, operations, refused, sectors, .. } = self;
        let noun = if self.inputs > 0 { "input" } else { "script" };
        let scripts = |number: usize| counted(number as u64, noun);
        let sectors = rounded(*sectors);
        match () {
            () if *failed > 0 => (Verdict::Fail, format!("FAIL  {failed} of {}", scripts(*run))),
            () if *run < all => (Verdict::Interrupted, format!("STOP  interrupted after {run} of {}", scripts(all))),
            () => {
                let (scripts, operations) = (scripts(*run), counted(*operations, "operation"));
                let line = format!("PASS  {scripts}, {operations} ({refused} refused), {sectors} sectors compared");
                (Verdict::Pass, line)
            }
        }
    }
}

/// What went wrong, and what the file says about it.
fn told(saved: &Saved, divergence: &Divergence) -> String {
    let mut text = format!("\n{}\n", saved.name);
    divergence.story().lines().for_each(|line| text += &format!("    {line}\n"));
    if !saved.story.is_empty() {
        text += "  the file says:\n";
        saved.story.iter().for_each(|line| text += &format!("    {line}\n"));
    }
    text
}
