//! Layers as one disk, top first.
//!
//! - A read falls through to the first layer that has the sector; what no layer has reads as zeros.
//! - A write goes to the top layer, and on to the next as long as the layers write through.
//! - A layer is visible up to the smallest size of those from the top down to it; beyond, it is as if it were absent.
//! - A sector that was read from below is kept in the read caches above. Changes exclude reads until they are done, so
//!   a cache is never filled with what has changed meanwhile.

use std::ops::Range;
use std::sync::{Arc, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::geometry::Geometry;
use crate::layer::{Access, DiskLayerMetadata, Durability, LayerAttach, LayerIo, Parent};
use crate::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

mod as_layer;
mod read;
mod reshape;
mod validate;
mod write;

/// Whether a disk may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiskAccess {
    /// Writes go to the top layer.
    Writable,
    /// Writes and unmaps are refused with `ReadOnly`; caches are filled.
    ReadOnly,
}

/// What to do if a layer was made over something else than what lies below it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParentCheck {
    /// Refuse with `ParentMismatch`.
    Verify,
    /// The caller knows: record what lies below as the parent from now on.
    Adopt,
}

/// A layer, and its part in the stack.
pub struct LayerConfiguration {
    /// The layer, or what becomes one.
    pub layer: Box<dyn LayerAttach>,
    /// Writes to this layer go to the next one too.
    pub write_through: bool,
    /// Sectors read from below are kept here.
    pub read_cache: bool,
    /// What to do about a foreign parent.
    pub parent_check: ParentCheck,
}

impl LayerConfiguration {
    /// A layer without a special part. Who wants to go on using it himself keeps an `Arc` of it:
    ///
    /// ```
    /// use disklayer_sqlite::geometry::Geometry;
    /// use disklayer_sqlite::layer::{Access, LayerIo, RamDiskLayer};
    /// use disklayer_sqlite::stack::{DiskAccess, LayerConfiguration, LayeredDisk};
    /// use std::sync::Arc;
    ///
    /// let top = Arc::new(RamDiskLayer::new(Geometry::new(64, 512)?, Access::ReadWrite));
    /// let bottom: Box<dyn LayerIo> = Box::new(RamDiskLayer::new(Geometry::new(64, 512)?, Access::ReadWrite));
    /// let layers = vec![LayerConfiguration::new(top.clone()), LayerConfiguration::new(bottom)];
    /// LayeredDisk::new(layers, DiskAccess::Writable)?.unmap(0, 8)?;
    /// assert_eq!(top.next_extent(0)?, Some(0..8));
    /// # Ok::<(), disklayer_sqlite::error::Error>(())
    /// ```
    pub fn new(layer: impl LayerAttach + 'static) -> Self {
        Self { layer: Box::new(layer), write_through: false, read_cache: false, parent_check: ParentCheck::Verify }
    }
}

impl LayerAttach for Box<dyn LayerIo> {
    fn attach(self: Box<Self>, _below: Option<&DiskLayerMetadata>) -> Result<Arc<dyn LayerIo>> {
        Ok(Arc::from(*self))
    }

    fn preview(&self, _below: Option<&DiskLayerMetadata>) -> Result<Option<DiskLayerMetadata>> {
        Ok(Some(self.metadata()))
    }
}

/// The part of a layer in its stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerPart {
    /// Writes to it go to the next layer too.
    pub write_through: bool,
    /// It keeps what is read from below.
    pub read_cache: bool,
}

/// Layers that are one disk.
pub struct LayeredDisk {
    access: DiskAccess,
    /// Reads, which may fill caches, share it; changes and reshaping have it alone.
    stack: RwLock<Stack>,
}

/// The layers, top first; never empty.
#[cfg_attr(feature = "planted-faults", derive(Clone))]
struct Stack {
    layers: Vec<Layer>,
    /// The size of the disk.
    geometry: Geometry,
}

#[cfg_attr(feature = "planted-faults", derive(Clone))]
struct Layer {
    io: Arc<dyn LayerIo>,
    geometry: Geometry,
    write_through: bool,
    read_cache: bool,
    /// How many sectors are visible through the layers above.
    visible: u64,
    /// The coming generation of this layer, or that it needs none, has been noted in the layer above.
    noted: bool,
}

impl LayeredDisk {
    /// A disk of these layers, top first. They are attached from the bottom up, once the stack is known to be one.
    ///
    /// # Errors
    ///
    /// Rule 9's, each with its own kind: `NoLayers`, `SectorSizeMismatch`, `WriteThroughNotContiguous`,
    /// `NothingBelow`, `CacheCannotBeFilled`, `ReadOnlyInWritePath`; `ParentMismatch`; whatever attaching a layer
    /// brings.
    pub fn new(layers: Vec<LayerConfiguration>, access: DiskAccess) -> Result<Self> {
        validate::foresee(&layers, &[], access)?;
        let mut attached = Vec::with_capacity(layers.len());
        let mut below = None;
        for (index, configuration) in layers.into_iter().enumerate().rev() {
            let layer = attach(configuration, below.as_ref()).map_err(|e| e.at_layer(index))?;
            seal_parent(&layer, attached.last());
            below = Some(layer.io.metadata());
            attached.push(layer);
        }
        attached.reverse();
        validate::check(&candidates(&attached), access)?;
        Ok(Self { access, stack: RwLock::new(Stack::new(attached)) })
    }

    /// The size of the disk: that of its top layer.
    pub fn geometry(&self) -> Geometry {
        self.stack().geometry()
    }

    /// Whether the disk may be changed.
    pub fn access(&self) -> DiskAccess {
        self.access
    }

    /// Layer `index`, counted from the top, to be looked at alone.
    pub fn layer(&self, index: usize) -> Option<Arc<dyn LayerIo>> {
        self.stack().layers.get(index).map(|layer| layer.io.clone())
    }

    /// What layer `index` does for the others.
    pub fn layer_part(&self, index: usize) -> Option<LayerPart> {
        let part = |layer: &Layer| LayerPart { write_through: layer.write_through, read_cache: layer.read_cache };
        self.stack().layers.get(index).map(part)
    }

    /// Number of layers.
    pub fn layer_count(&self) -> usize {
        self.stack().layers.len()
    }

    /// Fills `buf` with the sectors at `sector`.
    ///
    /// # Errors
    ///
    /// `Misaligned`, `OutOfRange`; whatever reading a layer brings, with its number.
    pub fn read(&self, sector: u64, buf: &mut [u8]) -> Result<()> {
        let stack = self.stack();
        let range = stack.geometry().check_buffer(sector, buf.len())?;
        #[cfg(feature = "planted-faults")]
        if planted(Fault::FillOvertakesWrite) {
            return read::read(&unlocked(stack), range, buf);
        }
        read::read(&stack, range, buf)
    }

    /// Writes `data` at `sector`.
    ///
    /// # Errors
    ///
    /// `Misaligned`, `OutOfRange`, `ReadOnly`; whatever writing a layer brings, with its number.
    pub fn write(&self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        let mut stack = self.stack_mut();
        let range = stack.geometry().check_buffer(sector, data.len())?;
        match self.changes(range)? {
            #[cfg(feature = "planted-faults")]
            Some(range) if planted(Fault::WritesShareTheStack) => {
                write::write(&mut unlocked(stack), range, data, durability)
            }
            Some(range) => write::write(&mut stack, range, data, durability),
            None => Ok(()),
        }
    }

    /// Makes `count` sectors at `sector` read as zeros.
    ///
    /// # Errors
    ///
    /// `OutOfRange`, `ReadOnly`; whatever unmapping a layer brings, with its number.
    pub fn unmap(&self, sector: u64, count: u64) -> Result<()> {
        let mut stack = self.stack_mut();
        let range = stack.geometry().check_range(sector, count)?;
        if planted(Fault::ReadOnlyDiskUnmaps) && !range.is_empty() {
            return write::unmap(&mut stack, range);
        }
        match self.changes(range)? {
            Some(range) => write::unmap(&mut stack, range),
            None => Ok(()),
        }
    }

    /// Makes everything durable that was acknowledged before.
    ///
    /// # Errors
    ///
    /// Whatever flushing a layer brings, with its number.
    pub fn flush(&self) -> Result<()> {
        write::flush(&self.stack())
    }

    /// Closes every layer, top first; afterwards they refuse everything.
    ///
    /// # Errors
    ///
    /// The first failure; the other layers are closed all the same.
    pub fn close(&self) -> Result<()> {
        let stack = self.stack_mut();
        let close = |(index, layer): (usize, &Layer)| layer.io.close().map_err(|e| e.at_layer(index));
        stack.layers.iter().enumerate().map(close).fold(Ok(()), Result::and)
    }

    /// The sectors of a change, if there are any and the disk may be changed.
    fn changes(&self, range: Range<u64>) -> Result<Option<Range<u64>>> {
        let nothing = range.is_empty() && !planted(Fault::ZeroLengthRefusedReadOnly);
        match self.access {
            _ if nothing => Ok(None),
            DiskAccess::Writable => Ok(Some(range)),
            DiskAccess::ReadOnly => {
                Err(Error::new(ErrorKind::ReadOnly, "a change of a read-only disk").at_sector(range.start))
            }
        }
    }

    // The layers guard themselves; what a panic could leave half done here is a list that validation has seen.
    fn stack(&self) -> RwLockReadGuard<'_, Stack> {
        self.stack.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn stack_mut(&self) -> RwLockWriteGuard<'_, Stack> {
        self.stack.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stack {
    fn new(layers: Vec<Layer>) -> Self {
        let geometry = layers[0].geometry;
        let mut stack = Self { layers, geometry };
        stack.measure();
        stack
    }

    /// Works out anew how large the disk is, and how far each layer is visible (rule 10).
    fn measure(&mut self) {
        if !planted(Fault::DiscardKeepsSize) {
            self.geometry = self.layers[0].geometry;
        }
        let top = self.geometry.sector_count();
        let mut visible = top;
        for layer in &mut self.layers {
            let own = layer.geometry.sector_count();
            visible = visible.min(own);
            layer.visible = if planted(Fault::HiddenSectorsReappear) { own.min(top) } else { visible };
        }
    }

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The bytes that `part` has in the buffer of a request that begins at `start`.
    fn bytes(&self, start: u64, part: &Range<u64>) -> Range<usize> {
        self.geometry().bytes(start, part)
    }

    /// How many layers a write goes to.
    fn write_path(&self) -> usize {
        1 + self.layers.iter().take_while(|layer| layer.write_through).count()
    }
}

/// Attaches a layer, and checks that it was made over what lies below (rule 14).
fn attach(configuration: LayerConfiguration, below: Option<&DiskLayerMetadata>) -> Result<Layer> {
    let LayerConfiguration { layer, write_through, read_cache, parent_check } = configuration;
    let io = layer.attach(below)?;
    let metadata = io.metadata();
    if let Err(error) = validate::check_parent(&metadata, below) {
        match (parent_check, below) {
            (ParentCheck::Adopt, Some(_)) if planted(Fault::AdoptionForgotten) => {}
            (ParentCheck::Adopt, Some(below)) if planted(Fault::AdoptionTakesAnything) => {
                io.record_parent(&Parent { identity: None, ..Parent::of(below) })?;
            }
            (ParentCheck::Adopt, Some(below)) => io.record_parent(&Parent::of(below))?,
            _ => return Err(error),
        }
    }
    Ok(Layer { geometry: metadata.geometry, io, write_through, read_cache, visible: 0, noted: false })
}

/// The layer above may have recorded the state of the one below, so its next change must be told apart from it.
fn seal_parent(layer: &Layer, below: Option<&Layer>) {
    if let (Some(_), Some(below)) = (layer.io.metadata().parent, below) {
        below.io.seal();
    }
}

/// The layers as they are, without the lock that kept them so.
#[cfg(feature = "planted-faults")]
fn unlocked(stack: impl std::ops::Deref<Target = Stack>) -> Stack {
    stack.clone()
}

/// The layers of a disk, for whoever must not know more.
impl std::fmt::Debug for LayeredDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stack = self.stack();
        let sizes: Vec<_> = stack.layers.iter().map(|layer| layer.geometry.sector_count()).collect();
        f.debug_struct("LayeredDisk").field("access", &self.access).field("sector_counts", &sizes).finish()
    }
}

fn candidates(layers: &[Layer]) -> Vec<validate::Candidate> {
    layers.iter().map(validate::Candidate::from).collect()
}

/// Whether a layer takes writes.
fn takes_writes(layer: &Layer) -> bool {
    layer.io.metadata().access == Access::ReadWrite
}
