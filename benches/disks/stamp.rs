//! What is written: every sector begins with its own number and the version of the write, so that every read can be
//! checked at little cost, and no sector is like another.

use super::disk::{Result, SECTOR};

/// A buffer of `len` bytes, to be stamped; nothing in it is zero, and little of it repeats.
pub(crate) fn buffer(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8 | 1
    };
    (0..len).map(|_| byte()).collect()
}

/// Makes `buf` what version `version` of the sectors at `at` holds.
pub(crate) fn stamp(buf: &mut [u8], at: u64, version: u64) {
    for (sector, bytes) in (at / SECTOR as u64..).zip(buf.chunks_exact_mut(SECTOR)) {
        bytes[..8].copy_from_slice(&sector.to_le_bytes());
        bytes[8..16].copy_from_slice(&version.to_le_bytes());
    }
}

/// Checks that `buf` holds what was stamped for `at`.
pub(crate) fn check(buf: &[u8], at: u64, version: u64) -> Result<()> {
    for (sector, bytes) in (at / SECTOR as u64..).zip(buf.chunks_exact(SECTOR)) {
        let number = |range: std::ops::Range<usize>| {
            bytes.get(range).and_then(|word| word.try_into().ok()).map(u64::from_le_bytes)
        };
        let found = [number(0..8), number(8..16)];
        if found != [Some(sector), Some(version)] {
            return Err(format!("sector {sector} was read as {found:?}, not as version {version} of itself").into());
        }
    }
    Ok(())
}

/// Checks that `buf` is zeros.
pub(crate) fn check_zeros(buf: &[u8], at: u64) -> Result<()> {
    match buf.iter().position(|&byte| byte != 0) {
        Some(place) => Err(format!("byte {} is not zero after an unmap", at + place as u64).into()),
        None => Ok(()),
    }
}
