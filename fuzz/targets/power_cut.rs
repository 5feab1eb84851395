//! Scripts with power cuts and failing calls.
#![no_main]

use disklayer_sqlite::harness::target::Target;

disklayer_sqlite_fuzz::fuzz!(Target::PowerCut);
