//! The gate as a SQLite VFS: C calls in, calls of a connection out.
//!
//! Only the database that asks for a gate, and its log, are ours. Every other file is the one of the VFS that does the
//! work, unchanged, in the memory that SQLite gave for it.
#![allow(unsafe_code, reason = "a VFS is a table of C functions, and this file's whole purpose is to be one")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::{Mutex, PoisonError};

use rusqlite::ffi;

use super::below::{self, Code};
use super::connection::Connection;
use super::locks::Level;

/// The parameter of a name that says which gate it is for.
pub(super) const PARAMETER: &CStr = c"gate";

/// What SQLite has of a file of ours.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    /// From `Box::into_raw`, until the database is closed; the log has the same.
    connection: *mut Connection,
}

/// The name of the VFS over the one of that name, or over the default one; registered if it was not yet.
pub(super) fn register(below: Option<&str>) -> Option<String> {
    static NAMES: Mutex<Vec<CString>> = Mutex::new(Vec::new());
    let below = below::Vfs::find(below.map(CString::new).transpose().ok()?.as_deref())?;
    let name = format!("disklayer-gate-{}", below.name().to_str().ok()?);
    let c_name = CString::new(name.as_str()).ok()?;
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if !names.contains(&c_name) {
        let table = table(below, Box::leak(c_name.clone().into_boxed_c_str()));
        // SAFETY: the table and its name are never freed, as SQLite asks, and its functions live as long as the process.
        let code = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(table)), 0) };
        if code != ffi::SQLITE_OK {
            return None;
        }
        names.push(c_name);
    }
    Some(name)
}

fn table(below: below::Vfs, name: &'static CStr) -> ffi::sqlite3_vfs {
    let table = below.table();
    ffi::sqlite3_vfs {
        iVersion: table.iVersion.min(2),
        szOsFile: table.szOsFile.max(size_of::<File>() as c_int),
        mxPathname: table.mxPathname,
        pNext: std::ptr::null_mut(),
        zName: name.as_ptr(),
        pAppData: below.as_ptr().cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_path),
        xDlOpen: table.xDlOpen.and(Some(dl_open)),
        xDlError: table.xDlError.and(Some(dl_error)),
        xDlSym: table.xDlSym.and(Some(dl_sym)),
        xDlClose: table.xDlClose.and(Some(dl_close)),
        xRandomness: table.xRandomness.and(Some(randomness)),
        xSleep: table.xSleep.and(Some(sleep)),
        xCurrentTime: table.xCurrentTime.and(Some(current_time)),
        xGetLastError: table.xGetLastError.and(Some(last_error)),
        xCurrentTimeInt64: table.xCurrentTimeInt64.and(Some(current_time_int)),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }
}

macro_rules! pass_on {
    ($($name:ident: $method:ident($($argument:ident: $type:ty),*) -> $result:ty, $without:expr;)+) => {
        $(unsafe extern "C" fn $name(vfs: *mut ffi::sqlite3_vfs, $($argument: $type),*) -> $result {
            // SAFETY: `vfs` is a table of ours, whose `pAppData` is the VFS that does the work; it gets itself and the
            // arguments as they came.
            unsafe {
                let below: *mut ffi::sqlite3_vfs = (*vfs).pAppData.cast();
                match (*below).$method {
                    Some(method) => method(below, $($argument),*),
                    None => $without,
                }
            }
        })+
    };
}

type Symbol = Option<unsafe extern "C" fn(*mut ffi::sqlite3_vfs, *mut c_void, *const c_char)>;

pass_on! {
    pass_open: xOpen(name: *const c_char, file: *mut ffi::sqlite3_file, flags: c_int, out: *mut c_int) -> c_int,
        ffi::SQLITE_CANTOPEN;
    delete: xDelete(name: *const c_char, sync_directory: c_int) -> c_int, ffi::SQLITE_IOERR_DELETE;
    access: xAccess(name: *const c_char, flags: c_int, out: *mut c_int) -> c_int, ffi::SQLITE_IOERR_ACCESS;
    full_path: xFullPathname(name: *const c_char, len: c_int, out: *mut c_char) -> c_int, ffi::SQLITE_CANTOPEN;
    dl_open: xDlOpen(name: *const c_char) -> *mut c_void, std::ptr::null_mut();
    dl_error: xDlError(len: c_int, out: *mut c_char) -> (), ();
    dl_sym: xDlSym(library: *mut c_void, name: *const c_char) -> Symbol, None;
    dl_close: xDlClose(library: *mut c_void) -> (), ();
    randomness: xRandomness(len: c_int, out: *mut c_char) -> c_int, 0;
    sleep: xSleep(microseconds: c_int) -> c_int, 0;
    current_time: xCurrentTime(out: *mut f64) -> c_int, ffi::SQLITE_ERROR;
    last_error: xGetLastError(len: c_int, out: *mut c_char) -> c_int, 0;
    current_time_int: xCurrentTimeInt64(out: *mut i64) -> c_int, ffi::SQLITE_ERROR;
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: `file` has room for a `File`, as `szOsFile` says, and without methods SQLite does not close it. Names are
    // SQLite's: those of databases and their logs lie in one block with the parameters, and live as long as the files.
    let opened = unsafe {
        (*file).pMethods = std::ptr::null();
        match () {
            () if name.is_null() => None,
            () if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 => open_database(vfs, name, flags),
            () if flags & ffi::SQLITE_OPEN_WAL != 0 => open_log(name, flags),
            () => None,
        }
    };
    match opened {
        // SAFETY: the arguments are passed on as they came.
        None => unsafe { pass_open(vfs, name, file, flags, out_flags) },
        Some(Err(code)) => code,
        Some(Ok((ours, opened))) => {
            // SAFETY: as above; and `out_flags` is null or has room for the flags.
            unsafe {
                file.cast::<File>().write(ours);
                if !out_flags.is_null() {
                    *out_flags = opened;
                }
            }
            ffi::SQLITE_OK
        }
    }
}

type Opened = Option<Result<(File, c_int), Code>>;

/// A database that asks for a gate.
unsafe fn open_database(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, flags: c_int) -> Opened {
    // SAFETY: the name is one of a database, and `vfs` a table of ours.
    let (below, path, token) = unsafe {
        let token = ffi::sqlite3_uri_int64(name, PARAMETER.as_ptr(), 0);
        (below(vfs)?, CStr::from_ptr(name), u64::try_from(token).ok().filter(|token| *token != 0)?)
    };
    let Some(shared) = super::find(token) else { return Some(Err(ffi::SQLITE_CANTOPEN)) };
    // SAFETY: the name lives as long as the file is open.
    let opened = unsafe { below.open(name, flags) };
    Some(opened.map(|(file, flags)| {
        let connection = Box::into_raw(Box::new(Connection::new(shared, below, path, file)));
        (File { base: ffi::sqlite3_file { pMethods: &raw const DATABASE }, connection }, flags)
    }))
}

/// The log of a database that is ours.
unsafe fn open_log(name: *const c_char, flags: c_int) -> Opened {
    // SAFETY: the name is one of a log, so SQLite finds its database, which is open before and closed after it.
    let connection = unsafe {
        let database = ffi::sqlite3_database_file_object(name);
        if !std::ptr::eq((*database).pMethods, &raw const DATABASE) {
            return None;
        }
        (*database.cast::<File>()).connection
    };
    // SAFETY: the database is open, so its connection is there, and only this thread uses it now; the name lives as long
    // as the file is open.
    Some(unsafe { (*connection).vfs().open(name, flags) }.map(|(file, flags)| {
        // SAFETY: the same.
        unsafe { (*connection).set_log(Some(file)) };
        (File { base: ffi::sqlite3_file { pMethods: &raw const LOG }, connection }, flags)
    }))
}

unsafe fn below(vfs: *mut ffi::sqlite3_vfs) -> Option<below::Vfs> {
    // SAFETY: `vfs` is a table of ours, whose `pAppData` is a registered VFS with a name.
    below::Vfs::find(Some(unsafe { CStr::from_ptr((*(*vfs).pAppData.cast::<ffi::sqlite3_vfs>()).zName) }))
}

/// The connection of an open file.
unsafe fn connection<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Connection {
    // SAFETY: only files with our methods come here: `open` made the connection, the database's `close` has not freed
    // it, and SQLite uses the files of a connection from one thread at a time, one call at a time.
    unsafe { &mut *(*file.cast::<File>()).connection }
}

fn code(result: Result<(), Code>) -> c_int {
    result.err().unwrap_or(ffi::SQLITE_OK)
}

/// Gives an answer where SQLite wants it.
///
/// # Safety
///
/// `out` is null or has room for it.
unsafe fn answer<T>(result: Result<T, Code>, out: *mut T) -> c_int {
    code(result.map(|value| {
        if !out.is_null() {
            // SAFETY: as the caller promises.
            unsafe { out.write(value) };
        }
    }))
}

fn level(number: c_int) -> Level {
    match number {
        ffi::SQLITE_LOCK_NONE => Level::None,
        ffi::SQLITE_LOCK_SHARED => Level::Shared,
        ffi::SQLITE_LOCK_RESERVED => Level::Reserved,
        _ => Level::Exclusive,
    }
}

/// Functions of a file: each finds its connection and does one thing with it.
macro_rules! functions {
    ($($name:ident($connection:ident, $($argument:ident: $type:ty),*) $work:block)+) => {
        $(unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file, $($argument: $type),*) -> c_int {
            // SAFETY: the file is ours; memory that SQLite passes has room for as many bytes as it says, or for an
            // answer of that type, and is used by nobody else until the call returns.
            unsafe {
                let $connection = connection(file);
                $work
            }
        })+
    };
}

use std::slice::{from_raw_parts, from_raw_parts_mut};

functions! {
    read(connection, to: *mut c_void, len: c_int, offset: i64) {
        code(connection.read(from_raw_parts_mut(to.cast(), len as usize), offset as u64))
    }
    write(connection, from: *const c_void, len: c_int, offset: i64) {
        code(connection.write(from_raw_parts(from.cast(), len as usize), offset as u64))
    }
    truncate(connection, len: i64) { code(connection.truncate(len)) }
    sync(connection, flags: c_int) { code(connection.sync(flags)) }
    file_size(connection, out: *mut i64) { answer(connection.size(), out) }
    lock(connection, wanted: c_int) { code(connection.lock(level(wanted))) }
    unlock(connection, wanted: c_int) { code(connection.unlock(level(wanted))) }
    check_reserved_lock(connection, out: *mut c_int) { answer(Ok(c_int::from(connection.is_reserved())), out) }
    file_control(connection, op: c_int, argument: *mut c_void) {
        match (connection.hear(op), connection.database().control(op, argument)) {
            (Err(code), _) | (Ok(()), Err(code)) => code,
            (Ok(()), Ok(())) => ffi::SQLITE_OK,
        }
    }
    sector_size(connection,) { connection.database().sector_size() }
    device_characteristics(connection,) { connection.database().characteristics() }
    fetch(connection, offset: i64, len: c_int, out: *mut *mut c_void) { answer(connection.fetch(offset, len), out) }
    unfetch(connection, offset: i64, at: *mut c_void) { code(connection.database().unfetch(offset, at)) }

    map_index(connection, region: c_int, len: c_int, extend: c_int, out: *mut *mut c_void) {
        let region = region as usize;
        let least = if extend != 0 { region + 1 } else { 0 };
        answer(Ok(connection.map(region, len as usize, least)), out)
    }
    lock_index(connection, offset: c_int, count: c_int, flags: c_int) {
        let slots = offset as usize..(offset + count) as usize;
        match () {
            () if flags & ffi::SQLITE_SHM_UNLOCK != 0 => {
                connection.release_slots(slots);
                ffi::SQLITE_OK
            }
            () if flags & ffi::SQLITE_SHM_SHARED != 0 => code(connection.share_slot(slots.start)),
            () => code(connection.take_slots(slots)),
        }
    }
    unmap_index(connection, _delete: c_int) {
        connection.unmap();
        ffi::SQLITE_OK
    }

    read_log(connection, to: *mut c_void, len: c_int, offset: i64) {
        code(connection.read_log(from_raw_parts_mut(to.cast(), len as usize), offset as u64))
    }
    write_log(connection, from: *const c_void, len: c_int, offset: i64) {
        code(connection.write_log(from_raw_parts(from.cast(), len as usize), offset as u64))
    }
    truncate_log(connection, len: i64) { code(connection.truncate_log(len)) }
    sync_log(connection, flags: c_int) { code(connection.sync_log(flags)) }
    log_size(connection, out: *mut i64) { answer(connection.log_size(), out) }
    log_control(connection, op: c_int, argument: *mut c_void) {
        code(connection.log().and_then(|log| log.control(op, argument)))
    }
    log_sector_size(connection,) { connection.log().map_or(0, |log| log.sector_size()) }
    log_characteristics(connection,) { connection.log().map_or(0, |log| log.characteristics()) }
    // SQLite locks databases, not logs.
    lock_log(_connection, _level: c_int) { ffi::SQLITE_OK }
    check_log(_connection, out: *mut c_int) { answer(Ok(0), out) }
    close_log(connection,) {
        connection.set_log(None);
        ffi::SQLITE_OK
    }
}

unsafe extern "C" fn barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: the file is ours.
    unsafe { connection(file) }.barrier();
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: `open` made the connection, and SQLite closes a database once, after its log.
    unsafe { Box::from_raw((*file.cast::<File>()).connection) }.close();
    ffi::SQLITE_OK
}

static DATABASE: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 3,
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
    xShmMap: Some(map_index),
    xShmLock: Some(lock_index),
    xShmBarrier: Some(barrier),
    xShmUnmap: Some(unmap_index),
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
};

static LOG: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close_log),
    xRead: Some(read_log),
    xWrite: Some(write_log),
    xTruncate: Some(truncate_log),
    xSync: Some(sync_log),
    xFileSize: Some(log_size),
    xLock: Some(lock_log),
    xUnlock: Some(lock_log),
    xCheckReservedLock: Some(check_log),
    xFileControl: Some(log_control),
    xSectorSize: Some(log_sector_size),
    xDeviceCharacteristics: Some(log_characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};
