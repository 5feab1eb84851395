//! What is said of a failure, and what a connection is told.

use super::*;

#[test]
fn a_failure_of_sqlite_has_the_kind_of_its_cause() {
    let kind = |code| sql_error("", rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)).kind();
    // SQLITE_PERM, BUSY, FULL and CANTOPEN.
    let kinds = [ErrorKind::PermissionDenied, ErrorKind::Busy, ErrorKind::NoSpace, ErrorKind::Io];
    assert_eq!([3, 5, 13, 14].map(kind), kinds);
}

#[test]
fn a_cache_keeps_as_many_bytes_as_it_may() {
    let database = Database { conn: Connection::open_in_memory().unwrap(), home: None, door: None };
    let kib_of = |bytes| {
        database.limit_cache(bytes).unwrap();
        -database.conn.query_row("PRAGMA cache_size", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!([0, 2047, 5 << 20].map(kib_of), [1, 1, 5 << 10]);
}

/// An opener with the old file has the log of the new one, which does not go with it.
#[test]
fn a_file_that_cannot_be_read_is_busy_if_it_is_not_at_its_place_any_more() {
    let directory = tempfile::TempDir::new().unwrap();
    let [path, other] = ["one", "other"].map(|name| directory.path().join(name));
    for path in [&path, &other] {
        Connection::open(path).unwrap().execute_batch("CREATE TABLE some (thing)").unwrap();
    }
    let conn = Connection::open(&path).unwrap();
    let kind = || unreadable(&conn, &path, rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(11), None)).kind();
    assert_ne!(kind(), ErrorKind::Busy);
    std::fs::rename(&other, &path).unwrap();
    assert_eq!(kind(), ErrorKind::Busy);
}
