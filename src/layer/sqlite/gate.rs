//! The gate of a file that is open to be written: a thin VFS between SQLite and the one that does the work.
//!
//! - *One writer, many connections.* SQLite's `locking_mode=EXCLUSIVE` keeps everybody else out, the layer's own readers
//!   too. Here the file is locked against all who do not come through the same gate, from the first lock to the last
//!   close, on a descriptor of its own; connections of the gate lock among themselves by SQLite's rules.
//! - *The index of the log* lies in the memory of the process, and no `-shm` file is made. It is lost with the process,
//!   and SQLite recovers it from the log, as it does for `locking_mode=EXCLUSIVE`.
//! - *Few and long writes.* SQLite writes a frame of the log as a head and a page, and a checkpoint page by page. What is
//!   adjacent is gathered and handed down as one; `connection` says who hears of a failure.
//! - *New pages once.* Those of a long transaction go to their places in the file, and not to the log; `places` says why
//!   that is safe.
//!
//! The gate is found by a number in the name that SQLite opens, as names are all that reaches a VFS.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

pub(super) use below::{Anchor, LONGEST};
use shared::Shared;

use super::connect::uri;

mod ahead;
mod below;
mod connection;
mod gather;
mod locks;
mod log;
mod places;
mod shared;
mod vfs;

/// A gate through which connections can be opened.
#[derive(Debug)]
pub(super) struct Gate {
    vfs: String,
    token: u64,
    // Connections keep it too: they may outlive the gate.
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Gates {
    last: u64,
    open: BTreeMap<u64, Weak<Shared>>,
}

static GATES: Mutex<Gates> = Mutex::new(Gates { last: 0, open: BTreeMap::new() });

fn gates() -> MutexGuard<'static, Gates> {
    GATES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find(token: u64) -> Option<Arc<Shared>> {
    gates().open.get(&token).and_then(Weak::upgrade)
}

impl Gate {
    /// A gate over the VFS of that name, or the default one, that gathers so many bytes; none if there is no such VFS.
    pub(super) fn over(vfs: Option<&str>, gather: usize) -> Option<Self> {
        let vfs = vfs::register(vfs)?;
        let shared = Arc::new(Shared::new(gather.min(below::LONGEST)));
        let mut gates = gates();
        gates.last += 1;
        let token = gates.last;
        gates.open.insert(token, Arc::downgrade(&shared));
        Some(Self { vfs, token, shared })
    }

    /// The VFS to open connections with.
    pub(super) fn vfs(&self) -> &str {
        &self.vfs
    }

    /// The file itself, to be read around SQLite once it is locked. Who keeps it keeps the lock.
    pub(super) fn file(&self) -> Option<Arc<Anchor>> {
        self.shared.anchor()
    }

    /// Whether nothing can be read or written any more until the file is opened anew.
    pub(super) fn is_broken(&self) -> bool {
        self.shared.is_broken()
    }

    /// The transaction that runs is a long one: its new pages can go to their places in the file at once.
    pub(super) fn expect_long(&self) {
        self.shared.places().expect_long();
    }

    /// All of the log is in the file, and another begins with the next transaction.
    pub(super) fn log_is_copied(&self) {
        self.shared.places().log_is_copied();
    }

    /// Whether new pages of a long transaction would do so.
    pub(super) fn is_ready(&self) -> bool {
        self.shared.places().are_ready()
    }

    /// How many of the pages that SQLite has in its log are in the file instead.
    pub(super) fn in_file(&self) -> u64 {
        self.shared.places().in_file()
    }

    /// The name by which a file is opened through the gate.
    pub(super) fn uri(&self, path: &Path) -> String {
        uri(path, &format!("{}={}", vfs::PARAMETER.to_string_lossy(), self.token))
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        gates().open.remove(&self.token);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
