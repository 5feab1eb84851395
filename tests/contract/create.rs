//! Rule 20: a new layer where something old may be.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disklayer_sqlite::error::{ErrorKind, Result};
use disklayer_sqlite::layer::{
    Existing, FileDisk, FileSystem, Format, FormatOnAttachSqliteDiskLayer, FormatParams, Found, IncompleteFormatParams,
    LayerIo, MemoryFile, Mode, Native, Options, RawFile, SqliteDiskLayer, Wanted,
};
use disklayer_sqlite::stack::{DiskAccess, LayerConfiguration, LayeredDisk};

use super::child::Child;
use super::media::{Home, disk_of, format, full_ram, look, plain, refused, show, write};
use super::open::bytes_of;

fn create(home: &Home, format: FormatParams, existing: Existing) -> Result<SqliteDiskLayer> {
    SqliteDiskLayer::create(home.path(), format, existing, &Options::default())
}

/// A differencing layer that replaces whatever is there.
fn replacing(home: &Home, format: IncompleteFormatParams) -> LayerConfiguration {
    let options = Options::default();
    LayerConfiguration::new(FormatOnAttachSqliteDiskLayer::new(home.path(), format, Existing::Replace, options))
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A layer of 4 sectors, full of ones, closed.
fn old() -> Home {
    let home = Home::file();
    let layer = home.create(disk_of(4));
    write(&layer, 0, 1, 4);
    layer.close().unwrap();
    home
}

#[test]
fn rule_20_a_new_layer_is_there_and_nothing_else_is_left_behind() {
    let home = Home::file();
    home.create(disk_of(4)).close().unwrap();
    assert_eq!(names(home.directory()), ["layer.dbhd"]);
    assert_eq!(look(&home.open(), 0..4), [None; 4]);
}

#[test]
fn a_layer_says_where_it_is_and_how_large() {
    let home = Home::file();
    let told = format!("{:?}", home.create(disk_of(4)));
    assert!(told.contains("layer.dbhd") && told.contains("sector_count: 4"), "{told}");
}

#[test]
fn rule_20_a_file_that_is_not_empty_is_refused_and_keeps_its_bytes() {
    for home in [old(), Home::file()] {
        if !home.path().exists() {
            std::fs::write(home.path(), "a letter").unwrap();
        }
        let before = bytes_of(&home.path());
        refused(create(&home, format(disk_of(8)), Existing::Keep), ErrorKind::AlreadyExists);
        assert!(bytes_of(&home.path()) == before);
        assert_eq!(names(home.directory()), ["layer.dbhd"]);
    }
    let home = Home::memory();
    write(&home.create(disk_of(4)), 0, 1, 1);
    refused(home.try_create(disk_of(8), Existing::Keep), ErrorKind::AlreadyExists);
    assert_eq!(look(&home.open(), 0..2), [Some(1), None]);
}

#[test]
fn rule_20_an_empty_file_is_replaced() {
    for existing in [Existing::Keep, Existing::Replace] {
        let home = Home::file();
        std::fs::write(home.path(), []).unwrap();
        write(&create(&home, format(disk_of(4)), existing).unwrap(), 0, 1, 1);
        assert_eq!(look(&home.open(), 0..2), [Some(1), None]);
    }
}

#[test]
fn rule_20_whoever_says_so_replaces_what_is_there() {
    for content in ["a letter".as_bytes().to_vec(), vec![0xff; 10_000], b"SQLite format 3\0".to_vec()] {
        let home = Home::file();
        std::fs::write(home.path(), content).unwrap();
        std::fs::write(home.path().with_extension("dbhd-wal"), "a log of nobody").unwrap();
        create(&home, format(disk_of(8)), Existing::Replace).unwrap().close().unwrap();
        assert_eq!(look(&home.open(), 0..8), [None; 8]);
    }
    for home in Home::each() {
        let layer = home.create(disk_of(4));
        let identity = layer.metadata().identity;
        write(&layer, 0, 1, 4);
        layer.close().unwrap();
        let layer = home.try_create(disk_of(8), Existing::Replace).unwrap();
        assert_ne!(layer.metadata().identity, identity);
        assert_eq!(look(&layer, 0..8), [None; 8]);
    }
}

#[test]
fn rule_20_a_log_with_frames_is_not_replayed_into_the_new_layer() {
    let home = Home::file();
    let layer = home.create(disk_of(4));
    write(&layer, 0, 1, 4);
    layer.flush().unwrap();
    let copy = super::power::copy_of(&home);
    assert!(!bytes_of(&copy.path())[1].is_empty());
    create(&copy, format(disk_of(8)), Existing::Replace).unwrap().close().unwrap();
    assert_eq!(look(&copy.open(), 0..8), [None; 8]);
    // Nor is one whose database is gone.
    let orphan = super::power::copy_of(&home);
    std::fs::remove_file(orphan.path()).unwrap();
    create(&orphan, format(disk_of(8)), Existing::Replace).unwrap().close().unwrap();
    assert_eq!(look(&orphan.open(), 0..8), [None; 8]);
}

#[test]
fn rule_20_wrong_parameters_destroy_nothing() {
    let home = old();
    let before = bytes_of(&home.path());
    for (len, sector_size) in [(0, 512), (100, 512), (1 << 63, 512), (4096, 0), (4096, 100), (4096, 256), (512, 4096)] {
        let format = FormatParams { logically_read_only: false, len, sector_size };
        refused(create(&home, format, Existing::Replace), ErrorKind::InvalidGeometry);
    }
    for len in [0, 100, 1 << 63] {
        let layer = replacing(&home, IncompleteFormatParams { len: Some(len), ..Default::default() });
        let disk = LayeredDisk::new(vec![layer, plain(&full_ram(disk_of(4), 9))], DiskAccess::Writable);
        refused(disk, ErrorKind::InvalidGeometry);
    }
    let alone = LayeredDisk::new(vec![replacing(&home, Default::default())], DiskAccess::Writable);
    refused(alone, ErrorKind::NothingBelow);
    assert!(bytes_of(&home.path()) == before);
    assert_eq!(names(home.directory()), ["layer.dbhd"]);
}

#[test]
fn rule_20_a_file_that_somebody_has_open_is_busy_and_nothing_changes() {
    let home = old();
    for mode in [Mode::ReadWrite, Mode::ReadOnly] {
        let owner = home.try_open(mode).unwrap();
        let before = bytes_of(&home.path());
        refused(create(&home, format(disk_of(8)), Existing::Replace), ErrorKind::Busy);
        assert!(bytes_of(&home.path()) == before);
        assert_eq!(look(&owner, 0..4), [Some(1); 4]);
        owner.close().unwrap();
    }
    for part in ["writer", "reader"] {
        let mut other = Child::start(part, &home.path());
        other.expect("open");
        let before = bytes_of(&home.path());
        refused(create(&home, format(disk_of(8)), Existing::Replace), ErrorKind::Busy);
        assert!(bytes_of(&home.path()) == before);
        other.finish();
    }
    assert!(names(home.directory()).iter().all(|name| !name.contains(".new")));
    assert_eq!(look(&home.open(), 0..4), [Some(1); 4]);
}

#[test]
fn rule_20_what_is_no_file_is_not_replaced() {
    let home = Home::file();
    std::fs::create_dir(home.path()).unwrap();
    for existing in [Existing::Keep, Existing::Replace] {
        refused(create(&home, format(disk_of(8)), existing), ErrorKind::NotADisk);
    }
    assert_eq!(names(home.directory()), ["layer.dbhd"]);
    let nowhere = home.directory().join("nowhere/layer.dbhd");
    let created = SqliteDiskLayer::create(nowhere, format(disk_of(8)), Existing::Keep, &Options::default());
    assert!(created.is_err());
}

#[test]
fn rule_20_a_file_with_the_name_of_a_draft_is_in_nobodys_way_and_stays() {
    let home = Home::file();
    let other = home.directory().join("layer.dbhd.new0");
    std::fs::write(&other, "half of a draft, or somebody's own").unwrap();
    home.create(disk_of(4)).close().unwrap();
    assert_eq!(names(home.directory()), ["layer.dbhd", "layer.dbhd.new0"]);
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "half of a draft, or somebody's own");
}

#[cfg(unix)]
#[test]
fn rule_20_what_a_link_points_at_is_replaced_and_the_link_stays() {
    let home = old();
    let link = home.directory().join("link");
    std::os::unix::fs::symlink(home.path(), &link).unwrap();
    let made = SqliteDiskLayer::create(&*link, format(disk_of(8)), Existing::Replace, &Options::default()).unwrap();
    made.close().unwrap();
    assert!(link.is_symlink());
    assert_eq!(look(&home.open(), 0..8), [None; 8]);
    std::fs::remove_file(home.path()).unwrap();
    let made = SqliteDiskLayer::create(&*link, format(disk_of(8)), Existing::Replace, &Options::default());
    refused(made, ErrorKind::AlreadyExists);
}

#[test]
fn rule_20_a_stack_that_is_refused_has_destroyed_nothing() {
    let home = old();
    let before = bytes_of(&home.path());
    let refusing = || replacing(&home, IncompleteFormatParams { logically_read_only: true, len: None });
    let base = || LayerConfiguration::new(full_ram(disk_of(4), 9));
    let kind = ErrorKind::ReadOnlyInWritePath;
    refused(LayeredDisk::new(vec![refusing(), base()], DiskAccess::Writable), kind);
    refused(LayeredDisk::new(vec![base()], DiskAccess::Writable).unwrap().push(refusing()), kind);
    let mut lower = replacing(&home, IncompleteFormatParams::default());
    lower.write_through = true;
    let kind = ErrorKind::WriteThroughNotContiguous;
    refused(LayeredDisk::new(vec![base(), lower, base()], DiskAccess::Writable), kind);
    assert!(bytes_of(&home.path()) == before, "the old file has changed");
}

#[test]
fn rule_20_a_raw_file_is_not_overwritten_and_none_is_left_where_there_is_no_room() {
    let home = Home::file();
    let path = home.directory().join("raw");
    std::fs::write(&path, []).unwrap();
    refused(FileDisk::create(&path, disk_of(4)), ErrorKind::AlreadyExists);
    std::fs::write(&path, [1; 512]).unwrap();
    refused(FileDisk::create(&path, disk_of(4)), ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&path).unwrap(), [1; 512]);
    let large = home.directory().join("large");
    let created = FileDisk::create(&large, disk_of(i64::MAX as u64 / 512));
    assert_eq!(created.is_ok(), large.exists(), "a file of a disk that could not be created is left behind");
}

#[test]
fn rule_20_a_pushed_layer_is_not_put_over_a_file_and_the_disk_stays() {
    let home = old();
    let disk = super::media::stack(&[full_ram(disk_of(4), 9)]);
    refused(disk.push(home.diff()), ErrorKind::AlreadyExists);
    assert_eq!((disk.layer_count(), show(&disk, 0..4)), (1, vec![9; 4]));
    assert_eq!(look(&home.open(), 0..4), [Some(1); 4]);
}

/// The operating system's files, with something about them.
#[derive(Debug)]
struct Odd(Oddity);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Oddity {
    /// No log can be opened to be synced.
    NoLogSyncs,
    /// No file can have two names.
    NoLinks,
    /// And where the layer is to be, nothing can be seen.
    NoLinksAndNoLooks,
    /// Who makes a layer too puts it over a new one as soon as that has its name.
    PutOverNewOnes(PathBuf),
    /// The same while the log beside it is looked at, which cannot be seen then.
    PutOverLookedAt(PathBuf),
    /// The name of a draft is another's draft's as soon as it is free.
    DraftNamesTaken,
}

impl Odd {
    fn options(oddity: Oddity) -> Options {
        Options { file_system: Arc::new(Self(oddity)), ..Options::default() }
    }
}

/// What another process does with a layer of its own.
fn put_over(other: &Path, path: &Path) {
    let draft = other.with_extension("copy");
    std::fs::copy(other, &draft).unwrap();
    std::fs::rename(draft, path).unwrap();
}

impl FileSystem for Odd {
    fn vfs(&self) -> Option<&str> {
        Native.vfs()
    }

    fn look(&self, path: &Path) -> io::Result<Found> {
        match &self.0 {
            Oddity::NoLinksAndNoLooks if path.ends_with("layer.dbhd") => Err(io::ErrorKind::PermissionDenied.into()),
            Oddity::PutOverLookedAt(other) if path.ends_with("layer.dbhd-wal") => {
                put_over(other, &path.with_file_name("layer.dbhd"));
                Err(io::ErrorKind::PermissionDenied.into())
            }
            _ => Native.look(path),
        }
    }

    fn follow(&self, path: &Path) -> PathBuf {
        Native.follow(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<()> {
        Native.create_new(path)
    }

    fn open(&self, path: &Path, wanted: Wanted) -> io::Result<(Box<dyn RawFile>, Wanted)> {
        match self.0 == Oddity::NoLogSyncs && wanted == Wanted::Writing && path.to_string_lossy().ends_with("-wal") {
            true => Err(io::ErrorKind::PermissionDenied.into()),
            false => Native.open(path, wanted),
        }
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self.0 {
            Oddity::NoLinks | Oddity::NoLinksAndNoLooks => Err(io::ErrorKind::Unsupported.into()),
            _ => Native.hard_link(from, to),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Native.rename(from, to)?;
        match self.0 {
            Oddity::DraftNamesTaken => std::fs::write(from, "another's"),
            _ => Ok(()),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Native.remove(path)
    }

    fn sync_directory_of(&self, path: &Path) -> io::Result<()> {
        if let Oddity::PutOverNewOnes(other) = &self.0 {
            put_over(other, path);
        }
        Native.sync_directory_of(path)
    }
}

/// After a power cut an old log that is not known to be empty would be replayed into the new file.
#[test]
fn rule_20_nothing_is_replaced_while_the_old_log_may_come_back() {
    let home = old();
    let options = Odd::options(Oddity::NoLogSyncs);
    let made = SqliteDiskLayer::create(home.path(), format(disk_of(8)), Existing::Replace, &options);
    let error = refused(made, ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("syncing the old log"), "{error}");
    assert!(names(home.directory()).iter().all(|name| !name.contains(".new")));
    assert_eq!(look(&home.open(), 0..4), [Some(1); 4]);
}

/// Where a file cannot have two names it is renamed, which would put it in the place of another.
#[test]
fn rule_20_without_links_a_layer_is_made_where_nothing_is_and_put_over_nothing() {
    let home = Home::file();
    let make = |oddity| SqliteDiskLayer::create(home.path(), format(disk_of(4)), Existing::Keep, &Odd::options(oddity));
    let layer = make(Oddity::NoLinks).unwrap();
    write(&layer, 0, 1, 4);
    layer.close().unwrap();
    refused(make(Oddity::NoLinks), ErrorKind::AlreadyExists);
    refused(make(Oddity::NoLinksAndNoLooks), ErrorKind::PermissionDenied);
    assert_eq!(names(home.directory()), ["layer.dbhd"]);
    assert_eq!(look(&home.open(), 0..4), [Some(1); 4]);
}

#[test]
fn rule_21_who_makes_a_layer_is_not_given_another_that_was_put_over_it() {
    let (home, other) = (Home::file(), old());
    let options = Odd::options(Oddity::PutOverNewOnes(other.path()));
    for (replaced, existing) in [(false, Existing::Keep), (true, Existing::Replace)] {
        assert_eq!(home.path().exists(), replaced);
        refused(SqliteDiskLayer::create(home.path(), format(disk_of(8)), existing, &options), ErrorKind::Busy);
        assert_eq!(look(&home.open(), 0..4), [Some(1); 4]);
    }
}

#[test]
fn rule_21_who_makes_a_layer_leaves_the_draft_of_another_alone() {
    let home = old();
    let options = Odd::options(Oddity::DraftNamesTaken);
    SqliteDiskLayer::create(home.path(), format(disk_of(8)), Existing::Replace, &options).unwrap().close().unwrap();
    assert_eq!(names(home.directory()), ["layer.dbhd", "layer.dbhd.new0"]);
}

#[test]
fn rule_21_a_reader_of_what_is_put_over_meanwhile_is_not_told_of_the_log_of_the_other() {
    let (home, other) = (old(), old());
    let options = Odd::options(Oddity::PutOverLookedAt(other.path()));
    refused(SqliteDiskLayer::open(home.path(), Mode::ReadOnly, &options), ErrorKind::Busy);
}

/// The database stays where it is, and every table in it is another one.
#[test]
fn rule_20_a_layer_in_memory_is_replaced_by_one_of_another_format_or_page_size() {
    let place = MemoryFile::default();
    let layers = [(Format::Original, 4096), (Format::One, 4096), (Format::One, 512), (Format::Original, 4096)];
    for (round, (stored, page_size)) in layers.into_iter().cycle().take(9).enumerate() {
        let options = Options { format: stored, page_size, ..Options::default() };
        let layer = SqliteDiskLayer::create(&place, format(disk_of(200)), Existing::Replace, &options).unwrap();
        assert_eq!(layer.next_extent(0).unwrap(), None, "round {round}");
        write(&layer, 0, round as u8, 150);
        layer.close().unwrap();
        let layer = SqliteDiskLayer::open(&place, Mode::ReadWrite, &options).unwrap();
        layer.verify().unwrap();
        assert_eq!(layer.next_extent(0).unwrap(), Some(0..150), "round {round}");
        assert!(look(&layer, 0..150).iter().all(|byte| *byte == Some(round as u8)), "round {round}");
        layer.close().unwrap();
    }
}
