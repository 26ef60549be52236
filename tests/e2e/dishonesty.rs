//! One node of three lies. It earns nothing, evolves nothing, and the others go on.

use std::collections::BTreeSet;

use omni_core::{receipts::Export, steward::SUSPEND_AFTER};
use omni_evolve::labs;
use omni_node::receipts::export;
use omni_types::{
    Labs, Lease, NodeId, Outcome, PostingOutcome, Receipt, ReceiptId, ReceiptProof, Record, Role,
    Signed, Track, UnitId, Verdict, Verified, WorkResult,
};

use crate::{identities::no_secret_is_written, network::Network, program::until, turn};

/// The steward's log, its documents opened.
struct Books {
    records: Vec<Record>,
    results: Vec<Verified<WorkResult>>,
    leases: Vec<Verified<Lease>>,
    verdicts: Vec<Verified<Verdict>>,
}

fn is_implausible(result: &WorkResult) -> bool {
    let problem = Labs {
        track: Track::General,
        length: 37,
    };
    let mut outputs = result.outputs.iter();
    outputs.any(|output| labs::parse_output(problem, &output.output).is_err())
}

impl Books {
    fn read(network: &Network) -> Self {
        let mut books = Self {
            records: Vec::new(),
            results: Vec::new(),
            leases: Vec::new(),
            verdicts: Vec::new(),
        };
        for entry in network.log("steward") {
            match &entry.record {
                Record::ResultReceived(result) => books
                    .results
                    .push(result.clone().verify_stored(network.id).unwrap()),
                Record::LeaseIssued(lease) => books
                    .leases
                    .push(lease.clone().verify_stored(network.id).unwrap()),
                Record::VerdictReached(verdict) => books
                    .verdicts
                    .push(verdict.clone().verify_stored(network.id).unwrap()),
                _ => {}
            }
            books.records.push(entry.record);
        }
        books
    }

    fn result(&self, id: omni_types::Digest) -> &Verified<WorkResult> {
        self.results
            .iter()
            .find(|result| result.id() == id)
            .unwrap()
    }

    /// The value that at least two nodes voted for.
    fn agreed(verdict: &Verdict) -> Option<omni_types::Digest> {
        let votes = verdict.votes.iter();
        votes.map(|vote| vote.value).find(|value| {
            verdict
                .votes
                .iter()
                .filter(|vote| vote.value == *value)
                .count()
                >= 2
        })
    }

    fn contradicts(verdict: &Verdict, node: NodeId) -> bool {
        let agreed = Self::agreed(verdict);
        agreed.is_some()
            && verdict
                .votes
                .iter()
                .any(|vote| vote.node == node && Some(vote.value) != agreed)
    }

    /// Results that the skill cannot have given.
    fn implausible(&self, node: NodeId) -> Vec<&Verified<WorkResult>> {
        self.results
            .iter()
            .filter(|result| result.signer() == node && is_implausible(result))
            .collect()
    }

    fn rejected_work_of(&self, node: NodeId) -> Vec<&Verified<Verdict>> {
        self.verdicts
            .iter()
            .filter(|verdict| verdict.worker == node && verdict.outcome == Outcome::Rejected)
            .collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    /// Well-formed and true of itself, but not what the skill gives.
    Plausible,
    /// Cannot come from the skill, which one look shows.
    Implausible,
}

fn a_liar_earns_nothing(mode: &str, lie: Lie) -> (Network, Books, NodeId) {
    let mut network = Network::start();
    let liar = Network::node_name(network.add_dishonest(mode));
    let honest: Vec<String> = (0..2)
        .map(|_| Network::node_name(network.add_node()))
        .collect();
    // It earns something first, so that there is something to take back.
    network.await_receipts(&liar, 2);
    network.let_lie();
    let liar_id = network.node_id(&liar);
    until("the liar is suspended", || {
        let books = Books::read(&network);
        let contradicted = books
            .verdicts
            .iter()
            .filter(|verdict| Books::contradicts(verdict, liar_id))
            .count();
        let caught = contradicted + books.implausible(liar_id).len();
        (caught >= SUSPEND_AFTER as usize).then_some(())
    });
    if lie == Lie::Plausible {
        // The first lie is about first-hand work; its verdict may come after the suspension.
        until("first-hand work is rejected", || {
            let books = Books::read(&network);
            (!books.rejected_work_of(liar_id).is_empty()).then_some(())
        });
    }
    let closed = |record: &Record| matches!(record, Record::GenerationClosed { .. });
    let generations = Books::read(&network)
        .records
        .iter()
        .filter(|record| closed(record))
        .count();
    let receipts = |name: &String| {
        let log = network.log(name);
        let receipts = log.iter();
        receipts
            .filter(|entry| matches!(entry.record, Record::ReceiptReceived { .. }))
            .count()
    };
    for name in &honest {
        network.await_receipts(name, receipts(name) + 3);
    }
    let more = generations + 1;
    network.await_records("steward", more, "a generation after the lies", closed);
    network.stop();

    let books = Books::read(&network);
    pays_nothing(&network, &books, liar_id);
    evolves_nothing(&network, &books, liar_id);
    match lie {
        Lie::Plausible => assert!(books.implausible(liar_id).is_empty()),
        Lie::Implausible => implausible_is_no_vote(&network, &books, &liar),
    }
    for name in ["steward", liar.as_str(), "node-1", "node-2"] {
        let (valid, answer) = network.json(name, &["ledger", "verify", "--json"]);
        assert!(valid, "{name}: {answer}");
    }
    (network, books, liar_id)
}

fn pays_nothing(network: &Network, books: &Books, liar: NodeId) {
    let account = format!("node:{liar}");
    let balances = network
        .reader("steward")
        .audit(|_, _| Ok::<_, omni_store::Error>(()))
        .unwrap()
        .1;
    let balance = balances.iter().find(|balance| balance.account == account);
    let balance = balance.expect("the liar has an account");
    assert_eq!(balance.credits_posted, 0);
    assert_eq!(balance.debits_posted, 0);

    // With every contradiction all that was pending is taken back, and the lie itself is not paid.
    let mut pending = BTreeSet::<ReceiptId>::new();
    let mut voided = 0;
    let mut at_stake = BTreeSet::new();
    for record in &books.records {
        match record {
            Record::ResultReceived(result) => {
                let result = result.clone().verify_stored(network.id).unwrap();
                if result.signer() == liar && is_implausible(&result) {
                    at_stake.clone_from(&pending);
                }
            }
            Record::VerdictReached(verdict) => {
                assert!(
                    at_stake.is_empty(),
                    "still pending after a lie: {at_stake:?}"
                );
                let verdict = verdict.clone().verify_stored(network.id).unwrap();
                if Books::contradicts(&verdict, liar) {
                    at_stake.clone_from(&pending);
                }
            }
            Record::ReceiptIssued(receipt) => {
                let receipt = receipt.clone().verify_stored(network.id).unwrap();
                if receipt.node == liar {
                    let verdict = books
                        .verdicts
                        .iter()
                        .find(|verdict| verdict.id() == receipt.verdict)
                        .unwrap();
                    assert!(!Books::contradicts(verdict, liar), "a lie was paid");
                    pending.insert(receipt.id);
                }
            }
            Record::PostingIssued(posting) => {
                let posting = posting.clone().verify_stored(network.id).unwrap();
                if posting.node == liar {
                    assert_eq!(posting.outcome, PostingOutcome::Voided);
                    assert!(pending.remove(&posting.receipt));
                    at_stake.remove(&posting.receipt);
                    voided += 1;
                }
            }
            _ => {}
        }
    }
    assert!(
        at_stake.is_empty(),
        "still pending at the end: {at_stake:?}"
    );
    assert!(voided >= 2, "nothing was taken back");
}

/// Each member of each generation comes from outputs that were accepted and re-executed, and no lie
/// is among those.
fn evolves_nothing(network: &Network, books: &Books, liar: NodeId) {
    let mut sound = BTreeSet::<Vec<u8>>::new();
    let mut lies = BTreeSet::<Vec<u8>>::new();
    let mut truths_before = BTreeSet::<Vec<u8>>::new();
    for record in &books.records {
        match record {
            Record::VerdictReached(verdict) => {
                let verdict = verdict.clone().verify_stored(network.id).unwrap();
                for vote in &verdict.votes {
                    let outputs = books
                        .result(vote.result)
                        .outputs
                        .iter()
                        .filter(|output| verdict.sampled.contains(&output.segment))
                        .map(|output| output.output.clone());
                    if Some(vote.value) == Books::agreed(&verdict) {
                        truths_before.extend(outputs.clone());
                    } else if vote.node == liar {
                        lies.extend(outputs.clone());
                    }
                    if verdict.outcome == Outcome::Accepted && vote.node == verdict.worker {
                        sound.extend(outputs);
                    }
                }
            }
            Record::ResultReceived(result) => {
                let result = result.clone().verify_stored(network.id).unwrap();
                if result.signer() == liar && is_implausible(&result) {
                    lies.extend(result.outputs.iter().map(|output| output.output.clone()));
                }
            }
            Record::GenerationClosed { population, .. } => {
                assert!(!population.is_empty());
                for member in population {
                    assert!(sound.contains(&member.output), "nobody verified a member");
                }
            }
            _ => {}
        }
    }
    assert!(!lies.is_empty());
    // A copy is the truth about another piece of work.
    for lie in lies.difference(&truths_before) {
        assert!(!sound.contains(lie), "a lie was accepted");
    }
}

fn implausible_is_no_vote(network: &Network, books: &Books, liar: &str) {
    let refused = books.implausible(network.node_id(liar));
    for result in &refused {
        let votes = books.verdicts.iter().flat_map(|verdict| &verdict.votes);
        assert!(votes.into_iter().all(|vote| vote.result != result.id()));
        let told = network.log(liar).into_iter().any(|entry| {
            let delivered = Record::ResultDelivered {
                lease: result.lease,
                stored: false,
            };
            entry.record == delivered
        });
        assert!(told, "the liar was not told");
    }
}

#[test]
fn wrong_answers_earn_nothing_and_a_bribed_steward_cannot_hide_it() {
    let _turn = turn();
    let (network, books, liar) = a_liar_earns_nothing("wrong", Lie::Plausible);
    no_secret_is_written(&network);

    // A steward that pays a rejected result all the same, with the real evidence.
    let verdict = books.rejected_work_of(liar)[0];
    let unit: UnitId = verdict.unit;
    let result = books.result(verdict.result);
    let lease = books
        .leases
        .iter()
        .find(|lease| lease.id == result.lease)
        .unwrap();
    let receipt = Receipt {
        id: ReceiptId::derive(verdict.campaign, unit, liar),
        campaign: verdict.campaign,
        unit,
        node: liar,
        role: Role::Work,
        result: verdict.result,
        verdict: verdict.id(),
        segments: u32::try_from(lease.segments.len()).unwrap(),
        amount: lease.reward,
    };
    let steward = network.keypair("steward");
    let receipt = Signed::seal(
        receipt,
        &steward,
        network.id,
        verdict.issued(),
        verdict.expires(),
    );
    let proof = ReceiptProof {
        receipt: receipt.unwrap().into_signed(),
        verdict: verdict.signed().clone(),
        lease: lease.signed().clone(),
        result: result.signed().clone(),
        rechecks: verdict.votes[1..]
            .iter()
            .map(|vote| books.result(vote.result).signed().clone())
            .collect(),
    };
    let export = Export {
        receipts: vec![proof],
        ..export(network.id, network.signed_charter(), Vec::new())
    };
    let file = network.data("bribed.json");
    std::fs::write(&file, export.to_bytes().unwrap()).unwrap();
    let args = ["receipts", "verify", file.to_str().unwrap(), "--json"];
    let (valid, answer) = network.json("nobody", &args);
    assert!(!valid);
    assert_eq!(answer["code"], "rejected-result");
    assert_eq!(answer["receipt"], 1);
}

#[test]
fn copied_answers_earn_nothing() {
    let _turn = turn();
    a_liar_earns_nothing("copied", Lie::Plausible);
}

#[test]
fn empty_answers_earn_nothing() {
    let _turn = turn();
    a_liar_earns_nothing("empty", Lie::Implausible);
}

#[test]
fn boasts_earn_nothing() {
    let _turn = turn();
    a_liar_earns_nothing("boastful", Lie::Implausible);
}
