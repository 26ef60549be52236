//! kill -9 at any moment: what was acknowledged is there, nothing is paid twice, work goes on.

use std::collections::BTreeSet;

use omni_types::{LeaseId, ReceiptId, Record};

use crate::{
    network::Network,
    program::{all_gone, descendants, until},
    turn,
};

/// Leases whose result the steward has told the node it stored.
fn acknowledged(network: &Network, name: &str) -> BTreeSet<LeaseId> {
    let log = network.log(name);
    log.iter()
        .filter_map(|entry| match &entry.record {
            Record::ResultDelivered {
                lease,
                stored: true,
            } => Some(*lease),
            _ => None,
        })
        .collect()
}

fn committed(network: &Network, name: &str) -> BTreeSet<LeaseId> {
    let log = network.log(name);
    log.into_iter()
        .filter_map(|entry| match entry.record {
            Record::ResultCommitted(result) => {
                Some(result.verify_stored(network.id).unwrap().lease)
            }
            _ => None,
        })
        .collect()
}

fn stored(network: &Network) -> BTreeSet<LeaseId> {
    let log = network.log("steward");
    log.into_iter()
        .filter_map(|entry| match entry.record {
            Record::ResultReceived(result) => Some(result.verify_stored(network.id).unwrap().lease),
            _ => None,
        })
        .collect()
}

fn receipts(network: &Network, name: &str) -> Vec<ReceiptId> {
    let log = network.log(name);
    log.into_iter()
        .filter_map(|entry| match entry.record {
            Record::ReceiptIssued(receipt) => Some(receipt),
            Record::ReceiptReceived { proof, .. } => Some(proof.receipt),
            _ => None,
        })
        .map(|receipt| receipt.verify_stored(network.id).unwrap().id)
        .collect()
}

fn nothing_is_lost(network: &Network, nodes: usize) {
    for number in 0..nodes {
        let name = Network::node_name(number);
        // First what was acknowledged, then what is stored: the steward may be at work.
        let acknowledged = acknowledged(network, &name);
        let stored = stored(network);
        assert!(
            acknowledged.is_subset(&stored),
            "an acknowledged result is gone"
        );
    }
    for name in ["steward", "node-0", "node-1", "node-2"]
        .iter()
        .take(nodes + 1)
    {
        let all = receipts(network, name);
        let distinct: BTreeSet<ReceiptId> = all.iter().copied().collect();
        assert_eq!(all.len(), distinct.len(), "{name} has a receipt twice");
        let (valid, answer) = network.json(name, &["ledger", "verify", "--json"]);
        assert!(valid, "{name}: {answer}");
    }
}

#[test]
fn a_killed_steward_comes_back_with_everything_it_acknowledged() {
    let _turn = turn();
    let mut network = Network::with_nodes(3);
    for round in 0..2 {
        let before = receipts(&network, "node-0").len();
        network.await_receipts("node-0", before + 2);
        let seen: Vec<_> = (0..3)
            .map(|number| acknowledged(&network, &Network::node_name(number)))
            .collect();
        network.steward.take().unwrap().kill();
        let stored = stored(&network);
        assert!(
            seen.iter()
                .all(|seen| !seen.is_empty() && seen.is_subset(&stored))
        );
        nothing_is_lost(&network, 3);
        let issued = receipts(&network, "steward").len();

        network.start_steward();
        network.await_receipts("steward", issued + 4);
        let (valid, answer) = network.json("steward", &["ledger", "verify", "--json"]);
        assert!(valid, "round {round}: {answer}");
    }
    network.stop();
    nothing_is_lost(&network, 3);
}

#[test]
fn a_killed_node_delivers_what_it_had_committed() {
    let _turn = turn();
    let mut network = Network::with_nodes(3);
    network.await_receipts("node-0", 2);
    // With the steward away, a result that is committed now cannot be delivered.
    network.steward.take().unwrap().kill();
    let undelivered = || {
        let committed = committed(&network, "node-0");
        let acknowledged = acknowledged(&network, "node-0");
        committed
            .difference(&acknowledged)
            .copied()
            .collect::<BTreeSet<_>>()
    };
    let waiting = until("a result that cannot be delivered", || {
        let found = undelivered();
        (!found.is_empty()).then_some(found)
    });
    network.nodes[0].take().unwrap().kill();
    let before = acknowledged(&network, "node-0");
    network.start_steward();
    network.start_node(0, &[]);
    until("the results are delivered", || {
        let now = acknowledged(&network, "node-0");
        (now.is_superset(&before) && now.is_superset(&waiting)).then_some(())
    });

    // And once more in the middle of a run: its children die with it.
    let children = until("a sandbox child", || {
        let found = descendants(network.nodes[0].as_ref().unwrap().pid());
        (!found.is_empty()).then_some(found)
    });
    network.nodes[0].take().unwrap().kill();
    all_gone(&children);
    nothing_is_lost(&network, 3);
    let had = receipts(&network, "node-0").len();
    network.start_node(0, &[]);
    network.await_receipts("node-0", had + 2);
    network.stop();
    nothing_is_lost(&network, 3);
}
