//! A sequence with the exact energies of all its neighbours, kept up to date in O(N) per move.

/// Bits of a place in a sequence: 2^9 > 449.
pub(super) const PLACE_BITS: u32 = 9;
pub(super) const PLACE_MASK: i32 = (1 << PLACE_BITS) - 1;

/// `count` elements from `start`; nothing when they are not all there.
pub(super) fn part(list: &[i32], start: usize, count: usize) -> &[i32] {
    list.get(start..start + count).unwrap_or_default()
}

pub(super) fn part_mut(list: &mut [i32], start: usize, count: usize) -> &mut [i32] {
    list.get_mut(start..start + count).unwrap_or_default()
}

pub(super) fn at(list: &[i32], index: usize) -> i32 {
    list.get(index).copied().unwrap_or_default()
}

pub(super) fn set(list: &mut [i32], index: usize, value: i32) {
    if let Some(place) = list.get_mut(index) {
        *place = value;
    }
}

pub(super) fn add_scaled(list: &mut [i32], scale: i32, other: &[i32]) {
    for (sum, term) in list.iter_mut().zip(other) {
        *sum += scale * term;
    }
}

/// A sequence with all that is needed to know the energy of every neighbour. Elements outside the sequence are 0,
/// stored as padding so that every inner loop runs over whole slices without a condition.
pub(super) struct Field {
    pub(super) n: usize,
    /// Neighbours 0..scored are kept up to date: all of them, or the first half in the skew track.
    pub(super) scored: usize,
    /// s_i at n + i.
    pub(super) signs: Vec<i32>,
    /// s_i at 2n - 1 - i.
    pub(super) reversed: Vec<i32>,
    /// s_{2a} at n + a, and s_{2a+1} at n + a.
    pub(super) even: Vec<i32>,
    pub(super) odd: Vec<i32>,
    /// C_{|d|} at n + d, with 0 for d = 0.
    pub(super) lags: Vec<i32>,
    /// V_w = sum over u of s_u s_{w-u} at w.
    pub(super) sums: Vec<i32>,
    /// A_i = sum over k >= 1 of C_k (s_{i-k} + s_{i+k}), for i < scored.
    pub(super) pulls: Vec<i32>,
    /// V_{2i}, for i < scored.
    pub(super) centres: Vec<i32>,
}

impl Field {
    pub(super) fn new(n: usize, scored: usize) -> Self {
        let padded = || vec![0; 3 * n + 2];
        Field {
            n,
            scored,
            signs: padded(),
            reversed: padded(),
            even: padded(),
            odd: padded(),
            lags: vec![0; 2 * n + 1],
            sums: vec![0; 2 * n],
            pulls: vec![0; scored],
            centres: vec![0; scored],
        }
    }

    /// Starts anew from a sequence of n signs; returns its energy.
    pub(super) fn load(&mut self, sequence: &[i32]) -> i32 {
        let n = self.n;
        self.lags.fill(0);
        self.sums.fill(0);
        self.pulls.fill(0);
        for (i, sign) in sequence.iter().enumerate() {
            self.place(i, *sign);
        }
        for (j, sign) in sequence.iter().enumerate() {
            add_scaled(part_mut(&mut self.lags, n - j, n), *sign, sequence);
            add_scaled(part_mut(&mut self.sums, j, n), *sign, sequence);
        }
        set(&mut self.lags, n, 0);
        for (m, sign) in sequence.iter().enumerate() {
            add_scaled(&mut self.pulls, *sign, part(&self.lags, n - m, self.scored));
        }
        for (centre, sum) in self.centres.iter_mut().zip(self.sums.iter().step_by(2)) {
            *centre = *sum;
        }
        part(&self.lags, n, n).iter().map(|lag| lag * lag).sum()
    }

    pub(super) fn place(&mut self, i: usize, sign: i32) {
        set(&mut self.signs, self.n + i, sign);
        set(&mut self.reversed, 2 * self.n - 1 - i, sign);
        let half = if i & 1 == 0 {
            &mut self.even
        } else {
            &mut self.odd
        };
        set(half, self.n + i / 2, sign);
    }

    pub(super) fn sequence(&self) -> &[i32] {
        part(&self.signs, self.n, self.n)
    }

    /// The energy of neighbour i is E + 4 (n - 2 + q_i) with q_i = V_{2i} - s_i A_i; this is q_i for i < scored.
    pub(super) fn scores(&self) -> impl Iterator<Item = i32> + '_ {
        let signs = part(&self.signs, self.n, self.scored);
        self.centres
            .iter()
            .zip(signs)
            .zip(&self.pulls)
            .map(|((centre, sign), pull)| centre - sign * pull)
    }

    /// Flips element j (below n) and brings everything up to date.
    pub(super) fn flip(&mut self, j: usize) {
        let (n, scored) = (self.n, self.scored);
        let sign = at(&self.signs, n + j);
        let own_sum = at(&self.sums, 2 * j);
        let own_pull = at(&self.pulls, j);

        let lags = part(&self.lags, n - j, scored);
        let sums = part(&self.sums, j, scored);
        let across = part(&self.reversed, 2 * n - 1 - 2 * j, scored);
        let signs = part(&self.signs, n, scored);
        let rest = lags.iter().zip(sums).zip(across).zip(signs);
        for (pull, (((lag, sum), far), near)) in self.pulls.iter_mut().zip(rest) {
            *pull += 4 * far + 8 * near - 2 * sign * (2 * lag + sum);
        }
        let half = if j & 1 == 0 { &self.even } else { &self.odd };
        add_scaled(
            &mut self.centres,
            -4 * sign,
            part(half, n - (j - j / 2), scored),
        );
        if j < scored {
            set(
                &mut self.pulls,
                j,
                own_pull - 2 * sign * (n as i32 - 2 + own_sum),
            );
            set(&mut self.centres, j, own_sum);
        }

        let signs = part(&self.signs, n, n);
        add_scaled(part_mut(&mut self.lags, n - j, n), -2 * sign, signs);
        add_scaled(
            part_mut(&mut self.lags, j + 1, n),
            -2 * sign,
            part(&self.reversed, n, n),
        );
        set(&mut self.lags, n, 0);
        add_scaled(part_mut(&mut self.sums, j, n), -4 * sign, signs);
        set(&mut self.sums, 2 * j, own_sum);
        self.place(j, -sign);
    }
}

/// A score and a place in one number, so that one minimum finds the best flip. The place is crossed with a random
/// `toss` below 512: of two equal scores either wins with probability 1/2. Scores are at most 449^2 + 898 in size.
pub(super) fn key(score: i32, place: i32, toss: i32) -> i32 {
    (score << PLACE_BITS) | (place ^ toss)
}

/// The score and the place in a key.
pub(super) fn unlock(key: i32, toss: i32) -> (i32, usize) {
    (key >> PLACE_BITS, ((key & PLACE_MASK) ^ toss) as usize)
}

pub(super) fn smallest(keys: impl Iterator<Item = i32>) -> i32 {
    keys.fold(i32::MAX, |least, key| if key < least { key } else { least })
}
