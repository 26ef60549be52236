//! Words shared by every part of OmniSwarm: identities, integer units, canonical bytes, signed
//! envelopes, the messages on the wire and the records in the log.
//!
//! This crate is pure: it never reads a clock, a random source, a file or a socket. Whatever needs
//! the present time takes it as a [`Timestamp`] argument.

pub mod action;
pub mod campaign;
pub mod canonical;
pub mod charter;
pub mod cid;
pub mod hash;
pub mod id;
pub mod merkle;
pub mod order;
pub mod record;
pub mod rejection;
pub mod seed;
pub mod settings;
pub mod signed;
pub mod text;
pub mod unit;
pub mod wire;
pub mod work;

pub use action::{Action, Answer, DecisionRecord, DecisionVerdict, Scope};
pub use campaign::{
    Campaign, CampaignStatus, EvolutionParams, Labs, Problem, ResourceLimits, RewardPolicy,
    RiskTier, SkillKind, SkillRef, Track, VerificationPolicy,
};
pub use charter::{Charter, SignedCharter};
pub use cid::Cid;
pub use hash::Digest;
pub use id::{CampaignId, Keypair, LeaseId, NetworkId, NodeId, ReceiptId, UnitId};
pub use order::{Order, OrderKind, SignedOrder};
pub use record::{Entry, LogHead, Record};
pub use rejection::Rejection;
pub use settings::{Settings, WeekSchedule};
pub use signed::{Domain, Signed, Verified};
pub use text::{ScreenedText, TextLimit, TextRefusal, screen};
pub use unit::{Micro, Timestamp};
pub use wire::{ReceiptProof, VerifiedRequest, VerifiedResponse, WorkRequest, WorkResponse};
pub use work::{
    Lease, Outcome, Posting, PostingOutcome, Receipt, ReturnReason, Role, SegmentOutput, Verdict,
    Vote, WorkResult,
};
