//! Makes the example files of the formats, `tests/formats/v*.dbhd`: `cargo run --example format_files -- DIR`.
//!
//! A format that was released is frozen, and so are its files: only a new format gets a new one. What is in them is in
//! `tests/contract/format.rs`, which reads them with a reader of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use disklayer_sqlite::error::{Error, Result};
use disklayer_sqlite::layer::{
    Below, Durability, Existing, Format, FormatParams, Identity, LayerIo, Options, Parent, SqliteDiskLayer,
};
use uuid::Uuid;

fn main() -> Result<()> {
    let dir = std::env::args_os().nth(1).unwrap_or_else(|| "tests/formats".into());
    for format in [Format::Original, Format::One] {
        make(&Path::new(&dir).join(format!("v{}.dbhd", format.version())), format)?;
    }
    Ok(())
}

/// A differencing layer of 1003 sectors in pages of 1024 bytes; format 1 has 16 sectors in a cluster then.
fn make(path: &Path, format: Format) -> Result<()> {
    let numbers = AtomicU64::new(0x1000);
    let draw = move || u128::from(numbers.fetch_add(1, Ordering::Relaxed));
    let options = Options { format, page_size: 1024, identities: Some(Arc::new(draw)), ..Options::default() };
    let params = FormatParams { logically_read_only: false, len: 1003 * 512, sector_size: 512 };
    let layer = SqliteDiskLayer::create(path, params, Existing::Replace, &options)?;
    let write = |sector: u64, count: u64| {
        let bytes: Vec<u8> = (sector..sector + count).flat_map(stamp).collect();
        layer.write(sector, &bytes, Durability::Flushed)
    };
    // Blocks in another order than they have in the cluster: the last one finds room behind the others.
    write(14, 2)?;
    write(1, 1)?;
    write(8, 1)?;
    write(4, 2)?;
    // A whole cluster and a part of the next; zeros among them; and some of it goes again.
    write(32, 20)?;
    layer.write(40, &[0; 512], Durability::Flushed)?;
    layer.unmap(50, 1, Below::Something)?;
    layer.unmap(36, 4, Below::Something)?;
    layer.unmap(33, 1, Below::Nothing)?;
    // Extents of zeros: one from the middle of a cluster to the middle of another, one that is a single cluster.
    layer.unmap(100, 200, Below::Something)?;
    layer.unmap(400, 16, Below::Something)?;
    // The last cluster has 11 sectors.
    write(1000, 3)?;
    let identity = |generation| Some(Identity { uuid: Uuid::from_u128(0xabcd), generation });
    let parent = Parent { sector_count: 1003, sector_size: 512, identity: identity(41), coming: identity(42) };
    layer.record_parent(&parent)?;
    layer.close().map_err(|e: Error| e.in_context("making an example"))
}

/// The bytes of a sector, which its number says.
fn stamp(sector: u64) -> Vec<u8> {
    (0..512).map(|at: u64| (sector.wrapping_mul(37) + at * 5 + at / 256) as u8).collect()
}
