//! What the bytes of a file, its log and its journal say, read naively: pages, then cells, then rows.
//!
//! Nothing is shared with the layer. It reads only files that are sound; of a damaged one it takes the bytes that lie
//! where the sound one had them.

use std::ops::Range;

use twox_hash::{XxHash3_64, XxHash3_128};

/// The pages that count, one after another.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    pub(super) bytes: Vec<u8>,
    /// How many commits of the log are in it.
    pub(super) commits: usize,
    /// Whether the log has one more, which is not whole by its seal.
    pub(super) is_torn: bool,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(super) fn page_size(file: &[u8]) -> usize {
    match file.get(16..18) {
        Some([0, 1]) => 65536,
        Some(&[high, low]) => usize::from(high) << 8 | usize::from(low),
        _ => 0,
    }
}

impl Image {
    /// The file with the committed part of its log in place.
    pub(super) fn new(file: &[u8], log: &[u8]) -> Self {
        let mut image = Self { bytes: file.to_vec(), commits: 0, is_torn: false };
        let _ = image.replay(log);
        image
    }

    /// The file as it is after SQLite has rolled back a journal that is whole.
    pub(super) fn rolled_back(file: &[u8], journal: &[u8]) -> Self {
        let mut image = Self { bytes: file.to_vec(), commits: 0, is_torn: false };
        let page_count = word(journal, 16).unwrap_or(0) as usize;
        let size = word(journal, 24).unwrap_or(0) as usize;
        // As below, of what lies past the end.
        image.bytes.resize(page_count * size, 0xa7);
        for record in journal.get(512..).unwrap_or_default().chunks_exact(size + 8) {
            let start = (word(record, 0).unwrap_or(1) as usize - 1) * size;
            if let Some(place) = image.bytes.get_mut(start..start + size) {
                place.copy_from_slice(&record[4..4 + size]);
            }
        }
        image
    }

    /// Frames up to the last commit before the first that is not whole.
    fn replay(&mut self, log: &[u8]) -> Option<()> {
        let big = match word(log, 0)? {
            0x377f_0683 => true,
            0x377f_0682 => false,
            _ => return None,
        };
        let size = word(log, 8)? as usize;
        let sane = size.is_power_of_two() && (512..=65536).contains(&size) && word(log, 4)? == 3_007_000;
        let mut sum = checksum((0, 0), log.get(..24)?, big);
        if !sane || sum != (word(log, 24)?, word(log, 28)?) {
            return None;
        }
        let (mut transactions, mut running, mut at, mut start) = (Vec::new(), Vec::new(), 32, 32);
        while let Some(frame) = log.get(at..at + 24 + size) {
            sum = checksum(checksum(sum, &frame[..8], big), &frame[24..], big);
            let page = word(frame, 0)? as usize;
            if frame[8..16] != log[16..24] || sum != (word(frame, 16)?, word(frame, 20)?) || page == 0 {
                break;
            }
            running.push((page, at + 24));
            at += 24 + size;
            if let count @ 1.. = word(frame, 4)? as usize {
                transactions.push((count, std::mem::take(&mut running)));
                (self.is_torn, start) = (is_torn(log, start..at, 24 + size), at);
            }
        }
        if self.is_torn {
            transactions.pop();
        }
        for (count, pages) in transactions {
            // Nobody knows what lies past the end of the file; SQLite says zeros, and that would be wrong.
            self.bytes.resize(count * size, 0xa7);
            for (page, from) in pages {
                if let Some(place) = self.bytes.get_mut((page - 1) * size..page * size) {
                    place.copy_from_slice(&log[from..from + size]);
                }
            }
            self.commits += 1;
        }
        Some(())
    }
}

/// Whether the transaction in `range`, were it the last of the log, is not whole by what lies behind it.
fn is_torn(log: &[u8], range: Range<usize>, frame: usize) -> bool {
    let Some(behind) = log.get(range.end..range.end + 32) else { return false };
    if behind[8..16] != log[16..24] {
        return log.len() == range.end + 32 || log.ends_with(b"dbhdseal");
    }
    let hashes = log[range].chunks_exact(frame).flat_map(|frame| [&frame[..24], &frame[24..]]);
    let hashes: Vec<u8> = hashes.flat_map(|part| XxHash3_64::oneshot(part).to_le_bytes()).collect();
    let hash = XxHash3_128::oneshot(&hashes).to_le_bytes();
    behind[..4] == [0; 4] && behind[4..8] != hash[..4] && behind[16..24] != hash[4..12]
}

fn checksum((mut a, mut b): (u32, u32), bytes: &[u8], big: bool) -> (u32, u32) {
    for pair in bytes.chunks_exact(8) {
        let (x, y) = pair.split_at(4);
        let word = |x: &[u8]| {
            let x = [x[0], x[1], x[2], x[3]];
            if big { u32::from_be_bytes(x) } else { u32::from_le_bytes(x) }
        };
        a = a.wrapping_add(word(x)).wrapping_add(b);
        b = b.wrapping_add(word(y)).wrapping_add(a);
    }
    (a, b)
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    /// A blob or text, as the places of its bytes in the image.
    Bytes(Vec<Range<usize>>),
    /// A whole number, as the places of its bytes.
    Number(Range<usize>),
    /// A number that takes no byte.
    Constant(i64),
    /// A number of another kind, or something that is cut off.
    Other,
}

/// A row and where it lies.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) key: i64,
    /// Where the cell begins.
    pub(super) cell: usize,
    /// Sizes, key and types: all of the cell that is not a column's value.
    pub(super) head: Range<usize>,
    pub(super) columns: Vec<Value>,
}

/// The tables of a sound file.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub(super) meta: Vec<Row>,
    pub(super) identity: Vec<Row>,
    pub(super) sectors: Vec<Row>,
    pub(super) clusters: Vec<Row>,
    pub(super) zeros: Vec<Row>,
}

impl Tables {
    /// The rows of a sound file; nothing if it is not one.
    pub(super) fn read(image: &[u8]) -> Option<Self> {
        const NAMES: [&[u8]; 5] = [b"meta", b"identity", b"sectors", b"clusters", b"zeros"];
        let mut roots = [0; NAMES.len()];
        for row in rows(image, 1)? {
            let text = |column: usize| match row.columns.get(column)? {
                Value::Bytes(places) => Some(gather(image, places)?),
                _ => None,
            };
            let table = NAMES.iter().position(|name| text(1).as_deref() == Some(name));
            // The root page is a small number, stored in the byte after the texts before it.
            let (Some(table), Some(Value::Bytes(before))) = (table, row.columns.get(2)) else { continue };
            roots[table] = usize::from(*image.get(before.last()?.end)?);
        }
        let [meta, identity, sectors, clusters, zeros] =
            roots.map(|root| if root == 0 { Some(Vec::new()) } else { rows(image, root) });
        Some(Self { meta: meta?, identity: identity?, sectors: sectors?, clusters: clusters?, zeros: zeros? })
    }
}

/// The whole number at that place.
pub(super) fn number(image: &[u8], place: &Range<usize>) -> Option<i64> {
    let bytes = image.get(place.clone())?;
    let sign = if bytes.first()? & 0x80 == 0 { 0 } else { -1 };
    Some(bytes.iter().fold(sign, |number, byte| number << 8 | i64::from(*byte)))
}

/// The bytes at those places, if all of them are there.
pub(super) fn gather(image: &[u8], places: &[Range<usize>]) -> Option<Vec<u8>> {
    places.iter().map(|place| image.get(place.clone())).collect::<Option<Vec<_>>>().map(|parts| parts.concat())
}

/// The rows of the table whose tree begins at page `root`, by key.
fn rows(image: &[u8], root: usize) -> Option<Vec<Row>> {
    let size = page_size(image);
    let start = (root - 1) * size;
    let page = image.get(start..start + size)?;
    let head = if root == 1 { 100 } else { 0 };
    let pointers = |from: usize| {
        let count = usize::from(page[head + 3]) << 8 | usize::from(page[head + 4]);
        (0..count).map(move |n| {
            let at = head + from + 2 * n;
            start + (usize::from(page[at]) << 8 | usize::from(page[at + 1]))
        })
    };
    match page[head] {
        0x0d => pointers(8).map(|cell| row(image, cell)).collect(),
        0x05 => {
            let children = pointers(12).map(|cell| word(image, cell)).chain([word(page, head + 8)]);
            let parts: Option<Vec<_>> = children.map(|child| rows(image, child? as usize)).collect();
            Some(parts?.concat())
        }
        _ => None,
    }
}

fn varint(image: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0;
    for n in 0..9 {
        let byte = *image.get(at + n)?;
        if n == 8 {
            return Some((value << 8 | u64::from(byte), at + 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((value, at + n + 1));
        }
    }
    None
}

/// The row whose cell begins at `cell`; nothing if that cannot be a row.
pub(super) fn row(image: &[u8], cell: usize) -> Option<Row> {
    let size = page_size(image);
    // SQLite takes no page with less room.
    let usable = size.checked_sub(usize::from(*image.get(20)?)).filter(|usable| *usable >= 480)?;
    let (len, at) = varint(image, cell)?;
    let (key, at) = varint(image, at)?;
    let len = usize::try_from(len).ok().filter(|len| *len < 1 << 24)?;
    let local = match usable.checked_sub(35)? {
        most if len <= most => len,
        most => {
            let least = (usable - 12) * 32 / 255 - 23;
            Some(least + (len - least) % (usable - 4)).filter(|local| *local <= most).unwrap_or(least)
        }
    };
    // Where the record lies: in the cell, then on pages of its own.
    let in_cell = at..at + local;
    let mut places = vec![in_cell];
    let (mut rest, mut next) = (len - local, word(image, at + local).unwrap_or(0) as usize);
    while rest > 0 {
        let page = next.checked_sub(1)?.checked_mul(size)?;
        let here = rest.min(usable - 4);
        next = word(image, page)? as usize;
        places.push(page + 4..page + 4 + here);
        rest -= here;
    }
    let (head_len, mut type_at) = varint(image, at)?;
    let head_len = usize::try_from(head_len).ok().filter(|head_len| *head_len <= len)?;
    let head_end = at + head_len;
    let (mut columns, mut offset) = (Vec::new(), head_len);
    while type_at < head_end && columns.len() < 8 {
        let (ty, after) = varint(image, type_at)?;
        type_at = after;
        let len = match ty {
            0 | 8 | 9 => 0,
            1..=4 => ty as usize,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => usize::try_from(ty - 12).ok()? / 2,
        };
        columns.push(match ty {
            0 => Value::Null,
            8 | 9 => Value::Constant(ty as i64 - 8),
            1..=6 => match part(&places, offset, len).as_deref() {
                Some([place]) => Value::Number(place.clone()),
                _ => Value::Other,
            },
            12.. => part(&places, offset, len).map_or(Value::Other, Value::Bytes),
            _ => Value::Other,
        });
        offset = offset.checked_add(len)?;
    }
    Some(Row { key: key as i64, cell, head: cell..head_end, columns })
}

/// `len` bytes from `offset` on, of what lies at `places`.
fn part(places: &[Range<usize>], offset: usize, len: usize) -> Option<Vec<Range<usize>>> {
    let (mut skip, mut want, mut parts) = (offset, len, Vec::new());
    for place in places {
        let here = place.len().saturating_sub(skip).min(want);
        if here > 0 || (want == 0 && skip <= place.len()) {
            parts.push(place.start + skip..place.start + skip + here);
        }
        skip = skip.saturating_sub(place.len());
        want -= here;
        if want == 0 {
            return Some(parts);
        }
    }
    None
}
