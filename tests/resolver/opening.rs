//! Every scheme on real files, and what is refused there.

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::{Access, Mode};
use disklayer_sqlite::resolver::{Description, MAX_LAYERS, ResolveOptions, resolve};
use disklayer_sqlite::stack::{DiskAccess, ParentCheck};

use super::{Place, byte, write};

#[test]
fn a_disk_in_memory_has_its_length_and_starts_as_zeros() {
    let disk = Place::new().open("mem:64K");
    assert_eq!((disk.geometry().len(), disk.geometry().sector_size()), (64 << 10, 512));
    write(&disk, 127, 7);
    assert_eq!((byte(&disk, 126), byte(&disk, 127)), (0, 7));
}

#[test]
fn the_sector_size_is_the_callers_where_no_file_tells() {
    let mut place = Place::new();
    place.options.sector_size = 4096;
    place.image("base.img", 8);
    for description in ["mem:64K", "sql:@a.dbhd;create=64K", "file:@base.img"] {
        assert_eq!(place.open(description).geometry().sector_size(), 4096, "{description}");
    }
    place.options.sector_size = 512;
    assert_eq!(place.open("sql:@a.dbhd").geometry().sector_size(), 4096);
}

#[test]
fn a_differencing_layer_in_memory_leaves_the_image_alone() {
    let place = Place::new();
    place.image("base.img", 8);
    let before = place.bytes("base.img");
    let disk = place.open("memdiff:@base.img");
    write(&disk, 3, 0x77);
    assert_eq!((byte(&disk, 2), byte(&disk, 3), byte(&disk, 4)), (3, 0x77, 5));
    disk.close().expect("a close");
    assert_eq!(place.bytes("base.img"), before);
}

#[test]
fn a_sqlite_disk_is_created_reopened_and_read() {
    let place = Place::new();
    let disk = place.open("sql:@a.dbhd;create=1M");
    write(&disk, 2047, 9);
    disk.close().expect("a close");
    let disk = place.open("sql:@a.dbhd");
    assert_eq!((disk.geometry().len(), byte(&disk, 2047), byte(&disk, 0)), (1 << 20, 9, 0));
}

#[test]
fn a_differencing_layer_keeps_writes_and_shows_the_image() {
    let place = Place::new();
    place.image("base.img", 8);
    let before = place.bytes("base.img");
    let disk = place.open("sqldiff:@top.dbhd;create:file:@base.img");
    write(&disk, 1, 0x11);
    disk.close().expect("a close");
    let disk = place.open("sqldiff:@top.dbhd:@base.img");
    assert_eq!((byte(&disk, 0), byte(&disk, 1), byte(&disk, 7)), (1, 0x11, 8));
    assert_eq!(place.bytes("base.img"), before);
}

#[test]
fn an_image_is_written_in_place() {
    let place = Place::new();
    place.image("base.img", 8);
    let disk = place.open("@base.img");
    write(&disk, 1, 0x11);
    disk.close().expect("a close");
    assert_eq!((place.bytes("base.img")[511], place.bytes("base.img")[512]), (1, 0x11));
}

#[test]
fn two_disks_share_a_base_unless_the_lower_layers_are_writable() {
    let mut place = Place::new();
    place.open("sql:@base.dbhd;create=64K").close().expect("a close");
    let one = place.open("sqldiff:@one.dbhd;create:sql:@base.dbhd");
    let two = place.open("sqldiff:@two.dbhd;create:sql:@base.dbhd");
    drop((one, two));
    place.options.lower_layers = Mode::ReadWrite;
    let one = place.open("sqldiff:@one.dbhd:sql:@base.dbhd");
    place.refusal("sqldiff:@two.dbhd:sql:@base.dbhd", ErrorKind::Busy);
    write(&one, 5, 5);
    one.commit().expect("a commit into the base");
    one.close().expect("a close");
    assert_eq!(byte(&place.open("sql:@base.dbhd"), 5), 5);
}

#[test]
fn a_changed_base_is_refused_unless_it_is_adopted() {
    let mut place = Place::new();
    place.open("sqldiff:@top.dbhd;create:sql:@base.dbhd;create=64K").close().expect("a close");
    let base = place.open("sql:@base.dbhd");
    write(&base, 0, 1);
    base.close().expect("a close");
    place.refusal("sqldiff:@top.dbhd:sql:@base.dbhd", ErrorKind::ParentMismatch);
    place.options.parent_check = ParentCheck::Adopt;
    assert_eq!(byte(&place.open("sqldiff:@top.dbhd:sql:@base.dbhd"), 0), 1);
}

#[test]
fn creating_over_a_file_is_refused_and_the_file_untouched() {
    let place = Place::new();
    std::fs::write(place.path("a.dbhd"), b"not to be lost").expect("a file");
    for description in ["sql:@a.dbhd;create=1M", "sqldiff:@a.dbhd;create:mem:1M"] {
        let sentence = place.refusal(description, ErrorKind::AlreadyExists);
        assert!(sentence.contains(&place.expand("@a.dbhd")), "{sentence}");
        assert_eq!(place.bytes("a.dbhd"), b"not to be lost");
    }
}

#[test]
fn a_wrong_path_leaves_nothing_behind() {
    let place = Place::new();
    place.refusal("sqldiff:@missing.dbhd:sql:@new.dbhd;create=1M", ErrorKind::NotFound);
    assert!(!place.path("new.dbhd").exists());
}

#[test]
fn a_read_only_disk_refuses_writes_and_changes_no_byte() {
    let place = Place::new();
    place.image("base.img", 8);
    place.open("sqldiff:@top.dbhd;create:@base.img").close().expect("a close");
    let before = place.bytes("top.dbhd");
    let place = place.read_only();
    let disk = place.open("sqldiff:@top.dbhd:@base.img");
    assert_eq!((disk.access(), byte(&disk, 7)), (DiskAccess::ReadOnly, 8));
    assert_eq!(disk.unmap(0, 1).expect_err("read only").kind(), ErrorKind::ReadOnly);
    for index in 0..2 {
        assert_eq!(disk.layer(index).expect("a layer").metadata().access, Access::ReadOnly);
    }
    disk.close().expect("a close");
    assert_eq!(place.bytes("top.dbhd"), before);
}

#[test]
fn nothing_is_created_for_a_read_only_disk() {
    let place = Place::new().read_only();
    place.image("base.img", 8);
    for description in ["sql:@a.dbhd;create=1M", "sqldiff:@a.dbhd;create:@base.img", "autocache:a.dbhd:@base.img"] {
        let sentence = place.refusal(description, ErrorKind::ReadOnly);
        assert!(sentence.contains("creating") && sentence.contains("read only"), "{sentence}");
    }
    assert_eq!(std::fs::read_dir(place.directory.path()).expect("the directory").count(), 1);
}

#[test]
fn what_is_no_disk_is_refused_by_its_kind() {
    let place = Place::new();
    std::fs::write(place.path("text"), "This is a text, and not a disk layer.\n".repeat(50)).expect("a file");
    place.refusal("sql:@missing.dbhd", ErrorKind::NotFound);
    place.refusal("file:@missing.img", ErrorKind::NotFound);
    place.refusal("sqldiff:@missing.dbhd:mem:1M", ErrorKind::NotFound);
    place.refusal(r#"file:"""#, ErrorKind::NotFound);
    place.refusal(r#"sql:"";create=1M"#, ErrorKind::NotFound);
    place.refusal("sql:@", ErrorKind::NotADisk);
    place.refusal("file:@", ErrorKind::NotADisk);
    place.refusal("sql:@text", ErrorKind::NotADisk);
    place.refusal("file:@text", ErrorKind::InvalidGeometry);
    place.refusal("mem:1000", ErrorKind::InvalidGeometry);
    place.refusal("mem:0", ErrorKind::InvalidGeometry);
    place.refusal("sql:@new.dbhd;create=8388608T", ErrorKind::InvalidGeometry);
    assert!(!place.path("new.dbhd").exists());
}

#[test]
fn a_refusal_names_the_description_and_the_layer() {
    let place = Place::new();
    let error = place.resolve("memdiff:memdiff:sql:@missing.dbhd").expect_err("no such file");
    assert_eq!(error.layer(), Some(2));
    assert!(error.to_string().contains(&place.expand("`memdiff:memdiff:sql:@missing.dbhd`")), "{error}");
}

#[test]
fn a_description_made_by_hand_has_the_same_limit() {
    let mut deep = Description::Mem { len: 512 };
    for _ in 0..MAX_LAYERS {
        deep = Description::MemDiff { below: Box::new(deep) };
    }
    let error = resolve(&deep, &ResolveOptions::default()).expect_err("too deep");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(resolve(deep.below().expect("a disk below"), &ResolveOptions::default()).is_ok());
}
