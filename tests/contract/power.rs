//! Rule 16: what the files hold at any moment is the state after some prefix of the requests.
//!
//! A copy of the files stands for what is left after the power is cut, if everything that was written had reached the
//! disk. What had not is modelled elsewhere.

use std::sync::Arc;

use disklayer_sqlite::layer::{Below, Durability, FileDisk, LayerIo, Mode, Options};
use disklayer_sqlite::stack::{DiskAccess, LayeredDisk};

use super::media::{Home, disk_of, look, plain, show, through, write};

/// The files of a layer as they are now, elsewhere.
pub(super) fn copy_of(home: &Home) -> Home {
    let copy = Home::file();
    for entry in std::fs::read_dir(home.directory()).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(entry.path(), copy.directory().join(entry.file_name())).unwrap();
        }
    }
    copy
}

/// A request of the history below, by its number.
fn request(layer: &dyn LayerIo, number: u64) {
    let sector = number * 5 % 24;
    match number % 7 {
        0 => layer.unmap(sector, 6, Below::Something).unwrap(),
        1 => layer.write(sector, &vec![number as u8; 512 * 3], Durability::Fua).unwrap(),
        3 => layer.flush().unwrap(),
        _ => write(layer, sector, number as u8, 4),
    }
}

/// What a layer of 32 sectors holds after the requests up to `number`.
fn after(number: u64) -> Vec<Option<u8>> {
    let layer = super::media::ram(disk_of(32));
    (1..=number).for_each(|number| request(&*layer, number));
    look(&*layer, 0..32)
}

#[test]
fn rule_16_the_files_hold_a_prefix_no_shorter_than_the_last_flush() {
    for dirty_limit in [0, 5000, 16 << 20] {
        let home = Home::file();
        home.create(disk_of(32)).close().unwrap();
        let layer = home.open_with(&Options { dirty_limit, ..Options::default() });
        let mut durable = 0;
        for number in 1..60 {
            request(&layer, number);
            if matches!(number % 7, 1 | 3) {
                durable = number;
            }
            let held = look(&copy_of(&home).open(), 0..32);
            let prefix = (durable..=number).find(|number| after(*number) == held);
            assert!(prefix.is_some(), "after request {number}, with {durable} durable: {held:?}");
        }
    }
}

#[test]
fn rule_16_a_dirty_limit_of_nothing_makes_every_request_durable() {
    let home = Home::file();
    home.create(disk_of(32)).close().unwrap();
    let layer = home.open_with(&Options { dirty_limit: 0, ..Options::default() });
    for number in 1..20 {
        request(&layer, number);
        assert_eq!(look(&copy_of(&home).open(), 0..32), after(number));
    }
}

#[test]
fn rule_16_under_write_through_each_sector_is_as_at_the_flush_or_later() {
    let homes = [Home::file(), Home::file()];
    let layers = homes.each_ref().map(|home| Arc::new(home.create(disk_of(8))) as Arc<dyn LayerIo>);
    let [top, bottom] = &layers;
    let disk = LayeredDisk::new(vec![through(top), plain(bottom)], DiskAccess::Writable).unwrap();
    for byte in 1..20 {
        write(&disk, 0, byte, 8);
        disk.flush().unwrap();
        write(&disk, 2, byte + 100, 3);
        let copies = homes.each_ref().map(|home| copy_of(home).open());
        let copies = copies.map(|layer| Arc::new(layer) as Arc<dyn LayerIo>);
        let [top, bottom] = &copies;
        let cut = LayeredDisk::new(vec![through(top), plain(bottom)], DiskAccess::Writable).unwrap();
        for (sector, shown) in show(&cut, 0..8).into_iter().enumerate() {
            assert!(shown == byte || (2..5).contains(&sector) && shown == byte + 100, "sector {sector}: {shown}");
        }
    }
}

#[test]
fn rule_16_a_raw_file_has_what_was_flushed() {
    let home = Home::file();
    let path = home.directory().join("raw");
    let disk = FileDisk::create(&path, disk_of(8)).unwrap();
    write(&disk, 1, 1, 4);
    disk.flush().unwrap();
    let copy = copy_of(&home);
    let copied = FileDisk::open(&copy.directory().join("raw"), 512, Mode::ReadOnly).unwrap();
    assert_eq!(show(&copied, 0..8), [0, 1, 1, 1, 1, 0, 0, 0]);
}
