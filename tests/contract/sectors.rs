//! Rules 4, 5 and 7: what a layer holds after reads, writes and fills.

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::geometry::Geometry;
use disklayer_sqlite::layer::{Below, Durability, FileDisk, LayerIo, SectorMarker};
use rusqlite::Connection;

use super::media::{
    Home, bytes, disk_of, each_layer, each_sparse_layer, full_ram, look, ram, refused, show, stack, write,
};

#[test]
fn rule_04_a_layer_fills_the_sectors_that_it_has_and_no_other_byte() {
    for size in [512, 4096, 65536] {
        each_sparse_layer(Geometry::new(200, size).unwrap(), |name, layer| {
            write(layer, 1, 1, 1);
            write(layer, 3, 2, 2);
            write(layer, 63, 3, 3);
            write(layer, 199, 4, 1);
            let expected = |sector| match sector {
                1 => Some(1),
                3 | 4 => Some(2),
                63..=65 => Some(3),
                199 => Some(4),
                _ => None,
            };
            assert_eq!(look(layer, 0..200), (0..200).map(expected).collect::<Vec<_>>(), "{name}");
            assert_eq!(look(layer, 2..66), (2..66).map(expected).collect::<Vec<_>>(), "{name}");
        });
    }
}

#[test]
fn rule_04_a_read_gives_each_byte_of_each_sector_in_its_place() {
    each_layer(disk_of(150), |name, layer| {
        // No two sectors, and no two bytes near each other, are alike.
        let data: Vec<u8> = (0..150 * 512_u32).map(|at| (at ^ (at / 512 * 37)) as u8).collect();
        layer.write(0, &data, Durability::Flushed).unwrap();
        let mut buf = vec![0xee; 131 * 512];
        layer.read(13, &mut buf, &mut SectorMarker::new(13..144)).unwrap();
        assert!(buf == data[13 * 512..144 * 512], "{name}");
    });
}

#[test]
fn rule_04_what_no_layer_has_reads_as_zeros() {
    let disk = stack(&[ram(disk_of(6)), ram(disk_of(6))]);
    assert_eq!(show(&disk, 0..6), [0; 6]);
    write(&disk, 2, 7, 1);
    assert_eq!(show(&disk, 0..6), [0, 0, 7, 0, 0, 0]);
}

#[test]
fn rule_04_a_disk_holds_every_sector() {
    let home = Home::memory();
    let file = FileDisk::create(&home.directory().join("disk.img"), disk_of(6)).unwrap();
    let disks: [&dyn LayerIo; 2] = [&file, &stack(&[ram(disk_of(6)), ram(disk_of(4))])];
    for disk in disks {
        let extents = [0, 2, 5, 6, u64::MAX].map(|sector| disk.next_extent(sector).unwrap());
        assert_eq!(extents, [Some(0..6), Some(2..6), Some(5..6), None, None]);
    }
}

#[test]
fn rule_05_after_a_write_every_sector_has_the_new_bytes() {
    each_layer(disk_of(300), |name, layer| {
        write(layer, 0, 1, 300);
        write(layer, 70, 2, 130);
        let expected = (0..300).map(|sector| Some(if (70..200).contains(&sector) { 2 } else { 1 }));
        assert_eq!(look(layer, 0..300), expected.collect::<Vec<_>>(), "{name}");
    });
}

#[test]
fn rule_05_after_a_refusal_no_sector_has_the_new_bytes() {
    each_layer(disk_of(4), |name, layer| {
        write(layer, 0, 1, 4);
        refused(layer.write(2, &bytes(layer, 2, 3), Durability::Fua), ErrorKind::OutOfRange);
        refused(layer.write(0, &[2; 1025], Durability::Fua), ErrorKind::Misaligned);
        assert_eq!(look(layer, 0..4), [Some(1); 4], "{name}");
    });
}

#[test]
fn rule_05_a_write_of_zeros_hides_what_is_below() {
    each_sparse_layer(disk_of(4), |name, layer| {
        write(layer, 0, 0, 1);
        assert_eq!(look(layer, 0..2), [Some(0), None], "{name}");
    });
    for home in Home::each() {
        let disk = stack(&[std::sync::Arc::new(home.create(disk_of(4))), full_ram(disk_of(4), 9)]);
        write(&disk, 1, 0, 2);
        assert_eq!(show(&disk, 0..4), [9, 0, 0, 9]);
    }
}

#[test]
fn rule_05_a_sector_of_zeros_but_for_one_byte_is_kept() {
    for size in [512_usize, 4096] {
        each_layer(Geometry::new(4, size as u32).unwrap(), |name, layer| {
            for place in [0, 1, 63, 64, 255, size - 1] {
                let mut data = vec![0; size];
                data[place] = 0x80;
                layer.write(2, &data, Durability::Flushed).unwrap();
                let mut buf = vec![0xee; size];
                layer.read(2, &mut buf, &mut SectorMarker::new(2..3)).unwrap();
                assert!(buf == data, "{name}, byte {place}");
            }
        });
    }
}

/// A layer whose file cannot store sector 5: the columns are right, and a constraint fails.
fn without_sector_five() -> Home {
    let home = Home::original();
    home.create(disk_of(16)).close().unwrap();
    let conn = Connection::open(home.path()).unwrap();
    let sql =
        "DROP TABLE sectors; CREATE TABLE sectors(sector INTEGER NOT NULL PRIMARY KEY, data BLOB, CHECK (sector <> 5))";
    conn.execute_batch(sql).unwrap();
    home
}

#[test]
fn rule_05_a_write_that_fails_in_the_middle_leaves_nothing_of_itself_and_all_of_the_others() {
    let home = without_sector_five();
    let layer = home.open();
    write(&layer, 3, 1, 1);
    write(&layer, 6, 1, 2);
    let error = refused(layer.write(2, &bytes(&layer, 2, 8), Durability::Flushed), ErrorKind::Io);
    assert_eq!(error.sector(), Some(2));
    refused(layer.unmap(2, 8, Below::Something), ErrorKind::Io);
    let expected = [None, Some(1), None, None, Some(1), Some(1), None];
    assert_eq!(look(&layer, 2..9), expected);
    write(&layer, 8, 3, 1);
    layer.close().unwrap();
    assert_eq!(look(&home.open(), 2..9), [&expected[..6], &[Some(3)]].concat());
}

#[test]
fn rule_07_a_fill_keeps_what_is_there_and_stores_what_is_not() {
    each_sparse_layer(disk_of(200), |name, layer| {
        write(layer, 1, 1, 1);
        write(layer, 2, 0, 1);
        layer.unmap(3, 1, Below::Something).unwrap();
        write(layer, 100, 5, 1);
        layer.write_no_overwrite(0, &bytes(layer, 7, 150)).unwrap();
        assert_eq!(look(layer, 0..5), [Some(7), Some(1), Some(0), Some(0), Some(7)], "{name}");
        assert_eq!(look(layer, 98..102), [Some(7), Some(7), Some(5), Some(7)], "{name}");
        assert_eq!(look(layer, 149..151), [Some(7), None], "{name}");
    });
}

#[test]
fn rule_07_a_fill_with_zeros_makes_sectors_present() {
    each_sparse_layer(disk_of(4), |name, layer| {
        layer.write_no_overwrite(1, &bytes(layer, 0, 2)).unwrap();
        assert_eq!(look(layer, 0..4), [None, Some(0), Some(0), None], "{name}");
        layer.write_no_overwrite(0, &bytes(layer, 5, 4)).unwrap();
        assert_eq!(look(layer, 0..4), [Some(5), Some(0), Some(0), Some(5)], "{name}");
    });
}

#[test]
fn rule_07_a_fill_survives_reopening_and_is_no_change() {
    for home in Home::each() {
        let layer = home.create(disk_of(4));
        let identity = layer.metadata().identity;
        layer.write_no_overwrite(1, &bytes(&layer, 7, 2)).unwrap();
        layer.close().unwrap();
        let layer = home.open();
        assert_eq!(look(&layer, 0..4), [None, Some(7), Some(7), None]);
        assert_eq!(layer.metadata().identity, identity);
    }
}

#[test]
fn rule_07_a_disk_and_a_stack_have_nothing_to_fill() {
    each_layer(disk_of(4), |_, layer| {
        if layer.metadata().presence == disklayer_sqlite::layer::Presence::Full {
            refused(layer.write_no_overwrite(0, &[7; 512]), ErrorKind::Unsupported);
            assert_eq!(look(layer, 0..4), [Some(0); 4]);
        }
    });
}
