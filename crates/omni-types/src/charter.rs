//! The network charter: the document that defines one network.

use serde::{Deserialize, Serialize};

use crate::{
    Rejection,
    cid::Cid,
    hash::Digest,
    id::{Keypair, NetworkId, NodeId},
    signed::{Domain, Signed, Verified},
    unit::Timestamp,
};

/// Most entries in any list of a charter.
pub const MAX_CHARTER_ENTRIES: usize = 64;

/// What a network is: who may hand out work, where to meet, which skills may run. Signed by the
/// root keys; a node pins those keys and the threshold, and through them the network id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charter {
    /// Plain name, shown to people.
    pub name: String,
    /// Grows with every revision; an older one never replaces a newer one.
    pub revision: u64,
    /// Keys that may sign campaigns, leases, verdicts and receipts.
    pub stewards: Vec<NodeId>,
    /// Multiaddresses of supernodes, each ending in `/p2p/<peer id>`.
    pub supernodes: Vec<String>,
    /// Skills that may run on this network.
    pub skills: Vec<Cid>,
    /// Oldest policy version a node may run under.
    pub policy_floor: u32,
}

impl Domain for Charter {
    const DOMAIN: &'static str = "omniswarm/1/charter";
}

/// A charter with the signatures of several root keys, each over the same value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedCharter {
    /// Name of the network; with roots and threshold it makes up the network id.
    pub name: String,
    /// The keys whose signatures count; pinned by the node, repeated here for reading.
    pub roots: Vec<NodeId>,
    /// How many distinct roots must have signed.
    pub threshold: u8,
    /// One envelope for each root that signed.
    pub signatures: Vec<Signed<Charter>>,
}

impl NetworkId {
    /// Identity of the network called `name` under `roots` and `threshold`; the order of the roots
    /// does not matter.
    pub fn derive(name: &str, roots: &[NodeId], threshold: u8) -> Self {
        let mut roots = roots.to_vec();
        roots.sort();
        roots.dedup();
        let mut keys = Vec::with_capacity(roots.len() * 32);
        for root in &roots {
            keys.extend_from_slice(&root.0);
        }
        let parts: [&[u8]; 3] = [name.as_bytes(), &keys, &[threshold]];
        Self(Digest::of_parts("omniswarm/1/network-id", &parts).0)
    }
}

impl SignedCharter {
    /// Signs `charter` with every key of `roots`.
    ///
    /// # Errors
    /// As [`Signed::seal`].
    pub fn seal(
        charter: &Charter,
        roots: &[Keypair],
        threshold: u8,
        issued: Timestamp,
        expires: Timestamp,
    ) -> Result<Self, Rejection> {
        let ids: Vec<NodeId> = roots.iter().map(Keypair::node_id).collect();
        let network = NetworkId::derive(&charter.name, &ids, threshold);
        let signatures = roots
            .iter()
            .map(|root| {
                Signed::seal(charter.clone(), root, network, issued, expires)
                    .map(Verified::into_signed)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            name: charter.name.clone(),
            roots: ids,
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
        self.roots.len() <= MAX_CHARTER_ENTRIES
            && self.signatures.len() <= MAX_CHARTER_ENTRIES
            && self.threshold > 0
    }
}
