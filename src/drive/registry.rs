//! Every drive there is, by its number, so that a path says which it is on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Drive, Inner, vfs};

static DRIVES: Mutex<BTreeMap<u64, Weak<Inner>>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(1);

/// What every path on the drive begins with.
pub(super) fn prefix(number: u64) -> String {
    format!("drive-{number}/")
}

/// A drive that SQLite can find.
pub(super) fn make(make: impl FnOnce(u64) -> Inner) -> Arc<Inner> {
    vfs::register();
    let number = number();
    let inner = Arc::new(make(number));
    DRIVES.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::downgrade(&inner));
    inner
}

pub(super) fn forget(number: u64) {
    DRIVES.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
}

/// The drive that a path is on, and the name there.
pub(super) fn find(path: &str) -> Option<(Drive, &str)> {
    let (number, name) = path.strip_prefix("drive-")?.split_once('/')?;
    let number: u64 = number.parse().ok()?;
    let drives = DRIVES.lock().unwrap_or_else(PoisonError::into_inner);
    Some((Drive(drives.get(&number)?.upgrade()?), name))
}

/// A number that nothing else has.
pub(super) fn number() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}
