//! What there is to see of a steward.

use omni_core::Steward;
use omni_evolve::{labs, published};
use omni_types::{Micro, Problem};
use serde::{Deserialize, Serialize};

use crate::{
    event_loop::{Around, Connections, Observed},
    view::{BestView, ConnectionView, PublishedView},
};

/// Sums of the ledger, credits with six decimals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalsView {
    /// Brought into the world.
    pub minted: String,
    /// With nodes for good.
    pub paid: String,
    /// Set aside for nodes.
    pub pending: String,
    /// Not promised to anybody.
    pub reserve: String,
    /// Taken out of the world.
    pub burned: String,
    /// Whether the sums come out even.
    pub conserved: bool,
}

impl From<omni_ledger::Totals> for TotalsView {
    fn from(totals: omni_ledger::Totals) -> Self {
        let text = |amount: Micro| amount.to_string();
        Self {
            minted: text(totals.minted),
            paid: text(totals.paid),
            pending: text(totals.pending),
            reserve: text(totals.reserve),
            burned: text(totals.burned),
            conserved: totals.conserved,
        }
    }
}

/// Everything there is to see of a steward's campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StewardView {
    /// Short name of the campaign.
    pub campaign: String,
    /// Length of the sequences.
    pub length: u16,
    /// Generation being worked on.
    pub generation: u64,
    /// Individuals in the population.
    pub population: usize,
    /// Units accepted.
    pub accepted: u64,
    /// Units rejected.
    pub rejected: u64,
    /// Units without a verdict.
    pub inconclusive: u64,
    /// Receipts issued.
    pub receipts: u64,
    /// Best verified result.
    pub best: Option<BestView>,
    /// Value in the bundled table.
    pub published: Option<PublishedView>,
    /// Sums of the ledger.
    pub totals: TotalsView,
    /// Connections.
    pub connection: ConnectionView,
}

pub(crate) fn best_view(length: u16, candidate: &labs::Candidate) -> BestView {
    BestView {
        energy: candidate.energy,
        merit_factor: labs::merit_factor(length, candidate.energy),
        sequence: labs::text(&candidate.sequence),
    }
}

pub(crate) fn published_view(problem: Problem) -> Option<PublishedView> {
    let Problem::Labs(problem) = problem;
    published::labs(problem).map(|published| PublishedView {
        energy: published.energy,
        merit_factor: labs::merit_factor(problem.length, published.energy),
        proven_optimal: published.proven_optimal,
    })
}

pub(crate) fn connection_view(connections: &Connections) -> ConnectionView {
    ConnectionView {
        peers: connections.peers,
        supernode: connections.supernode,
        steward: connections.stewards > 0,
    }
}

impl Observed for Steward {
    type View = StewardView;

    fn view(&self, around: &Around) -> StewardView {
        let Problem::Labs(problem) = self.campaign().problem;
        let counts = self.counts();
        StewardView {
            campaign: self.campaign().name.clone(),
            length: problem.length,
            generation: self.search().generation(),
            population: self.search().population().count(),
            accepted: counts.accepted,
            rejected: counts.rejected,
            inconclusive: counts.inconclusive,
            receipts: counts.receipts,
            best: self
                .best()
                .map(|candidate| best_view(problem.length, candidate)),
            published: published_view(self.campaign().problem),
            totals: self.totals().into(),
            connection: connection_view(&around.connections),
        }
    }
}
