//! What a fuzzer has left: inputs of its targets, which are decoded and run as it ran them.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::harness::target::{Input, Playground, Target};

use super::scripts::Saved;
use super::{inputs, quietly};

/// An input of a fuzz target.
pub(super) struct Artifact {
    pub(super) name: String,
    pub(super) target: Target,
    pub(super) input: Input,
}

/// The inputs of fuzz targets among `paths`, and the other paths. What `target` is, every file is; else a file says it
/// with its name or the name of its directory, and so does a directory of such files.
///
/// # Errors
///
/// What cannot be read, and a directory without files.
pub(super) fn sort_out(paths: &[PathBuf], target: Option<Target>) -> Result<(Vec<Artifact>, Vec<PathBuf>)> {
    let (mut artifacts, mut others) = (Vec::new(), Vec::new());
    for path in paths {
        match path.is_dir() {
            true => match target.or_else(|| Target::of_artifact(&path.join("input"))) {
                Some(target) => {
                    for file in files(path)? {
                        artifacts.push(read(&file, target)?);
                    }
                }
                None => others.push(path.clone()),
            },
            false => match target_of(path, target) {
                Some(target) => artifacts.push(read(path, target)?),
                None => others.push(path.clone()),
            },
        }
    }
    Ok((artifacts, others))
}

/// The target that a file is an input of, if it is one.
fn target_of(path: &Path, target: Option<Target>) -> Option<Target> {
    let is_script = path.extension().is_some_and(|extension| extension == "script");
    target.or_else(|| Target::of_artifact(path).filter(|_| !is_script))
}

fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| Error::from_io(format!("reading the directory {}", dir.display()), e);
    let entries = std::fs::read_dir(dir).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    match files.is_empty() {
        true => Err(Error::new(ErrorKind::NotFound, format!("{} has no file", dir.display()))),
        false => Ok(files),
    }
}

fn read(path: &Path, target: Target) -> Result<Artifact> {
    let bytes = inputs::bytes(path)?;
    Ok(Artifact { name: path.display().to_string(), target, input: target.decode(&bytes) })
}

impl Artifact {
    /// The script that it is, if it is one.
    pub(super) fn saved(&self) -> Option<Saved> {
        let script = self.input.script()?.clone();
        Some(Saved { name: format!("{}: an input of {}", self.name, self.target), script, story: Vec::new() })
    }

    /// Runs what is no script; what it was, and what is wrong if something is.
    pub(super) fn run(&self) -> (bool, String) {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        fn now() -> Duration {
            START.elapsed()
        }
        let found = quietly(|| Playground::new(now).run_input(&self.input)).err();
        let mut text = format!("\n{}: an input of {}\n", self.name, self.target);
        match &found {
            Some(found) => found.to_string().lines().for_each(|line| _ = writeln!(text, "    {line}")),
            None => self.input.to_string().lines().for_each(|line| _ = writeln!(text, "    {line}")),
        }
        (found.is_some(), text)
    }
}
