//! Verifying a network charter against the pinned network id.

use omni_types::{Charter, NetworkId, Rejection, SignedCharter, Timestamp};

use crate::roots;

fn check(
    signed: &SignedCharter,
    network: NetworkId,
    now: Option<Timestamp>,
) -> Result<Charter, Rejection> {
    if !signed.within_limits() {
        return Err(Rejection::TooLarge);
    }
    if signed.network() != network {
        return Err(Rejection::WrongNetwork);
    }
    let keys = (&signed.roots[..], signed.threshold);
    let agreed = roots::agreed(&signed.signatures, keys, network, now, |charter| {
        omni_types::canonical::to_bytes(&**charter)
    })?;
    let charter: Charter =
        omni_types::canonical::from_bytes(&agreed, omni_types::signed::MAX_PAYLOAD_BYTES)?;
    if charter.name != signed.name {
        return Err(Rejection::MismatchedEvidence);
    }
    Ok(charter)
}

/// Checks a charter: enough distinct root keys signed the same value, in time, and name, roots and
/// threshold come to the pinned network id.
///
/// # Errors
/// A [`Rejection`] naming the first thing that does not hold.
pub fn verify(
    signed: &SignedCharter,
    network: NetworkId,
    now: Timestamp,
) -> Result<Charter, Rejection> {
    check(signed, network, Some(now))
}

/// Like [`verify`] whatever the time: for receipts that outlive the charter they were issued under.
///
/// # Errors
/// As [`verify`], except for the times.
pub fn verify_stored(signed: &SignedCharter, network: NetworkId) -> Result<Charter, Rejection> {
    check(signed, network, None)
}
