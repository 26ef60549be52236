//! A volunteer's node: asks for work it may do, has it run, commits to the result, keeps the
//! receipts.
//!
//! ```text
//!            LeaseTaken             ResultCommitted            ResultDelivered
//!   offered ────────────▶ waiting ─▶ running ─────────▶ committed ───────────▶ done
//!                            │          │ LeaseDropped
//!                            └──────────┴──────────────▶ given back
//! ```
//!
//! Nothing happens without a [`Permit`](crate::Permit): no connection before consent, no skill that
//! is not listed, nothing at all with the kill switch thrown or while the network is halted. Work
//! stands still while the volunteer's pause or one of the volunteer's limits holds it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use omni_ledger::{Account, PendingState};
use omni_types::{
    Action, Answer, Campaign, CampaignId, CampaignStatus, Cid, DecisionRecord, DecisionVerdict,
    Digest, Entry, Keypair, Lease, LeaseId, Micro, NetworkId, NodeId, OrderKind, PostingOutcome,
    Receipt, ReceiptId, Record, Rejection, ReturnReason, RiskTier, Role, Scope, SegmentOutput,
    Settings, Signed, SignedOrder, Timestamp, UnitId, Verified, VerifiedResponse, WorkRequest,
    WorkResult,
    wire::{NewsItem, NoWork},
    work::outputs_root,
};
use thiserror::Error;

use crate::{
    books::{self, Books},
    confirmations::{self, Confirmations, Grant, QUESTION_MS, Question},
    governor::{Governor, Hold, Untold},
    machine::{Command, Input, Job, Machine, Output, RequestFailed},
    orders::{Halt, Orders},
    policy::{self, Circumstances, Decision, Denial, POLICY_VERSION, Permit, Walls},
    receipts,
};

/// How long a signed result can be delivered, milliseconds: a week, for computers that are off.
pub const RESULT_VALID_MS: u64 = 7 * 24 * 3600 * 1000;
/// Pause after a request without answer, milliseconds.
pub const RETRY_MS: u64 = 2_000;
/// Pause between looks for news while results are out, milliseconds.
pub const NEWS_MS: u64 = 1_000;
/// Pause between looks for news otherwise, milliseconds.
pub const NEWS_IDLE_MS: u64 = 15_000;
/// How long after a delivery news are looked for often, milliseconds.
pub const AWAIT_NEWS_MS: u64 = 60_000;
/// Pause between looks for orders of the root keys, milliseconds.
pub const ORDERS_MS: u64 = 15_000;
/// Pause between looks for campaigns, milliseconds.
pub const CAMPAIGNS_MS: u64 = 600_000;
/// Longest pause that a steward can ask for, milliseconds.
pub const RETRY_LONG_MS: u64 = 600_000;
/// Campaigns known at once.
pub const MAX_CAMPAIGNS: usize = 64;
/// Results waiting for delivery; no new work above it.
pub const MAX_UNDELIVERED: usize = 32;
/// Receipts kept for looking at; the log has all.
pub const RECEIPTS_SHOWN: usize = 50;
/// Decisions kept for looking at; the log has all.
pub const DECISIONS_SHOWN: usize = 50;
/// Shortest time between two lines of the audit log about the same denial, milliseconds.
pub const DENIAL_MS: u64 = 60_000;
/// Decisions that other parts of the program may wait for at once.
pub const MAX_WAITING: usize = 32;

/// Why a log cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("record {record} cannot be replayed: {rejection}")]
pub struct ReplayError {
    /// Running number from 1.
    pub record: u64,
    /// Why.
    pub rejection: Rejection,
}

/// A consent in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Hash of the policy agreed to.
    pub policy: Digest,
    /// When.
    pub at: Timestamp,
}

#[derive(Debug)]
enum Stage {
    /// Taken; the skill is not here yet or no slot is free.
    Waiting,
    /// In the sandbox.
    Running {
        since: Timestamp,
        done: BTreeMap<u32, Vec<u8>>,
    },
}

#[derive(Debug)]
struct Task {
    lease: Verified<Lease>,
    stage: Stage,
}

/// A lease being worked on, for the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningLease {
    /// Lease.
    pub lease: LeaseId,
    /// Unit.
    pub unit: UnitId,
    /// Campaign.
    pub campaign: CampaignId,
    /// Segments done.
    pub done: usize,
    /// Segments in all.
    pub segments: usize,
    /// Since when.
    pub since: Timestamp,
}

/// A receipt, for the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptRow {
    /// Receipt.
    pub id: ReceiptId,
    /// Unit.
    pub unit: UnitId,
    /// Campaign.
    pub campaign: CampaignId,
    /// For what.
    pub role: Role,
    /// Segments paid for.
    pub segments: u32,
    /// Amount.
    pub amount: Micro,
    /// When the steward signed it.
    pub issued: Timestamp,
}

/// Sums of this node's rewards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewards {
    /// Not yet final.
    pub pending: Micro,
    /// Final.
    pub posted: Micro,
    /// Taken back.
    pub voided: Micro,
    /// Number of receipts.
    pub receipts: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InFlight {
    Campaigns(NodeId),
    Orders(NodeId),
    Ask(NodeId),
    Submit(NodeId, LeaseId),
    Return(NodeId),
    News(NodeId, CampaignId),
}

impl InFlight {
    fn steward(self) -> NodeId {
        match self {
            Self::Campaigns(steward)
            | Self::Orders(steward)
            | Self::Ask(steward)
            | Self::Submit(steward, _)
            | Self::Return(steward)
            | Self::News(steward, _) => steward,
        }
    }
}

#[derive(Debug)]
struct Joined {
    campaign: Verified<Campaign>,
    steward: NodeId,
    status: Option<Verified<CampaignStatus>>,
    news_last: u64,
    next_news: Timestamp,
    next_ask: Timestamp,
    no_work: Option<NoWork>,
}

/// What a volunteer's node is set up with.
#[derive(Debug)]
pub struct Config {
    /// The node's key.
    pub keypair: Keypair,
    /// The network.
    pub network: NetworkId,
    /// Its plain name.
    pub network_name: String,
    /// Keys that may hand out work.
    pub stewards: Vec<NodeId>,
    /// Skills that may run.
    pub allowlist: BTreeSet<Cid>,
    /// This node's engine version and settings.
    pub engine: Digest,
    /// Jobs at once, at least 1; used until the volunteer chooses.
    pub slots: usize,
    /// What is known of the walls around the sandbox so far.
    pub walls: Walls,
    /// Whether this is the volunteer's own node, or one that helps it in an embedded network: a
    /// helper stands still when the volunteer's own node does, asks nothing, and holds confirmed
    /// what was confirmed there.
    pub helper: bool,
    /// Whether somebody tells the state of the computer.
    pub governed: bool,
}

/// A pause in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

/// A line of the audit log, for the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRow {
    /// When.
    pub at: Timestamp,
    /// What.
    pub decision: DecisionRecord,
}

/// How often what was decided, since the log begins; denials that were counted and not yet written
/// included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Permits given.
    pub permitted: u64,
    /// Actions denied.
    pub denied: u64,
    /// Questions answered with "yes".
    pub confirmed: u64,
    /// Questions answered with "no".
    pub refused: u64,
    /// Questions that nobody answered in time.
    pub timed_out: u64,
    /// Orders that were not carried out: forged, expired, played again or for another network.
    pub orders_refused: u64,
}

/// A denial that may come again and again.
#[derive(Clone, Copy, Debug)]
struct Denied {
    written: Timestamp,
    repeats: u64,
}

/// A volunteer's node.
#[derive(Debug)]
pub struct Volunteer {
    config: Config,
    me: NodeId,
    books: Books,
    consent: Option<Consent>,
    killed: bool,
    pause: Option<Pause>,
    orders: Orders,
    settings: Option<Settings>,
    governor: Governor,
    /// The time of the last input.
    now: Timestamp,
    /// What the children were last told.
    frozen: bool,
    throttle: Option<u8>,
    confirmed: Vec<Action>,
    walls: Walls,
    confirmations: Confirmations,
    /// Decisions that other parts of the program wait for, by question.
    waiting: BTreeMap<u64, Vec<u64>>,
    /// Campaigns of medium risk that are not joined.
    offered: BTreeMap<CampaignId, Verified<Campaign>>,
    decisions: VecDeque<DecisionRow>,
    counters: Counters,
    denials: BTreeMap<(&'static str, Denial), Denied>,
    online: bool,
    joined: BTreeMap<CampaignId, Joined>,
    tasks: BTreeMap<LeaseId, Task>,
    outbox: BTreeMap<LeaseId, Verified<WorkResult>>,
    /// Leases to give back when the steward is there; not durable, a lost one just runs out.
    give_back: VecDeque<(NodeId, LeaseId, ReturnReason)>,
    rows: VecDeque<ReceiptRow>,
    rewards: Rewards,
    stewards: BTreeSet<NodeId>,
    skills: BTreeMap<Cid, SkillState>,
    in_flight: BTreeMap<u64, InFlight>,
    next_request: u64,
    next_campaigns: Timestamp,
    next_orders: Timestamp,
    last_problem: Option<&'static str>,
    next_submit: Timestamp,
    /// Until when a verdict on a delivered result may be near.
    await_news: Timestamp,
    entries: Vec<Entry>,
    outputs: VecDeque<Output>,
}

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unsettled {
    /// The question with this number is open.
    Asked(u64),
    Denied(Denial),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SkillState {
    Fetching,
    Ready,
    /// Not to be had; try again then.
    Missing(Timestamp),
}

impl Volunteer {
    /// A node whose state is what `log` says.
    ///
    /// # Errors
    /// A [`ReplayError`] naming the record that cannot be.
    pub fn open(
        config: Config,
        log: impl IntoIterator<Item = Entry>,
        now: Timestamp,
    ) -> Result<Self, ReplayError> {
        let mut volunteer = Self {
            me: config.keypair.node_id(),
            config,
            books: Books::new(),
            consent: None,
            killed: false,
            pause: None,
            orders: Orders::new(),
            next_orders: Timestamp(0),
            settings: None,
            governor: Governor::new(Settings::default()),
            now,
            frozen: false,
            throttle: None,
            confirmed: Vec::new(),
            walls: Walls::Unknown,
            confirmations: Confirmations::new(),
            waiting: BTreeMap::new(),
            offered: BTreeMap::new(),
            decisions: VecDeque::new(),
            counters: Counters::default(),
            denials: BTreeMap::new(),
            online: false,
            joined: BTreeMap::new(),
            tasks: BTreeMap::new(),
            outbox: BTreeMap::new(),
            give_back: VecDeque::new(),
            rows: VecDeque::new(),
            rewards: Rewards::default(),
            stewards: BTreeSet::new(),
            skills: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            next_request: 1,
            next_campaigns: Timestamp(0),
            last_problem: None,
            next_submit: Timestamp(0),
            await_news: Timestamp(0),
            entries: Vec::new(),
            outputs: VecDeque::new(),
        };
        for (index, entry) in log.into_iter().enumerate() {
            volunteer
                .apply(&entry.record, entry.at)
                .map_err(|rejection| ReplayError {
                    record: index as u64 + 1,
                    rejection,
                })?;
        }
        volunteer.books.take_changed();
        volunteer.walls = volunteer.config.walls;
        volunteer.governor.set(volunteer.settings(), now);
        volunteer.drive(now);
        Ok(volunteer)
    }

    // ---- what there is to see ----------------------------------------------------------------

    /// This node.
    pub fn node_id(&self) -> NodeId {
        self.me
    }

    /// Plain name of the network.
    pub fn network_name(&self) -> &str {
        &self.config.network_name
    }

    /// Consent to the policy now in force, if any.
    pub fn consent(&self) -> Option<Consent> {
        self.consent
            .filter(|consent| consent.policy == policy::policy_hash())
    }

    /// Kill switch thrown.
    pub fn is_killed(&self) -> bool {
        self.killed
    }

    /// The pause in force, if any.
    pub fn pause(&self) -> Option<Pause> {
        self.pause
    }

    /// The halt in force at `now`, if any.
    pub fn halt(&self, now: Timestamp) -> Option<&Halt> {
        self.orders.halt(now)
    }

    /// Limits and times that the volunteer chose, or the careful ones that hold until then.
    pub fn settings(&self) -> Settings {
        self.settings.clone().unwrap_or_else(|| Settings {
            cores: u8::try_from(self.config.slots).unwrap_or(u8::MAX).max(1),
            ..Settings::default()
        })
    }

    /// Which of the volunteer's limits holds the work at `now`, and when it may go on.
    pub fn hold(&self, now: Timestamp) -> Option<(Hold, Option<Timestamp>)> {
        if !self.config.governed {
            return None;
        }
        let allowance = self.governor.allowance(now);
        allowance.why_not.map(|hold| (hold, allowance.until))
    }

    /// What this computer does not tell of its state.
    pub fn untold(&self) -> Vec<Untold> {
        self.governor.unavailable()
    }

    /// What is known of the walls around the sandbox.
    pub fn walls(&self) -> Walls {
        self.walls
    }

    /// Open questions, oldest first.
    pub fn questions(&self) -> impl Iterator<Item = &Question> {
        self.confirmations.open()
    }

    /// Answers in force at `now`, oldest first.
    pub fn grants(&self, now: Timestamp) -> impl Iterator<Item = &Grant> {
        self.confirmations.grants(now)
    }

    /// A campaign that is joined or offered.
    pub fn campaign(&self, id: CampaignId) -> Option<&Verified<Campaign>> {
        self.joined
            .get(&id)
            .map(|joined| &joined.campaign)
            .or_else(|| self.offered.get(&id))
    }

    /// The latest decisions, newest first.
    pub fn decisions(&self) -> impl Iterator<Item = &DecisionRow> {
        self.decisions.iter()
    }

    /// How often what was decided.
    pub fn counters(&self) -> Counters {
        Counters {
            orders_refused: self.orders.refused(),
            ..self.counters
        }
    }

    /// Whether the machine wants the network.
    pub fn is_online(&self) -> bool {
        self.online
    }

    /// Connected stewards.
    pub fn stewards(&self) -> usize {
        self.stewards.len()
    }

    /// Campaigns, with where they stand.
    pub fn campaigns(
        &self,
    ) -> impl Iterator<Item = (&Verified<Campaign>, Option<&Verified<CampaignStatus>>)> {
        self.joined
            .values()
            .map(|joined| (&joined.campaign, joined.status.as_ref()))
    }

    /// What runs now.
    pub fn running(&self) -> impl Iterator<Item = RunningLease> + '_ {
        self.tasks.values().filter_map(|task| match &task.stage {
            Stage::Waiting => None,
            Stage::Running { since, done } => Some(RunningLease {
                lease: task.lease.id,
                unit: task.lease.unit,
                campaign: task.lease.campaign,
                done: done.len(),
                segments: task.lease.segments.len(),
                since: *since,
            }),
        })
    }

    /// The latest receipts, newest first, with their state.
    pub fn receipts(&self) -> impl Iterator<Item = (&ReceiptRow, PendingState)> {
        self.rows.iter().map(|row| {
            let state = self.books.state(row.id).unwrap_or(PendingState::Open);
            (row, state)
        })
    }

    /// Sums of the rewards.
    pub fn rewards(&self) -> Rewards {
        let balance = self.books.balance(Account::Node(self.me));
        Rewards {
            pending: balance.credits_pending,
            posted: balance.credits_posted,
            ..self.rewards
        }
    }

    /// Results committed and not yet delivered.
    pub fn undelivered(&self) -> usize {
        self.outbox.len()
    }

    /// Why nothing runs, as a code, when nothing does.
    pub fn idle_reason(&self, now: Timestamp) -> Option<&'static str> {
        let explained = self.killed
            || self.halt(now).is_some()
            || self.pause.is_some()
            || self.consent().is_none();
        if explained || self.running().next().is_some() {
            return None;
        }
        if let Some((hold, _)) = self.hold(now) {
            return Some(hold.code());
        }
        if self.walls == Walls::Missing {
            return Some(Denial::WallsMissing.code());
        }
        if self.stewards.is_empty() {
            return Some("no-steward");
        }
        if let Some(problem) = self.last_problem {
            return Some(problem);
        }
        if self.joined.is_empty() && !self.offered.is_empty() {
            return Some(Denial::NotConfirmed.code());
        }
        let mut blocked = self
            .joined
            .values()
            .map(|joined| self.workable(&joined.campaign, now).err());
        if let Some(Some(denial)) = blocked.next()
            && blocked.all(|denial| denial.is_some())
        {
            return Some(denial.code());
        }
        let reason = self.joined.values().find_map(|joined| joined.no_work);
        Some(match reason {
            Some(NoWork::BudgetSpent) => "budget-spent",
            Some(NoWork::Finished) => "finished",
            Some(NoWork::Suspended) => "suspended",
            Some(NoWork::Halted) => "halted",
            Some(NoWork::EnoughOpen | NoWork::Waiting) | None => "waiting",
        })
    }

    // ---- records -----------------------------------------------------------------------------

    fn record(&mut self, record: Record, at: Timestamp) -> bool {
        let applied = self.apply(&record, at).is_ok();
        if applied {
            self.entries.push(Entry { at, record });
        }
        applied
    }

    fn flush(&mut self) {
        if !self.entries.is_empty() {
            self.outputs.push_back(Output::Commit {
                entries: std::mem::take(&mut self.entries),
                balances: self.books.take_changed(),
            });
        }
    }

    fn output(&mut self, output: Output) {
        self.flush();
        self.outputs.push_back(output);
    }

    fn apply(&mut self, record: &Record, at: Timestamp) -> Result<(), Rejection> {
        let network = self.config.network;
        match record {
            Record::Consent {
                given, policy_hash, ..
            } => {
                self.consent = given.then_some(Consent {
                    policy: *policy_hash,
                    at,
                });
                if !given {
                    self.confirmations.withdrawn();
                }
            }
            Record::Kill { on } => self.killed = *on,
            Record::Pause { on, until } => self.pause = on.then_some(Pause { until: *until }),
            Record::SettingsChanged(settings) => self.settings = Some(settings.clone()),
            Record::OrderTaken(order) => self.orders.apply(order, network)?,
            Record::Decided(decision) => self.count(decision, at),
            Record::Asked {
                question,
                action,
                expires,
            } => self
                .confirmations
                .asked(*question, action.clone(), at, *expires),
            Record::Answered { question, answer } => {
                self.confirmations.answered(*question, *answer, at);
                let counter = match answer {
                    Answer::Yes(_) => &mut self.counters.confirmed,
                    Answer::No => &mut self.counters.refused,
                    Answer::TimedOut => &mut self.counters.timed_out,
                };
                *counter += 1;
            }
            Record::AnswerUsed { question } => {
                self.confirmations.used(*question);
            }
            Record::AnswerRevoked { question } => {
                self.confirmations.revoked(*question, at);
            }
            Record::CampaignJoined(campaign) => {
                let campaign = campaign.clone().verify_stored(network)?;
                let steward = campaign.signer();
                let transfer = books::budget(&campaign);
                self.books.enter(transfer).map_err(|_| Rejection::WrongId)?;
                match self.joined.get_mut(&campaign.id) {
                    Some(joined) => joined.campaign = campaign,
                    None => {
                        let joined = Joined {
                            campaign,
                            steward,
                            status: None,
                            news_last: 0,
                            next_news: Timestamp(0),
                            next_ask: Timestamp(0),
                            no_work: None,
                        };
                        self.joined.insert(joined.campaign.id, joined);
                    }
                }
            }
            Record::LeaseTaken(lease) => {
                let lease = lease.clone().verify_stored(network)?;
                let stage = Stage::Waiting;
                self.tasks.insert(lease.id, Task { lease, stage });
            }
            Record::LeaseDropped { lease, .. } => {
                self.tasks.remove(lease);
            }
            Record::ResultCommitted(result) => {
                let result = result.clone().verify_stored(network)?;
                self.tasks.remove(&result.lease);
                self.outbox.insert(result.lease, result);
            }
            Record::ResultDelivered { lease, .. } => {
                self.outbox.remove(lease);
            }
            Record::ReceiptReceived { sequence, proof } => {
                let receipt = proof.receipt.clone().verify_stored(network)?;
                self.take_receipt(*sequence, &receipt)?;
            }
            Record::PostingReceived { sequence, posting } => {
                let posting = posting.clone().verify_stored(network)?;
                let amount = self
                    .books
                    .enter(books::resolution(&posting))
                    .map_err(|_| Rejection::MismatchedEvidence)
                    .map(|()| self.amount_of(posting.receipt))?;
                if posting.outcome == PostingOutcome::Voided {
                    let voided = self.rewards.voided.checked_add(amount);
                    self.rewards.voided = voided.unwrap_or(Micro::MAX);
                }
                let campaign = self.books.payer(posting.receipt);
                if let Some(joined) = campaign.and_then(|id| self.joined.get_mut(&id)) {
                    joined.news_last = joined.news_last.max(*sequence);
                }
            }
            Record::CampaignOpened(_)
            | Record::UnitCreated { .. }
            | Record::LeaseIssued(_)
            | Record::LeaseEnded { .. }
            | Record::ResultReceived(_)
            | Record::SampleDrawn { .. }
            | Record::VerifierDrawn { .. }
            | Record::VerdictReached(_)
            | Record::ReceiptIssued(_)
            | Record::PostingIssued(_)
            | Record::GenerationClosed { .. } => return Err(Rejection::Malformed),
        }
        Ok(())
    }

    fn amount_of(&self, receipt: ReceiptId) -> Micro {
        self.books.amount(receipt).unwrap_or(Micro::ZERO)
    }

    fn take_receipt(
        &mut self,
        sequence: u64,
        receipt: &Verified<Receipt>,
    ) -> Result<(), Rejection> {
        let known = self.books.state(receipt.id).is_some();
        self.books
            .enter(books::reward(receipt))
            .map_err(|_| Rejection::MismatchedEvidence)?;
        if let Some(joined) = self.joined.get_mut(&receipt.campaign) {
            joined.news_last = joined.news_last.max(sequence);
        }
        if !known {
            self.rewards.receipts += 1;
            self.rows.push_front(ReceiptRow {
                id: receipt.id,
                unit: receipt.unit,
                campaign: receipt.campaign,
                role: receipt.role,
                segments: receipt.segments,
                amount: receipt.amount,
                issued: receipt.issued(),
            });
            self.rows.truncate(RECEIPTS_SHOWN);
        }
        Ok(())
    }

    // ---- decisions ---------------------------------------------------------------------------

    fn decide(&self, action: Action, now: Timestamp) -> Decision {
        self.decide_behind(self.walls, action, now)
    }

    fn decide_behind(&self, walls: Walls, action: Action, now: Timestamp) -> Decision {
        let settings = self.settings();
        let circumstances = Circumstances {
            now,
            killed: self.killed,
            halted: self.halt(now).is_some(),
            consent: self.consent.map(|consent| consent.policy),
            walls,
            allowlist: &self.config.allowlist,
            memory_bytes: settings.memory_bytes / u64::from(settings.cores.max(1)),
            confirmations: &self.confirmations,
        };
        policy::decide(&circumstances, action)
    }

    fn permitted(&self, action: Action, now: Timestamp) -> bool {
        matches!(self.decide(action, now), Decision::Permit(_))
    }

    /// Decides, writes the decision into the audit log, and asks the volunteer where that is the
    /// decision. Without an answer yet there is no permit.
    fn settle(
        &mut self,
        action: Action,
        correlation: Option<String>,
        now: Timestamp,
    ) -> Result<Permit, Unsettled> {
        match self.decide(action.clone(), now) {
            Decision::Permit(permit) => {
                let rule = match permit.confirmed() {
                    Some(_) => "confirmed",
                    None => "low-risk",
                };
                self.audit(action, DecisionVerdict::Permitted, rule, correlation, now);
                if let Some(question) = permit.confirmed()
                    && self.confirmations.scope(question) == Some(Scope::Once)
                {
                    self.record(Record::AnswerUsed { question }, now);
                }
                Ok(permit)
            }
            Decision::Denied(denial) => {
                self.audit_denial(action, denial, correlation, now);
                Err(Unsettled::Denied(denial))
            }
            Decision::NeedsConfirmation(action) => {
                if let Some(open) = self.confirmations.open_number(&action) {
                    return Err(Unsettled::Asked(open));
                }
                if self.config.helper || !self.confirmations.may_ask(&action, now) {
                    let denial = match self.config.helper {
                        true => Denial::NotConfirmed,
                        false => Denial::NotAskedAgain,
                    };
                    self.audit_denial(action, denial, correlation, now);
                    return Err(Unsettled::Denied(denial));
                }
                let rule = "medium-risk";
                let verdict = DecisionVerdict::Asked;
                self.audit(action.clone(), verdict, rule, correlation, now);
                let question = self.confirmations.next_number();
                let expires = now.plus_ms(QUESTION_MS);
                let asked = Record::Asked {
                    question,
                    action,
                    expires,
                };
                self.record(asked, now);
                Err(Unsettled::Asked(question))
            }
        }
    }

    fn audit(
        &mut self,
        action: Action,
        verdict: DecisionVerdict,
        rule: &str,
        correlation: Option<String>,
        now: Timestamp,
    ) {
        let decision = DecisionRecord {
            tier: policy::tier(&action),
            action,
            verdict,
            rule: rule.to_owned(),
            correlation,
            repeats: 0,
        };
        self.record(Record::Decided(decision), now);
    }

    /// Writes a denial down, unless the same one was written a moment ago: then it is counted, and
    /// the number is in the next line.
    fn audit_denial(
        &mut self,
        action: Action,
        denial: Denial,
        correlation: Option<String>,
        now: Timestamp,
    ) {
        let key = (action.name(), denial);
        let repeats = match self.denials.get_mut(&key) {
            Some(seen) if now < seen.written.plus_ms(DENIAL_MS) => {
                seen.repeats = seen.repeats.saturating_add(1);
                self.counters.denied = self.counters.denied.saturating_add(1);
                return;
            }
            Some(seen) => std::mem::take(&mut seen.repeats),
            None => 0,
        };
        let written = Denied {
            written: now,
            repeats: 0,
        };
        self.denials.insert(key, written);
        // These were counted when they came.
        self.counters.denied = self.counters.denied.saturating_sub(repeats);
        let decision = DecisionRecord {
            tier: policy::tier(&action),
            action,
            verdict: DecisionVerdict::Denied,
            rule: denial.code().to_owned(),
            correlation,
            repeats,
        };
        self.record(Record::Decided(decision), now);
    }

    fn count(&mut self, decision: &DecisionRecord, at: Timestamp) {
        let (counter, times) = match decision.verdict {
            DecisionVerdict::Permitted => (&mut self.counters.permitted, 1),
            DecisionVerdict::Denied => (
                &mut self.counters.denied,
                decision.repeats.saturating_add(1),
            ),
            DecisionVerdict::Asked => return self.show(decision, at),
        };
        *counter = counter.saturating_add(times);
        self.show(decision, at);
    }

    fn show(&mut self, decision: &DecisionRecord, at: Timestamp) {
        self.decisions.push_front(DecisionRow {
            at,
            decision: decision.clone(),
        });
        self.decisions.truncate(DECISIONS_SHOWN);
    }

    // ---- questions ---------------------------------------------------------------------------

    /// Another part of the program wants to do something.
    fn on_decide(&mut self, token: u64, action: Action, now: Timestamp) {
        let correlation = action.campaign().map(|campaign| campaign.to_string());
        let decision = match self.settle(action, correlation, now) {
            Ok(permit) => Ok(permit),
            Err(Unsettled::Denied(denial)) => Err(denial),
            Err(Unsettled::Asked(question)) => {
                let waiting: usize = self.waiting.values().map(Vec::len).sum();
                if waiting < MAX_WAITING {
                    self.waiting.entry(question).or_default().push(token);
                    return;
                }
                Err(Denial::NotAskedAgain)
            }
        };
        self.output(Output::Decided { token, decision });
    }

    fn on_forget(&mut self, token: u64) {
        for tokens in self.waiting.values_mut() {
            tokens.retain(|other| *other != token);
        }
    }

    fn on_answer(&mut self, number: u64, answer: Answer, now: Timestamp) {
        let Some(question) = self.confirmations.question(number).cloned() else {
            return;
        };
        // Only what was offered can be chosen, and silence is not the volunteer's to send.
        let offered = match answer {
            Answer::Yes(scope) => confirmations::scopes(&question.action).contains(&scope),
            Answer::No => true,
            Answer::TimedOut => false,
        };
        if offered && now < question.expires {
            self.answered(number, answer, now);
        }
    }

    fn answered(&mut self, number: u64, answer: Answer, now: Timestamp) {
        let Some(question) = self.confirmations.question(number).cloned() else {
            return;
        };
        let answered = Record::Answered {
            question: number,
            answer,
        };
        self.record(answered, now);
        for token in self.waiting.remove(&number).unwrap_or_default() {
            let decision = match answer {
                Answer::Yes(_) => {
                    let correlation = Some(format!("question {number}"));
                    match self.settle(question.action.clone(), correlation, now) {
                        Ok(permit) => Ok(permit),
                        Err(Unsettled::Denied(denial)) => Err(denial),
                        // A yes for one time was used by whoever waited longer.
                        Err(Unsettled::Asked(again)) => {
                            self.waiting.entry(again).or_default().push(token);
                            continue;
                        }
                    }
                }
                Answer::No | Answer::TimedOut => Err(Denial::NotConfirmed),
            };
            self.output(Output::Decided { token, decision });
        }
    }

    /// Questions that nobody answered are answered: "no".
    fn expire_questions(&mut self, now: Timestamp) {
        for number in self.confirmations.expired(now) {
            self.answered(number, Answer::TimedOut, now);
        }
    }

    /// Whoever still waits for an answer that cannot come any more gets a "no".
    fn give_up_waiting(&mut self, denial: Denial) {
        for token in std::mem::take(&mut self.waiting).into_values().flatten() {
            let decision = Err(denial);
            self.output(Output::Decided { token, decision });
        }
    }

    // ---- commands ----------------------------------------------------------------------------

    fn on_command(&mut self, command: Command, now: Timestamp) {
        match command {
            Command::Agree { policy_version } => {
                // Agreeing to another text than the one in force is no consent.
                if policy_version == POLICY_VERSION && self.consent().is_none() {
                    self.record_consent(true, now);
                }
            }
            Command::Withdraw => {
                if self.consent.is_some() {
                    self.record_consent(false, now);
                    self.stop_work(now);
                    self.give_up_waiting(Denial::NoConsent);
                }
            }
            Command::Kill => {
                if !self.killed {
                    self.record(Record::Kill { on: true }, now);
                    self.stop_work(now);
                    self.give_up_waiting(Denial::Killed);
                }
            }
            Command::LiftKill => {
                if self.killed {
                    self.record(Record::Kill { on: false }, now);
                }
            }
            Command::Pause { until } => {
                let pause = Some(Pause { until });
                if self.pause != pause && until.is_none_or(|until| until > now) {
                    self.record(Record::Pause { on: true, until }, now);
                }
            }
            Command::Resume => self.resume(now),
            Command::Answer { question, answer } => self.on_answer(question, answer, now),
            Command::Revoke { question } => {
                if self.confirmations.scope(question).is_some() {
                    self.record(Record::AnswerRevoked { question }, now);
                }
            }
            Command::Change(settings) => {
                if settings.check().is_ok() && self.settings.as_ref() != Some(&settings) {
                    self.governor.set(settings.clone(), now);
                    self.record(Record::SettingsChanged(settings), now);
                }
            }
        }
    }

    fn resume(&mut self, now: Timestamp) {
        if self.pause.is_some() {
            let record = Record::Pause {
                on: false,
                until: None,
            };
            self.record(record, now);
        }
    }

    /// Carries out an order of the root keys; one that does not hold is counted and nothing else.
    fn on_order(&mut self, signed: SignedOrder, now: Timestamp) {
        let Ok(order) = self.orders.admit(&signed, self.config.network, now) else {
            return;
        };
        let recorded = self.record(Record::OrderTaken(signed), now);
        if recorded && order.order.kind == OrderKind::Halt {
            self.stop_work(now);
            self.give_up_waiting(Denial::Halted);
        }
    }

    fn record_consent(&mut self, given: bool, now: Timestamp) {
        let record = Record::Consent {
            given,
            policy_version: POLICY_VERSION,
            policy_hash: policy::policy_hash(),
        };
        self.record(record, now);
    }

    /// Kills every child, then writes down that their leases are given back.
    fn stop_work(&mut self, now: Timestamp) {
        self.output(Output::KillAll);
        let leases: Vec<LeaseId> = self.tasks.keys().copied().collect();
        for lease in leases {
            self.drop_lease(lease, ReturnReason::Stopped, now);
        }
    }

    fn drop_lease(&mut self, lease: LeaseId, reason: ReturnReason, now: Timestamp) {
        let Some(task) = self.tasks.get(&lease) else {
            return;
        };
        let steward = task.lease.signer();
        if self.record(Record::LeaseDropped { lease, reason }, now) {
            self.give_back(steward, lease, reason);
        }
    }

    fn give_back(&mut self, steward: NodeId, lease: LeaseId, reason: ReturnReason) {
        if self.give_back.len() >= MAX_UNDELIVERED {
            self.give_back.pop_front();
        }
        self.give_back.push_back((steward, lease, reason));
    }

    // ---- answers -----------------------------------------------------------------------------

    fn on_response(
        &mut self,
        id: u64,
        response: Result<VerifiedResponse, RequestFailed>,
        now: Timestamp,
    ) {
        let Some(asked) = self.in_flight.remove(&id) else {
            return;
        };
        let later = now.plus_ms(RETRY_MS);
        match (asked, response) {
            (InFlight::Campaigns(steward), Ok(VerifiedResponse::Campaigns(campaigns))) => {
                self.next_campaigns = now.plus_ms(CAMPAIGNS_MS);
                for campaign in campaigns {
                    self.join(steward, campaign, now);
                }
            }
            (InFlight::Orders(_), Ok(VerifiedResponse::Orders(order))) => {
                self.next_orders = now.plus_ms(ORDERS_MS);
                if let Some(order) = order {
                    self.on_order(*order, now);
                }
            }
            (InFlight::Ask(steward), Ok(VerifiedResponse::Lease(lease))) => {
                self.on_lease(steward, *lease, now);
            }
            (InFlight::Ask(steward), Ok(VerifiedResponse::NoWork { reason, retry_ms })) => {
                for joined in self.of_steward(steward) {
                    joined.no_work = Some(reason);
                    joined.next_ask = now.plus_ms(retry_ms.clamp(100, RETRY_LONG_MS));
                }
            }
            (InFlight::Submit(_, lease), Ok(VerifiedResponse::Stored(id))) => {
                if self.outbox.get(&lease).is_some_and(|own| own.id() == id) {
                    self.delivered(lease, true, now);
                }
            }
            (InFlight::Submit(..), Ok(VerifiedResponse::Refused(Rejection::TooMany))) => {
                self.next_submit = later;
            }
            (InFlight::Submit(_, lease), Ok(VerifiedResponse::Refused(rejection))) => {
                self.last_problem = Some(rejection.code());
                self.delivered(lease, false, now);
            }
            (InFlight::Return(_), Ok(_)) => {}
            (
                InFlight::News(steward, asked),
                Ok(VerifiedResponse::News {
                    campaign,
                    items,
                    last,
                    status,
                }),
            ) if asked == campaign => {
                self.on_news(steward, campaign, items, last, *status, now);
            }
            (InFlight::Ask(steward), Ok(VerifiedResponse::Refused(rejection))) => {
                self.last_problem = Some(rejection.code());
                for joined in self.of_steward(steward) {
                    joined.next_ask = now.plus_ms(RETRY_MS * 5);
                }
            }
            // No answer, or one that does not fit the question: try again later.
            (InFlight::Campaigns(_), _) => self.next_campaigns = later,
            (InFlight::Orders(_), _) => self.next_orders = now.plus_ms(ORDERS_MS),
            (InFlight::Ask(steward), _) => {
                for joined in self.of_steward(steward) {
                    joined.next_ask = later;
                }
            }
            (InFlight::News(_, campaign), _) => {
                if let Some(joined) = self.joined.get_mut(&campaign) {
                    joined.next_news = later;
                }
            }
            (InFlight::Submit(..), _) => self.next_submit = later,
            (InFlight::Return(_), Err(_)) => {}
        }
    }

    fn of_steward(&mut self, steward: NodeId) -> impl Iterator<Item = &mut Joined> {
        self.joined
            .values_mut()
            .filter(move |joined| joined.steward == steward)
    }

    fn delivered(&mut self, lease: LeaseId, stored: bool, now: Timestamp) {
        self.record(Record::ResultDelivered { lease, stored }, now);
        self.await_news = now.plus_ms(AWAIT_NEWS_MS);
        for joined in self.joined.values_mut() {
            joined.next_news = joined.next_news.min(now.plus_ms(NEWS_MS / 4));
        }
    }

    fn join(&mut self, steward: NodeId, campaign: Verified<Campaign>, now: Timestamp) {
        let expected = CampaignId::derive(self.config.network, steward, &campaign.name);
        if campaign.id != expected {
            return;
        }
        let known = self
            .joined
            .get(&campaign.id)
            .is_some_and(|joined| joined.campaign.id() == campaign.id());
        let room = self.joined.len() < MAX_CAMPAIGNS || self.joined.contains_key(&campaign.id);
        if known || !room {
            return;
        }
        let action = join_action(&campaign);
        let correlation = Some(campaign.id.to_string());
        match self.settle(action, correlation, now) {
            Ok(_) => {
                self.offered.remove(&campaign.id);
                self.record(Record::CampaignJoined(campaign.into_signed()), now);
            }
            Err(_) if campaign.risk == RiskTier::Medium => {
                // Kept for the question that names it, and for the answer.
                if self.offered.len() < MAX_CAMPAIGNS {
                    self.offered.insert(campaign.id, campaign);
                }
            }
            Err(_) => {}
        }
    }

    /// Joins the offered campaigns that the volunteer has confirmed meanwhile.
    fn join_confirmed(&mut self, now: Timestamp) {
        let confirmed: Vec<CampaignId> = self
            .offered
            .values()
            .filter(|campaign| {
                let join = join_action(campaign);
                self.confirmations.covering(&join, now).is_some()
            })
            .map(|campaign| campaign.id)
            .collect();
        for id in confirmed {
            if let Some(campaign) = self.offered.remove(&id) {
                let steward = campaign.signer();
                self.join(steward, campaign, now);
            }
        }
    }

    /// Asks about what stands in the way of a joined campaign: its risk, or its memory.
    fn ask_about(&mut self, id: CampaignId, now: Timestamp) {
        let Some(joined) = self.joined.get(&id) else {
            return;
        };
        let campaign = &joined.campaign;
        let wanted = match self.workable(campaign, now) {
            Err(Denial::NotConfirmed) => join_action(campaign),
            Err(Denial::AboveYourLimits) => Action::ExceedLimits {
                campaign: id,
                memory_bytes: campaign.limits.memory_bytes,
                disk_bytes: 0,
                cpu_percent: 0,
            },
            _ => return,
        };
        if self.confirmations.may_ask(&wanted, now) {
            // What comes of it is seen when the campaign is looked at again.
            let _ = self.settle(wanted, Some(id.to_string()), now);
        }
    }

    /// Whether the policy would let a piece of this campaign run.
    fn workable(&self, campaign: &Verified<Campaign>, now: Timestamp) -> Result<Permit, Denial> {
        self.workable_behind(self.walls, campaign, now)
    }

    fn workable_behind(
        &self,
        walls: Walls,
        campaign: &Verified<Campaign>,
        now: Timestamp,
    ) -> Result<Permit, Denial> {
        if campaign.expires() <= now {
            return Err(Denial::NotAllowed);
        }
        match self.decide_behind(walls, run_action(campaign), now) {
            Decision::Permit(permit) => Ok(permit),
            Decision::NeedsConfirmation(_) => Err(Denial::NotConfirmed),
            Decision::Denied(denial) => Err(denial),
        }
    }

    fn on_lease(&mut self, steward: NodeId, lease: Verified<Lease>, now: Timestamp) {
        self.last_problem = None;
        let Some(joined) = self.joined.get_mut(&lease.campaign) else {
            return;
        };
        joined.no_work = None;
        joined.next_ask = now;
        let known = self.tasks.contains_key(&lease.id) || self.outbox.contains_key(&lease.id);
        if lease.node != self.me || joined.steward != steward || known {
            joined.next_ask = now.plus_ms(RETRY_MS);
            return;
        }
        if let Err(denial) = self.job(&lease, now) {
            self.audit_lease(&lease, denial, now);
            self.last_problem = Some(denial.code());
            if let Some(joined) = self.joined.get_mut(&lease.campaign) {
                joined.next_ask = now.plus_ms(RETRY_MS * 5);
            }
            self.give_back(steward, lease.id, ReturnReason::Denied);
            return;
        }
        self.record(Record::LeaseTaken(lease.into_signed()), now);
    }

    /// A job for a lease, if the policy permits it.
    fn job(&self, lease: &Verified<Lease>, now: Timestamp) -> Result<Job, Denial> {
        self.job_behind(self.walls, lease, now)
    }

    fn job_behind(
        &self,
        walls: Walls,
        lease: &Verified<Lease>,
        now: Timestamp,
    ) -> Result<Job, Denial> {
        let joined = self.joined.get(&lease.campaign).ok_or(Denial::NotAllowed)?;
        let campaign = &joined.campaign;
        if campaign.skill.cid != lease.skill || campaign.limits != lease.limits {
            return Err(Denial::NotAllowed);
        }
        let permit = self.workable_behind(walls, campaign, now)?;
        Job::new(permit, lease.clone())
    }

    fn audit_lease(&mut self, lease: &Verified<Lease>, denial: Denial, now: Timestamp) {
        if let Some(joined) = self.joined.get(&lease.campaign) {
            let action = run_action(&joined.campaign);
            self.audit_denial(action, denial, Some(lease.unit.to_string()), now);
        }
    }

    fn on_news(
        &mut self,
        steward: NodeId,
        campaign: CampaignId,
        items: Vec<NewsItem>,
        last: u64,
        status: Verified<CampaignStatus>,
        now: Timestamp,
    ) {
        let Some(joined) = self.joined.get_mut(&campaign) else {
            return;
        };
        joined.status = Some(status);
        let more = !items.is_empty() && last > joined.news_last;
        // A steward numbers the items of one answer in sequence, ending with `last`.
        let first = last.saturating_sub(items.len() as u64);
        for (index, item) in items.into_iter().enumerate() {
            let sequence = first + index as u64 + 1;
            if let Err(rejection) = self.take_news(steward, campaign, sequence, item, now) {
                self.last_problem = Some(rejection.code());
            }
        }
        let busy = self.tasks.len() + self.outbox.len() > 0 || now < self.await_news;
        if let Some(joined) = self.joined.get_mut(&campaign) {
            joined.news_last = joined.news_last.max(last);
            joined.next_news = now.plus_ms(match (more, busy) {
                (true, _) => 0,
                (false, true) => NEWS_MS,
                (false, false) => NEWS_IDLE_MS,
            });
        }
    }

    fn take_news(
        &mut self,
        steward: NodeId,
        campaign: CampaignId,
        sequence: u64,
        item: NewsItem,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        match item {
            NewsItem::Receipt(proof) => {
                let receipt = receipts::verify_proof(&proof, self.config.network, &[steward], now)?;
                if receipt.node != self.me || receipt.campaign != campaign {
                    return Err(Rejection::MismatchedEvidence);
                }
                if self.books.state(receipt.id).is_none() {
                    self.record(Record::ReceiptReceived { sequence, proof }, now);
                }
            }
            NewsItem::Posting(posting) => {
                let posting = posting
                    .verify(now, self.config.network)?
                    .signed_by(steward)?;
                let payer = self.books.payer(posting.receipt);
                if posting.node != self.me || payer.is_some_and(|payer| payer != campaign) {
                    return Err(Rejection::MismatchedEvidence);
                }
                if self.books.state(posting.receipt) == Some(PendingState::Open) {
                    let posting = posting.into_signed();
                    self.record(Record::PostingReceived { sequence, posting }, now);
                }
            }
        }
        Ok(())
    }

    fn on_segment(&mut self, lease: LeaseId, segment: u32, output: Vec<u8>, now: Timestamp) {
        let Some(task) = self.tasks.get_mut(&lease) else {
            return;
        };
        let Stage::Running { done, .. } = &mut task.stage else {
            return;
        };
        if !task.lease.segments.contains(&segment) {
            return;
        }
        if output.len() > task.lease.limits.output_bytes as usize {
            self.last_problem = Some(failure_code(ReturnReason::SkillFailed));
            self.output(Output::KillJob(lease));
            self.drop_lease(lease, ReturnReason::SkillFailed, now);
            return;
        }
        done.insert(segment, output);
        if done.len() == task.lease.segments.len() {
            let outputs = std::mem::take(done)
                .into_iter()
                .map(|(segment, output)| SegmentOutput { segment, output })
                .collect();
            self.commit(lease, outputs, now);
        }
    }

    fn commit(&mut self, id: LeaseId, outputs: Vec<SegmentOutput>, now: Timestamp) {
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        let result = WorkResult {
            lease: id,
            campaign: task.lease.campaign,
            unit: task.lease.unit,
            engine: self.config.engine,
            policy: policy::policy_hash(),
            root: outputs_root(&outputs),
            outputs,
        };
        let sealed = Signed::seal(
            result,
            &self.config.keypair,
            self.config.network,
            now,
            now.plus_ms(RESULT_VALID_MS),
        );
        match sealed {
            Ok(result) => {
                self.record(Record::ResultCommitted(result.into_signed()), now);
            }
            Err(_) => self.drop_lease(id, ReturnReason::SkillFailed, now),
        }
    }

    // ---- what to do next ---------------------------------------------------------------------

    fn request(&mut self, kind: InFlight, request: WorkRequest) {
        let id = self.next_request;
        self.next_request += 1;
        self.in_flight.insert(id, kind);
        let to = kind.steward();
        self.output(Output::Request { to, id, request });
    }

    fn is_in_flight(&self, kind: InFlight) -> bool {
        self.in_flight.values().any(|other| *other == kind)
    }

    /// Starts whatever can be started now.
    fn drive(&mut self, now: Timestamp) {
        self.now = now;
        self.confirmations.forget_past(now);
        self.expire_questions(now);
        if let Some(Pause { until: Some(until) }) = self.pause
            && until <= now
        {
            self.resume(now);
        }
        let wanted = self.permitted(Action::Connect, now);
        if wanted != self.online {
            self.online = wanted;
            // The decision is the change; the many that change nothing are not written down.
            let _ = self.settle(Action::Connect, None, now);
            if !wanted {
                self.offered.clear();
                self.stewards.clear();
                self.in_flight.clear();
                self.skills.retain(|_, state| *state == SkillState::Ready);
            }
            self.output(Output::Network(wanted));
        }
        if !self.online {
            self.flush();
            return;
        }
        self.drive_limits(now);
        self.drop_expired(now);
        self.drop_denied(now);
        self.join_confirmed(now);
        for campaign in self.joined.keys().copied().collect::<Vec<_>>() {
            self.ask_about(campaign, now);
        }
        self.run_waiting(now);
        for steward in self.stewards.clone() {
            self.drive_steward(steward, now);
        }
        self.flush();
    }

    /// Tells the children when to stand still, and how much of the processors they may use.
    fn drive_limits(&mut self, now: Timestamp) {
        let frozen = self.is_held(now);
        if frozen != self.frozen {
            self.frozen = frozen;
            self.output(Output::Freeze(frozen));
        }
        let throttle = self.settings().cpu_percent;
        if self.throttle != Some(throttle) {
            self.throttle = Some(throttle);
            self.output(Output::Throttle(throttle));
        }
        let confirmed: Vec<Action> = self
            .confirmations
            .grants(now)
            .map(|grant| grant.action.clone())
            .collect();
        if confirmed != self.confirmed {
            self.confirmed.clone_from(&confirmed);
            self.output(Output::Confirmed(confirmed));
        }
    }

    /// Whether the volunteer's pause or one of the volunteer's limits holds the work.
    fn is_held(&self, now: Timestamp) -> bool {
        self.pause.is_some() || self.hold(now).is_some()
    }

    fn slots(&self) -> usize {
        self.settings().cores.max(1).into()
    }

    /// Ends work that the policy does not permit any more, because an answer was taken back or ran
    /// out, a limit was lowered, or a wall is missing.
    fn drop_denied(&mut self, now: Timestamp) {
        // What was taken before the walls are known waits for them.
        let walls = match self.walls {
            Walls::Unknown => Walls::Up,
            known => known,
        };
        let denied: Vec<(LeaseId, Denial)> = self
            .tasks
            .values()
            .filter_map(|task| {
                let denial = self.job_behind(walls, &task.lease, now).err()?;
                Some((task.lease.id, denial))
            })
            .collect();
        for (id, denial) in denied {
            if let Some(task) = self.tasks.get(&id) {
                let lease = task.lease.clone();
                self.audit_lease(&lease, denial, now);
            }
            self.output(Output::KillJob(id));
            self.drop_lease(id, ReturnReason::Denied, now);
        }
    }

    fn drop_expired(&mut self, now: Timestamp) {
        let expired: Vec<LeaseId> = self
            .tasks
            .values()
            .filter(|task| task.lease.expires() <= now)
            .map(|task| task.lease.id)
            .collect();
        for lease in expired {
            self.output(Output::KillJob(lease));
            self.drop_lease(lease, ReturnReason::TimedOut, now);
        }
        let stale: Vec<LeaseId> = self
            .outbox
            .values()
            .filter(|result| result.expires() <= now)
            .map(|result| result.lease)
            .collect();
        for lease in stale {
            self.delivered(lease, false, now);
        }
    }

    fn run_waiting(&mut self, now: Timestamp) {
        if self.is_held(now) || self.walls == Walls::Unknown {
            return;
        }
        let mut free = self.slots().saturating_sub(self.running().count());
        let waiting: Vec<LeaseId> = self
            .tasks
            .values()
            .filter(|task| matches!(task.stage, Stage::Waiting))
            .map(|task| task.lease.id)
            .collect();
        for id in waiting {
            let Some(task) = self.tasks.get(&id) else {
                continue;
            };
            let skill = task.lease.skill;
            match self.skills.get(&skill) {
                Some(SkillState::Ready) if free > 0 => match self.job(&task.lease, now) {
                    Ok(job) => {
                        free -= 1;
                        let (action, unit) = (job.permit().action().clone(), job.lease().unit);
                        let verdict = DecisionVerdict::Permitted;
                        let correlation = Some(unit.to_string());
                        self.audit(action, verdict, "low-risk", correlation, now);
                        if let Some(task) = self.tasks.get_mut(&id) {
                            let done = BTreeMap::new();
                            task.stage = Stage::Running { since: now, done };
                        }
                        self.output(Output::Run(Box::new(job)));
                    }
                    Err(denial) => {
                        let lease = task.lease.clone();
                        self.audit_lease(&lease, denial, now);
                        self.drop_lease(id, ReturnReason::Denied, now);
                    }
                },
                Some(SkillState::Ready | SkillState::Fetching) => {}
                Some(SkillState::Missing(until)) if *until > now => {
                    let until = *until;
                    self.last_problem = Some(failure_code(ReturnReason::SkillUnavailable));
                    self.drop_lease(id, ReturnReason::SkillUnavailable, now);
                    for joined in self.joined.values_mut() {
                        joined.next_ask = joined.next_ask.max(until);
                    }
                }
                Some(SkillState::Missing(_)) | None => {
                    let from = task.lease.signer();
                    let action = Action::FetchBlob {
                        campaign: task.lease.campaign,
                        blob: skill,
                    };
                    let correlation = Some(task.lease.unit.to_string());
                    if let Ok(permit) = self.settle(action, correlation, now) {
                        self.skills.insert(skill, SkillState::Fetching);
                        let fetch = Output::FetchSkill {
                            permit,
                            skill,
                            from,
                        };
                        self.output(fetch);
                    } else {
                        self.drop_lease(id, ReturnReason::Denied, now);
                    }
                }
            }
        }
    }

    fn drive_steward(&mut self, steward: NodeId, now: Timestamp) {
        if now >= self.next_campaigns && !self.is_in_flight(InFlight::Campaigns(steward)) {
            self.request(InFlight::Campaigns(steward), WorkRequest::Campaigns);
        }
        if now >= self.next_orders && !self.is_in_flight(InFlight::Orders(steward)) {
            let after = self.orders.last_number();
            self.request(InFlight::Orders(steward), WorkRequest::Orders { after });
        }
        let mine = self.give_back.iter().any(|(whose, ..)| *whose == steward);
        if mine && !self.is_in_flight(InFlight::Return(steward)) {
            let place = self
                .give_back
                .iter()
                .position(|(whose, ..)| *whose == steward);
            if let Some((_, lease, reason)) = place.and_then(|at| self.give_back.remove(at)) {
                let request = WorkRequest::Return { lease, reason };
                self.request(InFlight::Return(steward), request);
            }
        }
        let campaigns: BTreeSet<CampaignId> = self
            .of_steward(steward)
            .map(|joined| joined.campaign.id)
            .collect();
        if now >= self.next_submit {
            let deliverable: Vec<LeaseId> = self
                .outbox
                .values()
                .filter(|result| campaigns.contains(&result.campaign))
                .map(|result| result.lease)
                .collect();
            for lease in deliverable {
                let kind = InFlight::Submit(steward, lease);
                if !self.is_in_flight(kind)
                    && let Some(result) = self.outbox.get(&lease)
                {
                    let request = WorkRequest::Submit(result.signed().clone());
                    self.request(kind, request);
                }
            }
        }
        for campaign in campaigns {
            self.drive_campaign(steward, campaign, now);
        }
    }

    /// Whether another lease could be worked on.
    fn has_room(&self, now: Timestamp) -> bool {
        self.tasks.len() < self.slots() && self.outbox.len() < MAX_UNDELIVERED && !self.is_held(now)
    }

    /// Whether a lease of this campaign could be worked on.
    fn wants_work(&self, joined: &Joined, now: Timestamp) -> bool {
        self.has_room(now) && self.workable(&joined.campaign, now).is_ok()
    }

    fn drive_campaign(&mut self, steward: NodeId, id: CampaignId, now: Timestamp) {
        let Some(joined) = self.joined.get(&id) else {
            return;
        };
        let wants = self.wants_work(joined, now);
        let news = InFlight::News(steward, id);
        let after = joined.news_last;
        let due = now >= joined.next_news;
        let ask_due = now >= joined.next_ask;
        if due && !self.is_in_flight(news) {
            let request = WorkRequest::News {
                campaign: id,
                after,
            };
            self.request(news, request);
        }
        if wants && ask_due && !self.is_in_flight(InFlight::Ask(steward)) {
            let request = WorkRequest::Ask {
                campaign: id,
                engine: self.config.engine,
            };
            self.request(InFlight::Ask(steward), request);
        }
    }
}

impl Machine for Volunteer {
    fn handle(&mut self, input: Input, now: Timestamp) {
        match input {
            Input::Command(command) => self.on_command(command, now),
            Input::Order(order) => self.on_order(*order, now),
            Input::Conditions(conditions) => self.governor.observe(conditions, now),
            Input::Walls(walls) => self.walls = walls,
            Input::Decide { token, action } => self.on_decide(token, action, now),
            Input::Forget { token } => self.on_forget(token),
            Input::Confirmed(actions) => {
                if self.config.helper {
                    self.confirmations.borrow(actions, now);
                }
            }
            Input::StewardFound(steward) => {
                if self.online && self.config.stewards.contains(&steward) {
                    self.stewards.insert(steward);
                    self.next_campaigns = now;
                    self.next_orders = now;
                }
            }
            Input::StewardLost(steward) => {
                self.stewards.remove(&steward);
                self.in_flight.retain(|_, kind| kind.steward() != steward);
            }
            Input::Response { id, response } => self.on_response(id, response, now),
            Input::Skill { skill, available } => {
                let state = if available {
                    SkillState::Ready
                } else {
                    SkillState::Missing(now.plus_ms(RETRY_MS * 5))
                };
                self.skills.insert(skill, state);
            }
            Input::Segment {
                lease,
                segment,
                output,
            } => self.on_segment(lease, segment, output, now),
            Input::JobFailed { lease, reason } => {
                if let Some(task) = self.tasks.get(&lease) {
                    if reason == ReturnReason::SkillUnavailable {
                        self.skills.remove(&task.lease.skill);
                    }
                    self.last_problem = Some(failure_code(reason));
                    self.drop_lease(lease, reason, now);
                    for joined in self.joined.values_mut() {
                        joined.next_ask = joined.next_ask.max(now.plus_ms(RETRY_MS));
                    }
                }
            }
            // A volunteer's node answers nobody's requests for work.
            Input::Request { .. } | Input::Tick => {}
        }
        self.drive(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<(Timestamp, &'static str)> {
        let mut times = Vec::new();
        if let Some(ends) = self.orders.halt_ends()
            && !self.killed
            && self.consent().is_some()
            && !self.online
        {
            times.push((ends, "a halt ends"));
        }
        if let Some(Pause { until: Some(until) }) = self.pause {
            times.push((until, "a pause ends"));
        }
        if let Some(expires) = self.confirmations.next_expiry() {
            times.push((expires, "a question runs out"));
        }
        if !self.online {
            return times.into_iter().min_by_key(|(at, _)| *at);
        }
        if self.config.governed
            && let Some(at) = self.governor.next_change(self.now)
        {
            times.push((at, "work may go on or must stop"));
        }
        if let Some(at) = self.confirmations.next_end() {
            times.push((at, "an answer runs out"));
        }
        // What has been asked already is woken by its answer, and nobody is asked who is not there.
        for steward in &self.stewards {
            if !self.is_in_flight(InFlight::Campaigns(*steward)) {
                times.push((self.next_campaigns, "look for campaigns"));
            }
            if !self.is_in_flight(InFlight::Orders(*steward)) {
                times.push((self.next_orders, "look for orders"));
            }
        }
        for joined in self.joined.values() {
            let (id, steward) = (joined.campaign.id, joined.steward);
            if !self.stewards.contains(&steward) {
                continue;
            }
            if !self.is_in_flight(InFlight::News(steward, id)) {
                times.push((joined.next_news, "look for news"));
            }
            if self.wants_work(joined, self.now) && !self.is_in_flight(InFlight::Ask(steward)) {
                times.push((joined.next_ask, "ask for work"));
            }
            let waits = self.outbox.values().any(|result| {
                result.campaign == id && !self.is_in_flight(InFlight::Submit(steward, result.lease))
            });
            if waits {
                times.push((self.next_submit, "deliver results"));
            }
        }
        for task in self.tasks.values() {
            times.push((task.lease.expires(), "a lease runs out"));
        }
        for result in self.outbox.values() {
            times.push((result.expires(), "a result grows too old to deliver"));
        }
        times.into_iter().min_by_key(|(at, _)| *at)
    }
}

fn join_action(campaign: &Verified<Campaign>) -> Action {
    Action::JoinCampaign {
        campaign: campaign.id,
        document: campaign.id(),
        risk: campaign.risk,
    }
}

fn run_action(campaign: &Verified<Campaign>) -> Action {
    Action::RunSkill {
        campaign: campaign.id,
        document: campaign.id(),
        risk: campaign.risk,
        skill: campaign.skill.cid,
        kind: campaign.skill.kind,
        limits: campaign.limits,
    }
}

fn failure_code(reason: ReturnReason) -> &'static str {
    match reason {
        ReturnReason::Stopped => "stopped",
        ReturnReason::Denied => "denied",
        ReturnReason::SkillUnavailable => "skill-unavailable",
        ReturnReason::SkillRefused => "skill-refused",
        ReturnReason::TimedOut => "timed-out",
        ReturnReason::SkillFailed => "skill-failed",
    }
}
