//! A drive at a moment: every call, on what is there now, on what will survive, and on the record.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::calls::{Call, Calls};
use super::image::{Change, FileId, Image, Medium, UNIT};
use super::locks::Locks;
use super::record::Record;
use super::vfs::Region;
use crate::strike::{Failure, Lost};

/// Everything about a drive.
#[derive(Debug, Default)]
pub(super) struct State {
    /// What is there for whoever looks.
    now: Image,
    /// What of it survives.
    medium: Medium,
    record: Option<Record>,
    pub(super) calls: Calls,
    pub(super) locks: Locks,
    /// Memory that connections to a file share, while they do.
    pub(super) shared: BTreeMap<FileId, Vec<Arc<Region>>>,
    /// Grows when the power is cut: who has a file open from before has lost it.
    epoch: u64,
}

impl State {
    pub(super) fn image(&self) -> &Image {
        &self.now
    }

    pub(super) fn medium(&self) -> &Medium {
        &self.medium
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn restore(&mut self, image: Image) {
        self.now = image.clone();
        self.medium = Medium::new(image);
        self.calls.revive();
        self.locks = Locks::default();
        self.shared.clear();
        self.epoch += 1;
    }

    /// Whether nobody but this has the memory for `file`.
    pub(super) fn shared_by_nobody(&self, file: FileId) -> bool {
        self.shared.get(&file).into_iter().flatten().all(|region| Arc::strong_count(region) == 1)
    }

    /// After a cut: what survived is on the drive, but for a cut that only processes did not survive.
    pub(super) fn go_on(&mut self, medium: Medium, lost: &Lost) {
        self.restore(medium.cut(lost));
        if *lost == Lost::Nothing {
            self.medium = medium;
        }
    }

    pub(super) fn record(&mut self) {
        self.record = Some(Record::new(self.medium.clone()));
    }

    pub(super) fn recorded(&self) -> usize {
        self.record.as_ref().map_or(0, Record::len)
    }

    pub(super) fn take_record(&mut self) -> Record {
        self.record.take().unwrap_or_default()
    }

    fn change(&mut self, change: Change) {
        self.now.apply(&change);
        self.medium.note(&change);
        if let Some(record) = &mut self.record {
            record.note(change);
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<FileId> {
        self.now.names.get(name).copied()
    }

    pub(super) fn len(&self, file: FileId) -> u64 {
        self.now.files[file].len() as u64
    }

    /// Makes an empty file; without a name it is gone when the power is.
    pub(super) fn create(&mut self, name: Option<&str>) -> Result<FileId, Failure> {
        self.calls.make(Call::Grow)?;
        let file = self.now.files.len();
        self.change(Change::Create { name: name.map(Arc::from), file });
        Ok(file)
    }

    pub(super) fn name(&mut self, name: &str, file: FileId) -> Result<(), Failure> {
        self.calls.make(Call::Change)?;
        self.change(Change::Link { name: name.into(), file });
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<(), Failure> {
        self.calls.make(Call::Change)?;
        if let Some(file) = self.find(from) {
            self.change(Change::Rename { from: from.into(), to: to.into(), file });
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> Result<(), Failure> {
        self.calls.make(Call::Change)?;
        if let Some(file) = self.find(name) {
            self.change(Change::Remove { name: name.into(), file });
        }
        Ok(())
    }

    pub(super) fn sync_names(&mut self) -> Result<(), Failure> {
        self.calls.make(Call::Sync)?;
        self.change(Change::SyncNames);
        Ok(())
    }

    /// Reads what there is; how many bytes that were.
    pub(super) fn read(&mut self, file: FileId, offset: u64, buf: &mut [u8]) -> Result<usize, Failure> {
        self.calls.make(Call::Read)?;
        let bytes = &self.now.files[file];
        let start = (offset as usize).min(bytes.len());
        let len = buf.len().min(bytes.len() - start);
        buf[..len].copy_from_slice(&bytes[start..start + len]);
        Ok(len)
    }

    pub(super) fn write(&mut self, file: FileId, offset: u64, data: &[u8]) -> Result<(), Failure> {
        let extends = offset + data.len() as u64 > self.len(file);
        let struck = self.calls.make(if extends { Call::Grow } else { Call::Write });
        let data = match struck {
            Ok(()) => data,
            Err(Failure::Short) => &data[..data.len() / 2 / UNIT * UNIT],
            Err(failure) => return Err(failure),
        };
        let extends = offset + data.len() as u64 > self.len(file);
        self.change(Change::Write { file, offset, data: Arc::from(data), extends });
        struck
    }

    pub(super) fn resize(&mut self, file: FileId, len: u64) -> Result<(), Failure> {
        self.calls.make(if len > self.len(file) { Call::Grow } else { Call::Change })?;
        self.change(Change::Resize { file, len });
        Ok(())
    }

    pub(super) fn sync(&mut self, file: FileId) -> Result<(), Failure> {
        match self.calls.make(Call::Sync) {
            Ok(()) => self.change(Change::Sync { file }),
            Err(Failure::Sync) => {
                self.change(Change::SyncFailed { file });
                return Err(Failure::Sync);
            }
            Err(failure) => return Err(failure),
        }
        Ok(())
    }
}
