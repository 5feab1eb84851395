//! Scripts from files: one in a `.script` file, all in a directory, and those in the comments that proptest leaves.

use std::path::{Path, PathBuf};

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::script::{LayerKind, Script};

use super::inputs;

/// The line of a story that says what differs begins so.
pub(super) const DIFFERS: &str = "what differs: ";

/// A script, and where it is from.
pub(super) struct Saved {
    /// Its file, and the line if the file has several.
    pub(super) name: String,
    pub(super) script: Script,
    /// The comments at the head of the file.
    pub(super) story: Vec<String>,
}

/// Every script in `paths`.
///
/// # Errors
///
/// The first file that cannot be read or has a wrong line; a directory without scripts.
pub(super) fn load(paths: &[PathBuf]) -> Result<Vec<Saved>> {
    let mut scripts = Vec::new();
    for path in paths {
        let files = within(path)?;
        if files.is_empty() {
            let what = format!("{} and the directories in it have no file *.script", path.display());
            return Err(Error::new(ErrorKind::NotFound, what));
        }
        for file in files {
            scripts.extend(read(&file)?);
        }
    }
    Ok(scripts)
}

/// The files that are read for `path`: itself, or the scripts in a directory.
pub(super) fn within(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_dir() { files(path) } else { Ok(vec![path.to_owned()]) }
}

/// The one script in `path`.
pub(super) fn load_one(path: &Path) -> Result<Saved> {
    let mut scripts = load(std::slice::from_ref(&path.to_owned()))?;
    match (scripts.pop(), scripts.len()) {
        (Some(script), 0) => Ok(script),
        (_, more) => {
            let what = format!("{} has {} scripts, and one is expected", path.display(), more + 1);
            Err(Error::new(ErrorKind::Unsupported, what))
        }
    }
}

/// The files `*.script` in a directory and the directories in it, by name.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| Error::from_io(format!("reading the directory {}", dir.display()), e);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        // Not through links, which may lead back.
        if entry.file_type().map_err(failed)?.is_dir() {
            files.extend(self::files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "script") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<Saved>> {
    let name = path.display();
    let text = inputs::text(path, "a script")?;
    let regressions: Vec<_> = (1..).zip(text.lines()).filter_map(|(n, line)| Some((n, regression(line)?))).collect();
    if regressions.is_empty() {
        let story = text.lines().map_while(|line| line.strip_prefix('#')).map(|line| line.trim().to_owned()).collect();
        return Ok(vec![saved(name.to_string(), &text, story)?]);
    }
    regressions.into_iter().map(|(n, text)| saved(format!("{name}:{n}"), &text, Vec::new())).collect()
}

fn saved(name: String, text: &str, story: Vec<String>) -> Result<Saved> {
    let script: Script = text.parse().map_err(|e: Error| e.in_context(&name))?;
    if script.shape.layers.iter().any(|layer| layer.kind == LayerKind::Own) {
        let what = format!("{name}: `layer own` is somebody's own disk; the test that has it can run the script");
        return Err(Error::new(ErrorKind::Unsupported, what));
    }
    Ok(Saved { name, script, story })
}

/// The script in a line `cc SEED # shrinks to VALUE` of proptest: in VALUE is its `Debug` form, maybe as the state and
/// the transitions of a state machine, `(disk 512; layer ram 8, [write 0 1 stamp 1, read 0 1], None)`.
fn regression(line: &str) -> Option<String> {
    let (_, value) = line.strip_prefix("cc ")?.split_once("# shrinks to ")?;
    let script = &value[value.find("disk ")?..];
    let parts = script.split([',', '[', ']', '(', ')']).map(str::trim).filter(|part| !part.is_empty());
    Some(parts.take_while(|part| !matches!(*part, "None" | "Some")).collect::<Vec<_>>().join("; "))
}
