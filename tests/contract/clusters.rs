//! Format 1: what its tables cost, and files that say what cannot be of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::geometry::Geometry;
use disklayer_sqlite::layer::{Below, Durability, Existing, LayerIo, Options, SectorMarker, SqliteDiskLayer};
use disklayer_sqlite::stack::{DiskAccess, LayeredDisk};
use rusqlite::Connection;

use super::media::{Home, bytes, cache, disk_of, format, full_ram, look, plain, refused, write};
use super::open::{Into, damaged, refuses, refuses_sql};
use super::spy::Calls;

fn number(home: &Home, sql: &str) -> i64 {
    Connection::open(home.path()).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn harm(home: &Home, sql: &str) {
    Connection::open(home.path()).unwrap().execute_batch(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
}

/// A layer of 28 sectors in clusters of 8, the last of which has 4: 0 to 2 are ones, 8 to 24 are zeros.
fn small() -> Home {
    let home = Home::file();
    let options = Options { page_size: 512, ..Options::default() };
    let layer = SqliteDiskLayer::create(home.path(), format(disk_of(28)), Existing::Keep, &options).unwrap();
    write(&layer, 0, 1, 3);
    layer.unmap(8, 16, Below::Something).unwrap();
    layer.close().unwrap();
    assert_eq!(number(&home, "SELECT count(*) FROM zeros WHERE start = 1 AND stop = 3"), 1);
    home
}

#[test]
fn rule_06_unmapping_any_range_costs_the_extents_that_it_touches() {
    let home = Home::file();
    let geometry = Geometry::new(1 << 50, 512).unwrap();
    let layer = home.create(geometry);
    let begun = Instant::now();
    layer.unmap(5, (1 << 50) - 7, Below::Something).unwrap();
    write(&layer, 1 << 40, 1, 2);
    layer.unmap(3, 1 << 49, Below::Something).unwrap();
    layer.unmap(1 << 30, 1 << 45, Below::Nothing).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(look(&layer, 0..4), [None, None, None, Some(0)]);
    let gap = (1_u64 << 30, (1_u64 << 30) + (1 << 45));
    assert_eq!(look(&layer, gap.0 - 1..gap.0 + 1), [Some(0), None]);
    assert_eq!(look(&layer, gap.1 - 1..gap.1 + 1), [None, Some(0)]);
    assert_eq!(look(&layer, (1 << 50) - 3..1 << 50), [Some(0), None, None]);
    layer.close().unwrap();
    assert!(number(&home, "SELECT (SELECT count(*) FROM clusters) + (SELECT count(*) FROM zeros)") <= 6);
}

#[test]
fn rule_24_the_file_has_a_row_a_cluster_however_often_it_is_written() {
    let home = Home::file();
    let layer = home.create(disk_of(256));
    write(&layer, 0, 1, 256);
    layer.close().unwrap();
    let before = std::fs::metadata(home.path()).unwrap().len();
    let layer = home.open();
    for round in 0..50 {
        write(&layer, 0, round + 2, 256);
        layer.unmap(u64::from(round) * 5, 6, Below::Nothing).unwrap();
        layer.unmap(64, 128, Below::Something).unwrap();
        write(&layer, 0, round + 2, 256);
    }
    layer.close().unwrap();
    let after = std::fs::metadata(home.path()).unwrap().len();
    assert!(after <= before + 64 * 1024, "{before} bytes became {after}");
    assert_eq!(number(&home, "SELECT (SELECT count(*) FROM clusters) * 100 + (SELECT count(*) FROM zeros)"), 400);
}

#[test]
fn rule_05_a_request_of_several_clusters_that_fails_in_the_middle_leaves_nothing_of_itself() {
    let home = small();
    harm(
        &home,
        "ALTER TABLE clusters RENAME TO c; CREATE TABLE clusters(cluster INTEGER NOT NULL PRIMARY KEY, \
         data BLOB NOT NULL, CHECK (cluster <> 2)); INSERT INTO clusters SELECT * FROM c; DROP TABLE c",
    );
    let layer = home.open();
    let held = look(&layer, 0..28);
    refused(layer.write(5, &bytes(&layer, 2, 20), Durability::Flushed), ErrorKind::Io);
    assert_eq!(look(&layer, 0..28), held);
    refused(layer.unmap(5, 14, Below::Nothing), ErrorKind::Io);
    assert_eq!(look(&layer, 0..28), held);
    write(&layer, 4, 5, 6);
    layer.close().unwrap();
    assert_eq!(look(&home.open(), 3..11), [None, Some(5), Some(5), Some(5), Some(5), Some(5), Some(5), Some(0)]);
}

/// Heads that contradict themselves or the disk: the cluster is an error, at its first sector, and the others are not.
#[test]
fn rule_19_a_head_that_cannot_be_is_an_error_at_its_cluster_and_never_data() {
    // Each is put over the head from that byte on: sectors that are present, that have bytes, places of blocks.
    for (at, hex) in [
        (0, "0000000000000000"),
        (0, "0700000000000001"),
        (0, "ff01000000000000"),
        (0, "ffffffffffffffff"),
        (8, "0f00000000000000"),
        (8, "ffffffffffffffff"),
        (16, "00"),
        (16, "ff"),
        (16, "20"),
        (17, "01"),
        (24, "02"),
        (31, "ff"),
    ] {
        let home = small();
        let len = hex.len() / 2;
        harm(
            &home,
            &format!(
                "UPDATE clusters SET data = CAST(substr(data, 1, {at}) || x'{hex}' || substr(data, {}) AS BLOB) \
                 WHERE cluster = 0",
                at + len + 1
            ),
        );
        let layer = home.open();
        let mut marker = SectorMarker::new(1..28);
        let error = refused(layer.read(1, &mut [0; 27 * 512], &mut marker), ErrorKind::Corrupt);
        assert!(error.sector().is_some_and(|sector| sector < 8), "{hex} at {at}: {error}");
        refused(layer.next_extent(0), ErrorKind::Corrupt);
        refused(layer.write(3, &[2; 512], Durability::Flushed), ErrorKind::Corrupt);
        assert_eq!(look(&layer, 8..28), [vec![Some(0); 16], vec![None; 4]].concat(), "{hex} at {at}");
        // What takes the place of all of it needs nothing of it.
        layer.unmap(0, 8, Below::Something).unwrap();
        assert_eq!(look(&layer, 0..9), [Some(0); 9], "{hex} at {at}");
    }
}

#[test]
fn rule_19_sectors_past_the_end_of_the_last_cluster_are_an_error() {
    let home = small();
    harm(&home, "INSERT INTO clusters SELECT 3, CAST(x'1f' || zeroblob(95) AS BLOB)");
    let layer = home.open();
    let mut marker = SectorMarker::new(24..28);
    let error = refused(layer.read(24, &mut [0; 4 * 512], &mut marker), ErrorKind::Corrupt);
    assert_eq!(error.sector(), Some(24));
    drop(layer);
    harm(&home, "UPDATE clusters SET data = CAST(x'07' || zeroblob(95) AS BLOB) WHERE cluster = 3");
    assert_eq!(look(&home.open(), 24..28), [Some(0), Some(0), Some(0), None]);
}

#[test]
fn rule_19_extents_that_contradict_one_another_are_damage() {
    for zeros in ["(2, 3)", "(2, 4)", "(0, 1)", "(0, 2)", "(3, 5)", "(3, 9223372036854775807)", "(3, 3)", "(3, 2)"] {
        let home = small();
        harm(&home, &format!("INSERT INTO zeros VALUES {zeros}"));
        refuses(&home, ErrorKind::Corrupt);
    }
    for zeros in ["(3, 4)", "(1, 4)", "(1, 2)"] {
        let home = small();
        harm(&home, &format!("INSERT OR REPLACE INTO zeros VALUES {zeros}"));
        // Extents that touch are one.
        match zeros {
            "(3, 4)" => drop(refuses(&home, ErrorKind::Corrupt)),
            _ => drop(home.open()),
        }
    }
    refuses_sql("INSERT INTO zeros VALUES (-1, 0)", ErrorKind::Corrupt);
    refuses_sql("UPDATE clusters SET data = 'text'", ErrorKind::Corrupt);
    refuses_sql("INSERT INTO clusters SELECT 1, data FROM clusters", ErrorKind::Corrupt);
}

#[test]
fn rule_19_sizes_that_cannot_be_are_damage() {
    for (block, cluster) in [(0, 32768), (4096, 0), (4095, 32768), (256, 2048), (65536, 65536), (4096, 2048)] {
        let sql = format!("json_set(metadata, '$.block_size', {block}, '$.cluster_size', {cluster})");
        refuses(&damaged(&format!("UPDATE meta SET metadata = {sql} -- of clusters"), Into::File), ErrorKind::Corrupt);
    }
    // Other sizes that can be make every row one of wrong length.
    let sql = "json_set(metadata, '$.block_size', 2048, '$.cluster_size', 16384)";
    let layer = damaged(&format!("UPDATE meta SET metadata = {sql} -- of clusters"), Into::File).open();
    let mut marker = SectorMarker::new(0..8);
    refused(layer.read(0, &mut [0; 4096], &mut marker), ErrorKind::Corrupt);
}

#[test]
fn rule_11_a_damaged_cluster_of_a_cache_is_an_error_and_not_a_miss() {
    for damage in ["x'00'", "zeroblob(95)", "zeroblob(96)", "zeroblob(97)", "zeroblob(5000)", "zeroblob(900000)", "x''"]
    {
        let home = Home::file();
        let bottom = full_ram(disk_of(200), 9);
        let layer: Arc<dyn LayerIo> = Arc::new(home.create(disk_of(200)));
        let disk = LayeredDisk::new(vec![cache(&layer), plain(&bottom)], DiskAccess::Writable).unwrap();
        disk.read(0, &mut vec![0; 200 * 512]).unwrap();
        disk.close().unwrap();
        drop((disk, layer));
        harm(&home, &format!("UPDATE clusters SET data = {damage} WHERE cluster = 1"));
        let calls = Calls::default();
        let layers = vec![cache(&home.shared()), plain(&calls.of(&bottom))];
        let disk = LayeredDisk::new(layers, DiskAccess::Writable).unwrap();
        let error = refused(disk.read(70, &mut [0; 512]), ErrorKind::Corrupt);
        assert_eq!((error.layer(), error.sector(), calls.take()), (Some(0), Some(64), vec![]), "{damage}");
        disk.read(128, &mut [0; 512]).unwrap();
    }
}
