//! Rule 19 once more: files that were made to do harm, or left by a program that was cut short.

use std::path::Path;
use std::time::{Duration, Instant};

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{Below, Durability, Format, LayerIo, Mode};
use rusqlite::Connection;

use super::media::{Home, disk_of, look, refused, write};
use super::open::{Into, damaged, refuses, refuses_sql, sound};

/// Every file beside the layer, by name.
fn all_files(home: &Home) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(home.directory()).unwrap().map(Result::unwrap);
    let name = |entry: &std::fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut files: Vec<_> = entries
        .filter(|entry| !name(entry).ends_with("-shm"))
        .map(|entry| (name(&entry), std::fs::read(entry.path()).unwrap()))
        .filter(|(name, bytes)| !name.ends_with("-wal") || !bytes.is_empty())
        .collect();
    files.sort();
    files
}

fn journal_of(home: &Home) -> std::path::PathBuf {
    home.path().with_extension("dbhd-journal")
}

/// A file as the original would leave it when it is killed while it writes: its pages changed, its journal hot.
fn cut_short(sql: &str) -> Home {
    let (home, copy) = (sound(Format::Original), Home::file());
    let conn = Connection::open(home.path()).unwrap();
    conn.execute_batch("PRAGMA journal_mode=DELETE; PRAGMA cache_size=1; PRAGMA cache_spill=1; PRAGMA synchronous=OFF")
        .unwrap();
    // A transaction that is larger than the cache reaches the file before it is committed.
    let growth = "CREATE TABLE growth(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99) \
                  INSERT INTO growth SELECT zeroblob(3000) FROM n";
    conn.execute_batch(&format!("BEGIN; {sql}; {growth}")).unwrap();
    for (name, bytes) in all_files(&home) {
        std::fs::write(copy.directory().join(name), bytes).unwrap();
    }
    assert!(std::fs::metadata(journal_of(&copy)).unwrap().len() > 512);
    copy
}

#[track_caller]
fn is_refused_and_unchanged(home: &Home, kind: ErrorKind) {
    let before = all_files(home);
    for mode in [Mode::ReadOnly, Mode::ReadWrite] {
        let error = refused(home.try_open(mode), kind);
        assert!(all_files(home) == before, "{mode:?} changed what it refused: {error}");
    }
}

#[test]
fn rule_19_a_journal_of_a_disk_is_rolled_back_by_a_writer_and_refused_by_a_reader() {
    let home = cut_short("UPDATE sectors SET data = zeroblob(512)");
    let before = all_files(&home);
    refused(home.try_open(Mode::ReadOnly), ErrorKind::PermissionDenied);
    assert!(all_files(&home) == before);
    assert_eq!(look(&home.open(), 0..6), [None, Some(1), Some(1), Some(1), Some(0), None]);
    assert!(!journal_of(&home).exists());
    assert_eq!(look(&home.try_open(Mode::ReadOnly).unwrap(), 1..2), [Some(1)]);
}

/// A copy of it would take as much memory, so it is judged as it lies there.
#[test]
fn rule_19_a_journal_of_a_disk_of_more_than_256_mib_is_rolled_back_too() {
    let home = cut_short("UPDATE sectors SET data = zeroblob(512)");
    let pages = (256_u32 << 20) / 4096 + 1;
    let mut journal = std::fs::read(journal_of(&home)).unwrap();
    // The first page says how many there are, and that is none of the bytes that its sum is of.
    let size = pages.to_be_bytes();
    let first = journal.windows(20).position(|bytes| bytes == b"\0\0\0\x01SQLite format 3\0").unwrap() + 4;
    journal[16..20].copy_from_slice(&size);
    journal[first + 28..first + 32].copy_from_slice(&size);
    std::fs::write(journal_of(&home), journal).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(home.path()).unwrap();
    file.set_len(u64::from(pages) * 4096).unwrap();
    assert_eq!(look(&home.open(), 0..6), [None, Some(1), Some(1), Some(1), Some(0), None]);
    assert!(!journal_of(&home).exists());
}

#[test]
fn rule_19_what_is_no_disk_without_its_journal_keeps_it() {
    let home = Home::file();
    let conn = Connection::open(home.path()).unwrap();
    conn.execute_batch("PRAGMA cache_size=1; CREATE TABLE people(name TEXT)").unwrap();
    conn.execute_batch(
        "BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99) \
         INSERT INTO people SELECT hex(zeroblob(2000)) FROM n",
    )
    .unwrap();
    let copy = super::power::copy_of(&home);
    assert!(journal_of(&copy).exists());
    is_refused_and_unchanged(&copy, ErrorKind::NotADisk);
}

#[test]
fn rule_19_a_journal_that_would_make_the_file_something_else_is_not_rolled_back() {
    let home = cut_short("UPDATE sectors SET data = zeroblob(512)");
    let journal = std::fs::read(journal_of(&home)).unwrap();
    // The size that the file is said to have had: nothing, a page, and more than there is.
    for size in [0_u32, 1, u32::MAX] {
        let mut lie = journal.clone();
        lie[16..20].copy_from_slice(&size.to_be_bytes());
        std::fs::write(journal_of(&home), lie).unwrap();
        let before = all_files(&home);
        for mode in [Mode::ReadOnly, Mode::ReadWrite] {
            let error = home.try_open(mode).expect_err("a lie");
            assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotADisk), "{error:?}");
            assert!(all_files(&home) == before, "{mode:?}, {size} pages: {error}");
        }
    }
}

#[test]
fn rule_19_a_journal_that_names_another_file_does_not_delete_it() {
    let home = sound(Format::Original);
    let conn = Connection::open(home.path()).unwrap();
    conn.pragma_update(None, "journal_mode", "DELETE").unwrap();
    drop(conn);
    let precious = home.directory().join("precious");
    std::fs::write(&precious, "precious").unwrap();
    let name = precious.to_str().unwrap().as_bytes();
    let mut journal = vec![0; 512];
    journal[..8].copy_from_slice(&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    journal[20..24].copy_from_slice(&512_u32.to_be_bytes());
    journal[24..28].copy_from_slice(&4096_u32.to_be_bytes());
    journal[16..20].copy_from_slice(&(std::fs::metadata(home.path()).unwrap().len() as u32 / 4096).to_be_bytes());
    let sum: u32 = name.iter().map(|byte| u32::from(*byte)).sum();
    journal.extend(262_145_u32.to_be_bytes());
    journal.extend(name);
    journal.extend((name.len() as u32).to_be_bytes());
    journal.extend(sum.to_be_bytes());
    journal.extend([0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    std::fs::write(journal_of(&home), journal).unwrap();
    is_refused_and_unchanged(&home, ErrorKind::Corrupt);
    assert!(precious.exists());
}

#[test]
fn rule_19_a_journal_and_a_log_together_are_damage() {
    let home = cut_short("UPDATE sectors SET data = zeroblob(512)");
    std::fs::write(home.path().with_extension("dbhd-wal"), [7; 100]).unwrap();
    is_refused_and_unchanged(&home, ErrorKind::Corrupt);
}

#[test]
fn rule_19_a_journal_that_is_none_is_nothing_to_a_writer() {
    for journal in [&b"no journal at all"[..], &[0xd9], &[0; 600]] {
        let home = sound(Format::Original);
        std::fs::write(journal_of(&home), journal).unwrap();
        assert_eq!(look(&home.open(), 0..6), [None, Some(1), Some(1), Some(1), Some(0), None]);
    }
}

/// A writer at work has a journal too, and nobody may take it for one that was left.
#[test]
fn rule_21_a_writer_without_log_is_at_work() {
    let home = sound(Format::Original);
    let conn = Connection::open(home.path()).unwrap();
    conn.execute_batch("PRAGMA journal_mode=DELETE; BEGIN IMMEDIATE; UPDATE sectors SET data = NULL").unwrap();
    assert!(journal_of(&home).exists());
    refused(home.try_open(Mode::ReadWrite), ErrorKind::Busy);
    conn.execute_batch("ROLLBACK").unwrap();
    assert_eq!(look(&home.open(), 0..2), [None, Some(1)]);
}

#[test]
fn rule_19_a_virtual_table_or_view_of_our_name_is_not_asked_for_its_columns() {
    for table in ["VIRTUAL TABLE sectors USING fts5(sector, data)", "VIRTUAL TABLE sectors USING rtree(sector, a, b)"] {
        refuses_sql(&format!("DROP TABLE sectors; CREATE {table}"), ErrorKind::NotADisk);
    }
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS sector, NULL AS data FROM n";
    refuses_sql(&format!("DROP TABLE sectors; CREATE VIEW sectors AS {endless}"), ErrorKind::NotADisk);
    refuses_sql(&format!("CREATE VIEW more AS {endless}"), ErrorKind::Corrupt);
}

#[test]
fn rule_19_expressions_of_a_stranger_are_not_run() {
    for column in [
        "data BLOB GENERATED ALWAYS AS (hex(zeroblob(400000000))) VIRTUAL",
        "data BLOB GENERATED ALWAYS AS (zeroblob(512)) STORED",
    ] {
        let sql = format!("DROP TABLE sectors; CREATE TABLE sectors(sector INTEGER NOT NULL PRIMARY KEY, {column})");
        refuses_sql(&sql, ErrorKind::Corrupt);
    }
    let default = "data BLOB DEFAULT (hex(randomblob(512)))";
    let sql = format!("DROP TABLE sectors; CREATE TABLE sectors(sector INTEGER NOT NULL PRIMARY KEY, {default})");
    let home = damaged(&sql, Into::File);
    let layer = home.open();
    write(&layer, 2, 7, 2);
    layer.unmap(3, 1, Below::Something).unwrap();
    layer.close().unwrap();
    assert_eq!(look(&home.open(), 1..5), [None, Some(7), Some(0), None]);
}

#[test]
fn rule_19_a_condition_that_takes_long_does_not_keep_a_file_from_opening() {
    let long = "length(replace(hex(zeroblob(200000)), '0', 'ab')) > 0";
    let home = damaged(
        &format!(
            "DROP TABLE sectors; CREATE TABLE sectors(sector INTEGER NOT NULL PRIMARY KEY, data BLOB, CHECK ({long})); \
             PRAGMA ignore_check_constraints=ON; WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) \
             INSERT INTO sectors SELECT i, NULL FROM n; UPDATE meta SET metadata = replace(metadata, ':8', ':10000')"
        ),
        Into::File,
    );
    let begun = Instant::now();
    let layer = home.open();
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(look(&layer, 9998..10_000), [Some(0), Some(0)]);
}

#[test]
fn rule_19_a_foreign_key_of_a_stranger_moves_nothing() {
    let home = damaged(
        "PRAGMA foreign_keys=OFF; ALTER TABLE meta RENAME TO old; \
         CREATE TABLE meta(metadata TEXT NOT NULL REFERENCES sectors(sector) ON DELETE CASCADE); \
         INSERT INTO meta SELECT metadata FROM old; DROP TABLE old; \
         ALTER TABLE sectors RENAME TO s; \
         CREATE TABLE sectors(sector INTEGER NOT NULL PRIMARY KEY, data BLOB REFERENCES nowhere(x)); \
         INSERT INTO sectors SELECT * FROM s; DROP TABLE s",
        Into::File,
    );
    let layer = home.open();
    layer.write(2, &[3; 512], Durability::Fua).unwrap();
    layer.clear().unwrap();
    layer.close().unwrap();
    assert_eq!(look(&home.open(), 0..8), [None; 8]);
}

#[test]
fn rule_19_a_schema_without_end_is_refused_within_a_second() {
    let home = sound(Format::Original);
    let mut conn = Connection::open(home.path()).unwrap();
    let transaction = conn.transaction().unwrap();
    (0..3000).for_each(|n| transaction.execute_batch(&format!("CREATE TABLE t{n}(x)")).unwrap());
    transaction.commit().unwrap();
    drop(conn);
    refuses(&home, ErrorKind::NotADisk);
    let long = format!("CREATE TABLE long(x /* {} */)", "-".repeat(5_000_000));
    refuses_sql(&long, ErrorKind::Corrupt);
    let deep = format!("CREATE TABLE deep(x CHECK ({}1{}))", "(".repeat(90), ")".repeat(90));
    refuses_sql(&deep, ErrorKind::Corrupt);
    let columns: Vec<_> = (0..1000).map(|n| format!("c{n}")).collect();
    refuses_sql(&format!("CREATE TABLE wide({})", columns.join(",")), ErrorKind::Corrupt);
}

/// Bytes of the header that say how many pages there are, at 28, count when those at 24 and 92 agree, as they do.
#[test]
fn rule_19_a_page_count_that_lies_is_damage_or_nothing() {
    let home = sound(Format::Original);
    let bytes = std::fs::read(home.path()).unwrap();
    let pages = bytes.len() as u32 / 4096;
    for count in [1, 2, pages - 1, pages + 1, 1 << 16, 1 << 31, u32::MAX] {
        let mut lie = bytes.clone();
        lie[28..32].copy_from_slice(&count.to_be_bytes());
        std::fs::write(home.path(), lie).unwrap();
        refuses(&home, ErrorKind::Corrupt);
    }
}

#[test]
fn rule_19_a_row_that_is_too_long_to_read_is_an_error_and_not_memory() {
    let home = damaged("UPDATE sectors SET data = zeroblob(50000000) WHERE sector = 2", Into::File);
    let begun = Instant::now();
    let layer = home.open();
    assert!(begun.elapsed() < Duration::from_secs(1));
    let mut marker = disklayer_sqlite::layer::SectorMarker::new(2..3);
    assert_eq!(refused(layer.read(2, &mut [0; 512], &mut marker), ErrorKind::Corrupt).sector(), Some(2));
    assert_eq!(look(&layer, 3..5), [Some(1), Some(0)]);
}

/// A page lost its last row: SQLite would say that the sector is absent, and never that anything is wrong.
#[test]
fn rule_19_a_row_that_a_page_forgot_is_damage() {
    let home = Home::original();
    let layer = home.create(disk_of(8));
    (0..3).for_each(|sector| write(&layer, sector, 1, 1));
    layer.close().unwrap();
    let mut bytes = std::fs::read(home.path()).unwrap();
    let root = root_of(&home.path());
    let count = (root - 1) * 4096 + 4;
    assert_eq!(bytes[count], 3);
    bytes[count] = 2;
    std::fs::write(home.path(), bytes).unwrap();
    refuses(&home, ErrorKind::Corrupt);
}

fn root_of(path: &Path) -> usize {
    let conn = Connection::open(path).unwrap();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'sectors'";
    conn.query_row(root, [], |row| row.get::<_, u32>(0)).unwrap() as usize
}

#[cfg(unix)]
#[test]
fn rule_19_what_is_no_file_beside_it_is_damage_and_waits_for_nobody() {
    for suffix in ["dbhd-journal", "dbhd-wal", "dbhd-shm"] {
        let home = sound(Format::Original);
        let pipe = home.path().with_extension(suffix);
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for mode in [Mode::ReadOnly, Mode::ReadWrite] {
            refused(home.try_open(mode), ErrorKind::Corrupt);
        }
        std::fs::remove_file(&pipe).unwrap();
        drop(home.open());
    }
}

#[test]
fn rule_20_a_journal_that_lies_where_a_layer_is_created_does_not_get_into_it() {
    for occupied in [false, true] {
        let (left, home) = (cut_short("UPDATE sectors SET data = zeroblob(512)"), Home::file());
        std::fs::copy(journal_of(&left), journal_of(&home)).unwrap();
        if occupied {
            std::fs::write(home.path(), "no database").unwrap();
        }
        let layer = home.try_create(disk_of(8), disklayer_sqlite::layer::Existing::Replace).unwrap();
        assert_eq!(look(&layer, 0..8), [None; 8]);
        layer.close().unwrap();
        assert_eq!(look(&home.open(), 0..8), [None; 8]);
        assert!(!journal_of(&home).exists());
    }
}
