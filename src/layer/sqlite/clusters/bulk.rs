//! Clusters that are written in order into a file that has none.

use std::ops::Range;

use super::head::{Head, LEN, TAIL};
use super::shape::{Shape, bits, runs};
use crate::error::Result;
use crate::layer::SectorMarker;
use crate::layer::sqlite::btree::Table;
use crate::layer::sqlite::layout::is_zero;

/// A table of clusters that grows at its end.
pub(in super::super) struct Bulk<'a> {
    shape: Shape,
    table: Table<'a>,
    /// Clusters that are zero as a whole: none of the extents touch. They wait until SQLite has the file again.
    zeroed: Vec<Range<u64>>,
    /// The last cluster, which may be shorter than others.
    padded: Vec<u8>,
}

impl<'a> Bulk<'a> {
    pub(in super::super) fn new(shape: Shape, table: Table<'a>) -> Self {
        let padded = vec![0; shape.blocks() * shape.block_size()];
        Self { shape, table, zeroed: Vec::new(), padded }
    }

    /// Takes in sectors, whole clusters of them: those that `marker` has, the others are absent and zeros in `data`.
    pub(in super::super) fn append(&mut self, data: &[u8], marker: &SectorMarker) -> Result<()> {
        let range = marker.range();
        let touched = self.shape.touched(&range);
        let mut present = vec![0_u64; (touched.end - touched.start) as usize];
        for (run, _) in marker.runs().filter(|(_, is_present)| *is_present) {
            for cluster in self.shape.touched(&run) {
                present[(cluster - touched.start) as usize] |= bits(self.shape.part(&run, cluster));
            }
        }
        for (cluster, present) in touched.zip(present).filter(|(_, present)| *present != 0) {
            let at = (self.shape.first_sector(cluster) - range.start) as usize * self.shape.sector_size();
            let rest = &data[at..];
            match rest.len() < self.padded.len() {
                false => self.append_cluster(cluster, present, &rest[..self.padded.len()])?,
                true => {
                    let mut padded = std::mem::take(&mut self.padded);
                    padded[..rest.len()].copy_from_slice(rest);
                    padded[rest.len()..].fill(0);
                    self.append_cluster(cluster, present, &padded)?;
                    self.padded = padded;
                }
            }
        }
        Ok(())
    }

    /// Takes in sectors, whole clusters of them, that are zeros.
    pub(in super::super) fn append_zeros(&mut self, sectors: &Range<u64>) {
        self.zero(self.shape.touched(sectors));
    }

    fn append_cluster(&mut self, cluster: u64, present: u64, bytes: &[u8]) -> Result<()> {
        let size = self.shape.sector_size();
        let has_bytes = |sector: &u64| !is_zero(&bytes[*sector as usize * size..][..size]);
        let data = runs(present).flatten().filter(has_bytes).fold(0, |data, sector| data | 1 << sector);
        if data == 0 && present == self.shape.sectors(cluster) {
            self.zero(cluster..cluster + 1);
            return Ok(());
        }
        let mut head = Head { present, data, ..Head::default() };
        head.take_places(&self.shape);
        let block = |block: usize| &bytes[block * self.shape.block_size()..][..self.shape.block_size()];
        let mut stored = Vec::with_capacity(self.shape.blocks());
        for (number, place) in (0..self.shape.blocks()).zip(head.places).filter(|(_, place)| *place > 0) {
            let (chunk, tail) = block(number).split_at(self.shape.chunk());
            stored.push(chunk);
            head.tails[usize::from(place) - 1] = std::array::from_fn::<_, TAIL, _>(|n| tail[n]);
        }
        let mut row = vec![0; self.shape.head()];
        row[..LEN].copy_from_slice(&head.encode());
        self.table.append(cluster, &row, stored.into_iter())
    }

    fn zero(&mut self, clusters: Range<u64>) {
        match self.zeroed.last_mut() {
            Some(last) if last.end == clusters.start => last.end = clusters.end,
            _ => self.zeroed.push(clusters),
        }
    }

    /// Writes what is left; the extents of zeros are those that the other table is to have.
    pub(in super::super) fn finish(self) -> Result<Vec<Range<u64>>> {
        self.table.finish().map(|()| self.zeroed)
    }
}
