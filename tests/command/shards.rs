//! Parts of a gate, run anywhere and joined again.

use serde_json::Value;

use super::{Place, Ran};

/// The joined report of `of` shards of a gate with these options, and what `merge` said.
fn joined(place: &Place, options: &str, of: u32) -> (Value, Ran) {
    for number in 1..=of {
        place.run(&format!("gate {options} --shard {number}/{of} --json {number}.json"));
    }
    let names: Vec<_> = (1..=of).map(|number| format!("{number}.json")).collect();
    let ran = place.run(&format!("merge --json joined.json {}", names.join(" ")));
    (serde_json::from_str(&place.read("joined.json")).expect("a report in JSON"), ran)
}

/// A report without what depends on who ran it, and how fast.
fn told(mut report: Value) -> Value {
    for field in ["jobs", "seconds"] {
        report.as_object_mut().expect("a report").remove(field);
    }
    report
}

#[test]
fn the_shards_together_are_the_whole_run() {
    let place = Place::new();
    let whole = place.report("--scripts 1000 --states 6");
    let states = whole["power_cuts"]["permitted"].as_object().unwrap();
    assert!(states.len() > 2 && states.contains_key("1"), "a layer might be in so many states: {states:?}");
    for of in [1, 3, 7] {
        let (joined, ran) = joined(&place, "--scripts 1000 --states 6", of);
        ran.says_first(0, "PASS  1000 scripts, ");
        assert_eq!(told(joined), told(whole.clone()), "{of} shards");
    }
    assert_ne!(place.report("--scripts 1000 --shard 1/2")["trace"], whole["trace"]);
}

#[test]
fn shards_without_an_end_have_nothing_in_common() {
    let place = Place::new();
    let trace = |shard: &str| place.report(&format!("--time 200ms --jobs 1 --shard {shard}"));
    let (one, two) = (trace("1/2"), trace("2/2"));
    assert!(one["scripts"].as_u64() > Some(0) && two["scripts"].as_u64() > Some(0));
    let whole = place.report(&format!("--scripts {}", one["scripts"]));
    assert_eq!(one["trace"], whole["trace"]);
    assert_ne!(place.report(&format!("--scripts {}", two["scripts"]))["trace"], two["trace"]);
}

#[test]
fn a_finding_of_several_shards_is_one_and_fails_the_whole() {
    let place = Place::new();
    let options = "--scripts 40 --jobs 1 --plant UnmapMissesLast";
    let whole = place.report(options);
    let (joined, ran) = joined(&place, options, 2);
    ran.says_first(1, "FAIL  40 scripts, ");
    assert_eq!(joined["divergences"], whole["divergences"]);
    let differs = |report: &Value| {
        let findings = report["findings"].as_array().expect("findings");
        let mut differs: Vec<_> = findings.iter().map(|finding| finding["differs"].to_string()).collect();
        differs.sort_unstable();
        differs
    };
    assert_eq!(differs(&joined), differs(&whole));
    let times = |report: &Value| -> u64 {
        report["findings"].as_array().expect("findings").iter().filter_map(|finding| finding["times"].as_u64()).sum()
    };
    assert_eq!(times(&joined), times(&whole));
}

#[test]
fn a_missing_shard_is_a_failure_and_what_is_demanded_is_judged_on_the_sum() {
    let place = Place::new();
    let (report, ran) = joined(&place, "--scripts 2100", 3);
    ran.says_first(0, "PASS  2100 scripts, ");
    assert!(report["shard"].is_null());
    place.run("merge --junit junit.xml 1.json 3.json").says_first(1, "FAIL  1400 scripts, ");
    assert!(place.read("junit.xml").contains("there is no report of shard 2/3"));
    // The same counts, but for the sight of files: no part is large enough to be judged by its shares alone.
    for number in 1..=3 {
        let name = format!("{number}.json");
        let mut part: Value = serde_json::from_str(&place.read(&name)).expect("a report");
        assert_eq!(part["unmet"].as_array().map(Vec::len), Some(0));
        let sights = part["sights"].as_array_mut().expect("sights");
        let files = sights.iter_mut().find(|sight| sight["what"] == "SQLite layers in files with a log");
        files.expect("files")["count"] = 0.into();
        place.write(&name, part.to_string());
    }
    let ran = place.run("merge 1.json 2.json 3.json");
    ran.says_first(1, "FAIL  2100 scripts, ");
    assert!(ran.out.contains("0.0 % of the scripts had SQLite layers in files with a log"), "{}", ran.out);
}

#[test]
fn no_count_is_too_large_to_be_added() {
    let place = Place::new();
    joined(&place, "--scripts 60", 2);
    for (number, field) in [(1, "operations"), (2, "sectors_compared")] {
        let name = format!("{number}.json");
        let mut part: Value = serde_json::from_str(&place.read(&name)).expect("a report");
        part[field] = u64::MAX.into();
        place.write(&name, part.to_string());
    }
    place.run("merge 1.json 2.json").says_first(0, "PASS  60 scripts, ");
}

#[test]
fn a_report_is_not_written_over_another() {
    let place = Place::new();
    joined(&place, "--scripts 60", 2);
    let one = place.read("1.json");
    place.run("merge --json 1.json 1.json 2.json").refuses(&["1.json"]);
    place.run("merge --json sum --junit sum 1.json 2.json").refuses(&["sum"]);
    assert_eq!(place.read("1.json"), one);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let place = Place::new();
    joined(&place, "--scripts 60", 2);
    place.run("gate --scripts 60 --seed 2 --shard 2/2 --json other.json");
    place.run("merge 1.json other.json").refuses(&["1.json and other.json", "not of the same run"]);
    place.run("merge 1.json 2.json 1.json").refuses(&["the same scripts"]);
    place.run("merge missing.json").refuses(&["missing.json", "not found"]);
    place.write("odd.json", "{}");
    place.run("merge odd.json").refuses(&["odd.json", "is not a report"]);
    // The whole of another run has other scripts in its second half.
    for options in ["--scripts 90", "--time 50ms", "--scripts 60 --states 1"] {
        place.run(&format!("gate {options} --shard 2/2 --json other.json"));
        place.run("merge 1.json other.json").refuses(&["1.json and other.json", "the number of scripts"]);
    }
    let mut odd: Value = serde_json::from_str(&place.read("2.json")).expect("a report");
    odd["shard"]["of"] = u64::MAX.into();
    place.write("odd.json", odd.to_string());
    place.run("merge odd.json").refuses(&["odd.json", "is not a report"]);
    for shard in ["0/2", "3/2", "1", "1/x", "1/100000"] {
        place.run(&format!("gate --shard {shard}")).refuses(&["--shard", "NUMBER/OF"]);
    }
}
