//! `disklayer hostile`: its verdict, its findings, and how they are seen again.

use super::Place;

#[test]
fn hostile_files_pass_and_are_counted() {
    let place = Place::new();
    let ran = place.run("hostile --files 2000 --seed 3 --jobs 2");
    ran.says_first(0, "PASS  2000 hostile files, ");
    let count = |what: &str| -> u64 {
        let line = ran.out.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {}", ran.out));
        line.trim()
            .strip_prefix(what)
            .expect("a count")
            .split_whitespace()
            .next()
            .expect("a count")
            .parse()
            .expect("a number")
    };
    let outcomes = [
        "served whole",
        "served, with errors at some sectors",
        "refused: no disk",
        "refused: corrupt",
        "refused: too new",
    ];
    assert_eq!(outcomes.iter().map(|what| count(what)).sum::<u64>(), 2000);
    assert!(count("of these past SQLite's header and schema") > 1000);
}

#[test]
fn a_finding_is_written_down_and_its_line_shows_it_again() {
    let place = Place::new();
    let ran = place.run("hostile --files 2000 --jobs 1 --plant StructureUnchecked");
    ran.says_first(1, "FAIL  ");
    let line = ran.out.lines().find_map(|line| line.trim().strip_prefix("disklayer ")).expect("a line that replays");
    let told = ran.out.lines().find_map(|line| line.strip_prefix("# Opened for ")?.split_once(": "));
    let (_, told) = told.expect("what is wrong");
    place.run(line).says_first(1, &format!("FAIL  {told}"));
    let sound = line.replace(" --plant StructureUnchecked", "");
    place.run(&sound).says_first(0, "PASS  ");
}

#[test]
fn a_case_that_does_not_parse_is_bad_usage() {
    let place = Place::new();
    place.write("wrong.case", "layer 512 8 seed 1 flushes 0\nbite file 7");
    place.run("hostile --case wrong.case").refuses(&["wrong.case", "bite file 7"]);
    place.run("hostile --case nowhere").refuses(&["nowhere"]);
}
