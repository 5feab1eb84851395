//! Ctrl-C: the first asks everything to come to its end, the second does not ask. A child hears from its stdin that nobody
//! waits for it any more.

use std::io::{Read, stdin};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use disklayer_sqlite::error::{Error, ErrorKind, Result};

static REQUESTED: AtomicBool = AtomicBool::new(false);

pub(super) fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Relaxed) {
            std::process::exit(130);
        }
    })
    .map_err(|e| Error::new(ErrorKind::Io, "listening for Ctrl-C").because(e))
}

/// Whether to come to an end.
pub(super) fn requested() -> bool {
    REQUESTED.load(Relaxed)
}

/// Asks everything to come to its end.
pub(super) fn request() {
    REQUESTED.store(true, Relaxed);
}

/// Does `what` when stdin ends, which is when the parent has gone, however it went, or wants it so.
pub(super) fn when_stdin_ends(what: impl FnOnce() + Send + 'static) {
    std::thread::spawn(|| {
        let _ = stdin().read_to_end(&mut Vec::new());
        what();
    });
}
