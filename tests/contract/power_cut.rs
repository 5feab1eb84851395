//! Rules 15, 16 and 20 on a simulated drive: the power is cut at every moment, and of what was not synced anything may be
//! lost.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use disklayer_sqlite::drive::{Drive, Image, Record};
use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{
    Durability, Existing, FileDisk, Format, FormatParams, LayerIo, Mode, Options, SqliteDiskLayer,
};
use disklayer_sqlite::strike::Lost;

use super::media::{disk_of, look, write};

const FORMAT: FormatParams = FormatParams { logically_read_only: false, len: 16 * 512, sector_size: 512 };
const SMALLER: FormatParams = FormatParams { logically_read_only: false, len: 4 * 512, sector_size: 512 };

fn on(drive: &Drive) -> Options {
    Options { file_system: Arc::new(drive.clone()), ..Options::default() }
}

fn create(drive: &Drive, format: FormatParams, existing: Existing) -> SqliteDiskLayer {
    create_as(Format::default(), drive, format, existing)
}

fn create_as(stored: Format, drive: &Drive, format: FormatParams, existing: Existing) -> SqliteDiskLayer {
    let options = Options { format: stored, ..on(drive) };
    SqliteDiskLayer::create(drive.path("a.dbhd"), format, existing, &options).unwrap()
}

fn open(drive: &Drive) -> disklayer_sqlite::error::Result<SqliteDiskLayer> {
    SqliteDiskLayer::open(drive.path("a.dbhd"), Mode::ReadWrite, &on(drive))
}

/// What may be lost when there are so many units: nothing, all, one, all but one, from one on, and many mixtures.
pub(super) fn losses(units: u32) -> impl Iterator<Item = Lost> {
    let one = (1..=units).map(|unit| Lost::These(vec![unit]));
    let but_one = (1..=units).map(move |kept| Lost::These((1..=units).filter(|unit| *unit != kept).collect()));
    let from = (1..=units).map(move |first| Lost::These((first..=units).collect()));
    let mixed = (0..if units > 1 { 20 } else { 0 }).map(Lost::Some);
    [Lost::Nothing, Lost::Everything].into_iter().chain(one).chain(but_one).chain(from).chain(mixed)
}

/// Cuts the power at every moment of a record; each state of the drive is shown once, with the number of changes that
/// had been made.
fn every_cut(record: &Record, mut see: impl FnMut(usize, &Image, &Lost)) -> usize {
    let mut seen = HashSet::new();
    for moment in record.moments() {
        for lost in losses(moment.units()) {
            let image = moment.cut(&lost);
            let mut hash = DefaultHasher::new();
            (image.clone(), moment.done == record.len()).hash(&mut hash);
            if seen.insert(hash.finish()) {
                see(moment.done, &image, &lost);
            }
        }
    }
    seen.len()
}

#[test]
fn rule_15_what_was_flushed_survives_when_everything_else_is_lost() {
    let drive = Drive::new();
    let layer = create(&drive, FORMAT, Existing::Keep);
    write(&layer, 0, 1, 4);
    layer.flush().unwrap();
    write(&layer, 2, 2, 4);
    drive.cut();
    drop(layer);
    drive.power_on(&Lost::Everything);
    let sectors = look(&open(&drive).unwrap(), 0..8);
    assert_eq!(sectors, [Some(1), Some(1), Some(1), Some(1), None, None, None, None]);
}

#[test]
fn rule_15_a_fua_write_survives_with_everything_before_it() {
    let drive = Drive::new();
    let layer = create(&drive, FORMAT, Existing::Keep);
    write(&layer, 0, 1, 1);
    layer.write(1, &[2; 512], Durability::Fua).unwrap();
    drive.cut();
    drop(layer);
    drive.power_on(&Lost::Everything);
    assert_eq!(look(&open(&drive).unwrap(), 0..3), [Some(1), Some(2), None]);
}

#[test]
fn rule_15_what_a_raw_file_holds_is_durable_once_it_is_closed() {
    let drive = Drive::new();
    let path = drive.path("raw");
    let disk = FileDisk::create_in(&drive, &path, disk_of(4)).unwrap();
    write(&disk, 0, 1, 2);
    disk.flush().unwrap();
    write(&disk, 2, 2, 2);
    disk.close().unwrap();
    drive.cut();
    drop(disk);
    drive.power_on(&Lost::Everything);
    let disk = FileDisk::open_in(&drive, &path, 512, Mode::ReadOnly).unwrap();
    assert_eq!(look(&disk, 0..4), [Some(1), Some(1), Some(2), Some(2)]);
}

#[test]
fn rule_20_a_new_file_whose_making_is_cut_is_absent_or_whole() {
    let mut states = 0;
    for stored in [Format::Original, Format::One] {
        let drive = Drive::new();
        drive.record();
        create_as(stored, &drive, FORMAT, Existing::Keep).close().unwrap();
        let record = drive.take_record();
        states += every_cut(&record, |done, image, lost| {
            drive.restore(image);
            match open(&drive) {
                Ok(layer) => assert_eq!(look(&layer, 0..16), [None; 16]),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::NotFound, "after {done} changes, {lost:?} lost: {error}");
                    assert_ne!(done, record.len(), "the finished file is lost: {lost:?}");
                }
            }
        });
    }
    assert!(states > 50, "{states} states");
}

#[test]
fn rule_20_a_file_whose_replacement_is_cut_is_the_old_one_or_the_new_one() {
    for old in [Old::Closed, Old::OfTheDead] {
        let states: usize = [Format::Original, Format::One].map(|stored| replacement_cut(stored, old)).iter().sum();
        assert!(states > 50, "{states} states");
    }
}

/// How the file was left that is replaced.
#[derive(Clone, Copy)]
enum Old {
    Closed,
    /// What was flushed lies in its log.
    OfTheDead,
}

fn replacement_cut(stored: Format, old: Old) -> usize {
    let drive = Drive::new();
    let layer = create_as(stored, &drive, FORMAT, Existing::Keep);
    write(&layer, 0, 7, 16);
    layer.flush().unwrap();
    match old {
        Old::Closed => layer.close().unwrap(),
        Old::OfTheDead => {
            drive.cut();
            drop(layer);
            drive.power_on(&Lost::Nothing);
        }
    }
    drive.record();
    create_as(stored, &drive, SMALLER, Existing::Replace).close().unwrap();
    let record = drive.take_record();
    every_cut(&record, |done, image, lost| {
        drive.restore(image);
        let layer = open(&drive).unwrap_or_else(|e| panic!("after {done} changes, {lost:?} lost: {e}"));
        match layer.metadata().geometry.sector_count() {
            4 => assert_eq!(look(&layer, 0..4), [None; 4], "after {done} changes, {lost:?} lost"),
            _ => {
                assert_eq!(look(&layer, 0..16), [Some(7); 16], "after {done} changes, {lost:?} lost");
                assert_ne!(done, record.len(), "the finished replacement is lost: {lost:?}");
            }
        }
    })
}

#[test]
fn a_drive_that_loses_nothing_has_what_was_there() {
    let drive = Drive::new();
    let layer = create(&drive, FORMAT, Existing::Keep);
    layer.close().unwrap();
    let layer = open(&drive).unwrap();
    write(&layer, 0, 1, 1);
    let before = drive.image();
    drive.cut();
    drop(layer);
    drive.power_on(&Lost::Nothing);
    let after = drive.image();
    assert_eq!(before.names().collect::<Vec<_>>(), after.names().collect::<Vec<_>>());
    for name in before.names() {
        assert!(
            before.bytes(name) == after.bytes(name),
            "{name}: {:?} {:?}",
            before.bytes(name).map(<[u8]>::len),
            after.bytes(name).map(<[u8]>::len)
        );
    }
}
