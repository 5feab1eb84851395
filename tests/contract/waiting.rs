//! Short writes that wait in memory for the next commit: seen at once, told to SQLite in time, and bounded.

use std::ops::Range;

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{Below, Durability, Existing, LayerIo, Options, SectorMarker, SqliteDiskLayer};
use disklayer_sqlite::script::{Choices, SeedChoices};

use super::media::{Home, disk_of, format, look, refused, write};

const COUNT: u64 = 200;

/// What somebody sees who looks at everything: the bytes, the extents, and up to where each sector says that zeros go on.
fn seen(layer: &dyn LayerIo) -> (Vec<Option<u8>>, Vec<Range<u64>>, Vec<u64>) {
    let next = |from: &u64| layer.next_extent(*from).unwrap();
    let first = next(&0);
    let extents = std::iter::successors(first, |last| next(&last.end)).collect();
    (look(layer, 0..COUNT), extents, (0..COUNT).map(|sector| layer.zeroed_until(sector).unwrap()).collect())
}

#[test]
fn rule_04_what_waits_looks_as_it_does_when_it_is_stored() {
    let options = Options { page_size: 512, ..Options::default() };
    for seed in 0..60 {
        let home = Home::memory();
        let layer = SqliteDiskLayer::create(home.location(), format(disk_of(COUNT)), Existing::Keep, &options).unwrap();
        let mut choices = SeedChoices::new(seed, 0);
        for step in 1..40_u8 {
            let sector = choices.below(COUNT);
            let count = (1 + choices.below(if step % 5 == 0 { 40 } else { 4 })).min(COUNT - sector);
            let data = vec![if choices.below(4) == 0 { 0 } else { step }; count as usize * 512];
            match choices.below(5) {
                0 => layer.unmap(sector, count, Below::Something).unwrap(),
                1 => layer.unmap(sector, count, Below::Nothing).unwrap(),
                2 => layer.write_no_overwrite(sector, &data).unwrap(),
                _ => layer.write(sector, &data, Durability::Flushed).unwrap(),
            }
            let (bytes, extents, zeroed) = seen(&layer);
            for (sector, until) in (0..).zip(zeroed) {
                assert!(bytes[sector as usize..until as usize].iter().all(|byte| *byte == Some(0)), "{seed} {step}");
            }
            if step % 8 == 0 {
                layer.flush().unwrap();
                let stored = seen(&layer);
                assert_eq!((stored.0, stored.1), (bytes, extents), "seed {seed}, step {step}");
            }
        }
    }
}

#[test]
fn rule_24_what_waits_is_bounded_and_goes_to_the_log_before_the_commit() {
    for (write_back, goes) in [(1 << 20, false), (60_000, true), (0, true)] {
        let home = Home::file();
        home.create(disk_of(1 << 14)).close().unwrap();
        let layer =
            home.open_with(&Options { write_back, cache_bytes: 4096, log_limit: 1 << 30, ..Options::default() });
        let log = || std::fs::metadata(home.path().with_extension("dbhd-wal")).map_or(0, |info| info.len());
        // What has been stored waits no more: there is as much room again.
        for round in 2..6 {
            write(&layer, 0, 1, 1);
            let before = log();
            for cluster in (0..100).rev() {
                write(&layer, cluster * 128 + 5, round, 1);
            }
            assert_eq!(log() > before, goes, "{write_back} bytes may wait, round {round}");
            layer.flush().unwrap();
            let held = look(&layer, 0..100 * 128);
            assert_eq!(held.iter().flatten().filter(|byte| **byte == round).count(), 100);
        }
    }
}

/// A cluster is looked at when its first part comes, and what its head says is sound. Its pages may not be, in a file that
/// is too large to be looked at whole: what was acknowledged cannot be stored.
#[test]
fn rule_18_what_waits_and_cannot_be_stored_is_heard_of_and_the_layer_refuses_everything() {
    let home = Home::file();
    let count = (9 << 20) / 512;
    let layer = home.create(disk_of(count));
    write(&layer, 0, 1, count);
    layer.close().unwrap();
    let mut bytes = std::fs::read(home.path()).unwrap();
    // The second map of pages; each has an entry of five bytes for every page up to the next map.
    let map = 2 + 4096 / 5 + 1;
    bytes[(map - 1) * 4096..][..4096].fill(0xff);
    let mut refusals = 0;
    for (cluster, is_unmapped) in (48..56).flat_map(|cluster| [(cluster, false), (cluster, true)]) {
        std::fs::write(home.path(), &bytes).unwrap();
        let layer = home.open();
        write(&layer, 5, 2, 1);
        write(&layer, cluster * 128 + 100, 2, 1);
        let settled = match is_unmapped {
            true => layer.unmap(cluster * 128, 120, Below::Something),
            false => layer.flush(),
        };
        let Err(error) = settled else { continue };
        assert_eq!(error.kind(), ErrorKind::Corrupt, "cluster {cluster}: {error}");
        refusals += 1;
        refused(layer.read(5, &mut [0; 512], &mut SectorMarker::new(5..6)), ErrorKind::Failed);
        refused(layer.flush(), ErrorKind::Failed);
        drop(layer);
        assert_eq!(look(&home.open(), 0..10), [Some(1); 10], "what was flushed");
    }
    assert!(refusals > 2, "{refusals} refusals");
}
