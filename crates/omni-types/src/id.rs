//! Identities: nodes by their ed25519 key, everything else by a hash.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::hash::Digest;

/// Implements text form, parsing and serialization for a newtype over `[u8; N]`: bytes in
/// canonical CBOR, lower-case hexadecimal in JSON and on screen.
macro_rules! byte_newtype {
    ($name:ident, $len:literal) => {
        $crate::id::byte_newtype!(
            $name,
            $len,
            |bytes: &[u8; $len]| { data_encoding::HEXLOWER.encode(bytes) },
            |text: &str| {
                data_encoding::HEXLOWER
                    .decode(text.as_bytes())
                    .ok()
                    .and_then(|bytes| <[u8; $len]>::try_from(bytes).ok())
            }
        );
    };
    ($name:ident, $len:literal, $encode:expr, $decode:expr) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&($encode)(&self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Rejection;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if text.len() > 128 {
                    return Err($crate::Rejection::Malformed);
                }
                ($decode)(text)
                    .map(Self)
                    .ok_or($crate::Rejection::Malformed)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_bytes(&self.0)
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::Error as _;
                if deserializer.is_human_readable() {
                    let text = String::deserialize(deserializer)?;
                    text.parse()
                        .map_err(|_| D::Error::custom(concat!("not a ", stringify!($name))))
                } else {
                    let bytes = serde_bytes::ByteArray::<$len>::deserialize(deserializer)?;
                    Ok(Self(bytes.into_array()))
                }
            }
        }
    };
}
pub(crate) use byte_newtype;

/// Protobuf and multihash framing of an ed25519 public key in a libp2p peer id.
const PEER_ID_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// A node's identity: its ed25519 public key. The text form is the libp2p peer id of that key, so
/// that one name serves in logs, charters and multiaddresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 32]);

byte_newtype!(
    NodeId,
    32,
    |bytes: &[u8; 32]| {
        let mut framed = PEER_ID_PREFIX.to_vec();
        framed.extend_from_slice(bytes);
        bs58::encode(framed).into_string()
    },
    |text: &str| {
        let framed = bs58::decode(text).into_vec().ok()?;
        let key = framed.strip_prefix(&PEER_ID_PREFIX)?;
        <[u8; 32]>::try_from(key).ok()
    }
);

impl NodeId {
    /// The verifying key, when the bytes are a point on the curve.
    pub(crate) fn verifying_key(&self) -> Option<VerifyingKey> {
        VerifyingKey::from_bytes(&self.0).ok()
    }

    /// The last eight characters of the text form, for narrow columns on screen. Never use it to
    /// compare identities.
    pub fn short(&self) -> String {
        let text = self.to_string();
        let skip = text.len().saturating_sub(8);
        text.chars().skip(skip).collect()
    }
}

/// The network a message belongs to: hash of name, root keys and threshold of its charter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkId(pub [u8; 32]);
byte_newtype!(NetworkId, 32);

/// One campaign: hash of its name and its steward's key, fixed over revisions of its document.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CampaignId(pub [u8; 32]);
byte_newtype!(CampaignId, 32);

impl CampaignId {
    /// Identity of the campaign called `name` on `network` run by `steward`.
    pub fn derive(network: NetworkId, steward: NodeId, name: &str) -> Self {
        Self(
            Digest::of_parts(
                "omniswarm/1/campaign-id",
                &[&network.0, &steward.0, name.as_bytes()],
            )
            .0,
        )
    }
}

/// One unit of work. Also the correlation id that follows the unit through logs, lease to receipt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitId(pub [u8; 16]);
byte_newtype!(UnitId, 16);

impl UnitId {
    /// The unit with running number `sequence` in its campaign.
    pub fn derive(campaign: CampaignId, sequence: u64) -> Self {
        let digest = Digest::of_parts(
            "omniswarm/1/unit-id",
            &[&campaign.0, &sequence.to_be_bytes()],
        );
        Self(digest.truncated())
    }
}

/// One lease: a unit, or a part of it, handed to one node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub [u8; 16]);
byte_newtype!(LeaseId, 16);

impl LeaseId {
    /// The `attempt`-th lease of `unit` (first runs and rechecks count together).
    pub fn derive(unit: UnitId, attempt: u32) -> Self {
        let digest = Digest::of_parts("omniswarm/1/lease-id", &[&unit.0, &attempt.to_be_bytes()]);
        Self(digest.truncated())
    }
}

/// One receipt, and the ledger transfer that it stands for: the two share this id, so posting a
/// receipt twice changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiptId(pub [u8; 32]);
byte_newtype!(ReceiptId, 32);

impl ReceiptId {
    /// The one receipt that `node` can get for its part in `unit`.
    pub fn derive(campaign: CampaignId, unit: UnitId, node: NodeId) -> Self {
        let parts: [&[u8]; 3] = [&campaign.0, &unit.0, &node.0];
        Self(Digest::of_parts("omniswarm/1/receipt-id", &parts).0)
    }
}

/// An ed25519 key pair. The secret half is wiped on drop and never printed.
#[derive(Clone)]
pub struct Keypair(SigningKey);

impl Keypair {
    /// Key pair from a 32-byte secret, which must come from a cryptographic random source.
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// The public half.
    pub fn node_id(&self) -> NodeId {
        NodeId(self.0.verifying_key().to_bytes())
    }

    /// A copy of the secret half, wiped on drop; for the key store and the transport only.
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// A secret that only the holder of this key can compute, different for every purpose and
    /// context: SHA-256 over `purpose`, the secret key and `context`.
    pub fn derive_secret(&self, purpose: &str, context: &[u8]) -> Zeroizing<[u8; 32]> {
        let secret = self.secret();
        Zeroizing::new(Digest::of_parts(purpose, &[secret.as_slice(), context]).0)
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keypair({})", self.node_id())
    }
}
