//! A table that is written in the order of its keys, page by page, behind the pages that SQLite has made.
//!
//! SQLite takes each page through its cache and writes it alone, which is most of the work when a whole disk is put into
//! a file that nobody reads yet. Here pages are laid out in a buffer in the order in which they will be read, and
//! written in long runs. What a page has to look like is in sqlite.org/fileformat2.html: "B-tree Pages" and "Pointer
//! Map or Ptrmap Pages".

use std::mem;

use super::record::locked_page;
use crate::error::{Error, ErrorKind, Result};
use crate::layer::RawFile;

mod leaf;
mod map;

use leaf::{Leaf, varint};
use map::{Entry, Map};

/// The buffer is written when it has so many bytes, as soon as a leaf is done.
const RUN: usize = 256 << 10;
/// The most pages of a database.
const MOST_PAGES: u32 = 0xffff_fffe;
/// The head of a page that leads to others, and the most that one of its cells takes.
const INNER_HEAD: usize = 12;
const INNER_CELL: usize = 15;

/// A page and the largest key in it.
type Child = (u32, u64);

/// An empty table, and where the next page of its file will be.
pub(super) struct Table<'a> {
    file: &'a dyn RawFile,
    page_size: usize,
    root: u32,
    /// The number of the next page.
    next: u32,
    /// Pages that have numbers and are not written yet: the number of the first, and the bytes that are in use.
    first: u32,
    buf: Vec<u8>,
    used: usize,
    map: Map,
    leaf: Leaf,
    /// For each level above the leaves the pages that wait for the one that leads to them.
    levels: Vec<Vec<Child>>,
}

impl<'a> Table<'a> {
    /// The empty table at `root` in a file of so many pages, which has a pointer map and no free pages.
    pub(super) fn new(file: &'a dyn RawFile, page_size: usize, pages: u32, root: u32) -> Result<Self> {
        let mut table = Self {
            file,
            page_size,
            root,
            next: pages + 1,
            first: pages + 1,
            buf: Vec::new(),
            used: 0,
            map: Map::new(page_size, pages, locked_page(page_size)),
            leaf: Leaf::new(page_size, root),
            levels: Vec::new(),
        };
        let at = table.offset(table.map.page);
        file.read_exact_at(&mut table.map.bytes, at).map_err(failed)?;
        Ok(table)
    }

    /// Appends a row whose value is `head` and then `chunks`, each of which fills a page of its own.
    ///
    /// Keys go up. That head and chunks fall on pages like this is up to whoever chose their sizes.
    pub(super) fn append<'c>(
        &mut self,
        key: u64,
        head: &[u8],
        chunks: impl ExactSizeIterator<Item = &'c [u8]>,
    ) -> Result<()> {
        let count = chunks.len();
        let record = leaf::record_head(head.len() + count * (self.page_size - 4));
        let payload = record.len() + head.len() + count * (self.page_size - 4);
        let local = leaf::local_len(payload, self.page_size);
        assert_eq!(local, record.len() + head.len(), "a head that is not what SQLite keeps beside the key");
        let mut cell = Vec::with_capacity(local + 22);
        varint(&mut cell, payload as u64);
        varint(&mut cell, key);
        cell.extend_from_slice(&record);
        cell.extend_from_slice(head);
        let is_long = count > 0;
        if !self.leaf.has_room(cell.len() + if is_long { 4 } else { 0 }) {
            self.end_leaf()?;
            self.leaf.page = self.allocate()?;
        }
        if is_long {
            let first = self.put_chunks(chunks)?;
            cell.extend_from_slice(&first.to_be_bytes());
            self.leaf.overflows.push(first);
        }
        self.leaf.push(key, &cell);
        Ok(())
    }

    /// A chain of pages; the number of the first.
    fn put_chunks<'c>(&mut self, chunks: impl ExactSizeIterator<Item = &'c [u8]>) -> Result<u32> {
        let first = self.allocate()?;
        let (mut page, mut entry, mut left) = (first, Entry::first_overflow(self.leaf.page), chunks.len());
        for chunk in chunks {
            left -= 1;
            let next = if left > 0 { self.allocate()? } else { 0 };
            let place = self.place(page);
            place[..4].copy_from_slice(&next.to_be_bytes());
            place[4..].copy_from_slice(chunk);
            self.note(page, entry)?;
            (entry, page) = (Entry::overflow(page), next);
        }
        Ok(first)
    }

    /// Puts the leaf in its page, and lets the level above know.
    fn end_leaf(&mut self) -> Result<()> {
        if self.leaf.page == self.root {
            // It is not the only one after all, and the root will lead to it.
            let page = self.allocate()?;
            self.leaf.page = page;
            for overflow in mem::take(&mut self.leaf.overflows) {
                self.note(overflow, Entry::first_overflow(page))?;
            }
        }
        let (page, key) = (self.leaf.page, self.leaf.last_key());
        let leaf = mem::replace(&mut self.leaf, Leaf::new(self.page_size, page));
        self.put(page, &leaf.into_page())?;
        self.push(0, (page, key))?;
        if self.used >= RUN {
            self.write_out()?;
        }
        Ok(())
    }

    /// How many pages a page may lead to.
    fn most_children(&self) -> usize {
        (self.page_size - INNER_HEAD) / INNER_CELL + 1
    }

    /// Two pages are kept back, since one alone needs none that leads to it, and SQLite would not take one.
    fn push(&mut self, level: usize, child: Child) -> Result<()> {
        if level == self.levels.len() {
            self.levels.push(Vec::new());
        }
        if self.levels[level].len() == self.most_children() + 2 {
            self.lead_to(level, self.most_children())?;
        }
        self.levels[level].push(child);
        Ok(())
    }

    /// Makes a page that leads to the first `count` of a level.
    fn lead_to(&mut self, level: usize, count: usize) -> Result<()> {
        let children: Vec<Child> = self.levels[level].drain(..count).collect();
        let page = self.allocate()?;
        self.put_inner(page, &children)?;
        self.push(level + 1, (page, children[count - 1].1))
    }

    fn put_inner(&mut self, page: u32, children: &[Child]) -> Result<()> {
        let mut bytes = leaf::Cells::new(self.page_size, leaf::Kind::Inner);
        let (last, others) = children.split_last().unwrap_or((&(0, 0), &[]));
        for (child, key) in others {
            let mut cell = child.to_be_bytes().to_vec();
            varint(&mut cell, *key);
            bytes.push(&cell);
        }
        self.put(page, &bytes.into_page(last.0))?;
        children.iter().try_for_each(|(child, _)| self.note(*child, Entry::page(page)))
    }

    /// Writes what is left, and the number of pages into the header.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.levels.is_empty() {
            let leaf = mem::replace(&mut self.leaf, Leaf::new(self.page_size, self.root));
            self.put(self.root, &leaf.into_page())?;
        } else {
            self.end_leaf()?;
            self.end_levels()?;
        }
        self.put_map()?;
        self.write_out()?;
        self.file.write_all_at(&(self.next - 1).to_be_bytes(), 28).map_err(failed)
    }

    fn end_levels(&mut self) -> Result<()> {
        let mut level = 0;
        loop {
            let count = self.levels[level].len();
            if count > self.most_children() {
                self.lead_to(level, count / 2)?;
            }
            if level + 1 == self.levels.len() {
                let children = mem::take(&mut self.levels[level]);
                return self.put_inner(self.root, &children);
            }
            self.lead_to(level, self.levels[level].len())?;
            level += 1;
        }
    }

    /// The next page that a table may have.
    fn allocate(&mut self) -> Result<u32> {
        loop {
            let page = self.next;
            if page > MOST_PAGES {
                return Err(Error::new(ErrorKind::NoSpace, "a database has no more pages of that size"));
            }
            self.next += 1;
            self.used += self.page_size;
            if self.buf.len() < self.used {
                self.buf.resize(self.used.max(RUN), 0);
            }
            if page == locked_page(self.page_size) {
                self.place(page).fill(0);
            } else if self.map.is_map(page) {
                self.put_map()?;
                self.map.turn(page);
            } else {
                return Ok(page);
            }
        }
    }

    /// The buffer's part that is the page `page`.
    fn place(&mut self, page: u32) -> &mut [u8] {
        let at = (page - self.first) as usize * self.page_size;
        &mut self.buf[at..at + self.page_size]
    }

    fn put(&mut self, page: u32, bytes: &[u8]) -> Result<()> {
        self.put_at(page, 0, bytes)
    }

    /// Into the buffer, or into the file where that has the page already.
    fn put_at(&mut self, page: u32, at: usize, bytes: &[u8]) -> Result<()> {
        if page >= self.first {
            self.place(page)[at..at + bytes.len()].copy_from_slice(bytes);
            return Ok(());
        }
        self.file.write_all_at(bytes, self.offset(page) + at as u64).map_err(failed)
    }

    /// Enters who leads to a page into the pointer map.
    fn note(&mut self, page: u32, entry: Entry) -> Result<()> {
        let (map, at) = self.map.place_of(page);
        if map == self.map.page {
            self.map.bytes[at..at + entry.0.len()].copy_from_slice(&entry.0);
            return Ok(());
        }
        self.put_at(map, at, &entry.0)
    }

    fn put_map(&mut self) -> Result<()> {
        let bytes = mem::take(&mut self.map.bytes);
        self.put(self.map.page, &bytes)?;
        self.map.bytes = bytes;
        Ok(())
    }

    fn write_out(&mut self) -> Result<()> {
        self.file.write_all_at(&self.buf[..self.used], self.offset(self.first)).map_err(failed)?;
        self.first = self.next;
        self.used = 0;
        Ok(())
    }

    fn offset(&self, page: u32) -> u64 {
        u64::from(page - 1) * self.page_size as u64
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::from_io("writing the new file", error)
}
