//! Proving receipts, offline: every signature, the draw, the votes and the verdict are checked
//! again from the evidence that travels with the receipt.

use std::collections::BTreeSet;

use omni_types::{
    NetworkId, NodeId, Outcome, Receipt, ReceiptId, ReceiptProof, Rejection, Role, SignedCharter,
    Timestamp, Verified, canonical, work::MAX_VOTES,
};
use serde::{Deserialize, Serialize};

use crate::{audit, charter, quorum};

/// Distinct nodes that must agree, whatever a campaign says.
pub const MIN_AGREE: usize = 2;
/// Format name in an export.
pub const EXPORT_FORMAT: &str = "omniswarm-receipts-1";
/// Largest export that is read, bytes.
pub const MAX_EXPORT_BYTES: usize = 256 << 20;

/// Checks one receipt with its evidence.
///
/// # Errors
/// The first thing that does not hold: [`Rejection::Expired`], [`Rejection::WrongNetwork`],
/// [`Rejection::BadSignature`], [`Rejection::WrongSigner`], [`Rejection::WrongId`],
/// [`Rejection::MismatchedEvidence`], [`Rejection::WrongSample`], [`Rejection::QuorumNotReached`],
/// [`Rejection::RejectedResult`] and those of [`omni_types::WorkResult::check`].
pub fn verify_proof(
    proof: &ReceiptProof,
    network: NetworkId,
    stewards: &[NodeId],
    now: Timestamp,
) -> Result<Verified<Receipt>, Rejection> {
    if proof.rechecks.len() > MAX_VOTES {
        return Err(Rejection::TooLarge);
    }
    let receipt = proof.receipt.clone().verify(now, network)?;
    let steward = receipt.signer();
    if !stewards.contains(&steward) {
        return Err(Rejection::WrongSigner);
    }
    if receipt.id != ReceiptId::derive(receipt.campaign, receipt.unit, receipt.node) {
        return Err(Rejection::WrongId);
    }
    let verdict = proof
        .verdict
        .clone()
        .verify_stored(network)?
        .signed_by(steward)?;
    let lease = proof
        .lease
        .clone()
        .verify_stored(network)?
        .signed_by(steward)?;
    let result = proof.result.clone().verify_stored(network)?;
    result.check()?;
    let fits = receipt.verdict == verdict.id()
        && receipt.unit == verdict.unit
        && receipt.campaign == verdict.campaign
        && lease.unit == verdict.unit
        && lease.campaign == verdict.campaign
        && lease.node == verdict.worker
        && result.lease == lease.id
        && result.unit == lease.unit
        && result.campaign == lease.campaign
        && result.signer() == verdict.worker
        && result.id() == verdict.result;
    let segments: Vec<u32> = result.outputs.iter().map(|output| output.segment).collect();
    if !fits || segments != lease.segments {
        return Err(Rejection::MismatchedEvidence);
    }
    audit::check(
        &verdict.audit_secret,
        lease.audit_commitment,
        verdict.unit,
        verdict.result,
        &segments,
        lease.audit_permille,
        &verdict.sampled,
    )?;

    // Every vote is counted again from the signed result that cast it.
    let rechecks = proof
        .rechecks
        .iter()
        .map(|recheck| {
            let recheck = recheck.clone().verify_stored(network)?;
            recheck.check()?;
            Ok(recheck)
        })
        .collect::<Result<Vec<_>, Rejection>>()?;
    if verdict.votes.len() != rechecks.len() + 1 {
        return Err(Rejection::MismatchedEvidence);
    }
    let ballots = std::iter::once(&result).chain(&rechecks);
    for (vote, ballot) in verdict.votes.iter().zip(ballots) {
        let same = vote.node == ballot.signer()
            && vote.result == ballot.id()
            && ballot.unit == verdict.unit
            && ballot.campaign == verdict.campaign
            && ballot.vote_on(&verdict.sampled) == Some(vote.value);
        if !same {
            return Err(Rejection::MismatchedEvidence);
        }
    }
    let votes = verdict.votes.iter().map(|vote| (vote.node, vote.value));
    let agreed = quorum::decided(votes, usize::from(verdict.agree).max(MIN_AGREE));
    let worker_value = verdict.votes.first().map(|vote| vote.value);
    let outcome = match agreed {
        None => Outcome::Inconclusive,
        Some(value) if Some(value) == worker_value => Outcome::Accepted,
        Some(_) => Outcome::Rejected,
    };
    if outcome != verdict.outcome {
        return Err(Rejection::QuorumNotReached);
    }

    // The receipt's own vote must be one of those that agree.
    let own = verdict
        .votes
        .iter()
        .find(|vote| vote.node == receipt.node)
        .ok_or(Rejection::MismatchedEvidence)?;
    let role = if receipt.node == verdict.worker {
        Role::Work
    } else {
        Role::Recheck
    };
    let paid_segments = match role {
        Role::Work => segments.len(),
        Role::Recheck => verdict.sampled.len(),
    };
    if own.result != receipt.result
        || role != receipt.role
        || (role == Role::Work && receipt.amount != lease.reward)
        || receipt.segments as usize != paid_segments
    {
        return Err(Rejection::MismatchedEvidence);
    }
    if agreed != Some(own.value) {
        return Err(Rejection::RejectedResult);
    }
    Ok(receipt)
}

/// Exported receipts with the charter that names the stewards: all that an outsider needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// [`EXPORT_FORMAT`].
    pub format: String,
    /// The network.
    pub network: NetworkId,
    /// Its charter.
    pub charter: SignedCharter,
    /// The receipts.
    pub receipts: Vec<ReceiptProof>,
}

/// Where an export does not hold, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportError {
    /// Running number of the receipt from 1; `None` when it is the file as a whole.
    pub receipt: Option<usize>,
    /// Why.
    pub rejection: Rejection,
}

impl Export {
    /// The file: JSON, one form only.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] when it cannot be written, which no value of this type gives.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Rejection> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|_| Rejection::Malformed)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a file; accepts exactly the bytes that [`Export::to_bytes`] writes, so that no byte of
    /// it can be changed unnoticed.
    ///
    /// # Errors
    /// [`Rejection::TooLarge`], [`Rejection::Malformed`] or [`Rejection::NotCanonical`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Rejection> {
        if bytes.len() > MAX_EXPORT_BYTES {
            return Err(Rejection::TooLarge);
        }
        let export: Self = serde_json::from_slice(bytes).map_err(|_| Rejection::Malformed)?;
        if export.format != EXPORT_FORMAT || export.to_bytes()? != bytes {
            return Err(Rejection::NotCanonical);
        }
        Ok(export)
    }

    /// Checks charter and receipts at the time `now`; `expected` is the network that the caller
    /// trusts, when it trusts one beforehand. Gives the receipts in order.
    ///
    /// # Errors
    /// The first receipt that does not hold, and why; [`Rejection::Repeated`] for one that is there
    /// twice.
    pub fn verify(
        &self,
        expected: Option<NetworkId>,
        now: Timestamp,
    ) -> Result<Vec<Verified<Receipt>>, ExportError> {
        let whole = |rejection| ExportError {
            receipt: None,
            rejection,
        };
        if expected.is_some_and(|expected| expected != self.network) {
            return Err(whole(Rejection::WrongNetwork));
        }
        let charter = charter::verify_stored(&self.charter, self.network).map_err(whole)?;
        let mut seen = BTreeSet::new();
        let mut receipts = Vec::with_capacity(self.receipts.len());
        for (index, proof) in self.receipts.iter().enumerate() {
            let at = |rejection| ExportError {
                receipt: Some(index + 1),
                rejection,
            };
            let receipt = verify_proof(proof, self.network, &charter.stewards, now).map_err(at)?;
            if !seen.insert(receipt.id) {
                return Err(at(Rejection::Repeated));
            }
            receipts.push(receipt);
        }
        Ok(receipts)
    }
}

/// Size of a proof on the wire, bytes; for keeping answers within their limit.
pub fn proof_size(proof: &ReceiptProof) -> usize {
    canonical::to_bytes(proof).map_or(usize::MAX, |bytes| bytes.len())
}
