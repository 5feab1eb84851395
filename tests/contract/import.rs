//! Rules 4, 14 and 20: a layer that is filled from another in one go has what that has, and is sound to SQLite.

use std::sync::Arc;

use disklayer_sqlite::error::{Error, ErrorKind};
use disklayer_sqlite::geometry::Geometry;
use disklayer_sqlite::layer::{
    Access, Below, Durability, Existing, FileDisk, Format, IncompleteFormatParams, LayerIo, Mode, Options, Progress,
    RamDiskLayer, SectorMarker, SqliteDiskLayer,
};

use super::media::{FORMATS, Home, bytes, disk_of, look, refused, write};

/// Bytes that say which sector they are of, all of them different in neighbours.
fn stamp(sector: u64, size: u32) -> Vec<u8> {
    (0..u64::from(size)).map(|at| (sector * 31 + at * 7 + at / 251) as u8).collect()
}

/// Everything that a layer has, sector by sector.
fn content(layer: &dyn LayerIo) -> Vec<Option<Vec<u8>>> {
    let geometry = layer.metadata().geometry;
    let all = 0..geometry.sector_count();
    let mut buf = vec![0; geometry.len() as usize];
    let mut marker = SectorMarker::new(all.clone());
    layer.read(0, &mut buf, &mut marker).unwrap();
    all.zip(buf.chunks(geometry.sector_size() as usize)).map(|(n, b)| marker.is_set(n).then(|| b.to_vec())).collect()
}

/// A layer with everything that can be in one: long runs, single sectors, zeros, zeroed stretches, holes.
fn motley(geometry: Geometry, seed: u64) -> RamDiskLayer {
    let layer = RamDiskLayer::new(geometry, Access::ReadWrite);
    let (count, size) = (geometry.sector_count(), geometry.sector_size());
    let mut state = seed;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut at = 0;
    while at < count {
        let longest = [3, 40, 700][draw(3) as usize];
        let run = (1 + draw(longest)).min(count - at);
        match draw(4) {
            0 => {}
            1 => layer.write(at, &vec![0; (run * u64::from(size)) as usize], Durability::Flushed).unwrap(),
            _ => {
                let data: Vec<u8> = (at..at + run).flat_map(|sector| stamp(sector, size)).collect();
                layer.write(at, &data, Durability::Flushed).unwrap();
            }
        }
        at += run;
    }
    layer
}

fn import(home: &Home, source: &dyn LayerIo, options: &Options) -> SqliteDiskLayer {
    let format = IncompleteFormatParams::default();
    SqliteDiskLayer::import(home.location(), format, source, Existing::Keep, options, &mut |_| Ok(())).unwrap()
}

fn options(format: Format, page_size: u32) -> Options {
    Options { format, page_size, ..Options::default() }
}

#[test]
fn rule_04_what_is_imported_is_what_the_source_has_and_sqlite_finds_nothing_wrong() {
    let sizes = [(5000, 512), (1, 512), (7, 512), (4001, 4096), (40, 65536)];
    for ((count, sector_size), page_size) in sizes.into_iter().zip([512, 4096, 1024, 4096, 32768]) {
        for seed in 0..4 {
            let source = motley(Geometry::new(count, sector_size).unwrap(), seed);
            let held = content(&source);
            for (format, home) in
                [(Format::One, Home::file()), (Format::One, Home::memory()), (Format::Original, Home::file())]
            {
                let layer = import(&home, &source, &options(format, page_size));
                assert!(content(&layer) == held, "{count} of {sector_size} in pages of {page_size}, seed {seed}");
                layer.verify().unwrap();
                // It is a layer like any other: what comes next is kept too.
                layer.write(0, &stamp(9, sector_size), Durability::Flushed).unwrap();
                layer.unmap(count / 2, 1, Below::Something).unwrap();
                let changed = content(&layer);
                assert_eq!(changed[(count / 2) as usize], Some(vec![0; sector_size as usize]));
                layer.close().unwrap();
                let layer = home.open();
                assert!(content(&layer) == changed);
                layer.verify().unwrap();
            }
        }
    }
}

/// Three levels of pages, many pages of the map, and rows of every length.
#[test]
fn rule_04_a_large_import_in_small_pages_is_sound() {
    let home = Home::file();
    let geometry = disk_of(300_000);
    let layer = RamDiskLayer::new(geometry, Access::ReadWrite);
    for start in (0..geometry.sector_count()).step_by(1000) {
        let data: Vec<u8> =
            (start..start + 1 + start / 1000 * 3 % 1000).flat_map(|sector| stamp(sector, 512)).collect();
        layer.write(start, &data, Durability::Flushed).unwrap();
    }
    let imported = import(&home, &layer, &options(Format::One, 512));
    imported.verify().unwrap();
    assert!(content(&imported) == content(&layer));
    // Everything goes, and the pages with it.
    let before = std::fs::metadata(home.path()).unwrap().len();
    imported.unmap(0, geometry.sector_count(), Below::Nothing).unwrap();
    imported.close().unwrap();
    home.open().verify().unwrap();
    let after = std::fs::metadata(home.path()).unwrap().len();
    assert!(after < before / 20, "{after} of {before} bytes");
}

/// The page with the byte that SQLite locks, at 1 GiB, is left out.
#[test]
fn rule_04_an_import_past_the_locked_byte_is_sound() {
    let home = Home::file();
    let path = home.directory().join("raw");
    let geometry = Geometry::from_len((1 << 30) + (64 << 20), 4096).unwrap();
    let raw = FileDisk::create(&path, geometry).unwrap();
    for sector in 0..geometry.sector_count() {
        raw.write(sector, &stamp(sector, 4096), Durability::Flushed).unwrap();
    }
    let layer = import(&home, &raw, &Options::default());
    layer.verify().unwrap();
    for sector in (0..geometry.sector_count()).step_by(97) {
        let mut buf = vec![0; 4096];
        layer.read(sector, &mut buf, &mut SectorMarker::new(sector..sector + 1)).unwrap();
        assert_eq!(buf, stamp(sector, 4096), "sector {sector}");
    }
}

#[test]
fn rule_14_an_imported_layer_is_somebody_new_without_a_parent() {
    let (home, from) = (Home::file(), Home::file());
    let source = from.create(disk_of(64));
    write(&source, 0, 7, 64);
    let layer = import(&home, &source, &Options::default());
    assert_ne!(layer.metadata().identity.unwrap().uuid, source.metadata().identity.unwrap().uuid);
    assert_eq!((layer.metadata().parent, layer.metadata().access), (None, Access::ReadWrite));
}

#[test]
fn rule_04_a_zeroed_stretch_is_imported_without_being_read() {
    let (home, from) = (Home::file(), Home::file());
    let source = from.create(disk_of((1 << 40) / 512));
    source.unmap(0, (1 << 40) / 512 - 3, Below::Something).unwrap();
    let mut steps = 0;
    let format = IncompleteFormatParams { logically_read_only: true, len: Some(2 << 40) };
    let mut watch = |progress: Progress| {
        steps += 1;
        assert!(progress.done <= progress.of);
        Ok(())
    };
    let layer =
        SqliteDiskLayer::import(home.location(), format, &source, Existing::Keep, &Options::default(), &mut watch)
            .unwrap();
    assert_eq!(layer.next_extent(0).unwrap(), Some(0..(1 << 40) / 512 - 3));
    assert_eq!(layer.metadata().access, Access::LogicallyReadOnly);
    assert!(steps < 5, "{steps} steps");
}

/// What leads to the last pages of a table is divided when it is too much for one page, here 34 of them.
#[test]
fn rule_04_an_import_of_any_number_of_clusters_is_sound() {
    for clusters in 130..190 {
        let source = RamDiskLayer::new(disk_of(clusters * 16), Access::ReadWrite);
        for cluster in 0..clusters {
            write(&source, cluster * 16 + cluster % 16, cluster as u8, 1);
        }
        let layer = import(&Home::file(), &source, &options(Format::One, 512));
        layer.verify().unwrap();
        assert!(content(&layer) == content(&source), "{clusters} clusters");
    }
}

#[test]
fn rule_04_a_zeroed_stretch_is_imported_into_each_format() {
    let source = Home::memory().create(disk_of(10_000));
    write(&source, 0, 7, 10_000);
    source.unmap(0, 9000, Below::Something).unwrap();
    for format in FORMATS {
        let layer = import(&Home::file(), &source, &options(format, 4096));
        assert!(content(&layer) == content(&source), "{format:?}");
    }
}

#[test]
fn rule_20_an_import_that_is_refused_or_ended_leaves_what_was_there() {
    let home = Home::file();
    let old = home.create(disk_of(64));
    write(&old, 0, 5, 64);
    old.close().unwrap();
    let source: Arc<dyn LayerIo> = super::media::full_ram(disk_of(64 * 1024), 6);
    let import = |format, existing, watch: &mut dyn FnMut(Progress) -> Result<(), Error>| {
        SqliteDiskLayer::import(home.location(), format, &source, existing, &Options::default(), watch)
    };
    let format = IncompleteFormatParams::default();
    refused(import(format, Existing::Keep, &mut |_| Ok(())), ErrorKind::AlreadyExists);
    let shorter = IncompleteFormatParams { len: Some(512), ..format };
    refused(import(shorter, Existing::Replace, &mut |_| Ok(())), ErrorKind::SizeMismatch);
    let mut heard = 0;
    let mut end_at_third = |_| {
        heard += 1;
        if heard < 3 { Ok(()) } else { Err(Error::new(ErrorKind::Failed, "enough")) }
    };
    refused(import(format, Existing::Replace, &mut end_at_third), ErrorKind::Failed);
    let reader = home.try_open(Mode::ReadOnly).unwrap();
    refused(import(format, Existing::Replace, &mut |_| Ok(())), ErrorKind::Busy);
    assert_eq!(look(&reader, 0..64), [Some(5); 64]);
    drop(reader);
    let mut names = std::fs::read_dir(home.directory()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.all(|name| !name.to_str().unwrap().contains(".new")));
    import(format, Existing::Replace, &mut |_| Ok(())).unwrap().close().unwrap();
    assert_eq!(look(&home.open(), 0..3), [Some(6); 3]);
}

#[test]
fn rule_20_an_import_into_memory_that_is_ended_leaves_what_was_there() {
    let home = Home::memory();
    let old = home.create(disk_of(64));
    write(&old, 0, 5, 64);
    old.close().unwrap();
    let source = super::media::full_ram(disk_of(64 * 1024), 6);
    let (format, options, mut heard) = (IncompleteFormatParams::default(), Options::default(), 0);
    let mut end_at_third = |_| {
        heard += 1;
        if heard < 3 { Ok(()) } else { Err(Error::new(ErrorKind::Failed, "enough")) }
    };
    let place = home.location();
    let ended = SqliteDiskLayer::import(place, format, &source, Existing::Replace, &options, &mut end_at_third);
    refused(ended, ErrorKind::Failed);
    let layer = home.open();
    assert_eq!((layer.metadata().geometry, look(&layer, 0..64)), (disk_of(64), vec![Some(5); 64]));
    write(&layer, 0, 7, 1);
    layer.close().unwrap();
    assert_eq!(look(&home.open(), 0..2), [Some(7), Some(5)]);
}

#[test]
fn rule_08_a_source_that_cannot_be_read_ends_an_import_with_its_error() {
    let home = Home::file();
    let path = home.directory().join("raw");
    let raw = FileDisk::create(&path, disk_of(4096)).unwrap();
    raw.write(0, &bytes(&raw, 1, 4096), Durability::Flushed).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(1_500_000).unwrap();
    let format = IncompleteFormatParams::default();
    let made =
        SqliteDiskLayer::import(home.location(), format, &raw, Existing::Keep, &Options::default(), &mut |_| Ok(()));
    assert!(made.unwrap_err().to_string().contains("reading the disk image"));
    assert!(!home.path().exists());
}
