//! The one view of a node: published whole after every change, drawn by the desktop window, the
//! terminal and `omniswarm status` alike. Amounts and other 64-bit numbers are strings, because
//! JavaScript numbers are not exact; codes are for programs, sentences come from translations.

use serde::{Deserialize, Serialize};

/// What the node is doing, as one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The volunteer has not agreed to the policy: nothing connects, nothing runs.
    ConsentNeeded,
    /// Agreed; opening the store and connecting.
    Starting,
    /// Doing work or ready for it.
    Running,
    /// Paused by the volunteer.
    Paused,
    /// Kill switch thrown.
    Stopped,
    /// Cannot work; `problem` says why.
    Failed,
}

/// Something that keeps the node from working: a code to branch on, and details for support.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Problem {
    /// Stable code, kebab case, for example `key-store-unavailable`.
    pub code: String,
    /// One English sentence for people whose language has no translation of the code.
    pub sentence: String,
}

/// The policy the volunteer is asked to agree to, or has agreed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PolicyView {
    /// Version.
    pub version: u32,
    /// Hash, hexadecimal.
    pub hash: String,
    /// When the volunteer agreed, milliseconds since 1970 as text.
    pub agreed_at_ms: Option<String>,
}

/// A campaign the node knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CampaignView {
    /// Identity, hexadecimal.
    pub id: String,
    /// Short name.
    pub name: String,
    /// Title by language code.
    #[cfg_attr(test, ts(type = "Record<string, string>"))]
    pub title: std::collections::BTreeMap<String, String>,
    /// Purpose by language code.
    #[cfg_attr(test, ts(type = "Record<string, string>"))]
    pub purpose: std::collections::BTreeMap<String, String>,
    /// Length of the sequences.
    pub length: u32,
    /// Generation being worked on.
    pub generation: String,
    /// Units accepted and rejected so far, by everybody.
    pub units_accepted: String,
    /// Units rejected so far.
    pub units_rejected: String,
    /// Best verified result.
    pub best: Option<BestView>,
    /// Value in the bundled table to compare with.
    pub published: Option<PublishedView>,
}

/// The best verified result of a campaign, recomputed on this computer from the sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct BestView {
    /// Energy; smaller is better.
    pub energy: u32,
    /// Merit factor, length² / (2 · energy), two decimals.
    pub merit_factor: String,
    /// The sequence as `+` and `-`.
    pub sequence: String,
}

/// A value in the bundled table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PublishedView {
    /// Energy.
    pub energy: u32,
    /// Merit factor, two decimals.
    pub merit_factor: String,
    /// Whether it is proven that nothing better exists.
    pub proven_optimal: bool,
}

/// A lease being worked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RunningView {
    /// Lease, hexadecimal.
    pub lease: String,
    /// Unit (the correlation id in logs), hexadecimal.
    pub unit: String,
    /// Campaign, hexadecimal.
    pub campaign: String,
    /// Segments done.
    pub segments_done: u32,
    /// Segments in the lease.
    pub segments: u32,
    /// When it started, milliseconds since 1970 as text.
    pub started_at_ms: String,
}

/// State of a reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum RewardState {
    /// Earned, not yet final.
    Pending,
    /// Final.
    Posted,
    /// Taken back.
    Voided,
}

/// One receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ReceiptView {
    /// Identity, hexadecimal.
    pub id: String,
    /// Unit, hexadecimal.
    pub unit: String,
    /// Campaign, hexadecimal.
    pub campaign: String,
    /// `work` or `recheck`.
    pub role: String,
    /// Segments paid for.
    pub segments: u32,
    /// Credits with six decimals.
    pub amount: String,
    /// State of the reward.
    pub state: RewardState,
    /// When the steward signed it, milliseconds since 1970 as text.
    pub at_ms: String,
}

/// Sums over all receipts, credits with six decimals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RewardsView {
    /// Earned, not yet final.
    pub pending: String,
    /// Final.
    pub posted: String,
    /// Taken back.
    pub voided: String,
    /// Number of receipts.
    pub receipts: String,
}

/// Whether and how the node is connected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ConnectionView {
    /// Connected peers.
    pub peers: u32,
    /// Whether a supernode is connected.
    pub supernode: bool,
    /// Whether the steward is connected.
    pub steward: bool,
}

/// Everything there is to see of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct NodeView {
    /// What the node is doing.
    pub phase: Phase,
    /// What is wrong, when `phase` is `failed`; otherwise a passing difficulty, if any.
    pub problem: Option<Problem>,
    /// Why there is nothing to do, when there is nothing: a code such as `waiting`, `finished`,
    /// `no-steward`, `budget-spent`, `suspended`.
    pub idle_reason: Option<String>,
    /// Identity, once there is one.
    pub node: Option<String>,
    /// Plain name of the network, once known.
    pub network: Option<String>,
    /// Policy and consent.
    pub policy: PolicyView,
    /// Connections.
    pub connection: ConnectionView,
    /// Campaigns, by name.
    pub campaigns: Vec<CampaignView>,
    /// What runs now.
    pub running: Vec<RunningView>,
    /// The latest receipts, newest first, at most 50.
    pub receipts: Vec<ReceiptView>,
    /// Rewards.
    pub rewards: RewardsView,
}
