//! Rule 18 on disks that are really full: a small file system, and a limit on the length of files.
#![cfg_attr(not(unix), allow(dead_code))]

use std::io::Write;
use std::path::Path;

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::layer::{Durability, LayerIo, Mode, Options, SectorMarker, SqliteDiskLayer};

use super::child::{self, Child, say};
use super::media::{Home, disk_of, look, refused, write};

/// Sectors of the disk, which no place below has room for, and of a request.
const SECTORS: u64 = 1 << 14;
const COUNT: u64 = 64;
/// What waits for a flush: nothing, some, all; with so little cache SQLite meets the full disk inside of a statement.
const DIRTY_LIMITS: [u64; 3] = [0, 100_000, 1 << 30];
const CACHE: u64 = 64 << 10;

fn open(place: &Path, dirty_limit: u64) -> Result<SqliteDiskLayer> {
    let options = Options { dirty_limit, cache_bytes: CACHE, ..Options::default() };
    SqliteDiskLayer::open(place, Mode::ReadWrite, &options)
}

/// Writes until it cannot go on, with a flush after so many requests: the sectors acknowledged, those of them flushed,
/// and the error that told.
fn write_until_full(layer: &dyn LayerIo, stamp: u8, flushed_after: u64) -> (u64, u64, Error) {
    let mut flushed = 0;
    for sector in (0..SECTORS).step_by(COUNT as usize) {
        let data = vec![stamp; COUNT as usize * 512];
        if let Err(error) = layer.write(sector, &data, Durability::Flushed) {
            return (sector, flushed, error);
        }
        if (sector / COUNT + 1).is_multiple_of(flushed_after) {
            match layer.flush() {
                Ok(()) => flushed = sector + COUNT,
                Err(error) => return (sector + COUNT, flushed, error),
            }
        }
    }
    panic!("it was not full");
}

/// Either the layer has all that it acknowledged, or it refuses everything; whether it still serves.
fn serves_all_or_nothing(layer: &dyn LayerIo, stamp: u8, acknowledged: u64) -> bool {
    match layer.read(0, &mut [0; 512], &mut SectorMarker::new(0..1)) {
        Ok(()) => {
            let held = look(layer, 0..acknowledged);
            assert!(held.iter().all(|byte| *byte == Some(stamp)), "it serves, and lacks what it acknowledged");
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Failed);
            refused(layer.write(0, &[1; 512], Durability::Flushed), ErrorKind::Failed);
            refused(layer.flush(), ErrorKind::Failed);
            false
        }
    }
}

/// What is there after reopening: a prefix of the writes over what was there before, no shorter than `kept`.
#[track_caller]
fn holds_a_prefix(layer: &dyn LayerIo, stamp: u8, kept: u64, written: u64) {
    let held = look(layer, 0..SECTORS);
    let prefix = held.iter().take_while(|byte| **byte == Some(stamp)).count() as u64;
    assert!((kept..=written).contains(&prefix), "{prefix} sectors are there, and {kept} to {written} may be");
    assert!(prefix.is_multiple_of(COUNT), "a request is half there: {prefix} sectors");
    assert!(held[prefix as usize..].iter().all(|byte| *byte != Some(stamp)), "not a prefix");
    layer.verify().unwrap();
}

/// Where everything waits for a flush there is none.
fn flushed_after(dirty_limit: u64) -> u64 {
    if dirty_limit == DIRTY_LIMITS[2] { SECTORS } else { 7 }
}

/// The child whose files may not grow beyond a limit: it fills the layer and says what it was told.
pub(super) fn fill(place: &Path, dirty_limit: u64) {
    let layer = open(place, dirty_limit).unwrap();
    let (acknowledged, flushed, error) = write_until_full(&layer, 1, flushed_after(dirty_limit));
    // A file that is too long is no full disk to the system; to SQLite it is, where a part of a write still had room.
    assert!(matches!(error.kind(), ErrorKind::NoSpace | ErrorKind::Io), "{error}");
    let serves = serves_all_or_nothing(&layer, 1, acknowledged);
    let kept = if layer.close().is_ok() { acknowledged } else { flushed };
    assert!(serves || kept == flushed, "closing what refuses everything has succeeded");
    say(&format!("{kept} {acknowledged}"));
}

#[cfg(unix)]
#[test]
fn rule_18_a_file_that_may_not_grow_loses_nothing_that_was_promised_and_is_used_on() {
    // In 512 bytes: the log is the first to reach the one, and the database, at a checkpoint, the other. Both together have
    // no room for the disk.
    for blocks in [512, 8000] {
        for dirty_limit in DIRTY_LIMITS {
            let home = Home::file();
            home.create(disk_of(SECTORS)).close().unwrap();
            let line = format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$@\"");
            let mut full = Child::of(child::after(&line, &format!("fill {dirty_limit}"), &home.path()));
            let told = full.line().unwrap();
            let numbers: Option<Vec<u64>> = told.split(' ').map(|number| number.parse().ok()).collect();
            let Some([kept, acknowledged]) = numbers.as_deref() else { panic!("the child says: {told}") };
            full.finish();
            let layer = home.open();
            holds_a_prefix(&layer, 1, *kept, acknowledged + COUNT);
            use_on(layer, &home, 2);
        }
    }
}

/// A layer whose disk has room again is one like any other.
fn use_on(layer: SqliteDiskLayer, home: &Home, stamp: u8) {
    write(&layer, 0, stamp, SECTORS);
    layer.flush().unwrap();
    assert!(look(&layer, 0..SECTORS).iter().all(|byte| *byte == Some(stamp)));
    layer.close().unwrap();
    assert!(look(&home.open(), 0..SECTORS).iter().all(|byte| *byte == Some(stamp)));
}

/// Fills the file system but for so many bytes.
fn leave_room(ballast: &Path, room: u64) {
    let mut file = std::fs::File::create(ballast).unwrap();
    while file.write(&[0xff; 1 << 16]).is_ok() {}
    let len = file.metadata().unwrap().len();
    file.set_len(len - room).unwrap();
}

/// The child on a file system of 8 MiB: it is filled, emptied and used on, again and again.
pub(super) fn overfill(place: &Path, dirty_limit: u64) {
    let home = place.parent().unwrap();
    let format = super::media::format(disk_of(SECTORS));
    let existing = disklayer_sqlite::layer::Existing::Keep;
    SqliteDiskLayer::create(place, format, existing, &Options::default()).unwrap().close().unwrap();
    let ballast = home.join("ballast");
    for round in 0..6 {
        let stamp = round + 1;
        leave_room(&ballast, 1_400_000 - 200_000 * u64::from(round));
        let layer = open(place, dirty_limit).unwrap();
        let (acknowledged, flushed, error) = write_until_full(&layer, stamp, flushed_after(dirty_limit));
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
        let serves = serves_all_or_nothing(&layer, stamp, acknowledged);
        // Sometimes the room comes back while the layer is open.
        if round % 2 == 0 {
            std::fs::remove_file(&ballast).unwrap();
            assert_eq!(serves_all_or_nothing(&layer, stamp, acknowledged), serves);
        }
        let kept = if layer.close().is_ok() { acknowledged } else { flushed };
        drop(layer);
        // Sometimes it stays full: the layer opens or says why not, and closing says whether all is there.
        let more = acknowledged + COUNT..acknowledged + 25 * COUNT;
        let patient = Options { dirty_limit: 1 << 30, ..Options::default() };
        let closed = match SqliteDiskLayer::open(place, Mode::ReadWrite, &patient) {
            Ok(layer) => {
                let data = vec![0x40 | stamp; 24 * COUNT as usize * 512];
                let written = layer.write(more.start, &data, Durability::Flushed);
                written.and(layer.close())
            }
            Err(error) => Err(error),
        };
        let _ = std::fs::remove_file(&ballast);
        let layer = open(place, dirty_limit).unwrap();
        match &closed {
            Ok(()) => assert!(look(&layer, more).iter().all(|byte| *byte == Some(0x40 | stamp)), "closed, and gone"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}"),
        }
        holds_a_prefix(&layer, stamp, kept, acknowledged + COUNT);
        // Room for some.
        write(&layer, 0, 0x80 | stamp, COUNT);
        layer.close().unwrap();
        assert_eq!(look(&open(place, dirty_limit).unwrap(), 0..COUNT), vec![Some(0x80 | stamp); COUNT as usize]);
        let did = if serves { "served" } else { "refused" };
        let then = closed.map_or_else(|error| format!("{error:#}"), |()| "written to".to_owned());
        say(&format!("round {round}: {did} after {acknowledged} sectors, then {then}"));
    }
    say("used on");
}

/// A file system of its own takes rights that not everybody has; the limit above does without.
#[cfg(target_os = "linux")]
#[test]
fn rule_18_a_full_disk_loses_nothing_that_was_promised_and_is_used_on() {
    let mut rounds = 0;
    for dirty_limit in DIRTY_LIMITS {
        let home = Home::file();
        let line = "mount -t tmpfs -o size=8m none \"${DISKLAYER_TEST_PLACE%/*}\" 2>/dev/null || exit 0; exec \"$@\"";
        let mut full = Child::of(child::in_a_namespace(line, &format!("overfill {dirty_limit}"), &home.path()));
        let lines: Vec<_> = std::iter::from_fn(|| full.line()).collect();
        if lines.is_empty() || lines[0].contains("unshare") {
            println!("no file system of its own here: {lines:?}");
            return;
        }
        assert_eq!(lines.last().map(String::as_str), Some("used on"), "{lines:#?}");
        rounds += lines.len() - 1;
        println!("{lines:#?}");
    }
    assert_eq!(rounds, 18);
}
