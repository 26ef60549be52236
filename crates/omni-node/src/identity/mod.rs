//! Where the node's secret key lives.
//!
//! The default is the operating system's key store. A file encrypted with a passphrase is there for
//! computers without one, and a key in memory only for the demo and tests. There is no plain-text
//! form, and no source falls back to another: what the volunteer chose is used or named as failing.

mod file;
mod keyring;

use std::{fmt, io, path::PathBuf};

use omni_types::Keypair;
use zeroize::Zeroizing;

pub use file::{MAX_PASSPHRASE_BYTES, MIN_PASSPHRASE_CHARS};
pub use keyring::{KEY_STORE_WAIT_MS, MAX_PROFILE_BYTES};

/// Which key to use.
#[derive(Clone)]
pub enum KeySource {
    /// The operating system's key store (Secret Service, Keychain, Credential Manager), under the
    /// service `org.omniswarm`.
    Keyring {
        /// Name of the key: 1 to [`MAX_PROFILE_BYTES`] of `a-z 0-9 - _ .`
        profile: String,
    },
    /// A file encrypted with a passphrase.
    EncryptedFile {
        /// Where; its folder must exist.
        path: PathBuf,
        /// At least [`MIN_PASSPHRASE_CHARS`] characters for a new file, at most
        /// [`MAX_PASSPHRASE_BYTES`].
        passphrase: Zeroizing<String>,
    },
    /// A new key each time, never stored.
    Session,
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyring { profile } => write!(f, "Keyring({profile})"),
            Self::EncryptedFile { path, .. } => write!(f, "EncryptedFile({})", path.display()),
            Self::Session => write!(f, "Session"),
        }
    }
}

/// Why there is no key. Never holds key material or a passphrase.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// No key store answers; with what the system said.
    KeyStoreUnavailable(String),
    /// The key store is locked, or the volunteer said no to its question.
    KeyStoreLocked,
    /// The key store did not answer within [`KEY_STORE_WAIT_MS`].
    KeyStoreTimeout,
    /// The key store answered with a failure; with what the system said.
    KeyStoreFailed(String),
    /// What the key store holds under our name is not one of our keys.
    KeyStoreMalformed,
    /// The key store holds several entries under our name.
    KeyStoreAmbiguous,
    /// A profile name that is empty, too long or has other characters than allowed.
    ProfileName,
    /// The passphrase does not open the file.
    WrongPassphrase,
    /// A passphrase for a new file below [`MIN_PASSPHRASE_CHARS`], or any above
    /// [`MAX_PASSPHRASE_BYTES`].
    PassphraseLength,
    /// The file is not what was written.
    FileDamaged,
    /// The file was written by a newer version.
    FileVersion,
    /// The file cannot be read or written.
    Io(#[from] io::Error),
    /// The operating system gave no random bytes.
    NoRandomness,
}

impl IdentityError {
    /// Stable code, kebab case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::KeyStoreUnavailable(_) => "key-store-unavailable",
            Self::KeyStoreLocked => "key-store-locked",
            Self::KeyStoreTimeout => "key-store-timeout",
            Self::KeyStoreFailed(_) => "key-store-failed",
            Self::KeyStoreMalformed => "key-store-malformed",
            Self::KeyStoreAmbiguous => "key-store-ambiguous",
            Self::ProfileName => "profile-name",
            Self::WrongPassphrase => "wrong-passphrase",
            Self::PassphraseLength => "passphrase-length",
            Self::FileDamaged => "identity-file-damaged",
            Self::FileVersion => "identity-file-version",
            Self::Io(_) => "identity-file-io",
            Self::NoRandomness => "no-randomness",
        }
    }

    /// One sentence a volunteer understands.
    pub fn sentence(&self) -> &'static str {
        match self {
            Self::KeyStoreUnavailable(_) => {
                "This computer offers no key store for programs; start one or choose the encrypted file."
            }
            Self::KeyStoreLocked => {
                "The key store of this computer is locked; unlock it and try again."
            }
            Self::KeyStoreTimeout => {
                "The key store of this computer did not answer; perhaps it waits for its password."
            }
            Self::KeyStoreFailed(_) => "The key store of this computer reported a failure.",
            Self::KeyStoreMalformed => {
                "The entry of OmniSwarm in the key store of this computer is damaged."
            }
            Self::KeyStoreAmbiguous => {
                "The key store of this computer holds several entries of OmniSwarm under one name."
            }
            Self::ProfileName => {
                "A profile name has 1 to 64 small letters, digits, dots, dashes and underscores."
            }
            Self::WrongPassphrase => "The passphrase is wrong.",
            Self::PassphraseLength => {
                "The passphrase must have 8 characters or more, and not over 1024 bytes."
            }
            Self::FileDamaged => "The identity file is damaged; restore it from your backup.",
            Self::FileVersion => "The identity file was written by a newer version of the program.",
            Self::Io(_) => "The identity file cannot be read or written.",
            Self::NoRandomness => "The operating system gave no random numbers.",
        }
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.sentence(), self.code())?;
        match self {
            Self::KeyStoreUnavailable(detail) | Self::KeyStoreFailed(detail) => {
                write!(f, ": {detail}")
            }
            Self::Io(error) => write!(f, ": {error}"),
            _ => Ok(()),
        }
    }
}

/// The key of `source`, made and stored first when there is none. Blocks for as long as a key
/// derivation or the volunteer's answer to the key store takes (up to [`KEY_STORE_WAIT_MS`]): inside
/// tokio call it through `spawn_blocking`.
///
/// # Errors
/// Any [`IdentityError`].
pub fn load_or_create(source: &KeySource) -> Result<Keypair, IdentityError> {
    match source {
        KeySource::Keyring { profile } => keyring::load_or_create(profile),
        KeySource::EncryptedFile { path, passphrase } => file::load_or_create(path, passphrase),
        KeySource::Session => {
            let secret = new_secret()?;
            Ok(Keypair::from_secret(&secret))
        }
    }
}

/// The key of one role of the embedded network, always the same for the same node key and role.
pub fn derived(keypair: &Keypair, role: &str) -> Keypair {
    Keypair::from_secret(&keypair.derive_secret("omniswarm/1/embedded-role", role.as_bytes()))
}

fn new_secret() -> Result<Zeroizing<[u8; 32]>, IdentityError> {
    let mut secret = Zeroizing::new([0; 32]);
    random(secret.as_mut_slice())?;
    Ok(secret)
}

fn random(bytes: &mut [u8]) -> Result<(), IdentityError> {
    getrandom::fill(bytes).map_err(|_| IdentityError::NoRandomness)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_session_key_is_new_each_time() {
        let key = || load_or_create(&KeySource::Session).unwrap().node_id();
        assert_ne!(key(), key());
    }

    #[test]
    fn derived_keys_depend_on_key_and_role_alone() {
        let a = Keypair::from_secret(&[1; 32]);
        let b = Keypair::from_secret(&[2; 32]);
        let steward = derived(&a, "steward").node_id();
        assert_eq!(steward, derived(&a, "steward").node_id());
        assert_ne!(steward, derived(&a, "supernode").node_id());
        assert_ne!(steward, derived(&b, "steward").node_id());
        assert_ne!(steward, a.node_id());
    }

    #[test]
    fn a_source_does_not_print_its_passphrase() {
        let source = KeySource::EncryptedFile {
            path: "identity.json".into(),
            passphrase: Zeroizing::new("hunter22".to_owned()),
        };
        assert_eq!(format!("{source:?}"), "EncryptedFile(identity.json)");
    }

    #[test]
    fn a_profile_name_is_checked_before_the_key_store_is_asked() {
        for profile in ["", "Über", "a b", "../x", &"x".repeat(65)] {
            let source = KeySource::Keyring {
                profile: profile.to_owned(),
            };
            assert_eq!(load_or_create(&source).unwrap_err().code(), "profile-name");
        }
    }
}
