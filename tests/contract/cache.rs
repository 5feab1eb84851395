//! Rule 11: read caches.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use disklayer_sqlite::error::{Error, ErrorKind};
use disklayer_sqlite::layer::{
    Access, Existing, FormatParams, LayerIo, MemoryFile, Options, RamDiskLayer, SqliteDiskLayer,
};
use disklayer_sqlite::stack::{DiskAccess, LayeredDisk};
use rusqlite::Connection;

use super::media::{Home, cache, disk_of, full_ram, look, plain, ram, refused, show, through, write};
use super::spy::{Call, Calls, Spy};

/// A disk with each kind of layer as cache over 8 sectors of nines.
fn each_cache(claim: impl Fn(&LayeredDisk, &dyn LayerIo, &Calls)) {
    let homes: Vec<_> = Home::each().collect();
    let layers = homes.iter().map(|home| Arc::new(home.create(disk_of(8))) as Arc<dyn LayerIo>);
    for layer in [ram(disk_of(8))].into_iter().chain(layers) {
        let calls = Calls::default();
        let bottom = calls.of(&full_ram(disk_of(8), 9));
        let disk = LayeredDisk::new(vec![cache(&layer), plain(&bottom)], DiskAccess::Writable).unwrap();
        claim(&disk, &*layer, &calls);
    }
}

#[test]
fn rule_11_a_second_read_does_not_touch_the_lower_layer() {
    each_cache(|disk, cache, calls| {
        assert_eq!(show(disk, 2..5), [9; 3]);
        assert_eq!(calls.take(), [Call::Read(2)]);
        assert_eq!(look(cache, 0..8), [None, None, Some(9), Some(9), Some(9), None, None, None]);
        assert_eq!((show(disk, 2..5), show(disk, 3..4)), (vec![9; 3], vec![9]));
        assert_eq!(calls.take(), []);
        assert_eq!(show(disk, 0..8), [9; 8]);
        assert_eq!(calls.take(), [Call::Read(0), Call::Read(5)]);
        assert_eq!(show(disk, 0..8), [9; 8]);
        assert_eq!(calls.take(), []);
    });
}

#[test]
fn rule_11_a_cache_is_never_filled_over_something_newer() {
    each_cache(|disk, cache, calls| {
        write(disk, 3, 1, 1);
        write(disk, 4, 0, 1);
        disk.unmap(5, 1).unwrap();
        let expected = [9, 9, 9, 1, 0, 0, 9, 9];
        assert_eq!(show(disk, 0..8), expected);
        assert_eq!(look(cache, 0..8), expected.map(Some));
        calls.take();
        assert_eq!(show(disk, 0..8), expected);
        assert_eq!(calls.take(), []);
    });
}

#[test]
fn rule_11_a_cached_sector_that_is_unmapped_stays_hidden() {
    each_cache(|disk, _, _| {
        show(disk, 0..8);
        disk.unmap(2, 3).unwrap();
        assert_eq!(show(disk, 0..8), [9, 9, 0, 0, 0, 9, 9, 9]);
        write(disk, 3, 4, 1);
        assert_eq!(show(disk, 0..8), [9, 9, 0, 4, 0, 9, 9, 9]);
    });
}

#[test]
fn rule_11_every_cache_above_is_filled_and_no_layer_that_is_none() {
    let [top, outer, middle, inner] = [0; 4].map(|_| ram(disk_of(4)));
    let layers = vec![plain(&top), cache(&outer), plain(&middle), cache(&inner), plain(&full_ram(disk_of(4), 9))];
    let disk = LayeredDisk::new(layers, DiskAccess::Writable).unwrap();
    assert_eq!(show(&disk, 1..3), [9; 2]);
    let filled = [None, Some(9), Some(9), None];
    assert_eq!((look(&*outer, 0..4), look(&*inner, 0..4)), (filled.to_vec(), filled.to_vec()));
    assert_eq!((look(&*top, 0..4), look(&*middle, 0..4)), (vec![None; 4], vec![None; 4]));
}

#[test]
fn rule_11_sectors_that_no_layer_has_are_not_put_into_the_cache() {
    let (kept, bottom) = (ram(disk_of(4)), ram(disk_of(4)));
    write(&*bottom, 1, 9, 1);
    let disk = LayeredDisk::new(vec![cache(&kept), plain(&bottom)], DiskAccess::Writable).unwrap();
    assert_eq!(show(&disk, 0..4), [0, 9, 0, 0]);
    assert_eq!(look(&*kept, 1..2), [Some(9)]);
    assert_eq!(show(&disk, 0..4), [0, 9, 0, 0]);
}

#[test]
fn rule_11_a_logically_read_only_cache_is_filled_and_survives_reopening() {
    let home = Home::file();
    let format = FormatParams { logically_read_only: true, len: 2048, sector_size: 512 };
    let layer = SqliteDiskLayer::create(home.path(), format, Existing::Keep, &Options::default()).unwrap();
    let bottom = full_ram(disk_of(4), 9);
    let disk = LayeredDisk::new(vec![cache(&(Arc::new(layer) as _)), plain(&bottom)], DiskAccess::ReadOnly).unwrap();
    assert_eq!(show(&disk, 0..2), [9; 2]);
    disk.close().unwrap();
    drop(disk);
    let calls = Calls::default();
    let layers = vec![cache(&home.shared()), plain(&calls.of(&bottom))];
    let disk = LayeredDisk::new(layers, DiskAccess::ReadOnly).unwrap();
    assert_eq!(show(&disk, 0..2), [9; 2]);
    assert_eq!(calls.take(), []);
}

#[test]
fn rule_11_failing_to_fill_a_cache_never_fails_the_read() {
    let (kept, filled) = (ram(disk_of(4)), ram(disk_of(4)));
    let broken = Spy::on(&kept, |call| match call {
        Call::Fill(_) => Err(Error::new(ErrorKind::NoSpace, "a fill that fails on purpose")),
        _ => Ok(()),
    });
    let layers = vec![cache(&filled), cache(&broken), plain(&full_ram(disk_of(4), 9))];
    let disk = LayeredDisk::new(layers, DiskAccess::Writable).unwrap();
    assert_eq!(show(&disk, 0..4), [9; 4]);
    assert_eq!((look(&*kept, 0..4), look(&*filled, 0..4)), (vec![None; 4], vec![Some(9); 4]));
}

#[test]
fn rule_11_a_cache_that_is_closed_or_full_is_an_error_when_it_is_read() {
    let file = MemoryFile::default();
    let format = FormatParams { logically_read_only: false, len: 2048, sector_size: 512 };
    let layer = SqliteDiskLayer::create(&file, format, Existing::Keep, &Options::default()).unwrap();
    let layer: Arc<dyn LayerIo> = Arc::new(layer);
    let disk = LayeredDisk::new(vec![cache(&layer), plain(&full_ram(disk_of(4), 9))], DiskAccess::Writable).unwrap();
    layer.close().unwrap();
    assert_eq!(refused(disk.read(0, &mut [0; 512]), ErrorKind::Failed).layer(), Some(0));
}

#[test]
fn rule_11_a_damaged_cache_row_is_an_error_and_not_a_miss() {
    for damage in ["x'00'", "zeroblob(511)", "zeroblob(513)", "zeroblob(1024)", "''", "'text'", "7", "1.5", "x''"] {
        let home = Home::original();
        let bottom = full_ram(disk_of(4), 9);
        let layer = Arc::new(home.create(disk_of(4)));
        let disk = LayeredDisk::new(vec![cache(&(layer as _)), plain(&bottom)], DiskAccess::Writable).unwrap();
        show(&disk, 0..4);
        disk.close().unwrap();
        drop(disk);
        let sql = format!("UPDATE sectors SET data = {damage} WHERE sector = 2");
        Connection::open(home.path()).unwrap().execute_batch(&sql).unwrap();
        let calls = Calls::default();
        let layers = vec![cache(&home.shared()), plain(&calls.of(&bottom))];
        let disk = LayeredDisk::new(layers, DiskAccess::Writable).unwrap();
        let error = refused(disk.read(0, &mut [0; 4 * 512]), ErrorKind::Corrupt);
        assert_eq!((error.layer(), error.sector(), calls.take()), (Some(0), Some(2), vec![]), "{damage}");
        assert_eq!(show(&disk, 0..2), [9; 2]);
    }
}

/// A commit empties the cache, so a fill that came after it would bring back what was read before.
#[test]
fn rule_11_a_fill_excludes_overlapping_changes_until_it_has_landed() {
    let (filling, is_filling) = mpsc::channel();
    let (committed, is_committed) = mpsc::sync_channel::<()>(2);
    let is_committed = std::sync::Mutex::new(is_committed);
    let top = Spy::on(&ram(disk_of(4)), move |call| {
        if call == Call::Fill(1) {
            filling.send(()).unwrap();
            // Nothing comes, or the change was not excluded: then it is let through before the fill.
            let _ = is_committed.lock().unwrap().recv_timeout(Duration::from_millis(100));
        }
        Ok(())
    });
    let disk = LayeredDisk::new(vec![cache(&top), plain(&full_ram(disk_of(4), 9))], DiskAccess::Writable).unwrap();
    std::thread::scope(|threads| {
        threads.spawn(|| assert_eq!(show(&disk, 1..2), [9]));
        is_filling.recv_timeout(Duration::from_secs(30)).unwrap();
        write(&disk, 1, 5, 1);
        disk.commit().unwrap();
        committed.send(()).unwrap();
    });
    assert_eq!(show(&disk, 0..4), [9, 5, 9, 9]);
}

#[test]
fn rule_11_a_cache_that_is_written_through_keeps_the_new_bytes() {
    let kept = ram(disk_of(4));
    let bottom: Arc<dyn LayerIo> = Arc::new(RamDiskLayer::new(disk_of(4), Access::ReadWrite));
    write(&*bottom, 0, 9, 4);
    let both = disklayer_sqlite::stack::LayerConfiguration { read_cache: true, ..through(&kept) };
    let disk = LayeredDisk::new(vec![both, plain(&bottom)], DiskAccess::Writable).unwrap();
    assert_eq!(show(&disk, 0..2), [9; 2]);
    write(&disk, 1, 5, 2);
    disk.unmap(0, 1).unwrap();
    assert_eq!(look(&*kept, 0..4), [Some(0), Some(5), Some(5), None]);
    // Nothing is below the bottom, so it may forget.
    assert_eq!(look(&*bottom, 0..4), [None, Some(5), Some(5), Some(9)]);
    assert_eq!(show(&disk, 0..4), [0, 5, 5, 9]);
}
