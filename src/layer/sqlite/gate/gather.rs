//! Writes that follow one another, kept until they are worth a call of the system.

use std::ops::Range;

/// Bytes that were written and not yet handed down: always one piece.
#[derive(Debug)]
pub(super) struct Gather {
    limit: usize,
    /// So many bytes are kept together even where the limit is lower.
    together: usize,
    start: u64,
    bytes: Vec<u8>,
}

/// Whether what is read waits here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Nothing,
    Some,
    All,
}

impl Gather {
    /// Keeps at most `limit` bytes; with 0 everything is handed down as it comes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, together: 0, start: 0, bytes: Vec::new() }
    }

    fn range(&self) -> Range<u64> {
        self.start..self.start + self.bytes.len() as u64
    }

    /// Takes a write. What waits is handed down first if the write does not fit or does not follow it; if that fails,
    /// the write has not been taken, and what waited still waits.
    pub(super) fn write<E>(
        &mut self,
        data: &[u8],
        offset: u64,
        mut down: impl FnMut(&[u8], u64) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.held(data.len(), offset) == Held::All {
            let at = (offset - self.start) as usize;
            self.bytes[at..at + data.len()].copy_from_slice(data);
            return Ok(());
        }
        if offset != self.range().end || self.bytes.len() + data.len() > self.most() {
            self.hand_down(&mut down)?;
        }
        if data.len() > self.most() {
            return down(data, offset);
        }
        if self.bytes.is_empty() {
            self.start = offset;
            // At once, or it would be moved about again and again while it grows.
            self.bytes.reserve_exact(self.most());
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// The next `len` bytes are handed down as one, and not before they are all there.
    pub(super) fn keep_together<E>(
        &mut self,
        len: usize,
        down: impl FnOnce(&[u8], u64) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.bytes.len() + len > self.limit {
            self.hand_down(down)?;
        }
        self.together = self.bytes.len() + len;
        Ok(())
    }

    fn most(&self) -> usize {
        self.limit.max(self.together)
    }

    /// Hands down what waits. If that fails it still waits.
    pub(super) fn hand_down<E>(&mut self, down: impl FnOnce(&[u8], u64) -> Result<(), E>) -> Result<(), E> {
        if !self.bytes.is_empty() {
            down(&self.bytes, self.start)?;
            self.bytes.clear();
            self.together = 0;
        }
        Ok(())
    }

    pub(super) fn held(&self, len: usize, offset: u64) -> Held {
        let (waiting, end) = (self.range(), offset.saturating_add(len as u64));
        match () {
            () if waiting.is_empty() || end <= waiting.start || offset >= waiting.end => Held::Nothing,
            () if waiting.start <= offset && end <= waiting.end => Held::All,
            () => Held::Some,
        }
    }

    /// Reads what waits here, or else hands it down if it is a part of what is read. Says whether it has been read.
    pub(super) fn read<E>(
        &mut self,
        buf: &mut [u8],
        offset: u64,
        down: impl FnOnce(&[u8], u64) -> Result<(), E>,
    ) -> Result<bool, E> {
        match self.held(buf.len(), offset) {
            Held::All => {
                let at = (offset - self.start) as usize;
                buf.copy_from_slice(&self.bytes[at..at + buf.len()]);
                Ok(true)
            }
            Held::Some => self.hand_down(down).map(|()| false),
            Held::Nothing => Ok(false),
        }
    }

    /// Nobody needs what waits.
    pub(super) fn forget(&mut self) {
        self.bytes.clear();
        self.together = 0;
    }

    /// Gives back the memory; nothing waits.
    pub(super) fn rest(&mut self) {
        self.bytes = Vec::new();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A file that counts the writes and can refuse them.
    #[derive(Default)]
    struct File {
        bytes: Vec<u8>,
        writes: usize,
        is_failing: bool,
    }

    impl File {
        fn write(&mut self, data: &[u8], offset: u64) -> Result<(), ()> {
            if self.is_failing {
                return Err(());
            }
            let end = offset as usize + data.len();
            self.bytes.resize(end.max(self.bytes.len()), 0);
            self.bytes[offset as usize..end].copy_from_slice(data);
            self.writes += 1;
            Ok(())
        }
    }

    #[test]
    fn writes_that_follow_one_another_become_one() {
        let (mut file, mut gather) = (File::default(), Gather::new(100));
        for number in 0..10 {
            gather.write(&[number; 10], u64::from(number) * 10, |d, at| file.write(d, at)).unwrap();
        }
        assert_eq!(file.writes, 0);
        gather.write(&[10; 10], 100, |d, at| file.write(d, at)).unwrap();
        assert_eq!((file.writes, file.bytes.len()), (1, 100));
        gather.hand_down(|d, at| file.write(d, at)).unwrap();
        assert_eq!(file.bytes, (0..=10).flat_map(|number| [number; 10]).collect::<Vec<_>>());
    }

    #[test]
    fn a_write_elsewhere_comes_after_what_waits() {
        let (mut file, mut gather) = (File::default(), Gather::new(100));
        gather.write(&[1; 10], 10, |d, at| file.write(d, at)).unwrap();
        gather.write(&[2; 10], 5, |d, at| file.write(d, at)).unwrap();
        gather.hand_down(|d, at| file.write(d, at)).unwrap();
        assert_eq!(file.bytes, [[0; 5].as_slice(), &[2; 10], &[1; 5]].concat());
    }

    #[test]
    fn what_waits_is_read_and_written_over_in_its_place() {
        let (mut file, mut gather) = (File::default(), Gather::new(100));
        gather.write(&[1; 30], 10, |d, at| file.write(d, at)).unwrap();
        gather.write(&[2; 10], 20, |d, at| file.write(d, at)).unwrap();
        let mut buf = [0; 12];
        assert_eq!(gather.read(&mut buf, 19, |d, at| file.write(d, at)), Ok(true));
        assert_eq!((buf, file.writes), ([1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1], 0));
        assert_eq!(gather.held(10, 0), Held::Nothing);
        assert_eq!(gather.held(11, 0), Held::Some);
        assert_eq!(gather.held(30, 10), Held::All);
        assert_eq!(gather.held(1, 40), Held::Nothing);
        // Of what waits in part the file has to have the rest.
        for (at, writes) in [(0, 0), (30, 1), (30, 1)] {
            assert_eq!(gather.read(&mut buf[..10 + at as usize / 30], at, |d, at| file.write(d, at)), Ok(false));
            assert_eq!(file.writes, writes);
        }
    }

    #[test]
    fn what_could_not_be_handed_down_still_waits() {
        let (mut file, mut gather) = (File::default(), Gather::new(20));
        gather.write(&[1; 20], 0, |d, at| file.write(d, at)).unwrap();
        file.is_failing = true;
        gather.write(&[2; 10], 20, |d, at| file.write(d, at)).unwrap_err();
        gather.hand_down(|d, at| file.write(d, at)).unwrap_err();
        file.is_failing = false;
        gather.hand_down(|d, at| file.write(d, at)).unwrap();
        assert_eq!(file.bytes, [1; 20]);
    }

    #[test]
    fn what_is_kept_together_is_one_write_whatever_the_limit() {
        for limit in [0, 7, 20, 100] {
            let (mut file, mut gather) = (File::default(), Gather::new(limit));
            gather.write(&[1; 20], 0, |d, at| file.write(d, at)).unwrap();
            gather.hand_down(|d, at| file.write(d, at)).unwrap();
            gather.keep_together(30, |d, at| file.write(d, at)).unwrap();
            let before = file.writes;
            // Wherever they begin.
            for at in [30, 40, 50] {
                gather.write(&[2; 10], at, |d, at| file.write(d, at)).unwrap();
            }
            gather.hand_down(|d, at| file.write(d, at)).unwrap();
            assert_eq!((file.writes, file.bytes.len()), (before + 1, 60), "limit {limit}");
            gather.write(&[3; 9], 60, |d, at| file.write(d, at)).unwrap();
            assert_eq!(gather.bytes.is_empty(), limit < 9, "limit {limit}");
        }
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let (mut file, mut gather) = (File::default(), Gather::new(0));
        gather.write(&[1; 20], 0, |d, at| file.write(d, at)).unwrap();
        assert!(gather.bytes.is_empty());
        assert_eq!(file.bytes, [1; 20]);
    }
}
