//! Accounts.

use std::{fmt, str::FromStr};

use omni_types::{CampaignId, NodeId, Rejection};

/// Who has credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// Where credits come from; the only account that may give what it does not have.
    Mint,
    /// Budget of a campaign.
    Campaign(CampaignId),
    /// A node.
    Node(NodeId),
    /// Development fund.
    Development,
    /// What nobody earned.
    Reserve,
    /// Taken out of the world.
    Burned,
}

impl Account {
    pub(crate) fn may_go_negative(self) -> bool {
        self == Self::Mint
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mint => f.write_str("mint"),
            Self::Campaign(id) => write!(f, "campaign:{id}"),
            Self::Node(id) => write!(f, "node:{id}"),
            Self::Development => f.write_str("development"),
            Self::Reserve => f.write_str("reserve"),
            Self::Burned => f.write_str("burned"),
        }
    }
}

impl FromStr for Account {
    type Err = Rejection;

    fn from_str(text: &str) -> Result<Self, Rejection> {
        match text.split_once(':') {
            Some(("campaign", id)) => Ok(Self::Campaign(id.parse()?)),
            Some(("node", id)) => Ok(Self::Node(id.parse()?)),
            Some(_) => Err(Rejection::Malformed),
            None => match text {
                "mint" => Ok(Self::Mint),
                "development" => Ok(Self::Development),
                "reserve" => Ok(Self::Reserve),
                "burned" => Ok(Self::Burned),
                _ => Err(Rejection::Malformed),
            },
        }
    }
}
