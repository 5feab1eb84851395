//! Rule 21: who may have a layer open together with whom.

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{FileDisk, LayerIo, Mode};

use super::child::Child;
use super::media::{Home, disk_of, look, refused, write};

/// A layer with a one in sector 0, closed.
fn closed() -> Home {
    let home = Home::file();
    let layer = home.create(disk_of(4));
    write(&layer, 0, 1, 1);
    layer.close().unwrap();
    home
}

#[test]
fn rule_21_a_writer_excludes_writers_and_readers_in_this_process() {
    for home in Home::each() {
        let writer = home.create(disk_of(4));
        refused(home.try_open(Mode::ReadWrite), ErrorKind::Busy);
        refused(home.try_open(Mode::ReadOnly), ErrorKind::Busy);
        write(&writer, 0, 1, 1);
        refused(home.try_open(Mode::ReadWrite), ErrorKind::Busy);
        writer.close().unwrap();
        let writer = home.open();
        drop(writer);
        assert_eq!(look(&home.open(), 0..1), [Some(1)]);
    }
}

#[test]
fn rule_21_readers_share_with_readers_and_exclude_writers_in_this_process() {
    let home = closed();
    let readers = [(); 3].map(|()| home.try_open(Mode::ReadOnly).unwrap());
    for reader in &readers {
        assert_eq!(look(reader, 0..1), [Some(1)]);
        refused(home.try_open(Mode::ReadWrite), ErrorKind::Busy);
    }
    for reader in readers {
        refused(home.try_open(Mode::ReadWrite), ErrorKind::Busy);
        drop(reader);
    }
    write(&home.open(), 0, 2, 1);
}

/// A backup, for one. It drops the locks that SQLite has.
#[cfg(target_os = "linux")]
#[test]
fn rule_21_whoever_reads_the_file_in_this_process_leaves_the_owner_his_lock() {
    let home = closed();
    for mode in [Mode::ReadWrite, Mode::ReadOnly] {
        let owner = home.try_open(mode).unwrap();
        drop(std::fs::read(home.path()).unwrap());
        drop(FileDisk::open(&home.path(), 512, Mode::ReadWrite).unwrap());
        Child::start("writer", &home.path()).expect("Busy");
        Child::start("reader", &home.path()).expect(if mode == Mode::ReadOnly { "open" } else { "Busy" });
        owner.close().unwrap();
        Child::start("writer", &home.path()).expect("open");
    }
}

#[test]
fn rule_21_a_refused_opening_leaves_the_owner_its_lock() {
    let home = closed();
    let writer = home.open();
    for mode in [Mode::ReadWrite, Mode::ReadOnly] {
        refused(home.try_open(mode), ErrorKind::Busy);
    }
    // Closing a descriptor of the file, in the refusals above, must not have dropped the lock of this process.
    let mut other = Child::start("writer", &home.path());
    other.expect("Busy");
    write(&writer, 0, 2, 1);
    writer.close().unwrap();
}

#[test]
fn rule_21_a_writer_elsewhere_excludes_writers_and_readers() {
    let home = closed();
    let mut other = Child::start("writer", &home.path());
    other.expect("open");
    refused(home.try_open(Mode::ReadWrite), ErrorKind::Busy);
    refused(home.try_open(Mode::ReadOnly), ErrorKind::Busy);
    other.finish();
    assert_eq!(look(&home.open(), 0..1), [Some(1)]);
}

#[test]
fn rule_21_a_reader_elsewhere_excludes_writers_and_shares_with_readers() {
    let home = closed();
    let mut other = Child::start("reader", &home.path());
    other.expect("open");
    refused(home.try_open(Mode::ReadWrite), ErrorKind::Busy);
    let reader = home.try_open(Mode::ReadOnly).unwrap();
    assert_eq!(look(&reader, 0..1), [Some(1)]);
    other.finish();
    refused(home.try_open(Mode::ReadWrite), ErrorKind::Busy);
    drop(reader);
    drop(home.open());
}

#[test]
fn rule_21_an_owner_here_excludes_those_elsewhere() {
    let home = closed();
    let writer = home.open();
    Child::start("writer", &home.path()).expect("Busy");
    Child::start("reader", &home.path()).expect("Busy");
    writer.close().unwrap();
    let reader = home.try_open(Mode::ReadOnly).unwrap();
    Child::start("writer", &home.path()).expect("Busy");
    let mut other = Child::start("reader", &home.path());
    other.expect("open");
    other.finish();
    drop(reader);
    let mut other = Child::start("writer", &home.path());
    other.expect("open");
    other.finish();
}

#[test]
fn rule_21_a_dead_owner_blocks_nobody() {
    for part in ["writer", "reader"] {
        let home = closed();
        let mut other = Child::start(part, &home.path());
        other.expect("open");
        refused(home.try_open(Mode::ReadWrite), ErrorKind::Busy);
        other.kill();
        assert_eq!(look(&home.open(), 0..1), [Some(1)]);
    }
}

/// A file that the original made need not be in WAL mode, where a reader holds its lock from open to close.
#[test]
fn rule_21_a_reader_of_a_file_without_log_excludes_writers_too() {
    let home = closed();
    rusqlite::Connection::open(home.path()).unwrap().pragma_update(None, "journal_mode", "DELETE").unwrap();
    let (reader, another) = (home.try_open(Mode::ReadOnly).unwrap(), home.try_open(Mode::ReadOnly).unwrap());
    refused(home.try_open(Mode::ReadWrite), ErrorKind::Busy);
    assert_eq!((look(&reader, 0..1), look(&another, 0..1)), (vec![Some(1)], vec![Some(1)]));
    refused(home.try_open(Mode::ReadWrite), ErrorKind::Busy);
    drop((reader, another));
    write(&home.open(), 0, 2, 1);
}

#[test]
fn rule_21_a_stack_refuses_a_layer_that_it_has_already() {
    let home = closed();
    let disk = super::media::stack(&[home.shared()]);
    refused(home.try_open(Mode::ReadWrite), ErrorKind::Busy);
    refused(disk.push(home.diff()), ErrorKind::AlreadyExists);
    disk.close().unwrap();
    drop(home.open());
}
