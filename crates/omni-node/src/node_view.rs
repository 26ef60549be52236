//! Draws the [`NodeView`] of a volunteer's node.

use std::collections::BTreeMap;

use omni_core::{Volunteer, policy};
use omni_evolve::labs;
use omni_ledger::PendingState;
use omni_types::{Campaign, CampaignStatus, Problem, Role, Settings, TextLimit, Verified, screen};

use crate::{
    event_loop::{Around, Observed},
    safety_view,
    steward_view::{best_view, connection_view, published_view},
    view::{
        CampaignView, ConnectionView, NodeView, PauseView, Phase, PolicyView,
        Problem as ProblemView, ReceiptView, RewardState, RewardsView, RunningView, SafetyView,
        SettingsView,
    },
};

impl NodeView {
    /// The view of a node that is not there yet: starting, or failed with a problem.
    pub fn without_node(problem: Option<(&str, &str)>) -> Self {
        Self {
            phase: match problem {
                Some(_) => Phase::Failed,
                None => Phase::Starting,
            },
            problem: problem.map(|(code, sentence)| ProblemView {
                code: code.to_owned(),
                sentence: sentence.to_owned(),
            }),
            idle_reason: None,
            node: None,
            network: None,
            policy: policy_view(None),
            connection: ConnectionView::default(),
            campaigns: Vec::new(),
            running: Vec::new(),
            receipts: Vec::new(),
            rewards: RewardsView {
                pending: omni_types::Micro::ZERO.to_string(),
                posted: omni_types::Micro::ZERO.to_string(),
                voided: omni_types::Micro::ZERO.to_string(),
                receipts: "0".to_owned(),
            },
            pause: None,
            hold: None,
            halt: None,
            questions: Vec::new(),
            grants: Vec::new(),
            settings: SettingsView::from(&Settings::default()),
            safety: SafetyView::default(),
        }
    }
}

/// Texts by language as they are shown: normalised, and without those that are not fit to be shown.
pub(crate) fn shown(
    texts: &BTreeMap<String, String>,
    limit: TextLimit,
) -> BTreeMap<String, String> {
    texts
        .iter()
        .filter_map(|(language, text)| {
            let text = screen(text, limit).ok()?;
            Some((language.clone(), text.as_str().to_owned()))
        })
        .collect()
}

fn policy_view(consent: Option<omni_core::volunteer::Consent>) -> PolicyView {
    PolicyView {
        version: policy::POLICY_VERSION,
        hash: policy::policy_hash().to_string(),
        agreed_at_ms: consent.map(|consent| consent.at.0.to_string()),
        rules: safety_view::rules(),
    }
}

fn campaign_view(
    campaign: &Verified<Campaign>,
    status: Option<&Verified<CampaignStatus>>,
) -> CampaignView {
    let Problem::Labs(problem) = campaign.problem;
    let number =
        |pick: fn(&CampaignStatus) -> u64| status.map_or(0, |status| pick(status)).to_string();
    CampaignView {
        id: campaign.id.to_string(),
        name: campaign.name.clone(),
        title: shown(&campaign.title, TextLimit::TITLE),
        purpose: shown(&campaign.purpose, TextLimit::PURPOSE),
        length: problem.length.into(),
        generation: number(|status| status.generation),
        units_accepted: number(|status| status.units_accepted),
        units_rejected: number(|status| status.units_rejected),
        // Not the steward's word: the energy is recomputed from the sequence here.
        best: status
            .and_then(|status| labs::parse_output(problem, &status.best_output).ok())
            .map(|candidate| best_view(problem.length, &candidate)),
        published: published_view(campaign.problem),
    }
}

impl Observed for Volunteer {
    type View = NodeView;

    fn view(&self, around: &Around) -> NodeView {
        let Around {
            now,
            connections,
            walls,
        } = around;
        let now = *now;
        let consent = self.consent();
        let phase = if consent.is_none() {
            Phase::ConsentNeeded
        } else if self.is_killed() {
            Phase::Stopped
        } else if self.halt(now).is_some() {
            Phase::Halted
        } else if self.pause().is_some() {
            Phase::Paused
        } else if self.hold(now).is_some() {
            Phase::Held
        } else if connections.stewards == 0 && self.campaigns().next().is_none() {
            Phase::Starting
        } else {
            Phase::Running
        };
        let rewards = self.rewards();
        NodeView {
            phase,
            problem: None,
            idle_reason: self.idle_reason(now).map(str::to_owned),
            node: Some(self.node_id().to_string()),
            network: Some(self.network_name().to_owned()),
            policy: policy_view(consent),
            connection: connection_view(connections),
            campaigns: self
                .campaigns()
                .map(|(campaign, status)| campaign_view(campaign, status))
                .collect(),
            running: self
                .running()
                .map(|running| RunningView {
                    lease: running.lease.to_string(),
                    unit: running.unit.to_string(),
                    campaign: running.campaign.to_string(),
                    segments_done: running.done as u32,
                    segments: running.segments as u32,
                    started_at_ms: running.since.0.to_string(),
                })
                .collect(),
            receipts: self
                .receipts()
                .map(|(row, state)| ReceiptView {
                    id: row.id.to_string(),
                    unit: row.unit.to_string(),
                    campaign: row.campaign.to_string(),
                    role: match row.role {
                        Role::Work => "work",
                        Role::Recheck => "recheck",
                    }
                    .to_owned(),
                    segments: row.segments,
                    amount: row.amount.to_string(),
                    state: match state {
                        PendingState::Open => RewardState::Pending,
                        PendingState::Posted => RewardState::Posted,
                        PendingState::Voided => RewardState::Voided,
                    },
                    at_ms: row.issued.0.to_string(),
                })
                .collect(),
            rewards: RewardsView {
                pending: rewards.pending.to_string(),
                posted: rewards.posted.to_string(),
                voided: rewards.voided.to_string(),
                receipts: rewards.receipts.to_string(),
            },
            pause: self.pause().map(|pause| PauseView {
                until_ms: pause.until.map(|until| until.0.to_string()),
            }),
            hold: self.hold(now).map(safety_view::hold),
            halt: self.halt(now).map(safety_view::halt),
            questions: self
                .questions()
                .map(|question| safety_view::question(question, self))
                .collect(),
            grants: self
                .grants(now)
                .map(|grant| safety_view::grant(grant, self))
                .collect(),
            settings: SettingsView::from(&self.settings()),
            safety: safety_view::safety(self, walls),
        }
    }
}
