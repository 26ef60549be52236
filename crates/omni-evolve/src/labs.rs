//! Low-autocorrelation binary sequences: the formats of the skill `labs`, and the energy that every
//! claim is recomputed by.
//!
//! For `s` in {−1, +1}^N, `C_k = Σ s_i s_{i+k}` and the energy is `E = Σ_{k≥1} C_k²`; smaller is
//! better. The merit factor is `N² / 2E`. (Golay 1977; Packebusch and Mertens 2016.)

use omni_types::{Labs, Track};
use thiserror::Error;

/// Longest sequence.
pub const MAX_LENGTH: u16 = 449;

const INPUT_MAGIC: &[u8; 4] = b"LAB1";
const OUTPUT_MAGIC: &[u8; 4] = b"LABO";
/// Bytes of an output before the sequence.
const OUTPUT_HEADER: usize = 32;

/// Why an output of the skill does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OutputError {
    /// Wrong length, marker or padding.
    #[error("the output is not in the format of the skill")]
    Malformed,
    /// Another length or track than the campaign's.
    #[error("the output is for another problem")]
    WrongProblem,
    /// The sequence does not have the energy that is claimed for it.
    #[error("the sequence does not have the claimed energy")]
    WrongEnergy,
    /// A sequence of the skew track that is not skew-symmetric.
    #[error("the sequence is not skew-symmetric")]
    NotSkewSymmetric,
}

/// A sequence with its recomputed energy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Elements, `true` for +1.
    pub sequence: Vec<bool>,
    /// Energy, recomputed here.
    pub energy: u32,
    /// Flip evaluations the skill says it used; a statement, not a fact.
    pub evaluations: u64,
}

/// Energy of a sequence of at most [`MAX_LENGTH`] elements.
pub fn energy(sequence: &[bool]) -> u32 {
    let mut total = 0u32;
    for lag in 1..sequence.len() {
        let shifted = sequence.iter().skip(lag);
        let agree = sequence.iter().zip(shifted).filter(|(a, b)| a == b).count() as i64;
        let correlation = 2 * agree - (sequence.len() - lag) as i64;
        total = total.saturating_add((correlation * correlation) as u32);
    }
    total
}

/// Merit factor with two decimals, rounded down, by integers only.
pub fn merit_factor(length: u16, energy: u32) -> String {
    if energy == 0 {
        return "0.00".to_owned();
    }
    let hundredths = u64::from(length) * u64::from(length) * 100 / (2 * u64::from(energy));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// The lexicographically smallest image of a sequence under reversal, complement and alternate
/// complement: eight images have the same energy and count as one individual.
pub fn canonical(sequence: &[bool]) -> Vec<bool> {
    let mut smallest: Option<Vec<bool>> = None;
    for image in 0..8u8 {
        let mut bits: Vec<bool> = sequence
            .iter()
            .enumerate()
            .map(|(index, bit)| {
                let alternate = image & 1 != 0 && index % 2 == 1;
                let complement = image & 2 != 0;
                *bit ^ alternate ^ complement
            })
            .collect();
        if image & 4 != 0 {
            bits.reverse();
        }
        if smallest.as_ref().is_none_or(|best| bits < *best) {
            smallest = Some(bits);
        }
    }
    smallest.unwrap_or_default()
}

/// Whether `s_{m+i} = (−1)^i s_{m−i}` for all i, `m` the middle of an odd length.
pub fn is_skew_symmetric(sequence: &[bool]) -> bool {
    let odd = sequence.len() % 2 == 1;
    let half = sequence.len() / 2;
    let left = sequence.iter().take(half).rev();
    let right = sequence.iter().skip(half + 1);
    odd && left
        .zip(right)
        .enumerate()
        .all(|(index, (a, b))| (a == b) == (index % 2 == 1))
}

/// `+` and `-`, for people.
pub fn text(sequence: &[bool]) -> String {
    sequence
        .iter()
        .map(|bit| if *bit { '+' } else { '-' })
        .collect()
}

fn pack(sequence: &[bool]) -> Vec<u8> {
    sequence
        .chunks(8)
        .map(|chunk| {
            chunk
                .iter()
                .enumerate()
                .fold(0, |byte, (bit, set)| byte | (u8::from(*set) << bit))
        })
        .collect()
}

fn unpack(bytes: &[u8], length: usize) -> Option<Vec<bool>> {
    if bytes.len() != length.div_ceil(8) {
        return None;
    }
    let mut bits = bytes
        .iter()
        .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
    let sequence = bits.by_ref().take(length).collect();
    bits.all(|padding| !padding).then_some(sequence)
}

fn track_code(track: Track) -> u8 {
    match track {
        Track::General => 0,
        Track::Skew => 1,
    }
}

/// Input of the skill: see `skills/README.md`. At most two parents.
pub fn input(
    problem: Labs,
    parents: &[Vec<bool>],
    evaluations: u64,
    crossover_permille: u16,
) -> Vec<u8> {
    let parents = parents.iter().take(2);
    let mut out = INPUT_MAGIC.to_vec();
    out.push(track_code(problem.track));
    out.push(parents.len() as u8);
    out.extend_from_slice(&problem.length.to_le_bytes());
    out.extend_from_slice(&evaluations.to_le_bytes());
    out.extend_from_slice(&crossover_permille.to_le_bytes());
    for parent in parents {
        out.extend_from_slice(&pack(parent));
    }
    out
}

/// Reads an output of the skill and recomputes its energy.
///
/// # Errors
/// An [`OutputError`] for anything that is not a well-formed, true claim about this problem.
pub fn parse_output(problem: Labs, bytes: &[u8]) -> Result<Candidate, OutputError> {
    let (header, packed) = bytes
        .split_at_checked(OUTPUT_HEADER)
        .ok_or(OutputError::Malformed)?;
    let field = |range: std::ops::Range<usize>| header.get(range).unwrap_or_default();
    if field(0..4) != OUTPUT_MAGIC || field(5..6) != [0] {
        return Err(OutputError::Malformed);
    }
    if field(4..5) != [track_code(problem.track)] || field(6..8) != problem.length.to_le_bytes() {
        return Err(OutputError::WrongProblem);
    }
    let number = |range| {
        field(range)
            .iter()
            .rev()
            .fold(0u64, |value, byte| value << 8 | u64::from(*byte))
    };
    let claimed = number(8..12);
    let evaluations = number(12..20);
    let sequence = unpack(packed, problem.length.into()).ok_or(OutputError::Malformed)?;
    if problem.track == Track::Skew && !is_skew_symmetric(&sequence) {
        return Err(OutputError::NotSkewSymmetric);
    }
    let energy = energy(&sequence);
    if u64::from(energy) != claimed {
        return Err(OutputError::WrongEnergy);
    }
    Ok(Candidate {
        sequence,
        energy,
        evaluations,
    })
}

/// An output of the skill with this sequence, for tests and models; the generator state is zero.
pub fn output(problem: Labs, sequence: &[bool], evaluations: u64) -> Vec<u8> {
    let mut out = OUTPUT_MAGIC.to_vec();
    out.push(track_code(problem.track));
    out.push(0);
    out.extend_from_slice(&problem.length.to_le_bytes());
    out.extend_from_slice(&energy(sequence).to_le_bytes());
    out.extend_from_slice(&evaluations.to_le_bytes());
    out.extend_from_slice(&0u32.to_le_bytes());
    out.extend_from_slice(&0u64.to_le_bytes());
    out.extend_from_slice(&pack(sequence));
    out
}
