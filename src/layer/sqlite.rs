//! A layer kept in one SQLite file, the *dbhd*.
//!
//! New files have format 1, a row for each cluster of sectors (`clusters`); those of OpenVMM's crate of the same name have
//! what is called format 0 here, a row for each sector (`rows`), and stay so. `docs/format.md` specifies both. Who a layer
//! is, and what it was made over, lies in a table of its own, which the original ignores.
//!
//! - Changes gather in one SQLite transaction, short ones in memory; a flush commits with `synchronous=FULL`, which syncs
//!   the log. A power cut leaves the state after some prefix of the requests, never less than the last flush.
//! - A request that fails halfway is undone by a savepoint, or, where only a failing drive can stop it, by opening the
//!   layer again. The writer's lock is exclusive from open to close (`gate`); readers share.
//! - Reads go around SQLite where the bytes lie in the file (`shortcut`), and through connections of their own where the
//!   session is at work (`readers`).
//! - A layer that can no longer vouch for every acknowledged byte refuses everything until it is reopened.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::geometry::Geometry;
use crate::layer::{
    Access, Below, DiskLayerMetadata, Durability, Identity, LayerIo, Parent, Presence, SectorMarker, UnmapBehavior,
    fillable, readable, writable,
};
use crate::sync::{Mutex, MutexGuard};

mod attach;
mod blob;
mod btree;
mod check;
mod checkpoint;
mod clusters;
mod connect;
mod copy;
mod create;
mod database;
mod door;
#[cfg(feature = "harness")]
mod forge;
mod format;
mod fresh;
mod gate;
mod glance;
mod header;
mod import;
mod journal;
mod layout;
mod location;
mod log;
mod moved;
mod options;
mod params;
#[cfg(feature = "planted-faults")]
mod races;
mod readers;
mod record;
mod rewrite;
mod rows;
mod scan;
mod schema;
mod seal;
mod session;
mod shortcut;
mod space;
mod structure;

pub use attach::FormatOnAttachSqliteDiskLayer;
pub use check::{Checkup, Salvaged, check, salvage};
pub use copy::{Progress, Watch};
#[cfg(feature = "harness")]
pub use forge::{Attack, Effect, Reached};
pub use format::Format;
pub use location::{Location, MemoryFile};
pub use options::Options;
pub use params::{Existing, FormatParams, IncompleteFormatParams, Mode};
use readers::{Busy, Readers};
pub use rewrite::{Rewritten, compact, upgrade};
use session::Session;
use shortcut::{Ask, Shortcut};

/// A disk layer in a SQLite file.
///
/// ```
/// use disklayer_sqlite::layer::*;
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("a.dbhd");
/// let format = FormatParams { logically_read_only: false, len: 1 << 20, sector_size: 512 };
/// let layer = SqliteDiskLayer::create(&path, format, Existing::Keep, &Options::default())?;
/// layer.write(40, &[7; 1024], Durability::Flushed)?; // a power cut may still take it back
/// layer.flush()?;
/// layer.close()?; // a drop does the same, and cannot say that it failed
/// let layer = SqliteDiskLayer::open(&path, Mode::ReadOnly, &Options::default())?;
/// let (mut buf, mut marker) = ([0xff; 1536], SectorMarker::new(40..43));
/// layer.read(40, &mut buf, &mut marker)?;
/// assert!(marker.is_set(41) && !marker.is_set(42));
/// assert_eq!((buf[1023], buf[1024]), (7, 0xff)); // an absent sector is left alone
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteDiskLayer {
    geometry: Geometry,
    access: Access,
    location: Location,
    state: Mutex<State>,
    shortcut: Option<Arc<Shortcut>>,
    readers: Option<Arc<Readers>>,
    busy: Busy,
    #[cfg(feature = "planted-faults")]
    races: races::Races,
}

enum State {
    Open(Box<Session>),
    /// A change was lost, or may have been.
    Failed,
    Closed,
}

impl State {
    /// Lets go of the file as it is, so that it can be opened again.
    fn fail(&mut self) {
        if let Self::Open(session) = std::mem::replace(self, Self::Failed) {
            session.abandon();
        }
    }
}

impl SqliteDiskLayer {
    /// Opens an existing layer.
    ///
    /// # Errors
    ///
    /// `NotFound`, `PermissionDenied`, `NotADisk`, `Corrupt`, `TooNew`, `Busy`, `Io`; a file that is refused keeps
    /// every byte.
    pub fn open(at: impl Into<Location>, mode: Mode, options: &Options) -> Result<Self> {
        let location = at.into();
        Self::open_made(location, mode, options, None)
    }

    fn open_made(location: Location, mode: Mode, options: &Options, made: Option<Identity>) -> Result<Self> {
        let session = Session::open(&location, mode, options, made)?;
        Ok(Self::from_session(location, session))
    }

    /// Creates a layer without a sector.
    ///
    /// # Errors
    ///
    /// `InvalidGeometry`, `AlreadyExists`, `Busy`, `Io` and its like. Everything is checked before anything is
    /// destroyed; interrupted, it leaves the old file or the new one.
    pub fn create(
        at: impl Into<Location>,
        format: FormatParams,
        existing: Existing,
        options: &Options,
    ) -> Result<Self> {
        Self::create_over(at.into(), format, None, existing, options)
    }

    fn create_over(
        location: Location,
        format: FormatParams,
        parent: Option<Parent>,
        existing: Existing,
        options: &Options,
    ) -> Result<Self> {
        let geometry = Geometry::from_len(format.len, format.sector_size)?;
        let meta = schema::Meta::new(format.logically_read_only, geometry, options.format, options.page_size)?;
        let made = create::create(&location, &meta, parent, existing, options)?;
        Self::open_made(location, Mode::ReadWrite, options, Some(made))
    }

    fn from_session(location: Location, session: Session) -> Self {
        let (shortcut, readers) = session.ways_around();
        Self {
            geometry: session.geometry(),
            access: session.access(),
            shortcut,
            readers,
            busy: Busy::default(),
            location,
            state: Mutex::new(State::Open(Box::new(session))),
            #[cfg(feature = "planted-faults")]
            races: races::Races::default(),
        }
    }

    // A thread that panicked may have left a request half done: SQLite would still hold it in its transaction.
    fn state(&self) -> MutexGuard<'_, State> {
        #[allow(unused_mut, reason = "a planted fault changes it")]
        let mut state = self.state.lock().unwrap_or_else(|poisoned: PoisonError<_>| {
            let mut state = poisoned.into_inner();
            state.fail();
            state
        });
        #[cfg(feature = "planted-faults")]
        if let State::Open(session) = &mut *state {
            self.races.catch_up(session);
        }
        state
    }

    fn with<R>(&self, work: impl FnOnce(&mut Session) -> Result<R>) -> Result<R> {
        let _busy = self.busy.one_more();
        let mut state = self.state();
        let State::Open(session) = &mut *state else { return Err(self.refusal(&state)) };
        let result = work(session);
        if result.is_err() {
            session.let_go();
        }
        if session.has_lost_changes() {
            state.fail();
        }
        result
    }

    fn refusal(&self, state: &State) -> Error {
        let what = match state {
            State::Closed => "is closed; open it again",
            State::Open(_) | State::Failed => "failed before and may lack acknowledged writes; reopen it",
        };
        Error::new(ErrorKind::Failed, format!("{} {what}", self.location))
    }
}

impl LayerIo for SqliteDiskLayer {
    fn metadata(&self) -> DiskLayerMetadata {
        let (identity, parent) = match &*self.state() {
            State::Open(session) => (session.identity(), session.parent()),
            State::Failed | State::Closed => (None, None),
        };
        DiskLayerMetadata {
            geometry: self.geometry,
            access: self.access,
            presence: Presence::Sparse,
            unmap: UnmapBehavior::Zeroes,
            identity,
            parent,
        }
    }

    fn read(&self, sector: u64, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()> {
        let range = readable(self.geometry, sector, buf, marker)?;
        if range.is_empty() {
            return Ok(());
        }
        #[cfg(feature = "planted-faults")]
        if let Some(result) = self.racing_read(&range, buf, marker) {
            return result;
        }
        let ask = match &self.shortcut {
            Some(shortcut) => shortcut.read(&range, buf, marker),
            None if self.access == Access::ReadOnly => Ask::Anybody,
            None => Ask::Writer,
        };
        let is_read = match (ask, &self.readers) {
            (Ask::Nobody, _) => true,
            (Ask::Anybody, Some(readers)) if self.busy.is_any() => readers.read(sector, buf, marker),
            _ => false,
        };
        if is_read {
            return Ok(());
        }
        self.with(|session| session.read(range, buf, marker)).map_err(|e| e.at_sector(sector))
    }

    fn write(&self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        let range = self.geometry.check_buffer(sector, data.len()).inspect_err(|_| self.begin_refused(sector))?;
        let Some(range) = writable(self.access, range)? else { return Ok(()) };
        #[cfg(feature = "planted-faults")]
        if let Some(result) = self.racing_write(&range, data) {
            return result;
        }
        self.with(|session| {
            session.write(range, data)?;
            match durability {
                Durability::Flushed => Ok(()),
                Durability::Fua if planted(Fault::FuaNotCommitted) => Ok(()),
                Durability::Fua => session.commit(),
            }
        })
        .map_err(|e| e.at_sector(sector))
    }

    fn write_no_overwrite(&self, sector: u64, data: &[u8]) -> Result<()> {
        let range = self.geometry.check_buffer(sector, data.len())?;
        let Some(range) = fillable(self.access, range)? else { return Ok(()) };
        #[cfg(feature = "planted-faults")]
        if let Some(result) = self.racing_fill(&range, data) {
            return result;
        }
        self.with(|session| session.fill(range, data)).map_err(|e| e.at_sector(sector))
    }

    fn unmap(&self, sector: u64, count: u64, below: Below) -> Result<()> {
        let count = if planted(Fault::UnmapCountTruncated) { u64::from(count as u32) } else { count };
        let range = self.geometry.check_range(sector, count).inspect_err(|_| self.begin_refused(sector))?;
        let Some(range) = writable(self.access, range)? else { return Ok(()) };
        #[cfg(feature = "planted-faults")]
        if let Some(result) = self.racing_unmap(&range, below) {
            return result;
        }
        self.with(|session| session.unmap(range, below)).map_err(|e| e.at_sector(sector))
    }

    fn flush(&self) -> Result<()> {
        #[cfg(feature = "planted-faults")]
        if let Some(result) = self.racing_flush() {
            return result;
        }
        self.with(Session::flush)
    }

    fn next_extent(&self, sector: u64) -> Result<Option<Range<u64>>> {
        if sector >= self.geometry.sector_count() {
            return Ok(None);
        }
        self.with(|session| session.next_extent(sector))
    }

    fn zeroed_until(&self, sector: u64) -> Result<u64> {
        match sector < self.geometry.sector_count() {
            true => self.with(|session| session.zeroed_until(sector)),
            false => Ok(sector),
        }
    }

    fn clear(&self) -> Result<()> {
        writable(self.access, 0..self.geometry.sector_count())?;
        #[cfg(feature = "planted-faults")]
        self.is_changed();
        self.with(Session::clear)
    }

    fn coming_identity(&self) -> Result<Option<Identity>> {
        self.with(|session| session.coming_identity())
    }

    fn seal(&self) {
        if let State::Open(session) = &mut *self.state() {
            session.seal();
        }
    }

    fn record_parent(&self, parent: &Parent) -> Result<()> {
        match self.access {
            Access::ReadOnly => Ok(()),
            Access::ReadWrite | Access::LogicallyReadOnly => self.with(|session| session.record_parent(parent)),
        }
    }

    fn verify(&self) -> Result<()> {
        self.with(|session| session.verify())
    }

    fn close(&self) -> Result<()> {
        match std::mem::replace(&mut *self.state(), State::Closed) {
            #[cfg(feature = "planted-faults")]
            State::Open(session) if self.is_said_to_be_clean() => {
                session.abandon();
                Ok(())
            }
            State::Open(session) => session.close(),
            State::Failed => Err(self.refusal(&State::Failed)),
            State::Closed => Ok(()),
        }
    }
}

impl Drop for SqliteDiskLayer {
    fn drop(&mut self) {
        // Whoever wants to hear of a failure calls `close`.
        let _ = self.close();
    }
}

impl fmt::Debug for SqliteDiskLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteDiskLayer").field("location", &self.location).field("geometry", &self.geometry).finish()
    }
}
