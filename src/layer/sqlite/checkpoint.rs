//! The log: how long it is, and when it is copied into the file.
//!
//! SQLite would do it by itself with every thousand pages. Here it is done by the session, which knows who else reads the
//! file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::database::{Database, sql_error};
use crate::error::Result;
use crate::fault::{Fault, planted};

/// How long the log is, as SQLite says after each commit.
pub(super) struct Log {
    pages: Arc<AtomicU64>,
    /// With so many pages it is copied.
    limit: u64,
}

/// Whether a checkpoint has copied all of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Yes,
    /// Somebody reads an older state, or there is no log.
    No,
}

impl Whole {
    /// What SQLite's answer says: whether somebody was in the way, how many pages the log has, how many were copied.
    pub(super) fn of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let (busy, pages, copied) = (row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?);
        Ok(if busy == 0 && pages >= 0 && pages == copied { Self::Yes } else { Self::No })
    }
}

impl Log {
    /// Watches the log of a database with pages of that size, to be copied when it has more than `limit` bytes.
    pub(super) fn of(database: &mut Database, page_size: u32, limit: u64) -> Result<Self> {
        let failed = |e| sql_error("watching the log", e);
        let pages = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&pages);
        let hook = move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            told.store(pages.unsigned_abs().into(), Ordering::Relaxed);
            Ok(())
        };
        database.conn.wal_hook(Some(hook)).map_err(failed)?;
        Ok(Self { pages, limit: limit / u64::from(page_size.max(1)) })
    }

    /// Whether it is time to copy it.
    pub(super) fn is_long(&self) -> bool {
        self.pages.load(Ordering::Relaxed) > self.limit || by_the_way()
    }

    /// Whether it cannot wait any longer.
    pub(super) fn is_too_long(&self) -> bool {
        self.pages.load(Ordering::Relaxed) > self.limit.saturating_mul(4)
    }

    /// Copies as much of it as can be copied now.
    pub(super) fn checkpoint(&self, database: &Database) -> Result<Whole> {
        let failed = |e| sql_error("copying the log into the file", e);
        let sql = "PRAGMA wal_checkpoint(PASSIVE)";
        let checkpoint = database.conn.prepare_cached(sql).and_then(|mut s| s.query_row([], Whole::of));
        let whole = checkpoint.map_err(failed)?;
        if whole == Whole::Yes {
            self.pages.store(0, Ordering::Relaxed);
        }
        Ok(whole)
    }
}

/// A mistake that no single run shows: every third call in this process says yes.
fn by_the_way() -> bool {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    planted(Fault::CheckpointByTheWay) && CALLS.fetch_add(1, Ordering::Relaxed).is_multiple_of(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_long_from_the_first_page_past_its_limit() {
        let log = Log { pages: Arc::new(AtomicU64::new(0)), limit: 5 };
        let says = |pages| {
            log.pages.store(pages, Ordering::Relaxed);
            (log.is_long(), log.is_too_long())
        };
        assert_eq!([5, 6, 20, 21].map(says), [(false, false), (true, false), (true, false), (true, true)]);
    }
}
