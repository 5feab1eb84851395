//! Rule 17: `kill -9` at moments that the dying process itself gives away.

use std::path::Path;
use std::sync::Arc;

use disklayer_sqlite::fault::{self, Fault};
use disklayer_sqlite::harness::kills::{Deaths, Life, Series};
use disklayer_sqlite::layer::{Format, LayerIo, Mode, Options, SqliteDiskLayer};

use tempfile::TempDir;

use super::child::{Child, command, say};
use super::media::{FORMATS, Home, disk_of, show, stack, write};
use super::spy::{Call, Spy};

/// The child of a series: a life, with a mistake in it or none. `seed number` or `seed number Mistake`.
pub(super) fn live(place: &Path, part: &str) {
    let words: Vec<_> = part.split(' ').collect();
    let life: Life = words[..2].join(" ").parse().unwrap();
    let live = || match life.live(place, &mut say) {
        Ok(never) => match never {},
        Err(error) => say(&error.to_string()),
    };
    match words.get(2) {
        None => live(),
        Some(fault) => fault::with(Fault::named(fault).unwrap(), live),
    }
}

/// A directory for files that are synced often.
fn quick_directory() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

/// Kills the lives of a series one after another; `mistake` follows the life in what the child is told.
fn kill_all(format: Format, seed: u64, kills: u64, mistake: &str) -> Result<Deaths, String> {
    let home = quick_directory();
    let place = home.path().join("layer.dbhd");
    let mut series = Series::new(&place, format).unwrap();
    let mut deaths = Deaths::default();
    for number in 0..kills {
        let life = Life { seed, number };
        let part = format!("life {life} {mistake}");
        series.kill_one(life, command(part.trim_end(), &place), &mut deaths)?;
    }
    Ok(deaths)
}

#[test]
fn rule_17_a_child_is_killed_hundreds_of_times_and_leaves_a_prefix_of_what_it_did() {
    let mut deaths = Deaths::default();
    for seed in 0..4 {
        let format = FORMATS[seed as usize % FORMATS.len()];
        deaths.add(&kill_all(format, seed, 100, "").unwrap_or_else(|wrong| panic!("{wrong}")));
    }
    println!("{deaths:?}");
    // What the kills must have met to mean anything.
    let Deaths { kills, midway, opening, open_ended, shortened, .. } = deaths;
    assert_eq!(kills, 400);
    assert!(midway > 100 && opening > 10 && open_ended > 100 && shortened > 100, "{deaths:?}");
}

/// What a kill shows of a mistake in the child, and does not find without it: these are the same lives.
#[test]
fn rule_17_the_kills_find_a_layer_that_keeps_less_than_it_says() {
    let mistakes = [
        Fault::FuaNotCommitted,
        Fault::FlushDoesNothing,
        Fault::FlushDropsTransaction,
        Fault::RequestInSeveralTransactions,
        Fault::JournalInMemory,
        Fault::LogDeletedAtOpen,
        Fault::GenerationStays,
        Fault::CloseDropsUnmaps,
        Fault::ClearNotCommitted,
        Fault::UnmapForgets,
    ];
    for fault in mistakes {
        // Where each is planted.
        let format = if fault == Fault::UnmapForgets { Format::Original } else { Format::default() };
        let found = kill_all(format, 0, 100, &format!("{fault:?}"));
        let wrong = found.err().unwrap_or_else(|| panic!("{fault:?} was not found"));
        println!("{fault:?}: {wrong}\n");
    }
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
