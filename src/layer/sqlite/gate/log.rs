//! The log of one connection: gathered, read ahead, and sealed.

use std::ffi::c_int;
use std::ops::Range;

use super::super::log::{Committed, FRAME_HEAD};
use super::super::seal::Sealer;
use super::ahead::Ahead;
use super::below::{Code, File, LONGEST};
use super::gather::Gather;
use crate::fault::{Fault, planted};

/// The bytes of the head of a frame that are not zero if it ends a transaction.
const COMMIT: Range<usize> = 4..8;

#[derive(Debug)]
pub(super) struct Log {
    file: File,
    gather: Gather,
    ahead: Ahead,
    sealer: Sealer,
    /// Where the last write of SQLite ended.
    end: u64,
    next: Next,
    /// So many bytes were there before, and whether they are on the drive is not known.
    found: i64,
}

/// What the next write of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Any,
    /// The page that ends a transaction.
    LastPage,
}

impl Log {
    /// The log in that file, of which so many bytes are gathered.
    pub(super) fn new(mut file: File, gather: usize) -> Self {
        let found = file.size().unwrap_or(i64::MAX);
        let (gather, ahead, sealer) = (Gather::new(gather), Ahead::default(), Sealer::default());
        Self { file, gather, ahead, sealer, end: 0, next: Next::Any, found }
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Seals what was committed, and hands down all that waits.
    pub(super) fn hand_down(&mut self) -> Result<(), Code> {
        let Self { file, gather, sealer, .. } = self;
        if let Some((at, seal)) = sealer.seal() {
            gather.write(&seal, at, |data, at| file.write(data, at))?;
            sealer.sealed();
        }
        gather.hand_down(|data, at| file.write(data, at))
    }

    pub(super) fn read(&mut self, buf: &mut [u8], offset: u64) -> Result<(), Code> {
        let Self { file, gather, ahead, .. } = self;
        match gather.read(buf, offset, |data, at| file.write(data, at))? {
            true => Ok(()),
            false => ahead.read(buf, offset, |buf, at| file.read(buf, at)),
        }
    }

    pub(super) fn write(&mut self, data: &[u8], offset: u64) -> Result<(), Code> {
        self.ahead.end();
        let ends = data.len() == FRAME_HEAD && data[COMMIT] != [0; 4];
        let was = std::mem::replace(&mut self.next, Next::Any);
        let is_again = offset < self.end;
        let Self { file, gather, sealer, .. } = self;
        if ends {
            // A seal that went down after its page would be missed in between.
            gather.keep_together(sealer.room(), |data, at| file.write(data, at))?;
        }
        gather.write(data, offset, |data, at| file.write(data, at))?;
        sealer.written(data, offset);
        self.end = offset + data.len() as u64;
        match () {
            () if was == Next::LastPage || ends && is_again => self.hand_down(),
            () if ends => {
                self.next = Next::LastPage;
                Ok(())
            }
            () => Ok(()),
        }
    }

    pub(super) fn truncate(&mut self, len: i64) -> Result<(), Code> {
        self.ahead.end();
        self.hand_down()?;
        self.file.truncate(len)
    }

    pub(super) fn sync(&mut self, flags: c_int) -> Result<(), Code> {
        self.hand_down()?;
        self.write_again()?;
        self.file.sync(flags)?;
        self.found = 0;
        Ok(())
    }

    /// Whoever left the log may have failed to sync it. Its pages read well then and are taken for clean: they are not on
    /// the drive, and only what is written again ever comes to be (LWN 752063).
    fn write_again(&mut self) -> Result<(), Code> {
        if self.found > 0 && !planted(Fault::LogNotWrittenAgain) {
            let (size, mut buf) = (self.file.size()?.min(self.found), Vec::new());
            for at in (0..size).step_by(LONGEST) {
                buf.resize((size - at).min(LONGEST as i64) as usize, 0);
                self.file.read(&mut buf, at as u64)?;
                self.file.write(&buf, at as u64)?;
            }
        }
        Ok(())
    }

    pub(super) fn size(&mut self) -> Result<i64, Code> {
        self.hand_down()?;
        self.file.size()
    }

    /// How long it is for who recovers it: a transaction that is not whole is not there.
    pub(super) fn whole_size(&mut self) -> Result<i64, Code> {
        let size = self.size()?;
        let committed = Committed::of(size as u64, |buf, at| self.file.read(buf, at))?;
        Ok(committed.torn_at.map_or(size, |at| at as i64))
    }

    /// All of it is about to be copied. If the size cannot be had, nothing is read ahead.
    pub(super) fn begin_copying(&mut self) {
        self.ahead.begin(self.file.size().unwrap_or(0) as u64);
    }

    pub(super) fn end_copying(&mut self) {
        self.ahead.end();
    }

    /// The writer lets go of it: nobody has been told of what still waits.
    pub(super) fn end_transaction(&mut self) {
        self.gather.forget();
        self.sealer.forget();
    }
}
