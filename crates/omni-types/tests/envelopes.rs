//! Signed envelopes: what is inside comes out only when everything about the envelope holds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use omni_types::{
    CampaignId, Digest, Domain, Keypair, Lease, LeaseId, Micro, NetworkId, NodeId, Posting,
    PostingOutcome, Receipt, ReceiptId, Rejection, ResourceLimits, Role, Signed, Timestamp, UnitId,
    Verified, WorkRequest, WorkResponse, WorkResult, canonical,
    signed::{CLOCK_SKEW_MS, MAX_PAYLOAD_BYTES},
    wire::{MAX_CAMPAIGNS, MAX_REQUEST_BYTES},
    work::{MAX_INPUT_BYTES, MAX_OUTPUT_BYTES, MAX_SEGMENTS, SegmentOutput, outputs_root},
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

const NETWORK: NetworkId = NetworkId([9; 32]);
const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn key(number: u8) -> Keypair {
    Keypair::from_secret(&[number; 32])
}

fn seal<T: Domain>(value: T) -> Verified<T> {
    Signed::seal(value, &key(1), NETWORK, NOW, NOW.plus_ms(1000)).unwrap()
}

fn posting() -> Posting {
    Posting {
        receipt: ReceiptId([1; 32]),
        node: NodeId([2; 32]),
        outcome: PostingOutcome::Posted,
    }
}

/// The shape of a posting under another domain.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Lookalike {
    receipt: ReceiptId,
    node: NodeId,
    outcome: PostingOutcome,
}

impl Domain for Lookalike {
    const DOMAIN: &'static str = "omniswarm/1/lookalike";
}

fn reread<A: Domain, B: Domain>(signed: &Signed<A>) -> Signed<B> {
    canonical::from_bytes(&canonical::to_bytes(signed).unwrap(), MAX_REQUEST_BYTES).unwrap()
}

#[test]
fn the_value_comes_out_with_who_when_and_where() {
    let sealed = seal(posting());
    let read = sealed.signed().clone().verify(NOW, NETWORK).unwrap();
    assert_eq!(*read, posting());
    assert_eq!(read.signer(), key(1).node_id());
    assert_eq!((read.issued(), read.expires()), (NOW, NOW.plus_ms(1000)));
    assert_eq!(read.network(), NETWORK);
    assert_eq!(read.id(), sealed.id());
    assert_ne!(
        read.id(),
        seal(Posting {
            outcome: PostingOutcome::Voided,
            ..posting()
        })
        .id()
    );
    assert!(read.clone().signed_by(key(1).node_id()).is_ok());
    assert_eq!(
        read.signed_by(key(2).node_id()).unwrap_err(),
        Rejection::WrongSigner
    );
}

#[test]
fn times_and_network_are_checked() {
    let signed = || seal(posting()).into_signed();
    for (now, expected) in [
        (NOW, None),
        (NOW.plus_ms(999), None),
        (NOW.plus_ms(1000), Some(Rejection::Expired)),
        (Timestamp(NOW.0 - CLOCK_SKEW_MS), None),
        (
            Timestamp(NOW.0 - CLOCK_SKEW_MS - 1),
            Some(Rejection::NotYetValid),
        ),
        (Timestamp(u64::MAX), Some(Rejection::Expired)),
        (Timestamp(0), Some(Rejection::NotYetValid)),
    ] {
        assert_eq!(signed().verify(now, NETWORK).err(), expected, "{now:?}");
        assert!(signed().verify_stored(NETWORK).is_ok());
    }
    let other = NetworkId([8; 32]);
    assert_eq!(
        signed().verify(NOW, other).err(),
        Some(Rejection::WrongNetwork)
    );
    assert_eq!(
        signed().verify_stored(other).err(),
        Some(Rejection::WrongNetwork)
    );
    let reversed = Signed::seal(posting(), &key(1), NETWORK, NOW, NOW);
    assert_eq!(reversed.err(), Some(Rejection::Expired));
}

#[test]
fn a_signature_over_one_kind_of_thing_is_none_over_another() {
    let signed = seal(posting()).into_signed();
    let other: Signed<Lookalike> = reread(&signed);
    assert_eq!(
        other.verify(NOW, NETWORK).err(),
        Some(Rejection::BadSignature)
    );
    let same: Signed<Posting> = reread(&signed);
    assert!(same.verify(NOW, NETWORK).is_ok());
}

#[test]
fn a_payload_in_another_form_is_refused_though_its_signature_holds() {
    // Signed by hand: the same map with an unknown key, and with a byte after it.
    use ed25519_dalek::{Signer as _, SigningKey};
    let domain = Posting::DOMAIN;
    let signing = SigningKey::from_bytes(&[1; 32]);
    let sign = |payload: &[u8]| -> Signed<Posting> {
        let public = signing.verifying_key().to_bytes();
        let mut message = vec![domain.len() as u8];
        message.extend_from_slice(domain.as_bytes());
        message.extend_from_slice(&public);
        message.extend_from_slice(payload);
        #[derive(Serialize)]
        struct Envelope<'a> {
            payload: &'a serde_bytes::Bytes,
            signer: NodeId,
            signature: &'a serde_bytes::Bytes,
        }
        let signature = signing.sign(&message).to_bytes();
        let envelope = Envelope {
            payload: serde_bytes::Bytes::new(payload),
            signer: NodeId(public),
            signature: serde_bytes::Bytes::new(&signature),
        };
        canonical::from_bytes(&canonical::to_bytes(&envelope).unwrap(), 10_000).unwrap()
    };
    let good = {
        #[derive(Serialize)]
        struct Body {
            network: NetworkId,
            issued: u64,
            expires: u64,
            value: Posting,
        }
        canonical::to_bytes(&Body {
            network: NETWORK,
            issued: NOW.0,
            expires: NOW.0 + 1000,
            value: posting(),
        })
        .unwrap()
    };
    assert!(sign(&good).verify(NOW, NETWORK).is_ok());
    let mut unknown = good.clone();
    unknown[0] += 1;
    unknown.extend_from_slice(b"\x67zzzzzzz\x00");
    let mut trailing = good.clone();
    trailing.push(0);
    for (payload, why) in [
        (unknown, "unknown key"),
        (trailing, "trailing byte"),
        (vec![], "nothing"),
        (vec![0xf6], "null"),
    ] {
        let refused = sign(&payload).verify(NOW, NETWORK).err();
        assert!(
            matches!(
                refused,
                Some(Rejection::NotCanonical | Rejection::Malformed)
            ),
            "{why}: {refused:?}"
        );
    }
    let reversed = {
        #[derive(Serialize)]
        struct Body {
            network: NetworkId,
            issued: u64,
            expires: u64,
            value: Posting,
        }
        canonical::to_bytes(&Body {
            network: NETWORK,
            issued: NOW.0,
            expires: NOW.0,
            value: posting(),
        })
        .unwrap()
    };
    assert_eq!(
        sign(&reversed).verify_stored(NETWORK).err(),
        Some(Rejection::Malformed)
    );
}

#[test]
fn keys_of_small_order_and_no_keys_sign_nothing() {
    let small_orders = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        // No point on the curve.
        "0200000000000000000000000000000000000000000000000000000000000000",
    ];
    let json = serde_json::to_value(seal(posting()).signed()).unwrap();
    for signer in small_orders {
        let bytes: [u8; 32] = data_encoding::HEXLOWER
            .decode(signer.as_bytes())
            .unwrap()
            .try_into()
            .unwrap();
        // The identity as R and zero as s satisfy the plain equation for a key of small order.
        for r in small_orders {
            let mut forged = json.clone();
            forged["signer"] = serde_json::to_value(NodeId(bytes)).unwrap();
            forged["signature"] = format!("{r}{}", "00".repeat(32)).into();
            let forged: Signed<Posting> = serde_json::from_value(forged).unwrap();
            assert_eq!(
                forged.verify(NOW, NETWORK).err(),
                Some(Rejection::BadSignature)
            );
        }
    }
}

#[test]
fn a_second_signature_with_a_larger_scalar_is_refused() {
    // s + L satisfies the equation too; strict verification wants s below the group order L.
    let order = data_encoding::HEXLOWER
        .decode(b"edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        .unwrap();
    let mut json = serde_json::to_value(seal(posting()).signed()).unwrap();
    let mut signature = data_encoding::HEXLOWER
        .decode(json["signature"].as_str().unwrap().as_bytes())
        .unwrap();
    let mut carry = 0u16;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry as u8;
        carry >>= 8;
    }
    json["signature"] = data_encoding::HEXLOWER.encode(&signature).into();
    let signed: Signed<Posting> = serde_json::from_value(json).unwrap();
    assert_eq!(
        signed.verify(NOW, NETWORK).err(),
        Some(Rejection::BadSignature)
    );
}

#[test]
fn payloads_are_bounded() {
    #[derive(Serialize, Deserialize)]
    struct Blob(#[serde(with = "serde_bytes")] Vec<u8>);
    impl Domain for Blob {
        const DOMAIN: &'static str = "omniswarm/1/blob";
    }
    let seal = |size| {
        Signed::seal(Blob(vec![0; size]), &key(1), NETWORK, NOW, NOW.plus_ms(1))
            .map(Verified::into_signed)
    };
    assert!(seal(MAX_PAYLOAD_BYTES - 200).is_ok());
    assert_eq!(seal(MAX_PAYLOAD_BYTES).err(), Some(Rejection::TooLarge));
    let mut json = serde_json::to_value(seal(10).unwrap()).unwrap();
    json["payload"] = data_encoding::BASE64
        .encode(&vec![0; MAX_PAYLOAD_BYTES + 1])
        .into();
    assert!(serde_json::from_value::<Signed<Blob>>(json).is_err());
}

fn result(outputs: Vec<SegmentOutput>) -> WorkResult {
    WorkResult {
        lease: LeaseId([1; 16]),
        campaign: CampaignId([2; 32]),
        unit: UnitId([3; 16]),
        engine: Digest([4; 32]),
        policy: Digest([5; 32]),
        root: outputs_root(&outputs),
        outputs,
    }
}

fn outputs(segments: &[u32]) -> Vec<SegmentOutput> {
    segments
        .iter()
        .map(|segment| SegmentOutput {
            segment: *segment,
            output: vec![*segment as u8; 3],
        })
        .collect()
}

#[test]
fn a_submitted_result_must_be_the_senders_own_and_fit_together() {
    let check = |value: WorkResult, from: u8| {
        let sealed = Signed::seal(value, &key(1), NETWORK, NOW, NOW.plus_ms(1000)).unwrap();
        WorkRequest::Submit(sealed.into_signed())
            .verify(key(from).node_id(), NOW, NETWORK)
            .map(|_| ())
    };
    assert_eq!(check(result(outputs(&[0, 3, 9])), 1), Ok(()));
    assert_eq!(
        check(result(outputs(&[0, 3, 9])), 2),
        Err(Rejection::WrongSigner)
    );
    assert_eq!(
        check(result(outputs(&[])), 1),
        Err(Rejection::WrongSegments)
    );
    assert_eq!(
        check(result(outputs(&[3, 0])), 1),
        Err(Rejection::WrongSegments)
    );
    assert_eq!(
        check(result(outputs(&[3, 3])), 1),
        Err(Rejection::WrongSegments)
    );
    let many: Vec<u32> = (0..=MAX_SEGMENTS as u32).collect();
    assert_eq!(
        check(result(outputs(&many)), 1),
        Err(Rejection::WrongSegments)
    );
    let large = vec![SegmentOutput {
        segment: 0,
        output: vec![0; MAX_OUTPUT_BYTES + 1],
    }];
    assert_eq!(check(result(large), 1), Err(Rejection::TooLarge));
    let wrong_root = WorkResult {
        root: Digest([0; 32]),
        ..result(outputs(&[0]))
    };
    assert_eq!(check(wrong_root, 1), Err(Rejection::WrongRoot));
}

#[test]
fn an_answer_must_be_the_stewards_own_and_within_limits() {
    let lease = Lease {
        id: LeaseId([1; 16]),
        campaign: CampaignId([2; 32]),
        unit: UnitId([3; 16]),
        node: NodeId([4; 32]),
        skill: omni_types::Cid::of(b"skill"),
        input: vec![1],
        unit_seed: 1,
        segments: vec![0, 1],
        limits: ResourceLimits {
            memory_bytes: 1,
            output_bytes: 10,
            segment_wall_ms: 1,
        },
        audit_commitment: Digest([0; 32]),
        audit_permille: 50,
        reward: Micro(1),
    };
    let check = |lease: Lease, from: u8| {
        let answer = WorkResponse::Lease(seal(lease).into_signed());
        answer.verify(key(from).node_id(), NOW, NETWORK).map(|_| ())
    };
    assert_eq!(check(lease.clone(), 1), Ok(()));
    assert_eq!(check(lease.clone(), 2), Err(Rejection::WrongSigner));
    assert_eq!(
        check(
            Lease {
                input: vec![0; MAX_INPUT_BYTES + 1],
                ..lease.clone()
            },
            1
        ),
        Err(Rejection::TooLarge)
    );
    assert_eq!(
        check(
            Lease {
                segments: vec![1, 0],
                ..lease.clone()
            },
            1
        ),
        Err(Rejection::WrongSegments)
    );
    let output_bytes = MAX_OUTPUT_BYTES as u32 + 1;
    let limits = ResourceLimits {
        output_bytes,
        ..lease.limits
    };
    assert_eq!(
        check(Lease { limits, ..lease }, 1),
        Err(Rejection::TooLarge)
    );
    let campaigns: Vec<Signed<omni_types::Campaign>> = (0..=MAX_CAMPAIGNS)
        .map(|_| reread(seal(posting()).signed()))
        .collect();
    let answer = WorkResponse::Campaigns(campaigns).verify(key(1).node_id(), NOW, NETWORK);
    assert_eq!(answer.err(), Some(Rejection::TooLarge));
}

#[test]
fn a_vote_covers_the_sampled_segments_and_nothing_else() {
    let full = result(outputs(&[0, 1, 2]));
    let part = result(outputs(&[0, 2]));
    assert_eq!(full.vote_on(&[0, 2]), part.vote_on(&[0, 2]));
    assert_eq!(part.vote_on(&[0, 1]), None);
    let mut wrong = outputs(&[0, 1, 2]);
    wrong[1].output[0] ^= 1;
    assert_eq!(
        full.vote_on(&[0, 2]),
        result(wrong.clone()).vote_on(&[0, 2])
    );
    assert_ne!(full.vote_on(&[0, 1]), result(wrong).vote_on(&[0, 1]));
}

fn receipt(amount: u64) -> Receipt {
    Receipt {
        id: ReceiptId([1; 32]),
        campaign: CampaignId([2; 32]),
        unit: UnitId([3; 16]),
        node: NodeId([4; 32]),
        role: Role::Work,
        result: Digest([5; 32]),
        verdict: Digest([6; 32]),
        segments: 2,
        amount: Micro(amount),
    }
}

proptest! {
    #[test]
    fn no_bit_can_be_changed(amount in any::<u64>(), place in any::<prop::sample::Index>(), bit in 0u8..8) {
        let sealed = seal(receipt(amount));
        let bytes = canonical::to_bytes(sealed.signed()).unwrap();
        let at = place.index(bytes.len());
        let mut changed = bytes.clone();
        changed[at] ^= 1 << bit;
        if let Ok(read) = canonical::from_bytes::<Signed<Receipt>>(&changed, MAX_REQUEST_BYTES) {
            prop_assert_eq!(read.verify(NOW, NETWORK).err(), Some(Rejection::BadSignature));
        }
    }

    #[test]
    fn envelopes_survive_both_encodings(amount in any::<u64>()) {
        let sealed = seal(receipt(amount));
        prop_assert_eq!(&reread::<Receipt, Receipt>(sealed.signed()), sealed.signed());
        let json = serde_json::to_string(sealed.signed()).unwrap();
        let read: Signed<Receipt> = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&read, sealed.signed());
        prop_assert_eq!(read.verify(NOW, NETWORK).unwrap().amount, Micro(amount));
    }
}
