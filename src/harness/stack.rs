//! The subject that this crate is about: a real stack of real layers.

use std::borrow::BorrowMut;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::observed::{Counters, Observed};
use super::{Abilities, Difference, Divergence, Step, Subject, Summary, World, caught, run};
use crate::error::{Error, ErrorKind, Result};
use crate::geometry::Geometry;
use crate::layer::{
    Access, DiskLayerMetadata, Durability, FileDisk, FormatOnAttachSqliteDiskLayer, FormatParams,
    IncompleteFormatParams, LayerAttach, LayerIo, Location, Mode, Options, RamDiskLayer, SqliteDiskLayer,
};
use crate::oracle::Oracle;
use crate::script::{Content, LayerKind, LayerShape, Medium, Outcome, Pushed, Reopen, Script, Shape, Touched};
use crate::stack::{DiskAccess, LayerConfiguration, LayeredDisk, ParentCheck};

/// Layers are filled this many bytes at a time.
const FILL_CHUNK: u64 = 1 << 20;

/// Runs `script` on a real stack in `world`.
///
/// # Errors
///
/// The first difference between the stack and the oracle.
pub fn prove(script: &Script, world: &mut World) -> Result<Summary, Box<Divergence>> {
    prove_watched(script, world, &mut |_| ())
}

/// The same, with somebody who sees each step.
///
/// # Errors
///
/// The first difference between the stack and the oracle.
pub fn prove_watched(
    script: &Script,
    world: &mut World,
    watch: &mut dyn FnMut(&Step<'_>),
) -> Result<Summary, Box<Divergence>> {
    world.reset();
    let (mut oracle, expected) = Oracle::new(&script.shape);
    let base = world.base().map(Path::to_owned);
    let created = caught(|| StackSubject::create(&script.shape, world))
        .map_err(|panic| diverged(script, None, Difference::Panic(panic)))?;
    let actual = Outcome::from(&created);
    if actual != expected {
        let message = created.err().map(|error| error.to_string());
        return Err(diverged(script, None, Difference::Outcome { expected, actual, message }));
    }
    let Ok(mut subject) = created else {
        let mut summary = Summary::default();
        summary.exercise.see_refused_stack();
        return Ok(summary);
    };
    hold_base(&mut oracle, base, &script.shape);
    let summary = run(script, &mut subject, &mut oracle, watch)?;
    let end = Some(script.lines.len());
    caught(|| drop(subject)).map_err(|panic| diverged(script, end, Difference::Panic(panic)))?;
    Ok(summary)
}

/// A divergence outside of every operation.
fn diverged(script: &Script, step: Option<usize>, difference: Difference) -> Box<Divergence> {
    Box::new(Divergence { script: script.clone(), step, difference, layer_kind: None, origin: None })
}

/// Tells the oracle that the lowest layer, a file, has the bytes of the base image.
fn hold_base(oracle: &mut Oracle, base: Option<PathBuf>, shape: &Shape) {
    if let (Some(base), Some(last)) = (base, shape.layers.last())
        && is_base(last)
        && let Ok(image) = std::fs::File::open(base)
    {
        oracle.hold(shape.layers.len() - 1, std::slice::from_ref(&(0..last.sector_count)), &Arc::new(image));
    }
}

/// Whether the base image takes the place of this layer.
fn is_base(layer: &LayerShape) -> bool {
    layer.kind == LayerKind::File && layer.read_only && layer.filled.is_none()
}

/// A stack that can be reopened and reshaped, with every layer in view.
pub struct StackSubject<W> {
    world: W,
    medium: Medium,
    sector_size: u32,
    read_only: bool,
    options: Options,
    parts: Vec<Part>,
    disk: LayeredDisk,
}

/// What is known of a layer whether it is open or not.
struct Part {
    shape: LayerShape,
    home: Home,
    counters: Arc<Counters>,
}

enum Home {
    Sqlite(Location),
    File(PathBuf),
    /// RAM is kept while the disk is reopened.
    Ram(Arc<dyn LayerIo>),
}

impl<W: BorrowMut<World>> StackSubject<W> {
    /// Makes a new stack of that shape.
    ///
    /// # Errors
    ///
    /// Whatever the layers and the stack refuse.
    pub fn create(shape: &Shape, mut world: W) -> Result<Self> {
        let options = world.borrow_mut().options();
        let mut parts = Vec::new();
        let mut layers = Vec::new();
        let mut below: Option<DiskLayerMetadata> = None;
        for (index, &layer) in shape.layers.iter().enumerate().rev() {
            let made = create_layer(layer, shape, below.as_ref(), world.borrow_mut(), &options);
            let (home, io) = made.map_err(|e| e.at_layer(index))?;
            below = Some(io.metadata());
            let part = Part { shape: layer, home, counters: Arc::default() };
            layers.push(part.configure(io, ParentCheck::Verify));
            parts.push(part);
        }
        layers.reverse();
        parts.reverse();
        let access = if shape.read_only { DiskAccess::ReadOnly } else { DiskAccess::Writable };
        let disk = LayeredDisk::new(layers, access)?;
        let (medium, sector_size, read_only) = (shape.medium, shape.sector_size, shape.read_only);
        Ok(Self { world, medium, sector_size, read_only, options, parts, disk })
    }

    fn open(&self, how: Reopen, check: ParentCheck) -> Result<LayeredDisk> {
        let mut layers = Vec::new();
        for (index, part) in self.parts.iter().enumerate() {
            let io = part.open(how, self.sector_size, &self.options).map_err(|e| e.at_layer(index))?;
            layers.push(part.configure(io, check));
        }
        let read_only = self.read_only || how == Reopen::ReadOnly;
        LayeredDisk::new(layers, if read_only { DiskAccess::ReadOnly } else { DiskAccess::Writable })
    }

    /// Tries the top layer over another disk of the same geometry.
    fn open_elsewhere(&mut self) -> Result<()> {
        let [top, next, ..] = &self.parts[..] else { return Ok(()) };
        let Home::Sqlite(_) = top.home else { return Ok(()) };
        let len = next.shape.sector_count * u64::from(self.sector_size);
        let format = FormatParams { logically_read_only: false, len, sector_size: self.sector_size };
        let (place, existing) = self.world.borrow_mut().place(self.medium);
        let stranger = SqliteDiskLayer::create(place, format, existing, &self.options)?;
        let top = self.parts[0].open(Reopen::Writable, self.sector_size, &self.options)?;
        let layers = vec![self.parts[0].configure(top, ParentCheck::Verify), LayerConfiguration::new(stranger)];
        LayeredDisk::new(layers, DiskAccess::ReadOnly)?.close()
    }
}

impl Part {
    fn configure(&self, io: Arc<dyn LayerIo>, parent_check: ParentCheck) -> LayerConfiguration {
        LayerConfiguration {
            layer: Box::new(Observed::new(io, self.counters.clone())),
            write_through: self.shape.write_through,
            read_cache: self.shape.read_cache,
            parent_check,
        }
    }

    fn open(&self, how: Reopen, sector_size: u32, options: &Options) -> Result<Arc<dyn LayerIo>> {
        let mode = match how {
            Reopen::ReadOnly if !self.shape.read_cache => Mode::ReadOnly,
            _ => Mode::ReadWrite,
        };
        Ok(match &self.home {
            Home::Ram(io) => io.clone(),
            Home::Sqlite(location) => Arc::new(SqliteDiskLayer::open(location.clone(), mode, options)?),
            Home::File(path) if self.shape.read_only => Arc::new(FileDisk::open(path, sector_size, Mode::ReadOnly)?),
            Home::File(path) => Arc::new(FileDisk::open(path, sector_size, mode)?),
        })
    }
}

fn create_layer(
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
                return Ok((Home::File(base.to_owned()), io));
            }
            let path = world.new_file("img");
            let io: Arc<dyn LayerIo> = Arc::new(FileDisk::create(&path, geometry)?);
            fill(&*io, layer)?;
            let mode = if layer.read_only { Mode::ReadOnly } else { Mode::ReadWrite };
            let io = Arc::new(FileDisk::open(&path, shape.sector_size, mode)?);
            return Ok((Home::File(path), io));
        }
        LayerKind::Sqlite => {
            let (place, existing) = world.place(shape.medium);
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

impl<W: BorrowMut<World>> Subject for StackSubject<W> {
    fn read(&mut self, sector: u64, buf: &mut [u8]) -> Result<()> {
        self.disk.read(sector, buf)
    }

    fn write(&mut self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        self.disk.write(sector, data, durability)
    }

    fn unmap(&mut self, sector: u64, count: u64) -> Result<()> {
        self.disk.unmap(sector, count)
    }

    fn flush(&mut self) -> Result<()> {
        self.disk.flush()
    }

    fn abilities(&self) -> Abilities {
        Abilities { layers: true, reopen: true, reshape: true }
    }

    /// The first refusal is the answer; then the disk is opened by one who knows.
    fn reopen(&mut self, how: Reopen) -> Result<()> {
        let closed = self.disk.close();
        let elsewhere = if how == Reopen::Elsewhere { self.open_elsewhere() } else { Ok(()) };
        let opened = match self.open(how, ParentCheck::Verify) {
            Ok(disk) => {
                self.disk = disk;
                Ok(())
            }
            Err(error) => {
                self.disk = self.open(Reopen::Writable, ParentCheck::Adopt)?;
                Err(error)
            }
        };
        closed.and(elsewhere).and(opened)
    }

    fn push(&mut self, pushed: Pushed) -> Result<()> {
        let geometry = self.disk.geometry();
        let count = geometry.sector_count();
        let counters = Arc::default();
        let (shape, home, layer): (_, _, Box<dyn LayerAttach>) = match pushed {
            Pushed::Sqlite => {
                let (place, existing) = self.world.borrow_mut().place(self.medium);
                let shape = LayerShape { diff: true, ..LayerShape::new(LayerKind::Sqlite, count) };
                let format = IncompleteFormatParams::default();
                let attach = FormatOnAttachSqliteDiskLayer::new(place.clone(), format, existing, self.options.clone());
                (shape, Home::Sqlite(place), Box::new(attach))
            }
            Pushed::Ram => {
                let io: Arc<dyn LayerIo> = Arc::new(RamDiskLayer::new(geometry, Access::ReadWrite));
                (LayerShape::new(LayerKind::Ram, count), Home::Ram(io.clone()), Box::new(io))
            }
        };
        let layer = Box::new(ObservedOnAttach { layer, counters: Arc::clone(&counters) });
        let configuration =
            LayerConfiguration { layer, write_through: false, read_cache: false, parent_check: ParentCheck::Verify };
        self.disk.push(configuration)?;
        self.parts.insert(0, Part { shape, home, counters });
        Ok(())
    }

    fn discard(&mut self) -> Result<()> {
        self.disk.discard()?;
        self.parts.remove(0);
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        self.disk.commit()
    }

    fn layer(&self, index: usize) -> Option<Arc<dyn LayerIo>> {
        self.disk.layer(index)
    }

    fn touched(&mut self) -> Option<Vec<Touched>> {
        Some(self.parts.iter().map(|part| part.counters.take()).collect())
    }
}

/// A layer that is made when it is stacked, and counted from then on.
struct ObservedOnAttach {
    layer: Box<dyn LayerAttach>,
    counters: Arc<Counters>,
}

impl LayerAttach for ObservedOnAttach {
    fn attach(self: Box<Self>, below: Option<&DiskLayerMetadata>) -> Result<Arc<dyn LayerIo>> {
        let layer = self.layer.attach(below)?;
        Ok(Arc::new(Observed::new(layer, self.counters)))
    }

    fn preview(&self, below: Option<&DiskLayerMetadata>) -> Result<Option<DiskLayerMetadata>> {
        self.layer.preview(below)
    }
}
