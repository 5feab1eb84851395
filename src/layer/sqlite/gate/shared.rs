//! What the connections of one gate share: the lock that keeps everybody else out, their own locks, the index of the log.

use std::ffi::{CStr, c_int};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::ffi;

use super::below::{Anchor, Code, Vfs};
use super::locks::{Level, Levels, Owner, Slots};
use super::places::Places;

/// A piece of the index. SQLite guards it with locks and barriers of its own, as it does for memory that processes
/// share; to us it is bytes that may change at any time.
pub(super) type Region = Arc<[AtomicU64]>;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) gather: usize,
    pub(super) slots: Slots,
    is_broken: AtomicBool,
    state: Mutex<State>,
    places: Mutex<Places>,
}

#[derive(Debug, Default)]
struct State {
    next: Owner,
    connections: usize,
    anchor: Option<Arc<Anchor>>,
    levels: Levels,
    index: Vec<Region>,
    /// How many connections have the index.
    mapped: usize,
}

impl Shared {
    pub(super) fn new(gather: usize) -> Self {
        let (slots, is_broken) = (Slots::default(), AtomicBool::new(false));
        Self { gather, slots, is_broken, state: Mutex::default(), places: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the frames of the log are.
    pub(super) fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another connection is open.
    pub(super) fn join(&self) -> Owner {
        let mut state = self.state();
        state.connections += 1;
        state.next += 1;
        state.next
    }

    /// A connection has closed its file. The last one lets others have it.
    pub(super) fn leave(&self, owner: Owner) {
        let mut state = self.state();
        state.levels.unlock(owner, Level::None);
        state.connections -= 1;
        if state.connections == 0 {
            state.anchor = None;
        }
    }

    /// Locks the file for a connection; for the first of them, against everybody else first.
    pub(super) fn lock(&self, owner: Owner, level: Level, vfs: Vfs, path: &CStr) -> Result<(), Code> {
        let mut state = self.state();
        if state.anchor.is_none() {
            state.anchor = Some(Arc::new(Anchor::cast(vfs, path)?));
        }
        state.levels.lock(owner, level).map_err(|_| ffi::SQLITE_BUSY)
    }

    /// The file that is locked, once it is.
    pub(super) fn anchor(&self) -> Option<Arc<Anchor>> {
        self.state().anchor.clone()
    }

    pub(super) fn unlock(&self, owner: Owner, level: Level) {
        self.state().levels.unlock(owner, level);
    }

    pub(super) fn is_reserved(&self) -> bool {
        self.state().levels.is_reserved()
    }

    /// A connection begins to use the index.
    pub(super) fn map(&self) {
        self.state().mapped += 1;
    }

    /// A connection has done with the index. Nobody vouches for one that nobody has.
    pub(super) fn unmap(&self) {
        let mut state = self.state();
        state.mapped -= 1;
        if state.mapped == 0 {
            state.index.clear();
            // Who makes it anew finds the log as it is.
            *self.places() = Places::default();
        }
    }

    /// The pieces of the index, of `len` bytes each; with `least`, at least so many.
    pub(super) fn index(&self, least: usize, len: usize) -> Vec<Region> {
        let mut state = self.state();
        while state.index.len() < least {
            let zeros = (0..len.div_ceil(size_of::<u64>())).map(|_| AtomicU64::new(0));
            state.index.push(zeros.collect());
        }
        state.index.clone()
    }

    /// Something was published that the files may lack: nobody may trust them until they are opened anew.
    pub(super) fn set_broken(&self, is_broken: bool) {
        self.is_broken.store(is_broken, Ordering::SeqCst);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::SeqCst)
    }

    pub(super) fn check(&self, code: c_int) -> Result<(), Code> {
        if self.is_broken() { Err(code) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the index says after it was written to.
    fn is_kept(shared: &Shared) -> bool {
        shared.index(0, 64).iter().any(|region| region[0].load(Ordering::SeqCst) == 7)
    }

    #[test]
    fn an_index_is_gone_when_the_last_connection_has_done_with_it() {
        let shared = Shared::new(0);
        (0..2).for_each(|_| shared.map());
        shared.index(2, 64)[0][0].store(7, Ordering::SeqCst);
        shared.unmap();
        assert!(is_kept(&shared));
        shared.map();
        (0..2).for_each(|_| shared.unmap());
        shared.map();
        assert!(!is_kept(&shared) && shared.index(0, 64).is_empty());
    }

    #[test]
    fn a_connection_that_has_left_has_locked_nothing() {
        let shared = Shared::new(0);
        let (one, other) = (shared.join(), shared.join());
        let lock = |owner| shared.state().levels.lock(owner, Level::Reserved);
        assert!(lock(one).is_ok() && lock(other).is_err());
        shared.leave(one);
        assert!(lock(other).is_ok());
        shared.leave(other);
        assert!(!shared.is_reserved() && shared.state().connections == 0);
    }
}
