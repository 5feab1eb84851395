//! Scripts on stacks of layers.
#![no_main]

use disklayer_sqlite::harness::target::Target;

disklayer_sqlite_fuzz::fuzz!(Target::Script);
