//! The rollback journal of a program that was cut short, looked at before SQLite undoes what it says.
//!
//! Files made here keep a log and have no journal; the original's may have one. SQLite rolls it back as soon as a file
//! is opened for writing, which changes the file before anybody knows whether it is a disk (rule 19). So the file is
//! judged first as it would be afterwards: a copy in memory, with the journal's pages put back.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, MAIN_DB, OpenFlags};

use super::Mode;
use super::connect::{connect_with, guard, immutable_uri};
use super::database::sql_error;
use super::log::Committed;
use super::schema::{self, corrupt};
use super::structure;
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::layer::{FileSystem, Found, Wanted};

/// The first bytes of a journal, and the last of one that belongs to a transaction over several files.
pub(super) const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
/// SQLite's code for a reader that finds a journal to roll back.
const READONLY_ROLLBACK: i32 = 776;
/// Files up to this size are copied and judged; a larger one is judged as it is.
const COPIED: u64 = 256 << 20;

/// Whether there is a file beside `path`, and something in it.
pub(super) fn is_there(path: &Path, suffix: &str, files: &dyn FileSystem) -> Result<bool> {
    len_of(&beside(path, suffix, files), files).map(|len| len > 0)
}

/// What SQLite keeps beside a file lies where a link leads.
pub(super) fn beside(path: &Path, suffix: &str, files: &dyn FileSystem) -> PathBuf {
    suffixed(files.follow(path), suffix)
}

/// A path whose last name is longer by that.
pub(super) fn suffixed(path: PathBuf, suffix: &str) -> PathBuf {
    let mut name = path.into_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

/// Refuses a file that would be no disk once its journal is rolled back, and changes nothing.
///
/// # Errors
///
/// What opening would refuse; `PermissionDenied` for a reader, which cannot roll back.
pub(super) fn look(path: &Path, mode: Mode, files: &dyn FileSystem) -> Result<()> {
    let target = files.follow(path);
    let suffixes = ["-journal", "-wal", "-shm"];
    let found = suffixes.map(|suffix| files.look(&suffixed(target.clone(), suffix)));
    for (suffix, found) in suffixes.iter().zip(&found) {
        // Opening a pipe would wait for somebody to write to it.
        if let Ok(Found::Directory | Found::Other) = found {
            let what = format!("opening {}: {suffix} beside it is not a file", path.display());
            return Err(Error::new(ErrorKind::Corrupt, what));
        }
    }
    let [journal, ..] = found;
    let is_hot = || is_hot(path, files);
    if len_found(&suffixed(target, "-journal"), journal)? == 0 || planted(Fault::JournalRolledBackUnseen) || !is_hot()?
    {
        return Ok(());
    }
    let judged = judge(path, files);
    judged.map_err(|e| e.in_context(format!("opening {}, as it will be without its journal", path.display())))?;
    match mode {
        Mode::ReadWrite => Ok(()),
        Mode::ReadOnly => {
            let what =
                format!("{} has a journal of a change that was cut short; open it once to write", path.display());
            Err(Error::new(ErrorKind::PermissionDenied, what))
        }
    }
}

/// Refuses to read a file whose log ends in a transaction that SQLite would show and that is not whole.
///
/// # Errors
///
/// `PermissionDenied`: only who writes can hide it.
pub(super) fn look_at_log(path: &Path, files: &dyn FileSystem) -> Result<()> {
    match Committed::read(&beside(path, "-wal", files), files)?.torn_at {
        None => Ok(()),
        Some(_) => {
            let what = format!("{} has a log whose end was cut short; open it once to write", path.display());
            Err(Error::new(ErrorKind::PermissionDenied, what))
        }
    }
}

/// Whether nobody is at work with the journal, so that it is to be rolled back.
fn is_hot(path: &Path, files: &dyn FileSystem) -> Result<bool> {
    let failed = |e| sql_error(&format!("opening {}", path.display()), e);
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE | OpenFlags::SQLITE_OPEN_READ_ONLY;
    let mut conn = connect_with(path, flags, files).map_err(failed)?;
    guard(&mut conn).map_err(failed)?;
    match conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
        Ok(()) => Ok(false),
        Err(rusqlite::Error::SqliteFailure(e, _)) if e.extended_code == READONLY_ROLLBACK => Ok(true),
        Err(error) => Err(failed(error)),
    }
}

fn judge(path: &Path, files: &dyn FileSystem) -> Result<()> {
    let failed = |e| sql_error("looking at the file", e);
    if is_there(path, "-wal", files)? {
        return Err(corrupt("it has both a journal and a log"));
    }
    let journal = read(&beside(path, "-journal", files), files)?;
    if journal.ends_with(&MAGIC) {
        // SQLite would delete the file that is named there.
        return Err(corrupt("its journal names another file"));
    }
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let mut conn = connect_with(Path::new(&immutable_uri(path)), flags, files).map_err(failed)?;
    guard(&mut conn).map_err(failed)?;
    let len = len_of(path, files)?;
    let rollback = Rollback::of(&journal);
    if len > COPIED {
        rollback.map_or(Ok(()), |rollback| rollback.completes(len))?;
        return schema::inspect(&conn).map(drop);
    }
    // SQLite reads what it can; of what has no pages at all it says that memory is short.
    let no_pages = |e| Error::new(ErrorKind::NotADisk, "reading its pages").because(e);
    let mut image = conn.serialize(MAIN_DB).map_err(no_pages)?.to_vec();
    let len = match rollback {
        None => len,
        Some(rollback) => {
            // Pages that the file has not are zeros in the image, and those that its header does not count are missing.
            rollback.completes(len.min(image.len() as u64))?;
            rollback.apply(&mut image)?;
            image.len() as u64
        }
    };
    without_log(&mut image);
    conn = Connection::open_in_memory().map_err(failed)?;
    conn.deserialize_read_exact(MAIN_DB, &image[..], image.len(), true).map_err(failed)?;
    guard(&mut conn).map_err(failed)?;
    structure::check_alone(&conn, &schema::inspect(&conn)?, len)
}

/// The length of a file in bytes; what is not there has none. A drive that does not answer is not an empty file.
pub(super) fn len_of(path: &Path, files: &dyn FileSystem) -> Result<u64> {
    len_found(path, files.look(path))
}

fn len_found(path: &Path, found: io::Result<Found>) -> Result<u64> {
    match found {
        Ok(Found::File(len)) => Ok(len),
        Ok(Found::Directory | Found::Other) => Ok(0),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(Error::from_io(format!("looking at {}", path.display()), e)),
    }
}

/// All of a file that is not too large; what is not there is empty.
fn read(path: &Path, files: &dyn FileSystem) -> Result<Vec<u8>> {
    let len = len_of(path, files)?;
    let failed = |e| Error::from_io(format!("reading {}", path.display()), e);
    if len > COPIED {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    let mut bytes = vec![0; len as usize];
    if len > 0 {
        let (file, _) = files.open(path, Wanted::Reading).map_err(failed)?;
        file.read_exact_at(&mut bytes, 0).map_err(failed)?;
    }
    Ok(bytes)
}

/// A database in memory has no log; nor has a file that was changed with a journal.
fn without_log(image: &mut [u8]) {
    for version in image.iter_mut().skip(18).take(2).filter(|version| **version == 2) {
        *version = 1;
    }
}

/// What SQLite's rollback would do: the size before, and the pages before as far as they are whole.
struct Rollback<'a> {
    page_count: u32,
    page_size: usize,
    /// Pages by their number from 1, in the order in which they are put back.
    pages: Vec<(u32, &'a [u8])>,
}

impl<'a> Rollback<'a> {
    /// Of a journal without a head that is whole there is nothing to undo, and SQLite changes nothing but the journal.
    fn of(journal: &'a [u8]) -> Option<Self> {
        let first = Header::read(journal, 0)?;
        let (sector, page_size) = first.sizes()?;
        let mut rollback = Self { page_count: first.page_count, page_size, pages: Vec::new() };
        let mut at = 0;
        while let Some(header) = Header::read(journal, at).filter(|_| at + sector <= journal.len()) {
            at += sector;
            let count = match header.records {
                u32::MAX => ((journal.len() - at) / (page_size + 8)) as u32,
                count => count,
            };
            for _ in 0..count {
                let record = journal.get(at..at + page_size + 8);
                let Some(page) = record.and_then(|record| rollback.whole(record, header.nonce)) else {
                    return Some(rollback);
                };
                rollback.pages.push(page);
                at += page_size + 8;
            }
            at = at.next_multiple_of(sector);
        }
        Some(rollback)
    }

    /// The number and the bytes of a page, if its sum is right; SQLite does not look at those past the end.
    fn whole(&self, record: &'a [u8], nonce: u32) -> Option<(u32, &'a [u8])> {
        let (data, sum) = record.get(4..)?.split_at(self.page_size);
        // Over every 200th byte of the page, from its end.
        let bytes = (1..data.len()).rev().skip(199).step_by(200).map(|at| u32::from(data[at]));
        let is_right = word(sum, 0) == Some(bytes.fold(nonce, u32::wrapping_add));
        let page = word(record, 0).filter(|page| *page > 0 && (is_right || *page > self.page_count))?;
        Some((page, data))
    }

    /// Refuses a file of which neither its first `len` bytes nor the journal have every page: SQLite would change it,
    /// and what is missing would read as zeros.
    fn completes(&self, len: u64) -> Result<()> {
        let there = (len / self.page_size as u64).min(self.page_count.into()) as u32;
        let lacking = |page: &u32| there < *page && *page <= self.page_count;
        let given: BTreeSet<u32> = self.pages.iter().map(|page| page.0).filter(lacking).collect();
        let missing = (self.page_count - there) as usize - given.len();
        match missing {
            0 => Ok(()),
            _ if planted(Fault::CutFileRolledBack) => Ok(()),
            _ => Err(corrupt(&format!("{missing} of its pages are neither in it nor in its journal"))),
        }
    }

    fn apply(&self, image: &mut Vec<u8>) -> Result<()> {
        let len = u64::from(self.page_count) * self.page_size as u64;
        if len == 0 || len > COPIED {
            return Err(corrupt("its journal gives back a size that it never had"));
        }
        image.resize(len as usize, 0);
        for (page, data) in &self.pages {
            let start = (*page as usize - 1).saturating_mul(self.page_size);
            if let Some(place) = image.get_mut(start..start.saturating_add(self.page_size)) {
                place.copy_from_slice(data);
            }
        }
        Ok(())
    }
}

/// What stands at the head of a journal, and of each of its parts.
struct Header {
    records: u32,
    nonce: u32,
    page_count: u32,
    sector: u32,
    page_size: u32,
}

impl Header {
    fn read(journal: &[u8], at: usize) -> Option<Self> {
        let bytes = journal.get(at..at + 28).filter(|bytes| bytes.starts_with(&MAGIC))?;
        let field = |number: usize| word(bytes, 8 + 4 * number);
        Some(Self {
            records: field(0)?,
            nonce: field(1)?,
            page_count: field(2)?,
            sector: field(3)?,
            page_size: field(4)?,
        })
    }

    fn sizes(&self) -> Option<(usize, usize)> {
        let sane = |size: u32, least| size.is_power_of_two() && (least..=65536).contains(&size);
        (sane(self.sector, 32) && sane(self.page_size, 512)).then_some((self.sector as usize, self.page_size as usize))
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_put_back_into_a_file_of_the_size_before_if_that_is_one() {
        let bytes = [7; 512];
        let back = |page_count, pages: &[u32]| {
            let pages = pages.iter().map(|page| (*page, &bytes[..])).collect();
            let mut image = vec![1; 1024];
            Rollback { page_count, page_size: 512, pages }.apply(&mut image).map(|()| image)
        };
        assert_eq!(back(1, &[]).unwrap(), [1; 512]);
        assert_eq!(back(3, &[2, 9]).unwrap(), [[1; 512], [7; 512], [0; 512]].concat());
        let least = (COPIED / 512 + 1) as u32;
        assert!(back(0, &[]).is_err() && back(least, &[]).is_err() && back(u32::MAX, &[]).is_err());
    }

    /// Pages of 512 bytes, each full of its number, behind a head that says how many there are.
    fn journal(records: u32, pages: std::ops::RangeInclusive<u32>) -> Vec<u8> {
        let mut journal = vec![0; 512];
        journal[..8].copy_from_slice(&MAGIC);
        for (number, field) in [records, 7, 20, 512, 512].into_iter().enumerate() {
            journal[8 + 4 * number..12 + 4 * number].copy_from_slice(&field.to_be_bytes());
        }
        for page in pages {
            journal.extend(page.to_be_bytes());
            journal.extend([page as u8; 512]);
            // Over two bytes of it, from 7 on.
            journal.extend((7 + 2 * page).to_be_bytes());
        }
        journal
    }

    #[test]
    fn a_journal_that_was_not_synced_has_as_many_pages_as_there_are() {
        let numbers = |records| {
            let journal = journal(records, 1..=12);
            let pages = Rollback::of(&journal).unwrap().pages;
            assert!(pages.iter().all(|(number, page)| **page == [*number as u8; 512]));
            pages.into_iter().map(|(number, _)| number).collect::<Vec<_>>()
        };
        let all: Vec<_> = (1..=12).collect();
        assert_eq!([u32::MAX, 12, 5].map(numbers), [&all[..], &all, &all[..5]]);
    }

    #[test]
    fn a_journal_ends_with_a_page_that_has_no_number() {
        let journal = [journal(u32::MAX, 1..=2), journal(u32::MAX, 0..=0)[512..].to_vec()].concat();
        assert_eq!(Rollback::of(&journal).unwrap().pages.len(), 2);
    }
}
