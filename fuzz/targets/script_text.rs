//! The texts of scripts and of hostile cases.
#![no_main]

use disklayer_sqlite::harness::target::Target;

disklayer_sqlite_fuzz::fuzz!(Target::ScriptText);
