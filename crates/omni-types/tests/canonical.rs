//! One value, one encoding; anything else is refused, and hostile bytes never panic.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use omni_types::{
    Cid, Digest, LeaseId, NodeId, Posting, PostingOutcome, ReceiptId, Record, Rejection,
    ReturnReason, Timestamp, WorkRequest, WorkResponse, canonical,
    record::Entry,
    wire::{MAX_REQUEST_BYTES, NoWork},
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair {
    a: u64,
    bb: u64,
}

fn pair(hex: &str) -> Result<Pair, Rejection> {
    let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
    canonical::from_bytes(&bytes, 1000)
}

#[test]
fn only_the_one_encoding_of_a_value_is_read() {
    assert_eq!(pair("a2616101626262182a"), Ok(Pair { a: 1, bb: 42 }));
    for (hex, why) in [
        ("a2626262182a616101", "keys in another order"),
        ("a261611801626262182a", "a longer integer, one byte"),
        ("a26161190001626262182a", "a longer integer, two bytes"),
        (
            "a261611b0000000000000001626262182a",
            "a longer integer, eight bytes",
        ),
        ("a2616101626262182a00", "a trailing byte"),
        ("a3616101626262182a6163f6", "an unknown key"),
        ("a3616101616101626262182a", "a key twice"),
        ("bf616101626262182aff", "indefinite length"),
        ("b80261610162626218 2a", "a longer map length"),
        ("a261617f6101ff626262182a", "an indefinite string"),
        ("a2780161 01626262182a", "a longer text length"),
        ("a26161f93c00626262182a", "a float"),
        ("a2616120626262182a", "a negative number"),
        ("c1a2616101626262182a", "a tag"),
        ("a2616101", "a missing key's value"),
        ("a1616101", "a missing key"),
        ("", "nothing"),
        ("ff", "a lone break"),
        ("a2616101626262", "an end in the middle"),
    ] {
        let hex: String = hex.split(' ').collect();
        let refused = pair(&hex).unwrap_err();
        assert!(
            matches!(refused, Rejection::Malformed | Rejection::NotCanonical),
            "{why}: {refused:?}"
        );
    }
}

#[test]
fn the_limit_comes_before_decoding() {
    let bytes = canonical::to_bytes(&Pair { a: 1, bb: 42 }).unwrap();
    let limit = bytes.len();
    assert!(canonical::from_bytes::<Pair>(&bytes, limit).is_ok());
    let refused = canonical::from_bytes::<Pair>(&bytes, limit - 1);
    assert_eq!(refused, Err(Rejection::TooLarge));
}

#[test]
fn deep_nesting_and_huge_lengths_are_refused_without_harm() {
    let deep = |opening: &[u8]| {
        let mut bytes = vec![0xa1, 0x61, b'z'];
        while bytes.len() + opening.len() < MAX_REQUEST_BYTES {
            bytes.extend_from_slice(opening);
        }
        bytes
    };
    let huge_list = b"\xa1\x69campaigns\x9b\x7f\xff\xff\xff\xff\xff\xff\xff".to_vec();
    let huge_bytes = b"\xa1\x66stored\x5b\x7f\xff\xff\xff\xff\xff\xff\xff".to_vec();
    for bytes in [
        deep(&[0x81]),
        deep(&[0xa1, 0x61, b'z']),
        deep(&[0xd8, 0x2a]),
        huge_list,
        huge_bytes,
    ] {
        assert!(canonical::from_bytes::<WorkRequest>(&bytes, MAX_REQUEST_BYTES).is_err());
        assert!(canonical::from_bytes::<WorkResponse>(&bytes, MAX_REQUEST_BYTES).is_err());
        assert!(canonical::from_bytes::<Pair>(&bytes, MAX_REQUEST_BYTES).is_err());
        assert!(canonical::from_bytes::<Entry>(&bytes, MAX_REQUEST_BYTES).is_err());
    }
}

#[test]
fn plain_messages_have_these_bytes() {
    let hex =
        |value: &WorkRequest| data_encoding::HEXLOWER.encode(&canonical::to_bytes(value).unwrap());
    assert_eq!(hex(&WorkRequest::Campaigns), "6963616d706169676e73");
    let back = WorkRequest::Return {
        lease: LeaseId([7; 16]),
        reason: ReturnReason::SkillFailed,
    };
    assert_eq!(
        hex(&back),
        "a16672657475726ea2656c656173655007070707070707070707070707070707\
         66726561736f6e6c736b696c6c2d6661696c6564"
    );
}

fn round_trip<T: Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = canonical::to_bytes(value).unwrap();
    assert_eq!(
        &canonical::from_bytes::<T>(&bytes, bytes.len()).unwrap(),
        value
    );
    let json = serde_json::to_vec(value).unwrap();
    assert_eq!(&serde_json::from_slice::<T>(&json).unwrap(), value);
}

proptest! {
    #[test]
    fn values_survive_both_encodings(bytes in any::<[u8; 32]>(), number in any::<u64>(), flag in any::<bool>()) {
        round_trip(&NodeId(bytes));
        round_trip(&Digest(bytes));
        round_trip(&Cid::of(&bytes));
        round_trip(&Posting { receipt: ReceiptId(bytes), node: NodeId(bytes), outcome: PostingOutcome::Voided });
        round_trip(&WorkResponse::NoWork { reason: NoWork::BudgetSpent, retry_ms: number });
        round_trip(&Entry { at: Timestamp(number), record: Record::Kill { on: flag } });
        let record = Record::UnitCreated {
            unit: omni_types::UnitId([1; 16]), sequence: number, generation: 1, skill: Cid::of(&bytes),
            input: bytes.to_vec(), seed: number, segments: 3,
        };
        round_trip(&Entry { at: Timestamp(0), record });
    }

    #[test]
    fn whatever_is_read_is_written_back_as_the_same_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(request) = canonical::from_bytes::<WorkRequest>(&bytes, 1000) {
            prop_assert_eq!(canonical::to_bytes(&request).unwrap(), bytes.clone());
        }
        if let Ok(entry) = canonical::from_bytes::<Entry>(&bytes, 1000) {
            prop_assert_eq!(canonical::to_bytes(&entry).unwrap(), bytes);
        }
    }
}
