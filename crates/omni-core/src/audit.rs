//! Which segments are re-executed: drawn after the worker has committed, from a seed that nobody
//! could know before and that anyone can check afterwards.
//!
//! The lease carries the SHA-256 of a secret; the draw is seeded by that secret together with the
//! id of the signed result; the verdict reveals the secret. A worker cannot foresee the draw when
//! it commits, a steward cannot choose another secret once the lease is signed. A steward that
//! tells the worker the secret beforehand can still cheat; that is why promotions need outside
//! re-execution and campaigns are audited by others.

use omni_types::{Digest, Rejection, UnitId, seed::Draws};

/// The commitment that goes into the lease.
pub fn commitment(secret: &Digest) -> Digest {
    Digest::of(&secret.0)
}

/// How many of `segments` the audit covers at least: the share in thousandths, rounded up, and
/// never fewer than one.
pub fn floor(segments: usize, permille: u16) -> usize {
    (segments * usize::from(permille.min(1000)))
        .div_ceil(1000)
        .clamp(1.min(segments), segments)
}

/// All of `segments` in the order of the draw: the audit takes from the front.
fn order(secret: &Digest, unit: UnitId, result: Digest, segments: &[u32]) -> Vec<u32> {
    let seed = Digest::of_parts("omniswarm/1/audit-draw", &[&secret.0, &unit.0, &result.0]).seed();
    let mut draws = Draws::new(seed);
    let mut order = segments.to_vec();
    for last in (1..order.len()).rev() {
        let other = draws.below(last as u64 + 1) as usize;
        order.swap(last, other);
    }
    order
}

/// Draws `count` segments and adds those that `must` be rechecked, ascending.
pub fn sample(
    secret: &Digest,
    unit: UnitId,
    result: Digest,
    segments: &[u32],
    count: usize,
    must: impl Fn(u32) -> bool,
) -> Vec<u32> {
    let mut sampled: Vec<u32> = order(secret, unit, result, segments)
        .into_iter()
        .enumerate()
        .filter(|(place, segment)| *place < count || must(*segment))
        .map(|(_, segment)| segment)
        .collect();
    sampled.sort_unstable();
    sampled
}

/// Checks a revealed draw: the secret is the committed one, and `sampled` are segments of the
/// result, ascending, with at least those that the audit floor draws.
///
/// # Errors
/// [`Rejection::WrongSample`].
pub fn check(
    secret: &Digest,
    committed: Digest,
    unit: UnitId,
    result: Digest,
    segments: &[u32],
    permille: u16,
    sampled: &[u32],
) -> Result<(), Rejection> {
    let ascending = sampled.is_sorted_by(|a, b| a < b);
    let known = sampled.iter().all(|segment| segments.contains(segment));
    let floor = floor(segments.len(), permille);
    let covered = order(secret, unit, result, segments)
        .iter()
        .take(floor)
        .all(|segment| sampled.contains(segment));
    if commitment(secret) == committed && ascending && known && covered {
        Ok(())
    } else {
        Err(Rejection::WrongSample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: UnitId = UnitId([3; 16]);

    #[test]
    fn the_floor_is_never_below_one_segment_nor_above_all() {
        for (segments, permille, expected) in [
            (8, 50, 1),
            (8, 1000, 8),
            (64, 50, 4),
            (1, 50, 1),
            (8, 0, 1),
            (8, 2000, 8),
            (0, 50, 0),
        ] {
            assert_eq!(floor(segments, permille), expected, "{segments} {permille}");
        }
    }

    #[test]
    fn a_draw_can_be_checked_and_every_change_to_it_is_found() {
        let secret = Digest::of(b"secret");
        let result = Digest::of(b"result");
        let segments: Vec<u32> = (0..16).collect();
        let sampled = sample(&secret, UNIT, result, &segments, 4, |segment| segment == 9);
        let run = |secret: &Digest, committed, result, sampled: &[u32]| {
            check(secret, committed, UNIT, result, &segments, 250, sampled)
        };
        let committed = commitment(&secret);
        assert_eq!(run(&secret, committed, result, &sampled), Ok(()));
        let other = Digest::of(b"other");
        let wrong = Err(Rejection::WrongSample);
        assert_eq!(run(&other, committed, result, &sampled), wrong);
        assert_eq!(run(&secret, committed, result, &[]), wrong);
        assert_eq!(run(&secret, committed, result, &[1, 0]), wrong);
        assert_eq!(run(&secret, committed, result, &[99]), wrong);
        let others: Vec<u32> = segments
            .iter()
            .copied()
            .filter(|segment| !sampled.contains(segment))
            .collect();
        assert_eq!(run(&secret, committed, result, &others), wrong);
    }

    #[test]
    fn every_segment_is_drawn_about_equally_often() {
        let segments: Vec<u32> = (0..8).collect();
        let mut hits = [0u32; 8];
        for trial in 0u32..8_000 {
            let secret = Digest::of(&trial.to_be_bytes());
            for segment in sample(&secret, UNIT, secret, &segments, 1, |_| false) {
                if let Some(count) = hits.get_mut(segment as usize) {
                    *count += 1;
                }
            }
        }
        // Six standard deviations around 1,000.
        assert!(
            hits.iter().all(|count| (820..1180).contains(count)),
            "{hits:?}"
        );
    }
}
