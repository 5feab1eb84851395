//! The VFS that does the work: our calls out, as C.
#![allow(unsafe_code, reason = "a VFS is a table of C functions, and this file's whole purpose is to call them")]

use std::cell::UnsafeCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::ffi;

/// The most bytes of one read or write: SQLite's VFS for unix takes a length modulo 128 KiB.
pub(in crate::layer::sqlite) const LONGEST: usize = 124 << 10;

/// One of SQLite's codes that is not OK.
pub(super) type Code = c_int;

fn checked(code: c_int) -> Result<(), Code> {
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(code) }
}

/// A VFS that is registered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vfs(*mut ffi::sqlite3_vfs);

// SAFETY: a registered VFS is used from all threads, as SQLite asks of it, and nobody here unregisters one.
unsafe impl Send for Vfs {}
// SAFETY: the same.
unsafe impl Sync for Vfs {}

impl Vfs {
    /// The one of that name; the default one if none is given.
    pub(super) fn find(name: Option<&CStr>) -> Option<Self> {
        // SAFETY: SQLite takes null or a string that lives until the call returns.
        let found = unsafe { ffi::sqlite3_vfs_find(name.map_or(std::ptr::null(), CStr::as_ptr)) };
        (!found.is_null()).then_some(Self(found))
    }

    /// For its functions, which want it as their first argument.
    pub(super) fn as_ptr(self) -> *mut ffi::sqlite3_vfs {
        self.0
    }

    pub(super) fn table(&self) -> &ffi::sqlite3_vfs {
        // SAFETY: it is registered, so it is there, and nobody changes it but SQLite its link to the next.
        unsafe { &*self.0 }
    }

    pub(super) fn name(&self) -> &CStr {
        // SAFETY: every VFS has a name, which lives as long as it does.
        unsafe { CStr::from_ptr(self.table().zName) }
    }

    /// Opens a file; also says with which flags it is open.
    ///
    /// # Safety
    ///
    /// `name` is SQLite's own string for that file and lives as long as the file is open.
    pub(super) unsafe fn open(self, name: *const c_char, flags: c_int) -> Result<(File, c_int), Code> {
        let words = (self.table().szOsFile as usize).div_ceil(size_of::<u64>());
        let memory: Box<[_]> = (0..words).map(|_| UnsafeCell::new(0_u64)).collect();
        let file = UnsafeCell::raw_get(memory.as_ptr()).cast::<ffi::sqlite3_file>();
        let mut out_flags = 0;
        let open = self.table().xOpen.ok_or(ffi::SQLITE_CANTOPEN)?;
        // SAFETY: the memory is as large as the VFS wants and as aligned as SQLite's own would be, and it stays where
        // it is; the name is as the caller promises.
        let code = unsafe { open(self.0, name, file, flags, &raw mut out_flags) };
        // SAFETY: `open` has written the methods, or left the zero that was there.
        let is_open = unsafe { !(*file).pMethods.is_null() };
        // A file that has methods is closed even if opening failed; one that has none cannot be.
        let file = is_open.then(|| File(memory));
        checked(code)?;
        file.map(|file| (file, out_flags)).ok_or(ffi::SQLITE_CANTOPEN)
    }
}

/// An open file of the VFS that does the work; dropping closes it.
#[derive(Debug)]
pub(super) struct File(Box<[UnsafeCell<u64>]>);

macro_rules! call {
    ($file:ident.$method:ident($($argument:expr),*)) => {{
        let file = UnsafeCell::raw_get($file.0.as_ptr()).cast::<ffi::sqlite3_file>();
        // SAFETY: the file is open, so it has methods; each gets that file and arguments of the kind that SQLite
        // passes: pointers to as many bytes as it is told, that live until the call returns.
        unsafe { (*(*file).pMethods).$method.map(|method| method(file, $($argument),*)) }
    }};
}

impl File {
    pub(super) fn read(&self, buf: &mut [u8], offset: u64) -> Result<(), Code> {
        debug_assert!(buf.len() <= LONGEST);
        let (to, len) = (buf.as_mut_ptr().cast(), buf.len() as c_int);
        checked(call!(self.xRead(to, len, offset as i64)).unwrap_or(ffi::SQLITE_IOERR_READ))
    }

    pub(super) fn write(&mut self, data: &[u8], offset: u64) -> Result<(), Code> {
        debug_assert!(data.len() <= LONGEST);
        let (from, len) = (data.as_ptr().cast(), data.len() as c_int);
        checked(call!(self.xWrite(from, len, offset as i64)).unwrap_or(ffi::SQLITE_IOERR_WRITE))
    }

    pub(super) fn truncate(&mut self, len: i64) -> Result<(), Code> {
        checked(call!(self.xTruncate(len)).unwrap_or(ffi::SQLITE_IOERR_TRUNCATE))
    }

    pub(super) fn sync(&mut self, flags: c_int) -> Result<(), Code> {
        checked(call!(self.xSync(flags)).unwrap_or(ffi::SQLITE_IOERR_FSYNC))
    }

    pub(super) fn size(&mut self) -> Result<i64, Code> {
        let mut size = 0;
        checked(call!(self.xFileSize(&raw mut size)).unwrap_or(ffi::SQLITE_IOERR_FSTAT))?;
        Ok(size)
    }

    fn lock(&mut self, level: c_int) -> Result<(), Code> {
        checked(call!(self.xLock(level)).unwrap_or(ffi::SQLITE_IOERR_LOCK))
    }

    fn unlock(&mut self) {
        let _ = call!(self.xUnlock(ffi::SQLITE_LOCK_NONE));
    }

    pub(super) fn sector_size(&mut self) -> c_int {
        call!(self.xSectorSize()).unwrap_or(0)
    }

    pub(super) fn characteristics(&mut self) -> c_int {
        call!(self.xDeviceCharacteristics()).unwrap_or(0)
    }

    /// # Safety
    ///
    /// `argument` is what SQLite passes with `op`.
    pub(super) unsafe fn control(&self, op: c_int, argument: *mut c_void) -> Result<(), Code> {
        checked(call!(self.xFileControl(op, argument)).unwrap_or(ffi::SQLITE_NOTFOUND))
    }

    fn can_map(&self) -> bool {
        let file = UnsafeCell::raw_get(self.0.as_ptr()).cast::<ffi::sqlite3_file>();
        // SAFETY: the file is open, so it has methods.
        unsafe { (*(*file).pMethods).iVersion >= 3 }
    }

    /// Where the bytes lie in memory; null if they do not.
    pub(super) fn fetch(&self, offset: i64, len: c_int) -> Result<*mut c_void, Code> {
        let mut at = std::ptr::null_mut();
        if self.can_map() {
            checked(call!(self.xFetch(offset, len, &raw mut at)).unwrap_or(ffi::SQLITE_OK))?;
        }
        Ok(at)
    }

    /// # Safety
    ///
    /// `at` is null or what `fetch` gave for that offset.
    pub(super) unsafe fn unfetch(&self, offset: i64, at: *mut c_void) -> Result<(), Code> {
        let code = self.can_map().then(|| call!(self.xUnfetch(offset, at))).flatten();
        checked(code.unwrap_or(ffi::SQLITE_OK))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = call!(self.xClose());
    }
}

/// A file that is open to be locked, and to be read around SQLite, whoever comes and goes meanwhile.
#[derive(Debug)]
pub(in crate::layer::sqlite) struct Anchor {
    // In this order: the file is closed before its name is freed.
    file: File,
    _name: Name,
    /// Has the count of what has been fetched and not given back, which SQLite's VFS keeps without a lock.
    mapping: Mutex<Mapping>,
}

/// How many bytes of the file are mapped at most; none if 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mapping(i64);

/// SQLite maps no more.
const MOST_MAPPED: i64 = 0x7ffe_0000;
/// Another limit has SQLite map the file anew, as long as it is by then.
const STEP: i64 = 0x1_0000;

/// A name of a file, as a VFS wants it.
#[derive(Debug)]
struct Name(*const c_char);

// SAFETY: the string is only read, and freed once.
unsafe impl Send for Name {}

impl Name {
    fn of(path: &CStr) -> Option<Self> {
        let [journal, log] = ["-journal", "-wal"].map(|suffix| [path.to_bytes(), suffix.as_bytes()].concat());
        let (journal, log) = (CString::new(journal).ok()?, CString::new(log).ok()?);
        let none = std::ptr::null_mut();
        // SAFETY: three strings that live until the call returns, and no parameters.
        let name = unsafe { ffi::sqlite3_create_filename(path.as_ptr(), journal.as_ptr(), log.as_ptr(), 0, none) };
        (!name.is_null()).then_some(Self(name))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        // SAFETY: SQLite made it, and nobody has freed it.
        unsafe { ffi::sqlite3_free_filename(self.0) };
    }
}

// SAFETY: all that is done to an anchor that is shared is to read, and what goes through its mapping has a lock. SQLite's
// VFS for unix and for windows reads at an offset with one call of the system and keeps no place in the file; the
// simulated drive's has a lock of its own.
unsafe impl Sync for Anchor {}

impl Anchor {
    /// Fills `buf`, of at most [`LONGEST`] bytes, with what lies at `offset`; false if it cannot be read.
    pub(in crate::layer::sqlite) fn read(&self, buf: &mut [u8], offset: u64) -> bool {
        self.read_mapped(buf, offset) || self.file.read(buf, offset).is_ok()
    }

    /// Reads up to so many bytes of the file through a mapping from now on.
    pub(in crate::layer::sqlite) fn map(&self, bytes: u64) {
        self.set_limit(i64::try_from(bytes).unwrap_or(i64::MAX).min(MOST_MAPPED));
    }

    /// The file may be longer now. Nobody reads meanwhile.
    pub(in crate::layer::sqlite) fn remap(&self) {
        let Mapping(bytes) = *self.mapping();
        if bytes > 0 {
            self.set_limit(bytes ^ STEP);
        }
    }

    fn mapping(&self) -> MutexGuard<'_, Mapping> {
        self.mapping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_limit(&self, bytes: i64) {
        let mut mapping = self.mapping();
        let mut limit = bytes;
        // SAFETY: SQLite passes the address of a number of 64 bits with it.
        let is_mapped = unsafe { self.file.control(ffi::SQLITE_FCNTL_MMAP_SIZE, (&raw mut limit).cast()) }.is_ok();
        *mapping = Mapping(if is_mapped { bytes } else { 0 });
    }

    fn read_mapped(&self, buf: &mut [u8], offset: u64) -> bool {
        let mapping = self.mapping();
        if *mapping == Mapping(0) {
            return false;
        }
        let Ok(at) = self.file.fetch(offset as i64, buf.len() as c_int) else { return false };
        drop(mapping);
        if at.is_null() {
            return false;
        }
        // SAFETY: so many bytes are mapped there until they are given back.
        unsafe { std::ptr::copy_nonoverlapping(at.cast(), buf.as_mut_ptr(), buf.len()) };
        let _mapping = self.mapping();
        // SAFETY: it is what was fetched.
        let _ = unsafe { self.file.unfetch(offset as i64, at) };
        true
    }

    /// Locks the file against everybody else, or fails at once with `SQLITE_BUSY`.
    pub(super) fn cast(vfs: Vfs, path: &CStr) -> Result<Self, Code> {
        let name = Name::of(path).ok_or(ffi::SQLITE_NOMEM)?;
        let flags = ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_READWRITE;
        // SAFETY: the name is made for a VFS and is freed after the file is closed.
        let (file, _) = unsafe { vfs.open(name.0, flags)? };
        // If it cannot be locked, dropping unlocks what is and closes it.
        let mut anchor = Self { file, _name: name, mapping: Mutex::new(Mapping(0)) };
        anchor.file.lock(ffi::SQLITE_LOCK_SHARED)?;
        anchor.file.lock(ffi::SQLITE_LOCK_EXCLUSIVE)?;
        Ok(anchor)
    }
}

impl Drop for Anchor {
    fn drop(&mut self) {
        self.file.unlock();
    }
}
