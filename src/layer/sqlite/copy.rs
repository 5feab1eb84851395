//! Every sector of a layer, in order, into a file that is being made.

use std::ops::Range;
use std::sync::mpsc::{Receiver, SendError, SyncSender, channel, sync_channel};
use std::thread;

use rusqlite::Connection;

use super::clusters::Bulk;
use super::layout::Layout;
use crate::error::{Error, Result};
use crate::layer::{Below, LayerIo, SectorMarker};

/// So many bytes are read at once: few enough that they are still in the processor's cache when they are written. Every
/// cluster of a new file lies in one such window.
const WINDOW: u64 = 256 << 10;
/// So many pieces are read ahead.
const AHEAD: usize = 2;

/// What became of a piece: nobody wants it any more if it comes back.
type Sent = std::result::Result<(), SendError<Result<Piece>>>;

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// So many sectors are behind it.
    pub done: u64,
    /// Of so many.
    pub of: u64,
}

/// Who hears how far a copy is. His error ends it, and is what the caller gets.
pub type Watch<'a> = dyn FnMut(Progress) -> Result<()> + 'a;

/// Where the sectors go, in order.
pub(super) trait Sink {
    /// Those that `marker` has; the others are zeros in `data`.
    fn append(&mut self, data: &[u8], marker: &SectorMarker) -> Result<()>;

    /// Sectors that are zeros, whole clusters of them.
    fn append_zeros(&mut self, range: Range<u64>) -> Result<()>;
}

/// A part of a layer, as it is handed from the thread that reads to the one that writes.
enum Piece {
    Data(Vec<u8>, SectorMarker),
    Zeros(Range<u64>),
}

/// Copies what `source` has. A thread reads on while this one writes.
pub(super) fn copy(source: &dyn LayerIo, sink: &mut dyn Sink, watch: &mut Watch<'_>) -> Result<()> {
    let of = source.metadata().geometry.sector_count();
    thread::scope(|scope| {
        let (full, pieces) = sync_channel(AHEAD);
        let (back, empty) = channel();
        let reader = thread::Builder::new().name("import".to_owned());
        let reading = reader.spawn_scoped(scope, move || {
            // Who does not want more has closed the channel.
            let _ = read(source, &empty, &full).unwrap_or_else(|error| full.send(Err(error)));
        });
        reading.map_err(|e| Error::from_io("starting the thread that reads", e))?;
        for piece in pieces {
            let done = match piece? {
                Piece::Data(data, marker) => {
                    sink.append(&data, &marker)?;
                    let _ = back.send(data);
                    marker.range().end
                }
                Piece::Zeros(range) => {
                    sink.append_zeros(range.clone())?;
                    range.end
                }
            };
            watch(Progress { done, of })?;
        }
        Ok(())
    })
}

/// Reads piece by piece, until nobody wants more.
fn read(source: &dyn LayerIo, empty: &Receiver<Vec<u8>>, full: &SyncSender<Result<Piece>>) -> Result<Sent> {
    let geometry = source.metadata().geometry;
    let count = geometry.sector_count();
    let window = WINDOW / u64::from(geometry.sector_size());
    let mut next = 0;
    while let Some(extent) = source.next_extent(next)?.filter(|extent| extent.start < count) {
        let start = extent.start / window * window;
        let zeroed = match extent.start == start {
            true => source.zeroed_until(start)? / window * window,
            false => start,
        };
        let piece = if zeroed > start {
            next = zeroed;
            Piece::Zeros(start..zeroed)
        } else {
            next = count.min(start + window);
            let mut data = empty.try_recv().unwrap_or_default();
            let mut marker = SectorMarker::new(start..next);
            data.resize(geometry.bytes(start, &(start..next)).len(), 0);
            source.read(start, &mut data, &mut marker)?;
            for (run, _) in marker.runs().filter(|(_, is_present)| !is_present) {
                data[geometry.bytes(start, &run)].fill(0);
            }
            Piece::Data(data, marker)
        };
        if let Err(gone) = full.send(Ok(piece)) {
            return Ok(Err(gone));
        }
    }
    Ok(Ok(()))
}

impl Sink for Bulk<'_> {
    fn append(&mut self, data: &[u8], marker: &SectorMarker) -> Result<()> {
        Bulk::append(self, data, marker)
    }

    fn append_zeros(&mut self, range: Range<u64>) -> Result<()> {
        Bulk::append_zeros(self, &range);
        Ok(())
    }
}

/// The way that every change goes, for what is not in clusters or not in a file.
pub(super) struct Through<'a> {
    pub(super) conn: &'a Connection,
    pub(super) layout: Box<dyn Layout>,
    pub(super) sector_size: usize,
}

impl Sink for Through<'_> {
    fn append(&mut self, data: &[u8], marker: &SectorMarker) -> Result<()> {
        let first = marker.range().start;
        for (run, _) in marker.runs().filter(|(_, is_present)| *is_present) {
            let bytes = |sector: u64| (sector - first) as usize * self.sector_size;
            let part = &data[bytes(run.start)..bytes(run.end)];
            self.layout.write(self.conn, run, part)?;
        }
        self.layout.settle(self.conn, &marker.range())
    }

    fn append_zeros(&mut self, range: Range<u64>) -> Result<()> {
        self.layout.unmap(self.conn, range, Below::Something)
    }
}
