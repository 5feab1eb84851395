//! Reading around SQLite: bytes that lie in the file, and not in the log, are read from their pages at once.
//!
//! SQLite looks at a tree of pages for each row and copies page by page. Where the blocks of a cluster lie does not change
//! while nobody changes the cluster, so it is found once and kept; then a read is one call of the system for each run of
//! adjacent pages, from any number of threads, and waits for no writer and no checkpoint.
//!
//! - What has been *touched* since the last whole checkpoint may be newer in the log: SQLite reads it.
//! - The tree is walked only while the file is *settled*: it then has the state at the last whole checkpoint, for all that
//!   has not been touched. A checkpoint changes many pages, one after the other, so nobody walks meanwhile.
//! - It is a shortcut and never decides: whatever looks odd, and whatever cannot be read, SQLite is asked.
//!
//! The four bytes that SQLite keeps at the start of each page fall, when adjacent pages are read in one go, on the places
//! of the four last bytes of each block, which are in the head of the cluster.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::checkpoint::Whole;
use super::clusters::{Shape, TAIL};
use super::database::Database;
use super::format::Stored;
use super::gate::{Anchor, LONGEST};
use super::schema::{Contents, Tables};
use crate::fault::{Fault, planted};
use crate::layer::SectorMarker;
use crate::layer::runs::Runs;
use crate::sync::RwLock;

mod place;
mod tree;

use place::{Piece, Place};
use tree::Trees;

/// So many clusters are known at most, of about 200 bytes each.
const MOST_KNOWN: usize = 1 << 16;
/// More runs of touched clusters than this are taken for all of them.
const MOST_TOUCHED: usize = 1 << 14;

/// The places of clusters, by their numbers. The standard hash is a noticeable part of a short read from memory.
type Known = HashMap<u64, Place, foldhash::fast::RandomState>;

pub(super) struct Shortcut {
    shape: Shape,
    trees: Trees,
    state: RwLock<State>,
    known: Mutex<Known>,
}

struct State {
    /// None when the layer has let go of its file.
    file: Option<Arc<Anchor>>,
    is_settled: bool,
    touched: Touched,
    /// Those of the touched that have not been committed.
    pending: Touched,
}

/// Who has to be asked for what the shortcut does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Nobody,
    /// Any connection: it has been committed.
    Anybody,
    /// The one connection that changes the file.
    Writer,
}

/// Clusters that SQLite has to be asked for.
enum Touched {
    Some(Runs),
    All,
}

impl Touched {
    fn none() -> Self {
        Self::Some(Runs::default())
    }

    fn has(&self, clusters: &Range<u64>) -> bool {
        match self {
            Self::All => true,
            Self::Some(runs) => runs.meets(clusters),
        }
    }

    fn add(&mut self, clusters: &Range<u64>) {
        let Self::Some(runs) = self else { return };
        runs.insert(clusters.clone());
        if runs.count() > MOST_TOUCHED {
            *self = Self::All;
        }
    }
}

impl Shortcut {
    /// A shortcut around a database whose log has just been copied, whole or not: for a file that is open to be written and
    /// has clusters.
    pub(super) fn around(database: &Database, found: &Contents, whole: Whole, mapped_bytes: u64) -> Option<Self> {
        let Stored::Clusters(shape) = found.stored else { return None };
        let file = database.file()?;
        if mapped_bytes > 0 {
            file.map(mapped_bytes);
        }
        Self::over(file, &found.tables, shape, whole)
    }

    /// None if the pages of the file are not as it wants them.
    fn over(file: Arc<Anchor>, tables: &Tables, shape: Shape, whole: Whole) -> Option<Self> {
        let trees = Trees::of(tables, &shape, &file)?;
        let is_settled = whole == Whole::Yes;
        let touched = if is_settled { Touched::none() } else { Touched::All };
        let state = State { file: Some(file), is_settled, touched, pending: Touched::none() };
        Some(Self { shape, trees, state: RwLock::new(state), known: Mutex::default() })
    }

    /// Fills and marks the sectors of `range`; if somebody has to be asked, nothing is marked.
    pub(super) fn read(&self, range: &Range<u64>, buf: &mut [u8], marker: &mut SectorMarker) -> Ask {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let clusters = self.shape.touched(range);
        let Some(file) = state.file.as_ref() else { return Ask::Writer };
        if state.pending.has(&clusters) && !planted(Fault::ReaderNotToldOfPending) {
            return Ask::Writer;
        }
        if state.touched.has(&clusters) {
            return Ask::Anybody;
        }
        // Most reads are of one cluster, and need no list.
        let found = match clusters.end - clusters.start {
            1 => {
                self.place(&state, file, clusters.start).map(|found| self.read_from(file, &[found], range, buf, marker))
            }
            _ => self.places(&state, file, clusters).map(|found| self.read_from(file, &found, range, buf, marker)),
        };
        if found == Some(true) { Ask::Nobody } else { Ask::Anybody }
    }

    /// Where a cluster lies, if that is known or can be found out.
    fn place(&self, state: &State, file: &Anchor, cluster: u64) -> Option<Place> {
        let known = self.known().get(&cluster).copied();
        known.or_else(|| self.find(state, file, cluster))
    }

    /// The same of several, one after the other.
    fn places(&self, state: &State, file: &Anchor, clusters: Range<u64>) -> Option<Vec<Place>> {
        let mut found = Vec::with_capacity((clusters.end - clusters.start) as usize);
        {
            let known = self.known();
            found.extend(clusters.clone().map_while(|cluster| known.get(&cluster).copied()));
        }
        for cluster in clusters.skip(found.len()) {
            found.push(self.find(state, file, cluster)?);
        }
        Some(found)
    }

    fn find(&self, state: &State, file: &Anchor, cluster: u64) -> Option<Place> {
        let found = state.is_settled.then(|| self.trees.find(file, &self.shape, cluster)).flatten()?;
        self.learn(cluster, found);
        Some(found)
    }

    /// Reads what lies in these places, those of the clusters of `range`; false if it cannot be read, and nothing is marked.
    fn read_from(
        &self,
        file: &Anchor,
        found: &[Place],
        range: &Range<u64>,
        buf: &mut [u8],
        marker: &mut SectorMarker,
    ) -> bool {
        let first = self.shape.cluster_of(range.start);
        let mut gather = Gather { file, buf, waiting: None };
        let read = (first..).zip(found).all(|(cluster, place)| {
            let mut pieces = place.pieces(&self.shape, cluster, range);
            pieces.all(|piece| gather.take(piece))
        });
        if !(read && gather.finish()) {
            return false;
        }
        for (cluster, place) in (first..).zip(found) {
            place.complete(&self.shape, cluster, range, buf, marker);
        }
        true
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, cluster: u64, found: Place) {
        let mut known = self.known();
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(cluster, found);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// These clusters are about to be changed.
    pub(super) fn touch(&self, clusters: &Range<u64>) {
        self.change(|state| {
            state.touched.add(clusters);
            state.pending.add(clusters);
        });
        if planted(Fault::ShortcutKeepsChanged) {
            return;
        }
        let mut known = self.known();
        match clusters.end - clusters.start < known.len() as u64 {
            true => clusters.clone().for_each(|cluster| {
                known.remove(&cluster);
            }),
            false => known.retain(|cluster, _| !clusters.contains(cluster)),
        }
    }

    /// All changes have been committed.
    pub(super) fn commit(&self) {
        self.change(|state| {
            state.pending = Touched::none();
            if planted(Fault::ShortcutTakesLogForFile) {
                state.touched = Touched::none();
            }
        });
    }

    /// A checkpoint is about to write to the file.
    pub(super) fn unsettle(&self) {
        self.change(|state| state.is_settled = false);
    }

    /// A checkpoint has written all of the log, and nothing has been changed since.
    pub(super) fn settle(&self) {
        self.change(|state| {
            state.file.iter().for_each(|file| file.remap());
            state.is_settled = true;
            state.touched = Touched::none();
        });
    }

    /// Pages are about to be moved: nothing that is known holds.
    pub(super) fn forget(&self) {
        self.change(|state| (state.touched, state.pending) = (Touched::All, Touched::All));
        self.known().clear();
    }

    /// Lets go of the file.
    pub(super) fn close(&self) {
        self.change(|state| state.file = None);
    }
}

/// Reads pieces that follow one another in the file and in the buffer in one go.
struct Gather<'a> {
    file: &'a Anchor,
    buf: &'a mut [u8],
    waiting: Option<Piece>,
}

impl Gather<'_> {
    fn take(&mut self, piece: Piece) -> bool {
        if let Some(waiting) = &mut self.waiting {
            let follows = piece.from.checked_sub(waiting.from) == Some((piece.to.start - waiting.to.start) as u64);
            // Between them lie the bytes of a tail, for which SQLite's own four bytes are read, and nothing else.
            if follows && piece.to.start - waiting.to.end == TAIL && piece.to.end - waiting.to.start <= LONGEST {
                waiting.to.end = piece.to.end;
                return true;
            }
        }
        let read = self.finish();
        self.waiting = Some(piece);
        read
    }

    fn finish(&mut self) -> bool {
        match self.waiting.take() {
            None => true,
            Some(piece) => self.file.read(&mut self.buf[piece.to], piece.from),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::layer::sqlite::{Existing, FormatParams, Mode, Options, SqliteDiskLayer};
    use crate::layer::{Below, Durability, LayerIo};

    /// What a way of reading finds in sectors: their bytes and which of them are there.
    type Seen = (Vec<u8>, Vec<bool>);

    fn seen(range: &Range<u64>, read: impl FnOnce(&mut [u8], &mut SectorMarker)) -> Seen {
        let mut buf = vec![0xee; (range.end - range.start) as usize * 512];
        let mut marker = SectorMarker::new(range.clone());
        read(&mut buf, &mut marker);
        (buf, range.clone().map(|sector| marker.is_set(sector)).collect())
    }

    /// Rows on several levels of pages with numbers of every length, and extents with ends of every length.
    fn made(page_size: u32) -> (tempfile::TempDir, SqliteDiskLayer, Vec<Range<u64>>) {
        let (directory, size) = (tempfile::tempdir().unwrap(), u64::from(page_size) * 8 / 512);
        let format = FormatParams { logically_read_only: false, len: 1 << 62, sector_size: 512 };
        let (place, options) = (directory.path().join("disk.dbhd"), Options { page_size, ..Options::default() });
        let layer = SqliteDiskLayer::create(place.clone(), format, Existing::Keep, &options).unwrap();
        let mut looked_at = Vec::new();
        for exponent in [0, 3, 9, 20, 28, 40, 48].into_iter().filter(|exponent| size << exponent < 1 << 52) {
            let start = size << exponent;
            layer.unmap(start - size, size, Below::Something).unwrap();
            layer.write(start + 2, &vec![exponent as u8 + 1; 512 * 3], Durability::Flushed).unwrap();
            looked_at.extend([start - size..start, start - 1..start + 4, start + 5..start + size]);
        }
        for cluster in (1000..3000).filter(|cluster| cluster % 7 > 0) {
            let sectors = 1 + cluster % size;
            layer.write(cluster * size, &vec![cluster as u8; 512 * sectors as usize], Durability::Flushed).unwrap();
            looked_at.extend((cluster % 3 == 0).then_some(cluster * size..(cluster + 2) * size));
        }
        layer.close().unwrap();
        let layer = SqliteDiskLayer::open(place, Mode::ReadWrite, &options).unwrap();
        (directory, layer, looked_at)
    }

    #[test]
    fn what_lies_in_the_file_is_read_without_sqlite_and_reads_the_same() {
        for page_size in [512, 4096] {
            let (_directory, layer, looked_at) = made(page_size);
            let shortcut = layer.shortcut.as_ref().unwrap();
            for range in &looked_at {
                let around = seen(range, |buf, marker| {
                    assert_eq!(shortcut.read(range, buf, marker), Ask::Nobody, "{range:?} in pages of {page_size}");
                });
                let through = seen(range, |buf, marker| {
                    layer.with(|session| session.read(range.clone(), buf, marker)).unwrap();
                });
                assert!(around == through, "{range:?} in pages of {page_size}");
            }
            layer.close().unwrap();
        }
    }

    #[test]
    fn what_has_been_changed_is_asked_for() {
        let (_directory, layer, _) = made(512);
        let shortcut = layer.shortcut.as_ref().unwrap();
        let asked = |sector: u64| {
            shortcut.read(&(sector..sector + 1), &mut [0; 512], &mut SectorMarker::new(sector..sector + 1))
        };
        assert_eq!([8000, 8008, 8016].map(asked), [Ask::Nobody; 3]);
        layer.write(8009, &[1; 512], Durability::Flushed).unwrap();
        assert_eq!([8000, 8008, 8016].map(asked), [Ask::Nobody, Ask::Writer, Ask::Nobody]);
        layer.flush().unwrap();
        assert_eq!([8000, 8008, 8016].map(asked), [Ask::Nobody, Ask::Anybody, Ask::Nobody]);
        layer.close().unwrap();
        assert_eq!(asked(8000), Ask::Writer);
    }

    #[test]
    fn while_a_checkpoint_writes_to_the_file_nothing_is_found_there() {
        let (_directory, layer, _) = made(512);
        let shortcut = layer.shortcut.as_ref().unwrap();
        let asked = || shortcut.read(&(8000..8001), &mut [0; 512], &mut SectorMarker::new(8000..8001));
        shortcut.unsettle();
        assert_eq!(asked(), Ask::Anybody);
        shortcut.settle();
        assert_eq!(asked(), Ask::Nobody);
    }
}
