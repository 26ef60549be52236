//! What the root keys of a network say together: charters and orders.

use omni_types::{Domain, NetworkId, NodeId, Rejection, Signed, Timestamp, Verified};

use crate::quorum;

/// The value that at least `threshold` distinct keys of `roots` signed; every signature there is must
/// hold. `value` gives the bytes that they must agree on. Without `now` the times are not looked at.
///
/// # Errors
/// As [`Signed::verify`]; [`Rejection::WrongSigner`], [`Rejection::QuorumNotReached`].
pub(crate) fn agreed<T: Domain>(
    signatures: &[Signed<T>],
    (roots, threshold): (&[NodeId], u8),
    network: NetworkId,
    now: Option<Timestamp>,
    value: impl Fn(&Verified<T>) -> Result<Vec<u8>, Rejection>,
) -> Result<Vec<u8>, Rejection> {
    let mut votes = Vec::with_capacity(signatures.len());
    for envelope in signatures {
        let verified = match now {
            Some(now) => envelope.clone().verify(now, network)?,
            None => envelope.clone().verify_stored(network)?,
        };
        if !roots.contains(&verified.signer()) {
            return Err(Rejection::WrongSigner);
        }
        votes.push((verified.signer(), value(&verified)?));
    }
    quorum::decided(votes, threshold.into()).ok_or(Rejection::QuorumNotReached)
}
