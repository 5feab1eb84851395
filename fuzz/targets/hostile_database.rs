//! Files that are no disks, and damaged ones.
#![no_main]

use disklayer_sqlite::harness::target::Target;

disklayer_sqlite_fuzz::fuzz!(Target::HostileDatabase);
