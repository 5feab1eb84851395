//! The pointer map: for each page which one leads to it, so that SQLite can move pages when it gives space back.

/// Bytes of an entry.
const LEN: usize = 5;

/// The page of the map that new pages are entered in.
pub(super) struct Map {
    pub(super) page: u32,
    pub(super) bytes: Vec<u8>,
    /// How many pages a page of the map tells of, and itself.
    span: u32,
    /// The page that is never used.
    locked: u32,
}

/// What kind of page it is, and the page that leads to it.
#[derive(Clone, Copy)]
pub(super) struct Entry(pub(super) [u8; LEN]);

impl Entry {
    /// The first of a chain, of a cell of the page `parent`.
    pub(super) fn first_overflow(parent: u32) -> Self {
        Self::new(3, parent)
    }

    /// One that follows `before` in a chain.
    pub(super) fn overflow(before: u32) -> Self {
        Self::new(4, before)
    }

    /// One of a tree, below `parent`.
    pub(super) fn page(parent: u32) -> Self {
        Self::new(5, parent)
    }

    fn new(kind: u8, leads: u32) -> Self {
        let [a, b, c, d] = leads.to_be_bytes();
        Self([kind, a, b, c, d])
    }
}

impl Map {
    /// The page of the map that tells of `page`, with nothing in it.
    pub(super) fn new(page_size: usize, page: u32, locked: u32) -> Self {
        let mut map = Self { page: 0, bytes: vec![0; page_size], span: (page_size / LEN) as u32 + 1, locked };
        map.page = map.place_of(page).0;
        map
    }

    /// Whether it is a page of the map.
    pub(super) fn is_map(&self, page: u32) -> bool {
        self.map_of(page) == page
    }

    /// Goes on with the next page of the map.
    pub(super) fn turn(&mut self, page: u32) {
        self.page = page;
        self.bytes.fill(0);
    }

    /// The page of the map that tells of `page`, and where in it.
    pub(super) fn place_of(&self, page: u32) -> (u32, usize) {
        let map = self.map_of(page);
        (map, LEN * (page.saturating_sub(map + 1)) as usize)
    }

    fn map_of(&self, page: u32) -> u32 {
        let map = (page - 2) / self.span * self.span + 2;
        if map == self.locked { map + 1 } else { map }
    }
}
