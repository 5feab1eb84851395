//! The layers of a description: what exists is opened here, what does not is created when it is stacked.

use std::path::Path;
use std::sync::Arc;

use super::cache::AutoCache;
use super::{Description, MAX_LAYERS, ResolveOptions, Start};
use crate::error::{Error, ErrorKind, Result};
use crate::geometry::Geometry;
use crate::layer::{
    Access, DiskLayerMetadata, Existing, FileDisk, FormatOnAttachSqliteDiskLayer, FormatParams, IncompleteFormatParams,
    LayerAttach, LayerIo, Mode, RamDiskLayer, SqliteDiskLayer,
};
use crate::stack::{DiskAccess, LayerConfiguration};

/// Whether the writes of the disk reach a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WritePath {
    Inside,
    Outside,
}

/// The layers, top first.
pub(super) fn layers(description: &Description, options: &ResolveOptions) -> Result<Vec<LayerConfiguration>> {
    let mut layers = Vec::new();
    let mut path = match options.access {
        DiskAccess::Writable => WritePath::Inside,
        DiskAccess::ReadOnly => WritePath::Outside,
    };
    let mut next = Some(description);
    while let Some(disk) = next {
        let index = layers.len();
        if index == MAX_LAYERS {
            let what = format!("a description has at most {MAX_LAYERS} layers");
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        layers.push(layer(disk, path, options).map_err(|e| e.at_layer(index))?);
        if !matches!(disk, Description::AutoCache { .. }) {
            path = WritePath::Outside;
        }
        next = disk.below();
    }
    Ok(layers)
}

fn layer(disk: &Description, path: WritePath, options: &ResolveOptions) -> Result<LayerConfiguration> {
    let mode = match (path, options.access) {
        (WritePath::Inside, _) => Mode::ReadWrite,
        (WritePath::Outside, DiskAccess::Writable) => options.lower_layers,
        (WritePath::Outside, DiskAccess::ReadOnly) => Mode::ReadOnly,
    };
    let mut configuration = match disk {
        Description::Mem { len } => LayerConfiguration::new(memory(*len, mode, options)?),
        Description::MemDiff { .. } => LayerConfiguration::new(memory_diff(mode)),
        Description::Sql { path, create: None } | Description::SqlDiff { path, start: Start::Open, .. } => {
            LayerConfiguration::new(SqliteDiskLayer::open(named(path)?, mode, &options.sqlite)?)
        }
        Description::Sql { path, create: Some(len) } => LayerConfiguration::new(create(path, *len, options)?),
        Description::SqlDiff { path, start: Start::Create, .. } => LayerConfiguration::new(create_diff(path, options)?),
        Description::AutoCache { key, .. } => auto_cache(key, path, options)?,
        Description::File { path } => LayerConfiguration::new(FileDisk::open(named(path)?, options.sector_size, mode)?),
    };
    configuration.parent_check = options.parent_check;
    Ok(configuration)
}

fn memory(len: u64, mode: Mode, options: &ResolveOptions) -> Result<RamDiskLayer> {
    Ok(RamDiskLayer::new(Geometry::from_len(len, options.sector_size)?, access(mode)))
}

fn memory_diff(mode: Mode) -> impl LayerAttach {
    OnAttach(move |below: Option<&DiskLayerMetadata>| {
        let below = below.ok_or_else(|| Error::new(ErrorKind::NothingBelow, "a differencing layer in memory"))?;
        Ok(Arc::new(RamDiskLayer::new(below.geometry, access(mode))) as Arc<dyn LayerIo>)
    })
}

fn create(path: &str, len: u64, options: &ResolveOptions) -> Result<impl LayerAttach + use<>> {
    let path = creatable(path, options)?.to_owned();
    let sector_size = options.sector_size;
    Geometry::from_len(len, sector_size)?;
    let format = FormatParams { logically_read_only: false, len, sector_size };
    let sqlite = options.sqlite.clone();
    Ok(OnAttach(move |_: Option<&DiskLayerMetadata>| {
        let layer = SqliteDiskLayer::create(path, format, Existing::Keep, &sqlite)?;
        Ok(Arc::new(layer) as Arc<dyn LayerIo>)
    }))
}

fn create_diff(path: &str, options: &ResolveOptions) -> Result<FormatOnAttachSqliteDiskLayer> {
    let path = creatable(path, options)?;
    let format = IncompleteFormatParams::default();
    Ok(FormatOnAttachSqliteDiskLayer::new(path, format, Existing::Keep, options.sqlite.clone()))
}

fn auto_cache(key: &str, path: WritePath, options: &ResolveOptions) -> Result<LayerConfiguration> {
    let cache = AutoCache::new(key, options)?;
    let mut configuration = match path {
        WritePath::Inside => LayerConfiguration::new(OnAttach(|below: Option<&_>| cache.attach_writable(below))),
        WritePath::Outside => LayerConfiguration::new(OnAttach(|below: Option<&_>| cache.attach_fill_only(below))),
    };
    configuration.read_cache = true;
    configuration.write_through = path == WritePath::Inside;
    Ok(configuration)
}

fn access(mode: Mode) -> Access {
    match mode {
        Mode::ReadWrite => Access::ReadWrite,
        Mode::ReadOnly => Access::ReadOnly,
    }
}

/// A path; an empty one would be taken for the working directory here and there.
fn named(path: &str) -> Result<&Path> {
    match path {
        "" => Err(Error::new(ErrorKind::NotFound, "a layer with an empty path")),
        path => Ok(Path::new(path)),
    }
}

fn creatable<'a>(path: &'a str, options: &ResolveOptions) -> Result<&'a Path> {
    match options.access {
        DiskAccess::Writable => named(path),
        DiskAccess::ReadOnly => {
            let what = format!("creating {path} for a disk that is opened read only");
            Err(Error::new(ErrorKind::ReadOnly, what))
        }
    }
}

/// A layer that is made when it is stacked.
struct OnAttach<F>(F);

impl<F: FnOnce(Option<&DiskLayerMetadata>) -> Result<Arc<dyn LayerIo>>> LayerAttach for OnAttach<F> {
    fn attach(self: Box<Self>, below: Option<&DiskLayerMetadata>) -> Result<Arc<dyn LayerIo>> {
        self.0(below)
    }
}
