//! Rule 24, in calls: what SQLite writes piecemeal reaches the system in long writes.

use disklayer_sqlite::layer::{Durability, LayerIo, Options};

use super::media::{Home, disk_of, look};
use super::vfs::{Call, Part, Watch};

/// How many writes of each part a transaction of 16 MiB takes, and then its checkpoint.
fn writes(gather: u64, direct_from: u64) -> (usize, usize) {
    let home = Home::file();
    home.create(disk_of(1 << 16)).close().unwrap();
    let watch = Watch::on(home.directory());
    let layer = home.open_with(&Options { gather, direct_from, dirty_limit: 1 << 30, ..Options::default() });
    layer.write(0, &[1; 512], Durability::Fua).unwrap();
    watch.take();
    for start in (0..1 << 15).step_by(1 << 10) {
        layer.write(start, &[7; 1 << 19], Durability::Flushed).unwrap();
    }
    layer.flush().unwrap();
    layer.close().unwrap();
    let calls = watch.take();
    let of = |part| calls.iter().filter(|call| **call == (part, Call::Write)).count();
    let shm =
        std::fs::read_dir(home.directory()).unwrap().any(|e| e.unwrap().path().to_string_lossy().ends_with("-shm"));
    assert!(!shm, "the index of the log is in a file");
    assert_eq!(look(&home.open(), (1 << 15) - 1..(1 << 15) + 1), [Some(7), None]);
    (of(Part::Log), of(Part::Database))
}

#[test]
fn rule_24_a_long_transaction_takes_few_writes() {
    let (log, database) = writes(Options::default().gather, u64::MAX);
    let (log_before, database_before) = writes(0, u64::MAX);
    assert!(log * 20 < log_before, "{log} of {log_before}");
    assert!(database * 20 < database_before, "{database} of {database_before}");
}

#[test]
fn rule_24_new_pages_of_a_long_transaction_are_written_once() {
    for gather in [Options::default().gather, 0] {
        let (log, database) = writes(gather, Options::default().direct_from);
        let (log_before, database_before) = writes(gather, u64::MAX);
        assert!(log * 5 < log_before && log < 100, "{log} of {log_before}");
        assert!(database < database_before * 2, "{database} and {database_before} without");
    }
}
