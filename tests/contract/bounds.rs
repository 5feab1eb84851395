//! Rule 24: what stays small, however long a disk is used.

use std::path::Path;

use disklayer_sqlite::layer::{Below, LayerIo, Mode, Options};

use super::media::{Home, disk_of, full_ram, look, ram, stack, write};

const MIB: u64 = 1 << 20;

fn log_len(home: &Home) -> u64 {
    let log = home.path().with_extension("dbhd-wal");
    std::fs::metadata(log).map_or(0, |info| info.len())
}

/// The descriptors of this process for files in a directory; other tests have theirs elsewhere.
#[cfg(target_os = "linux")]
fn descriptors(directory: &Path) -> usize {
    let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    links.filter(|link| std::fs::read_link(link.path()).is_ok_and(|to| to.starts_with(directory))).count()
}

#[cfg(not(target_os = "linux"))]
fn descriptors(_: &Path) -> usize {
    0
}

#[test]
fn rule_24_the_log_stays_bounded_under_a_long_load_with_flushes() {
    let home = Home::file();
    let layer = home.create(disk_of(16 * MIB / 512));
    let (mut longest, megabyte) = (0, MIB / 512);
    for round in 0..100 {
        write(&layer, round % 16 * megabyte, round as u8 + 1, megabyte);
        layer.flush().unwrap();
        longest = longest.max(log_len(&home));
    }
    assert!(longest > 0 && longest < 64 * MIB, "{longest} bytes of log");
    layer.close().unwrap();
    assert_eq!(log_len(&home), 0);
}

#[test]
fn rule_24_the_log_stays_bounded_under_a_long_load_without_a_flush() {
    let home = Home::file();
    home.create(disk_of(16 * MIB / 512)).close().unwrap();
    let layer = home.open_with(&Options { dirty_limit: 2 * MIB, ..Options::default() });
    let (mut longest, megabyte) = (0, MIB / 512);
    for round in 0..100 {
        write(&layer, round % 16 * megabyte, round as u8 + 1, megabyte);
        longest = longest.max(log_len(&home));
    }
    assert!(longest > 0 && longest < 16 * MIB, "{longest} bytes of log");
}

#[test]
fn rule_24_the_dirty_limit_is_respected() {
    for limit in [0, 10_000, MIB] {
        let home = Home::file();
        home.create(disk_of(4096)).close().unwrap();
        let layer = home.open_with(&Options { dirty_limit: limit, ..Options::default() });
        for sector in 0..1000 {
            write(&layer, sector, 1, 1);
        }
        let held = look(&super::power::copy_of(&home).open(), 0..1000);
        let kept = held.iter().take_while(|byte| byte.is_some()).count() as u64;
        assert!((1000 - kept) * 512 <= limit, "{kept} of 1000 sectors are durable with a limit of {limit} bytes");
    }
}

#[test]
fn rule_24_of_long_requests_an_eighth_of_the_dirty_limit_waits() {
    for (count, kept) in [(128, 1792 - 1792 % 384), (127, 0)] {
        let home = Home::file();
        home.create(disk_of(4096)).close().unwrap();
        let layer = home.open_with(&Options { dirty_limit: MIB, ..Options::default() });
        for sector in (0..1792).step_by(count as usize) {
            write(&layer, sector, 1, count);
        }
        let held = look(&super::power::copy_of(&home).open(), 0..1792);
        let durable = held.iter().take_while(|byte| byte.is_some()).count();
        // 128 KiB are 256 sectors, and the third request is more.
        assert_eq!(durable, kept, "requests of {count} sectors");
    }
}

#[test]
fn rule_24_the_dirty_limit_holds_for_fills_and_unmaps_too() {
    let home = Home::file();
    home.create(disk_of(4096)).close().unwrap();
    let layer = home.open_with(&Options { dirty_limit: 10_000, ..Options::default() });
    for sector in 0..500 {
        layer.write_no_overwrite(sector, &[1; 512]).unwrap();
    }
    for sector in 500..1000 {
        layer.unmap(sector, 1, Below::Something).unwrap();
    }
    let held = look(&super::power::copy_of(&home).open(), 0..1000);
    assert!(held.iter().filter(|byte| byte.is_none()).count() * 512 <= 10_000);
}

#[test]
fn rule_24_the_original_format_has_a_row_a_sector_however_often_it_is_written() {
    let home = Home::original();
    let layer = home.create(disk_of(256));
    write(&layer, 0, 1, 256);
    layer.flush().unwrap();
    layer.close().unwrap();
    let before = std::fs::metadata(home.path()).unwrap().len();
    let layer = home.open();
    for round in 0..50 {
        write(&layer, 0, round + 2, 256);
        layer.unmap(u64::from(round) * 5, 6, Below::Nothing).unwrap();
        write(&layer, 0, round + 2, 256);
    }
    layer.close().unwrap();
    let after = std::fs::metadata(home.path()).unwrap().len();
    assert!(after <= before + 64 * 1024, "{before} bytes became {after}");
    let conn = rusqlite::Connection::open(home.path()).unwrap();
    let rows: u32 = conn.query_row("SELECT count(*) FROM sectors", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 256);
}

#[test]
fn rule_24_descriptors_are_given_back() {
    let home = Home::file();
    let base = full_ram(disk_of(16), 9);
    stack(&[std::sync::Arc::new(home.create(disk_of(16))), base.clone()]).close().unwrap();
    for round in 0..50 {
        let disk = stack(&[home.shared(), base.clone()]);
        write(&disk, 1, round, 2);
        // The file for SQLite, for the lock and to hold it, and the log.
        assert!(descriptors(home.directory()) <= 4);
        if round % 2 == 0 {
            disk.close().unwrap();
            assert_eq!(descriptors(home.directory()), 0);
        }
        drop(disk);
        drop(home.try_open(Mode::ReadOnly).unwrap());
        assert_eq!(descriptors(home.directory()), 0);
    }
}

#[test]
fn rule_24_descriptors_are_given_back_after_refusals() {
    let home = Home::file();
    home.create(disk_of(16)).close().unwrap();
    rusqlite::Connection::open(home.path()).unwrap().execute_batch("CREATE TABLE extra(x)").unwrap();
    for _ in 0..20 {
        for mode in [Mode::ReadOnly, Mode::ReadWrite] {
            assert!(home.try_open(mode).is_err());
        }
    }
    assert_eq!(descriptors(home.directory()), 0);
}

/// A map of every sector would be the end of the process.
#[test]
fn rule_24_a_layer_in_memory_takes_what_is_written_and_not_what_is_unmapped() {
    let count = i64::MAX as u64 / 512;
    let layer = ram(disk_of(count));
    layer.unmap(0, count, Below::Something).unwrap();
    write(&*layer, 7, 1, 2);
    layer.unmap(8, 1, Below::Something).unwrap();
    assert_eq!(look(&*layer, 6..10), [Some(0), Some(1), Some(0), Some(0)]);
    assert_eq!(layer.next_extent(3).unwrap(), Some(3..count));
    assert_eq!([0, 7, 8].map(|sector| layer.zeroed_until(sector).unwrap()), [7, 7, count]);
    layer.unmap(8, count - 9, Below::Nothing).unwrap();
    assert_eq!(look(&*layer, 6..10), [Some(0), Some(1), None, None]);
    assert_eq!(layer.next_extent(8).unwrap(), Some(count - 1..count));
}
