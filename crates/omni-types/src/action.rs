//! What a node can be asked to do, and what a volunteer can answer: the words of the policy. The
//! rules themselves are in `omni-core`.

use serde::{Deserialize, Serialize};

use crate::{
    Rejection,
    campaign::{ResourceLimits, RiskTier, SkillKind},
    cid::Cid,
    hash::Digest,
    id::CampaignId,
};

/// Longest host name in an action, bytes (RFC 1035).
pub const MAX_HOST_BYTES: usize = 253;
/// Longest path of a folder in an action, bytes.
pub const MAX_FOLDER_BYTES: usize = 4096;
/// Longest payout address, bytes.
pub const MAX_PAYOUT_BYTES: usize = 128;

/// Everything a node can be asked to do. What is not here cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Connect to the network and exchange signed messages.
    Connect,
    /// Exchange signed heartbeats.
    Heartbeat,
    /// Join a campaign of this tier.
    JoinCampaign {
        /// Which.
        campaign: CampaignId,
        /// The very document that describes it: a changed campaign is another one to agree to.
        document: Digest,
        /// How risky it says it is.
        risk: RiskTier,
    },
    /// Fetch a skill or an input of a campaign by its content id, from the allowed sources.
    FetchBlob {
        /// For which campaign.
        campaign: CampaignId,
        /// Which bytes.
        blob: Cid,
    },
    /// Run a skill for a campaign.
    RunSkill {
        /// For which campaign.
        campaign: CampaignId,
        /// The very document that describes it.
        document: Digest,
        /// How risky the campaign says it is.
        risk: RiskTier,
        /// Which skill.
        skill: Cid,
        /// Of which kind.
        kind: SkillKind,
        /// Within these limits.
        limits: ResourceLimits,
    },
    /// Read and write files of a campaign in the workspace.
    UseWorkspace {
        /// For which campaign.
        campaign: CampaignId,
    },
    /// Fetch input data from a host outside the charter's list.
    FetchOutsideInput {
        /// For which campaign.
        campaign: CampaignId,
        /// From where: a host name.
        host: String,
    },
    /// Use more of the computer for one campaign than the volunteer's limits.
    ExceedLimits {
        /// For which campaign.
        campaign: CampaignId,
        /// Memory of one piece of work, bytes.
        memory_bytes: u64,
        /// Disk space, bytes.
        disk_bytes: u64,
        /// Share of the whole computer's processors, per cent.
        cpu_percent: u8,
    },
    /// Let a campaign read a folder that the volunteer picked.
    ReadFolder {
        /// For which campaign.
        campaign: CampaignId,
        /// Which folder.
        folder: String,
    },
    /// Send a diagnostics bundle.
    SendDiagnostics {
        /// Digest of the very bundle.
        bundle: Digest,
        /// To where: a host name.
        host: String,
    },
    /// Accept a new payout address.
    ChangePayout {
        /// The address.
        address: String,
    },
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
            Self::Heartbeat => "heartbeat",
            Self::JoinCampaign { .. } => "join-campaign",
            Self::FetchBlob { .. } => "fetch-blob",
            Self::RunSkill { .. } => "run-skill",
            Self::UseWorkspace { .. } => "use-workspace",
            Self::FetchOutsideInput { .. } => "fetch-outside-input",
            Self::ExceedLimits { .. } => "exceed-limits",
            Self::ReadFolder { .. } => "read-folder",
            Self::SendDiagnostics { .. } => "send-diagnostics",
            Self::ChangePayout { .. } => "change-payout",
            Self::RunProgram => "run-program",
            Self::WriteOutsideWorkspace => "write-outside-workspace",
            Self::OpenPort => "open-port",
            Self::ChangeSettingsRemotely => "change-settings-remotely",
        }
    }

    /// The campaign it is done for, if it is done for one.
    pub fn campaign(&self) -> Option<CampaignId> {
        match self {
            Self::JoinCampaign { campaign, .. }
            | Self::FetchBlob { campaign, .. }
            | Self::RunSkill { campaign, .. }
            | Self::UseWorkspace { campaign }
            | Self::FetchOutsideInput { campaign, .. }
            | Self::ExceedLimits { campaign, .. }
            | Self::ReadFolder { campaign, .. } => Some(*campaign),
            Self::Connect
            | Self::Heartbeat
            | Self::SendDiagnostics { .. }
            | Self::ChangePayout { .. }
            | Self::RunProgram
            | Self::WriteOutsideWorkspace
            | Self::OpenPort
            | Self::ChangeSettingsRemotely => None,
        }
    }

    /// Checks that every text is within its limit and printable.
    ///
    /// # Errors
    /// [`Rejection::Malformed`].
    pub fn check(&self) -> Result<(), Rejection> {
        let (text, most) = match self {
            Self::FetchOutsideInput { host, .. } | Self::SendDiagnostics { host, .. } => {
                (host, MAX_HOST_BYTES)
            }
            Self::ReadFolder { folder, .. } => (folder, MAX_FOLDER_BYTES),
            Self::ChangePayout { address } => (address, MAX_PAYOUT_BYTES),
            _ => return Ok(()),
        };
        let fits = !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control);
        if fits {
            Ok(())
        } else {
            Err(Rejection::Malformed)
        }
    }
}

/// For how long a "yes" holds. Each reaches the very action that was asked about and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// This one time.
    Once,
    /// For 24 hours.
    Day,
    /// As long as the campaign runs.
    Campaign,
}

impl Scope {
    /// Stable code, kebab case.
    pub fn code(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Day => "day",
            Self::Campaign => "campaign",
        }
    }
}

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Yes, for this scope.
    Yes(Scope),
    /// No.
    No,
    /// Nobody answered in time, which is "no".
    TimedOut,
}

/// What became of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecisionVerdict {
    /// A permit was given.
    Permitted,
    /// The volunteer was asked.
    Asked,
    /// No.
    Denied,
}

impl DecisionVerdict {
    /// Stable code, kebab case.
    pub fn code(self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::Asked => "asked",
            Self::Denied => "denied",
        }
    }
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// What was asked for.
    pub action: Action,
    /// Its tier, when a rule names it.
    pub tier: Option<RiskTier>,
    /// What was decided.
    pub verdict: DecisionVerdict,
    /// What decided it: a tier or a check by name.
    pub rule: String,
    /// What it belongs to: a unit, campaign or question.
    pub correlation: Option<String>,
    /// Equal decisions since the last such line that were counted and not written, so that nobody
    /// can fill the disk with denials.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeats: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_in_actions_are_bounded_and_printable() {
        let host = |host: &str| Action::SendDiagnostics {
            bundle: Digest::of(b"bundle"),
            host: host.to_owned(),
        };
        assert_eq!(host("support.example").check(), Ok(()));
        for bad in ["", "a\nb", "a\u{7f}", &"a".repeat(MAX_HOST_BYTES + 1)] {
            assert_eq!(host(bad).check(), Err(Rejection::Malformed), "{bad:?}");
        }
        let folder = Action::ReadFolder {
            campaign: CampaignId([0; 32]),
            folder: "a".repeat(MAX_FOLDER_BYTES + 1),
        };
        assert_eq!(folder.check(), Err(Rejection::Malformed));
        assert_eq!(Action::RunProgram.check(), Ok(()));
    }
}
