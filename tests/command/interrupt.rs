//! Ctrl-C.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Place, Ran};

/// Sends SIGINT to a gate as soon as it has begun; how it ended, in a fraction of the time that it had been given.
fn interrupted(place: &Place, options: &str) -> Ran {
    std::fs::create_dir(place.path("layers")).expect("a directory");
    let start = Instant::now();
    let child = place
        .command(&format!("gate --time 60s --dir layers {options}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command");
    let layers = || std::fs::read_dir(place.path("layers")).expect("a directory").count();
    while layers() == 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "the gate does not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(500));
    let killed = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().expect("a shell");
    assert!(killed.success());
    let ran = child.wait_with_output().expect("an end").into();
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(layers(), 0, "temporary files are left");
    ran
}

#[test]
fn ctrl_c_ends_a_gate_with_a_report_and_leaves_nothing_behind() {
    let place = Place::new();
    let ran = interrupted(&place, "--json report.json");
    ran.says_first(130, "STOP  ");
    let report: serde_json::Value = serde_json::from_str(&place.read("report.json")).expect("a report");
    assert_eq!(report["verdict"], "interrupted");
    assert!(report["scripts"].as_u64() > Some(0) && ran.out.contains("a read into a poisoned buffer"), "{report:#}");
}

#[test]
fn ctrl_c_after_a_finding_is_a_failure() {
    interrupted(&Place::new(), "--plant UnmapMissesLast").says_first(1, "FAIL  ");
}
