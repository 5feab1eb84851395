//! A layer that is created when it is stacked, with what the layer below tells it.

use std::sync::Arc;

use super::{Existing, FormatParams, IncompleteFormatParams, Location, Options, SqliteDiskLayer};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{Fault, planted};
use crate::geometry::Geometry;
use crate::layer::{Access, DiskLayerMetadata, LayerAttach, LayerIo, Parent, Presence, UnmapBehavior};

/// A differencing layer or cache that is created when it is stacked, with what the layer below tells it.
#[derive(Clone, Debug)]
pub struct FormatOnAttachSqliteDiskLayer {
    location: Location,
    format: IncompleteFormatParams,
    existing: Existing,
    options: Options,
}

impl FormatOnAttachSqliteDiskLayer {
    /// A layer that will be created at `at`.
    pub fn new(at: impl Into<Location>, format: IncompleteFormatParams, existing: Existing, options: Options) -> Self {
        Self { location: at.into(), format, existing, options }
    }
}

impl FormatOnAttachSqliteDiskLayer {
    fn format_over<'a>(&self, below: Option<&'a DiskLayerMetadata>) -> Result<(&'a DiskLayerMetadata, FormatParams)> {
        let below = below.ok_or_else(|| {
            let what = format!("creating {}, which takes its geometry from the layer below", self.location);
            Error::new(ErrorKind::NothingBelow, what)
        })?;
        let format = FormatParams {
            logically_read_only: self.format.logically_read_only,
            len: self.format.len.unwrap_or(below.geometry.len()),
            sector_size: below.geometry.sector_size(),
        };
        Ok((below, format))
    }
}

impl LayerAttach for FormatOnAttachSqliteDiskLayer {
    fn attach(self: Box<Self>, below: Option<&DiskLayerMetadata>) -> Result<Arc<dyn LayerIo>> {
        let (below, format) = self.format_over(below)?;
        let parent = (!planted(Fault::ParentNotRecorded)).then(|| Parent::of(below));
        let layer = SqliteDiskLayer::create_over(self.location, format, parent, self.existing, &self.options)?;
        Ok(Arc::new(layer))
    }

    fn preview(&self, below: Option<&DiskLayerMetadata>) -> Result<Option<DiskLayerMetadata>> {
        let (below, format) = self.format_over(below)?;
        Ok(Some(DiskLayerMetadata {
            geometry: Geometry::from_len(format.len, format.sector_size)?,
            access: if format.logically_read_only { Access::LogicallyReadOnly } else { Access::ReadWrite },
            presence: Presence::Sparse,
            unmap: UnmapBehavior::Zeroes,
            identity: None,
            parent: Some(Parent::of(below)),
        }))
    }
}
