//! Where a cluster lies in the file.

use std::ops::Range;

use crate::fault::{Fault, planted};
use crate::layer::SectorMarker;
use crate::layer::sqlite::clusters::{BLOCKS, Head, Shape, TAIL, bits, runs};

/// What there is of a cluster, and where.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// A row, with the page of each place that it has room for.
    Row(Head, [u32; BLOCKS]),
    Zeroed,
    Absent,
}

/// A run of bytes of the file, and where they go in the buffer.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) from: u64,
    pub(super) to: Range<usize>,
}

impl Place {
    /// The bytes that lie in pages of their own.
    pub(super) fn pieces(&self, shape: &Shape, cluster: u64, range: &Range<u64>) -> impl Iterator<Item = Piece> {
        let (head, pages) = match self {
            Self::Row(head, pages) => (*head, *pages),
            Self::Zeroed | Self::Absent => (Head::default(), [0; BLOCKS]),
        };
        let (shape, part) = (*shape, shape.part(range, cluster));
        // Where the part begins in the buffer, and in the cluster.
        let in_buffer = (shape.first_sector(cluster) + part.start - range.start) as usize * shape.sector_size();
        let in_cluster = part.start as usize * shape.sector_size();
        runs(head.data & bits(part.clone())).flat_map(move |run| {
            shape.blocks_of(&run).filter_map(move |(block, bytes)| {
                let page = u64::from(pages[usize::from(head.places[block]) - 1]);
                let end = bytes.end.min(shape.chunk());
                let to = in_buffer + shape.block_size() * block + bytes.start - in_cluster;
                let from = (page - 1) * shape.block_size() as u64 + TAIL as u64 + bytes.start as u64;
                (bytes.start < end).then(|| Piece { from, to: to..to + end - bytes.start })
            })
        })
    }

    /// Fills in what lies in no page of its own, and marks what is present.
    pub(super) fn complete(
        &self,
        shape: &Shape,
        cluster: u64,
        range: &Range<u64>,
        buf: &mut [u8],
        marker: &mut SectorMarker,
    ) {
        let (first, part) = (shape.first_sector(cluster), shape.part(range, cluster));
        let head = match self {
            Self::Absent => return,
            Self::Zeroed => Head::zeroed(shape.sectors(cluster)),
            Self::Row(head, _) => *head,
        };
        let wanted = bits(part);
        let at = |sector: u64| (first + sector - range.start) as usize * shape.sector_size();
        for run in runs(head.present & !head.data & wanted) {
            buf[at(run.start)..at(run.end)].fill(0);
        }
        for run in runs(head.data & wanted) {
            let mut to = at(run.start);
            for (block, bytes) in shape.blocks_of(&run) {
                to += bytes.len();
                let len = match planted(Fault::ShortcutLeavesTails) {
                    false => bytes.end.saturating_sub(shape.chunk().max(bytes.start)),
                    true => 0,
                };
                let tail = &head.tails[usize::from(head.places[block]) - 1];
                buf[to - len..to].copy_from_slice(&tail[TAIL - len..]);
            }
        }
        for run in runs(head.present & wanted) {
            marker.set(first + run.start..first + run.end);
        }
    }
}
