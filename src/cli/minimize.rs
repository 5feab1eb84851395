//! `disklayer minimize`: the shortest script found that fails in the same way.

use std::path::PathBuf;

use clap::Args;
use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::harness::target::Target;
use disklayer_sqlite::harness::{World, minimize, prove};

use super::place::Place;
use super::scripts::{self, Saved};
use super::table::counted;
use super::{Verdict, artifacts, interrupt, note, outputs, quietly};

/// Shrink a script that fails, and print it with its story
#[derive(Args)]
pub(super) struct Minimize {
    /// The script, or an input that a fuzzer has left; it is not changed
    file: PathBuf,
    /// The file is an input of this fuzz target [default: what artifacts/TARGET/… or the file's name says]
    #[arg(long, value_name = "TARGET")]
    target: Option<Target>,
    /// Write the shrunk script there instead
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

impl Minimize {
    pub(super) fn execute(self) -> Result<Verdict> {
        if let Some(output) = &self.output {
            let inputs: Vec<_> = [&self.file].into_iter().chain(&self.place.base).map(PathBuf::as_path).collect();
            outputs::refuse_same(output, &inputs)?;
        }
        self.place.base_sectors()?;
        let (saved, mut world) = self.load()?;
        let Err(found) = quietly(|| prove(&saved.script, &mut world)) else {
            note(&format!("error: {} passes, so there is nothing to shrink", saved.name));
            return Ok(Verdict::Code(2));
        };
        let shrunk = quietly(|| {
            minimize(found, &mut |script| match interrupt::requested() {
                true => Ok(()),
                false => prove(script, &mut world).map(drop),
            })
        });
        let (before, after) = (saved.script.lines.len(), shrunk.script.lines.len());
        note(&format!("shrunk from {} to {after}", counted(before as u64, "operation")));
        match &self.output {
            Some(path) => std::fs::write(path, shrunk.to_string())
                .map_err(|e| Error::from_io(format!("writing {}", path.display()), e))?,
            None => super::print(&shrunk.to_string())?,
        }
        Ok(Verdict::Pass)
    }

    /// The script, and where it runs: that of a fuzzer, where the fuzzer ran it.
    fn load(&self) -> Result<(Saved, World)> {
        let (mut artifacts, _) = artifacts::sort_out(std::slice::from_ref(&self.file), self.target)?;
        let (Some(artifact), true) = (artifacts.pop(), artifacts.is_empty()) else {
            return Ok((scripts::load_one(&self.file)?, self.place.world()?));
        };
        match artifact.input.script() {
            Some(script) => {
                let saved = Saved { name: artifact.name, script: script.clone(), story: Vec::new() };
                Ok((saved, World::in_memory()))
            }
            None => {
                let what = format!("{} is no script; `disklayer replay` shows what it is", artifact.name);
                Err(Error::new(ErrorKind::Unsupported, what))
            }
        }
    }
}
