//! Rules 19, 20 and 22 of a file that is damaged: what is wrong with it is found and named, and the rest got out of it.
#![allow(clippy::single_range_in_vec_init, reason = "ranges are what is lost, and often one")]

use std::sync::Arc;

use disklayer_sqlite::drive::{Drive, Struck};
use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{
    Access, Below, Checkup, Existing, Format, FormatParams, LayerIo, Mode, Options, SqliteDiskLayer, check, salvage,
};
use disklayer_sqlite::strike::{Failure, Span, Strike};
use rusqlite::Connection;

use super::media::{FORMATS, Home, disk_of, format, look, refused, write};
use super::open::bytes_of;

/// Small pages, so that there are many.
const PAGE: usize = 512;

/// A closed layer of 200 sectors: each third is absent, 7 is zeros, any other is full of its number and one.
fn layer(stored: Format) -> Home {
    let home = Home::file();
    let options = Options { format: stored, page_size: PAGE as u32, ..Options::default() };
    let layer = SqliteDiskLayer::create(home.path(), format(disk_of(200)), Existing::Keep, &options).unwrap();
    for sector in (0..200).filter(|sector| sector % 3 != 2) {
        write(&layer, sector, if sector == 7 { 0 } else { sector as u8 + 1 }, 1);
    }
    layer.close().unwrap();
    home
}

fn harm(home: &Home, sql: &str) {
    Connection::open(home.path()).unwrap().execute_batch(sql).unwrap();
}

fn checked(home: &Home) -> Checkup {
    check(&home.path(), &Options::default()).unwrap()
}

/// What could be got out of a file, and where nothing could.
fn salvaged(home: &Home) -> (Home, Vec<std::ops::Range<u64>>) {
    let to = Home::file();
    let salvaged = salvage(&home.path(), &to.path(), &Options::default()).unwrap();
    assert!(checked(&to).is_whole());
    assert_eq!(checked(&to).present, salvaged.sectors);
    (to, salvaged.lost)
}

fn held(home: &Home) -> Vec<Option<u8>> {
    look(&home.try_open(Mode::ReadOnly).unwrap(), 0..200)
}

#[test]
fn rule_19_a_whole_file_is_found_whole_and_stays_as_it_is() {
    for stored in FORMATS {
        let home = layer(stored);
        let (before, identity) = (bytes_of(&home.path()), home.try_open(Mode::ReadOnly).unwrap().metadata().identity);
        let found = checked(&home);
        assert!(found.is_whole(), "{found:?}");
        assert_eq!((found.geometry, found.present), (Some(disk_of(200)), 134));
        assert_eq!((found.identity, found.parent), (identity, None));
        assert!(bytes_of(&home.path()) == before);
    }
}

#[test]
fn rule_22_what_is_salvaged_keeps_its_format_and_a_layer_that_lost_nothing_its_identity() {
    for stored in FORMATS {
        let home = layer(stored);
        let (before, sectors) = (checked(&home).identity, held(&home));
        harm(&home, "CREATE TABLE extra(x)");
        harm(&home, "UPDATE meta SET metadata = json_set(metadata, '$.logically_read_only', json('true'))");
        let found = checked(&home);
        assert!(found.refusal.as_ref().unwrap().to_string().contains("extra does not belong"), "{found:?}");
        assert_eq!((found.present, found.damaged.len(), found.misfits.len()), (134, 0, 0));
        let (to, lost) = salvaged(&home);
        assert_eq!((held(&to), checked(&to).identity, lost.len()), (sectors, before, 0));
        assert_eq!(to.open().metadata().access, Access::LogicallyReadOnly);
        let number = |home: &Home, sql| -> i64 {
            Connection::open(home.path()).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
        };
        for sql in ["PRAGMA user_version", "PRAGMA page_size"] {
            assert_eq!(number(&to, sql), number(&home, sql), "{sql}");
        }
        refused(salvage(&home.path(), &to.path(), &Options::default()), ErrorKind::AlreadyExists);
        // Whatever new files are to have.
        for format in FORMATS {
            let (to, options) = (Home::file(), Options { format, ..Options::default() });
            salvage(&home.path(), &to.path(), &options).unwrap();
            assert_eq!(number(&to, "PRAGMA user_version"), number(&home, "PRAGMA user_version"));
        }
    }
}

#[test]
fn rule_19_rows_that_are_damaged_are_named_and_the_others_are_salvaged_as_another_state() {
    let cases = [
        (Format::Original, "UPDATE sectors SET data = x'01' WHERE sector IN (3, 4, 9)", vec![3..5, 9..10]),
        (Format::Original, "UPDATE sectors SET data = 5 WHERE sector = 7", vec![7..8]),
        (Format::One, "UPDATE clusters SET data = zeroblob(95) WHERE cluster = 1", vec![8..16]),
        (Format::One, "UPDATE clusters SET data = 'text' WHERE cluster IN (1, 2, 24)", vec![8..24, 192..200]),
        // Its head has bytes of sectors that it has not.
        (
            Format::One,
            "UPDATE clusters SET data = CAST(substr(data, 1, 8) || x'ff' || substr(data, 10) AS BLOB) WHERE cluster = 3",
            vec![24..32],
        ),
    ];
    for (stored, sql, damage) in cases {
        let home = layer(stored);
        let (before, mut sectors) = (checked(&home).identity.unwrap(), held(&home));
        harm(&home, sql);
        let found = checked(&home);
        assert!(!found.is_whole() && found.damaged == damage, "{sql}: {found:?}");
        let (to, lost) = salvaged(&home);
        damage.iter().cloned().flatten().for_each(|sector| sectors[sector as usize] = None);
        assert_eq!((held(&to), lost), (sectors, damage));
        let after = checked(&to).identity.unwrap();
        assert!(after.uuid == before.uuid && after.generation != before.generation);
    }
}

/// Of an extent that cannot be read nobody knows where it ended, but it did before the next one.
#[test]
fn rule_19_extents_of_zeros_are_salvaged_as_extents() {
    let home = Home::file();
    let options = Options { page_size: 512, ..Options::default() };
    let format = FormatParams { logically_read_only: false, len: 1 << 50, sector_size: 512 };
    let layer = SqliteDiskLayer::create(home.path(), format, Existing::Keep, &options).unwrap();
    layer.unmap(100, (1 << 40) - 4, Below::Something).unwrap();
    [3, 17, 1 << 30].into_iter().for_each(|sector| write(&layer, sector, 7, 1));
    layer.close().unwrap();
    assert!(checked(&home).is_whole());
    harm(&home, "UPDATE zeros SET stop = 5 WHERE start > 1000");
    let behind = (1_u64 << 30) + 8;
    let damage = vec![behind..1 << 41];
    assert_eq!(checked(&home).damaged, damage);
    let (to, lost) = salvaged(&home);
    assert_eq!(lost, damage);
    let layer = to.try_open(Mode::ReadOnly).unwrap();
    let extents = std::iter::successors(layer.next_extent(0).unwrap(), |last| layer.next_extent(last.end).unwrap());
    assert_eq!(extents.collect::<Vec<_>>(), [3..4, 17..18, 100..behind]);
}

/// Each page of rows in turn is lost: what lay on the others comes back, and what did not is named.
#[test]
fn rule_19_what_lies_behind_a_lost_page_is_salvaged() {
    for stored in FORMATS {
        let home = layer(stored);
        let (all, sound) = (held(&home), bytes_of(&home.path())[0].clone());
        let size = if stored == Format::Original { 4096 } else { PAGE };
        // Pages of rows; others have nothing but bytes of sectors, which have no checksum. A page has so few rows.
        let is_of_rows = |page: &usize| [0x05, 0x0d].contains(&sound[page * size]);
        let (most, step) = if stored == Format::Original { (8, 5) } else { (5 * 8, 1) };
        let mut salvages = 0;
        for page in (1..sound.len() / size).filter(is_of_rows).step_by(step) {
            let mut bytes = sound.clone();
            bytes[page * size..][..size].fill(0xff);
            std::fs::write(home.path(), bytes).unwrap();
            let found = checked(&home);
            assert!(!found.is_whole(), "page {page}");
            // Without metadata nobody knows how many sectors there were.
            assert_eq!(found.misfits.is_empty(), found.geometry.is_none(), "page {page}: {found:?}");
            let to = Home::file();
            let Ok(salvaged) = salvage(&home.path(), &to.path(), &Options::default()) else { continue };
            assert_eq!((&salvaged.lost, salvaged.sectors), (&found.damaged, found.present));
            let mut kept = 0;
            for (sector, (got, was)) in (0..).zip(held(&to).into_iter().zip(&all)) {
                let is_lost = salvaged.lost.iter().any(|lost| lost.contains(&sector));
                assert!(got == *was || got.is_none() && is_lost, "page {page}, sector {sector}");
                kept += usize::from(got.is_some());
            }
            salvages += usize::from(kept + most > 134 && !salvaged.lost.is_empty());
        }
        assert!(salvages > 1, "{salvages} pages of sectors");
    }
}

#[test]
fn rule_08_what_cannot_be_salvaged_is_told_of_the_format_that_the_file_says_it_has() {
    let told = |home: &Home| {
        let to = home.directory().join("salvaged.dbhd");
        let error = refused(salvage(&home.path(), &to, &Options::default()), ErrorKind::Corrupt);
        assert!(!to.exists() && checked(home).refusal.is_some());
        error.to_string()
    };
    let home = layer(Format::One);
    harm(&home, "ALTER TABLE clusters RENAME COLUMN data TO content");
    assert!(told(&home).contains("content of table clusters"), "{}", told(&home));
    let home = layer(Format::Original);
    harm(&home, "ALTER TABLE sectors RENAME COLUMN data TO content");
    assert!(told(&home).contains("content of table sectors"), "{}", told(&home));
    // Where nothing says what is there.
    let home = layer(Format::One);
    harm(&home, "DELETE FROM meta");
    assert!(told(&home).contains("meta has no row"), "{}", told(&home));
    let letter = home.directory().join("letter");
    std::fs::write(&letter, "This is a letter to a friend, and no disk.").unwrap();
    assert_eq!(check(&letter, &Options::default()).unwrap().refusal.unwrap().kind(), ErrorKind::NotADisk);
    refused(check(&home.directory().join("nowhere"), &Options::default()), ErrorKind::NotFound);
    let whole = layer(Format::One);
    let _owner = whole.open();
    refused(check(&whole.path(), &Options::default()), ErrorKind::Busy);
}

/// A drive that fails says nothing of the file; only what is missing of it does, as if it had been cut short.
#[test]
fn rule_19_a_drive_that_fails_under_a_check_is_not_taken_for_damage() {
    let mut strikes = 0;
    for stored in FORMATS {
        let drive = Drive::new();
        let (path, to) = (drive.path("a.dbhd"), drive.path("b.dbhd"));
        let files = Arc::new(drive.clone());
        let options = Options { format: stored, page_size: PAGE as u32, file_system: files, ..Options::default() };
        let layer = SqliteDiskLayer::create(path.clone(), format(disk_of(200)), Existing::Keep, &options).unwrap();
        write(&layer, 0, 1, 134);
        layer.close().unwrap();
        let image = drive.image();
        for (_, failure) in Failure::ALL.into_iter().filter(|(_, failure)| *failure != Failure::Short) {
            for call in 1.. {
                let strike = Strike::Fail { call, span: Span::One, failure };
                drive.restore(&image);
                drive.arm(&strike);
                let found = check(&path, &options);
                let checked = drive.disarm();
                assert!(found.iter().all(|found| found.is_whole() && found.present == 134), "{strike:?}: {found:?}");
                drive.restore(&image);
                drive.arm(&strike);
                let got = salvage(&path, &to, &options);
                let salvaged = drive.disarm();
                assert!(got.iter().all(|got| got.lost.is_empty() && got.sectors == 134), "{strike:?}: {got:?}");
                if checked == Struck::No && salvaged == Struck::No {
                    break;
                }
                strikes += 1;
            }
        }
    }
    assert!(strikes > 100, "{strikes} strikes");
}
