//! Sound files to damage: made by the real layer, with what each of them holds after each commit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::expect::Shown;
use super::image::{Image, Tables, page_size};
use super::stored::Stored;
use crate::error::{Error, ErrorKind, Result};
use crate::geometry::Geometry;
use crate::layer::{
    Access, Below, DiskLayerMetadata, Durability, Existing, Format, FormatOnAttachSqliteDiskLayer, FormatParams,
    Identity, IncompleteFormatParams, LayerAttach, LayerIo, Options, Parent, Presence, SqliteDiskLayer, UnmapBehavior,
};
use crate::script::{Choices, SeedChoices};

/// How a sound file is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Recipe {
    /// Bytes in a sector.
    pub sector_size: u32,
    /// Number of sectors.
    pub sector_count: u64,
    /// What the content is drawn from.
    pub seed: u64,
    /// How many flushes are still in the log.
    pub flushes: u32,
    /// Whether the file remembers a parent.
    pub kind: Kind,
    /// How sectors lie in it.
    pub format: Format,
    /// Bytes of a page.
    pub page_size: u32,
}

impl Recipe {
    /// The size of the pages of the original's files.
    pub(super) const PAGE_SIZE: u32 = 4096;
}

/// What a layer lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nothing.
    Whole,
    /// A disk that it remembers.
    Child,
}

/// What a layer holds: the bytes of each present sector, nothing for zeros.
type Sectors = BTreeMap<u64, Option<Vec<u8>>>;

/// A sound file at one commit.
pub(super) struct State {
    pub(super) identity: Option<Identity>,
    pub(super) image: Image,
    pub(super) tables: Tables,
}

/// A sound file, and all that is known of it.
pub(super) struct Original {
    pub(super) geometry: Geometry,
    pub(super) parent: Option<Parent>,
    pub(super) file: Vec<u8>,
    pub(super) log: Vec<u8>,
    /// By the number of commits in the log that count.
    pub(super) states: Vec<State>,
}

impl Original {
    /// Makes it at `path`, where nothing is, and takes the file away again.
    pub(super) fn make(recipe: Recipe, path: &Path) -> Result<Self> {
        let options = &options(recipe);
        let geometry = Geometry::new(recipe.sector_count, recipe.sector_size)?;
        let mut choices = SeedChoices::new(recipe.seed, 0);
        let mut sectors = Sectors::new();
        let layer = create(recipe, geometry, path, options)?;
        change(&*layer, &mut sectors, recipe.sector_count, recipe.format, &mut choices)?;
        layer.close()?;
        let layer = SqliteDiskLayer::open(path, crate::layer::Mode::ReadWrite, options)?;
        let parent = layer.metadata().parent;
        let mut known = vec![(sectors.clone(), layer.metadata().identity)];
        for _ in 0..recipe.flushes {
            let before = sectors.clone();
            let count = choices.between(1, recipe.sector_count.div_ceil(4));
            change(&layer, &mut sectors, count, recipe.format, &mut choices)?;
            layer.flush()?;
            let identity = layer.metadata().identity;
            if known.len() == 1 {
                // The first change begins a generation, in a commit of its own.
                known.push((before, identity));
            }
            known.push((sectors.clone(), identity));
            // Giving space back is a commit that changes nothing for us.
            while known.len() < commits(path)? + 1 {
                known.push((sectors.clone(), identity));
            }
        }
        let file = read(path)?;
        let log = if recipe.flushes == 0 { Vec::new() } else { read(&log_of(path))? };
        drop(layer);
        let states = states(known, geometry, &file, &log)?;
        Ok(Self { geometry, parent, file, log, states })
    }
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::from_io("reading a file that was just made", e))
}

/// How many commits there are in the log of a file.
fn commits(path: &Path) -> Result<usize> {
    Ok(Image::new(&[], &read(&log_of(path))?).commits)
}

/// Identities that differ from one another, and come from the recipe alone.
fn options(recipe: Recipe) -> Options {
    let drawn = AtomicU64::new(recipe.seed + 1);
    let draw = move || u128::from(drawn.fetch_add(1, Ordering::Relaxed)).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060);
    let (format, page_size) = (recipe.format, recipe.page_size);
    // The log keeps all that is committed.
    Options { format, page_size, log_limit: u64::MAX, identities: Some(Arc::new(draw)), ..Options::default() }
}

fn states(known: Vec<(Sectors, Option<Identity>)>, geometry: Geometry, file: &[u8], log: &[u8]) -> Result<Vec<State>> {
    let wrong = |what: &str| Error::new(ErrorKind::Failed, format!("the judge reads a sound file wrongly: {what}"));
    let commits = Image::new(file, log).commits;
    if commits + 1 != known.len() {
        return Err(wrong(&format!("{commits} commits in its log, and {} were made", known.len() - 1)));
    }
    let mut states = Vec::new();
    let frame = 24 + page_size(file);
    for (sectors, identity) in known {
        // A log that ends earlier has fewer commits: the same frames up to the one that is asked for.
        let image = (32..=log.len()).step_by(frame).map(|end| Image::new(file, &log[..end]));
        let image = image.into_iter().find(|image| image.commits == states.len()).unwrap_or(Image::new(file, &[]));
        let tables = Tables::read(&image.bytes).ok_or_else(|| wrong("its tables"))?;
        let stored = Stored::of(&tables, &image.bytes).ok_or_else(|| wrong("its metadata"))?;
        let read = stored.present(&tables, &image.bytes);
        let written = |data| Option::map_or(data, Shown::Zeros, Shown::Data);
        let is_right = read
            .is_some_and(|read| read.into_iter().eq(sectors.into_iter().map(|(sector, data)| (sector, written(data)))));
        if !is_right || (stored.sector_count, stored.sector_size) != (geometry.sector_count(), geometry.sector_size()) {
            return Err(wrong("its sectors"));
        }
        states.push(State { identity, image, tables });
    }
    Ok(states)
}

fn create(recipe: Recipe, geometry: Geometry, path: &Path, options: &Options) -> Result<Arc<dyn LayerIo>> {
    match recipe.kind {
        Kind::Whole => {
            let format =
                FormatParams { logically_read_only: false, len: geometry.len(), sector_size: geometry.sector_size() };
            Ok(Arc::new(SqliteDiskLayer::create(path, format, Existing::Keep, options)?))
        }
        Kind::Child => {
            let below = DiskLayerMetadata {
                geometry,
                access: Access::ReadOnly,
                presence: Presence::Full,
                unmap: UnmapBehavior::Zeroes,
                identity: None,
                parent: None,
            };
            let format = IncompleteFormatParams::default();
            let child = FormatOnAttachSqliteDiskLayer::new(path.to_owned(), format, Existing::Keep, options.clone());
            Box::new(child).attach(Some(&below))
        }
    }
}

/// Writes, zeroes and forgets so many sectors.
fn change(
    layer: &dyn LayerIo,
    sectors: &mut Sectors,
    count: u64,
    format: Format,
    choices: &mut SeedChoices,
) -> Result<()> {
    let geometry = layer.metadata().geometry;
    if format == Format::One && choices.percent(60) {
        // Zeros of whole clusters lie elsewhere.
        let start = choices.below(geometry.sector_count());
        let end = start + choices.between(1, geometry.sector_count() - start);
        layer.unmap(start, end - start, Below::Something)?;
        sectors.extend((start..end).map(|sector| (sector, None)));
    }
    for _ in 0..count {
        let sector = choices.below(geometry.sector_count());
        match choices.below(10) {
            0 => {
                layer.unmap(sector, 1, Below::Nothing)?;
                sectors.remove(&sector);
            }
            1 => {
                layer.unmap(sector, 1, Below::Something)?;
                sectors.insert(sector, None);
            }
            _ => {
                let first = choices.between(1, 255) as u8;
                let data: Vec<u8> = (0..geometry.sector_size()).map(|n| first.wrapping_add(n as u8)).collect();
                layer.write(sector, &data, Durability::Flushed)?;
                sectors.insert(sector, Some(data));
            }
        }
    }
    // Something to lose, and a change for each flush.
    let data = vec![choices.between(1, 255) as u8; geometry.sector_size() as usize];
    layer.write(0, &data, Durability::Flushed)?;
    sectors.insert(0, Some(data));
    Ok(())
}
