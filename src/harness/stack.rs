//! The subject that this crate is about: a real stack of real layers.

use std::borrow::BorrowMut;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::observed::{Counters, Observed};
use super::powered::Powered;
use super::{Abilities, Difference, Divergence, Shared, Step, Subject, Summary, Threads, World, caught, run};
use crate::error::Result;
use crate::layer::{
    Access, DiskLayerMetadata, Durability, FileDisk, FormatOnAttachSqliteDiskLayer, FormatParams,
    IncompleteFormatParams, LayerAttach, LayerIo, Location, Mode, Options, RamDiskLayer, SqliteDiskLayer,
};
use crate::oracle::Oracle;
use crate::script::{LayerKind, LayerShape, Medium, Outcome, Pushed, Reopen, Script, Shape, Touched};
use crate::stack::{DiskAccess, LayerConfiguration, LayeredDisk, ParentCheck};

mod create;
mod power;

use create::create_layer;

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
    prove_seen(script, world, watch, &mut |_, _| ())
}

/// The same, with somebody who sees the disk before the first step, and where it diverged.
pub(super) fn prove_seen(
    script: &Script,
    world: &mut World,
    watch: &mut dyn FnMut(&Step<'_>),
    see: &mut dyn FnMut(&dyn Subject, &Oracle),
) -> Result<Summary, Box<Divergence>> {
    world.reset();
    if script.lines.iter().any(|line| line.strike.is_some()) {
        world.go_on_drive();
    }
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
    if subject.powered().is_some() {
        oracle.begin_chronicle();
    }
    see(&subject, &oracle);
    let summary = run(script, &mut subject, &mut oracle, watch).inspect_err(|_| see(&subject, &oracle))?;
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

/// The layers of a stack, open or not.
pub(super) type Parts = Vec<Part>;

/// What is known of a layer whether it is open or not.
#[derive(Clone)]
pub(super) struct Part {
    shape: LayerShape,
    home: Home,
    counters: Arc<Counters>,
}

#[derive(Clone)]
enum Home {
    Sqlite(Location),
    File(PathBuf),
    /// The image under all stacks; never on a simulated drive.
    Base(PathBuf),
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
        let mut options = world.borrow_mut().options();
        options.dirty_limit = shape.dirty_limit.unwrap_or(options.dirty_limit);
        (options.format, options.page_size) = (shape.format, shape.page_size);
        if shape.page_size < Shape::PAGE_SIZE {
            // So few pages of log that a short script has it copied.
            options.log_limit = 24 * u64::from(shape.page_size);
            // New pages that go to their places.
            options.direct_from = 4096;
            // And writes that reach SQLite a few clusters at a time, or at once.
            options.write_back = if shape.page_size == 512 { 2048 } else { 0 };
        }
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

    pub(super) fn parts(&self) -> Parts {
        self.parts.clone()
    }

    /// Takes other layers for its own, from when it had those; to be opened by a restart.
    pub(super) fn put_parts(&mut self, parts: &Parts) {
        self.parts.clone_from(parts);
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
        let (place, existing) = self.world.borrow_mut().place(self.medium, &self.options);
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
            Home::Base(path) => Arc::new(FileDisk::open(path, sector_size, Mode::ReadOnly)?),
            Home::File(path) => {
                let mode = if self.shape.read_only { Mode::ReadOnly } else { mode };
                Arc::new(FileDisk::open_in(&*options.file_system, path, sector_size, mode)?)
            }
        })
    }
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
                let (place, existing) = self.world.borrow_mut().place(self.medium, &self.options);
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

    fn powered(&mut self) -> Option<&mut dyn Powered> {
        self.world.borrow().drive()?;
        Some(self)
    }

    fn shared(&self) -> Option<&dyn Shared> {
        Some(&self.disk)
    }

    fn threads(&self) -> Threads {
        self.world.borrow().threads()
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
