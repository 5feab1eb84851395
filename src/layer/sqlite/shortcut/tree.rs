//! SQLite's trees of pages, as far as a lookup by a whole number needs them (sqlite.org/fileformat2.html).
//!
//! Everything is checked as it is read; `None` means that something is not as it should be, and nothing more.

use super::place::Place;
use crate::layer::sqlite::clusters::{BLOCKS, Head, LEN, Shape};
use crate::layer::sqlite::gate::Anchor;
use crate::layer::sqlite::record::{DEEPEST, INTERIOR, LEAF, header, integer, local_len, page_offset, row_len, varint};
use crate::layer::sqlite::schema::Tables;

/// Where the tables of format 1 begin.
pub(super) struct Trees {
    clusters: u32,
    zeros: u32,
    page_size: usize,
}

/// A row whose number is at most the one that was looked for.
struct Row {
    number: i64,
    /// Bytes of all of it, and those of them that lie with the number.
    len: usize,
    local: Vec<u8>,
    /// The page where it goes on; zero if it does not.
    overflow: u32,
}

impl Trees {
    /// None if pages are not as long as blocks, or have room for something else.
    pub(super) fn of(tables: &Tables, shape: &Shape, file: &Anchor) -> Option<Self> {
        let mut header = [0; 24];
        let is_read = file.read(&mut header, 0);
        let page_size = usize::from(u16::from_be_bytes([header[16], header[17]]));
        let reserved = header[20];
        (is_read && page_size == shape.block_size() && reserved == 0).then_some(Self {
            clusters: tables.root("clusters")?,
            zeros: tables.root("zeros")?,
            page_size,
        })
    }

    /// Where a cluster is.
    pub(super) fn find(&self, file: &Anchor, shape: &Shape, cluster: u64) -> Option<Place> {
        let wanted = i64::try_from(cluster).ok()?;
        if let Some(row) = self.last(file, self.clusters, wanted, 0)?.filter(|row| row.number == wanted) {
            return self.place(file, shape, cluster, &row);
        }
        match self.last(file, self.zeros, wanted, 0)? {
            Some(extent) => {
                // One that has nothing is damaged, and SQLite is asked.
                let stop = stop_of(&extent).filter(|stop| *stop > extent.number)?;
                Some(if stop > wanted { Place::Zeroed } else { Place::Absent })
            }
            None => Some(Place::Absent),
        }
    }

    fn place(&self, file: &Anchor, shape: &Shape, cluster: u64, row: &Row) -> Option<Place> {
        let (head_len, types) = header(&row.local)?;
        let [0, ty] = types[..] else { return None };
        let len = usize::try_from(ty.checked_sub(12).filter(|twice| twice % 2 == 0)? / 2).ok()?;
        let room = shape.room(len)?;
        // Each chunk fills a page only if the first one begins one.
        let begins = head_len + shape.head();
        if row.len != head_len + len || row.local.len() != begins || room > BLOCKS {
            return None;
        }
        let head = Head::decode(row.local.get(head_len..head_len + LEN)?.try_into().ok()?);
        let mut pages = [0; BLOCKS];
        let mut next = row.overflow;
        for page in &mut pages[..room] {
            *page = next;
            let mut link = [0; 4];
            file.read(&mut link, page_offset(next, self.page_size)?).then_some(())?;
            next = u32::from_be_bytes(link);
        }
        (next == 0 && head.is_sound(shape, shape.sectors(cluster), room)).then_some(Place::Row(head, pages))
    }

    /// The last row of a tree whose number is at most `wanted`.
    fn last(&self, file: &Anchor, page: u32, wanted: i64, depth: u32) -> Option<Option<Row>> {
        if depth >= DEEPEST {
            return None;
        }
        let mut bytes = vec![0; self.page_size];
        file.read(&mut bytes, page_offset(page, self.page_size)?).then_some(())?;
        let page = Page(&bytes);
        match *bytes.first()? {
            LEAF => {
                let after = page.first_above(8, |cell| Some(varint(page.at(cell)?)?.1), wanted, Above::Strictly)?;
                match after.checked_sub(1) {
                    None => Some(None),
                    Some(index) => self.row(&page, page.cell(8, index)?).map(Some),
                }
            }
            INTERIOR => {
                let index = page.first_above(12, |cell| page.at(cell)?.get(4..), wanted, Above::OrEqual)?;
                let child = match index == page.cells()? {
                    true => page.number(8)?,
                    false => page.number(page.cell(12, index)?)?,
                };
                let found = self.last(file, child, wanted, depth + 1)?;
                match index.checked_sub(1) {
                    // All of that child is above it, and all of the one before is below.
                    Some(before) if found.is_none() => {
                        self.last(file, page.number(page.cell(12, before)?)?, wanted, depth + 1)
                    }
                    _ => Some(found),
                }
            }
            _ => None,
        }
    }

    fn row(&self, page: &Page<'_>, cell: usize) -> Option<Row> {
        let (len, rest) = row_len(page.at(cell)?)?;
        let (number, rest) = varint(rest)?;
        let local = local_len(len, self.page_size);
        let overflow = match local < len {
            true => u32::from_be_bytes(rest.get(local..local + 4)?.try_into().ok()?),
            false => 0,
        };
        Some(Row { number: number as i64, len, local: rest.get(..local)?.to_vec(), overflow })
    }
}

/// Whether a cell that has just the number is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Above {
    Strictly,
    OrEqual,
}

/// A page that is no other than the first.
struct Page<'a>(&'a [u8]);

impl<'a> Page<'a> {
    fn at(&self, offset: usize) -> Option<&'a [u8]> {
        self.0.get(offset..)
    }

    fn cells(&self) -> Option<usize> {
        Some(usize::from(u16::from_be_bytes(self.0.get(3..5)?.try_into().ok()?)))
    }

    /// The offset of a cell; the list of them begins at `list`.
    fn cell(&self, list: usize, index: usize) -> Option<usize> {
        let at = list + 2 * index;
        Some(usize::from(u16::from_be_bytes(self.0.get(at..at + 2)?.try_into().ok()?)))
    }

    fn number(&self, offset: usize) -> Option<u32> {
        Some(u32::from_be_bytes(self.0.get(offset..offset + 4)?.try_into().ok()?))
    }

    /// The first cell whose number, which is found at `key` of the cell, is above `wanted`; the count if none is.
    fn first_above(
        &self,
        list: usize,
        key: impl Fn(usize) -> Option<&'a [u8]>,
        wanted: i64,
        above: Above,
    ) -> Option<usize> {
        let (mut low, mut high) = (0, self.cells()?);
        while low < high {
            let middle = low + (high - low) / 2;
            let number = varint(key(self.cell(list, middle)?)?)?.0 as i64;
            match number > wanted || above == Above::OrEqual && number == wanted {
                true => high = middle,
                false => low = middle + 1,
            }
        }
        Some(low)
    }
}

/// The end of an extent of zeroed clusters.
fn stop_of(row: &Row) -> Option<i64> {
    let (head_len, types) = header(&row.local)?;
    let [0, ty] = types[..] else { return None };
    integer(ty, row.local.get(head_len..)?).map(|(stop, _)| stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_ends_with_a_number_behind_its_key() {
        let extent = |types: &[u8], bytes: &[u8]| {
            let head = [&[types.len() as u8 + 1], types, bytes].concat();
            stop_of(&Row { number: 0, len: head.len(), local: head, overflow: 0 })
        };
        assert_eq!([extent(&[0, 8], &[]), extent(&[0, 2], &[1, 2])], [Some(0), Some(0x102)]);
        assert_eq!([extent(&[0, 2], &[1]), extent(&[0, 7], &[0; 8]), extent(&[1, 1], &[0; 2])], [None; 3]);
    }
}
