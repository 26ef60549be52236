//! The documents in the life of one unit: lease, result, verdict, receipt, posting.

use serde::{Deserialize, Serialize};

use crate::{
    Rejection,
    campaign::ResourceLimits,
    cid::Cid,
    hash::Digest,
    id::{CampaignId, LeaseId, NodeId, ReceiptId, UnitId},
    merkle,
    signed::Domain,
    unit::Micro,
};

/// Most segments in one lease.
pub const MAX_SEGMENTS: usize = 64;
/// Largest input of a skill, bytes.
pub const MAX_INPUT_BYTES: usize = 64 << 10;
/// Largest output of one segment, bytes.
pub const MAX_OUTPUT_BYTES: usize = 8 << 10;
/// Most votes in one verdict.
pub const MAX_VOTES: usize = 16;

/// A unit, or the part of it that is to be re-executed, handed to one node. A recheck is an ordinary
/// lease: its holder never has the claimed answer in hand. (It can guess that it is one, by the
/// lease's id or a shorter list of segments; it still does not know what was claimed.)
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Identity.
    pub id: LeaseId,
    /// Campaign it belongs to.
    pub campaign: CampaignId,
    /// Unit it belongs to; the correlation id in logs.
    pub unit: UnitId,
    /// The only node that may answer.
    pub node: NodeId,
    /// The skill to run.
    pub skill: Cid,
    /// Input of every segment, at most [`MAX_INPUT_BYTES`].
    #[serde(with = "serde_bytes")]
    pub input: Vec<u8>,
    /// Segment `j` runs with `splitmix64(unit_seed, j)`.
    pub unit_seed: u64,
    /// Segments to run, strictly ascending, 1 ..= [`MAX_SEGMENTS`] of them.
    pub segments: Vec<u32>,
    /// What the skill may use.
    pub limits: ResourceLimits,
    /// SHA-256 of the secret that will draw the audited segments; revealed in the verdict.
    pub audit_commitment: Digest,
    /// Share of segments that the audit draws at least, thousandths.
    pub audit_permille: u16,
    /// Paid when the result is accepted.
    pub reward: Micro,
}

impl Domain for Lease {
    const DOMAIN: &'static str = "omniswarm/1/lease";
}

impl Lease {
    /// Checks sizes and order.
    ///
    /// # Errors
    /// [`Rejection::TooLarge`] or [`Rejection::WrongSegments`].
    pub fn check(&self) -> Result<(), Rejection> {
        if self.input.len() > MAX_INPUT_BYTES
            || self.limits.output_bytes as usize > MAX_OUTPUT_BYTES
        {
            return Err(Rejection::TooLarge);
        }
        check_segments(self.segments.iter().copied())
    }
}

fn check_segments(segments: impl Iterator<Item = u32>) -> Result<(), Rejection> {
    let mut last = None;
    let mut count = 0;
    for segment in segments {
        if last.is_some_and(|last| segment <= last) {
            return Err(Rejection::WrongSegments);
        }
        last = Some(segment);
        count += 1;
    }
    if count == 0 || count > MAX_SEGMENTS {
        return Err(Rejection::WrongSegments);
    }
    Ok(())
}

/// Output of one segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentOutput {
    /// Which segment.
    pub segment: u32,
    /// Bytes the skill wrote.
    #[serde(with = "serde_bytes")]
    pub output: Vec<u8>,
}

/// Merkle root over `segment number (u32 BE) ‖ SHA-256(output)` in the order given: what a worker
/// commits to, and what votes are compared by.
pub fn outputs_root<'a>(outputs: impl IntoIterator<Item = &'a SegmentOutput>) -> Digest {
    let leaves: Vec<[u8; 36]> = outputs
        .into_iter()
        .map(|output| {
            let mut leaf = [0; 36];
            let bytes = output
                .segment
                .to_be_bytes()
                .into_iter()
                .chain(Digest::of(&output.output).0);
            for (to, from) in leaf.iter_mut().zip(bytes) {
                *to = from;
            }
            leaf
        })
        .collect();
    merkle::root(&leaves)
}

/// A node's answer to a lease, signed by the node: this is its commitment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkResult {
    /// The lease it answers.
    pub lease: LeaseId,
    /// Campaign of the lease.
    pub campaign: CampaignId,
    /// Unit of the lease.
    pub unit: UnitId,
    /// Hash of engine version and settings that computed it.
    pub engine: Digest,
    /// Hash of the policy that permitted it.
    pub policy: Digest,
    /// [`outputs_root`] of the outputs.
    pub root: Digest,
    /// Outputs in the order of the lease's segments.
    pub outputs: Vec<SegmentOutput>,
}

impl Domain for WorkResult {
    const DOMAIN: &'static str = "omniswarm/1/result";
}

impl WorkResult {
    /// Checks sizes, order and the root.
    ///
    /// # Errors
    /// [`Rejection::TooLarge`], [`Rejection::WrongSegments`] or [`Rejection::WrongRoot`].
    pub fn check(&self) -> Result<(), Rejection> {
        check_segments(self.outputs.iter().map(|output| output.segment))?;
        if self
            .outputs
            .iter()
            .any(|output| output.output.len() > MAX_OUTPUT_BYTES)
        {
            return Err(Rejection::TooLarge);
        }
        if outputs_root(&self.outputs) != self.root {
            return Err(Rejection::WrongRoot);
        }
        Ok(())
    }

    /// The vote that this result casts on the `sampled` segments: the root over just those, or
    /// `None` when one of them is missing.
    pub fn vote_on(&self, sampled: &[u32]) -> Option<Digest> {
        let picked: Vec<&SegmentOutput> = sampled
            .iter()
            .map(|segment| {
                self.outputs
                    .iter()
                    .find(|output| output.segment == *segment)
            })
            .collect::<Option<_>>()?;
        Some(outputs_root(picked))
    }
}

/// What the votes came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Enough distinct nodes got the worker's answer.
    Accepted,
    /// Enough distinct nodes agree on another answer.
    Rejected,
    /// No answer found enough agreement; nobody is punished.
    Inconclusive,
}

/// One node's vote on the sampled segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub node: NodeId,
    /// Its signed result.
    pub result: Digest,
    /// Its root over the sampled segments.
    pub value: Digest,
}

/// The steward's verdict on one result, with everything needed to check it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Campaign.
    pub campaign: CampaignId,
    /// Unit.
    pub unit: UnitId,
    /// The node whose result is judged.
    pub worker: NodeId,
    /// The signed result that is judged.
    pub result: Digest,
    /// What came out.
    pub outcome: Outcome,
    /// Distinct nodes that had to agree: the campaign's rule at the time.
    pub agree: u8,
    /// The secret behind the lease's `audit_commitment`.
    pub audit_secret: Digest,
    /// Segments that were re-executed, ascending.
    pub sampled: Vec<u32>,
    /// Votes, the worker's first.
    pub votes: Vec<Vote>,
}

impl Domain for Verdict {
    const DOMAIN: &'static str = "omniswarm/1/verdict";
}

/// What a node did for a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Ran it first.
    Work,
    /// Re-executed part of it.
    Recheck,
}

/// Signed proof of one contribution. Its id is the id of the ledger transfer that pays it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Identity, [`ReceiptId::derive`].
    pub id: ReceiptId,
    /// Campaign.
    pub campaign: CampaignId,
    /// Unit.
    pub unit: UnitId,
    /// Who is paid.
    pub node: NodeId,
    /// For what.
    pub role: Role,
    /// The node's signed result.
    pub result: Digest,
    /// The signed verdict.
    pub verdict: Digest,
    /// Segments paid for.
    pub segments: u32,
    /// Amount, pending until a [`Posting`] says otherwise.
    pub amount: Micro,
}

impl Domain for Receipt {
    const DOMAIN: &'static str = "omniswarm/1/receipt";
}

/// What became of a pending reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PostingOutcome {
    /// Paid for good.
    Posted,
    /// Taken back: the node was caught with a wrong result before the reward matured.
    Voided,
}

/// The steward's word that a pending reward is posted or voided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// Which receipt.
    pub receipt: ReceiptId,
    /// Whose.
    pub node: NodeId,
    /// What became of it.
    pub outcome: PostingOutcome,
}

impl Domain for Posting {
    const DOMAIN: &'static str = "omniswarm/1/posting";
}

/// Why a node gives a lease back unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReturnReason {
    /// Paused, killed, shut down or consent withdrawn.
    Stopped,
    /// The policy does not permit it.
    Denied,
    /// The skill could not be fetched.
    SkillUnavailable,
    /// The skill is not admissible.
    SkillRefused,
    /// A segment ran out of time.
    TimedOut,
    /// The skill failed or broke a limit.
    SkillFailed,
}
