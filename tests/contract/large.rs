//! Files that are too large to be looked at whole when they are opened: damage is met later, where it is in the way.

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{Below, Durability, Format, LayerIo, Mode, Options, SectorMarker, check};
use rusqlite::Connection;

use super::damage::{is_used, remove_logs};
use super::media::{FORMATS, Home, disk_of, look, write};
use super::open::bytes_of;

/// A file of 600 clusters of 64 sectors, too large to be looked at whole; the first cluster has two blocks of `A`s.
fn of_many_clusters(format: Format) -> (Home, Vec<u8>) {
    let home = Home::file().of(format);
    let layer = home.create(disk_of(1 << 16));
    write(&layer, 0, b'A', 16);
    (1..600).for_each(|cluster| write(&layer, cluster * 64, 9, 64));
    layer.close().unwrap();
    let bytes = bytes_of(&home.path())[0].clone();
    assert!(bytes.len() > 8 << 20);
    (home, bytes)
}

/// A row that gets longer is read and written anew. That it cannot be read is found by the write that wants this, before it
/// is acknowledged: nothing else that waits is lost.
#[test]
fn rule_05_a_row_that_cannot_be_moved_is_in_the_way_at_once() {
    let (home, mut bytes) = of_many_clusters(Format::One);
    let is_full = |page: &usize| bytes[page * 4096 + 10..][..4000].iter().all(|byte| *byte == b'A');
    // The first of the two pages that the row goes on in leads nowhere.
    let page = (0..bytes.len() / 4096).find(is_full).unwrap();
    bytes[page * 4096..][..4].fill(0);
    for (sector, byte) in [(24, 5), (8, 0)] {
        std::fs::write(home.path(), &bytes).unwrap();
        let layer = home.open();
        write(&layer, 6403, 7, 1);
        let error = layer.write(sector, &vec![byte; 8 * 512], Durability::Flushed).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        // What lies in the room that the row has does not move it.
        write(&layer, 3, 8, 1);
        layer.flush().unwrap();
        assert_eq!([3, 6403].map(|sector| look(&layer, sector..sector + 1)[0]), [Some(8), Some(7)]);
        layer.close().unwrap();
        remove_logs(&home);
    }
}

/// How many bytes a number of SQLite's has.
fn len_of_number(bytes: &[u8]) -> usize {
    bytes.iter().take(8).position(|byte| byte & 0x80 == 0).map_or(9, |last| last + 1)
}

/// SQLite goes to the first row that is asked for and takes what follows, whatever its number is.
#[test]
fn rule_19_rows_out_of_order_are_an_error_and_never_data() {
    for format in FORMATS {
        let (home, mut bytes) = of_many_clusters(format);
        // In each leaf a row in the middle gets the number 1.
        let mut changed = 0;
        for start in (2 * 4096..bytes.len()).step_by(4096) {
            let number = |at: usize| usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
            let (kind, count) = (bytes[start], number(start + 3));
            let cell = start + number(start + 8 + count / 2 * 2);
            if kind != 13 || !(3..200).contains(&count) || cell < start + 16 || cell > start + 4080 {
                continue;
            }
            let at = cell + len_of_number(&bytes[cell..]);
            if len_of_number(&bytes[at..]) == 2 {
                bytes[at..at + 2].copy_from_slice(&[0x80, 1]);
                changed += 1;
            }
        }
        assert!(changed > 10, "{changed} rows");
        let mut refusals = 0;
        for mode in [Mode::ReadOnly, Mode::ReadWrite] {
            remove_logs(&home);
            std::fs::write(home.path(), &bytes).unwrap();
            let Ok(layer) = home.try_open(mode) else { continue };
            for sector in (0..38000).step_by(640) {
                let (mut buf, mut marker) = (vec![0xee; 640 * 512], SectorMarker::new(sector..sector + 640));
                if let Err(error) = layer.read(sector, &mut buf, &mut marker) {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{format:?}, {mode:?}: {error}");
                    refusals += 1;
                }
            }
            if mode == Mode::ReadWrite {
                is_used(&layer);
            }
        }
        assert!(refusals > 0, "{format:?}: rows out of order were not met");
    }
}

/// Rows take SQLite time, and opening is given only so much: what is ours is not refused for having many.
#[test]
fn rule_22_a_file_of_very_many_rows_opens() {
    for format in FORMATS {
        let home = Home::file().of(format);
        let layer = home.create(disk_of(1 << 30));
        layer.unmap(0, 600_000, Below::Something).unwrap();
        layer.close().unwrap();
        if format == Format::One {
            let extents = "WITH RECURSIVE n(i) AS (SELECT 1000000 UNION ALL SELECT i + 2 FROM n LIMIT 400000) \
                           INSERT INTO zeros SELECT i, i + 1 FROM n";
            Connection::open(home.path()).unwrap().execute_batch(extents).unwrap();
        }
        assert!(std::fs::metadata(home.path()).unwrap().len() < 8 << 20, "{format:?}");
        for mode in [Mode::ReadOnly, Mode::ReadWrite] {
            let layer = home.try_open(mode).unwrap_or_else(|e| panic!("{format:?}, {mode:?}: {e}"));
            assert_eq!(look(&layer, 599_990..599_999), [Some(0); 9], "{format:?}");
            layer.close().unwrap();
        }
        assert!(check(&home.path(), &Options::default()).unwrap().is_whole(), "{format:?}");
    }
}
