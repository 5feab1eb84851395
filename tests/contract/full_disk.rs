//! Rule 18 on disks that are really full: a small file system, and a limit on the length of files.
#![cfg_attr(not(unix), allow(dead_code))]

use std::path::Path;

use disklayer_sqlite::error::{Error, ErrorKind};
use disklayer_sqlite::layer::{Durability, LayerIo, Mode, Options, SectorMarker, SqliteDiskLayer};

use super::child::{self, Child, say};
use super::media::{Home, disk_of, look, refused, write};

/// Sectors of the disk, which no place below has room for, and of a request.
const SECTORS: u64 = 1 << 16;
const COUNT: u64 = 64;
/// Every so many requests there is a flush.
const FLUSHED: u64 = 7;

fn open(place: &Path, dirty_limit: u64) -> SqliteDiskLayer {
    SqliteDiskLayer::open(place, Mode::ReadWrite, &Options { dirty_limit, ..Options::default() }).unwrap()
}

/// Writes until it cannot go on: the sectors acknowledged, those of them flushed, and the error that told.
fn write_until_full(layer: &dyn LayerIo, stamp: u8) -> (u64, u64, Error) {
    let mut flushed = 0;
    for sector in (0..SECTORS).step_by(COUNT as usize) {
        let data = vec![stamp; COUNT as usize * 512];
        if let Err(error) = layer.write(sector, &data, Durability::Flushed) {
            return (sector, flushed, error);
        }
        if (sector / COUNT + 1).is_multiple_of(FLUSHED) {
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

/// The child whose files may not grow beyond a limit: it fills the layer and says what it was told.
pub(super) fn fill(place: &Path, dirty_limit: u64) {
    let layer = open(place, dirty_limit);
    let (acknowledged, flushed, error) = write_until_full(&layer, 1);
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
    // In 512 bytes: the log is the first to reach the one, and the database, at a checkpoint, the other.
    for blocks in [512, 10_000] {
        for dirty_limit in [0, 100_000, 1 << 30] {
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

/// The child on a file system of 4 MiB: it is filled, emptied and used on, again and again.
pub(super) fn overfill(place: &Path, dirty_limit: u64) {
    let home = place.parent().unwrap();
    let format = super::media::format(disk_of(SECTORS));
    let existing = disklayer_sqlite::layer::Existing::Keep;
    SqliteDiskLayer::create(place, format, existing, &Options::default()).unwrap().close().unwrap();
    let ballast = home.join("ballast");
    for round in 0..6 {
        let stamp = round + 1;
        std::fs::write(&ballast, vec![0xff; 2_600_000 - 300_000 * usize::from(round)]).unwrap();
        let layer = open(place, dirty_limit);
        let (acknowledged, flushed, error) = write_until_full(&layer, stamp);
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
        let serves = serves_all_or_nothing(&layer, stamp, acknowledged);
        // Sometimes the room comes back while the layer is open.
        if round % 2 == 0 {
            std::fs::remove_file(&ballast).unwrap();
            assert_eq!(serves_all_or_nothing(&layer, stamp, acknowledged), serves);
        }
        let kept = if layer.close().is_ok() { acknowledged } else { flushed };
        drop(layer);
        let _ = std::fs::remove_file(&ballast);
        let layer = open(place, dirty_limit);
        holds_a_prefix(&layer, stamp, kept, acknowledged + COUNT);
        // Room for some.
        write(&layer, 0, 0x80 | stamp, COUNT);
        layer.close().unwrap();
        assert_eq!(look(&open(place, dirty_limit), 0..COUNT), vec![Some(0x80 | stamp); COUNT as usize]);
        say(&format!("round {round}: {} after {acknowledged}", if serves { "served" } else { "refused" }));
    }
    say("used on");
}

/// A file system of its own takes rights that not everybody has; the limit above does without.
#[cfg(target_os = "linux")]
#[test]
fn rule_18_a_full_disk_loses_nothing_that_was_promised_and_is_used_on() {
    let mut rounds = 0;
    for dirty_limit in [0, 100_000, 1 << 30] {
        let home = Home::file();
        let line = "mount -t tmpfs -o size=4m none \"${DISKLAYER_TEST_PLACE%/*}\" 2>/dev/null || exit 0; exec \"$@\"";
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
