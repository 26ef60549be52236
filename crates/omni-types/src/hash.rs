//! SHA-256 digests with domain separation.

use sha2::{Digest as _, Sha256};

/// A SHA-256 digest, 32 bytes; written as lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

crate::id::byte_newtype!(Digest, 32);

impl Digest {
    /// SHA-256 of `bytes` without any prefix: the hash inside a [`crate::Cid`].
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// SHA-256 over a domain tag and length-prefixed parts, so that no two lists of parts and no
    /// two domains can give the same input: `u8 len(domain) ‖ domain ‖ (u64be len(part) ‖ part)*`.
    pub fn of_parts(domain: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update([domain.len() as u8]);
        hasher.update(domain.as_bytes());
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// The first eight bytes as a big-endian integer: a seed drawn from this digest.
    pub fn seed(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// The first sixteen bytes.
    pub fn truncated(&self) -> [u8; 16] {
        let mut out = [0; 16];
        for (to, from) in out.iter_mut().zip(self.0) {
            *to = from;
        }
        out
    }
}
