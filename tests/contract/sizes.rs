//! Rule 10: layers of different sizes; what is past an end does not appear.

use std::sync::Arc;

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{Durability, FileDisk, LayerIo};
use disklayer_sqlite::stack::{DiskAccess, LayeredDisk};
use tempfile::TempDir;

use super::media::{Home, cache, disk_of, full_ram, look, plain, ram, refused, show, stack, through, write};

#[test]
fn rule_10_the_disk_has_the_size_of_its_top_layer() {
    for (top, bottom) in [(4, 8), (8, 4), (5, 5)] {
        let disk = stack(&[ram(disk_of(top)), full_ram(disk_of(bottom), 9)]);
        assert_eq!(disk.geometry(), disk_of(top));
        let expected: Vec<u8> = (0..top).map(|sector| if sector < bottom { 9 } else { 0 }).collect();
        assert_eq!(show(&disk, 0..top), expected);
        refused(disk.read(top, &mut [0; 512]), ErrorKind::OutOfRange);
        refused(disk.write(top - 1, &[0; 1024], Durability::Flushed), ErrorKind::OutOfRange);
    }
}

#[test]
fn rule_10_a_layer_is_visible_up_to_the_smallest_size_above_it() {
    let disk = stack(&[ram(disk_of(8)), full_ram(disk_of(2), 2), full_ram(disk_of(6), 3), full_ram(disk_of(8), 4)]);
    assert_eq!(show(&disk, 0..8), [2, 2, 0, 0, 0, 0, 0, 0]);
    let disk = stack(&[ram(disk_of(8)), ram(disk_of(4)), full_ram(disk_of(6), 3)]);
    assert_eq!(show(&disk, 0..8), [3, 3, 3, 3, 0, 0, 0, 0]);
    assert_eq!(show(&disk, 3..5), [3, 0]);
    assert_eq!(show(&disk, 4..8), [0; 4]);
}

#[test]
fn rule_10_hidden_sectors_appear_after_nothing_that_the_stack_does() {
    for home in Home::each() {
        let bottom = full_ram(disk_of(8), 9);
        let disk = stack(&[Arc::new(home.create(disk_of(8))), ram(disk_of(4)), bottom.clone()]);
        let expected = [9, 9, 9, 9, 0, 0, 0, 0];
        assert_eq!(show(&disk, 0..8), expected);
        write(&disk, 2, 1, 4);
        disk.unmap(2, 4).unwrap();
        assert_eq!(show(&disk, 0..8), [9, 9, 0, 0, 0, 0, 0, 0]);
        disk.unmap(0, 8).unwrap();
        disk.flush().unwrap();
        assert_eq!(show(&disk, 0..8), [0; 8]);
        assert_eq!(look(&*bottom, 0..8), [Some(9); 8]);
    }
}

#[test]
fn rule_10_a_write_through_reaches_as_far_as_the_lower_layer_is_seen() {
    let (middle, bottom) = (ram(disk_of(4)), full_ram(disk_of(8), 9));
    let layers = vec![through(&ram(disk_of(8))), through(&middle), plain(&bottom)];
    let disk = LayeredDisk::new(layers, DiskAccess::Writable).unwrap();
    write(&disk, 2, 1, 4);
    write(&disk, 7, 1, 1);
    assert_eq!(show(&disk, 0..8), [9, 9, 1, 1, 1, 1, 0, 1]);
    assert_eq!(look(&*middle, 0..4), [None, None, Some(1), Some(1)]);
    assert_eq!(look(&*bottom, 0..8), [9, 9, 1, 1, 9, 9, 9, 9].map(Some));
    disk.unmap(3, 5).unwrap();
    assert_eq!(show(&disk, 0..8), [9, 9, 1, 0, 0, 0, 0, 0]);
    // Nothing is below the bottom, so it may forget; what nobody sees stays.
    assert_eq!(look(&*bottom, 0..4), [Some(9), Some(9), Some(1), None]);
    assert_eq!(look(&*bottom, 4..8), [Some(9); 4]);
}

#[test]
fn rule_10_a_cache_is_not_filled_past_an_end() {
    let (short, long) = (ram(disk_of(4)), ram(disk_of(8)));
    let layers = vec![cache(&long), cache(&short), plain(&full_ram(disk_of(8), 9))];
    let disk = LayeredDisk::new(layers, DiskAccess::Writable).unwrap();
    assert_eq!(show(&disk, 0..8), [9, 9, 9, 9, 0, 0, 0, 0]);
    assert_eq!(look(&*short, 0..4), [Some(9); 4]);
    assert_eq!(look(&*long, 0..8)[..5], [Some(9), Some(9), Some(9), Some(9), None]);
    assert_eq!(show(&disk, 0..8), [9, 9, 9, 9, 0, 0, 0, 0]);
}

#[test]
fn rule_10_discarding_a_shorter_layer_shows_what_it_hid() {
    let directory = TempDir::new().unwrap();
    let file: Arc<dyn LayerIo> = Arc::new(FileDisk::create(&directory.path().join("raw"), disk_of(8)).unwrap());
    write(&*file, 0, 9, 8);
    let disk = stack(&[file]);
    disk.push(plain(&ram(disk_of(4)))).unwrap();
    assert_eq!((disk.geometry(), show(&disk, 0..4)), (disk_of(4), vec![9; 4]));
    disk.discard().unwrap();
    assert_eq!((disk.geometry(), show(&disk, 0..8)), (disk_of(8), vec![9; 8]));
}
