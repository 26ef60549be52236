//! The whole swarm on virtual time, from one seed: the shipped machines, a hostile network,
//! crashes and liars, judged by a model that knows nothing of the machines but their logs.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "simulation_world.rs"]
mod world;

#[path = "../crates/omni-core/tests/support/mod.rs"]
mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use omni_core::receipts::verify_proof;
use omni_evolve::labs::parse_output;
use omni_types::{
    Digest, Lease, LeaseId, LogHead, Micro, NodeId, Outcome, PostingOutcome, ReceiptId, Record,
    UnitId, Verdict, Verified, WorkResult,
};
use support::{LIES, Lie, honest};
use world::{Faults, World};

/// What the logs of a swarm come to, worked out from the records alone.
#[derive(Default)]
struct Model {
    receipts: BTreeMap<ReceiptId, (NodeId, Micro)>,
    postings: BTreeMap<ReceiptId, PostingOutcome>,
    verdicts: Vec<Verified<Verdict>>,
    /// Results that cannot be, by their makers.
    refused: Vec<NodeId>,
    leases: BTreeMap<LeaseId, Verified<Lease>>,
    results: BTreeMap<LeaseId, Verified<WorkResult>>,
    generations: u64,
}

impl Model {
    /// Reads the steward's log and checks what must hold in it, whatever happened.
    fn of(world: &World) -> Self {
        let network = world.network.id;
        let mut model = Self::default();
        let mut true_outputs: BTreeSet<Vec<u8>> = BTreeSet::new();
        let mut units: BTreeMap<UnitId, Verified<Verdict>> = BTreeMap::new();
        for entry in world.disk.read() {
            match entry.record {
                Record::LeaseIssued(lease) => {
                    let lease = lease.verify_stored(network).unwrap();
                    assert!(
                        model.leases.insert(lease.id, lease).is_none(),
                        "a lease twice"
                    );
                }
                Record::ResultReceived(result) => {
                    let result = result.verify_stored(network).unwrap();
                    let lease = &model.leases[&result.lease];
                    assert_eq!(lease.node, result.signer(), "an answer from somebody else");
                    let outputs = result.outputs.iter().map(|output| &output.output);
                    let mut claims = outputs.map(|output| parse_output(support::PROBLEM, output));
                    if claims.any(|claim| claim.is_err()) {
                        model.refused.push(result.signer());
                    }
                    assert!(
                        model.results.insert(result.lease, result).is_none(),
                        "an answer twice"
                    );
                }
                Record::VerdictReached(verdict) => {
                    let verdict = verdict.verify_stored(network).unwrap();
                    let mut by_value: BTreeMap<Digest, BTreeSet<NodeId>> = BTreeMap::new();
                    for vote in &verdict.votes {
                        by_value.entry(vote.value).or_default().insert(vote.node);
                    }
                    let own = &by_value[&verdict.votes[0].value];
                    match verdict.outcome {
                        Outcome::Accepted => assert!(own.len() >= 2, "accepted by one alone"),
                        Outcome::Rejected => {
                            assert_eq!(own.len(), 1, "rejected though others agreed")
                        }
                        Outcome::Inconclusive => {
                            assert!(by_value.values().all(|nodes| nodes.len() < 2))
                        }
                    }
                    if verdict.outcome == Outcome::Accepted {
                        // The model does the work again itself.
                        let result = model
                            .results
                            .values()
                            .find(|result| result.id() == verdict.result)
                            .unwrap();
                        let right = honest(&model.leases[&result.lease]);
                        for segment in &verdict.sampled {
                            let at = |outputs: &[omni_types::SegmentOutput]| {
                                outputs
                                    .iter()
                                    .find(|output| output.segment == *segment)
                                    .cloned()
                                    .unwrap()
                            };
                            assert_eq!(at(&result.outputs), at(&right), "accepted, and wrong");
                            true_outputs.insert(at(&right).output);
                        }
                    }
                    assert!(
                        units.insert(verdict.unit, verdict.clone()).is_none(),
                        "judged twice"
                    );
                    model.verdicts.push(verdict);
                }
                Record::ReceiptIssued(receipt) => {
                    let receipt = receipt.verify_stored(network).unwrap();
                    let verdict = &units[&receipt.unit];
                    let value_of = |node: NodeId| {
                        verdict
                            .votes
                            .iter()
                            .find(|vote| vote.node == node)
                            .map(|vote| vote.value)
                    };
                    let agreeing = verdict
                        .votes
                        .iter()
                        .filter(|vote| Some(vote.value) == value_of(receipt.node))
                        .count();
                    assert!(agreeing >= 2, "paid for a vote that nobody shares");
                    let paid = (receipt.node, receipt.amount);
                    assert!(
                        model.receipts.insert(receipt.id, paid).is_none(),
                        "a receipt twice"
                    );
                }
                Record::PostingIssued(posting) => {
                    let posting = posting.verify_stored(network).unwrap();
                    assert_eq!(model.receipts[&posting.receipt].0, posting.node);
                    assert!(
                        model
                            .postings
                            .insert(posting.receipt, posting.outcome)
                            .is_none(),
                        "resolved twice"
                    );
                }
                Record::GenerationClosed {
                    generation,
                    population,
                } => {
                    assert_eq!(generation, model.generations);
                    model.generations += 1;
                    let only_true = population
                        .iter()
                        .all(|output| true_outputs.contains(&output.output));
                    assert!(only_true, "the population holds what nobody else found");
                }
                _ => {}
            }
        }
        model
    }

    fn sum(&self, wanted: Option<PostingOutcome>, of: impl Fn(NodeId) -> bool) -> u64 {
        let counts = self
            .receipts
            .iter()
            .filter(|(id, (node, _))| self.postings.get(id).copied() == wanted && of(*node));
        counts.map(|(_, (_, amount))| amount.0).sum()
    }

    /// Checks the machines and the other logs against the steward's log.
    fn check(&self, world: &World) {
        let network = world.network.id;
        let stewards = [world.network.steward.node_id()];
        let steward = world.open_steward();
        let totals = steward.totals();
        let minted = world.campaign.reward.budget.0;
        let (paid, pending) = (
            self.sum(Some(PostingOutcome::Posted), |_| true),
            self.sum(None, |_| true),
        );
        assert_eq!(
            (totals.minted.0, totals.paid.0, totals.pending.0),
            (minted, paid, pending)
        );
        assert_eq!(totals.reserve.0, minted - paid - pending);
        assert!(totals.conserved);
        assert_eq!(steward.counts().receipts, self.receipts.len() as u64);
        assert_eq!(steward.search().generation(), self.generations);
        if let Some(running) = &world.steward {
            // What runs and what the log says are one.
            assert_eq!(running.totals(), totals);
            assert_eq!(running.counts(), steward.counts());
            assert_eq!(running.search(), steward.search());
        }
        for (lease, result) in &world.acknowledged {
            let stored = self.results.get(lease).map(Verified::id);
            assert_eq!(stored, Some(*result), "acknowledged and lost");
        }
        for (index, node) in world.nodes.iter().enumerate() {
            let me = node.keypair.node_id();
            let mut seen = BTreeSet::new();
            let (mut pending, mut posted, mut voided) = (0, 0, 0);
            for entry in node.disk.read() {
                match entry.record {
                    Record::ReceiptReceived { proof, .. } => {
                        let receipt = verify_proof(&proof, network, &stewards, world.now).unwrap();
                        assert!(seen.insert(receipt.id), "node {index} has a receipt twice");
                        assert_eq!(self.receipts.get(&receipt.id), Some(&(me, receipt.amount)));
                        pending += receipt.amount.0;
                    }
                    Record::PostingReceived { posting, .. } => {
                        let posting = posting.verify_stored(network).unwrap();
                        assert_eq!(self.postings.get(&posting.receipt), Some(&posting.outcome));
                        let amount = self.receipts[&posting.receipt].1.0;
                        pending -= amount;
                        match posting.outcome {
                            PostingOutcome::Posted => posted += amount,
                            PostingOutcome::Voided => voided += amount,
                        }
                    }
                    Record::ResultDelivered {
                        lease,
                        stored: true,
                    } => {
                        assert!(self.results.contains_key(&lease), "delivered and lost");
                    }
                    _ => {}
                }
            }
            if let Some(machine) = &node.machine {
                let rewards = machine.rewards();
                assert_eq!(
                    (rewards.pending.0, rewards.posted.0, rewards.voided.0),
                    (pending, posted, voided)
                );
            }
            if node.lie.is_some() {
                assert_eq!(
                    self.sum(Some(PostingOutcome::Posted), |other| other == me),
                    0,
                    "a liar is paid"
                );
            }
        }
    }
}

/// Runs a world and says which seed it was when something fails.
fn simulate(
    seed: u64,
    honest: usize,
    liars: &[Lie],
    faults: Faults,
    seconds: u64,
) -> (World, Model) {
    let run = || {
        let mut world = World::new(seed, honest, liars, faults, |_| {});
        world.run(seconds * 1000);
        let model = Model::of(&world);
        model.check(&world);
        println!(
            "seed {seed}: {} records, {} receipts, {} postings, {} verdicts, {} lies found, {} generations, {} crashes",
            world.disk.head.count,
            model.receipts.len(),
            model.postings.len(),
            model.verdicts.len(),
            rejected(&model),
            model.generations,
            world.steward_crashes + world.nodes.iter().map(|node| node.crashes).sum::<u32>(),
        );
        (world, model)
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(done) => done,
        Err(failure) => {
            eprintln!("failing seed: {seed} ({honest} honest, liars {liars:?}, {faults:?})");
            resume_unwind(failure)
        }
    }
}

/// Results that were contradicted or refused.
fn rejected(model: &Model) -> usize {
    let contradicted = model
        .verdicts
        .iter()
        .filter(|verdict| verdict.outcome == Outcome::Rejected);
    contradicted.count() + model.refused.len()
}

#[test]
fn a_quiet_swarm_works() {
    let (world, model) = simulate(1, 20, &[], Faults::NONE, 60);
    assert!(
        model.receipts.len() >= 200,
        "{} receipts",
        model.receipts.len()
    );
    assert!(model.generations >= 10, "{} generations", model.generations);
    assert_eq!(rejected(&model), 0, "an honest node was contradicted");
    assert!(
        world
            .nodes
            .iter()
            .all(|node| node.machine.as_ref().unwrap().rewards().receipts > 0)
    );
}

#[test]
fn work_goes_on_through_loss_crashes_and_one_liar() {
    for seed in 10..13 {
        let liar = LIES[seed as usize % LIES.len()];
        let (world, model) = simulate(seed, 20, &[liar], Faults::MANY, 90);
        let crashes: u32 = world.nodes.iter().map(|node| node.crashes).sum();
        assert!(crashes >= 10, "seed {seed}: {crashes} crashes");
        assert!(
            world.steward_crashes >= 2,
            "seed {seed}: {} crashes",
            world.steward_crashes
        );
        assert!(
            model.receipts.len() >= 60,
            "seed {seed}: {} receipts",
            model.receipts.len()
        );
        assert!(
            model.generations >= 2,
            "seed {seed}: {} generations",
            model.generations
        );
        assert!(
            rejected(&model) >= 1,
            "seed {seed}: the liar was never caught"
        );
    }
}

#[test]
fn liars_of_every_kind_earn_nothing() {
    // Seven of twenty: idle ones agree with each other, if anybody lets them.
    let liars = [LIES.as_slice(), &[Lie::Empty, Lie::Empty, Lie::Boast]].concat();
    let (world, model) = simulate(20, 13, &liars, Faults::MANY, 120);
    assert!(rejected(&model) >= liars.len());
    for node in world.nodes.iter().filter(|node| node.lie.is_some()) {
        let me = node.keypair.node_id();
        let own = model
            .receipts
            .values()
            .filter(|(owner, _)| *owner == me)
            .count();
        assert_eq!(own, 0, "{:?} got a receipt", node.lie);
    }
    assert!(model.receipts.len() >= 60);
}

#[test]
fn one_seed_is_one_history() {
    let head = |seed| -> LogHead {
        simulate(seed, 20, &[Lie::Guess], Faults::MANY, 30)
            .0
            .disk
            .head
    };
    let first = head(30);
    assert_eq!(first, head(30));
    assert_ne!(first, head(31));
    assert!(first.count > 50);
}
