//! Rows as SQLite has them in the leaves of its trees (sqlite.org/fileformat2.html, "B-tree Pages", "Record Format").
//!
//! Everything is checked as it is read; `None` means that something is not as it should be, and nothing more.

/// Deeper trees than that have more pages than SQLite allows.
pub(super) const DEEPEST: u32 = 20;
/// What a page of a tree begins with.
pub(super) const INTERIOR: u8 = 5;
pub(super) const LEAF: u8 = 13;

/// The byte of a file that is locked.
const LOCKED_BYTE: u64 = 1 << 30;

/// The page that nothing is on, because SQLite locks bytes of it ("The Lock-Byte Page").
pub(super) fn locked_page(page_size: usize) -> u32 {
    (LOCKED_BYTE / page_size as u64) as u32 + 1
}

/// Where a page begins in its file; none if nothing can be on it.
pub(super) fn page_offset(page: u32, page_size: usize) -> Option<u64> {
    let before = page.checked_sub(1)?;
    (page != locked_page(page_size)).then_some(u64::from(before) * page_size as u64)
}

/// A value of a row, of those that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// What the key of the row stands for, too.
    Null,
    Integer(i64),
    Text(&'a str),
}

/// The values of a row that is just as long as they are.
pub(super) fn values(row: &[u8]) -> Option<Vec<Value<'_>>> {
    let (len, types) = header(row)?;
    let mut rest = &row[len..];
    let mut values = Vec::with_capacity(types.len());
    for ty in types {
        let value;
        (value, rest) = match ty {
            0 => (Value::Null, rest),
            13.. if ty % 2 == 1 => {
                let (text, rest) = rest.split_at_checked(usize::try_from((ty - 13) / 2).ok()?)?;
                (Value::Text(str::from_utf8(text).ok()?), rest)
            }
            _ => integer(ty, rest).map(|(number, rest)| (Value::Integer(number), rest))?,
        };
        values.push(value);
    }
    rest.is_empty().then_some(values)
}

/// The length of a row's header, and the types of its columns.
pub(super) fn header(row: &[u8]) -> Option<(usize, Vec<u64>)> {
    let (len, _) = varint(row)?;
    let len = usize::try_from(len).ok().filter(|len| *len <= 32)?;
    let (_, mut rest) = varint(row.get(..len)?)?;
    let mut types = Vec::new();
    while !rest.is_empty() {
        let (ty, more) = varint(rest)?;
        types.push(ty);
        rest = more;
    }
    Some((len, types))
}

/// A whole number of that type, and what follows it.
pub(super) fn integer(ty: u64, bytes: &[u8]) -> Option<(i64, &[u8])> {
    let len = match ty {
        8 | 9 => return Some(((ty - 8) as i64, bytes)),
        1..=4 => ty as usize,
        5 => 6,
        6 => 8,
        _ => return None,
    };
    let (bytes, rest) = bytes.split_at_checked(len)?;
    let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
    Some((bytes.iter().fold(sign, |value, byte| value << 8 | i64::from(*byte)), rest))
}

/// How many bytes of a row lie with its number ("Cell payload overflow pages").
pub(super) fn local_len(len: usize, page_size: usize) -> usize {
    let most = page_size - 35;
    if len <= most {
        return len;
    }
    let least = (page_size - 12) * 32 / 255 - 23;
    let kept = least + (len - least) % (page_size - 4);
    if kept <= most { kept } else { least }
}

/// The number of bytes of a row; SQLite reads longer ones in another way than other numbers.
pub(super) fn row_len(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (len, rest) = varint(bytes)?;
    let len = usize::try_from(len).ok().filter(|len| *len <= i32::MAX as usize && bytes.len() - rest.len() <= 5)?;
    Some((len, rest))
}

/// SQLite's number of one to nine bytes, and what follows it.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(8).enumerate() {
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    Some((value << 8 | u64::from(*bytes.get(8)?), &bytes[9..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked out by hand from "Cell payload overflow pages" of SQLite's description of its files.
    #[test]
    fn as_much_lies_with_the_number_as_sqlite_wants_there() {
        // At most 477 bytes and at least 39; at most 4061 and at least 489.
        let lens = [(512, 477, 477), (512, 478, 39), (512, 547, 39), (512, 548, 40), (512, 985, 477), (512, 986, 39)];
        let longer = [(4096, 4061, 4061), (4096, 4062, 489), (4096, 4581, 489), (4096, 8153, 4061), (4096, 8154, 489)];
        for (page_size, len, local) in lens.into_iter().chain(longer) {
            assert_eq!(local_len(len, page_size), local, "{len} bytes in pages of {page_size}");
        }
    }

    #[test]
    fn nothing_is_on_page_zero_and_on_the_one_with_the_bytes_that_are_locked() {
        assert_eq!([512, 4096, 65536].map(locked_page), [2_097_153, 262_145, 16_385]);
        let offsets = [0, 1, 262_144, 262_145, 262_146].map(|page| page_offset(page, 4096));
        assert_eq!(offsets, [None, Some(0), Some(LOCKED_BYTE - 4096), None, Some(LOCKED_BYTE + 4096)]);
        assert_eq!(page_offset(u32::MAX, 65536), Some((u64::from(u32::MAX) - 1) << 16));
    }

    #[test]
    fn numbers_are_read_as_sqlite_writes_them() {
        assert_eq!(varint(&[0x7f, 9]), Some((0x7f, &[9][..])));
        assert_eq!(varint(&[0x81, 0, 9]), Some((128, &[9][..])));
        assert_eq!(varint(&[0xff; 9]), Some((u64::MAX, &[][..])));
        assert_eq!((varint(&[]), varint(&[0x81]), varint(&[0xff; 8])), (None, None, None));
        let number = |ty, bytes: &[u8]| integer(ty, bytes).map(|(number, _)| number);
        assert_eq!([number(8, &[]), number(9, &[])], [Some(0), Some(1)]);
        assert_eq!([number(1, &[0x7f]), number(1, &[0xff])], [Some(127), Some(-1)]);
        assert_eq!([number(2, &[1, 2]), number(3, &[1, 2, 3])], [Some(0x102), Some(0x1_0203)]);
        assert_eq!(number(5, &[1, 2, 3, 4, 5, 6]), Some(0x102_0304_0506));
        assert_eq!(number(6, &[0x80, 0, 0, 0, 0, 0, 0, 0]), Some(i64::MIN));
        assert_eq!([number(2, &[1]), number(7, &[0; 8]), number(0, &[0; 8])], [None; 3]);
        assert_eq!(integer(1, &[5, 6]), Some((5, &[6][..])));
    }

    /// SQLite takes seven bits of the ninth byte there, and eight elsewhere.
    #[test]
    fn the_length_of_a_row_has_at_most_five_bytes() {
        assert_eq!(row_len(&[0x81, 0, 9]), Some((128, &[9][..])));
        assert_eq!(row_len(&[0x87, 0xff, 0xff, 0xff, 0x7f]), Some((i32::MAX as usize, &[][..])));
        assert_eq!(row_len(&[0x88, 0x80, 0x80, 0x80, 0]), None);
        assert_eq!(row_len(&[0x80, 0x80, 0x80, 0x80, 0x80, 9]), None);
        assert_eq!(row_len(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 200]), None);
    }

    #[test]
    fn a_row_has_just_the_values_that_its_header_names() {
        use Value::{Integer, Null, Text};
        assert_eq!(values(&[4, 0, 1, 17, 7, b'a', b'b']), Some(vec![Null, Integer(7), Text("ab")]));
        assert_eq!(values(&[2, 13]), Some(vec![Text("")]));
        assert_eq!(values(&[1]), Some(vec![]));
        let odd: [&[u8]; 6] = [&[2, 15], &[2, 15, b'a', b'b'], &[2, 15, 0xff], &[2, 14, b'a'], &[2, 7, 0], &[3, 0]];
        assert_eq!(odd.map(values), [const { None }; 6]);
    }
}
