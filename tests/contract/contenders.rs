//! Rules 20 and 21 where several want the same file at the same moment: threads, processes, makers of files.

use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{Durability, Existing, LayerIo, Mode, Options, SectorMarker, SqliteDiskLayer};

use super::child::{self, Child, say};
use super::media::{Home, disk_of, format, look, refused, write};

/// The layer, unless somebody is in the way.
fn try_open(place: &Path, mode: Mode) -> Option<SqliteDiskLayer> {
    match SqliteDiskLayer::open(place, mode, &Options::default()) {
        Ok(layer) => Some(layer),
        Err(error) if error.kind() == ErrorKind::Busy => None,
        Err(error) => panic!("{error}"),
    }
}

/// The number in sector 0.
fn number_in(layer: &dyn LayerIo) -> u64 {
    let mut buf = [0; 512];
    layer.read(0, &mut buf, &mut SectorMarker::new(0..1)).unwrap();
    u64::from_le_bytes(buf[..8].try_into().unwrap())
}

/// Opens the file as often as it takes, and adds one to the number in sector 0.
fn add_one(place: &Path) {
    let layer = loop {
        if let Some(layer) = try_open(place, Mode::ReadWrite) {
            break layer;
        }
    };
    let mut buf = [0; 512];
    buf[..8].copy_from_slice(&(number_in(&layer) + 1).to_le_bytes());
    layer.write(0, &buf, Durability::Flushed).unwrap();
    layer.close().unwrap();
}

/// The child that adds so many ones.
pub(super) fn count(place: &Path, turns: u32) {
    say("here");
    (0..turns).for_each(|_| add_one(place));
    say("counted");
}

#[test]
fn rule_21_of_threads_that_open_at_once_one_gets_the_file() {
    let home = Home::file();
    home.create(disk_of(4)).close().unwrap();
    let (start, end, owners) = (Barrier::new(4), Barrier::new(4), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for turn in 0..50 {
                    start.wait();
                    let opened = try_open(&home.path(), Mode::ReadWrite);
                    if opened.is_some() {
                        owners.fetch_add(1, Ordering::SeqCst);
                    }
                    end.wait();
                    // All may have stood in one another's way; two may not have it.
                    assert!(owners.load(Ordering::SeqCst) <= 1, "turn {turn}: two writers");
                    start.wait();
                    if opened.is_some() {
                        owners.fetch_sub(1, Ordering::SeqCst);
                    }
                    drop(opened);
                }
            });
        }
    });
    add_one(&home.path());
}

#[test]
fn rule_21_threads_and_processes_that_take_turns_lose_nothing() {
    let home = Home::file();
    let layer = home.create(disk_of(4));
    write(&layer, 0, 0, 1);
    layer.close().unwrap();
    let mut others = [(); 2].map(|()| Child::start("count 60", &home.path()));
    others.iter_mut().for_each(|other| other.expect("here"));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..60).for_each(|_| add_one(&home.path())));
        }
    });
    others.iter_mut().for_each(|other| other.expect("counted"));
    others.into_iter().for_each(Child::finish);
    assert_eq!(number_in(&home.open()), 240);
}

/// The child that makes the layer anew, for ever: each new one has its number in sector 0.
pub(super) fn format_for_ever(place: &Path) {
    for number in 1_u64.. {
        let made =
            SqliteDiskLayer::create(place, format(disk_of(4 + number % 8)), Existing::Replace, &Options::default());
        match made.map_err(|error| error.kind()) {
            Ok(layer) => {
                // Not what another has put in its place since.
                assert_eq!(layer.metadata().geometry.sector_count(), 4 + number % 8);
                let mut buf = [0; 512];
                buf[..8].copy_from_slice(&number.to_le_bytes());
                layer.write(0, &buf, Durability::Flushed).unwrap();
                layer.close().unwrap();
                say(&format!("made {number}"));
            }
            Err(kind) => assert_eq!(kind, ErrorKind::Busy),
        }
    }
}

/// What is there is one of the layers that were made, whole.
fn is_one_that_was_made(layer: &dyn LayerIo) {
    layer.verify().unwrap();
    let sectors = layer.metadata().geometry.sector_count();
    assert!((4..12).contains(&sectors));
    let mut marker = SectorMarker::new(0..1);
    let mut buf = [0; 512];
    layer.read(0, &mut buf, &mut marker).unwrap();
    let number = u64::from_le_bytes(buf[..8].try_into().unwrap());
    assert!(!marker.is_set(0) || 4 + number % 8 == sectors, "the bytes of another layer");
}

#[test]
fn rule_21_a_file_that_is_being_formatted_is_busy_or_one_that_was_made() {
    let home = Home::file();
    home.create(disk_of(4)).close().unwrap();
    let mut others = [(); 5].map(|()| Child::start("format", &home.path()));
    let (mut opened, mut busy) = (0, 0);
    while opened < 200 || busy < 20 {
        let mode = if opened % 2 == 0 { Mode::ReadWrite } else { Mode::ReadOnly };
        match try_open(&home.path(), mode) {
            Some(layer) => {
                is_one_that_was_made(&layer);
                opened += 1;
            }
            None => busy += 1,
        }
        if busy % 100 == 99 {
            let line = others[busy as usize % 5].line().unwrap();
            assert!(line.starts_with("made "), "{line}");
        }
    }
}

#[test]
fn rule_20_whoever_is_killed_while_he_formats_leaves_the_old_file_or_the_new_one() {
    let home = Home::file();
    home.create(disk_of(4)).close().unwrap();
    for kill in 0..60_u32 {
        let mut other = Child::start("format", &home.path());
        for _ in 0..kill % 5 {
            let line = other.line().unwrap();
            assert!(line.starts_with("made "), "{line}");
        }
        (0..kill * 997 % 20_000).for_each(|_| std::hint::spin_loop());
        other.kill();
        is_one_that_was_made(&home.open());
        // Only a draft may be left over.
        for entry in std::fs::read_dir(home.directory()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            match name.contains(".dbhd.new") {
                true => std::fs::remove_file(&path).unwrap(),
                false => assert!(name.starts_with("layer.dbhd"), "{name}"),
            }
        }
    }
}

/// The child that wants to be the first to make the file.
pub(super) fn create_first(place: &Path, stamp: u8) {
    say("here");
    let _ = std::io::stdin().read_line(&mut String::new());
    match SqliteDiskLayer::create(place, format(disk_of(4)), Existing::Keep, &Options::default()) {
        Ok(layer) => {
            write(&layer, 0, stamp, 4);
            layer.close().unwrap();
            say("made");
        }
        Err(error) => say(&format!("{:?}", error.kind())),
    }
}

#[test]
fn rule_20_of_two_that_create_a_file_at_once_one_has_made_it() {
    for _ in 0..20 {
        let home = Home::file();
        let mut two = [1, 2].map(|stamp| Child::start(&format!("create {stamp}"), &home.path()));
        two.iter_mut().for_each(|one| one.expect("here"));
        two.iter_mut().for_each(Child::go);
        let said: Vec<_> = two.iter_mut().map(|one| one.line().unwrap()).collect();
        let winners: Vec<u8> = (1..).zip(&said).filter(|(_, said)| *said == "made").map(|(stamp, _)| stamp).collect();
        assert_eq!(winners.len(), 1, "{said:?}");
        assert!(said.iter().all(|said| ["made", "AlreadyExists", "Busy"].contains(&said.as_str())), "{said:?}");
        two.into_iter().for_each(Child::finish);
        assert_eq!(look(&home.open(), 0..4), [Some(winners[0]); 4]);
    }
}

/// The child on media that nobody can write to.
pub(super) fn on_locked_media(place: &Path) {
    let readers = [Mode::ReadOnly, Mode::ReadWrite, Mode::ReadOnly].map(|mode| try_open(place, mode).unwrap());
    for reader in &readers {
        assert_eq!(look(reader, 0..4), [Some(1); 4]);
        refused(reader.write(0, &[2; 512], Durability::Flushed), ErrorKind::ReadOnly);
    }
    let created = SqliteDiskLayer::create(place, format(disk_of(4)), Existing::Replace, &Options::default());
    assert!(created.is_err());
    readers.iter().for_each(|reader| reader.close().unwrap());
    say("shared");
}

/// The same, by a mount that only this child sees; where that takes rights that are not there, nothing is claimed.
#[cfg(target_os = "linux")]
#[test]
fn rule_21_everybody_shares_read_only_media() {
    let home = Home::file();
    let layer = home.create(disk_of(4));
    write(&layer, 0, 1, 4);
    layer.close().unwrap();
    let line = "d=\"${DISKLAYER_TEST_PLACE%/*}\"; \
                mount --bind \"$d\" \"$d\" 2>/dev/null && mount -o remount,bind,ro \"$d\" 2>/dev/null || exit 0; \
                exec \"$@\"";
    let mut reader = Child::of(child::in_a_namespace(line, "locked", &home.path()));
    match reader.line() {
        None => println!("no mounts here"),
        Some(line) if line.contains("unshare") => println!("{line}"),
        Some(line) => assert_eq!(line, "shared"),
    }
    drop(home.open());
}
