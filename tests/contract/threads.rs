//! Rule 23: several threads on one layer, and on one stack.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Barrier};

use disklayer_sqlite::layer::{Below, LayerIo, SectorMarker};
use disklayer_sqlite::stack::{DiskAccess, LayerConfiguration, LayeredDisk};

use super::media::{Home, cache, disk_of, each_layer, full_ram, look, plain, ram, show, through, write};

const ROUNDS: u8 = 40;

/// Two writers of whole requests and two readers; no reader may see a torn sector, or one that was never written.
fn is_shared(name: &str, layer: &dyn LayerIo) {
    write(layer, 0, 1, 100);
    let start = Barrier::new(4);
    std::thread::scope(|threads| {
        for writer in 0..2 {
            let start = &start;
            threads.spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    write(layer, 10, 2 + writer * 100 + round, 70);
                    layer.unmap(80, 5, Below::Something).unwrap();
                }
            });
        }
        for _ in 0..2 {
            threads.spawn(|| {
                start.wait();
                for _ in 0..ROUNDS {
                    let seen = look(layer, 0..100);
                    let written = |byte: u8| byte == 1 || (2..2 + ROUNDS).contains(&(byte % 100));
                    assert!(seen[10..80].iter().all(|byte| byte.is_some_and(written)), "{name}: {seen:?}");
                    assert_eq!((&seen[..10], &seen[85..]), (&[Some(1); 10][..], &[Some(1); 15][..]), "{name}");
                }
            });
        }
    });
    let last = look(layer, 10..80);
    assert!(last.iter().all(|byte| *byte == last[0]), "{name}: the last request is not whole: {last:?}");
    assert!([ROUNDS + 1, ROUNDS + 101].map(Some).contains(&last[0]), "{name}: {last:?}");
}

#[test]
fn rule_23_every_layer_and_a_stack_are_shared_by_threads() {
    each_layer(disk_of(100), is_shared);
}

#[test]
fn rule_23_a_stack_with_caches_and_write_through_is_shared_by_threads() {
    for home in Home::each() {
        let layer: Arc<dyn LayerIo> = Arc::new(home.create(disk_of(100)));
        let both = LayerConfiguration { read_cache: true, ..through(&ram(disk_of(100))) };
        let layers = vec![both, through(&layer), plain(&full_ram(disk_of(100), 9))];
        is_shared("a stack that writes through", &LayeredDisk::new(layers, DiskAccess::Writable).unwrap());
    }
}

/// Once a write has returned, no read that begins later may see what was there before.
#[test]
fn rule_23_a_read_that_begins_after_a_write_returned_sees_it() {
    each_layer(disk_of(4), |name, layer| {
        write(layer, 0, 1, 4);
        let acknowledged = AtomicU8::new(1);
        std::thread::scope(|threads| {
            let writer = threads.spawn(|| {
                for byte in 2..100 {
                    write(layer, 1, byte, 2);
                    acknowledged.store(byte, Ordering::SeqCst);
                }
            });
            while !writer.is_finished() {
                let before = acknowledged.load(Ordering::SeqCst);
                let seen = look(layer, 1..3);
                assert!(seen.iter().all(|byte| byte.is_some_and(|byte| byte >= before)), "{name}: {seen:?}");
            }
        });
    });
}

#[test]
fn rule_23_flushes_and_closing_come_from_any_thread() {
    for home in Home::each() {
        let layer = home.create(disk_of(64));
        std::thread::scope(|threads| {
            for thread in 0..4 {
                let layer = &layer;
                threads.spawn(move || {
                    for round in 1..20 {
                        write(layer, thread * 16, round, 16);
                        layer.flush().unwrap();
                    }
                });
            }
        });
        std::thread::scope(|threads| threads.spawn(|| layer.close().unwrap()).join().unwrap());
        assert_eq!(look(&home.open(), 0..64), [Some(19); 64]);
    }
}

/// Reads that fill a cache, while the disk is written, pushed onto, committed and discarded.
#[test]
fn rule_23_reshaping_a_disk_under_readers_keeps_its_bytes() {
    let kept = ram(disk_of(32));
    let layers = vec![cache(&kept), plain(&full_ram(disk_of(32), 9))];
    let disk = LayeredDisk::new(layers, DiskAccess::Writable).unwrap();
    let acknowledged = AtomicU8::new(0);
    std::thread::scope(|threads| {
        let writer = threads.spawn(|| {
            for byte in 11..60 {
                disk.push(plain(&ram(disk_of(32)))).unwrap();
                write(&disk, 3, byte, 4);
                disk.commit().unwrap();
                disk.discard().unwrap();
                disk.commit().unwrap();
                acknowledged.store(byte, Ordering::SeqCst);
            }
        });
        while !writer.is_finished() {
            let before = acknowledged.load(Ordering::SeqCst);
            let seen = show(&disk, 0..32);
            assert!(seen[3] >= before.max(9) && seen[3..7].iter().all(|byte| *byte == seen[3]), "{before}: {seen:?}");
            assert_eq!(seen[7..], [9; 25]);
        }
    });
    assert_eq!(show(&disk, 2..8), [9, 59, 59, 59, 59, 9]);
}

#[test]
fn rule_23_layers_and_disks_may_go_to_any_thread() {
    fn goes_anywhere<T: Send + Sync>() {}
    goes_anywhere::<disklayer_sqlite::layer::SqliteDiskLayer>();
    goes_anywhere::<disklayer_sqlite::layer::RamDiskLayer>();
    goes_anywhere::<disklayer_sqlite::layer::FileDisk>();
    goes_anywhere::<LayeredDisk>();
    goes_anywhere::<SectorMarker>();
    goes_anywhere::<disklayer_sqlite::error::Error>();
}
