//! Rules 14, 20 and 22: a file that is written anew in its own place is the same layer in the same state.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use disklayer_sqlite::drive::Drive;
use disklayer_sqlite::error::{Error, ErrorKind};
use disklayer_sqlite::layer::{
    Access, Below, DiskLayerMetadata, Existing, Format, FormatParams, LayerIo, Mode, Options, SqliteDiskLayer, compact,
    upgrade,
};
use disklayer_sqlite::stack::{DiskAccess, LayeredDisk};
use disklayer_sqlite::strike::Lost;
use rusqlite::Connection;

use super::child::Child;
use super::media::{Home, disk_of, format, look, plain, refused, show, write};
use super::open::bytes_of;
use super::power_cut::losses;

fn original() -> Options {
    Options { format: Format::Original, ..Options::default() }
}

fn version(home: &Home) -> (i64, i64) {
    let conn = Connection::open(home.path()).unwrap();
    let number = |sql| conn.query_row(sql, [], |row| row.get(0)).unwrap();
    (number("PRAGMA application_id"), number("PRAGMA user_version"))
}

/// A closed layer of 200 sectors with bytes, zeros and holes.
fn layer(options: &Options) -> Home {
    let home = Home::file();
    let layer = SqliteDiskLayer::create(home.path(), format(disk_of(200)), Existing::Keep, options).unwrap();
    write(&layer, 3, 1, 60);
    write(&layer, 130, 2, 1);
    write(&layer, 140, 0, 9);
    layer.unmap(10, 5, Below::Something).unwrap();
    layer.close().unwrap();
    home
}

fn quiet(_: disklayer_sqlite::layer::Progress) -> Result<(), Error> {
    Ok(())
}

#[test]
fn rule_22_an_upgraded_file_has_the_newest_format_and_is_the_same_layer() {
    let home = layer(&original());
    let before = home.try_open(Mode::ReadOnly).unwrap();
    let (metadata, held) = (before.metadata(), look(&before, 0..200));
    drop(before);
    assert_eq!(version(&home), (0x6462_6864, 0));
    let done = upgrade(&home.path(), &Options::default(), &mut quiet).unwrap().unwrap();
    assert_eq!(done.after, std::fs::metadata(home.path()).unwrap().len());
    assert_eq!(version(&home), (0x6462_6864, 1));
    let after = home.open();
    let access = metadata.access;
    assert_eq!((DiskLayerMetadata { access, ..after.metadata() }, look(&after, 0..200)), (metadata, held));
    after.verify().unwrap();
    drop(after);
    let bytes = bytes_of(&home.path());
    assert_eq!(upgrade(&home.path(), &Options::default(), &mut quiet).unwrap(), None);
    assert!(bytes_of(&home.path()) == bytes, "a file of the newest format has changed");
}

#[test]
fn rule_22_a_file_of_the_original_is_upgraded_and_gets_an_identity() {
    let home = Home::file();
    super::original::original(&home.path());
    upgrade(&home.path(), &Options { page_size: 1024, ..Options::default() }, &mut quiet).unwrap();
    let layer = home.open();
    assert_eq!(look(&layer, 0..8), [Some(1), None, None, Some(0), None, None, None, Some(2)]);
    assert!(layer.metadata().identity.is_some());
}

#[test]
fn rule_14_a_child_opens_over_a_parent_that_was_written_anew() {
    for options in [original(), Options::default()] {
        let (parent, child) = (layer(&options), Home::file());
        let disk = LayeredDisk::new(vec![child.diff(), plain(&parent.shared())], DiskAccess::Writable).unwrap();
        write(&disk, 0, 9, 2);
        let shown = show(&disk, 0..200);
        disk.close().unwrap();
        drop(disk);
        for home in [&parent, &child] {
            upgrade(&home.path(), &Options::default(), &mut quiet).unwrap();
            compact(&home.path(), &Options::default(), &mut quiet).unwrap();
        }
        // A child that forgot its parent would open over anything.
        let recorded = child.open().metadata().parent.unwrap();
        assert!(recorded.identity.is_some() && recorded.identity == parent.open().metadata().identity);
        let disk = LayeredDisk::new(vec![plain(&child.shared()), plain(&parent.shared())], DiskAccess::Writable);
        assert_eq!(show(&disk.unwrap(), 0..200), shown);
    }
}

#[test]
fn rule_14_a_layer_that_refuses_writes_still_does_when_it_was_written_anew() {
    let home = Home::file();
    let format = FormatParams { logically_read_only: true, ..format(disk_of(8)) };
    let layer = SqliteDiskLayer::create(home.path(), format, Existing::Keep, &original()).unwrap();
    layer.write_no_overwrite(2, &[7; 512]).unwrap();
    layer.close().unwrap();
    upgrade(&home.path(), &Options::default(), &mut quiet).unwrap();
    compact(&home.path(), &Options::default(), &mut quiet).unwrap();
    assert_eq!(home.open().metadata().access, Access::LogicallyReadOnly);
    assert_eq!(look(&home.open(), 1..4), [None, Some(7), None]);
}

#[test]
fn rule_24_a_compacted_file_has_no_free_pages_and_keeps_its_format() {
    for options in [original(), Options { page_size: 1024, ..Options::default() }] {
        let home = Home::file();
        let layer = SqliteDiskLayer::create(home.path(), format(disk_of(20_000)), Existing::Keep, &options).unwrap();
        for start in (0..20_000).step_by(20) {
            write(&layer, 19_980 - start, 3, 20);
        }
        layer.flush().unwrap();
        for start in (0..20_000).step_by(40) {
            layer.unmap(start, 20, Below::Nothing).unwrap();
        }
        let held = look(&layer, 0..20_000);
        layer.close().unwrap();
        let was = version(&home);
        let done = compact(&home.path(), &Options::default(), &mut quiet).unwrap();
        assert!(done.after < done.before, "{done:?}");
        assert_eq!(version(&home), was);
        let conn = Connection::open(home.path()).unwrap();
        let free: i64 = conn.query_row("PRAGMA freelist_count", [], |row| row.get(0)).unwrap();
        assert_eq!(free, 0);
        drop(conn);
        assert!(look(&home.open(), 0..20_000) == held);
    }
}

#[test]
fn rule_20_what_is_refused_is_not_written_anew() {
    let work = |path: &std::path::Path, kind| {
        refused(upgrade(path, &Options::default(), &mut quiet), kind);
        refused(compact(path, &Options::default(), &mut quiet), kind);
    };
    let home = layer(&original());
    work(&home.directory().join("nowhere"), ErrorKind::NotFound);
    work(home.directory(), ErrorKind::NotADisk);
    let letter = home.directory().join("letter");
    std::fs::write(&letter, [b'x'; 5000]).unwrap();
    work(&letter, ErrorKind::NotADisk);
    let before = bytes_of(&home.path());
    for mode in [Mode::ReadWrite, Mode::ReadOnly] {
        let owner = home.try_open(mode).unwrap();
        work(&home.path(), ErrorKind::Busy);
        assert_eq!(look(&owner, 2..4), [None, Some(1)]);
    }
    let mut other = Child::start("reader", &home.path());
    other.expect("open");
    work(&home.path(), ErrorKind::Busy);
    other.finish();
    let enough = || Error::new(ErrorKind::Failed, "enough");
    refused(upgrade(&home.path(), &Options::default(), &mut |_| Err(enough())), ErrorKind::Failed);
    refused(compact(&home.path(), &Options::default(), &mut |_| Err(enough())), ErrorKind::Failed);
    let conn = Connection::open(home.path()).unwrap();
    conn.execute("UPDATE sectors SET data = x'01' WHERE sector = 62", []).unwrap();
    drop(conn);
    work(&home.path(), ErrorKind::Corrupt);
    assert_eq!(look(&home.open(), 2..4), [None, Some(1)]);
    assert!(bytes_of(&home.path())[0].len() == before[0].len());
    let names: Vec<_> = std::fs::read_dir(home.directory()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_str().unwrap().contains(".new")), "{names:?}");
}

#[cfg(unix)]
#[test]
fn rule_20_a_file_written_anew_is_for_the_same_people() {
    use std::os::unix::fs::PermissionsExt;
    let home = layer(&original());
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut drafts = Vec::new();
    let mut look_at_draft = |_| {
        let draft = home.directory().join("layer.dbhd.new0");
        drafts.push(std::fs::metadata(draft).unwrap().permissions().mode() & 0o777);
        Ok(())
    };
    upgrade(&home.path(), &Options::default(), &mut look_at_draft).unwrap();
    assert_eq!(std::fs::metadata(home.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(drafts, [0o600]);
}

/// The power is cut after every change that either makes to the drive: the old file or the new one is there, and both
/// hold the same.
#[test]
fn rule_20_a_cut_leaves_a_file_that_is_written_anew_as_it_was_or_as_it_is() {
    for (first, is_closed) in [(original(), true), (original(), false), (Options::default(), true)] {
        let drive = Drive::new();
        let on = |options: &Options| Options { file_system: Arc::new(drive.clone()), ..options.clone() };
        let path = drive.path("a.dbhd");
        let layer = SqliteDiskLayer::create(path.clone(), format(disk_of(32)), Existing::Keep, &on(&first)).unwrap();
        write(&layer, 0, 7, 9);
        layer.unmap(20, 3, Below::Something).unwrap();
        layer.flush().unwrap();
        let (identity, held) = (layer.metadata().identity, look(&layer, 0..32));
        match is_closed {
            true => layer.close().unwrap(),
            false => {
                // The owner died: what was flushed lies in its log.
                drive.cut();
                drop(layer);
                drive.power_on(&Lost::Nothing);
            }
        }
        drive.record();
        match first.format {
            Format::Original => drop(upgrade(&path, &on(&Options::default()), &mut quiet).unwrap()),
            Format::One => drop(compact(&path, &on(&Options::default()), &mut quiet).unwrap()),
        }
        let record = drive.take_record();
        let mut seen = HashSet::new();
        for moment in record.moments() {
            for lost in losses(moment.units()) {
                let image = moment.cut(&lost);
                let mut hash = DefaultHasher::new();
                image.hash(&mut hash);
                if !seen.insert(hash.finish()) {
                    continue;
                }
                drive.restore(&image);
                let at = format!("after {} changes, {lost:?} lost", moment.done);
                let layer = SqliteDiskLayer::open(path.clone(), Mode::ReadWrite, &on(&Options::default()));
                let layer = layer.unwrap_or_else(|e| panic!("{at}: {e}"));
                assert_eq!((layer.metadata().identity, look(&layer, 0..32)), (identity, held.clone()), "{at}");
            }
        }
        assert!(seen.len() > 50, "{} states", seen.len());
    }
}
