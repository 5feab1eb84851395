//! One of each kind of layer, and a stack, so that a claim is made about all of them; and short ways to use them.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::geometry::Geometry;
use disklayer_sqlite::layer::{
    Access, Durability, Existing, FileDisk, Format, FormatOnAttachSqliteDiskLayer, FormatParams,
    IncompleteFormatParams, LayerIo, Location, MemoryFile, Mode, Options, RamDiskLayer, SectorMarker, SqliteDiskLayer,
};
use disklayer_sqlite::stack::{DiskAccess, LayerConfiguration, LayeredDisk};
use tempfile::TempDir;

/// What a read buffer is full of before the read.
const POISON: u8 = 0xee;

/// A disk of so many sectors of 512 bytes.
pub(super) fn disk_of(sectors: u64) -> Geometry {
    Geometry::new(sectors, 512).unwrap()
}

pub(super) fn ram(geometry: Geometry) -> Arc<dyn LayerIo> {
    Arc::new(RamDiskLayer::new(geometry, Access::ReadWrite))
}

/// A RAM layer with every byte of every sector set.
pub(super) fn full_ram(geometry: Geometry, byte: u8) -> Arc<dyn LayerIo> {
    let layer = ram(geometry);
    write(&*layer, 0, byte, geometry.sector_count());
    layer
}

/// A stack of layers without a special part, top first.
pub(super) fn stack(layers: &[Arc<dyn LayerIo>]) -> LayeredDisk {
    let layers = layers.iter().map(|layer| LayerConfiguration::new(layer.clone())).collect();
    LayeredDisk::new(layers, DiskAccess::Writable).unwrap()
}

/// The layer as one that writes through.
pub(super) fn through(layer: &Arc<dyn LayerIo>) -> LayerConfiguration {
    LayerConfiguration { write_through: true, ..LayerConfiguration::new(layer.clone()) }
}

/// The layer as a read cache.
pub(super) fn cache(layer: &Arc<dyn LayerIo>) -> LayerConfiguration {
    LayerConfiguration { read_cache: true, ..LayerConfiguration::new(layer.clone()) }
}

pub(super) fn plain(layer: &Arc<dyn LayerIo>) -> LayerConfiguration {
    LayerConfiguration::new(layer.clone())
}

/// Makes a claim about every kind of sparse layer.
pub(super) fn each_sparse_layer(geometry: Geometry, claim: impl Fn(&str, &dyn LayerIo)) {
    claim("RAM", &RamDiskLayer::new(geometry, Access::ReadWrite));
    let shared: Arc<dyn LayerIo> = Arc::new(Home::memory().create(geometry));
    claim("a layer that is shared", &shared);
    for home in Home::each() {
        claim(&home.to_string(), &home.create(geometry));
    }
}

/// Makes a claim about every kind of layer, and about a stack of them.
pub(super) fn each_layer(geometry: Geometry, claim: impl Fn(&str, &dyn LayerIo)) {
    each_sparse_layer(geometry, &claim);
    let directory = TempDir::new().unwrap();
    let file = |name| FileDisk::create(&directory.path().join(name), geometry).unwrap();
    claim("a raw file", &file("alone"));
    let [new, old] = FORMATS.map(|format| Arc::new(Home::memory().of(format).create(geometry)) as _);
    claim("a stack", &stack(&[new, ram(geometry), old, Arc::new(file("bottom"))]));
}

/// Every format that a new file can have.
pub(super) const FORMATS: [Format; 2] = [Format::One, Format::Original];

/// Where a SQLite layer lies, from one opening to the next.
pub(super) struct Home {
    location: Location,
    directory: TempDir,
    format: Format,
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if matches!(self.location, Location::Memory(_)) { "memory" } else { "a file" };
        write!(f, "SQLite in {place}, format {}", self.format.version())
    }
}

impl Home {
    pub(super) fn memory() -> Self {
        let (directory, format) = (TempDir::new().unwrap(), Format::default());
        Self { location: Location::from(&MemoryFile::default()), directory, format }
    }

    pub(super) fn file() -> Self {
        let (directory, format) = (TempDir::new().unwrap(), Format::default());
        Self { location: directory.path().join("layer.dbhd").into(), directory, format }
    }

    /// The same place, for new files of that format.
    pub(super) fn of(self, format: Format) -> Self {
        Self { format, ..self }
    }

    /// A file in the format of the original.
    pub(super) fn original() -> Self {
        Self::file().of(Format::Original)
    }

    /// In memory and in a file, in each format.
    pub(super) fn each() -> impl Iterator<Item = Self> {
        FORMATS.into_iter().flat_map(|format| [Self::memory().of(format), Self::file().of(format)])
    }

    /// A file in each format.
    pub(super) fn files() -> impl Iterator<Item = Self> {
        FORMATS.into_iter().map(|format| Self::file().of(format))
    }

    fn options(&self) -> Options {
        Options { format: self.format, ..Options::default() }
    }

    pub(super) fn location(&self) -> Location {
        self.location.clone()
    }

    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The file; that of a database in memory is never there.
    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("layer.dbhd")
    }

    pub(super) fn create(&self, geometry: Geometry) -> SqliteDiskLayer {
        self.try_create(geometry, Existing::Keep).unwrap()
    }

    pub(super) fn try_create(&self, geometry: Geometry, existing: Existing) -> Result<SqliteDiskLayer> {
        SqliteDiskLayer::create(self.location.clone(), format(geometry), existing, &self.options())
    }

    /// What becomes a differencing layer when it is stacked.
    pub(super) fn diff(&self) -> LayerConfiguration {
        let (format, options) = (IncompleteFormatParams::default(), self.options());
        LayerConfiguration::new(FormatOnAttachSqliteDiskLayer::new(
            self.location.clone(),
            format,
            Existing::Keep,
            options,
        ))
    }

    pub(super) fn try_open(&self, mode: Mode) -> Result<SqliteDiskLayer> {
        SqliteDiskLayer::open(self.location.clone(), mode, &Options::default())
    }

    pub(super) fn open_with(&self, options: &Options) -> SqliteDiskLayer {
        SqliteDiskLayer::open(self.location.clone(), Mode::ReadWrite, options).unwrap()
    }

    pub(super) fn open(&self) -> SqliteDiskLayer {
        self.try_open(Mode::ReadWrite).unwrap()
    }

    pub(super) fn shared(&self) -> Arc<dyn LayerIo> {
        Arc::new(self.open())
    }
}

pub(super) fn format(geometry: Geometry) -> FormatParams {
    FormatParams { logically_read_only: false, len: geometry.len(), sector_size: geometry.sector_size() }
}

/// `count` sectors full of `byte`.
pub(super) fn bytes(layer: &dyn LayerIo, byte: u8, count: u64) -> Vec<u8> {
    vec![byte; count as usize * layer.metadata().geometry.sector_size() as usize]
}

pub(super) fn write(layer: &dyn LayerIo, sector: u64, byte: u8, count: u64) {
    layer.write(sector, &bytes(layer, byte, count), Durability::Flushed).unwrap();
}

/// The byte that fills each sector, and `None` for an absent one, whose part of the buffer must be untouched.
pub(super) fn look(layer: &dyn LayerIo, sectors: Range<u64>) -> Vec<Option<u8>> {
    let mut buf = bytes(layer, POISON, sectors.end - sectors.start);
    let mut marker = SectorMarker::new(sectors.clone());
    layer.read(sectors.start, &mut buf, &mut marker).unwrap();
    let size = layer.metadata().geometry.sector_size() as usize;
    let sector = |(sector, bytes): (u64, &[u8])| {
        assert!(bytes.iter().all(|byte| *byte == bytes[0]), "sector {sector} is torn");
        assert!(marker.is_set(sector) || bytes[0] == POISON, "sector {sector} is absent, and its buffer was written");
        marker.is_set(sector).then_some(bytes[0])
    };
    sectors.zip(buf.chunks_exact(size)).map(sector).collect()
}

/// The byte that fills each sector of a disk.
pub(super) fn show(disk: &dyn LayerIo, sectors: Range<u64>) -> Vec<u8> {
    look(disk, sectors).into_iter().map(Option::unwrap).collect()
}

#[track_caller]
pub(super) fn refused<T>(result: Result<T>, kind: ErrorKind) -> Error {
    match result {
        Ok(_) => panic!("it succeeded, and should be refused with {kind:?}"),
        Err(error) if error.kind() == kind => error,
        Err(error) => panic!("{error:?}, and should be {kind:?}"),
    }
}
