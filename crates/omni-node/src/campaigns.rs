//! Campaigns that come with the program.

use std::collections::BTreeMap;

use omni_types::{
    Campaign, CampaignId, EvolutionParams, Labs, Micro, NetworkId, NodeId, Problem, ResourceLimits,
    RewardPolicy, RiskTier, Track, VerificationPolicy,
};
use thiserror::Error;

use crate::catalogue;

/// How long a campaign is valid once signed, milliseconds: a year.
pub const CAMPAIGN_VALID_MS: u64 = 365 * 24 * 3600 * 1000;
/// Shortest and longest sequence that a built-in campaign searches.
pub const LENGTHS: std::ops::RangeInclusive<u16> = 13..=449;

/// Why there is no such campaign.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CampaignError {
    /// Unknown name.
    #[error("There is no campaign called “{0}”. There is: labs.")]
    Unknown(String),
    /// Length out of range.
    #[error("The length must be from 13 to 449, and odd for the skew track.")]
    Length,
}

/// What to search: a built-in campaign with its choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignChoice {
    /// Search space.
    pub track: Track,
    /// Length of the sequences.
    pub length: u16,
    /// Flip evaluations of one segment; chosen by length when `None`.
    pub evaluations: Option<u64>,
    /// Seed of evolution's draws.
    pub seed: u64,
    /// How long a lease is valid, milliseconds.
    pub lease_ms: u64,
    /// How risky the campaign is called.
    pub risk: RiskTier,
    /// Memory that one piece of work may use, mebibytes.
    pub memory_mib: u16,
}

impl Default for CampaignChoice {
    /// What a volunteer's first minute is spent on: long enough to go on improving for hours.
    fn default() -> Self {
        Self {
            track: Track::Skew,
            length: 141,
            evaluations: None,
            seed: 1,
            lease_ms: 120_000,
            risk: RiskTier::Low,
            memory_mib: 32,
        }
    }
}

impl CampaignChoice {
    /// Checks name and length.
    ///
    /// # Errors
    /// [`CampaignError`].
    pub fn labs(name: &str, track: Track, length: u16) -> Result<Self, CampaignError> {
        if name != "labs" {
            return Err(CampaignError::Unknown(name.to_owned()));
        }
        let skew_fits = track == Track::General || length % 2 == 1;
        if !LENGTHS.contains(&length) || !skew_fits {
            return Err(CampaignError::Length);
        }
        Ok(Self {
            track,
            length,
            ..Self::default()
        })
    }

    /// Short name of the campaign, different for every problem.
    pub fn name(&self) -> String {
        match self.track {
            Track::General => format!("labs-{}", self.length),
            Track::Skew => format!("labs-skew-{}", self.length),
        }
    }

    /// The problem.
    pub fn problem(&self) -> Labs {
        Labs {
            track: self.track,
            length: self.length,
        }
    }

    /// Work of one segment: a moment where the optimum is near, so that evolution has its say; most
    /// of a second where it is far.
    fn evaluations(&self) -> u64 {
        let free_bits = match self.track {
            Track::General => self.length,
            Track::Skew => self.length.div_ceil(2),
        };
        self.evaluations.unwrap_or(match free_bits {
            ..=30 => 20_000,
            31..=36 => 200_000,
            37..=45 => 1_000_000,
            46..=54 => 10_000_000,
            _ => 50_000_000,
        })
    }

    /// The campaign document of `steward` on `network`.
    ///
    /// # Errors
    /// [`CampaignError::Unknown`] when the skill does not come with the program.
    pub fn document(&self, network: NetworkId, steward: NodeId) -> Result<Campaign, CampaignError> {
        let skill = catalogue::named("labs")
            .ok_or_else(|| CampaignError::Unknown("labs".to_owned()))?
            .reference();
        let name = self.name();
        let texts =
            |en: String, de: String| BTreeMap::from([("en".to_owned(), en), ("de".to_owned(), de)]);
        Ok(Campaign {
            id: CampaignId::derive(network, steward, &name),
            title: texts(
                format!("Quiet signals of length {}", self.length),
                format!("Leise Signale der Länge {}", self.length),
            ),
            purpose: texts(
                "Radar and radio need sequences of plus and minus that look as little as possible like \
                 shifted copies of themselves. Nobody knows a fast way to find the best ones, so many \
                 computers search for them together."
                    .to_owned(),
                "Radar und Funk brauchen Folgen aus Plus und Minus, die verschobenen Kopien ihrer selbst \
                 so wenig wie möglich ähneln. Niemand kennt einen schnellen Weg zu den besten, darum \
                 suchen viele Computer gemeinsam danach."
                    .to_owned(),
            ),
            name,
            skill,
            problem: Problem::Labs(self.problem()),
            evolution: EvolutionParams {
                population: 100,
                units_per_generation: 6,
                segments_per_unit: 4,
                evaluations_per_segment: self.evaluations(),
                crossover_permille: 900,
                tournament: 2,
                seed: self.seed,
            },
            verification: VerificationPolicy {
                agree: 2,
                ask: 3,
                newcomer_units: 20,
                audit_permille: 50,
                maturity_units: 20,
                lease_ms: self.lease_ms,
                recheck_claim_ms: 10_000,
            },
            reward: RewardPolicy {
                budget: Micro(1_000_000 * Micro::CREDIT.0),
                per_segment: Micro(Micro::CREDIT.0 / 4),
                per_recheck_segment: Micro(Micro::CREDIT.0 / 4),
            },
            limits: ResourceLimits {
                memory_bytes: u64::from(self.memory_mib) << 20,
                output_bytes: 1024,
                segment_wall_ms: 60_000,
            },
            risk: self.risk,
        })
    }
}
