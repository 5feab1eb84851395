//! A process that did not live to tell: which script it was in, alone and as short as it gets.

use std::process::Command;
use std::time::{Duration, Instant};

use disklayer_sqlite::error::{Error, Result};
use disklayer_sqlite::harness::{Death, Divergence, minimize};
use disklayer_sqlite::script::Script;

use super::Board;
use super::child::{End, watch};
use super::lane::Lane;
use crate::cli::gate::{self, Finding, Slice};
use crate::cli::interrupt;

/// So long a script is shrunk, one process for each try.
const SHRINKING: Duration = Duration::from_secs(60);
/// So long one try may take.
const TRY: Duration = Duration::from_secs(5);

impl Board<'_> {
    /// The finding that a process died in script `case`.
    pub(super) fn died(
        &self,
        lane: &Lane,
        job: usize,
        seed: u64,
        case: u64,
        (death, how): (Death, String),
    ) -> Result<Finding> {
        let Ok(suite) = gate::suite(&lane.suite.replace(' ', "-")) else { unreachable!("a lane is a suite") };
        let script = Slice::script(seed, suite, case);
        let place = self.work.join(format!("{job}.script"));
        let found = match self.dies(&script, &place)? {
            None => {
                let how = format!("{how}\nAlone the script lives: what came before it matters, or chance.");
                Divergence::died(script, death, how)
            }
            Some(found) => self.shrunk(found, &place),
        };
        let finding = Finding::new(case, suite, &found);
        let by = format!("`disklayer soak --seed {seed}`, suite {}, script {case}", lane.suite);
        Ok(finding.written(&self.dir.path("findings"), &by, &self.plant.option()))
    }

    pub(super) fn shrunk(&self, found: Box<Divergence>, place: &std::path::Path) -> Box<Divergence> {
        let start = Instant::now();
        let mut shrunk = minimize(found, &mut |script| {
            if interrupt::requested() || start.elapsed() > SHRINKING {
                return Ok(());
            }
            self.dies(script, place).ok().flatten().map_or(Ok(()), Err)
        });
        // What it was doing last tells one such end from another.
        shrunk.step = shrunk.script.lines.len().checked_sub(1);
        shrunk
    }

    /// Runs a script in a process of its own; how that ended, if not as it should.
    pub(super) fn dies(&self, script: &Script, place: &std::path::Path) -> Result<Option<Box<Divergence>>> {
        let failed = |e| Error::from_io(format!("writing {}", place.display()), e);
        std::fs::write(place, script.to_string()).map_err(failed)?;
        let mut command = Command::new(&self.program);
        command.arg("replay").arg(place).arg("--dir").arg(&self.work);
        command.args(self.plant.option().split_whitespace());
        Ok(match watch(command, &|| 0, TRY)?.end {
            End::Code => None,
            End::Died(death, how) => Some(Divergence::died(script.clone(), death, how)),
        })
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
pub(super) mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Mutex;

    use super::super::dir::Dir;
    use super::super::fuzz::Fuzzers;
    use super::super::{Shared, state::State};
    use super::*;
    use crate::cli::plant::Plant;

    /// A board whose program dies of every script with an unmap: no layer does so any more.
    pub(in super::super) fn with_board(work: impl FnOnce(&Board<'_>)) {
        let place = tempfile::tempdir().unwrap();
        let program = place.path().join("program");
        std::fs::write(&program, "#!/bin/sh\nif grep -q '^unmap' \"$2\"; then kill -ABRT $$; fi\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let dir = Dir::take(&place.path().join("soak")).unwrap();
        work(&Board {
            start: Instant::now(),
            before: Duration::ZERO,
            slice: Duration::from_secs(1),
            hang: Duration::from_secs(1),
            plant: Plant::default(),
            program,
            work: place.path().to_owned(),
            dir: &dir,
            fuzzers: Fuzzers::none(),
            seeds: place.path().to_owned(),
            shared: Mutex::new(Shared { busy: Vec::new(), state: State::new(1, Duration::ZERO, 1) }),
        });
    }

    #[test]
    fn a_script_that_ends_its_process_is_shrunk_to_what_ends_it() {
        with_board(|board| {
            let case = (0..).find(|&case| {
                let script = Slice::script(1, gate::suite("stacks").unwrap(), case);
                script.to_string().lines().filter(|line| line.starts_with("unmap")).count() > 1
            });
            let how = (Death::Crashed, "signal: 6".to_owned());
            let finding = board.died(&Lane::suite("stacks", 0), 0, 1, case.unwrap(), how).unwrap();
            assert_eq!(finding.differs, "unmap-crash");
            let ops = finding.script.lines().filter(|line| !line.starts_with("disk") && !line.starts_with("layer"));
            assert_eq!(ops.count(), 1, "{}", finding.script);
            assert!(finding.story.contains("signal: 6") && !finding.story.contains("Alone"), "{}", finding.story);
            let [kept] = &board.dir.findings().unwrap()[..] else { panic!("one file is expected") };
            assert_eq!((&kept.differs, &kept.script, &kept.suite), (&finding.differs, &finding.script, &finding.suite));
        });
    }
}
