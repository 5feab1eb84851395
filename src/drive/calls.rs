//! The calls to a drive, counted, and what strikes them.

use std::io;

use super::Struck;
use crate::strike::{Failure, Span, Strike};

/// A call, as far as failures tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Look,
    Open,
    Read,
    /// The file stays as long as it is.
    Write,
    /// A file becomes longer, or comes into being.
    Grow,
    /// Names, and lengths that shrink.
    Change,
    Sync,
    Lock,
}

impl Call {
    /// Whether it changes what is on the drive, or makes it durable.
    fn is_write(self) -> bool {
        matches!(self, Self::Write | Self::Grow | Self::Change | Self::Sync)
    }

    fn fits(self, failure: Failure) -> bool {
        match failure {
            Failure::Error | Failure::Memory => true,
            Failure::Full => self == Self::Grow,
            Failure::Short => matches!(self, Self::Read | Self::Write | Self::Grow),
            Failure::Sync => self == Self::Sync,
            Failure::Lock => self == Self::Lock,
            Failure::Open => matches!(self, Self::Open | Self::Look),
        }
    }
}

/// What has been called, and what is to strike.
#[derive(Debug, Default)]
pub(super) struct Calls {
    seen: u32,
    writes: u32,
    armed: Option<Strike>,
    struck: bool,
    dead: bool,
    /// The first call that a failure struck, for whoever asks in the end.
    struck_at: Option<u32>,
}

impl Calls {
    pub(super) fn arm(&mut self, strike: &Strike) {
        *self = Self { armed: Some(strike.clone()), ..self.begun_anew() };
    }

    pub(super) fn disarm(&mut self) -> Struck {
        let struck = if self.struck || self.dead { Struck::Yes } else { Struck::No };
        *self = self.begun_anew();
        struck
    }

    fn begun_anew(&self) -> Self {
        Self { dead: self.dead, struck_at: self.struck_at, ..Self::default() }
    }

    pub(super) fn take_struck_at(&mut self) -> Option<u32> {
        self.struck_at.take()
    }

    pub(super) fn seen(&self) -> u32 {
        self.seen
    }

    pub(super) fn kill(&mut self) {
        self.dead = true;
    }

    pub(super) fn revive(&mut self) {
        *self = Self { dead: false, ..self.begun_anew() };
    }

    /// A call is made: the failure that strikes it, if one does.
    pub(super) fn make(&mut self, call: Call) -> Result<(), Failure> {
        self.seen += 1;
        if self.dead {
            return Err(Failure::Error);
        }
        match &self.armed {
            Some(Strike::Cut(cuts)) if call.is_write() => {
                self.dead = cuts.first().is_some_and(|cut| self.writes == cut.after);
                self.writes += 1;
                if self.dead { Err(Failure::Error) } else { Ok(()) }
            }
            Some(Strike::Fail { call: from, span, failure })
                if self.seen >= *from && call.fits(*failure) && !(self.struck && *span == Span::One) =>
            {
                self.struck = true;
                self.struck_at.get_or_insert(self.seen);
                Err(*failure)
            }
            _ => Ok(()),
        }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        let kind = match failure {
            Failure::Full => io::ErrorKind::StorageFull,
            Failure::Memory => io::ErrorKind::OutOfMemory,
            Failure::Lock => io::ErrorKind::ResourceBusy,
            Failure::Error | Failure::Short | Failure::Sync | Failure::Open => io::ErrorKind::Other,
        };
        Self::new(kind, "the simulated drive fails")
    }
}
