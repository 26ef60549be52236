#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::field::{key, smallest, unlock, Field};
use super::message::MAX_LENGTH;
use super::search::{start, Generator};
use super::sequence::{energy_of, mirrored};
use super::walk::{Genome, Visited, Walk};

fn random_signs(n: usize, generator: &mut Generator) -> Vec<i32> {
    start(&[], n, 0, generator)
}

fn flipped(signs: &[i32], places: &[usize]) -> Vec<i32> {
    let mut signs = signs.to_vec();
    for place in places {
        signs[*place] = -signs[*place];
    }
    signs
}

fn check_every_neighbour(field: &Field, energy: i32) {
    let signs = field.sequence();
    assert_eq!(energy, energy_of(signs) as i32);
    for (i, score) in field.scores().enumerate() {
        let neighbour = energy + 4 * (field.n as i32 - 2 + score);
        assert_eq!(
            neighbour,
            energy_of(&flipped(signs, &[i])) as i32,
            "n = {}, i = {i}",
            field.n
        );
    }
}

#[test]
fn every_score_equals_the_energy_from_scratch_after_any_moves() {
    let mut generator = Generator(11);
    for n in [3, 4, 5, 6, 7, 8, 13, 16, 31, 32, 33, 64, 101] {
        let mut field = Field::new(n, n);
        for _ in 0..3 {
            let mut energy = field.load(&random_signs(n, &mut generator));
            check_every_neighbour(&field, energy);
            for _ in 0..12 {
                let j = generator.below(n);
                let score = field.scores().nth(j).unwrap();
                energy += 4 * (n as i32 - 2 + score);
                field.flip(j);
                check_every_neighbour(&field, energy);
            }
        }
    }
}

#[test]
fn the_extreme_sequence_of_the_longest_length_overflows_nothing() {
    let n = usize::from(MAX_LENGTH);
    let mut field = Field::new(n, n);
    let energy = field.load(&vec![1; n]);
    assert_eq!(energy as usize, (n - 1) * n * (2 * n - 1) / 6);
    let least = smallest(
        field
            .scores()
            .zip(0..)
            .map(|(score, place)| key(score, place, 511)),
    );
    let (score, place) = unlock(least, 511);
    assert_eq!(Some(score), field.scores().min());
    assert_eq!(Some(score), field.scores().nth(place));
}

#[test]
fn every_gene_score_equals_the_energy_from_scratch_along_a_walk() {
    let mut generator = Generator(5);
    for n in [5, 7, 9, 11, 13, 27, 41, 61, 101] {
        let genes = n / 2 + 1;
        let mut field = Field::new(n, genes);
        let mut walk = Walk::new(genes);
        let genome = random_signs(genes, &mut generator);
        let mut energy = field.load(&mirrored(&genome, genes));
        for _ in 0..25 {
            walk.score(&field);
            let signs = field.sequence().to_vec();
            for gene in 0..genes {
                let mut places = vec![gene, n - 1 - gene];
                places.dedup();
                let wanted = energy_of(&flipped(&signs, &places)) as i32;
                assert_eq!(
                    energy + 4 * walk.keys[gene],
                    wanted,
                    "n = {n}, gene = {gene}"
                );
            }
            let gene = generator.below(genes);
            energy += 4 * walk.keys[gene];
            field.flip(gene);
            if gene + 1 < genes {
                field.flip(n - 1 - gene);
            }
            assert_eq!(mirrored(field.sequence(), genes), field.sequence());
        }
    }
}

#[test]
fn equal_scores_win_equally_often() {
    let mut generator = Generator(3);
    let mut wins = [0; 2];
    for _ in 0..4000 {
        let toss = generator.toss();
        let least = smallest([key(-7, 3, toss), key(-6, 1, toss), key(-7, 5, toss)].into_iter());
        let (score, place) = unlock(least, toss);
        assert_eq!(score, -7);
        wins[(place - 3) / 2] += 1;
    }
    assert!(
        wins.iter().all(|count| (1800..=2200).contains(count)),
        "{wins:?}"
    );
}

#[test]
fn a_visited_set_holds_what_was_put_in_until_it_is_emptied() {
    let mut visited = Visited::new(300);
    let genomes: Vec<Genome> = (0..300)
        .map(|word| Genome([word, 0, word << 7, 0]))
        .collect();
    for genome in &genomes {
        assert!(!visited.holds(genome));
        visited.insert(*genome);
        assert!(visited.holds(genome));
    }
    assert!(genomes.iter().all(|genome| visited.holds(genome)));
    visited.round = u32::MAX;
    visited.clear();
    assert!(!genomes.iter().any(|genome| visited.holds(genome)));
}

#[test]
fn a_start_without_crossover_is_a_mutated_parent() {
    let mut generator = Generator(1);
    let parents = [vec![1; 100], vec![-1; 100]];
    let mut chosen = [0; 2];
    for _ in 0..200 {
        let sum: i32 = start(&parents, 100, 0, &mut generator).iter().sum();
        assert!(sum.abs() > 60, "{sum}");
        chosen[usize::from(sum > 0)] += 1;
    }
    assert!(chosen.iter().all(|count| *count > 60), "{chosen:?}");
    let mixed: i32 = start(&parents, 100, 1000, &mut generator).iter().sum();
    assert!(mixed.abs() < 60, "{mixed}");
}
