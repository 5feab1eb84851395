//! What lies on a drive: names, and the bytes of files. And what a drive may lose of it.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::strike::Lost;

/// The number of a file; names come and go.
pub(super) type FileId = usize;

/// A write does not tear inside of so many bytes.
pub(super) const UNIT: usize = 512;

/// Names and files.
#[derive(Clone, Debug, Default)]
pub struct Image {
    pub(super) names: BTreeMap<Arc<str>, FileId>,
    /// By their numbers. Shared until somebody writes.
    pub(super) files: Vec<Arc<Vec<u8>>>,
}

/// Equal if the same names have the same bytes.
impl Hash for Image {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for (name, file) in &self.names {
            name.hash(state);
            self.files[*file].hash(state);
        }
    }
}

impl Image {
    /// Bytes of the file of that name.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.names.get(name).map(|&file| self.files[file].as_slice())
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(|name| &**name)
    }

    fn write(&mut self, file: FileId, offset: u64, data: &[u8]) {
        let bytes = Arc::make_mut(&mut self.files[file]);
        let (start, end) = (offset as usize, offset as usize + data.len());
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(data);
    }

    fn resize(&mut self, file: FileId, len: u64) {
        Arc::make_mut(&mut self.files[file]).resize(len as usize, 0);
    }

    fn extend(&mut self, file: FileId, len: u64) {
        if self.files[file].len() < len as usize {
            self.resize(file, len);
        }
    }

    /// All of `change`.
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Write { file, offset, data, .. } => self.write(*file, *offset, data),
            Change::Resize { file, len } => self.resize(*file, *len),
            Change::Create { name, file } => {
                self.files.resize(self.files.len().max(file + 1), Arc::default());
                if let Some(name) = name {
                    self.names.insert(name.clone(), *file);
                }
            }
            Change::Link { name, file } => {
                self.names.insert(name.clone(), *file);
            }
            Change::Rename { from, to, file } => {
                if self.names.get(from) == Some(file) {
                    self.names.remove(from);
                }
                self.names.insert(to.clone(), *file);
            }
            Change::Remove { name, file } => {
                if self.names.get(name) == Some(file) {
                    self.names.remove(name);
                }
            }
            Change::Sync { .. } | Change::SyncFailed { .. } | Change::SyncNames => {}
        }
    }

    /// What of `change` is not lost; `unit` is the number of its first unit.
    fn apply_what_survives(&mut self, change: &Change, unit: u32, lost: &Lost) {
        let Change::Write { file, offset, data, extends } = change else {
            if !lost.takes(unit) {
                self.apply(change);
            }
            return;
        };
        let mut unit = unit;
        if *extends {
            if !lost.takes(unit) {
                self.extend(*file, offset + data.len() as u64);
            }
            unit += 1;
        }
        for (at, piece) in pieces(*offset, data) {
            if !lost.takes(unit) {
                self.write(*file, at, piece);
            }
            unit += 1;
        }
    }
}

/// Something that changes a drive, or makes changes durable.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// An empty file is made; without a name it is gone when it is closed.
    Create {
        name: Option<Arc<str>>,
        file: FileId,
    },
    Write {
        file: FileId,
        offset: u64,
        data: Arc<[u8]>,
        extends: bool,
    },
    Resize {
        file: FileId,
        len: u64,
    },
    /// A file has one more name.
    Link {
        name: Arc<str>,
        file: FileId,
    },
    Rename {
        from: Arc<str>,
        to: Arc<str>,
        file: FileId,
    },
    Remove {
        name: Arc<str>,
        file: FileId,
    },
    Sync {
        file: FileId,
    },
    SyncFailed {
        file: FileId,
    },
    SyncNames,
}

impl Change {
    /// How many units it has.
    fn units(&self) -> u32 {
        match self {
            Self::Write { offset, data, extends, .. } => u32::from(*extends) + pieces(*offset, data).count() as u32,
            Self::Resize { .. } => 1,
            Self::Create { name: Some(_), .. } | Self::Link { .. } | Self::Rename { .. } | Self::Remove { .. } => 1,
            Self::Create { name: None, .. } | Self::Sync { .. } | Self::SyncFailed { .. } | Self::SyncNames => 0,
        }
    }

    /// Takes the part that concerns `gone` out of a change of names; whether anything is left.
    fn without(&mut self, gone: &str) -> bool {
        match self {
            Self::Create { name: Some(name), .. } | Self::Link { name, .. } | Self::Remove { name, .. } => {
                &**name != gone
            }
            Self::Rename { from, to, file } if &**to == gone => {
                *self = Self::Remove { name: from.clone(), file: *file };
                true
            }
            _ => true,
        }
    }

    fn is_of_names(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Link { .. } | Self::Rename { .. } | Self::Remove { .. })
    }

    fn is_of(&self, wanted: FileId) -> bool {
        matches!(self, Self::Write { file, .. } | Self::Resize { file, .. } if *file == wanted)
    }
}

/// The pieces of a write, each inside one unit.
fn pieces(offset: u64, data: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut at = offset;
    let mut rest = data;
    std::iter::from_fn(move || {
        let len = (UNIT as u64 - at % UNIT as u64).min(rest.len() as u64);
        let (piece, after) = rest.split_at(len as usize);
        let here = at;
        (rest, at) = (after, at + len);
        (!piece.is_empty()).then_some((here, piece))
    })
}

/// A drive with a volatile cache: what is durable, and what is not yet.
///
/// A sync of a file makes its writes and its length durable, and the name that it was made with. Other names, and their
/// removal, become durable with their directory. What is not durable may survive a power cut or not, each unit by
/// itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Medium {
    durable: Image,
    pending: Vec<Pending>,
}

#[derive(Clone, Debug)]
struct Pending {
    change: Change,
    /// A sync failed: the page is taken for clean, and no later sync writes it.
    abandoned: bool,
}

impl Medium {
    pub(super) fn new(durable: Image) -> Self {
        Self { durable, pending: Vec::new() }
    }

    pub(super) fn note(&mut self, change: &Change) {
        match change {
            Change::Sync { file } => self.sync(*file),
            Change::SyncNames => self.settle(|pending| pending.change.is_of_names()),
            Change::SyncFailed { file } => self.abandon(*file),
            _ => {
                if let Change::Create { file, .. } = change {
                    // Whatever becomes of the name, the file can be written to.
                    self.durable.apply(&Change::Create { name: None, file: *file });
                }
                self.pending.push(Pending { change: change.clone(), abandoned: false });
            }
        }
    }

    fn settle(&mut self, is_durable: impl Fn(&Pending) -> bool) {
        let durable = &mut self.durable;
        self.pending.retain(|pending| {
            let settled = is_durable(pending);
            if settled {
                durable.apply(&pending.change);
            }
            !settled
        });
    }

    fn sync(&mut self, file: FileId) {
        // Who writes into an abandoned page writes all of it.
        let fresh: Vec<_> = self.pending.iter().filter(|p| !p.abandoned && p.change.is_of(file)).cloned().collect();
        let rewritten = |change: &Change| fresh.iter().any(|fresh| overlap(change, &fresh.change));
        self.settle(|p| match &p.change {
            change if change.is_of(file) => !p.abandoned || rewritten(change),
            _ => false,
        });
        self.settle_name_of(file);
    }

    /// Makes the name that `file` was made with durable; what the name was before is past.
    fn settle_name_of(&mut self, file: FileId) {
        let made = |p: &Pending| matches!(&p.change, Change::Create { file: named, .. } if *named == file);
        let Some(at) = self.pending.iter().position(made) else { return };
        let change = self.pending.remove(at).change;
        self.durable.apply(&change);
        let Change::Create { name: Some(name), .. } = change else { return };
        let mut nth = 0;
        self.pending.retain_mut(|pending| {
            nth += 1;
            nth > at || pending.change.without(&name)
        });
    }

    /// Leaves what was written to `file` so far to chance, piece by piece.
    fn abandon(&mut self, wanted: FileId) {
        let old = std::mem::take(&mut self.pending);
        for Pending { change, abandoned } in old {
            match change {
                Change::Write { file, offset, ref data, extends } if file == wanted && !abandoned => {
                    for (at, piece) in pieces(offset, data) {
                        let change = Change::Write { file, offset: at, data: piece.into(), extends };
                        self.pending.push(Pending { change, abandoned: true });
                    }
                }
                change => self.pending.push(Pending { abandoned: abandoned || change.is_of(wanted), change }),
            }
        }
    }

    /// How many units could be lost now.
    pub(super) fn units(&self) -> u32 {
        self.pending.iter().map(|pending| pending.change.units()).sum()
    }

    /// How many writes there are among them, and the number of the first unit of each change.
    pub(super) fn firsts(&self) -> Vec<u32> {
        let mut unit = 1;
        let first = |pending: &Pending| {
            let first = unit;
            unit += pending.change.units();
            first
        };
        self.pending.iter().map(first).collect()
    }

    /// How many writes could be lost now.
    pub(super) fn unsynced_writes(&self) -> usize {
        self.pending.iter().filter(|pending| matches!(pending.change, Change::Write { .. })).count()
    }

    /// What is left when the power is cut.
    pub(super) fn cut(&self, lost: &Lost) -> Image {
        let mut image = self.durable.clone();
        let mut unit = 1;
        for Pending { change, .. } in &self.pending {
            image.apply_what_survives(change, unit, lost);
            unit += change.units();
        }
        image
    }
}

/// Whether two writes touch the same unit.
fn overlap(one: &Change, other: &Change) -> bool {
    let units = |change: &Change| match change {
        Change::Write { offset, data, .. } => offset / UNIT as u64..(offset + data.len() as u64).div_ceil(UNIT as u64),
        Change::Resize { len, .. } => len / UNIT as u64..u64::MAX,
        _ => 0..0,
    };
    let (one, other) = (units(one), units(other));
    one.start < other.end && other.start < one.end
}
