//! What a directory lies on.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Medium {
    Disk,
    Tmpfs,
}

impl Medium {
    #[cfg(target_os = "linux")]
    pub(crate) fn of(directory: &Path) -> std::io::Result<Self> {
        const TMPFS_MAGIC: i128 = 0x0102_1994;
        let found = rustix::fs::statfs(directory)?;
        Ok(if i128::from(found.f_type) == TMPFS_MAGIC { Self::Tmpfs } else { Self::Disk })
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn of(_directory: &Path) -> std::io::Result<Self> {
        Ok(Self::Disk)
    }
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disk => "disk",
            Self::Tmpfs => "tmpfs",
        })
    }
}
