//! The directory of a soak: `state.json`, `findings/`, and in the end the report.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::harness::Scratch;

use super::damage;
use super::state::State;
use crate::cli::gate::Finding;
use crate::cli::place::Place;
use crate::cli::{inputs, scripts};

/// How long, if nothing is said.
const NIGHT: Duration = Duration::from_secs(8 * 3600);

/// A directory that nobody else is in.
pub(super) struct Dir {
    path: PathBuf,
    _lock: File,
}

impl Dir {
    /// Makes the directory, if it is not there. What is in it stays as it is, for it may not be that of a soak.
    pub(super) fn take(path: &Path) -> Result<Self> {
        let failed = |e| Error::from_io(format!("making {}", path.display()), e);
        std::fs::create_dir_all(path).map_err(failed)?;
        let lock = File::options().read(true).write(true).create(true).truncate(false).open(path.join("lock"));
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                Err(Error::new(ErrorKind::Busy, format!("another soak is at work in {}", path.display())))
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The soak that is there, or a new one.
    pub(super) fn state(&self, time: Option<Duration>, seed: Option<u64>, jobs: usize) -> Result<State> {
        let path = self.path("state.json");
        let mut state = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                State::new(seed.unwrap_or(1), time.unwrap_or(NIGHT), jobs)
            }
            Err(error) => return Err(Error::from_io(format!("reading {}", path.display()), error)),
            Ok(text) => parsed(&text).map_err(|e| e.in_context(path.display()))?,
        };
        if seed.is_some_and(|seed| seed != state.seed) {
            let what = format!("the soak in {} has seed {}", self.path.display(), state.seed);
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        state.wanted_seconds = time.map_or(state.wanted_seconds, |time| time.as_secs_f64());
        (state.jobs, state.starts) = (jobs, state.starts + 1);
        Ok(state)
    }

    /// Where processes have their layers: gone with the value, or with the next start if that was killed.
    pub(super) fn workplace(&self, state: &mut State) -> Result<Scratch> {
        let place = Place::default();
        // The file may have been written by anybody, so only what is made here is removed because it says so.
        let left = state.workplace.iter().filter(|left| place.may_have_made(left));
        left.for_each(|left| drop(std::fs::remove_dir_all(left)));
        let place = place.directory()?;
        state.workplace = Some(place.path().to_owned());
        self.save(state)?;
        Ok(place)
    }

    pub(super) fn save(&self, state: &State) -> Result<()> {
        let text =
            serde_json::to_string(state).map_err(|e| Error::new(ErrorKind::Io, "writing the state").because(e))?;
        self.write("state.json", &text)
    }

    /// Writes a file whole or not at all.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<()> {
        let (path, half) = (self.path(name), self.path(&format!("{name}.half")));
        let written = File::create(&half)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&half, &path));
        written.map_err(|e| Error::from_io(format!("writing {}", path.display()), e))
    }

    /// What processes have found and written down, in a directory that is made if it is not there.
    pub(super) fn findings(&self) -> Result<Vec<Finding>> {
        let dir = self.path("findings");
        std::fs::create_dir_all(&dir).map_err(|e| Error::from_io(format!("making {}", dir.display()), e))?;
        let saved = match scripts::load(std::slice::from_ref(&dir)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            saved => saved?,
        };
        Ok(saved.iter().filter_map(Finding::saved).collect())
    }
}

/// Whether `path` is the directory of a soak, or that of its findings, and none was ever made.
pub(in crate::cli) fn found_nothing(path: &Path) -> bool {
    let above = path.parent().filter(|_| path.ends_with("findings"));
    let mut states = [Some(path), above].into_iter().flatten().map(|dir| dir.join("state.json"));
    let nothing = |state: PathBuf| parsed(&inputs::text(&state, "a state")?).map(|state| state.findings.is_empty());
    states.any(|state| nothing(state).unwrap_or(false))
}

fn parsed(text: &str) -> Result<State> {
    const REMEDY: &str = "remove it, or use another --dir";
    let damaged = |what: &str| format!("the state of the soak is damaged or from another version{what}; {REMEDY}");
    let state: State =
        serde_json::from_str(text).map_err(|e| Error::new(ErrorKind::Corrupt, damaged("")).because(e))?;
    if state.version != State::VERSION {
        let what = format!("the soak is from version {} of the state, not {}; {REMEDY}", state.version, State::VERSION);
        return Err(Error::new(ErrorKind::Unsupported, what));
    }
    match damage::of(&state) {
        Some(what) => Err(Error::new(ErrorKind::Corrupt, damaged(&format!(" ({what})")))),
        None => Ok(state),
    }
}
