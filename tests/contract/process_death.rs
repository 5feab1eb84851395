//! Rule 17: `kill -9` at moments that the dying process itself gives away.

use std::path::Path;
use std::sync::Arc;

use disklayer_sqlite::layer::{Below, Durability, LayerIo, Mode, Options, SqliteDiskLayer};

use super::child::{Child, say};
use super::media::{Home, disk_of, look, ram, show, stack, write};
use super::spy::{Call, Spy};

const SECTORS: u64 = 600;

/// A request of a history, by its number; every fifth is durable when it returns.
fn request(layer: &dyn LayerIo, seed: u64, number: u64) {
    let stamp = (number % 251) as u8 + 1;
    let mixed = (number ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (sector, count) = ((mixed >> 32) % (SECTORS - 130), 1 + (mixed >> 20) % 130);
    match number % 5 {
        0 if number.is_multiple_of(2) => layer.flush().unwrap(),
        0 => layer.write(sector, &vec![stamp; count as usize * 512], Durability::Fua).unwrap(),
        3 => layer.unmap(sector, count, Below::Something).unwrap(),
        _ => write(layer, sector, stamp, count),
    }
}

/// The child: requests for ever. It says the number of each that is durable, before and after it.
pub(super) fn history(place: &Path, seed: u64) {
    let options = Options { dirty_limit: 1 << 20, ..Options::default() };
    let layer = SqliteDiskLayer::open(place, Mode::ReadWrite, &options).unwrap();
    for number in 1.. {
        if number % 5 == 0 {
            say(&format!("begun {number}"));
        }
        request(&layer, seed, number);
        if number % 5 == 0 {
            say(&format!("durable {number}"));
        }
    }
}

fn held_after(seed: u64, numbers: std::ops::RangeInclusive<u64>, held: &[Option<u8>]) -> Option<u64> {
    let model = ram(disk_of(SECTORS));
    (0..=*numbers.end()).find(|number| {
        if *number > 0 {
            request(&*model, seed, *number);
        }
        numbers.contains(number) && look(&*model, 0..SECTORS) == held
    })
}

/// Kills the child when it says `last_words`, and returns the last request that it called durable.
fn kill_at(home: &Home, seed: u64, last_words: &str) -> u64 {
    let mut child = Child::start(&format!("history {seed}"), &home.path());
    let mut durable = 0;
    loop {
        let line = child.line().expect("the child goes on for ever");
        if let Some(number) = line.strip_prefix("durable ") {
            durable = number.parse().unwrap();
        }
        if line == last_words {
            child.kill();
            return durable;
        }
    }
}

#[test]
fn rule_17_after_a_kill_what_was_flushed_is_there_and_what_is_there_is_a_prefix() {
    let moments = ["begun 5", "durable 10", "begun 15", "begun 50", "durable 55", "begun 200", "durable 205"];
    for (seed, last_words) in (0..).zip(moments) {
        let home = Home::file();
        home.create(disk_of(SECTORS)).close().unwrap();
        let durable = kill_at(&home, seed, last_words);
        let layer = home.open();
        let held = look(&layer, 0..SECTORS);
        // The child ran on until it was hit, and may have got far.
        let prefix = held_after(seed, durable..=durable + 5000, &held);
        assert!(prefix.is_some(), "killed at {last_words}: no prefix of at least {durable} requests");
        // The survivor is a layer like any other.
        write(&layer, 3, 3, 1);
        layer.close().unwrap();
        assert_eq!(look(&home.open(), 3..4), [Some(3)]);
    }
}

#[test]
fn rule_17_a_layer_is_killed_again_and_again() {
    let home = Home::file();
    home.create(disk_of(SECTORS)).close().unwrap();
    for _ in 0..3 {
        kill_at(&home, 7, "durable 20");
        let layer = home.open();
        look(&layer, 0..SECTORS);
        layer.clear().unwrap();
        layer.close().unwrap();
    }
    let durable = kill_at(&home, 8, "durable 30");
    let held = look(&home.open(), 0..SECTORS);
    assert!(held_after(8, durable..=durable + 5000, &held).is_some());
}

/// What the disk of the commit below reads, before, after, and wherever it is cut.
const COMMITTED: [u8; 8] = [1, 9, 0, 9, 0, 0, 9, 2];

fn parent_of(place: &Path) -> std::path::PathBuf {
    place.with_file_name("parent.dbhd")
}

fn open(place: &Path) -> Arc<dyn LayerIo> {
    Arc::new(SqliteDiskLayer::open(place, Mode::ReadWrite, &Options::default()).unwrap())
}

/// The child: a commit whose process ends at the n-th call that changes a layer.
pub(super) fn commit(place: &Path, cut: usize) {
    let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let spied = |layer: &Arc<dyn LayerIo>| {
        let calls = calls.clone();
        Spy::on(layer, move |call| {
            if !matches!(call, Call::Read(_)) && calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == cut {
                std::process::abort();
            }
            Ok(())
        })
    };
    stack(&[spied(&open(place)), spied(&open(&parent_of(place)))]).commit().unwrap();
    say("committed");
}

#[test]
fn rule_17_a_commit_whose_process_dies_anywhere_leaves_the_disk_reading_the_same() {
    let mut cuts = 0;
    for cut in 0.. {
        let home = Home::file();
        let format = super::media::format(disk_of(8));
        let existing = disklayer_sqlite::layer::Existing::Keep;
        let parent = SqliteDiskLayer::create(parent_of(&home.path()), format, existing, &Options::default()).unwrap();
        write(&parent, 0, 9, 8);
        let disk = stack(&[Arc::new(parent)]);
        disk.push(home.diff()).unwrap();
        write(&disk, 0, 1, 1);
        write(&disk, 2, 0, 1);
        disk.unmap(4, 2).unwrap();
        write(&disk, 7, 2, 1);
        disk.close().unwrap();
        drop(disk);
        let mut child = Child::start(&format!("commit {cut}"), &home.path());
        let committed = std::iter::from_fn(|| child.line()).any(|line| line == "committed");
        drop(child);
        let disk = stack(&[home.shared(), open(&parent_of(&home.path()))]);
        assert_eq!(show(&disk, 0..8), COMMITTED, "cut at {cut}");
        if committed {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 4, "{cuts} cuts: the commit has too few steps to be a test");
}
