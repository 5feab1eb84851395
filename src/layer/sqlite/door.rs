//! Further connections to a file that is open.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};

use super::connect::{FLAGS, STATEMENTS, being_replaced, connect_reader, connect_through, count_pages, guard};
use super::database::sql_error;
use super::gate::{Anchor, Gate};
use super::{Options, moved};
use crate::error::Result;
use crate::layer::FileSystem;

/// The way to a file that is open.
pub(super) struct Door {
    way: Way,
    path: PathBuf,
}

/// How further connections come to it.
enum Way {
    /// To be written, by those who come through the gate.
    Gate(Gate),
    /// To be read, by anybody.
    Open(Arc<dyn FileSystem>),
}

impl Door {
    /// The way to what has been opened, through its gate if it has one.
    pub(super) fn to(path: &Path, gate: Option<Gate>, options: &Options) -> Self {
        let way = gate.map_or_else(|| Way::Open(Arc::clone(&options.file_system)), Way::Gate);
        Self { way, path: path.to_owned() }
    }

    /// The file itself, if it is open to be written.
    pub(super) fn file(&self) -> Option<Arc<Anchor>> {
        self.gate()?.file()
    }

    /// The gate, if there is one.
    pub(super) fn gate(&self) -> Option<&Gate> {
        match &self.way {
            Way::Gate(gate) => Some(gate),
            Way::Open(_) => None,
        }
    }

    /// Whether the file has to be opened anew before anything can be read.
    pub(super) fn is_broken(&self) -> bool {
        self.gate().is_some_and(Gate::is_broken)
    }

    /// Another connection, to read what has been committed while the first one writes. It is closed before that one,
    /// which else leaves the log behind.
    pub(super) fn reader(&self) -> Result<Connection> {
        let failed = |e| sql_error(&format!("opening {} once more", self.path.display()), e);
        let mut conn = match &self.way {
            Way::Open(files) => connect_reader(&self.path, &**files)?,
            Way::Gate(gate) => {
                let flags = FLAGS | OpenFlags::SQLITE_OPEN_READ_ONLY;
                let mut conn = connect_through(gate, &self.path, flags).map_err(failed)?;
                conn.set_prepared_statement_cache_capacity(STATEMENTS);
                guard(&mut conn).map_err(failed)?;
                conn
            }
        };
        conn.progress_handler(0, None::<fn() -> bool>).map_err(failed)?;
        count_pages(&conn).map_err(failed)?;
        // Else it may have another file that has the name by now.
        match moved::has_moved(&conn) {
            true => Err(being_replaced(&self.path)),
            false => Ok(conn),
        }
    }
}
