//! Ctrl-C, and a gate that is killed.

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

/// The children of a gate that work on a layer in `dir`.
#[cfg(target_os = "linux")]
fn children(dir: &std::path::Path) -> Vec<u32> {
    let dir = dir.to_str().expect("text");
    let words = |process: u32| std::fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let processes = std::fs::read_dir("/proc").expect("processes");
    let numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter(|&process| words(process).split('\0').nth(2).is_some_and(|place| place.starts_with(dir))).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn the_children_of_a_gate_that_is_killed_end_with_it() {
    use super::soak::{signal, wait_for};
    let place = Place::new();
    let layers = place.path("layers");
    std::fs::create_dir(&layers).expect("a directory");
    let line = format!("gate --suite layers --scripts 10 --kills 100000 --dir {}", layers.display());
    let mut gate = place.command(&line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command");
    // While it stands still, it kills none of them itself.
    wait_for(|| {
        signal("STOP", gate.id());
        std::thread::sleep(Duration::from_millis(50));
        let some = children(&layers);
        if some.is_empty() {
            signal("CONT", gate.id());
        }
        (!some.is_empty()).then_some(())
    });
    gate.kill().expect("SIGKILL");
    gate.wait().expect("an end");
    let start = Instant::now();
    while !children(&layers).is_empty() && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let left = children(&layers);
    left.iter().for_each(|&child| signal("KILL", child));
    assert!(left.is_empty(), "{left:?} go on");
}
