//! The soak: it fails when there is something to find, and nothing that ends it loses what it has.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Place, Ran};

mod dir;

const FAULT: &str = "--plant UnmapMissesLast";

fn json(place: &Place, name: &str) -> Option<Value> {
    serde_json::from_str(&std::fs::read_to_string(place.path(name)).ok()?).ok()
}

fn report(place: &Place) -> Value {
    json(place, "soak/report.json").expect("a report in JSON")
}

/// What differs in the findings.
fn differs(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().expect("findings");
    findings.iter().map(|finding| finding["differs"].as_str().expect("text").to_owned()).collect()
}

fn start(place: &Place, options: &str) -> Child {
    let mut command = place.command(&format!("soak {options}"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command")
}

/// Waits until something is so.
pub(super) fn wait_for<T>(mut what: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = what() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "it does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(super) fn signal(name: &str, process: u32) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status().expect("a shell");
    assert!(sent.success());
}

#[test]
fn a_short_soak_finds_a_fault_tells_it_once_and_reports_it_in_every_way() {
    let place = Place::new();
    place.run(&format!("soak --for 6s --slice 200ms {FAULT}")).says_first(1, "FAIL  ");
    let report = report(&place);
    let told = differs(&report);
    assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len(), "{told:?}");
    let times = report["findings"].as_array().expect("findings").iter().filter_map(|finding| finding["times"].as_u64());
    assert!(times.sum::<u64>() > told.len() as u64, "{told:?}");
    let file = report["findings"][0]["file"].as_str().expect("a file").to_owned();
    place.run(&format!("replay {file} {FAULT}")).says_first(1, "FAIL  1 of 1 script: the same way as saved\n");
    place.run("replay soak").says_first(0, "PASS  ");
    let junit = quick_junit::Report::deserialize_from_str(&place.read("soak/report.xml")).expect("a JUnit file");
    let lanes = junit.test_suites.iter().filter(|suite| suite.name.as_str() != "exercise");
    assert_eq!(lanes.map(|suite| suite.failures).sum::<usize>(), told.len());
    let html = place.read("soak/report.html");
    assert_eq!(html.matches("<h2 id=\"finding-").count(), told.len());
    assert!(
        html.matches("class=\"step wrong\"").count() >= told.len() / 2 && html.matches("class=\"curve\"").count() == 3
    );
    assert!(place.read("soak/report.txt").starts_with("FAIL  "));
    let points = report["curve"].as_array().expect("a curve");
    assert!(points.windows(2).all(|pair| pair[0]["executions"].as_u64() <= pair[1]["executions"].as_u64()));
}

#[test]
fn a_soak_without_a_finding_passes_and_has_run_every_suite() {
    let place = Place::new();
    place.run("soak --for 8s --slice 100ms").says_first(0, "PASS  nothing found: ");
    let report = report(&place);
    let lanes = report["lanes"].as_array().expect("lanes");
    assert!(lanes.len() == 9 && lanes.iter().all(|lane| lane["executions"].as_u64() > Some(0)), "{report:#}");
    assert!(report["features"].as_u64() > Some(1000), "{}", report["features"]);
    place.run("soak --for 9s --seed 2").refuses(&["seed 1"]);
    assert!(json(&place, "soak/state.json").expect("a state")["workplace"].is_null());
}

#[test]
fn too_little_time_for_every_suite_is_a_failure() {
    let place = Place::new();
    place.run("soak --for 200ms --slice 150ms --jobs 1").says_first(1, "FAIL  too little was exercised: ");
    assert!(place.read("soak/report.txt").contains("never run: threads"));
}

#[test]
fn a_soak_that_was_killed_goes_on_and_has_lost_nothing() {
    let place = Place::new();
    let mut child = start(&place, &format!("--for 6s --slice 300ms {FAULT}"));
    let before = wait_for(|| {
        let state = json(&place, "soak/state.json")?;
        (state["findings"].as_array()?.len() >= 3 && state["spent_seconds"].as_f64()? > 1.0).then_some(state)
    });
    child.kill().expect("SIGKILL");
    child.wait().expect("an end");
    let files = || std::fs::read_dir(place.path("soak/findings")).expect("findings").count();
    let kept = files();
    place.run(&format!("soak {FAULT}")).says_first(1, "FAIL  ");
    let after = report(&place);
    let known: BTreeSet<String> = differs(&after).into_iter().collect();
    assert!(differs(&before).iter().all(|finding| known.contains(finding)));
    assert!(known.len() >= kept && files() >= kept);
    assert_eq!(after["starts"].as_u64(), Some(2));
    assert!(after["executions"].as_u64() > Some(executions(&before)), "{after:#}");
    // It went on with the time that was left, and not with all of it again.
    let spent = after["spent_seconds"].as_f64().expect("seconds");
    assert!((5.9..30.0).contains(&spent) && after["wanted_seconds"] == 6.0, "{spent}");
    assert_eq!(after["curve"][0], before["curve"][0]);
    let left = before["workplace"].as_str().expect("a directory").to_owned();
    assert!(!std::path::Path::new(&left).exists(), "temporary files are left");
}

fn executions(state: &Value) -> u64 {
    state["lanes"].as_array().expect("lanes").iter().filter_map(|lane| lane["executions"].as_u64()).sum()
}

#[test]
fn ctrl_c_ends_a_soak_with_a_report_and_it_goes_on() {
    let place = Place::new();
    let child = start(&place, "--for 60s --slice 20s");
    wait_for(|| mark(&place));
    let second = place.run("soak");
    second.refuses(&["another soak is at work in soak"]);
    signal("INT", child.id());
    let ran: Ran = child.wait_with_output().expect("an end").into();
    ran.says_first(130, "STOP  interrupted, nothing found: ");
    assert!(ran.out.contains("to go on: disklayer soak --dir soak\n"), "{}", ran.out);
    let before = report(&place);
    assert!(before["executions"].as_u64() > Some(0), "what was done is counted");
    place.run("soak --for 1s --slice 300ms");
    assert!(report(&place)["executions"].as_u64() >= before["executions"].as_u64());
}

/// The mark of the first process, as soon as it runs scripts.
fn mark(place: &Place) -> Option<()> {
    let workplace = json(place, "soak/state.json")?["workplace"].as_str()?.to_owned();
    let mark = std::fs::read(std::path::Path::new(&workplace).join("0.mark")).ok()?;
    mark.get(8..16).is_some_and(|beats| beats.iter().any(|&byte| byte != 0)).then_some(())
}

/// Does something to the process that runs scripts; what the soak makes of it.
#[cfg(target_os = "linux")]
fn struck(place: &Place, name: &str, hang: &str) -> Value {
    let child = start(place, &format!("--for 6s --slice 20s --jobs 1 --hang {hang}"));
    wait_for(|| mark(place));
    // The thread that started it, and not the first, is its parent.
    let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).expect("threads");
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok());
    let slice = children.collect::<String>().split_whitespace().next().expect("a process").parse().expect("a number");
    signal(name, slice);
    let ran: Ran = child.wait_with_output().expect("an end").into();
    ran.says_first(1, "FAIL  1 finding: ");
    report(place)
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_crashes_is_a_finding_with_the_script_it_was_in() {
    let place = Place::new();
    let report = struck(&place, "ABRT", "60s");
    assert_eq!(differs(&report), ["process-crash"]);
    let finding = &report["findings"][0];
    let story = finding["story"].as_str().expect("a story");
    assert!(story.contains("signal: 6") && story.contains("Alone the script lives"), "{story}");
    let file = finding["file"].as_str().expect("a file");
    place.run(&format!("replay {file}")).says_first(0, "PASS  1 script, ");
    assert!(report["executions"].as_u64() > Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_hangs_is_killed_and_a_finding() {
    let place = Place::new();
    let report = struck(&place, "STOP", "500ms");
    assert_eq!(differs(&report), ["process-hang"]);
    assert!(report["findings"][0]["story"].as_str().expect("a story").contains("nothing happened for"));
}
