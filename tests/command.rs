//! The command `disklayer`, from outside.

use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

mod check;
#[rustfmt::skip]
mod emitted;
mod findings;
mod gate;
mod hostile;
#[cfg(unix)]
mod interrupt;
mod pictures;
mod replay;
mod rewrite;
mod run;
mod selftest;
mod shards;
#[cfg(unix)]
mod soak;
mod usage;

/// A directory that the command runs in.
struct Place {
    directory: TempDir,
}

/// What the command has said.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        Self { directory: TempDir::new().expect("a directory for the test") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).expect("a file");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file")
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_disklayer"));
        command.current_dir(self.directory.path()).env_remove("DISKLAYER_CACHE_DIR").args(line.split_whitespace());
        command
    }

    /// Runs `disklayer` with the words of `line`.
    fn run(&self, line: &str) -> Ran {
        self.command(line).output().expect("the command").into()
    }

    /// The report of a gate with these options.
    fn report(&self, options: &str) -> serde_json::Value {
        self.run(&format!("gate --json report.json {options}"));
        serde_json::from_str(&self.read("report.json")).expect("a report in JSON")
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    /// That it ended with `code`, and what stdout says first.
    fn says_first(&self, code: i32, start: &str) -> &Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        assert!(self.out.starts_with(start), "{}", self.out);
        self
    }

    /// That it could not be done, and one sentence on stderr has all of `parts`.
    fn refuses(&self, parts: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (Some(2), ""), "{}", self.err);
        assert!(self.err.starts_with("error: "), "{}", self.err);
        parts.iter().for_each(|part| assert!(self.err.contains(part), "{part}: {}", self.err));
    }
}
