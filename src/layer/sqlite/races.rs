//! Mistakes that only several threads show, to plant in a layer; each is where such a mistake would be made, between a
//! request and the lock that makes it whole.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use super::session::Session;
use super::{SqliteDiskLayer, State};
use crate::error::Result;
use crate::fault::{Fault, planted};
use crate::layer::{Below, SectorMarker};
use crate::sync;

/// What the mistakes keep beside the lock.
#[derive(Default)]
pub(super) struct Races {
    snapshots: Mutex<Vec<Snapshot>>,
    early: Mutex<Option<Early>>,
    clean: AtomicBool,
}

/// What a thread has read.
struct Snapshot {
    reader: ThreadId,
    range: Range<u64>,
    bytes: Vec<u8>,
    present: Vec<u64>,
}

/// An unmap that was acknowledged and not done.
struct Early {
    caller: ThreadId,
    range: Range<u64>,
    below: Below,
}

fn me() -> ThreadId {
    std::thread::current().id()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SqliteDiskLayer {
    /// A read, as a mistake has it.
    pub(super) fn racing_read(
        &self,
        range: &Range<u64>,
        buf: &mut [u8],
        marker: &mut SectorMarker,
    ) -> Option<Result<()>> {
        if planted(Fault::ReaderKeepsSnapshot) {
            return Some(self.read_from_snapshot(range, buf, marker));
        }
        planted(Fault::RowCopiedAfterUnlock).then(|| self.read_in_halves(range, buf, marker))
    }

    /// What this thread has read before and not changed itself is read as it was then.
    fn read_from_snapshot(&self, range: &Range<u64>, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()> {
        let mut snapshots = lock(&self.races.snapshots);
        let kept = |old: &&Snapshot| old.reader == me() && old.range.start <= range.start && range.end <= old.range.end;
        if let Some(old) = snapshots.iter().find(kept) {
            for &sector in old.present.iter().filter(|sector| range.contains(sector)) {
                let to = self.geometry.bytes(range.start, &(sector..sector + 1));
                buf[to].copy_from_slice(&old.bytes[self.geometry.bytes(old.range.start, &(sector..sector + 1))]);
                marker.set(sector..sector + 1);
            }
            return Ok(());
        }
        drop(snapshots);
        self.with(|session| session.read(range.clone(), buf, marker))?;
        let present = range.clone().filter(|sector| marker.is_set(*sector)).collect();
        snapshots = lock(&self.races.snapshots);
        snapshots.push(Snapshot { reader: me(), range: range.clone(), bytes: buf.to_vec(), present });
        Ok(())
    }

    /// The second half of each sector is copied after the lock was let go.
    fn read_in_halves(&self, range: &Range<u64>, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()> {
        self.with(|session| session.read(range.clone(), buf, marker))?;
        let mut again = SectorMarker::new(range.clone());
        let mut late = vec![0; buf.len()];
        self.with(|session| session.read(range.clone(), &mut late, &mut again))?;
        for sector in range.clone().filter(|sector| marker.is_set(*sector) && again.is_set(*sector)) {
            let bytes = self.geometry.bytes(range.start, &(sector..sector + 1));
            let half = bytes.start + bytes.len() / 2..bytes.end;
            buf[half.clone()].copy_from_slice(&late[half]);
        }
        Ok(())
    }

    /// A write, as a mistake has it.
    pub(super) fn racing_write(&self, range: &Range<u64>, data: &[u8]) -> Option<Result<()>> {
        self.is_changed();
        if planted(Fault::UnmapOvertaken) && lock(&self.races.early).as_ref().is_some_and(|early| early.caller != me())
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let State::Open(session) = &mut *state else { return None };
            let written = session.write(range.clone(), data);
            self.races.catch_up(session);
            return Some(written);
        }
        let halves = planted(Fault::WriteInTwoSteps) && range.end - range.start > 1;
        halves.then(|| {
            let (first, second) = (range.start..range.start + 1, range.start + 1..range.end);
            let (head, tail) = data.split_at(self.geometry.sector_size() as usize);
            self.with(|session| session.write(first, head))?;
            self.with(|session| session.write(second, tail))
        })
    }

    /// A fill, as a mistake has it: what is absent is looked up first and written later, whatever it is by then.
    pub(super) fn racing_fill(&self, range: &Range<u64>, data: &[u8]) -> Option<Result<()>> {
        self.is_changed();
        planted(Fault::FillOvertakesWrite).then(|| {
            let mut marker = SectorMarker::new(range.clone());
            let mut there = vec![0; data.len()];
            self.with(|session| session.read(range.clone(), &mut there, &mut marker))?;
            for (run, _) in marker.runs().filter(|(_, present)| !present) {
                let data = &data[self.geometry.bytes(range.start, &run)];
                self.with(|session| session.fill_over(run.clone(), data))?;
            }
            Ok(())
        })
    }

    /// An unmap, as a mistake has it: it is acknowledged, and done with the next request.
    pub(super) fn racing_unmap(&self, range: &Range<u64>, below: Below) -> Option<Result<()>> {
        self.is_changed();
        planted(Fault::UnmapOvertaken).then(|| {
            drop(self.state());
            *lock(&self.races.early) = Some(Early { caller: me(), range: range.clone(), below });
            Ok(())
        })
    }

    /// A flush, as a mistake has it: that nothing is left to commit is noted when the lock is free again.
    pub(super) fn racing_flush(&self) -> Option<Result<()>> {
        planted(Fault::FlagClearedLate).then(|| {
            if self.is_said_to_be_clean() {
                return Ok(());
            }
            self.with(Session::flush)?;
            sync::step();
            self.races.clean.store(true, Ordering::SeqCst);
            Ok(())
        })
    }

    /// Something is about to be changed, by this thread.
    pub(super) fn is_changed(&self) {
        self.races.clean.store(false, Ordering::SeqCst);
        lock(&self.races.snapshots).retain(|snapshot| snapshot.reader != me());
    }

    /// Whether there is nothing to commit, as the flag has it.
    pub(super) fn is_said_to_be_clean(&self) -> bool {
        planted(Fault::FlagClearedLate) && self.races.clean.load(Ordering::SeqCst)
    }
}

impl Races {
    /// Does what was acknowledged early.
    pub(super) fn catch_up(&self, session: &mut Session) {
        // Not held meanwhile: the unmap may let another thread have its turn, which looks here first.
        let early = lock(&self.early).take();
        if let Some(Early { range, below, .. }) = early {
            let _ = session.unmap(range, below);
        }
    }
}
