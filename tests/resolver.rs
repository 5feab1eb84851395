//! From a textual description to a stack.

use disklayer_sqlite::error::{Error, ErrorKind};
use disklayer_sqlite::layer::Durability;
use disklayer_sqlite::resolver::{Description, ResolveOptions, resolve};
use disklayer_sqlite::stack::{DiskAccess, LayeredDisk};
use tempfile::TempDir;

mod caching;
mod opening;
mod syntax;

/// A directory, and what is resolved with it as cache directory.
struct Place {
    directory: TempDir,
    options: ResolveOptions,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory for the test");
        let cache_directory = Some(directory.path().join("caches"));
        Self { directory, options: ResolveOptions { cache_directory, ..ResolveOptions::default() } }
    }

    fn read_only(mut self) -> Self {
        self.options.access = DiskAccess::ReadOnly;
        self
    }

    /// `description` with this directory for every `@`.
    fn expand(&self, description: &str) -> String {
        description.replace('@', &format!("{}/", self.directory.path().display()))
    }

    fn resolve(&self, description: &str) -> Result<LayeredDisk, Error> {
        resolve(&self.expand(description).parse::<Description>()?, &self.options)
    }

    fn open(&self, description: &str) -> LayeredDisk {
        self.resolve(description).expect("a disk")
    }

    /// The error, which must name the description.
    fn refusal(&self, description: &str, kind: ErrorKind) -> String {
        let error = self.resolve(description).expect_err("a refusal");
        assert_eq!(error.kind(), kind, "{error}");
        error.to_string()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).expect("a file")
    }

    /// An image in which every byte of a sector is the sector's number and one.
    fn image(&self, name: &str, sectors: u8) {
        let bytes: Vec<u8> = (1..=sectors).flat_map(|n| [n; 512]).collect();
        std::fs::write(self.path(name), bytes).expect("an image");
    }
}

fn write(disk: &LayeredDisk, sector: u64, byte: u8) {
    disk.write(sector, &[byte; 512], Durability::Flushed).expect("a write");
}

/// The byte that fills the sector.
fn byte(disk: &LayeredDisk, sector: u64) -> u8 {
    let mut buf = [0xee; 512];
    disk.read(sector, &mut buf).expect("a read");
    assert_eq!(buf, [buf[0]; 512]);
    buf[0]
}
