//! The text of what several threads do.

use disklayer_sqlite::error::ErrorKind;
use disklayer_sqlite::harness::{World, prove};
use disklayer_sqlite::script::{Profile, Script, Suite};

use super::search::script;

#[test]
fn a_thread_and_where_it_gives_way_are_read_back() {
    for case in 0..200 {
        let script = script(case);
        assert_eq!(script.to_string().parse::<Script>().unwrap(), script);
        assert_eq!(format!("{script:?}").parse::<Script>().unwrap(), script);
        for simpler in script.simpler() {
            assert_eq!(format!("{simpler:?}").parse::<Script>().unwrap(), simpler);
        }
    }
    let text = "disk 512\nlayer ram 4\n1 yields 0 3| write 0 4 stamp 1\n2| read 0 4\n";
    assert_eq!(text.parse::<Script>().unwrap().to_string(), text);
}

#[test]
fn a_wrong_turn_is_named_with_what_was_expected() {
    let cases = [
        ("0| read 0 1", "the number of a thread from 1 to 8"),
        ("9| read 0 1", "the number of a thread from 1 to 8"),
        ("x| read 0 1", "the number of a thread from 1 to 8, not `x`"),
        ("1 waits| read 0 1", "`yields` and the numbers of steps"),
        ("1 yields x| read 0 1", "the number of a step, not `x`"),
        ("1 yields 300| read 0 1", "the number of a step, not `300`"),
        ("1| reopen", "a thread's own operation"),
        ("1| push ram", "a thread's own operation"),
        ("1| read 0 1 ! cut after 1 writes, lose all", "a `!` only on a line without a `|`"),
        ("1| layer ram 4", "a `|` only before an operation"),
    ];
    for (line, expected) in cases {
        let text = format!("disk 512\nlayer ram 4\n{line}");
        let error = text.parse::<Script>().expect_err(line);
        assert_eq!(error.kind(), ErrorKind::Syntax);
        assert!(error.to_string().contains(expected), "{line:?} gave {error}");
    }
}

#[test]
fn deleting_any_line_leaves_a_script_of_threads_that_passes() {
    let mut world = World::new(None).unwrap();
    let profile = Profile { max_ops: 16, ..Profile::new(Suite::Threads) };
    for case in 0..8 {
        let script = Script::generate(&profile, &mut disklayer_sqlite::script::SeedChoices::new(5, case));
        let shorter = (0..script.lines.len()).map(|at| script.without_ops(at..at + 1));
        for script in shorter.chain(script.simpler()) {
            prove(&script, &mut world).unwrap();
        }
    }
}

#[test]
fn the_same_script_of_threads_gives_the_same_trace() {
    let mut world = World::new(None).unwrap();
    for case in 0..60 {
        let summaries = [(); 2].map(|()| prove(&script(case), &mut world).unwrap());
        assert_eq!(summaries[0], summaries[1], "case {case}");
    }
}
