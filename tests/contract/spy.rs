//! A layer that passes everything on, and asks first: to count, to fail, or to wait at a chosen point.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::layer::{Below, DiskLayerMetadata, Durability, Identity, LayerIo, Parent, SectorMarker};

/// A call that is about to be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Read(u64),
    Write(u64),
    Fill(u64),
    Unmap(u64),
    Flush,
    Clear,
    RecordParent,
}

pub(super) struct Spy<F> {
    inner: Arc<dyn LayerIo>,
    before: F,
}

impl<F: Fn(Call) -> Result<()> + Send + Sync + 'static> Spy<F> {
    /// Runs `before` with each call; a call that it refuses is not passed on.
    pub(super) fn on(inner: &Arc<dyn LayerIo>, before: F) -> Arc<dyn LayerIo> {
        Arc::new(Self { inner: inner.clone(), before })
    }
}

/// The calls so far.
#[derive(Clone, Default)]
pub(super) struct Calls(Arc<Mutex<Vec<Call>>>);

impl Calls {
    pub(super) fn of(&self, inner: &Arc<dyn LayerIo>) -> Arc<dyn LayerIo> {
        let calls = self.clone();
        Spy::on(inner, move |call| {
            calls.0.lock().unwrap().push(call);
            Ok(())
        })
    }

    /// The calls since the last time.
    pub(super) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Fails the `nth` of the calls that are `chosen`, counted from 0, and all later ones.
pub(super) fn failing_from(
    inner: &Arc<dyn LayerIo>,
    nth: usize,
    chosen: impl Fn(Call) -> bool + Send + Sync + 'static,
) -> Arc<dyn LayerIo> {
    let seen = AtomicUsize::new(0);
    Spy::on(inner, move |call| match chosen(call) && seen.fetch_add(1, Ordering::SeqCst) >= nth {
        true => Err(Error::new(ErrorKind::Io, format!("{call:?} on a disk that fails on purpose"))),
        false => Ok(()),
    })
}

impl<F: Fn(Call) -> Result<()> + Send + Sync> LayerIo for Spy<F> {
    fn metadata(&self) -> DiskLayerMetadata {
        self.inner.metadata()
    }

    fn read(&self, sector: u64, buf: &mut [u8], marker: &mut SectorMarker) -> Result<()> {
        (self.before)(Call::Read(sector))?;
        self.inner.read(sector, buf, marker)
    }

    fn write(&self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        (self.before)(Call::Write(sector))?;
        self.inner.write(sector, data, durability)
    }

    fn write_no_overwrite(&self, sector: u64, data: &[u8]) -> Result<()> {
        (self.before)(Call::Fill(sector))?;
        self.inner.write_no_overwrite(sector, data)
    }

    fn unmap(&self, sector: u64, count: u64, below: Below) -> Result<()> {
        (self.before)(Call::Unmap(sector))?;
        self.inner.unmap(sector, count, below)
    }

    fn flush(&self) -> Result<()> {
        (self.before)(Call::Flush)?;
        self.inner.flush()
    }

    fn next_extent(&self, sector: u64) -> Result<Option<Range<u64>>> {
        self.inner.next_extent(sector)
    }

    fn clear(&self) -> Result<()> {
        (self.before)(Call::Clear)?;
        self.inner.clear()
    }

    fn coming_identity(&self) -> Result<Option<Identity>> {
        self.inner.coming_identity()
    }

    fn seal(&self) {
        self.inner.seal();
    }

    fn record_parent(&self, parent: &Parent) -> Result<()> {
        (self.before)(Call::RecordParent)?;
        self.inner.record_parent(parent)
    }

    fn close(&self) -> Result<()> {
        self.inner.close()
    }
}
