//! Rules 6 and 24: space that nothing lies on is given back, and an unmap takes room for extents only.

use std::sync::Arc;

use disklayer_sqlite::geometry::Geometry;
use disklayer_sqlite::layer::{Below, Durability, Existing, LayerIo, Mode, Options, SectorMarker, SqliteDiskLayer};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::media::{Home, disk_of, format, full_ram, look, show, stack, write};

const MIB: u64 = (1 << 20) / 512;

fn len(home: &Home) -> u64 {
    std::fs::metadata(home.path()).unwrap().len()
}

/// A layer of 64 MiB, all written and flushed.
fn full(home: &Home) -> SqliteDiskLayer {
    full_of(home, 64)
}

fn full_of(home: &Home, mib: u64) -> SqliteDiskLayer {
    let layer = home.create(disk_of(mib * MIB));
    for start in (0..mib * MIB).step_by(MIB as usize) {
        write(&layer, start, 1, MIB);
    }
    layer.flush().unwrap();
    layer
}

/// SQLite's `auto_vacuum` of a file that nobody has open: 1 is with every commit, 2 is by parts.
fn mode(home: &Home) -> i64 {
    Connection::open(home.path()).unwrap().query_row("PRAGMA auto_vacuum", [], |row| row.get(0)).unwrap()
}

#[test]
fn rule_24_a_file_whose_sectors_were_all_unmapped_is_small_again() {
    for below in [Below::Nothing, Below::Something] {
        let home = Home::file();
        let layer = full(&home);
        layer.close().unwrap();
        let before = len(&home);
        let layer = home.open();
        layer.unmap(0, 64 * MIB, below).unwrap();
        layer.flush().unwrap();
        layer.close().unwrap();
        let after = len(&home);
        assert!(after < before / 20, "{after} of {before} bytes are left");
        let byte = if below == Below::Something { Some(0) } else { None };
        let layer = home.open();
        layer.verify().unwrap();
        assert_eq!((look(&layer, 0..1), look(&layer, 64 * MIB - 1..64 * MIB)), (vec![byte], vec![byte]));
    }
}

/// One by one so many pages are never given back: each would be looked for in the list of all.
#[test]
fn rule_24_a_file_whose_sectors_were_all_unmapped_is_small_again_however_long_it_was() {
    let home = Home::file();
    let layer = full_of(&home, 192);
    let before = len(&home);
    for place in 0..192 {
        layer.unmap(place * 79 % 192 * MIB, MIB, Below::Nothing).unwrap();
    }
    layer.close().unwrap();
    let after = len(&home);
    assert!(after < before / 20, "{after} of {before} bytes are left");
    assert_eq!(mode(&home), 2);
    home.open().verify().unwrap();
}

#[test]
fn rule_24_who_was_killed_while_all_was_given_back_leaves_a_file_that_gives_back_by_parts_again() {
    for leaves_log in [false, true] {
        let home = Home::file();
        full(&home).close().unwrap();
        let stranger = Connection::open(home.path()).unwrap();
        stranger.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, leaves_log).unwrap();
        stranger.execute_batch("PRAGMA auto_vacuum=FULL").unwrap();
        stranger.close().unwrap();
        assert_eq!(home.path().with_extension("dbhd-wal").exists(), leaves_log);
        let layer = home.open();
        layer.unmap(0, 32 * MIB, Below::Nothing).unwrap();
        let before = len(&home);
        layer.flush().unwrap();
        assert!(len(&home) > before / 2, "one flush took {} bytes of {before}", before - len(&home));
        layer.verify().unwrap();
        assert_eq!(look(&layer, 32 * MIB..32 * MIB + 1), [Some(1)]);
        layer.close().unwrap();
        assert_eq!(mode(&home), 2);
    }
}

/// What is left lies at the end of the file, and is moved; where it was has been known.
#[test]
fn rule_24_space_before_what_is_left_is_given_back_and_nothing_else() {
    let home = Home::file();
    full(&home).close().unwrap();
    let layer = home.open();
    let left = 60 * MIB..64 * MIB;
    let is_there = |layer: &SqliteDiskLayer| look(layer, left.clone()).iter().all(|byte| *byte == Some(1));
    assert!(is_there(&layer));
    layer.unmap(0, 60 * MIB, Below::Nothing).unwrap();
    for _ in 0..20 {
        layer.flush().unwrap();
        assert!(is_there(&layer));
    }
    // On the pages that it lay on before.
    for start in (0..60 * MIB).step_by(MIB as usize) {
        write(&layer, start, 2, MIB);
    }
    layer.flush().unwrap();
    assert!(is_there(&layer));
    layer.unmap(0, 60 * MIB, Below::Nothing).unwrap();
    layer.close().unwrap();
    let after = len(&home);
    assert!(after < 6 << 20, "{after} bytes are left of 4 MiB");
    let layer = home.open();
    layer.verify().unwrap();
    assert!(is_there(&layer));
    assert_eq!(layer.next_extent(0).unwrap().unwrap().start, 60 * MIB);
}

/// One flush does not do all of it, however much there is.
#[test]
fn rule_24_a_flush_gives_back_a_bounded_part() {
    let home = Home::file();
    let layer = full(&home);
    let before = len(&home);
    layer.unmap(0, 64 * MIB, Below::Nothing).unwrap();
    layer.flush().unwrap();
    assert!(len(&home) > before / 2, "one flush took {} bytes of {before}", before - len(&home));
    layer.close().unwrap();
    assert!(len(&home) < before / 20);
}

#[test]
fn rule_24_flushes_that_have_nothing_to_write_go_on_giving_back() {
    let home = Home::file();
    let layer = full(&home);
    layer.unmap(0, 64 * MIB, Below::Nothing).unwrap();
    // As a killed process would leave it.
    let pages = || -> i64 {
        let copy = super::power::copy_of(&home);
        Connection::open(copy.path()).unwrap().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap()
    };
    let mut last = pages();
    for flush in 0..20 {
        layer.flush().unwrap();
        let now = pages();
        assert!(now < last, "flush {flush} left {now} pages of {last}");
        last = now;
    }
}

#[test]
fn rule_06_unmapping_all_of_a_huge_disk_takes_no_room() {
    let home = Home::file();
    let disk = disk_of((1 << 40) / 512);
    let layer = home.create(disk);
    write(&layer, 5, 1, 100);
    layer.flush().unwrap();
    layer.close().unwrap();
    let before = len(&home);
    let layer: Arc<dyn LayerIo> = Arc::new(home.open());
    layer.unmap(0, disk.sector_count(), Below::Something).unwrap();
    layer.flush().unwrap();
    let over = stack(&[layer.clone(), full_ram(disk_of(200), 9)]);
    assert_eq!(show(&over, 0..200), [0; 200]);
    layer.close().unwrap();
    assert!(len(&home) < before + 100 * 1024, "{} bytes, and {before} before", len(&home));
    assert_eq!(home.open().next_extent(0).unwrap(), Some(0..disk.sector_count()));
}

#[test]
fn rule_01_the_largest_disks_are_made_and_their_ends_are_used() {
    for (len, sector_size) in [(16 << 40, 512), (i64::MAX as u64, 512), (i64::MAX as u64, 65536)] {
        let count = len / u64::from(sector_size);
        let geometry = Geometry::new(count, sector_size).unwrap();
        let home = Home::file();
        let options = Options::default();
        let layer = SqliteDiskLayer::create(home.path(), format(geometry), Existing::Keep, &options).unwrap();
        let last = vec![3; sector_size as usize];
        layer.write(count - 1, &last, Durability::Fua).unwrap();
        layer.unmap(0, count - 2, Below::Something).unwrap();
        layer.close().unwrap();
        let layer = home.try_open(Mode::ReadOnly).unwrap();
        let mut buf = vec![9; 2 * sector_size as usize];
        let mut marker = SectorMarker::new(count - 2..count);
        layer.read(count - 2, &mut buf, &mut marker).unwrap();
        assert!(!marker.is_set(count - 2) && marker.is_set(count - 1));
        assert!(buf[sector_size as usize..] == last);
        assert_eq!(layer.next_extent(0).unwrap().unwrap().start, 0);
        let size = std::fs::metadata(home.path()).unwrap().len();
        assert!(size < 1 << 20, "a disk of {len} bytes with one sector takes {size}");
    }
}
