//! How a layer is opened, and what a new one is to be.

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// To be changed; excludes everybody else. A file that only can be read opens all the same and says so.
    ReadWrite,
    /// To be read, together with other readers.
    ReadOnly,
}

/// What to do where a new layer would lie on something old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Existing {
    /// Refuse with `AlreadyExists`, unless the file is empty and no log of another database lies where its own would.
    Keep,
    /// Replace it.
    Replace,
}

/// The shape of a new layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FormatParams {
    /// Refuses writes and unmaps, and may still be filled as a cache.
    pub logically_read_only: bool,
    /// Bytes of the disk.
    pub len: u64,
    /// Bytes of a sector.
    pub sector_size: u32,
}

/// The shape of a new layer that takes the rest from the layer below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IncompleteFormatParams {
    /// Refuses writes and unmaps, and may still be filled as a cache.
    pub logically_read_only: bool,
    /// Bytes of the disk; those of the layer below if not given.
    pub len: Option<u64>,
}
