//! The contract, rule by rule: each test's name begins with the number of the rule that it is a claim of.
#![allow(clippy::unwrap_used)]

mod bounds;
mod cache;
mod check;
mod child;
mod clusters;
mod commit;
mod contenders;
mod create;
mod damage;
mod failing_disk;
mod flush;
mod format;
mod full_disk;
mod gate;
mod hostile;
mod import;
mod in_the_way;
mod large;
mod mapped;
mod media;
mod one_writer;
mod open;
mod original;
mod parent;
mod power;
mod power_cut;
mod process_death;
mod quicker;
mod read_only;
mod reopened;
mod requests;
mod rewrite;
mod rewrite_failing;
mod sectors;
mod shape;
mod sizes;
mod space;
mod spy;
mod threads;
mod unfinished;
mod unmap;
mod vfs;
mod waiting;
mod write_through;

/// The rules, in the words of their headings.
const RULES: [(u32, &str); 24] = [
    (1, "Bounds"),
    (2, "Zero length"),
    (3, "Whole sectors"),
    (4, "Read"),
    (5, "Write"),
    (6, "Unmap"),
    (7, "No-overwrite"),
    (8, "Failure"),
    (9, "Shape"),
    (10, "Sizes"),
    (11, "Cache"),
    (12, "Write through"),
    (13, "Read only"),
    (14, "Parent"),
    (15, "Flush"),
    (16, "Prefix"),
    (17, "Process death"),
    (18, "Failing disk"),
    (19, "Open"),
    (20, "Create"),
    (21, "One writer"),
    (22, "Compatibility"),
    (23, "Concurrency"),
    (24, "Bounds of space"),
];

/// The tests of this directory, by name.
fn tests() -> Vec<String> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract");
    let sources = std::fs::read_dir(directory).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()));
    sources.flat_map(|source| tests_of(&source.unwrap())).collect()
}

fn tests_of(source: &str) -> Vec<String> {
    let after = source.split("#[test]").skip(1).filter_map(|text| text.split_once("fn ")?.1.split_once('('));
    after.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_rule_has_a_test_that_is_named_after_it() {
    let tests = tests();
    for (number, heading) in RULES {
        let prefix = format!("rule_{number:02}_");
        assert!(tests.iter().any(|test| test.starts_with(&prefix)), "no test of rule {number}, {heading}");
    }
    let known = |test: &str| RULES.iter().any(|(number, _)| test.starts_with(&format!("rule_{number:02}_")));
    assert!(tests.iter().filter(|test| test.starts_with("rule_")).all(|test| known(test)), "a test of no rule");
}
