//! Tables and properties of the search.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use omni_evolve::{OutputError, Search, labs, published};
use omni_types::{EvolutionParams, Labs, Problem, Track, seed::Draws};
use proptest::prelude::*;

fn general(length: u16) -> Labs {
    Labs {
        track: Track::General,
        length,
    }
}

fn params(population: u32) -> EvolutionParams {
    EvolutionParams {
        population,
        units_per_generation: 4,
        segments_per_unit: 4,
        evaluations_per_segment: 1_000,
        crossover_permille: 900,
        tournament: 2,
        seed: 7,
    }
}

fn sequence(length: usize, seed: u64) -> Vec<bool> {
    let mut draws = Draws::new(seed);
    (0..length).map(|_| draws.below(2) == 1).collect()
}

fn from_text(text: &str) -> Vec<bool> {
    text.chars().map(|c| c == '+').collect()
}

#[test]
fn energies_of_barker_sequences_are_the_known_ones() {
    for (text, energy) in [
        ("++-", 1),
        ("+++-", 2),
        ("+++-+", 2),
        ("+++--+-", 3),
        ("+++---+--+-", 5),
        ("+++++--++-+-+", 6),
    ] {
        assert_eq!(labs::energy(&from_text(text)), energy, "{text}");
    }
    assert_eq!(labs::merit_factor(13, 6), "14.08");
    assert_eq!(labs::merit_factor(41, 108), "7.78");
}

#[test]
fn published_values_are_found_for_both_tracks() {
    let value = |track, length| {
        published::labs(Labs { track, length }).map(|p| (p.energy, p.proven_optimal))
    };
    assert_eq!(value(Track::General, 41), Some((108, true)));
    assert_eq!(value(Track::General, 89), Some((432, false)));
    assert_eq!(value(Track::Skew, 89), Some((484, true)));
    assert_eq!(value(Track::General, 450), None);
    // The bundled table has gaps, and says nothing about those lengths.
    let missing = [33, 38, 43, 47, 52, 55, 58, 63];
    for length in 3..=66 {
        let proven = value(Track::General, length).map(|(_, proven)| proven);
        let expected = (!missing.contains(&length)).then_some(true);
        assert_eq!(proven, expected, "{length}");
    }
}

#[test]
fn outputs_are_read_back_or_refused_with_the_reason() {
    let problem = general(31);
    let good = labs::output(problem, &sequence(31, 1), 5);
    assert_eq!(labs::parse_output(problem, &good).unwrap().evaluations, 5);
    let edited = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        labs::parse_output(problem, &bytes).err()
    };
    assert_eq!(
        labs::parse_output(problem, &[]).err(),
        Some(OutputError::Malformed)
    );
    assert_eq!(
        labs::parse_output(problem, &good[..35]).err(),
        Some(OutputError::Malformed)
    );
    assert_eq!(edited(0, b'X'), Some(OutputError::Malformed));
    assert_eq!(edited(35, 0xff), Some(OutputError::Malformed));
    assert_eq!(edited(6, 30), Some(OutputError::WrongProblem));
    assert_eq!(edited(4, 1), Some(OutputError::WrongProblem));
    assert_eq!(edited(8, 0), Some(OutputError::WrongEnergy));
    let skew = Labs {
        track: Track::Skew,
        length: 31,
    };
    let asymmetric = labs::output(skew, &sequence(31, 1), 5);
    assert_eq!(
        labs::parse_output(skew, &asymmetric).err(),
        Some(OutputError::NotSkewSymmetric)
    );
    assert!(labs::is_skew_symmetric(&from_text("+++++--++-+-+")));
}

#[test]
fn a_false_claim_must_be_rechecked_and_never_enters() {
    let mut search = Search::new(Problem::Labs(general(31)), params(4));
    let mut lie = labs::output(general(31), &sequence(31, 1), 5);
    lie[8..12].copy_from_slice(&1u32.to_le_bytes());
    assert!(search.must_recheck(&lie));
    search.close_generation([lie.as_slice(), &[]]);
    assert_eq!(search.population().count(), 0);
    assert_eq!(search.generation(), 1);
}

#[test]
fn the_next_units_start_from_the_population() {
    let mut search = Search::new(Problem::Labs(general(31)), params(4));
    assert_eq!(search.plan_unit(0).input[5], 0, "no parents at first");
    let outputs: Vec<_> = (0..9)
        .map(|seed| labs::output(general(31), &sequence(31, seed), 5))
        .collect();
    search.close_generation(outputs.iter().map(Vec::as_slice));
    let plan = search.plan_unit(0);
    assert_eq!(plan.input[5], 2);
    assert_eq!(plan.generation, 1);
    assert_ne!(plan.seed, search.plan_unit(1).seed);
}

proptest! {
    #[test]
    fn all_eight_images_are_one_individual(bits in proptest::collection::vec(any::<bool>(), 3..60)) {
        let canonical = labs::canonical(&bits);
        let reversed: Vec<bool> = bits.iter().rev().copied().collect();
        let complement: Vec<bool> = bits.iter().map(|b| !b).collect();
        let alternate: Vec<bool> = bits.iter().enumerate().map(|(i, b)| b ^ (i % 2 == 1)).collect();
        for image in [reversed, complement, alternate] {
            prop_assert_eq!(labs::canonical(&image), canonical.clone());
            prop_assert_eq!(labs::energy(&image), labs::energy(&bits));
        }
    }

    #[test]
    fn the_best_is_never_lost_and_the_same_outputs_give_the_same_population(
        seeds in proptest::collection::vec(any::<u64>(), 1..80), population in 2u32..12
    ) {
        let outputs: Vec<_> = seeds.iter().map(|seed| labs::output(general(21), &sequence(21, *seed), 1)).collect();
        let run = || {
            let mut search = Search::new(Problem::Labs(general(21)), params(population));
            let mut best = u32::MAX;
            for generation in outputs.chunks(5) {
                search.close_generation(generation.iter().map(Vec::as_slice));
                let now = search.best().unwrap().0.energy;
                assert!(now <= best);
                best = now;
                assert!(search.population().count() <= population as usize);
                let distinct: std::collections::BTreeSet<_> = search
                    .population()
                    .map(|output| labs::canonical(&labs::parse_output(general(21), output).unwrap().sequence))
                    .collect();
                assert_eq!(distinct.len(), search.population().count());
            }
            search
        };
        let search = run();
        let best = seeds.iter().map(|seed| labs::energy(&sequence(21, *seed))).min();
        prop_assert_eq!(search.best().map(|(candidate, _)| candidate.energy), best);
        prop_assert_eq!(search, run());
    }

    #[test]
    fn hostile_outputs_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = labs::parse_output(general(31), &bytes);
    }
}
