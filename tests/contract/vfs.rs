//! A SQLite VFS that passes everything through, remembers the writes and syncs of the files in a watched directory, and
//! makes them fail when it is told to.
//!
//! It is registered as the default, for all tests of this process: the layer does not choose its VFS. A file that nobody
//! watches is the default VFS's own, unchanged.
#![allow(unsafe_code, reason = "a VFS is a table of C functions, and this file's whole purpose is to be one")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use rusqlite::ffi;

/// A call that reaches the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Write,
    Sync,
    /// The index of a log is mapped into memory.
    Map,
}

/// Which of the files of a database a call was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Database,
    Log,
    Other,
}

/// Watches the files that are opened in a directory from now on.
pub(super) struct Watch(PathBuf);

#[derive(Default)]
struct Seen {
    directory: PathBuf,
    calls: Vec<(Part, Call)>,
    failing: Option<(Call, c_int)>,
}

static WATCHED: Mutex<Vec<Seen>> = Mutex::new(Vec::new());
/// The VFS that does the work.
static BASE: AtomicPtr<ffi::sqlite3_vfs> = AtomicPtr::new(std::ptr::null_mut());

fn watched() -> MutexGuard<'static, Vec<Seen>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    pub(super) fn on(directory: &Path) -> Self {
        register();
        watched().push(Seen { directory: directory.to_owned(), ..Seen::default() });
        Self(directory.to_owned())
    }

    /// The calls since the last time.
    pub(super) fn take(&self) -> Vec<(Part, Call)> {
        self.with(|seen| std::mem::take(&mut seen.calls))
    }

    /// Lets every such call fail from now on, with SQLite's code for it.
    pub(super) fn fail(&self, call: Call, code: c_int) {
        self.with(|seen| seen.failing = Some((call, code)));
    }

    pub(super) fn heal(&self) {
        self.with(|seen| seen.failing = None);
    }

    fn with<R>(&self, work: impl FnOnce(&mut Seen) -> R) -> R {
        work(watched().iter_mut().find(|seen| seen.directory == self.0).unwrap())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        watched().retain(|seen| seen.directory != self.0);
    }
}

/// What a watched file is: this, and behind it the file of the VFS that does the work.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    path: *mut PathBuf,
}

fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: with a null name this returns the default VFS, which is there from start-up to the end.
        let base = unsafe { ffi::sqlite3_vfs_find(std::ptr::null()) };
        BASE.store(base, Ordering::SeqCst);
        // SAFETY: `base` points to a VFS that nobody changes. Its functions are called with our copy, which has the
        // same `pAppData` and `mxPathname`; that is all of it that they look at.
        let copy = unsafe {
            ffi::sqlite3_vfs {
                szOsFile: (*base).szOsFile + size_of::<File>() as c_int,
                pNext: std::ptr::null_mut(),
                zName: c"watching".as_ptr(),
                xOpen: Some(open),
                ..*base
            }
        };
        // SAFETY: the copy is never freed, as SQLite asks, and all its functions live as long as the process.
        let code = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(copy)), 1) };
        assert_eq!(code, ffi::SQLITE_OK);
    });
}

/// The path, if it is to be watched.
fn to_be_watched(name: &CStr) -> Option<PathBuf> {
    let path = PathBuf::from(name.to_str().ok()?);
    watched().iter().any(|seen| path.starts_with(&seen.directory)).then_some(path)
}

unsafe extern "C" fn open(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let base = BASE.load(Ordering::SeqCst);
    // SAFETY: SQLite passes null or a string that lives as long as the file.
    let path = if name.is_null() { None } else { to_be_watched(unsafe { CStr::from_ptr(name) }) };
    // SAFETY: `file` has room for a `File` and the base's file behind it, as `szOsFile` says; the base's functions are
    // called with the base and a file of its own.
    unsafe {
        let open = (*base).xOpen.unwrap();
        let Some(path) = path else { return open(base, name, file, flags, out_flags) };
        let code = open(base, name, inner(file), flags, out_flags);
        let methods = if (*inner(file)).pMethods.is_null() { std::ptr::null() } else { &raw const METHODS };
        let path = if methods.is_null() { std::ptr::null_mut() } else { Box::into_raw(Box::new(path)) };
        file.cast::<File>().write(File { base: ffi::sqlite3_file { pMethods: methods }, path });
        code
    }
}

/// The base's file.
unsafe fn inner(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: the base's file lies behind ours in one allocation, which `szOsFile` makes large enough.
    unsafe { file.cast::<File>().add(1).cast() }
}

/// Remembers a call; the code with which it must fail, if it must.
unsafe fn see(file: *mut ffi::sqlite3_file, call: Call) -> Option<c_int> {
    // SAFETY: only files with our methods come here; their path was made by `open` and goes with `close`.
    let path = unsafe { &*(*file.cast::<File>()).path };
    let part = match path.to_string_lossy() {
        name if name.ends_with("-wal") => Part::Log,
        name if name.ends_with(".dbhd") => Part::Database,
        _ => Part::Other,
    };
    let mut watched = watched();
    let seen = watched.iter_mut().find(|seen| path.starts_with(&seen.directory))?;
    seen.calls.push((part, call));
    seen.failing.filter(|(failing, _)| *failing == call).map(|(_, code)| code)
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: `open` made the path, and SQLite closes a file once.
    unsafe {
        drop(Box::from_raw((*file.cast::<File>()).path));
        (*(*inner(file)).pMethods).xClose.unwrap()(inner(file))
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, data: *const c_void, len: c_int, offset: i64) -> c_int {
    // SAFETY: the arguments are passed on as they came, with the base's file.
    unsafe {
        match see(file, Call::Write) {
            Some(code) => code,
            None => (*(*inner(file)).pMethods).xWrite.unwrap()(inner(file), data, len, offset),
        }
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: the arguments are passed on as they came, with the base's file.
    unsafe {
        match see(file, Call::Sync) {
            Some(code) => code,
            None => (*(*inner(file)).pMethods).xSync.unwrap()(inner(file), flags),
        }
    }
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    len: c_int,
    extend: c_int,
    to: *mut *mut c_void,
) -> c_int {
    // SAFETY: the arguments are passed on as they came, with the base's file.
    unsafe {
        match see(file, Call::Map) {
            Some(code) => code,
            None => (*(*inner(file)).pMethods).xShmMap.unwrap()(inner(file), page, len, extend, to),
        }
    }
}

macro_rules! pass_on {
    ($($name:ident: $method:ident($($argument:ident: $type:ty),*) -> $result:ty;)+) => {
        $(unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file, $($argument: $type),*) -> $result {
            // SAFETY: the arguments are passed on as they came, with the base's file.
            unsafe { (*(*inner(file)).pMethods).$method.unwrap()(inner(file), $($argument),*) }
        })+
    };
}

pass_on! {
    read: xRead(data: *mut c_void, len: c_int, offset: i64) -> c_int;
    truncate: xTruncate(len: i64) -> c_int;
    file_size: xFileSize(len: *mut i64) -> c_int;
    lock: xLock(level: c_int) -> c_int;
    unlock: xUnlock(level: c_int) -> c_int;
    check_reserved_lock: xCheckReservedLock(result: *mut c_int) -> c_int;
    file_control: xFileControl(op: c_int, argument: *mut c_void) -> c_int;
    sector_size: xSectorSize() -> c_int;
    device_characteristics: xDeviceCharacteristics() -> c_int;
    shm_lock: xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int;
    shm_barrier: xShmBarrier() -> ();
    shm_unmap: xShmUnmap(delete: c_int) -> c_int;
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // Without memory mapping, which would pass by us.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
