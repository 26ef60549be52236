//! A steward from lease to receipt, with honest nodes and liars.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use omni_core::Machine as _;
use omni_core::steward::{ACTIVE_MS, ANSWER_KEPT_MS, MAX_OPEN_LEASES, SUSPEND_AFTER};
use omni_types::{
    Campaign, CampaignId, Digest, Keypair, Lease, Micro, NodeId, Outcome, Posting, PostingOutcome,
    Receipt, Record, Rejection, ReturnReason, SegmentOutput, Verified, WorkRequest, WorkResponse,
    wire::NoWork,
};
use support::{Desk, Lie, answer, engine, guess, honest, key, lie, outputs};

fn postings(desk: &Desk, node: &Keypair) -> Vec<Posting> {
    let open = |record: &Record| match record {
        Record::PostingIssued(posting) => {
            Some(*posting.clone().verify_stored(desk.network.id).unwrap())
        }
        _ => None,
    };
    desk.records()
        .filter_map(open)
        .filter(|posting| posting.node == node.node_id())
        .collect()
}

fn receipts(desk: &Desk) -> Vec<Receipt> {
    let open = |record: &Record| match record {
        Record::ReceiptIssued(receipt) => {
            Some((*receipt.clone().verify_stored(desk.network.id).unwrap()).clone())
        }
        _ => None,
    };
    desk.records().filter_map(open).collect()
}

fn receipts_of(desk: &Desk, node: &Keypair) -> Vec<Receipt> {
    receipts(desk)
        .into_iter()
        .filter(|receipt| receipt.node == node.node_id())
        .collect()
}

fn give_back(desk: &mut Desk, node: &Keypair, lease: &Lease) {
    let reason = ReturnReason::Stopped;
    let response = desk.send(
        node,
        WorkRequest::Return {
            lease: lease.id,
            reason,
        },
    );
    assert_eq!(response, WorkResponse::Returned(lease.id));
}

#[test]
fn from_lease_to_receipt() {
    let mut desk = Desk::new(|_| {});
    let (worker, verifier) = (key("worker"), key("verifier"));
    let lease = desk.lease(&worker);
    assert_eq!(lease.segments, [0, 1, 2, 3]);
    assert_eq!(lease.reward, Micro(4_000));
    assert_eq!(
        desk.no_work_or_release(&verifier),
        None,
        "nothing to verify yet"
    );
    desk.submit_ok(&worker, &lease, honest(&lease));
    assert!(desk.verdict(&lease).is_none(), "one vote decides nothing");

    let recheck = desk.lease(&verifier);
    assert_eq!(recheck.unit, lease.unit);
    assert_ne!(recheck.id, lease.id);
    assert_eq!(
        (recheck.unit_seed, &recheck.input),
        (lease.unit_seed, &lease.input)
    );
    desk.submit_ok(&verifier, &recheck, honest(&recheck));

    let verdict = desk.verdict(&lease).unwrap();
    assert_eq!(verdict.outcome, Outcome::Accepted);
    assert_eq!(
        verdict.sampled, lease.segments,
        "all of a newcomer's segments are checked"
    );
    let paid: Vec<(NodeId, Micro)> = receipts(&desk)
        .iter()
        .map(|receipt| (receipt.node, receipt.amount))
        .collect();
    assert_eq!(
        paid,
        [
            (worker.node_id(), Micro(4_000)),
            (verifier.node_id(), Micro(2_400))
        ]
    );
    assert_eq!(desk.steward.totals().pending, Micro(6_400));
    assert_eq!(desk.steward.totals().paid, Micro(0));
    assert_eq!(desk.proofs(&worker).len(), 1);
    assert_eq!(desk.proofs(&verifier).len(), 1);
    assert_eq!(desk.proofs(&key("stranger")).len(), 0);
    assert_eq!(desk.steward.counts().receipts, 2);
}

impl Desk {
    /// Asks and gives a lease back at once if there is one; tells why there is none, `None` otherwise.
    fn no_work_or_release(&mut self, node: &Keypair) -> Option<NoWork> {
        match self.ask(node) {
            WorkResponse::NoWork { reason, .. } => Some(reason),
            WorkResponse::Lease(lease) => {
                let lease = lease.verify_stored(self.network.id).unwrap();
                give_back(self, node, &lease);
                None
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_liar_is_contradicted_and_gets_nothing() {
    for kind in [Lie::Guess, Lie::Copy] {
        let mut desk = Desk::new(|campaign| campaign.verification.maturity_units = 1);
        let (liar, a, b) = (key("liar"), key("a"), key("b"));
        // Honest at first, so that there is a pending reward to lose, and answers to copy.
        let mut pool = vec![];
        let first = desk.unit(&liar, honest, &[&a, &b]);
        pool.extend(honest(&first).into_iter().map(|output| output.output));
        assert_eq!(receipts_of(&desk, &liar).len(), 1, "{kind:?}");

        let lease = desk.unit(
            &liar,
            |lease| outputs(lease, |segment| lie(kind, lease, segment, &pool)),
            &[&a, &b],
        );
        let verdict = desk.verdict(&lease).unwrap();
        assert_eq!(verdict.outcome, Outcome::Rejected, "{kind:?}");
        assert_eq!(receipts_of(&desk, &liar).len(), 1, "{kind:?}");
        let of_unit: BTreeSet<NodeId> = receipts(&desk)
            .iter()
            .filter(|receipt| receipt.unit == lease.unit)
            .map(|receipt| receipt.node)
            .collect();
        assert_eq!(
            of_unit,
            BTreeSet::from([a.node_id(), b.node_id()]),
            "the verifiers are paid"
        );
        let resolved = postings(&desk, &liar);
        assert_eq!(resolved.len(), 1);
        assert_eq!(resolved[0].outcome, PostingOutcome::Voided, "{kind:?}");
        assert_eq!(desk.steward.counts().rejected, 1);

        // Nothing of it enters the population.
        let lies: BTreeSet<Vec<u8>> = lease
            .segments
            .iter()
            .map(|segment| lie(kind, &lease, *segment, &pool))
            .collect();
        while desk.steward.search().generation() == 0 {
            desk.unit(&a, honest, &[&b]);
        }
        let unwanted = |output: &[u8]| lies.contains(output) && !pool.contains(&output.to_vec());
        assert!(desk.steward.search().population().next().is_some());
        assert!(
            !desk.steward.search().population().any(unwanted),
            "{kind:?}"
        );
    }
}

#[test]
fn answers_that_cannot_be_are_refused_and_no_votes() {
    for kind in [Lie::Boast, Lie::Empty] {
        let mut desk = Desk::new(|_| {});
        let (idle, idler, worker, verifier) =
            (key("idle"), key("idler"), key("worker"), key("verifier"));
        let paid = desk.unit(&idle, honest, &[&verifier]);
        let refused = WorkResponse::Refused(Rejection::Implausible);
        // As the first answer: the unit goes to another node.
        let lease = desk.lease(&idle);
        let same = |lease: &Lease| outputs(lease, |segment| lie(kind, lease, segment, &[]));
        assert_eq!(desk.submit(&idle, &lease, same(&lease)), refused);
        assert_eq!(
            desk.submit(&idle, &lease, honest(&lease)),
            WorkResponse::Refused(Rejection::ConflictingResult)
        );
        let resolved = postings(&desk, &idle);
        assert_eq!(resolved.len(), 1, "what was pending is lost");
        assert_eq!(resolved[0].outcome, PostingOutcome::Voided);
        let again = desk.lease(&worker);
        assert_eq!(again.unit, lease.unit);
        assert_ne!(again.unit, paid.unit);
        desk.submit_ok(&worker, &again, honest(&again));
        // As a recheck: another verifier is drawn, and two that do nothing do not agree. Nobody else
        // is about by then.
        desk.wait(ACTIVE_MS);
        let recheck = desk.lease(&idler);
        assert_eq!(recheck.unit, lease.unit);
        assert_eq!(desk.submit(&idler, &recheck, same(&recheck)), refused);
        assert!(desk.verdict(&lease).is_none());
        desk.wait(ACTIVE_MS);
        let recheck = desk.lease(&verifier);
        assert_eq!(recheck.unit, lease.unit);
        desk.submit_ok(&verifier, &recheck, honest(&recheck));
        assert_eq!(desk.verdict(&lease).unwrap().outcome, Outcome::Accepted);
        assert!(receipts_of(&desk, &idler).is_empty());
        for _ in 1..SUSPEND_AFTER {
            let lease = desk.lease(&idle);
            desk.submit(&idle, &lease, same(&lease));
        }
        assert_eq!(desk.no_work(&idle), NoWork::Suspended);
        assert_eq!(desk.reopened().no_work(&idle), NoWork::Suspended);
    }
}

#[test]
fn a_false_verifier_costs_the_worker_nothing() {
    let mut desk = Desk::new(|_| {});
    let (worker, liar, other) = (key("worker"), key("liar"), key("other"));
    let lease = desk.work(&worker, honest);
    let recheck = desk.lease(&liar);
    desk.submit_ok(
        &liar,
        &recheck,
        outputs(&recheck, |segment| lie(Lie::Guess, &recheck, segment, &[])),
    );
    assert!(desk.verdict(&lease).is_none(), "one against one");
    let second = desk.lease(&other);
    assert_eq!(second.unit, lease.unit);
    desk.submit_ok(&other, &second, honest(&second));
    assert_eq!(desk.verdict(&lease).unwrap().outcome, Outcome::Accepted);
    let paid: Vec<NodeId> = receipts(&desk).iter().map(|receipt| receipt.node).collect();
    assert_eq!(paid, [worker.node_id(), other.node_id()]);
}

#[test]
fn the_verifier_is_never_the_worker_nor_asked_twice() {
    let mut desk = Desk::new(|campaign| campaign.verification.ask = 3);
    let worker = key("worker");
    let lease = desk.work(&worker, honest);
    // However often the worker asks, it gets other units, up to its limit.
    for _ in 0..MAX_OPEN_LEASES {
        let other = desk.lease(&worker);
        assert_ne!(other.unit, lease.unit);
    }
    assert_eq!(desk.no_work(&worker), NoWork::EnoughOpen);
    let verifier = key("verifier");
    let recheck = desk.lease(&verifier);
    assert_eq!(recheck.unit, lease.unit);
    give_back(&mut desk, &verifier, &recheck);
    let next = desk.lease(&verifier);
    assert_ne!(next.unit, lease.unit, "it had its chance");
    let drawn = desk.records().filter_map(|record| match record {
        Record::VerifierDrawn { unit, node } => Some((*unit, *node)),
        _ => None,
    });
    assert!(
        drawn
            .into_iter()
            .all(|(unit, node)| unit != lease.unit || node != worker.node_id())
    );
}

#[test]
fn a_drawn_verifier_that_does_not_come_is_replaced() {
    let mut desk = Desk::new(|_| {});
    let (worker, slow, quick) = (key("worker"), key("slow"), key("quick"));
    for node in [&slow, &quick] {
        desk.no_work_or_release(node);
    }
    let lease = desk.work(&worker, honest);
    let drawn = |desk: &Desk| {
        let drawn = desk.records().filter_map(|record| match record {
            Record::VerifierDrawn { node, .. } => Some(*node),
            _ => None,
        });
        drawn.last().unwrap()
    };
    let (absent, present) = if drawn(&desk) == slow.node_id() {
        (&slow, &quick)
    } else {
        (&quick, &slow)
    };
    assert_ne!(desk.lease(present).unit, lease.unit);
    // The absent one is not about any more, the other one is.
    for _ in 0..12 {
        desk.wait(3_000);
        if let Some(got) = desk.try_lease(present) {
            if got.unit == lease.unit {
                assert_eq!(drawn(&desk), present.node_id());
                assert_ne!(got.node, absent.node_id());
                return;
            }
            give_back(&mut desk, present, &got);
        }
    }
    panic!("no other verifier was drawn");
}

#[test]
fn a_repeat_changes_nothing_and_another_answer_is_refused() {
    let mut desk = Desk::new(|_| {});
    let (worker, verifier) = (key("worker"), key("verifier"));
    let lease = desk.lease(&worker);
    let result = answer(&desk.network, &worker, &lease, honest(&lease), desk.now);
    let submit = || WorkRequest::Submit(result.signed().clone());
    assert_eq!(
        desk.send(&worker, submit()),
        WorkResponse::Stored(result.id())
    );
    let length = desk.log.len();
    assert_eq!(
        desk.send(&worker, submit()),
        WorkResponse::Stored(result.id())
    );
    assert_eq!(desk.log.len(), length);

    let other = outputs(&lease, |segment| lie(Lie::Guess, &lease, segment, &[]));
    let conflicting = WorkResponse::Refused(Rejection::ConflictingResult);
    assert_eq!(desk.submit(&worker, &lease, other.clone()), conflicting);
    let recheck = desk.lease(&verifier);
    desk.submit_ok(&verifier, &recheck, honest(&recheck));
    assert!(desk.verdict(&lease).is_some());
    let length = desk.log.len();
    assert_eq!(
        desk.send(&worker, submit()),
        WorkResponse::Stored(result.id())
    );
    assert_eq!(desk.submit(&worker, &lease, other), conflicting);
    let mut again = desk.reopened();
    assert_eq!(
        again.send(&worker, submit()),
        WorkResponse::Stored(result.id())
    );
    assert_eq!(again.log.len(), length);

    // Long after, the answer is forgotten; it is refused and still changes nothing.
    desk.wait(ANSWER_KEPT_MS + 1_000_000);
    desk.tick();
    let late = answer(&desk.network, &worker, &lease, honest(&lease), desk.now);
    let late = desk.send(&worker, WorkRequest::Submit(late.into_signed()));
    assert_eq!(late, WorkResponse::Refused(Rejection::UnknownLease));
    assert_eq!(desk.log.len(), length);
}

#[test]
fn only_the_answer_that_was_asked_for_is_taken() {
    let mut desk = Desk::new(|_| {});
    let (worker, thief) = (key("worker"), key("thief"));
    let lease = desk.lease(&worker);
    let good = honest(&lease);
    let refused = |rejection| WorkResponse::Refused(rejection);
    assert_eq!(
        desk.submit(&thief, &lease, good.clone()),
        refused(Rejection::UnknownLease)
    );
    let renamed = Lease {
        id: omni_types::LeaseId([1; 16]),
        ..(*lease).clone()
    };
    assert_eq!(
        desk.submit(&worker, &renamed, good.clone()),
        refused(Rejection::UnknownLease)
    );
    let elsewhere = Lease {
        unit: omni_types::UnitId([1; 16]),
        ..(*lease).clone()
    };
    assert_eq!(
        desk.submit(&worker, &elsewhere, good.clone()),
        refused(Rejection::MismatchedEvidence)
    );
    assert_eq!(
        desk.submit(&worker, &lease, good[..3].to_vec()),
        refused(Rejection::WrongSegments)
    );
    let mut more = good.clone();
    more.push(SegmentOutput {
        segment: 9,
        output: vec![],
    });
    assert_eq!(
        desk.submit(&worker, &lease, more),
        refused(Rejection::WrongSegments)
    );
    let own = answer(&desk.network, &worker, &lease, good.clone(), desk.now);
    let other_engine = omni_types::WorkResult {
        engine: Digest::of(b"another engine"),
        ..(*own).clone()
    };
    let other_engine = omni_types::Signed::seal(
        other_engine,
        &worker,
        desk.network.id,
        desk.now,
        desk.now.plus_ms(1),
    )
    .unwrap();
    let response = desk.send(&worker, WorkRequest::Submit(other_engine.into_signed()));
    assert_eq!(response, refused(Rejection::WrongEngine));
    let foreign = support::Network {
        id: omni_types::NetworkId([3; 32]),
        ..desk.network.clone()
    };
    let foreign = answer(&foreign, &worker, &lease, good.clone(), desk.now);
    let response = desk.send(&worker, WorkRequest::Submit(foreign.into_signed()));
    assert_eq!(response, refused(Rejection::WrongNetwork));
    desk.submit_ok(&worker, &lease, good);

    let ask = WorkRequest::Ask {
        campaign: desk.campaign.id,
        engine: Digest::of(b"another engine"),
    };
    assert_eq!(desk.send(&worker, ask), refused(Rejection::WrongEngine));
    let ask = WorkRequest::Ask {
        campaign: CampaignId([1; 32]),
        engine: engine(),
    };
    assert_eq!(desk.send(&worker, ask), refused(Rejection::UnknownCampaign));
    let other = desk.lease(&worker);
    let stolen = WorkRequest::Return {
        lease: other.id,
        reason: ReturnReason::Stopped,
    };
    let length = desk.log.len();
    assert_eq!(desk.send(&thief, stolen), WorkResponse::Returned(other.id));
    assert_eq!(
        desk.log.len(),
        length,
        "nobody gives back what another one holds"
    );
}

#[test]
fn a_lease_that_ran_out_goes_to_another_node() {
    let mut desk = Desk::new(|_| {});
    let (first, second) = (key("first"), key("second"));
    let lease = desk.lease(&first);
    let (due, why) = desk.steward.poll_timeout().unwrap();
    assert_eq!((due, why), (lease.expires(), "a lease runs out"));
    desk.now = due;
    desk.tick();
    let again = desk.lease(&second);
    assert_eq!(again.unit, lease.unit);
    assert_ne!(again.id, lease.id);
    let late = desk.submit(&first, &lease, honest(&lease));
    assert_eq!(late, WorkResponse::Refused(Rejection::UnknownLease));
    desk.submit_ok(&second, &again, honest(&again));
}

#[test]
fn a_returned_lease_goes_to_another_node_at_once() {
    let mut desk = Desk::new(|_| {});
    let (first, second) = (key("first"), key("second"));
    let lease = desk.lease(&first);
    give_back(&mut desk, &first, &lease);
    let length = desk.log.len();
    give_back(&mut desk, &first, &lease);
    assert_eq!(desk.log.len(), length, "giving back twice is once");
    assert_eq!(desk.lease(&second).unit, lease.unit);
}

#[test]
fn when_all_differ_nobody_is_paid_and_nobody_punished() {
    let mut desk = Desk::new(|campaign| campaign.verification.ask = 3);
    let nodes = [key("a"), key("b"), key("c")];
    let lease = desk.work(&nodes[0], honest);
    for (node, salt) in [(&nodes[1], 1), (&nodes[2], 2)] {
        let recheck = desk.lease(node);
        assert_eq!(recheck.unit, lease.unit);
        desk.submit_ok(node, &recheck, outputs(&recheck, |_| guess(salt)));
    }
    assert_eq!(desk.verdict(&lease).unwrap().outcome, Outcome::Inconclusive);
    assert!(receipts(&desk).is_empty());
    assert_eq!(desk.steward.counts().inconclusive, 1);
    for _ in 0..SUSPEND_AFTER {
        for node in &nodes {
            assert_ne!(desk.no_work_or_release(node), Some(NoWork::Suspended));
        }
    }
}

#[test]
fn a_unit_that_nobody_verifies_ends_inconclusive_and_says_when() {
    let mut desk = Desk::new(|_| {});
    let worker = key("worker");
    let lease = desk.work(&worker, honest);
    let (due, why) = desk.steward.poll_timeout().unwrap();
    assert_eq!(why, "a verdict is overdue");
    desk.now = due;
    desk.tick();
    assert_eq!(desk.verdict(&lease).unwrap().outcome, Outcome::Inconclusive);
}

#[test]
fn a_node_is_suspended_after_the_third_contradiction() {
    let mut desk = Desk::new(|_| {});
    let (liar, a, b) = (key("liar"), key("a"), key("b"));
    for caught in 0..SUSPEND_AFTER {
        assert_ne!(
            desk.no_work_or_release(&liar),
            Some(NoWork::Suspended),
            "{caught}"
        );
        desk.unit(&liar, |lease| outputs(lease, |_| guess(1)), &[&a, &b]);
        assert_eq!(desk.steward.counts().rejected, u64::from(caught) + 1);
    }
    assert_eq!(desk.no_work(&liar), NoWork::Suspended);
    assert_eq!(
        desk.reopened().no_work(&liar),
        NoWork::Suspended,
        "and stays so"
    );
    // It is not drawn either.
    let length = desk.log.len();
    desk.unit(&a, honest, &[&b]);
    let drawn = desk.log[length..].iter().filter(|entry| matches!(entry.record, Record::VerifierDrawn { node, .. } if node == liar.node_id()));
    assert_eq!(drawn.count(), 0);
}

#[test]
fn rewards_are_posted_after_further_accepted_units() {
    let mut desk = Desk::new(|campaign| campaign.verification.maturity_units = 3);
    let (worker, verifier) = (key("worker"), key("verifier"));
    for units in 1u64..=6 {
        desk.unit(&worker, honest, &[&verifier]);
        let posted = postings(&desk, &worker);
        assert!(
            posted
                .iter()
                .all(|posting| posting.outcome == PostingOutcome::Posted)
        );
        assert_eq!(
            posted.len() as u64,
            units.saturating_sub(3),
            "after {units} units"
        );
    }
    let totals = desk.steward.totals();
    let (paid, all) = (Micro(3 * (4_000 + 2_400)), Micro(1_000_000_000));
    // Established nodes have fewer segments rechecked, so verifiers may have earned less.
    assert!(totals.paid <= paid && totals.paid > Micro(3 * 4_000));
    assert_eq!(totals.minted, all);
    // News carry receipts and postings in order, and reading them again gives the same.
    let (items, last) = desk.news(&worker, 0);
    assert_eq!(items.len(), 9);
    assert_eq!(desk.news(&worker, 0), (items.clone(), last));
    assert_eq!(desk.reopened().news(&worker, 0), (items, last));
    assert_eq!(desk.news(&worker, last).0, []);
    assert_eq!(desk.news(&worker, u64::MAX).0, []);
}

#[test]
fn trusted_nodes_are_audited_less_but_never_less_than_the_floor() {
    let mut desk = Desk::new(|campaign| {
        campaign.evolution.segments_per_unit = 16;
        campaign.evolution.population = 4;
        campaign.evolution.units_per_generation = 1;
        campaign.verification.audit_permille = 125;
        campaign.verification.newcomer_units = 2;
    });
    let (worker, verifier) = (key("worker"), key("verifier"));
    let mut sizes = vec![];
    for _ in 0..10 {
        let lease = desk.unit(&worker, honest, &[&verifier]);
        let verdict = desk.verdict(&lease).unwrap();
        assert_eq!(verdict.outcome, Outcome::Accepted);
        sizes.push(verdict.sampled.len());
    }
    assert_eq!(sizes[0], 16, "everything of a newcomer");
    assert!(sizes.iter().all(|size| *size >= 2), "{sizes:?}");
    assert!(*sizes.iter().min().unwrap() < 16, "{sizes:?}");
}

#[test]
fn everything_of_a_newcomer_is_checked_also_when_the_population_is_full() {
    let mut desk = Desk::new(|campaign| {
        campaign.evolution.segments_per_unit = 16;
        campaign.evolution.population = 2;
        campaign.evolution.units_per_generation = 1;
        campaign.verification.audit_permille = 50;
        campaign.verification.newcomer_units = 6;
    });
    let (worker, verifier) = (key("worker"), key("verifier"));
    for unit in 0..6 {
        let lease = desk.unit(&worker, honest, &[&verifier]);
        let verdict = desk.verdict(&lease).unwrap();
        assert_eq!(verdict.sampled.len(), 16, "unit {unit}");
    }
}

#[test]
fn every_claimed_improvement_of_a_trusted_node_is_checked() {
    let mut desk = Desk::new(|campaign| {
        campaign.evolution.segments_per_unit = 16;
        campaign.evolution.population = 8;
        campaign.evolution.units_per_generation = 1;
        campaign.verification.audit_permille = 50;
        campaign.verification.newcomer_units = 0;
    });
    let (worker, verifier) = (key("worker"), key("verifier"));
    let mut beyond_the_floor = 0;
    for _ in 0..6 {
        let search = desk.steward.search().clone();
        let lease = desk.unit(&worker, honest, &[&verifier]);
        let sampled = desk.verdict(&lease).unwrap().sampled;
        for output in honest(&lease) {
            if search.must_recheck(&output.output) {
                assert!(sampled.contains(&output.segment));
                beyond_the_floor += 1;
            }
        }
    }
    assert!(beyond_the_floor > 6, "the floor alone would cover it");
}

#[test]
fn work_ends_when_the_budget_covers_no_further_unit() {
    let mut desk = Desk::new(|campaign| {
        // One unit costs at most 4 x 1,000 and three rechecks 3 x 4 x 600.
        campaign.reward.budget = Micro(30_000);
    });
    let (worker, verifier) = (key("worker"), key("verifier"));
    let mut units = 0;
    while desk
        .try_lease(&worker)
        .map(|lease| give_back(&mut desk, &worker, &lease))
        .is_some()
    {
        desk.unit(&worker, honest, &[&verifier]);
        units += 1;
        assert!(units < 50, "the budget is never spent");
    }
    assert_eq!(desk.no_work(&worker), NoWork::BudgetSpent);
    assert!(units >= 3);
    let totals = desk.steward.totals();
    assert!(totals.conserved);
    assert_eq!(totals.minted, Micro(30_000));
    assert_eq!(desk.reopened().no_work(&verifier), NoWork::BudgetSpent);
}

#[test]
fn the_campaign_ends_at_its_time() {
    let mut desk = Desk::new(|_| {});
    desk.now = desk.campaign.expires();
    assert_eq!(desk.no_work(&key("worker")), NoWork::Finished);
}

#[test]
fn a_campaign_out_of_range_is_not_opened_nor_joined() {
    let network = support::network("test");
    let changes: &[fn(&mut Campaign)] = &[
        |campaign| campaign.name = "Not A Name".to_owned(),
        |campaign| campaign.evolution.population = 1,
        |campaign| campaign.evolution.segments_per_unit = 0,
        |campaign| campaign.evolution.segments_per_unit = 65,
        |campaign| campaign.evolution.units_per_generation = 0,
        |campaign| campaign.evolution.evaluations_per_segment = 0,
        |campaign| campaign.evolution.tournament = u32::MAX,
        |campaign| campaign.evolution.crossover_permille = 1001,
        |campaign| campaign.verification.agree = 1,
        |campaign| campaign.verification.ask = 1,
        |campaign| campaign.verification.audit_permille = 49,
        |campaign| campaign.reward.per_segment = Micro(0),
        |campaign| campaign.reward.budget = Micro(u64::MAX),
        |campaign| campaign.limits.output_bytes = 8193,
        |campaign| {
            campaign.problem = omni_types::Problem::Labs(omni_types::Labs {
                track: omni_types::Track::Skew,
                length: 20,
            })
        },
        |campaign| {
            campaign.limits.output_bytes = 8192;
            campaign.evolution.segments_per_unit = 64;
            campaign.verification.ask = 16;
        },
    ];
    for (index, change) in changes.iter().enumerate() {
        let campaign = support::campaign(&network, change);
        assert!(campaign.check().is_err(), "{index}");
        let config = omni_core::steward::Config {
            keypair: network.steward.clone(),
            network: network.id,
            engine: engine(),
            campaign: campaign.clone(),
        };
        let opened = omni_core::Steward::open(config, vec![], support::START);
        assert!(
            matches!(opened, Err(omni_core::steward::ReplayError::Campaign(_))),
            "{index}"
        );
        let response = WorkResponse::Campaigns(vec![campaign.into_signed()]);
        assert!(
            response
                .verify(network.steward.node_id(), support::START, network.id)
                .is_err(),
            "{index}"
        );
    }
}

#[test]
fn more_than_two_may_have_to_agree() {
    let mut desk = Desk::new(|campaign| {
        campaign.verification.agree = 3;
        campaign.verification.ask = 5;
    });
    let nodes = ["a", "b", "c", "d"].map(key);
    let lease = desk.work(&nodes[0], honest);
    let recheck = desk.lease(&nodes[1]);
    desk.submit_ok(&nodes[1], &recheck, honest(&recheck));
    assert!(desk.verdict(&lease).is_none(), "two of three");
    let recheck = desk.lease(&nodes[2]);
    desk.submit_ok(&nodes[2], &recheck, outputs(&recheck, |_| guess(1)));
    let recheck = desk.lease(&nodes[3]);
    desk.submit_ok(&nodes[3], &recheck, honest(&recheck));
    assert_eq!(desk.verdict(&lease).unwrap().outcome, Outcome::Accepted);
    let stewards = [desk.network.steward.node_id()];
    for node in [&nodes[0], &nodes[1], &nodes[3]] {
        let proof = desk.proofs(node).remove(0);
        let verified =
            omni_core::receipts::verify_proof(&proof, desk.network.id, &stewards, desk.now);
        assert!(verified.is_ok(), "{verified:?}");
    }
}

/// A desk with some history: accepted, rejected and returned work, two generations.
fn busy_desk() -> Desk {
    let mut desk = Desk::new(|campaign| campaign.evolution.units_per_generation = 3);
    let (worker, liar, a, b) = (key("worker"), key("liar"), key("a"), key("b"));
    for round in 0..4 {
        desk.unit(&worker, honest, &[&a, &b]);
        if round == 0 {
            desk.unit(
                &liar,
                |lease| outputs(lease, |segment| lie(Lie::Guess, lease, segment, &[])),
                &[&a, &b],
            );
            let lease = desk.lease(&liar);
            desk.submit(&liar, &lease, outputs(&lease, |_| vec![]));
        }
        let lease = desk.lease(&a);
        give_back(&mut desk, &a, &lease);
        desk.unit(&a, honest, &[&worker, &b]);
        desk.lease(&b);
        desk.wait(1_000);
    }
    assert!(desk.steward.search().generation() >= 2);
    desk
}

#[test]
fn a_replayed_log_gives_the_same_state_and_goes_on() {
    let mut desk = busy_desk();
    let mut again = desk.reopened();
    assert!(
        again.drain().is_empty() && again.log.len() == desk.log.len(),
        "replay writes nothing"
    );
    assert_eq!(again.steward.totals(), desk.steward.totals());
    assert_eq!(again.steward.counts(), desk.steward.counts());
    assert_eq!(again.steward.search(), desk.steward.search());
    assert_eq!(again.steward.poll_timeout(), desk.steward.poll_timeout());
    for name in ["worker", "liar", "a", "b"] {
        assert_eq!(
            again.news(&key(name), 0),
            desk.news(&key(name), 0),
            "{name}"
        );
    }
    for one in [&mut desk, &mut again] {
        one.unit(&key("worker"), honest, &[&key("a"), &key("b")]);
    }
    assert_eq!(again.steward.counts(), desk.steward.counts());
}

#[test]
fn every_prefix_of_the_log_can_be_opened_and_goes_on() {
    let desk = busy_desk();
    for length in 0..=desk.log.len() {
        let mut prefix = Desk::open(
            desk.network.clone(),
            desk.campaign.clone(),
            desk.log[..length].to_vec(),
            desk.now,
        );
        prefix.drain();
        prefix.tick();
        let receipts = prefix.steward.counts().receipts;
        if desk.commits.contains(&length) {
            prefix.unit(&key("worker"), honest, &[&key("c"), &key("d")]);
            assert!(prefix.steward.counts().receipts > receipts, "{length}");
        }
        assert!(prefix.steward.totals().conserved, "{length}");
    }
}

#[test]
fn a_log_that_was_tampered_with_is_named_by_its_record() {
    let desk = busy_desk();
    let foreign = support::network("another");
    let open = |log: Vec<omni_types::Entry>| {
        let config = omni_core::steward::Config {
            keypair: desk.network.steward.clone(),
            network: desk.network.id,
            engine: engine(),
            campaign: desk.campaign.clone(),
        };
        omni_core::Steward::open(config, log, desk.now)
            .err()
            .map(|error| error.to_string())
    };
    assert_eq!(open(desk.log.clone()), None);
    let place = |wanted: fn(&Record) -> bool| {
        desk.log
            .iter()
            .position(|entry| wanted(&entry.record))
            .unwrap()
    };

    // A receipt moved to another place, a receipt twice under another verdict, a foreign record.
    let receipt = place(|record| matches!(record, Record::ReceiptIssued(_)));
    let mut moved = desk.log.clone();
    let entry = moved.remove(receipt);
    moved.insert(2, entry);
    assert!(open(moved).unwrap().starts_with("record 3 "));
    let mut foreign_record = desk.log.clone();
    foreign_record[1].record = Record::Kill { on: true };
    assert!(open(foreign_record).unwrap().starts_with("record 2 "));
    let lease = place(|record| matches!(record, Record::LeaseIssued(_)));
    let mut forged = desk.log.clone();
    let Record::LeaseIssued(signed) = &forged[lease].record else {
        panic!()
    };
    let value: Verified<Lease> = signed.clone().verify_stored(desk.network.id).unwrap();
    let by_another = omni_types::Signed::seal(
        (*value).clone(),
        &key("thief"),
        desk.network.id,
        desk.now,
        desk.now.plus_ms(1),
    )
    .unwrap();
    forged[lease].record = Record::LeaseIssued(by_another.into_signed());
    assert!(
        open(forged)
            .unwrap()
            .contains(&format!("record {}", lease + 1))
    );
    let mut elsewhere = desk.log.clone();
    let other = omni_types::Signed::seal(
        (*value).clone(),
        &desk.network.steward,
        foreign.id,
        desk.now,
        desk.now.plus_ms(1),
    )
    .unwrap();
    elsewhere[lease].record = Record::LeaseIssued(other.into_signed());
    assert!(open(elsewhere).unwrap().contains("another network"));
    let closed = place(|record| matches!(record, Record::GenerationClosed { .. }));
    let mut swapped = desk.log.clone();
    if let Record::GenerationClosed { population, .. } = &mut swapped[closed].record {
        population[0].output[32] ^= 1;
    }
    assert!(
        open(swapped)
            .unwrap()
            .starts_with(&format!("record {} ", closed + 1))
    );
}

#[test]
fn generations_are_closed_with_re_executed_outputs_only() {
    // Small population and large units: most segments of an established node are not audited.
    let mut desk = Desk::new(|campaign| {
        campaign.evolution.population = 4;
        campaign.evolution.segments_per_unit = 16;
        campaign.evolution.units_per_generation = 2;
        campaign.verification.newcomer_units = 1;
    });
    for _ in 0..10 {
        desk.unit(&key("worker"), honest, &[&key("a"), &key("b")]);
    }
    let network = desk.network.id;
    let mut leases = BTreeMap::new();
    let mut verified = BTreeSet::new();
    let (mut closed, mut unaudited) = (0, 0);
    for record in desk.records() {
        match record {
            Record::LeaseIssued(lease) => {
                let lease = lease.clone().verify_stored(network).unwrap();
                leases.entry(lease.unit).or_insert(lease);
            }
            Record::VerdictReached(verdict) => {
                let verdict = verdict.clone().verify_stored(network).unwrap();
                for output in honest(&leases[&verdict.unit]) {
                    if verdict.sampled.contains(&output.segment) {
                        verified.insert(output.output);
                    } else {
                        unaudited += 1;
                    }
                }
            }
            Record::GenerationClosed {
                generation,
                population,
            } => {
                assert_eq!(*generation, closed);
                closed += 1;
                assert!(!population.is_empty());
                let mut outputs = population.iter().map(|output| &output.output);
                assert!(outputs.all(|output| verified.contains(output)));
            }
            _ => {}
        }
    }
    assert_eq!(closed, desk.steward.search().generation());
    assert!(closed >= 4 && unaudited >= 10, "{closed} {unaudited}");
}
