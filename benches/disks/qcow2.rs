//! qcow2 in process: the `imago` crate, in its synchronous build.
//!
//! Clusters of 64 KiB, its default and `qemu-img`'s. Its flush writes its tables back; a sync follows, to be honest.

use std::path::{Path, PathBuf};

use imago::file::File;
use imago::qcow2::Qcow2;
use imago::{
    FormatAccess, FormatCreateBuilder, FormatDriverBuilder, PermissiveImplicitOpenGate, Storage, StorageCreateOptions,
};

use super::disk::{Disk, Layering, Result, State, System};

pub(crate) struct ImagoQcow2;

struct Qcow2Disk {
    image: FormatAccess<File>,
    state: State,
}

fn open(path: &Path, state: State) -> Result<Box<dyn Disk>> {
    let image = Qcow2::<File>::builder_path(path).write(true).open(PermissiveImplicitOpenGate::default())?;
    Ok(Box::new(Qcow2Disk { image: FormatAccess::new(image), state }))
}

impl System for ImagoQcow2 {
    fn create(&self, path: &Path, size: u64) -> Result<Box<dyn Disk>> {
        self.create_over(path, &[], size)
    }

    fn open(&self, path: &Path, _size: u64) -> Result<Box<dyn Disk>> {
        open(path, State::Synced)
    }

    fn layering(&self) -> Layering {
        Layering::Layers
    }

    fn create_over(&self, path: &Path, below: &[PathBuf], size: u64) -> Result<Box<dyn Disk>> {
        let file = File::create_open(StorageCreateOptions::new().filename(path))?;
        let mut image = Qcow2::<File>::create_builder(file).size(size);
        if let Some(nearest) = below.first() {
            let nearest = nearest.to_str().ok_or("the path is not Unicode")?;
            image = image.backing(nearest.to_owned(), "qcow2".to_owned());
        }
        image.create()?;
        open(path, State::Changed)
    }

    fn open_over(&self, path: &Path, _below: &[PathBuf], size: u64) -> Result<Box<dyn Disk>> {
        // The image says itself what is below it.
        self.open(path, size)
    }

    fn create_cache(&self, _path: &Path, _image: &Path, _size: u64) -> Result<Option<Box<dyn Disk>>> {
        // It does not copy on read.
        Ok(None)
    }

    fn open_cache(&self, _path: &Path, _image: &Path, _size: u64) -> Result<Box<dyn Disk>> {
        Err("qcow2 has no cache here".into())
    }
}

impl Disk for Qcow2Disk {
    fn read(&mut self, at: u64, buf: &mut [u8]) -> Result<()> {
        Ok(self.image.read(buf, at)?)
    }

    fn write(&mut self, at: u64, data: &[u8]) -> Result<()> {
        self.state = State::Changed;
        Ok(self.image.write(data, at)?)
    }

    fn unmap(&mut self, at: u64, len: u64) -> Result<()> {
        self.state = State::Changed;
        Ok(self.image.discard_to_zero(at, len)?)
    }

    fn flush(&mut self) -> Result<()> {
        if self.state == State::Changed {
            self.image.flush()?;
            self.image.sync()?;
            self.state = State::Synced;
        }
        Ok(())
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.flush()
    }
}
