//! Other processes: this test binary once more, with a part to play.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child as Process, ChildStderr, Command, Stdio};

use disklayer_sqlite::layer::{Mode, Options, SqliteDiskLayer};

const PART: &str = "DISKLAYER_TEST_PART";
const PLACE: &str = "DISKLAYER_TEST_PLACE";

/// A process that plays a part; it is killed when this is dropped.
pub(super) struct Child {
    process: Process,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Child {
    pub(super) fn start(part: &str, place: &Path) -> Self {
        Self::of(command(part, place))
    }

    /// The same, by a command that ends in that of [`command`].
    pub(super) fn of(mut command: Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        Self { process, lines }
    }

    /// What the child says next; `None` when it has ended.
    pub(super) fn line(&mut self) -> Option<String> {
        self.lines.next().map(Result::unwrap)
    }

    /// The child must say this next.
    #[track_caller]
    pub(super) fn expect(&mut self, wanted: &str) {
        assert_eq!(self.line().as_deref(), Some(wanted));
    }

    /// Lets the child go on, where it waits for a line.
    pub(super) fn go(&mut self) {
        self.process.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }

    /// Lets the child end in its own way.
    pub(super) fn finish(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success());
    }

    /// Ends the child at once, as `kill -9` does.
    pub(super) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// This test binary once more, to play a part.
pub(super) fn command(part: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "contract::child::plays_its_part", "--nocapture", "--test-threads=1"])
        .envs([(PART, part), (PLACE, place.to_str().unwrap())]);
    command
}

/// The same command after a line of shell, which ends in `exec "$@"`.
#[cfg(unix)]
pub(super) fn after(line: &str, part: &str, place: &Path) -> Command {
    within(["sh", "-c", line, "sh"].map(Into::into).into(), part, place)
}

/// The same, where it may mount what nobody else sees.
#[cfg(target_os = "linux")]
pub(super) fn in_a_namespace(line: &str, part: &str, place: &Path) -> Command {
    let words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", line, "sh"];
    within(words.map(Into::into).into(), part, place)
}

#[cfg(unix)]
fn within(words: Vec<std::ffi::OsString>, part: &str, place: &Path) -> Command {
    let inner = command(part, place);
    let mut outer = Command::new(&words[0]);
    outer.args(&words[1..]).arg(inner.get_program()).args(inner.get_args());
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer
}

/// Says a line to the parent.
pub(super) fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Returns when the parent lets the child finish.
fn wait_for_the_end() {
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// Opens the layer, says how that went, and holds it.
fn hold(place: &Path, mode: Mode) {
    match SqliteDiskLayer::open(place, mode, &Options::default()) {
        Ok(_layer) => {
            say("open");
            wait_for_the_end();
        }
        Err(error) => say(&format!("{:?}", error.kind())),
    }
}

/// Not a test of anything, but where a child process begins.
#[test]
fn plays_its_part() {
    let Ok(part) = std::env::var(PART) else { return };
    let place = std::env::var(PLACE).unwrap();
    match part.split_once(' ').unwrap_or((&part, "")) {
        ("writer", _) => hold(place.as_ref(), Mode::ReadWrite),
        ("reader", _) => hold(place.as_ref(), Mode::ReadOnly),
        ("life", life) => super::process_death::live(place.as_ref(), life),
        ("fill", limit) => super::full_disk::fill(place.as_ref(), limit.parse().unwrap()),
        ("overfill", limit) => super::full_disk::overfill(place.as_ref(), limit.parse().unwrap()),
        ("count", turns) => super::contenders::count(place.as_ref(), turns.parse().unwrap()),
        ("format", _) => super::contenders::format_for_ever(place.as_ref()),
        ("create", stamp) => super::contenders::create_first(place.as_ref(), stamp.parse().unwrap()),
        ("import", format) => super::unfinished::import_by_parts(place.as_ref(), format.parse().unwrap()),
        ("locked", _) => super::contenders::on_locked_media(place.as_ref()),
        ("commit", cut) => super::process_death::commit(place.as_ref(), cut.parse().unwrap()),
        (other, _) => panic!("nobody plays {other}"),
    }
}
