//! `disklayer selftest`: faults are found and told of, and one that is not found is a failure.

use super::Place;

#[test]
fn faults_are_found_and_the_verdict_comes_first() {
    let place = Place::new();
    let ran =
        place.run("selftest --seeds 2 --fault ZeroWriteDeletes --fault OracleFillsOver --compare uniform --json j");
    ran.says_first(0, "PASS  2 of 2 planted faults found with 2 seeds");
    assert!(ran.out.contains("A plain uniform generator misses"), "{}", ran.out);
    let report: serde_json::Value = serde_json::from_str(&place.read("j")).expect("JSON");
    let trials = report["faults"][0]["trials"].as_array().expect("trials");
    assert!(trials.len() == 2 && trials.iter().all(|trial| trial["found"]["same"] == true), "{report:#}");
}

#[test]
fn a_fault_that_is_not_found_is_named_and_is_a_failure() {
    let place = Place::new();
    let ran = place.run("selftest --seeds 1 --scripts 1 --fault OracleTakesAnyOrder");
    ran.says_first(1, "FAIL  0 of 1 planted fault found");
    assert!(ran.out.contains("OracleTakesAnyOrder was not found in 1 scripts"), "{}", ran.out);
}

#[test]
fn a_name_that_no_fault_has_brings_those_that_are_near() {
    let place = Place::new();
    for (name, near) in [("zerowritedelete", "ZeroWriteDeletes"), ("UnmapMisesLast", "UnmapMissesLast")] {
        for line in ["selftest --fault", "gate --plant"] {
            let ran = place.run(&format!("{line} {name}"));
            ran.refuses(&[&format!("there is no fault {name}"), near, "src/fault/list.rs"]);
            assert!(ran.err.lines().next().is_some_and(|line| line.len() < 200), "{}", ran.err);
        }
    }
    let ran = place.run("selftest --fault 1234");
    ran.refuses(&["there is no fault 1234", "src/fault/list.rs"]);
    assert!(!ran.err.contains("near"), "{}", ran.err);
}
