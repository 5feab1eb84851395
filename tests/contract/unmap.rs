//! Rules 6 and 8: what unmap leaves behind, and what an error says.

use std::sync::Arc;

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{Below, Durability, Existing, Mode, Options, SqliteDiskLayer};
use disklayer_sqlite::layer::{LayerIo, MemoryFile};
use disklayer_sqlite::stack::{DiskAccess, LayerConfiguration, LayeredDisk};
use rusqlite::Connection;

use super::media::{
    FORMATS, Home, bytes, disk_of, each_layer, each_sparse_layer, format, full_ram, look, plain, ram, refused, show,
    stack, write,
};

#[test]
fn rule_06_unmapped_sectors_read_as_zeros() {
    each_layer(disk_of(300), |name, layer| {
        write(layer, 0, 1, 300);
        layer.unmap(70, 130, Below::Something).unwrap();
        layer.unmap(3, 1, Below::Something).unwrap();
        let zeroed = |sector: &u64| *sector == 3 || (70..200).contains(sector);
        let expected = (0..300).map(|sector| Some(if zeroed(&sector) { 0 } else { 1 }));
        assert_eq!(look(layer, 0..300), expected.collect::<Vec<_>>(), "{name}");
    });
}

#[test]
fn rule_06_unmap_hides_the_layer_below() {
    each_sparse_layer(disk_of(8), |name, layer| {
        write(layer, 1, 1, 1);
        layer.unmap(0, 3, Below::Something).unwrap();
        assert_eq!(look(layer, 0..4), [Some(0), Some(0), Some(0), None], "{name}");
    });
    for home in Home::each() {
        let disk = stack(&[Arc::new(home.create(disk_of(8))), full_ram(disk_of(8), 9)]);
        write(&disk, 3, 3, 1);
        disk.unmap(2, 4).unwrap();
        assert_eq!(show(&disk, 0..8), [9, 9, 0, 0, 0, 0, 9, 9]);
    }
}

#[test]
fn rule_06_unmap_hides_the_layer_below_after_reopening_too() {
    for home in Home::each() {
        let base = full_ram(disk_of(8), 9);
        let disk = stack(&[Arc::new(home.create(disk_of(8))), base.clone()]);
        disk.unmap(2, 4).unwrap();
        disk.close().unwrap();
        drop(disk);
        assert_eq!(show(&stack(&[home.shared(), base]), 0..8), [9, 9, 0, 0, 0, 0, 9, 9]);
    }
}

#[test]
fn rule_06_where_nothing_is_below_unmap_may_forget() {
    each_sparse_layer(disk_of(8), |name, layer| {
        write(layer, 0, 1, 8);
        layer.unmap(1, 6, Below::Nothing).unwrap();
        assert_eq!(look(layer, 0..2), [Some(1), None], "{name}");
        assert_eq!(look(layer, 6..8), [None, Some(1)], "{name}");
    });
    for home in Home::each() {
        let disk = stack(&[Arc::new(home.create(disk_of(8)))]);
        write(&disk, 0, 1, 8);
        disk.unmap(1, 6).unwrap();
        assert_eq!(show(&disk, 0..8), [1, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(look(&*disk.layer(0).unwrap(), 0..3), [Some(1), None, None]);
    }
}

#[test]
fn rule_06_an_unmap_that_straddles_the_end_of_the_lower_layer_hides_its_last_sectors() {
    for home in Home::each() {
        let disk = stack(&[Arc::new(home.create(disk_of(8))), full_ram(disk_of(4), 9)]);
        write(&disk, 0, 1, 8);
        disk.unmap(2, 6).unwrap();
        assert_eq!(show(&disk, 0..8), [1, 1, 0, 0, 0, 0, 0, 0]);
        disk.unmap(0, 1).unwrap();
        assert_eq!(show(&disk, 0..2), [0, 1]);
    }
}

#[test]
fn rule_06_unmap_then_write_then_unmap_of_ranges_that_overlap() {
    each_layer(disk_of(8), |name, layer| {
        layer.unmap(0, 5, Below::Something).unwrap();
        write(layer, 3, 4, 4);
        layer.unmap(4, 2, Below::Something).unwrap();
        write(layer, 5, 6, 1);
        let expected = [Some(0), Some(0), Some(0), Some(4), Some(0), Some(6), Some(4)];
        assert_eq!(look(layer, 0..7), expected, "{name}");
    });
}

#[test]
fn rule_06_bytes_around_an_unmapped_sector_that_is_no_page_of_the_file_stay() {
    each_layer(disk_of(32), |name, layer| {
        write(layer, 0, 1, 32);
        layer.unmap(9, 1, Below::Something).unwrap();
        layer.unmap(15, 3, Below::Something).unwrap();
        let zeroed = |sector| sector == 9 || (15..18).contains(&sector);
        let expected = (0..32).map(|sector| Some(if zeroed(sector) { 0 } else { 1 }));
        assert_eq!(look(layer, 0..32), expected.collect::<Vec<_>>(), "{name}");
    });
}

#[test]
fn rule_08_an_error_names_what_failed_on_which_layer_at_which_sector() {
    let home = Home::original();
    home.create(disk_of(8)).close().unwrap();
    let conn = Connection::open(home.path()).unwrap();
    conn.execute("INSERT INTO sectors VALUES (5, x'0102')", []).unwrap();
    drop(conn);
    let disk = stack(&[ram(disk_of(8)), ram(disk_of(8)), home.shared()]);
    let error = refused(disk.read(2, &mut [0; 6 * 512]), ErrorKind::Corrupt);
    assert_eq!((error.layer(), error.sector()), (Some(2), Some(5)));
    let sentence = error.to_string();
    assert!(sentence.contains("on layer 2") && sentence.contains("at sector 5"), "{sentence}");
    assert!(sentence.contains("a blob of 2 bytes"), "{sentence}");
}

#[test]
fn rule_08_a_file_that_cannot_be_opened_is_named() {
    let home = Home::file();
    let error = refused(home.try_open(Mode::ReadWrite), ErrorKind::NotFound);
    assert!(error.to_string().contains("layer.dbhd"), "{error}");
    std::fs::write(home.path(), "some text, and no database at all").unwrap();
    let error = refused(home.try_open(Mode::ReadOnly), ErrorKind::NotADisk);
    assert!(error.to_string().contains("layer.dbhd"), "{error}");
}

#[test]
fn rule_08_counting_dirty_bytes_survives_the_largest_requests() {
    let geometry = disk_of(i64::MAX as u64 / 512);
    let options = Options { dirty_limit: u64::MAX, ..Options::default() };
    for stored in FORMATS {
        let (file, options) = (MemoryFile::default(), Options { format: stored, ..options.clone() });
        let layer = SqliteDiskLayer::create(&file, format(geometry), Existing::Keep, &options).unwrap();
        for _ in 0..3 {
            layer.unmap(0, geometry.sector_count(), Below::Nothing).unwrap();
        }
        write(&layer, 7, 7, 1);
        layer.flush().unwrap();
        assert_eq!(look(&layer, 6..8), [None, Some(7)]);
    }
}

#[test]
fn rule_08_a_closed_layer_refuses_with_a_reason() {
    for home in Home::each() {
        let disk = LayeredDisk::new(vec![plain(&ram(disk_of(4))), home_layer(&home)], DiskAccess::Writable).unwrap();
        disk.layer(1).unwrap().close().unwrap();
        let error = refused(disk.read(0, &mut [0; 512]), ErrorKind::Failed);
        assert_eq!(error.layer(), Some(1));
        assert!(error.to_string().contains("closed"), "{error}");
        let lower = disk.layer(1).unwrap();
        refused(lower.write(0, &bytes(&*lower, 1, 1), Durability::Flushed), ErrorKind::Failed);
        refused(lower.flush(), ErrorKind::Failed);
        lower.close().unwrap();
    }
}

fn home_layer(home: &Home) -> LayerConfiguration {
    LayerConfiguration::new(home.create(disk_of(4)))
}

#[test]
fn rule_08_a_panic_in_the_callers_code_spoils_one_layer_until_it_is_reopened() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    for home in Home::each() {
        home.create(disk_of(4)).close().unwrap();
        let options = Options { identities: Some(Arc::new(|| panic!("on purpose"))), ..Options::default() };
        let layer = home.open_with(&options);
        catch_unwind(AssertUnwindSafe(|| write(&layer, 0, 1, 1))).unwrap_err();
        refused(layer.flush(), ErrorKind::Failed);
        refused(layer.close(), ErrorKind::Failed);
        drop(layer);
        assert_eq!(look(&home.open(), 0..4), [None; 4]);
    }
}
