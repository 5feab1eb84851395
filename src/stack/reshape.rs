//! Push, discard and commit (rule 14).

use std::ops::Range;
use std::sync::Arc;

use super::{
    DiskAccess, Layer, LayerConfiguration, LayeredDisk, Stack, attach, candidates, seal_parent, takes_writes, validate,
    write,
};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::layer::{Below, Durability, LayerIo, Presence, SectorMarker};

/// Commit copies this many bytes at a time.
const CHUNK: u64 = 1 << 20;

impl LayeredDisk {
    /// Puts a new layer on top; the disk below it stays as it is.
    ///
    /// ```
    /// use disklayer_sqlite::geometry::Geometry;
    /// use disklayer_sqlite::layer::{
    ///     Access, Durability, Existing, FormatOnAttachSqliteDiskLayer, IncompleteFormatParams, MemoryFile, Options,
    ///     RamDiskLayer,
    /// };
    /// use disklayer_sqlite::stack::{DiskAccess, LayerConfiguration, LayeredDisk};
    ///
    /// let lowest = RamDiskLayer::new(Geometry::new(8, 512)?, Access::ReadWrite);
    /// let disk = LayeredDisk::new(vec![LayerConfiguration::new(lowest)], DiskAccess::Writable)?;
    /// let push = || {
    ///     let (place, format) = (MemoryFile::default(), IncompleteFormatParams::default());
    ///     let layer = FormatOnAttachSqliteDiskLayer::new(&place, format, Existing::Keep, Options::default());
    ///     disk.push(LayerConfiguration::new(layer))
    /// };
    /// let first = || -> disklayer_sqlite::error::Result<u8> {
    ///     let mut buf = [0; 512];
    ///     disk.read(0, &mut buf)?;
    ///     Ok(buf[0])
    /// };
    ///
    /// push()?;
    /// disk.write(0, &[1; 512], Durability::Flushed)?;
    /// disk.commit()?; // the layer below has it now, and the top is empty
    /// disk.write(0, &[2; 512], Durability::Flushed)?;
    /// let top = disk.discard()?; // handed back, still open
    /// assert_eq!(first()?, 1);
    /// top.close()?;
    /// # Ok::<(), disklayer_sqlite::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `ReadOnly`; those of [`LayeredDisk::new`]. Nothing has changed then.
    pub fn push(&self, configuration: LayerConfiguration) -> Result<()> {
        let mut stack = self.reshaped()?;
        if stack.layers[0].write_through && !configuration.write_through {
            if planted(Fault::RefusedPushSeals) {
                stack.layers.iter().for_each(|layer| layer.io.seal());
            }
            let what = "the top layer writes through, and the pushed one would not";
            return Err(Error::new(ErrorKind::WriteThroughNotContiguous, what).at_layer(1));
        }
        // What was acknowledged must not depend on flushes that go to another layer from now on.
        if !planted(Fault::PushDoesNotFlush) {
            write::flush(&stack)?;
        }
        let configuration = [configuration];
        validate::foresee(&configuration, &stack.layers, self.access())?;
        let [configuration] = configuration;
        let below = stack.layers[0].io.metadata();
        let layer = attach(configuration, Some(&below)).map_err(|e| e.at_layer(0))?;
        stack.layers.insert(0, layer);
        if let Err(error) = validate::check(&candidates(&stack.layers), self.access()) {
            stack.layers.remove(0);
            return Err(error);
        }
        seal_below_pushed(&stack.layers);
        forget_notes(&mut stack.layers);
        stack.measure();
        Ok(())
    }

    /// Drops the top layer: the disk is as it was before the push. The layer is handed back, still open.
    ///
    /// # Errors
    ///
    /// `ReadOnly`, `NothingBelow`, `ReadOnlyInWritePath`. Nothing has changed then.
    pub fn discard(&self) -> Result<Arc<dyn LayerIo>> {
        let mut stack = self.reshaped()?;
        below_top(&stack)?;
        validate::check(&candidates(&stack.layers[1..]), self.access())?;
        let top = stack.layers.remove(0);
        stack.measure();
        if planted(Fault::DiscardSealsBelow) {
            seal_parent(&stack.layers[0], stack.layers.get(1));
        }
        Ok(top.io)
    }

    /// Moves the sectors of the top layer down to the next. The disk reads the same before, after, and wherever it is
    /// cut.
    ///
    /// # Errors
    ///
    /// `ReadOnly`, `NothingBelow`, `SizeMismatch`, `Unsupported` (the top layer cannot be emptied), in this order.
    /// Nothing has changed then. After a failure of I/O the disk reads the same.
    pub fn commit(&self) -> Result<()> {
        let mut stack = self.reshaped()?;
        below_top(&stack)?;
        let (top, lower) = (&stack.layers[0], &stack.layers[1]);
        if top.geometry != lower.geometry {
            let what = "a commit needs the two upper layers to have the same size";
            return Err(Error::new(ErrorKind::SizeMismatch, what));
        }
        if top.io.metadata().presence == Presence::Full {
            let what = "the top layer holds every sector and cannot be emptied";
            return Err(Error::new(ErrorKind::Unsupported, what).at_layer(0));
        }
        if !takes_writes(lower) {
            return Err(Error::new(ErrorKind::ReadOnly, "a commit into a read-only layer").at_layer(1));
        }
        if !planted(Fault::CommitDoesNotNote) {
            write::note_coming_generations(&mut stack, 2)?;
        }
        #[cfg(feature = "planted-faults")]
        if planted(Fault::CommitLetsGo) {
            return move_down(&super::unlocked(stack));
        }
        move_down(&stack)?;
        if planted(Fault::CommitSealsLower) {
            stack.layers[1].io.seal();
        }
        Ok(())
    }

    /// The stack, for one who may reshape it.
    fn reshaped(&self) -> Result<crate::sync::RwLockWriteGuard<'_, Stack>> {
        match self.access() {
            DiskAccess::Writable => Ok(self.stack_mut()),
            DiskAccess::ReadOnly => Err(Error::new(ErrorKind::ReadOnly, "a read-only disk keeps its layers")),
        }
    }
}

/// What a pushed layer has recorded is told apart from what comes.
fn seal_below_pushed(layers: &[Layer]) {
    match () {
        () if planted(Fault::PushDoesNotSeal) => {}
        () if planted(Fault::PushSealsBottom) => seal_parent(&layers[0], layers.last()),
        () => seal_parent(&layers[0], layers.get(1)),
    }
}

/// A generation that was sealed is followed by another, which nobody knows yet.
fn forget_notes(layers: &mut [Layer]) {
    if planted(Fault::PushShiftsNotes) {
        return (1..layers.len()).for_each(|index| layers[index - 1].noted = layers[index].noted);
    }
    layers.iter_mut().for_each(|layer| layer.noted = false);
}

fn below_top(stack: &Stack) -> Result<()> {
    match stack.layers.len() {
        1 => Err(Error::new(ErrorKind::NothingBelow, "the disk has one layer")),
        _ => Ok(()),
    }
}

/// Makes the top durable, copies it, makes the copy durable, and only then empties the top.
fn move_down(stack: &Stack) -> Result<()> {
    let (top, lower) = (&stack.layers[0].io, &stack.layers[1].io);
    // Half of a request must not shine through from the lower layer when the power is cut: it is all on top, durably.
    if !planted(Fault::CommitCopiesUnflushed) {
        top.flush().map_err(|e| e.at_layer(0))?;
    }
    let chunk = CHUNK / u64::from(stack.geometry().sector_size());
    let mut buf = Vec::new();
    let mut from = 0;
    while let Some(extent) = top.next_extent(from).map_err(|e| e.at_layer(0))? {
        if planted(Fault::CommitMissesLastRun)
            && top.next_extent(extent.end).is_ok_and(|next| next.is_none())
            && from > 0
        {
            break;
        }
        let zeroed = top.zeroed_until(extent.start).map_err(|e| e.at_layer(0))?.min(extent.end);
        if zeroed - extent.start > chunk {
            // Copying it would take as long as the disk is large.
            if !planted(Fault::CommitSkipsZeroedExtents) {
                lower.unmap(extent.start, zeroed - extent.start, Below::Something).map_err(|e| e.at_layer(1))?;
            }
            from = zeroed;
            continue;
        }
        let part = extent.start..extent.end.min(extent.start + chunk);
        let last = planted(Fault::CommitBufferNotCleared).then(|| buf.clone());
        buf.resize(stack.bytes(part.start, &part).len(), 0);
        let mut marker = SectorMarker::new(part.clone());
        top.read(part.start, &mut buf, &mut marker).map_err(|e| e.at_layer(0))?;
        if let Some(last) = last.filter(|_| is_zero(&buf)) {
            buf.iter_mut().zip(last).for_each(|(byte, old)| *byte = old);
        }
        for (run, _) in marker.runs().filter(|(_, present)| *present) {
            copy_run(&**lower, &run, &buf[stack.bytes(part.start, &run)]).map_err(|e| e.at_layer(1))?;
        }
        from = part.end;
        if planted(Fault::CommitEndsAtZeroes) && is_zero(&buf) {
            break;
        }
    }
    if !planted(Fault::CommitEmptiesTooEarly) {
        lower.flush().map_err(|e| e.at_layer(1))?;
    }
    top.clear().map_err(|e| e.at_layer(0))
}

fn copy_run(lower: &dyn LayerIo, run: &Range<u64>, data: &[u8]) -> Result<()> {
    if planted(Fault::CommitSkipsZeroes) && is_zero(data) {
        return Ok(());
    }
    if planted(Fault::CommitKeepsLowerZeroes) && is_zeroed(lower, run, data.len())? {
        return Ok(());
    }
    if planted(Fault::CommitKeepsLower) && lower.metadata().presence == Presence::Sparse {
        return lower.write_no_overwrite(run.start, data);
    }
    lower.write(run.start, data, Durability::Flushed)
}

fn is_zero(data: &[u8]) -> bool {
    data.iter().all(|&byte| byte == 0)
}

/// Whether a layer has all of these sectors, and as zeros.
fn is_zeroed(layer: &dyn LayerIo, run: &Range<u64>, len: usize) -> Result<bool> {
    let mut marker = SectorMarker::new(run.clone());
    let mut buf = vec![0; len];
    layer.read(run.start, &mut buf, &mut marker)?;
    Ok(is_zero(&buf) && run.clone().all(|sector| marker.is_set(sector)))
}
