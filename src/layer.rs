//! The contract of a layer: sectors with presence.
//!
//! - A layer either holds a sector (it is *present*, zeroed ones too) or does not.
//! - `read` fills exactly the present sectors, marks them, and leaves every other byte of the buffer alone.
//! - `write` makes sectors present; `unmap` makes them read as zeros, whatever lies below.
//! - `write_no_overwrite` fills absent sectors and leaves present ones; it is how a cache is filled.
//! - A *disk* is a layer with every sector present.
//! - Every call takes `&self`, may come from any thread, and is refused by the rules of
//!   [`Geometry`] before anything else happens.
//!
//! Sectors are counted from the start of the layer; buffers are whole sectors.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::geometry::Geometry;

mod file;
mod file_system;
mod marker;
mod ram;
mod runs;
mod sqlite;

pub use crate::request::{Below, Durability};
pub use file::FileDisk;
pub use file_system::{FileSystem, Found, Hold, Native, RawFile, Wanted};
pub use marker::SectorMarker;
pub use ram::RamDiskLayer;
#[cfg(feature = "harness")]
pub use sqlite::{Attack, Effect, Reached};
pub use sqlite::{
    Checkup, Existing, Format, FormatOnAttachSqliteDiskLayer, FormatParams, IncompleteFormatParams, Location,
    MemoryFile, Mode, Options, Progress, Rewritten, Salvaged, SqliteDiskLayer, Watch, check, compact, salvage, upgrade,
};

/// What a disk does with unmapped sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnmapBehavior {
    /// They read as zeros.
    Zeroes,
    /// Each keeps its bytes, or reads as zeros or as what lies below, and stays so until it is written.
    Unspecified,
    /// Nothing happens.
    Ignored,
}

/// Who may change a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Everybody.
    ReadWrite,
    /// Writes and unmaps are refused; a cache may still be filled.
    LogicallyReadOnly,
    /// Nothing can be changed.
    ReadOnly,
}

/// Whether a layer can do without one that holds every sector below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Some sectors may be absent.
    Sparse,
    /// Every sector is present, always: a disk.
    Full,
}

/// Who a layer is, and which of its states this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Which layer.
    pub uuid: Uuid,
    /// Changes before the first write after each open.
    pub generation: u64,
}

/// What a differencing layer remembers of the layer that it was made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parent {
    /// Number of sectors.
    pub sector_count: u64,
    /// Bytes in a sector.
    pub sector_size: u32,
    /// Its identity, if it has one.
    pub identity: Option<Identity>,
    /// The identity that it has once a change that goes through this layer reaches it.
    pub coming: Option<Identity>,
}

impl Parent {
    /// The record of a parent with this metadata.
    pub fn of(parent: &DiskLayerMetadata) -> Self {
        Self {
            sector_count: parent.geometry.sector_count(),
            sector_size: parent.geometry.sector_size(),
            identity: parent.identity,
            coming: None,
        }
    }

    /// Whether `below` is the recorded parent in a state that this record allows (rule 14).
    pub fn allows(&self, below: Option<&DiskLayerMetadata>) -> bool {
        use crate::fault::{Fault, planted};
        let Some(below) = below else { return false };
        let same = |recorded: Option<Identity>| match (recorded, below.identity) {
            (Some(a), Some(b)) if planted(Fault::ParentGenerationIgnored) => a.uuid == b.uuid,
            (recorded, actual) => recorded.is_some() && recorded == actual,
        };
        below.geometry.sector_count() == self.sector_count
            && below.geometry.sector_size() == self.sector_size
            && (self.identity.is_none() || same(self.identity) || same(self.coming))
    }
}

/// What a layer says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskLayerMetadata {
    /// Its size.
    pub geometry: Geometry,
    /// Who may change it.
    pub access: Access,
    /// Whether sectors may be absent.
    pub presence: Presence,
    /// What it does with unmapped sectors.
    pub unmap: UnmapBehavior,
    /// Who it is, if it can say.
    pub identity: Option<Identity>,
    /// What it was made over, if it remembers.
    pub parent: Option<Parent>,
}

/// A layer of a disk; the rules are at the top of this module.
///
/// # Errors
///
/// Every request is refused with `Misaligned`, `OutOfRange` or `ReadOnly`, in that order, and then nothing has changed.
/// A failure of I/O has the kind of its cause.
pub trait LayerIo: Send + Sync {
    /// What the layer says of itself now.
    fn metadata(&self) -> DiskLayerMetadata;

    /// Fills the present ones of the sectors at `sector` into `buf`, and marks them. A marker that is for other sectors
    /// than these is refused as `Misaligned`.
    fn read(&self, sector: u64, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()>;

    /// Stores `data` at `sector`, all or nothing.
    fn write(&self, sector: u64, data: &[u8], durability: Durability) -> Result<()>;

    /// Stores those sectors of `data` that are absent here.
    fn write_no_overwrite(&self, sector: u64, data: &[u8]) -> Result<()> {
        let _ = (sector, data);
        Err(Error::new(ErrorKind::Unsupported, "this layer holds every sector and cannot be filled"))
    }

    /// Makes `count` sectors at `sector` read as zeros.
    fn unmap(&self, sector: u64, count: u64, below: Below) -> Result<()>;

    /// Makes everything durable that was acknowledged before the call.
    fn flush(&self) -> Result<()>;

    /// The first run of present sectors at or after `sector`, which may be shorter than the run is.
    fn next_extent(&self, sector: u64) -> Result<Option<Range<u64>>>;

    /// Up to where the present sectors from `sector` on are known to be zeros without reading them; `sector` itself if
    /// that is not known.
    fn zeroed_until(&self, sector: u64) -> Result<u64> {
        Ok(sector)
    }

    /// Forgets every sector, in one transaction.
    fn clear(&self) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "this layer holds every sector and cannot be emptied"))
    }

    /// The identity that the layer gets with its next write, unless it has it already.
    fn coming_identity(&self) -> Result<Option<Identity>> {
        Ok(None)
    }

    /// Says that a child has recorded the identity: the next write changes it.
    fn seal(&self) {}

    /// Records durably what lies below.
    fn record_parent(&self, parent: &Parent) -> Result<()> {
        let _ = parent;
        Ok(())
    }

    /// Checks that what the layer is kept in is whole; it takes as long as reading all of it.
    ///
    /// # Errors
    ///
    /// `Corrupt`, with what is wrong.
    fn verify(&self) -> Result<()> {
        Ok(())
    }

    /// Makes everything durable and lets go of the file; afterwards the layer refuses everything.
    fn close(&self) -> Result<()> {
        self.flush()
    }
}

/// Something that becomes a layer when it is stacked, and may learn its geometry from the one below.
pub trait LayerAttach {
    /// Becomes a layer over `below`.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from becoming one.
    fn attach(self: Box<Self>, below: Option<&DiskLayerMetadata>) -> Result<Arc<dyn LayerIo>>;

    /// What it would become over `below`, if it can tell; nothing changes. A stack that cannot be is refused by this
    /// before attaching has made or destroyed anything.
    ///
    /// # Errors
    ///
    /// What attaching would refuse for the same reasons.
    fn preview(&self, below: Option<&DiskLayerMetadata>) -> Result<Option<DiskLayerMetadata>> {
        let _ = below;
        Ok(None)
    }
}

impl<L: LayerIo + 'static> LayerAttach for L {
    fn attach(self: Box<Self>, _below: Option<&DiskLayerMetadata>) -> Result<Arc<dyn LayerIo>> {
        Ok(Arc::from(self as Box<dyn LayerIo>))
    }

    fn preview(&self, _below: Option<&DiskLayerMetadata>) -> Result<Option<DiskLayerMetadata>> {
        Ok(Some(self.metadata()))
    }
}

impl<L: LayerIo + ?Sized> LayerIo for Arc<L> {
    fn metadata(&self) -> DiskLayerMetadata {
        (**self).metadata()
    }
    fn read(&self, sector: u64, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()> {
        (**self).read(sector, buf, marker)
    }
    fn write(&self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        (**self).write(sector, data, durability)
    }
    fn write_no_overwrite(&self, sector: u64, data: &[u8]) -> Result<()> {
        (**self).write_no_overwrite(sector, data)
    }
    fn unmap(&self, sector: u64, count: u64, below: Below) -> Result<()> {
        (**self).unmap(sector, count, below)
    }
    fn flush(&self) -> Result<()> {
        (**self).flush()
    }
    fn next_extent(&self, sector: u64) -> Result<Option<Range<u64>>> {
        (**self).next_extent(sector)
    }
    fn zeroed_until(&self, sector: u64) -> Result<u64> {
        (**self).zeroed_until(sector)
    }
    fn clear(&self) -> Result<()> {
        (**self).clear()
    }
    fn coming_identity(&self) -> Result<Option<Identity>> {
        (**self).coming_identity()
    }
    fn seal(&self) {
        (**self).seal();
    }
    fn record_parent(&self, parent: &Parent) -> Result<()> {
        (**self).record_parent(parent)
    }
    fn verify(&self) -> Result<()> {
        (**self).verify()
    }
    fn close(&self) -> Result<()> {
        (**self).close()
    }
}

/// Checks a read, whose marker has to be for just the sectors that are asked for.
pub(crate) fn readable(geometry: Geometry, sector: u64, buf: &[u8], marker: &SectorMarker) -> Result<Range<u64>> {
    let range = geometry.check_buffer(sector, buf.len())?;
    if marker.range() != range {
        let what = format!("a marker for the sectors {:?} in a read of {range:?}", marker.range());
        return Err(Error::new(ErrorKind::Misaligned, what).at_sector(sector));
    }
    Ok(range)
}

/// Checks a request that changes a layer, in the order of rule 3; `None` if there is nothing to do.
fn writable(access: Access, range: Range<u64>) -> Result<Option<Range<u64>>> {
    if range.is_empty() {
        return Ok(None);
    }
    match access {
        Access::ReadWrite => Ok(Some(range)),
        Access::LogicallyReadOnly | Access::ReadOnly => {
            Err(Error::new(ErrorKind::ReadOnly, "a change of a read-only layer").at_sector(range.start))
        }
    }
}

/// Checks a fill; only a file that cannot be written refuses it.
fn fillable(access: Access, range: Range<u64>) -> Result<Option<Range<u64>>> {
    match access {
        Access::LogicallyReadOnly => writable(Access::ReadWrite, range),
        access => writable(access, range),
    }
}
