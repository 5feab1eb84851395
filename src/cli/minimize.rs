//! `disklayer minimize`: the shortest script found that fails in the same way.

use std::path::PathBuf;

use clap::Args;
use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::harness::{minimize, prove};

use super::place::Place;
use super::table::counted;
use super::{Verdict, interrupt, note, quietly, scripts};

/// Shrink a script that fails, and print it with its story
#[derive(Args)]
pub(super) struct Minimize {
    /// The script; it is not changed
    file: PathBuf,
    /// Write the shrunk script there instead
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

impl Minimize {
    pub(super) fn execute(self) -> Result<Verdict> {
        self.place.base_sectors()?;
        let saved = scripts::load_one(&self.file)?;
        let mut world = self.place.world()?;
        let Err(found) = quietly(|| prove(&saved.script, &mut world)) else {
            let what = format!("{} passes, so there is nothing to shrink", saved.name);
            return Err(Error::new(ErrorKind::Unsupported, what));
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
}
