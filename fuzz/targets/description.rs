//! The descriptions of disks.
#![no_main]

use disklayer_sqlite::harness::target::Target;

disklayer_sqlite_fuzz::fuzz!(Target::Description);
