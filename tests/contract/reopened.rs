//! Rule 14 once more: everything closed and reopened from its files between the steps.

use std::sync::Arc;

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{FileDisk, LayerIo, Mode};
use disklayer_sqlite::stack::{DiskAccess, LayeredDisk};

use super::media::{Home, disk_of, look, plain, refused, show, stack, write};

/// The layers in these files as a disk, top first.
fn open(homes: &[&Home]) -> LayeredDisk {
    stack(&homes.iter().map(|home| home.shared()).collect::<Vec<_>>())
}

fn close(disk: LayeredDisk) {
    disk.close().unwrap();
}

/// A base of nines under a differencing layer with a one, closed.
fn pushed(child: &Home, base: &Home) {
    let layer = base.create(disk_of(4));
    write(&layer, 0, 9, 4);
    let disk = stack(&[Arc::new(layer)]);
    disk.push(child.diff()).unwrap();
    write(&disk, 1, 1, 1);
    close(disk);
}

#[test]
fn rule_14_reopened_a_pushed_layer_reads_the_same() {
    let (child, base) = (Home::file(), Home::file());
    pushed(&child, &base);
    for _ in 0..3 {
        let disk = open(&[&child, &base]);
        assert_eq!(show(&disk, 0..4), [9, 1, 9, 9]);
        close(disk);
    }
    assert_eq!(look(&child.open(), 0..4), [None, Some(1), None, None]);
}

#[test]
fn rule_14_reopened_a_discard_gives_back_the_base_and_the_layer_fits_until_the_base_is_written() {
    let (child, base) = (Home::file(), Home::file());
    pushed(&child, &base);
    let disk = open(&[&child, &base]);
    drop(disk.discard().unwrap());
    assert_eq!(show(&disk, 0..4), [9; 4]);
    close(disk);
    assert_eq!(show(&open(&[&child, &base]), 0..4), [9, 1, 9, 9]);
    let disk = open(&[&base]);
    write(&disk, 0, 9, 1);
    close(disk);
    refused(
        LayeredDisk::new(vec![plain(&child.shared()), plain(&base.shared())], DiskAccess::Writable),
        ErrorKind::ParentMismatch,
    );
}

#[test]
fn rule_14_reopened_a_commit_stays_and_the_emptied_layer_fits() {
    let (child, base) = (Home::file(), Home::file());
    pushed(&child, &base);
    let disk = open(&[&child, &base]);
    disk.commit().unwrap();
    close(disk);
    assert_eq!(look(&child.open(), 0..4), [None; 4]);
    assert_eq!(look(&base.open(), 0..4), [9, 1, 9, 9].map(Some));
    let disk = open(&[&child, &base]);
    write(&disk, 2, 2, 1);
    disk.commit().unwrap();
    close(disk);
    assert_eq!(show(&open(&[&child, &base]), 0..4), [9, 1, 2, 9]);
    assert_eq!(show(&open(&[&base]), 0..4), [9, 1, 2, 9]);
}

#[test]
fn rule_14_reopened_a_chain_of_three_reads_the_same_after_each_step() {
    let (top, child, base) = (Home::file(), Home::file(), Home::file());
    pushed(&child, &base);
    let disk = open(&[&child, &base]);
    disk.push(top.diff()).unwrap();
    write(&disk, 3, 3, 1);
    close(disk);
    let disk = open(&[&top, &child, &base]);
    assert_eq!(show(&disk, 0..4), [9, 1, 9, 3]);
    disk.commit().unwrap();
    close(disk);
    let disk = open(&[&top, &child, &base]);
    assert_eq!(show(&disk, 0..4), [9, 1, 9, 3]);
    drop(disk.discard().unwrap());
    disk.commit().unwrap();
    close(disk);
    assert_eq!(show(&open(&[&base]), 0..4), [9, 1, 9, 3]);
    // The base was committed into through the middle, which knows that; the top was not there.
    assert_eq!(show(&open(&[&child, &base]), 0..4), [9, 1, 9, 3]);
    let layers = vec![plain(&top.shared()), plain(&child.shared()), plain(&base.shared())];
    refused(LayeredDisk::new(layers, DiskAccess::Writable), ErrorKind::ParentMismatch);
}

#[test]
fn rule_14_reopened_over_a_raw_file_a_commit_stays() {
    let child = Home::file();
    let path = child.directory().join("raw");
    let raw = || -> Arc<dyn LayerIo> { Arc::new(FileDisk::open(&path, 512, Mode::ReadWrite).unwrap()) };
    drop(FileDisk::create(&path, disk_of(4)).unwrap());
    let disk = stack(&[raw()]);
    disk.push(child.diff()).unwrap();
    write(&disk, 1, 1, 2);
    close(disk);
    let disk = stack(&[child.shared(), raw()]);
    disk.commit().unwrap();
    close(disk);
    assert_eq!(show(&*raw(), 0..4), [0, 1, 1, 0]);
    assert_eq!(show(&stack(&[child.shared(), raw()]), 0..4), [0, 1, 1, 0]);
}

#[test]
fn rule_14_reopened_after_a_push_that_was_never_closed() {
    let (child, base) = (Home::file(), Home::file());
    let layer = base.create(disk_of(4));
    write(&layer, 0, 9, 4);
    let disk = stack(&[Arc::new(layer)]);
    disk.push(child.diff()).unwrap();
    write(&disk, 1, 1, 1);
    drop(disk);
    assert_eq!(show(&open(&[&child, &base]), 0..4), [9, 1, 9, 9]);
}
