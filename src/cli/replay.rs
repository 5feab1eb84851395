//! `disklayer replay`: scripts that were kept, and inputs that a fuzzer has left, run again.
//!
//! Says first whether they still fail, and whether in the way that was saved with them.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use disklayer_sqlite::error::{Error, Result};
use disklayer_sqlite::harness::target::Target;
use disklayer_sqlite::harness::{Divergence, Sight, Summary, World, film, prove_watched};
use disklayer_sqlite::oracle::Oracle;

use super::artifacts::{self, Artifact};
use super::place::Place;
use super::scripts::{self, Saved};
use super::table::{counted, rounded};
use super::trace::Trace;
use super::{Verdict, gate, interrupt, outputs, picture, soak};

mod emit;

/// Run again what was saved: a script, a directory of them such as a soak's, what proptest or a fuzzer has left
#[derive(Args)]
pub(super) struct Replay {
    #[arg(required_unless_present_any = ["seed", "case"], value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The files are inputs of this fuzz target [default: what artifacts/TARGET/… or the file's name says]
    #[arg(long, value_name = "TARGET")]
    target: Option<Target>,
    /// A script of the gate with this seed
    #[arg(long, requires = "case", conflicts_with = "files")]
    seed: Option<u64>,
    /// The number of that script
    #[arg(long, requires = "seed")]
    case: Option<u64>,
    /// The suites that the gate was asked for, if not all
    #[arg(long, value_name = "SUITE", value_parser = gate::suite, requires = "seed")]
    suite: Vec<disklayer_sqlite::script::Suite>,
    /// Show each operation with its outcome, and how many sectors of each layer it touched
    #[arg(long)]
    trace: bool,
    /// Draw each step as a page: the layers, and what lies in them
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the scripts as tests in Rust
    #[arg(long, value_name = "FILE")]
    emit_test: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

impl Replay {
    pub(super) fn execute(self) -> Result<Verdict> {
        self.spare_inputs()?;
        let base = self.place.base_sectors()?;
        let (artifacts, files) = artifacts::sort_out(&self.files, self.target)?;
        let (idle, files): (Vec<_>, Vec<_>) = files.into_iter().partition(|path| is_idle(path));
        let mut world = self.place.world()?;
        let scripts = match self.seed.zip(self.case) {
            Some((seed, case)) => {
                let script = gate::script(seed, case, self.suite.clone(), base, &mut world);
                vec![Saved { name: format!("seed {seed}, script {case}"), script, story: Vec::new() }]
            }
            None => scripts::load(&files)?,
        };
        let mut replayed = Replayed::default();
        for saved in scripts.iter().take_while(|_| !interrupt::requested()) {
            replayed.run(saved, &mut world, self.trace);
        }
        let all = scripts.len() + artifacts.len();
        for artifact in &artifacts {
            if interrupt::requested() {
                break;
            }
            replayed.run_artifact(artifact, self.trace);
        }
        let (verdict, mut line) = replayed.verdict(all);
        if all == 0 && !idle.is_empty() {
            line = "PASS  nothing was found, so there is nothing to run again".to_owned();
        }
        idle.iter().for_each(|path| _ = writeln!(replayed.text, "\n{}: this soak has found nothing", path.display()));
        let scripts: Vec<_> = scripts.into_iter().chain(artifacts.iter().filter_map(Artifact::saved)).collect();
        self.html.as_deref().map_or(Ok(()), |path| write(path, &drawn(&scripts, &line, &mut world)))?;
        self.emit_test.as_deref().map_or(Ok(()), |path| write(path, &emit::tests(&scripts)))?;
        super::print(&format!("{line}\n{}", replayed.text))?;
        Ok(verdict)
    }

    /// That nothing which is read, or written already, is written over.
    fn spare_inputs(&self) -> Result<()> {
        let outputs: Vec<&PathBuf> = self.html.iter().chain(&self.emit_test).collect();
        if outputs.is_empty() {
            return Ok(());
        }
        let mut taken: Vec<PathBuf> = self.place.base.iter().cloned().collect();
        for path in &self.files {
            taken.extend(scripts::within(path)?);
        }
        outputs::apart(outputs, taken.iter().map(PathBuf::as_path))
    }
}

/// Whether a soak has nothing to run again, since it has found nothing.
fn is_idle(path: &Path) -> bool {
    scripts::within(path).is_ok_and(|files| files.is_empty()) && soak::found_nothing(path)
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|e| Error::from_io(format!("writing {}", path.display()), e))
}

/// A page with the picture of each script.
fn drawn(scripts: &[Saved], verdict: &str, world: &mut World) -> String {
    let class = if verdict.starts_with("PASS") { "pass" } else { "fail" };
    let mut body = format!("<h1 class=\"verdict {class}\">{}</h1>\n", picture::escaped(verdict));
    for saved in scripts.iter().take_while(|_| !interrupt::requested()) {
        let film = super::quietly(|| film(&saved.script, world));
        let story = film.end.as_ref().err().map(|found| found.story());
        body += &format!("<h2>{}</h2>\n", picture::escaped(&saved.name));
        body += &story.map_or(String::new(), |story| format!("<pre>{}</pre>\n", picture::escaped(&story)));
        body += &picture::drawn(&saved.script, &film);
    }
    picture::page("disklayer replay", &body)
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
    /// How many failed as it is said of them, and otherwise; how many fail no more.
    ways: [usize; 3],
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
                if exercise.seen(Sight::RefusedStack) > 0 {
                    let outcome = Oracle::new(&saved.script.shape).1;
                    let _ = writeln!(
                        self.text,
                        "\n{}: the stack is {outcome}, as it must be; nothing ran on it",
                        saved.name
                    );
                }
            }
            Err(divergence) => {
                trace.note_divergence(divergence);
                self.failed += 1;
            }
        }
        if let Some(way) = way(saved, &result) {
            self.ways[way as usize] += 1;
        }
        if show {
            let _ = write!(self.text, "\n{}\n{trace}", saved.name);
        }
        if let Err(divergence) = result {
            self.text += &told(saved, &divergence);
        }
    }

    /// Runs an input where the fuzzer ran it, and shows what it is.
    fn run_artifact(&mut self, artifact: &Artifact, show: bool) {
        self.inputs += 1;
        let Some(saved) = artifact.saved() else {
            let (failed, text) = artifact.run();
            self.run += 1;
            self.failed += usize::from(failed);
            self.text += &text;
            return;
        };
        self.run(&saved, &mut World::in_memory(), show);
        let _ = writeln!(self.text, "\n{}, as a script:", artifact.name);
        saved.script.to_string().lines().for_each(|line| _ = writeln!(self.text, "    {line}"));
    }

    fn verdict(&self, all: usize) -> (Verdict, String) {
        let Self { run, failed, operations, refused, sectors, .. } = self;
        let noun = if self.inputs > 0 { "input" } else { "script" };
        let scripts = |number: usize| counted(number as u64, noun);
        let ways = self.told_ways();
        let sectors = rounded(*sectors);
        match () {
            () if *failed > 0 => (Verdict::Fail, format!("FAIL  {failed} of {}{ways}", scripts(*run))),
            () if *run < all => (Verdict::Interrupted, format!("STOP  interrupted after {run} of {}", scripts(all))),
            () => {
                let (scripts, operations) = (scripts(*run), counted(*operations, "operation"));
                let line =
                    format!("PASS  {scripts}, {operations} ({refused} refused), {sectors} sectors compared{ways}");
                (Verdict::Pass, line)
            }
        }
    }
}

impl Replayed {
    fn told_ways(&self) -> String {
        let ways = ["the same way as saved", "another way than saved", "fixed since"];
        let told = ways.iter().zip(self.ways).filter(|(_, times)| *times > 0);
        let told: Vec<_> =
            told.map(|(way, times)| if self.run == 1 { (*way).to_owned() } else { format!("{times} {way}") }).collect();
        if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) }
    }
}

/// How a script fails now, beside how it failed when it was saved.
#[derive(Clone, Copy)]
enum Way {
    Same,
    Another,
    NoLonger,
}

/// Nothing if the file does not say what differed.
fn way(saved: &Saved, result: &std::result::Result<Summary, Box<Divergence>>) -> Option<Way> {
    let differed = saved.story.iter().find_map(|line| line.strip_prefix(scripts::DIFFERS))?;
    Some(match result {
        Ok(_) => Way::NoLonger,
        Err(found) if found.signature().to_string() == differed => Way::Same,
        Err(_) => Way::Another,
    })
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
