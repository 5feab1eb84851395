//! What a disk is and holds before the script, told to the oracle.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::Arc;

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::layer::{Access, Format, LayerIo, Presence, SectorMarker};
use disklayer_sqlite::oracle::Oracle;
use disklayer_sqlite::script::{LayerKind, LayerShape, Medium, Shape};
use disklayer_sqlite::stack::{DiskAccess, LayeredDisk};

/// At most so many bytes are copied.
const MOST: u64 = 4 << 30;
/// So many at a time.
const CHUNK: u64 = 1 << 20;

/// The shape of `disk`, as far as the oracle tells layers apart.
pub(super) fn shape(disk: &LayeredDisk) -> Shape {
    Shape {
        sector_size: disk.geometry().sector_size(),
        medium: Medium::Files,
        read_only: disk.access() == DiskAccess::ReadOnly,
        dirty_limit: None,
        format: Format::NEWEST,
        page_size: Shape::PAGE_SIZE,
        layers: layers(disk).enumerate().map(|(index, layer)| layer_shape(disk, index, &*layer)).collect(),
    }
}

fn layer_shape(disk: &LayeredDisk, index: usize, layer: &dyn LayerIo) -> LayerShape {
    let metadata = layer.metadata();
    let kind = match (metadata.presence, metadata.identity) {
        (Presence::Full, _) => LayerKind::File,
        (Presence::Sparse, Some(_)) => LayerKind::Sqlite,
        (Presence::Sparse, None) => LayerKind::Ram,
    };
    let part = disk.layer_part(index);
    LayerShape {
        read_cache: part.is_some_and(|part| part.read_cache),
        write_through: part.is_some_and(|part| part.write_through),
        read_only: metadata.access != Access::ReadWrite,
        ..LayerShape::new(kind, metadata.geometry.sector_count())
    }
}

/// An oracle of that shape that has what the layers of `disk` hold.
pub(super) fn oracle(disk: &LayeredDisk, shape: &Shape) -> Result<Oracle> {
    let extents = layers(disk).enumerate().map(|(index, layer)| extents(&*layer).map_err(|e| e.at_layer(index)));
    let extents: Vec<Vec<Range<u64>>> = extents.collect::<Result<_>>()?;
    let sectors: u64 = extents.iter().flatten().map(|extent| extent.end - extent.start).sum();
    if sectors > MOST / u64::from(shape.sector_size) {
        let what = format!("the layers hold {sectors} sectors, which the oracle would have to copy; 4 GiB is the most");
        return Err(Error::new(ErrorKind::Unsupported, what));
    }
    let (mut oracle, _) = Oracle::new(shape);
    for (index, (layer, extents)) in layers(disk).zip(&extents).enumerate() {
        let copy = copy(&*layer, extents).map_err(|e| e.at_layer(index))?;
        oracle.hold(index, extents, &Arc::new(copy));
        if layer.metadata().access == Access::ReadOnly {
            oracle.freeze(index);
        }
    }
    Ok(oracle)
}

fn layers(disk: &LayeredDisk) -> impl Iterator<Item = Arc<dyn LayerIo>> {
    (0..disk.layer_count()).filter_map(|index| disk.layer(index))
}

/// The sectors that `layer` holds.
fn extents(layer: &dyn LayerIo) -> Result<Vec<Range<u64>>> {
    let mut extents = Vec::new();
    let mut from = 0;
    while let Some(extent) = layer.next_extent(from)? {
        from = extent.end;
        extents.push(extent);
    }
    Ok(extents)
}

/// A file, gone when it is closed, with each of the sectors at its own place; zeros take none.
fn copy(layer: &dyn LayerIo, extents: &[Range<u64>]) -> Result<File> {
    let failed = |e: io::Error| Error::from_io("copying what the layer holds", e);
    let mut file = tempfile::tempfile().map_err(failed)?;
    let size = u64::from(layer.metadata().geometry.sector_size());
    let mut buf = Vec::new();
    for extent in extents {
        for start in extent.clone().step_by((CHUNK / size) as usize) {
            let part = start..extent.end.min(start + CHUNK / size);
            buf.clear();
            buf.resize(((part.end - part.start) * size) as usize, 0);
            layer.read(start, &mut buf, &mut SectorMarker::new(part))?;
            if buf.iter().any(|&byte| byte != 0) {
                file.seek(SeekFrom::Start(start * size)).and_then(|_| file.write_all(&buf)).map_err(failed)?;
            }
        }
    }
    Ok(file)
}
