//! Files that a command reads whole.

use std::path::Path;

use disklayer_sqlite::error::{Error, ErrorKind, Result};

/// The bytes of a file.
///
/// # Errors
///
/// It cannot be read, or it is no regular file: at a pipe it would be waited for somebody to write, with no end and deaf
/// to Ctrl-C.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>> {
    let failed = |e| Error::from_io(format!("reading {}", path.display()), e);
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        let what = format!("{} is not a regular file; copy what is in it to one", path.display());
        return Err(Error::new(ErrorKind::Unsupported, what));
    }
    std::fs::read(path).map_err(failed)
}

/// The text of a file that is to be `what`.
///
/// # Errors
///
/// Those of [`bytes`], and [`ErrorKind::Syntax`] if it is not text.
pub(super) fn text(path: &Path, what: &str) -> Result<String> {
    String::from_utf8(bytes(path)?).map_err(|e| {
        let what = format!("{} is not text, as {what} is", path.display());
        Error::new(ErrorKind::Syntax, what).because(e.utf8_error())
    })
}
