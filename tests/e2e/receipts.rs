//! From the lease to a receipt that is proven offline, and every way in which the proof can fail.

use std::{fs, path::PathBuf};

use omni_core::receipts::Export;
use omni_node::clock;
use omni_types::{NetworkId, NodeId, Outcome, Receipt, Record, Rejection, Signed, UnitId, Verdict};
use serde_json::Value;

use crate::{identities::no_secret_is_written, network::Network, program::until, turn};

/// Program, message and lease of one line in the logs.
type Step = (String, &'static str, Option<String>);

/// One accepted unit whose worker and verifier have their receipts.
struct Story {
    unit: UnitId,
    steps: Vec<Vec<Step>>,
}

fn told(network: &Network) -> Option<Story> {
    let name_of = |node: NodeId| {
        (0..network.nodes.len())
            .map(Network::node_name)
            .find(|name| network.node_id(name) == node)
    };
    let received = |name: &str, unit: UnitId| {
        network
            .log(name)
            .into_iter()
            .any(|entry| match entry.record {
                Record::ReceiptReceived { proof, .. } => {
                    proof.receipt.verify_stored(network.id).unwrap().unit == unit
                }
                _ => false,
            })
    };
    let log = network.log("steward");
    let results: Vec<_> = log
        .iter()
        .filter_map(|entry| match &entry.record {
            Record::ResultReceived(result) => {
                Some(result.clone().verify_stored(network.id).unwrap())
            }
            _ => None,
        })
        .collect();
    log.iter().find_map(|entry| {
        let Record::VerdictReached(verdict) = &entry.record else {
            return None;
        };
        let verdict = verdict.clone().verify_stored(network.id).unwrap();
        let unit = verdict.unit;
        let [worker, verifier] = verdict.votes[..] else {
            return None;
        };
        let lease = |result| {
            let result = results.iter().find(|known| known.id() == result);
            Some(result?.lease.to_string())
        };
        let (work, recheck) = (lease(worker.result)?, lease(verifier.result)?);
        let (worker, verifier) = (name_of(worker.node)?, name_of(verifier.node)?);
        if verdict.outcome != Outcome::Accepted
            || !received(&worker, unit)
            || !received(&verifier, unit)
        {
            return None;
        }
        let steward = || "steward".to_owned();
        let w = || Some(work.clone());
        let r = || Some(recheck.clone());
        let beginning = [
            (steward(), "unit created", None),
            (steward(), "lease issued", w()),
            (worker.clone(), "lease taken", w()),
            (worker.clone(), "run", w()),
            (worker.clone(), "result committed", w()),
            (steward(), "result received", w()),
        ];
        let check = [
            (steward(), "sample drawn", None),
            (steward(), "verifier drawn", None),
            (steward(), "lease issued", r()),
            (verifier.clone(), "lease taken", r()),
            (verifier.clone(), "run", r()),
            (verifier.clone(), "result committed", r()),
            (steward(), "result received", r()),
            (steward(), "verdict", None),
            (steward(), "receipt issued", None),
        ];
        let chain = |tail: &[Step]| [&beginning[..], tail].concat();
        Some(Story {
            unit,
            steps: vec![
                chain(&[(worker.clone(), "result delivered", w())]),
                chain(&[&check[..], &[(worker.clone(), "receipt received", None)]].concat()),
                chain(&[&check[..], &[(verifier.clone(), "receipt received", None)]].concat()),
            ],
        })
    })
}

/// When a step happened, by the JSON log.
fn moment(network: &Network, unit: &str, step: &Step) -> String {
    let (program, message, lease) = step;
    let found = network.json_log(program).into_iter().find(|line| {
        let fields = &line["fields"];
        fields["correlation_id"] == unit
            && fields["message"] == *message
            && lease.as_ref().is_none_or(|lease| fields["lease"] == *lease)
    });
    let line = found.unwrap_or_else(|| panic!("{program} never logged “{message}” for {unit}"));
    line["timestamp"].as_str().unwrap().to_owned()
}

#[test]
fn a_unit_is_followed_from_lease_to_receipt_and_the_receipt_is_proven_offline() {
    let _turn = turn();
    let mut network = Network::with_nodes(3);
    for number in 0..3 {
        network.await_receipts(&Network::node_name(number), 3);
    }

    // While everything runs.
    let list = network.text("node-0", &["receipts", "list", "--json"]);
    let listed: Vec<Value> = list
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(listed.len() >= 3);
    for receipt in &listed {
        assert_eq!(receipt["amount"], "1.000000");
        assert!(["pending", "posted"].contains(&receipt["state"].as_str().unwrap()));
    }
    assert!(
        network
            .text("node-0", &["receipts", "list"])
            .ends_with("receipts")
    );
    until("the status shows receipts", || {
        let (_, status) = network.json("node-0", &["status", "--json"]);
        let view = &status["view"];
        let fine = view["phase"] == "running"
            && view["rewards"]["receipts"].as_str()?.parse::<u64>().ok()? >= 3
            && view["connection"]["steward"] == true
            && status["ended"] == false;
        fine.then_some(())
    });
    let status = network.text("node-0", &["status"]);
    assert!(
        status.contains("Running") && status.contains("labs-37"),
        "{status}"
    );

    let story = until("a unit with both receipts", || told(&network));
    let unit = story.unit.to_string();
    for steps in &story.steps {
        let moments: Vec<(String, &Step)> = steps
            .iter()
            .map(|step| (moment(&network, &unit, step), step))
            .collect();
        assert!(
            moments.is_sorted_by_key(|(at, _)| at.clone()),
            "{moments:#?}"
        );
    }

    // Offline: nothing runs any more.
    network.stop();
    let (_, status) = network.json("node-0", &["status", "--json"]);
    assert_eq!(status["ended"], true);
    let file = network.data("receipts.json");
    let path = file.to_str().unwrap();
    network.text("node-0", &["receipts", "export", "--out", path]);
    let kept = network
        .log("node-0")
        .iter()
        .filter(|entry| matches!(entry.record, Record::ReceiptReceived { .. }))
        .count();
    let id = network.id.to_string();
    let (valid, answer) = network.json(
        "nobody",
        &["receipts", "verify", path, "--network", &id, "--json"],
    );
    assert!(valid, "{answer}");
    assert_eq!(answer["receipts"], kept);
    assert!(
        network
            .text("nobody", &["receipts", "verify", path])
            .starts_with("VALID")
    );

    proofs_fail(&network, &file);
    no_secret_is_written(&network);
}

/// Runs `receipts verify` on other bytes and expects this refusal.
fn refused(network: &Network, bytes: &[u8], more: &[&str], receipt: Option<usize>, code: &str) {
    let file = network.data("changed.json");
    fs::write(&file, bytes).unwrap();
    let mut args = vec!["receipts", "verify", file.to_str().unwrap()];
    args.extend(more);
    let plain = network.run("nobody", &args);
    assert_eq!(plain.status.code(), Some(1), "{code}");
    let text = String::from_utf8(plain.stdout).unwrap();
    assert!(
        text.starts_with("NOT VALID") && text.contains(&format!("[{code}]")),
        "{code}: {text}"
    );
    args.push("--json");
    let (valid, answer) = network.json("nobody", &args);
    assert!(!valid);
    assert_eq!(answer["code"], code);
    assert_eq!(answer["receipt"], receipt.map_or(Value::Null, Value::from));
}

/// Replaces one character after the `nth` occurrence of `mark` by another of the same alphabet.
fn changed(text: &str, mark: &str, nth: usize, further: usize) -> Vec<u8> {
    let (at, _) = text.match_indices(mark).nth(nth).unwrap();
    let mut bytes = text.as_bytes().to_vec();
    let byte = &mut bytes[at + mark.len() + further];
    *byte = if *byte == b'1' { b'2' } else { b'1' };
    bytes
}

fn proofs_fail(network: &Network, file: &PathBuf) {
    let bytes = fs::read(file).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let export = Export::from_bytes(&bytes).unwrap();
    let bytes_of = |change: &dyn Fn(&mut Export)| {
        let mut changed = export.clone();
        change(&mut changed);
        changed.to_bytes().unwrap()
    };

    // One byte, in a signature, in a payload, in the frame.
    let signature = changed(&text, "\"signature\": \"", 1, 20);
    refused(network, &signature, &[], Some(1), "bad-signature");
    let payload = changed(&text, "\"payload\": \"", 1, 400);
    refused(network, &payload, &[], Some(1), "bad-signature");
    let charter = changed(&text, "\"payload\": \"", 0, 100);
    refused(network, &charter, &[], None, "bad-signature");
    let format = text.replacen("omniswarm-receipts-1", "omniswarm-receipts-2", 1);
    refused(network, format.as_bytes(), &[], None, "not-canonical");
    let space = text.replacen("\n  \"network\"", "\n   \"network\"", 1);
    refused(network, space.as_bytes(), &[], None, "not-canonical");
    let frame = text.replacen("\"receipts\"", "\"receiptz\"", 1);
    refused(network, frame.as_bytes(), &[], None, "malformed");
    refused(network, &bytes[..bytes.len() / 2], &[], None, "malformed");

    // Every part of the file: no changed byte passes.
    let one = bytes_of(&|export| export.receipts.truncate(1));
    for place in (0..one.len()).step_by(61) {
        let mut other = one.clone();
        other[place] ^= 1;
        let passes = Export::from_bytes(&other)
            .is_ok_and(|export| export.verify(Some(network.id), clock::now()).is_ok());
        assert!(!passes, "byte {place}");
    }

    // Another network: expected, or in the signed documents.
    let other = NetworkId([7; 32]);
    let wrong = ["--network", &other.to_string()];
    refused(network, &bytes, &wrong, None, "wrong-network");
    let steward = network.keypair("steward");
    let second = export.receipts[1].clone();
    let receipt = second.receipt.clone().verify_stored(network.id).unwrap();
    let verdict = second.verdict.clone().verify_stored(network.id).unwrap();
    let (from, to) = (receipt.issued(), receipt.expires());
    let foreign: Signed<Receipt> = Signed::seal((*receipt).clone(), &steward, other, from, to)
        .unwrap()
        .into_signed();
    let changed = bytes_of(&|export| export.receipts[1].receipt = foreign.clone());
    refused(network, &changed, &[], Some(2), "wrong-network");
    let foreign: Signed<Verdict> = Signed::seal((*verdict).clone(), &steward, other, from, to)
        .unwrap()
        .into_signed();
    let changed = bytes_of(&|export| export.receipts[1].verdict = foreign.clone());
    refused(network, &changed, &[], Some(2), "wrong-network");

    // Signed by somebody who is no steward.
    let volunteer = network.keypair("node-1");
    let forged: Signed<Receipt> =
        Signed::seal((*receipt).clone(), &volunteer, network.id, from, to)
            .unwrap()
            .into_signed();
    let changed = bytes_of(&|export| export.receipts[1].receipt = forged.clone());
    refused(network, &changed, &[], Some(2), "wrong-signer");

    // Too late, too early, twice.
    let late = to.0.to_string();
    refused(network, &bytes, &["--at", &late], Some(1), "expired");
    refused(network, &bytes, &["--at", "1000"], Some(1), "not-yet-valid");
    let changed = bytes_of(&|export| {
        let again = export.receipts[0].clone();
        export.receipts.push(again);
    });
    let place = export.receipts.len() + 1;
    refused(network, &changed, &[], Some(place), "repeated");

    // Evidence of another receipt.
    let changed = bytes_of(&|export| export.receipts[1].lease = export.receipts[0].lease.clone());
    refused(
        network,
        &changed,
        &[],
        Some(2),
        Rejection::MismatchedEvidence.code(),
    );
}
