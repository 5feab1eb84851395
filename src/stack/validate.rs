//! What a stack must be (rule 9), each refusal with its own kind; and what can be known of it before a layer is made,
//! because making one may destroy what was there (rule 20).

use super::{DiskAccess, Layer, LayerConfiguration, ParentCheck};
use crate::error::{Error, ErrorKind, Result};
use crate::layer::{Access, DiskLayerMetadata, Presence};

/// A layer, or what one will be.
pub(super) struct Candidate {
    metadata: DiskLayerMetadata,
    write_through: bool,
    read_cache: bool,
}

impl From<&Layer> for Candidate {
    fn from(layer: &Layer) -> Self {
        Self { metadata: layer.io.metadata(), write_through: layer.write_through, read_cache: layer.read_cache }
    }
}

/// Checks the stack that these layers, top first, will be over `lower`, and that each lies over its parent; as far as
/// they can tell.
pub(super) fn foresee(upper: &[LayerConfiguration], lower: &[Layer], access: DiskAccess) -> Result<()> {
    let mut candidates: Vec<Candidate> = lower.iter().rev().map(Candidate::from).collect();
    for (index, configuration) in upper.iter().enumerate().rev() {
        let below = candidates.last().map(|candidate| &candidate.metadata);
        let Some(metadata) = configuration.layer.preview(below).map_err(|e| e.at_layer(index))? else { return Ok(()) };
        if configuration.parent_check == ParentCheck::Verify {
            check_parent(&metadata, below).map_err(|e| e.at_layer(index))?;
        }
        let LayerConfiguration { write_through, read_cache, .. } = *configuration;
        candidates.push(Candidate { metadata, write_through, read_cache });
    }
    candidates.reverse();
    check(&candidates, access)
}

/// Checks that a layer was made over what lies below it (rule 14).
pub(super) fn check_parent(layer: &DiskLayerMetadata, below: Option<&DiskLayerMetadata>) -> Result<()> {
    match layer.parent {
        Some(parent) if !parent.allows(below) => {
            let what = match below {
                Some(_) => "the layer was made over another disk than the one below it, or that one has changed since",
                None => "the layer was made over another disk, and none is below it",
            };
            Err(Error::new(ErrorKind::ParentMismatch, what))
        }
        _ => Ok(()),
    }
}

pub(super) fn check(layers: &[Candidate], access: DiskAccess) -> Result<()> {
    let Some(top) = layers.first() else {
        return Err(Error::new(ErrorKind::NoLayers, "a disk needs at least one layer"));
    };
    let refuse = |kind, index, what: &str| Err(Error::new(kind, what).at_layer(index));
    let last = layers.len() - 1;
    for (index, layer) in layers.iter().enumerate() {
        let (size, expected) = (layer.metadata.geometry.sector_size(), top.metadata.geometry.sector_size());
        if size != expected {
            let what = format!("a layer with sectors of {size} bytes in a disk with sectors of {expected}");
            return refuse(ErrorKind::SectorSizeMismatch, index, &what);
        }
        if layer.write_through && index > 0 && !layers[index - 1].write_through {
            return refuse(ErrorKind::WriteThroughNotContiguous, index, "the layer above does not write through");
        }
        if layer.write_through && index == last {
            return refuse(ErrorKind::NothingBelow, index, "writing through needs a layer below");
        }
        if layer.read_cache && (index == last || !can_be_filled(&layer.metadata)) {
            return refuse(ErrorKind::CacheCannotBeFilled, index, "a read cache needs a layer below, and to be filled");
        }
    }
    let path = 1 + layers.iter().take_while(|layer| layer.write_through).count();
    match layers[..path].iter().position(|layer| layer.metadata.access != Access::ReadWrite) {
        Some(index) if access == DiskAccess::Writable => {
            refuse(ErrorKind::ReadOnlyInWritePath, index, "writes would reach a layer that refuses them")
        }
        _ => Ok(()),
    }
}

fn can_be_filled(metadata: &DiskLayerMetadata) -> bool {
    metadata.presence == Presence::Sparse && metadata.access != Access::ReadOnly
}
