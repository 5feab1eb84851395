//! What a fuzzer has left when it stopped: bytes, which become a script if they are one.

use std::path::Path;

use disklayer_sqlite::error::{Error, Result};
use disklayer_sqlite::harness::target::Target;
use disklayer_sqlite::harness::{Death, Divergence, World, minimize, prove};
use disklayer_sqlite::script::Script;

use super::super::Board;
use super::super::child::{End, Watched};
use crate::cli::gate::Finding;
use crate::cli::{interrupt, quietly, shell};

/// So many lines of what the fuzzer said are kept.
const LINES: usize = 24;

impl Board<'_> {
    /// The finding that the artifact in `path` is, which is moved to `told`.
    pub(super) fn artifact(
        &self,
        target: Target,
        path: &Path,
        told: &Path,
        job: usize,
        watched: &Watched,
    ) -> Result<Finding> {
        let failed = |e| Error::from_io(format!("reading {}", path.display()), e);
        let bytes = std::fs::read(path).map_err(failed)?;
        let finding = self.decoded(target, &bytes, told, job, watched)?;
        std::fs::rename(path, told).map_err(failed)?;
        Ok(finding)
    }

    fn decoded(&self, target: Target, bytes: &[u8], path: &Path, job: usize, watched: &Watched) -> Result<Finding> {
        let input = target.decode(bytes);
        let lane = format!("fuzz {target}");
        let Some(script) = input.script() else {
            return Ok(in_words(&lane, target, path, &input.to_string(), &watched.err));
        };
        let found = self.shortest(script, job, watched)?;
        let finding = Finding::of(lane, 0, &found);
        let by = format!("`cargo fuzz run {target}`, in {}", path.display());
        Ok(finding.written(&self.dir.path("findings"), &by, ""))
    }

    /// The same as short as it gets: in processes of its own if it ends them.
    fn shortest(&self, script: &Script, job: usize, watched: &Watched) -> Result<Box<Divergence>> {
        let place = self.work.join(format!("{job}.script"));
        if let Some(found) = self.dies(script, &place)? {
            return Ok(self.shrunk(found, &place));
        }
        let mut world = World::new(Some(&self.work))?;
        let shrunk = quietly(|| {
            let found = prove(script, &mut world).err()?;
            Some(minimize(found, &mut |script| match interrupt::requested() {
                true => Ok(()),
                false => prove(script, &mut world).map(drop),
            }))
        });
        let how = match &watched.end {
            End::Died(_, how) => how.clone(),
            End::Code => String::new(),
        };
        let how = format!("{how}\nAlone the script lives: what came before it matters, or chance.");
        Ok(shrunk.unwrap_or_else(|| Divergence::died(script.clone(), Death::Crashed, how)))
    }
}

/// What is no script is told in the words of the fuzzer.
fn in_words(lane: &str, target: Target, path: &Path, input: &str, said: &str) -> Finding {
    let from = said.lines().skip_while(|line| !line.contains("panicked at") && !line.starts_with("=="));
    let words: Vec<&str> = from.take_while(|line| !line.starts_with("stack backtrace")).take(LINES).collect();
    // Numbers tell one input from another, and not one mistake from another.
    let first = words.iter().skip(1).find(|line| !line.trim().is_empty()).copied().unwrap_or("it ended the process");
    let kind: String = first.chars().filter(|c| !c.is_ascii_digit()).take(80).collect();
    let file = path.display().to_string();
    Finding {
        name: format!("fuzz-{target}"),
        differs: format!("fuzz-{target}, {}", kind.trim_start_matches(['#', ' '])),
        suite: lane.to_owned(),
        case: 0,
        times: 1,
        story: words.join("\n"),
        script: input.to_owned(),
        replay: format!("disklayer replay --target {target} {}", shell(&file)),
        file: None,
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::super::super::crash::tests::with_board;
    use super::*;

    fn left(board: &Board<'_>, target: Target, bytes: &[u8], said: &str) -> Finding {
        let path = board.work.join("crash-1");
        std::fs::write(&path, bytes).unwrap();
        let end = End::Died(Death::Crashed, "exit status: 77".to_owned());
        let watched = Watched { out: String::new(), err: said.to_owned(), end };
        let told = board.work.join("told");
        let finding = board.artifact(target, &path, &told, 0, &watched).unwrap();
        assert!(told.exists() && !path.exists());
        finding
    }

    #[test]
    fn an_artifact_is_decoded_shrunk_and_kept() {
        with_board(|board| {
            let scripts = (0..=u8::MAX).map(|seed| [seed; 300]);
            let unmaps = |bytes: &[u8; 300]| Target::Script.decode(bytes).to_string().contains("\nunmap");
            let bytes = scripts.clone().find(unmaps).unwrap();
            let finding = left(board, Target::Script, &bytes, "");
            assert_eq!((finding.differs.as_str(), finding.suite.as_str()), ("unmap-crash", "fuzz script"));
            assert!(finding.script.lines().filter(|line| line.starts_with("unmap")).count() == 1);
            let [kept] = &board.dir.findings().unwrap()[..] else { panic!("one file is expected") };
            assert_eq!(kept.differs, finding.differs);
            let harmless = scripts.clone().find(|bytes| !unmaps(bytes)).unwrap();
            let finding = left(board, Target::Script, &harmless, "");
            assert!(finding.differs == "process-crash" && finding.story.contains("Alone the script lives"));
        });
    }

    #[test]
    fn what_is_no_script_is_told_in_the_words_of_the_fuzzer_and_without_its_numbers() {
        with_board(|board| {
            let said = |line: u32| {
                format!("#2 INITED\nthread panicked at src/a.rs:{line}:1:\n# 3 are not {line}\nstack backtrace:\n 1: x")
            };
            let one = left(board, Target::Description, b"ram:", &said(7));
            let other = left(board, Target::Description, b"sql:", &said(8));
            assert_eq!(one.differs, other.differs);
            assert!(
                one.story.contains("3 are not 7") && !one.story.contains("backtrace") && one.script.contains("ram:")
            );
            assert!(one.replay.starts_with("disklayer replay --target description "));
        });
    }
}
