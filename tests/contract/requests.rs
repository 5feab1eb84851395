//! Rules 1 to 3: which requests are refused, and in which order.

use std::sync::Arc;

use disklayer_sqlite::error::{ErrorKind, Result};
use disklayer_sqlite::geometry::Geometry;
use disklayer_sqlite::layer::{
    Access, Below, Durability, FileDisk, LayerIo, Mode, RamDiskLayer, SectorMarker, SqliteDiskLayer,
};
use disklayer_sqlite::layer::{Existing, FormatParams, Options};
use disklayer_sqlite::stack::{DiskAccess, LayerConfiguration, LayeredDisk};
use tempfile::TempDir;

use super::media::{Home, bytes, disk_of, each_layer, each_sparse_layer, look, refused, write};

/// Where sectors and counts go wrong on a disk of `n` sectors.
fn edges(n: u64) -> Vec<u64> {
    let wide = [1 << 32, 1 << 55, i64::MAX as u64 / 512, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX - 1, u64::MAX];
    [vec![0, 1, n - 1, n, n + 1, u64::MAX - n, u64::MAX - n + 1], wide.to_vec()].concat()
}

/// A read into a buffer of `len` bytes, which must come back untouched if it is refused.
fn read(layer: &dyn LayerIo, sector: u64, len: usize) -> Result<()> {
    let mut buf = vec![0xee; len];
    let mut marker = SectorMarker::new(sector..sector.saturating_add(len as u64 / 512));
    let result = layer.read(sector, &mut buf, &mut marker);
    assert!(result.is_ok() || buf.iter().all(|byte| *byte == 0xee), "a refused read wrote into the buffer");
    result
}

#[test]
fn rule_01_every_request_outside_is_refused_and_nothing_changes() {
    each_layer(disk_of(7), |name, layer| {
        write(layer, 0, 5, 7);
        let before = look(layer, 0..7);
        let outside = |sector: u64, count: u64| u128::from(sector) + u128::from(count) > 7;
        for sector in edges(7) {
            for count in edges(7).into_iter().filter(|count| outside(sector, *count)) {
                for below in [Below::Nothing, Below::Something] {
                    let error = refused(layer.unmap(sector, count, below), ErrorKind::OutOfRange);
                    assert_eq!(error.sector(), Some(sector), "{name}");
                }
            }
            for count in [0, 1, 2, 7, 8, 9].into_iter().filter(|count| outside(sector, *count)) {
                let data = bytes(layer, 6, count);
                refused(read(layer, sector, data.len()), ErrorKind::OutOfRange);
                refused(layer.write(sector, &data, Durability::Flushed), ErrorKind::OutOfRange);
                refused(layer.write(sector, &data, Durability::Fua), ErrorKind::OutOfRange);
            }
        }
        assert_eq!(look(layer, 0..7), before, "{name}");
    });
}

#[test]
fn rule_01_every_request_inside_succeeds() {
    each_layer(disk_of(7), |name, layer| {
        for start in 0..7 {
            for count in 1..=7 - start {
                write(layer, start, 9, count);
                assert_eq!(look(layer, start..start + count), vec![Some(9); count as usize], "{name}");
                layer.unmap(start, count, Below::Something).unwrap();
                assert_eq!(look(layer, start..start + count), vec![Some(0); count as usize], "{name}");
            }
        }
    });
}

#[test]
fn rule_01_a_fill_outside_is_refused_and_nothing_changes() {
    each_sparse_layer(disk_of(7), |name, layer| {
        for sector in edges(7).into_iter().filter(|sector| *sector > 5) {
            refused(layer.write_no_overwrite(sector, &[6; 1024]), ErrorKind::OutOfRange);
        }
        assert_eq!(look(layer, 0..7), [None; 7], "{name}");
    });
}

#[test]
fn rule_01_the_largest_disks_are_used_to_their_last_sector() {
    for size in [512, 4096, 65536] {
        let count = i64::MAX as u64 / u64::from(size);
        let geometry = Geometry::new(count, size).unwrap();
        each_sparse_layer(geometry, |name, layer| {
            write(layer, count - 1, 1, 1);
            write(layer, (1 << 32) + 1, 2, 1);
            assert_eq!(look(layer, count - 2..count), [None, Some(1)], "{name}");
            assert_eq!(look(layer, 0..2), [None, None], "{name}");
            assert_eq!(layer.next_extent((1 << 32) + 2).unwrap(), Some(count - 1..count), "{name}");
            layer.unmap(count - 2, 2, Below::Something).unwrap();
            assert_eq!(look(layer, count - 2..count), [Some(0), Some(0)], "{name}");
            layer.unmap(0, count, Below::Nothing).unwrap();
            assert_eq!(layer.next_extent(0).unwrap(), None, "{name}");
            refused(layer.write(count - 1, &bytes(layer, 1, 2), Durability::Flushed), ErrorKind::OutOfRange);
            refused(layer.unmap(1, count, Below::Nothing), ErrorKind::OutOfRange);
        });
    }
}

#[test]
fn rule_01_a_raw_file_past_four_gibibytes_is_used_to_its_last_sector() {
    let directory = TempDir::new().unwrap();
    let count = (8 << 30) / 512;
    let disk = FileDisk::create(&directory.path().join("disk"), disk_of(count)).unwrap();
    write(&disk, count - 1, 1, 1);
    write(&disk, (4 << 30) / 512, 2, 1);
    assert_eq!(look(&disk, count - 2..count), [Some(0), Some(1)]);
    assert_eq!(look(&disk, 0..1), [Some(0)]);
    disk.unmap(1, count - 1, Below::Nothing).unwrap();
    assert_eq!(look(&disk, count - 1..count), [Some(0)]);
}

#[test]
fn rule_01_no_other_size_makes_a_disk() {
    for size in [0, 1, 256, 511, 513, 1000, 3 << 9, 1 << 17, u32::MAX] {
        refused(Geometry::new(8, size), ErrorKind::InvalidGeometry);
        refused(Geometry::from_len(1 << 20, size), ErrorKind::InvalidGeometry);
    }
    for count in [0, 1 << 54, u64::MAX / 512, u64::MAX / 512 + 2, u64::MAX] {
        refused(Geometry::new(count, 512), ErrorKind::InvalidGeometry);
    }
    for len in [0, 1, 511, 513, i64::MAX as u64, 1 << 63, u64::MAX] {
        refused(Geometry::from_len(len, 512), ErrorKind::InvalidGeometry);
        let format = FormatParams { logically_read_only: false, len, sector_size: 512 };
        for home in Home::each() {
            let created = SqliteDiskLayer::create(home.path(), format, Existing::Keep, &Options::default());
            refused(created, ErrorKind::InvalidGeometry);
            assert!(!home.path().exists());
        }
    }
    assert_eq!(Geometry::from_len(i64::MAX as u64 - 511, 512).unwrap().len(), i64::MAX as u64 - 511);
}

#[test]
fn rule_02_a_request_of_no_sectors_succeeds_up_to_the_end_and_changes_nothing() {
    each_layer(disk_of(5), |name, layer| {
        write(layer, 1, 3, 2);
        let before = (look(layer, 0..5), layer.metadata());
        for sector in 0..=5 {
            read(layer, sector, 0).unwrap();
            layer.write(sector, &[], Durability::Flushed).unwrap();
            layer.write(sector, &[], Durability::Fua).unwrap();
            layer.unmap(sector, 0, Below::Nothing).unwrap();
            layer.unmap(sector, 0, Below::Something).unwrap();
        }
        for sector in [6, 1 << 32, i64::MAX as u64, u64::MAX] {
            refused(read(layer, sector, 0), ErrorKind::OutOfRange);
            refused(layer.write(sector, &[], Durability::Flushed), ErrorKind::OutOfRange);
            refused(layer.unmap(sector, 0, Below::Something), ErrorKind::OutOfRange);
        }
        assert_eq!((look(layer, 0..5), layer.metadata()), before, "{name}");
    });
}

#[test]
fn rule_02_a_request_of_no_sectors_does_not_begin_a_new_generation() {
    for home in Home::each() {
        home.create(disk_of(5)).close().unwrap();
        let layer = home.open();
        let before = layer.metadata().identity;
        layer.write(5, &[], Durability::Fua).unwrap();
        layer.write_no_overwrite(5, &[]).unwrap();
        layer.unmap(0, 0, Below::Something).unwrap();
        assert_eq!(layer.metadata().identity, before);
        write(&layer, 0, 1, 1);
        assert_ne!(layer.metadata().identity, before);
    }
}

#[test]
fn rule_03_a_part_of_a_sector_is_refused_and_nothing_changes() {
    each_layer(Geometry::new(4, 4096).unwrap(), |name, layer| {
        write(layer, 0, 3, 4);
        for len in [1, 511, 512, 4095, 4097, 8191, 3 * 4096 + 2048, 5 * 4096 + 1] {
            for sector in [0, 3, 4, 5, u64::MAX] {
                refused(read(layer, sector, len), ErrorKind::Misaligned);
                refused(layer.write(sector, &vec![4; len], Durability::Flushed), ErrorKind::Misaligned);
            }
        }
        assert_eq!(look(layer, 0..4), [Some(3); 4], "{name}");
    });
}

/// Every kind of layer that refuses to be changed.
fn each_read_only(claim: impl Fn(&str, &dyn LayerIo)) {
    let geometry = disk_of(4);
    claim("logically read-only RAM", &RamDiskLayer::new(geometry, Access::LogicallyReadOnly));
    claim("read-only RAM", &RamDiskLayer::new(geometry, Access::ReadOnly));
    for home in Home::each() {
        home.create(geometry).close().unwrap();
        claim("read-only SQLite", &home.try_open(Mode::ReadOnly).unwrap());
    }
    let home = Home::file();
    let format = FormatParams { logically_read_only: true, len: geometry.len(), sector_size: 512 };
    let layer = SqliteDiskLayer::create(home.path(), format, Existing::Keep, &Options::default());
    claim("logically read-only SQLite", &layer.unwrap());
    let path = home.directory().join("raw");
    drop(FileDisk::create(&path, geometry).unwrap());
    claim("a read-only raw file", &FileDisk::open(&path, 512, Mode::ReadOnly).unwrap());
    let ram: Arc<dyn LayerIo> = Arc::new(RamDiskLayer::new(geometry, Access::ReadWrite));
    claim("a stack", &LayeredDisk::new(vec![LayerConfiguration::new(ram)], DiskAccess::ReadOnly).unwrap());
}

#[test]
fn rule_03_refusals_come_in_their_order() {
    each_read_only(|name, layer| {
        let write = |sector, len: usize| layer.write(sector, &vec![1; len], Durability::Flushed);
        refused(write(9, 100), ErrorKind::Misaligned);
        refused(write(0, 100), ErrorKind::Misaligned);
        refused(write(4, 512), ErrorKind::OutOfRange);
        refused(write(5, 0), ErrorKind::OutOfRange);
        write(4, 0).unwrap_or_else(|e| panic!("{name}: {e}"));
        refused(write(3, 512), ErrorKind::ReadOnly);
        refused(layer.unmap(3, 2, Below::Something), ErrorKind::OutOfRange);
        layer.unmap(4, 0, Below::Something).unwrap_or_else(|e| panic!("{name}: {e}"));
        refused(layer.unmap(3, 1, Below::Nothing), ErrorKind::ReadOnly);
        assert!(look(layer, 0..4).iter().all(|byte| byte.is_none_or(|byte| byte == 0)), "{name}");
    });
}

/// Whoever asks with a marker for other sectors is told so, and the layer lives.
#[test]
fn rule_08_a_marker_that_is_not_for_the_request_is_refused_and_nothing_is_lost() {
    each_layer(disk_of(200), |name, layer| {
        write(layer, 0, 5, 200);
        for marked in [0..1, 1..3, 0..3, 0..0, 0..200] {
            let (mut buf, mut marker) = ([0xee; 1024], SectorMarker::new(marked.clone()));
            let error = refused(layer.read(0, &mut buf, &mut marker), ErrorKind::Misaligned);
            assert!(error.to_string().contains(&format!("{marked:?}")), "{name}: {error}");
            assert!(buf == [0xee; 1024] && marker == SectorMarker::new(marked), "{name}");
        }
        assert_eq!(look(layer, 0..200), [Some(5); 200], "{name}");
    });
}
