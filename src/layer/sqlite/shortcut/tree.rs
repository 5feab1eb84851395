//! SQLite's trees of pages, as far as a lookup by a whole number needs them (sqlite.org/fileformat2.html).
//!
//! Everything is checked as it is read; `None` means that something is not as it should be, and nothing more.

use super::place::Place;
use crate::layer::sqlite::clusters::{BLOCKS, Head, LEN, Shape};
use crate::layer::sqlite::gate::Anchor;
use crate::layer::sqlite::schema::Tables;

/// Deeper trees than that have more pages than SQLite allows.
const DEEPEST: u32 = 20;
const INTERIOR: u8 = 5;
const LEAF: u8 = 13;

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
        let root = |name: &str| tables.roots.iter().find(|(table, _)| *table == name).map(|(_, root)| *root);
        let mut header = [0; 24];
        let is_read = file.read(&mut header, 0);
        let page_size = usize::from(u16::from_be_bytes([header[16], header[17]]));
        let reserved = header[20];
        (is_read && page_size == shape.block_size() && reserved == 0).then_some(Self {
            clusters: root("clusters")?,
            zeros: root("zeros")?,
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
            (next > 0 && file.read(&mut link, self.offset(next))).then_some(())?;
            next = u32::from_be_bytes(link);
        }
        (next == 0 && head.is_sound(shape, shape.sectors(cluster), room)).then_some(Place::Row(head, pages))
    }

    /// The last row of a tree whose number is at most `wanted`.
    fn last(&self, file: &Anchor, page: u32, wanted: i64, depth: u32) -> Option<Option<Row>> {
        if page == 0 || depth > DEEPEST {
            return None;
        }
        let mut bytes = vec![0; self.page_size];
        file.read(&mut bytes, self.offset(page)).then_some(())?;
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
        let (len, rest) = varint(page.at(cell)?)?;
        let (number, rest) = varint(rest)?;
        let len = usize::try_from(len).ok()?;
        let local = self.local(len);
        let overflow = match local < len {
            true => u32::from_be_bytes(rest.get(local..local + 4)?.try_into().ok()?),
            false => 0,
        };
        Some(Row { number: number as i64, len, local: rest.get(..local)?.to_vec(), overflow })
    }

    /// How many bytes of a row lie with its number ("Cell payload overflow pages").
    fn local(&self, len: usize) -> usize {
        let usable = self.page_size;
        let most = usable - 35;
        if len <= most {
            return len;
        }
        let least = (usable - 12) * 32 / 255 - 23;
        let kept = least + (len - least) % (usable - 4);
        if kept <= most { kept } else { least }
    }

    fn offset(&self, page: u32) -> u64 {
        (u64::from(page) - 1) * self.page_size as u64
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
    let len = match ty {
        8 | 9 => return Some((ty - 8) as i64),
        1..=4 => ty as usize,
        5 => 6,
        6 => 8,
        _ => return None,
    };
    let bytes = row.local.get(head_len..head_len + len)?;
    let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
    Some(bytes.iter().fold(sign, |value, byte| value << 8 | i64::from(*byte)))
}

/// The length of a row's header, and the types of its columns.
fn header(row: &[u8]) -> Option<(usize, Vec<u64>)> {
    let (len, _) = varint(row)?;
    let len = usize::try_from(len).ok().filter(|len| *len <= 32)?;
    let (_, mut rest) = varint(row.get(..len)?)?;
    let mut types = Vec::new();
    while !rest.is_empty() {
        let (ty, more) = varint(rest)?;
        types.push(ty);
        rest = more;
    }
    Some((len, types))
}

/// SQLite's number of one to nine bytes, and what follows it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(8).enumerate() {
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    Some((value << 8 | u64::from(*bytes.get(8)?), &bytes[9..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked out by hand from "Cell payload overflow pages" of SQLite's description of its files.
    #[test]
    fn as_much_lies_with_the_number_as_sqlite_wants_there() {
        // At most 477 bytes and at least 39; at most 4061 and at least 489.
        let lens = [(512, 477, 477), (512, 478, 39), (512, 547, 39), (512, 548, 40), (512, 985, 477), (512, 986, 39)];
        let longer = [(4096, 4061, 4061), (4096, 4062, 489), (4096, 4581, 489), (4096, 8153, 4061), (4096, 8154, 489)];
        for (page_size, len, local) in lens.into_iter().chain(longer) {
            let trees = Trees { clusters: 0, zeros: 0, page_size };
            assert_eq!(trees.local(len), local, "{len} bytes in pages of {page_size}");
        }
    }

    #[test]
    fn numbers_are_read_as_sqlite_writes_them() {
        assert_eq!(varint(&[0x7f, 9]), Some((0x7f, &[9][..])));
        assert_eq!(varint(&[0x81, 0, 9]), Some((128, &[9][..])));
        assert_eq!(varint(&[0xff; 9]), Some((u64::MAX, &[][..])));
        assert_eq!((varint(&[]), varint(&[0x81]), varint(&[0xff; 8])), (None, None, None));
        let extent = |types: &[u8], bytes: &[u8]| {
            let head = [&[types.len() as u8 + 1], types, bytes].concat();
            stop_of(&Row { number: 0, len: head.len(), local: head, overflow: 0 })
        };
        assert_eq!([extent(&[0, 8], &[]), extent(&[0, 9], &[])], [Some(0), Some(1)]);
        assert_eq!([extent(&[0, 1], &[0x7f]), extent(&[0, 1], &[0xff])], [Some(127), Some(-1)]);
        assert_eq!([extent(&[0, 2], &[1, 2]), extent(&[0, 3], &[1, 2, 3])], [Some(0x102), Some(0x1_0203)]);
        assert_eq!(extent(&[0, 5], &[1, 2, 3, 4, 5, 6]), Some(0x102_0304_0506));
        assert_eq!(extent(&[0, 6], &[0x80, 0, 0, 0, 0, 0, 0, 0]), Some(i64::MIN));
        assert_eq!([extent(&[0, 2], &[1]), extent(&[0, 7], &[0; 8]), extent(&[1, 1], &[0; 2])], [None; 3]);
    }
}
