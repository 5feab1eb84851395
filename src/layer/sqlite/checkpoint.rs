//! The log: how long it is, and when it is copied into the file.
//!
//! SQLite would do it by itself with every thousand pages. Here it is done by the session, which knows who else reads the
//! file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Options;
use super::database::{Database, sql_error};
use super::gate::Gate;
use crate::error::Result;
use crate::fault::{Fault, planted};

/// The number of the format in the header of the file.
const VERSION: &str = "user_version";

/// So many times as many pages may be in SQLite's index of the log as in the log.
const INDEXED: u64 = 16;

/// How long the log is, as SQLite says after each commit.
pub(super) struct Log {
    pages: Arc<AtomicU64>,
    /// With so many pages it is copied.
    limit: u64,
    /// New pages of a transaction of so many bytes go to their places.
    direct_from: u64,
}

/// What comes after a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Anything,
    /// There was much to commit, and more will come.
    More,
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
    /// Watches the log of a database with pages of that size.
    pub(super) fn of(database: &mut Database, page_size: u32, options: &Options) -> Result<Self> {
        let failed = |e| sql_error("watching the log", e);
        let pages = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&pages);
        let hook = move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            told.store(pages.unsigned_abs().into(), Ordering::Relaxed);
            Ok(())
        };
        database.conn.wal_hook(Some(hook)).map_err(failed)?;
        let limit = options.log_limit / u64::from(page_size.max(1));
        Ok(Self { pages, limit, direct_from: options.direct_from })
    }

    /// Whether it is time to copy it. Pages that are in the file already take no time to copy; while more of them come they
    /// count little, and else SQLite is asked for them until then.
    pub(super) fn is_long(&self, next: Next, gate: Option<&Gate>) -> bool {
        let pages = self.pages.load(Ordering::Relaxed);
        let is_long = match next {
            Next::Anything => pages > self.limit,
            Next::More => self.in_log(gate) > self.limit || pages > self.limit.saturating_mul(INDEXED),
        };
        is_long || by_the_way()
    }

    /// Whether it cannot wait any longer.
    pub(super) fn is_too_long(&self, gate: Option<&Gate>) -> bool {
        self.in_log(gate) > self.limit.saturating_mul(4)
    }

    /// How many pages are in the log alone.
    fn in_log(&self, gate: Option<&Gate>) -> u64 {
        self.pages.load(Ordering::Relaxed).saturating_sub(gate.map_or(0, Gate::in_file))
    }

    /// Copies as much of it as can be copied now.
    pub(super) fn checkpoint(&self, database: &Database) -> Result<Whole> {
        let failed = |e| sql_error("copying the log into the file", e);
        let sql = "PRAGMA wal_checkpoint(PASSIVE)";
        let checkpoint = database.conn.prepare_cached(sql).and_then(|mut s| s.query_row([], Whole::of));
        let whole = checkpoint.map_err(failed)?;
        if whole == Whole::Yes {
            self.pages.store(0, Ordering::Relaxed);
            database.gate().iter().for_each(|gate| gate.log_is_copied());
        }
        Ok(whole)
    }

    /// Begins it if all of it has been copied: with a commit that changes nothing, so that new pages of the next transaction
    /// can go to their places. What fails shows with the next request.
    pub(super) fn begin(&self, database: &Database) {
        if self.direct_from == u64::MAX || database.gate().is_none_or(Gate::is_ready) {
            return;
        }
        // SQLite writes the page even where the number is the same.
        let version = database.conn.pragma_query_value(None, VERSION, |row| row.get::<_, i64>(0));
        let _ = version.and_then(|version| database.conn.pragma_update(None, VERSION, version));
    }

    /// The running transaction has so many bytes by now.
    pub(super) fn expect(&self, bytes: u64, database: &Database) {
        if bytes >= self.direct_from {
            database.gate().iter().for_each(|gate| gate.expect_long());
        }
    }
}

/// A mistake that no single run shows: every third call in this process says yes.
fn by_the_way() -> bool {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    planted(Fault::CheckpointByTheWay) && CALLS.fetch_add(1, Ordering::Relaxed).is_multiple_of(3)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_long_from_the_first_page_past_its_limit() {
        let log = Log { pages: Arc::new(AtomicU64::new(0)), limit: 5, direct_from: 0 };
        let says = |pages| {
            log.pages.store(pages, Ordering::Relaxed);
            (log.is_long(Next::Anything, None), log.is_too_long(None))
        };
        assert_eq!([5, 6, 20, 21].map(says), [(false, false), (true, false), (true, false), (true, true)]);
    }

    #[test]
    fn a_log_is_copied_whole_if_nobody_was_in_the_way_and_nothing_is_left() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        let says = |answer: &str| conn.query_row(&format!("SELECT {answer}"), [], Whole::of).unwrap();
        let answers = ["0, 10, 10", "0, 0, 0", "0, 10, 5", "1, 10, 10", "0, -1, -1"];
        assert_eq!(answers.map(says), [Whole::Yes, Whole::Yes, Whole::No, Whole::No, Whole::No]);
    }
}
