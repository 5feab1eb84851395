//! Reading and changing one cluster.

use super::*;

impl Clusters {
    /// Fills and marks what the row of a cluster has of `range`; whether there is one.
    pub(super) fn read_row(
        &self,
        conn: &Connection,
        cluster: u64,
        range: &Range<u64>,
        buf: &mut [u8],
        marker: &mut SectorMarker,
    ) -> Result<bool> {
        let (first, part) = (self.shape.first_sector(cluster), self.shape.part(range, cluster));
        let read = self.at_row(conn, cluster, Use::Reading, |blob| {
            let (head, _) = self.head(blob, cluster)?;
            let wanted = bits(part.clone());
            let at = |sector: u64| ((first + sector) - range.start) as usize * self.shape.sector_size();
            for run in runs(head.present & !head.data & wanted) {
                buf[at(run.start)..at(run.end)].fill(0);
            }
            for run in runs(head.data & wanted) {
                self.read_run(blob, &head, &run, &mut buf[at(run.start)..at(run.end)])?;
            }
            for run in runs(head.present & wanted) {
                marker.set(first + run.start..first + run.end);
            }
            Ok(())
        })?;
        Ok(read.is_some())
    }

    /// Fills `buf` with the bytes of a run of sectors, block by block.
    fn read_run(&self, blob: &mut Blob, head: &Head, run: &Range<u64>, buf: &mut [u8]) -> Result<()> {
        let mut rest = buf;
        for (block, bytes) in self.shape.blocks_of(run) {
            let place = head.places[block];
            let (part, more) = rest.split_at_mut(bytes.len());
            rest = more;
            let (chunk, tail) = part.split_at_mut(self.shape.chunk().saturating_sub(bytes.start).min(bytes.len()));
            if !chunk.is_empty() {
                blob.read(chunk, self.shape.chunk_at(place) + bytes.start)?;
            }
            if !tail.is_empty() {
                let at = if planted(Fault::BlockTailOfItsNumber) { block } else { usize::from(place) - 1 };
                tail.copy_from_slice(&head.tails[at][TAIL - tail.len()..]);
            }
        }
        Ok(())
    }

    /// Fills and marks what extents of zeros have of the part of `range` in `clusters`.
    pub(super) fn read_zeros(
        &self,
        conn: &Connection,
        clusters: Range<u64>,
        range: &Range<u64>,
        buf: &mut [u8],
        marker: &mut SectorMarker,
    ) -> Result<()> {
        for extent in zeros::within(conn, clusters)? {
            let all = self.shape.sectors_of(&extent);
            let (start, end) = (all.start.max(range.start), all.end.min(range.end));
            let at = |sector: u64| (sector - range.start) as usize * self.shape.sector_size();
            buf[at(start)..at(end)].fill(0);
            marker.set(start..end);
        }
        Ok(())
    }

    /// Changes the sectors of `mask` in a cluster.
    pub(super) fn patch(
        &self,
        conn: &Connection,
        cluster: u64,
        known: Known,
        mask: u64,
        over: Over,
        patch: Patch<'_>,
    ) -> Result<()> {
        if known == Known::Nothing {
            // What fits into the room that the row has is done in place.
            let done = self.at_row(conn, cluster, Use::Writing, |blob| {
                let (old, room) = self.head(blob, cluster)?;
                let mask = if over == Over::AbsentOnly { mask & !old.present } else { mask };
                let (new, wanted) = self.patched(&old, mask, &patch, room);
                let keeps_row = wanted == room && new.present != 0 && !self.is_all_zero(cluster, &new);
                if mask == 0 || keeps_row {
                    self.patch_in_place(blob, old, new, mask, &patch)?;
                    return Ok(None);
                }
                let mut bytes = vec![0; blob.len()];
                blob.read(&mut bytes, 0)?;
                Ok(Some((old, new, mask, wanted, bytes)))
            })?;
            match done {
                Some(None) => return Ok(()),
                Some(Some((old, new, mask, room, bytes))) => {
                    return self.put(conn, cluster, (&old, &bytes), new, mask, room, &patch);
                }
                None => {}
            }
        }
        let is_zeroed = !zeros::within(conn, cluster..cluster + 1)?.is_empty();
        let old = match is_zeroed && !planted(Fault::CarvedClusterForgets) {
            true => Head::zeroed(self.shape.sectors(cluster)),
            false => Head::default(),
        };
        let mask = match over {
            Over::AbsentOnly if !planted(Fault::FillCoversZeroedCluster) => mask & !old.present,
            _ => mask,
        };
        let (new, room) = self.patched(&old, mask, &patch, 0);
        if new == old {
            return Ok(());
        }
        self.has_begun.set(true);
        if is_zeroed && !planted(Fault::ExtentNotCarved) {
            zeros::remove(conn, cluster..cluster + 1)?;
        }
        self.put(conn, cluster, (&old, &[]), new, mask, room, &patch)
    }

    /// The head after a patch, with no place for blocks that are new; and for how many blocks its row is to have room.
    fn patched(&self, old: &Head, mask: u64, patch: &Patch<'_>, room: usize) -> (Head, usize) {
        let mut new = *old;
        if !(planted(Fault::ZeroedSectorKeepsBytes) && matches!(patch, Patch::Zeros)) {
            new.data &= !mask;
        }
        match patch {
            Patch::Absent => new.present &= !mask,
            Patch::Zeros => new.present |= mask,
            Patch::Bytes(data, first) => {
                new.present |= mask;
                let size = self.shape.sector_size();
                for sector in runs(mask).flatten() {
                    let at = (sector - first) as usize * size;
                    new.data |= u64::from(!is_zero(&data[at..at + size])) << sector;
                }
            }
        }
        let stored = new.give_up_places(&self.shape);
        let least = if stored == 0 { 0 } else { stored.next_power_of_two().min(self.shape.blocks()) };
        (new, if stored > room || least < room { least } else { room })
    }

    fn is_all_zero(&self, cluster: u64, head: &Head) -> bool {
        head.data == 0 && head.present == self.shape.sectors(cluster)
    }

    /// Changes a row that keeps its length.
    fn patch_in_place(&self, blob: &mut Blob, old: Head, mut new: Head, mask: u64, patch: &Patch<'_>) -> Result<()> {
        self.has_begun.set(true);
        new.take_places(&self.shape);
        if let Patch::Bytes(data, first) = patch {
            for run in runs(new.data & mask) {
                let at = |sector: u64| (sector - first) as usize * self.shape.sector_size();
                self.write_run(&mut new, &run, &data[at(run.start)..at(run.end)], |chunk, at| blob.write(chunk, at))?;
            }
        }
        let is_same = match planted(Fault::HeadNotRewritten) {
            false => new == old,
            true => Head { present: old.present, data: old.data, ..new } == old,
        };
        match is_same {
            true => Ok(()),
            false => blob.write(&new.encode(), 0),
        }
    }

    /// Puts the bytes of a run of sectors where their blocks have their places.
    fn write_run(
        &self,
        head: &mut Head,
        run: &Range<u64>,
        data: &[u8],
        mut write: impl FnMut(&[u8], usize) -> Result<()>,
    ) -> Result<()> {
        let mut rest = data;
        for (block, bytes) in self.shape.blocks_of(run) {
            let place = head.places[block];
            let (part, more) = rest.split_at(bytes.len());
            rest = more;
            let (chunk, tail) = part.split_at(self.shape.chunk().saturating_sub(bytes.start).min(bytes.len()));
            if !chunk.is_empty() {
                write(chunk, self.shape.chunk_at(place) + bytes.start)?;
            }
            head.tails[usize::from(place) - 1][TAIL - tail.len()..].copy_from_slice(tail);
        }
        Ok(())
    }

    /// Puts a cluster in place of what was there, with room for so many blocks, its blocks in order.
    #[allow(clippy::too_many_arguments, reason = "what was, what is to be, and what makes the one of the other")]
    fn put(
        &self,
        conn: &Connection,
        cluster: u64,
        (old, old_bytes): (&Head, &[u8]),
        new: Head,
        mask: u64,
        room: usize,
        patch: &Patch<'_>,
    ) -> Result<()> {
        self.has_begun.set(true);
        if new.present == 0 || self.is_all_zero(cluster, &new) {
            if !(planted(Fault::ZeroedClusterKeepsRow) && new.present != 0) {
                execute(&mut prepare(conn, "DELETE FROM clusters WHERE cluster = ?1")?, params![cluster as i64])?;
            }
            return match new.present {
                0 => Ok(()),
                _ => zeros::add(conn, cluster..cluster + 1),
            };
        }
        // Zeros of that length take no room on their way to the pages, where each block then goes at once.
        let sql = "REPLACE INTO clusters (cluster, data) VALUES (?1, zeroblob(?2))";
        execute(&mut prepare(conn, sql)?, params![cluster as i64, self.shape.row(room) as i64])?;
        let mut head = Head { places: Head::default().places, tails: Head::default().tails, ..new };
        head.take_places(&self.shape);
        let filled = self.at_row(conn, cluster, Use::Writing, |blob| {
            for block in 0..self.shape.blocks() {
                let (from, to) = (new.places[block], head.places[block]);
                if from > 0 {
                    let chunk = &old_bytes[self.shape.chunk_at(from)..][..self.shape.chunk()];
                    blob.write(chunk, self.shape.chunk_at(to))?;
                    head.tails[usize::from(to) - 1] = old.tails[usize::from(from) - 1];
                }
            }
            if let Patch::Bytes(data, first) = patch {
                for run in runs(head.data & mask) {
                    let at = |sector: u64| (sector - first) as usize * self.shape.sector_size();
                    let data = &data[at(run.start)..at(run.end)];
                    self.write_run(&mut head, &run, data, |chunk, at| blob.write(chunk, at))?;
                }
            }
            blob.write(&head.encode(), 0)
        })?;
        filled.ok_or_else(|| self.damaged(cluster, "the row that was made of it is not there"))
    }
}
