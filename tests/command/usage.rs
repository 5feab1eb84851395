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
    for options in ["--scripts 0", "--time 60", "--seed one", "--jobs 0", "--time 1s --scripts 5", "--plant Nothing"] {
        place.run(&format!("gate {options}")).refuses(&[options.split(' ').next().unwrap_or_default()]);
    }
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
