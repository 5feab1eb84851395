//! A lock on a file that stays until it is let go.
//!
//! SQLite's locks belong to the process, and are gone as soon as it closes any descriptor of the file: that of a copy for a
//! backup will do (fcntl(2), "Advisory record locking"). This one belongs to a descriptor of its own ("Open file description
//! locks"), on a byte next to those that SQLite locks, which it never touches. Only layers of this crate ask for it.

use std::io::Result;
use std::path::Path;

use super::Wanted;

/// A file that is held: by one who writes, or by any number who read.
#[derive(Debug)]
pub struct Hold {
    #[cfg(target_os = "linux")]
    _file: Option<linux::Share>,
}

impl Hold {
    /// Of a file that cannot be held, or need not be.
    pub fn none() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            _file: None,
        }
    }

    /// Holds the file at a path, if the system can do that.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if somebody holds it who excludes this.
    #[cfg(target_os = "linux")]
    pub(super) fn of(path: &Path, wanted: Wanted) -> Result<Self> {
        linux::hold(path, wanted).map(|_file| Self { _file })
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn of(_: &Path, _: Wanted) -> Result<Self> {
        Ok(Self::none())
    }
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "one call of C, which nobody wraps")]
mod linux {
    use std::collections::BTreeMap;
    use std::fs::{File, Metadata, OpenOptions, metadata};
    use std::io::{Error, ErrorKind, Result};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use rustix::fs::{Access, access};

    use super::Wanted;

    /// Behind the bytes that SQLite locks (sqlite.org/fileformat2.html, "The Lock-Byte Page").
    const BYTE: libc::off_t = 0x4000_0200;

    /// Device and number of a file.
    type Key = (u64, u64);

    struct Held {
        wanted: Wanted,
        shares: usize,
        /// Closing it lets go, and of SQLite's locks too. So nobody else in this process may open the file for that.
        file: File,
    }

    static HELD: Mutex<BTreeMap<Key, Held>> = Mutex::new(BTreeMap::new());

    fn held() -> MutexGuard<'static, BTreeMap<Key, Held>> {
        HELD.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(info: &Metadata) -> Key {
        (info.dev(), info.ino())
    }

    #[derive(Debug)]
    pub(super) struct Share(Key);

    impl Drop for Share {
        fn drop(&mut self) {
            let mut held = held();
            if let Some(file) = held.get_mut(&self.0) {
                file.shares -= 1;
                if file.shares == 0
                    && let Some(gone) = held.remove(&self.0)
                {
                    // A child that is being started has the descriptor too, for a moment, and with it the lock.
                    let _ = lock(&gone.file, libc::F_UNLCK);
                }
            }
        }
    }

    /// None if the file cannot be held; whoever opens it learns why.
    pub(super) fn hold(path: &Path, wanted: Wanted) -> Result<Option<Share>> {
        let mut held = held();
        let can_write = || access(path, Access::WRITE_OK).is_ok();
        let wanted = if wanted == Wanted::Writing && can_write() { wanted } else { Wanted::Reading };
        let Ok(key) = metadata(path).map(|info| key(&info)) else { return Ok(None) };
        if let Some(file) = held.get_mut(&key) {
            if [file.wanted, wanted] != [Wanted::Reading; 2] {
                return Err(ErrorKind::WouldBlock.into());
            }
            file.shares += 1;
            return Ok(Some(Share(key)));
        }
        let opened = OpenOptions::new().read(true).write(wanted == Wanted::Writing).open(path);
        let Ok(file) = opened else { return Ok(None) };
        if file.metadata().map(|info| self::key(&info)).ok() != Some(key) {
            // Another has taken its place meanwhile.
            return Err(ErrorKind::WouldBlock.into());
        }
        let kind = if wanted == Wanted::Writing { libc::F_WRLCK } else { libc::F_RDLCK };
        match lock(&file, kind) {
            Ok(()) => {
                held.insert(key, Held { wanted, shares: 1, file });
                Ok(Some(Share(key)))
            }
            Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => {
                Err(ErrorKind::WouldBlock.into())
            }
            // No such locks there.
            Err(_) => Ok(None),
        }
    }

    fn lock(file: &File, kind: libc::c_int) -> Result<()> {
        let lock = libc::flock {
            l_type: kind as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: BYTE,
            l_len: 1,
            l_pid: 0,
        };
        // SAFETY: the descriptor is open, and the call reads the lock and keeps nothing of it.
        match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) } {
            -1 => Err(Error::last_os_error()),
            _ => Ok(()),
        }
    }
}
