//! Who may define a network.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use omni_core::charter::{verify, verify_stored};
use omni_types::{Charter, Keypair, NetworkId, NodeId, Rejection, SignedCharter};
use support::{START, key, network};

fn charter(name: &str) -> Charter {
    Charter {
        name: name.to_owned(),
        revision: 1,
        stewards: vec![key("steward").node_id()],
        supernodes: vec![],
        skills: vec![],
        policy_floor: 1,
    }
}

/// The charter `test` of three roots, two of which must sign, with the signatures of `signers`.
fn signed_by(signers: &[&str], value: &Charter) -> SignedCharter {
    let roots = ["root one", "root two", "root three"].map(key);
    let full = SignedCharter::seal(value, &roots, 2, START, START.plus_ms(1000)).unwrap();
    let network = network("test").id;
    let signatures = signers
        .iter()
        .map(|name| {
            let sealed = omni_types::Signed::seal(
                value.clone(),
                &key(name),
                network,
                START,
                START.plus_ms(1000),
            );
            sealed.unwrap().into_signed()
        })
        .collect();
    SignedCharter { signatures, ..full }
}

#[test]
fn enough_distinct_roots_must_have_signed_the_same_charter_in_time() {
    let pinned = network("test").id;
    let good = charter("test");
    let check = |signers: &[&str]| verify(&signed_by(signers, &good), pinned, START).err();
    assert_eq!(check(&["root one", "root two"]), None);
    assert_eq!(check(&["root three", "root one", "root two"]), None);
    assert_eq!(check(&[]), Some(Rejection::QuorumNotReached));
    assert_eq!(check(&["root one"]), Some(Rejection::QuorumNotReached));
    assert_eq!(
        check(&["root one", "root one"]),
        Some(Rejection::QuorumNotReached),
        "one root twice"
    );
    assert_eq!(
        check(&["root one", "stranger"]),
        Some(Rejection::WrongSigner)
    );
    assert_eq!(
        check(&["root one", "root two", "stranger"]),
        Some(Rejection::WrongSigner)
    );

    let mut split = signed_by(&["root one"], &good);
    let other = Charter {
        revision: 2,
        ..good.clone()
    };
    split
        .signatures
        .extend(signed_by(&["root two"], &other).signatures);
    assert_eq!(
        verify(&split, pinned, START).err(),
        Some(Rejection::QuorumNotReached)
    );

    let signed = signed_by(&["root one", "root two"], &good);
    assert_eq!(
        verify(&signed, pinned, START.plus_ms(1000)).err(),
        Some(Rejection::Expired)
    );
    assert_eq!(verify_stored(&signed, pinned).unwrap(), good);
    assert_eq!(
        verify(&signed, NetworkId([1; 32]), START).err(),
        Some(Rejection::WrongNetwork)
    );
}

#[test]
fn roots_threshold_and_name_are_pinned_by_the_network_id() {
    let pinned = network("test").id;
    let good = signed_by(&["root one", "root two"], &charter("test"));
    let lowered = SignedCharter {
        threshold: 1,
        ..good.clone()
    };
    assert_eq!(
        verify(&lowered, pinned, START).err(),
        Some(Rejection::WrongNetwork)
    );
    let none = SignedCharter {
        threshold: 0,
        ..good.clone()
    };
    assert_eq!(
        verify(&none, pinned, START).err(),
        Some(Rejection::TooLarge)
    );
    let mut more: Vec<NodeId> = good.roots.clone();
    more.push(key("stranger").node_id());
    let widened = SignedCharter {
        roots: more,
        ..good.clone()
    };
    assert_eq!(
        verify(&widened, pinned, START).err(),
        Some(Rejection::WrongNetwork)
    );
    let renamed = signed_by(&["root one", "root two"], &charter("another"));
    assert_eq!(
        verify(&renamed, pinned, START).err(),
        Some(Rejection::WrongNetwork)
    );
    let crowd: Vec<Keypair> = (0..65).map(|n| key(&n.to_string())).collect();
    let crowd = SignedCharter::seal(&charter("test"), &crowd, 2, START, START.plus_ms(1)).unwrap();
    assert_eq!(
        verify(&crowd, pinned, START).err(),
        Some(Rejection::TooLarge)
    );
}
