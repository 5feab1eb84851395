//! Rule 19: files from strangers.

use std::path::Path;
use std::time::{Duration, Instant};

use disklayer_sqlite::error::{Error, ErrorKind};
use disklayer_sqlite::layer::{Format, LayerIo, Mode};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::media::{FORMATS, Home, disk_of, look, refused, write};

/// Every byte of a database, its log included; a log that is missing is as good as an empty one.
pub(super) fn bytes_of(path: &Path) -> [Vec<u8>; 2] {
    let log = path.with_extension("dbhd-wal");
    [path, &log].map(|path| std::fs::read(path).unwrap_or_default())
}

/// A layer of 8 sectors with a few of them, closed.
pub(super) fn sound(format: Format) -> Home {
    let home = Home::file().of(format);
    let layer = home.create(disk_of(8));
    write(&layer, 1, 1, 3);
    write(&layer, 4, 0, 1);
    layer.close().unwrap();
    home
}

/// What the damage is in: the file, or a log beside it that has not been folded in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Into {
    File,
    Log,
}

/// The formats that have the tables that `sql` speaks of.
pub(super) fn formats_of(sql: &str) -> impl Iterator<Item = Format> {
    let speaks_of = |words: &[&str]| words.iter().any(|word| sql.contains(word));
    let (old, new) = (speaks_of(&["sectors"]), speaks_of(&["clusters", "zeros"]));
    assert!(!(old && new), "{sql}");
    FORMATS.into_iter().filter(move |format| match format {
        Format::Original => !new,
        _ => !old,
    })
}

/// Something done to a file of the only format that has the tables for it.
pub(super) fn damaged(sql: &str, into: Into) -> Home {
    let formats: Vec<_> = formats_of(sql).collect();
    assert_eq!(formats.len(), 1, "{sql}");
    damaged_of(formats[0], sql, into)
}

pub(super) fn damaged_of(format: Format, sql: &str, into: Into) -> Home {
    let home = sound(format);
    let conn = Connection::open(home.path()).unwrap();
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, matches!(into, Into::Log)).unwrap();
    conn.execute_batch(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    conn.close().unwrap();
    assert_eq!(!bytes_of(&home.path())[1].is_empty(), matches!(into, Into::Log));
    home
}

/// Opening must be refused within a second, with every byte in its place, for readers and writers.
#[track_caller]
pub(super) fn refuses(home: &Home, kind: ErrorKind) -> Error {
    let before = bytes_of(&home.path());
    let refusal = |mode| {
        let begun = Instant::now();
        let error = refused(home.try_open(mode), kind);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?} for: {error}", begun.elapsed());
        assert!(bytes_of(&home.path()) == before, "{mode:?} changed what it refused: {error}");
        error
    };
    refusal(Mode::ReadOnly);
    refusal(Mode::ReadWrite)
}

/// The damage, in a file and in a log, of each format that it can be done to, is refused as one that ends in `kind`.
#[track_caller]
pub(super) fn refuses_sql(sql: &str, kind: ErrorKind) {
    for (format, into) in formats_of(sql).flat_map(|format| [(format, Into::File), (format, Into::Log)]) {
        let error = refuses(&damaged_of(format, sql, into), kind);
        assert!(error.to_string().contains("layer.dbhd"), "{error}");
    }
}

#[test]
fn rule_19_what_is_no_database_is_no_disk() {
    let random: Vec<u8> = (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let magic = b"SQLite format 3\0";
    let text = b"This is a letter to a friend, and no disk.\n".repeat(100);
    for bytes in [&[0][..], b"x", &[0; 1 << 16], &random, &text, &[0xff; 512]] {
        let home = Home::file();
        std::fs::write(home.path(), bytes).unwrap();
        refuses(&home, ErrorKind::NotADisk);
    }
    for bytes in [magic.to_vec(), [&magic[..], &random].concat()] {
        let home = Home::file();
        std::fs::write(home.path(), bytes).unwrap();
        refuses(&home, ErrorKind::NotADisk);
    }
}

#[test]
fn rule_19_what_is_no_file_is_refused() {
    let home = Home::file();
    for mode in [Mode::ReadOnly, Mode::ReadWrite] {
        refused(home.try_open(mode), ErrorKind::NotFound);
        assert!(!home.path().exists());
    }
    std::fs::create_dir(home.path()).unwrap();
    for mode in [Mode::ReadOnly, Mode::ReadWrite] {
        refused(home.try_open(mode), ErrorKind::NotADisk);
    }
    let home = Home::file();
    std::fs::write(home.path(), []).unwrap();
    refuses(&home, ErrorKind::NotADisk);
}

#[cfg(unix)]
#[test]
fn rule_19_a_device_is_no_disk() {
    use disklayer_sqlite::layer::{FileDisk, Options, SqliteDiskLayer};
    for mode in [Mode::ReadOnly, Mode::ReadWrite] {
        let opened = SqliteDiskLayer::open(Path::new("/dev/null"), mode, &Options::default());
        refused(opened, ErrorKind::NotADisk);
        let image = refused(FileDisk::open(Path::new("/dev/null"), 512, mode), ErrorKind::NotADisk);
        assert!(image.to_string().starts_with("/dev/null is a device or a pipe"), "{image}");
    }
}

#[cfg(unix)]
#[test]
fn rule_19_what_lies_where_a_log_goes_is_looked_at_behind_a_link_too() {
    use disklayer_sqlite::layer::{Options, SqliteDiskLayer};
    let home = sound(Format::default());
    std::fs::create_dir(home.path().with_extension("dbhd-wal")).unwrap();
    let link = home.directory().join("link");
    std::os::unix::fs::symlink(home.path(), &link).unwrap();
    for path in [home.path(), link] {
        for mode in [Mode::ReadOnly, Mode::ReadWrite] {
            let opened = SqliteDiskLayer::open(path.as_path(), mode, &Options::default());
            let error = refused(opened, ErrorKind::Corrupt);
            assert!(error.to_string().contains("-wal beside it is not a file"), "{error}");
        }
    }
}

#[test]
fn rule_19_a_database_of_another_application_is_no_disk() {
    for sql in [
        "CREATE TABLE people(name TEXT); INSERT INTO people VALUES ('Ada')",
        "PRAGMA user_version=3",
        "PRAGMA application_id=252006673; CREATE TABLE meta(metadata TEXT NOT NULL)",
        "PRAGMA journal_mode=WAL; CREATE TABLE sectors(sector INTEGER PRIMARY KEY, data BLOB)",
    ] {
        let home = Home::file();
        Connection::open(home.path()).unwrap().execute_batch(sql).unwrap();
        refuses(&home, ErrorKind::NotADisk);
    }
    refuses_sql("PRAGMA application_id=1", ErrorKind::NotADisk);
}

#[test]
fn rule_19_a_table_that_is_missing_makes_it_no_disk() {
    refuses_sql("DROP TABLE sectors", ErrorKind::NotADisk);
    refuses_sql("DROP TABLE meta", ErrorKind::NotADisk);
    refuses_sql("ALTER TABLE sectors RENAME TO sector", ErrorKind::NotADisk);
    refuses_sql("DROP TABLE sectors; CREATE VIEW sectors AS SELECT 1 AS sector, NULL AS data", ErrorKind::NotADisk);
    refuses_sql("ALTER TABLE meta RENAME TO m; CREATE VIEW meta AS SELECT metadata FROM m", ErrorKind::NotADisk);
}

#[test]
fn rule_19_an_object_that_does_not_belong_is_damage() {
    for sql in [
        "CREATE TABLE extra(x)",
        "CREATE VIEW v AS SELECT 1",
        "CREATE INDEX i ON sectors(data)",
        "DELETE FROM sectors WHERE sector > 1; CREATE UNIQUE INDEX i ON sectors(data)",
        "CREATE TRIGGER t AFTER INSERT ON sectors BEGIN DELETE FROM sectors; END",
        "CREATE TEMP TABLE unseen(x); CREATE TABLE seen(x)",
        "DROP TABLE identity; CREATE VIEW identity AS SELECT '{}' AS identity",
    ] {
        refuses_sql(sql, ErrorKind::Corrupt);
    }
}

#[test]
fn rule_19_columns_that_are_not_as_they_should_be_are_damage() {
    for columns in [
        "(sector TEXT NOT NULL PRIMARY KEY, data BLOB)",
        "(sector INTEGER NOT NULL, data BLOB)",
        "(sector INTEGER NOT NULL PRIMARY KEY, data TEXT)",
        "(sector INTEGER NOT NULL PRIMARY KEY, data)",
        "(sector INTEGER NOT NULL PRIMARY KEY, data BLOB, more BLOB)",
        "(sector INTEGER NOT NULL PRIMARY KEY)",
        "(number INTEGER NOT NULL PRIMARY KEY, data BLOB)",
        "(data BLOB, sector INTEGER NOT NULL PRIMARY KEY)",
        "(sector INTEGER NOT NULL, data BLOB, PRIMARY KEY (sector, data))",
        "(sector INTEGER NOT NULL PRIMARY KEY, data BLOB UNIQUE)",
        "(sector INTEGER NOT NULL PRIMARY KEY, data BLOB) WITHOUT ROWID",
        "(sector INTEGER NOT NULL PRIMARY KEY, data BLOB AS (zeroblob(512)))",
        "(sector INTEGER NOT NULL PRIMARY KEY, data BLOB NOT NULL)",
        "(sector INTEGER NOT NULL PRIMARY KEY, data BLOB NOT NULL DEFAULT x'55')",
    ] {
        refuses_sql(&format!("DROP TABLE sectors; CREATE TABLE sectors{columns}"), ErrorKind::Corrupt);
    }
    let row = "(metadata BLOB); INSERT INTO meta VALUES ('{}')";
    refuses_sql(&format!("DROP TABLE meta; CREATE TABLE meta{row}"), ErrorKind::Corrupt);
    refuses_sql("DROP TABLE identity; CREATE TABLE identity(uuid TEXT NOT NULL)", ErrorKind::Corrupt);
}

#[test]
fn rule_19_the_schema_is_judged_by_its_columns_and_not_by_its_text() {
    for table in [
        "create table \"sectors\" (\n\tsector integer not null, -- the index\n\tdata blob, primary key(sector))",
        "CREATE TABLE sectors(sector INTEGER PRIMARY KEY, data BLOB)",
        "CREATE TABLE [sectors]([sector] INTEGER NOT NULL PRIMARY KEY, [data] BLOB DEFAULT x'55')",
    ] {
        let home = damaged(&format!("DROP TABLE sectors; {table}"), Into::File);
        let layer = home.open();
        write(&layer, 2, 7, 2);
        write(&layer, 3, 0, 1);
        layer.close().unwrap();
        assert_eq!(look(&home.open(), 1..5), [None, Some(7), Some(0), None]);
    }
}

#[test]
fn rule_19_metadata_that_says_nothing_sensible_is_damage() {
    let meta = |count: &str, size: &str| {
        let sizes = r#""block_size":4096,"cluster_size":32768"#;
        format!(r#"'{{"logically_read_only":false,"sector_count":{count},"sector_size":{size},{sizes}}}'"#)
    };
    FORMATS.iter().for_each(|format| {
        for padded in ["", " || printf('%.*c', 60000, ' ')"] {
            let text = meta("8", "512") + padded;
            damaged_of(*format, &format!("UPDATE meta SET metadata = {text}"), Into::File).open();
        }
    });
    let sizes = ["0", "1", "3", "256", "1000", "131072", "4294967808", "-512", "512.5", "\"512\"", "null"];
    let counts = ["0", "-1", "9223372036854775808", "18014398509481984", "18446744073709551616", "1e3", "null", "[]"];
    let wrong = sizes.iter().map(|size| meta("8", size)).chain(counts.iter().map(|count| meta(count, "512")));
    let text = ["''", "'{'", "'[]'", "'{}'", "'null'", "'{\"sector_count\":8}'", "7", "x'7b7d'", "char(0)"];
    let deep = "'".to_owned() + &"[".repeat(60_000) + "'";
    let long = format!("{} || printf('%.*c', 100000, ' ')", meta("8", "512"));
    for value in wrong.chain(text.map(str::to_owned)).chain([deep, long]) {
        for format in FORMATS {
            let home = damaged_of(format, &format!("UPDATE meta SET metadata = {value}"), Into::File);
            refuses(&home, ErrorKind::Corrupt);
        }
    }
    refuses_sql("DELETE FROM meta", ErrorKind::Corrupt);
    refuses_sql("INSERT INTO meta SELECT metadata FROM meta", ErrorKind::Corrupt);
}

#[test]
fn rule_19_an_identity_that_says_nothing_sensible_is_damage() {
    for value in ["''", "'{'", "'{}'", "'[]'", "x'00'", r#"'{"uuid":"no","generation":1,"parent":null}'"#] {
        refuses_sql(&format!("UPDATE identity SET identity = {value}"), ErrorKind::Corrupt);
    }
    refuses_sql("INSERT INTO identity SELECT identity FROM identity", ErrorKind::Corrupt);
}

#[test]
fn rule_19_a_sector_outside_the_disk_is_damage() {
    for sector in ["-1", "8", "9", "4294967296", "9223372036854775807", "-9223372036854775808"] {
        refuses_sql(&format!("INSERT INTO sectors VALUES ({sector}, NULL)"), ErrorKind::Corrupt);
    }
    // The last one is inside.
    let home = damaged("INSERT INTO sectors VALUES (7, NULL)", Into::Log);
    assert_eq!(look(&home.open(), 6..8), [None, Some(0)]);
}

#[test]
fn rule_19_a_format_from_the_future_is_too_new() {
    for version in [2, 7, i32::MAX, -1] {
        refuses_sql(&format!("PRAGMA user_version={version}"), ErrorKind::TooNew);
    }
}

#[test]
fn rule_19_a_row_of_wrong_length_is_an_error_at_its_sector_and_never_data() {
    for damage in ["x'01'", "zeroblob(511)", "zeroblob(513)", "'text'", "1", "x''"] {
        let home = damaged(&format!("UPDATE sectors SET data = {damage} WHERE sector = 2"), Into::File);
        let layer = home.open();
        let mut marker = disklayer_sqlite::layer::SectorMarker::new(0..8);
        let error = refused(layer.read(0, &mut [0; 4096], &mut marker), ErrorKind::Corrupt);
        assert_eq!(error.sector(), Some(2));
        assert_eq!(look(&layer, 3..6), [Some(1), Some(0), None]);
        write(&layer, 2, 5, 1);
        assert_eq!(look(&layer, 1..4), [Some(1), Some(5), Some(1)]);
    }
}

/// A backup that was put in the place of a layer whose process was killed, say.
#[test]
fn rule_19_a_log_of_another_layer_is_not_replayed_into_the_file() {
    for (mine, other) in Home::files().zip(Home::files()) {
        for home in [&mine, &other] {
            let layer = home.create(disk_of(64));
            write(&layer, 0, 1, 64);
            layer.close().unwrap();
        }
        let layer = mine.open();
        write(&layer, 7, 2, 3);
        layer.flush().unwrap();
        let killed = super::power::copy_of(&mine);
        std::fs::copy(other.path(), killed.path()).unwrap();
        let before = bytes_of(&killed.path());
        assert!(!before[1].is_empty());
        let error = refused(killed.try_open(Mode::ReadWrite), ErrorKind::Corrupt);
        assert!(error.to_string().contains("log beside it is that of another layer"), "{error}");
        assert!(bytes_of(&killed.path()) == before);
        // The right one is found again.
        std::fs::copy(mine.path(), killed.path()).unwrap();
        assert_eq!(look(&killed.open(), 6..8), [Some(1), Some(2)]);
    }
}
