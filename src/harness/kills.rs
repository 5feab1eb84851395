//! Rule 17 on a real file: one child after another is killed while it works, and what it leaves is compared.
//!
//! A [`Series`] is one file and its lives. Each life is a process that opens the layer, works without end, and says
//! each step before and after it; where it is killed the caller's process, which knows the same steps, opens the file
//! and must find a state after some prefix of the steps begun, no shorter than the last promise that was kept. The next
//! life goes on with what is there, so that logs left over, recovery and generations are met again and again.
//!
//! The steps come from a seed alone; the moment of death does not: it is a line that the child says, and then so many
//! turns of a loop. What a kill leaves of the page cache is all of it, so a missing sync is not seen here: that is what
//! the simulated drive is for.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::hostile::has_torn_log;
use crate::error::{ErrorKind, Result};
use crate::layer::{Existing, Format, FormatParams, Identity, LayerIo, Mode, Options, SectorMarker, SqliteDiskLayer};
use crate::script::{Choices, SeedChoices};

mod life;
mod past;

pub use life::Life;
use life::{SECTOR_SIZE, SECTORS, stamp_of};
use past::{Held, Past};

/// What was met on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deaths {
    /// Processes killed.
    pub kills: u64,
    /// Killed inside of a step.
    pub midway: u64,
    /// Killed while they opened the file, which is when a log left over is taken in.
    pub opening: u64,
    /// After which there was more than one state in which the layer might be.
    pub open_ended: u64,
    /// States in which the layers might be, all together.
    pub permitted: u64,
    /// After which the last steps were gone, as they may be.
    pub shortened: u64,
    /// Steps begun.
    pub steps: u64,
}

impl Deaths {
    /// Counts those of another series too.
    pub fn add(&mut self, other: &Self) {
        self.kills += other.kills;
        self.midway += other.midway;
        self.opening += other.opening;
        self.open_ended += other.open_ended;
        self.permitted += other.permitted;
        self.shortened += other.shortened;
        self.steps += other.steps;
    }
}

/// One file, and what is known of it.
pub struct Series {
    place: PathBuf,
    held: Held,
    identity: Option<Identity>,
}

/// When a child is killed: after so many lines and so many turns of a loop.
#[derive(Clone, Copy, Debug)]
struct Moment {
    lines: u64,
    turns: u64,
}

/// What a child has said before it was killed.
#[derive(Default)]
struct LastWords {
    begun: Option<u64>,
    done: Option<u64>,
    /// Whatever else it said: nothing, if all is well.
    complaint: String,
}

impl Series {
    /// A new layer of that format at `place`, whose name ends in `.dbhd`.
    ///
    /// # Errors
    ///
    /// Those of creating it.
    pub fn new(place: &Path, format: Format) -> Result<Self> {
        let len = SECTORS * u64::from(SECTOR_SIZE);
        let params = FormatParams { logically_read_only: false, len, sector_size: SECTOR_SIZE };
        let options = Options { format, ..Options::default() };
        let layer = SqliteDiskLayer::create(place, params, Existing::Keep, &options)?;
        let identity = layer.metadata().identity;
        layer.close()?;
        Ok(Self { place: place.to_owned(), held: vec![None; SECTORS as usize], identity })
    }

    /// Starts `child`, which must [live](Life::live) `life` on this file and say so on stderr; kills it, looks at what
    /// it leaves, and counts that. If its stdin ends, nobody is left to kill it.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, in words; [`Series::left`] has it as the child left it.
    pub fn kill_one(&mut self, life: Life, child: Command, deaths: &mut Deaths) -> Result<(), String> {
        let mut choices = SeedChoices::new(life.seed.rotate_left(32) ^ 1, life.number);
        let moment = Moment::draw(&mut choices);
        let words = moment.kill(child).map_err(|e| format!("life {life}: the child: {e}"))?;
        let (begun, done) = (words.begun.unwrap_or(0), words.done.unwrap_or(0));
        let story =
            |what: &str| format!("life {life}, {moment:?}: killed with {done} steps done and {begun} begun\n{what}");
        if !words.complaint.is_empty() {
            return Err(story(&format!("the child was not at peace: {}", words.complaint.trim_end())));
        }
        let past = Past::new(life, std::mem::take(&mut self.held), done, begun);
        let steps = || {
            let since = (1..=begun).zip(life.steps()).skip(past.floor() as usize);
            since.map(|(number, step)| format!("\n  {number}: {step}")).collect::<String>()
        };
        let told = |what: String| story(&format!("{what}\nwhat might be lost:{}", steps()));
        self.keep_a_copy().map_err(|e| told(format!("copying the file: {e}")))?;
        // Half of the logs that are left over are the next child's to take in.
        let mode = if choices.percent(50) { Mode::ReadWrite } else { Mode::ReadOnly };
        let (held, identity) = self.look(mode).map_err(|e| told(format!("opened {mode:?}: {e}")))?;
        if !past.permits(&held) {
            return Err(told(past.describe(&held)));
        }
        self.judge(identity, past.has_changed(&held)).map_err(|e| told(e.to_owned()))?;
        deaths.kills += 1;
        deaths.midway += u64::from(begun > done);
        deaths.opening += u64::from(words.done.is_none());
        deaths.open_ended += u64::from(past.permitted() > 1);
        deaths.permitted += past.permitted() as u64;
        deaths.shortened += u64::from(!past.is_latest(&held));
        deaths.steps += begun;
        (self.held, self.identity) = (held, identity);
        Ok(())
    }

    /// Copies of the file and its log as the last child left them; the log's may not be there.
    pub fn left(&self) -> [PathBuf; 2] {
        ["left", "left-wal"].map(|extension| self.place.with_extension(extension))
    }

    fn keep_a_copy(&self) -> std::io::Result<()> {
        for (from, to) in ["dbhd", "dbhd-wal"].map(|end| self.place.with_extension(end)).iter().zip(self.left()) {
            match std::fs::copy(from, &to) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => drop(std::fs::remove_file(to)),
                copied => drop(copied?),
            }
        }
        Ok(())
    }

    /// What the layer holds. A kill may cut a write of the log in two; the end of one is hidden by who opens the file for
    /// writing, and until then readers are refused.
    fn look(&self, mode: Mode) -> Result<(Held, Option<Identity>)> {
        match look(&self.place, mode) {
            Err(e) if mode == Mode::ReadOnly && e.kind() == ErrorKind::PermissionDenied && self.left_is_torn() => {
                look(&self.place, Mode::ReadWrite)
            }
            found => found,
        }
    }

    /// Whether the log that the last child left ends in a transaction that is not whole.
    fn left_is_torn(&self) -> bool {
        let [file, log] = self.left().map(|copy| std::fs::read(copy).unwrap_or_default());
        has_torn_log(&file, &log)
    }

    /// Rule 14: the layer is the same one, and has another generation if anything became of it.
    fn judge(&self, found: Option<Identity>, has_changed: bool) -> Result<(), &'static str> {
        match (self.identity, found) {
            (Some(before), Some(now)) if before.uuid != now.uuid => Err("it is another layer"),
            (Some(before), Some(now)) if has_changed && before.generation == now.generation => {
                Err("it was written to, and its generation has not changed")
            }
            (Some(_), None) => Err("it has no identity any more"),
            _ => Ok(()),
        }
    }
}

/// What the layer holds.
fn look(place: &Path, mode: Mode) -> Result<(Held, Option<Identity>)> {
    let layer = SqliteDiskLayer::open(place, mode, &Options::default())?;
    let mut buf = vec![0xee; SECTORS as usize * SECTOR_SIZE as usize];
    let mut marker = SectorMarker::new(0..SECTORS);
    layer.read(0, &mut buf, &mut marker)?;
    let sectors = (0..SECTORS).zip(buf.chunks_exact(SECTOR_SIZE as usize));
    // A sector that is torn, or lies where it does not belong, is one that nobody has written.
    let stamp = |(sector, bytes)| marker.is_set(sector).then(|| stamp_of(sector, bytes).unwrap_or(u32::MAX));
    let held = sectors.map(stamp).collect();
    layer.verify()?;
    let identity = layer.metadata().identity;
    layer.close()?;
    Ok((held, identity))
}

impl Moment {
    fn draw(choices: &mut SeedChoices) -> Self {
        let most = choices.weighted(&[(15, 1), (35, 12), (50, 120)]);
        let lines = choices.between(1, most);
        let most = 1 << choices.below(15);
        Self { lines, turns: choices.below(most) }
    }

    /// Starts the child, kills it, and listens to the end. If this process is killed first, the child's stdin ends.
    fn kill(self, mut child: Command) -> std::io::Result<LastWords> {
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut words = LastWords::default();
        let mut pipe = child.stderr.take().map(BufReader::new);
        let mut heard = Ok(());
        for _ in 0..self.lines {
            let mut line = String::new();
            heard = pipe.as_mut().map_or(Ok(0), |pipe| pipe.read_line(&mut line)).map(drop);
            words.note(&line);
        }
        (0..self.turns).for_each(|_| std::hint::spin_loop());
        let killed = child.kill();
        let status = child.wait()?;
        let mut rest = String::new();
        heard.and_then(|()| pipe.map_or(Ok(0), |mut pipe| pipe.read_to_string(&mut rest)))?;
        rest.lines().for_each(|line| words.note(line));
        if cfg!(unix) && status.code().is_some() {
            words.complaint += &format!(" it ended by itself, {status}");
        }
        killed.map(|()| words)
    }
}

impl LastWords {
    fn note(&mut self, line: &str) {
        let number = |word| line.trim_end().strip_prefix(word).and_then(|number| number.parse().ok());
        match (number("begun "), number("done ")) {
            (Some(begun), _) => self.begun = Some(begun),
            (_, Some(done)) => self.done = Some(done),
            _ => self.complaint += line,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::layer::Durability;

    #[test]
    fn what_a_kill_cut_off_the_log_is_looked_at_by_a_writer_and_nothing_else_is() {
        let directory = tempfile::TempDir::new().unwrap();
        let place = directory.path().join("layer.dbhd");
        let series = Series::new(&place, Format::One).unwrap();
        let layer = SqliteDiskLayer::open(place.as_path(), Mode::ReadWrite, &Options::default()).unwrap();
        for sector in 0..2 {
            layer.write(sector, &[1; SECTOR_SIZE as usize], Durability::Fua).unwrap();
        }
        series.keep_a_copy().unwrap();
        layer.close().unwrap();
        let [file, log] = series.left().map(|copy| std::fs::read(copy).unwrap());
        let put = |log: &[u8]| {
            std::fs::write(&place, &file).unwrap();
            std::fs::write(place.with_extension("dbhd-wal"), log).unwrap();
        };
        let held = |found: Result<(Held, _)>| found.unwrap().0.iter().flatten().count();
        let mut torn = log.clone();
        let seal = torn.len() - 32;
        torn[seal..].fill(0);

        put(&log);
        assert_eq!(held(series.look(Mode::ReadOnly)), 2);
        // The copy is still of the whole log: refusing a reader is no right then.
        put(&torn);
        assert_eq!(series.look(Mode::ReadOnly).unwrap_err().kind(), ErrorKind::PermissionDenied);
        series.keep_a_copy().unwrap();
        assert_eq!(held(series.look(Mode::ReadOnly)), 1);
    }
}
