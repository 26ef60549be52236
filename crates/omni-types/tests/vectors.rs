//! The vectors of `docs/PROTOCOL.md`: other implementations are checked by the same file.
//! `UPDATE_VECTORS=1` writes it anew after a deliberate change of the protocol.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use data_encoding::HEXLOWER;
use omni_types::{
    CampaignId, Cid, Digest, Domain, Entry, Keypair, LeaseId, LogHead, Micro, NetworkId, Posting,
    PostingOutcome, Receipt, ReceiptId, Record, ReturnReason, Role, SegmentOutput, Signed,
    Timestamp, UnitId, WorkRequest, canonical, merkle,
    seed::{Draws, splitmix64},
    work::outputs_root,
};
use serde::Serialize;
use serde_json::{Value, json};

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/vectors/protocol.json"
);

fn hex(value: &impl Serialize) -> String {
    HEXLOWER.encode(&canonical::to_bytes(value).unwrap())
}

fn sealed<T: Domain>(value: T, keypair: &Keypair, network: NetworkId) -> Value {
    let (issued, expires) = (Timestamp(1_800_000_000_000), Timestamp(1_800_000_060_000));
    let value_cbor = hex(&value);
    let sealed = Signed::seal(value, keypair, network, issued, expires).unwrap();
    let parts = serde_json::to_value(sealed.signed()).unwrap();
    let payload = data_encoding::BASE64
        .decode(parts["payload"].as_str().unwrap().as_bytes())
        .unwrap();
    let mut input = vec![T::DOMAIN.len() as u8];
    input.extend_from_slice(T::DOMAIN.as_bytes());
    input.extend_from_slice(&keypair.node_id().0);
    input.extend_from_slice(&payload);
    json!({
        "domain": T::DOMAIN,
        "issued": issued.0,
        "expires": expires.0,
        "value_cbor": value_cbor,
        "payload_cbor": HEXLOWER.encode(&payload),
        "signing_input": HEXLOWER.encode(&input),
        "signature": parts["signature"],
        "document_id": sealed.id(),
        "envelope_cbor": hex(sealed.signed()),
        "envelope_json": parts,
    })
}

/// The order in which an audit takes the segments; the rule of the protocol document in a few lines.
fn audit_order(secret: &Digest, unit: UnitId, result: Digest, segments: u32) -> Vec<u32> {
    let seed = Digest::of_parts("omniswarm/1/audit-draw", &[&secret.0, &unit.0, &result.0]).seed();
    let mut draws = Draws::new(seed);
    let mut order: Vec<u32> = (0..segments).collect();
    for last in (1..order.len()).rev() {
        let other = draws.below(last as u64 + 1) as usize;
        order.swap(last, other);
    }
    order
}

fn vectors() -> Value {
    let secret: [u8; 32] = std::array::from_fn(|index| index as u8);
    let keypair = Keypair::from_secret(&secret);
    let node = keypair.node_id();
    let network = NetworkId::derive("example", &[node], 1);
    let campaign = CampaignId::derive(network, node, "labs-101");
    let unit = UnitId::derive(campaign, 7);
    let lease = LeaseId::derive(unit, 0);
    let receipt = ReceiptId::derive(campaign, unit, node);
    let posting = Posting {
        receipt,
        node,
        outcome: PostingOutcome::Posted,
    };
    let outputs = [
        SegmentOutput {
            segment: 0,
            output: b"zero".to_vec(),
        },
        SegmentOutput {
            segment: 1,
            output: vec![],
        },
        SegmentOutput {
            segment: 5,
            output: vec![0xff; 40],
        },
    ];
    let audit_secret = Digest::of(b"audit secret");
    let result = Digest::of(b"result");
    let entry = Entry {
        at: Timestamp(1_800_000_000_000),
        record: Record::Kill { on: true },
    };
    let head = LogHead::EMPTY.extend(&canonical::to_bytes(&entry).unwrap());
    let ask = WorkRequest::Ask {
        campaign,
        engine: Digest::of(b"engine"),
    };
    let give_back = WorkRequest::Return {
        lease,
        reason: ReturnReason::TimedOut,
    };
    json!({
        "key": {
            "secret": HEXLOWER.encode(&secret),
            "public": HEXLOWER.encode(&node.0),
            "node_id": node,
        },
        "digest": {
            "of_abc": Digest::of(b"abc"),
            "of_parts": { "domain": "omniswarm/1/example", "parts": ["ab", "c"], "digest": Digest::of_parts("omniswarm/1/example", &[b"ab", b"c"]) },
        },
        "ids": {
            "network": { "name": "example", "roots": [node], "threshold": 1, "id": network },
            "campaign": { "name": "labs-101", "id": campaign },
            "unit": { "sequence": 7, "id": unit },
            "lease": { "attempt": 0, "id": lease },
            "receipt": receipt,
            "cid_of_abc": Cid::of(b"abc"),
        },
        "canonical": {
            "campaigns_request": hex(&WorkRequest::Campaigns),
            "ask_request": hex(&ask),
            "return_request": hex(&give_back),
            "log_entry": hex(&entry),
            "amount": { "micro": 12_500_000u64, "shown": Micro(12_500_000).to_string() },
        },
        "signed_posting": sealed(posting, &keypair, network),
        "signed_receipt": sealed(
            Receipt {
                id: receipt, campaign, unit, node, role: Role::Work, result, verdict: Digest::of(b"verdict"), segments: 8,
                amount: Micro(8_000),
            },
            &keypair,
            network,
        ),
        "merkle": {
            "empty": merkle::root::<&[u8]>(&[]),
            "of_a_b_c": merkle::root(&[b"a", b"b", b"c"]),
            "outputs": outputs.iter().map(|output| json!({ "segment": output.segment, "output": HEXLOWER.encode(&output.output) })).collect::<Vec<_>>(),
            "outputs_root": outputs_root(&outputs),
            "vote_on_0_and_5": outputs_root([&outputs[0], &outputs[2]]),
        },
        "seeds": {
            "unit_seed": "12345678901234567890",
            "segment_seeds": (0..3).map(|segment| splitmix64(12_345_678_901_234_567_890, segment).to_string()).collect::<Vec<_>>(),
        },
        "audit": {
            "secret": audit_secret,
            "commitment": Digest::of(&audit_secret.0),
            "unit": unit,
            "result": result,
            "segments": 8,
            "order": audit_order(&audit_secret, unit, result, 8),
            "floor_of_50_permille": 1,
            "floor_of_250_permille": 2,
        },
        "log": { "entry_cbor": hex(&entry), "head": head },
    })
}

#[test]
fn the_published_vectors_are_what_the_code_gives() {
    let now = serde_json::to_string_pretty(&vectors()).unwrap() + "\n";
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(FILE, &now).unwrap();
    }
    let published: Value = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    assert_eq!(published, vectors());
}

#[test]
fn the_published_envelope_verifies() {
    let published: Value = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    let network: NetworkId = published["ids"]["network"]["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let envelope = HEXLOWER
        .decode(
            published["signed_posting"]["envelope_cbor"]
                .as_str()
                .unwrap()
                .as_bytes(),
        )
        .unwrap();
    let signed: Signed<Posting> = canonical::from_bytes(&envelope, 1000).unwrap();
    let posting = signed
        .verify(Timestamp(1_800_000_000_000), network)
        .unwrap();
    assert_eq!(posting.outcome, PostingOutcome::Posted);
    assert_eq!(
        posting.signer().to_string(),
        published["key"]["node_id"].as_str().unwrap()
    );
}

#[test]
fn the_document_names_every_reason_domain_and_limit() {
    let document = include_str!("../../../docs/PROTOCOL.md");
    for rejection in omni_types::Rejection::ALL {
        assert!(
            document.contains(&format!("`{}`", rejection.code())),
            "{rejection:?}"
        );
    }
    for domain in [
        omni_types::Charter::DOMAIN,
        omni_types::Order::DOMAIN,
        omni_types::Campaign::DOMAIN,
        omni_types::CampaignStatus::DOMAIN,
        omni_types::Lease::DOMAIN,
        omni_types::WorkResult::DOMAIN,
        omni_types::Verdict::DOMAIN,
        LogHead::DOMAIN,
    ] {
        assert!(document.contains(&format!("`{domain}`")), "{domain}");
    }
    for name in [
        omni_types::wire::WORK_PROTOCOL,
        omni_types::wire::BLOB_PROTOCOL,
    ] {
        assert!(document.contains(&format!("`{name}`")), "{name}");
    }
    assert_eq!(omni_types::signed::MAX_PAYLOAD_BYTES, 1 << 20);
    assert_eq!(omni_types::signed::CLOCK_SKEW_MS, 120_000);
    assert_eq!(omni_types::wire::MAX_REQUEST_BYTES, 1 << 20);
    assert_eq!(omni_types::wire::MAX_RESPONSE_BYTES, 4 << 20);
    assert_eq!(omni_types::wire::MAX_BLOB_BYTES, 16 << 20);
    assert_eq!(
        (omni_types::wire::MAX_CAMPAIGNS, omni_types::wire::MAX_NEWS),
        (64, 32)
    );
    assert_eq!(
        (omni_types::work::MAX_SEGMENTS, omni_types::work::MAX_VOTES),
        (64, 16)
    );
    assert_eq!(
        (
            omni_types::work::MAX_INPUT_BYTES,
            omni_types::work::MAX_OUTPUT_BYTES
        ),
        (64 << 10, 8 << 10)
    );
    assert_eq!(omni_types::record::MAX_RECORD_BYTES, 4 << 20);
    assert_eq!(omni_types::charter::MAX_CHARTER_ENTRIES, 64);
}
