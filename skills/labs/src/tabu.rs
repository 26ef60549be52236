//! Tabu search over single flips (general track).

use super::field::{key, set, smallest, unlock, Field};
use super::search::{Best, Generator, Meter};

/// Tabu search over single flips.
pub(super) struct Tabu {
    /// Element i may not be flipped while the step number is at most this.
    pub(super) barred_until: Vec<i32>,
}

impl Tabu {
    pub(super) fn new(n: usize) -> Self {
        Tabu {
            barred_until: vec![0; n],
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
        let n = field.n;
        let base = 4 * (n as i32 - 2);
        let steps = n / 2 + generator.below(n);
        let (tenure, extra) = (steps / 10, steps / 50);
        self.barred_until.fill(0);
        let mut energy = start;
        let mut lowest = start;
        best.offer(energy, field.sequence());
        for step in 1..=steps as i32 {
            if !meter.take(n) {
                return;
            }
            // A barred flip is taken all the same when it leads below the lowest energy of this search:
            // energy + base + 4 q < lowest. Energies of one length are equal modulo 4, so the division is exact.
            let aspired = (lowest - energy - base) / 4;
            let toss = generator.toss();
            let keys =
                field
                    .scores()
                    .zip(&self.barred_until)
                    .zip(0..)
                    .map(|((score, barred), place)| {
                        if *barred >= step && score >= aspired {
                            i32::MAX
                        } else {
                            key(score, place, toss)
                        }
                    });
            let least = smallest(keys);
            if least == i32::MAX {
                continue;
            }
            let (score, chosen) = unlock(least, toss);
            field.flip(chosen);
            energy += base + 4 * score;
            let length = (tenure + generator.below(extra + 1)).max(1);
            set(&mut self.barred_until, chosen, step + length as i32);
            lowest = lowest.min(energy);
            best.offer(energy, field.sequence());
        }
    }
}
