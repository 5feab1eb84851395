//! Whether the pages of a file fit together, as far as that can be told while somebody waits for it to open.
//!
//! SQLite reads by the keys: a page that lost some, or has them out of order, lacks sectors without any error. Only a
//! look at every page tells. Small files get it whenever they are opened; a large one would take longer than a second,
//! so its damage is found by `check`, or met as an error where SQLite notices.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, ffi};

use super::connect::count_pages;
use super::database::sql_error;
use super::format::Stored;
use super::header::Header;
use super::journal;
use super::log::Committed;
use super::schema::{Contents, corrupt};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::layer::FileSystem;

/// The largest file that is looked at whole, in bytes.
pub(super) const LOOKED_AT: u64 = 8 << 20;
/// So many pages of clusters are kept meanwhile, where the file is about to be taken over, and is told how many it keeps from
/// then on: SQLite looks at each of them once, and to take memory for all of them, and to give it back, takes as long as to
/// read them.
const KEPT: u64 = 16;

/// Refuses a file that has other pages than it counts, and a small one whose pages do not fit together.
///
/// # Errors
///
/// `Corrupt`, with what SQLite says of the first misfit.
pub(super) fn check(
    conn: &Connection,
    found: &Contents,
    path: &Path,
    files: &dyn FileSystem,
    header: Option<Header>,
) -> Result<()> {
    let len = journal::len_of(path, files)?;
    if let Some(header) = header.filter(Header::has_encoding) {
        let pages = header.pages().map_or_else(|| count(conn), |pages| Ok(pages.into()))?;
        if pages > 4 * KEPT && matches!(found.stored, Stored::Clusters(_)) {
            conn.pragma_update(None, "cache_size", KEPT as i64).map_err(|e| sql_error("looking at the pages", e))?;
        }
        return check_with(conn, found, pages, len, &Committed::default());
    }
    check_with(conn, found, read_again(conn)?, len, &Committed::read(&journal::beside(path, "-wal", files), files)?)
}

/// The same for a file of `len` bytes without a log.
pub(super) fn check_alone(conn: &Connection, found: &Contents, len: u64) -> Result<()> {
    check_with(conn, found, read_again(conn)?, len, &Committed::default())
}

fn count(conn: &Connection) -> Result<u64> {
    count_pages(conn).map_err(|e| sql_error("looking at the pages", e))
}

/// An encoding that is none is taken for UTF-8 at first, and refused when the schema is read again, which would be too
/// late. Says how many pages there are.
fn read_again(conn: &Connection) -> Result<u64> {
    conn.execute_batch("PRAGMA writable_schema=RESET")
        .and_then(|()| count_pages(conn))
        .map_err(|e| sql_error("reading the schema again", e))
}

fn check_with(conn: &Connection, found: &Contents, pages: u64, len: u64, log: &Committed) -> Result<()> {
    let page_size = u64::from(found.page_size.max(1));
    check_length(pages, len, page_size, log)?;
    match pages.saturating_mul(page_size) > LOOKED_AT || planted(Fault::StructureUnchecked) {
        true => Ok(()),
        false => fits(conn, found),
    }
}

/// What lies past the end reads as zeros for SQLite, and a sector that was there would too. Pages that are there and
/// not counted are not read, and sectors on them would be absent. SQLite believes the header of the file, whatever the
/// log says. It takes what is there of a page for all of it, and writes it.
fn check_length(pages: u64, len: u64, page_size: u64, log: &Committed) -> Result<()> {
    let there = len / page_size;
    // A log that has not been folded in has the pages that the file has not.
    let in_log = log.pages.iter().filter(|&&page| there < page && page <= pages).count() as u64;
    match log.page_count.unwrap_or(len.div_ceil(page_size)) {
        _ if there + in_log < pages && !planted(Fault::LengthUnchecked) => {
            Err(corrupt(&format!("it has {there} of its {pages} pages, and its log has {in_log} of the rest")))
        }
        count if pages < count && !planted(Fault::UncountedPagesIgnored) => {
            Err(corrupt(&format!("it has {count} pages, and counts {pages} of them")))
        }
        _ => Ok(()),
    }
}

/// Asks SQLite to look at every page.
pub(super) fn fits(conn: &Connection, found: &Contents) -> Result<()> {
    if !found.tables.are_foreign {
        return fit(conn, found);
    }
    // Else each row would be asked for what a stranger wants of it.
    let ask = |ignored| {
        let asked = conn.pragma_update(None, "ignore_check_constraints", ignored);
        asked.map_err(|e| sql_error("looking at the pages", e))
    };
    ask(true)?;
    let result = fit(conn, found);
    result.and(ask(false))
}

fn fit(conn: &Connection, found: &Contents) -> Result<()> {
    let look = || -> Result<String> {
        // Of this database alone: SQLite would open its temporary one, and let go of the schema when that is configured.
        let found = conn.query_row("PRAGMA main.quick_check(1)", [], |row| row.get(0));
        Ok(in_time(found, "looking at the pages")?.unwrap_or_else(|| "ok".to_owned()))
    };
    let misfit = look()?;
    // Of a page that says where others belong, and of one that others lead to, SQLite does not tell whether it is damaged
    // or could not be read. What is damaged stays so, also when nothing is taken from memory; and a drive that goes on
    // failing says so of other pages.
    if ["Failed to read ptrmap", "failed to get page"].iter().any(|wordless| misfit.contains(wordless)) {
        let failed = |e| sql_error("looking at the pages again", e);
        conn.release_memory().map_err(failed)?;
        conn.execute_batch("SELECT count(*) FROM sqlite_schema; SELECT count(*) FROM meta").map_err(failed)?;
        if look()? != misfit {
            return Err(Error::new(ErrorKind::Io, "looking at the pages, one of which could not be read"));
        }
    }
    match misfit.as_str() {
        "ok" => match found.stored {
            Stored::Rows => records(conn),
            Stored::Clusters(_) if !found.has_rows && !found.has_zeros => Ok(()),
            Stored::Clusters(_) => clusters(conn, found.has_zeros),
        },
        misfit => Err(told(misfit)),
    }
}

/// An answer to a question about all rows; none if there are too many for the time that opening may take. Such a file is
/// taken as a larger one is, whose pages are not looked at.
fn in_time<T>(answer: rusqlite::Result<T>, doing: &str) -> Result<Option<T>> {
    match answer {
        Err(rusqlite::Error::SqliteFailure(e, _)) if e.code == ErrorCode::OperationInterrupted => Ok(None),
        answer => answer.map(Some).map_err(|e| sql_error(doing, e)),
    }
}

/// What SQLite says of a misfit, as an error. A page that could not be read is one to it, and that is the drive's fault
/// and not the file's: it ends with the code of the failure then.
pub(super) fn told(misfit: &str) -> Error {
    let code = misfit.rsplit_once("error code=").and_then(|(_, code)| code.trim().parse().ok());
    let failure = code.map(|code| rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(misfit.to_owned())));
    match failure.map(|failure| sql_error("looking at the pages", failure)) {
        Some(failure) if failure.kind() != ErrorKind::Corrupt => failure,
        _ => corrupt(misfit.trim_start_matches("*** in database main ***").trim()),
    }
}

/// Whether the rows of `sectors` have just its columns. A page of another table in the place of one has rows that end
/// early, and what is missing of a row reads as NULL, which would be zeros.
fn records(conn: &Connection) -> Result<()> {
    // A record has a byte for the length of its head, one for the key, the type of the data, and the data.
    let sql = "SELECT (SELECT payload FROM dbstat WHERE name = 'sectors' AND aggregate = TRUE) = \
               total(CASE WHEN data IS NULL THEN 3 ELSE octet_length(data) + 3 \
               + (octet_length(data) >= 58) + (octet_length(data) >= 8186) + (octet_length(data) >= 1048570) END) \
               OR total(typeof(data) NOT IN ('null', 'blob')) > 0 FROM sectors";
    let fit = conn.query_row(sql, [], |row| row.get::<_, Option<bool>>(0));
    match in_time(fit, "looking at the rows")?.flatten() {
        Some(false) => Err(corrupt("table sectors has rows of another")),
        _ => Ok(()),
    }
}

/// Whether the rows of format 1 have values of their types, and no cluster is told of twice. What a row says of its
/// sectors is judged when it is read.
fn clusters(conn: &Connection, has_zeros: bool) -> Result<()> {
    // Without extents there is less to ask, which takes SQLite long to prepare.
    let of_rows = "SELECT EXISTS (SELECT 1 FROM clusters WHERE typeof(data) <> 'blob')";
    let of_both = "SELECT EXISTS (SELECT 1 FROM clusters WHERE typeof(data) <> 'blob') \
               OR EXISTS (SELECT 1 FROM zeros WHERE typeof(stop) <> 'integer' OR stop <= start \
               OR stop >= (SELECT min(later.start) FROM zeros AS later WHERE later.start > zeros.start)) \
               OR EXISTS (SELECT 1 FROM zeros JOIN clusters ON cluster >= start AND cluster < stop)";
    let sql = if has_zeros { of_both } else { of_rows };
    let misfit = conn.query_row(sql, [], |row| row.get::<_, bool>(0));
    match in_time(misfit, "looking at the rows")? {
        Some(true) => Err(corrupt("its clusters contradict one another")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_could_not_be_read_is_the_drives_fault_and_a_misfit_that_of_the_file() {
        let told_of =
            |code| told(&format!("*** in database main ***\nTree 3 page 5: unable to get it. error code={code}"));
        assert_eq!(told_of(ffi::SQLITE_IOERR_READ).kind(), ErrorKind::Io);
        assert_eq!(told_of(ffi::SQLITE_CORRUPT).kind(), ErrorKind::Corrupt);
        let misfit = told("*** in database main ***\nTree 3 page 5: 3 bytes are lost");
        assert_eq!(misfit.to_string(), corrupt("Tree 3 page 5: 3 bytes are lost").to_string());
        assert_eq!(
            told_of(ffi::SQLITE_CORRUPT).to_string(),
            corrupt("Tree 3 page 5: unable to get it. error code=11").to_string()
        );
    }
}
