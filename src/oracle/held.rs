//! What a layer held before the script: a file beside, with each sector at its own offset.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// Reads one sector. What lies past the end of the file is zeros.
///
/// # Panics
///
/// If the file cannot be read: an oracle that does not know is no oracle.
pub(super) fn read(mut file: &File, sector: u64, buf: &mut [u8]) {
    buf.fill(0);
    let offset = sector * buf.len() as u64;
    let mut done = 0;
    file.seek(SeekFrom::Start(offset)).expect("the copy of the layer's contents has lost its place");
    while done < buf.len() {
        match file.read(&mut buf[done..]).expect("the copy of the layer's contents cannot be read") {
            0 => break,
            n => done += n,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_sector_is_what_lies_at_its_place_and_zeros_past_the_end() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[[1; 512], [2; 512]].concat()).unwrap();
        file.write_all(&[3; 100]).unwrap();
        let of = |sector| {
            let mut buf = [0xee; 512];
            read(&file, sector, &mut buf);
            buf
        };
        let mut torn = [0; 512];
        torn[..100].fill(3);
        assert!([0, 1, 2, 3].map(of) == [[1; 512], [2; 512], torn, [0; 512]]);
    }
}
