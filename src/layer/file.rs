//! A raw file as a disk: every sector is present, so it lies at the bottom of a stack.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::geometry::Geometry;
use crate::layer::{
    Access, Below, DiskLayerMetadata, Durability, FileSystem, Found, LayerIo, Mode, Native, Presence, RawFile,
    SectorMarker, UnmapBehavior, Wanted, readable, writable,
};
use crate::sync::RwLock;

/// A disk whose sectors lie in a file, one after the other.
#[derive(Debug)]
pub struct FileDisk {
    path: PathBuf,
    /// Requests that change the file exclude the others, so that each takes effect whole.
    file: RwLock<Box<dyn RawFile>>,
    /// A sync has failed. The system takes the pages for clean since, and a later sync says nothing of them (LWN 752063).
    has_failed: AtomicBool,
    /// Syncs come one after the other: of two at once the one may take the error, and the other say that all is well.
    syncing: Mutex<()>,
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
    /// `NotFound`, `PermissionDenied`, `NotADisk` (no regular file), `InvalidGeometry` (not a whole number of sectors), `Io`.
    pub fn open(path: &Path, sector_size: u32, mode: Mode) -> Result<Self> {
        Self::open_in(&Native, path, sector_size, mode)
    }

    /// The same, on a file system of the caller's.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn open_in(files: &dyn FileSystem, path: &Path, sector_size: u32, mode: Mode) -> Result<Self> {
        let failed = |source| Error::from_io(format!("opening the disk image {}", path.display()), source);
        // Before it is opened: what has no length, a pipe for one, might never open.
        let refuse = |what: &str| {
            let what = format!("{} is {what}, and a disk image is a file", path.display());
            Err(Error::new(ErrorKind::NotADisk, what))
        };
        let len = match files.look(path).map_err(failed)? {
            Found::File(len) => len,
            Found::Other => return refuse("a device or a pipe"),
            Found::Directory => return refuse("a directory"),
        };
        let geometry = Geometry::from_len(len, sector_size)
            .map_err(|e| Error::new(e.kind(), format!("the disk image {}", path.display())).because(e))?;
        let wanted = if mode == Mode::ReadOnly { Wanted::Reading } else { Wanted::Writing };
        let (file, possible) = files.open(path, wanted).map_err(failed)?;
        let access = if possible == Wanted::Writing { Access::ReadWrite } else { Access::ReadOnly };
        Ok(Self::over(path, file, geometry, access))
    }

    /// Creates an image of zeros, sparse where the file system can.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `Io` and its like.
    pub fn create(path: &Path, geometry: Geometry) -> Result<Self> {
        Self::create_in(&Native, path, geometry)
    }

    /// The same, on a file system of the caller's.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn create_in(files: &dyn FileSystem, path: &Path, geometry: Geometry) -> Result<Self> {
        let failed = |source| Error::from_io(format!("creating the disk image {}", path.display()), source);
        files.create_new(path).map_err(failed)?;
        let made = files.open(path, Wanted::Writing).and_then(|(file, _)| file.set_len(geometry.len()).map(|()| file));
        let file = made.map_err(|error| {
            let _ = files.remove(path);
            failed(error)
        })?;
        Ok(Self::over(path, file, geometry, Access::ReadWrite))
    }

    fn over(path: &Path, file: Box<dyn RawFile>, geometry: Geometry, access: Access) -> Self {
        let (path, file) = (path.to_owned(), RwLock::new(file));
        Self { path, file, has_failed: AtomicBool::new(false), syncing: Mutex::new(()), geometry, access }
    }

    /// The file; none if it can no longer vouch for what was written.
    fn file(&self) -> Result<&RwLock<Box<dyn RawFile>>> {
        if !self.has_failed.load(Ordering::SeqCst) {
            return Ok(&self.file);
        }
        let what =
            format!("the disk image {} could not be synced, and may lack acknowledged writes", self.path.display());
        Err(Error::new(ErrorKind::Failed, format!("{what}; reopen it")))
    }

    fn sync(&self, file: &dyn RawFile, sector: u64) -> Result<()> {
        let _syncing = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        self.file()?;
        let synced = file.sync();
        if synced.is_err() {
            self.has_failed.store(true, Ordering::SeqCst);
        }
        synced.map_err(|e| self.failed("syncing", sector, e))
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
        let range = readable(self.geometry, sector, buf, marker)?;
        let file = self.file()?.read().unwrap_or_else(PoisonError::into_inner);
        file.read_exact_at(buf, self.offset(sector)).map_err(|e| self.failed("reading", sector, e))?;
        marker.set(range);
        Ok(())
    }

    fn write(&self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        let range = self.geometry.check_buffer(sector, data.len())?;
        let Some(_) = writable(self.access, range)? else { return Ok(()) };
        let file = self.file()?.write().unwrap_or_else(PoisonError::into_inner);
        file.write_all_at(data, self.offset(sector)).map_err(|e| self.failed("writing", sector, e))?;
        match durability {
            Durability::Flushed => Ok(()),
            Durability::Fua if planted(Fault::FileFuaNotSynced) => Ok(()),
            Durability::Fua => self.sync(&**file, sector),
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
        let file = self.file()?.write().unwrap_or_else(PoisonError::into_inner);
        file.zero(from..to).map_err(|e| self.failed("unmapping", sector, e))
    }

    fn flush(&self) -> Result<()> {
        if self.access == Access::ReadOnly {
            return Ok(());
        }
        let file = self.file()?.read().unwrap_or_else(PoisonError::into_inner);
        self.sync(&**file, 0)
    }

    fn next_extent(&self, sector: u64) -> Result<Option<Range<u64>>> {
        self.file()?;
        let count = self.geometry.sector_count();
        Ok((sector < count).then_some(sector..count))
    }
}
