//! What came of an operation, as far as system and oracle must agree on it.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// What came of an operation; its bytes are compared apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused, by the disk or by one of its layers.
    Refused {
        /// Why.
        kind: ErrorKind,
        /// By which layer.
        layer: Option<usize>,
    },
    /// The power was cut, or the drive failed, and the disk was opened again.
    Struck,
    /// There was nothing to do it on.
    Skipped,
    /// The system panicked.
    Panicked,
}

impl Outcome {
    /// Whether it was refused.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

impl From<&Error> for Outcome {
    fn from(error: &Error) -> Self {
        Self::Refused { kind: error.kind(), layer: error.layer() }
    }
}

impl<T> From<&Result<T, Error>> for Outcome {
    fn from(result: &Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(error) => error.into(),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Refused { kind, layer: None } => write!(f, "refused ({kind})"),
            Self::Refused { kind, layer: Some(layer) } => write!(f, "refused by layer {layer} ({kind})"),
            Self::Struck => f.write_str("struck"),
            Self::Skipped => f.write_str("skipped"),
            Self::Panicked => f.write_str("panicked"),
        }
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How much of a layer an operation touched: sectors, and for flushes calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the requests")]
pub struct Touched {
    pub read: u64,
    pub written: u64,
    pub filled: u64,
    pub unmapped: u64,
    pub flushed: u64,
}
