//! Rule 12: writes that go to more than one layer.

use std::sync::Arc;

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{Durability, LayerIo};
use disklayer_sqlite::stack::{DiskAccess, LayeredDisk};

use super::media::{Home, disk_of, look, plain, ram, refused, show, through, write};
use super::spy::{Call, Calls, failing_from};

/// Three layers, each written through to the next, and the bottom.
fn disk_through(layers: [&Arc<dyn LayerIo>; 3]) -> LayeredDisk {
    let [top, middle, bottom] = layers;
    LayeredDisk::new(vec![through(top), through(middle), plain(bottom)], DiskAccess::Writable).unwrap()
}

#[test]
fn rule_12_every_layer_gets_every_byte_zeros_and_unmaps_too() {
    for home in Home::each() {
        let [top, bottom] = [ram(disk_of(8)), ram(disk_of(8))];
        let middle: Arc<dyn LayerIo> = Arc::new(home.create(disk_of(8)));
        let layers = [&top, &middle, &bottom];
        let disk = disk_through(layers);
        write(&disk, 0, 1, 8);
        write(&disk, 2, 0, 2);
        disk.unmap(5, 2).unwrap();
        disk.write(7, &[3; 512], Durability::Fua).unwrap();
        let expected = [1, 1, 0, 0, 1, 0, 0, 3];
        assert_eq!(show(&disk, 0..8), expected);
        for layer in layers {
            let held: Vec<u8> = look(&**layer, 0..8).into_iter().map(Option::unwrap_or_default).collect();
            assert_eq!(held, expected);
        }
    }
}

#[test]
fn rule_12_writes_go_top_down_and_stop_at_the_first_failure() {
    let calls = [Calls::default(), Calls::default(), Calls::default()];
    let [top, middle, bottom] = [0; 3].map(|_| ram(disk_of(4)));
    let failing = failing_from(&middle, 0, |call| matches!(call, Call::Write(_) | Call::Unmap(_)));
    let disk = disk_through([&calls[0].of(&top), &calls[1].of(&failing), &calls[2].of(&bottom)]);
    assert_eq!(refused(disk.write(1, &[1; 512], Durability::Flushed), ErrorKind::Io).layer(), Some(1));
    assert_eq!(calls.each_ref().map(Calls::take), [vec![Call::Write(1)], vec![Call::Write(1)], vec![]]);
    assert_eq!(refused(disk.unmap(2, 1), ErrorKind::Io).layer(), Some(1));
    assert_eq!(calls.each_ref().map(Calls::take), [vec![Call::Unmap(2)], vec![Call::Unmap(2)], vec![]]);
}

#[test]
fn rule_12_a_flush_reaches_every_layer_and_stops_at_the_first_failure() {
    let calls = [Calls::default(), Calls::default(), Calls::default()];
    let layers = calls.each_ref().map(|calls| calls.of(&ram(disk_of(4))));
    let disk = disk_through(layers.each_ref());
    disk.flush().unwrap();
    assert_eq!(calls.each_ref().map(Calls::take), [vec![Call::Flush], vec![Call::Flush], vec![Call::Flush]]);
    let failing = failing_from(&layers[1], 0, |call| call == Call::Flush);
    let disk = disk_through([&layers[0], &failing, &layers[2]]);
    assert_eq!(refused(disk.flush(), ErrorKind::Io).layer(), Some(1));
}

#[test]
fn rule_12_a_failure_leaves_each_sector_of_each_layer_wholly_old_or_wholly_new() {
    for failing_layer in 0..3 {
        let homes = [Home::file(), Home::memory(), Home::file()];
        let layers: [Arc<dyn LayerIo>; 3] = homes.each_ref().map(|home| Arc::new(home.create(disk_of(8))) as _);
        write(&disk_through(layers.each_ref()), 0, 1, 8);
        let mut part = layers.clone();
        part[failing_layer] = failing_from(&layers[failing_layer], 0, |call| call == Call::Write(2));
        let disk = disk_through(part.each_ref());
        let error = refused(disk.write(2, &[2; 4 * 512], Durability::Fua), ErrorKind::Io);
        assert_eq!(error.layer(), Some(failing_layer));
        for (index, layer) in layers.iter().enumerate() {
            let byte = if index < failing_layer { 2 } else { 1 };
            let expected = [1, 1, byte, byte, byte, byte, 1, 1].map(Some);
            assert_eq!(look(&**layer, 0..8), expected, "layer {index}, when {failing_layer} failed");
        }
        drop((disk, part, layers));
        let shown = show_reopened(&homes);
        assert!(shown[2..6] == [1; 4] || shown[2..6] == [2; 4], "{shown:?}");
    }
}

fn show_reopened(homes: &[Home; 3]) -> Vec<u8> {
    let layers = homes.each_ref().map(Home::shared);
    show(&disk_through(layers.each_ref()), 0..8)
}

#[test]
fn rule_12_after_a_failure_the_next_write_can_succeed() {
    let (top, bottom) = (ram(disk_of(4)), ram(disk_of(4)));
    let disk = LayeredDisk::new(vec![through(&top), plain(&bottom)], DiskAccess::Writable).unwrap();
    let failing = failing_from(&bottom, 0, |call| call == Call::Write(1));
    let broken = LayeredDisk::new(vec![through(&top), plain(&failing)], DiskAccess::Writable).unwrap();
    refused(broken.write(1, &[2; 512], Durability::Flushed), ErrorKind::Io);
    write(&broken, 2, 3, 1);
    assert_eq!(look(&*bottom, 0..4), [None, None, Some(3), None]);
    write(&disk, 1, 4, 1);
    assert_eq!((look(&*top, 1..2), look(&*bottom, 1..2)), (vec![Some(4)], vec![Some(4)]));
}
