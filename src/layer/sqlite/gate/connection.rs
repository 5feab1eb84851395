//! One connection's two files: the database and its log.
//!
//! **What waits, and who hears of it.** A write that was taken and not yet handed down must not be lost in silence.
//!
//! - *Log.* A transaction is committed by the last of its frames, which says so in its head; with it everything is
//!   handed down, inside the write of that frame, and SQLite hears of a failure before it publishes anything, whether
//!   it syncs then (`synchronous=FULL`) or not. Sums that are written once more after that frame go down as they come.
//!   A failure to hand down earlier frames is heard by the call that meets it, and they go on waiting: the next call
//!   tries again, and at the latest the commit. What still waits when the writer lets go of its lock was never
//!   committed, and is forgotten.
//! - *Database.* It is gathered only while a checkpoint copies pages, of which each is in the log, synced. A failure is
//!   heard by a later page, or by the truncation and the sync that end a full checkpoint; what waited is forgotten, and
//!   the next checkpoint copies it again. So is what waits when the log cannot be read, which ends a checkpoint too. A
//!   checkpoint that readers hold up ends without either, so it is not gathered. Where it becomes one all the same,
//!   because somebody commits meanwhile, a failure at its end breaks the gate: all is refused, and recovered from the
//!   log when the file is opened again.
//! - *New pages* that go to their places wait until the frame that commits, and who writes that one hears of a failure.
//! - *Barrier.* SQLite publishes frames with a barrier between two copies of a header. Should anything of the log wait
//!   then, it goes down; a failure breaks the gate, and the commit hears of it from `SQLITE_FCNTL_COMMIT_PHASETWO`.

use std::ffi::{CStr, CString, c_int, c_void};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use rusqlite::ffi;

use super::below::{Code, File, Vfs};
use super::gather::{Gather, Held};
use super::locks::{self, Level, Owner, Slots};
use super::log::Log;
use super::shared::{Region, Shared};
use direct::Direct;

mod direct;

/// SQLite's slots: for the writer, for who makes a checkpoint, for who recovers the log, and for readers, of whom the
/// first sees no log.
const WRITER: usize = 0;
const CHECKPOINT: usize = 1;
const RECOVERY: usize = 2;
const READERS_OF_LOG: usize = 4;

#[derive(Debug)]
pub(super) struct Connection {
    shared: Arc<Shared>,
    owner: Owner,
    vfs: Vfs,
    path: CString,
    database: File,
    gather: Gather,
    checkpoint: Checkpoint,
    log: Option<Log>,
    direct: Direct,
    slots: locks::Held,
    index: Option<Vec<Region>>,
}

/// How far a checkpoint of this connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checkpoint {
    None,
    /// It will not reach the end of the log, because somebody reads an older part.
    HeldUp,
    Copying,
    /// The last pages could not be handed down, and nobody has heard of it yet.
    Failed(Code),
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>, vfs: Vfs, path: &CStr, database: File) -> Self {
        Self {
            owner: shared.join(),
            gather: Gather::new(shared.gather),
            direct: Direct::new(shared.gather),
            shared,
            vfs,
            path: path.to_owned(),
            database,
            checkpoint: Checkpoint::None,
            log: None,
            slots: locks::Held::default(),
            index: None,
        }
    }

    pub(super) fn vfs(&self) -> Vfs {
        self.vfs
    }

    pub(super) fn database(&mut self) -> &mut File {
        &mut self.database
    }

    pub(super) fn set_log(&mut self, file: Option<File>) {
        self.log = file.map(|file| Log::new(file, self.shared.gather));
    }

    pub(super) fn log(&mut self) -> Result<&mut File, Code> {
        self.log.as_mut().map(Log::file).ok_or(ffi::SQLITE_IOERR)
    }

    fn checked_log(&mut self, code: Code) -> Result<&mut Log, Code> {
        self.shared.check(code)?;
        self.log.as_mut().ok_or(code)
    }

    pub(super) fn read_log(&mut self, buf: &mut [u8], offset: u64) -> Result<(), Code> {
        let read = self.read_placed(buf, offset);
        if read.is_err() && self.checkpoint == Checkpoint::Copying {
            // The checkpoint has heard of it, and ends here.
            self.gather.forget();
        }
        read
    }

    pub(super) fn truncate_log(&mut self, len: i64) -> Result<(), Code> {
        self.checked_log(ffi::SQLITE_IOERR_TRUNCATE)?.truncate(len)
    }

    pub(super) fn sync_log(&mut self, flags: c_int) -> Result<(), Code> {
        self.checked_log(ffi::SQLITE_IOERR_FSYNC)?.sync(flags)?;
        self.shared.places().synced();
        Ok(())
    }

    pub(super) fn log_size(&mut self) -> Result<i64, Code> {
        let recovers = self.slots.has_alone(RECOVERY);
        let log = self.checked_log(ffi::SQLITE_IOERR_FSTAT)?;
        if recovers { log.whole_size() } else { log.size() }
    }

    /// Hands down the pages that wait. They are in the log too: whoever hears of a failure need not keep them.
    fn hand_down(&mut self) -> Result<(), Code> {
        let Self { database, gather, .. } = self;
        let handed_down = gather.hand_down(|data, at| database.write(data, at));
        if handed_down.is_err() {
            gather.forget();
        }
        handed_down
    }

    pub(super) fn read(&mut self, buf: &mut [u8], offset: u64) -> Result<(), Code> {
        self.shared.check(ffi::SQLITE_IOERR_READ)?;
        if self.gather.held(buf.len(), offset) != Held::Nothing {
            self.hand_down()?;
        }
        self.database.read(buf, offset)
    }

    pub(super) fn write(&mut self, data: &[u8], offset: u64) -> Result<(), Code> {
        self.shared.check(ffi::SQLITE_IOERR_WRITE)?;
        if self.checkpoint != Checkpoint::Copying {
            return self.database.write(data, offset);
        }
        if self.direct.is_there(offset) {
            return Ok(());
        }
        let Self { database, gather, .. } = self;
        let taken = gather.write(data, offset, |data, at| database.write(data, at));
        if taken.is_err() {
            gather.forget();
        }
        taken
    }

    pub(super) fn truncate(&mut self, len: i64) -> Result<(), Code> {
        if let Checkpoint::Failed(code) = self.checkpoint {
            self.checkpoint = Checkpoint::None;
            self.shared.set_broken(false);
            return Err(code);
        }
        self.shared.check(ffi::SQLITE_IOERR_TRUNCATE)?;
        self.hand_down()?;
        self.database.truncate(len)
    }

    pub(super) fn sync(&mut self, flags: c_int) -> Result<(), Code> {
        self.shared.check(ffi::SQLITE_IOERR_FSYNC)?;
        self.hand_down()?;
        self.database.sync(flags)
    }

    pub(super) fn size(&mut self) -> Result<i64, Code> {
        self.hand_down()?;
        self.database.size()
    }

    pub(super) fn fetch(&mut self, offset: i64, len: c_int) -> Result<*mut c_void, Code> {
        self.shared.check(ffi::SQLITE_IOERR_READ)?;
        self.hand_down()?;
        self.database.fetch(offset, len)
    }

    /// What SQLite tells the file, before the VFS that does the work hears of it.
    pub(super) fn hear(&mut self, op: c_int) -> Result<(), Code> {
        match op {
            ffi::SQLITE_FCNTL_CKPT_START => self.begin_copying(),
            ffi::SQLITE_FCNTL_CKPT_DONE => self.end_copying(),
            ffi::SQLITE_FCNTL_COMMIT_PHASETWO => return self.shared.check(ffi::SQLITE_IOERR_WRITE),
            _ => return self.hand_down(),
        }
        Ok(())
    }

    fn begin_copying(&mut self) {
        if self.shared.gather == 0 {
            return;
        }
        if self.checkpoint == Checkpoint::None {
            self.checkpoint = Checkpoint::Copying;
        }
        if let Some(log) = &mut self.log {
            log.begin_copying();
        }
    }

    fn end_copying(&mut self) {
        self.checkpoint = match self.hand_down() {
            Ok(()) => Checkpoint::None,
            Err(code) => {
                // Until the truncation hears of it; if there is none, for good.
                self.shared.set_broken(true);
                Checkpoint::Failed(code)
            }
        };
        self.gather.rest();
        if let Some(log) = &mut self.log {
            log.end_copying();
        }
    }

    pub(super) fn lock(&mut self, level: Level) -> Result<(), Code> {
        self.shared.check(ffi::SQLITE_IOERR_LOCK)?;
        self.shared.lock(self.owner, level, self.vfs, &self.path)
    }

    pub(super) fn unlock(&mut self, level: Level) -> Result<(), Code> {
        let handed_down = self.hand_down();
        self.shared.unlock(self.owner, level);
        handed_down
    }

    pub(super) fn is_reserved(&self) -> bool {
        self.shared.is_reserved()
    }

    /// A piece of the index, made if it is to be; null if it is not there.
    pub(super) fn map(&mut self, region: usize, len: usize, least: usize) -> *mut c_void {
        if self.index.is_none() {
            self.shared.map();
        }
        let index = self.index.insert(self.shared.index(least, len));
        index.get(region).map_or(std::ptr::null_mut(), |region| region.as_ptr().cast_mut().cast())
    }

    pub(super) fn share_slot(&mut self, slot: usize) -> Result<(), Code> {
        self.shared.check(ffi::SQLITE_IOERR_SHMLOCK)?;
        match Slots::are_there(&(slot..slot + 1)) {
            true => self.shared.slots.share(&mut self.slots, slot).map_err(|_| ffi::SQLITE_BUSY),
            false => Err(ffi::SQLITE_IOERR_SHMLOCK),
        }
    }

    pub(super) fn take_slots(&mut self, slots: Range<usize>) -> Result<(), Code> {
        self.shared.check(ffi::SQLITE_IOERR_SHMLOCK)?;
        if !Slots::are_there(&slots) {
            return Err(ffi::SQLITE_IOERR_SHMLOCK);
        }
        let taken = self.shared.slots.take(&mut self.slots, slots.clone());
        match taken {
            Ok(()) if slots.contains(&CHECKPOINT) => self.checkpoint = Checkpoint::None,
            Err(_) if slots.start >= READERS_OF_LOG && slots.len() == 1 => self.checkpoint = Checkpoint::HeldUp,
            _ => {}
        }
        taken.map_err(|_| ffi::SQLITE_BUSY)
    }

    pub(super) fn release_slots(&mut self, slots: Range<usize>) {
        if slots.contains(&WRITER)
            && self.slots.has_alone(WRITER)
            && let Some(log) = &mut self.log
        {
            log.end_transaction();
            self.shared.places().end_transaction();
            self.direct.end_transaction();
        }
        if Slots::are_there(&slots) {
            self.shared.slots.release(&mut self.slots, slots);
        }
    }

    /// What was written before is to be seen before what is written after.
    pub(super) fn barrier(&mut self) {
        if self.slots.has_alone(WRITER)
            && let Some(log) = &mut self.log
            && log.hand_down().is_err()
        {
            self.shared.set_broken(true);
        }
        fence(Ordering::SeqCst);
    }

    pub(super) fn unmap(&mut self) {
        self.shared.slots.release_all(&mut self.slots);
        if self.index.take().is_some() {
            self.shared.unmap();
        }
    }

    /// Closes the file, and then lets others have it.
    pub(super) fn close(mut self) {
        self.unmap();
        let Self { shared, owner, database, log, .. } = self;
        drop((log, database));
        shared.leave(owner);
    }
}
