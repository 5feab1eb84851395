//! The command line. Time, chance, environment and arguments enter here and nowhere else.
//!
//! The exit code is 0 if everything passed, 1 if system and oracle differ (or the gate did not exercise what it must),
//! 2 if the command cannot be done as it was given, or not where it runs, with a sentence on stderr, and 130 after Ctrl-C
//! with nothing found.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use disklayer_sqlite::error::{Error, Result};

mod artifacts;
mod bar;
mod check;
mod gate;
mod hostile;
mod import;
mod inputs;
mod interrupt;
mod live;
mod minimize;
mod outputs;
mod picture;
mod place;
mod plant;
mod quiet;
mod replay;
mod rewrite;
mod run;
mod scripts;
mod selftest;
mod soak;
mod table;
mod trace;

use plant::Plant;
use quiet::quietly;

/// Proves disk layers right: random scripts run on real stacks and on a plain oracle, and every byte is compared.
#[derive(Parser)]
#[command(name = "disklayer", version, max_term_width = 100)]
#[command(after_help = "\
Exit codes: 0 passed, 1 system and oracle differ, 2 bad usage, 130 interrupted with nothing found; \
`check` has those of fsck.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    plant: Plant,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Check),
    Compact(rewrite::Compact),
    Gate(gate::Gate),
    Hostile(hostile::Hostile),
    Import(import::Import),
    Replay(replay::Replay),
    Merge(gate::Merge),
    Minimize(minimize::Minimize),
    Run(run::Run),
    Selftest(selftest::Selftest),
    Upgrade(rewrite::Upgrade),
    Soak(soak::Soak),
    #[command(hide = true)]
    Draw(picture::Draw),
    #[command(hide = true)]
    Live(live::Live),
    #[command(hide = true)]
    Slice(gate::Slice),
}

/// What the shell is told if a command was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Pass,
    Fail,
    Interrupted,
    /// What a command has its own codes for.
    Code(u8),
}

pub(crate) fn main() -> ExitCode {
    let Cli { command, plant } = match Cli::try_parse() {
        Ok(cli) => cli,
        // `check` has the codes of `fsck`.
        Err(wrong) if wrong.use_stderr() && std::env::args().nth(1).is_some_and(|word| word == "check") => {
            let _ = wrong.print();
            return ExitCode::from(16);
        }
        Err(wrong) => wrong.exit(),
    };
    quiet::listen();
    let verdict = interrupt::listen().and_then(|()| plant.within(|| command.execute(plant)));
    match verdict {
        Ok(Verdict::Pass) => ExitCode::SUCCESS,
        Ok(Verdict::Fail) => ExitCode::from(1),
        Ok(Verdict::Interrupted) => ExitCode::from(130),
        Ok(Verdict::Code(code)) => ExitCode::from(code),
        Err(error) => {
            note(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

impl Command {
    fn execute(self, plant: Plant) -> Result<Verdict> {
        match self {
            Self::Check(check) => check.execute(),
            Self::Compact(compact) => compact.execute(),
            Self::Gate(gate) => gate.execute(plant),
            Self::Hostile(hostile) => hostile.execute(plant),
            Self::Import(import) => import.execute(),
            Self::Replay(replay) => replay.execute(),
            Self::Merge(merge) => merge.execute(),
            Self::Minimize(minimize) => minimize.execute(),
            Self::Run(run) => run.execute(),
            Self::Selftest(selftest) => selftest.execute(),
            Self::Upgrade(upgrade) => upgrade.execute(),
            Self::Soak(soak) => soak.execute(plant),
            Self::Draw(draw) => draw.execute(),
            Self::Slice(slice) => slice.execute(plant),
            Self::Live(live) => live.execute(),
        }
    }
}

/// Writes to stdout. That nobody reads on is no failure.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::from_io("writing to stdout", error)),
        _ => Ok(()),
    }
}

/// Writes a line to stderr, if that can be done.
fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// `word` as a shell takes it.
fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
