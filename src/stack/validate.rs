//! What a stack must be (rule 9), each refusal with its own kind.

use super::{DiskAccess, Layer, takes_writes};
use crate::error::{Error, ErrorKind, Result};
use crate::layer::{Access, Presence};

pub(super) fn check(layers: &[Layer], access: DiskAccess) -> Result<()> {
    let Some(top) = layers.first() else {
        return Err(Error::new(ErrorKind::NoLayers, "a disk needs at least one layer"));
    };
    let refuse = |kind, index, what: &str| Err(Error::new(kind, what).at_layer(index));
    let last = layers.len() - 1;
    for (index, layer) in layers.iter().enumerate() {
        if layer.geometry.sector_size() != top.geometry.sector_size() {
            let (size, expected) = (layer.geometry.sector_size(), top.geometry.sector_size());
            let what = format!("a layer with sectors of {size} bytes in a disk with sectors of {expected}");
            return refuse(ErrorKind::SectorSizeMismatch, index, &what);
        }
        if layer.write_through && index > 0 && !layers[index - 1].write_through {
            return refuse(ErrorKind::WriteThroughNotContiguous, index, "the layer above does not write through");
        }
        if layer.write_through && index == last {
            return refuse(ErrorKind::NothingBelow, index, "writing through needs a layer below");
        }
        if layer.read_cache && (index == last || !can_be_filled(layer)) {
            return refuse(ErrorKind::CacheCannotBeFilled, index, "a read cache needs a layer below, and to be filled");
        }
    }
    let path = 1 + layers.iter().take_while(|layer| layer.write_through).count();
    match layers[..path].iter().position(|layer| !takes_writes(layer)) {
        Some(index) if access == DiskAccess::Writable => {
            refuse(ErrorKind::ReadOnlyInWritePath, index, "writes would reach a layer that refuses them")
        }
        _ => Ok(()),
    }
}

fn can_be_filled(layer: &Layer) -> bool {
    let metadata = layer.io.metadata();
    metadata.presence == Presence::Sparse && metadata.access != Access::ReadOnly
}
