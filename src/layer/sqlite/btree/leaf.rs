//! The pages of a tree: cells from the end, and where each is from the start.

/// What kind of page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Leaf,
    Inner,
}

impl Kind {
    /// Bytes of its head, and what that begins with.
    fn head(self) -> (usize, u8) {
        match self {
            Self::Leaf => (8, 0x0d),
            Self::Inner => (12, 0x05),
        }
    }
}

/// A page that is being filled.
pub(super) struct Cells {
    page: Vec<u8>,
    kind: Kind,
    count: usize,
    /// Where the last cell begins.
    content: usize,
}

impl Cells {
    pub(super) fn new(page_size: usize, kind: Kind) -> Self {
        Self { page: vec![0; page_size], kind, count: 0, content: page_size }
    }

    fn has_room(&self, len: usize) -> bool {
        self.kind.head().0 + 2 * (self.count + 1) + len <= self.content
    }

    pub(super) fn push(&mut self, cell: &[u8]) {
        assert!(self.has_room(cell.len()), "a cell for which the page has no room");
        self.content -= cell.len();
        self.page[self.content..self.content + cell.len()].copy_from_slice(cell);
        let pointer = self.kind.head().0 + 2 * self.count;
        self.page[pointer..pointer + 2].copy_from_slice(&(self.content as u16).to_be_bytes());
        self.count += 1;
    }

    /// The page; one that leads to others leads to `last` for the largest keys.
    pub(super) fn into_page(mut self, last: u32) -> Vec<u8> {
        let (head, kind) = self.kind.head();
        self.page[0] = kind;
        self.page[3..5].copy_from_slice(&(self.count as u16).to_be_bytes());
        // An empty page of 65536 bytes would have 0 here; pages here are smaller.
        self.page[5..7].copy_from_slice(&(self.content as u16).to_be_bytes());
        if self.kind == Kind::Inner {
            self.page[head - 4..head].copy_from_slice(&last.to_be_bytes());
        }
        self.page
    }
}

/// A leaf that is being filled, its number, and the pages that its cells go on in.
pub(super) struct Leaf {
    pub(super) page: u32,
    pub(super) overflows: Vec<u32>,
    cells: Cells,
    last_key: u64,
}

impl Leaf {
    pub(super) fn new(page_size: usize, page: u32) -> Self {
        Self { page, overflows: Vec::new(), cells: Cells::new(page_size, Kind::Leaf), last_key: 0 }
    }

    pub(super) fn has_room(&self, len: usize) -> bool {
        self.cells.has_room(len)
    }

    pub(super) fn push(&mut self, key: u64, cell: &[u8]) {
        self.cells.push(cell);
        self.last_key = key;
    }

    pub(super) fn last_key(&self) -> u64 {
        self.last_key
    }

    pub(super) fn into_page(self) -> Vec<u8> {
        self.cells.into_page(0)
    }
}

/// The head of a record of NULL, which stands for the key, and a blob of `len` bytes.
pub(super) fn record_head(len: usize) -> Vec<u8> {
    let mut head = vec![0, 0];
    varint(&mut head, 12 + 2 * len as u64);
    head[0] = head.len() as u8;
    head
}

/// How many bytes of a payload lie in the leaf; the others lie in pages of their own.
pub(super) fn local_len(payload: usize, page_size: usize) -> usize {
    let (most, least) = (page_size - 35, (page_size - 12) * 32 / 255 - 23);
    if payload <= most {
        return payload;
    }
    let even = least + (payload - least) % (page_size - 4);
    if even <= most { even } else { least }
}

/// Appends a number as SQLite has it: seven bits a byte, the most significant first. Those here are below 2^56.
pub(super) fn varint(bytes: &mut Vec<u8>, number: u64) {
    let septets = (64 - number.leading_zeros()).div_ceil(7).max(1);
    for at in (0..septets).rev() {
        let more = if at > 0 { 0x80 } else { 0 };
        bytes.push((number >> (7 * at)) as u8 & 0x7f | more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked out by hand from "Cell payload overflow pages" of SQLite's description of its files.
    #[test]
    fn as_much_lies_in_the_leaf_as_sqlite_wants_there() {
        // At most 477 bytes, at least 39, and pages of 508 bytes behind.
        for (payload, local) in [(0, 0), (477, 477), (478, 39), (546, 39), (547, 39), (548, 40), (985, 477), (986, 39)]
        {
            assert_eq!(local_len(payload, 512), local, "{payload} bytes in pages of 512");
        }
        // At most 4061, at least 489, and 4092 behind.
        for (payload, local) in [(4061, 4061), (4062, 489), (4581, 489), (4582, 490), (8153, 4061), (8154, 489)] {
            assert_eq!(local_len(payload, 4096), local, "{payload} bytes in pages of 4096");
        }
    }
}
