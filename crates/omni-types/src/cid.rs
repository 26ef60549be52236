//! Content ids: CIDv1, codec raw, SHA-256, and nothing else.

use std::{fmt, str::FromStr};

use multihash::Multihash;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{Rejection, hash::Digest};

/// Multicodec `raw`.
const RAW: u64 = 0x55;
/// Multihash code of SHA-256.
const SHA2_256: u64 = 0x12;

/// The content id of a blob. Only CIDv1 with codec `raw` and SHA-256 exists here: one blob, one
/// name. Text form is base32 lower case (`bafkrei…`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid(Digest);

impl Cid {
    /// The content id of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Digest::of(bytes))
    }

    /// The SHA-256 digest inside the content id.
    pub fn digest(&self) -> Digest {
        self.0
    }

    /// Whether `bytes` are the blob that this id names.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        Self::of(bytes) == *self
    }

    /// The 36 bytes of the binary form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![0x01, 0x55, 0x12, 0x20];
        out.extend_from_slice(&self.0.0);
        out
    }

    fn from_parsed(parsed: &cid::Cid) -> Result<Self, Rejection> {
        let hash: &Multihash<64> = parsed.hash();
        if parsed.version() != cid::Version::V1 || parsed.codec() != RAW || hash.code() != SHA2_256
        {
            return Err(Rejection::Malformed);
        }
        let digest = <[u8; 32]>::try_from(hash.digest()).map_err(|_| Rejection::Malformed)?;
        Ok(Self(Digest(digest)))
    }

    /// Parses the binary form.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] for anything but the 36 bytes of a raw SHA-256 CIDv1.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Rejection> {
        if bytes.len() != 36 {
            return Err(Rejection::Malformed);
        }
        let parsed = cid::Cid::try_from(bytes).map_err(|_| Rejection::Malformed)?;
        Self::from_parsed(&parsed)
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = Multihash::<64>::wrap(SHA2_256, &self.0.0).map_err(|_| fmt::Error)?;
        write!(f, "{}", cid::Cid::new_v1(RAW, hash))
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cid({self})")
    }
}

impl FromStr for Cid {
    type Err = Rejection;

    fn from_str(text: &str) -> Result<Self, Rejection> {
        if text.len() > 128 {
            return Err(Rejection::TooLarge);
        }
        let parsed = cid::Cid::try_from(text).map_err(|_| Rejection::Malformed)?;
        let cid = Self::from_parsed(&parsed)?;
        // One blob, one text: other bases and cases of the same id are refused.
        if cid.to_string() == text {
            Ok(cid)
        } else {
            Err(Rejection::NotCanonical)
        }
    }
}

impl Serialize for Cid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.to_bytes())
        }
    }
}

impl<'de> Deserialize<'de> for Cid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(|_| D::Error::custom("not a CID"))
        } else {
            let bytes = serde_bytes::ByteArray::<36>::deserialize(deserializer)?;
            Self::from_bytes(bytes.as_slice()).map_err(|_| D::Error::custom("not a CID"))
        }
    }
}
