//! Scripts drawn, written as tests, and found by their numbers.

use super::Place;

const SCRIPT: &str = "\
# A write under an unmap.
disk 512
layer sqlite 64 diff
layer ram 64 read-cache
layer file 96 filled 9
write 40 3 stamp 7
unmap 41 2
read 39 5
";

#[test]
fn a_picture_shows_every_step_and_needs_nothing_else() {
    let place = Place::new();
    place.write("a.script", SCRIPT);
    place.run("replay a.script --html a.html").says_first(0, "PASS  1 script, ");
    let html = place.read("a.html");
    for title in ["the stack at first", "write 40 3 stamp 7", "unmap 41 2", "read 39 5"] {
        assert!(html.contains(&format!("<code>{title}</code>")), "{title}");
    }
    assert_eq!(html.matches("<section class=\"step\">").count(), 4);
    assert!(!html.contains("class=\"step wrong\"") && !html.contains("cell wrong"));
    for foreign in ["http", "src=", "<script", "url(", "@import"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
}

#[test]
fn a_picture_marks_the_sector_where_it_first_went_wrong() {
    let place = Place::new();
    place.write("a.script", SCRIPT);
    place.run("replay a.script --html a.html --plant UnmapMissesLast").says_first(1, "FAIL  1 of 1 script");
    let html = place.read("a.html");
    let steps: Vec<&str> = html.split("<section ").collect();
    // The unmap leaves the wrong bytes, which only the read finds.
    assert!(!steps[2].contains("cell wrong") && !steps[2].contains(" wrong said"), "{}", steps[2]);
    assert!(steps[3].contains(" wrong said"), "{}", steps[3]);
    assert!(steps[3].contains("Layer 0, sector 42: must be zeros, is stamp 7"), "{}", steps[3]);
    assert!(steps[4].contains("DIVERGES") && steps[4].contains("What was read, sector 42: must be zeros, is stamp 7"));
}

#[test]
fn a_huge_disk_is_drawn_where_it_was_touched() {
    let place = Place::new();
    place.write("huge.script", "disk 512\nlayer sqlite 9000000000000000\nwrite 4294967296 2 stamp 1\nread 0 1\n");
    place.run("replay huge.script --html huge.html").says_first(0, "PASS");
    assert!(place.read("huge.html").len() < 30_000);
}

#[test]
fn a_struck_script_is_drawn_as_it_ran() {
    let place = Place::new();
    let script =
        "disk 512\nlayer sqlite 8\nwrite 0 2 stamp 1 fua\nwrite 1 2 stamp 2 ! cut after 0 writes, lose all\nread 0 4\n";
    place.write("cut.script", script);
    place.run("replay cut.script --html cut.html").says_first(0, "PASS");
    assert!(place.read("cut.html").contains("struck"), "{}", place.read("cut.html"));
}

#[test]
fn a_script_of_the_gate_is_found_by_its_seed_and_number() {
    let place = Place::new();
    let report = place.report("--scripts 200 --jobs 1 --plant UnmapMissesLast");
    let finding = &report["findings"][0];
    let replay = format!("replay --seed 1 --case {}", finding["case"]);
    let ran = place.run(&format!("{replay} --plant UnmapMissesLast"));
    ran.says_first(1, "FAIL  1 of 1 script");
    place.run(&replay).says_first(0, "PASS  1 script, ");
    place.run("replay --seed 1").refuses(&["--case"]);
}

/// The test in `emitted.rs` is compiled and run with all the others.
#[test]
fn what_is_written_as_a_test_is_one() {
    let place = Place::new();
    place.write("a-write-under-an-unmap.script", SCRIPT);
    // No function can be called `crate`, and a file that imports a function `prove` can have no other.
    place.write("crate.script", "disk 512\nlayer ram 8\nread 0 1\n");
    place.write("prove.script", "disk 512\nlayer ram 8\nread 0 1\n");
    place
        .run("replay a-write-under-an-unmap.script crate.script prove.script --emit-test emitted.rs")
        .says_first(0, "PASS");
    assert_eq!(place.read("emitted.rs"), include_str!("emitted.rs"));
}
