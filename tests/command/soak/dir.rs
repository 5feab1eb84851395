//! The directory of a soak: what in it and because of it is removed, changed or refused.

use std::path::Path;

use serde_json::json;

use super::super::{Place, Ran};

/// So little time that nothing is run.
const SHORT: &str = "--for 40ms --jobs 1 --no-fuzz";

/// A place with a soak in it.
fn soaked() -> Place {
    let place = Place::new();
    place.run(&format!("soak {SHORT}")).says_first(1, "FAIL  too little was exercised: ");
    place
}

/// Changes the state of the soak.
fn change(place: &Place, path: &str, value: serde_json::Value) {
    let mut state: serde_json::Value = serde_json::from_str(&place.read("soak/state.json")).expect("a state");
    *state.pointer_mut(path).expect("a field") = value;
    place.write("soak/state.json", state.to_string());
}

#[test]
fn a_state_file_has_nothing_removed_but_a_workplace() {
    let place = soaked();
    let made = |name: &str| {
        std::fs::create_dir_all(place.path(name)).expect("a directory");
        place.write(&format!("{name}/file"), "precious");
        place.path(name)
    };
    let gone_on = |left: &Path| {
        change(&place, "/workplace", json!(left));
        let mut command = place.command(&format!("soak {SHORT}"));
        let ran: Ran = command.env("TMPDIR", place.path("tmp")).output().expect("the command").into();
        ran.says_first(1, "FAIL  too little was exercised: ");
        left.join("file").exists()
    };
    let left = made("tmp/disklayer-left");
    assert!(!gone_on(&left), "temporary files are left");
    for name in
        ["disklayer-elsewhere", "tmp/precious", "tmp/disklayer-left/inner", "tmp/disklayer-left/disklayer-inner"]
    {
        let precious = made(name);
        assert!(gone_on(&precious), "{name} is gone");
    }
    let above = place.path("tmp/disklayer-left/..");
    assert!(gone_on(&above) || place.path("tmp/precious/file").exists(), "tmp is gone");
}

#[test]
fn a_directory_that_is_not_a_soaks_stays_as_it_is() {
    let place = Place::new();
    std::fs::create_dir(place.path("mine")).expect("a directory");
    place.write("mine/lock", "precious");
    place.write("mine/state.json", "{}");
    place.run(&format!("soak --dir mine {SHORT}")).refuses(&["mine/state.json"]);
    assert_eq!((place.read("mine/lock").as_str(), place.read("mine/state.json").as_str()), ("precious", "{}"));
    assert!(!place.path("mine/findings").exists());
}

#[test]
fn a_soak_that_has_found_nothing_is_replayed_and_passes() {
    let place = soaked();
    for path in ["soak", "soak/findings", "soak soak"] {
        let ran = place.run(&format!("replay {path}"));
        ran.says_first(0, "PASS  nothing was found, so there is nothing to run again\n");
        assert!(ran.out.contains("\nsoak"), "{}", ran.out);
    }
    place.write("some.script", "disk 512\nlayer ram 8\nread 0 1\n");
    let ran = place.run("replay soak some.script");
    ran.says_first(0, "PASS  1 script, ");
    assert!(ran.out.contains("\nsoak: this soak has found nothing\n"), "{}", ran.out);
    // What was found and is gone, a directory in it that is not its own, and one of nobody's: nothing is known of them.
    std::fs::create_dir_all(place.path("soak/empty")).expect("a directory");
    std::fs::create_dir_all(place.path("empty/findings")).expect("a directory");
    for path in ["soak/empty", "empty", "empty/findings"] {
        place.run(&format!("replay {path}")).refuses(&[path, "no file *.script"]);
    }
    change(&place, "/version", json!(2));
    place.run("replay soak").refuses(&["soak and the directories in it have no file *.script"]);
}

#[test]
fn a_finding_that_was_lost_is_no_soak_without_one() {
    let place = Place::new();
    let options = "--for 4s --slice 200ms --no-fuzz --plant UnmapMissesLast";
    place.run(&format!("soak {options}")).says_first(1, "FAIL  ");
    std::fs::remove_dir_all(place.path("soak/findings")).expect("findings");
    place.run("replay soak").refuses(&["no file *.script"]);
}

#[test]
fn a_damaged_state_is_told_when_it_is_read() {
    let damage = [
        ("/wanted_seconds", json!(1e300), "wanted_seconds is 1e300"),
        ("/wanted_seconds", json!(-1.0), "wanted_seconds is -1e0"),
        ("/spent_seconds", json!(1e300), "spent_seconds is 1e300"),
        ("/spent_seconds", json!("long"), "invalid type"),
        ("/starts", json!(u64::MAX), "starts is 18446744073709551615"),
        ("/lanes", json!([]), "no lane of the suite `layers`"),
        ("/lanes/0/suite", json!("no such suite"), "lane `layers`: there is no suite `no such suite`"),
        ("/lanes/0/fuzz", json!("script"), "lane `layers`: fuzz is `script`"),
        ("/lanes/0/features", json!(1_u64 << 63), "lane `layers`: features is "),
        ("/lanes/0/next", json!(u64::MAX), "next is "),
        ("/lanes/0/executions", json!(u64::MAX), "executions is "),
        ("/lanes/0/credit", json!(-1e300), "credit is "),
        ("/curve", json!([{"at": 1e300, "executions": 0, "features": 0, "findings": 0}]), "at is 1e300"),
    ];
    let place = soaked();
    let sound = place.read("soak/state.json");
    for (path, value, told) in damage {
        place.write("soak/state.json", &sound);
        change(&place, path, value);
        place.run(&format!("soak {SHORT}")).refuses(&[
            "soak/state.json",
            " is damaged",
            told,
            "remove it, or use another --dir",
        ]);
    }
    place.write("soak/state.json", &sound);
    change(&place, "/version", json!(2));
    place.run(&format!("soak {SHORT}")).refuses(&["soak/state.json", "version 2", "remove it, or use another --dir"]);
    place.write("soak/state.json", &sound);
    place.run(&format!("soak {SHORT}")).says_first(1, "FAIL  too little was exercised: ");
}

#[test]
fn a_time_that_nobody_waits_for_is_refused() {
    let place = Place::new();
    for option in ["--slice", "--hang"] {
        place.run(&format!("soak --for 40ms {option} 18446744073709551615s")).refuses(&[option]);
    }
    place.run("soak --for 18446744073709551615s").refuses(&["--for", "at most 100 years"]);
    assert!(!place.path("soak").exists());
}

#[test]
fn fuzz_targets_that_are_asked_for_are_not_left_out_in_silence() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).expect("a directory");
    for dir in ["nowhere", "empty"] {
        place.run(&format!("soak --for 40ms --jobs 1 --fuzz {dir}")).refuses(&[dir, "no workspace of fuzz targets"]);
    }
    assert!(!place.path("soak").exists());
    place.run("soak --for 40ms --jobs 1").says_first(1, "FAIL  too little was exercised: ");
}
