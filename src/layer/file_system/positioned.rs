//! Reads and writes at a position, which each system has under another name.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::ops::Range;

#[cfg(unix)]
pub(super) fn read_exact(file: &File, buf: &mut [u8], offset: u64) -> Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

#[cfg(unix)]
pub(super) fn write_all(file: &File, data: &[u8], offset: u64) -> Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, data, offset)
}

#[cfg(windows)]
pub(super) fn read_exact(file: &File, mut buf: &mut [u8], mut offset: u64) -> Result<()> {
    while !buf.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buf, offset)? {
            0 => return Err(Error::from(ErrorKind::UnexpectedEof)),
            n => (buf, offset) = (&mut buf[n..], offset + n as u64),
        }
    }
    Ok(())
}

#[cfg(windows)]
pub(super) fn write_all(file: &File, mut data: &[u8], mut offset: u64) -> Result<()> {
    while !data.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, data, offset)? {
            0 => return Err(Error::from(ErrorKind::WriteZero)),
            n => (data, offset) = (&data[n..], offset + n as u64),
        }
    }
    Ok(())
}

/// Makes a range of bytes read as zeros, giving the space back where the system can.
#[cfg(target_os = "linux")]
pub(super) fn zero(file: &File, range: Range<u64>) -> Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match fallocate(file, flags, range.start, range.end - range.start) {
        Err(e) if Error::from(e).kind() == ErrorKind::Unsupported => write_zeros(file, range),
        result => result.map_err(Error::from),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn zero(file: &File, range: Range<u64>) -> Result<()> {
    write_zeros(file, range)
}

fn write_zeros(file: &File, mut range: Range<u64>) -> Result<()> {
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    while range.start < range.end {
        let len = (range.end - range.start).min(ZEROS.len() as u64);
        write_all(file, &ZEROS[..len as usize], range.start)?;
        range.start += len;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_written_where_no_hole_can_be_punched_and_nowhere_else() {
        for range in [1..150_001, 0..65_536, 7..8, 9..9] {
            let file = tempfile::tempfile().unwrap();
            let mut expected = vec![7; 200_000];
            write_all(&file, &expected, 0).unwrap();
            write_zeros(&file, range.clone()).unwrap();
            expected[range.start as usize..range.end as usize].fill(0);
            let mut bytes = vec![0xee; expected.len()];
            read_exact(&file, &mut bytes, 0).unwrap();
            assert!(bytes == expected, "{range:?}");
            assert_eq!(file.metadata().unwrap().len(), 200_000);
        }
    }
}
