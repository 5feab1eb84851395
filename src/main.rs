//! The command `disklayer`: proves disk layers right, and replays what was once found wrong.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
