//! Where the frames of the log are: in it, or, new pages of a long transaction, in the file.
//!
//! SQLite writes every page twice, to the log and from there to the file. A page behind the end of the file, which no
//! state has that anybody may read or recover, need not be in the log: until a commit has it nobody misses it. So the
//! new pages of a long transaction go to their place in the file at once, and the file is synced before the frame that
//! commits is written. Everything else goes to the log, that frame too.
//!
//! SQLite does not know: it numbers the frames as if all of them were in the log. Those that are keep their order and
//! get sums of their own, so that the log is one that SQLite recovers anywhere, and in which nothing is missing.
//!
//! A file that is longer than it counts is refused, unless its log says how many pages it has. So a page goes to its place
//! only while the log has a commit that is synced and not yet copied: who copies it cuts off what is not counted.

use super::super::log::{self, FRAME_HEAD, LOG_HEAD, Order, Sum, word};
use super::below::Code;
use super::log::Log;
use crate::fault::{Fault, planted};

#[derive(Debug, Default)]
pub(super) struct Places {
    /// None until a log begins: one that was found has commits that nobody here has seen.
    log: Option<Begun>,
    /// The running transaction is a long one.
    is_long: bool,
    /// It has frames that lie where SQLite puts them.
    has_begun: bool,
    placed: Option<Placed>,
}

/// A log that is known from its beginning.
#[derive(Clone, Copy, Debug)]
struct Begun {
    order: Order,
    page_size: u64,
    salts: [u8; 8],
    /// The most pages by any frame in it.
    pages: u64,
    /// Whether it has a commit that is not copied.
    has_more: bool,
    /// And that is synced.
    is_ready: bool,
}

/// The frames that have places of their own: all from the first of a transaction on.
///
/// Until one of them is in the file, they are where SQLite puts them, with its sums.
#[derive(Debug)]
struct Placed {
    order: Order,
    page_size: u64,
    salts: [u8; 8],
    /// The number of the first, for SQLite and in the log, and the sum before it.
    first: u64,
    before: Sum,
    /// The most pages of any state, and by any frame in the log.
    pages: u64,
    frames: Vec<Frame>,
    /// So many of them are committed.
    committed: usize,
    /// From this one on sums are wrong, as its page was written once more.
    stale: Option<usize>,
    /// The transaction has the frame that commits: SQLite writes heads once more from now on, and no others.
    has_ended: bool,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Its page, and the pages of the file if it commits: what SQLite reads again of a head. Salts and sums come later, where
    /// sums before are not right yet.
    head: [u8; 8],
    /// What SQLite takes for the sum after it.
    told: Sum,
    /// Its number in the log, or that of the next one that is in it.
    number: u64,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The sum is there once the page is.
    Log(Option<Sum>),
    File,
}

/// Where the bytes are that SQLite reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lies {
    /// Where SQLite thinks they are.
    AsItThinks,
    /// They begin so far into the head of that frame, of which what SQLite may want is kept here.
    Head(usize, usize),
    /// In the page of that frame, there in the log.
    InLog(usize, u64),
    /// There in the file.
    InFile(u64),
    /// SQLite never asks like that.
    Nowhere,
}

impl Places {
    /// A log begins with that head.
    pub(super) fn begin(&mut self, head: &[u8]) {
        self.log = head.first_chunk().and_then(Begun::with);
        self.placed = None;
    }

    /// The running transaction is a long one.
    pub(super) fn expect_long(&mut self) {
        self.is_long = true;
    }

    /// Whether new pages of a long transaction could go to their places.
    pub(super) fn are_ready(&self) -> bool {
        self.log.is_some_and(|log| log.is_ready)
    }

    /// All of the log has been copied, and the next transaction may begin another.
    pub(super) fn log_is_copied(&mut self) {
        if let Some(log) = &mut self.log {
            (log.has_more, log.is_ready) = (false, false);
        }
    }

    /// All that has been committed is on the drive.
    pub(super) fn synced(&mut self) {
        if let Some(log) = &mut self.log {
            log.is_ready = log.has_more;
        }
    }

    /// A head is about to be written. Where the sum before it lies, if frames have places of their own from it on.
    pub(super) fn begins_at(&self, offset: u64) -> Option<u64> {
        let log = self.log.filter(|log| log.is_ready && self.is_long && !self.has_begun && self.placed.is_none())?;
        let frame = FRAME_HEAD as u64 + log.page_size;
        let within = offset.checked_sub(LOG_HEAD as u64)?;
        // There is a commit before it.
        within.is_multiple_of(frame).then(|| offset - frame + 16)
    }

    /// From the frame there on they have, in a file of so many bytes.
    pub(super) fn place_from(&mut self, offset: u64, before: Sum, size: u64) {
        let Some(Begun { order, page_size, salts, pages, .. }) = self.log else { return };
        let first = (offset - LOG_HEAD as u64) / (FRAME_HEAD as u64 + page_size);
        let pages = pages.max(size.div_ceil(page_size));
        self.placed = Some(Placed {
            order,
            page_size,
            salts,
            first,
            before,
            pages,
            frames: Vec::new(),
            committed: 0,
            stale: None,
            has_ended: false,
        });
    }

    /// Where so many bytes of the log are written.
    pub(super) fn of(&self, offset: u64, len: usize) -> Lies {
        self.placed.as_ref().map_or(Lies::AsItThinks, |placed| placed.of(offset, len))
    }

    /// Where they are read.
    pub(super) fn found(&self, offset: u64, len: usize) -> Lies {
        let needed = self.placed.as_ref().filter(|placed| placed.is_needed());
        needed.map_or(Lies::AsItThinks, |placed| placed.of(offset, len))
    }

    /// A head is about to be written where SQLite thinks.
    pub(super) fn written(&mut self, head: &[u8]) {
        self.has_begun = true;
        self.count(head);
    }

    /// The log has the page of that head, and the file as many pages as it says, if it commits.
    fn count(&mut self, head: &[u8]) {
        let Some(log) = &mut self.log else { return };
        // Of what was undone the log may have pages that no commit counts.
        let [page, pages] = [0, 4].map(|at| word(head, at).unwrap_or(0).into());
        log.pages = log.pages.max(page).max(pages);
        log.has_more |= pages > 0;
    }

    /// SQLite writes the head of that frame, or its sum once more.
    ///
    /// Says where it is to be written, if it is as it is.
    pub(super) fn take_head(&mut self, frame: usize, head: &[u8; FRAME_HEAD]) -> Option<u64> {
        self.count(head);
        let is_direct = self.is_long && self.are_ready();
        self.placed.as_mut()?.take_head(frame, head, is_direct)
    }

    /// The head of that frame, as far as SQLite reads it again.
    pub(super) fn head(&self, frame: usize) -> Option<&[u8; 8]> {
        self.placed.as_ref()?.head(frame)
    }

    /// Whether that frame ends a transaction.
    pub(super) fn ends(&self, frame: usize) -> bool {
        let frame = self.placed.as_ref().and_then(|placed| placed.frames.get(frame));
        frame.is_some_and(|frame| frame.commits() > 0)
    }

    /// SQLite writes the page of a frame that is in the log, or writes it once more.
    pub(super) fn put(&mut self, frame: usize, page: &[u8], log: &mut Log) -> Result<(), Code> {
        self.placed.as_mut().map_or(Ok(()), |placed| placed.put(frame, page, log))
    }

    /// How many committed frames are not in the log.
    pub(super) fn in_file(&self) -> u64 {
        self.placed.as_ref().map_or(0, |placed| placed.frames.len() as u64 - placed.in_log())
    }

    /// The writer lets go of the log: what has not been committed is not there.
    pub(super) fn end_transaction(&mut self) {
        (self.is_long, self.has_begun) = (false, false);
        if let Some(placed) = &mut self.placed {
            placed.frames.truncate(placed.committed);
            placed.stale = None;
            placed.has_ended = false;
        }
        // Without one in the file SQLite was right.
        self.placed.take_if(|placed| !placed.is_needed());
    }
}

impl Begun {
    fn with(head: &[u8; LOG_HEAD]) -> Option<Self> {
        let ((order, _), page_size) = (log::begin(head)?, word(head, 8)?.into());
        let salts = head[16..].first_chunk().copied()?;
        Some(Self { order, page_size, salts, pages: 0, has_more: false, is_ready: false })
    }
}

impl Placed {
    fn in_log(&self) -> u64 {
        self.next() - self.first
    }

    /// The number in the log of the next frame that is in it.
    fn next(&self) -> u64 {
        self.frames.last().map_or(self.first, |last| last.number + u64::from(last.place != Place::File))
    }

    fn frame_size(&self) -> u64 {
        FRAME_HEAD as u64 + self.page_size
    }

    fn of(&self, offset: u64, len: usize) -> Lies {
        let Some(at) = offset.checked_sub(self.in_log_at(self.first)) else { return Lies::AsItThinks };
        let (index, within) = ((at / self.frame_size()) as usize, at % self.frame_size());
        let Some(into_page) = within.checked_sub(FRAME_HEAD as u64) else {
            return Lies::Head(index, within as usize);
        };
        match self.frames.get(index) {
            Some(_) if into_page + len as u64 > self.page_size => Lies::Nowhere,
            Some(Frame { place: Place::Log(_), number, .. }) => {
                Lies::InLog(index, self.in_log_at(*number) + FRAME_HEAD as u64 + into_page)
            }
            Some(frame) => Lies::InFile((frame.page() - 1) * self.page_size + into_page),
            None => Lies::Nowhere,
        }
    }

    fn in_log_at(&self, number: u64) -> u64 {
        LOG_HEAD as u64 + number * self.frame_size()
    }

    fn head(&self, frame: usize) -> Option<&[u8; 8]> {
        Some(&self.frames.get(frame)?.head)
    }

    /// Whether some frame is in the file.
    fn is_needed(&self) -> bool {
        self.in_log() < self.frames.len() as u64
    }

    fn take_head(&mut self, frame: usize, whole: &[u8; FRAME_HEAD], is_direct: bool) -> Option<u64> {
        let (head, told) = (*whole.first_chunk()?, Sum::at(whole.last_chunk()?));
        let is_known = self.has_ended && self.head(frame) == Some(&head);
        if !is_known && frame <= self.frames.len() {
            self.frames.truncate(frame);
            self.committed = self.committed.min(frame);
            self.stale = self.stale.filter(|stale| *stale < frame);
            let mut new = Frame { head, told, number: self.next(), place: Place::Log(None) };
            let is_new = new.page() > self.pages || planted(Fault::KnownPageTakenForNew) && new.page() > 1;
            match is_direct && is_new && new.commits() == 0 {
                true => new.place = Place::File,
                false => self.pages = self.pages.max(new.page()),
            }
            self.frames.push(new);
        }
        (!self.is_needed()).then(|| self.in_log_at(self.first + frame as u64))
    }

    fn put(&mut self, frame: usize, page: &[u8], log: &mut Log) -> Result<(), Code> {
        let Some(&written) = self.frames.get(frame) else { return Ok(()) };
        let at = self.in_log_at(written.number) + FRAME_HEAD as u64;
        self.has_ended |= written.commits() > 0;
        if !self.is_needed() && written.place == Place::Log(None) {
            self.frames[frame].place = Place::Log(Some(written.told));
            return log.write(page, at);
        }
        if written.place != Place::Log(None) {
            self.stale = Some(self.stale.map_or(frame, |stale| stale.min(frame)));
            return log.write(page, at);
        }
        if written.commits() > 0 {
            self.frames.truncate(frame + 1);
            self.make_right(log)?;
        }
        self.write_head(frame, page, log)?;
        log.write(page, at)?;
        if written.commits() > 0 {
            self.committed = frame + 1;
            self.pages = self.pages.max(written.commits());
        }
        Ok(())
    }

    /// Writes the sums anew that are not right.
    fn make_right(&mut self, log: &mut Log) -> Result<(), Code> {
        let Some(stale) = self.stale.filter(|_| !planted(Fault::SumsStayWrong)) else { return Ok(()) };
        let mut page = vec![0; self.page_size as usize];
        for frame in stale..self.frames.len() {
            if let Frame { number, place: Place::Log(Some(_)), .. } = self.frames[frame] {
                log.read(&mut page, self.in_log_at(number) + FRAME_HEAD as u64)?;
                self.write_head(frame, &page, log)?;
            }
        }
        self.stale = None;
        Ok(())
    }

    /// Writes the head of a frame in the log, whose sum is one over all before it too.
    fn write_head(&mut self, frame: usize, page: &[u8], log: &mut Log) -> Result<(), Code> {
        let (before, rest) = self.frames.split_at_mut(frame);
        let Some(Frame { head, number, place, .. }) = rest.first_mut() else { return Ok(()) };
        let sums = before.iter().rev().find_map(|frame| match frame.place {
            Place::Log(sum) => sum,
            Place::File => None,
        });
        let sum = sums.unwrap_or(self.before).over(head, self.order).over(page, self.order);
        let mut whole = [0; FRAME_HEAD];
        whole[..8].copy_from_slice(head);
        whole[8..16].copy_from_slice(&self.salts);
        whole[16..].copy_from_slice(&sum.bytes());
        *place = Place::Log(Some(sum));
        let at = LOG_HEAD as u64 + *number * (FRAME_HEAD as u64 + self.page_size);
        log.write(&whole, at)
    }
}

impl Frame {
    fn page(&self) -> u64 {
        word(&self.head, 0).unwrap_or(0).into()
    }

    /// The pages of the file if it commits, else 0.
    fn commits(&self) -> u64 {
        word(&self.head, 4).unwrap_or(0).into()
    }
}
