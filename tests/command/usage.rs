//! What cannot be done is said in one sentence, and the exit code is 2.

use super::Place;

#[test]
fn help_and_version_are_there() {
    let place = Place::new();
    place.run("--version").says_first(0, concat!("disklayer ", env!("CARGO_PKG_VERSION")));
    for command in ["", "gate ", "replay ", "minimize ", "run "] {
        let ran = place.run(&format!("{command}--help"));
        assert!(ran.code == Some(0) && ran.out.contains("Usage: disklayer"), "{}", ran.out);
    }
    assert!(place.run("run --help").out.contains("THE DISK IS CHANGED"));
}

#[test]
fn wrong_options_are_refused() {
    let place = Place::new();
    for options in
        ["--scripts 0", "--time 60", "--time 0s", "--seed one", "--jobs 0", "--time 1s --scripts 5", "--plant Nothing"]
    {
        place.run(&format!("gate {options}")).refuses(&[options.split(' ').next().unwrap_or_default()]);
    }
}

#[test]
fn a_number_without_a_seed_asks_for_the_seed_alone() {
    let ran = Place::new().run("replay --case 3");
    ran.refuses(&["required arguments were not provided:\n  --seed"]);
    let (asked, _) = ran.err.split_once("Usage").expect("how it is used");
    assert!(!asked.contains("FILE"), "{}", ran.err);
    Place::new().run("replay").refuses(&["<FILE>"]);
}

#[test]
fn wrong_paths_are_refused_before_anything_runs() {
    let place = Place::new();
    std::fs::create_dir(place.path("directory")).expect("a directory");
    place.write("odd.img", [0; 1000]);
    place.run("gate --base missing.img").refuses(&["missing.img", "not found"]);
    place.run("gate --base directory").refuses(&["directory is a directory"]);
    place.run("gate --base odd.img").refuses(&["odd.img", "not a whole number of sectors"]);
    place.run("gate --dir missing").refuses(&["missing", "not found"]);
    place.run("gate --json missing/report.json").refuses(&["missing/report.json"]);
    place.run("gate --junit missing/junit.xml").refuses(&["missing/junit.xml"]);
}

/// Nobody writes to the pipe, so whoever opens it waits.
#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused_and_not_waited_for() {
    let place = Place::new();
    let made = std::process::Command::new("mkfifo").arg(place.path("pipe")).status();
    assert!(made.expect("mkfifo").success());
    std::fs::create_dir(place.path("directory")).expect("a directory");
    let lines = [
        "replay pipe",
        "replay pipe --target script",
        "minimize pipe",
        "merge pipe",
        "hostile --case pipe",
        "hostile --case directory",
    ];
    for line in lines {
        let mut command = place.command(line);
        let (ended, end) = std::sync::mpsc::channel();
        let runner = std::thread::spawn(move || ended.send(super::Ran::from(command.output().expect("the command"))));
        let Ok(ran) = end.recv_timeout(std::time::Duration::from_secs(20)) else {
            std::fs::write(place.path("pipe"), "an end").expect("a pipe that is waited at");
            let _ = runner.join();
            panic!("{line} waits");
        };
        ran.refuses(&["is not a regular file"]);
    }
}

#[test]
fn what_is_not_text_is_named() {
    let place = Place::new();
    place.write("noise.script", [0xff; 100]);
    place.run("replay noise.script").refuses(&["noise.script is not text, as a script is"]);
    place.run("hostile --case noise.script").refuses(&["noise.script is not text, as a case is"]);
    place.run("merge noise.script").refuses(&["noise.script is not text, as a report is"]);
}

/// For the superuser everything can be read, so the command runs as somebody else then.
#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_refused() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    let place = Place::new();
    let allow = |name: &str, mode| {
        std::fs::set_permissions(place.path(name), std::fs::Permissions::from_mode(mode)).expect("permissions");
    };
    place.write("secret.img", [0; 1024]);
    place.write("secret.script", "disk 512\nlayer ram 8\nread 0 1\n");
    allow(".", 0o755);
    allow("secret.img", 0);
    allow("secret.script", 0);
    for line in ["gate --base secret.img", "replay secret.script", "run secret.img secret.script"] {
        let mut command = place.command(line);
        if std::fs::metadata(place.path(".")).expect("the directory").uid() == 0 {
            // The way to the binary may be closed to others. It is copied by another process: while this one has it
            // open to be written, and another test starts a child, it would be busy.
            let copy = place.path("disklayer");
            let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_disklayer")).arg(&copy).status();
            assert!(copied.expect("cp").success());
            let words: Vec<_> = line.split_whitespace().collect();
            command = Command::new(copy);
            command.args(words).current_dir(place.path(".")).uid(65534).gid(65534);
        }
        let ran: super::Ran = command.output().expect("the command").into();
        ran.refuses(&["secret", "permission denied"]);
    }
}
