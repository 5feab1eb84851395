//! `disklayer upgrade` and `disklayer compact`: the file of a layer is written anew in its place.

use std::path::PathBuf;

use clap::Args;
use disklayer_sqlite::error::Result;
use disklayer_sqlite::layer::{Format, Options, Rewritten, compact, upgrade};

use super::bar::{size, verdict, with_bar};
use super::{Verdict, print};

/// Bring the file of a layer to the newest format
///
/// It stays the same layer in the same state: its children find it. The new file takes the place of the old one when it
/// is whole; Ctrl-C leaves the old one. A file that has the newest format is left as it is.
#[derive(Args)]
pub(super) struct Upgrade {
    file: PathBuf,
    /// Bytes of a page, from 512 to 32768: small ones suit small random writes
    #[arg(long, value_name = "BYTES", default_value_t = Options::default().page_size)]
    page_size: u32,
}

/// Write the file of a layer anew, without free pages and in the order of its sectors
///
/// It stays the same layer in the same state: its children find it. The new file takes the place of the old one when it
/// is whole; Ctrl-C leaves the old one.
#[derive(Args)]
pub(super) struct Compact {
    file: PathBuf,
}

impl Upgrade {
    pub(super) fn execute(self) -> Result<Verdict> {
        let options = Options { page_size: self.page_size, ..Options::default() };
        let (file, newest) = (self.file.display(), Format::NEWEST.version());
        let said = match with_bar(|watch| upgrade(&self.file, &options, watch)) {
            Ok(Some(done)) => format!("{file}: format {newest} now, {}\n", sizes(done)),
            Ok(None) => format!("{file}: it has format {newest}, the newest; nothing to do\n"),
            Err(error) => return verdict(error),
        };
        print(&said).map(|()| Verdict::Pass)
    }
}

impl Compact {
    pub(super) fn execute(self) -> Result<Verdict> {
        match with_bar(|watch| compact(&self.file, &Options::default(), watch)) {
            Ok(done) => print(&format!("{}: {}\n", self.file.display(), sizes(done))).map(|()| Verdict::Pass),
            Err(error) => verdict(error),
        }
    }
}

fn sizes(done: Rewritten) -> String {
    format!("{} before, {} after", size(done.before), size(done.after))
}
