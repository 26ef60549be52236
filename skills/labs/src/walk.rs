//! Self-avoiding walks over skew-symmetric sequences (skew track).

use super::field::{at, key, part, part_mut, set, smallest, unlock, Field};
use super::search::{mix, Best, Generator, Meter};

const WALK_FACTOR: usize = 8;

/// Self-avoiding walk over skew-symmetric sequences; a step flips one gene, that is elements m - i and m + i.
pub(super) struct Walk {
    pub(super) steps: usize,
    pub(super) visited: Visited,
    /// A quarter of the change of energy by each gene, then the keys made of them.
    pub(super) keys: Vec<i32>,
}

impl Walk {
    pub(super) fn new(genes: usize) -> Self {
        let steps = WALK_FACTOR * genes;
        Walk {
            steps,
            visited: Visited::new(steps + 1),
            keys: vec![0; genes],
        }
    }

    pub(super) fn search(
        &mut self,
        field: &mut Field,
        start: i32,
        generator: &mut Generator,
        meter: &mut Meter,
        best: &mut Best,
    ) {
        let (n, genes) = (field.n, field.scored);
        let mut genome = Genome::of(field.sequence(), genes);
        let mut energy = start;
        best.offer(energy, field.sequence());
        self.visited.clear();
        self.visited.insert(genome);
        for _ in 0..self.steps {
            if !meter.take(genes) {
                return;
            }
            self.score(field);
            let toss = generator.toss();
            for (value, place) in self.keys.iter_mut().zip(0..) {
                *value = key(*value, place, toss);
            }
            let (change, gene) = loop {
                let least = smallest(self.keys.iter().copied());
                if least == i32::MAX {
                    // Every neighbour was visited: the walk is caught.
                    return;
                }
                let (change, gene) = unlock(least, toss);
                if !self.visited.holds(&genome.flipped(gene)) {
                    break (change, gene);
                }
                set(&mut self.keys, gene, i32::MAX);
            };
            field.flip(gene);
            if gene + 1 < genes {
                field.flip(n - 1 - gene);
            }
            genome = genome.flipped(gene);
            self.visited.insert(genome);
            energy += 4 * change;
            best.offer(energy, field.sequence());
        }
    }

    /// A quarter of the change of energy by flipping each gene. With p = m - i and q = m + i both single flips change E
    /// alike (E does not change under reversal and alternate complement, which maps the sequence to itself), and
    /// flipping p changes the gain of q by 4 (2 (-1)^i (2 C_{2i} + V_{2m}) - 8 s_{m-i} s_{m+3i} - 8).
    pub(super) fn score(&mut self, field: &Field) {
        let middle = field.scored - 1;
        let base = field.n as i32 - 2;
        let whole = at(&field.sums, 2 * middle);
        for (value, score) in self.keys.iter_mut().zip(field.scores()) {
            *value = 2 * (base + score);
        }
        if let Some(value) = self.keys.last_mut() {
            *value /= 2;
        }
        // From the middle outwards: s_{m-i}, s_{m+3i} and C_{2i} for i = 1, 2, ...
        let near = part(&field.signs, field.n, middle).iter().rev();
        let far = part(&field.signs, field.n + middle + 3, 3 * middle).chunks_exact(3);
        let lags = part(&field.lags, field.n + 2, 2 * middle).chunks_exact(2);
        let mut turn = 2;
        for (((value, near), far), lag) in part_mut(&mut self.keys, 0, middle)
            .iter_mut()
            .rev()
            .zip(near)
            .zip(far)
            .zip(lags)
        {
            turn = -turn;
            if let ([far, ..], [lag, ..]) = (far, lag) {
                *value += turn * (2 * lag + whole) - 8 * near * far - 8;
            }
        }
    }
}

/// A skew-symmetric sequence as bits of its first half: at most 225.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Genome(pub(super) [u64; 4]);

impl Genome {
    pub(super) fn of(signs: &[i32], genes: usize) -> Self {
        signs
            .iter()
            .take(genes)
            .enumerate()
            .filter(|(_, sign)| **sign > 0)
            .fold(Genome::default(), |genome, (gene, _)| genome.flipped(gene))
    }

    pub(super) fn flipped(mut self, gene: usize) -> Self {
        if let Some(word) = self.0.get_mut(gene / 64) {
            *word ^= 1 << (gene % 64);
        }
        self
    }

    pub(super) fn hash(&self) -> u64 {
        self.0.iter().fold(0, |hash, word| mix(hash ^ word))
    }
}

/// Set of visited genomes: open addressing, at most half full, emptied by starting a new round.
pub(super) struct Visited {
    pub(super) round: u32,
    pub(super) slots: Vec<(u32, Genome)>,
}

impl Visited {
    pub(super) fn new(capacity: usize) -> Self {
        Visited {
            round: 1,
            slots: vec![(0, Genome::default()); (2 * capacity).next_power_of_two()],
        }
    }

    pub(super) fn clear(&mut self) {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.slots.fill((0, Genome::default()));
            self.round = 1;
        }
    }

    /// The slot that holds the genome, or the free one where it belongs.
    pub(super) fn find(&self, genome: &Genome) -> (usize, bool) {
        let mask = self.slots.len() - 1;
        let mut index = genome.hash() as usize & mask;
        loop {
            match self.slots.get(index) {
                Some((round, held)) if *round == self.round => {
                    if held == genome {
                        return (index, true);
                    }
                }
                _ => return (index, false),
            }
            index = (index + 1) & mask;
        }
    }

    pub(super) fn holds(&self, genome: &Genome) -> bool {
        self.find(genome).1
    }

    pub(super) fn insert(&mut self, genome: Genome) {
        let (index, _) = self.find(&genome);
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = (self.round, genome);
        }
    }
}
