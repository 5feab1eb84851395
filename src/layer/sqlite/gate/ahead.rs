//! Reading ahead in a log while it is copied into its file.
//!
//! SQLite reads a page of the log at a time, by the order of the pages in the file. Where that is also their order in
//! the log, one long read serves many; where it is not, reading ahead would only cost.

use super::super::log::FRAME_HEAD;
use super::below::LONGEST;

/// The first read ahead; each that was of use is followed by one twice as long.
const SHORTEST: usize = 16 << 10;

/// Part of a file that nobody changes meanwhile.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Where the file ends; nothing is read ahead in a file of no bytes.
    end: u64,
    /// Where the next read will be if it follows the last.
    next: u64,
    window: usize,
    start: u64,
    bytes: Vec<u8>,
}

impl Ahead {
    /// The file is read from now on and keeps its bytes up to `end`.
    pub(super) fn begin(&mut self, end: u64) {
        *self = Self { end, ..Self::default() };
    }

    /// The file may change from now on.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    pub(super) fn read<E>(
        &mut self,
        buf: &mut [u8],
        offset: u64,
        mut down: impl FnMut(&mut [u8], u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let follows = offset == self.next;
        // The head of a frame lies between two pages.
        self.next = offset.saturating_add((buf.len() + FRAME_HEAD) as u64);
        if self.serve(buf, offset) {
            return Ok(());
        }
        self.window = if follows { (self.window * 2).clamp(SHORTEST, LONGEST) } else { 0 };
        let len = self.window.min(self.end.saturating_sub(offset) as usize);
        if len <= buf.len() {
            return down(buf, offset);
        }
        // What is there must not be taken for what was asked for if reading fails.
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.resize(len, 0);
        down(&mut bytes, offset)?;
        (self.bytes, self.start) = (bytes, offset);
        self.serve(buf, offset);
        Ok(())
    }

    fn serve(&self, buf: &mut [u8], offset: u64) -> bool {
        let found = offset.checked_sub(self.start).and_then(|at| self.bytes.get(at as usize..)?.get(..buf.len()));
        found.map(|found| buf.copy_from_slice(found)).is_some()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(ahead: &mut Ahead, file: &[u8], offset: usize, reads: &mut Vec<usize>) -> Vec<u8> {
        let mut buf = vec![0; 4096];
        let down = |buf: &mut [u8], at: u64| {
            reads.push(buf.len());
            buf.copy_from_slice(file.get(at as usize..at as usize + buf.len()).ok_or(())?);
            Ok::<(), ()>(())
        };
        ahead.read(&mut buf, offset as u64, down).unwrap();
        buf
    }

    #[test]
    fn reads_that_follow_one_another_become_few() {
        let frame = 4096 + FRAME_HEAD;
        let file: Vec<u8> = (0..1000 * frame).map(|at| (at / 7) as u8).collect();
        let (mut ahead, mut reads) = (Ahead::default(), Vec::new());
        ahead.begin(file.len() as u64);
        for number in 0..1000 {
            let at = number * frame + 24;
            assert_eq!(read(&mut ahead, &file, at, &mut reads), file[at..at + 4096], "frame {number}");
        }
        assert!(reads.len() < 40, "{reads:?}");
    }

    #[test]
    fn reads_here_and_there_stay_what_they_are() {
        let file = vec![7; 1 << 20];
        let (mut ahead, mut reads) = (Ahead::default(), Vec::new());
        ahead.begin(file.len() as u64);
        for number in (0..200).rev() {
            read(&mut ahead, &file, number * 4120 + 24, &mut reads);
        }
        assert_eq!(reads, vec![4096; 200]);
    }

    #[test]
    fn nothing_is_kept_once_the_file_may_change() {
        let (mut ahead, mut reads) = (Ahead::default(), Vec::new());
        ahead.begin(1 << 20);
        for number in 0..4 {
            read(&mut ahead, &[1; 1 << 20], number * 4120, &mut reads);
        }
        ahead.end();
        assert_eq!(read(&mut ahead, &[2; 1 << 20], 4120, &mut reads), [2; 4096]);
    }
}
