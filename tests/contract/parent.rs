//! Rule 14: identities, and the record that a differencing layer keeps of its parent.

use std::sync::Arc;

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{
    Access, Durability, Existing, FileDisk, Identity, LayerIo, Mode, Options, SqliteDiskLayer,
};
use disklayer_sqlite::stack::{DiskAccess, LayerConfiguration, LayeredDisk, ParentCheck};

use super::media::{Home, disk_of, format, full_ram, plain, refused, show, stack, through, write};
use super::spy::{self, Call};

/// A child and its parent, in files, with `parent` full of nines; both closed.
struct Family {
    child: Home,
    parent: Home,
}

impl Family {
    fn new() -> Self {
        let family = Self { child: Home::file(), parent: Home::file() };
        let parent: Arc<dyn LayerIo> = Arc::new(family.parent.create(disk_of(4)));
        write(&*parent, 0, 9, 4);
        let disk = LayeredDisk::new(vec![family.child.diff(), plain(&parent)], DiskAccess::Writable).unwrap();
        write(&disk, 1, 1, 1);
        disk.close().unwrap();
        family
    }

    fn open_over(&self, below: &Arc<dyn LayerIo>, check: ParentCheck) -> Result<LayeredDisk, ErrorKind> {
        let child = LayerConfiguration { parent_check: check, ..plain(&self.child.shared()) };
        LayeredDisk::new(vec![child, plain(below)], DiskAccess::Writable).map_err(|e| e.kind())
    }

    fn open(&self) -> Result<LayeredDisk, ErrorKind> {
        self.open_over(&self.parent.shared(), ParentCheck::Verify)
    }
}

fn identity(layer: &dyn LayerIo) -> Identity {
    layer.metadata().identity.unwrap()
}

#[test]
fn rule_14_the_generation_changes_before_the_first_write_after_each_open() {
    for home in Home::each() {
        let created = home.create(disk_of(4));
        let mut seen = vec![identity(&created)];
        drop(created);
        for round in 0..4 {
            let layer = home.open();
            assert_eq!(identity(&layer), seen[round]);
            write(&layer, 0, 1, 1);
            let now = identity(&layer);
            write(&layer, 1, 1, 1);
            layer.unmap(2, 1, disklayer_sqlite::layer::Below::Something).unwrap();
            layer.flush().unwrap();
            assert_eq!(identity(&layer), now);
            assert_eq!(now.uuid, seen[0].uuid);
            assert!(!seen.contains(&now));
            seen.push(now);
        }
    }
}

#[test]
fn rule_14_unmap_and_clear_begin_a_generation_and_reading_does_not() {
    for home in Home::each() {
        drop(home.create(disk_of(4)));
        let layer = home.open();
        let before = identity(&layer);
        show(&super::media::stack(&[Arc::new(layer)]), 0..4);
        let layer = home.open();
        assert_eq!(identity(&layer), before);
        layer.unmap(0, 1, disklayer_sqlite::layer::Below::Nothing).unwrap();
        let unmapped = identity(&layer);
        assert_ne!(unmapped, before);
        drop(layer);
        let layer = home.open();
        layer.clear().unwrap();
        assert_ne!(identity(&layer), unmapped);
    }
}

#[test]
fn rule_14_two_layers_have_two_identities() {
    let (one, other) = (Home::file(), Home::file());
    assert_ne!(identity(&one.create(disk_of(4))).uuid, identity(&other.create(disk_of(4))).uuid);
}

#[test]
fn rule_14_a_differencing_layer_opens_over_its_parent() {
    let family = Family::new();
    assert_eq!(show(&family.open().unwrap(), 0..4), [9, 1, 9, 9]);
    let parent = family.child.open().metadata().parent.unwrap();
    assert_eq!(parent.identity, family.parent.open().metadata().identity);
    assert_eq!((parent.sector_count, parent.sector_size), (4, 512));
}

#[test]
fn rule_14_a_differencing_layer_over_another_disk_is_refused() {
    let family = Family::new();
    let home = Home::file();
    let same_bytes: Arc<dyn LayerIo> = Arc::new(home.create(disk_of(4)));
    write(&*same_bytes, 0, 9, 4);
    for other in [same_bytes, full_ram(disk_of(4), 9)] {
        assert_eq!(family.open_over(&other, ParentCheck::Verify).unwrap_err(), ErrorKind::ParentMismatch);
    }
    let alone = LayeredDisk::new(vec![plain(&family.child.shared())], DiskAccess::ReadOnly);
    assert_eq!(refused(alone, ErrorKind::ParentMismatch).layer(), Some(0));
    assert_eq!(show(&family.open().unwrap(), 0..4), [9, 1, 9, 9]);
}

#[test]
fn rule_14_a_differencing_layer_over_a_parent_that_has_changed_is_refused() {
    let family = Family::new();
    let parent = family.parent.open();
    write(&parent, 3, 9, 1);
    parent.close().unwrap();
    assert_eq!(family.open().unwrap_err(), ErrorKind::ParentMismatch);
    let read_only = LayeredDisk::new(
        vec![
            LayerConfiguration::new(family.child.try_open(Mode::ReadOnly).unwrap()),
            LayerConfiguration::new(family.parent.try_open(Mode::ReadOnly).unwrap()),
        ],
        DiskAccess::ReadOnly,
    );
    refused(read_only, ErrorKind::ParentMismatch);
}

/// The child was made while its parent had already been written, so that the next write needs a new generation.
#[test]
fn rule_14_a_parent_that_is_written_in_the_opening_that_the_child_was_made_in_is_refused() {
    let (child, parent) = (Home::file(), Home::file());
    let below: Arc<dyn LayerIo> = Arc::new(parent.create(disk_of(4)));
    write(&*below, 0, 9, 4);
    let disk = LayeredDisk::new(vec![child.diff(), plain(&below)], DiskAccess::Writable).unwrap();
    write(&*below, 0, 8, 1);
    disk.close().unwrap();
    drop((disk, below));
    assert_eq!(Family { child, parent }.open().unwrap_err(), ErrorKind::ParentMismatch);
}

#[test]
fn rule_14_who_says_that_he_knows_adopts_the_parent_for_good() {
    let family = Family::new();
    let parent = family.parent.open();
    write(&parent, 3, 8, 1);
    parent.close().unwrap();
    let disk = family.open_over(&family.parent.shared(), ParentCheck::Adopt).unwrap();
    assert_eq!(show(&disk, 0..4), [9, 1, 9, 8]);
    // No flush and no close: the record is durable by itself.
    drop(disk);
    assert_eq!(show(&family.open().unwrap(), 0..4), [9, 1, 9, 8]);
    let parent = family.parent.open();
    write(&parent, 3, 7, 1);
    drop(parent);
    assert_eq!(family.open().unwrap_err(), ErrorKind::ParentMismatch);
}

#[test]
fn rule_14_nothing_is_no_parent_that_can_be_adopted() {
    let family = Family::new();
    let child = LayerConfiguration { parent_check: ParentCheck::Adopt, ..plain(&family.child.shared()) };
    refused(LayeredDisk::new(vec![child], DiskAccess::Writable), ErrorKind::ParentMismatch);
    assert_eq!(show(&family.open().unwrap(), 0..4), [9, 1, 9, 9]);
}

#[test]
fn rule_14_a_parent_without_identity_is_checked_by_its_geometry() {
    let family = Family { child: Home::file(), parent: Home::file() };
    let raw = |name: &str, sectors| -> Arc<dyn LayerIo> {
        Arc::new(FileDisk::create(&family.parent.directory().join(name), disk_of(sectors)).unwrap())
    };
    let disk = LayeredDisk::new(vec![family.child.diff(), plain(&raw("a", 4))], DiskAccess::Writable).unwrap();
    write(&disk, 1, 1, 1);
    disk.close().unwrap();
    drop(disk);
    assert_eq!(show(&family.open_over(&raw("b", 4), ParentCheck::Verify).unwrap(), 0..4), [0, 1, 0, 0]);
    assert_eq!(family.open_over(&raw("c", 5), ParentCheck::Verify).unwrap_err(), ErrorKind::ParentMismatch);
    assert_eq!(family.open_over(&raw("d", 3), ParentCheck::Verify).unwrap_err(), ErrorKind::ParentMismatch);
    drop(family.open_over(&raw("e", 5), ParentCheck::Adopt).unwrap());
    drop(family.open_over(&raw("f", 5), ParentCheck::Verify).unwrap());
}

#[test]
fn rule_14_a_layer_that_was_created_alone_goes_over_anything() {
    let home = Home::file();
    home.create(disk_of(4)).close().unwrap();
    for byte in [8, 9] {
        let disk = stack(&[home.shared(), full_ram(disk_of(4), byte)]);
        assert_eq!(show(&disk, 0..4), [byte; 4]);
    }
}

#[test]
fn rule_14_writing_through_to_a_parent_keeps_it_the_parent() {
    let family = Family::new();
    for byte in 2..5 {
        let child = LayerConfiguration { write_through: true, ..plain(&family.child.shared()) };
        let disk = LayeredDisk::new(vec![child, plain(&family.parent.shared())], DiskAccess::Writable).unwrap();
        write(&disk, 2, byte, 1);
        // Dropped without a flush: what was noted of the parent is older than its change.
        drop(disk);
        assert_eq!(show(&family.open().unwrap(), 0..4), [9, 1, byte, 9]);
    }
}

#[test]
fn rule_14_the_identity_of_a_disk_below_is_that_of_its_top_layer() {
    let home = Home::file();
    let disk = stack(&[Arc::new(home.create(disk_of(4))), full_ram(disk_of(4), 9)]);
    let child = Home::file();
    let bottom: Arc<dyn LayerIo> = Arc::new(disk);
    let above = LayeredDisk::new(vec![child.diff(), plain(&bottom)], DiskAccess::Writable).unwrap();
    assert_eq!(above.layer(0).unwrap().metadata().parent.unwrap().identity, bottom.metadata().identity);
    assert!(bottom.metadata().identity.is_some());
}

#[test]
fn rule_14_a_disk_below_that_is_written_in_the_opening_that_the_child_was_made_in_is_refused() {
    let (child, parent) = (Home::file(), Home::file());
    let lower: Arc<dyn LayerIo> = Arc::new(stack(&[Arc::new(parent.create(disk_of(8)))]));
    write(&*lower, 0, 1, 8);
    let disk = LayeredDisk::new(vec![child.diff(), plain(&lower)], DiskAccess::Writable).unwrap();
    write(&*lower, 0, 2, 1);
    disk.close().unwrap();
    drop((disk, lower));
    let lower: Arc<dyn LayerIo> = Arc::new(stack(&[parent.shared()]));
    let layers = vec![plain(&child.shared()), plain(&lower)];
    refused(LayeredDisk::new(layers, DiskAccess::Writable), ErrorKind::ParentMismatch);
}

#[test]
fn rule_14_identities_can_be_given() {
    let next = std::sync::atomic::AtomicU64::new(100);
    let draw = move || u128::from(next.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
    let options = Options { identities: Some(Arc::new(draw)), ..Options::default() };
    let home = Home::file();
    let layer = SqliteDiskLayer::create(home.path(), format(disk_of(4)), Existing::Keep, &options).unwrap();
    assert_eq!((identity(&layer).uuid.as_u128(), identity(&layer).generation), (100, 101));
    write(&layer, 0, 1, 1);
    assert_eq!((identity(&layer).uuid.as_u128(), identity(&layer).generation), (100, 102));
    assert_eq!(layer.metadata().access, Access::ReadWrite);
}

#[test]
fn rule_08_a_note_that_cannot_be_made_is_told_of_the_layer_that_would_keep_it() {
    let family = Family::new();
    let child = spy::failing_from(&family.child.shared(), 0, |call| call == Call::RecordParent);
    let layers = vec![through(&full_ram(disk_of(4), 1)), through(&child), plain(&family.parent.shared())];
    let disk = LayeredDisk::new(layers, DiskAccess::Writable).unwrap();
    let error = refused(disk.write(0, &[7; 512], Durability::Flushed), ErrorKind::Io);
    assert_eq!(error.layer(), Some(1), "{error}");
}
