//! Seeds and the one small generator used where a reproducible draw is needed.

/// SplitMix64 of Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators":
/// the `index`-th output of the generator started at `seed`. Segment `j` of a unit runs with
/// `splitmix64(unit_seed, j)`, so that one segment can be re-executed alone.
pub fn splitmix64(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15u64.wrapping_mul(index.wrapping_add(1)));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A reproducible sequence of draws. Not for keys or secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draws {
    seed: u64,
    next: u64,
}

impl Draws {
    /// The sequence of draws of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, next: 0 }
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let value = splitmix64(self.seed, self.next);
        self.next = self.next.wrapping_add(1);
        value
    }

    /// A number in `0..bound`, exactly uniform (draws in the incomplete last range are thrown
    /// away); 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        let zone = u64::MAX - (u64::MAX % bound + 1) % bound;
        loop {
            let bits = self.bits();
            if bits <= zone {
                return bits % bound;
            }
        }
    }
}
