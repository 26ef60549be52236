//! The one place where votes are counted: charters, verdicts and releases alike.

use std::collections::{BTreeMap, BTreeSet};

/// The value that at least `threshold` distinct keys voted for, if there is exactly one such value.
/// A key's first vote counts, later ones are ignored; a threshold of 0 decides nothing.
pub fn decided<K: Ord, V: Ord + Clone>(
    votes: impl IntoIterator<Item = (K, V)>,
    threshold: usize,
) -> Option<V> {
    let mut seen = BTreeSet::new();
    let mut counts: BTreeMap<V, usize> = BTreeMap::new();
    for (key, value) in votes {
        if seen.insert(key) {
            *counts.entry(value).or_default() += 1;
        }
    }
    let mut reached = counts
        .into_iter()
        .filter(|(_, count)| threshold > 0 && *count >= threshold)
        .map(|(value, _)| value);
    let first = reached.next()?;
    reached.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::decided;

    #[test]
    fn votes_count_by_distinct_key() {
        type Case = (&'static [(u8, char)], usize, Option<char>);
        let table: &[Case] = &[
            (&[], 0, None),
            (&[(1, 'a')], 0, None),
            (&[(1, 'a')], 1, Some('a')),
            (&[(1, 'a'), (1, 'a')], 2, None),
            (&[(1, 'a'), (2, 'a')], 2, Some('a')),
            (&[(1, 'a'), (2, 'b'), (3, 'b')], 2, Some('b')),
            (&[(1, 'a'), (2, 'b'), (3, 'c')], 2, None),
            (&[(1, 'a'), (2, 'b'), (1, 'b')], 2, None),
            (&[(1, 'a'), (2, 'a'), (3, 'b'), (4, 'b')], 2, None),
        ];
        for (votes, threshold, expected) in table {
            assert_eq!(
                decided(votes.iter().copied(), *threshold),
                *expected,
                "{votes:?}"
            );
        }
    }
}
