//! Files that a command writes, and what it must not write over.

use std::path::{Path, PathBuf};

use disklayer_sqlite::error::{Error, ErrorKind, Result};

/// Refuses an output that is the same file as one of `others`: inputs, which would be lost, or other outputs.
///
/// By whatever names and links they are reached. Ask before anything is read, so that nothing is run in vain.
///
/// # Errors
///
/// [`ErrorKind::AlreadyExists`], if it is one of them.
pub(super) fn refuse_same(output: &Path, others: &[&Path]) -> Result<()> {
    let place = real(output);
    match others.iter().find(|other| *other == &output || (place.is_some() && real(other) == place)) {
        None => Ok(()),
        Some(other) => {
            let (output, other) = (output.display(), other.display());
            let what = match output.to_string() == other.to_string() {
                true => format!("{output} is named twice, and would be written over; name another file to write to"),
                false => format!("{output} is the same file as {other}, and would be written over; name another"),
            };
            Err(Error::new(ErrorKind::AlreadyExists, what))
        }
    }
}

/// Refuses outputs that would be written over what is read, or over one another, as [`refuse_same`] does.
pub(super) fn apart<'a>(
    outputs: impl IntoIterator<Item = &'a PathBuf>,
    read: impl IntoIterator<Item = &'a Path>,
) -> Result<()> {
    let mut taken: Vec<_> = read.into_iter().collect();
    outputs.into_iter().try_for_each(|output| {
        refuse_same(output, &taken)?;
        taken.push(output);
        Ok(())
    })
}

/// Where a file is, or would be made; nothing if no file can be there.
fn real(path: &Path) -> Option<PathBuf> {
    let made = || {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(dir.canonicalize().ok()?.join(path.file_name()?))
    };
    path.canonicalize().ok().or_else(made)
}
