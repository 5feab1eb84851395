//! Rule 14: push, discard and commit.

use std::sync::Arc;

use disklayer_sqlite::error::{ErrorKind, Result};
use disklayer_sqlite::geometry::Geometry;
use disklayer_sqlite::layer::{Access, FileDisk, LayerIo, RamDiskLayer};
use disklayer_sqlite::stack::{DiskAccess, LayeredDisk};

use super::media::{Home, disk_of, full_ram, look, plain, ram, refused, show, stack, through, write};
use super::spy::{Call, failing_from};

const BASE: [u8; 8] = [9; 8];

/// A parent full of nines under a child with changes of every kind, with gaps between; what the disk reads.
fn changed(child: &Home, parent: Arc<dyn LayerIo>) -> (LayeredDisk, [u8; 8]) {
    write(&*parent, 0, 9, 8);
    let disk = LayeredDisk::new(vec![child.diff(), plain(&parent)], DiskAccess::Writable).unwrap();
    write(&disk, 0, 1, 1);
    write(&disk, 2, 0, 1);
    disk.unmap(4, 2).unwrap();
    write(&disk, 7, 2, 1);
    (disk, [1, 9, 0, 9, 0, 0, 9, 2])
}

fn each_parent(claim: impl Fn(Arc<dyn LayerIo>)) {
    claim(ram(disk_of(8)));
    for home in Home::each() {
        claim(Arc::new(home.create(disk_of(8))));
    }
    let home = Home::file();
    claim(Arc::new(FileDisk::create(&home.directory().join("raw"), disk_of(8)).unwrap()));
    claim(Arc::new(stack(&[ram(disk_of(8)), full_ram(disk_of(8), 3)])));
}

#[test]
fn rule_14_push_keeps_the_bytes_and_the_lower_layer() {
    each_parent(|parent| {
        write(&*parent, 0, 9, 8);
        let (disk, child) = (stack(std::slice::from_ref(&parent)), Home::file());
        disk.push(child.diff()).unwrap();
        assert_eq!(show(&disk, 0..8), BASE);
        write(&disk, 1, 1, 2);
        disk.unmap(4, 1).unwrap();
        assert_eq!(show(&disk, 0..8), [9, 1, 1, 9, 0, 9, 9, 9]);
        assert_eq!(show(&*parent, 0..8), BASE);
    });
}

#[test]
fn rule_14_discard_gives_back_the_disk_as_it_was_before_the_push() {
    each_parent(|parent| {
        let child = Home::file();
        let (disk, _) = changed(&child, parent.clone());
        let identity = parent.metadata().identity;
        disk.discard().unwrap();
        assert_eq!((show(&disk, 0..8), disk.layer_count()), (BASE.to_vec(), 1));
        assert_eq!(parent.metadata().identity, identity);
    });
}

#[test]
fn rule_14_commit_keeps_the_bytes_and_moves_the_sectors_down() {
    each_parent(|parent| {
        let child = Home::file();
        let (disk, expected) = changed(&child, parent.clone());
        disk.commit().unwrap();
        assert_eq!((show(&disk, 0..8), disk.layer_count()), (expected.to_vec(), 2));
        assert_eq!(look(&*disk.layer(0).unwrap(), 0..8), [None; 8]);
        assert_eq!(show(&*parent, 0..8), expected);
        disk.discard().unwrap();
        assert_eq!(show(&disk, 0..8), expected);
    });
}

#[test]
fn rule_14_the_layer_can_be_used_and_committed_again() {
    for child in Home::each() {
        let home = Home::file();
        let parent: Arc<dyn LayerIo> = Arc::new(home.create(disk_of(8)));
        let (disk, _) = changed(&child, parent.clone());
        disk.commit().unwrap();
        disk.commit().unwrap();
        write(&disk, 3, 5, 2);
        disk.commit().unwrap();
        assert_eq!(show(&*parent, 0..8), [1, 9, 0, 5, 5, 0, 9, 2]);
    }
}

#[test]
fn rule_14_commit_moves_more_than_it_copies_at_a_time() {
    let geometry = disk_of(10_000);
    let (top, bottom) = (ram(geometry), full_ram(geometry, 9));
    let disk = stack(&[top.clone(), bottom.clone()]);
    write(&disk, 10, 1, 5000);
    write(&disk, 9_999, 2, 1);
    let before = show(&disk, 0..10_000);
    disk.commit().unwrap();
    assert_eq!(show(&bottom, 0..10_000), before);
    assert_eq!(top.next_extent(0).unwrap(), None);
}

#[test]
fn rule_14_a_discarded_layer_is_refused_over_the_changed_parent_and_accepted_over_the_unchanged_one() {
    let (child, home) = (Home::file(), Home::file());
    let (disk, expected) = changed(&child, Arc::new(home.create(disk_of(8))));
    let discarded = disk.discard().unwrap();
    disk.push(plain(&discarded)).unwrap();
    assert_eq!(show(&disk, 0..8), expected);
    let discarded = disk.discard().unwrap();
    write(&disk, 6, 6, 1);
    let error = refused(disk.push(plain(&discarded)), ErrorKind::ParentMismatch);
    assert_eq!((error.layer(), disk.layer_count()), (Some(0), 1));
    assert_eq!(show(&disk, 5..8), [9, 6, 9]);
}

#[test]
fn rule_14_commit_refuses_in_the_documented_order_and_changes_nothing() {
    let small = ram(disk_of(4));
    let read_only: Arc<dyn LayerIo> = Arc::new(RamDiskLayer::new(disk_of(8), Access::LogicallyReadOnly));
    let full: Arc<dyn LayerIo> = Arc::new(stack(&[full_ram(disk_of(8), 5)]));
    let other_size: Arc<dyn LayerIo> = Arc::new(RamDiskLayer::new(disk_of(4), Access::ReadOnly));
    let commit = |layers: &[&Arc<dyn LayerIo>], access| -> Result<()> {
        let disk = LayeredDisk::new(layers.iter().map(|layer| plain(layer)).collect(), access).unwrap();
        let before = show(&disk, 0..disk.geometry().sector_count());
        let result = disk.commit();
        assert_eq!(show(&disk, 0..disk.geometry().sector_count()), before);
        result
    };
    let (yes, no) = (DiskAccess::Writable, DiskAccess::ReadOnly);
    refused(commit(&[&full], no), ErrorKind::ReadOnly);
    refused(commit(&[&full, &small], no), ErrorKind::ReadOnly);
    refused(commit(&[&full], yes), ErrorKind::NothingBelow);
    refused(commit(&[&full, &other_size], yes), ErrorKind::SizeMismatch);
    refused(commit(&[&small, &read_only], yes), ErrorKind::SizeMismatch);
    refused(commit(&[&full, &read_only], yes), ErrorKind::Unsupported);
    assert_eq!(refused(commit(&[&ram(disk_of(8)), &read_only], yes), ErrorKind::ReadOnly).layer(), Some(1));
    refused(stack(&[ram(disk_of(8))]).discard(), ErrorKind::NothingBelow);
}

#[test]
fn rule_14_discard_that_would_leave_no_disk_is_refused_and_changes_nothing() {
    let read_only: Arc<dyn LayerIo> = Arc::new(RamDiskLayer::new(disk_of(8), Access::ReadOnly));
    let disk = stack(&[full_ram(disk_of(8), 5), read_only]);
    refused(disk.discard(), ErrorKind::ReadOnlyInWritePath);
    assert_eq!((disk.layer_count(), show(&disk, 0..8)), (2, vec![5; 8]));
    let layers = vec![through(&ram(disk_of(8))), plain(&full_ram(disk_of(8), 9))];
    let disk = LayeredDisk::new(layers, DiskAccess::Writable).unwrap();
    disk.discard().unwrap();
    assert_eq!(show(&disk, 0..8), BASE);
}

#[test]
fn rule_14_a_layer_of_another_geometry_can_be_pushed_and_not_committed() {
    let disk = stack(&[full_ram(disk_of(8), 9)]);
    disk.push(plain(&ram(disk_of(12)))).unwrap();
    refused(disk.commit(), ErrorKind::SizeMismatch);
    assert_eq!(show(&disk, 6..12), [9, 9, 0, 0, 0, 0]);
    refused(disk.push(plain(&ram(Geometry::new(8, 4096).unwrap()))), ErrorKind::SectorSizeMismatch);
    assert_eq!(disk.layer_count(), 2);
}

/// The lower layer fails at its n-th write, unmap or flush, for every n until the commit succeeds.
#[test]
fn rule_14_a_commit_cut_anywhere_leaves_the_disk_reading_the_same_and_opening() {
    let mut cuts = 0;
    for nth in 0.. {
        let (child, parent) = (Home::file(), Home::file());
        let (disk, expected) = changed(&child, Arc::new(parent.create(disk_of(8))));
        disk.close().unwrap();
        drop(disk);
        let failing = failing_from(&parent.shared(), nth, |call| !matches!(call, Call::Read(_)));
        let disk = stack(&[child.shared(), failing]);
        let result = disk.commit();
        assert_eq!(show(&disk, 0..8), expected, "cut at {nth}");
        drop(disk);
        let disk = stack(&[child.shared(), parent.shared()]);
        assert_eq!(show(&disk, 0..8), expected, "cut at {nth}");
        disk.commit().unwrap();
        assert_eq!(show(&*disk.layer(1).unwrap(), 0..8), expected, "cut at {nth}");
        if result.is_ok() {
            break;
        }
        assert_eq!(refused(result, ErrorKind::Io).layer(), Some(1));
        cuts += 1;
    }
    assert!(cuts > 3, "{cuts} cuts: the commit has too few steps to be a test");
}

#[test]
fn rule_14_a_commit_whose_last_step_fails_leaves_the_disk_reading_the_same_and_opening() {
    let (child, parent) = (Home::file(), Home::file());
    let (disk, expected) = changed(&child, Arc::new(parent.create(disk_of(8))));
    disk.close().unwrap();
    drop(disk);
    let failing = failing_from(&child.shared(), 0, |call| call == Call::Clear);
    let disk = stack(&[failing, parent.shared()]);
    assert_eq!(refused(disk.commit(), ErrorKind::Io).layer(), Some(0));
    assert_eq!(show(&disk, 0..8), expected);
    drop(disk);
    assert_eq!(show(&stack(&[child.shared(), parent.shared()]), 0..8), expected);
}
