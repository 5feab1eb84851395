//! The one error of the crate: what kind, what failed, on which layer, at which sector.

use std::error::Error as StdError;
use std::fmt;

/// What went wrong, in the terms of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request does not lie inside the disk.
    OutOfRange,
    /// A buffer is not a whole number of sectors.
    Misaligned,
    /// The disk or layer refuses to be changed.
    ReadOnly,
    /// The file is not a SQLite disk layer.
    NotADisk,
    /// The file is a disk layer, and damaged.
    Corrupt,
    /// The file has a format from the future.
    TooNew,
    /// Somebody else has the file open.
    Busy,
    /// The layer was made over another parent, or its parent has changed since.
    ParentMismatch,
    /// Something exists already and would be overwritten.
    AlreadyExists,
    /// The file or directory is not there.
    NotFound,
    /// The operating system denies access.
    PermissionDenied,
    /// A length or sector size that no disk has.
    InvalidGeometry,
    /// A stack without layers.
    NoLayers,
    /// Layers of one stack have different sector sizes.
    SectorSizeMismatch,
    /// A write-through layer below one that does not write through.
    WriteThroughNotContiguous,
    /// The operation needs a layer below, and there is none.
    NothingBelow,
    /// A read cache that can never be filled.
    CacheCannotBeFilled,
    /// A read-only layer in the write path of a writable disk.
    ReadOnlyInWritePath,
    /// The operation needs layers of equal size.
    SizeMismatch,
    /// The layer or subject does not have this operation.
    Unsupported,
    /// A description or script that does not parse.
    Syntax,
    /// The layer failed earlier and refuses everything until it is reopened.
    Failed,
    /// The disk below is full.
    NoSpace,
    /// Any other failure of input or output.
    Io,
}

impl ErrorKind {
    /// Every kind, for whoever parses or lists them.
    pub const ALL: [Self; 24] = [
        Self::OutOfRange,
        Self::Misaligned,
        Self::ReadOnly,
        Self::NotADisk,
        Self::Corrupt,
        Self::TooNew,
        Self::Busy,
        Self::ParentMismatch,
        Self::AlreadyExists,
        Self::NotFound,
        Self::PermissionDenied,
        Self::InvalidGeometry,
        Self::NoLayers,
        Self::SectorSizeMismatch,
        Self::WriteThroughNotContiguous,
        Self::NothingBelow,
        Self::CacheCannotBeFilled,
        Self::ReadOnlyInWritePath,
        Self::SizeMismatch,
        Self::Unsupported,
        Self::Syntax,
        Self::Failed,
        Self::NoSpace,
        Self::Io,
    ];
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "out of range",
            Self::Misaligned => "not a whole number of sectors",
            Self::ReadOnly => "read only",
            Self::NotADisk => "not a disk layer",
            Self::Corrupt => "corrupt",
            Self::TooNew => "format too new",
            Self::Busy => "in use",
            Self::ParentMismatch => "parent mismatch",
            Self::AlreadyExists => "already exists",
            Self::NotFound => "not found",
            Self::PermissionDenied => "permission denied",
            Self::InvalidGeometry => "invalid geometry",
            Self::NoLayers => "no layers",
            Self::SectorSizeMismatch => "sector sizes differ",
            Self::WriteThroughNotContiguous => "write-through not contiguous from the top",
            Self::NothingBelow => "nothing below",
            Self::CacheCannotBeFilled => "read cache cannot be filled",
            Self::ReadOnlyInWritePath => "read-only layer in the write path",
            Self::SizeMismatch => "sizes differ",
            Self::Unsupported => "not supported",
            Self::Syntax => "syntax error",
            Self::Failed => "failed earlier",
            Self::NoSpace => "no space left",
            Self::Io => "I/O error",
        })
    }
}

/// A refusal or failure, with its place.
///
/// [`Error::kind`] is for programs; `Display` is one sentence for people, with the causes behind it.
pub struct Error(Box<Parts>);

struct Parts {
    kind: ErrorKind,
    context: String,
    layer: Option<usize>,
    sector: Option<u64>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`; `context` says what, where, and what to do.
    pub fn new(kind: ErrorKind, context: impl Into<String>) -> Self {
        Self(Box::new(Parts { kind, context: context.into(), layer: None, sector: None, source: None }))
    }

    /// An error of the operating system, with its kind derived from the cause.
    pub fn from_io(context: impl Into<String>, source: std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            std::io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
            std::io::ErrorKind::StorageFull => ErrorKind::NoSpace,
            _ => ErrorKind::Io,
        };
        Self::new(kind, context).because(source)
    }

    /// The same error with its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error inside a larger piece of work, which is named first.
    #[must_use]
    pub fn in_context(mut self, context: impl fmt::Display) -> Self {
        self.0.context = format!("{context}: {}", self.0.context);
        self
    }

    /// The same error on layer `layer` of a stack, counted from the top; an inner place stays.
    #[must_use]
    pub fn at_layer(mut self, layer: usize) -> Self {
        self.0.layer.get_or_insert(layer);
        self
    }

    /// The same error at `sector`; an inner place stays.
    #[must_use]
    pub fn at_sector(mut self, sector: u64) -> Self {
        self.0.sector.get_or_insert(sector);
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The layer of the stack that it happened on, counted from the top.
    pub fn layer(&self) -> Option<usize> {
        self.0.layer
    }

    /// The sector that it happened at.
    pub fn sector(&self) -> Option<u64> {
        self.0.sector
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { kind, context, layer, sector, source } = &*self.0;
        write!(f, "{context}: {kind}")?;
        if let Some(layer) = layer {
            write!(f, ", on layer {layer}")?;
        }
        if let Some(sector) = sector {
            write!(f, ", at sector {sector}")?;
        }
        let mut cause = source.as_ref().map(|s| &**s as &dyn StdError);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.0.kind)
    }
}

impl StdError for Error {}
