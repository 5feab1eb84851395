//! `disklayer replay`: scripts that were kept, run again.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use disklayer_sqlite::error::Result;
use disklayer_sqlite::harness::{Divergence, Summary, World, prove_watched};

use super::place::Place;
use super::scripts::{self, Saved};
use super::table::{counted, rounded};
use super::trace::Trace;
use super::{Verdict, interrupt};

/// Run saved scripts: a file, a directory of files *.script, or what proptest has left
#[derive(Args)]
pub(super) struct Replay {
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Show each operation with its outcome, and how many sectors of each layer it touched
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    place: Place,
}

impl Replay {
    pub(super) fn execute(self) -> Result<Verdict> {
        self.place.base_sectors()?;
        let scripts = scripts::load(&self.files)?;
        let mut world = self.place.world()?;
        let mut replayed = Replayed::default();
        for saved in scripts.iter().take_while(|_| !interrupt::requested()) {
            replayed.run(saved, &mut world, self.trace);
        }
        let (verdict, line) = replayed.verdict(scripts.len());
        super::print(&format!("{line}\n{}", replayed.text))?;
        Ok(verdict)
    }
}

#[derive(Default)]
struct Replayed {
    run: usize,
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

    fn verdict(&self, all: usize) -> (Verdict, String) {
        let Self { run, failed, operations, refused, sectors, .. } = self;
        let scripts = |number: usize| counted(number as u64, "script");
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
