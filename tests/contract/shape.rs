//! Rule 9: which layers are no disk, each refusal with its own kind.

use std::sync::Arc;

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::geometry::Geometry;
use disklayer_sqlite::layer::{Access, Existing, FileDisk, LayerIo, Mode, Options, RamDiskLayer, SqliteDiskLayer};
use disklayer_sqlite::layer::{FormatParams, MemoryFile};
use disklayer_sqlite::stack::DiskAccess::{ReadOnly, Writable};
use disklayer_sqlite::stack::{DiskAccess, LayerConfiguration, LayeredDisk};
use tempfile::TempDir;

use super::media::{Home, cache, disk_of, plain, ram, refused, stack, through};

/// The layer at which `layers` are refused with `kind`.
#[track_caller]
fn refusal(layers: Vec<LayerConfiguration>, access: DiskAccess, kind: ErrorKind) -> Option<usize> {
    refused(LayeredDisk::new(layers, access), kind).layer()
}

fn some_ram() -> Arc<dyn LayerIo> {
    ram(disk_of(4))
}

fn ram_with(access: Access) -> Arc<dyn LayerIo> {
    Arc::new(RamDiskLayer::new(disk_of(4), access))
}

#[test]
fn rule_09_no_layers() {
    refusal(vec![], Writable, ErrorKind::NoLayers);
    refusal(vec![], ReadOnly, ErrorKind::NoLayers);
}

#[test]
fn rule_09_different_sector_sizes() {
    let other = ram(Geometry::new(4, 4096).unwrap());
    let layers = || vec![plain(&some_ram()), plain(&some_ram()), plain(&other)];
    assert_eq!(refusal(layers(), Writable, ErrorKind::SectorSizeMismatch), Some(2));
    assert_eq!(refusal(layers(), ReadOnly, ErrorKind::SectorSizeMismatch), Some(2));
    let home = Home::memory();
    let layers = vec![LayerConfiguration::new(home.create(disk_of(4))), plain(&other)];
    assert_eq!(refusal(layers, Writable, ErrorKind::SectorSizeMismatch), Some(1));
}

#[test]
fn rule_09_write_through_not_contiguous_from_the_top() {
    let layers = vec![plain(&some_ram()), through(&some_ram()), plain(&some_ram())];
    assert_eq!(refusal(layers, Writable, ErrorKind::WriteThroughNotContiguous), Some(1));
    let layers = vec![through(&some_ram()), plain(&some_ram()), through(&some_ram()), plain(&some_ram())];
    assert_eq!(refusal(layers, ReadOnly, ErrorKind::WriteThroughNotContiguous), Some(2));
}

#[test]
fn rule_09_write_through_with_nothing_below() {
    assert_eq!(refusal(vec![through(&some_ram())], Writable, ErrorKind::NothingBelow), Some(0));
    let layers = vec![through(&some_ram()), through(&some_ram())];
    assert_eq!(refusal(layers, Writable, ErrorKind::NothingBelow), Some(1));
}

#[test]
fn rule_09_a_read_cache_that_cannot_be_filled() {
    let kind = ErrorKind::CacheCannotBeFilled;
    assert_eq!(refusal(vec![cache(&some_ram())], Writable, kind), Some(0));
    assert_eq!(refusal(vec![plain(&some_ram()), cache(&some_ram())], Writable, kind), Some(1));
    assert_eq!(refusal(vec![cache(&ram_with(Access::ReadOnly)), plain(&some_ram())], ReadOnly, kind), Some(0));

    let directory = TempDir::new().unwrap();
    let file: Arc<dyn LayerIo> = Arc::new(FileDisk::create(&directory.path().join("raw"), disk_of(4)).unwrap());
    assert_eq!(refusal(vec![cache(&file), plain(&some_ram())], Writable, kind), Some(0));
    let disk: Arc<dyn LayerIo> = Arc::new(stack(&[some_ram()]));
    assert_eq!(refusal(vec![cache(&disk), plain(&some_ram())], Writable, kind), Some(0));

    let home = Home::file();
    home.create(disk_of(4)).close().unwrap();
    let layer: Arc<dyn LayerIo> = Arc::new(home.try_open(Mode::ReadOnly).unwrap());
    assert_eq!(refusal(vec![cache(&layer), plain(&some_ram())], ReadOnly, kind), Some(0));
}

#[test]
fn rule_09_a_read_only_layer_in_the_write_path() {
    let kind = ErrorKind::ReadOnlyInWritePath;
    for access in [Access::ReadOnly, Access::LogicallyReadOnly] {
        assert_eq!(refusal(vec![plain(&ram_with(access)), plain(&some_ram())], Writable, kind), Some(0));
        assert_eq!(refusal(vec![through(&some_ram()), plain(&ram_with(access))], Writable, kind), Some(1));
        LayeredDisk::new(vec![through(&some_ram()), plain(&ram_with(access))], ReadOnly).unwrap();
        LayeredDisk::new(vec![plain(&some_ram()), plain(&ram_with(access))], Writable).unwrap();
    }
    let disk: Arc<dyn LayerIo> = Arc::new(LayeredDisk::new(vec![plain(&some_ram())], ReadOnly).unwrap());
    assert_eq!(refusal(vec![plain(&disk)], Writable, kind), Some(0));
}

#[test]
fn rule_09_a_layer_that_is_only_logically_read_only_can_be_a_read_cache() {
    let format = FormatParams { logically_read_only: true, len: 2048, sector_size: 512 };
    let file = MemoryFile::default();
    let layer = SqliteDiskLayer::create(&file, format, Existing::Keep, &Options::default()).unwrap();
    let layer: Arc<dyn LayerIo> = Arc::new(layer);
    LayeredDisk::new(vec![cache(&layer), plain(&some_ram())], ReadOnly).unwrap();
    LayeredDisk::new(vec![plain(&some_ram()), cache(&layer), plain(&some_ram())], Writable).unwrap();
    let layers = vec![cache(&layer), plain(&some_ram())];
    assert_eq!(refusal(layers, Writable, ErrorKind::ReadOnlyInWritePath), Some(0));
}

#[test]
fn rule_09_a_layer_that_asks_for_one_below_it_is_refused_at_the_bottom_and_makes_no_file() {
    let home = Home::file();
    assert_eq!(refusal(vec![home.diff()], Writable, ErrorKind::NothingBelow), Some(0));
    assert!(!home.path().exists());
}

#[test]
fn rule_09_a_push_is_refused_alike_and_leaves_the_disk_as_it_was() {
    let disk = stack(&[some_ram()]);
    let other = ram(Geometry::new(4, 4096).unwrap());
    refused(disk.push(plain(&other)), ErrorKind::SectorSizeMismatch);
    refused(disk.push(plain(&ram_with(Access::ReadOnly))), ErrorKind::ReadOnlyInWritePath);
    let full: Arc<dyn LayerIo> = Arc::new(stack(&[some_ram()]));
    refused(disk.push(cache(&full)), ErrorKind::CacheCannotBeFilled);
    assert_eq!((disk.layer_count(), disk.geometry()), (1, disk_of(4)));
    let written_through = LayeredDisk::new(vec![through(&some_ram()), plain(&some_ram())], Writable).unwrap();
    refused(written_through.push(plain(&some_ram())), ErrorKind::WriteThroughNotContiguous);
    assert_eq!(written_through.layer_count(), 2);
}
