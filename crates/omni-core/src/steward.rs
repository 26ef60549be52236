//! A steward's campaign: hands out units, has results re-executed, reaches verdicts, issues
//! receipts, closes generations.
//!
//! ```text
//!            LeaseIssued          ResultReceived, SampleDrawn, VerifierDrawn
//!   open ───────────────▶ leased ─────────────────────────────────────────▶ verifying ◀─┐
//!    ▲                      │                                                  │        │ another
//!    └─ LeaseEnded, or ─────┘                                                  ├────────┘ verifier
//!       no true answer                                                         ▼
//!                                   VerdictReached, ReceiptIssued…, PostingIssued… ─▶ decided
//! ```
//!
//! Every arrow is a record. State changes in [`Steward::apply`] only, so that replaying the log
//! gives the same state.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use omni_evolve::{Candidate, Search};
use omni_ledger::{Account, PendingState, Totals};
use omni_types::{
    Campaign, CampaignStatus, Digest, Entry, Keypair, Lease, LeaseId, Micro, NetworkId, NodeId,
    Outcome, Posting, PostingOutcome, Receipt, ReceiptId, ReceiptProof, Record, Rejection, Role,
    SegmentOutput, Signed, Timestamp, UnitId, Verdict, Verified, VerifiedRequest, Vote,
    WorkResponse, WorkResult,
    seed::Draws,
    wire::{MAX_NEWS, MAX_RESPONSE_BYTES, News, NewsItem, NoWork},
};
use thiserror::Error;

use crate::{
    audit,
    books::{self, BookError, Books},
    machine::{Input, Machine, Output},
    orders::Orders,
    policy::Denial,
    quorum, receipts,
};

/// How long a receipt, verdict or posting can be verified, milliseconds: five years.
pub const RECEIPT_VALID_MS: u64 = 5 * 365 * 24 * 3600 * 1000;
/// How long a signed campaign status is valid, milliseconds.
pub const STATUS_VALID_MS: u64 = 10 * 60 * 1000;
/// Open leases that one node may hold.
pub const MAX_OPEN_LEASES: usize = 8;
/// Units out or in verification at once.
pub const MAX_UNITS: usize = 4096;
/// Rejected results after which a node gets no more work.
pub const SUSPEND_AFTER: u32 = 3;
/// A node that asked within this time can be drawn as a verifier, milliseconds.
pub const ACTIVE_MS: u64 = 30_000;
/// A unit without a verdict after this many lease times ends inconclusive.
pub const VERIFY_PATIENCE: u64 = 6;
/// Pause before asking again when there is nothing to do, milliseconds.
pub const RETRY_MS: u64 = 1_000;
/// Longest pause that a node is asked to make, milliseconds.
pub const RETRY_LONG_MS: u64 = 60_000;
/// How long the answer to a lease is remembered after the lease's end, milliseconds.
pub const ANSWER_KEPT_MS: u64 = 24 * 3600 * 1000;
/// Pause between sweeps of what need not be remembered any more, milliseconds.
pub const SWEEP_MS: u64 = 60_000;
/// News kept for a node that does not fetch it.
pub const MAX_NEWS_KEPT: usize = 10_000;
/// Nodes known to one campaign.
pub const MAX_NODES: usize = 100_000;

/// Why a log cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// The campaign itself is out of range.
    #[error("the campaign cannot be run: {0}")]
    Campaign(Rejection),
    /// A signed document in the log does not verify.
    #[error("record {record} does not verify: {rejection}")]
    Evidence {
        /// Running number from 1.
        record: u64,
        /// Why.
        rejection: Rejection,
    },
    /// The books refuse what the log says.
    #[error("record {record} does not fit the books: {error}")]
    Books {
        /// Running number from 1.
        record: u64,
        /// Why.
        error: BookError,
    },
    /// A record that has no place here.
    #[error("record {record} does not belong into this log")]
    Misplaced {
        /// Running number from 1.
        record: u64,
    },
}

#[derive(Debug, Clone, Copy)]
struct Drawn {
    node: NodeId,
    at: Timestamp,
}

#[derive(Debug)]
struct Unit {
    sequence: u64,
    skill: omni_types::Cid,
    input: Vec<u8>,
    seed: u64,
    segments: u32,
    /// Leases so far: the next lease's number.
    attempts: u32,
    /// The lease whose result is or will be judged.
    work: Option<Verified<Lease>>,
    result: Option<Verified<WorkResult>>,
    /// When the result came.
    result_at: Timestamp,
    sampled: Vec<u32>,
    drawn: Option<Drawn>,
    /// Who had their chance as verifier.
    asked: BTreeSet<NodeId>,
    recheck: Option<LeaseId>,
    rechecks: Vec<Verified<WorkResult>>,
}

#[derive(Debug)]
struct OpenLease {
    lease: Verified<Lease>,
}

#[derive(Debug, Clone, Copy)]
struct Answered {
    result: Digest,
    plausible: bool,
    expires: Timestamp,
}

#[derive(Debug, Default)]
struct Standing {
    open: usize,
    /// Accepted contributions since the last contradicted one.
    accepted: u32,
    /// Contradicted or implausible results ever.
    rejected: u32,
    /// Receipts not yet resolved, oldest first, with the count of accepted contributions then.
    pending: VecDeque<(ReceiptId, u32)>,
    /// Accepted contributions ever.
    lifetime: u32,
    news: VecDeque<(u64, NewsItem)>,
    last_news: u64,
    /// Not durable: when the node last asked for work.
    seen: Option<Timestamp>,
}

#[derive(Debug)]
struct Decided {
    verdict: Verified<Verdict>,
    lease: Verified<Lease>,
    result: Verified<WorkResult>,
    rechecks: Vec<Verified<WorkResult>>,
}

/// Numbers about a campaign, for the view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Units accepted.
    pub accepted: u64,
    /// Units rejected.
    pub rejected: u64,
    /// Units without a verdict.
    pub inconclusive: u64,
    /// Receipts issued.
    pub receipts: u64,
}

/// The steward of one campaign.
#[derive(Debug)]
pub struct Steward {
    keypair: Keypair,
    network: NetworkId,
    engine: Digest,
    campaign: Verified<Campaign>,
    search: Search,
    books: Books,
    units: BTreeMap<UnitId, Unit>,
    next_unit: u64,
    leases: BTreeMap<LeaseId, OpenLease>,
    /// Leases that were answered, with the result, kept while a repeat may still come.
    answered: BTreeMap<LeaseId, Answered>,
    next_sweep: Timestamp,
    nodes: BTreeMap<NodeId, Standing>,
    /// Evidence of the last verdict, for the receipts that follow it.
    decided: Option<Decided>,
    /// Accepted, re-executed outputs of the running generation, by unit and segment.
    harvest: BTreeMap<(u64, u32), Vec<u8>>,
    harvested_units: u32,
    /// The best verified output, also of the running generation.
    best: Option<(Candidate, Vec<u8>)>,
    counts: Counts,
    status: Option<Verified<CampaignStatus>>,
    orders: Orders,
    entries: Vec<Entry>,
    outputs: VecDeque<Output>,
}

/// What a steward is set up with.
#[derive(Debug)]
pub struct Config {
    /// The steward's key.
    pub keypair: Keypair,
    /// The network.
    pub network: NetworkId,
    /// Engine version and settings that results must be computed with.
    pub engine: Digest,
    /// The campaign, signed by this key.
    pub campaign: Verified<Campaign>,
}

impl Steward {
    /// A steward whose state is what `log` says; an empty log opens the campaign.
    ///
    /// # Errors
    /// A [`ReplayError`] naming the record that cannot be.
    pub fn open(
        config: Config,
        log: impl IntoIterator<Item = Entry>,
        now: Timestamp,
    ) -> Result<Self, ReplayError> {
        if let Err(rejection) = config.campaign.check() {
            return Err(ReplayError::Campaign(rejection));
        }
        let search = Search::new(config.campaign.problem, config.campaign.evolution);
        let mut steward = Self {
            keypair: config.keypair,
            network: config.network,
            engine: config.engine,
            campaign: config.campaign,
            search,
            books: Books::new(),
            units: BTreeMap::new(),
            next_unit: 0,
            leases: BTreeMap::new(),
            answered: BTreeMap::new(),
            next_sweep: Timestamp(0),
            nodes: BTreeMap::new(),
            decided: None,
            harvest: BTreeMap::new(),
            harvested_units: 0,
            best: None,
            counts: Counts::default(),
            status: None,
            orders: Orders::new(),
            entries: Vec::new(),
            outputs: VecDeque::new(),
        };
        let mut count = 0;
        for entry in log {
            count += 1;
            steward
                .apply(&entry.record, entry.at)
                .map_err(|error| error.at(count))?;
        }
        if count == 0 {
            let opened = Record::CampaignOpened(steward.campaign.signed().clone());
            steward.record(opened, now);
        }
        // What changed during replay is stored already.
        if count > 0 {
            steward.books.take_changed();
        }
        // Nobody may be judged without a draw, wherever the log ends.
        let undrawn: Vec<(UnitId, Verified<WorkResult>)> = steward
            .units
            .iter()
            .filter(|(_, unit)| unit.sampled.is_empty())
            .filter_map(|(id, unit)| Some((*id, unit.result.clone()?)))
            .collect();
        for (unit, result) in undrawn {
            steward.draw_sample(unit, &result, now);
        }
        steward.flush();
        Ok(steward)
    }

    /// Sums of the ledger.
    pub fn totals(&self) -> Totals {
        self.books.totals()
    }

    /// Numbers about the campaign.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The campaign.
    pub fn campaign(&self) -> &Verified<Campaign> {
        &self.campaign
    }

    /// Population and generation.
    pub fn search(&self) -> &Search {
        &self.search
    }

    /// The best verified individual, also of the running generation.
    pub fn best(&self) -> Option<&Candidate> {
        self.best.as_ref().map(|(candidate, _)| candidate)
    }

    // ---- recording -------------------------------------------------------------------------

    /// Applies a record and queues it for the log. The steward's own records always apply; if one
    /// does not, it is dropped and nothing that depends on it is sent.
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

    fn respond(&mut self, token: u64, response: WorkResponse) {
        self.flush();
        self.outputs.push_back(Output::Respond {
            token,
            response: Box::new(response),
        });
    }

    fn apply(&mut self, record: &Record, at: Timestamp) -> Result<(), ApplyError> {
        match record {
            Record::CampaignOpened(campaign) => {
                let campaign = self.own(campaign)?;
                if campaign.id != self.campaign.id {
                    return Err(ApplyError::Misplaced);
                }
                self.books.enter(books::budget(&campaign))?;
            }
            Record::UnitCreated {
                unit,
                sequence,
                skill,
                input,
                seed,
                segments,
                ..
            } => {
                self.next_unit = self.next_unit.max(sequence + 1);
                self.units.insert(
                    *unit,
                    Unit {
                        sequence: *sequence,
                        skill: *skill,
                        input: input.clone(),
                        seed: *seed,
                        segments: *segments,
                        attempts: 0,
                        work: None,
                        result: None,
                        result_at: Timestamp(0),
                        sampled: Vec::new(),
                        drawn: None,
                        asked: BTreeSet::new(),
                        recheck: None,
                        rechecks: Vec::new(),
                    },
                );
            }
            Record::LeaseIssued(lease) => {
                let lease = self.own(lease)?;
                let unit = self
                    .units
                    .get_mut(&lease.unit)
                    .ok_or(ApplyError::Misplaced)?;
                unit.attempts += 1;
                if unit.result.is_none() {
                    unit.work = Some(lease.clone());
                } else {
                    unit.recheck = Some(lease.id);
                    unit.asked.insert(lease.node);
                    unit.drawn = None;
                }
                self.nodes.entry(lease.node).or_default().open += 1;
                self.leases.insert(lease.id, OpenLease { lease });
            }
            Record::LeaseEnded { lease, .. } => {
                self.end_lease(*lease).ok_or(ApplyError::Misplaced)?;
            }
            Record::ResultReceived(result) => {
                let result = result.clone().verify_stored(self.network)?;
                let plausible = self.is_plausible(&result);
                let lease = if plausible {
                    self.close_lease(result.lease)
                } else {
                    self.end_lease(result.lease)
                };
                let answered = Answered {
                    result: result.id(),
                    plausible,
                    expires: lease.ok_or(ApplyError::Misplaced)?.expires(),
                };
                self.answered.insert(result.lease, answered);
                if !plausible {
                    self.nodes.entry(result.signer()).or_default().contradict();
                    return Ok(());
                }
                let unit = self
                    .units
                    .get_mut(&result.unit)
                    .ok_or(ApplyError::Misplaced)?;
                if unit.recheck == Some(result.lease) {
                    unit.recheck = None;
                    unit.rechecks.push(result);
                } else {
                    unit.result = Some(result);
                    unit.result_at = at;
                }
            }
            Record::SampleDrawn { unit, segments } => {
                let unit = self.units.get_mut(unit).ok_or(ApplyError::Misplaced)?;
                unit.sampled.clone_from(segments);
            }
            Record::VerifierDrawn { unit, node } => {
                let unit = self.units.get_mut(unit).ok_or(ApplyError::Misplaced)?;
                unit.drawn = Some(Drawn { node: *node, at });
            }
            Record::VerdictReached(verdict) => {
                let verdict = self.own(verdict)?;
                self.apply_verdict(verdict)?;
            }
            Record::ReceiptIssued(receipt) => {
                let receipt = self.own(receipt)?;
                self.apply_receipt(receipt)?;
            }
            Record::PostingIssued(posting) => {
                let posting = self.own(posting)?;
                self.books.enter(books::resolution(&posting))?;
                let standing = self.nodes.entry(posting.node).or_default();
                standing.pending.retain(|(id, _)| *id != posting.receipt);
                standing.tell(NewsItem::Posting(posting.into_signed()));
            }
            Record::GenerationClosed { population, .. } => {
                let harvest = std::mem::take(&mut self.harvest);
                self.search
                    .close_generation(harvest.values().map(Vec::as_slice));
                self.harvested_units = 0;
                self.status = None;
                // The log says what came out; a replay must come to the same.
                let recorded = population.iter().map(|output| output.output.as_slice());
                if !self.search.population().eq(recorded) {
                    return Err(ApplyError::Misplaced);
                }
            }
            Record::OrderTaken(order) => self.orders.apply(order, self.network)?,
            Record::Consent { .. }
            | Record::Kill { .. }
            | Record::Pause { .. }
            | Record::SettingsChanged(_)
            | Record::Decided(_)
            | Record::Asked { .. }
            | Record::Answered { .. }
            | Record::AnswerUsed { .. }
            | Record::AnswerRevoked { .. }
            | Record::CampaignJoined(_)
            | Record::LeaseTaken(_)
            | Record::LeaseDropped { .. }
            | Record::ResultCommitted(_)
            | Record::ResultDelivered { .. }
            | Record::ReceiptReceived { .. }
            | Record::PostingReceived { .. } => return Err(ApplyError::Misplaced),
        }
        Ok(())
    }

    fn apply_verdict(&mut self, verdict: Verified<Verdict>) -> Result<(), ApplyError> {
        let unit = self
            .units
            .remove(&verdict.unit)
            .ok_or(ApplyError::Misplaced)?;
        let (Some(lease), Some(result)) = (unit.work, unit.result) else {
            return Err(ApplyError::Misplaced);
        };
        self.status = None;
        match verdict.outcome {
            Outcome::Accepted => {
                self.counts.accepted += 1;
                self.harvested_units += 1;
                // Only what others re-executed counts for evolution.
                for output in &result.outputs {
                    if verdict.sampled.contains(&output.segment) {
                        self.take_best(&output.output);
                        self.harvest
                            .insert((unit.sequence, output.segment), output.output.clone());
                    }
                }
            }
            Outcome::Rejected => self.counts.rejected += 1,
            Outcome::Inconclusive => self.counts.inconclusive += 1,
        }
        for vote in contradicted(&verdict) {
            self.nodes.entry(vote.node).or_default().contradict();
        }
        self.decided = Some(Decided {
            verdict,
            lease,
            result,
            rechecks: unit.rechecks,
        });
        Ok(())
    }

    fn take_best(&mut self, output: &[u8]) {
        let better = self.search.candidate(output).filter(|candidate| {
            self.best
                .as_ref()
                .is_none_or(|(best, _)| candidate.energy < best.energy)
        });
        if let Some(candidate) = better {
            self.best = Some((candidate, output.to_vec()));
        }
    }

    fn apply_receipt(&mut self, receipt: Verified<Receipt>) -> Result<(), ApplyError> {
        let decided = self.decided.as_ref().ok_or(ApplyError::Misplaced)?;
        if receipt.verdict != decided.verdict.id() {
            return Err(ApplyError::Misplaced);
        }
        self.books.enter(books::reward(&receipt))?;
        let proof = ReceiptProof {
            receipt: receipt.signed().clone(),
            verdict: decided.verdict.signed().clone(),
            lease: decided.lease.signed().clone(),
            result: decided.result.signed().clone(),
            rechecks: decided
                .rechecks
                .iter()
                .map(|recheck| recheck.signed().clone())
                .collect(),
        };
        self.counts.receipts += 1;
        let standing = self.nodes.entry(receipt.node).or_default();
        standing.accepted += 1;
        standing.lifetime += 1;
        standing.pending.push_back((receipt.id, standing.lifetime));
        standing.tell(NewsItem::Receipt(Box::new(proof)));
        Ok(())
    }

    /// Verifies a document of the log that this steward must have signed.
    fn own<T: omni_types::Domain + Clone>(
        &self,
        signed: &Signed<T>,
    ) -> Result<Verified<T>, Rejection> {
        signed
            .clone()
            .verify_stored(self.network)?
            .signed_by(self.keypair.node_id())
    }

    fn close_lease(&mut self, id: LeaseId) -> Option<Verified<Lease>> {
        let open = self.leases.remove(&id)?;
        if let Some(standing) = self.nodes.get_mut(&open.lease.node) {
            standing.open = standing.open.saturating_sub(1);
        }
        Some(open.lease)
    }

    /// Ends a lease without a result to judge: its work, or its recheck, is to be done by another.
    fn end_lease(&mut self, id: LeaseId) -> Option<Verified<Lease>> {
        let ended = self.close_lease(id)?;
        if let Some(unit) = self.units.get_mut(&ended.unit) {
            if unit.recheck == Some(id) {
                unit.recheck = None;
            } else {
                unit.work = None;
            }
        }
        Some(ended)
    }

    /// Nodes that all do nothing agree with each other: what the skill cannot have given is no vote.
    fn is_plausible(&self, result: &WorkResult) -> bool {
        let plausible = |output: &SegmentOutput| self.search.is_plausible(&output.output);
        result.outputs.iter().all(plausible)
    }

    // ---- requests --------------------------------------------------------------------------

    fn on_request(&mut self, from: NodeId, token: u64, request: VerifiedRequest, now: Timestamp) {
        let response = match request {
            VerifiedRequest::Campaigns => {
                WorkResponse::Campaigns(vec![self.campaign.signed().clone()])
            }
            VerifiedRequest::Ask { campaign, engine } => self.on_ask(from, campaign, engine, now),
            VerifiedRequest::Submit(result) => match self.on_result(*result, now) {
                Ok(id) => WorkResponse::Stored(id),
                Err(rejection) => WorkResponse::Refused(rejection),
            },
            VerifiedRequest::Return { lease, reason } => {
                let held = self
                    .leases
                    .get(&lease)
                    .is_some_and(|open| open.lease.node == from);
                if held {
                    let reason = Some(reason);
                    self.record(Record::LeaseEnded { lease, reason }, now);
                }
                WorkResponse::Returned(lease)
            }
            VerifiedRequest::News { campaign, after } => self.on_news(from, campaign, after, now),
            VerifiedRequest::Orders { after } => {
                let newer = self.orders.newer_than(after);
                WorkResponse::Orders(newer.cloned().map(Box::new))
            }
        };
        self.respond(token, response);
    }

    fn on_ask(
        &mut self,
        from: NodeId,
        campaign: omni_types::CampaignId,
        engine: Digest,
        now: Timestamp,
    ) -> WorkResponse {
        if campaign != self.campaign.id {
            return WorkResponse::Refused(Rejection::UnknownCampaign);
        }
        if engine != self.engine {
            return WorkResponse::Refused(Rejection::WrongEngine);
        }
        let no_work = |reason, retry_ms| WorkResponse::NoWork { reason, retry_ms };
        if self.orders.halt(now).is_some() {
            return no_work(NoWork::Halted, RETRY_MS);
        }
        if self.campaign.expires() <= now {
            return no_work(NoWork::Finished, RETRY_LONG_MS);
        }
        if !self.nodes.contains_key(&from) && self.nodes.len() >= MAX_NODES {
            return WorkResponse::Refused(Rejection::TooMany);
        }
        let standing = self.nodes.entry(from).or_default();
        standing.seen = Some(now);
        if standing.suspended() {
            return no_work(NoWork::Suspended, RETRY_LONG_MS);
        }
        if standing.open >= MAX_OPEN_LEASES {
            return no_work(NoWork::EnoughOpen, RETRY_MS);
        }
        self.expire(now);
        self.draw_verifiers(now);
        match self.next_lease(from, now) {
            Ok(lease) => WorkResponse::Lease(lease.into_signed()),
            Err(NoWork::BudgetSpent) => no_work(NoWork::BudgetSpent, RETRY_LONG_MS),
            Err(reason) => no_work(reason, RETRY_MS),
        }
    }

    /// The next lease for a node: a recheck it was drawn for, a unit whose first worker gave up, or
    /// a new unit.
    fn next_lease(&mut self, node: NodeId, now: Timestamp) -> Result<Verified<Lease>, NoWork> {
        let recheck = self
            .units
            .iter()
            .find(|(_, unit)| unit.drawn.is_some_and(|drawn| drawn.node == node))
            .map(|(id, unit)| (*id, unit.sampled.clone()));
        if let Some((id, sampled)) = recheck {
            return self.issue(id, node, sampled, now);
        }
        let open = self
            .units
            .iter()
            .filter(|(_, unit)| unit.work.is_none())
            .min_by_key(|(_, unit)| unit.sequence)
            .map(|(id, unit)| (*id, unit.segments));
        if let Some((id, segments)) = open {
            return self.issue(id, node, (0..segments).collect(), now);
        }
        if self.units.len() >= MAX_UNITS {
            return Err(NoWork::Waiting);
        }
        if !self.can_pay_one_more() {
            return Err(NoWork::BudgetSpent);
        }
        let plan = self.search.plan_unit(self.next_unit);
        let id = UnitId::derive(self.campaign.id, self.next_unit);
        let created = Record::UnitCreated {
            unit: id,
            sequence: self.next_unit,
            generation: plan.generation,
            skill: self.campaign.skill.cid,
            input: plan.input,
            seed: plan.seed,
            segments: plan.segments,
        };
        if !self.record(created, now) {
            return Err(NoWork::Waiting);
        }
        self.issue(id, node, (0..plan.segments).collect(), now)
    }

    /// Whether the budget covers every unit under way and one more, with all its rechecks.
    fn can_pay_one_more(&self) -> bool {
        let reward = &self.campaign.reward;
        let segments = u64::from(self.campaign.evolution.segments_per_unit);
        let rechecks = u64::from(self.campaign.verification.ask).saturating_sub(1);
        let one = reward.per_segment.checked_mul(segments).and_then(|work| {
            let recheck = reward.per_recheck_segment.checked_mul(segments)?;
            work.checked_add(recheck.checked_mul(rechecks)?)
        });
        let needed = one.and_then(|one| one.checked_mul(self.units.len() as u64 + 1));
        let available = self.books.available(Account::Campaign(self.campaign.id));
        needed.is_some_and(|needed| needed <= available)
    }

    fn issue(
        &mut self,
        id: UnitId,
        node: NodeId,
        segments: Vec<u32>,
        now: Timestamp,
    ) -> Result<Verified<Lease>, NoWork> {
        let unit = self.units.get(&id).ok_or(NoWork::Waiting)?;
        let reward = &self.campaign.reward;
        let per_segment = if unit.result.is_none() {
            reward.per_segment
        } else {
            reward.per_recheck_segment
        };
        let lease = Lease {
            id: LeaseId::derive(id, unit.attempts),
            campaign: self.campaign.id,
            unit: id,
            node,
            skill: unit.skill,
            input: unit.input.clone(),
            unit_seed: unit.seed,
            reward: per_segment
                .checked_mul(segments.len() as u64)
                .unwrap_or(Micro::ZERO),
            segments,
            limits: self.campaign.limits,
            audit_commitment: audit::commitment(&self.audit_secret(id)),
            audit_permille: self.campaign.verification.audit_permille,
        };
        let expires = now.plus_ms(self.campaign.verification.lease_ms);
        let lease = self.seal(lease, now, expires).ok_or(NoWork::Waiting)?;
        if self.record(Record::LeaseIssued(lease.signed().clone()), now) {
            Ok(lease)
        } else {
            Err(NoWork::Waiting)
        }
    }

    /// Only this steward can compute it, and only for its own units: nothing to store, nothing lost
    /// in a crash.
    fn audit_secret(&self, unit: UnitId) -> Digest {
        Digest(
            *self
                .keypair
                .derive_secret("omniswarm/1/audit-secret", &unit.0),
        )
    }

    fn seal<T: omni_types::Domain>(
        &self,
        value: T,
        now: Timestamp,
        expires: Timestamp,
    ) -> Option<Verified<T>> {
        Signed::seal(value, &self.keypair, self.network, now, expires).ok()
    }

    fn on_result(
        &mut self,
        result: Verified<WorkResult>,
        now: Timestamp,
    ) -> Result<Digest, Rejection> {
        if let Some(known) = self.answered.get(&result.lease) {
            return match known {
                known if known.result != result.id() => Err(Rejection::ConflictingResult),
                known if !known.plausible => Err(Rejection::Implausible),
                known => Ok(known.result),
            };
        }
        let open = self
            .leases
            .get(&result.lease)
            .ok_or(Rejection::UnknownLease)?;
        let lease = &open.lease;
        if lease.node != result.signer() || lease.expires() <= now {
            return Err(Rejection::UnknownLease);
        }
        if lease.unit != result.unit || lease.campaign != result.campaign {
            return Err(Rejection::MismatchedEvidence);
        }
        if result.engine != self.engine {
            return Err(Rejection::WrongEngine);
        }
        let segments = result.outputs.iter().map(|output| output.segment);
        if !segments.eq(lease.segments.iter().copied()) {
            return Err(Rejection::WrongSegments);
        }
        let id = result.id();
        let unit = result.unit;
        let recheck = self
            .units
            .get(&unit)
            .is_some_and(|unit| unit.result.is_some());
        if !self.record(Record::ResultReceived(result.signed().clone()), now) {
            return Err(Rejection::UnknownLease);
        }
        if !self.is_plausible(&result) {
            self.void_pending(result.signer(), now);
            self.draw_verifiers(now);
            return Err(Rejection::Implausible);
        }
        if !recheck {
            self.draw_sample(unit, &result, now);
        }
        self.judge(unit, false, now);
        self.draw_verifiers(now);
        Ok(id)
    }

    fn draw_sample(&mut self, id: UnitId, result: &Verified<WorkResult>, now: Timestamp) {
        let policy = self.campaign.verification;
        let segments: Vec<u32> = result.outputs.iter().map(|output| output.segment).collect();
        let newcomer = self
            .nodes
            .get(&result.signer())
            .is_none_or(|standing| standing.accepted < policy.newcomer_units);
        let count = if newcomer {
            segments.len()
        } else {
            audit::floor(segments.len(), policy.audit_permille)
        };
        let must: BTreeSet<u32> = result
            .outputs
            .iter()
            .filter(|output| self.search.must_recheck(&output.output))
            .map(|output| output.segment)
            .collect();
        let sampled = audit::sample(
            &self.audit_secret(id),
            id,
            result.id(),
            &segments,
            count,
            |segment| must.contains(&segment),
        );
        let drawn = Record::SampleDrawn {
            unit: id,
            segments: sampled,
        };
        self.record(drawn, now);
    }

    /// Draws a verifier for every unit that needs one and has none, from the nodes that are about:
    /// not the worker, not one that had its chance, not a suspended one.
    fn draw_verifiers(&mut self, now: Timestamp) {
        let claim_ms = self.campaign.verification.recheck_claim_ms;
        let ask = usize::from(self.campaign.verification.ask);
        let mut drawn = Vec::new();
        for (id, unit) in &self.units {
            let (Some(result), None) = (&unit.result, unit.recheck) else {
                continue;
            };
            let claimed = unit
                .drawn
                .is_some_and(|drawn| now.since_ms(drawn.at) < claim_ms);
            if claimed || unit.rechecks.len() + 1 >= ask {
                continue;
            }
            let eligible: Vec<NodeId> = self
                .nodes
                .iter()
                .filter(|(node, standing)| {
                    **node != result.signer()
                        && !unit.asked.contains(node)
                        && !standing.suspended()
                        && standing.open < MAX_OPEN_LEASES
                        && standing
                            .seen
                            .is_some_and(|seen| now.since_ms(seen) < ACTIVE_MS)
                })
                .map(|(node, _)| *node)
                .collect();
            let secret = self.audit_secret(*id);
            let parts: [&[u8]; 4] = [
                &secret.0,
                &result.id().0,
                &unit.attempts.to_be_bytes(),
                &now.0.to_be_bytes(),
            ];
            let seed = Digest::of_parts("omniswarm/1/verifier-draw", &parts).seed();
            let index = Draws::new(seed).below(eligible.len() as u64) as usize;
            if let Some(node) = eligible.get(index) {
                drawn.push((*id, *node));
            }
        }
        for (unit, node) in drawn {
            self.record(Record::VerifierDrawn { unit, node }, now);
        }
    }

    /// Reaches a verdict when the votes allow one; when no more verifiers can be waited for (`last`),
    /// undecided votes end inconclusive.
    fn judge(&mut self, id: UnitId, last: bool, now: Timestamp) {
        let policy = self.campaign.verification;
        let Some(unit) = self.units.get(&id) else {
            return;
        };
        let Some(result) = &unit.result else { return };
        let votes: Vec<Vote> = std::iter::once(result)
            .chain(&unit.rechecks)
            .filter_map(|ballot| {
                Some(Vote {
                    node: ballot.signer(),
                    result: ballot.id(),
                    value: ballot.vote_on(&unit.sampled)?,
                })
            })
            .collect();
        let agreed = decided(&votes, policy.agree);
        let outcome = match agreed {
            Some(value) if votes.first().is_some_and(|vote| vote.value == value) => {
                Outcome::Accepted
            }
            Some(_) => Outcome::Rejected,
            None if last || votes.len() >= usize::from(policy.ask) => Outcome::Inconclusive,
            None => return,
        };
        let verdict = Verdict {
            campaign: self.campaign.id,
            unit: id,
            worker: result.signer(),
            result: result.id(),
            outcome,
            agree: policy.agree,
            audit_secret: self.audit_secret(id),
            sampled: unit.sampled.clone(),
            votes,
        };
        let Some(verdict) = self.seal(verdict, now, now.plus_ms(RECEIPT_VALID_MS)) else {
            return;
        };
        if self.record(Record::VerdictReached(verdict.signed().clone()), now) {
            self.settle(&verdict, now);
        }
    }

    /// Issues receipts to those who agreed, voids the pending rewards of those who were
    /// contradicted, posts what has matured, and closes the generation when it is complete.
    fn settle(&mut self, verdict: &Verified<Verdict>, now: Timestamp) {
        let reward = self.campaign.reward;
        let maturity = self.campaign.verification.maturity_units;
        let work_segments = self
            .decided
            .as_ref()
            .map_or(0, |decided| decided.result.outputs.len());
        let expires = now.plus_ms(RECEIPT_VALID_MS);

        for vote in agreeing(verdict) {
            let (role, segments, per_segment) = if vote.node == verdict.worker {
                (Role::Work, work_segments, reward.per_segment)
            } else {
                let sampled = verdict.sampled.len();
                (Role::Recheck, sampled, reward.per_recheck_segment)
            };
            let amount = per_segment.checked_mul(segments as u64);
            let receipt = Receipt {
                id: ReceiptId::derive(verdict.campaign, verdict.unit, vote.node),
                campaign: verdict.campaign,
                unit: verdict.unit,
                node: vote.node,
                role,
                result: vote.result,
                verdict: verdict.id(),
                segments: segments as u32,
                amount: amount.unwrap_or(Micro::ZERO),
            };
            let Some(receipt) = self.seal(receipt, now, expires) else {
                continue;
            };
            self.record(Record::ReceiptIssued(receipt.into_signed()), now);
            let matured: Vec<ReceiptId> = self
                .nodes
                .get(&vote.node)
                .into_iter()
                .flat_map(|standing| {
                    let due = standing.lifetime.saturating_sub(maturity);
                    let pending = standing.pending.iter();
                    pending.take_while(move |(_, at)| *at <= due)
                })
                .map(|(receipt, _)| *receipt)
                .collect();
            self.post(vote.node, matured, PostingOutcome::Posted, now);
        }
        for vote in contradicted(verdict) {
            self.void_pending(vote.node, now);
        }
        if self.harvested_units >= self.campaign.evolution.units_per_generation {
            // The population after closing, so that an auditor can compare without the search.
            let mut after = self.search.clone();
            after.close_generation(self.harvest.values().map(Vec::as_slice));
            let population = after
                .population()
                .enumerate()
                .map(|(place, output)| SegmentOutput {
                    segment: place as u32,
                    output: output.to_vec(),
                })
                .collect();
            let generation = self.search.generation();
            let closed = Record::GenerationClosed {
                generation,
                population,
            };
            self.record(closed, now);
        }
    }

    fn void_pending(&mut self, node: NodeId, now: Timestamp) {
        let pending: Vec<ReceiptId> = self
            .nodes
            .get(&node)
            .into_iter()
            .flat_map(|standing| &standing.pending)
            .map(|(receipt, _)| *receipt)
            .collect();
        self.post(node, pending, PostingOutcome::Voided, now);
    }

    fn post(
        &mut self,
        node: NodeId,
        receipts: Vec<ReceiptId>,
        outcome: PostingOutcome,
        now: Timestamp,
    ) {
        for receipt in receipts {
            if self.books.state(receipt) != Some(PendingState::Open) {
                continue;
            }
            let posting = Posting {
                receipt,
                node,
                outcome,
            };
            if let Some(posting) = self.seal(posting, now, now.plus_ms(RECEIPT_VALID_MS)) {
                self.record(Record::PostingIssued(posting.into_signed()), now);
            }
        }
    }

    fn on_news(
        &mut self,
        from: NodeId,
        campaign: omni_types::CampaignId,
        after: u64,
        now: Timestamp,
    ) -> WorkResponse {
        if campaign != self.campaign.id {
            return WorkResponse::Refused(Rejection::UnknownCampaign);
        }
        let Some(status) = self.current_status(now) else {
            return WorkResponse::Refused(Rejection::TooMany);
        };
        let (items, last) = match self.nodes.get_mut(&from) {
            Some(standing) => standing.read_news(after),
            None => (Vec::new(), 0),
        };
        WorkResponse::News(News {
            campaign,
            items,
            last,
            status,
        })
    }

    fn current_status(&mut self, now: Timestamp) -> Option<Signed<CampaignStatus>> {
        let fresh = self
            .status
            .as_ref()
            .filter(|status| now.since_ms(status.issued()) < STATUS_VALID_MS / 2);
        if fresh.is_none() {
            let status = CampaignStatus {
                campaign: self.campaign.id,
                generation: self.search.generation(),
                units_accepted: self.counts.accepted,
                units_rejected: self.counts.rejected,
                best_output: self
                    .best
                    .as_ref()
                    .map(|(_, output)| output.clone())
                    .unwrap_or_default(),
            };
            self.status = Some(self.seal(status, now, now.plus_ms(STATUS_VALID_MS))?);
        }
        self.status.as_ref().map(|status| status.signed().clone())
    }

    /// When a unit that waits for verifiers, and has none at work, ends without a verdict.
    fn patience_ends(&self, unit: &Unit) -> Option<Timestamp> {
        let lease_ms = self.campaign.verification.lease_ms;
        let waits = unit.result.is_some() && unit.recheck.is_none();
        waits.then(|| {
            unit.result_at
                .plus_ms(lease_ms.saturating_mul(VERIFY_PATIENCE))
        })
    }

    /// Ends leases whose time has run out and forgets answers that cannot be repeated any more.
    fn expire(&mut self, now: Timestamp) {
        let ended: Vec<LeaseId> = self
            .leases
            .iter()
            .filter(|(_, open)| open.lease.expires() <= now)
            .map(|(id, _)| *id)
            .collect();
        for lease in ended {
            let reason = None;
            self.record(Record::LeaseEnded { lease, reason }, now);
        }
        let undecided: Vec<UnitId> = self
            .units
            .iter()
            .filter(|(_, unit)| self.patience_ends(unit).is_some_and(|end| end <= now))
            .map(|(id, _)| *id)
            .collect();
        for unit in undecided {
            self.judge(unit, true, now);
        }
        if now >= self.next_sweep {
            self.next_sweep = now.plus_ms(SWEEP_MS);
            self.answered
                .retain(|_, answered| now.since_ms(answered.expires) < ANSWER_KEPT_MS);
        }
    }
}

#[derive(Debug)]
enum ApplyError {
    Evidence(Rejection),
    Books(BookError),
    Misplaced,
}

impl ApplyError {
    fn at(self, record: u64) -> ReplayError {
        match self {
            Self::Evidence(rejection) => ReplayError::Evidence { record, rejection },
            Self::Books(error) => ReplayError::Books { record, error },
            Self::Misplaced => ReplayError::Misplaced { record },
        }
    }
}

impl From<Rejection> for ApplyError {
    fn from(rejection: Rejection) -> Self {
        Self::Evidence(rejection)
    }
}

impl From<omni_ledger::Refusal> for ApplyError {
    fn from(refusal: omni_ledger::Refusal) -> Self {
        Self::Books(BookError::Transfer(refusal))
    }
}

/// The value that enough distinct nodes voted for.
fn decided(votes: &[Vote], agree: u8) -> Option<Digest> {
    let agree = usize::from(agree).max(receipts::MIN_AGREE);
    quorum::decided(votes.iter().map(|vote| (vote.node, vote.value)), agree)
}

/// The value that the verdict stands on, `None` when it is inconclusive.
fn agreed_value(verdict: &Verdict) -> Option<Digest> {
    match verdict.outcome {
        Outcome::Inconclusive => None,
        Outcome::Accepted | Outcome::Rejected => decided(&verdict.votes, verdict.agree),
    }
}

fn agreeing(verdict: &Verdict) -> Vec<Vote> {
    let agreed = agreed_value(verdict);
    let votes = verdict.votes.iter().copied();
    votes.filter(|vote| Some(vote.value) == agreed).collect()
}

fn contradicted(verdict: &Verdict) -> Vec<Vote> {
    match agreed_value(verdict) {
        None => Vec::new(),
        Some(agreed) => {
            let votes = verdict.votes.iter().copied();
            votes.filter(|vote| vote.value != agreed).collect()
        }
    }
}

impl Standing {
    fn suspended(&self) -> bool {
        self.rejected >= SUSPEND_AFTER
    }

    fn contradict(&mut self) {
        self.rejected += 1;
        self.accepted = 0;
    }

    fn tell(&mut self, item: NewsItem) {
        self.last_news += 1;
        self.news.push_back((self.last_news, item));
        while self.news.len() > MAX_NEWS_KEPT {
            self.news.pop_front();
        }
    }

    /// News after a running number; what comes before it has arrived and is forgotten.
    fn read_news(&mut self, after: u64) -> (Vec<NewsItem>, u64) {
        while self.news.front().is_some_and(|(at, _)| *at <= after) {
            self.news.pop_front();
        }
        let mut size = 0;
        let mut items = Vec::new();
        let mut last = after.min(self.last_news);
        for (at, item) in self.news.iter().take(MAX_NEWS) {
            size += match item {
                NewsItem::Receipt(proof) => receipts::proof_size(proof),
                NewsItem::Posting(posting) => posting.payload_len() + 200,
            };
            if size > MAX_RESPONSE_BYTES / 2 && !items.is_empty() {
                break;
            }
            items.push(item.clone());
            last = *at;
        }
        (items, last)
    }
}

impl Machine for Steward {
    fn handle(&mut self, input: Input, now: Timestamp) {
        match input {
            Input::Request {
                from,
                token,
                request,
            } => self.on_request(from, token, request, now),
            Input::Tick => {
                self.expire(now);
                self.draw_verifiers(now);
            }
            Input::Order(order) => {
                if self.orders.admit(&order, self.network, now).is_ok() {
                    self.record(Record::OrderTaken(*order), now);
                }
            }
            // A steward runs nothing; there is nothing to decide either.
            Input::Decide { token, .. } => {
                let decision = Err(Denial::NotAllowed);
                self.outputs.push_back(Output::Decided { token, decision });
            }
            // A steward asks nobody and runs nothing.
            Input::Command(_)
            | Input::Conditions(_)
            | Input::Walls(_)
            | Input::Forget { .. }
            | Input::Confirmed(_)
            | Input::StewardFound(_)
            | Input::StewardLost(_)
            | Input::Response { .. }
            | Input::Skill { .. }
            | Input::Segment { .. }
            | Input::JobFailed { .. } => {}
        }
        self.flush();
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<(Timestamp, &'static str)> {
        let leases = self
            .leases
            .values()
            .map(|open| (open.lease.expires(), "a lease runs out"));
        let overdue = self
            .units
            .values()
            .filter_map(|unit| self.patience_ends(unit))
            .map(|at| (at, "a verdict is overdue"));
        leases.chain(overdue).min()
    }
}
