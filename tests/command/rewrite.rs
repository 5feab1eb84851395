//! `disklayer import`, `upgrade` and `compact`: whole files, made in one go.

use std::path::PathBuf;

use disklayer_sqlite::layer::{Mode, Options, SqliteDiskLayer};

use super::Place;

/// An image of 3 MiB: bytes, 1 MiB of zeros, and bytes.
fn image(place: &Place) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..3_u32 << 20).map(|at| (at ^ at >> 9) as u8).collect();
    bytes[1 << 20..2 << 20].fill(0);
    place.write("a.raw", &bytes);
    bytes
}

fn content(place: &Place, file: &str, len: usize) -> Vec<u8> {
    use disklayer_sqlite::layer::{LayerIo, SectorMarker};
    let layer = SqliteDiskLayer::open(place.path(file), Mode::ReadOnly, &Options::default()).expect("a layer");
    let geometry = layer.metadata().geometry;
    assert_eq!(geometry.len(), len as u64);
    let mut bytes = vec![0xee; len];
    layer.read(0, &mut bytes, &mut SectorMarker::new(0..geometry.sector_count())).expect("a read");
    bytes
}

fn len(path: PathBuf) -> u64 {
    std::fs::metadata(path).expect("a file").len()
}

#[test]
fn an_image_is_imported_upgraded_and_compacted_and_stays_the_same_disk() {
    let place = Place::new();
    let bytes = image(&place);
    place.run("import a.raw a.dbhd --format 0").says_first(0, "a.raw: 3.0 MiB in a.dbhd, ");
    assert!(content(&place, "a.dbhd", bytes.len()) == bytes);
    place.run("upgrade a.dbhd --page-size 1024").says_first(0, "a.dbhd: format 1 now, ");
    assert!(content(&place, "a.dbhd", bytes.len()) == bytes);
    place.run("upgrade a.dbhd").says_first(0, "a.dbhd: it has format 1, the newest; nothing to do\n");
    place.run("compact a.dbhd").says_first(0, "a.dbhd: 2.");
    assert!(content(&place, "a.dbhd", bytes.len()) == bytes);
    place.run("import a.raw b.dbhd --sector-size 4096").says_first(0, "a.raw: 3.0 MiB in b.dbhd, 2.");
    assert!(content(&place, "b.dbhd", bytes.len()) == bytes);
    assert!(len(place.path("b.dbhd")) < 2_200_000, "zeros take room");
}

#[test]
fn what_cannot_be_imported_is_refused_in_a_sentence_and_nothing_is_left() {
    let place = Place::new();
    image(&place);
    place.write("precious", "a letter");
    place.write("odd", [1; 700]);
    place.run("import a.raw precious").refuses(&["precious", "not empty"]);
    place.run("import nowhere a.dbhd").refuses(&["nowhere", "not found"]);
    place.run("import . a.dbhd").refuses(&["directory"]);
    place.run("import odd a.dbhd").refuses(&["odd", "whole number of sectors"]);
    place.run("import a.raw a.dbhd --sector-size 100").refuses(&["100 bytes"]);
    for size in ["0", "65536", "4294967295"] {
        place.run(&format!("import a.raw a.dbhd --page-size {size}")).refuses(&[size, "from 512 to 32768"]);
    }
    place.run("import a.raw ./a.raw --replace").refuses(&["a.raw", "written over"]);
    place.run("import a.raw a.dbhd --format 2").refuses(&["format 2"]);
    place.run("import a.raw missing/a.dbhd").refuses(&["missing"]);
    assert_eq!(place.read("precious"), "a letter");
    assert_eq!(std::fs::read_dir(place.path(".")).expect("the directory").count(), 3);
    place.run("import a.raw precious --replace").says_first(0, "a.raw: ");
}

#[test]
fn what_cannot_be_written_anew_is_refused_in_a_sentence_and_stays() {
    let place = Place::new();
    image(&place);
    place.run("import a.raw a.dbhd --format 0").says_first(0, "a.raw");
    for command in ["upgrade", "compact"] {
        place.run(&format!("{command} a.raw")).refuses(&["a.raw", "not a disk layer"]);
        place.run(&format!("{command} nowhere")).refuses(&["nowhere", "not found"]);
        place.run(&format!("{command} .")).refuses(&["directory"]);
        let open = SqliteDiskLayer::open(place.path("a.dbhd"), Mode::ReadOnly, &Options::default()).expect("a reader");
        place.run(&format!("{command} a.dbhd")).refuses(&["a.dbhd", "in use"]);
        drop(open);
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written_to_is_not_written_anew() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    image(&place);
    place.run("import a.raw a.dbhd --format 0").says_first(0, "a.raw");
    let path = place.path("a.dbhd");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).expect("permissions");
    if std::fs::File::options().write(true).open(&path).is_ok() {
        // For root every file can be written to.
        return;
    }
    place.run("upgrade a.dbhd").refuses(&["a.dbhd", "cannot be written"]);
    place.run("compact a.dbhd").refuses(&["a.dbhd", "cannot be written"]);
}
