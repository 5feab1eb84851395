//! Rule 15: what reaches the disk, and when; seen from below SQLite.

use std::sync::Arc;

use disklayer_sqlite::fault::{self, Fault};
use disklayer_sqlite::layer::{Below, Durability, LayerIo, Mode, Options, SqliteDiskLayer};
use disklayer_sqlite::stack::{DiskAccess, LayeredDisk};

use super::media::{Home, disk_of, look, plain, ram, stack, through, write};
use super::spy::{self, Spy};
use super::vfs::{Call, Part, Watch};

/// A layer that has begun its generation, so that a write needs no sync of its own, and who watches its files.
fn begun() -> (Home, Watch, SqliteDiskLayer) {
    let home = Home::file();
    home.create(disk_of(64)).close().unwrap();
    let watch = Watch::on(home.directory());
    let layer = home.open();
    write(&layer, 0, 1, 1);
    layer.flush().unwrap();
    watch.take();
    (home, watch, layer)
}

/// Whether the log was written and then synced, and nothing written after that.
fn synced(calls: &[(Part, Call)]) -> bool {
    let last = |call| calls.iter().rposition(|seen| *seen == (Part::Log, call));
    last(Call::Write).is_some() && last(Call::Sync) > last(Call::Write)
}

fn syncs(calls: &[(Part, Call)]) -> usize {
    calls.iter().filter(|(_, call)| *call == Call::Sync).count()
}

/// Writes and flushes; whether what a copy of the files has then is all that was written.
fn a_flush_is_seen_below(watch: &Watch, layer: &dyn LayerIo) -> bool {
    for sector in 0..8 {
        write(layer, sector, 7, 1);
    }
    layer.unmap(4, 1, Below::Something).unwrap();
    layer.flush().unwrap();
    synced(&watch.take())
}

#[test]
fn rule_15_a_flush_syncs_what_was_written() {
    let (home, watch, layer) = begun();
    assert!(a_flush_is_seen_below(&watch, &layer));
    assert!(a_flush_is_seen_below(&watch, &layer));
    drop(layer);
    let expected = [7, 7, 7, 7, 0, 7, 7, 7].map(Some);
    assert_eq!(look(&home.open(), 0..8), expected);
}

/// The test above can fail: a transaction that is dropped syncs nothing, and what was acknowledged is gone.
#[test]
fn rule_15_a_flush_that_drops_its_transaction_would_be_noticed() {
    let (home, watch, layer) = begun();
    fault::with(Fault::FlushDropsTransaction, || assert!(!a_flush_is_seen_below(&watch, &layer)));
    assert_eq!(look(&layer, 0..3), [Some(1), None, None]);
    drop(layer);
    assert_eq!(look(&home.open(), 0..3), [Some(1), None, None]);
}

#[test]
fn rule_15_what_is_not_flushed_is_not_synced() {
    let (_home, watch, layer) = begun();
    for sector in 0..8 {
        write(&layer, sector, 7, 1);
    }
    layer.unmap(2, 3, Below::Something).unwrap();
    layer.write_no_overwrite(20, &[3; 1024]).unwrap();
    assert_eq!(syncs(&watch.take()), 0);
}

#[test]
fn rule_15_a_flush_with_nothing_to_do_syncs_nothing() {
    let (_home, watch, layer) = begun();
    layer.flush().unwrap();
    look(&layer, 0..64);
    layer.flush().unwrap();
    assert_eq!(watch.take(), []);
}

#[test]
fn rule_15_a_fua_write_syncs_itself_and_what_came_before() {
    let (_home, watch, layer) = begun();
    write(&layer, 1, 2, 2);
    layer.write(9, &[3; 512], Durability::Fua).unwrap();
    assert!(synced(&watch.take()));
    layer.flush().unwrap();
    assert_eq!(watch.take(), []);
}

#[test]
fn rule_15_the_first_write_after_opening_makes_its_generation_durable_first() {
    let home = Home::file();
    home.create(disk_of(8)).close().unwrap();
    let watch = Watch::on(home.directory());
    let layer = home.open();
    watch.take();
    write(&layer, 0, 1, 1);
    assert!(synced(&watch.take()));
    write(&layer, 0, 2, 1);
    assert_eq!(syncs(&watch.take()), 0);
}

#[test]
fn rule_15_close_syncs_the_log_before_the_database_and_the_database_before_the_log_goes() {
    let (home, watch, layer) = begun();
    write(&layer, 5, 7, 3);
    layer.close().unwrap();
    let calls = watch.take();
    let first = |seen| calls.iter().position(|call| *call == seen).unwrap();
    let last = |seen| calls.iter().rposition(|call| *call == seen).unwrap();
    assert!(first((Part::Log, Call::Sync)) < first((Part::Database, Call::Write)), "{calls:?}");
    assert!(last((Part::Database, Call::Sync)) > last((Part::Database, Call::Write)), "{calls:?}");
    assert_eq!(look(&home.open(), 4..9), [None, Some(7), Some(7), Some(7), None]);
}

/// Its log keeps the old name, where nobody looks for it.
#[cfg(unix)]
#[test]
fn rule_15_a_file_that_is_renamed_while_it_is_open_has_everything_once_it_is_closed() {
    for home in Home::files() {
        let layer = home.create(disk_of(100));
        write(&layer, 0, 1, 50);
        layer.flush().unwrap();
        let elsewhere = home.directory().join("elsewhere.dbhd");
        std::fs::rename(home.path(), &elsewhere).unwrap();
        layer.write(50, &[2; 512], Durability::Fua).unwrap();
        write(&layer, 51, 3, 1);
        layer.close().unwrap();
        let log = home.directory().join("layer.dbhd-wal");
        assert!(std::fs::metadata(log).map_or(0, |info| info.len()) == 0, "{home}");
        let layer = SqliteDiskLayer::open(elsewhere, Mode::ReadWrite, &Options::default()).unwrap();
        assert_eq!(look(&layer, 49..53), [Some(1), Some(2), Some(3), None], "{home}");
    }
}

#[test]
fn rule_15_dropping_tries_what_close_does() {
    let (home, watch, layer) = begun();
    write(&layer, 5, 7, 3);
    drop(layer);
    assert!(syncs(&watch.take()) >= 2);
    assert_eq!(look(&home.open(), 5..8), [Some(7); 3]);
}

#[test]
fn rule_15_a_new_file_is_synced_before_it_gets_its_name() {
    let home = Home::file();
    let watch = Watch::on(home.directory());
    let layer = home.create(disk_of(8));
    let calls = watch.take();
    // The draft is synced through a descriptor of our own; nothing of it is written under the final name.
    let database_writes = calls.iter().filter(|call| **call == (Part::Database, Call::Write)).count();
    assert_eq!(database_writes, 0, "{calls:?}");
    drop(layer);
}

#[test]
fn rule_15_a_log_left_by_a_dead_process_is_made_durable_at_opening() {
    let (home, _watch, layer) = begun();
    write(&layer, 5, 7, 3);
    layer.flush().unwrap();
    let copy = super::power::copy_of(&home);
    drop(layer);
    let watch = Watch::on(copy.directory());
    let layer = copy.open();
    let calls = watch.take();
    let last = |call| calls.iter().rposition(|seen| *seen == (Part::Database, call));
    assert!(last(Call::Write).is_some() && last(Call::Sync) > last(Call::Write), "{calls:?}");
    layer.flush().unwrap();
    assert_eq!(look(&layer, 5..8), [Some(7); 3]);
}

#[test]
fn rule_15_a_flush_of_a_disk_syncs_every_layer_of_it() {
    let (top, bottom) = (begun(), begun());
    let (top_layer, bottom_layer): (Arc<dyn LayerIo>, Arc<dyn LayerIo>) = (Arc::new(top.2), Arc::new(bottom.2));
    let layers = vec![through(&top_layer), plain(&bottom_layer)];
    let disk = LayeredDisk::new(layers, DiskAccess::Writable).unwrap();
    write(&disk, 3, 7, 2);
    disk.flush().unwrap();
    assert!(synced(&top.1.take()) && synced(&bottom.1.take()));
    disk.write(3, &[8; 512], Durability::Fua).unwrap();
    assert!(synced(&top.1.take()) && synced(&bottom.1.take()));
}

#[test]
fn rule_15_a_push_makes_durable_what_later_flushes_do_not_reach() {
    let (_home, watch, layer) = begun();
    let disk = stack(&[Arc::new(layer)]);
    write(&disk, 3, 7, 2);
    assert_eq!(syncs(&watch.take()), 0);
    disk.push(plain(&ram(disk_of(64)))).unwrap();
    assert!(synced(&watch.take()));
}

#[test]
fn rule_15_a_commit_syncs_the_lower_layer_before_it_empties_the_upper() {
    let (home, watch, lower) = begun();
    let upper = ram(disk_of(64));
    let spied = Spy::on(&upper, move |call| {
        assert!(call != spy::Call::Clear || synced(&watch.take()), "the copy is not durable yet");
        Ok(())
    });
    let disk = stack(&[spied, Arc::new(lower)]);
    write(&disk, 1, 7, 4);
    disk.commit().unwrap();
    assert_eq!(look(&*upper, 0..8), [None; 8]);
    drop(disk);
    assert_eq!(look(&home.open(), 1..5), [Some(7); 4]);
}
