//! The open transaction: what has been acknowledged and is not committed; and what becomes of the log.

use std::ops::Range;

use rusqlite::Connection;

use super::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::layer::Access;
use crate::layer::sqlite::checkpoint::{Next, Whole};
use crate::layer::sqlite::database::sql_error;
use crate::layer::sqlite::layout::{Change, Layout, Undo};
use crate::layer::sqlite::space;

/// A request of so many bytes fills most of the clusters that it touches, which then do not wait. What it changed is not
/// changed again by the next, and is committed and given back while the processor has it at hand: a stream of such
/// requests takes a third less time than with pages that are kept until more of them wait.
const LONG: u64 = 64 << 10;

impl Session {
    /// Runs a change inside the open transaction; on failure only this change is undone.
    pub(super) fn change(
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
        let is_long = bytes >= LONG && matches!(change, Change::Store(_));
        self.begin(bytes, change, is_long)?;
        self.do_or_undo(change, work)?;
        self.dirty = self.dirty.saturating_add(bytes);
        let limit = if is_long { self.dirty_limit / 8 } else { self.dirty_limit };
        match self.dirty <= limit {
            true if self.layout.waiting() > self.write_back => self.settle_all(),
            true => Ok(()),
            false => self.commit_amid(is_long),
        }
    }

    /// Begins a transaction if none is open, and makes way for the change.
    fn begin(&mut self, bytes: u64, change: Change<'_>, is_long: bool) -> Result<()> {
        if self.database.conn.is_autocommit() {
            if is_long {
                self.layout.let_go();
                self.log.begin(&self.database);
            }
            self.execute("BEGIN IMMEDIATE")?;
        }
        match change {
            Change::Store(_) => {
                self.log.expect(self.dirty.saturating_add(bytes), &self.database);
                Ok(())
            }
            // Not undone with the change.
            Change::Unmap(_) | Change::Clear => self.settle(&change.range(self.geometry)),
        }
    }

    fn do_or_undo(
        &mut self,
        change: Change<'_>,
        work: impl FnOnce(&dyn Layout, &Connection) -> Result<()>,
    ) -> Result<()> {
        match self.layout.undo(change) {
            Undo::Savepoint => {
                self.execute("SAVEPOINT request")?;
                let result = work(&*self.layout, &self.database.conn);
                if self.database.conn.is_autocommit() {
                    return result;
                }
                if result.is_err() && !planted(Fault::FailedChangeKept) {
                    self.has_lost_changes |= self.execute("ROLLBACK TO request").is_err();
                }
                result.and(self.execute("RELEASE request"))
            }
            Undo::Reopening => {
                let result = work(&*self.layout, &self.database.conn);
                // Damage that was seen before anything was changed leaves all as it is.
                let has_begun = |error: &Error| error.kind() != ErrorKind::Corrupt || self.layout.has_begun();
                if result.as_ref().is_err_and(has_begun) {
                    // Nothing else is in the transaction: it can go.
                    let undone = self.dirty == 0 && self.execute("ROLLBACK").is_ok();
                    self.has_lost_changes |= !undone;
                }
                result
            }
        }
    }

    /// Commits because much has been changed, and more will be.
    fn commit_amid(&mut self, is_long: bool) -> Result<()> {
        self.commit_before(Next::More)?;
        self.log.begin(&self.database);
        if is_long {
            // There may be nothing that can be given back.
            let _ = self.database.conn.release_memory();
        }
        Ok(())
    }

    pub(in crate::layer::sqlite) fn commit(&mut self) -> Result<()> {
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

    /// Everything is durable already, so that a failure is nobody's loss: a full disk stays as it is.
    pub(super) fn give_back(&mut self, when: space::When) {
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

    pub(super) fn settle_all(&mut self) -> Result<()> {
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

    pub(super) fn take_back(&self) -> Result<()> {
        match planted(Fault::RefusedChangeLingers) && self.dirty == 0 && !self.database.conn.is_autocommit() {
            true => self.execute("ROLLBACK"),
            false => Ok(()),
        }
    }

    /// Begins, ends or divides a transaction.
    pub(super) fn execute(&self, sql: &str) -> Result<()> {
        if !(planted(Fault::BlobKeptOverCommit) && sql == "COMMIT") {
            self.layout.let_go();
        }
        let failed = |e| sql_error(sql, e);
        self.database.conn.prepare_cached(sql).and_then(|mut s| s.execute([])).map(drop).map_err(failed)
    }
}

impl crate::layer::sqlite::SqliteDiskLayer {
    /// What a change leaves that begins before it is checked.
    pub(in crate::layer::sqlite) fn begin_refused(&self, sector: u64) {
        if planted(Fault::RefusedChangeLingers) {
            let _ = self.with(|session| session.begin_refused(sector));
        }
    }
}
