//! Published values that results stand beside. The table of collected values is not the frontier
//! for long sequences: "better than the bundled table" is all that may be said.

use omni_types::{Labs, Track};

/// Columns: length, energy, merit factor, status, source, skew-symmetric.
const BEST_KNOWN: &str = include_str!("../../../campaigns/labs/best_known.csv");
/// Columns: length, energy, merit factor, known not to be optimal among all sequences.
const SKEW_OPTIMAL: &str = include_str!("../../../campaigns/labs/skew_optimal.csv");

/// A value in the bundled table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Energy.
    pub energy: u32,
    /// Whether it is proven that nothing better exists in this search space.
    pub proven_optimal: bool,
}

fn row(table: &str, length: u16) -> Option<Vec<&str>> {
    table
        .lines()
        .skip(1)
        .map(|line| line.trim().split(',').collect::<Vec<_>>())
        .find(|fields| fields.first().and_then(|field| field.parse().ok()) == Some(length))
}

fn energy(fields: &[&str]) -> Option<u32> {
    fields.get(1)?.parse().ok()
}

/// The bundled value for a problem, if there is one. For the skew track the proven skew-symmetric
/// optimum where there is one, else the best collected value if it is skew-symmetric itself.
pub fn labs(problem: Labs) -> Option<Published> {
    let best_known = || {
        let fields = row(BEST_KNOWN, problem.length)?;
        Some((
            energy(&fields)?,
            fields.get(3) == Some(&"proven_optimal"),
            fields.get(5) == Some(&"1"),
        ))
    };
    match problem.track {
        Track::General => best_known().map(|(energy, proven_optimal, _)| Published {
            energy,
            proven_optimal,
        }),
        Track::Skew => row(SKEW_OPTIMAL, problem.length)
            .and_then(|fields| energy(&fields))
            .map(|energy| Published {
                energy,
                proven_optimal: true,
            })
            .or_else(|| {
                best_known()
                    .filter(|(_, _, skew)| *skew)
                    .map(|(energy, ..)| Published {
                        energy,
                        proven_optimal: false,
                    })
            }),
    }
}
