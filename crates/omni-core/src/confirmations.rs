//! Questions about medium-risk actions, and the answers in force.
//!
//! ```text
//!   Asked ─▶ open ─┬─ Answered(yes) ─▶ grant ─┬─ time is up, revoked, used ─▶ gone
//!                  ├─ Answered(no)            │
//!                  └─ time is up = "no"       └─ covers the action asked about, and no other
//! ```
//!
//! State changes by records only, so that what was asked and answered survives a restart.

use std::collections::BTreeMap;

use omni_types::{Action, Answer, CampaignId, Scope, Timestamp};

/// How long a question waits for an answer, milliseconds. Silence is "no".
pub const QUESTION_MS: u64 = 10 * 60 * 1000;
/// How long a "no", or silence, keeps the same question from being asked again, milliseconds.
pub const DECLINED_MS: u64 = 24 * 3600 * 1000;
/// How long a "yes" for a day holds, milliseconds.
pub const DAY_MS: u64 = 24 * 3600 * 1000;
/// Questions that may be open at once; what comes on top is denied unasked.
pub const MAX_OPEN: usize = 8;
/// Answers in force at once; a further question is denied unasked.
pub const MAX_GRANTS: usize = 64;
/// Declined actions remembered; above it the oldest may be asked about again.
const MAX_DECLINED: usize = 64;

/// A question for the volunteer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Running number, from 1.
    pub number: u64,
    /// About what.
    pub action: Action,
    /// When it was asked.
    pub asked: Timestamp,
    /// When silence becomes "no".
    pub expires: Timestamp,
}

/// A "yes" in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Number of its question.
    pub number: u64,
    /// What it allows.
    pub action: Action,
    /// For how long.
    pub scope: Scope,
    /// Since when.
    pub since: Timestamp,
    /// Until when, when the scope says so.
    pub until: Option<Timestamp>,
}

/// For how long a "yes" to this action can hold. Sending something and paying somewhere else are
/// asked each time.
pub fn scopes(action: &Action) -> &'static [Scope] {
    match action {
        Action::SendDiagnostics { .. } | Action::ChangePayout { .. } => &[Scope::Once],
        Action::JoinCampaign { .. } | Action::ExceedLimits { .. } => &[Scope::Day, Scope::Campaign],
        _ => &[Scope::Once, Scope::Day, Scope::Campaign],
    }
}

/// Every question and answer that still matters.
#[derive(Clone, Debug, Default)]
pub struct Confirmations {
    open: BTreeMap<u64, Question>,
    grants: BTreeMap<u64, Grant>,
    declined: Vec<(Action, Timestamp)>,
    last: u64,
    /// Confirmed to the node that this one helps; number 0.
    borrowed: Vec<Grant>,
}

impl Confirmations {
    /// Nothing asked, nothing answered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Open questions, oldest first.
    pub fn open(&self) -> impl Iterator<Item = &Question> {
        self.open.values()
    }

    /// An open question.
    pub fn question(&self, number: u64) -> Option<&Question> {
        self.open.get(&number)
    }

    /// Answers in force at `now`, oldest first.
    pub fn grants(&self, now: Timestamp) -> impl Iterator<Item = &Grant> {
        self.grants
            .values()
            .chain(&self.borrowed)
            .filter(move |grant| grant.holds(now))
    }

    /// Takes over what the volunteer has confirmed to the node that this one helps.
    pub fn borrow(&mut self, actions: Vec<Action>, now: Timestamp) {
        self.borrowed = actions
            .into_iter()
            .take(MAX_GRANTS)
            .map(|action| Grant {
                number: 0,
                action,
                scope: Scope::Campaign,
                since: now,
                until: None,
            })
            .collect();
    }

    /// The number that the next question gets.
    pub fn next_number(&self) -> u64 {
        self.last.saturating_add(1)
    }

    /// Number of a "yes" that allows `action` at `now`.
    pub fn covering(&self, action: &Action, now: Timestamp) -> Option<u64> {
        self.grants(now)
            .find(|grant| grant.covers(action))
            .map(|grant| grant.number)
    }

    /// Whether a "yes" for this campaign allows this much memory at `now`.
    pub fn covers_memory(&self, campaign: CampaignId, wanted: u64, now: Timestamp) -> bool {
        self.grants(now).any(|grant| match &grant.action {
            Action::ExceedLimits {
                campaign: own,
                memory_bytes,
                ..
            } => *own == campaign && *memory_bytes >= wanted,
            _ => false,
        })
    }

    /// Whether the question about `action` may be put to the volunteer now: it is not open, was not
    /// declined lately, and there are not too many.
    pub fn may_ask(&self, action: &Action, now: Timestamp) -> bool {
        let asked = self.open.values().any(|open| open.action == *action);
        let declined = self
            .declined
            .iter()
            .any(|(other, at)| other == action && now < at.plus_ms(DECLINED_MS));
        let room = self.open.len() < MAX_OPEN && self.grants(now).count() < MAX_GRANTS;
        !asked && !declined && room
    }

    /// Number of the open question about `action`.
    pub fn open_number(&self, action: &Action) -> Option<u64> {
        self.open
            .values()
            .find(|open| open.action == *action)
            .map(|open| open.number)
    }

    /// Forgets answers whose time is up.
    pub fn forget_past(&mut self, now: Timestamp) {
        self.grants.retain(|_, grant| grant.holds(now));
    }

    /// The next moment at which an open question runs out.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.open.values().map(|open| open.expires).min()
    }

    /// The next moment at which an answer in force runs out; see [`Confirmations::forget_past`].
    pub fn next_end(&self) -> Option<Timestamp> {
        self.grants.values().filter_map(|grant| grant.until).min()
    }

    /// Numbers of the questions that have run out at `now`.
    pub fn expired(&self, now: Timestamp) -> Vec<u64> {
        self.open
            .values()
            .filter(|open| open.expires <= now)
            .map(|open| open.number)
            .collect()
    }

    // ---- records -----------------------------------------------------------------------------

    /// A question was asked.
    pub fn asked(&mut self, number: u64, action: Action, at: Timestamp, expires: Timestamp) {
        self.last = self.last.max(number);
        let question = Question {
            number,
            action,
            asked: at,
            expires,
        };
        self.open.insert(number, question);
    }

    /// A question was answered; the question, when it was open.
    pub fn answered(&mut self, number: u64, answer: Answer, at: Timestamp) -> Option<Question> {
        let question = self.open.remove(&number)?;
        let action = question.action.clone();
        match answer {
            Answer::Yes(scope) => {
                let until = match scope {
                    Scope::Once | Scope::Day => Some(at.plus_ms(DAY_MS)),
                    Scope::Campaign => None,
                };
                let grant = Grant {
                    number,
                    action,
                    scope,
                    since: at,
                    until,
                };
                self.grants.retain(|_, grant| grant.holds(at));
                self.grants.insert(number, grant);
            }
            Answer::No | Answer::TimedOut => self.decline(action, at),
        }
        Some(question)
    }

    fn decline(&mut self, action: Action, at: Timestamp) {
        self.declined.retain(|(other, _)| *other != action);
        if self.declined.len() >= MAX_DECLINED {
            self.declined.remove(0);
        }
        self.declined.push((action, at));
    }

    /// A "yes" for one time was used.
    pub fn used(&mut self, number: u64) {
        self.grants.remove(&number);
    }

    /// A "yes" was taken back, which is a "no" from then on.
    pub fn revoked(&mut self, number: u64, at: Timestamp) {
        if let Some(grant) = self.grants.remove(&number) {
            self.decline(grant.action, at);
        }
    }

    /// Everything is taken back: the volunteer withdrew consent.
    pub fn withdrawn(&mut self) {
        self.open.clear();
        self.grants.clear();
    }

    /// Whether a "yes" with this number holds, and for how long it was given.
    pub fn scope(&self, number: u64) -> Option<Scope> {
        self.grants.get(&number).map(|grant| grant.scope)
    }
}

impl Grant {
    fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    fn covers(&self, action: &Action) -> bool {
        match (&self.action, action) {
            (
                Action::ExceedLimits {
                    campaign,
                    memory_bytes,
                    disk_bytes,
                    cpu_percent,
                },
                Action::ExceedLimits {
                    campaign: other,
                    memory_bytes: memory,
                    disk_bytes: disk,
                    cpu_percent: cpu,
                },
            ) => {
                campaign == other
                    && memory <= memory_bytes
                    && disk <= disk_bytes
                    && cpu <= cpu_percent
            }
            (own, other) => own == other,
        }
    }
}
