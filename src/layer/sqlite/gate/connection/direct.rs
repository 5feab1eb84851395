//! Reading and writing a log of which some pages are in the file.

use rusqlite::ffi;

use super::super::below::{Code, File};
use super::super::gather::Gather;
use super::super::log::Log;
use super::super::places::Lies;
use super::{Checkpoint, Connection};
use crate::fault::{Fault, planted};
use crate::layer::sqlite::log::{FRAME_HEAD, Sum};

/// Pages on the way to their places.
#[derive(Debug)]
pub(super) struct Direct {
    gather: Gather,
    /// Something has been written since the last sync.
    is_unsynced: bool,
    /// The page there is what a checkpoint is about to write there.
    there: Option<u64>,
}

impl Direct {
    pub(super) fn new(gather: usize) -> Self {
        Self { gather: Gather::new(gather), is_unsynced: false, there: None }
    }

    fn write(&mut self, page: &[u8], at: u64, database: &mut File) -> Result<(), Code> {
        self.is_unsynced = true;
        self.gather.write(page, at, |data, at| database.write(data, at))
    }

    /// All that goes there is there, and stays.
    fn sync(&mut self, database: &mut File) -> Result<(), Code> {
        self.gather.hand_down(|data, at| database.write(data, at))?;
        if self.is_unsynced && !planted(Fault::NewPagesNotSynced) {
            database.sync(ffi::SQLITE_SYNC_NORMAL)?;
        }
        self.is_unsynced = false;
        Ok(())
    }

    fn read(&mut self, buf: &mut [u8], at: u64, database: &mut File) -> Result<(), Code> {
        match self.gather.read(buf, at, |data, at| database.write(data, at))? {
            true => Ok(()),
            false => database.read(buf, at),
        }
    }

    /// Whether a checkpoint need not write that page.
    pub(super) fn is_there(&mut self, at: u64) -> bool {
        self.there.take() == Some(at)
    }

    /// What still waits was never committed.
    pub(super) fn end_transaction(&mut self) {
        self.gather.forget();
        self.gather.rest();
        self.is_unsynced = false;
    }
}

impl Connection {
    pub(in super::super) fn write_log(&mut self, data: &[u8], offset: u64) -> Result<(), Code> {
        self.shared.check(ffi::SQLITE_IOERR_WRITE)?;
        let Self { shared, database, log, direct, .. } = self;
        let log = log.as_mut().ok_or(ffi::SQLITE_IOERR_WRITE)?;
        let mut places = shared.places();
        let head: Option<&[u8; FRAME_HEAD]> = data.try_into().ok();
        if offset == 0 {
            places.begin(data);
        }
        if let (Some(at), Some(_)) = (places.begins_at(offset), head)
            && database.characteristics() & ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE != 0
        {
            let mut sum = [0; 8];
            log.read(&mut sum, at)?;
            places.place_from(offset, Sum::at(&sum), database.size()?.unsigned_abs());
        }
        match (places.of(offset, data.len()), head) {
            (Lies::AsItThinks, _) => {
                head.iter().for_each(|head| places.written(*head));
                drop(places);
                log.write(data, offset)
            }
            (Lies::Head(frame, 0), Some(head)) => match places.take_head(frame, head) {
                Some(at) => log.write(data, at),
                None => Ok(()),
            },
            (Lies::InFile(at), _) => {
                drop(places);
                direct.write(data, at, database)
            }
            (Lies::InLog(frame, _), _) => {
                if places.ends(frame) {
                    // Nobody who reads waits for that.
                    drop(places);
                    direct.sync(database)?;
                    places = shared.places();
                }
                places.put(frame, data, log)
            }
            (Lies::Head(..) | Lies::Nowhere, _) => Err(ffi::SQLITE_IOERR_WRITE),
        }
    }

    pub(super) fn read_placed(&mut self, buf: &mut [u8], offset: u64) -> Result<(), Code> {
        self.shared.check(ffi::SQLITE_IOERR_READ)?;
        let Self { shared, database, log, direct, checkpoint, .. } = self;
        let log: &mut Log = log.as_mut().ok_or(ffi::SQLITE_IOERR_READ)?;
        let places = shared.places();
        match places.found(offset, buf.len()) {
            Lies::AsItThinks => {
                drop(places);
                log.read(buf, offset)
            }
            // Only who writes sums again reads heads, and the pages behind them. Nobody looks at those sums.
            Lies::Head(frame, within) => {
                let head = places.head(frame).ok_or(ffi::SQLITE_IOERR_READ)?;
                let rest = std::iter::repeat(&0);
                buf.iter_mut().zip(head.iter().skip(within).chain(rest)).for_each(|(to, from)| *to = *from);
                Ok(())
            }
            Lies::InLog(_, at) => {
                drop(places);
                log.read(buf, at)
            }
            Lies::InFile(at) => {
                drop(places);
                if *checkpoint == Checkpoint::Copying {
                    direct.there = Some(at);
                    return Ok(());
                }
                direct.read(buf, at, database)
            }
            Lies::Nowhere => Err(ffi::SQLITE_IOERR_READ),
        }
    }
}
