//! Local searches, one after the other, until the budget is used.

use super::field::{Field, PLACE_BITS};
use super::message::{Answer, Refusal, Request, Track};
use super::sequence::{energy_of, mirrored, pack, unpack};
use super::tabu::Tabu;
use super::walk::Walk;

pub(super) fn search(request: &Request) -> Result<Answer, Refusal> {
    let n = usize::from(request.length);
    let genes = match request.track {
        Track::General => n,
        Track::Skew => n / 2 + 1,
    };
    let mut parents = Vec::new();
    for packed in &request.parents {
        parents.push(unpack(packed, request.track, request.length)?);
    }
    let mut generator = Generator(request.seed);
    let mut meter = Meter {
        used: 0,
        budget: request.budget,
    };
    let mut best = Best::none();
    let mut restarts: u32 = 0;
    let mut field = Field::new(n, genes);
    let mut tabu = Tabu::new(n);
    let mut walk = Walk::new(genes);
    while restarts == 0 || meter.allows(genes) {
        restarts = restarts.saturating_add(1);
        let genome = start(&parents, genes, request.crossover_permille, &mut generator);
        match request.track {
            Track::General => {
                let energy = field.load(&genome);
                tabu.search(&mut field, energy, &mut generator, &mut meter, &mut best);
            }
            Track::Skew => {
                let energy = field.load(&mirrored(&genome, genes));
                walk.search(&mut field, energy, &mut generator, &mut meter, &mut best);
            }
        }
    }
    Ok(Answer {
        track: request.track,
        length: request.length,
        energy: energy_of(&best.signs),
        evaluations: meter.used,
        restarts,
        generator: generator.0,
        sequence: pack(&best.signs),
    })
}

/// The genome a local search begins with: random, or made from the parents and mutated with probability 1/genes per
/// element.
pub(super) fn start(
    parents: &[Vec<i32>],
    genes: usize,
    crossover_permille: u16,
    generator: &mut Generator,
) -> Vec<i32> {
    let mut genome: Vec<i32> = match parents {
        [] => {
            return (0..genes)
                .map(|_| if generator.next() >> 63 == 1 { 1 } else { -1 })
                .collect()
        }
        [first, second, ..] => {
            if generator.below(1000) < usize::from(crossover_permille) {
                first
                    .iter()
                    .zip(second)
                    .take(genes)
                    .map(|(a, b)| if generator.next() >> 63 == 1 { *a } else { *b })
                    .collect()
            } else {
                let chosen = if generator.next() >> 63 == 1 {
                    first
                } else {
                    second
                };
                chosen.iter().take(genes).copied().collect()
            }
        }
        [only] => only.iter().take(genes).copied().collect(),
    };
    for gene in &mut genome {
        if generator.below(genes) == 0 {
            *gene = -*gene;
        }
    }
    genome
}

/// The best sequence of one local search or of the whole run.
pub(super) struct Best {
    pub(super) energy: i32,
    pub(super) signs: Vec<i32>,
}

impl Best {
    pub(super) fn none() -> Self {
        Best {
            energy: i32::MAX,
            signs: Vec::new(),
        }
    }

    /// Keeps the sequence when it is better; the first of equals stays.
    pub(super) fn offer(&mut self, energy: i32, signs: &[i32]) {
        if energy < self.energy {
            self.energy = energy;
            self.signs.clear();
            self.signs.extend_from_slice(signs);
        }
    }
}

/// Counts flip evaluations against the budget.
pub(super) struct Meter {
    pub(super) used: u64,
    pub(super) budget: u64,
}

impl Meter {
    pub(super) fn allows(&self, evaluations: usize) -> bool {
        self.budget - self.used >= evaluations as u64
    }

    /// Takes the evaluations when they fit: a step that does not fit is not begun, so the budget is never exceeded.
    pub(super) fn take(&mut self, evaluations: usize) -> bool {
        let fits = self.allows(evaluations);
        if fits {
            self.used += evaluations as u64;
        }
        fits
    }
}

/// splitmix64: one word of state, so the answer can show all of it.
pub(super) struct Generator(pub(super) u64);

impl Generator {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    pub(super) fn toss(&mut self) -> i32 {
        (self.next() >> (64 - PLACE_BITS)) as i32
    }

    /// A number below `bound` (below 2^32); 0 when the bound is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (((self.next() >> 32) * bound as u64) >> 32) as usize
    }
}

pub(super) fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
