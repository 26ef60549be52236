//! Sequences as packed bits and as signs (+1 or -1).

use super::message::{Refusal, Track};

pub(super) fn packed_bytes(length: u16) -> usize {
    (usize::from(length) + 7) >> 3
}

/// Signs (+1 or -1) of a packed sequence of the right size.
pub(super) fn unpack(packed: &[u8], track: Track, length: u16) -> Result<Vec<i32>, Refusal> {
    let length = usize::from(length);
    let mut bits = packed
        .iter()
        .flat_map(|byte| (0..8).map(move |bit| (byte >> bit) & 1 == 1));
    let signs: Vec<i32> = bits
        .by_ref()
        .take(length)
        .map(|up| if up { 1 } else { -1 })
        .collect();
    if bits.any(|up| up) {
        return Err(Refusal::PaddingSet);
    }
    if track == Track::Skew && mirrored(&signs, length / 2 + 1) != signs {
        return Err(Refusal::NotSkewSymmetric);
    }
    Ok(signs)
}

pub(super) fn pack(signs: &[i32]) -> Vec<u8> {
    let byte = |chunk: &[i32]| {
        chunk
            .iter()
            .enumerate()
            .fold(0, |byte, (bit, sign)| byte | (u8::from(*sign > 0) << bit))
    };
    signs.chunks(8).map(byte).collect()
}

/// The skew-symmetric sequence whose first `genes` elements are those of `signs`.
pub(super) fn mirrored(signs: &[i32], genes: usize) -> Vec<i32> {
    let genome: Vec<i32> = signs.iter().take(genes).copied().collect();
    let second =
        genome
            .iter()
            .rev()
            .skip(1)
            .enumerate()
            .map(|(at, sign)| if at & 1 == 0 { -sign } else { *sign });
    genome.iter().copied().chain(second).collect()
}

/// E from scratch. At most 449^3 / 3, far below the range of u32.
pub(super) fn energy_of(signs: &[i32]) -> u32 {
    let lag = |k: usize| {
        signs
            .iter()
            .zip(signs.iter().skip(k))
            .map(|(a, b)| a * b)
            .sum::<i32>()
    };
    (1..signs.len()).map(|k| lag(k).unsigned_abs().pow(2)).sum()
}
