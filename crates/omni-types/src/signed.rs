//! Signed envelopes. What is inside cannot be read before it is verified: the only way from
//! [`Signed`] to its value is [`Signed::verify`].
//!
//! ```text
//!   value ── Signed::seal(key) ──▶ Signed<T> ── verify(now, network) ──▶ Verified<T>
//!                                     │                                      │
//!                                bytes on wire                        read, act, store
//! ```
//!
//! The signature is ed25519 over `u8 len(domain) ‖ domain ‖ signer key ‖ payload`, where payload is
//! the canonical form of network, issue time, expiry time and value. Verification is strict
//! (`verify_strict`: no small-order keys, canonical scalars only).

use std::{fmt, marker::PhantomData};

use ed25519_dalek::Signature;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Rejection, canonical,
    hash::Digest,
    id::{Keypair, NetworkId, NodeId},
    unit::Timestamp,
};

/// Largest payload of any envelope, bytes.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// How far in the future an issue time may lie, milliseconds: clocks of volunteers are not exact.
pub const CLOCK_SKEW_MS: u64 = 120_000;

/// What can be signed. The domain tag keeps a signature over one kind of thing from being used as
/// a signature over another.
pub trait Domain: Serialize + DeserializeOwned {
    /// Domain tag: `omniswarm/1/<thing>`, at most 255 bytes.
    const DOMAIN: &'static str;
}

#[derive(Serialize, Deserialize)]
struct Body<T> {
    network: NetworkId,
    issued: Timestamp,
    expires: Timestamp,
    value: T,
}

/// A signed value whose signature has not been checked in this place.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Signed<T> {
    #[serde(with = "payload_form")]
    payload: Vec<u8>,
    signer: NodeId,
    signature: SignatureBytes,
    #[serde(skip)]
    kind: PhantomData<fn() -> T>,
}

/// A value whose envelope was verified; made by this module only.
#[derive(Clone)]
pub struct Verified<T> {
    value: T,
    signed: Signed<T>,
    id: Digest,
    network: NetworkId,
    issued: Timestamp,
    expires: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct SignatureBytes([u8; 64]);
crate::id::byte_newtype!(SignatureBytes, 64);

mod payload_form {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&data_encoding::BASE64.encode(bytes))
        } else {
            serializer.serialize_bytes(bytes)
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let bytes = if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            data_encoding::BASE64
                .decode(text.as_bytes())
                .map_err(|_| D::Error::custom("not base64"))?
        } else {
            serde_bytes::ByteBuf::deserialize(deserializer)?.into_vec()
        };
        if bytes.len() > super::MAX_PAYLOAD_BYTES {
            return Err(D::Error::custom("payload too large"));
        }
        Ok(bytes)
    }
}

fn signing_input(domain: &str, signer: NodeId, payload: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(1 + domain.len() + 32 + payload.len());
    message.push(domain.len() as u8);
    message.extend_from_slice(domain.as_bytes());
    message.extend_from_slice(&signer.0);
    message.extend_from_slice(payload);
    message
}

impl<T: Domain> Signed<T> {
    /// Signs `value` for `network`, valid from `issued` until just before `expires`, and returns
    /// it verified: what this program signed itself needs no second check.
    ///
    /// # Errors
    /// [`Rejection::Expired`] when the times are reversed, [`Rejection::TooLarge`] above
    /// [`MAX_PAYLOAD_BYTES`].
    pub fn seal(
        value: T,
        keypair: &Keypair,
        network: NetworkId,
        issued: Timestamp,
        expires: Timestamp,
    ) -> Result<Verified<T>, Rejection> {
        if expires <= issued {
            return Err(Rejection::Expired);
        }
        let body = Body {
            network,
            issued,
            expires,
            value,
        };
        let payload = canonical::to_bytes(&body)?;
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(Rejection::TooLarge);
        }
        let signer = keypair.node_id();
        let signature = keypair.sign(&signing_input(T::DOMAIN, signer, &payload));
        let signed = Self {
            payload,
            signer,
            signature: SignatureBytes(signature),
            kind: PhantomData,
        };
        Ok(Verified {
            id: signed.id(),
            value: body.value,
            signed,
            network,
            issued,
            expires,
        })
    }

    /// Checks size, signature, form, network and times, in this order, and gives the value out.
    ///
    /// Whether this signer may sign this value is for the caller to decide.
    ///
    /// # Errors
    /// [`Rejection::TooLarge`], [`Rejection::BadSignature`], [`Rejection::Malformed`],
    /// [`Rejection::NotCanonical`], [`Rejection::WrongNetwork`], [`Rejection::NotYetValid`] or
    /// [`Rejection::Expired`].
    pub fn verify(self, now: Timestamp, network: NetworkId) -> Result<Verified<T>, Rejection> {
        let verified = self.verify_stored(network)?;
        if verified.issued > now.plus_ms(CLOCK_SKEW_MS) {
            return Err(Rejection::NotYetValid);
        }
        if verified.expires <= now {
            return Err(Rejection::Expired);
        }
        Ok(verified)
    }

    /// Like [`Signed::verify`] without the two time checks: for what was verified in time once and
    /// is read back from this node's own log, and for evidence judged at an earlier moment.
    ///
    /// # Errors
    /// As [`Signed::verify`], except for the times.
    pub fn verify_stored(self, network: NetworkId) -> Result<Verified<T>, Rejection> {
        if self.payload.len() > MAX_PAYLOAD_BYTES {
            return Err(Rejection::TooLarge);
        }
        let key = self.signer.verifying_key().ok_or(Rejection::BadSignature)?;
        let signature = Signature::from_bytes(&self.signature.0);
        let message = signing_input(T::DOMAIN, self.signer, &self.payload);
        key.verify_strict(&message, &signature)
            .map_err(|_| Rejection::BadSignature)?;
        let body: Body<T> = canonical::from_bytes(&self.payload, MAX_PAYLOAD_BYTES)?;
        if body.network != network {
            return Err(Rejection::WrongNetwork);
        }
        if body.expires <= body.issued {
            return Err(Rejection::Malformed);
        }
        Ok(Verified {
            id: self.id(),
            value: body.value,
            signed: self,
            network,
            issued: body.issued,
            expires: body.expires,
        })
    }

    fn id(&self) -> Digest {
        Digest::of(&signing_input(T::DOMAIN, self.signer, &self.payload))
    }
}

impl<T> Signed<T> {
    /// Bytes of the payload, a measure for limits on whole messages.
    pub fn payload_len(&self) -> usize {
        self.payload.len()
    }
}

impl<T> Clone for Signed<T> {
    fn clone(&self) -> Self {
        Self {
            payload: self.payload.clone(),
            signer: self.signer,
            signature: self.signature,
            kind: PhantomData,
        }
    }
}

impl<T> PartialEq for Signed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.payload == other.payload
            && self.signer == other.signer
            && self.signature == other.signature
    }
}

impl<T> Eq for Signed<T> {}

impl<T> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signed({} bytes by {})", self.payload.len(), self.signer)
    }
}

impl<T> Verified<T> {
    /// The key that signed.
    pub fn signer(&self) -> NodeId {
        self.signed.signer
    }

    /// Digest of domain, signer and payload: the identity of this very document.
    pub fn id(&self) -> Digest {
        self.id
    }

    /// The network it was signed for.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// When it was signed.
    pub fn issued(&self) -> Timestamp {
        self.issued
    }

    /// From when on it is no longer valid.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// The envelope, to send or to store.
    pub fn signed(&self) -> &Signed<T> {
        &self.signed
    }

    /// The envelope, to send or to store.
    pub fn into_signed(self) -> Signed<T> {
        self.signed
    }

    /// Accepts the document only from `signer`.
    ///
    /// # Errors
    /// [`Rejection::WrongSigner`].
    pub fn signed_by(self, signer: NodeId) -> Result<Self, Rejection> {
        if self.signer() == signer {
            Ok(self)
        } else {
            Err(Rejection::WrongSigner)
        }
    }
}

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Verified<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Verified").field(&self.value).finish()
    }
}
