//! Rules 17, 18 and 20: a file that is made or made anew while the drive fails is the old one or the new one, whole; and
//! the new one, whatever the power takes, once its maker was told so.

use std::path::Path;
use std::sync::Arc;

use disklayer_sqlite::drive::{Drive, Struck};
use disklayer_sqlite::error::{ErrorKind, Result};
use disklayer_sqlite::layer::{
    Below, Existing, Format, IncompleteFormatParams, LayerIo, Mode, Options, Progress, SqliteDiskLayer, compact,
    upgrade,
};
use disklayer_sqlite::strike::{Failure, Lost, Span, Strike};

use super::media::{disk_of, format, full_ram, look, write};

const SECTORS: u64 = 32;

/// What is done to the file while the drive fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Upgrade,
    Compact,
    Import,
    /// Another image in place of the file.
    ImportOver,
    /// A new layer in place of the file.
    Replace,
}

impl Work {
    const ALL: [Self; 5] = [Self::Upgrade, Self::Compact, Self::Import, Self::ImportOver, Self::Replace];

    fn run(self, path: &Path, options: &Options) -> Result<()> {
        let quiet = &mut |_: Progress| Ok(());
        let import = |existing| {
            let (image, format) = (full_ram(disk_of(SECTORS), 9), IncompleteFormatParams::default());
            SqliteDiskLayer::import(path, format, &*image, existing, options, &mut |_| Ok(()))?.close()
        };
        match self {
            Self::Upgrade => upgrade(path, options, quiet).map(drop),
            Self::Compact => compact(path, options, quiet).map(drop),
            Self::Import => import(Existing::Keep),
            Self::ImportOver => import(Existing::Replace),
            Self::Replace => {
                SqliteDiskLayer::create(path, format(disk_of(SECTORS)), Existing::Replace, options)?.close()
            }
        }
    }

    /// What the sectors hold once it is done.
    fn done(self, before: &[Option<u8>]) -> Vec<Option<u8>> {
        match self {
            Self::Upgrade | Self::Compact => before.to_vec(),
            Self::Import | Self::ImportOver => vec![Some(9); SECTORS as usize],
            Self::Replace => vec![None; SECTORS as usize],
        }
    }
}

/// What is there: the sectors of the file, or none if there is no file.
fn found(path: &Path, options: &Options) -> Result<Option<Vec<Option<u8>>>> {
    match SqliteDiskLayer::open(path, Mode::ReadWrite, options) {
        Ok(layer) => {
            layer.verify()?;
            Ok(Some(look(&layer, 0..SECTORS)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Every call of `work` fails with `failure`, one after the other; how many there were.
fn every_call(work: Work, span: Span, failure: Failure) -> u32 {
    let drive = Drive::new();
    let path = drive.path("a.dbhd");
    let options = Options { file_system: Arc::new(drive.clone()), ..Options::default() };
    if work != Work::Import {
        let stored = if work == Work::Upgrade { Format::Original } else { Format::One };
        let old = Options { format: stored, ..options.clone() };
        let layer = SqliteDiskLayer::create(path.clone(), format(disk_of(SECTORS)), Existing::Keep, &old).unwrap();
        write(&layer, 0, 7, 9);
        layer.unmap(20, 3, Below::Something).unwrap();
        layer.close().unwrap();
    }
    let before = found(&path, &options).unwrap();
    let done = Some(work.done(before.as_deref().unwrap_or_default()));
    let image = drive.image();
    for call in 1.. {
        drive.restore(&image);
        drive.arm(&Strike::Fail { call, span, failure });
        let result = work.run(&path, &options);
        if drive.disarm() == Struck::No {
            assert!(call > 1 || failure == Failure::Lock, "{work:?}: {failure:?} strikes nothing");
            result.unwrap_or_else(|e| panic!("{work:?} without a failure: {e}"));
            return call - 1;
        }
        let at = format!("{work:?}, {failure:?} of call {call} {span:?}, {:?}", result.as_ref().map_err(|e| e.kind()));
        let lost =
            [None, Some(Lost::Everything), Some(Lost::Some(call)), Some(Lost::Nothing)][call as usize % 4].clone();
        if let Some(lost) = &lost {
            drive.cut();
            drive.power_on(lost);
        }
        let now = found(&path, &options).unwrap_or_else(|e| panic!("{at}, {lost:?}: {e}"));
        assert!(now == done || result.is_err() && now == before, "{at}, {lost:?}: {now:?}");
    }
    unreachable!("a drive that always has another call")
}

#[test]
fn rule_20_a_file_is_the_old_one_or_the_new_one_whichever_call_fails_while_it_is_made_anew() {
    let mut strikes = 0;
    for work in Work::ALL {
        strikes += every_call(work, Span::Rest, Failure::Error);
        strikes += Failure::ALL.map(|(_, failure)| every_call(work, Span::One, failure)).iter().sum::<u32>();
    }
    assert!(strikes > 1000, "{strikes} strikes");
}
