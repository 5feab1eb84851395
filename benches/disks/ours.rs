//! This crate: SQLite layers in a stack, in one of their formats.
//!
//! As every test and bench of this package it is built with the questions of `planted-faults` in it; with nothing
//! planted each is a comparison with a thread-local value.

use std::path::{Path, PathBuf};

use disklayer_sqlite::layer::{
    Durability, Existing, FileDisk, Format, FormatOnAttachSqliteDiskLayer, FormatParams, IncompleteFormatParams, Mode,
    Options, Progress, SqliteDiskLayer,
};
use disklayer_sqlite::stack::{DiskAccess, LayerConfiguration, LayeredDisk};

use super::disk::{Disk, Layering, Result, SECTOR, System};

/// A format of this crate. Another one is another constant here and a line in `systems.rs`.
pub(crate) struct Ours {
    format: Format,
    mapped: Mapped,
    page_size: u32,
}

/// Whether files are read through a mapping.
#[derive(Clone, Copy)]
pub(crate) enum Mapped {
    No,
    Yes,
}

/// The format of the original.
pub(crate) const FORMAT_0: Ours = Ours { format: Format::Original, ..FORMAT_1 };
/// What a new file is, if nobody says otherwise.
pub(crate) const FORMAT_1: Ours = Ours { format: Format::One, mapped: Mapped::No, page_size: 4096 };
/// The same, where the file is trusted.
pub(crate) const FORMAT_1_MAPPED: Ours = Ours { mapped: Mapped::Yes, ..FORMAT_1 };
/// With the pages that suit long transfers.
pub(crate) const FORMAT_1_STREAMING: Ours = Ours { page_size: 32768, ..FORMAT_1 };

struct OurDisk(LayeredDisk);

impl Ours {
    fn options(&self) -> Options {
        let mapped_bytes = match self.mapped {
            Mapped::No => 0,
            Mapped::Yes => u64::MAX,
        };
        Options { format: self.format, page_size: self.page_size, mapped_bytes, ..Options::default() }
    }

    fn new_layer(&self, path: &Path) -> LayerConfiguration {
        let (format, options) = (IncompleteFormatParams::default(), self.options());
        LayerConfiguration::new(FormatOnAttachSqliteDiskLayer::new(path, format, Existing::Keep, options))
    }

    fn existing(&self, path: &Path, mode: Mode) -> Result<LayerConfiguration> {
        Ok(LayerConfiguration::new(SqliteDiskLayer::open(path, mode, &self.options())?))
    }

    fn over(&self, top: LayerConfiguration, below: &[PathBuf]) -> Result<Box<dyn Disk>> {
        let below = below.iter().map(|path| self.existing(path, Mode::ReadOnly));
        stack(std::iter::once(Ok(top)).chain(below).collect::<Result<_>>()?)
    }
}

impl System for Ours {
    fn create(&self, path: &Path, size: u64) -> Result<Box<dyn Disk>> {
        let format = FormatParams { logically_read_only: false, len: size, sector_size: SECTOR as u32 };
        let layer = SqliteDiskLayer::create(path, format, Existing::Keep, &self.options())?;
        stack(vec![LayerConfiguration::new(layer)])
    }

    fn open(&self, path: &Path, _size: u64) -> Result<Box<dyn Disk>> {
        stack(vec![self.existing(path, Mode::ReadWrite)?])
    }

    fn import(&self, path: &Path, image: &Path, _size: u64) -> Result<Box<dyn Disk>> {
        let image = FileDisk::open(image, SECTOR as u32, Mode::ReadOnly)?;
        let format = IncompleteFormatParams::default();
        let (options, watch) = (self.options(), &mut |_: Progress| Ok(()));
        stack(vec![LayerConfiguration::new(SqliteDiskLayer::import(
            path,
            format,
            &image,
            Existing::Keep,
            &options,
            watch,
        )?)])
    }

    fn layering(&self) -> Layering {
        Layering::Layers
    }

    fn create_over(&self, path: &Path, below: &[PathBuf], _size: u64) -> Result<Box<dyn Disk>> {
        self.over(self.new_layer(path), below)
    }

    fn open_over(&self, path: &Path, below: &[PathBuf], _size: u64) -> Result<Box<dyn Disk>> {
        self.over(self.existing(path, Mode::ReadWrite)?, below)
    }

    fn create_cache(&self, path: &Path, image: &Path, _size: u64) -> Result<Option<Box<dyn Disk>>> {
        cache(self.new_layer(path), image).map(Some)
    }

    fn open_cache(&self, path: &Path, image: &Path, _size: u64) -> Result<Box<dyn Disk>> {
        cache(self.existing(path, Mode::ReadWrite)?, image)
    }
}

fn cache(layer: LayerConfiguration, image: &Path) -> Result<Box<dyn Disk>> {
    let image = FileDisk::open(image, SECTOR as u32, Mode::ReadOnly)?;
    stack(vec![LayerConfiguration { read_cache: true, ..layer }, LayerConfiguration::new(image)])
}

fn stack(layers: Vec<LayerConfiguration>) -> Result<Box<dyn Disk>> {
    Ok(Box::new(OurDisk(LayeredDisk::new(layers, DiskAccess::Writable)?)))
}

impl Disk for OurDisk {
    fn read(&mut self, at: u64, buf: &mut [u8]) -> Result<()> {
        Ok(self.0.read(at / SECTOR as u64, buf)?)
    }

    fn write(&mut self, at: u64, data: &[u8]) -> Result<()> {
        Ok(self.0.write(at / SECTOR as u64, data, Durability::Flushed)?)
    }

    fn unmap(&mut self, at: u64, len: u64) -> Result<()> {
        Ok(self.0.unmap(at / SECTOR as u64, len / SECTOR as u64)?)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(self.0.flush()?)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.0.close()?)
    }
}
