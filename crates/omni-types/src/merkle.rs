//! Merkle tree hash of RFC 6962, section 2.1.

use sha2::{Digest as _, Sha256};

use crate::hash::Digest;

fn leaf(data: &[u8]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update([0x00]);
    hasher.update(data);
    Digest(hasher.finalize().into())
}

fn node(left: &Digest, right: &Digest) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update([0x01]);
    hasher.update(left.0);
    hasher.update(right.0);
    Digest(hasher.finalize().into())
}

/// Tree hash over `leaves`; SHA-256 of nothing for an empty list.
pub fn root<L: AsRef<[u8]>>(leaves: &[L]) -> Digest {
    fn hash(level: &[Digest]) -> Digest {
        match level {
            [] => Digest::of(&[]),
            [only] => *only,
            many => {
                // The largest power of two smaller than the number of leaves.
                let split = many.len().next_power_of_two() / 2;
                let (left, right) = many.split_at(split);
                node(&hash(left), &hash(right))
            }
        }
    }
    let hashed: Vec<Digest> = leaves.iter().map(|data| leaf(data.as_ref())).collect();
    hash(&hashed)
}
