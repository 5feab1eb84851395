//! The gate, on code without a known fault.

use serde_json::Value;

use super::Place;

#[test]
fn the_verdict_is_the_first_line() {
    let ran = Place::new().run("gate --scripts 120");
    ran.says_first(0, "PASS  120 scripts, ");
    assert!(ran.out.lines().next().is_some_and(|line| line.contains(", seed 1, trace ")), "{}", ran.out);
}

#[test]
fn the_trace_depends_on_the_seed_and_not_on_the_jobs() {
    let place = Place::new();
    let trace = |options: &str| place.report(&format!("--scripts 300 {options}"))["trace"].clone();
    assert!(trace("--jobs 1").is_string());
    assert_eq!(trace("--jobs 1"), trace("--jobs 2"));
    assert_ne!(trace("--jobs 2"), trace("--jobs 2 --seed 2"));
}

#[test]
fn a_time_limit_leaves_the_trace_of_as_many_scripts() {
    let place = Place::new();
    let timed = place.report("--time 300ms");
    let counted = place.report(&format!("--scripts {}", timed["scripts"]));
    assert_eq!(timed["trace"], counted["trace"]);
}

#[test]
fn a_random_seed_is_told_and_can_be_used_again() {
    let place = Place::new();
    let drawn = place.report("--scripts 60 --seed random");
    let again = place.report(&format!("--scripts 60 --seed {}", drawn["seed"]));
    assert_eq!(drawn["trace"], again["trace"]);
    assert_ne!(drawn["seed"], place.report("--scripts 60 --seed random")["seed"]);
}

#[test]
fn the_total_is_the_sum_of_the_suites() {
    let report = Place::new().report("--scripts 300");
    let suites = report["suites"].as_array().expect("suites");
    assert_eq!(suites.len(), 9);
    for count in ["scripts", "operations", "refusals", "sectors_compared", "divergences"] {
        let sum: u64 = suites.iter().filter_map(|suite| suite[count].as_u64()).sum();
        assert_eq!(Some(sum), report[count].as_u64(), "{count}");
    }
    let met = |line: &Value| ["sqlite", "ram", "file"].iter().filter_map(|layer| line[layer].as_u64()).sum::<u64>();
    let operations: u64 = report["operations_by_layer"].as_array().expect("operations").iter().map(met).sum();
    assert_eq!(Some(operations), report["operations"].as_u64());
    assert_eq!((report["verdict"].as_str(), report["scripts"].as_u64()), (Some("pass"), Some(300)));
}

#[test]
fn a_run_of_nothing_does_not_pass() {
    let place = Place::new();
    for options in ["--time 1ns", "--scripts 1 --shard 1/4"] {
        let ran = place.run(&format!("gate {options}"));
        ran.says_first(1, "FAIL  0 scripts, ");
        assert!(ran.out.contains("no script was run"), "{}", ran.out);
    }
}

#[test]
fn numbers_without_measure_are_refused_or_done() {
    let place = Place::new();
    place.run("gate --time 500000000000y").refuses(&["--time", "longer"]);
    place.run("gate --states 18446744073709551615").refuses(&["--states", "1000000"]);
    place.run("gate --time 20ms --shard 65536/65536").says_first(0, "PASS");
}

#[test]
fn a_report_is_not_written_over_what_is_read_nor_over_another() {
    let place = Place::new();
    place.write("base.img", [7; 4096]);
    for output in ["--json base.img", "--junit base.img", "--json ./base.img"] {
        place.run(&format!("gate --scripts 20 --base base.img {output}")).refuses(&["base.img", "written over"]);
    }
    place.run("gate --scripts 20 --json both --junit both").refuses(&["both", "written over"]);
    place.run("gate --scripts 20 --failures base.img").refuses(&["--failures base.img", "not a directory"]);
    assert_eq!(std::fs::read(place.path("base.img")).expect("the base"), [7; 4096]);
}

#[test]
fn a_gate_meets_what_it_must() {
    let report = Place::new().report("--scripts 2500");
    assert_eq!(report["unmet"].as_array().map(Vec::len), Some(0), "{}", report["unmet"]);
    assert_eq!(report["verdict"].as_str(), Some("pass"));
}

#[test]
fn junit_has_a_passed_test_for_every_suite() {
    let place = Place::new();
    place.run("gate --scripts 60 --junit junit.xml").says_first(0, "PASS");
    let junit = quick_junit::Report::deserialize_from_str(&place.read("junit.xml")).expect("a JUnit file");
    let names: Vec<_> = junit.test_suites.iter().map(|suite| suite.name.to_string()).collect();
    assert_eq!(
        names,
        [
            "layers",
            "stacks",
            "caches",
            "reopen",
            "reshape",
            "huge",
            "power cuts",
            "failing drive",
            "threads",
            "exercise"
        ]
    );
    assert!(junit.test_suites.iter().all(|suite| suite.tests == 1 && suite.failures == 0));
}

#[test]
fn kills_are_counted_and_what_one_leaves_is_kept_if_it_is_wrong() {
    let place = Place::new();
    let report = place.report("--scripts 2 --kills 90");
    assert_eq!((report["verdict"].as_str(), report["kills"]["kills"].as_u64()), (Some("pass"), Some(90)));
    assert!(report["kills"]["midway"].as_u64() > Some(9), "{}", report["kills"]);
    assert!(place.report("--scripts 2")["kills"].is_null());
    let ran = place.run("gate --scripts 2 --kills 90 --jobs 1 --plant LogDeletedAtOpen --junit junit.xml");
    ran.says_first(1, "FAIL");
    assert!(ran.out.contains("a kill was not survived") && ran.out.contains("what might be lost:"), "{}", ran.out);
    let again = "`disklayer gate --scripts 1 --kills 90 --jobs 1 --seed 1 --plant LogDeletedAtOpen` kills again";
    assert!(ran.out.contains(again), "{}", ran.out);
    assert!(place.read("junit.xml").contains("what a killed process leaves is a prefix"));
    let kept = std::fs::read_dir(place.path("failures")).expect("failures").next().expect("a finding").expect("a name");
    let names: Vec<_> = std::fs::read_dir(kept.path()).expect("files").map(|file| file.expect("a name")).collect();
    assert!(!names.is_empty() && names.len() <= 2, "{names:?}");
}

#[test]
fn a_base_image_is_used_and_left_as_it_was() {
    let place = Place::new();
    // No number of sectors of 1024 bytes, and bytes that no script writes.
    let bytes: Vec<u8> = (0..33 * 512_u32).map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()[3]).collect();
    place.write("base.img", &bytes);
    let mut permissions = std::fs::metadata(place.path("base.img")).expect("the base").permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(place.path("base.img"), permissions).expect("a read-only base");
    let changed = || std::fs::metadata(place.path("base.img")).and_then(|info| info.modified()).expect("a time");
    let before = changed();
    let report = place.report("--scripts 300 --base base.img");
    assert_eq!(report["verdict"].as_str(), Some("pass"), "{report:#}");
    let reads = &report["operations_by_layer"][0];
    assert!(reads["operation"] == "read" && reads["file"].as_u64() > Some(50), "{reads}");
    let sights = report["sights"].as_array().expect("sights");
    let refused = sights.iter().find(|sight| sight["what"] == "a stack that is refused").expect("refused stacks");
    assert!(refused["count"].as_u64() < Some(15), "the base is in the way: {refused}");
    assert_eq!(std::fs::read(place.path("base.img")).expect("the base"), bytes);
    assert_eq!(changed(), before);
}

#[test]
fn nothing_is_left_behind() {
    let place = Place::new();
    std::fs::create_dir(place.path("layers")).expect("a directory");
    place.run("gate --scripts 60 --dir layers").says_first(0, "PASS");
    assert_eq!(std::fs::read_dir(place.path("layers")).expect("a directory").count(), 0);
    assert!(!place.path("failures").exists());
}

/// A file system of its own takes rights that not everybody has.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_is_full_ends_a_run_and_is_no_finding() {
    let place = Place::new();
    std::fs::create_dir(place.path("small")).expect("a directory");
    let run = |options: &str| {
        let inner = place.command(&format!("gate --scripts 6000 --dir small {options}"));
        let line = "mount -t tmpfs -o size=512k none small 2>/dev/null || exit 77; exec \"$@\"";
        let mut outer = std::process::Command::new("unshare");
        outer.args(["--user", "--map-root-user", "--mount", "sh", "-c", line, "sh"]).current_dir(place.path(""));
        outer.arg(inner.get_program()).args(inner.get_args()).output().map(super::Ran::from)
    };
    match run("") {
        Ok(ran) if ran.code != Some(77) && !ran.err.contains("unshare") => {
            ran.refuses(&["small is full", "--dir", "no space left"]);
            assert!(!place.path("failures").exists());
        }
        _ => return println!("no file system of its own here"),
    }
    run("--plant UnmapKeepsData").expect("the same").refuses(&["small is full", "is in failures"]);
    let found = std::fs::read_dir(place.path("failures")).expect("failures").map(|file| file.expect("a name").path());
    let found: Vec<_> = found.map(|path| std::fs::read_to_string(path).expect("a script")).collect();
    assert!(!found.is_empty() && found.iter().all(|script| !script.contains("no space left")), "{found:#?}");
}

#[test]
fn whoever_stops_listening_does_no_harm() {
    let mut child = Place::new()
        .command("gate --scripts 60")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the command");
    drop(child.stdout.take());
    let ran: super::Ran = child.wait_with_output().expect("an end").into();
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn twice_means_the_same_trace_twice() {
    let place = Place::new();
    place.run("gate --scripts 200 --twice").says_first(0, "PASS");
    let ran = place.run("gate --scripts 400 --suite power-cuts --states 0 --twice --plant CheckpointByTheWay --json j");
    ran.says_first(1, "FAIL");
    assert!(ran.out.contains("gave another trace the second time"), "{}", ran.out);
    assert!(place.read("j").contains("\"unequal\": ["));
}
