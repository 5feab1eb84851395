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
