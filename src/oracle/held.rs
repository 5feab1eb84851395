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
