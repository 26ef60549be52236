//! Orders of a network's root keys: a halt that stops every node, and the lift that ends it early.

use serde::{Deserialize, Serialize};

use crate::{
    Rejection,
    charter::MAX_CHARTER_ENTRIES,
    id::{Keypair, NetworkId, NodeId},
    signed::{Domain, Signed, Verified},
    unit::Timestamp,
};

/// Longest time a halt can be valid, milliseconds: 30 days. A longer one must be signed again.
pub const MAX_HALT_MS: u64 = 30 * 24 * 3600 * 1000;
/// Longest reason, bytes.
pub const MAX_REASON_BYTES: usize = 480;

/// What the root keys order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderKind {
    /// Every node of the network stops until the order expires or is lifted.
    Halt,
    /// The halt is over.
    Lift,
}

/// One order. Numbers only grow: an order is carried out when its number is above that of every
/// order carried out before, so that an old halt cannot be played again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Running number.
    pub number: u64,
    /// What.
    pub kind: OrderKind,
    /// Why, in plain English; shown to people after screening.
    pub reason: String,
}

impl Domain for Order {
    const DOMAIN: &'static str = "omniswarm/1/order";
}

/// An order with the signatures of several root keys, each over the same value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedOrder {
    /// Name of the network; with roots and threshold it makes up the network id.
    pub name: String,
    /// The keys whose signatures count.
    pub roots: Vec<NodeId>,
    /// How many distinct roots must have signed.
    pub threshold: u8,
    /// One envelope for each root that signed.
    pub signatures: Vec<Signed<Order>>,
}

impl SignedOrder {
    /// Signs `order` with every key of `signers` for the network called `name` under `roots` and
    /// `threshold`.
    ///
    /// # Errors
    /// As [`Signed::seal`].
    pub fn seal(
        order: &Order,
        name: &str,
        (roots, threshold): (&[NodeId], u8),
        signers: &[Keypair],
        (issued, expires): (Timestamp, Timestamp),
    ) -> Result<Self, Rejection> {
        let network = NetworkId::derive(name, roots, threshold);
        let signatures = signers
            .iter()
            .map(|root| {
                Signed::seal(order.clone(), root, network, issued, expires)
                    .map(Verified::into_signed)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            name: name.to_owned(),
            roots: roots.to_vec(),
            threshold,
            signatures,
        })
    }

    /// The network that this envelope says it belongs to. Compare it with the pinned one.
    pub fn network(&self) -> NetworkId {
        NetworkId::derive(&self.name, &self.roots, self.threshold)
    }

    /// Whether every list is within its limit, before any signature is checked.
    pub fn within_limits(&self) -> bool {
        self.name.len() <= MAX_REASON_BYTES
            && self.roots.len() <= MAX_CHARTER_ENTRIES
            && self.signatures.len() <= MAX_CHARTER_ENTRIES
            && self.threshold > 0
    }
}
