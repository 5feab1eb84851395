//! The simulated drive as a SQLite VFS: C calls in, calls of the drive out.
//!
//! It follows SQLite's own VFS for unix (sqlite.org/vfs.html): empty files count as absent, sectors of 4096 bytes, and
//! writes that leave what lies beside them alone.
#![allow(unsafe_code, reason = "a VFS is a table of C functions, and this file's whole purpose is to be one")]

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Once};

use rusqlite::ffi;

use super::Drive;
use super::calls::Call;
use super::image::FileId;
use super::locks::{EXCLUSIVE, Hold, Owner, RESERVED, SHARED};
use super::registry::{find, number};
use super::state::State;
use crate::strike::Failure;

/// The name of the VFS.
pub(super) const NAME: &str = "disklayer-drive";
const SECTOR_SIZE: c_int = 4096;
const MAX_PATH: c_int = 512;

/// Memory that connections share, as SQLite wants it for the index of a log.
pub(super) struct Region(UnsafeCell<Box<[u8]>>);

// SAFETY: the bytes are only reached through pointers that SQLite has, and SQLite guards them with its own locks and
// barriers, as it does for memory that processes share.
unsafe impl Send for Region {}
// SAFETY: the same.
unsafe impl Sync for Region {}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Region")
    }
}

/// What SQLite has of a file of ours.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    /// From `Box::into_raw`, until it is closed.
    handle: *mut Handle,
}

struct Handle {
    drive: Drive,
    epoch: u64,
    file: FileId,
    owner: Owner,
    regions: Vec<Arc<Region>>,
}

impl Handle {
    /// Does `work` on the drive, if it still has power; a failure becomes `code` or what says more.
    fn with(&self, code: c_int, work: impl FnOnce(&mut State, FileId) -> Result<(), Failure>) -> c_int {
        let mut state = self.drive.0.state();
        match state.epoch() == self.epoch {
            true => result(work(&mut state, self.file), code),
            false => code,
        }
    }

    fn let_go_of_memory(&mut self) {
        self.regions.clear();
        let mut state = self.drive.0.state();
        if state.epoch() == self.epoch && state.shared_by_nobody(self.file) {
            state.shared.remove(&self.file);
        }
    }
}

/// SQLite's code for what came of a call.
fn result(result: Result<(), Failure>, code: c_int) -> c_int {
    match result {
        Ok(()) => ffi::SQLITE_OK,
        Err(Failure::Full) => ffi::SQLITE_FULL,
        Err(Failure::Memory) => ffi::SQLITE_IOERR_NOMEM,
        Err(Failure::Lock) => ffi::SQLITE_BUSY,
        Err(_) => code,
    }
}

pub(super) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: with a null name this returns the default VFS, which is there from start-up to the end.
        let base = unsafe { ffi::sqlite3_vfs_find(std::ptr::null()) };
        // SAFETY: `base` points to a VFS that nobody changes. Of its functions only those for time and chance are left,
        // which look at nothing but their arguments.
        let vfs = unsafe {
            ffi::sqlite3_vfs {
                iVersion: 2,
                szOsFile: size_of::<File>() as c_int,
                mxPathname: MAX_PATH,
                pNext: std::ptr::null_mut(),
                zName: c"disklayer-drive".as_ptr(),
                xOpen: Some(open),
                xDelete: Some(delete),
                xAccess: Some(access),
                xFullPathname: Some(full_path),
                xSetSystemCall: None,
                xGetSystemCall: None,
                xNextSystemCall: None,
                ..*base
            }
        };
        // SAFETY: the VFS is never freed, as SQLite asks, and all its functions live as long as the process.
        let code = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 0) };
        assert_eq!(code, ffi::SQLITE_OK, "SQLite does not take another VFS");
    });
}

unsafe extern "C" fn open(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: `file` has room for a `File`, as `szOsFile` says, and without methods SQLite does not close it.
    unsafe { (*file).pMethods = std::ptr::null() };
    // SAFETY: SQLite passes null, for a file without a name, or a string that lives as long as the file.
    let path = if name.is_null() { None } else { unsafe { CStr::from_ptr(name) }.to_str().ok() };
    let Some(handle) = open_handle(path, flags) else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: as above; and `out_flags` is null or has room for the flags.
    unsafe {
        file.cast::<File>().write(File { base: ffi::sqlite3_file { pMethods: &raw const METHODS }, handle });
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    ffi::SQLITE_OK
}

fn open_handle(path: Option<&str>, flags: c_int) -> Option<*mut Handle> {
    let spare = || Some((Drive::new(), None));
    let (drive, name) = path.map_or_else(spare, |path| find(path).map(|(drive, name)| (drive, Some(name))))?;
    let mut state = drive.0.state();
    let found = name.and_then(|name| state.find(name));
    let file = match found {
        Some(_) if flags & ffi::SQLITE_OPEN_EXCLUSIVE != 0 => return None,
        Some(file) => state.calls.make(Call::Open).map(|()| file),
        None if name.is_none() || flags & ffi::SQLITE_OPEN_CREATE != 0 => state.create(name),
        None => return None,
    };
    let (file, epoch) = (file.ok()?, state.epoch());
    drop(state);
    let owner = number();
    Some(Box::into_raw(Box::new(Handle { drive, epoch, file, owner, regions: Vec::new() })))
}

/// The path of a name that SQLite passes.
unsafe fn path<'a>(name: *const c_char) -> Option<&'a str> {
    // SAFETY: SQLite passes a string that lives until the call returns.
    unsafe { CStr::from_ptr(name) }.to_str().ok()
}

unsafe extern "C" fn delete(_vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_directory: c_int) -> c_int {
    // SAFETY: the name is SQLite's.
    let Some((drive, name)) = (unsafe { path(name) }).and_then(find) else { return ffi::SQLITE_IOERR_DELETE };
    let mut state = drive.0.state();
    if state.find(name).is_none() {
        return ffi::SQLITE_IOERR_DELETE_NOENT;
    }
    let removed = state.remove(name);
    let synced = if sync_directory != 0 { removed.and_then(|()| state.sync_names()) } else { removed };
    result(synced, ffi::SQLITE_IOERR_DELETE)
}

unsafe extern "C" fn access(_vfs: *mut ffi::sqlite3_vfs, name: *const c_char, flags: c_int, out: *mut c_int) -> c_int {
    // SAFETY: the name is SQLite's.
    let Some((drive, name)) = (unsafe { path(name) }).and_then(find) else { return ffi::SQLITE_IOERR_ACCESS };
    let mut state = drive.0.state();
    if state.calls.make(Call::Look).is_err() {
        return ffi::SQLITE_IOERR_ACCESS;
    }
    let there = state.find(name).is_some_and(|file| flags != ffi::SQLITE_ACCESS_EXISTS || state.len(file) > 0);
    // SAFETY: SQLite passes a place for the answer.
    unsafe { *out = c_int::from(there) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_path(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    len: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: the name is a string, and `out` has room for `len` bytes.
    unsafe {
        let name = CStr::from_ptr(name).to_bytes_with_nul();
        if name.len() > len as usize {
            return ffi::SQLITE_CANTOPEN;
        }
        std::ptr::copy_nonoverlapping(name.as_ptr().cast(), out, name.len());
    }
    ffi::SQLITE_OK
}

/// The handle of an open file.
unsafe fn handle<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Handle {
    // SAFETY: only files with our methods come here: `open` made the handle, `close` has not freed it, and SQLite uses a
    // file from one thread at a time.
    unsafe { &mut *(*file.cast::<File>()).handle }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: `open` made the handle, and SQLite closes a file once.
    let mut handle = unsafe { Box::from_raw((*file.cast::<File>()).handle) };
    handle.let_go_of_memory();
    let mut state = handle.drive.0.state();
    if state.epoch() == handle.epoch {
        state.locks.leave(handle.file, handle.owner);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, to: *mut c_void, len: c_int, offset: i64) -> c_int {
    // SAFETY: the file is ours, and `to` has room for `len` bytes.
    let (handle, buf) = unsafe { (handle(file), std::slice::from_raw_parts_mut(to.cast::<u8>(), len as usize)) };
    let mut found = 0;
    let code = handle.with(ffi::SQLITE_IOERR_READ, |state, file| {
        found = state.read(file, offset as u64, buf)?;
        Ok(())
    });
    match code {
        ffi::SQLITE_OK if found < buf.len() => {
            buf[found..].fill(0);
            ffi::SQLITE_IOERR_SHORT_READ
        }
        code => code,
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, from: *const c_void, len: c_int, offset: i64) -> c_int {
    // SAFETY: the file is ours, and `from` has `len` bytes.
    let (handle, data) = unsafe { (handle(file), std::slice::from_raw_parts(from.cast::<u8>(), len as usize)) };
    handle.with(ffi::SQLITE_IOERR_WRITE, |state, file| state.write(file, offset as u64, data))
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, len: i64) -> c_int {
    // SAFETY: the file is ours.
    unsafe { handle(file) }.with(ffi::SQLITE_IOERR_TRUNCATE, |state, file| state.resize(file, len as u64))
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: the file is ours.
    unsafe { handle(file) }.with(ffi::SQLITE_IOERR_FSYNC, State::sync)
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, out: *mut i64) -> c_int {
    // SAFETY: the file is ours, and SQLite passes a place for the answer.
    let (handle, out) = unsafe { (handle(file), &mut *out) };
    handle.with(ffi::SQLITE_IOERR_FSTAT, |state, file| {
        state.calls.make(Call::Look)?;
        *out = state.len(file) as i64;
        Ok(())
    })
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the file is ours.
    let handle = unsafe { handle(file) };
    let level = match level {
        ffi::SQLITE_LOCK_SHARED => SHARED,
        ffi::SQLITE_LOCK_RESERVED => RESERVED,
        _ => EXCLUSIVE,
    };
    handle.with(ffi::SQLITE_IOERR_LOCK, |state, file| {
        state.calls.make(Call::Lock)?;
        state.locks.lock(file, handle.owner, level).map_err(|_| Failure::Lock)
    })
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the file is ours.
    let handle = unsafe { handle(file) };
    let level = if level == ffi::SQLITE_LOCK_SHARED { SHARED } else { 0 };
    handle.with(ffi::SQLITE_IOERR_UNLOCK, |state, file| {
        state.locks.unlock(file, handle.owner, level);
        Ok(())
    })
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: the file is ours, and SQLite passes a place for the answer.
    let (handle, out) = unsafe { (handle(file), &mut *out) };
    handle.with(ffi::SQLITE_IOERR_CHECKRESERVEDLOCK, |state, file| {
        *out = c_int::from(state.locks.is_reserved(file));
        Ok(())
    })
}

unsafe extern "C" fn file_control(_file: *mut ffi::sqlite3_file, _op: c_int, _argument: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_file: *mut ffi::sqlite3_file) -> c_int {
    SECTOR_SIZE
}

unsafe extern "C" fn device_characteristics(_file: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn map_memory(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    len: c_int,
    extend: c_int,
    to: *mut *mut c_void,
) -> c_int {
    // SAFETY: the file is ours, and SQLite passes a place for the pointer.
    let (handle, to) = unsafe { (handle(file), &mut *to) };
    *to = std::ptr::null_mut();
    let (file, wanted) = (handle.file, region as usize);
    let mut found = Vec::new();
    let code = handle.with(ffi::SQLITE_IOERR_SHMMAP, |state, _| {
        let regions = state.shared.entry(file).or_default();
        while extend != 0 && regions.len() <= wanted {
            regions.push(Arc::new(Region(UnsafeCell::new(vec![0; len as usize].into()))));
        }
        found.clone_from(regions);
        Ok(())
    });
    if let Some(region) = found.get(wanted) {
        // SAFETY: the bytes stay where they are while the handle has the region; see `Region` for who touches them.
        *to = unsafe { (*region.0.get()).as_mut_ptr() }.cast();
        handle.regions = found;
    }
    code
}

unsafe extern "C" fn lock_memory(file: *mut ffi::sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    // SAFETY: the file is ours.
    let handle = unsafe { handle(file) };
    let hold = if flags & ffi::SQLITE_SHM_SHARED != 0 { Hold::Shared } else { Hold::Exclusive };
    let slots = offset as u8..(offset + count) as u8;
    handle.with(ffi::SQLITE_IOERR_SHMLOCK, |state, file| {
        if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
            slots.for_each(|slot| state.locks.unlock_slot(file, handle.owner, slot));
            return Ok(());
        }
        for slot in slots.clone() {
            if state.locks.lock_slot(file, handle.owner, slot, hold).is_err() {
                (slots.start..slot).for_each(|slot| state.locks.unlock_slot(file, handle.owner, slot));
                return Err(Failure::Lock);
            }
        }
        Ok(())
    })
}

unsafe extern "C" fn memory_barrier(_file: *mut ffi::sqlite3_file) {
    std::sync::atomic::fence(Ordering::SeqCst);
}

unsafe extern "C" fn unmap_memory(file: *mut ffi::sqlite3_file, _delete: c_int) -> c_int {
    // SAFETY: the file is ours.
    unsafe { handle(file) }.let_go_of_memory();
    ffi::SQLITE_OK
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
    xShmMap: Some(map_memory),
    xShmLock: Some(lock_memory),
    xShmBarrier: Some(memory_barrier),
    xShmUnmap: Some(unmap_memory),
    xFetch: None,
    xUnfetch: None,
};
