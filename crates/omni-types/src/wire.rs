//! Messages between a node and a steward, protocol `/omniswarm/lease/1`, and between any two nodes,
//! protocol `/omniswarm/blob/1`. All in canonical bytes.
//!
//! The node asks, the steward answers; a request is authenticated by the connection (noise proves
//! the node's key) and whatever must be provable later is signed on its own.

use serde::{Deserialize, Serialize};

use crate::{
    Rejection,
    campaign::{Campaign, CampaignStatus},
    hash::Digest,
    id::{CampaignId, LeaseId, NetworkId, NodeId},
    order::SignedOrder,
    signed::{Signed, Verified},
    unit::Timestamp,
    work::{Lease, MAX_VOTES, Posting, Receipt, ReturnReason, Verdict, WorkResult},
};

/// Protocol name of work messages.
pub const WORK_PROTOCOL: &str = "/omniswarm/lease/1";
/// Protocol name of blob transfer.
pub const BLOB_PROTOCOL: &str = "/omniswarm/blob/1";
/// Largest work request, bytes.
pub const MAX_REQUEST_BYTES: usize = 1 << 20;
/// Largest work response, bytes.
pub const MAX_RESPONSE_BYTES: usize = 4 << 20;
/// Largest blob, bytes.
pub const MAX_BLOB_BYTES: usize = 16 << 20;
/// Most campaigns in one answer.
pub const MAX_CAMPAIGNS: usize = 64;
/// Most items in one [`WorkResponse::News`].
pub const MAX_NEWS: usize = 32;

/// What a node asks of a steward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkRequest {
    /// Which campaigns are there?
    Campaigns,
    /// A lease, please.
    Ask {
        /// For this campaign.
        campaign: CampaignId,
        /// Hash of this node's engine version and settings.
        engine: Digest,
    },
    /// The answer to a lease.
    Submit(Signed<WorkResult>),
    /// A lease given back unanswered.
    Return {
        /// Which.
        lease: LeaseId,
        /// Why.
        reason: ReturnReason,
    },
    /// What became of this node's work: receipts and postings after a running number.
    News {
        /// For this campaign.
        campaign: CampaignId,
        /// Running number of the last item known, 0 for none.
        after: u64,
    },
    /// Is there an order of the network's root keys with a higher number?
    Orders {
        /// Number of the last order known, 0 for none.
        after: u64,
    },
}

/// Why there is no work right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoWork {
    /// This node has as many open leases as it may have.
    EnoughOpen,
    /// The campaign has reached its end.
    Finished,
    /// The reward budget is spent.
    BudgetSpent,
    /// The node is suspended.
    Suspended,
    /// All units are out or wait for verification.
    Waiting,
    /// The network's root keys ordered a halt.
    Halted,
}

/// What a steward answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkResponse {
    /// The steward's campaigns.
    Campaigns(Vec<Signed<Campaign>>),
    /// A lease.
    Lease(Signed<Lease>),
    /// Nothing to do.
    NoWork {
        /// Why.
        reason: NoWork,
        /// When to ask again, milliseconds.
        retry_ms: u64,
    },
    /// The result with this id is stored; sending it again changes nothing.
    Stored(Digest),
    /// The lease was taken back.
    Returned(LeaseId),
    /// Receipts and postings.
    News(News),
    /// The latest order of the root keys, if there is a newer one.
    Orders(Option<Box<SignedOrder>>),
    /// Not accepted.
    Refused(Rejection),
}

/// One item of news for one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NewsItem {
    /// A receipt with its evidence.
    Receipt(Box<ReceiptProof>),
    /// A pending reward was posted or voided.
    Posting(Signed<Posting>),
}

/// Receipts and postings of one node in one campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// Which campaign.
    pub campaign: CampaignId,
    /// Items in order, at most [`MAX_NEWS`].
    pub items: Vec<NewsItem>,
    /// Running number of the last item here.
    pub last: u64,
    /// Where the campaign stands.
    pub status: Signed<CampaignStatus>,
}

/// A receipt with all that is needed to check it offline: the lease with the audit commitment, the
/// judged result, the rechecks, and the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptProof {
    /// The receipt.
    pub receipt: Signed<Receipt>,
    /// The verdict it stands on.
    pub verdict: Signed<Verdict>,
    /// The worker's lease.
    pub lease: Signed<Lease>,
    /// The worker's result.
    pub result: Signed<WorkResult>,
    /// Results of the verifiers that voted, in the order of the verdict's votes.
    pub rechecks: Vec<Signed<WorkResult>>,
}

/// A request whose signed parts are verified.
#[derive(Clone, Debug)]
pub enum VerifiedRequest {
    /// See [`WorkRequest::Campaigns`].
    Campaigns,
    /// See [`WorkRequest::Ask`].
    Ask {
        /// For this campaign.
        campaign: CampaignId,
        /// The node's engine.
        engine: Digest,
    },
    /// See [`WorkRequest::Submit`]; signed by the node at the other end.
    Submit(Box<Verified<WorkResult>>),
    /// See [`WorkRequest::Return`].
    Return {
        /// Which.
        lease: LeaseId,
        /// Why.
        reason: ReturnReason,
    },
    /// See [`WorkRequest::News`].
    News {
        /// For this campaign.
        campaign: CampaignId,
        /// Running number of the last item known.
        after: u64,
    },
    /// See [`WorkRequest::Orders`].
    Orders {
        /// Number of the last order known.
        after: u64,
    },
}

/// A response whose signed parts are verified and signed by the steward that answered.
#[derive(Clone, Debug)]
pub enum VerifiedResponse {
    /// See [`WorkResponse::Campaigns`].
    Campaigns(Vec<Verified<Campaign>>),
    /// See [`WorkResponse::Lease`].
    Lease(Box<Verified<Lease>>),
    /// See [`WorkResponse::NoWork`].
    NoWork {
        /// Why.
        reason: NoWork,
        /// When to ask again, milliseconds.
        retry_ms: u64,
    },
    /// See [`WorkResponse::Stored`].
    Stored(Digest),
    /// See [`WorkResponse::Returned`].
    Returned(LeaseId),
    /// See [`WorkResponse::News`]. Items stay sealed: `omni-core` checks receipts with their evidence.
    News {
        /// Which campaign.
        campaign: CampaignId,
        /// Items in order.
        items: Vec<NewsItem>,
        /// Running number of the last item here.
        last: u64,
        /// Where the campaign stands.
        status: Box<Verified<CampaignStatus>>,
    },
    /// See [`WorkResponse::Orders`]. It stays sealed: `omni-core` checks the signatures of the root
    /// keys, which need not be those of the steward.
    Orders(Option<Box<SignedOrder>>),
    /// See [`WorkResponse::Refused`].
    Refused(Rejection),
}

impl WorkRequest {
    /// Verifies what came from `from`.
    ///
    /// # Errors
    /// As [`Signed::verify`] and [`WorkResult::check`]; [`Rejection::WrongSigner`] for a result that
    /// the sender did not sign.
    pub fn verify(
        self,
        from: NodeId,
        now: Timestamp,
        network: NetworkId,
    ) -> Result<VerifiedRequest, Rejection> {
        Ok(match self {
            Self::Campaigns => VerifiedRequest::Campaigns,
            Self::Ask { campaign, engine } => VerifiedRequest::Ask { campaign, engine },
            Self::Submit(signed) => {
                let result = signed.verify(now, network)?.signed_by(from)?;
                result.check()?;
                VerifiedRequest::Submit(Box::new(result))
            }
            Self::Return { lease, reason } => VerifiedRequest::Return { lease, reason },
            Self::News { campaign, after } => VerifiedRequest::News { campaign, after },
            Self::Orders { after } => VerifiedRequest::Orders { after },
        })
    }
}

impl WorkResponse {
    /// Verifies what came from `steward`.
    ///
    /// # Errors
    /// As [`Signed::verify`], [`Campaign::check`] and [`Lease::check`]; [`Rejection::WrongSigner`] for what another key
    /// signed; [`Rejection::TooLarge`] for lists above their limits.
    pub fn verify(
        self,
        steward: NodeId,
        now: Timestamp,
        network: NetworkId,
    ) -> Result<VerifiedResponse, Rejection> {
        Ok(match self {
            Self::Campaigns(campaigns) => {
                if campaigns.len() > MAX_CAMPAIGNS {
                    return Err(Rejection::TooLarge);
                }
                let verified = campaigns
                    .into_iter()
                    .map(|campaign| {
                        let campaign = campaign.verify(now, network)?.signed_by(steward)?;
                        campaign.check()?;
                        Ok(campaign)
                    })
                    .collect::<Result<_, _>>()?;
                VerifiedResponse::Campaigns(verified)
            }
            Self::Lease(signed) => {
                let lease = signed.verify(now, network)?.signed_by(steward)?;
                lease.check()?;
                VerifiedResponse::Lease(Box::new(lease))
            }
            Self::NoWork { reason, retry_ms } => VerifiedResponse::NoWork { reason, retry_ms },
            Self::Stored(result) => VerifiedResponse::Stored(result),
            Self::Returned(lease) => VerifiedResponse::Returned(lease),
            Self::News(news) => {
                let evidence_fits = news.items.iter().all(|item| match item {
                    NewsItem::Receipt(proof) => proof.rechecks.len() <= MAX_VOTES,
                    NewsItem::Posting(_) => true,
                });
                if news.items.len() > MAX_NEWS || !evidence_fits {
                    return Err(Rejection::TooLarge);
                }
                let status = news.status.verify(now, network)?.signed_by(steward)?;
                if status.campaign != news.campaign {
                    return Err(Rejection::MismatchedEvidence);
                }
                VerifiedResponse::News {
                    campaign: news.campaign,
                    items: news.items,
                    last: news.last,
                    status: Box::new(status),
                }
            }
            Self::Orders(order) => {
                if order.as_ref().is_some_and(|order| !order.within_limits()) {
                    return Err(Rejection::TooLarge);
                }
                VerifiedResponse::Orders(order)
            }
            Self::Refused(rejection) => VerifiedResponse::Refused(rejection),
        })
    }
}
