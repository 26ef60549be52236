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
    /// Paused by the volunteer; `pause` says until when.
    Paused,
    /// Held by one of the volunteer's limits; `hold` says which.
    Held,
    /// Kill switch thrown.
    Stopped,
    /// The network's root keys ordered a halt; `halt` says until when.
    Halted,
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
    /// Every action with its tier.
    pub rules: Vec<RuleView>,
}

/// One line of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RuleView {
    /// Name of the action, kebab case.
    pub action: String,
    /// `low`, `medium` or `high`.
    pub tier: String,
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PauseView {
    /// When it ends by itself, milliseconds since 1970 as text; without it the volunteer ends it.
    pub until_ms: Option<String>,
}

/// Which of the volunteer's limits holds the work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct HoldView {
    /// `schedule`, `battery`, `metered`, `disk`, `hot`, `in-use`, `idle-unknown` or `settling`.
    pub code: String,
    /// When work may go on if nothing changes, milliseconds since 1970 as text.
    pub until_ms: Option<String>,
}

/// A halt of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct HaltView {
    /// When it ends by itself, milliseconds since 1970 as text.
    pub expires_ms: String,
    /// Why, in English, when it is fit to be shown.
    pub reason: Option<String>,
}

/// An action that the volunteer is or was asked about. Which fields are there depends on the name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ActionView {
    /// Name in the policy: `join-campaign`, `exceed-limits`, `fetch-outside-input`, `read-folder`,
    /// `send-diagnostics` or `change-payout`.
    pub name: String,
    /// For which campaign, hexadecimal.
    pub campaign: Option<String>,
    /// Its title by language code, when it is known.
    #[cfg_attr(test, ts(type = "Record<string, string>"))]
    pub title: std::collections::BTreeMap<String, String>,
    /// Who runs it: the steward's id.
    pub steward: Option<String>,
    /// From or to which computer.
    pub host: Option<String>,
    /// Which folder.
    pub folder: Option<String>,
    /// Which payout address.
    pub address: Option<String>,
    /// How much memory, mebibytes.
    pub memory_mib: Option<u32>,
    /// How much disk space, mebibytes.
    pub disk_mib: Option<u32>,
    /// Which share of the processors, per cent.
    pub cpu_percent: Option<u8>,
}

/// A question for the volunteer. Silence is "no".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct QuestionView {
    /// Running number, as text.
    pub id: String,
    /// What is asked for.
    pub action: ActionView,
    /// When it was asked, milliseconds since 1970 as text.
    pub asked_at_ms: String,
    /// When silence becomes "no", milliseconds since 1970 as text.
    pub expires_at_ms: String,
    /// For how long a "yes" can hold: some of `once`, `day`, `campaign`.
    pub scopes: Vec<String>,
}

/// A "yes" in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct GrantView {
    /// Number of its question, as text.
    pub id: String,
    /// What it allows.
    pub action: ActionView,
    /// For how long: `once`, `day` or `campaign`.
    pub scope: String,
    /// Since when, milliseconds since 1970 as text.
    pub since_ms: String,
    /// Until when, milliseconds since 1970 as text; without it until the campaign ends.
    pub until_ms: Option<String>,
}

/// The volunteer's limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SettingsView {
    /// Share of the whole computer's processors, per cent, 10 to 100.
    pub cpu_percent: u8,
    /// Pieces of work at once, 1 to 64.
    pub cores: u8,
    /// Memory of all pieces of work together, mebibytes.
    pub memory_mib: u32,
    /// Disk space, mebibytes.
    pub disk_mib: u32,
    /// Only while nobody uses the computer.
    pub only_when_idle: bool,
    /// Minutes without keyboard and mouse after which nobody uses it.
    pub idle_minutes: u32,
    /// Also on battery.
    pub on_battery: bool,
    /// Also on a metered connection.
    pub on_metered: bool,
    /// Rest while the computer is hot.
    pub pause_when_hot: bool,
    /// Hours to work in: for each day from Monday on a mask with bit `h` for the hour from `h`:00.
    /// Without it at any time.
    pub schedule: Option<Vec<u32>>,
}

/// A wall around the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct WallView {
    /// Stable code, kebab case.
    pub code: String,
    /// Whether it is up.
    pub up: bool,
}

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DecisionView {
    /// When, milliseconds since 1970 as text.
    pub at_ms: String,
    /// Name of the action.
    pub action: String,
    /// `low`, `medium` or `high`; none when no rule names it.
    pub tier: Option<String>,
    /// `permitted`, `asked` or `denied`.
    pub verdict: String,
    /// What decided it.
    pub rule: String,
    /// Unit, campaign or question it belongs to.
    pub correlation: Option<String>,
}

/// How often what was decided, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CountersView {
    /// Permits given.
    pub permitted: String,
    /// Actions denied.
    pub denied: String,
    /// Questions answered with "yes".
    pub confirmed: String,
    /// Questions answered with "no".
    pub refused: String,
    /// Questions that nobody answered in time.
    pub timed_out: String,
    /// Orders that were not carried out.
    pub orders_refused: String,
}

/// What keeps the computer safe, and what was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SafetyView {
    /// Walls around the sandbox; empty until they were looked at.
    pub walls: Vec<WallView>,
    /// Whether one is missing that this system should have.
    pub walls_missing: bool,
    /// What this computer does not tell, so that a limit cannot act: `battery-unknown`,
    /// `metered-unknown`, `idle-unknown`, `heat-unknown`, `cpu-unknown`.
    pub untold: Vec<String>,
    /// How often what was decided.
    pub counters: CountersView,
    /// The latest decisions, newest first, at most 50.
    pub decisions: Vec<DecisionView>,
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
    /// The pause in force.
    pub pause: Option<PauseView>,
    /// Which limit holds the work.
    pub hold: Option<HoldView>,
    /// The halt in force.
    pub halt: Option<HaltView>,
    /// Open questions, oldest first.
    pub questions: Vec<QuestionView>,
    /// Answers in force, oldest first.
    pub grants: Vec<GrantView>,
    /// The volunteer's limits.
    pub settings: SettingsView,
    /// Walls, signals, decisions.
    pub safety: SafetyView,
}
