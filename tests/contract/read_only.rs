//! Rule 13: read-only disks and files.

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{Access, Below, Durability, FileDisk, LayerIo, Mode};
use disklayer_sqlite::stack::{DiskAccess, LayeredDisk};
use rusqlite::ffi::SQLITE_CANTOPEN;

use super::media::{Home, disk_of, full_ram, look, plain, refused, show, write};
use super::power::copy_of;
use super::vfs::{Call, Watch};

/// Whether the file can now not be written to: permissions hold nobody back who may do everything.
#[cfg(unix)]
fn protect(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o444)).unwrap();
    std::fs::OpenOptions::new().write(true).open(path).is_err()
}

#[test]
fn rule_13_a_read_only_disk_refuses_changes_and_succeeds_at_a_flush() {
    let disk = LayeredDisk::new(vec![plain(&full_ram(disk_of(4), 9))], DiskAccess::ReadOnly).unwrap();
    refused(disk.write(1, &[1; 512], Durability::Flushed), ErrorKind::ReadOnly);
    refused(disk.write(1, &[1; 512], Durability::Fua), ErrorKind::ReadOnly);
    refused(disk.unmap(1, 1), ErrorKind::ReadOnly);
    disk.flush().unwrap();
    assert_eq!(show(&disk, 0..4), [9; 4]);
    assert_eq!(disk.metadata().access, Access::ReadOnly);
    disk.close().unwrap();
}

#[test]
fn rule_13_a_read_only_disk_keeps_its_layers() {
    let layers = vec![plain(&full_ram(disk_of(4), 9)), plain(&full_ram(disk_of(4), 8))];
    let disk = LayeredDisk::new(layers, DiskAccess::ReadOnly).unwrap();
    refused(disk.push(plain(&full_ram(disk_of(4), 7))), ErrorKind::ReadOnly);
    refused(disk.discard(), ErrorKind::ReadOnly);
    refused(disk.commit(), ErrorKind::ReadOnly);
    assert_eq!((disk.layer_count(), show(&disk, 0..4)), (2, vec![9; 4]));
}

#[test]
fn rule_13_a_layer_opened_for_reading_refuses_changes_and_says_so() {
    for home in Home::each() {
        let layer = home.create(disk_of(4));
        write(&layer, 0, 1, 2);
        layer.close().unwrap();
        let layer = home.try_open(Mode::ReadOnly).unwrap();
        assert_eq!(layer.metadata().access, Access::ReadOnly);
        refused(layer.write(0, &[2; 512], Durability::Fua), ErrorKind::ReadOnly);
        refused(layer.write_no_overwrite(3, &[2; 512]), ErrorKind::ReadOnly);
        refused(layer.unmap(0, 1, Below::Something), ErrorKind::ReadOnly);
        refused(layer.clear(), ErrorKind::ReadOnly);
        layer.flush().unwrap();
        assert_eq!(look(&layer, 0..4), [Some(1), Some(1), None, None]);
        layer.close().unwrap();
    }
}

#[test]
fn rule_13_reading_alone_leaves_the_file_as_it_is() {
    let home = Home::file();
    let layer = home.create(disk_of(4));
    write(&layer, 0, 1, 2);
    layer.close().unwrap();
    let before = std::fs::read(home.path()).unwrap();
    let layer = home.try_open(Mode::ReadOnly).unwrap();
    look(&layer, 0..4);
    layer.flush().unwrap();
    layer.close().unwrap();
    assert!(std::fs::read(home.path()).unwrap() == before);
}

#[test]
fn rule_13_a_raw_file_opened_for_reading_refuses_changes_and_says_so() {
    let home = Home::file();
    let path = home.directory().join("raw");
    write(&FileDisk::create(&path, disk_of(4)).unwrap(), 0, 1, 4);
    let disk = FileDisk::open(&path, 512, Mode::ReadOnly).unwrap();
    assert_eq!(disk.metadata().access, Access::ReadOnly);
    refused(disk.write(0, &[2; 512], Durability::Flushed), ErrorKind::ReadOnly);
    refused(disk.unmap(0, 1, Below::Nothing), ErrorKind::ReadOnly);
    disk.flush().unwrap();
    assert_eq!(look(&disk, 0..4), [Some(1); 4]);
}

#[cfg(unix)]
#[test]
fn rule_13_a_layer_from_a_file_that_cannot_be_written_says_that_it_is_read_only() {
    let home = Home::file();
    let layer = home.create(disk_of(4));
    write(&layer, 0, 1, 2);
    layer.close().unwrap();
    let raw = home.directory().join("raw");
    drop(FileDisk::create(&raw, disk_of(4)).unwrap());
    if !protect(&home.path()) || !protect(&raw) {
        return;
    }
    let layer = home.open();
    assert_eq!(layer.metadata().access, Access::ReadOnly);
    refused(layer.write(0, &[2; 512], Durability::Fua), ErrorKind::ReadOnly);
    assert_eq!(look(&layer, 0..2), [Some(1); 2]);
    assert_eq!(FileDisk::open(&raw, 512, Mode::ReadWrite).unwrap().metadata().access, Access::ReadOnly);
}

#[test]
fn rule_13_where_a_log_cannot_be_read_the_file_is_not_read_without_it() {
    let home = Home::file();
    let layer = home.create(disk_of(4));
    write(&layer, 0, 1, 1);
    layer.flush().unwrap();
    let copy = copy_of(&home);
    // As on media that nobody can write to.
    let watch = Watch::on(copy.directory());
    watch.fail(Call::Map, SQLITE_CANTOPEN);
    let error = refused(copy.try_open(Mode::ReadOnly), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("cannot be replayed here"), "{error}");
    watch.heal();
    copy.open().close().unwrap();
    watch.fail(Call::Map, SQLITE_CANTOPEN);
    assert_eq!(look(&copy.try_open(Mode::ReadOnly).unwrap(), 0..2), [Some(1), None]);
}
