//! Rule 19 again: any bytes at all.

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::geometry::Geometry;
use disklayer_sqlite::layer::{
    Attack, Below, Durability, Existing, Format, LayerIo, Mode, Options, Reached, SectorMarker, SqliteDiskLayer,
};

use super::media::{FORMATS, Home, disk_of, format, look, refused, write};
use super::open::{bytes_of, sound};

/// Uses a layer whose file is not what it was: errors are fine, and panics are not.
pub(super) fn is_used(layer: &SqliteDiskLayer) {
    let mut marker = SectorMarker::new(0..8);
    let _ = layer.read(0, &mut [0; 4096], &mut marker);
    let _ = layer.next_extent(0);
    let _ = layer.write(2, &[7; 1024], Durability::Fua);
    let _ = layer.unmap(0, 8, Below::Something);
    let _ = layer.flush();
    let _ = layer.close();
}

/// Opens what the bytes are: it is served, or refused with a kind that says why and every byte in its place.
fn is_served_or_refused(home: &Home, what: &str) {
    let before = bytes_of(&home.path());
    for mode in [Mode::ReadOnly, Mode::ReadWrite] {
        match home.try_open(mode) {
            Ok(layer) => is_used(&layer),
            Err(error) => {
                let kinds = [ErrorKind::NotADisk, ErrorKind::Corrupt, ErrorKind::TooNew];
                assert!(kinds.contains(&error.kind()), "{what}, {mode:?}: {error:?}");
                assert!(bytes_of(&home.path()) == before, "{what}, {mode:?}: changed what it refused: {error}");
            }
        }
    }
}

#[test]
fn rule_19_any_byte_of_a_file_may_be_another() {
    FORMATS.into_iter().for_each(any_byte_may_be_another);
}

fn any_byte_may_be_another(format: Format) {
    let sound = bytes_of(&sound(format).path())[0].clone();
    // The header in full, and samples of the rest.
    let places = (0..112).chain((112..sound.len()).step_by(197));
    let home = Home::file();
    for place in places {
        let values = [0xff, sound[place] ^ 0x10, 0, 1, 2, 0x7f];
        for value in if place < 112 { &values[..] } else { &values[..2] }.iter().copied() {
            let mut bytes = sound.clone();
            bytes[place] = value;
            remove_logs(&home);
            std::fs::write(home.path(), bytes).unwrap();
            is_served_or_refused(&home, &format!("byte {place} is {value}"));
        }
    }
}

#[test]
fn rule_19_a_file_may_end_anywhere() {
    FORMATS.into_iter().for_each(it_may_end_anywhere);
}

fn it_may_end_anywhere(format: Format) {
    let sound = bytes_of(&sound(format).path())[0].clone();
    let home = Home::file();
    let ends = (0..600).step_by(37).chain((600..sound.len()).step_by(509)).chain((4096..sound.len()).step_by(4096));
    for end in ends.chain([99, 100, 101, 511, 512, 513]) {
        remove_logs(&home);
        std::fs::write(home.path(), &sound[..end]).unwrap();
        is_served_or_refused(&home, &format!("{end} bytes"));
    }
}

pub(super) fn remove_logs(home: &Home) {
    for suffix in ["dbhd-wal", "dbhd-shm"] {
        let _ = std::fs::remove_file(home.path().with_extension(suffix));
    }
}

/// A file and a log with frames, copied while the layer was open.
fn with_log(format: Format) -> [Vec<u8>; 2] {
    let home = Home::file().of(format);
    let layer = home.create(disk_of(8));
    write(&layer, 1, 1, 3);
    layer.flush().unwrap();
    bytes_of(&super::power::copy_of(&home).path())
}

#[test]
fn rule_19_any_byte_of_a_log_may_be_another_and_it_may_end_anywhere() {
    FORMATS.into_iter().for_each(any_byte_of_a_log_may_be_another);
}

fn any_byte_of_a_log_may_be_another(format: Format) {
    let [file, log] = with_log(format);
    assert!(log.len() > 4096);
    let home = Home::file();
    let put = |log: &[u8]| {
        remove_logs(&home);
        std::fs::write(home.path(), &file).unwrap();
        std::fs::write(home.path().with_extension("dbhd-wal"), log).unwrap();
    };
    for place in (0..60).chain((60..log.len()).step_by(211)) {
        let mut bytes = log.clone();
        bytes[place] ^= 0x55;
        put(&bytes);
        is_served_or_refused(&home, &format!("byte {place} of the log"));
        put(&log[..place]);
        is_served_or_refused(&home, &format!("{place} bytes of the log"));
    }
}

/// Pages that hold sectors are overwritten, in a file too large to be looked at whole when it is opened: what they held
/// is an error or right, and never something else.
#[test]
fn rule_19_a_page_that_is_lost_is_an_error_and_never_data() {
    FORMATS.into_iter().for_each(a_lost_page_is_never_data);
}

fn a_lost_page_is_never_data(format: Format) {
    let (home, bytes) = large(format);
    let (mut served, mut errors) = (0, 0);
    for page in (1..bytes.len() / 4096).step_by(211) {
        let mut bytes = bytes.clone();
        bytes[page * 4096..][..4096].fill(0xff);
        remove_logs(&home);
        std::fs::write(home.path(), bytes).unwrap();
        let Ok(layer) = home.try_open(Mode::ReadOnly) else { continue };
        for sector in 0..160 {
            let (mut buf, mut marker) = (vec![0xee; 65536], SectorMarker::new(sector..sector + 1));
            match layer.read(sector, &mut buf, &mut marker) {
                Ok(()) => {
                    // The last page of a sector has nothing but bytes of the sector, which have no checksum.
                    let others = buf.iter().filter(|byte| ![0xff, sector as u8 + 1].contains(byte)).count();
                    assert!(marker.is_set(sector) && others == 0, "page {page}, sector {sector}: {others}");
                    served += 1;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                    errors += 1;
                }
            }
        }
    }
    assert!(served > 0 && errors > 0, "{served} served, {errors} errors");
}

/// Damage in a large file is met when it is in the way, and then a part of the change may have been made.
#[test]
fn rule_05_a_change_that_meets_damage_halfway_changes_nothing() {
    for format in FORMATS {
        let (home, bytes) = large(format);
        let mut refused = [0; 3];
        for page in (1..bytes.len() / 4096).step_by(257) {
            let mut bytes = bytes.clone();
            bytes[page * 4096..][..4096].fill(0xff);
            for (which, refused) in refused.iter_mut().enumerate() {
                remove_logs(&home);
                std::fs::write(home.path(), &bytes).unwrap();
                let Ok(layer) = home.try_open(Mode::ReadWrite) else { continue };
                let before = shown(&layer);
                let changed = match which {
                    0 => layer.write(10, &vec![0; 140 << 16], Durability::Flushed),
                    1 => layer.unmap(10, 140, Below::Something),
                    _ => layer.clear(),
                };
                let Err(error) = changed else { continue };
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{format:?}, page {page}, change {which}: {error}");
                *refused += 1;
                let layer = match layer.next_extent(0) {
                    // It cannot undo that, and says so until it is opened again.
                    Err(error) if error.kind() == ErrorKind::Failed => {
                        drop(layer);
                        home.try_open(Mode::ReadWrite).unwrap()
                    }
                    _ => layer,
                };
                // The damage may be met again where it was not in the way before.
                let mut seen = (0..).zip(shown(&layer)).zip(&before).filter(|((_, after), _)| after.is_some());
                let wrong = seen.find(|((_, after), before)| after != *before);
                assert!(wrong.is_none(), "{format:?}, page {page}, change {which} ({error}): {wrong:?}");
            }
        }
        println!("{format:?}: {refused:?} changes refused");
        assert!(refused.iter().all(|refused| *refused > 0), "{format:?}: {refused:?}");
    }
}

/// What is refused before it has changed anything costs nobody what was acknowledged and is not flushed yet.
#[test]
fn rule_05_a_change_that_meets_damage_at_once_loses_nothing_that_waits() {
    for attack in ["row-empty", "data-without-presence", "place-twice"] {
        let home = Home::file();
        let layer = home.create(disk_of(512));
        write(&layer, 0, 1, 512);
        layer.close().unwrap();
        Attack::named(attack).unwrap().strike(&home.path(), Reached::File).unwrap();
        let layer = home.open();
        write(&layer, 500, 7, 1);
        let error = layer.write(0, &[8; 512], Durability::Flushed).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{attack}: {error}");
        layer.flush().unwrap();
        assert_eq!(look(&layer, 499..502), [Some(1), Some(7), Some(1)], "{attack}");
    }
}

/// Of each sector of a large layer its first and last byte, if it is there; nothing, where that is an error.
fn shown(layer: &SqliteDiskLayer) -> Vec<Option<Option<[u8; 2]>>> {
    let shown = |sector| {
        let (mut buf, mut marker) = (vec![0xee; 65536], SectorMarker::new(sector..sector + 1));
        layer.read(sector, &mut buf, &mut marker).ok()?;
        Some(marker.is_set(sector).then(|| [buf[0], buf[65535]]))
    };
    (0..160).map(shown).collect()
}

/// A layer of 160 large sectors, each full of its number and one, closed; and its file.
pub(super) fn large(format: Format) -> (Home, Vec<u8>) {
    let home = Home::file().of(format);
    let layer = home.create(Geometry::new(160, 65536).unwrap());
    (0..160).for_each(|sector| write(&layer, sector, sector as u8 + 1, 1));
    layer.close().unwrap();
    let bytes = bytes_of(&home.path())[0].clone();
    assert!(bytes.len() > 8 << 20);
    (home, bytes)
}

/// An extent of nothing, in a file too large to be looked at whole when it is opened: its clusters are not absent.
#[test]
fn rule_19_an_extent_of_zeros_without_zeros_is_an_error_and_never_data() {
    let (home, _) = large(Format::One);
    let conn = rusqlite::Connection::open(home.path()).unwrap();
    conn.execute_batch("DELETE FROM clusters WHERE cluster = 5; INSERT INTO zeros VALUES (5, 5)").unwrap();
    conn.close().unwrap();
    for mode in [Mode::ReadOnly, Mode::ReadWrite] {
        let layer = home.try_open(mode).unwrap();
        let read = |sector| layer.read(sector, &mut [0; 65536], &mut SectorMarker::new(sector..sector + 1));
        let clusters: Vec<_> = (0..160).filter_map(|sector| read(sector).err()).collect();
        assert!(
            !clusters.is_empty() && clusters.iter().all(|error| error.kind() == ErrorKind::Corrupt),
            "{clusters:?}"
        );
        refused(layer.zeroed_until(0).and_then(|_| layer.next_extent(0)), ErrorKind::Corrupt);
    }
}

/// A page of the tree of clusters leads nowhere, or back to where it came from, in a file too large to be looked at whole:
/// who reads around SQLite goes no further than SQLite does.
#[test]
fn rule_19_a_page_that_leads_astray_is_an_error_whoever_reads() {
    let (home, sound) = large(Format::One);
    let conn = rusqlite::Connection::open(home.path()).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'clusters'";
    let root: u32 = conn.query_row(sql, [], |row| row.get(0)).unwrap();
    drop(conn);
    let start = |page: u32| (page as usize - 1) * 4096;
    // The second of the pages that the root leads to: the first and the last are looked at when the file is opened.
    let cell = usize::from(u16::from_be_bytes([sound[start(root) + 14], sound[start(root) + 15]]));
    let child = start(root) + cell;
    assert!(sound[start(root)] == 5 && cell > 0, "the root has no pages below it");
    // And pages that sectors go on in: each begins with the number of the next.
    let next = |page: &u32| u32::from_be_bytes(sound[start(*page)..][..4].try_into().unwrap());
    let overflows = (3..2000).step_by(97).filter(|page| next(page) == page + 1).map(|page| (start(page), 0));
    let mut count = 0;
    for (at, number) in [(child, root), (child, 0), (child, u32::MAX)].into_iter().chain(overflows) {
        let mut bytes = sound.clone();
        bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
        remove_logs(&home);
        std::fs::write(home.path(), bytes).unwrap();
        let [reader, writer] = [Mode::ReadOnly, Mode::ReadWrite].map(|mode| right_or_damaged(&home, mode));
        assert_eq!(reader, writer, "{number} at {at}");
        // The number of the next page is said in the map of pages too, and SQLite tries that first.
        assert_eq!(reader.is_empty(), at != child, "{number} at {at}");
        count += 1;
    }
    assert!(count > 8, "{count} pages");
}

/// The sectors of a [`large`] layer that are damaged; the others must be right.
fn right_or_damaged(home: &Home, mode: Mode) -> Vec<u64> {
    let layer = home.try_open(mode).unwrap();
    let is_damaged = |sector: &u64| {
        let (mut buf, mut marker) = (vec![0xee; 65536], SectorMarker::new(*sector..sector + 1));
        match layer.read(*sector, &mut buf, &mut marker) {
            Ok(()) => {
                assert!(marker.is_set(*sector) && buf.iter().all(|byte| *byte == *sector as u8 + 1), "sector {sector}");
                false
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                true
            }
        }
    };
    (0..160).filter(is_damaged).collect()
}

/// Who reads around SQLite has room for sixteen blocks of a cluster, which is the most that one may have.
#[test]
fn rule_08_a_row_of_more_blocks_than_a_cluster_can_have_is_damage() {
    let home = Home::file();
    let options = Options { page_size: 512, ..Options::default() };
    let layer = SqliteDiskLayer::create(home.path(), format(disk_of(64)), Existing::Keep, &options).unwrap();
    write(&layer, 0, 1, 1);
    write(&layer, 8, 2, 8);
    layer.close().unwrap();
    let conn = rusqlite::Connection::open(home.path()).unwrap();
    let longer = "UPDATE clusters SET data = CAST(data || zeroblob(16 * 508) AS BLOB) WHERE cluster = 0";
    assert_eq!(conn.execute(longer, []).unwrap(), 1);
    conn.close().unwrap();
    for mode in [Mode::ReadOnly, Mode::ReadWrite] {
        let layer = home.try_open(mode).unwrap();
        let read = |sector| layer.read(sector, &mut [0; 512], &mut SectorMarker::new(sector..sector + 1));
        refused(read(0), ErrorKind::Corrupt);
        assert_eq!(look(&layer, 8..9), [Some(2)]);
    }
}

/// Its pages are as they should be, and opening looks no further.
#[test]
fn rule_19_whoever_verifies_a_layer_hears_of_a_row_that_cannot_be_read() {
    for format in FORMATS {
        let home = Home::file().of(format);
        let layer = home.create(disk_of(200));
        write(&layer, 0, 1, 200);
        layer.verify().unwrap();
        layer.close().unwrap();
        let conn = rusqlite::Connection::open(home.path()).unwrap();
        let (sql, sector) = match format {
            Format::Original => ("UPDATE sectors SET data = zeroblob(511) WHERE sector = 70", 70),
            Format::One => ("UPDATE clusters SET data = zeroblob(7) WHERE cluster = 1", 64),
        };
        assert_eq!(conn.execute(sql, []).unwrap(), 1);
        drop(conn);
        let error = refused(home.open().verify(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(&format!("sector {sector}")), "{error}");
    }
}
