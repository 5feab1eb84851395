//! A raw file as a disk: every sector is present, so it lies at the bottom of a stack.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::geometry::Geometry;
use crate::layer::{
    Access, Below, DiskLayerMetadata, Durability, LayerIo, Mode, Presence, SectorMarker, UnmapBehavior, writable,
};

mod positioned;

/// A disk whose sectors lie in a file, one after the other.
#[derive(Debug)]
pub struct FileDisk {
    path: PathBuf,
    /// Requests that change the file exclude the others, so that each takes effect whole.
    file: RwLock<File>,
    geometry: Geometry,
    access: Access,
}

impl FileDisk {
    /// Opens an existing image; its length gives the geometry.
    ///
    /// A file that cannot be written to opens read only and says so.
    ///
    /// # Errors
    ///
    /// `NotFound`, `PermissionDenied`, `InvalidGeometry` (not a whole number of sectors), `Io`.
    pub fn open(path: &Path, sector_size: u32, mode: Mode) -> Result<Self> {
        let failed = |source| Error::from_io(format!("opening the disk image {}", path.display()), source);
        let info = std::fs::metadata(path).map_err(failed)?;
        if info.is_dir() {
            let what = format!("{} is a directory, and a disk image is a file", path.display());
            return Err(Error::new(ErrorKind::NotADisk, what));
        }
        // Before it is opened: what has no length, a pipe for one, might never open.
        let geometry = Geometry::from_len(info.len(), sector_size)
            .map_err(|e| Error::new(e.kind(), format!("the disk image {}", path.display())).because(e))?;
        let (file, access) = match mode {
            Mode::ReadOnly => (File::open(path).map_err(failed)?, Access::ReadOnly),
            Mode::ReadWrite => match OpenOptions::new().read(true).write(true).open(path) {
                Ok(file) => (file, Access::ReadWrite),
                Err(_) => (File::open(path).map_err(failed)?, Access::ReadOnly),
            },
        };
        Ok(Self { path: path.to_owned(), file: RwLock::new(file), geometry, access })
    }

    /// Creates an image of zeros, sparse where the file system can.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `Io` and its like.
    pub fn create(path: &Path, geometry: Geometry) -> Result<Self> {
        let failed = |source| Error::from_io(format!("creating the disk image {}", path.display()), source);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).map_err(failed)?;
        if let Err(error) = file.set_len(geometry.len()) {
            let _ = std::fs::remove_file(path);
            return Err(failed(error));
        }
        Ok(Self { path: path.to_owned(), file: RwLock::new(file), geometry, access: Access::ReadWrite })
    }

    fn failed(&self, what: &str, sector: u64, source: std::io::Error) -> Error {
        Error::from_io(format!("{what} the disk image {}", self.path.display()), source).at_sector(sector)
    }

    fn offset(&self, sector: u64) -> u64 {
        sector * u64::from(self.geometry.sector_size())
    }
}

impl LayerIo for FileDisk {
    fn metadata(&self) -> DiskLayerMetadata {
        DiskLayerMetadata {
            geometry: self.geometry,
            access: self.access,
            presence: Presence::Full,
            unmap: UnmapBehavior::Zeroes,
            identity: None,
            parent: None,
        }
    }

    fn read(&self, sector: u64, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()> {
        let range = self.geometry.check_buffer(sector, buf.len())?;
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        positioned::read_exact(&file, buf, self.offset(sector)).map_err(|e| self.failed("reading", sector, e))?;
        marker.set(range);
        Ok(())
    }

    fn write(&self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        let range = self.geometry.check_buffer(sector, data.len())?;
        let Some(_) = writable(self.access, range)? else { return Ok(()) };
        let file = self.file.write().unwrap_or_else(PoisonError::into_inner);
        positioned::write_all(&file, data, self.offset(sector)).map_err(|e| self.failed("writing", sector, e))?;
        match durability {
            Durability::Flushed => Ok(()),
            Durability::Fua => file.sync_data().map_err(|e| self.failed("syncing", sector, e)),
        }
    }

    fn unmap(&self, sector: u64, count: u64, _below: Below) -> Result<()> {
        let range = self.geometry.check_range(sector, count)?;
        let Some(range) = writable(self.access, range)? else { return Ok(()) };
        let (mut from, mut to) = (self.offset(range.start), self.offset(range.end));
        if planted(Fault::HolePunchedInWholePages) {
            (from, to) = (from.next_multiple_of(4096), to / 4096 * 4096);
            if from >= to {
                return Ok(());
            }
        }
        let file = self.file.write().unwrap_or_else(PoisonError::into_inner);
        positioned::zero(&file, from..to).map_err(|e| self.failed("unmapping", sector, e))
    }

    fn flush(&self) -> Result<()> {
        if self.access == Access::ReadOnly {
            return Ok(());
        }
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        file.sync_data().map_err(|e| self.failed("syncing", 0, e))
    }

    fn next_extent(&self, sector: u64) -> Result<Option<Range<u64>>> {
        let count = self.geometry.sector_count();
        Ok((sector < count).then_some(sector..count))
    }
}
