//! The generation loop: verified outputs enter the population, the next units start from it.
//! Operators after Gallardo, Cotta and Fernandez (2009), "Finding low autocorrelation binary
//! sequences with memetic algorithms": tournament selection of parents, offspring replaces a random
//! member, duplicates refused. Crossover, mutation and local search happen inside the skill.

use std::collections::BTreeSet;

use omni_types::{
    EvolutionParams, Labs, Problem,
    seed::{Draws, splitmix64},
};

use crate::labs::{self, Candidate};

/// Streams of draws that must not overlap.
const STREAM_UNITS: u64 = 1;
const STREAM_GENERATIONS: u64 = 2;

/// What a new unit is to compute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitPlan {
    /// Input of every segment.
    pub input: Vec<u8>,
    /// Seed of the unit.
    pub seed: u64,
    /// Number of segments.
    pub segments: u32,
    /// Generation whose population it starts from.
    pub generation: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    output: Vec<u8>,
    candidate: Candidate,
    canonical: Vec<bool>,
}

/// Population and generation of one campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    problem: Labs,
    params: EvolutionParams,
    members: Vec<Member>,
    generation: u64,
}

impl Search {
    /// A search that has seen nothing yet.
    pub fn new(problem: Problem, params: EvolutionParams) -> Self {
        let Problem::Labs(problem) = problem;
        Self {
            problem,
            params,
            members: Vec::new(),
            generation: 0,
        }
    }

    /// Generation being worked on, from 0.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Outputs of the population, in order.
    pub fn population(&self) -> impl Iterator<Item = &[u8]> {
        self.members.iter().map(|member| member.output.as_slice())
    }

    /// The best verified individual and the output it came in.
    pub fn best(&self) -> Option<(&Candidate, &[u8])> {
        self.members
            .iter()
            .min_by_key(|member| member.candidate.energy)
            .map(|member| (&member.candidate, member.output.as_slice()))
    }

    /// The individual in an output, if it is a well-formed, true claim.
    pub fn candidate(&self, output: &[u8]) -> Option<Candidate> {
        labs::parse_output(self.problem, output).ok()
    }

    /// What the unit with this running number is to compute, from the present population.
    pub fn plan_unit(&self, sequence: u64) -> UnitPlan {
        let stream = splitmix64(self.params.seed, STREAM_UNITS);
        let seed = splitmix64(stream, sequence);
        let mut draws = Draws::new(splitmix64(seed, self.generation));
        let parents: Vec<Vec<bool>> = match self.members.len() {
            0 => Vec::new(),
            1 => self.tournament(&mut draws).into_iter().collect(),
            _ => (0..2).filter_map(|_| self.tournament(&mut draws)).collect(),
        };
        UnitPlan {
            input: labs::input(
                self.problem,
                &parents,
                self.params.evaluations_per_segment,
                self.params.crossover_permille,
            ),
            seed,
            segments: self.params.segments_per_unit,
            generation: self.generation,
        }
    }

    fn tournament(&self, draws: &mut Draws) -> Option<Vec<bool>> {
        let picks = self.params.tournament.max(1);
        (0..picks)
            .filter_map(|_| {
                let index = draws.below(self.members.len() as u64) as usize;
                self.members.get(index)
            })
            .min_by_key(|member| member.candidate.energy)
            .map(|member| member.candidate.sequence.clone())
    }

    /// Whether an output claims to be good enough that it must be re-executed before it counts:
    /// better than half of the population, or anything while the population is not full. Outputs
    /// that are malformed or lie about their energy are claims too.
    pub fn must_recheck(&self, output: &[u8]) -> bool {
        let Ok(candidate) = labs::parse_output(self.problem, output) else {
            return true;
        };
        let better = self
            .members
            .iter()
            .filter(|member| candidate.energy < member.candidate.energy)
            .count();
        self.members.len() < self.params.population as usize || better * 2 > self.members.len()
    }

    /// Whether the skill can have given this output at all: well-formed, for this problem, and with
    /// the energy that it claims. It costs one look, no re-execution.
    pub fn is_plausible(&self, output: &[u8]) -> bool {
        labs::parse_output(self.problem, output).is_ok()
    }

    /// Takes the verified outputs of one generation, in the order given, and starts the next one.
    /// Outputs that are no well-formed, true claims, and duplicates, do not enter.
    pub fn close_generation<'a>(&mut self, verified: impl IntoIterator<Item = &'a [u8]>) {
        let stream = splitmix64(self.params.seed, STREAM_GENERATIONS);
        let mut draws = Draws::new(splitmix64(stream, self.generation));
        let mut known: BTreeSet<Vec<bool>> = self
            .members
            .iter()
            .map(|member| member.canonical.clone())
            .collect();
        for output in verified {
            let Ok(candidate) = labs::parse_output(self.problem, output) else {
                continue;
            };
            let canonical = labs::canonical(&candidate.sequence);
            if known.contains(&canonical) {
                continue;
            }
            let member = Member {
                output: output.to_vec(),
                candidate,
                canonical: canonical.clone(),
            };
            if let Some(replaced) = self.take_in(member, &mut draws) {
                known.remove(&replaced.canonical);
            }
            known.insert(canonical);
        }
        self.generation += 1;
    }

    /// Adds a member, or puts it in the place of a random one that is not the best.
    fn take_in(&mut self, member: Member, draws: &mut Draws) -> Option<Member> {
        if self.members.len() < (self.params.population as usize).max(2) {
            self.members.push(member);
            return None;
        }
        let best = self
            .members
            .iter()
            .enumerate()
            .min_by_key(|(_, other)| other.candidate.energy)
            .map(|(index, _)| index);
        let others = self.members.len() as u64 - 1;
        let mut index = draws.below(others) as usize;
        if best.is_some_and(|best| index >= best) {
            index += 1;
        }
        let place = self.members.get_mut(index)?;
        Some(std::mem::replace(place, member))
    }
}
