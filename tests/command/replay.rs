//! Saved scripts, from wherever they were kept.

use super::Place;

const SCRIPT: &str = "\
# Unmap of a cached sector showed the layer below.
disk 512
layer sqlite 64 diff
layer ram 64 read-cache
layer file 96 filled 9
write 40 3 stamp 7
unmap 41 1
reopen
read 39 3
read 64 1
";

#[test]
fn a_directory_is_replayed_with_the_directories_in_it() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("scripts/old")).expect("directories");
    place.write("scripts/one.script", SCRIPT);
    place.write("scripts/old/two.script", SCRIPT);
    place.write("scripts/README", "not a script");
    place.run("replay scripts").says_first(0, "PASS  2 scripts, 10 operations (2 refused), ");
}

#[test]
fn the_trace_shows_each_step_and_what_it_touched() {
    let place = Place::new();
    place.write("a.script", SCRIPT);
    let ran = place.run("replay --trace a.script");
    ran.says_first(0, "PASS  1 script, ");
    let steps: Vec<Vec<&str>> = ran.out.lines().skip(3).map(|line| line.split_whitespace().collect()).collect();
    let steps: Vec<String> = steps.iter().map(|words| words.join(" ")).collect();
    let expected = [
        "0 write 40 3 stamp 7 done @0: 3 written",
        "1 unmap 41 1 done @0: 1 unmapped",
        "2 reopen done",
        "3 read 39 3 done @0: 3 read; @1: 1 read, 1 filled; @2: 1 read",
        "4 read 64 1 refused (out of range)",
    ];
    assert_eq!(steps, expected);
}

#[test]
fn a_stack_that_is_refused_is_said_to_be() {
    let place = Place::new();
    place.write("mistyped.script", "disk 512\nlayer sqlite 8 diff\nwrite 0 1 stamp 1\nread 0 1\n");
    let ran = place.run("replay mistyped.script");
    ran.says_first(0, "PASS  1 script, 0 operations ");
    let told = "mistyped.script: the stack is refused by layer 0 (nothing below), as it must be; nothing ran on it";
    assert!(ran.out.contains(told), "{}", ran.out);
}

#[test]
fn what_proptest_has_left_is_replayed() {
    let place = Place::new();
    let state = "(disk 512; layer sqlite 64, [write 0 1 stamp 1, read 0 1]";
    let text = format!(
        "# Seeds for failure cases.\n\
         cc 01 # shrinks to (initial_state, transitions, seen_counter) = {state}, None)\n\
         cc 02 # shrinks to (initial_state, transitions, seen_counter) = {state}, Some(3))\n\
         cc 03 # shrinks to script = disk 512 in-memory; layer sqlite 8; read 0 1\n"
    );
    place.write("main.txt", &text);
    let ran = place.run("replay main.txt --trace");
    ran.says_first(0, "PASS  3 scripts, 5 operations (0 refused), ");
    assert!(["main.txt:2\n", "main.txt:3\n", "main.txt:4\n"].iter().all(|name| ran.out.contains(name)), "{}", ran.out);
}

#[test]
fn a_wrong_line_is_named_and_nothing_is_run() {
    let place = Place::new();
    place.write("good.script", SCRIPT);
    place.write("wrong.script", format!("{SCRIPT}raed 1 1\n"));
    place.run("replay good.script wrong.script").refuses(&["wrong.script: line 11, `raed 1 1`: expected an operation"]);
}

#[test]
fn somebody_elses_disk_is_not_replayed() {
    let place = Place::new();
    place.write("own.script", "disk 512\nlayer own 8\nread 0 1\n");
    place.run("replay own.script").refuses(&["own.script", "somebody's own disk"]);
}

#[test]
fn nothing_to_replay_is_no_pass() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).expect("a directory");
    place.run("replay empty").refuses(&["empty", "no file *.script"]);
    place.run("replay missing.script").refuses(&["missing.script", "not found"]);
    assert_eq!(place.run("replay").code, Some(2));
}

#[test]
fn what_is_read_is_not_written_over() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("scripts/old")).expect("directories");
    place.write("scripts/a.script", SCRIPT);
    place.write("base.img", [0; 512 * 96]);
    let lines = [
        "replay scripts/a.script --html scripts/a.script",
        "replay scripts/a.script --emit-test scripts/old/../a.script",
        "replay scripts --html ./scripts/a.script",
        "replay scripts/a.script --base base.img --html base.img",
        "replay scripts/a.script --html new --emit-test ./new",
        "minimize scripts/a.script --plant UnmapMissesLast --output scripts/a.script",
    ];
    for line in lines {
        place.run(line).refuses(&["would be written over; name another"]);
        assert_eq!(place.read("scripts/a.script"), SCRIPT, "{line}");
    }
    assert!(!place.path("new").exists());
    place.run("replay scripts --html scripts/page.html --emit-test new.rs").says_first(0, "PASS");
    place.run("replay scripts --html scripts/page.html --emit-test new.rs").says_first(0, "PASS");
}

/// Bytes as a fuzzer makes them.
fn noise(case: u32) -> Vec<u8> {
    let mut state = case.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8
    };
    (0..800).map(|_| next()).collect()
}

#[test]
fn what_a_fuzzer_has_left_is_replayed_and_shown() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("artifacts/script")).expect("directories");
    place.run("replay artifacts/script").refuses(&["artifacts/script has no file"]);
    for case in 0..40 {
        std::fs::write(place.path(&format!("artifacts/script/crash-{case:02}")), noise(case)).expect("an artifact");
    }
    let ran = place.run("replay artifacts/script");
    ran.says_first(0, "PASS  40 inputs, ");
    assert!(ran.out.contains("crash-07, as a script:\n    disk "), "{}", ran.out);
    let ran = place.run("replay artifacts/script --plant UnmapKeepsData");
    ran.says_first(1, "FAIL  ");
    // The same bytes are something else to another target.
    let ran = place.run("replay artifacts/script/crash-07 --target power_cut");
    ran.says_first(0, "PASS  1 input, ");
    assert!(ran.out.contains("an input of power_cut") || ran.out.contains("as a script"), "{}", ran.out);
    place.run("replay artifacts/script/crash-07 --target scripts").refuses(&["`scripts` is no fuzz target"]);
}

#[test]
fn what_a_fuzzer_has_left_is_minimized() {
    let place = Place::new();
    let case = (0..40)
        .find(|case| {
            std::fs::write(place.path("script-crash"), noise(*case)).expect("an artifact");
            place.run("replay script-crash --plant UnmapKeepsData").code == Some(1)
        })
        .expect("an input that finds the mistake");
    let ran = place.run("minimize script-crash --plant UnmapKeepsData");
    let operations = ran.out.lines().filter(|line| line.starts_with("unmap") || line.starts_with("read")).count();
    assert!(ran.code == Some(0) && ran.out.contains("disk 512") && operations > 0, "case {case}: {}", ran.out);
    assert!(ran.out.lines().count() < 16, "{}", ran.out);
}

#[test]
fn an_input_that_is_no_script_is_shown_too() {
    let place = Place::new();
    place.write("hostile_database-crash", "\u{0}SQLite format 3, or not");
    place.run("replay hostile_database-crash").says_first(0, "PASS  1 input, ");
    place.write("script_text-crash", "disk 512");
    place.run("replay script_text-crash").says_first(0, "PASS  1 input, ");
    place.run("minimize script_text-crash").refuses(&["script_text-crash is no script"]);
}
