//! Rule 18: a disk that cannot write or sync is heard of, and undoes nothing in silence.

use std::sync::Arc;

use disklayer_sqlite::drive::Drive;
use disklayer_sqlite::error::{ErrorKind, Result};
use disklayer_sqlite::layer::{Below, Durability, FileDisk, LayerIo, Mode, Options, SectorMarker, SqliteDiskLayer};
use disklayer_sqlite::strike::{Failure, Span, Strike};
use rusqlite::ffi::{SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE};

use super::media::{Home, disk_of, full_ram, look, refused, show, stack, write};
use super::vfs::{Call, Watch};

/// A layer whose sector 0 is flushed, and who can let its files fail.
fn begun(options: &Options) -> (Home, Watch, SqliteDiskLayer) {
    let home = Home::file();
    home.create(disk_of(1 << 16)).close().unwrap();
    let watch = Watch::on(home.directory());
    let layer = home.open_with(options);
    write(&layer, 0, 1, 1);
    layer.flush().unwrap();
    (home, watch, layer)
}

/// Every call must refuse, and stay so after the disk is well again.
fn refuses_everything(layer: &dyn LayerIo) {
    let mut marker = disklayer_sqlite::layer::SectorMarker::new(0..1);
    let mut buf = [0xee; 512];
    refused(layer.read(0, &mut buf, &mut marker), ErrorKind::Failed);
    assert_eq!(buf, [0xee; 512]);
    refused(layer.write(0, &[1; 512], Durability::Flushed), ErrorKind::Failed);
    refused(layer.unmap(0, 1, Below::Something), ErrorKind::Failed);
    refused(layer.write_no_overwrite(0, &[1; 512]), ErrorKind::Failed);
    refused(layer.flush(), ErrorKind::Failed);
    refused(layer.next_extent(0), ErrorKind::Failed);
    refused(layer.clear(), ErrorKind::Failed);
}

/// The sectors that were acknowledged before the disk failed, and the error that told.
fn write_until_it_fails(layer: &dyn LayerIo) -> (u64, Result<()>) {
    for sector in 1..1 << 16 {
        let result = layer.write(sector, &[2; 512], Durability::Flushed);
        if result.is_err() {
            return (sector, result);
        }
    }
    panic!("the disk did not fail");
}

#[test]
fn rule_18_a_flush_whose_sync_fails_is_heard_of_and_the_layer_refuses_everything() {
    let (home, watch, layer) = begun(&Options::default());
    write(&layer, 0, 2, 4);
    watch.fail(Call::Sync, SQLITE_IOERR_FSYNC);
    let error = refused(layer.flush(), ErrorKind::Io);
    assert!(error.to_string().contains("COMMIT"), "{error}");
    watch.heal();
    refuses_everything(&layer);
    refused(layer.close(), ErrorKind::Failed);
    drop(layer);
    let held = look(&home.open(), 0..4);
    assert!(held == [Some(2); 4] || held == [Some(1), None, None, None], "{held:?}");
}

#[test]
fn rule_18_a_fua_write_whose_sync_fails_is_heard_of() {
    let (_home, watch, layer) = begun(&Options::default());
    watch.fail(Call::Sync, SQLITE_IOERR_FSYNC);
    refused(layer.write(5, &[3; 512], Durability::Fua), ErrorKind::Io);
    watch.heal();
    refuses_everything(&layer);
}

#[test]
fn rule_18_a_close_whose_sync_fails_is_heard_of() {
    let (home, watch, layer) = begun(&Options::default());
    write(&layer, 5, 2, 1);
    watch.fail(Call::Sync, SQLITE_IOERR_FSYNC);
    refused(layer.close(), ErrorKind::Io);
    watch.heal();
    drop(layer);
    assert_eq!(look(&home.open(), 0..1), [Some(1)]);
}

#[test]
fn rule_18_a_full_disk_at_the_commit_is_heard_of() {
    let (home, watch, layer) = begun(&Options::default());
    write(&layer, 1, 2, 8);
    watch.fail(Call::Write, SQLITE_FULL);
    refused(layer.flush(), ErrorKind::NoSpace);
    watch.heal();
    refuses_everything(&layer);
    drop(layer);
    assert_eq!(look(&home.open(), 0..3), [Some(1), None, None]);
}

#[test]
fn rule_18_a_disk_that_fails_inside_a_long_transaction_undoes_nothing_in_silence() {
    for (code, kind) in [(SQLITE_FULL, ErrorKind::NoSpace), (SQLITE_IOERR_WRITE, ErrorKind::Io)] {
        for (dirty_limit, write_back) in [(1 << 20, 1 << 30), (1 << 20, 0), (1 << 30, 1 << 20), (1 << 30, 0)] {
            let (home, watch, layer) = begun(&Options { dirty_limit, write_back, ..Options::default() });
            watch.fail(Call::Write, code);
            let (acknowledged, result) = write_until_it_fails(&layer);
            refused(result, kind);
            watch.heal();
            // Either the layer still has every acknowledged byte and goes on, or it refuses everything.
            let mut marker = disklayer_sqlite::layer::SectorMarker::new(1..2);
            match layer.read(1, &mut [0; 512], &mut marker) {
                Ok(()) => {
                    assert!(look(&layer, 1..acknowledged).iter().all(|byte| *byte == Some(2)), "of {acknowledged}");
                    layer.close().unwrap();
                    assert!(look(&home.open(), 1..acknowledged).iter().all(|byte| *byte == Some(2)));
                }
                Err(_) => {
                    refuses_everything(&layer);
                    drop(layer);
                    let held = look(&home.open(), 0..acknowledged + 1);
                    let prefix = held.iter().take_while(|byte| byte.is_some()).count();
                    assert_eq!(held[0], Some(1));
                    assert!(held[prefix..].iter().all(Option::is_none), "not a prefix");
                }
            }
        }
    }
}

#[test]
fn rule_18_a_disk_that_fails_before_anything_is_acknowledged_costs_nothing() {
    let home = Home::file();
    home.create(disk_of(8)).close().unwrap();
    let watch = Watch::on(home.directory());
    let layer = home.open();
    watch.fail(Call::Write, SQLITE_FULL);
    refused(layer.write(0, &[1; 512], Durability::Flushed), ErrorKind::NoSpace);
    watch.heal();
    drop(layer);
    let layer = home.open();
    write(&layer, 0, 1, 1);
    layer.close().unwrap();
    assert_eq!(look(&home.open(), 0..2), [Some(1), None]);
}

#[test]
fn rule_18_a_stack_says_which_layer_failed() {
    let (_home, watch, layer) = begun(&Options::default());
    let disk = stack(&[Arc::new(layer), full_ram(disk_of(1 << 16), 9)]);
    write(&disk, 3, 3, 1);
    watch.fail(Call::Sync, SQLITE_IOERR_FSYNC);
    assert_eq!(refused(disk.flush(), ErrorKind::Io).layer(), Some(0));
    watch.heal();
    assert_eq!(refused(disk.read(3, &mut [0; 512]), ErrorKind::Failed).layer(), Some(0));
}

#[test]
fn rule_18_a_cache_that_cannot_be_kept_costs_no_read_and_no_wrong_byte() {
    let (_home, watch, layer) = begun(&Options { dirty_limit: 0, ..Options::default() });
    let layer: Arc<dyn LayerIo> = Arc::new(layer);
    let layers = vec![super::media::cache(&layer), super::media::plain(&full_ram(disk_of(1 << 16), 9))];
    let disk =
        disklayer_sqlite::stack::LayeredDisk::new(layers, disklayer_sqlite::stack::DiskAccess::Writable).unwrap();
    watch.fail(Call::Sync, SQLITE_IOERR_FSYNC);
    // The fill fails at its commit; the read has its bytes.
    assert_eq!(show(&disk, 4..8), [9; 4]);
    watch.heal();
    refused(disk.read(0, &mut [0; 512]), ErrorKind::Failed);
}

/// The system takes its pages for clean since, and the next sync would say that all is well.
#[test]
fn rule_15_a_raw_file_whose_sync_failed_refuses_everything_until_it_is_reopened() {
    let drive = Drive::new();
    let path = drive.path("raw");
    FileDisk::create_in(&drive, &path, disk_of(4)).unwrap();
    for durability in [Durability::Flushed, Durability::Fua] {
        let disk = FileDisk::open_in(&drive, &path, 512, Mode::ReadWrite).unwrap();
        write(&disk, 0, 1, 4);
        drive.arm(&Strike::Fail { call: 1, span: Span::One, failure: Failure::Sync });
        let synced = match durability {
            Durability::Flushed => disk.flush(),
            Durability::Fua => disk.write(0, &[1; 512], durability),
        };
        drive.disarm();
        refused(synced, ErrorKind::Io);
        let mut buf = [0xee; 512];
        refused(disk.read(0, &mut buf, &mut SectorMarker::new(0..1)), ErrorKind::Failed);
        assert_eq!(buf, [0xee; 512]);
        refused(disk.write(0, &[1; 512], Durability::Flushed), ErrorKind::Failed);
        refused(disk.unmap(0, 1, Below::Nothing), ErrorKind::Failed);
        refused(disk.flush(), ErrorKind::Failed);
        refused(disk.next_extent(0), ErrorKind::Failed);
        refused(disk.close(), ErrorKind::Failed);
        let disk = FileDisk::open_in(&drive, &path, 512, Mode::ReadWrite).unwrap();
        assert_eq!(look(&disk, 0..4), [Some(1); 4]);
        disk.close().unwrap();
    }
}
