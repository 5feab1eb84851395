//! `disklayer check`: is a file whole, and what can be got out of it.

use std::path::PathBuf;

use disklayer_sqlite::geometry::Geometry;
use disklayer_sqlite::layer::{
    Below, Durability, Existing, Format, FormatParams, LayerIo, Mode, Options, SectorMarker, SqliteDiskLayer,
};
use rusqlite::Connection;

use super::Place;

const FORMATS: [Format; 2] = [Format::One, Format::Original];

/// Bytes of a page. In small ones there are clusters of 8 sectors.
fn page_size(format: Format) -> usize {
    if format == Format::Original { 4096 } else { 512 }
}

/// A layer `a.dbhd` of 200 sectors: each third is absent, 7 is zeros, any other is full of its number and one.
fn layer(place: &Place, stored: Format) -> PathBuf {
    let path = place.path("a.dbhd");
    let options = Options { format: stored, page_size: page_size(stored) as u32, ..Options::default() };
    let geometry = Geometry::new(200, 512).expect("a geometry");
    let format = FormatParams { logically_read_only: false, len: geometry.len(), sector_size: 512 };
    let layer = SqliteDiskLayer::create(path.clone(), format, Existing::Keep, &options).expect("a layer");
    for sector in (0..200).filter(|sector| sector % 3 != 2) {
        let byte = if sector == 7 { 0 } else { sector as u8 + 1 };
        layer.write(sector, &[byte; 512], Durability::Flushed).expect("a write");
    }
    layer.close().expect("a close");
    path
}

fn harm(path: &PathBuf, sql: &str) {
    Connection::open(path).expect("a database").execute_batch(sql).expect("harm");
}

/// The sectors of a layer that are present, each full of the byte that is in it.
fn sectors(path: PathBuf) -> Vec<(u64, u8)> {
    let layer = SqliteDiskLayer::open(path, Mode::ReadOnly, &Options::default()).expect("a layer that opens");
    let mut marker = SectorMarker::new(0..200);
    let mut buf = vec![0xee; 200 * 512];
    layer.read(0, &mut buf, &mut marker).expect("a read");
    let byte = |(sector, data): (u64, &[u8])| {
        assert!(data.iter().all(|byte| *byte == data[0]), "sector {sector}");
        marker.is_set(sector).then_some((sector, data[0]))
    };
    (0..).zip(buf.chunks_exact(512)).filter_map(byte).collect()
}

fn identity(path: PathBuf) -> disklayer_sqlite::layer::Identity {
    let layer = SqliteDiskLayer::open(path, Mode::ReadOnly, &Options::default()).expect("a layer that opens");
    layer.metadata().identity.expect("an identity")
}

#[test]
fn a_whole_file_is_whole_and_stays_as_it_is() {
    for format in FORMATS {
        let place = Place::new();
        let path = layer(&place, format);
        let before = std::fs::read(&path).expect("the file");
        let ran = place.run("check a.dbhd --salvage b.dbhd");
        ran.says_first(0, "WHOLE  a.dbhd: 200 sectors of 512 bytes, 134 present\n");
        assert!(std::fs::read(&path).expect("the file") == before && !place.path("b.dbhd").exists());
        let report: serde_json::Value = serde_json::from_str(&place.run("check --json a.dbhd").out).expect("JSON");
        assert_eq!((report["verdict"].as_str(), report["present"].as_u64()), (Some("whole"), Some(134)));
    }
}

#[test]
fn what_does_not_belong_is_left_behind_and_all_is_salvaged() {
    for format in FORMATS {
        let place = Place::new();
        let path = layer(&place, format);
        let (held, before) = (sectors(path.clone()), identity(path.clone()));
        let table = if format == Format::Original { "sectors" } else { "clusters" };
        let trigger = format!("CREATE TRIGGER t AFTER INSERT ON {table} BEGIN DELETE FROM {table}; END");
        harm(&path, &format!("CREATE TABLE extra(x); {trigger}"));
        let harmed = std::fs::read(&path).expect("the file");
        place.run("check a.dbhd").says_first(4, "DAMAGED  a.dbhd: ");
        let ran = place.run("check a.dbhd --salvage b.dbhd");
        ran.says_first(1, "SALVAGED  a.dbhd: ");
        assert!(ran.out.contains("table extra does not belong there"), "{}", ran.out);
        assert_eq!((sectors(place.path("b.dbhd")), identity(place.path("b.dbhd"))), (held, before));
        place.run("check b.dbhd").says_first(0, "WHOLE");
        assert!(std::fs::read(&path).expect("the file") == harmed);
        // What was the original's file still is one: the place of user_version in the header.
        let saved = std::fs::read(place.path("b.dbhd")).expect("the file");
        assert_eq!(saved[63], format.version() as u8);
    }
}

#[test]
fn a_cluster_whose_row_is_damaged_is_lost_as_a_whole_and_zeros_are_salvaged_as_extents() {
    let place = Place::new();
    let path = place.path("a.dbhd");
    let options = Options { page_size: 512, ..Options::default() };
    let format = FormatParams { logically_read_only: false, len: 1 << 50, sector_size: 512 };
    let layer = SqliteDiskLayer::create(path.clone(), format, Existing::Keep, &options).expect("a layer");
    layer.unmap(100, (1 << 40) - 4, Below::Something).expect("an unmap");
    for sector in [3, 9, 17, 1 << 30] {
        layer.write(sector, &[7; 512], Durability::Flushed).expect("a write");
    }
    layer.close().expect("a close");
    place.run("check a.dbhd").says_first(0, &format!("WHOLE  a.dbhd: {} sectors of 512 bytes, ", 1_u64 << 41));
    // The second cluster, and an extent: that behind the write into the middle of the long one.
    harm(&path, "UPDATE clusters SET data = zeroblob(95) WHERE cluster = 1");
    let ran = place.run("check a.dbhd");
    assert!(ran.out.contains("cannot be read: sectors 8 to 15\n"), "{}", ran.out);
    harm(&path, "UPDATE zeros SET stop = 5 WHERE start > 1000");
    let ran = place.run("check a.dbhd --json --salvage b.dbhd");
    let report: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let behind = (1_u64 << 30) + 8;
    let lost = serde_json::json!([[8, 8], [behind, (1_u64 << 41) - behind]]);
    assert_eq!((&report["damaged"], &report["salvaged"]["lost"]), (&lost, &lost));
    let layer = SqliteDiskLayer::open(place.path("b.dbhd"), Mode::ReadOnly, &options).expect("a layer that opens");
    let extents = std::iter::successors(layer.next_extent(0).expect("extents"), |extent| {
        layer.next_extent(extent.end).expect("extents")
    });
    assert_eq!(extents.collect::<Vec<_>>(), [3..4, 17..18, 100..behind]);
}

#[test]
fn what_is_salvaged_of_a_layer_that_refuses_writes_refuses_them_too() {
    for stored in FORMATS {
        let place = Place::new();
        let path = layer(&place, stored);
        let held = sectors(path.clone());
        harm(&path, "UPDATE meta SET metadata = json_set(metadata, '$.logically_read_only', json('true'))");
        harm(&path, "CREATE TABLE extra(x)");
        place.run("check a.dbhd --salvage b.dbhd").says_first(1, "SALVAGED  a.dbhd: ");
        assert_eq!(sectors(place.path("b.dbhd")), held);
        let layer = SqliteDiskLayer::open(place.path("b.dbhd"), Mode::ReadWrite, &Options::default());
        assert_eq!(layer.expect("a layer").metadata().access, disklayer_sqlite::layer::Access::LogicallyReadOnly);
    }
}

#[test]
fn a_sector_of_wrong_length_is_named_and_the_others_are_salvaged_as_another_state() {
    let place = Place::new();
    let path = layer(&place, Format::Original);
    let (mut held, before) = (sectors(path.clone()), identity(path.clone()));
    harm(&path, "UPDATE sectors SET data = x'01' WHERE sector IN (3, 4, 9)");
    let ran = place.run("check a.dbhd --salvage b.dbhd");
    ran.says_first(4, "DAMAGED  a.dbhd: ");
    assert!(ran.out.contains("cannot be read: sectors 3 to 4, sector 9\n"), "{}", ran.out);
    assert!(ran.out.contains("131 sectors written to b.dbhd"), "{}", ran.out);
    held.retain(|(sector, _)| ![3, 4, 9].contains(sector));
    assert_eq!(sectors(place.path("b.dbhd")), held);
    let after = identity(place.path("b.dbhd"));
    assert!(after.uuid == before.uuid && after.generation != before.generation);
}

/// Each page of sectors in turn is lost: what lay on the others comes back, and what did not is named.
#[test]
fn what_lies_behind_a_lost_page_is_salvaged() {
    FORMATS.into_iter().for_each(what_lies_behind_a_lost_page_of);
}

fn what_lies_behind_a_lost_page_of(format: Format) {
    let place = Place::new();
    let path = layer(&place, format);
    let (held, sound) = (sectors(path.clone()), std::fs::read(&path).expect("the file"));
    let size = page_size(format);
    // Pages of rows; others have nothing but bytes of sectors, which have no checksum.
    let is_of_rows = |page: &usize| [0x05, 0x0d].contains(&sound[page * size]);
    // A page has so many rows at most, of one sector or a cluster.
    let most = if format == Format::Original { 8 } else { 5 * 8 };
    let mut salvaged = 0;
    for page in (1..sound.len() / size).filter(is_of_rows).step_by(if format == Format::Original { 3 } else { 1 }) {
        let mut bytes = sound.clone();
        bytes[page * size..][..size].fill(0xff);
        std::fs::write(&path, bytes).expect("the file");
        let ran = place.run("check --json --salvage b.dbhd a.dbhd");
        let report: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
        if report["salvaged"].is_null() {
            continue;
        }
        let lost = report["salvaged"]["lost"].as_array().expect("ranges").iter();
        let lost: Vec<_> =
            lost.map(|range| (range[0].as_u64().expect("a start"), range[1].as_u64().expect("a count"))).collect();
        let is_lost = |sector: u64| lost.iter().any(|(start, count)| (*start..start + count).contains(&sector));
        let got = sectors(place.path("b.dbhd"));
        assert!(got.iter().all(|row| held.contains(row)), "page {page}");
        assert!(held.iter().all(|row| got.contains(row) || is_lost(row.0)), "page {page}: {}", ran.out);
        if got.len() + most > held.len() && !lost.is_empty() {
            assert_eq!(ran.code, Some(4));
            salvaged += 1;
        }
        std::fs::remove_file(place.path("b.dbhd")).expect("the salvaged file");
    }
    assert!(salvaged > 3, "{salvaged} pages of sectors");
}

#[test]
fn what_cannot_be_looked_at_is_an_operational_error() {
    let place = Place::new();
    let path = layer(&place, Format::default());
    assert_eq!(place.run("check nowhere.dbhd").code, Some(8));
    let open = SqliteDiskLayer::open(path.clone(), Mode::ReadWrite, &Options::default()).expect("a writer");
    let ran = place.run("check a.dbhd");
    assert!(ran.code == Some(8) && ran.err.contains("in use"), "{}", ran.err);
    drop(open);
    harm(&path, "CREATE TABLE extra(x)");
    place.write("b.dbhd", "precious");
    assert_eq!((place.run("check a.dbhd --salvage b.dbhd").code, place.read("b.dbhd").as_str()), (Some(8), "precious"));
    let directory = place.run("check .");
    assert!(directory.code == Some(8) && directory.err.contains(". is not a file"), "{}", directory.err);
    assert_eq!(place.run("check").code, Some(16));
    assert_eq!(place.run("check a.dbhd --wrong").code, Some(16));
    assert_eq!(place.run("check --help").code, Some(0));
}

#[test]
fn what_is_no_layer_is_damaged_and_nothing_is_salvaged() {
    let place = Place::new();
    place.write("letter", "This is a letter to a friend, and no disk.");
    let ran = place.run("check letter --salvage b.dbhd");
    ran.says_first(4, "DAMAGED  letter: its size cannot be read\n  open refuses it: ");
    assert!(!place.path("b.dbhd").exists());
}

/// A file system that takes only text has no such name.
#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_text_is_reported_in_json_too() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let name = std::ffi::OsStr::from_bytes(b"a\xff.dbhd");
    let path = layer(&place, Format::One);
    harm(&path, "CREATE TABLE extra(x)");
    std::fs::rename(path, place.path(".").join(name)).expect("another name");
    let ran: super::Ran =
        place.command("check --json --salvage b.dbhd").arg(name).output().expect("the command").into();
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let report: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(report["file"].as_str(), Some("a\u{fffd}.dbhd"));
}
