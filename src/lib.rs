//! A virtual disk layer kept in one SQLite file, and the harness that proves it right.
//!
//! - [`layer`]: the contract of a layer, and the layers: SQLite, RAM, raw file.
//! - [`stack`]: layers as one disk, with read caches, write-through, push, discard and commit.
//! - [`resolver`]: from a description (`sqldiff:top.dbhd;create:file:base.img`) to a disk.
//! - `script`, `oracle`, `harness` (feature `harness`): what happens, what should come of it, and whether it does.
//!
//! ```
//! use disklayer_sqlite::geometry::Geometry;
//! use disklayer_sqlite::layer::{Access, Durability, RamDiskLayer};
//! use disklayer_sqlite::stack::{DiskAccess, LayerConfiguration, LayeredDisk};
//!
//! let ram = RamDiskLayer::new(Geometry::new(64, 512)?, Access::ReadWrite);
//! let disk = LayeredDisk::new(vec![LayerConfiguration::new(ram)], DiskAccess::Writable)?;
//! disk.write(40, &[7; 1024], Durability::Flushed)?;
//! let mut sectors = [0xff; 1536];
//! disk.read(40, &mut sectors)?;
//! assert_eq!((sectors[1023], sectors[1024]), (7, 0));
//! # Ok::<(), disklayer_sqlite::error::Error>(())
//! ```

pub mod error;
pub mod fault;
pub mod geometry;
pub mod layer;
pub mod request;
pub mod resolver;
pub mod stack;
pub mod sync;

#[cfg(feature = "harness")]
pub mod drive;
#[cfg(feature = "harness")]
pub mod harness;
#[cfg(feature = "harness")]
pub mod oracle;
#[cfg(feature = "harness")]
pub mod script;
#[cfg(feature = "harness")]
pub mod strike;
