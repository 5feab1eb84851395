//! A look at a file around SQLite, while all of its state lies in it: its tables, and the rows that say what it is.
//!
//! To ask SQLite for these few rows takes longer than to open the file: each question is a statement, to be prepared for
//! this once. They lie in pages of which most are just a few cells.
//!
//! - Only what is just as a file of ours has it is taken from here: the texts of the tables, values of the types that they
//!   should have, rows that need no further page. Anything else is odd, and SQLite is asked, which judges it.
//! - A page is looked at as strictly as SQLite does when it reads one (`cell_size_check`).

use std::sync::Arc;

use super::format::Format;
use super::gate::{Anchor, LONGEST};
use super::header::Header;
use super::record::{DEEPEST, INTERIOR, LEAF, Value, local_len, page_offset, row_len, values, varint};
use super::schema::Tables;

/// The least that a cell takes, in a leaf and in a page that leads to others.
const LEAST_OF_LEAF: usize = 4;
const LEAST_OF_INTERIOR: usize = 5;
/// Where the head of the first page begins, behind that of the file.
const BEHIND_HEADER: usize = 100;

/// The number that a table begins with, and the one that it ends with.
pub(super) type Ends = (Option<i64>, Option<i64>);

pub(super) struct Glance {
    file: Arc<Anchor>,
    page_size: usize,
    pages: u32,
}

/// A row: its number, and the row itself if it lies there as a whole.
type Row<'a> = (i64, Option<&'a [u8]>);
/// The same at an end of a tree.
type Edge = (i64, Option<Vec<u8>>);

#[derive(Clone, Copy)]
enum Side {
    First,
    Last,
}

impl Side {
    fn of<T>(self, all: &[T]) -> Option<&T> {
        match self {
            Self::First => all.first(),
            Self::Last => all.last(),
        }
    }
}

impl Glance {
    /// At the locked file that has this header; none where SQLite would read it in another way than it is read here.
    pub(super) fn at(file: Arc<Anchor>, header: &Header) -> Option<Self> {
        let page_size = header.said().page_size as usize;
        let is_usual = page_size.is_power_of_two() && (512..=LONGEST).contains(&page_size) && header.is_plain();
        is_usual.then_some(Self { file, page_size, pages: header.pages()? })
    }

    /// The text in the only row of a table of a file, without what is newer in its log.
    pub(super) fn only_text_in_file(file: Arc<Anchor>, name: &str) -> Option<String> {
        let header = Header::in_file(&file)?;
        let (glance, format) = (Self::at(file, &header)?, header.said().format().ok()?);
        glance.only_text(&glance.tables(format)?, name)
    }

    /// The tables, if all are there and have our own texts, and nothing else is.
    pub(super) fn tables(&self, format: Format) -> Option<Tables> {
        let (sectors, common) = format.tables();
        let mut tables = Tables::default();
        let bytes = self.read(1)?;
        for (_, row) in Page::of(&bytes, BEHIND_HEADER)?.rows()? {
            let [Value::Text("table"), Value::Text(name), Value::Text(of), Value::Integer(root), Value::Text(sql)] =
                values(row?)?[..]
            else {
                return None;
            };
            let table = sectors.iter().chain(common).find(|table| table.name == name && table.sql == sql)?;
            let root = u32::try_from(root).ok().filter(|root| (2..=self.pages).contains(root))?;
            (of == name && tables.root(name).is_none()).then_some(())?;
            tables.roots.push((table.name, root));
        }
        tables.has_identity = tables.root(common[1].name).is_some();
        sectors.iter().chain(&common[..1]).all(|table| tables.root(table.name).is_some()).then_some(tables)
    }

    /// The text in the only row of a table with one column.
    pub(super) fn only_text(&self, tables: &Tables, name: &str) -> Option<String> {
        let bytes = self.read(tables.root(name)?)?;
        let rows = Page::of(&bytes, 0)?.rows()?;
        let [(_, row)] = rows[..] else { return None };
        let [Value::Text(text)] = values(row?)?[..] else { return None };
        Some(text.to_owned())
    }

    /// The ends of the tables with sectors, in their order.
    pub(super) fn ends(&self, tables: &Tables, format: Format) -> Option<Vec<Ends>> {
        let ends = |name| {
            let Some((first, last)) = self.edges(tables.root(name)?)? else { return Some((None, None)) };
            let end = match name {
                // An extent ends before its stop.
                "zeros" => match values(last.1.as_deref()?)?[..] {
                    [Value::Null, Value::Integer(stop)] => stop.checked_sub(1)?,
                    _ => return None,
                },
                _ => last.0,
            };
            Some((Some(first.0), Some(end)))
        };
        format.tables().0.iter().map(|table| ends(table.name)).collect()
    }

    /// The first and the last row of a tree, if it has any.
    fn edges(&self, root: u32) -> Option<Option<(Edge, Edge)>> {
        let bytes = self.read(root)?;
        let page = Page::of(&bytes, 0)?;
        if page.kind == INTERIOR {
            let children = page.children()?;
            let edge = |side: Side| self.edge(*side.of(&children)?, side, 1);
            return Some(Some((edge(Side::First)?, edge(Side::Last)?)));
        }
        let rows = page.rows()?;
        let own = |row: &Row<'_>| (row.0, row.1.map(<[u8]>::to_vec));
        Some(rows.first().map(own).zip(rows.last().map(own)))
    }

    /// The first or the last row of a part of a tree, which has one.
    fn edge(&self, page: u32, side: Side, depth: u32) -> Option<Edge> {
        let bytes = self.read(page).filter(|_| depth < DEEPEST)?;
        let page = Page::of(&bytes, 0)?;
        match page.kind {
            INTERIOR => self.edge(*side.of(&page.children()?)?, side, depth + 1),
            _ => side.of(&page.rows()?).map(|row| (row.0, row.1.map(<[u8]>::to_vec))),
        }
    }

    fn read(&self, page: u32) -> Option<Vec<u8>> {
        let mut bytes = vec![0; self.page_size];
        let offset = page_offset(page, self.page_size)?;
        (page <= self.pages && self.file.read(&mut bytes, offset)).then_some(bytes)
    }
}

/// A page of a tree of rows.
struct Page<'a> {
    bytes: &'a [u8],
    kind: u8,
    count: usize,
    /// Where the list of its cells begins.
    list: usize,
}

impl<'a> Page<'a> {
    /// Its head begins at `head`.
    fn of(bytes: &'a [u8], head: usize) -> Option<Self> {
        let kind = *bytes.get(head)?;
        let len = match kind {
            LEAF => 8,
            INTERIOR => 12,
            _ => return None,
        };
        let count = usize::from(u16::from_be_bytes([*bytes.get(head + 3)?, *bytes.get(head + 4)?]));
        // What a cell takes at least, and its place in the list.
        (count <= (bytes.len() - 8) / (LEAST_OF_LEAF + 2)).then_some(Self { bytes, kind, count, list: head + len })
    }

    /// What begins with a cell; none if it does not lie between the list of cells and the end of the page.
    fn cell(&self, index: usize, least: usize) -> Option<&'a [u8]> {
        let at = self.list + 2 * index;
        let cell = usize::from(u16::from_be_bytes([*self.bytes.get(at)?, *self.bytes.get(at + 1)?]));
        self.bytes.get(cell..).filter(|rest| cell >= self.list + 2 * self.count && rest.len() >= least)
    }

    /// The rows of a leaf.
    fn rows(&self) -> Option<Vec<Row<'a>>> {
        let row = |index| {
            let (len, rest) = row_len(self.cell(index, LEAST_OF_LEAF)?)?;
            let (number, rest) = varint(rest)?;
            let local = local_len(len, self.bytes.len());
            let behind = if local < len { size_of::<u32>() } else { 0 };
            let whole = rest.get(..local).filter(|_| local == len);
            (rest.len() >= local + behind).then_some((number as i64, whole))
        };
        (self.kind == LEAF).then(|| (0..self.count).map(row).collect())?
    }

    /// The pages that a page leads to.
    fn children(&self) -> Option<Vec<u32>> {
        let number = |bytes: &[u8]| Some(u32::from_be_bytes(*bytes.first_chunk()?));
        let child = |index| {
            let cell = self.cell(index, LEAST_OF_INTERIOR)?;
            varint(&cell[4..])?;
            number(cell)
        };
        let last = number(&self.bytes[self.list - 4..]);
        (self.count > 0).then(|| (0..self.count).map(child).chain([last]).collect())?
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::layer::sqlite::database::Database;
    use crate::layer::sqlite::schema::inspect_as;
    use crate::layer::sqlite::{Existing, FormatParams, Location, Mode, Options, SqliteDiskLayer};
    use crate::layer::{Below, Durability, LayerIo, Native};

    /// How a file is judged by a glance and without one, and how much of it a glance sees.
    fn judged(path: &Path) -> ([String; 2], [bool; 3]) {
        let database = Database::connect(&Location::from(path), Mode::ReadWrite, &Options::default()).unwrap();
        let header = Header::of(&database, path, &Native).unwrap().unwrap();
        let glance = Glance::at(database.file().unwrap(), &header).unwrap();
        let format = header.said().format().unwrap();
        let judged = [Some(&glance), None].map(|glance| inspect_as(&database.conn, header.said(), glance));
        let tables = glance.tables(format);
        let sees = |sees: &dyn Fn(&Tables) -> bool| tables.as_ref().is_some_and(sees);
        let texts = |tables: &Tables| ["meta", "identity"].iter().all(|name| glance.only_text(tables, name).is_some());
        let seen = [sees(&|_| true), sees(&texts), sees(&|tables| glance.ends(tables, format).is_some())];
        (judged.map(|judged| format!("{:?}", judged.unwrap())), seen)
    }

    /// A row of 478 bytes in a page of 512 goes on elsewhere after 39, which may look like a row themselves.
    #[test]
    fn a_row_that_goes_on_elsewhere_is_none() {
        let page_with = |len: [u8; 2]| {
            let mut bytes = vec![0; 512];
            (bytes[0], bytes[4], bytes[9]) = (LEAF, 1, 20);
            bytes[20..23].copy_from_slice(&[len[0], len[1], 7]);
            bytes
        };
        let [whole, split] = [page_with([0x83, 0x5d]), page_with([0x83, 0x5e])];
        let rows = |bytes: &[u8]| Page::of(bytes, 0).unwrap().rows().map(|rows| rows[0].1.map(<[u8]>::len));
        assert_eq!((rows(&whole), rows(&split)), (Some(Some(477)), Some(None)));
    }

    #[test]
    fn a_glance_sees_what_sqlite_says() {
        let directory = tempfile::TempDir::new().unwrap();
        let format = FormatParams { logically_read_only: false, len: 64 << 20, sector_size: 512 };
        for (name, page_size) in [(Format::One, 1024), (Format::One, 4096), (Format::One, 32768), (Format::Original, 0)]
        {
            let path = directory.path().join(format!("{name:?}-{page_size}"));
            let options = Options { format: name, page_size: page_size.max(512), ..Options::default() };
            SqliteDiskLayer::create(&*path, format, Existing::Keep, &options).unwrap().close().unwrap();
            // Until the trees have pages that lead to others.
            for step in 0..4 {
                let ([glanced, asked], seen) = judged(&path);
                assert_eq!(glanced, asked, "{name:?} with pages of {page_size}, step {step}");
                assert_eq!(seen, [true; 3], "{name:?} with pages of {page_size}, step {step}");
                let layer = SqliteDiskLayer::open(&*path, Mode::ReadWrite, &Options::default()).unwrap();
                for number in 0..40 * step {
                    layer.write(700 + number * 500, &[7; 512], Durability::Flushed).unwrap();
                }
                layer.unmap(90_000 + step * 4000, 3000, Below::Something).unwrap();
                layer.close().unwrap();
            }
        }
    }

    /// A leaf of 512 bytes with these cells, from the end on.
    fn leaf(cells: &[&[u8]]) -> Vec<u8> {
        let mut page = vec![0; 512];
        (page[0], page[4]) = (LEAF, cells.len() as u8);
        let mut end = page.len();
        for (index, cell) in cells.iter().enumerate() {
            end -= cell.len();
            page[end..end + cell.len()].copy_from_slice(cell);
            page[8 + 2 * index..10 + 2 * index].copy_from_slice(&(end as u16).to_be_bytes());
        }
        page
    }

    fn numbers(page: &[u8]) -> Option<Vec<i64>> {
        Some(Page::of(page, 0)?.rows()?.into_iter().map(|(number, _)| number).collect())
    }

    #[test]
    fn rows_lie_between_the_list_of_them_and_the_end() {
        let page = leaf(&[&[2, 5, 7, 7], &[3, 6, 7, 7, 7]]);
        assert_eq!(numbers(&page), Some(vec![5, 6]));
        for (place, odd) in [([1, 254], "past the end"), ([0, 11], "in the list"), ([2, 0], "off the page")] {
            let mut page = page.clone();
            page[8..10].copy_from_slice(&place);
            assert_eq!(numbers(&page), None, "{odd}");
        }
        assert_eq!(numbers(&leaf(&[&[9, 5, 7, 7]])), None, "a row longer than what is left");
        // Of 512 bytes 39 lie here, and the number of the page with the others.
        let split = |behind: usize| numbers(&leaf(&[&[&[0x84, 0, 5][..], &vec![7; 39 + behind]].concat()]));
        assert_eq!([split(3), split(4)], [None, Some(vec![5])], "one that goes on elsewhere, and may not say where");
        let [mut many, mut inner] = [leaf(&[]), leaf(&[])];
        (many[4], inner[0]) = (85, INTERIOR);
        assert!(Page::of(&many, 0).is_none() && Page::of(&inner, 0).unwrap().rows().is_none());
        assert!(Page::of(&inner, 0).unwrap().children().is_none(), "nothing that leads anywhere");
    }

    #[test]
    fn a_page_leads_to_the_pages_of_its_cells_and_to_the_last() {
        let mut page = vec![0; 512];
        (page[0], page[4], page[11]) = (INTERIOR, 1, 9);
        page[12..14].copy_from_slice(&[1, 251]);
        page[507..].copy_from_slice(&[0, 0, 0, 8, 40]);
        assert_eq!(Page::of(&page, 0).unwrap().children(), Some(vec![8, 9]));
        page[13] = 252;
        assert_eq!(Page::of(&page, 0).unwrap().children(), None);
    }
}
