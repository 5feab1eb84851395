//! What the commands do with a fault, which is planted: the binary under test has the feature `planted-faults`.

use super::{Place, Ran};

const FAULT: &str = "--plant UnmapMissesLast";

/// The one script in the directory of failures.
fn written(place: &Place) -> String {
    let entries = std::fs::read_dir(place.path("failures")).expect("failures");
    let names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
    let names: Vec<_> = names.iter().map(|name| name.to_str().expect("text")).collect();
    let first = names.iter().min().expect("a script");
    format!("failures/{first}")
}

/// The lines of the story and of the script, of a script with its story.
fn lines(text: &str) -> (Vec<&str>, Vec<&str>) {
    text.lines().partition(|line| line.starts_with('#'))
}

#[test]
fn a_fault_is_found_shrunk_and_written_so_that_it_replays() {
    let place = Place::new();
    let ran = place.run(&format!("gate --scripts 200 {FAULT}"));
    ran.says_first(1, "FAIL  ");
    let file = written(&place);
    let replay = format!("replay {file} {FAULT}");
    assert!(ran.out.contains(&format!("disklayer {replay}\n")), "{}", ran.out);
    let text = place.read(&file);
    let (story, script) = lines(&text);
    assert!(script.len() <= 8, "{script:?}");
    let replayed = place.run(&replay);
    replayed.says_first(1, "FAIL  1 of 1 script: the same way as saved\n");
    for line in story {
        // The file's own story is shown, and what happens now is the same.
        let line = line.trim_start_matches("# ");
        let times = if line.starts_with("found by") || line.starts_with("what differs") { 1 } else { 2 };
        assert_eq!(replayed.out.matches(line).count(), times, "{line}: {}", replayed.out);
        assert!(ran.out.contains(line) || times == 1);
    }
    let fixed = place.run(&format!("replay {file}"));
    fixed.says_first(0, "PASS  1 script, ");
    assert!(fixed.out.lines().next().is_some_and(|line| line.ends_with(": fixed since")), "{}", fixed.out);
    place.write(&file, text.replace("what differs: ", "what differs: not "));
    place.run(&replay).says_first(1, "FAIL  1 of 1 script: another way than saved\n");
}

#[test]
fn the_same_kind_of_divergence_is_told_once_and_counted() {
    let place = Place::new();
    let report = place.report(&format!("--scripts 400 --junit junit.xml {FAULT}"));
    let findings = report["findings"].as_array().expect("findings");
    let times: u64 = findings.iter().filter_map(|finding| finding["times"].as_u64()).sum();
    assert_eq!(Some(times), report["divergences"].as_u64());
    assert!(times > findings.len() as u64, "{report:#}");
    let mut names: Vec<_> = findings.iter().map(|finding| finding["file"].as_str().expect("a file")).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), findings.len());
    let junit = quick_junit::Report::deserialize_from_str(&place.read("junit.xml")).expect("a JUnit file");
    let failures: usize = junit.test_suites.iter().map(|suite| suite.failures).sum();
    assert!(failures >= findings.len(), "{report:#}");
}

#[test]
fn minimize_deletes_what_does_not_matter() {
    let place = Place::new();
    let noise = "write 8 2 stamp 9\nflush\nread 8 2\nwrite 20 1 zeros fua\nread 20 1\n";
    let script =
        format!("# Old story.\ndisk 512\nlayer sqlite 64\n{noise}write 1 3 stamp 1\nunmap 1 3\n{noise}read 1 3\n");
    place.write("long.script", &script);
    let ran = place.run(&format!("minimize long.script {FAULT}"));
    ran.says_first(0, "# operation ");
    assert!(ran.err.starts_with("shrunk from 13 operations to "), "{}", ran.err);
    let (_, short) = lines(&ran.out);
    assert!(short.len() <= 5 && short.iter().any(|line| line.starts_with("unmap")), "{short:?}");
    place.run(&format!("minimize long.script -o short.script {FAULT}")).says_first(0, "");
    assert_eq!(place.read("short.script"), ran.out);
    assert_eq!(place.read("long.script"), script);
    place.run("minimize long.script").refuses(&["long.script passes, so there is nothing to shrink\n"]);
}

#[test]
fn run_shows_a_fault_on_a_disk_of_ones_own() {
    let place = Place::new();
    place.write("some.script", "disk 512\nwrite 1 3 stamp 1\nunmap 1 3\nread 1 3\n");
    let ran = place.run(&format!("run sql:disk.dbhd;create=64K some.script --trace {FAULT}"));
    ran.says_first(1, "FAIL  operation 2, `read 1 3`: bytes differ in sector 3");
    assert!(ran.out.contains("the wrong bytes are sector 3 of operation 0, `write 1 3 stamp 1`"), "{}", ran.out);
    assert!(ran.out.contains("DIVERGES"), "{}", ran.out);
}

#[test]
fn a_gate_stops_when_it_has_found_enough() {
    let ran: Ran = Place::new().run("gate --scripts 100000 --plant LastSectorRefused");
    ran.says_first(1, "FAIL  ");
    assert!(ran.out.contains("\nStopped after 1"), "{}", ran.out);
}
