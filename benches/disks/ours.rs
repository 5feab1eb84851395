//! This crate: SQLite layers in a stack, in one of their formats.
//!
//! As every test and bench of this package it is built with the questions of `planted-faults` in it; with nothing
//! planted each is a comparison with a thread-local value.

use std::path::{Path, PathBuf};

use disklayer_sqlite::layer::{
    Durability, Existing, FileDisk, FormatOnAttachSqliteDiskLayer, FormatParams, IncompleteFormatParams, Mode, Options,
    SqliteDiskLayer,
};
use disklayer_sqlite::stack::{DiskAccess, LayerConfiguration, LayeredDisk};

use super::disk::{Disk, Layering, Result, SECTOR, System};

/// A format of this crate. Another one is another constant here and a line in `systems.rs`.
pub(crate) struct Ours {
    whole: fn(u64) -> FormatParams,
    over: fn() -> IncompleteFormatParams,
}

/// The format of the original.
pub(crate) const FORMAT_0: Ours = Ours {
    whole: |len| FormatParams { logically_read_only: false, len, sector_size: SECTOR as u32 },
    over: IncompleteFormatParams::default,
};

struct OurDisk(LayeredDisk);

impl Ours {
    fn new_layer(&self, path: &Path) -> LayerConfiguration {
        let (format, options) = ((self.over)(), Options::default());
        LayerConfiguration::new(FormatOnAttachSqliteDiskLayer::new(path, format, Existing::Keep, options))
    }
}

impl System for Ours {
    fn create(&self, path: &Path, size: u64) -> Result<Box<dyn Disk>> {
        let layer = SqliteDiskLayer::create(path, (self.whole)(size), Existing::Keep, &Options::default())?;
        stack(vec![LayerConfiguration::new(layer)])
    }

    fn open(&self, path: &Path, _size: u64) -> Result<Box<dyn Disk>> {
        stack(vec![existing(path, Mode::ReadWrite)?])
    }

    fn layering(&self) -> Layering {
        Layering::Layers
    }

    fn create_over(&self, path: &Path, below: &[PathBuf], _size: u64) -> Result<Box<dyn Disk>> {
        over(self.new_layer(path), below)
    }

    fn open_over(&self, path: &Path, below: &[PathBuf], _size: u64) -> Result<Box<dyn Disk>> {
        over(existing(path, Mode::ReadWrite)?, below)
    }

    fn create_cache(&self, path: &Path, image: &Path, _size: u64) -> Result<Option<Box<dyn Disk>>> {
        cache(self.new_layer(path), image).map(Some)
    }

    fn open_cache(&self, path: &Path, image: &Path, _size: u64) -> Result<Box<dyn Disk>> {
        cache(existing(path, Mode::ReadWrite)?, image)
    }
}

fn cache(layer: LayerConfiguration, image: &Path) -> Result<Box<dyn Disk>> {
    let image = FileDisk::open(image, SECTOR as u32, Mode::ReadOnly)?;
    stack(vec![LayerConfiguration { read_cache: true, ..layer }, LayerConfiguration::new(image)])
}

fn existing(path: &Path, mode: Mode) -> Result<LayerConfiguration> {
    Ok(LayerConfiguration::new(SqliteDiskLayer::open(path, mode, &Options::default())?))
}

fn over(top: LayerConfiguration, below: &[PathBuf]) -> Result<Box<dyn Disk>> {
    let below = below.iter().map(|path| existing(path, Mode::ReadOnly));
    stack(std::iter::once(Ok(top)).chain(below).collect::<Result<_>>()?)
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
