//! Orders of a network's root keys: verified, carried out once, in the order of their numbers.
//!
//! ```text
//!   none ── halt ──▶ halted ── lift, or its time is up ──▶ none
//! ```

use omni_types::{
    NetworkId, Order, OrderKind, Rejection, SignedOrder, Timestamp, canonical,
    order::{MAX_HALT_MS, MAX_REASON_BYTES},
    signed::MAX_PAYLOAD_BYTES,
};
use serde::{Deserialize, Serialize};

use crate::roots;

/// An order that enough root keys signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedOrder {
    /// What they ordered.
    pub order: Order,
    /// When it was signed.
    pub issued: Timestamp,
    /// From when on it no longer holds.
    pub expires: Timestamp,
}

/// What the keys must agree on: also the times, so that no single key can stretch a halt.
#[derive(Serialize, Deserialize)]
struct Agreed {
    order: Order,
    issued: Timestamp,
    expires: Timestamp,
}

/// Checks an order: enough distinct root keys signed the same order with the same times, it is in
/// time, and name, roots and threshold come to the pinned network id.
///
/// # Errors
/// A [`Rejection`] naming the first thing that does not hold.
pub fn verify(
    signed: &SignedOrder,
    network: NetworkId,
    now: Timestamp,
) -> Result<VerifiedOrder, Rejection> {
    check(signed, network, Some(now))
}

/// Like [`verify`] whatever the time: for orders in this node's own log.
///
/// # Errors
/// As [`verify`], except for the times.
pub fn verify_stored(signed: &SignedOrder, network: NetworkId) -> Result<VerifiedOrder, Rejection> {
    check(signed, network, None)
}

/// A halt of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// When it ends by itself.
    pub expires: Timestamp,
    /// Why, in the words of those who ordered it; not screened.
    pub reason: String,
}

/// The orders that a node has carried out.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    latest: Option<(u64, SignedOrder)>,
    halt: Option<Halt>,
    refused: u64,
}

impl Orders {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The halt in force at `now`.
    pub fn halt(&self, now: Timestamp) -> Option<&Halt> {
        self.halt.as_ref().filter(|halt| now < halt.expires)
    }

    /// When the last halt ends, or ended, by itself.
    pub fn halt_ends(&self) -> Option<Timestamp> {
        self.halt.as_ref().map(|halt| halt.expires)
    }

    /// Number of the last order, 0 for none.
    pub fn last_number(&self) -> u64 {
        self.latest.as_ref().map_or(0, |(number, _)| *number)
    }

    /// The last order, when its number is above `after`.
    pub fn newer_than(&self, after: u64) -> Option<&SignedOrder> {
        self.latest
            .as_ref()
            .filter(|(number, _)| *number > after)
            .map(|(_, order)| order)
    }

    /// Orders that were not carried out, since the start.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether an order is to be carried out: it holds, and none with its number or a higher one was.
    /// What is not is counted.
    ///
    /// # Errors
    /// As [`verify`], and [`Rejection::Repeated`].
    pub fn admit(
        &mut self,
        signed: &SignedOrder,
        network: NetworkId,
        now: Timestamp,
    ) -> Result<VerifiedOrder, Rejection> {
        let admitted = verify(signed, network, now).and_then(|verified| {
            if verified.order.number > self.last_number() {
                Ok(verified)
            } else {
                Err(Rejection::Repeated)
            }
        });
        if admitted.is_err() {
            self.refused = self.refused.saturating_add(1);
        }
        admitted
    }

    /// Carries out an order of this node's own log.
    ///
    /// # Errors
    /// As [`verify_stored`].
    pub fn apply(&mut self, signed: &SignedOrder, network: NetworkId) -> Result<(), Rejection> {
        let verified = verify_stored(signed, network)?;
        self.latest = Some((verified.order.number, signed.clone()));
        self.halt = match verified.order.kind {
            OrderKind::Halt => Some(Halt {
                expires: verified.expires,
                reason: verified.order.reason,
            }),
            OrderKind::Lift => None,
        };
        Ok(())
    }
}

fn check(
    signed: &SignedOrder,
    network: NetworkId,
    now: Option<Timestamp>,
) -> Result<VerifiedOrder, Rejection> {
    if !signed.within_limits() {
        return Err(Rejection::TooLarge);
    }
    if signed.network() != network {
        return Err(Rejection::WrongNetwork);
    }
    let keys = (&signed.roots[..], signed.threshold);
    let agreed = roots::agreed(&signed.signatures, keys, network, now, |order| {
        canonical::to_bytes(&Agreed {
            order: (**order).clone(),
            issued: order.issued(),
            expires: order.expires(),
        })
    })?;
    let Agreed {
        order,
        issued,
        expires,
    } = canonical::from_bytes(&agreed, MAX_PAYLOAD_BYTES)?;
    let too_long = order.kind == OrderKind::Halt && expires.since_ms(issued) > MAX_HALT_MS;
    if order.reason.len() > MAX_REASON_BYTES || too_long {
        return Err(Rejection::TooLarge);
    }
    Ok(VerifiedOrder {
        order,
        issued,
        expires,
    })
}
