//! What the node may do. Deny by default: only a [`Permit`] lets something happen, and only
//! [`decide`] makes permits.
//!
//! ```text
//!  Action ──▶ kill switch? ──▶ consent for this policy? ──▶ rule in the table? ──▶ tier
//!               │ on              │ none                      │ none               │
//!               ▼                 ▼                           ▼                    ├ low    ─▶ checks ─▶ Permit
//!             Denied            Denied                      Denied                 ├ medium ─▶ NeedsConsent
//!                                                                                  └ high   ─▶ Denied
//! ```

use std::collections::BTreeSet;

use omni_types::{
    Cid, Digest, ResourceLimits, RiskTier, SkillKind,
    work::{MAX_INPUT_BYTES, MAX_OUTPUT_BYTES, MAX_SEGMENTS},
};
use thiserror::Error;

/// Version of the policy that people agree to. A change of [`RULES`] or [`CEILING`] is a new version.
pub const POLICY_VERSION: u32 = 1;

/// The most any campaign may use, whatever it asks for.
pub const CEILING: ResourceLimits = ResourceLimits {
    memory_bytes: 256 << 20,
    output_bytes: MAX_OUTPUT_BYTES as u32,
    segment_wall_ms: 10 * 60 * 1000,
};

/// Everything the node can be asked to do. What is not here cannot be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect to the network and exchange signed messages.
    Connect,
    /// Join a campaign of this tier.
    JoinCampaign(RiskTier),
    /// Fetch a skill by its content id.
    FetchSkill(Cid),
    /// Run a skill.
    RunSkill {
        /// Which.
        skill: Cid,
        /// Of which kind.
        kind: SkillKind,
        /// Within these limits.
        limits: ResourceLimits,
    },
    /// Fetch input data from a host outside the charter's list.
    FetchOutsideInput,
    /// Use more of the computer than the volunteer's limits.
    ExceedLimits,
    /// Let a campaign read a folder that the volunteer picks.
    ReadFolder,
    /// Send a diagnostics bundle.
    SendDiagnostics,
    /// Accept a new payout address.
    ChangePayout,
    /// Run a program outside the sandbox.
    RunProgram,
    /// Write outside the workspace.
    WriteOutsideWorkspace,
    /// Open a listening port beyond the swarm's.
    OpenPort,
    /// Change settings from afar.
    ChangeSettingsRemotely,
}

impl Action {
    /// Name in the policy table.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::JoinCampaign(_) => "join-campaign",
            Self::FetchSkill(_) => "fetch-skill",
            Self::RunSkill { .. } => "run-skill",
            Self::FetchOutsideInput => "fetch-outside-input",
            Self::ExceedLimits => "exceed-limits",
            Self::ReadFolder => "read-folder",
            Self::SendDiagnostics => "send-diagnostics",
            Self::ChangePayout => "change-payout",
            Self::RunProgram => "run-program",
            Self::WriteOutsideWorkspace => "write-outside-workspace",
            Self::OpenPort => "open-port",
            Self::ChangeSettingsRemotely => "change-settings-remotely",
        }
    }

    /// The tier, from the table; joining a campaign is as risky as the campaign says, if that is
    /// more. `None` when no rule names the action.
    pub fn tier(&self) -> Option<RiskTier> {
        let ruled = RULES
            .iter()
            .find(|(name, _)| *name == self.name())
            .map(|(_, tier)| *tier)?;
        Some(match self {
            Self::JoinCampaign(own) => ruled.max(*own),
            _ => ruled,
        })
    }
}

/// The policy: each action with its tier. What is missing is denied.
pub const RULES: &[(&str, RiskTier)] = &[
    ("connect", RiskTier::Low),
    ("join-campaign", RiskTier::Low),
    ("fetch-skill", RiskTier::Low),
    ("run-skill", RiskTier::Low),
    ("fetch-outside-input", RiskTier::Medium),
    ("exceed-limits", RiskTier::Medium),
    ("read-folder", RiskTier::Medium),
    ("send-diagnostics", RiskTier::Medium),
    ("change-payout", RiskTier::Medium),
    ("run-program", RiskTier::High),
    ("write-outside-workspace", RiskTier::High),
    ("open-port", RiskTier::High),
    ("change-settings-remotely", RiskTier::High),
];

/// Hash of version, table and ceilings: consent records and results refer to it.
pub fn policy_hash() -> Digest {
    let mut table = String::new();
    for (name, tier) in RULES {
        table.push_str(name);
        table.push_str(match tier {
            RiskTier::Low => " low\n",
            RiskTier::Medium => " medium\n",
            RiskTier::High => " high\n",
        });
    }
    let numbers = [
        u64::from(POLICY_VERSION),
        CEILING.memory_bytes,
        u64::from(CEILING.output_bytes),
        u64::from(CEILING.segment_wall_ms),
        MAX_INPUT_BYTES as u64,
        MAX_SEGMENTS as u64,
    ];
    let numbers: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
    Digest::of_parts("omniswarm/1/policy", &[table.as_bytes(), &numbers])
}

/// What the decision depends on besides the action.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// Kill switch thrown.
    pub killed: bool,
    /// Hash of the policy that the volunteer agreed to, if any.
    pub consent: Option<Digest>,
    /// Skills that may run: in the charter and in the built-in catalogue.
    pub allowlist: &'a BTreeSet<Cid>,
}

/// Leave to do one thing, once. Made by [`decide`] only.
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    action: Action,
    policy: Digest,
}

impl Permit {
    /// What is permitted.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// Hash of the policy that permits it.
    pub fn policy(&self) -> Digest {
        self.policy
    }
}

/// Why something is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Denial {
    /// Kill switch.
    #[error("Everything is stopped. Only you can allow work again.")]
    Killed,
    /// No consent, or for another version of the policy.
    #[error("You have not agreed to this version of the rules.")]
    NoConsent,
    /// No rule, or a high-risk action.
    #[error("This program never does that.")]
    NotAllowed,
    /// Not on the allowlist.
    #[error("This skill is not on the list of skills that may run.")]
    SkillNotAllowed,
    /// Above the ceiling.
    #[error("The task asks for more of your computer than the rules allow.")]
    LimitsTooHigh,
}

impl Denial {
    /// Stable code, kebab case.
    pub fn code(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::NoConsent => "no-consent",
            Self::NotAllowed => "not-allowed",
            Self::SkillNotAllowed => "skill-not-allowed",
            Self::LimitsTooHigh => "limits-too-high",
        }
    }
}

/// A question for the volunteer; without a "yes" the action does not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// What is asked for.
    pub action: Action,
}

/// What the policy says to an action.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go ahead.
    Permit(Permit),
    /// Ask the volunteer.
    NeedsConsent(Question),
    /// No.
    Denied(Denial),
}

/// Decides about one action.
pub fn decide(circumstances: &Circumstances<'_>, action: Action) -> Decision {
    let policy = policy_hash();
    if circumstances.killed {
        return Decision::Denied(Denial::Killed);
    }
    if circumstances.consent != Some(policy) {
        return Decision::Denied(Denial::NoConsent);
    }
    match action.tier() {
        None | Some(RiskTier::High) => return Decision::Denied(Denial::NotAllowed),
        Some(RiskTier::Medium) => return Decision::NeedsConsent(Question { action }),
        Some(RiskTier::Low) => {}
    }
    let refused = match &action {
        Action::FetchSkill(skill) if !circumstances.allowlist.contains(skill) => {
            Some(Denial::SkillNotAllowed)
        }
        Action::RunSkill { skill, .. } if !circumstances.allowlist.contains(skill) => {
            Some(Denial::SkillNotAllowed)
        }
        Action::RunSkill { limits, .. } if exceeds(limits, &CEILING) => Some(Denial::LimitsTooHigh),
        _ => None,
    };
    match refused {
        Some(denial) => Decision::Denied(denial),
        None => Decision::Permit(Permit { action, policy }),
    }
}

fn exceeds(limits: &ResourceLimits, ceiling: &ResourceLimits) -> bool {
    limits.memory_bytes > ceiling.memory_bytes
        || limits.output_bytes > ceiling.output_bytes
        || limits.segment_wall_ms > ceiling.segment_wall_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_action() -> Vec<Action> {
        let skill = Cid::of(b"listed");
        vec![
            Action::Connect,
            Action::JoinCampaign(RiskTier::Low),
            Action::JoinCampaign(RiskTier::Medium),
            Action::JoinCampaign(RiskTier::High),
            Action::FetchSkill(skill),
            run(skill, CEILING),
            Action::FetchOutsideInput,
            Action::ExceedLimits,
            Action::ReadFolder,
            Action::SendDiagnostics,
            Action::ChangePayout,
            Action::RunProgram,
            Action::WriteOutsideWorkspace,
            Action::OpenPort,
            Action::ChangeSettingsRemotely,
        ]
    }

    fn run(skill: Cid, limits: ResourceLimits) -> Action {
        Action::RunSkill {
            skill,
            kind: SkillKind::Compute,
            limits,
        }
    }

    fn check(killed: bool, consent: Option<Digest>, action: Action) -> Result<(), String> {
        let allowlist = BTreeSet::from([Cid::of(b"listed")]);
        let circumstances = Circumstances {
            killed,
            consent,
            allowlist: &allowlist,
        };
        match decide(&circumstances, action) {
            Decision::Permit(permit) => {
                assert_eq!(*permit.action(), action);
                Ok(())
            }
            Decision::NeedsConsent(_) => Err("needs-consent".to_owned()),
            Decision::Denied(denial) => Err(denial.code().to_owned()),
        }
    }

    #[test]
    fn nothing_is_permitted_without_consent_or_with_the_kill_switch_thrown() {
        for action in every_action() {
            assert_eq!(check(false, None, action), Err("no-consent".to_owned()));
            let old = Some(Digest::of(b"an older policy"));
            assert_eq!(check(false, old, action), Err("no-consent".to_owned()));
            let killed = check(true, Some(policy_hash()), action);
            assert_eq!(killed, Err("killed".to_owned()));
        }
    }

    #[test]
    fn each_action_gets_what_its_tier_says() {
        let agreed = Some(policy_hash());
        for action in every_action() {
            let expected = match action.tier() {
                Some(RiskTier::Low) => Ok(()),
                Some(RiskTier::Medium) => Err("needs-consent".to_owned()),
                Some(RiskTier::High) | None => Err("not-allowed".to_owned()),
            };
            assert_eq!(check(false, agreed, action), expected, "{action:?}");
        }
        let medium = Action::JoinCampaign(RiskTier::Medium).tier();
        assert_eq!(medium, Some(RiskTier::Medium));
        assert_eq!(Action::RunProgram.tier(), Some(RiskTier::High));
    }

    #[test]
    fn an_unlisted_skill_and_too_much_memory_are_denied() {
        let agreed = Some(policy_hash());
        let unlisted = Cid::of(b"unlisted");
        for action in [run(unlisted, CEILING), Action::FetchSkill(unlisted)] {
            assert_eq!(
                check(false, agreed, action),
                Err("skill-not-allowed".to_owned())
            );
        }
        for limits in [
            ResourceLimits {
                memory_bytes: CEILING.memory_bytes + 1,
                ..CEILING
            },
            ResourceLimits {
                output_bytes: CEILING.output_bytes + 1,
                ..CEILING
            },
            ResourceLimits {
                segment_wall_ms: CEILING.segment_wall_ms + 1,
                ..CEILING
            },
        ] {
            let action = run(Cid::of(b"listed"), limits);
            assert_eq!(
                check(false, agreed, action),
                Err("limits-too-high".to_owned())
            );
        }
    }

    #[test]
    fn every_rule_names_an_action() {
        let names: BTreeSet<&str> = every_action().iter().map(Action::name).collect();
        let ruled: BTreeSet<&str> = RULES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ruled);
    }
}
