//! A raw file: the disk's bytes at the disk's offsets. No layers, and instead of a cache the image itself.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use super::disk::{Disk, Layering, Result, State, System};

pub(crate) struct Raw;

struct RawDisk {
    file: File,
    state: State,
}

impl System for Raw {
    fn create(&self, path: &Path, size: u64) -> Result<Box<dyn Disk>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        file.set_len(size)?;
        Ok(Box::new(RawDisk { file, state: State::Changed }))
    }

    fn open(&self, path: &Path, _size: u64) -> Result<Box<dyn Disk>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Box::new(RawDisk { file, state: State::Synced }))
    }

    fn layering(&self) -> Layering {
        Layering::Flat
    }

    fn create_over(&self, _path: &Path, _below: &[PathBuf], _size: u64) -> Result<Box<dyn Disk>> {
        Err("a raw file has no layers".into())
    }

    fn open_over(&self, _path: &Path, _below: &[PathBuf], _size: u64) -> Result<Box<dyn Disk>> {
        Err("a raw file has no layers".into())
    }

    fn create_cache(&self, _path: &Path, image: &Path, size: u64) -> Result<Option<Box<dyn Disk>>> {
        self.open(image, size).map(Some)
    }

    fn open_cache(&self, _path: &Path, image: &Path, size: u64) -> Result<Box<dyn Disk>> {
        self.open(image, size)
    }
}

impl Disk for RawDisk {
    fn read(&mut self, at: u64, buf: &mut [u8]) -> Result<()> {
        #[cfg(unix)]
        std::os::unix::fs::FileExt::read_exact_at(&self.file, buf, at)?;
        #[cfg(not(unix))]
        std::io::Read::read_exact(seek(&mut self.file, at)?, buf)?;
        Ok(())
    }

    fn write(&mut self, at: u64, data: &[u8]) -> Result<()> {
        self.state = State::Changed;
        #[cfg(unix)]
        std::os::unix::fs::FileExt::write_all_at(&self.file, data, at)?;
        #[cfg(not(unix))]
        std::io::Write::write_all(seek(&mut self.file, at)?, data)?;
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn unmap(&mut self, at: u64, len: u64) -> Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        self.state = State::Changed;
        Ok(fallocate(&self.file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, at, len)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn unmap(&mut self, at: u64, len: u64) -> Result<()> {
        self.write(at, &vec![0; usize::try_from(len)?])
    }

    fn flush(&mut self) -> Result<()> {
        if self.state == State::Changed {
            self.file.sync_data()?;
            self.state = State::Synced;
        }
        Ok(())
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.flush()
    }
}

#[cfg(not(unix))]
fn seek(file: &mut File, at: u64) -> Result<&mut File> {
    std::io::Seek::seek(file, std::io::SeekFrom::Start(at))?;
    Ok(file)
}
