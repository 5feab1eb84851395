//! The picture of one script on stdout, drawn in a process of its own: the script may be one that ends it.

use std::path::PathBuf;

use clap::Args;
use disklayer_sqlite::error::Result;
use disklayer_sqlite::harness::film;

use crate::cli::place::Place;
use crate::cli::{Verdict, print, quietly, scripts};

/// Draw a script; `soak` starts this
#[derive(Args)]
pub(in super::super) struct Draw {
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Draw {
    pub(in super::super) fn execute(self) -> Result<Verdict> {
        let saved = scripts::load_one(&self.file)?;
        let mut world = self.place.world()?;
        let film = quietly(|| film(&saved.script, &mut world));
        print(&super::drawn(&saved.script, &film))?;
        Ok(Verdict::Pass)
    }
}
