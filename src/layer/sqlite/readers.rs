//! Connections that read what has been committed, while the session's own is at work.
//!
//! A commit waits for the drive, and a checkpoint for all of the log. Who reads what neither has in hand need not wait:
//! SQLite's log lets connections read the last committed state meanwhile. They are opened when they are first needed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

use rusqlite::Connection;

use super::database::sql_error;
use super::door::Door;
use super::format::Stored;
use super::layout::Layout;
use crate::error::Result;
use crate::geometry::Geometry;
use crate::layer::SectorMarker;
use crate::sync::{Mutex, RwLock};

/// So many are kept; who comes when more are at work gets one that is closed afterwards.
const KEPT: usize = 4;

pub(super) struct Readers {
    door: Arc<Door>,
    stored: Stored,
    geometry: Geometry,
    /// Whoever reads has this shared, so that closing waits for it.
    state: RwLock<State>,
    idle: Mutex<Vec<Reader>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Closed,
}

/// How many have the session, or wait for it.
#[derive(Default)]
pub(super) struct Busy(AtomicUsize);

/// One of them, until it is dropped.
pub(super) struct OneMore<'a>(&'a AtomicUsize);

impl Busy {
    pub(super) fn one_more(&self) -> OneMore<'_> {
        self.0.fetch_add(1, Ordering::SeqCst);
        OneMore(&self.0)
    }

    pub(super) fn is_any(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

impl Drop for OneMore<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Reader {
    // In this order: what it keeps open is closed before the connection.
    layout: Box<dyn Layout>,
    conn: Connection,
}

impl Readers {
    pub(super) fn through(door: Arc<Door>, stored: Stored, geometry: Geometry) -> Self {
        Self { door, stored, geometry, state: RwLock::new(State::Open), idle: Mutex::default() }
    }

    /// Fills and marks the committed sectors of a request; false if the session has to be asked.
    pub(super) fn read(&self, sector: u64, buf: &mut [u8], marker: &mut SectorMarker) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if *state == State::Closed {
            return false;
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(reader) = idle.or_else(|| self.open().ok()) else { return false };
        let count = buf.len() as u64 / u64::from(self.geometry.sector_size());
        // What failed fails again for the session, which says so.
        let is_read = reader.read(sector..sector + count, buf, marker).is_ok();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if is_read && idle.len() < KEPT {
            idle.push(reader);
        }
        is_read
    }

    fn open(&self) -> Result<Reader> {
        Ok(Reader { layout: self.stored.layout(self.geometry), conn: self.door.reader()? })
    }

    /// Closes all of them, and waits for those at work.
    pub(super) fn close(&self) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State::Closed;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Does `work` while nobody reads.
    pub(super) fn pause<R>(&self, work: impl FnOnce() -> R) -> R {
        let _state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        work()
    }
}

impl Reader {
    /// In one transaction: a read sees all of it in one state.
    fn read(&self, range: std::ops::Range<u64>, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()> {
        self.execute("BEGIN")?;
        let read = self.layout.read(&self.conn, range, buf, marker);
        self.layout.let_go();
        read.and(self.execute("COMMIT"))
    }

    fn execute(&self, sql: &str) -> Result<()> {
        let executed = self.conn.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        executed.map(drop).map_err(|e| sql_error(sql, e))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::super::{Existing, Format, FormatParams, Mode, Options, SqliteDiskLayer};
    use crate::layer::{Durability, LayerIo, SectorMarker};

    /// So long is waited for one who is not to wait, however slow the machine; and for one who is.
    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(500);

    /// What a thread reads of the first sector while another one has the session; `None` if it waits for it.
    fn read_meanwhile(layer: &SqliteDiskLayer, patience: Duration) -> Option<u8> {
        let _busy = layer.busy.one_more();
        let session = layer.state();
        let (tell, told) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let (mut buf, mut marker) = (vec![0xa5; 512], SectorMarker::new(0..1));
                layer.read(0, &mut buf, &mut marker).unwrap();
                tell.send(buf[0])
            });
            let read = told.recv_timeout(patience).ok();
            drop(session);
            read
        })
    }

    #[test]
    fn rule_23_readers_of_a_file_that_is_only_read_do_not_wait_for_one_another() {
        for format in [Format::Original, Format::One] {
            let dir = tempfile::tempdir().unwrap();
            let params = FormatParams { logically_read_only: false, len: 1 << 20, sector_size: 512 };
            let (place, options) = (dir.path().join("disk.dbhd"), Options { format, ..Options::default() });
            let layer = SqliteDiskLayer::create(place.clone(), params, Existing::Keep, &options).unwrap();
            layer.write(0, &[7; 512], Durability::Flushed).unwrap();
            layer.close().unwrap();
            let layer = SqliteDiskLayer::open(place, Mode::ReadOnly, &options).unwrap();
            assert_eq!(read_meanwhile(&layer, LONG), Some(7));
            layer.close().unwrap();
        }
    }

    #[test]
    fn rule_23_a_read_of_what_is_committed_waits_for_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let format = FormatParams { logically_read_only: false, len: 1 << 20, sector_size: 512 };
        let place = dir.path().join("disk.dbhd");
        let layer = SqliteDiskLayer::create(place, format, Existing::Keep, &Options::default()).unwrap();
        layer.write(0, &[7; 512], Durability::Flushed).unwrap();
        assert_eq!(read_meanwhile(&layer, SHORT), None, "only the session has what is not committed");
        layer.flush().unwrap();
        // It is in the log: a connection of its own reads it.
        assert_eq!(read_meanwhile(&layer, LONG), Some(7));
        layer.write(64, &[8; 512], Durability::Flushed).unwrap();
        assert_eq!(read_meanwhile(&layer, LONG), Some(7), "another cluster is being changed");
        layer.write(1, &[9; 512], Durability::Fua).unwrap();
        assert_eq!(read_meanwhile(&layer, LONG), Some(7), "an idle reader looks again");
        layer.close().unwrap();
        assert!(!dir.path().join("disk.dbhd-wal").exists(), "the readers were closed first");
    }

    #[test]
    fn a_reader_is_kept_for_the_next_read() {
        let dir = tempfile::tempdir().unwrap();
        let format = FormatParams { logically_read_only: false, len: 1 << 20, sector_size: 512 };
        let place = dir.path().join("disk.dbhd");
        let layer = SqliteDiskLayer::create(place, format, Existing::Keep, &Options::default()).unwrap();
        layer.write(0, &[7; 512], Durability::Fua).unwrap();
        let readers = layer.readers.as_ref().unwrap();
        for _ in 0..3 {
            let (mut buf, mut marker) = ([0; 512], SectorMarker::new(0..1));
            assert!(readers.read(0, &mut buf, &mut marker) && buf == [7; 512]);
            assert_eq!(readers.idle.lock().unwrap().len(), 1);
        }
        layer.close().unwrap();
    }
}
