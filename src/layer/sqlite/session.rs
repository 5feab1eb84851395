//! A layer while it is open: its transaction, its generation, and whether it can still vouch for what it holds.

use std::ops::Range;
use std::sync::Arc;

use rusqlite::Connection;

use super::checkpoint::{Log, Next, Whole};
use super::database::{Database, sql_error};
use super::layout::{Change, Layout, Undo};
use super::readers::Readers;
use super::schema::Lineage;
use super::shortcut::Shortcut;
use super::{Location, Mode, Options, space, structure};
use crate::error::{ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::geometry::Geometry;
use crate::layer::{Access, Below, Identity, Parent, SectorMarker};

mod generation;
mod leaving;
mod taking;

use generation::Generation;
pub(super) use generation::Identities;

/// A request of so many bytes fills most of the clusters that it touches, which then do not wait. What it changed is not
/// changed again by the next, and is committed and given back while the processor has it at hand: a stream of such
/// requests takes a third less time than with pages that are kept until more of them wait.
const LONG: u64 = 64 << 10;

pub(super) struct Session {
    database: Database,
    log: Log,
    shortcut: Option<Arc<Shortcut>>,
    readers: Option<Arc<Readers>>,
    layout: Box<dyn Layout>,
    geometry: Geometry,
    access: Access,
    lineage: Option<Lineage>,
    has_identity_table: bool,
    generation: Generation,
    identities: Identities,
    dirty_limit: u64,
    write_back: u64,
    /// Bytes acknowledged and not yet committed.
    dirty: u64,
    has_lost_changes: bool,
    free: space::Free,
    /// What could not be given back may lie in the log as a transaction, behind all that was committed.
    ends_in_failure: bool,
}

impl Session {
    /// `made` is the identity of the layer if it has just been made.
    pub(super) fn open(location: &Location, mode: Mode, options: &Options, made: Option<Identity>) -> Result<Self> {
        let mut database = Database::connect(location, mode, options)?;
        match Self::take_over(&mut database, location, mode, options, made) {
            Ok((contents, access, whole)) => Ok(Self {
                log: Log::of(&mut database, contents.page_size, options)?,
                shortcut: Shortcut::around(&database, &contents, whole, options.mapped_bytes).map(Arc::new),
                readers: database
                    .door()
                    .map(|door| Arc::new(Readers::through(door, contents.stored, contents.geometry))),
                layout: contents.stored.layout(contents.geometry),
                geometry: contents.geometry,
                access,
                lineage: contents.lineage,
                has_identity_table: contents.tables.has_identity,
                generation: Generation::AsFound,
                identities: Identities::of(options),
                dirty_limit: options.dirty_limit,
                write_back: options.write_back,
                dirty: 0,
                has_lost_changes: false,
                free: space::Free::default(),
                ends_in_failure: false,
                database,
            }),
            Err(error) => {
                // Refused: what was there stays, a database in memory included.
                let _ = database.close();
                Err(error.in_context(format!("opening {location}")))
            }
        }
    }

    /// The ways around this session.
    pub(super) fn ways_around(&self) -> (Option<Arc<Shortcut>>, Option<Arc<Readers>>) {
        (self.shortcut.clone(), self.readers.clone())
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.database.conn
    }

    pub(super) fn geometry(&self) -> Geometry {
        self.geometry
    }

    pub(super) fn access(&self) -> Access {
        self.access
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        self.lineage.map(|lineage| lineage.identity())
    }

    pub(super) fn parent(&self) -> Option<Parent> {
        self.lineage.and_then(|lineage| lineage.parent)
    }

    /// After a failure SQLite is only well again when nothing holds a transaction open.
    pub(super) fn let_go(&self) {
        self.layout.let_go();
    }

    /// Whether acknowledged changes are gone. A full or failing disk may make SQLite roll back all of the transaction,
    /// whatever statement met it: one that only reads, too.
    pub(super) fn has_lost_changes(&self) -> bool {
        let rolled_back = self.dirty > 0 && self.database.conn.is_autocommit();
        self.has_lost_changes || self.database.is_broken() || rolled_back && !planted(Fault::RollbackUnnoticed)
    }

    pub(super) fn read(&self, range: Range<u64>, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()> {
        self.layout.read(&self.database.conn, range, buf, marker)
    }

    pub(super) fn next_extent(&self, sector: u64) -> Result<Option<Range<u64>>> {
        self.layout.next_extent(&self.database.conn, sector)
    }

    pub(super) fn zeroed_until(&self, sector: u64) -> Result<u64> {
        self.layout.zeroed_until(&self.database.conn, sector)
    }

    pub(super) fn write(&mut self, range: Range<u64>, data: &[u8]) -> Result<()> {
        self.change_generation()?;
        if planted(Fault::RequestInSeveralTransactions) {
            let size = self.geometry.sector_size() as usize;
            for (sector, data) in range.zip(data.chunks_exact(size)) {
                self.change(data.len() as u64, Change::Store(&(sector..sector + 1)), |layout, conn| {
                    layout.write(conn, sector..sector + 1, data)
                })?;
                self.commit()?;
            }
            return Ok(());
        }
        self.change(data.len() as u64, Change::Store(&range.clone()), |layout, conn| layout.write(conn, range, data))
    }

    pub(super) fn fill(&mut self, range: Range<u64>, data: &[u8]) -> Result<()> {
        if planted(Fault::FillLiftsSeal) {
            self.generation = Generation::Changed;
        }
        self.change(data.len() as u64, Change::Store(&range.clone()), |layout, conn| layout.fill(conn, range, data))
    }

    /// A fill that replaces what is there.
    #[cfg(feature = "planted-faults")]
    pub(super) fn fill_over(&mut self, range: Range<u64>, data: &[u8]) -> Result<()> {
        self.change(data.len() as u64, Change::Store(&range.clone()), |layout, conn| layout.write(conn, range, data))
    }

    pub(super) fn unmap(&mut self, range: Range<u64>, below: Below) -> Result<()> {
        self.change_generation()?;
        // Counted as if they were data: what matters is that the limit is reached.
        let bytes = (range.end - range.start).saturating_mul(self.geometry.sector_size().into());
        let uncounted = planted(Fault::CloseDropsUnmaps) || planted(Fault::FlushSkippedWhenUncounted);
        let bytes = if uncounted { 0 } else { bytes };
        self.free = space::Free::Likely;
        self.change(bytes, Change::Unmap(&range.clone()), |layout, conn| layout.unmap(conn, range, below))
    }

    pub(super) fn clear(&mut self) -> Result<()> {
        self.change_generation()?;
        self.free = space::Free::Likely;
        self.change(0, Change::Clear, |layout, conn| layout.clear(conn))?;
        if planted(Fault::ClearNotCommitted) { Ok(()) } else { self.commit() }
    }

    /// Commits, which syncs; with nothing to commit everything acknowledged is durable already.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.take_back()?;
        if planted(Fault::FlushDropsTransaction) && !self.database.conn.is_autocommit() {
            self.settle_all()?;
            self.dirty = 0;
            return self.execute("ROLLBACK");
        }
        let forgotten = match self.generation {
            Generation::AsFound => false,
            Generation::Promised(_) => planted(Fault::FlushForgetsPromise),
            Generation::Changed => planted(Fault::FlushStartsGeneration),
        };
        if forgotten {
            self.generation = Generation::AsFound;
        }
        if planted(Fault::FlushDoesNothing)
            || planted(Fault::FlushHandedOver)
            || self.dirty == 0 && planted(Fault::FlushSkippedWhenUncounted)
        {
            return Ok(());
        }
        self.commit()?;
        self.give_back(space::When::Flushed);
        Ok(())
    }

    /// Everything is durable already, so that a failure is nobody's loss: a full disk stays as it is.
    fn give_back(&mut self, when: space::When) {
        if self.free == space::Free::Unlikely || !self.database.conn.is_autocommit() {
            return;
        }
        self.layout.let_go();
        let Ok(Some(amount)) = space::to_give_back(&self.database.conn, when) else {
            self.free = space::Free::Unlikely;
            return;
        };
        self.shortcut.iter().for_each(|shortcut| shortcut.forget());
        let given = space::give_back(&self.database.conn, amount);
        self.ends_in_failure = given.is_err();
        self.free = given.unwrap_or_default();
        self.shortcut.iter().for_each(|shortcut| shortcut.commit());
        // The file gets shorter when the log is copied into it: now if that is due, and at the latest when it is closed.
        if self.log.is_long(Next::Anything, self.database.gate()) {
            self.checkpoint();
        }
    }

    /// SQLite's own check of every page and row.
    pub(super) fn verify(&mut self) -> Result<()> {
        self.settle_all()?;
        let check = self.database.conn.prepare_cached("PRAGMA main.integrity_check(1)");
        let found: String = check
            .and_then(|mut check| check.query_row([], |row| row.get(0)))
            .map_err(|e| sql_error("checking the database", e))?;
        match found.as_str() {
            "ok" => Ok(()),
            wrong => Err(structure::told(wrong)),
        }
    }

    pub(super) fn commit(&mut self) -> Result<()> {
        self.commit_before(Next::Anything)
    }

    fn commit_before(&mut self, next: Next) -> Result<()> {
        if self.database.conn.is_autocommit() {
            return Ok(());
        }
        let settled = if planted(Fault::CommitForgetsWaiting) { Ok(()) } else { self.settle_all() };
        let result = settled.and_then(|()| self.execute("COMMIT"));
        // SQLite may or may not have rolled back; only a new look at the file can tell what is there.
        self.has_lost_changes |= result.is_err() && !planted(Fault::CommitFailureForgotten);
        self.dirty = 0;
        result?;
        self.ends_in_failure = false;
        self.shortcut.iter().for_each(|shortcut| shortcut.commit());
        if self.log.is_long(next, self.database.gate()) {
            self.checkpoint();
        }
        Ok(())
    }

    /// Copies the log into the file. What fails is tried again after the next commit: everything is durable in the log.
    fn checkpoint(&mut self) {
        if let Some(shortcut) = &self.shortcut {
            shortcut.unsettle();
        }
        // Who reads an older state keeps the log from being used again. Only when it is very long is that not waited out.
        let is_whole = match &self.readers {
            Some(readers) if self.log.is_too_long(self.database.gate()) => {
                readers.pause(|| self.log.checkpoint(&self.database))
            }
            _ => self.log.checkpoint(&self.database),
        };
        if let (Some(shortcut), Ok(Whole::Yes)) = (&self.shortcut, is_whole) {
            shortcut.settle();
        }
    }

    /// Runs a change inside the open transaction; on failure only this change is undone.
    fn change(
        &mut self,
        bytes: u64,
        change: Change<'_>,
        work: impl FnOnce(&dyn Layout, &Connection) -> Result<()>,
    ) -> Result<()> {
        if let (Some(shortcut), Some(clusters)) = (&self.shortcut, self.layout.clusters(&change.range(self.geometry))) {
            shortcut.touch(&clusters);
        }
        self.take_back()?;
        if planted(Fault::FlushHandedOver) {
            self.commit()?;
        }
        let is_stored = matches!(change, Change::Store(_));
        let is_long = bytes >= LONG && is_stored;
        if self.database.conn.is_autocommit() {
            if is_long {
                self.layout.let_go();
                self.log.begin(&self.database);
            }
            self.execute("BEGIN IMMEDIATE")?;
        }
        if is_stored {
            self.log.expect(self.dirty.saturating_add(bytes), &self.database);
        }
        // Not undone with the change.
        if !is_stored {
            self.settle(&change.range(self.geometry))?;
        }
        let undo = self.layout.undo(change);
        if undo == Undo::Savepoint {
            self.execute("SAVEPOINT request")?;
        }
        let mut result = work(&*self.layout, &self.database.conn);
        match undo {
            Undo::Savepoint => {
                let is_kept = planted(Fault::FailedChangeKept);
                if result.is_err() && !self.database.conn.is_autocommit() && !is_kept {
                    self.has_lost_changes |= self.execute("ROLLBACK TO request").is_err();
                }
                if !self.database.conn.is_autocommit() {
                    result = result.and(self.execute("RELEASE request"));
                }
            }
            // Damage that was seen before anything was changed leaves all as it is.
            Undo::Reopening if matches!(&result, Err(e) if e.kind() != ErrorKind::Corrupt || self.layout.has_begun()) =>
            {
                // Nothing else is in the transaction: it can go.
                let undone = self.dirty == 0 && self.execute("ROLLBACK").is_ok();
                self.has_lost_changes |= !undone;
            }
            Undo::Reopening => {}
        }
        result?;
        self.dirty = self.dirty.saturating_add(bytes);
        let limit = if is_long { self.dirty_limit / 8 } else { self.dirty_limit };
        if self.dirty <= limit {
            return if self.layout.waiting() > self.write_back { self.settle_all() } else { Ok(()) };
        }
        self.commit_before(Next::More)?;
        self.log.begin(&self.database);
        if is_long {
            // There may be nothing that can be given back.
            let _ = self.database.conn.release_memory();
        }
        Ok(())
    }

    fn settle_all(&mut self) -> Result<()> {
        self.settle(&(0..self.geometry.sector_count()))
    }

    /// Tells SQLite what waits of these sectors. It has been acknowledged: what fails is lost.
    fn settle(&mut self, range: &Range<u64>) -> Result<()> {
        let settled = self.layout.settle(&self.database.conn, range);
        self.has_lost_changes |= settled.is_err();
        settled
    }

    /// Makes a row for the first sector, in a transaction in which nothing is acknowledged.
    fn begin_refused(&mut self, sector: u64) -> Result<()> {
        let cannot = !self.database.conn.is_autocommit() || self.access != Access::ReadWrite;
        if cannot || sector >= self.geometry.sector_count() {
            return Ok(());
        }
        self.execute("BEGIN IMMEDIATE")?;
        let zeros = vec![0; self.geometry.sector_size() as usize];
        self.layout.fill(&self.database.conn, sector..sector + 1, &zeros)?;
        self.settle_all()
    }

    fn take_back(&self) -> Result<()> {
        match planted(Fault::RefusedChangeLingers) && self.dirty == 0 && !self.database.conn.is_autocommit() {
            true => self.execute("ROLLBACK"),
            false => Ok(()),
        }
    }

    /// Begins, ends or divides a transaction.
    fn execute(&self, sql: &str) -> Result<()> {
        if !(planted(Fault::BlobKeptOverCommit) && sql == "COMMIT") {
            self.layout.let_go();
        }
        let failed = |e| sql_error(sql, e);
        self.database.conn.prepare_cached(sql).and_then(|mut s| s.execute([])).map(drop).map_err(failed)
    }
}

impl super::SqliteDiskLayer {
    /// What a change leaves that begins before it is checked.
    pub(super) fn begin_refused(&self, sector: u64) {
        if planted(Fault::RefusedChangeLingers) {
            let _ = self.with(|session| session.begin_refused(sector));
        }
    }
}
