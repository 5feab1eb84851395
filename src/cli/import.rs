//! `disklayer import`: a raw disk image becomes the file of a layer.

use std::path::PathBuf;

use clap::Args;
use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::layer::{
    Existing, FileDisk, Format, IncompleteFormatParams, LayerIo, Mode, Options, SqliteDiskLayer,
};

use super::bar::{size, verdict, with_bar};
use super::{Verdict, outputs, print};

/// Make the file of a layer from a raw disk image
///
/// The file appears when it is whole; Ctrl-C leaves what was there. Zeros take no room.
#[derive(Args)]
pub(super) struct Import {
    /// The disk image; it is only read
    image: PathBuf,
    /// The file of the layer
    file: PathBuf,
    /// Bytes of a sector
    #[arg(long, value_name = "BYTES", default_value_t = 512)]
    sector_size: u32,
    /// The format of the file: 0 is that of the original, with a row for each sector
    #[arg(long, value_name = "N", default_value_t = Format::NEWEST.version())]
    format: i32,
    /// Bytes of a page, from 512 to 32768: small ones suit small random writes
    #[arg(long, value_name = "BYTES", default_value_t = Options::default().page_size)]
    page_size: u32,
    /// Replace what is there
    #[arg(long)]
    replace: bool,
}

impl Import {
    pub(super) fn execute(self) -> Result<Verdict> {
        self.import().or_else(verdict)
    }

    fn import(&self) -> Result<Verdict> {
        let format = Format::of_version(self.format).ok_or_else(|| {
            let what = format!("format {}; there are those up to {}", self.format, Format::NEWEST.version());
            Error::new(ErrorKind::Unsupported, what)
        })?;
        let options = Options { format, page_size: self.page_size, ..Options::default() };
        outputs::refuse_same(&self.file, &[&self.image])?;
        let source = FileDisk::open(&self.image, self.sector_size, Mode::ReadOnly)?;
        let existing = if self.replace { Existing::Replace } else { Existing::Keep };
        let params = IncompleteFormatParams::default();
        let layer = with_bar(|watch| SqliteDiskLayer::import(&*self.file, params, &source, existing, &options, watch))?;
        layer.close()?;
        let (image, file) = (self.image.display(), self.file.display());
        let written = std::fs::metadata(&self.file).map_or(0, |info| info.len());
        print(&format!("{image}: {} in {file}, {}\n", size(source.metadata().geometry.len()), size(written)))?;
        Ok(Verdict::Pass)
    }
}
