//! The skill as its callers see it: request bytes in, answer bytes out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use labs::{energy, run, Answer, Refusal, Request, Track, MAX_BUDGET, MAX_REQUEST_BYTES};

fn request(track: Track, length: u16, seed: u64, budget: u64) -> Request {
    Request {
        seed,
        track,
        length,
        budget,
        crossover_permille: 900,
        parents: Vec::new(),
    }
}

fn answer(request: &Request) -> Answer {
    let answer = Answer::decode(&run(&request.encode()).unwrap()).unwrap();
    assert_eq!(
        (answer.track, answer.length),
        (request.track, request.length)
    );
    assert!(answer.evaluations <= request.budget);
    assert!(answer.restarts >= 1);
    answer
}

fn sign(sequence: &[u8], i: usize) -> i32 {
    if sequence[i / 8] >> (i % 8) & 1 == 1 {
        1
    } else {
        -1
    }
}

fn packed(signs: &[i32]) -> Vec<u8> {
    let mut bytes = vec![0; signs.len().div_ceil(8)];
    for (i, sign) in signs.iter().enumerate() {
        if *sign > 0 {
            bytes[i / 8] |= 1 << (i % 8);
        }
    }
    bytes
}

fn assert_skew_symmetric(sequence: &[u8], length: u16) {
    let middle = usize::from(length - 1) / 2;
    for i in 1..=middle {
        let turn = if i % 2 == 0 { 1 } else { -1 };
        assert_eq!(
            sign(sequence, middle + i),
            turn * sign(sequence, middle - i)
        );
    }
}

/// The lowest energy over a few seeds, stopping at `wanted`.
fn lowest(track: Track, length: u16, budget: u64, wanted: u32) -> u32 {
    let mut lowest = u32::MAX;
    for seed in 1..=8 {
        let found = answer(&request(track, length, seed, budget));
        if track == Track::Skew {
            assert_skew_symmetric(&found.sequence, length);
        }
        lowest = lowest.min(found.energy);
        if lowest <= wanted {
            break;
        }
    }
    lowest
}

#[test]
fn the_general_track_reaches_the_proven_optimum() {
    let optima = [
        (3, 1),
        (4, 2),
        (5, 2),
        (6, 7),
        (7, 3),
        (8, 8),
        (9, 12),
        (10, 13),
        (11, 5),
        (12, 10),
        (13, 6),
        (14, 19),
        (15, 15),
        (16, 24),
        (17, 32),
        (18, 25),
        (19, 29),
        (20, 26),
        (21, 26),
        (22, 39),
        (23, 47),
        (24, 36),
        (25, 36),
        (26, 45),
        (27, 37),
        (31, 67),
    ];
    for (length, optimum) in optima {
        assert_eq!(
            lowest(Track::General, length, 400_000, optimum),
            optimum,
            "N = {length}"
        );
    }
}

#[test]
fn the_skew_track_reaches_the_known_skew_symmetric_optimum() {
    for (length, optimum) in [
        (5, 2),
        (7, 3),
        (9, 12),
        (11, 5),
        (13, 6),
        (21, 26),
        (27, 37),
        (41, 108),
    ] {
        assert_eq!(
            lowest(Track::Skew, length, 400_000, optimum),
            optimum,
            "N = {length}"
        );
    }
}

#[test]
fn energies_of_known_sequences() {
    let barker_13 = packed(&[1, 1, 1, 1, 1, -1, -1, 1, 1, -1, 1, -1, 1]);
    assert_eq!(energy(&barker_13, 13), Ok(6));
    assert_eq!(energy(&[0b111], 3), Ok(5));
    assert_eq!(energy(&[0b1111], 3), Err(Refusal::PaddingSet));
    assert_eq!(energy(&[0b111, 0], 3), Err(Refusal::WrongSize));
    assert_eq!(energy(&[1], 2), Err(Refusal::LengthOutOfRange));
}

#[test]
fn the_same_bytes_twice_give_the_same_answer_and_another_seed_another() {
    let seeded = |track, seed| run(&request(track, 61, seed, 20_000).encode()).unwrap();
    for track in [Track::General, Track::Skew] {
        assert_eq!(seeded(track, 7), seeded(track, 7));
        assert_ne!(seeded(track, 7), seeded(track, 8));
    }
}

#[test]
fn a_start_from_one_parent_differs_in_few_elements() {
    for (track, length) in [(Track::General, 64), (Track::Skew, 65)] {
        let parent = answer(&request(track, length, 1, 40_000)).sequence;
        let parents = vec![parent.clone()];
        let child = answer(&Request {
            parents,
            ..request(track, length, 3, 1)
        });
        let bits = |(a, b): (&u8, &u8)| (a ^ b).count_ones();
        let different: u32 = parent.iter().zip(&child.sequence).map(bits).sum();
        assert!(different <= 10, "{different}");
    }
}

#[test]
fn every_length_runs_and_the_budget_is_nearly_used_but_never_exceeded() {
    for length in 3..=449 {
        let found = answer(&request(Track::General, length, 1, 2_000));
        assert!(found.evaluations > 2_000 - u64::from(length), "{found:?}");
    }
    for length in (5..=449).step_by(2) {
        let found = answer(&request(Track::Skew, length, 1, 2_000));
        assert!(found.evaluations > 2_000 - u64::from(length), "{found:?}");
        assert_skew_symmetric(&found.sequence, length);
    }
}

#[test]
fn a_budget_below_one_step_still_gives_a_sequence() {
    for track in [Track::General, Track::Skew] {
        let found = answer(&request(track, 101, 1, 1));
        assert_eq!((found.evaluations, found.restarts), (0, 1));
    }
}

#[test]
fn each_malformed_request_is_refused_by_name() {
    let skew_5 = packed(&[1, 1, 1, -1, 1]);
    let good = Request {
        parents: vec![skew_5.clone()],
        ..request(Track::Skew, 5, 1, 100)
    };
    let good = good.encode();
    assert!(run(&good).is_ok());
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let general_even = [&with(12, &[0])[..14], &[6, 0], &good[16..]].concat();
    let cases: Vec<(Vec<u8>, Result<(), Refusal>)> = vec![
        (Vec::new(), Err(Refusal::TooShort)),
        (good[..7].to_vec(), Err(Refusal::TooShort)),
        (good[..25].to_vec(), Err(Refusal::TooShort)),
        (with(8, b"LAB2"), Err(Refusal::BadMagic)),
        (with(12, &[2]), Err(Refusal::UnknownTrack)),
        (with(12, &[255]), Err(Refusal::UnknownTrack)),
        (with(13, &[3]), Err(Refusal::TooManyParents)),
        (with(13, &[255]), Err(Refusal::TooManyParents)),
        (with(14, &[0, 0]), Err(Refusal::LengthOutOfRange)),
        (with(14, &[3, 0]), Err(Refusal::LengthOutOfRange)),
        (with(14, &[4, 0]), Err(Refusal::LengthOutOfRange)),
        (
            with(14, &450u16.to_le_bytes()),
            Err(Refusal::LengthOutOfRange),
        ),
        (with(14, &[255, 255]), Err(Refusal::LengthOutOfRange)),
        (with(12, &[0, 1, 2, 0]), Err(Refusal::LengthOutOfRange)),
        (with(14, &[6, 0]), Err(Refusal::LengthEven)),
        (general_even, Ok(())),
        (
            with(16, &0u64.to_le_bytes()),
            Err(Refusal::BudgetOutOfRange),
        ),
        (
            with(16, &(MAX_BUDGET + 1).to_le_bytes()),
            Err(Refusal::BudgetOutOfRange),
        ),
        (
            with(16, &u64::MAX.to_le_bytes()),
            Err(Refusal::BudgetOutOfRange),
        ),
        (
            with(24, &1001u16.to_le_bytes()),
            Err(Refusal::CrossoverOutOfRange),
        ),
        (with(24, &1000u16.to_le_bytes()), Ok(())),
        (with(13, &[0]), Err(Refusal::WrongSize)),
        (with(13, &[2]), Err(Refusal::WrongSize)),
        (with(14, &[9, 0]), Err(Refusal::WrongSize)),
        (good[..26].to_vec(), Err(Refusal::WrongSize)),
        ([&good[..], &[0]].concat(), Err(Refusal::WrongSize)),
        (vec![0; MAX_REQUEST_BYTES + 1], Err(Refusal::BadMagic)),
        (with(26, &[skew_5[0] | 0x20]), Err(Refusal::PaddingSet)),
        (with(26, &[skew_5[0] | 0x80]), Err(Refusal::PaddingSet)),
        (with(26, &[skew_5[0] ^ 1]), Err(Refusal::NotSkewSymmetric)),
    ];
    for (bytes, wanted) in cases {
        assert_eq!(run(&bytes).map(|_| ()), wanted, "{bytes:?}");
    }
}

#[test]
fn an_answer_that_contradicts_itself_is_refused() {
    let good = run(&request(Track::Skew, 21, 1, 1_000).encode()).unwrap();
    let with = |at: usize, mask: u8| {
        let mut changed = good.clone();
        changed[at] ^= mask;
        Answer::decode(&changed).unwrap_err()
    };
    assert_eq!(Answer::decode(&good).unwrap().encode(), good);
    assert_eq!(with(0, 1), Refusal::BadMagic);
    assert_eq!(with(4, 2), Refusal::UnknownTrack);
    assert_eq!(with(5, 1), Refusal::AnswerInconsistent);
    assert_eq!(with(6, 1), Refusal::LengthEven);
    assert_eq!(with(8, 4), Refusal::AnswerInconsistent);
    assert_eq!(with(32, 1), Refusal::NotSkewSymmetric);
    assert_eq!(with(34, 0x80), Refusal::PaddingSet);
    assert_eq!(Answer::decode(&good[..34]), Err(Refusal::WrongSize));
    assert_eq!(Answer::decode(&good[..31]), Err(Refusal::TooShort));
}

#[test]
fn random_bytes_never_panic() {
    let mut state = 9u64;
    let mut byte = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    let mut accepted = 0;
    for _ in 0..4_000 {
        let (track, parents, length) = (byte() & 1, byte() % 3, u16::from(byte() % 40));
        let mut bytes: Vec<u8> = (0..8).map(|_| byte()).collect();
        bytes.extend_from_slice(b"LAB1");
        bytes.extend_from_slice(&[track, parents]);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&u64::from(byte()).to_le_bytes());
        bytes.extend_from_slice(&u16::from_le_bytes([byte(), byte() & 3]).to_le_bytes());
        bytes.extend((0..usize::from(length).div_ceil(8) * usize::from(parents)).map(|_| byte()));
        let cut = usize::from(byte());
        if cut < 8 {
            bytes.truncate(bytes.len() - cut);
        }
        accepted += usize::from(run(&bytes).is_ok());
        let _ = Answer::decode(&bytes);
    }
    assert!(accepted > 500, "{accepted}");
}
