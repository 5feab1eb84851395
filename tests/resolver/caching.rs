//! Automatic caches: found by key, filled, written through, and never believed over another disk.

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::layer::SectorMarker;
use disklayer_sqlite::stack::{LayeredDisk, ParentCheck};

use super::{Place, byte, write};

/// The byte that the cache on top holds for the sector, if it does.
fn cached(disk: &LayeredDisk, layer: usize, sector: u64) -> Option<u8> {
    let mut buf = [0; 512];
    let mut marker = SectorMarker::new(sector..sector + 1);
    disk.layer(layer).expect("the cache").read(sector, &mut buf, &mut marker).expect("a read");
    marker.runs().all(|(_, present)| present).then_some(buf[0])
}

/// The names in the cache directory.
fn caches(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.path("caches")).expect("the cache directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".dbhd")).collect();
    names.sort();
    names
}

#[test]
fn the_second_read_comes_from_the_cache_after_reopening_too() {
    let place = Place::new();
    place.image("base.img", 8);
    let disk = place.open("autocache:k:@base.img");
    assert_eq!(cached(&disk, 0, 2), None);
    assert_eq!((byte(&disk, 2), cached(&disk, 0, 2), cached(&disk, 0, 3)), (3, Some(3), None));
    disk.close().expect("a close");

    // An image that changes behind the cache's back shows who serves the read.
    std::fs::write(place.path("base.img"), [0xdd; 8 * 512]).expect("another image");
    let disk = place.open("autocache:k:@base.img");
    assert_eq!((byte(&disk, 2), byte(&disk, 3)), (3, 0xdd));
}

#[test]
fn a_cached_disk_stays_writable_and_the_image_gets_the_writes() {
    let place = Place::new();
    place.image("base.img", 8);
    let disk = place.open("autocache:k:@base.img");
    write(&disk, 4, 0x44);
    disk.unmap(5, 1).expect("an unmap");
    assert_eq!((byte(&disk, 4), cached(&disk, 0, 4), byte(&disk, 5)), (0x44, Some(0x44), 0));
    disk.close().expect("a close");
    assert_eq!((place.bytes("base.img")[4 * 512], place.bytes("base.img")[5 * 512]), (0x44, 0));
}

#[test]
fn caches_above_each_other_and_a_layer_all_get_the_writes() {
    let place = Place::new();
    let disk = place.open("autocache:a:autocache:b:sqldiff:@top.dbhd;create:mem:64K");
    write(&disk, 4, 0x44);
    assert_eq!([0, 1, 2].map(|layer| cached(&disk, layer, 4)), [Some(0x44); 3]);
    assert_eq!(cached(&disk, 3, 4), None);
}

#[test]
fn an_empty_key_is_the_identity_of_the_disk() {
    let place = Place::new();
    place.open("sql:@base.dbhd;create=64K").close().expect("a close");
    let disk = place.open("autocache::sql:@base.dbhd");
    let uuid = disk.layer(1).and_then(|base| base.metadata().identity).expect("an identity").uuid;
    assert_eq!(caches(&place), [format!("cache-{uuid}.dbhd")]);
    write(&disk, 1, 1);
    disk.close().expect("a close");
    assert_eq!(byte(&place.open("autocache::sql:@base.dbhd"), 1), 1);
}

#[test]
fn an_empty_key_over_a_disk_without_identity_is_refused() {
    let place = Place::new();
    place.image("base.img", 8);
    let sentence = place.refusal("autocache::@base.img", ErrorKind::Unsupported);
    assert!(sentence.contains("needs a key"), "{sentence}");
}

#[test]
fn a_cache_needs_a_directory_before_anything_is_created() {
    let mut place = Place::new();
    place.options.cache_directory = None;
    let sentence = place.refusal("autocache:k:sql:@a.dbhd;create=1M", ErrorKind::Unsupported);
    assert!(sentence.contains("needs a directory") && !place.path("a.dbhd").exists(), "{sentence}");
}

#[test]
fn no_key_leaves_the_directory_or_meets_another() {
    let place = Place::new();
    let keys = ["../escape", "..", ".", "/etc/x", r"..\x", "a", "A", "%41", "%2e", "con", "\"a:b\"", "a\0b"];
    for key in keys {
        place.open(&format!("autocache:{key}:mem:64K")).close().expect("a close");
    }
    assert_eq!(caches(&place).len(), keys.len(), "{:?}", caches(&place));
    let lower: std::collections::BTreeSet<_> = caches(&place).iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(lower.len(), keys.len());
    assert_eq!(std::fs::read_dir(place.directory.path()).expect("the directory").count(), 1);
    place.refusal(&format!("autocache:{}:mem:64K", "k".repeat(200)), ErrorKind::Unsupported);
}

#[test]
fn a_cache_of_another_disk_is_refused_and_kept() {
    let place = Place::new();
    place.open("autocache:k:mem:64K").close().expect("a close");
    let before = place.bytes("caches/cache-k.dbhd");
    let sentence = place.refusal("autocache:k:mem:128K", ErrorKind::ParentMismatch);
    assert!(sentence.contains("cache-k.dbhd") && sentence.contains("remove it"), "{sentence}");
    assert_eq!(place.bytes("caches/cache-k.dbhd"), before);
}

#[test]
fn a_cache_that_missed_a_change_is_refused_and_emptied_when_adopted() {
    let mut place = Place::new();
    let disk = place.open("autocache:k:sql:@base.dbhd;create=64K");
    write(&disk, 1, 1);
    disk.close().expect("a close");
    let base = place.open("sql:@base.dbhd");
    write(&base, 1, 2);
    base.close().expect("a close");
    place.refusal("autocache:k:sql:@base.dbhd", ErrorKind::ParentMismatch);
    place.options.parent_check = ParentCheck::Adopt;
    let disk = place.open("autocache:k:sql:@base.dbhd");
    assert_eq!(byte(&disk, 1), 2);
    disk.close().expect("a close");
    place.options.parent_check = ParentCheck::Verify;
    assert_eq!(byte(&place.open("autocache:k:sql:@base.dbhd"), 1), 2);
}

#[test]
fn a_cache_below_a_layer_is_filled_and_never_gets_the_only_copy() {
    let place = Place::new();
    place.image("base.img", 8);
    let disk = place.open("sqldiff:@top.dbhd;create:autocache:k:@base.img");
    assert_eq!((byte(&disk, 2), cached(&disk, 1, 2)), (3, Some(3)));
    write(&disk, 2, 0x22);
    assert_eq!(cached(&disk, 1, 2), Some(3));
    assert_eq!(disk.commit().expect_err("a commit into a cache").kind(), ErrorKind::ReadOnly);
    assert_eq!(disk.discard().map(drop).expect_err("a cache on top").kind(), ErrorKind::ReadOnlyInWritePath);
    assert_eq!((byte(&disk, 2), cached(&disk, 1, 2)), (0x22, Some(3)));
}

#[test]
fn a_cache_below_a_layer_can_be_lost_or_left_out() {
    let place = Place::new();
    place.open("sql:@base.dbhd;create=64K").close().expect("a close");
    let disk = place.open("sqldiff:@top.dbhd;create:autocache::sql:@base.dbhd");
    write(&disk, 1, 1);
    assert_eq!(byte(&disk, 0), 0);
    disk.close().expect("a close");
    let disk = place.open("sqldiff:@top.dbhd:sql:@base.dbhd");
    assert_eq!(byte(&disk, 1), 1);
    disk.close().expect("a close");
    std::fs::remove_dir_all(place.path("caches")).expect("the caches are lost");
    assert_eq!(byte(&place.open("sqldiff:@top.dbhd:autocache::sql:@base.dbhd"), 1), 1);
}

#[test]
fn a_cache_of_a_read_only_disk_is_filled() {
    let place = Place::new();
    place.image("base.img", 8);
    place.open("autocache:k:@base.img").close().expect("a close");
    let place = place.read_only();
    let disk = place.open("autocache:k:@base.img");
    assert_eq!((byte(&disk, 6), cached(&disk, 0, 6)), (7, Some(7)));
}

#[test]
fn a_cache_over_a_layer_that_refuses_writes_is_refused_on_a_writable_disk() {
    use disklayer_sqlite::layer::{Existing, FormatParams, Options, SqliteDiskLayer};
    let place = Place::new();
    let format = FormatParams { logically_read_only: true, len: 64 << 10, sector_size: 512 };
    let base = SqliteDiskLayer::create(place.path("base.dbhd"), format, Existing::Keep, &Options::default());
    drop(base.expect("a layer that is logically read only"));
    place.refusal("autocache:k:sql:@base.dbhd", ErrorKind::ReadOnlyInWritePath);
    let place = place.read_only();
    assert_eq!(byte(&place.open("autocache:k:sql:@base.dbhd"), 0), 0);
}
