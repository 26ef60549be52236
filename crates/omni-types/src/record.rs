//! What a node writes down. The log is append-only and hash-chained; every piece of state is
//! rebuilt from it.

use serde::{Deserialize, Serialize};

use crate::{
    action::{Action, Answer, DecisionRecord},
    campaign::Campaign,
    cid::Cid,
    hash::Digest,
    id::{LeaseId, NodeId, UnitId},
    order::SignedOrder,
    settings::Settings,
    signed::{Domain, Signed},
    unit::Timestamp,
    wire::ReceiptProof,
    work::{Lease, Posting, Receipt, ReturnReason, SegmentOutput, Verdict, WorkResult},
};

/// Largest record, bytes.
pub const MAX_RECORD_BYTES: usize = 4 << 20;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub record: Record,
}

/// What happened. Each variant is written by the role named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// Volunteer: agreed to (or withdrew from) the policy with this version and hash.
    Consent {
        /// Agreed or withdrew.
        given: bool,
        /// Policy version.
        policy_version: u32,
        /// Policy hash.
        policy_hash: Digest,
    },
    /// Volunteer: kill switch thrown (`true`) or lifted.
    Kill {
        /// Thrown or lifted.
        on: bool,
    },
    /// Volunteer: paused (`true`) or resumed.
    Pause {
        /// Paused or resumed.
        on: bool,
        /// When a pause ends by itself; without it the volunteer's own resume ends it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Volunteer: other limits and times.
    SettingsChanged(Settings),
    /// Volunteer: carried out an order of the network's root keys.
    OrderTaken(SignedOrder),
    /// Volunteer: a decision about an action, for the audit log.
    Decided(DecisionRecord),
    /// Volunteer: was asked about a medium-risk action.
    Asked {
        /// Running number of the question, from 1.
        question: u64,
        /// About what.
        action: Action,
        /// When silence becomes "no".
        expires: Timestamp,
    },
    /// Volunteer: answered, or let the time run out.
    Answered {
        /// Which question.
        question: u64,
        /// How.
        answer: Answer,
    },
    /// Volunteer: a "yes" for one time was used.
    AnswerUsed {
        /// Of which question.
        question: u64,
    },
    /// Volunteer: took a "yes" back.
    AnswerRevoked {
        /// Of which question.
        question: u64,
    },
    /// Volunteer: joined a campaign.
    CampaignJoined(Signed<Campaign>),
    /// Volunteer: took a lease.
    LeaseTaken(Signed<Lease>),
    /// Volunteer: gave a lease up.
    LeaseDropped {
        /// Which.
        lease: LeaseId,
        /// Why.
        reason: ReturnReason,
    },
    /// Volunteer: committed to a result; it may be sent from now on.
    ResultCommitted(Signed<WorkResult>),
    /// Volunteer: the steward has stored the result, or will never take it.
    ResultDelivered {
        /// Its lease.
        lease: LeaseId,
        /// Stored, or refused for good.
        stored: bool,
    },
    /// Volunteer: a receipt, verified with its evidence, with its running number.
    ReceiptReceived {
        /// Running number at the steward.
        sequence: u64,
        /// Receipt and evidence.
        proof: Box<ReceiptProof>,
    },
    /// Volunteer: a posting, with its running number.
    PostingReceived {
        /// Running number at the steward.
        sequence: u64,
        /// The posting.
        posting: Signed<Posting>,
    },
    /// Steward: opened a campaign; mints its budget.
    CampaignOpened(Signed<Campaign>),
    /// Steward: made a unit.
    UnitCreated {
        /// Identity.
        unit: UnitId,
        /// Running number in the campaign, from 0.
        sequence: u64,
        /// Generation whose population it starts from.
        generation: u64,
        /// Skill that runs.
        skill: Cid,
        /// Input of every segment.
        #[serde(with = "serde_bytes")]
        input: Vec<u8>,
        /// Seed of the unit.
        seed: u64,
        /// Number of segments.
        segments: u32,
    },
    /// Steward: handed out a lease.
    LeaseIssued(Signed<Lease>),
    /// Steward: a lease ended without a result.
    LeaseEnded {
        /// Which.
        lease: LeaseId,
        /// Given back with this reason, or run out of time when `None`.
        reason: Option<ReturnReason>,
    },
    /// Steward: stored a result. One that the skill cannot have given is no vote: it ends its lease
    /// and counts against the node, and is kept as the evidence for that.
    ResultReceived(Signed<WorkResult>),
    /// Steward: drew the segments to be re-executed.
    SampleDrawn {
        /// Unit.
        unit: UnitId,
        /// Segments, ascending.
        segments: Vec<u32>,
    },
    /// Steward: drew a verifier.
    VerifierDrawn {
        /// Unit.
        unit: UnitId,
        /// Who.
        node: NodeId,
    },
    /// Steward: reached a verdict.
    VerdictReached(Signed<Verdict>),
    /// Steward: issued a receipt; its pending transfer has the receipt's id.
    ReceiptIssued(Signed<Receipt>),
    /// Steward: posted or voided a pending reward.
    PostingIssued(Signed<Posting>),
    /// Steward: closed a generation; the population that the next one starts from, as skill
    /// outputs in order.
    GenerationClosed {
        /// The generation that ended.
        generation: u64,
        /// Its population.
        population: Vec<SegmentOutput>,
    },
}

/// State of a log after `count` entries; signed by the node, so that a shortened log is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHead {
    /// Number of entries.
    pub count: u64,
    /// Hash of the last entry, which covers all before it.
    pub hash: Digest,
}

impl Domain for LogHead {
    const DOMAIN: &'static str = "omniswarm/1/log-head";
}

impl LogHead {
    /// The empty log.
    pub const EMPTY: Self = Self {
        count: 0,
        hash: Digest([0; 32]),
    };

    /// The head after one more entry with these canonical bytes.
    pub fn extend(self, entry: &[u8]) -> Self {
        let count = self.count.saturating_add(1);
        let parts: [&[u8]; 3] = [&self.hash.0, &count.to_be_bytes(), entry];
        Self {
            count,
            hash: Digest::of_parts("omniswarm/1/log-entry", &parts),
        }
    }
}
