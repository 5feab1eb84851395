//! The child of `gate --deep`: it works on a layer until it is killed, or nobody is left to kill it.

use std::io::{Write, stderr};
use std::path::PathBuf;

use clap::Args;
use disklayer_sqlite::error::Result;
use disklayer_sqlite::harness::kills::Life;

use super::{Verdict, interrupt};

/// Work on a layer until somebody ends it; `gate --deep` starts this
#[derive(Args)]
pub(super) struct Live {
    place: PathBuf,
    seed: u64,
    number: u64,
}

impl Live {
    pub(super) fn execute(self) -> Result<Verdict> {
        interrupt::when_stdin_ends(|| std::process::exit(2));
        let life = Life { seed: self.seed, number: self.number };
        // One call for a line, so that no half of one is ever said. Whoever does not listen has gone, and stdin ends.
        let mut say = |line: &str| drop(stderr().write_all(format!("{line}\n").as_bytes()));
        life.live(&self.place, &mut say).map(|never| match never {})
    }
}
