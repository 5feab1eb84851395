//! The first bytes of a file, read around SQLite, which says of some only what it makes of them.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::FromSql;

use super::database::{Database, Left, sql_error};
use super::format::{APPLICATION_ID, Format, UNFINISHED};
use super::gate::Anchor;
use super::journal;
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::layer::{FileSystem, Found, Wanted};

/// The numbers of a header that say whose the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) application_id: i32,
    /// The number of its format, where the application is ours.
    pub(super) version: i32,
    /// Bytes of a page.
    pub(super) page_size: u32,
}

impl Said {
    /// As SQLite says it, which looks into the log too.
    ///
    /// # Errors
    ///
    /// Those of SQLite.
    pub(super) fn by(conn: &Connection) -> Result<Self> {
        fn number<T: FromSql>(conn: &Connection, pragma: &str) -> Result<T> {
            let number = conn.prepare_cached(pragma).and_then(|mut pragma| pragma.query_row([], |row| row.get(0)));
            number.map_err(|e| sql_error("reading the file header", e))
        }
        Ok(Self {
            application_id: number(conn, "PRAGMA application_id")?,
            version: number(conn, "PRAGMA user_version")?,
            page_size: number(conn, "PRAGMA page_size")?,
        })
    }

    /// The format of the file.
    ///
    /// # Errors
    ///
    /// `NotADisk` if it is another application's, `TooNew`.
    pub(super) fn format(self) -> Result<Format> {
        match self.application_id {
            0 => Ok(Format::Original),
            APPLICATION_ID => match Format::of_version(self.version) {
                Some(format) => Ok(format),
                None if planted(Fault::FormatUnchecked) => Ok(Format::NEWEST),
                None => {
                    let (version, newest) = (self.version, Format::NEWEST.version());
                    let what = format!("the file has format {version}, and this version knows up to {newest}");
                    Err(Error::new(ErrorKind::TooNew, what))
                }
            },
            UNFINISHED => {
                Err(Error::new(ErrorKind::NotADisk, "a new file that was never finished; remove it, and make it anew"))
            }
            other => {
                let what = format!("a database of another application ({other:#x})");
                Err(Error::new(ErrorKind::NotADisk, what))
            }
        }
    }
}

const LEN: usize = 96;
/// What a database begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// The header of a file whose log has not a byte, so that no part of it is newer there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header([u8; LEN]);

impl Header {
    /// That of a file open to be written, which is locked; none if it may lie in the log, or cannot be read.
    ///
    /// # Errors
    ///
    /// Those of looking for the log.
    pub(super) fn of(database: &Database, path: &Path, files: &dyn FileSystem) -> Result<Option<Self>> {
        let Some(file) = database.file() else { return Ok(None) };
        if journal::is_there(path, "-wal", files)? {
            return Ok(None);
        }
        Ok(Self::in_file(&file))
    }

    /// That of the file itself, of which a newer one may lie in the log; none if it cannot be read.
    pub(super) fn in_file(file: &Anchor) -> Option<Self> {
        let mut bytes = [0; LEN];
        file.read(&mut bytes, 0).then_some(Self(bytes))
    }

    /// That of a file that nobody has open as a database; none if it cannot be read, or is none of SQLite's.
    pub(super) fn of_raw(path: &Path, files: &dyn FileSystem) -> Option<Self> {
        let mut bytes = [0; LEN];
        // Opening a pipe would wait for somebody to write to it.
        let is_file = matches!(files.look(path), Ok(Found::File(len)) if len >= LEN as u64);
        let (file, _) = is_file.then(|| files.open(path, Wanted::Reading).ok())??;
        file.read_exact_at(&mut bytes, 0).ok()?;
        bytes.starts_with(MAGIC).then_some(Self(bytes))
    }

    /// What lies in the log: a file that has none yet gets it first.
    pub(super) fn left(header: Option<Self>) -> Left {
        match header {
            Some(Self(bytes)) if bytes[18..20] == [2, 2] => Left::Nothing,
            _ => Left::Something,
        }
    }

    /// Whether its texts have an encoding that there is.
    pub(super) fn has_encoding(&self) -> bool {
        matches!(self.word(56), 1..=3)
    }

    /// Whether its texts are UTF-8, and its pages are used to their ends.
    pub(super) fn is_plain(&self) -> bool {
        self.word(56) == 1 && self.0[20] == 0
    }

    /// How many pages there are, if it is the header that says so to SQLite, and not the length of the file.
    pub(super) fn pages(&self) -> Option<u32> {
        (self.word(24) == self.word(92)).then(|| self.word(28)).filter(|pages| *pages > 0)
    }

    /// Whether its mode is `auto_vacuum=FULL`.
    pub(super) fn gives_back_with_every_commit(&self) -> bool {
        self.word(52) > 0 && self.word(64) == 0
    }

    /// What SQLite would say of the file.
    pub(super) fn said(&self) -> Said {
        let page_size = match u16::from_be_bytes([self.0[16], self.0[17]]) {
            1 => 1 << 16,
            bytes => bytes.into(),
        };
        Said { application_id: self.word(68) as i32, version: self.word(60) as i32, page_size }
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_be_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rusqlite::MAIN_DB;

    use super::*;

    #[test]
    fn the_bytes_of_a_header_say_what_sqlite_says() {
        for (application_id, version, page_size) in [(APPLICATION_ID, 1, 4096), (-7, 0, 512), (0, -9, 65536)] {
            let mut conn = Connection::open_in_memory().unwrap();
            conn.pragma_update(None, "page_size", page_size).unwrap();
            conn.execute_batch("CREATE TABLE some(thing)").unwrap();
            conn.pragma_update(None, "application_id", application_id).unwrap();
            conn.pragma_update(None, "user_version", version).unwrap();
            let bytes = conn.serialize(MAIN_DB).unwrap()[..LEN].try_into().unwrap();
            let said = Header(bytes).said();
            assert_eq!(said, Said { application_id, version, page_size });
            assert_eq!(said, Said::by(&conn).unwrap());
        }
    }

    #[test]
    fn only_a_file_that_has_its_log_and_not_a_byte_in_it_has_nothing_left() {
        let of = |versions: [u8; 2]| {
            let mut bytes = [0; LEN];
            bytes[18..20].copy_from_slice(&versions);
            Header::left(Some(Header(bytes)))
        };
        assert_eq!([of([2, 2]), of([1, 1]), of([2, 1])], [Left::Nothing, Left::Something, Left::Something]);
        assert_eq!(Header::left(None), Left::Something);
    }

    #[test]
    fn only_three_numbers_are_encodings() {
        let of = |number: u32| {
            let mut bytes = [0; LEN];
            bytes[56..60].copy_from_slice(&number.to_be_bytes());
            Header(bytes).has_encoding()
        };
        assert_eq!([0, 1, 2, 3, 4, 1 << 24].map(of), [false, true, true, true, false, false]);
    }
}
