//! Making the layers of a stack, as a script has them at first.

use std::path::Path;
use std::sync::Arc;

use super::{Home, World, is_base};
use crate::error::{Error, ErrorKind, Result};
use crate::geometry::Geometry;
use crate::layer::{
    Access, DiskLayerMetadata, Durability, FileDisk, FormatOnAttachSqliteDiskLayer, FormatParams,
    IncompleteFormatParams, LayerAttach, LayerIo, Mode, Options, RamDiskLayer, SqliteDiskLayer,
};
use crate::script::{Content, LayerKind, LayerShape, Shape};

/// Layers are filled this many bytes at a time.
const FILL_CHUNK: u64 = 1 << 20;

pub(super) fn create_layer(
    layer: LayerShape,
    shape: &Shape,
    below: Option<&DiskLayerMetadata>,
    world: &mut World,
    options: &Options,
) -> Result<(Home, Arc<dyn LayerIo>)> {
    let geometry = Geometry::new(layer.sector_count, shape.sector_size)?;
    let access = if layer.read_only { Access::LogicallyReadOnly } else { Access::ReadWrite };
    let (home, io) = match layer.kind {
        LayerKind::Own => {
            let what = "`layer own` is somebody's own disk; run the script through the test that has it";
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        LayerKind::Ram => {
            let io: Arc<dyn LayerIo> = Arc::new(RamDiskLayer::new(geometry, access));
            (Home::Ram(io.clone()), io)
        }
        LayerKind::File => {
            if let (true, None, Some(base)) = (is_base(&layer), below, world.base()) {
                let io = open_base(base, geometry)?;
                return Ok((Home::Base(base.to_owned()), io));
            }
            let path = world.new_file("img");
            let io: Arc<dyn LayerIo> = Arc::new(FileDisk::create_in(&*options.file_system, &path, geometry)?);
            fill(&*io, layer)?;
            let mode = if layer.read_only { Mode::ReadOnly } else { Mode::ReadWrite };
            io.flush()?;
            let io = Arc::new(FileDisk::open_in(&*options.file_system, &path, shape.sector_size, mode)?);
            return Ok((Home::File(path), io));
        }
        LayerKind::Sqlite => {
            let (place, existing) = world.place(shape.medium, options);
            let io: Arc<dyn LayerIo> = match layer.diff {
                true => {
                    let format =
                        IncompleteFormatParams { logically_read_only: layer.read_only, len: Some(geometry.len()) };
                    let attach = FormatOnAttachSqliteDiskLayer::new(place.clone(), format, existing, options.clone());
                    Box::new(attach).attach(below)?
                }
                false => {
                    let (logically_read_only, len) = (layer.read_only, geometry.len());
                    let format = FormatParams { logically_read_only, len, sector_size: shape.sector_size };
                    Arc::new(SqliteDiskLayer::create(place.clone(), format, existing, options)?)
                }
            };
            (Home::Sqlite(place), io)
        }
    };
    fill(&*io, layer)?;
    if layer.filled.is_some() && options.file_system.vfs().is_some() {
        // The script begins with what is durable.
        io.flush()?;
    }
    Ok((home, io))
}

/// Opens the image that the world has under its stacks, if it is what the script wants there.
fn open_base(base: &Path, geometry: Geometry) -> Result<Arc<dyn LayerIo>> {
    let disk = FileDisk::open(base, geometry.sector_size(), Mode::ReadOnly)?;
    let actual = disk.metadata().geometry.sector_count();
    match actual == geometry.sector_count() {
        true => Ok(Arc::new(disk)),
        false => {
            let (base, wanted) = (base.display(), geometry.sector_count());
            let what = format!("the base image {base} has {actual} sectors, and the script wants {wanted}");
            Err(Error::new(ErrorKind::InvalidGeometry, what))
        }
    }
}

/// Makes every sector present, as the script says.
fn fill(io: &dyn LayerIo, layer: LayerShape) -> Result<()> {
    let Some(stamp) = layer.filled else { return Ok(()) };
    let size = u64::from(io.metadata().geometry.sector_size());
    let chunk = FILL_CHUNK / size;
    let mut buf = Vec::new();
    let mut sector = 0;
    while sector < layer.sector_count {
        let count = chunk.min(layer.sector_count - sector);
        buf.resize((count * size) as usize, 0);
        Content::Stamp(stamp).render(sector, size as usize, &mut buf);
        match layer.kind {
            LayerKind::File => io.write(sector, &buf, Durability::Flushed)?,
            _ => io.write_no_overwrite(sector, &buf)?,
        }
        sector += count;
    }
    Ok(())
}
