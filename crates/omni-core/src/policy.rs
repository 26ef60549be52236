//! What the node may do. Deny by default: only a [`Permit`] lets something happen, and only
//! [`decide`] makes permits.
//!
//! ```text
//!  Action ─▶ kill switch? ─▶ halt? ─▶ consent for this policy? ─▶ rule in the table? ─▶ tier
//!               │ on          │ on       │ none                      │ none             │
//!               ▼             ▼          ▼                           ▼                  ├ low    ─▶ the rule's checks ─▶ Permit
//!             Denied        Denied     Denied                      Denied               ├ medium ─▶ a "yes" in force? ─▶ Permit
//!                                                                                       │             else NeedsConfirmation
//!                                                                                       └ high   ─▶ Denied
//! ```
//!
//! The policy is data: [`RULES`], [`CEILING`] and a few named times, with a version and a hash that
//! consent records and results refer to.

use std::{collections::BTreeSet, sync::LazyLock};

use omni_types::{
    Action, Cid, Digest, ResourceLimits, RiskTier,
    order::MAX_HALT_MS,
    work::{MAX_INPUT_BYTES, MAX_OUTPUT_BYTES, MAX_SEGMENTS},
};
use thiserror::Error;

use crate::confirmations::{Confirmations, DECLINED_MS, QUESTION_MS};

/// Version of the policy that people agree to. A change of [`RULES`] or [`CEILING`] is a new version.
pub const POLICY_VERSION: u32 = 2;

/// The most any campaign may use, whatever it asks for and whatever the volunteer allows.
pub const CEILING: ResourceLimits = ResourceLimits {
    memory_bytes: 256 << 20,
    output_bytes: MAX_OUTPUT_BYTES as u32,
    segment_wall_ms: 10 * 60 * 1000,
};

/// A condition that a low-risk action must meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Every wall around the sandbox is up.
    WallsUp,
    /// The skill is in the catalogue that the charter signs and in the one of this program.
    SkillListed,
    /// Within [`CEILING`].
    WithinCeiling,
    /// A campaign of medium risk was confirmed by the volunteer; one of high risk never is.
    CampaignConfirmed,
    /// Within the volunteer's own limits, or the volunteer confirmed more for this campaign.
    WithinLimits,
}

impl Check {
    /// Stable code, kebab case.
    pub fn code(self) -> &'static str {
        match self {
            Self::WallsUp => "walls-up",
            Self::SkillListed => "skill-listed",
            Self::WithinCeiling => "within-ceiling",
            Self::CampaignConfirmed => "campaign-confirmed",
            Self::WithinLimits => "within-limits",
        }
    }

    /// What it asks, in plain English.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::WallsUp => "Every wall around the sandbox is up on this computer.",
            Self::SkillListed => "The skill is on the list of skills that may run.",
            Self::WithinCeiling => {
                "It uses no more than the ceiling that holds for every campaign."
            }
            Self::CampaignConfirmed => {
                "A campaign of medium risk was confirmed by you; one of high risk never runs."
            }
            Self::WithinLimits => {
                "It stays within your own limits, or you confirmed more for this campaign."
            }
        }
    }

    fn refusal(self, circumstances: &Circumstances<'_>, action: &Action) -> Option<Denial> {
        match (self, action) {
            (Self::WallsUp, _) => {
                (circumstances.walls != Walls::Up).then_some(Denial::WallsMissing)
            }
            (
                Self::SkillListed,
                Action::RunSkill { skill: blob, .. } | Action::FetchBlob { blob, .. },
            ) => (!circumstances.allowlist.contains(blob)).then_some(Denial::SkillNotAllowed),
            (Self::WithinCeiling, Action::RunSkill { limits, .. }) => {
                exceeds(limits, &CEILING).then_some(Denial::LimitsTooHigh)
            }
            (
                Self::CampaignConfirmed,
                Action::RunSkill {
                    campaign,
                    document,
                    risk,
                    ..
                },
            ) => {
                let join = Action::JoinCampaign {
                    campaign: *campaign,
                    document: *document,
                    risk: *risk,
                };
                let confirmed = || {
                    circumstances
                        .confirmations
                        .covering(&join, circumstances.now)
                        .is_some()
                };
                match risk {
                    RiskTier::Low => None,
                    RiskTier::Medium => (!confirmed()).then_some(Denial::NotConfirmed),
                    RiskTier::High => Some(Denial::NotAllowed),
                }
            }
            (
                Self::WithinLimits,
                Action::RunSkill {
                    campaign, limits, ..
                },
            ) => {
                let above = limits.memory_bytes > circumstances.memory_bytes;
                let confirmed = || {
                    circumstances.confirmations.covers_memory(
                        *campaign,
                        limits.memory_bytes,
                        circumstances.now,
                    )
                };
                (above && !confirmed()).then_some(Denial::AboveYourLimits)
            }
            // A check that does not fit its action holds for nothing.
            _ => Some(Denial::NotAllowed),
        }
    }
}

/// One line of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Name of the action.
    pub action: &'static str,
    /// How risky it is.
    pub tier: RiskTier,
    /// What must hold besides, for low risk.
    pub checks: &'static [Check],
    /// What it is, in plain English.
    pub means: &'static str,
}

const fn low(action: &'static str, checks: &'static [Check], means: &'static str) -> Rule {
    Rule {
        action,
        tier: RiskTier::Low,
        checks,
        means,
    }
}

const fn medium(action: &'static str, means: &'static str) -> Rule {
    Rule {
        action,
        tier: RiskTier::Medium,
        checks: &[],
        means,
    }
}

const fn high(action: &'static str, means: &'static str) -> Rule {
    Rule {
        action,
        tier: RiskTier::High,
        checks: &[],
        means,
    }
}

/// The policy: each action with its tier. What is missing is denied.
pub const RULES: &[Rule] = &[
    low(
        "connect",
        &[],
        "Connect to the network and exchange signed messages.",
    ),
    low(
        "heartbeat",
        &[],
        "Say regularly, signed, that this node is there.",
    ),
    low(
        "join-campaign",
        &[],
        "Take part in a research campaign. A campaign of medium risk is asked about, one of high risk is refused.",
    ),
    low(
        "fetch-blob",
        &[Check::SkillListed],
        "Fetch a skill of a campaign by its fingerprint, from the allowed sources.",
    ),
    low(
        "run-skill",
        &[
            Check::WallsUp,
            Check::SkillListed,
            Check::WithinCeiling,
            Check::CampaignConfirmed,
            Check::WithinLimits,
        ],
        "Run a read-only skill (compute, search, summarize) in the sandbox.",
    ),
    low(
        "use-workspace",
        &[],
        "Read and write files in the program's own workspace.",
    ),
    medium(
        "fetch-outside-input",
        "Fetch input data from a computer that the network's charter does not list.",
    ),
    medium(
        "exceed-limits",
        "Use more of your processor, memory or disk than your limits, for one campaign.",
    ),
    medium("read-folder", "Let a campaign read a folder that you pick."),
    medium(
        "send-diagnostics",
        "Send a diagnostics bundle to the support address.",
    ),
    medium("change-payout", "Accept a new payout address."),
    high("run-program", "Run a program on your computer."),
    high(
        "write-outside-workspace",
        "Write or change files outside the workspace.",
    ),
    high(
        "open-port",
        "Open a listening port beyond the network's own.",
    ),
    high(
        "change-settings-remotely",
        "Have your settings changed from afar.",
    ),
];

/// The rule for an action, when there is one.
pub fn rule(action: &Action) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.action == action.name())
}

/// The tier of an action: what its rule says; joining a campaign is as risky as the campaign says,
/// if that is more. `None` when no rule names the action.
pub fn tier(action: &Action) -> Option<RiskTier> {
    let ruled = rule(action)?.tier;
    Some(match action {
        Action::JoinCampaign { risk, .. } => ruled.max(*risk),
        _ => ruled,
    })
}

/// Name of a tier.
pub fn tier_name(tier: RiskTier) -> &'static str {
    match tier {
        RiskTier::Low => "low",
        RiskTier::Medium => "medium",
        RiskTier::High => "high",
    }
}

/// Hash of version, table, ceilings and times: consent records and results refer to it.
pub fn policy_hash() -> Digest {
    static HASH: LazyLock<Digest> = LazyLock::new(hash);
    *HASH
}

fn hash() -> Digest {
    let mut table = String::new();
    for rule in RULES {
        for part in [rule.action, tier_name(rule.tier), rule.means] {
            table.push_str(part);
            table.push('\n');
        }
        for check in rule.checks {
            table.push_str(check.code());
            table.push('\n');
        }
    }
    let numbers = [
        u64::from(POLICY_VERSION),
        CEILING.memory_bytes,
        u64::from(CEILING.output_bytes),
        u64::from(CEILING.segment_wall_ms),
        MAX_INPUT_BYTES as u64,
        MAX_SEGMENTS as u64,
        QUESTION_MS,
        DECLINED_MS,
        MAX_HALT_MS,
    ];
    let numbers: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
    Digest::of_parts("omniswarm/1/policy", &[table.as_bytes(), &numbers])
}

/// What is known of the walls around the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walls {
    /// Not looked yet.
    Unknown,
    /// All of them are up, or the volunteer said that those there are will do.
    Up,
    /// At least one could not be put up.
    Missing,
}

/// What the decision depends on besides the action.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// When.
    pub now: omni_types::Timestamp,
    /// Kill switch thrown.
    pub killed: bool,
    /// The network's root keys ordered a halt.
    pub halted: bool,
    /// Hash of the policy that the volunteer agreed to, if any.
    pub consent: Option<Digest>,
    /// Walls around the sandbox.
    pub walls: Walls,
    /// Skills that may run: in the charter and in the built-in catalogue.
    pub allowlist: &'a BTreeSet<Cid>,
    /// Memory that the volunteer gives one piece of work, bytes.
    pub memory_bytes: u64,
    /// What the volunteer answered.
    pub confirmations: &'a Confirmations,
}

/// Leave to do one thing, once. Made by [`decide`] only.
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    action: Action,
    policy: Digest,
    confirmed: Option<u64>,
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

    /// Number of the question whose "yes" permits it, for medium risk.
    pub fn confirmed(&self) -> Option<u64> {
        self.confirmed
    }
}

/// Why something is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum Denial {
    /// Kill switch.
    #[error("Everything is stopped. Only you can allow work again.")]
    Killed,
    /// A halt of the network.
    #[error("The network's stewards have stopped all work for now.")]
    Halted,
    /// No consent, or for another version of the policy.
    #[error("You have not agreed to this version of the rules.")]
    NoConsent,
    /// No rule, a high-risk action, or one that does not hold together.
    #[error("This program never does that.")]
    NotAllowed,
    /// A wall around the sandbox is missing.
    #[error("A wall around the sandbox could not be put up on this computer, so no work runs.")]
    WallsMissing,
    /// Not on the allowlist.
    #[error("This skill is not on the list of skills that may run.")]
    SkillNotAllowed,
    /// Above the ceiling.
    #[error("The task asks for more of your computer than the rules allow.")]
    LimitsTooHigh,
    /// Above the volunteer's own limits, and not confirmed.
    #[error("The task asks for more of your computer than you allow.")]
    AboveYourLimits,
    /// Asked about, and not answered with "yes".
    #[error("You were asked about this and did not say yes.")]
    NotConfirmed,
    /// Too many open questions, or asked and declined not long ago.
    #[error("You were asked about this not long ago, or too many questions are open.")]
    NotAskedAgain,
}

impl Denial {
    /// Stable code, kebab case.
    pub fn code(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Halted => "halted",
            Self::NoConsent => "no-consent",
            Self::NotAllowed => "not-allowed",
            Self::WallsMissing => "walls-missing",
            Self::SkillNotAllowed => "skill-not-allowed",
            Self::LimitsTooHigh => "limits-too-high",
            Self::AboveYourLimits => "above-your-limits",
            Self::NotConfirmed => "not-confirmed",
            Self::NotAskedAgain => "not-asked-again",
        }
    }
}

/// What the policy says to an action.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go ahead.
    Permit(Permit),
    /// Ask the volunteer; without a "yes" it does not happen.
    NeedsConfirmation(Action),
    /// No.
    Denied(Denial),
}

/// Decides about one action.
pub fn decide(circumstances: &Circumstances<'_>, action: Action) -> Decision {
    let policy = policy_hash();
    if circumstances.killed {
        return Decision::Denied(Denial::Killed);
    }
    if circumstances.halted {
        return Decision::Denied(Denial::Halted);
    }
    if circumstances.consent != Some(policy) {
        return Decision::Denied(Denial::NoConsent);
    }
    let (Some(rule), Some(tier), Ok(())) = (rule(&action), tier(&action), action.check()) else {
        return Decision::Denied(Denial::NotAllowed);
    };
    let confirmed = match tier {
        RiskTier::High => return Decision::Denied(Denial::NotAllowed),
        RiskTier::Medium => {
            let yes = circumstances
                .confirmations
                .covering(&action, circumstances.now);
            if yes.is_none() {
                return Decision::NeedsConfirmation(action);
            }
            yes
        }
        RiskTier::Low => None,
    };
    let refused = rule
        .checks
        .iter()
        .find_map(|check| check.refusal(circumstances, &action));
    match refused {
        Some(denial) => Decision::Denied(denial),
        None => Decision::Permit(Permit {
            action,
            policy,
            confirmed,
        }),
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
    use omni_types::{Answer, CampaignId, Scope, SkillKind, Timestamp};

    const NOW: Timestamp = Timestamp(1_000_000);
    const MEMORY: u64 = 64 << 20;

    fn campaign() -> CampaignId {
        CampaignId([7; 32])
    }

    fn join(risk: RiskTier) -> Action {
        Action::JoinCampaign {
            campaign: campaign(),
            document: Digest::of(b"document"),
            risk,
        }
    }

    fn limits(change: impl FnOnce(&mut ResourceLimits)) -> ResourceLimits {
        let mut limits = ResourceLimits {
            memory_bytes: MEMORY,
            ..CEILING
        };
        change(&mut limits);
        limits
    }

    fn run(skill: &[u8], risk: RiskTier, limits: ResourceLimits) -> Action {
        Action::RunSkill {
            campaign: campaign(),
            document: Digest::of(b"document"),
            risk,
            skill: Cid::of(skill),
            kind: SkillKind::Compute,
            limits,
        }
    }

    fn more(memory_bytes: u64) -> Action {
        Action::ExceedLimits {
            campaign: campaign(),
            memory_bytes,
            disk_bytes: 0,
            cpu_percent: 0,
        }
    }

    fn every_action() -> Vec<Action> {
        let host = || "data.example".to_owned();
        let campaign = campaign();
        vec![
            Action::Connect,
            Action::Heartbeat,
            join(RiskTier::Low),
            join(RiskTier::Medium),
            join(RiskTier::High),
            Action::FetchBlob {
                campaign,
                blob: Cid::of(b"listed"),
            },
            run(b"listed", RiskTier::Low, limits(|_| {})),
            Action::UseWorkspace { campaign },
            Action::FetchOutsideInput {
                campaign,
                host: host(),
            },
            more(CEILING.memory_bytes),
            Action::ReadFolder {
                campaign,
                folder: "papers".to_owned(),
            },
            Action::SendDiagnostics {
                bundle: Digest::of(b"bundle"),
                host: host(),
            },
            Action::ChangePayout {
                address: "account".to_owned(),
            },
            Action::RunProgram,
            Action::WriteOutsideWorkspace,
            Action::OpenPort,
            Action::ChangeSettingsRemotely,
        ]
    }

    /// What all goes well with, for `change` to spoil.
    struct Case {
        killed: bool,
        halted: bool,
        consent: Option<Digest>,
        walls: Walls,
        confirmations: Confirmations,
    }

    fn check(action: Action, change: impl FnOnce(&mut Case)) -> Result<(), &'static str> {
        let mut case = Case {
            killed: false,
            halted: false,
            consent: Some(policy_hash()),
            walls: Walls::Up,
            confirmations: Confirmations::new(),
        };
        change(&mut case);
        let allowlist = BTreeSet::from([Cid::of(b"listed")]);
        let circumstances = Circumstances {
            now: NOW,
            killed: case.killed,
            halted: case.halted,
            consent: case.consent,
            walls: case.walls,
            allowlist: &allowlist,
            memory_bytes: MEMORY,
            confirmations: &case.confirmations,
        };
        match decide(&circumstances, action.clone()) {
            Decision::Permit(permit) => {
                assert_eq!(*permit.action(), action);
                assert_eq!(permit.policy(), policy_hash());
                Ok(())
            }
            Decision::NeedsConfirmation(asked) => {
                assert_eq!(asked, action);
                Err("needs-confirmation")
            }
            Decision::Denied(denial) => Err(denial.code()),
        }
    }

    fn yes(case: &mut Case, action: Action, scope: Scope) {
        let number = case.confirmations.next_number();
        let at = Timestamp(NOW.0 - 1);
        case.confirmations.asked(number, action, at, NOW);
        case.confirmations.answered(number, Answer::Yes(scope), at);
    }

    #[test]
    fn nothing_is_permitted_without_consent_or_while_stopped() {
        for action in every_action() {
            let none = check(action.clone(), |case| case.consent = None);
            assert_eq!(none, Err("no-consent"));
            let old = check(action.clone(), |case| {
                case.consent = Some(Digest::of(b"an older policy"));
            });
            assert_eq!(old, Err("no-consent"));
            let killed = check(action.clone(), |case| case.killed = true);
            assert_eq!(killed, Err("killed"));
            let halted = check(action.clone(), |case| case.halted = true);
            assert_eq!(halted, Err("halted"));
            // A confirmation does not lift any of these.
            let confirmed = check(action.clone(), |case| {
                yes(case, action, Scope::Day);
                case.killed = true;
            });
            assert_eq!(confirmed, Err("killed"));
        }
    }

    #[test]
    fn each_action_gets_what_its_tier_says() {
        for action in every_action() {
            let expected = match tier(&action) {
                Some(RiskTier::Low) => Ok(()),
                Some(RiskTier::Medium) => Err("needs-confirmation"),
                Some(RiskTier::High) | None => Err("not-allowed"),
            };
            assert_eq!(check(action.clone(), |_| {}), expected, "{action:?}");
            let confirmed = match tier(&action) {
                Some(RiskTier::Low | RiskTier::Medium) => Ok(()),
                Some(RiskTier::High) | None => Err("not-allowed"),
            };
            let answer = check(action.clone(), |case| {
                yes(case, action.clone(), Scope::Day);
            });
            assert_eq!(answer, confirmed, "{action:?}");
        }
        assert_eq!(tier(&join(RiskTier::Medium)), Some(RiskTier::Medium));
        assert_eq!(tier(&Action::RunProgram), Some(RiskTier::High));
    }

    #[test]
    fn a_yes_covers_what_was_asked_and_nothing_else() {
        for asked in every_action() {
            for wanted in every_action() {
                if tier(&wanted) != Some(RiskTier::Medium) {
                    continue;
                }
                let expected = if asked == wanted {
                    Ok(())
                } else {
                    Err("needs-confirmation")
                };
                let answer = check(wanted.clone(), |case| yes(case, asked.clone(), Scope::Day));
                assert_eq!(answer, expected, "{asked:?} {wanted:?}");
            }
        }
        let other = Action::JoinCampaign {
            campaign: campaign(),
            document: Digest::of(b"another document"),
            risk: RiskTier::Medium,
        };
        let answer = check(join(RiskTier::Medium), |case| {
            yes(case, other, Scope::Campaign);
        });
        assert_eq!(answer, Err("needs-confirmation"));
    }

    #[test]
    fn a_skill_runs_only_when_every_check_holds() {
        let good = run(b"listed", RiskTier::Low, limits(|_| {}));
        assert_eq!(check(good.clone(), |_| {}), Ok(()));
        for walls in [Walls::Unknown, Walls::Missing] {
            let answer = check(good.clone(), |case| case.walls = walls);
            assert_eq!(answer, Err("walls-missing"));
        }
        let blob = Cid::of(b"unlisted");
        let fetch = Action::FetchBlob {
            campaign: campaign(),
            blob,
        };
        let table = [
            (
                run(b"unlisted", RiskTier::Low, limits(|_| {})),
                "skill-not-allowed",
            ),
            (fetch, "skill-not-allowed"),
            (
                run(
                    b"listed",
                    RiskTier::Low,
                    limits(|limits| limits.memory_bytes = CEILING.memory_bytes + 1),
                ),
                "limits-too-high",
            ),
            (
                run(
                    b"listed",
                    RiskTier::Low,
                    limits(|limits| limits.output_bytes = CEILING.output_bytes + 1),
                ),
                "limits-too-high",
            ),
            (
                run(
                    b"listed",
                    RiskTier::Low,
                    limits(|limits| limits.segment_wall_ms = CEILING.segment_wall_ms + 1),
                ),
                "limits-too-high",
            ),
            (
                run(b"listed", RiskTier::Medium, limits(|_| {})),
                "not-confirmed",
            ),
            (
                run(b"listed", RiskTier::High, limits(|_| {})),
                "not-allowed",
            ),
            (
                run(
                    b"listed",
                    RiskTier::Low,
                    limits(|limits| limits.memory_bytes = MEMORY + 1),
                ),
                "above-your-limits",
            ),
        ];
        for (action, expected) in table {
            assert_eq!(check(action.clone(), |_| {}), Err(expected), "{action:?}");
        }
    }

    #[test]
    fn a_confirmed_campaign_runs_and_so_does_confirmed_memory() {
        let medium = run(b"listed", RiskTier::Medium, limits(|_| {}));
        let answer = check(medium, |case| {
            yes(case, join(RiskTier::Medium), Scope::Campaign);
        });
        assert_eq!(answer, Ok(()));
        let large = |bytes| {
            run(
                b"listed",
                RiskTier::Low,
                limits(|limits| limits.memory_bytes = bytes),
            )
        };
        let confirmed = |action, bytes| check(action, |case| yes(case, more(bytes), Scope::Day));
        assert_eq!(confirmed(large(2 * MEMORY), 2 * MEMORY), Ok(()));
        let too_little = confirmed(large(2 * MEMORY), 2 * MEMORY - 1);
        assert_eq!(too_little, Err("above-your-limits"));
        // Nobody can confirm more than the ceiling.
        let beyond = confirmed(large(CEILING.memory_bytes + 1), u64::MAX);
        assert_eq!(beyond, Err("limits-too-high"));
    }

    #[test]
    fn every_rule_names_an_action_and_every_action_has_a_rule() {
        let names: BTreeSet<&str> = every_action().iter().map(Action::name).collect();
        let ruled: BTreeSet<&str> = RULES.iter().map(|rule| rule.action).collect();
        assert_eq!(names, ruled);
        assert_eq!(RULES.len(), ruled.len());
    }

    #[test]
    fn a_text_that_cannot_be_shown_is_denied_unasked() {
        let folder = Action::ReadFolder {
            campaign: campaign(),
            folder: "a\nb".to_owned(),
        };
        assert_eq!(check(folder, |_| {}), Err("not-allowed"));
    }
}
