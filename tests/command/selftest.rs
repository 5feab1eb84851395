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
    let ran = place.run("selftest --fault NoSuchThing");
    assert!(ran.code == Some(2) && ran.err.contains("no fault is called NoSuchThing"), "{}", ran.err);
}
