//! Signed envelopes and everything made of them.
//!
//! Input: one byte for the kind of document, one for its form, then the document. A signature keeps
//! a mutated payload from being looked at, so one form is a payload that gets signed here.

use std::{fmt::Debug, sync::LazyLock};

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signer as _, SigningKey};
use omni_core::{audit, charter, orders, receipts};
use omni_types::{
    Action, Answer, Campaign, CampaignId, CampaignStatus, Charter, Cid, DecisionRecord,
    DecisionVerdict, Digest, Domain, Entry, EvolutionParams, Keypair, Labs, Lease, LeaseId,
    LogHead, Micro, NetworkId, NodeId, Order, OrderKind, Outcome, Posting, PostingOutcome, Problem,
    Receipt, ReceiptId, ReceiptProof, Record, Rejection, ResourceLimits, ReturnReason,
    RewardPolicy, RiskTier, Role, Scope, SegmentOutput, Settings, Signed, SignedCharter,
    SignedOrder, SkillKind, SkillRef, Timestamp, Track, UnitId, Verdict, VerificationPolicy,
    Verified, Vote, WorkRequest, WorkResponse, WorkResult, canonical,
    charter::MAX_CHARTER_ENTRIES,
    record::MAX_RECORD_BYTES,
    signed::MAX_PAYLOAD_BYTES,
    wire::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, News, NewsItem, NoWork},
    work::outputs_root,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::Seed;

/// The key, the network and the time of the published vectors.
const SECRET: [u8; 32] = {
    let mut secret = [0; 32];
    let mut index = 0;
    while index < 32 {
        secret[index] = index as u8;
        index += 1;
    }
    secret
};
const NAME: &str = "example";
const NOW: Timestamp = Timestamp(1_800_000_000_000);
const EXPIRES: Timestamp = Timestamp(1_800_000_060_000);
const VECTORS: &str = include_str!("../../docs/vectors/protocol.json");

// Made once: deriving a public key takes longer than most inputs.
static KEY: LazyLock<Keypair> = LazyLock::new(|| Keypair::from_secret(&SECRET));
static SIGNING_KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&SECRET));
static NODE: LazyLock<NodeId> = LazyLock::new(|| KEY.node_id());
static NETWORK: LazyLock<NetworkId> = LazyLock::new(|| NetworkId::derive(NAME, &[*NODE], 1));

/// How a document is written in an input.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Cbor,
    Json,
    /// Canonical bytes that are signed before they are read; for single envelopes only.
    Payload,
}

impl Form {
    const ALL: [Self; 3] = [Self::Cbor, Self::Json, Self::Payload];
}

type Kind = (&'static str, fn(Form, &[u8]) -> bool);

const KINDS: &[Kind] = &[
    ("request", request),
    ("response", response),
    ("signed-charter", signed_charter),
    ("signed-order", signed_order),
    ("proof", proof),
    ("entry", entry),
    ("export", export),
    ("charter", |form, bytes| {
        envelope::<Charter>(form, bytes).is_some()
    }),
    ("order", |form, bytes| {
        envelope::<Order>(form, bytes).is_some()
    }),
    ("campaign", |form, bytes| {
        envelope::<Campaign>(form, bytes).is_some_and(|campaign| campaign.check().is_ok())
    }),
    ("status", |form, bytes| {
        envelope::<CampaignStatus>(form, bytes).is_some()
    }),
    ("lease", |form, bytes| {
        envelope::<Lease>(form, bytes).is_some_and(|lease| lease.check().is_ok())
    }),
    ("result", |form, bytes| {
        envelope::<WorkResult>(form, bytes).is_some_and(|result| {
            let segments: Vec<u32> = result.outputs.iter().map(|output| output.segment).collect();
            let accepted = result.check().is_ok();
            // The vote on all of it is the root; and one on anything is given or not.
            assert!(!accepted || result.vote_on(&segments) == Some(result.root));
            accepted
        })
    }),
    ("verdict", |form, bytes| {
        envelope::<Verdict>(form, bytes).is_some()
    }),
    ("receipt", |form, bytes| {
        envelope::<Receipt>(form, bytes).is_some()
    }),
    ("posting", |form, bytes| {
        envelope::<Posting>(form, bytes).is_some()
    }),
    ("head", |form, bytes| {
        envelope::<LogHead>(form, bytes).is_some()
    }),
];

/// What decodes has one form only and comes back the same from either; what verifies seals again to
/// the same bytes.
pub fn envelopes(data: &[u8]) -> bool {
    let [kind, form, bytes @ ..] = data else {
        return false;
    };
    let (_, run) = KINDS[usize::from(*kind) % KINDS.len()];
    run(Form::ALL[usize::from(*form) % Form::ALL.len()], bytes)
}

/// Decodes a document of at most `limit` bytes, and asserts that it survives both forms.
fn document<T>(form: Form, bytes: &[u8], limit: usize) -> Option<T>
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let value: T = match form {
        Form::Cbor => canonical::from_bytes(bytes, limit).ok()?,
        Form::Json => serde_json::from_slice(bytes).ok()?,
        Form::Payload => return None,
    };
    let canonical = canonical::to_bytes(&value).expect("what was decoded can be encoded");
    assert!(form != Form::Cbor || canonical == bytes);
    let again: T = canonical::from_bytes(&canonical, usize::MAX).expect("canonical bytes decode");
    assert_eq!(again, value);
    let json = serde_json::to_vec(&value).expect("what was decoded can be exported");
    let again: T = serde_json::from_slice(&json).expect("what was exported can be imported");
    assert_eq!(again, value);
    Some(value)
}

/// Decodes and verifies one envelope.
fn envelope<T>(form: Form, bytes: &[u8]) -> Option<T>
where
    T: Domain + Clone + PartialEq + Debug,
{
    let envelope: Signed<T> = match form {
        Form::Payload => sign_payload(bytes)?,
        form => document(form, bytes, MAX_RESPONSE_BYTES)?,
    };
    verify(envelope).ok().map(|verified| T::clone(&verified))
}

fn verify<T>(envelope: Signed<T>) -> Result<Verified<T>, Rejection>
where
    T: Domain + Clone + PartialEq + Debug,
{
    let stored = envelope.clone().verify_stored(*NETWORK);
    let verified = envelope.clone().verify(NOW, *NETWORK);
    let stored = match stored {
        Ok(stored) => stored,
        Err(rejection) => {
            assert_eq!(verified.err(), Some(rejection));
            return Err(rejection);
        }
    };
    assert_eq!(*stored.signed(), envelope);
    assert!(stored.issued() < stored.expires());
    if stored.signer() == *NODE {
        let (issued, expires) = (stored.issued(), stored.expires());
        let sealed = Signed::seal(T::clone(&stored), &KEY, *NETWORK, issued, expires)
            .expect("what was verified can be sealed");
        assert_eq!(*sealed.signed(), envelope);
        assert_eq!(sealed.id(), stored.id());
    }
    if verified.is_ok() {
        assert!(stored.expires() > NOW);
    }
    verified
}

/// An envelope around any payload, with a signature that holds.
fn sign_payload<T: Domain>(payload: &[u8]) -> Option<Signed<T>> {
    #[derive(Serialize)]
    struct Envelope<'a> {
        payload: &'a serde_bytes::Bytes,
        signer: NodeId,
        signature: &'a serde_bytes::Bytes,
    }
    if payload.len() > MAX_PAYLOAD_BYTES {
        return None;
    }
    let signer = *NODE;
    let mut message = vec![T::DOMAIN.len() as u8];
    message.extend_from_slice(T::DOMAIN.as_bytes());
    message.extend_from_slice(&signer.0);
    message.extend_from_slice(payload);
    let signature = SIGNING_KEY.sign(&message).to_bytes();
    let envelope = Envelope {
        payload: serde_bytes::Bytes::new(payload),
        signer,
        signature: serde_bytes::Bytes::new(&signature),
    };
    let bytes = canonical::to_bytes(&envelope).expect("an envelope has a canonical form");
    Some(canonical::from_bytes(&bytes, MAX_RESPONSE_BYTES).expect("an envelope decodes"))
}

fn request(form: Form, bytes: &[u8]) -> bool {
    document::<WorkRequest>(form, bytes, MAX_REQUEST_BYTES)
        .is_some_and(|request| request.verify(*NODE, NOW, *NETWORK).is_ok())
}

fn response(form: Form, bytes: &[u8]) -> bool {
    document::<WorkResponse>(form, bytes, MAX_RESPONSE_BYTES)
        .is_some_and(|response| response.verify(*NODE, NOW, *NETWORK).is_ok())
}

fn signed_charter(form: Form, bytes: &[u8]) -> bool {
    let Some(signed) = document::<SignedCharter>(form, bytes, MAX_RESPONSE_BYTES) else {
        return false;
    };
    let accepted = charter::verify(&signed, *NETWORK, NOW);
    if let Ok(charter) = &accepted {
        assert!(signed.signatures.len() <= MAX_CHARTER_ENTRIES);
        assert_eq!(
            charter::verify_stored(&signed, *NETWORK).as_ref(),
            Ok(charter)
        );
    }
    // A charter of a network that it makes up itself is no better.
    let _ = charter::verify(&signed, signed.network(), NOW);
    accepted.is_ok()
}

fn signed_order(form: Form, bytes: &[u8]) -> bool {
    let Some(signed) = document::<SignedOrder>(form, bytes, MAX_RESPONSE_BYTES) else {
        return false;
    };
    let _ = orders::verify_stored(&signed, signed.network());
    orders::verify(&signed, *NETWORK, NOW).is_ok()
}

fn proof(form: Form, bytes: &[u8]) -> bool {
    document::<ReceiptProof>(form, bytes, MAX_RESPONSE_BYTES)
        .is_some_and(|proof| receipts::verify_proof(&proof, *NETWORK, &[*NODE], NOW).is_ok())
}

fn entry(form: Form, bytes: &[u8]) -> bool {
    document::<Entry>(form, bytes, MAX_RECORD_BYTES).is_some()
}

fn export(form: Form, bytes: &[u8]) -> bool {
    if form != Form::Json {
        return false;
    }
    let Ok(export) = receipts::Export::from_bytes(bytes) else {
        return false;
    };
    assert_eq!(export.to_bytes().as_deref(), Ok(bytes));
    export.verify(None, NOW).is_ok()
}

fn seal<T: Domain>(value: T, key: &Keypair) -> Verified<T> {
    Signed::seal(value, key, *NETWORK, NOW, EXPIRES).expect("a seed can be sealed")
}

/// Seeds as they grow.
#[derive(Default)]
struct Seeds(Vec<Seed>);

impl Seeds {
    fn add(&mut self, kind: &str, form: Form, name: &str, bytes: &[u8]) {
        let number = KINDS
            .iter()
            .position(|(known, _)| *known == kind)
            .expect("a kind of the table");
        let (form_number, form_name) = match form {
            Form::Cbor => (0, "cbor"),
            Form::Json => (1, "json"),
            Form::Payload => (2, "payload"),
        };
        let seed = [&[number as u8, form_number], bytes].concat();
        self.0.push((format!("{kind}-{name}-{form_name}"), seed));
    }

    fn document(&mut self, kind: &str, name: &str, value: &impl Serialize) {
        let cbor = canonical::to_bytes(value).expect("a seed can be encoded");
        self.add(kind, Form::Cbor, name, &cbor);
        let json = serde_json::to_vec(value).expect("a seed can be exported");
        self.add(kind, Form::Json, name, &json);
    }

    fn envelope<T: Domain>(&mut self, kind: &str, sealed: &Verified<T>) {
        self.document(kind, "made", sealed.signed());
        let json = serde_json::to_value(sealed.signed()).expect("a seed can be exported");
        let payload = json["payload"].as_str().expect("a payload in base64");
        let payload = data_encoding::BASE64
            .decode(payload.as_bytes())
            .expect("a payload in base64");
        self.add(kind, Form::Payload, "made", &payload);
    }

    /// What other implementations are checked by.
    fn vectors(&mut self) {
        let vectors: serde_json::Value =
            serde_json::from_str(VECTORS).expect("the vectors are JSON");
        let hex = |value: &serde_json::Value| {
            let text = value.as_str().expect("a vector in hexadecimal");
            HEXLOWER
                .decode(text.as_bytes())
                .expect("a vector in hexadecimal")
        };
        for name in ["campaigns_request", "ask_request", "return_request"] {
            self.add(
                "request",
                Form::Cbor,
                name,
                &hex(&vectors["canonical"][name]),
            );
        }
        self.add(
            "entry",
            Form::Cbor,
            "vector",
            &hex(&vectors["log"]["entry_cbor"]),
        );
        for kind in ["posting", "receipt"] {
            let vector = &vectors[format!("signed_{kind}")];
            self.add(kind, Form::Cbor, "vector", &hex(&vector["envelope_cbor"]));
            self.add(kind, Form::Payload, "vector", &hex(&vector["payload_cbor"]));
            let json = vector["envelope_json"].to_string();
            self.add(kind, Form::Json, "vector", json.as_bytes());
        }
    }
}

/// One of everything, all of it valid: a campaign of one unit with one segment, its receipt and the
/// evidence.
pub(crate) fn seeds() -> Vec<Seed> {
    let steward = KEY.clone();
    let worker = Keypair::from_secret(&[1; 32]);
    let verifier = Keypair::from_secret(&[2; 32]);
    let node = worker.node_id();
    let campaign = CampaignId::derive(*NETWORK, steward.node_id(), "labs-101");
    let unit = UnitId::derive(campaign, 7);
    let lease_id = LeaseId::derive(unit, 0);
    let skill = Cid::of(b"skill");
    let engine = Digest::of(b"engine");
    let secret = Digest::of(b"audit secret");
    let limits = ResourceLimits {
        memory_bytes: 64 << 20,
        output_bytes: 1024,
        segment_wall_ms: 10_000,
    };
    let mut seeds = Seeds::default();
    seeds.vectors();

    let charter = Charter {
        name: NAME.to_owned(),
        revision: 1,
        stewards: vec![steward.node_id()],
        supernodes: vec![format!("/ip4/192.0.2.1/tcp/4001/p2p/{}", steward.node_id())],
        skills: vec![skill],
        policy_floor: 1,
    };
    let roots = std::slice::from_ref(&steward);
    let signed_charter =
        SignedCharter::seal(&charter, roots, 1, NOW, EXPIRES).expect("a seed can be sealed");
    seeds.document("signed-charter", "made", &signed_charter);
    seeds.envelope("charter", &seal(charter, &steward));

    let order = Order {
        number: 1,
        kind: OrderKind::Halt,
        reason: "A fault was found.".to_owned(),
    };
    let root_ids = [steward.node_id()];
    let signed_order = SignedOrder::seal(&order, NAME, (&root_ids, 1), roots, (NOW, EXPIRES))
        .expect("a seed can be sealed");
    seeds.document("signed-order", "made", &signed_order);
    seeds.envelope("order", &seal(order, &steward));

    let text = |text: &str| [("en".to_owned(), text.to_owned())].into();
    let signed_campaign = seal(
        Campaign {
            id: campaign,
            name: "labs-101".to_owned(),
            title: text("Better radar signals"),
            purpose: text("Short sequences that hardly resemble themselves."),
            skill: SkillRef {
                name: "labs".to_owned(),
                kind: SkillKind::Compute,
                cid: skill,
            },
            problem: Problem::Labs(Labs {
                track: Track::Skew,
                length: 101,
            }),
            evolution: EvolutionParams {
                population: 16,
                units_per_generation: 8,
                segments_per_unit: 1,
                evaluations_per_segment: 10_000,
                crossover_permille: 900,
                tournament: 3,
                seed: 1,
            },
            verification: VerificationPolicy {
                agree: 2,
                ask: 3,
                newcomer_units: 5,
                audit_permille: 50,
                maturity_units: 20,
                lease_ms: 60_000,
                recheck_claim_ms: 30_000,
            },
            reward: RewardPolicy {
                budget: Micro(1_000_000),
                per_segment: Micro(1000),
                per_recheck_segment: Micro(500),
            },
            limits,
            risk: RiskTier::Low,
        },
        &steward,
    );
    seeds.envelope("campaign", &signed_campaign);
    let status = seal(
        CampaignStatus {
            campaign,
            generation: 3,
            units_accepted: 25,
            units_rejected: 1,
            best_output: b"best".to_vec(),
        },
        &steward,
    );
    seeds.envelope("status", &status);

    let lease = seal(
        Lease {
            id: lease_id,
            campaign,
            unit,
            node,
            skill,
            input: b"input".to_vec(),
            unit_seed: 7,
            segments: vec![0],
            limits,
            audit_commitment: audit::commitment(&secret),
            audit_permille: 50,
            reward: Micro(1000),
        },
        &steward,
    );
    seeds.envelope("lease", &lease);
    let outputs = vec![SegmentOutput {
        segment: 0,
        output: b"output".to_vec(),
    }];
    let root = outputs_root(&outputs);
    let result = WorkResult {
        lease: lease_id,
        campaign,
        unit,
        engine,
        policy: Digest::of(b"policy"),
        root,
        outputs,
    };
    let recheck = WorkResult {
        lease: LeaseId::derive(unit, 1),
        ..result.clone()
    };
    seeds.envelope("result", &seal(result.clone(), &worker));
    let own_result = seal(result.clone(), &steward).into_signed();
    let result = seal(result, &worker);
    let recheck = seal(recheck, &verifier);
    let vote = |ballot: &Verified<WorkResult>| Vote {
        node: ballot.signer(),
        result: ballot.id(),
        value: root,
    };
    let verdict = seal(
        Verdict {
            campaign,
            unit,
            worker: node,
            result: result.id(),
            outcome: Outcome::Accepted,
            agree: 2,
            audit_secret: secret,
            sampled: vec![0],
            votes: vec![vote(&result), vote(&recheck)],
        },
        &steward,
    );
    seeds.envelope("verdict", &verdict);
    let receipt_id = ReceiptId::derive(campaign, unit, node);
    let receipt = seal(
        Receipt {
            id: receipt_id,
            campaign,
            unit,
            node,
            role: Role::Work,
            result: result.id(),
            verdict: verdict.id(),
            segments: 1,
            amount: Micro(1000),
        },
        &steward,
    );
    seeds.envelope("receipt", &receipt);
    let posting = seal(
        Posting {
            receipt: receipt_id,
            node,
            outcome: PostingOutcome::Posted,
        },
        &steward,
    );
    seeds.envelope("posting", &posting);
    seeds.envelope("head", &seal(LogHead::EMPTY.extend(b"entry"), &steward));

    let proof = ReceiptProof {
        receipt: receipt.into_signed(),
        verdict: verdict.into_signed(),
        lease: lease.signed().clone(),
        result: result.signed().clone(),
        rechecks: vec![recheck.into_signed()],
    };
    seeds.document("proof", "made", &proof);
    let export = receipts::Export {
        format: receipts::EXPORT_FORMAT.to_owned(),
        network: *NETWORK,
        charter: signed_charter,
        receipts: vec![proof.clone()],
    };
    let file = export.to_bytes().expect("a seed can be exported");
    seeds.add("export", Form::Json, "made", &file);

    for (name, request) in [
        ("campaigns", WorkRequest::Campaigns),
        ("ask", WorkRequest::Ask { campaign, engine }),
        ("submit", WorkRequest::Submit(own_result)),
        (
            "return",
            WorkRequest::Return {
                lease: lease_id,
                reason: ReturnReason::SkillFailed,
            },
        ),
        ("news", WorkRequest::News { campaign, after: 9 }),
        ("orders", WorkRequest::Orders { after: 9 }),
    ] {
        seeds.document("request", name, &request);
    }
    let campaigns = vec![signed_campaign.signed().clone()];
    let news = News {
        campaign,
        items: vec![
            NewsItem::Receipt(Box::new(proof.clone())),
            NewsItem::Posting(posting.into_signed()),
        ],
        last: 2,
        status: status.into_signed(),
    };
    for (name, response) in [
        ("campaigns", WorkResponse::Campaigns(campaigns)),
        ("lease", WorkResponse::Lease(lease.into_signed())),
        (
            "no-work",
            WorkResponse::NoWork {
                reason: NoWork::Waiting,
                retry_ms: 1000,
            },
        ),
        ("stored", WorkResponse::Stored(result.id())),
        ("returned", WorkResponse::Returned(lease_id)),
        ("news", WorkResponse::News(news)),
        ("no-order", WorkResponse::Orders(None)),
        (
            "order",
            WorkResponse::Orders(Some(Box::new(signed_order.clone()))),
        ),
        ("refused", WorkResponse::Refused(Rejection::TooMany)),
    ] {
        seeds.document("response", name, &response);
    }
    let action = Action::ExceedLimits {
        campaign,
        memory_bytes: 1 << 30,
        disk_bytes: 1 << 30,
        cpu_percent: 75,
    };
    for (name, record) in [
        ("kill", Record::Kill { on: true }),
        (
            "consent",
            Record::Consent {
                given: true,
                policy_version: 1,
                policy_hash: Digest::of(b"policy"),
            },
        ),
        (
            "joined",
            Record::CampaignJoined(signed_campaign.into_signed()),
        ),
        ("order", Record::OrderTaken(signed_order)),
        ("settings", Record::SettingsChanged(Settings::default())),
        (
            "decided",
            Record::Decided(DecisionRecord {
                action: action.clone(),
                tier: Some(RiskTier::Medium),
                verdict: DecisionVerdict::Asked,
                rule: "medium".to_owned(),
                correlation: Some(unit.to_string()),
                repeats: 2,
            }),
        ),
        (
            "asked",
            Record::Asked {
                question: 1,
                action,
                expires: EXPIRES,
            },
        ),
        (
            "answered",
            Record::Answered {
                question: 1,
                answer: Answer::Yes(Scope::Day),
            },
        ),
        (
            "receipt",
            Record::ReceiptReceived {
                sequence: 1,
                proof: Box::new(proof),
            },
        ),
        (
            "generation",
            Record::GenerationClosed {
                generation: 1,
                population: vec![SegmentOutput {
                    segment: 0,
                    output: b"output".to_vec(),
                }],
            },
        ),
    ] {
        seeds.document("entry", name, &Entry { at: NOW, record });
    }
    seeds.0
}
