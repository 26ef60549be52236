//! Campaigns: one research problem each, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Rejection,
    cid::Cid,
    id::CampaignId,
    signed::Domain,
    text::{TextLimit, screen},
    unit::Micro,
    wire::MAX_RESPONSE_BYTES,
    work::{MAX_INPUT_BYTES, MAX_OUTPUT_BYTES, MAX_SEGMENTS, MAX_VOTES},
};

/// Longest name of a campaign, bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// Most languages of a title or purpose.
pub const MAX_LANGUAGES: usize = 64;
/// Longest title or purpose in one language, bytes.
pub const MAX_TEXT_BYTES: usize = 4096;

/// How risky an action is for the volunteer's computer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RiskTier {
    /// Allowed once the volunteer agreed to take part.
    Low,
    /// Needs a confirmation of its own, each time or for a scope the volunteer chose.
    Medium,
    /// Has no permit in this version.
    High,
}

/// The three kinds of skill. All are read-only: bytes in, bytes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkillKind {
    /// Calculates.
    Compute,
    /// Finds documents for a query.
    Search,
    /// Shortens a text.
    Summarize,
}

/// A skill by name and content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillRef {
    /// Name in the catalogue, for people.
    pub name: String,
    /// Kind of skill.
    pub kind: SkillKind,
    /// The module; this is what decides.
    pub cid: Cid,
}

/// Search space of low-autocorrelation binary sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Track {
    /// All sequences.
    General,
    /// Skew-symmetric sequences of odd length.
    Skew,
}

/// Low-autocorrelation binary sequences of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Labs {
    /// Search space.
    pub track: Track,
    /// Number of elements, 3 ..= 449.
    pub length: u16,
}

/// The research problem of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Problem {
    /// Low-autocorrelation binary sequences.
    Labs(Labs),
}

/// Parameters of the evolutionary search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvolutionParams {
    /// Individuals kept, 2 ..= 10,000.
    pub population: u32,
    /// Accepted units that make one generation, 1 ..= 10,000.
    pub units_per_generation: u32,
    /// Segments in one unit, 1 ..= 64.
    pub segments_per_unit: u32,
    /// Work bound of one segment, in the problem's own evaluations.
    pub evaluations_per_segment: u64,
    /// Chance of crossover, thousandths.
    pub crossover_permille: u16,
    /// Individuals compared in one tournament, 1 ..= 100.
    pub tournament: u32,
    /// Seed of every draw that evolution makes.
    pub seed: u64,
}

/// How results are verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerificationPolicy {
    /// Distinct nodes that must agree on the sampled segments, worker included: 2 ..= 16.
    pub agree: u8,
    /// Distinct nodes asked at most, worker included.
    pub ask: u8,
    /// Accepted units before a node is no longer a newcomer; all segments of a newcomer are checked.
    pub newcomer_units: u32,
    /// Share of segments that are always audited, thousandths, 50 ..= 1000. At least one is.
    pub audit_permille: u16,
    /// Further accepted units of a node before its pending reward is posted.
    pub maturity_units: u32,
    /// How long a node has for a lease, milliseconds.
    pub lease_ms: u64,
    /// How long a drawn verifier has to take a recheck before another one is drawn, milliseconds.
    pub recheck_claim_ms: u64,
}

/// What verified work earns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewardPolicy {
    /// Budget of the campaign.
    pub budget: Micro,
    /// For each segment of an accepted unit.
    pub per_segment: Micro,
    /// For each segment re-executed in agreement with the verdict.
    pub per_recheck_segment: Micro,
}

/// What a skill may use while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceLimits {
    /// Linear memory, bytes.
    pub memory_bytes: u64,
    /// Output of one segment, bytes.
    pub output_bytes: u32,
    /// Wall-clock time of one segment, milliseconds; a local time-out is no result and no vote.
    pub segment_wall_ms: u32,
}

/// One research problem, signed by its steward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// Identity, derived from network, steward and name.
    pub id: CampaignId,
    /// Short name: lower-case letters, digits, hyphens.
    pub name: String,
    /// Plain-language title by language code (`en`, `de`).
    pub title: BTreeMap<String, String>,
    /// Plain-language purpose by language code.
    pub purpose: BTreeMap<String, String>,
    /// The skill that runs.
    pub skill: SkillRef,
    /// The problem.
    pub problem: Problem,
    /// How it is searched.
    pub evolution: EvolutionParams,
    /// How results are verified.
    pub verification: VerificationPolicy,
    /// What is paid.
    pub reward: RewardPolicy,
    /// What the skill may use.
    pub limits: ResourceLimits,
    /// How risky it is.
    pub risk: RiskTier,
}

impl Domain for Campaign {
    const DOMAIN: &'static str = "omniswarm/1/campaign";
}

impl Campaign {
    /// Checks that every number and text is in its range, and that the evidence of one receipt is
    /// small enough to be sent.
    ///
    /// # Errors
    /// [`Rejection::Malformed`], [`Rejection::UnfitText`] for a title or purpose that does not pass
    /// [`screen`], or [`Rejection::TooLarge`] for evidence that would not fit.
    pub fn check(&self) -> Result<(), Rejection> {
        let Self {
            evolution,
            verification,
            reward,
            limits,
            ..
        } = self;
        let name = self.name.as_bytes();
        let letter =
            |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        let texts = |texts: &BTreeMap<String, String>| {
            texts.len() <= MAX_LANGUAGES
                && texts.iter().all(|(language, text)| {
                    language.len() <= MAX_NAME_BYTES && text.len() <= MAX_TEXT_BYTES
                })
        };
        let Problem::Labs(labs) = self.problem;
        let length = match labs.track {
            Track::General => (3..=449).contains(&labs.length),
            Track::Skew => (5..=449).contains(&labs.length) && labs.length % 2 == 1,
        };
        let in_range = (1..=MAX_NAME_BYTES).contains(&name.len())
            && name.iter().all(letter)
            && texts(&self.title)
            && texts(&self.purpose)
            && length
            && (2..=10_000).contains(&evolution.population)
            && (1..=10_000).contains(&evolution.units_per_generation)
            && (1..=MAX_SEGMENTS as u32).contains(&evolution.segments_per_unit)
            && (1..=1 << 40).contains(&evolution.evaluations_per_segment)
            && evolution.crossover_permille <= 1000
            && (1..=100).contains(&evolution.tournament)
            && verification.agree >= 2
            && (verification.agree..=MAX_VOTES as u8).contains(&verification.ask)
            && (50..=1000).contains(&verification.audit_permille)
            && verification.lease_ms > 0
            && verification.recheck_claim_ms > 0
            && reward.per_segment > Micro::ZERO
            && reward.per_recheck_segment > Micro::ZERO
            && reward.budget > Micro::ZERO
            && reward.budget <= Micro::MAX
            && (1..=MAX_OUTPUT_BYTES as u32).contains(&limits.output_bytes)
            && limits.segment_wall_ms > 0;
        if !in_range {
            return Err(Rejection::Malformed);
        }
        let fit = |texts: &BTreeMap<String, String>, limit| {
            texts.iter().all(|(language, text)| {
                language.bytes().all(|byte| byte.is_ascii_graphic()) && screen(text, limit).is_ok()
            })
        };
        if !fit(&self.title, TextLimit::TITLE) || !fit(&self.purpose, TextLimit::PURPOSE) {
            return Err(Rejection::UnfitText);
        }
        let segment = u64::from(limits.output_bytes) + 64;
        let ballot = u64::from(evolution.segments_per_unit) * segment;
        let evidence = u64::from(verification.ask) * ballot + MAX_INPUT_BYTES as u64;
        if evidence > MAX_RESPONSE_BYTES as u64 / 2 {
            return Err(Rejection::TooLarge);
        }
        Ok(())
    }
}

/// Where a campaign stands; signed by its steward, for people to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignStatus {
    /// The campaign.
    pub campaign: CampaignId,
    /// Generation that is being worked on, from 0.
    pub generation: u64,
    /// Units accepted so far.
    pub units_accepted: u64,
    /// Units rejected so far.
    pub units_rejected: u64,
    /// Output bytes of the best verified segment, in the skill's output format.
    #[serde(with = "serde_bytes")]
    pub best_output: Vec<u8>,
}

impl Domain for CampaignStatus {
    const DOMAIN: &'static str = "omniswarm/1/campaign-status";
}
