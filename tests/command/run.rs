//! Scripts on disks that are described.

use super::Place;

const SCRIPT: &str = "\
disk 512
layer ram 1
read 0 64
write 10 4 stamp 5 fua
unmap 11 2
read 8 8
reopen
fill @0 30 2 fill 0x77
read 28 8
read 64 1
";

/// A place with `base.img`, 64 sectors of bytes that no script writes, and a script.
fn place() -> (Place, Vec<u8>) {
    let place = Place::new();
    let bytes: Vec<u8> = (0..64 * 512_u32).map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()[3]).collect();
    place.write("base.img", &bytes);
    place.write("some.script", SCRIPT);
    (place, bytes)
}

#[test]
fn a_differencing_layer_is_proven_over_what_an_image_holds() {
    let (place, bytes) = place();
    let ran = place.run("run sqldiff:top.dbhd;create:file:base.img some.script");
    ran.says_first(0, "PASS  7 operations (1 refused), ");
    assert!(ran.out.contains("1 operation that would reopen or reshape the disk skipped"), "{}", ran.out);
    // Now the top holds something too; and a read-only disk refuses the changes.
    place.run("run sqldiff:top.dbhd:file:base.img some.script").says_first(0, "PASS");
    let read_only = place.run("run sqldiff:top.dbhd:file:base.img some.script --read-only --trace");
    read_only.says_first(0, "PASS  7 operations (4 refused), ");
    assert!(read_only.out.contains("refused (read only)"), "{}", read_only.out);
    assert_eq!(std::fs::read(place.path("base.img")).expect("the image"), bytes);
}

#[test]
fn the_disk_is_changed_and_closed() {
    let (place, before) = place();
    place.run("run file:base.img some.script").says_first(0, "PASS");
    let after = std::fs::read(place.path("base.img")).expect("the image");
    assert_eq!(after[..5120], before[..5120]);
    assert_ne!(after[5120..5632], before[5120..5632]);
    assert_eq!(after[5632..6656], [0; 1024]);
}

#[test]
fn caches_are_proven_cold_and_warm() {
    let (place, _) = place();
    for disk in ["autocache:key:file:base.img", "sqldiff:top.dbhd;create:autocache:key:file:base.img"] {
        place.run(&format!("run {disk} some.script --cache-dir caches")).says_first(0, "PASS");
    }
    let mut command = place.command("run sqldiff:top.dbhd:autocache:key:file:base.img some.script");
    let ran: super::Ran = command.env("DISKLAYER_CACHE_DIR", "caches").output().expect("the command").into();
    ran.says_first(0, "PASS");
}

#[test]
fn memory_needs_no_file() {
    let (place, _) = place();
    place.run("run memdiff:mem:32K some.script").says_first(0, "PASS");
}

#[test]
fn sector_sizes_must_agree() {
    let (place, _) = place();
    let ran = place.run("run mem:1M some.script --sector-size 4096");
    ran.refuses(&["the script is for sectors of 512 bytes, and the disk has sectors of 4096"]);
}

#[test]
fn a_disk_that_would_take_too_much_copying_is_refused() {
    let (place, _) = place();
    let huge = std::fs::File::create(place.path("huge.img")).expect("an image");
    huge.set_len(5 << 30).expect("a sparse image");
    place.run("run huge.img some.script").refuses(&["4 GiB is the most"]);
}

#[test]
fn what_is_wrong_with_a_description_is_pointed_at() {
    let (place, _) = place();
    place.run("run sqldoff:top.dbhd:base.img some.script").refuses(&["sqldoff", "unknown scheme"]);
    place.run("run sql:missing.dbhd some.script").refuses(&["missing.dbhd", "not found"]);
}
