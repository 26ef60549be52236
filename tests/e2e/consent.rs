//! Nothing connects and nothing runs before the volunteer agrees, and then only what is listed.

use std::{fs, time::Duration};

use omni_node::{POLICY_VERSION, clock, profile, status::STATUS_FILE};
use omni_types::{Charter, Record, SignedCharter};
use serde_json::Value;

use crate::{
    network::Network,
    program::{descendants, inet_sockets, until},
    turn,
};

/// How often a node without consent is looked at, for something that it must not do.
const LOOKS: usize = 40;

#[test]
fn without_consent_there_is_no_socket_and_no_work() {
    let _turn = turn();
    let mut network = Network::start();
    network.nodes.push(None);
    network.start_node(0, &[]);
    let node = network.nodes[0].as_ref().unwrap();
    let err = fs::read_to_string(&node.err).unwrap();
    assert!(err.contains("before you agree"), "{err}");
    for _ in 0..LOOKS {
        assert_eq!(inet_sockets(node.pid()), 0, "a socket without consent");
        assert!(
            descendants(node.pid()).is_empty(),
            "a child without consent"
        );
        std::thread::sleep(Duration::from_millis(25));
    }
    assert!(network.log("node-0").is_empty());
    let id = network.node_id("node-0").to_string();
    let met = |network: &Network| {
        network
            .json_log("supernode")
            .iter()
            .any(|line| line["fields"]["peer"] == id)
    };
    assert!(!met(&network));
    assert!(network.nodes[0].take().unwrap().interrupt().success());

    network.start_node(0, &["--agree"]);
    let pid = network.nodes[0].as_ref().unwrap().pid();
    until("a socket", || (inet_sockets(pid) > 0).then_some(()));
    let taken = |record: &Record| matches!(record, Record::LeaseTaken(_));
    network.await_records("node-0", 1, "lease taken", taken);
    assert!(met(&network));
    assert!(network.nodes[0].take().unwrap().interrupt().success());

    // Consent is kept.
    let had = network.log("node-0").len();
    network.start_node(0, &[]);
    until("work goes on", || {
        (network.log("node-0").len() > had + 2).then_some(())
    });
    let consents = network.log("node-0");
    let consents = consents
        .iter()
        .filter(|entry| matches!(entry.record, Record::Consent { .. }));
    assert_eq!(consents.count(), 1);
    network.stop();
}

#[test]
fn a_skill_that_the_charter_does_not_list_is_not_run() {
    let _turn = turn();
    let mut network = Network::start();
    // The same network and steward, but its root has taken the skill from the list.
    let now = clock::now();
    let charter = Charter {
        name: "e2e".to_owned(),
        revision: now.0,
        stewards: vec![network.node_id("steward")],
        supernodes: Vec::new(),
        skills: Vec::new(),
        policy_floor: POLICY_VERSION,
    };
    let root = network.keypair("root");
    let signed = SignedCharter::seal(&charter, &[root], 1, now, now.plus_ms(3_600_000)).unwrap();
    assert_eq!(signed.network(), network.id);
    profile::write_charter(&network.charter, &signed).unwrap();

    network.add_node();
    until("the node says why it does not work", || {
        let status = network.data("node-0").join(STATUS_FILE);
        let status: Value = serde_json::from_slice(&fs::read(status).ok()?).ok()?;
        (status["view"]["idle_reason"] == "skill-not-allowed").then_some(())
    });
    let issued = |record: &Record| matches!(record, Record::LeaseIssued(_));
    let steward = network.log("steward");
    assert!(!steward.iter().any(|entry| issued(&entry.record)));
    network.stop();
    let ran = network.log("node-0").iter().any(|entry| {
        matches!(
            entry.record,
            Record::LeaseTaken(_) | Record::ResultCommitted(_)
        )
    });
    assert!(!ran);
}
