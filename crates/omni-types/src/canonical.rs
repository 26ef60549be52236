//! The one canonical byte form: DAG-CBOR (deterministic CBOR: shortest integers, definite lengths,
//! map keys sorted by length then bytes, no floats in our types). `docs/PROTOCOL.md` describes it.

use serde::{Serialize, de::DeserializeOwned};

use crate::Rejection;

/// Canonical bytes of `value`.
///
/// # Errors
/// [`Rejection::Malformed`] when the value holds something DAG-CBOR has no form for; none of the
/// types in this crate does.
pub fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, Rejection> {
    serde_ipld_dagcbor::to_vec(value).map_err(|_| Rejection::Malformed)
}

/// Decodes `bytes`, at most `limit` of them, and accepts only the one canonical encoding.
///
/// # Errors
/// [`Rejection::TooLarge`], [`Rejection::Malformed`], or [`Rejection::NotCanonical`] when the same
/// value has other bytes (unsorted or unknown keys, longer integers).
pub fn from_bytes<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
    limit: usize,
) -> Result<T, Rejection> {
    if bytes.len() > limit {
        return Err(Rejection::TooLarge);
    }
    let value: T = serde_ipld_dagcbor::from_slice(bytes).map_err(|_| Rejection::Malformed)?;
    if to_bytes(&value)? != bytes {
        return Err(Rejection::NotCanonical);
    }
    Ok(value)
}
