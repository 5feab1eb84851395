//! Connections through one gate, on real files.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::super::connect::connect_through;
use super::super::database::{Database, Left};
use super::super::{Existing, Format, FormatParams, Location, Mode, Options, SqliteDiskLayer};
use super::Gate;
use crate::error::ErrorKind;
use crate::layer::LayerIo;

const COUNT: &str = "SELECT count(*) FROM sectors";

fn made(directory: &TempDir) -> PathBuf {
    let path = directory.path().join("a layer?.dbhd");
    let format = FormatParams { logically_read_only: false, len: 1 << 30, sector_size: 4096 };
    SqliteDiskLayer::create(
        path.clone(),
        format,
        Existing::Keep,
        &Options { format: Format::Original, ..Options::default() },
    )
    .unwrap()
    .close()
    .unwrap();
    path
}

fn opened(path: &Path, gather: u64) -> Database {
    let options = Options { gather, ..Options::default() };
    let mut database = Database::connect(&Location::from(path), Mode::ReadWrite, &options).unwrap();
    database.unbound().unwrap();
    database.accept(Mode::ReadWrite, Left::Something).unwrap();
    database
}

fn count(conn: &Connection) -> i64 {
    conn.query_row(COUNT, [], |row| row.get(0)).unwrap()
}

/// What a process leaves that is killed now, under another name.
fn left_behind(path: &Path, name: &str) -> PathBuf {
    let copy = path.with_file_name(name);
    std::fs::copy(path, &copy).unwrap();
    std::fs::copy(format!("{}-wal", path.display()), format!("{}-wal", copy.display())).unwrap();
    copy
}

/// The first byte of each row, or what is wrong with them.
fn seen(conn: &Connection) -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
    let mut rows = conn.prepare("SELECT sector, substr(data, 1, 1) FROM sectors ORDER BY sector")?;
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Rows from `start` on, in one transaction.
fn insert(conn: &Connection, start: u32, rows: u32) {
    let mut insert = conn.prepare("INSERT OR REPLACE INTO sectors VALUES (?, ?)").unwrap();
    for row in start..start + rows {
        insert.execute((row, [row as u8; 4096].as_slice())).unwrap();
    }
}

#[test]
fn readers_see_what_is_committed_while_the_writer_goes_on() {
    let directory = TempDir::new().unwrap();
    let path = made(&directory);
    let database = opened(&path, u64::MAX);
    insert(&database.conn, 0, 1);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let reader = database.door().unwrap().reader().unwrap();
            scope.spawn(move || {
                let mut last = 1;
                while last < 2001 {
                    let now = count(&reader);
                    assert!(now >= last && now % 100 == 1, "{now} after {last}");
                    last = now;
                }
            });
        }
        for batch in 0..20 {
            database.conn.execute_batch("BEGIN IMMEDIATE").unwrap();
            insert(&database.conn, 1 + 100 * batch, 100);
            database.conn.execute_batch("COMMIT").unwrap();
        }
    });
    let names = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().ends_with("-shm")));
    database.close().unwrap();
    let log = PathBuf::from(format!("{}-wal", path.display()));
    assert!(!log.exists(), "the last connection folds the log in");
}

#[test]
fn a_reader_keeps_its_view_through_commits_and_checkpoints() {
    let directory = TempDir::new().unwrap();
    let database = opened(&made(&directory), u64::MAX);
    insert(&database.conn, 0, 50);
    let reader = database.door().unwrap().reader().unwrap();
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(count(&reader), 50);
    insert(&database.conn, 50, 3000);
    database.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
    assert_eq!(count(&reader), 50);
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(count(&reader), 3050);
    reader.execute_batch("DELETE FROM sectors").unwrap_err();
    drop(reader);
    let whole: String = database.conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
    database.close().unwrap();
}

#[test]
fn another_gate_is_busy_until_the_last_connection_is_closed() {
    let directory = TempDir::new().unwrap();
    let path = made(&directory);
    let database = opened(&path, 0);
    let reader = database.door().unwrap().reader().unwrap();
    let busy = |mode| Database::connect(&Location::File(path.clone()), mode, &Options::default()).err();
    for mode in [Mode::ReadWrite, Mode::ReadOnly] {
        assert_eq!(busy(mode).unwrap().kind(), ErrorKind::Busy);
    }
    database.close().unwrap();
    assert_eq!(busy(Mode::ReadWrite).unwrap().kind(), ErrorKind::Busy);
    drop(reader);
    assert!(busy(Mode::ReadWrite).is_none());
}

#[test]
fn what_is_rolled_back_and_written_over_reads_as_it_should() {
    let gathers = [0, 5000, 20_000, u64::MAX];
    for (gather, is_long) in gathers.map(|gather| [(gather, false), (gather, true)]).into_iter().flatten() {
        let directory = TempDir::new().unwrap();
        let path = made(&directory);
        let database = opened(&path, gather);
        // So few pages that most go to the log early, and some of them more than once.
        database.conn.pragma_update(None, "cache_size", 3).unwrap();
        database.conn.pragma_update(None, "user_version", 0).unwrap();
        for (start, end) in [(0, "COMMIT"), (200, "ROLLBACK"), (100, "COMMIT")] {
            database.conn.execute_batch("BEGIN IMMEDIATE").unwrap();
            if is_long {
                database.gate().unwrap().expect_long();
            }
            insert(&database.conn, start, 100);
            database.conn.execute_batch("SAVEPOINT s").unwrap();
            insert(&database.conn, start, 150);
            database.conn.execute_batch("ROLLBACK TO s").unwrap();
            insert(&database.conn, start, 90);
            assert_eq!(count(&database.conn) % 100, 0);
            database.conn.execute_batch(end).unwrap();
        }
        assert_eq!(database.gate().unwrap().in_file() > 100, is_long);
        // What a killed process would leave: the log alone has it, but for new pages of long transactions.
        let copies = ["ours", "anybody's"].map(|name| left_behind(&path, name));
        let check = |conn: &Connection| {
            assert_eq!(count(conn), 200, "gather {gather}, long: {is_long}");
            let whole: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(whole, "ok");
        };
        check(&Connection::open(&copies[1]).unwrap());
        for database in [opened(&copies[0], gather), database] {
            check(&database.conn);
            database.close().unwrap();
        }
    }
}

#[test]
fn a_file_is_mapped_as_far_as_it_is_asked_to_be() {
    let directory = TempDir::new().unwrap();
    let database = opened(&made(&directory), 0);
    let limit_after = |bytes| {
        database.map(bytes).unwrap();
        database.conn.query_row("PRAGMA mmap_size", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!([0, 1 << 20].map(limit_after), [0, 1 << 20]);
}

#[test]
fn the_journal_of_one_connection_is_not_rolled_back_by_another() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("with a journal");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE sectors (sector, data)").unwrap();
    let gate = Gate::over(None, 0).unwrap();
    let [one, other] = [(); 2].map(|()| connect_through(&gate, &path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap());
    // Else the journal has no head before it is synced.
    one.execute_batch("PRAGMA synchronous=OFF; BEGIN IMMEDIATE").unwrap();
    insert(&one, 0, 1);
    assert_eq!(count(&other), 0);
    one.execute_batch("COMMIT").unwrap();
    assert_eq!(count(&other), 1);
}

#[test]
fn a_gate_that_is_broken_says_so_and_lets_nothing_through() {
    let directory = TempDir::new().unwrap();
    let gate = Gate::over(None, 0).unwrap();
    let conn = connect_through(&gate, &made(&directory), OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    insert(&conn, 0, 1);
    assert!(!gate.is_broken());
    gate.shared.set_broken(true);
    assert!(gate.is_broken() && conn.execute_batch("DELETE FROM sectors").is_err());
    gate.shared.set_broken(false);
    assert_eq!(count(&conn), 1);
}

/// SQLite spills new pages that were undone, and the next commit has them, though it does not count them.
#[test]
fn a_page_that_was_undone_and_is_in_the_log_is_not_new() {
    for (cache, undone) in (2..8).flat_map(|cache| (5..30).step_by(4).map(move |undone| (cache, undone))) {
        let directory = TempDir::new().unwrap();
        let path = made(&directory);
        let database = opened(&path, 0);
        let conn = &database.conn;
        conn.pragma_update(None, "cache_size", cache).unwrap();
        insert(conn, 0, 30);
        conn.execute_batch("BEGIN IMMEDIATE; SAVEPOINT s").unwrap();
        insert(conn, 1000, undone);
        conn.execute_batch("ROLLBACK TO s").unwrap();
        insert(conn, 0, 2);
        conn.execute_batch("COMMIT; BEGIN IMMEDIATE").unwrap();
        database.gate().unwrap().expect_long();
        insert(conn, 2000, 40);
        conn.execute_batch("COMMIT").unwrap();
        let recovered = seen(&Connection::open(left_behind(&path, "copy")).unwrap());
        assert_eq!(recovered, seen(conn), "a cache of {cache} pages, {undone} rows undone");
    }
}

#[test]
fn what_is_committed_is_left_behind_whatever_was_spilled_and_undone() {
    let mut state = 88_172_645_463_325_252_u64;
    // Marsaglia's xorshift.
    let mut below = move |limit: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % limit) as u32
    };
    let mut in_file = 0;
    for round in 0..150 {
        let directory = TempDir::new().unwrap();
        let path = made(&directory);
        let database = opened(&path, [0, u64::MAX][below(2) as usize]);
        let conn = &database.conn;
        conn.pragma_update(None, "cache_size", 2 + below(8)).unwrap();
        insert(conn, 0, 30);
        for transaction in 0..3 {
            conn.execute_batch("BEGIN IMMEDIATE").unwrap();
            if below(4) > 0 {
                database.gate().unwrap().expect_long();
            }
            let mut has_savepoint = false;
            for _ in 0..1 + below(6) {
                match below(4) {
                    0 => insert(conn, below(30), 1 + below(6)),
                    1 if has_savepoint => conn.execute_batch("ROLLBACK TO s").unwrap(),
                    1 => {
                        conn.execute_batch("SAVEPOINT s").unwrap();
                        has_savepoint = true;
                    }
                    _ => insert(conn, 1000 + below(100), 1 + below(30)),
                }
            }
            conn.execute_batch(if below(4) > 0 { "COMMIT" } else { "ROLLBACK" }).unwrap();
            in_file += database.gate().unwrap().in_file();
            let recovered = seen(&Connection::open(left_behind(&path, "copy")).unwrap());
            assert_eq!(recovered, seen(conn), "round {round}, transaction {transaction}");
            std::fs::remove_file(path.with_file_name("copy")).unwrap();
        }
    }
    assert!(in_file > 1000, "{in_file}");
}

/// Else nobody would cut off what a transaction leaves behind the end that is not committed.
#[test]
fn pages_go_to_their_places_while_the_log_has_a_commit_that_is_not_copied() {
    let directory = TempDir::new().unwrap();
    let database = opened(&made(&directory), 0);
    let gate = database.gate().unwrap();
    let commit = || database.conn.pragma_update(None, "user_version", 0).unwrap();
    assert!(!gate.is_ready());
    commit();
    assert!(gate.is_ready());
    gate.log_is_copied();
    assert!(!gate.is_ready());
    commit();
    assert!(gate.is_ready());
}
