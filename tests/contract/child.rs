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
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "contract::child::plays_its_part", "--nocapture", "--test-threads=1"])
            .envs([(PART, part), (PLACE, place.to_str().unwrap())])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
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
        ("history", seed) => super::process_death::history(place.as_ref(), seed.parse().unwrap()),
        ("commit", cut) => super::process_death::commit(place.as_ref(), cut.parse().unwrap()),
        (other, _) => panic!("nobody plays {other}"),
    }
}
