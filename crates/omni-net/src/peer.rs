//! Names of peers: a [`NodeId`] is an ed25519 key, a libp2p peer id the same key in a frame.

use libp2p::{Multiaddr, PeerId, identity, multiaddr::Protocol, multihash::Multihash};
use omni_types::{Keypair, NetworkId, NodeId};

use crate::failure::Error;

/// Multihash code of "the bytes themselves".
const IDENTITY: u64 = 0;
/// Protobuf frame of an ed25519 public key.
const KEY_FRAME: [u8; 4] = [0x08, 0x01, 0x12, 0x20];

/// The peer id of a node's key.
pub(crate) fn peer_id(node: NodeId) -> Option<PeerId> {
    let mut framed = KEY_FRAME.to_vec();
    framed.extend_from_slice(&node.0);
    let hash = Multihash::<64>::wrap(IDENTITY, &framed).ok()?;
    PeerId::from_multihash(hash).ok()
}

/// The key inside a peer id; `None` for every kind of key but ed25519.
pub(crate) fn node_id(peer: PeerId) -> Option<NodeId> {
    let hash: &Multihash<64> = peer.as_ref();
    if hash.code() != IDENTITY {
        return None;
    }
    let key = hash.digest().strip_prefix(&KEY_FRAME)?;
    <[u8; 32]>::try_from(key).ok().map(NodeId)
}

/// The transport's form of a node's key pair.
pub(crate) fn transport_keypair(keypair: &Keypair) -> Result<identity::Keypair, Error> {
    let mut secret = keypair.secret();
    identity::Keypair::ed25519_from_bytes(secret.as_mut_slice())
        .map_err(|error| Error::Transport(error.to_string()))
}

/// The first eight bytes of the network's id in hexadecimal, which tell networks apart in names.
fn network_mark(network: NetworkId) -> String {
    network.to_string().chars().take(16).collect()
}

/// What identify must say for a peer to be of `network`.
pub(crate) fn protocol_version(network: NetworkId) -> String {
    format!("omniswarm/1/{}", network_mark(network))
}

/// Where the stewards of `network` register.
pub(crate) fn steward_namespace(network: NetworkId) -> String {
    format!("omniswarm/{}/steward", network_mark(network))
}

/// Parses a multiaddress.
pub(crate) fn address(text: &str) -> Result<Multiaddr, Error> {
    text.parse().map_err(|_| Error::Address(text.to_owned()))
}

/// Parses a supernode's multiaddress into its id and the address without it.
pub(crate) fn supernode_address(text: &str) -> Result<(PeerId, Multiaddr), Error> {
    let mut address = address(text)?;
    match address.pop() {
        Some(Protocol::P2p(peer)) if node_id(peer).is_some() => Ok((peer, address)),
        _ => Err(Error::SupernodeId(text.to_owned())),
    }
}

/// Whether an address is of this computer only.
pub(crate) fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn node_and_peer_id_are_the_same_name() {
        for secret in 1..=20u8 {
            let node = Keypair::from_secret(&[secret; 32]).node_id();
            let peer = peer_id(node).unwrap();
            assert_eq!(node_id(peer), Some(node));
            assert_eq!(peer.to_string(), node.to_string());
        }
    }

    #[test]
    fn the_transport_key_has_the_same_name() {
        let keypair = Keypair::from_secret(&[7; 32]);
        let transport = transport_keypair(&keypair).unwrap();
        assert_eq!(
            transport.public().to_peer_id(),
            peer_id(keypair.node_id()).unwrap()
        );
    }

    #[test]
    fn other_kinds_of_peer_id_are_refused() {
        let hashed = Multihash::<64>::wrap(0x12, &[1; 32]).unwrap();
        assert_eq!(node_id(PeerId::from_multihash(hashed).unwrap()), None);
        let mut secp = vec![0x08, 0x02, 0x12, 0x21];
        secp.extend_from_slice(&[2; 33]);
        let other = Multihash::<64>::wrap(IDENTITY, &secp).unwrap();
        assert_eq!(node_id(PeerId::from_multihash(other).unwrap()), None);
    }

    #[test]
    fn a_supernode_address_needs_its_id_at_the_end() {
        let node = Keypair::from_secret(&[7; 32]).node_id();
        let (peer, address) =
            supernode_address(&format!("/ip4/127.0.0.1/tcp/1/p2p/{node}")).unwrap();
        assert_eq!(node_id(peer), Some(node));
        assert_eq!(address.to_string(), "/ip4/127.0.0.1/tcp/1");
        assert!(is_loopback(&address));
        for (text, code) in [
            ("/ip4/127.0.0.1/tcp/1", "bad-supernode-id"),
            ("not an address", "bad-address"),
            ("", "bad-supernode-id"),
        ] {
            assert_eq!(supernode_address(text).unwrap_err().code(), code, "{text}");
        }
    }
}
