//! One operation of a script, in its one definition.

use crate::request::{Below, Durability};

/// Whom a request goes to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// The whole disk.
    Disk,
    /// One layer alone, counted from the top; a layer that is not there makes the op a skip.
    Layer(usize),
}

/// The bytes of a write, said so that a wrong byte tells where it came from.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    /// Every byte depends on the stamp and on its sector.
    Stamp(u32),
    /// Zeros.
    Zeros,
    /// This byte throughout.
    Fill(u8),
    /// Zeros but for one byte of each sector; its place wraps at the sector size.
    Byte {
        /// Where in the sector.
        at: u32,
        /// The byte.
        value: u8,
    },
}

/// How a disk is opened again.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reopen {
    /// As at first.
    Writable,
    /// As a read-only disk; SQLite files and raw files but for read caches are opened read only.
    ReadOnly,
    /// The top layer is first tried over another disk of the same geometry.
    Elsewhere,
}

/// What is pushed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pushed {
    /// A SQLite differencing layer.
    Sqlite,
    /// A RAM layer.
    Ram,
}

/// An operation. Every one is legal in every state.
///
/// Sectors and counts are in sectors of the disk, lengths in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the fields are what the text form says")]
pub enum Op {
    /// `read [@layer] sector count`
    Read { target: Target, sector: u64, count: u32 },
    /// `write [@layer] sector count content [fua]`
    Write { target: Target, sector: u64, count: u32, content: Content, durability: Durability },
    /// `fill @layer sector count content`: a write that does not overwrite.
    Fill { layer: usize, sector: u64, count: u32, content: Content },
    /// `unmap sector count`
    Unmap { sector: u64, count: u64 },
    /// `unmap @layer sector count forget|remember`
    UnmapLayer { layer: usize, sector: u64, count: u64, below: Below },
    /// `flush [@layer]`
    Flush { target: Target },
    /// `read-bytes [@layer] sector bytes`: a buffer that need not be whole sectors.
    ReadBytes { target: Target, sector: u64, len: u32 },
    /// `write-bytes [@layer] sector bytes`: the same, of the byte [`Op::ODD_BYTE`].
    WriteBytes { target: Target, sector: u64, len: u32 },
    /// `reopen [read-only|elsewhere]`
    Reopen(Reopen),
    /// `push sqlite|ram`
    Push(Pushed),
    /// `discard`
    Discard,
    /// `commit`
    Commit,
}

/// The kinds of operation, for counting and for telling divergences apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are those of the operations")]
pub enum OpKind {
    Read,
    Write,
    Fill,
    Unmap,
    Flush,
    Odd,
    Reopen,
    Push,
    Discard,
    Commit,
}

impl OpKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Read,
        Self::Write,
        Self::Fill,
        Self::Unmap,
        Self::Flush,
        Self::Odd,
        Self::Reopen,
        Self::Push,
        Self::Discard,
        Self::Commit,
    ];
}

impl Op {
    /// What the buffer of a misaligned write is full of.
    pub const ODD_BYTE: u8 = 0xa5;

    /// Its kind.
    pub fn kind(&self) -> OpKind {
        match self {
            Self::Read { .. } => OpKind::Read,
            Self::Write { .. } => OpKind::Write,
            Self::Fill { .. } => OpKind::Fill,
            Self::Unmap { .. } | Self::UnmapLayer { .. } => OpKind::Unmap,
            Self::Flush { .. } => OpKind::Flush,
            Self::ReadBytes { .. } | Self::WriteBytes { .. } => OpKind::Odd,
            Self::Reopen(_) => OpKind::Reopen,
            Self::Push(_) => OpKind::Push,
            Self::Discard => OpKind::Discard,
            Self::Commit => OpKind::Commit,
        }
    }

    /// Whom it goes to.
    pub fn target(&self) -> Target {
        match *self {
            Self::Read { target, .. }
            | Self::Write { target, .. }
            | Self::Flush { target }
            | Self::ReadBytes { target, .. }
            | Self::WriteBytes { target, .. } => target,
            Self::Fill { layer, .. } | Self::UnmapLayer { layer, .. } => Target::Layer(layer),
            _ => Target::Disk,
        }
    }

    /// Its first sector and number of sectors, if it has them.
    pub fn range(&self) -> Option<(u64, u64)> {
        match *self {
            Self::Read { sector, count, .. } | Self::Write { sector, count, .. } | Self::Fill { sector, count, .. } => {
                Some((sector, u64::from(count)))
            }
            Self::Unmap { sector, count } | Self::UnmapLayer { sector, count, .. } => Some((sector, count)),
            _ => None,
        }
    }

    /// The length of its buffer in bytes, which a script bounds.
    pub fn buffer_len(&self, sector_size: usize) -> usize {
        match *self {
            Self::Read { count, .. } | Self::Write { count, .. } | Self::Fill { count, .. } => {
                count as usize * sector_size
            }
            Self::ReadBytes { len, .. } | Self::WriteBytes { len, .. } => len as usize,
            _ => 0,
        }
    }

    /// The same op on other sectors, if it has sectors.
    #[must_use]
    pub fn with_range(mut self, new_sector: u64, new_count: u64) -> Self {
        match &mut self {
            Self::Read { sector, count, .. } | Self::Write { sector, count, .. } | Self::Fill { sector, count, .. } => {
                (*sector, *count) = (new_sector, u32::try_from(new_count).unwrap_or(u32::MAX));
            }
            Self::Unmap { sector, count } | Self::UnmapLayer { sector, count, .. } => {
                (*sector, *count) = (new_sector, new_count);
            }
            _ => {}
        }
        self
    }

    /// What it writes, if it writes.
    pub fn content(&self) -> Option<Content> {
        match *self {
            Self::Write { content, .. } | Self::Fill { content, .. } => Some(content),
            Self::WriteBytes { .. } => Some(Content::Fill(Self::ODD_BYTE)),
            _ => None,
        }
    }
}

impl Content {
    /// Fills `sectors`, which begin at sector `first`.
    pub fn render(self, first: u64, sector_size: usize, sectors: &mut [u8]) {
        match self {
            Self::Zeros => sectors.fill(0),
            Self::Fill(byte) => sectors.fill(byte),
            Self::Stamp(stamp) => {
                for (nth, buf) in (0..).zip(sectors.chunks_exact_mut(sector_size)) {
                    // What is written past the last sector number is refused, but has to be made first.
                    stamp_sector(stamp, first.wrapping_add(nth), buf);
                }
            }
            Self::Byte { at, value } => {
                sectors.fill(0);
                for buf in sectors.chunks_exact_mut(sector_size) {
                    buf[at as usize % sector_size] = value;
                }
            }
        }
    }
}

/// Words that grow by an odd step from a hash of stamp and sector: quick, and no byte is the same a sector further.
fn stamp_sector(stamp: u32, sector: u64, buf: &mut [u8]) {
    let mut word = (u64::from(stamp) << 32 ^ sector ^ 0x5851_f42d_4c95_7f2d).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word ^= word >> 29;
    // Arrays have no lengths to be compared, which an instrumented build counts each time.
    for chunk in buf.as_chunks_mut::<8>().0 {
        *chunk = word.to_le_bytes();
        word = word.wrapping_add(0xa076_1d64_78bd_642f);
    }
}
