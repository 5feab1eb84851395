//! Rule 20 where somebody else is quicker: at every step of a creation, another one is begun and finished.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use disklayer_sqlite::error::{ErrorKind, Result};
use disklayer_sqlite::layer::{
    Existing, FileSystem, Found, LayerIo, Native, Options, RawFile, SqliteDiskLayer, Wanted,
};

use super::media::{Home, disk_of, format, look, write};
use super::power::copy_of;

/// Something that is done once.
type Deed = Box<dyn FnOnce() + Send>;

/// The file system, on which somebody else does something before the `at`-th call.
struct Meanwhile {
    at: u32,
    calls: AtomicU32,
    deed: Mutex<Option<Deed>>,
}

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Meanwhile at call {}", self.at)
    }
}

impl Meanwhile {
    fn native(&self) -> Native {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let deed = if number == self.at { self.deed.lock().unwrap().take() } else { None };
        if let Some(deed) = deed {
            deed();
        }
        Native
    }

    fn is_over(&self) -> bool {
        self.deed.lock().unwrap().is_some()
    }
}

impl FileSystem for Meanwhile {
    fn vfs(&self) -> Option<&str> {
        None
    }

    fn look(&self, path: &Path) -> io::Result<Found> {
        self.native().look(path)
    }

    fn follow(&self, path: &Path) -> PathBuf {
        self.native().follow(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<()> {
        self.native().create_new(path)
    }

    fn open(&self, path: &Path, wanted: Wanted) -> io::Result<(Box<dyn RawFile>, Wanted)> {
        self.native().open(path, wanted)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.native().hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.native().rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.native().remove(path)
    }

    fn sync_directory_of(&self, path: &Path) -> io::Result<()> {
        self.native().sync_directory_of(path)
    }
}

/// What the quicker one does with his layer before the slower one goes on.
#[derive(Clone, Copy, Debug)]
enum Quicker {
    Writes,
    Closes,
}

fn create(path: &Path, files: Arc<dyn FileSystem>) -> Result<SqliteDiskLayer> {
    let options = Options { file_system: files, ..Options::default() };
    SqliteDiskLayer::create(path, format(disk_of(4)), Existing::Keep, &options)
}

/// One creation with another before its `at`-th call; whether there was such a call.
fn two_creators(home: &Home, at: u32, quicker: Quicker) -> bool {
    let (path, place) = (home.path(), Arc::new(Mutex::new(None)));
    let (quick_path, quick_place) = (path.clone(), place.clone());
    let deed = move || {
        *quick_place.lock().unwrap() = create(&quick_path, Arc::new(Native)).ok().map(|layer| {
            write(&layer, 0, 1, 4);
            layer.flush().unwrap();
            match quicker {
                Quicker::Writes => Some(layer),
                Quicker::Closes => layer.close().map(|()| None).unwrap(),
            }
        });
    };
    let files = Arc::new(Meanwhile { at, calls: AtomicU32::new(0), deed: Mutex::new(Some(Box::new(deed))) });
    let slow = create(&path, files.clone());
    let quick = place.lock().unwrap().take();
    match (quick, slow) {
        (Some(layer), slow) => {
            let kind = slow.err().map(|error| error.kind());
            assert!(matches!(kind, Some(ErrorKind::AlreadyExists | ErrorKind::Busy)), "call {at}: {kind:?}");
            // As if he died now: what he has flushed is in his log, if he is still at work.
            assert_eq!(look(&copy_of(home).open(), 0..4), [Some(1); 4], "call {at}, {quicker:?}");
            drop(layer);
        }
        (None, slow) => {
            let slow = slow.unwrap();
            assert_eq!(look(&slow, 0..4), [None; 4], "call {at}: a log of nobody");
            write(&slow, 0, 1, 4);
            slow.close().unwrap();
        }
    }
    assert_eq!(look(&home.open(), 0..4), [Some(1); 4]);
    let names = std::fs::read_dir(home.directory()).unwrap().map(|entry| entry.unwrap().file_name());
    let drafts: Vec<_> = names.filter(|name| name.to_string_lossy().contains(".new")).collect();
    assert!(drafts.is_empty(), "call {at}: {drafts:?}");
    !files.is_over()
}

/// How many calls of a creation another one was put before, where this has been left.
fn at_every_call(leave: &dyn Fn(&Home)) -> u32 {
    let mut most = 0;
    for quicker in [Quicker::Writes, Quicker::Closes] {
        for at in 1.. {
            let home = Home::file();
            leave(&home);
            if !two_creators(&home, at, quicker) {
                break;
            }
            most = most.max(at);
        }
    }
    most
}

/// What begins as the log of another layer did, and has no commit.
fn leave_a_log(home: &Home) {
    let other = Home::file();
    let layer = other.create(disk_of(4));
    write(&layer, 0, 9, 4);
    layer.flush().unwrap();
    let log = std::fs::read(other.path().with_extension("dbhd-wal")).unwrap();
    std::fs::write(home.path().with_extension("dbhd-wal"), &log[..1000]).unwrap();
}

#[test]
fn rule_20_the_slower_of_two_creators_takes_nothing_from_the_quicker_one() {
    assert!(at_every_call(&|_| ()) >= 6);
}

#[test]
fn rule_20_a_log_without_a_commit_goes_and_that_of_a_quicker_creator_stays() {
    assert!(at_every_call(&leave_a_log) >= 9);
}

#[test]
fn rule_20_an_empty_file_that_a_quicker_creator_has_filled_is_not_replaced() {
    assert!(at_every_call(&|home| std::fs::write(home.path(), "").unwrap()) >= 6);
    let both = |home: &Home| {
        std::fs::write(home.path(), "").unwrap();
        leave_a_log(home);
    };
    assert!(at_every_call(&both) >= 6);
}
