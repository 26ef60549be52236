//! Ids, amounts, hashes and seeds against known values.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use omni_types::{
    Cid, Digest, Keypair, LogHead, Micro, NetworkId, NodeId, Rejection, Timestamp, merkle,
    seed::{Draws, splitmix64},
};
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}

#[test]
fn a_node_id_is_the_peer_id_of_its_key() {
    // Key pair of RFC 8032, section 7.1, test 1.
    let secret = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let keypair = Keypair::from_secret(&secret.try_into().unwrap());
    let id = keypair.node_id();
    assert_eq!(id.0.as_slice(), public);
    let text = "12D3KooWQK1wnefoLrcVHbbnf5tLzbopUd3K3bFAoJpA7YJgL5pV";
    assert_eq!(id.to_string(), text);
    assert_eq!(text.parse::<NodeId>(), Ok(id));
    assert!(text.ends_with(&id.short()));
    for wrong in [
        "",
        "12D3KooW",
        "0OIl",
        &text[1..],
        &text.to_lowercase(),
        &text.repeat(4),
    ] {
        assert_eq!(
            wrong.parse::<NodeId>(),
            Err(Rejection::Malformed),
            "{wrong}"
        );
    }
    assert!(
        !format!("{keypair:?}").contains("9d61b19d"),
        "the secret is not printed"
    );
}

#[test]
fn a_content_id_has_the_usual_text_and_no_other() {
    let empty = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    assert_eq!(Cid::of(b"").to_string(), empty);
    assert_eq!(empty.parse::<Cid>(), Ok(Cid::of(b"")));
    assert!(Cid::of(b"").matches(b"") && !Cid::of(b"").matches(b"x"));
    for (wrong, reason) in [
        // Version 0, another codec, another base, upper case, too long.
        (
            "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",
            Rejection::Malformed,
        ),
        (
            "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
            Rejection::Malformed,
        ),
        (
            "zb2rhmy65F3REf8SZp7De11gxtECBGgUKaLdiDj7MCGCHxbDW",
            Rejection::NotCanonical,
        ),
        (&empty.to_uppercase(), Rejection::NotCanonical),
        ("", Rejection::Malformed),
        (&"b".repeat(200), Rejection::TooLarge),
    ] {
        assert_eq!(wrong.parse::<Cid>(), Err(reason), "{wrong}");
    }
    let bytes = Cid::of(b"x").to_bytes();
    assert_eq!(Cid::from_bytes(&bytes), Ok(Cid::of(b"x")));
    for at in 0..4 {
        let mut other = bytes.clone();
        other[at] ^= 1;
        assert_eq!(Cid::from_bytes(&other), Err(Rejection::Malformed));
    }
    assert_eq!(Cid::from_bytes(&bytes[..35]), Err(Rejection::Malformed));
}

#[test]
fn amounts_have_one_exact_text_and_never_overflow() {
    for (micro, text) in [
        (0, "0.000000"),
        (1, "0.000001"),
        (12_500_000, "12.500000"),
        (i64::MAX as u64, "9223372036854.775807"),
    ] {
        assert_eq!(Micro(micro).to_string(), text);
        assert_eq!(text.parse::<Micro>(), Ok(Micro(micro)));
    }
    for wrong in [
        "",
        "1",
        "1.",
        ".000000",
        "1.0",
        "1.0000000",
        "-1.000000",
        "+1.000000",
        "1,000000",
        "1.00000x",
        "9223372036854.775808",
        "99999999999999999999.000000",
    ] {
        assert_eq!(wrong.parse::<Micro>(), Err(Rejection::Malformed), "{wrong}");
    }
    assert_eq!(Micro::MAX.checked_add(Micro(1)), None);
    assert_eq!(Micro(u64::MAX).checked_add(Micro(1)), None);
    assert_eq!(Micro(1).checked_sub(Micro(2)), None);
    assert_eq!(Micro::MAX.checked_mul(2), None);
    assert_eq!(Micro(3).checked_mul(4), Some(Micro(12)));
    assert_eq!(Timestamp(u64::MAX).plus_ms(1), Timestamp(u64::MAX));
    assert_eq!(Timestamp(1).since_ms(Timestamp(5)), 0);
}

#[test]
fn merkle_roots_are_those_of_rfc_6962() {
    // The test tree of the certificate transparency project.
    let leaves: Vec<Vec<u8>> = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    .map(hex)
    .to_vec();
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    for (count, root) in roots.iter().enumerate() {
        assert_eq!(merkle::root(&leaves[..count]).to_string(), *root, "{count}");
    }
}

#[test]
fn the_head_of_a_log_covers_every_entry_their_order_and_their_number() {
    let head = |entries: &[&[u8]]| {
        entries
            .iter()
            .fold(LogHead::EMPTY, |head, entry| head.extend(entry))
    };
    assert_eq!(head(&[b"a", b"b"]).count, 2);
    let heads: BTreeSet<String> = [
        head(&[]),
        head(&[b""]),
        head(&[b"", b""]),
        head(&[b"a"]),
        head(&[b"b"]),
        head(&[b"a", b"b"]),
        head(&[b"b", b"a"]),
        head(&[b"ab"]),
        head(&[b"a", b"b", b""]),
    ]
    .iter()
    .map(|head| head.hash.to_string())
    .collect();
    assert_eq!(heads.len(), 9);
}

#[test]
fn parts_and_domains_cannot_be_confused() {
    let all = [
        Digest::of_parts("a", &[b"bc"]),
        Digest::of_parts("a", &[b"b", b"c"]),
        Digest::of_parts("ab", &[b"c"]),
        Digest::of_parts("a", &[b"bc", b""]),
        Digest::of_parts("a", &[]),
        Digest::of(b"abc"),
    ];
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn a_network_is_its_name_roots_and_threshold() {
    let (a, b) = (NodeId([1; 32]), NodeId([2; 32]));
    let id = NetworkId::derive("net", &[a, b], 1);
    assert_eq!(id, NetworkId::derive("net", &[b, a, a], 1));
    assert_ne!(id, NetworkId::derive("net", &[a, b], 2));
    assert_ne!(id, NetworkId::derive("net", &[a], 1));
    assert_ne!(id, NetworkId::derive("nets", &[a, b], 1));
}

#[test]
fn splitmix64_gives_the_published_numbers() {
    let known = [
        6_457_827_717_110_365_317u64,
        3_203_168_211_198_807_973,
        9_817_491_932_198_370_423,
        4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
    ];
    let mut draws = Draws::new(1_234_567);
    for (index, value) in known.into_iter().enumerate() {
        assert_eq!(splitmix64(1_234_567, index as u64), value);
        assert_eq!(draws.bits(), value);
    }
}

#[test]
fn draws_are_uniform() {
    for bound in [2u64, 3, 7, 10] {
        let mut draws = Draws::new(bound);
        let mut hits = vec![0f64; bound as usize];
        for _ in 0..70_000 {
            hits[draws.below(bound) as usize] += 1.0;
        }
        let expected = 70_000.0 / bound as f64;
        let chi: f64 = hits
            .iter()
            .map(|hit| (hit - expected).powi(2) / expected)
            .sum();
        assert!(chi < 40.0, "bound {bound}: {chi}");
    }
    // With a bound of three quarters of the range a plain remainder would give the lower half twice as often.
    let bound = 3u64 << 62;
    let mut draws = Draws::new(1);
    let low = (0..30_000).filter(|_| draws.below(bound) < 1 << 62).count();
    assert!((9_500..10_500).contains(&low), "{low}");
}

proptest! {
    #[test]
    fn draws_stay_below_their_bound(seed in any::<u64>(), bound in any::<u64>()) {
        let mut draws = Draws::new(seed);
        for _ in 0..8 {
            prop_assert!(draws.below(bound) < bound.max(1));
            prop_assert!(draws.below(bound % 5) < (bound % 5).max(1));
        }
    }

    #[test]
    fn amounts_read_what_they_write(micro in 0..=i64::MAX as u64) {
        prop_assert_eq!(Micro(micro).to_string().parse::<Micro>(), Ok(Micro(micro)));
    }

    #[test]
    fn ids_read_what_they_write(bytes in any::<[u8; 32]>(), text in ".{0,80}") {
        prop_assert_eq!(NodeId(bytes).to_string().parse::<NodeId>(), Ok(NodeId(bytes)));
        prop_assert_eq!(Digest(bytes).to_string().parse::<Digest>(), Ok(Digest(bytes)));
        if let Ok(id) = text.parse::<NodeId>() {
            prop_assert_eq!(id.to_string(), text.clone());
        }
        if let Ok(id) = text.parse::<Digest>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }
}
