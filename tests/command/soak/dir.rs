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
