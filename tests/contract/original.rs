//! Rule 22: files of the original, and for the original.

use std::path::Path;

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{Below, Durability, LayerIo, Mode};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::media::{Home, disk_of, full_ram, look, refused, show, stack, write};

/// A file as the original makes it, with its text, and sectors of ones, zeros and twos.
pub(super) fn original(path: &Path) {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(
        "CREATE TABLE sectors (
            sector INTEGER NOT NULL,
            data   BLOB,
            PRIMARY KEY (sector)
        );
        CREATE TABLE meta (
            metadata TEXT NOT NULL
        );",
    )
    .unwrap();
    let meta = json!({"logically_read_only": false, "sector_count": 8, "sector_size": 512}).to_string();
    conn.execute("INSERT INTO meta (metadata) VALUES (?1)", [meta]).unwrap();
    let mut insert = conn.prepare("INSERT INTO sectors (sector, data) VALUES (?1, ?2)").unwrap();
    insert.execute((0, vec![1; 512])).unwrap();
    insert.execute((3, None::<Vec<u8>>)).unwrap();
    insert.execute((7, vec![2; 512])).unwrap();
}

/// What the original finds in a file: its metadata, and the byte of each sector, `None` for zeros.
fn as_the_original_reads(path: &Path) -> (Value, Vec<(i64, Option<u8>)>) {
    let conn = Connection::open(path).unwrap();
    let meta: String = conn.query_row("SELECT metadata FROM meta", [], |row| row.get(0)).unwrap();
    let count: u32 = conn.query_row("SELECT count(*) FROM meta", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
    let mut select =
        conn.prepare("SELECT sector, data FROM sectors WHERE sector >= 0 AND sector < 100 ORDER BY sector").unwrap();
    let row = |row: &rusqlite::Row<'_>| {
        let data: Option<Vec<u8>> = row.get(1)?;
        assert!(data.as_ref().is_none_or(|data| *data == [data[0]; 512]));
        Ok((row.get(0)?, data.map(|data| data[0])))
    };
    let sectors = select.query_map([], row).unwrap().map(Result::unwrap).collect();
    (serde_json::from_str(&meta).unwrap(), sectors)
}

fn tables(path: &Path) -> Vec<String> {
    let conn = Connection::open(path).unwrap();
    let mut select = conn.prepare("SELECT name FROM sqlite_schema ORDER BY name").unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

const HELD: [Option<u8>; 8] = [Some(1), None, None, Some(0), None, None, None, Some(2)];

#[test]
fn rule_22_a_file_of_the_original_opens_and_reads_and_is_not_changed_by_that() {
    let home = Home::file();
    original(&home.path());
    for mode in [Mode::ReadOnly, Mode::ReadWrite] {
        let layer = home.try_open(mode).unwrap();
        assert_eq!((layer.metadata().geometry, layer.metadata().identity), (disk_of(8), None));
        assert_eq!(look(&layer, 0..8), HELD);
        layer.close().unwrap();
        assert_eq!(tables(&home.path()), ["meta", "sectors"]);
    }
}

#[test]
fn rule_22_a_file_of_the_original_is_written_so_that_the_original_reads_it() {
    let home = Home::file();
    original(&home.path());
    let before = as_the_original_reads(&home.path()).0;
    let layer = home.open();
    write(&layer, 1, 5, 1);
    write(&layer, 2, 0, 1);
    layer.unmap(7, 1, Below::Something).unwrap();
    layer.unmap(0, 1, Below::Nothing).unwrap();
    layer.close().unwrap();
    let (meta, sectors) = as_the_original_reads(&home.path());
    assert_eq!(meta, before);
    assert_eq!(sectors, [(1, Some(5)), (2, None), (3, None), (7, None)]);
}

#[test]
fn rule_22_a_file_of_the_original_gets_its_identity_with_its_first_write() {
    let home = Home::file();
    original(&home.path());
    let layer = home.open();
    look(&layer, 0..8);
    layer.write_no_overwrite(4, &[7; 512]).unwrap();
    layer.close().unwrap();
    assert_eq!(tables(&home.path()), ["meta", "sectors"]);
    let layer = home.open();
    write(&layer, 1, 5, 1);
    let identity = layer.metadata().identity.unwrap();
    layer.close().unwrap();
    assert_eq!(tables(&home.path()), ["identity", "meta", "sectors"]);
    assert_eq!(home.open().metadata().identity, Some(identity));
}

#[test]
fn rule_22_a_file_made_here_is_one_of_the_original_with_a_table_more() {
    let home = Home::original();
    let layer = home.create(disk_of(8));
    write(&layer, 0, 1, 2);
    write(&layer, 5, 0, 1);
    layer.close().unwrap();
    let (meta, sectors) = as_the_original_reads(&home.path());
    assert_eq!(meta, json!({"logically_read_only": false, "sector_count": 8, "sector_size": 512}));
    assert_eq!(sectors, [(0, Some(1)), (1, Some(1)), (5, None)]);
    assert_eq!(tables(&home.path()), ["identity", "meta", "sectors"]);
}

#[test]
fn rule_22_what_the_original_writes_into_a_file_made_here_is_read() {
    let home = Home::original();
    home.create(disk_of(8)).close().unwrap();
    let conn = Connection::open(home.path()).unwrap();
    conn.execute("INSERT OR REPLACE INTO sectors (sector, data) VALUES (2, ?1)", [vec![6; 512]]).unwrap();
    conn.execute("INSERT OR REPLACE INTO sectors (sector, data) VALUES (3, NULL)", []).unwrap();
    drop(conn);
    assert_eq!(look(&home.open(), 1..5), [None, Some(6), Some(0), None]);
}

#[test]
fn rule_22_a_file_says_which_format_it_has() {
    for (home, version) in Home::files().zip([1, 0]) {
        home.create(disk_of(8)).close().unwrap();
        let header = std::fs::read(home.path()).unwrap();
        // Places of user_version and application_id in the header of a SQLite file.
        assert_eq!((&header[60..64], &header[68..72]), ([0, 0, 0, version].as_slice(), b"dbhd".as_slice()));
    }
}

#[test]
fn rule_22_a_file_of_the_original_is_a_layer_of_a_stack() {
    let (home, top) = (Home::file(), Home::file());
    original(&home.path());
    let disk = stack(&[home.shared(), full_ram(disk_of(8), 9)]);
    assert_eq!(show(&disk, 0..8), [1, 9, 9, 0, 9, 9, 9, 2]);
    disk.unmap(7, 1).unwrap();
    disk.push(top.diff()).unwrap();
    write(&disk, 1, 4, 1);
    disk.commit().unwrap();
    assert_eq!(show(&disk, 0..8), [1, 4, 9, 0, 9, 9, 9, 0]);
    drop(disk);
    let sectors = as_the_original_reads(&home.path()).1;
    assert_eq!(sectors, [(0, Some(1)), (1, Some(4)), (3, None), (7, None)]);
}

/// Does something to the file of a layer that is closed.
fn change(home: &Home, sql: &str) {
    Connection::open(home.path()).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn rule_05_what_a_condition_of_the_file_refuses_is_undone_whole() {
    let home = Home::original();
    home.create(disk_of(8)).close().unwrap();
    change(
        &home,
        "DROP TABLE sectors; CREATE TABLE sectors(sector INTEGER NOT NULL PRIMARY KEY, \
         data BLOB CHECK (data IS NULL OR substr(data, 1, 1) <> x'09'))",
    );
    let layer = home.open();
    write(&layer, 0, 1, 2);
    let mixed = [[2; 512], [9; 512]].concat();
    for _ in 0..2 {
        refused(layer.write(1, &mixed, Durability::Flushed), ErrorKind::Io);
        assert_eq!(look(&layer, 0..3), [Some(1), Some(1), None]);
    }
    write(&layer, 2, 3, 1);
    layer.close().unwrap();
    assert_eq!(look(&home.open(), 0..4), [Some(1), Some(1), Some(3), None]);
}

#[test]
fn rule_18_a_generation_that_cannot_be_written_costs_the_write_and_nothing_else() {
    let home = Home::file();
    let layer = home.create(disk_of(8));
    write(&layer, 0, 1, 2);
    layer.close().unwrap();
    let identity = home.try_open(Mode::ReadOnly).unwrap().metadata().identity;
    let conn = Connection::open(home.path()).unwrap();
    let text: String = conn.query_row("SELECT identity FROM identity", [], |row| row.get(0)).unwrap();
    drop(conn);
    change(
        &home,
        &format!(
            "DROP TABLE identity; CREATE TABLE identity(identity TEXT NOT NULL CHECK (identity = '{text}')); \
             INSERT INTO identity VALUES ('{text}')"
        ),
    );
    let layer = home.open();
    assert_eq!(layer.metadata().identity, identity);
    for _ in 0..2 {
        refused(layer.write(1, &[2; 512], Durability::Fua), ErrorKind::Io);
        assert_eq!(look(&layer, 0..3), [Some(1), Some(1), None]);
    }
    layer.flush().unwrap();
    layer.close().unwrap();
    assert_eq!(home.try_open(Mode::ReadOnly).unwrap().metadata().identity, identity);
}
