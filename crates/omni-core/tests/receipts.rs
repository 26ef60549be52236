//! Receipts of a real little network, proven offline, and every way to corrupt them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use omni_core::receipts::{EXPORT_FORMAT, Export, ExportError, verify_proof};
use omni_types::{
    Digest, Domain, Keypair, Micro, NetworkId, NodeId, Outcome, ReceiptId, ReceiptProof, Rejection,
    Role, Signed, Timestamp, UnitId, Verified, seed::Draws, work::MAX_VOTES,
};
use support::{Desk, Lie, Network, START, honest, key, lie, outputs};

struct Scene {
    network: Network,
    now: Timestamp,
    /// Worker's and verifier's receipt of an accepted unit.
    work: ReceiptProof,
    recheck: ReceiptProof,
    /// Worker's receipt of another accepted unit.
    other: ReceiptProof,
    /// A verifier's receipt of a unit whose worker was contradicted.
    rejected: ReceiptProof,
}

fn scene() -> Scene {
    let mut desk = Desk::new(|campaign| {
        campaign.evolution.population = 2;
        campaign.evolution.units_per_generation = 1;
        campaign.evolution.segments_per_unit = 8;
        campaign.verification.newcomer_units = 1;
    });
    let (worker, liar, a, b) = (key("worker"), key("liar"), key("a"), key("b"));
    for _ in 0..6 {
        desk.unit(&worker, honest, &[&a, &b]);
    }
    let lease = desk.unit(
        &liar,
        |lease| outputs(lease, |segment| lie(Lie::Guess, lease, segment, &[])),
        &[&a, &b],
    );
    // A unit of which only a part was drawn, so that the draw can be cheated.
    let mut of_worker = desk.proofs(&worker);
    let partial = of_worker
        .iter()
        .position(|proof| {
            let verdict = proof
                .verdict
                .clone()
                .verify_stored(desk.network.id)
                .unwrap();
            verdict.sampled.len() < 6 && verdict.worker == worker.node_id()
        })
        .expect("no unit was audited in part");
    let work = of_worker.remove(partial);
    let recheck = [&a, &b]
        .into_iter()
        .flat_map(|node| desk.proofs(node))
        .find(|proof| proof.verdict == work.verdict)
        .unwrap();
    let rejected = desk.proofs(&a).into_iter().find(|proof| {
        proof
            .lease
            .clone()
            .verify_stored(desk.network.id)
            .unwrap()
            .unit
            == lease.unit
    });
    let (network, now, other) = (desk.network.clone(), desk.now, of_worker.remove(0));
    Scene {
        network,
        now,
        work,
        recheck,
        other,
        rejected: rejected.unwrap(),
    }
}

impl Scene {
    fn check(&self, proof: &ReceiptProof) -> Result<(), Rejection> {
        let stewards = [self.network.steward.node_id()];
        verify_proof(proof, self.network.id, &stewards, self.now).map(|_| ())
    }

    /// The document changed and signed again by `signer`.
    fn resigned<T: Domain + Clone>(
        &self,
        signed: &Signed<T>,
        signer: &Keypair,
        change: impl FnOnce(&mut T),
    ) -> Verified<T> {
        let old = signed.clone().verify_stored(self.network.id).unwrap();
        let mut value = (*old).clone();
        change(&mut value);
        Signed::seal(value, signer, self.network.id, old.issued(), old.expires()).unwrap()
    }

    /// The proof with another verdict of the steward, and the receipt made to fit it.
    fn with_verdict(
        &self,
        proof: &ReceiptProof,
        change: impl FnOnce(&mut omni_types::Verdict),
    ) -> ReceiptProof {
        let verdict = self.resigned(&proof.verdict, &self.network.steward, change);
        let receipt = self.resigned(&proof.receipt, &self.network.steward, |receipt| {
            receipt.verdict = verdict.id()
        });
        ReceiptProof {
            verdict: verdict.into_signed(),
            receipt: receipt.into_signed(),
            ..proof.clone()
        }
    }

    fn with_receipt(
        &self,
        proof: &ReceiptProof,
        change: impl FnOnce(&mut omni_types::Receipt),
    ) -> ReceiptProof {
        let receipt = self.resigned(&proof.receipt, &self.network.steward, change);
        ReceiptProof {
            receipt: receipt.into_signed(),
            ..proof.clone()
        }
    }

    fn with_lease(
        &self,
        proof: &ReceiptProof,
        change: impl FnOnce(&mut omni_types::Lease),
    ) -> ReceiptProof {
        let lease = self.resigned(&proof.lease, &self.network.steward, change);
        ReceiptProof {
            lease: lease.into_signed(),
            ..proof.clone()
        }
    }

    fn export(&self, receipts: Vec<ReceiptProof>) -> Export {
        Export {
            format: EXPORT_FORMAT.to_owned(),
            network: self.network.id,
            charter: self.network.charter.clone(),
            receipts,
        }
    }
}

#[test]
fn receipts_as_issued_hold() {
    let scene = scene();
    for proof in [&scene.work, &scene.recheck, &scene.other, &scene.rejected] {
        assert_eq!(scene.check(proof), Ok(()));
    }
    let open = |proof: &ReceiptProof| {
        proof
            .receipt
            .clone()
            .verify_stored(scene.network.id)
            .unwrap()
    };
    assert_eq!(open(&scene.work).role, Role::Work);
    assert_eq!(open(&scene.recheck).role, Role::Recheck);
    let verdict = scene
        .rejected
        .verdict
        .clone()
        .verify_stored(scene.network.id)
        .unwrap();
    assert_eq!(verdict.outcome, Outcome::Rejected);
}

#[test]
fn who_signed_when_and_for_which_network_is_checked() {
    let scene = scene();
    let steward = [scene.network.steward.node_id()];
    let check =
        |network, stewards: &[NodeId], now| verify_proof(&scene.work, network, stewards, now).err();
    let expires = scene
        .work
        .receipt
        .clone()
        .verify_stored(scene.network.id)
        .unwrap()
        .expires();
    assert_eq!(
        check(scene.network.id, &steward, expires),
        Some(Rejection::Expired)
    );
    assert_eq!(check(scene.network.id, &steward, START.plus_ms(0)), None);
    assert_eq!(
        check(scene.network.id, &steward, Timestamp(1)),
        Some(Rejection::NotYetValid)
    );
    assert_eq!(
        check(NetworkId([1; 32]), &steward, scene.now),
        Some(Rejection::WrongNetwork)
    );
    assert_eq!(
        check(scene.network.id, &[], scene.now),
        Some(Rejection::WrongSigner)
    );
    assert_eq!(
        check(scene.network.id, &[key("x").node_id()], scene.now),
        Some(Rejection::WrongSigner)
    );
}

#[test]
fn every_forgery_has_its_own_name() {
    let scene = scene();
    let steward = scene.network.steward.clone();
    let thief = key("thief");
    let work = &scene.work;
    let opened = work
        .verdict
        .clone()
        .verify_stored(scene.network.id)
        .unwrap();
    let unsampled = (0..8)
        .find(|segment| !opened.sampled.contains(segment))
        .unwrap();

    let mut cases: Vec<(&str, ReceiptProof, Rejection)> = vec![];
    let mut case = |name, proof, rejection| cases.push((name, proof, rejection));

    // Forged signers.
    let forged = scene.resigned(&work.receipt, &thief, |_| {}).into_signed();
    case(
        "receipt by another key",
        ReceiptProof {
            receipt: forged,
            ..work.clone()
        },
        Rejection::WrongSigner,
    );
    let forged = scene.resigned(&work.verdict, &thief, |_| {});
    let receipt = scene.resigned(&work.receipt, &steward, |receipt| {
        receipt.verdict = forged.id()
    });
    let proof = ReceiptProof {
        receipt: receipt.into_signed(),
        verdict: forged.into_signed(),
        ..work.clone()
    };
    case("verdict by another key", proof, Rejection::WrongSigner);
    let forged = scene.resigned(&work.lease, &thief, |_| {}).into_signed();
    case(
        "lease by another key",
        ReceiptProof {
            lease: forged,
            ..work.clone()
        },
        Rejection::WrongSigner,
    );
    let forged = scene.resigned(&work.result, &thief, |_| {}).into_signed();
    case(
        "result by another key",
        ReceiptProof {
            result: forged,
            ..work.clone()
        },
        Rejection::MismatchedEvidence,
    );

    // Receipts that say something else than their evidence.
    let mismatch = Rejection::MismatchedEvidence;
    case(
        "another id",
        scene.with_receipt(work, |receipt| receipt.id = ReceiptId([1; 32])),
        Rejection::WrongId,
    );
    case(
        "another node",
        scene.with_receipt(work, |receipt| receipt.node = thief.node_id()),
        Rejection::WrongId,
    );
    let stolen = |receipt: &mut omni_types::Receipt| {
        receipt.node = key("thief").node_id();
        receipt.id = ReceiptId::derive(receipt.campaign, receipt.unit, receipt.node);
    };
    case(
        "a node that did not vote",
        scene.with_receipt(work, stolen),
        mismatch,
    );
    let moved = |receipt: &mut omni_types::Receipt| {
        receipt.unit = UnitId([1; 16]);
        receipt.id = ReceiptId::derive(receipt.campaign, receipt.unit, receipt.node);
    };
    case("another unit", scene.with_receipt(work, moved), mismatch);
    case(
        "another role",
        scene.with_receipt(work, |receipt| receipt.role = Role::Recheck),
        mismatch,
    );
    case(
        "more segments",
        scene.with_receipt(work, |receipt| receipt.segments += 1),
        mismatch,
    );
    case(
        "more money",
        scene.with_receipt(work, |receipt| receipt.amount = Micro(receipt.amount.0 + 1)),
        mismatch,
    );
    case(
        "another result",
        scene.with_receipt(work, |receipt| receipt.result = Digest([0; 32])),
        mismatch,
    );
    case(
        "another verdict",
        scene.with_receipt(work, |receipt| receipt.verdict = Digest([0; 32])),
        mismatch,
    );

    // Evidence swapped with that of another unit.
    let other = &scene.other;
    case(
        "swapped verdict",
        ReceiptProof {
            verdict: other.verdict.clone(),
            ..work.clone()
        },
        mismatch,
    );
    case(
        "swapped lease",
        ReceiptProof {
            lease: other.lease.clone(),
            ..work.clone()
        },
        mismatch,
    );
    case(
        "swapped result",
        ReceiptProof {
            result: other.result.clone(),
            ..work.clone()
        },
        mismatch,
    );
    case(
        "swapped rechecks",
        ReceiptProof {
            rechecks: other.rechecks.clone(),
            ..work.clone()
        },
        mismatch,
    );
    case(
        "missing rechecks",
        ReceiptProof {
            rechecks: vec![],
            ..work.clone()
        },
        mismatch,
    );
    let twice = ReceiptProof {
        rechecks: [work.rechecks.clone(), work.rechecks.clone()].concat(),
        ..work.clone()
    };
    case("rechecks twice", twice, mismatch);
    let crowd = ReceiptProof {
        rechecks: vec![work.rechecks[0].clone(); MAX_VOTES + 1],
        ..work.clone()
    };
    case("too many rechecks", crowd, Rejection::TooLarge);
    case(
        "lease for another node",
        scene.with_lease(work, |lease| lease.node = thief.node_id()),
        mismatch,
    );
    case(
        "lease of other segments",
        scene.with_lease(work, |lease| lease.segments = vec![0]),
        mismatch,
    );

    // The draw.
    let wrong = Rejection::WrongSample;
    case(
        "another secret",
        scene.with_verdict(work, |verdict| verdict.audit_secret = Digest([0; 32])),
        wrong,
    );
    let commitment = Digest::of(&Digest([0; 32]).0);
    let committed = scene.with_lease(work, |lease| lease.audit_commitment = commitment);
    case("another commitment", committed, wrong);
    case(
        "no sample",
        scene.with_verdict(work, |verdict| verdict.sampled = vec![]),
        wrong,
    );
    case(
        "another sample",
        scene.with_verdict(work, |verdict| verdict.sampled = vec![unsampled]),
        wrong,
    );
    let more = scene.with_lease(work, |lease| lease.audit_permille = 1000);
    case("a smaller sample than promised", more, wrong);

    // Votes.
    let value = |verdict: &mut omni_types::Verdict| verdict.votes[1].value = Digest([0; 32]);
    case("another vote", scene.with_verdict(work, value), mismatch);
    let voter = |verdict: &mut omni_types::Verdict| verdict.votes[1].node = key("thief").node_id();
    case("another voter", scene.with_verdict(work, voter), mismatch);
    let fewer = |verdict: &mut omni_types::Verdict| verdict.votes.truncate(1);
    case("fewer votes", scene.with_verdict(work, fewer), mismatch);
    let alone = ReceiptProof {
        rechecks: vec![],
        ..scene.with_verdict(work, fewer)
    };
    case("the worker alone", alone, Rejection::QuorumNotReached);
    let alone = |verdict: &mut omni_types::Verdict| {
        verdict.votes.truncate(1);
        verdict.agree = 1;
    };
    let alone = ReceiptProof {
        rechecks: vec![],
        ..scene.with_verdict(work, alone)
    };
    case(
        "the worker alone, and said to be enough",
        alone,
        Rejection::QuorumNotReached,
    );
    // The worker votes for itself a second time.
    let own = ReceiptProof {
        rechecks: vec![work.result.clone()],
        ..scene.with_verdict(work, |verdict| {
            verdict.votes = vec![verdict.votes[0], verdict.votes[0]]
        })
    };
    case("the worker twice", own, Rejection::QuorumNotReached);
    let outcome = |outcome| move |verdict: &mut omni_types::Verdict| verdict.outcome = outcome;
    case(
        "called rejected",
        scene.with_verdict(work, outcome(Outcome::Rejected)),
        Rejection::QuorumNotReached,
    );
    let turned = scene.with_verdict(&scene.rejected, outcome(Outcome::Accepted));
    case(
        "rejected called accepted",
        turned,
        Rejection::QuorumNotReached,
    );
    let agree = |verdict: &mut omni_types::Verdict| verdict.agree = 3;
    case(
        "more had to agree",
        scene.with_verdict(work, agree),
        Rejection::QuorumNotReached,
    );

    // A receipt for the worker of a rejected result.
    let verdict = scene
        .rejected
        .verdict
        .clone()
        .verify_stored(scene.network.id)
        .unwrap();
    let lease = scene
        .rejected
        .lease
        .clone()
        .verify_stored(scene.network.id)
        .unwrap();
    let for_liar = scene.with_receipt(&scene.rejected, |receipt| {
        receipt.node = verdict.worker;
        receipt.id = ReceiptId::derive(receipt.campaign, receipt.unit, receipt.node);
        receipt.role = Role::Work;
        receipt.result = verdict.result;
        receipt.segments = lease.segments.len() as u32;
        receipt.amount = lease.reward;
    });
    case("a rejected result", for_liar, Rejection::RejectedResult);

    for (name, proof, rejection) in cases {
        assert_eq!(scene.check(&proof), Err(rejection), "{name}");
    }
}

#[test]
fn an_export_holds_and_names_what_does_not() {
    let scene = scene();
    let check = |receipts: Vec<ReceiptProof>, expected, now| {
        let bytes = scene.export(receipts).to_bytes().unwrap();
        Export::from_bytes(&bytes)
            .unwrap()
            .verify(expected, now)
            .map(|receipts| receipts.len())
    };
    let good = || {
        vec![
            scene.work.clone(),
            scene.recheck.clone(),
            scene.other.clone(),
        ]
    };
    let pinned = Some(scene.network.id);
    assert_eq!(check(good(), pinned, scene.now), Ok(3));
    assert_eq!(check(good(), None, scene.now), Ok(3));
    assert_eq!(check(vec![], pinned, scene.now), Ok(0));
    let whole = |rejection| {
        Err(ExportError {
            receipt: None,
            rejection,
        })
    };
    let at = |receipt, rejection| {
        Err(ExportError {
            receipt: Some(receipt),
            rejection,
        })
    };
    let another = Some(NetworkId([1; 32]));
    assert_eq!(
        check(good(), another, scene.now),
        whole(Rejection::WrongNetwork)
    );
    let late = scene.now.plus_ms(omni_core::steward::RECEIPT_VALID_MS + 1);
    assert_eq!(check(good(), pinned, late), at(1, Rejection::Expired));
    let repeated = [good(), vec![scene.work.clone()]].concat();
    assert_eq!(
        check(repeated, pinned, scene.now),
        at(4, Rejection::Repeated)
    );
    let mut forged = good();
    forged[1] = scene.with_receipt(&forged[1], |receipt| receipt.segments += 1);
    assert_eq!(
        check(forged, pinned, scene.now),
        at(2, Rejection::MismatchedEvidence)
    );

    // Another network's charter, or one that its roots did not sign.
    let foreign = support::network("another");
    let mut export = scene.export(good());
    export.charter = foreign.charter.clone();
    assert_eq!(
        export
            .verify(pinned, scene.now)
            .map(|receipts| receipts.len()),
        whole(Rejection::WrongNetwork)
    );
    export.network = foreign.id;
    assert_eq!(
        export
            .verify(None, scene.now)
            .map(|receipts| receipts.len()),
        at(1, Rejection::WrongNetwork)
    );
    let mut export = scene.export(good());
    export.charter.signatures.truncate(1);
    assert_eq!(
        export
            .verify(pinned, scene.now)
            .map(|receipts| receipts.len()),
        whole(Rejection::QuorumNotReached)
    );
}

#[test]
fn no_byte_of_an_export_can_be_changed() {
    let scene = scene();
    let export = scene.export(vec![scene.work.clone(), scene.recheck.clone()]);
    let bytes = export.to_bytes().unwrap();
    let accepted = |bytes: &[u8]| {
        Export::from_bytes(bytes)
            .is_ok_and(|export| export.verify(Some(scene.network.id), scene.now).is_ok())
    };
    assert!(accepted(&bytes));
    // Thousands of bytes from all over the file, each with a change of one bit.
    let mut draws = Draws::new(1);
    let mut changed = bytes.clone();
    for at in (0..bytes.len()).step_by(5) {
        changed[at] = bytes[at] ^ (1 << draws.below(7));
        assert!(!accepted(&changed), "byte {at} of {}", bytes.len());
        changed[at] = bytes[at];
    }
    for at in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        assert!(!accepted(&bytes[..at]));
        let mut longer = bytes.clone();
        longer.insert(at, b' ');
        assert!(!accepted(&longer));
    }
}

#[test]
fn the_draw_is_the_one_of_the_published_vector() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/vectors/protocol.json"
    );
    let vectors: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let vector = &vectors["audit"];
    let text = |name: &str| vector[name].as_str().unwrap();
    let secret: Digest = text("secret").parse().unwrap();
    let unit: UnitId = text("unit").parse().unwrap();
    let result: Digest = text("result").parse().unwrap();
    assert_eq!(
        omni_core::audit::commitment(&secret).to_string(),
        text("commitment")
    );
    let order: Vec<u32> = vector["order"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| place.as_u64().unwrap() as u32)
        .collect();
    let segments: Vec<u32> = (0..8).collect();
    for count in 0..=8 {
        let mut expected = order[..count].to_vec();
        expected.sort_unstable();
        let sampled = omni_core::audit::sample(&secret, unit, result, &segments, count, |_| false);
        assert_eq!(sampled, expected);
    }
    assert_eq!(
        omni_core::audit::floor(8, 50) as u64,
        vector["floor_of_50_permille"].as_u64().unwrap()
    );
    assert_eq!(
        omni_core::audit::floor(8, 250) as u64,
        vector["floor_of_250_permille"].as_u64().unwrap()
    );
}
