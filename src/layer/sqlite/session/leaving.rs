//! From an open layer to a file that nobody holds.

use super::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::layer::sqlite::checkpoint::Whole;
use crate::layer::sqlite::database::Database;
use crate::layer::sqlite::{moved, space};

impl Session {
    /// Makes everything acknowledged durable, and lets go of the file.
    pub(in crate::layer::sqlite) fn close(mut self) -> Result<()> {
        self.take_back()?;
        let uncounted = self.dirty == 0 && !self.database.conn.is_autocommit();
        let drops_uncounted = planted(Fault::CloseDropsUnmaps) || planted(Fault::ClearNotCommitted);
        let committed = match drops_uncounted && uncounted {
            false => self.commit(),
            true => self.execute("ROLLBACK"),
        };
        if committed.is_ok() {
            self.give_back(space::When::Closing);
        }
        if committed.is_err() || self.ends_in_failure {
            self.leave_log();
        }
        self.let_go_of_file();
        let taken_along = if committed.is_ok() { self.take_log_along() } else { Ok(()) };
        let closed = self.database.close();
        if planted(Fault::CloseFailureUntold) {
            return closed;
        }
        committed.and(taken_along).and(closed)
    }

    /// A file that somebody has given another name leaves its log behind, which SQLite does not copy then. What is in it
    /// goes with the file.
    fn take_log_along(&self) -> Result<()> {
        let is_left = !self.database.is_readonly() && !self.ends_in_failure && moved::has_moved(&self.database.conn);
        if is_left && self.database.empty_log()? == Whole::No {
            let what = "the file has another name by now, and its log cannot be copied; it lies under the old name";
            return Err(Error::new(ErrorKind::Io, what));
        }
        Ok(())
    }

    /// A commit that failed may lie in the log whole, and SQLite would copy what lies before it and delete the log. A log
    /// whose deletion a power cut takes back would bring that commit with it, after others had seen that it was not made.
    fn leave_log(&self) {
        if !planted(Fault::FailedCommitReturns) {
            // A connection that cannot be told so does not copy anything either.
            let _ = self.database.keep_log();
        }
    }

    /// Lets go of the file without what is not yet committed.
    pub(in crate::layer::sqlite) fn abandon(self) {
        self.leave_log();
        self.let_go_of_file();
        // The failure that led here is the one that is reported.
        let _ = self.database.close();
    }

    /// The file, locked as it is, without what is not committed.
    pub(in crate::layer::sqlite) fn take_database(self) -> Database {
        self.let_go_of_file();
        self.database
    }

    fn let_go_of_file(&self) {
        self.layout.let_go();
        self.shortcut.iter().for_each(|shortcut| shortcut.close());
        self.readers.iter().for_each(|readers| readers.close());
    }
}
