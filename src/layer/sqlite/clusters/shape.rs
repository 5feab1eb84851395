//! How sectors, blocks and clusters lie in one another.

use std::ops::Range;

use super::head::{BLOCKS, LEN, TAIL};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::geometry::Geometry;

/// The smallest and largest block, in bytes.
const BLOCK_SIZES: std::ops::RangeInclusive<u32> = 512..=32768;
/// A cluster has as many blocks, unless a sector is larger or 64 sectors are smaller.
const USUAL_BLOCKS: u32 = 8;

/// The sizes of a layer of format 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::layer::sqlite) struct Shape {
    sector_size: usize,
    sector_count: u64,
    block_size: usize,
    cluster_size: usize,
}

impl Shape {
    /// The size in bytes of the clusters of a new layer whose pages are to have `block_size` bytes.
    ///
    /// # Errors
    ///
    /// `InvalidGeometry` if pages cannot be of that size.
    pub(in crate::layer::sqlite) fn cluster_size(geometry: Geometry, block_size: u32) -> Result<u32> {
        let sector_size = geometry.sector_size();
        let usual = (64 * sector_size).min(USUAL_BLOCKS.saturating_mul(block_size));
        let size = usual.max(sector_size).max(block_size);
        Self::new(geometry, block_size, size).map(|_| size)
    }

    /// A layer of that geometry.
    ///
    /// # Errors
    ///
    /// `InvalidGeometry` if there can be none.
    pub(in crate::layer::sqlite) fn new(geometry: Geometry, block_size: u32, cluster_size: u32) -> Result<Self> {
        let sector_size = geometry.sector_size();
        if !(block_size.is_power_of_two() && BLOCK_SIZES.contains(&block_size)) {
            let what = format!("pages of {block_size} bytes; a power of two from 512 to 32768 is needed");
            return Err(Error::new(ErrorKind::InvalidGeometry, what));
        }
        let possible = cluster_size.is_power_of_two()
            && cluster_size >= block_size.max(sector_size)
            && cluster_size / sector_size <= u64::BITS
            && (cluster_size / block_size) as usize <= BLOCKS;
        if !possible {
            let what =
                format!("sectors of {sector_size} bytes in blocks of {block_size} and clusters of {cluster_size}");
            return Err(Error::new(ErrorKind::InvalidGeometry, what));
        }
        Ok(Self {
            sector_size: sector_size as usize,
            sector_count: geometry.sector_count(),
            block_size: block_size as usize,
            cluster_size: cluster_size as usize,
        })
    }

    pub(in crate::layer::sqlite) fn sector_size(&self) -> usize {
        self.sector_size
    }

    pub(in crate::layer::sqlite) fn block_size(&self) -> usize {
        self.block_size
    }

    pub(in crate::layer::sqlite) fn blocks(&self) -> usize {
        self.cluster_size / self.block_size
    }

    /// How many sectors a cluster has.
    pub(in crate::layer::sqlite) fn per_cluster(&self) -> u64 {
        (self.cluster_size / self.sector_size) as u64
    }

    /// How many clusters the layer has.
    pub(in crate::layer::sqlite) fn clusters(&self) -> u64 {
        self.sector_count.div_ceil(self.per_cluster())
    }

    /// Bytes of a cluster's head: so many that SQLite keeps them with the row's key and each block fills a page of its
    /// own (the rule is in sqlite.org/fileformat2.html, "Cell payload overflow pages").
    pub(in crate::layer::sqlite) fn head(&self) -> usize {
        LEN.max((self.block_size - 12) * 32 / 255 - 24)
    }

    /// Bytes of a block that lie in a page of their own.
    pub(in crate::layer::sqlite) fn chunk(&self) -> usize {
        self.block_size - TAIL
    }

    /// Bytes of a row with room for so many blocks.
    pub(in crate::layer::sqlite) fn row(&self, room: usize) -> usize {
        self.head() + room * self.chunk()
    }

    /// For how many blocks a row of `len` bytes has room, if rows can be as long.
    pub(in crate::layer::sqlite) fn room(&self, len: usize) -> Option<usize> {
        let chunks = len.checked_sub(self.head())?;
        chunks.is_multiple_of(self.chunk()).then_some(chunks / self.chunk())
    }

    /// Where the bytes of a place begin in its row.
    pub(in crate::layer::sqlite) fn chunk_at(&self, place: u8) -> usize {
        self.head() + (usize::from(place) - 1) * self.chunk()
    }

    /// The first sector of a cluster.
    pub(in crate::layer::sqlite) fn first_sector(&self, cluster: u64) -> u64 {
        cluster * self.per_cluster()
    }

    pub(in crate::layer::sqlite) fn cluster_of(&self, sector: u64) -> u64 {
        sector / self.per_cluster()
    }

    /// The clusters that `range` touches.
    pub(in crate::layer::sqlite) fn touched(&self, range: &Range<u64>) -> Range<u64> {
        self.cluster_of(range.start)..self.cluster_of(range.end - 1) + 1
    }

    /// The clusters all of whose sectors `range` has.
    pub(in crate::layer::sqlite) fn covered(&self, range: &Range<u64>) -> Range<u64> {
        let start = range.start.div_ceil(self.per_cluster());
        let end = match range.end == self.sector_count {
            true => self.clusters(),
            false => self.cluster_of(range.end),
        };
        start..end.max(start)
    }

    /// The sectors of a run of clusters.
    pub(in crate::layer::sqlite) fn sectors_of(&self, clusters: &Range<u64>) -> Range<u64> {
        let end = match clusters.end >= self.clusters() && !planted(Fault::LastClusterTakenForFull) {
            true => self.sector_count,
            false => self.first_sector(clusters.end),
        };
        self.first_sector(clusters.start)..end
    }

    /// A bit for each sector of a cluster; the last one may have fewer.
    pub(in crate::layer::sqlite) fn sectors(&self, cluster: u64) -> u64 {
        let count = match planted(Fault::LastClusterTakenForFull) {
            false => self.per_cluster().min(self.sector_count - self.first_sector(cluster)),
            true => self.per_cluster(),
        };
        bits(0..count)
    }

    /// The part of `range` in a cluster, counted from the cluster's start.
    pub(in crate::layer::sqlite) fn part(&self, range: &Range<u64>, cluster: u64) -> Range<u64> {
        let first = self.first_sector(cluster);
        range.start.max(first) - first..range.end.min(first + self.per_cluster()) - first
    }

    /// The blocks that a run of sectors has bytes in, and which of their bytes.
    pub(in crate::layer::sqlite) fn blocks_of(
        &self,
        run: &Range<u64>,
    ) -> impl Iterator<Item = (usize, Range<usize>)> + use<> {
        let (size, block_size) = (self.sector_size, self.block_size);
        let (start, end) = (run.start as usize * size, run.end as usize * size);
        (start / block_size..end.div_ceil(block_size)).map(move |block| {
            let first = block * block_size;
            (block, start.max(first) - first..end.min(first + block_size) - first)
        })
    }

    /// A bit for each sector that has bytes in a block.
    pub(in crate::layer::sqlite) fn sectors_in(&self, block: usize) -> u64 {
        let start = block * self.block_size / self.sector_size;
        let end = ((block + 1) * self.block_size).div_ceil(self.sector_size);
        bits(start as u64..end as u64)
    }
}

/// A bit for each number of a range within a word.
pub(in crate::layer::sqlite) fn bits(range: Range<u64>) -> u64 {
    match range.end - range.start {
        0 => 0,
        count => (u64::MAX >> (u64::from(u64::BITS) - count)) << range.start,
    }
}

/// The runs of ones in a word.
pub(in crate::layer::sqlite) fn runs(mut word: u64) -> impl Iterator<Item = Range<u64>> {
    std::iter::from_fn(move || {
        (word != 0).then(|| {
            let start = u64::from(word.trailing_zeros());
            let len = u64::from((word >> start).trailing_ones());
            word &= !bits(start..start + len);
            start..start + len
        })
    })
}
