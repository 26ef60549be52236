//! The key in a file, encrypted with XChaCha20-Poly1305 under a key that Argon2id makes of a
//! passphrase.
//!
//! The file is JSON so that people see what it is. Its check sum tells a damaged file from a wrong
//! passphrase; its secrecy and integrity rest on the cipher, which also covers all other fields.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::Path,
};

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{AeadInPlace as _, Key, KeyInit as _, Tag, XChaCha20Poly1305, XNonce};
use omni_types::{Digest, Keypair, NodeId};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{IdentityError, new_secret, random};

/// Shortest passphrase for a new file, characters.
pub const MIN_PASSPHRASE_CHARS: usize = 8;
/// Longest passphrase, bytes.
pub const MAX_PASSPHRASE_BYTES: usize = 1024;

/// Form of the file.
const VERSION: u32 = 1;
/// Largest file, bytes; a real one has about 500.
const MAX_FILE_BYTES: u64 = 4096;

/// Memory of a new file's key derivation, KiB.
const MEMORY_KIB: u32 = 64 << 10;
/// Passes of a new file's key derivation.
const PASSES: u32 = 3;
/// Lanes of a new file's key derivation.
const LANES: u32 = 1;

/// What a file may ask for: enough to be slow for an attacker, and not enough to exhaust a computer
/// that opens a hostile file.
const MEMORY_KIB_ALLOWED: std::ops::RangeInclusive<u32> = (19 << 10)..=(256 << 10);
const PASSES_ALLOWED: std::ops::RangeInclusive<u32> = 2..=10;
const LANES_ALLOWED: std::ops::RangeInclusive<u32> = 1..=4;

/// A byte string as lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Hex<const N: usize>([u8; N]);

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        data_encoding::HEXLOWER
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("not hexadecimal of the right length"))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    /// Public half of the key inside.
    node: NodeId,
    argon2id: Cost,
    salt: Hex<16>,
    nonce: Hex<24>,
    /// The encrypted secret key.
    sealed: Hex<32>,
    tag: Hex<16>,
    /// Digest of all of the above.
    check: Digest,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Read first, whatever else a later version has.
#[derive(Deserialize)]
struct AnyVersion {
    version: u32,
}

impl Stored {
    /// What the cipher covers besides the secret.
    fn header(&self) -> Digest {
        Digest::of_parts(
            "omniswarm/1/identity-file",
            &[
                &self.version.to_be_bytes(),
                &self.node.0,
                &self.argon2id.memory_kib.to_be_bytes(),
                &self.argon2id.passes.to_be_bytes(),
                &self.argon2id.lanes.to_be_bytes(),
                &self.salt.0,
                &self.nonce.0,
            ],
        )
    }

    fn check(&self) -> Digest {
        let parts: [&[u8]; 3] = [&self.header().0, &self.sealed.0, &self.tag.0];
        Digest::of_parts("omniswarm/1/identity-check", &parts)
    }

    fn cipher(&self, passphrase: &str) -> Result<XChaCha20Poly1305, IdentityError> {
        let Cost {
            memory_kib,
            passes,
            lanes,
        } = self.argon2id;
        let allowed = MEMORY_KIB_ALLOWED.contains(&memory_kib)
            && PASSES_ALLOWED.contains(&passes)
            && LANES_ALLOWED.contains(&lanes);
        if !allowed {
            return Err(IdentityError::FileDamaged);
        }
        let params = Params::new(memory_kib, passes, lanes, Some(32))
            .map_err(|_| IdentityError::FileDamaged)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &self.salt.0, key.as_mut_slice())
            .map_err(|_| IdentityError::FileDamaged)?;
        Ok(XChaCha20Poly1305::new(Key::from_slice(key.as_slice())))
    }

    fn seal(secret: &[u8; 32], passphrase: &str) -> Result<Self, IdentityError> {
        let mut salt = [0; 16];
        let mut nonce = [0; 24];
        random(&mut salt)?;
        random(&mut nonce)?;
        let mut stored = Self {
            version: VERSION,
            node: Keypair::from_secret(secret).node_id(),
            argon2id: Cost {
                memory_kib: MEMORY_KIB,
                passes: PASSES,
                lanes: LANES,
            },
            salt: Hex(salt),
            nonce: Hex(nonce),
            sealed: Hex([0; 32]),
            tag: Hex([0; 16]),
            check: Digest([0; 32]),
        };
        let mut buffer = Zeroizing::new(*secret);
        let tag = stored
            .cipher(passphrase)?
            .encrypt_in_place_detached(
                XNonce::from_slice(&nonce),
                &stored.header().0,
                buffer.as_mut_slice(),
            )
            .map_err(|_| IdentityError::FileDamaged)?;
        stored.sealed = Hex(*buffer);
        stored.tag = Hex(tag.into());
        stored.check = stored.check();
        Ok(stored)
    }

    fn parse(bytes: &[u8]) -> Result<Self, IdentityError> {
        let damaged = |_| IdentityError::FileDamaged;
        let AnyVersion { version } = serde_json::from_slice(bytes).map_err(damaged)?;
        if version > VERSION {
            return Err(IdentityError::FileVersion);
        }
        let stored: Self = serde_json::from_slice(bytes).map_err(damaged)?;
        if stored.version == VERSION && stored.check == stored.check() {
            Ok(stored)
        } else {
            Err(IdentityError::FileDamaged)
        }
    }

    fn open(&self, passphrase: &str) -> Result<Keypair, IdentityError> {
        let mut secret = Zeroizing::new(self.sealed.0);
        self.cipher(passphrase)?
            .decrypt_in_place_detached(
                XNonce::from_slice(&self.nonce.0),
                &self.header().0,
                secret.as_mut_slice(),
                Tag::from_slice(&self.tag.0),
            )
            .map_err(|_| IdentityError::WrongPassphrase)?;
        let keypair = Keypair::from_secret(&secret);
        if keypair.node_id() == self.node {
            Ok(keypair)
        } else {
            Err(IdentityError::FileDamaged)
        }
    }
}

pub(super) fn load_or_create(path: &Path, passphrase: &str) -> Result<Keypair, IdentityError> {
    if passphrase.len() > MAX_PASSPHRASE_BYTES {
        return Err(IdentityError::PassphraseLength);
    }
    match read(path) {
        Ok(stored) => stored.open(passphrase),
        Err(IdentityError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
            create(path, passphrase)
        }
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> Result<Stored, IdentityError> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(IdentityError::FileDamaged);
    }
    Stored::parse(&bytes)
}

fn create(path: &Path, passphrase: &str) -> Result<Keypair, IdentityError> {
    if passphrase.chars().count() < MIN_PASSPHRASE_CHARS {
        return Err(IdentityError::PassphraseLength);
    }
    let secret = new_secret()?;
    let stored = Stored::seal(&secret, passphrase)?;
    let mut text = serde_json::to_string_pretty(&stored).map_err(io::Error::from)?;
    text.push('\n');
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Made with mode 0600, complete on disk before it gets its name, and never in place of another.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            return read(path)?.open(passphrase);
        }
        Err(error) => return Err(error.error.into()),
    }
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(Keypair::from_secret(&secret))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]

    use std::fs;

    use serde_json::{Value, json};

    use super::*;

    const PASSPHRASE: &str = "correct horse";

    fn code(result: Result<Keypair, IdentityError>) -> &'static str {
        result.err().map_or("no error", |error| error.code())
    }

    #[test]
    fn the_key_comes_back_with_the_passphrase_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.json");
        assert_eq!(code(load_or_create(&path, "short")), "passphrase-length");
        assert!(!path.exists());
        let made = load_or_create(&path, PASSPHRASE).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let read = load_or_create(&path, PASSPHRASE).unwrap();
        assert_eq!(read.secret(), made.secret());
        assert_eq!(
            code(load_or_create(&path, "wrong horse")),
            "wrong-passphrase"
        );
        assert_eq!(code(load_or_create(&path, "")), "wrong-passphrase");
        let long = "x".repeat(MAX_PASSPHRASE_BYTES + 1);
        assert_eq!(code(load_or_create(&path, &long)), "passphrase-length");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "never rewritten");
        let secret = data_encoding::HEXLOWER.encode(made.secret().as_slice());
        assert!(!text.contains(&secret));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }

    #[test]
    fn two_files_with_one_passphrase_share_nothing() {
        let a = Stored::seal(&[1; 32], PASSPHRASE).unwrap();
        let b = Stored::seal(&[1; 32], PASSPHRASE).unwrap();
        assert!(a.salt != b.salt && a.nonce != b.nonce && a.sealed != b.sealed);
    }

    #[test]
    fn a_damaged_file_is_named_and_kept() {
        let good = serde_json::to_string_pretty(&Stored::seal(&[1; 32], PASSPHRASE).unwrap());
        let good = good.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.json");
        let check = |text: &str, expected: &str| {
            fs::write(&path, text).unwrap();
            assert_eq!(code(load_or_create(&path, PASSPHRASE)), expected, "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        };
        check("", "identity-file-damaged");
        check(&good[..good.len() / 2], "identity-file-damaged");
        check(&" ".repeat(5000), "identity-file-damaged");
        check(
            &good.replacen("\"salt\"", "\"salz\"", 1),
            "identity-file-damaged",
        );
        check(
            &good.replacen("\"version\": 1", "\"version\": 0", 1),
            "identity-file-damaged",
        );
        check(
            &good.replacen("\"version\": 1", "\"version\": 2", 1),
            "identity-file-version",
        );
        check("{\"version\": 7, \"cloud\": true}", "identity-file-version");
        let value: Value = serde_json::from_str(&good).unwrap();
        for field in ["salt", "nonce", "sealed", "tag", "check"] {
            let mut bad = value.clone();
            let text = bad[field].as_str().unwrap();
            let first = if text.starts_with('0') { "1" } else { "0" };
            bad[field] = json!(format!("{first}{}", &text[1..]));
            check(&bad.to_string(), "identity-file-damaged");
        }
        let mut bad = value.clone();
        bad["extra"] = json!(1);
        check(&bad.to_string(), "identity-file-damaged");
        check(&good, "no error");
    }

    #[test]
    fn a_hostile_file_cannot_ask_for_much_memory_or_time() {
        for (memory_kib, passes, lanes) in [
            (u32::MAX, PASSES, LANES),
            ((256 << 10) + 1, PASSES, LANES),
            ((19 << 10) - 1, PASSES, LANES),
            (MEMORY_KIB, u32::MAX, LANES),
            (MEMORY_KIB, 1, LANES),
            (MEMORY_KIB, PASSES, 0),
            (MEMORY_KIB, PASSES, 5),
        ] {
            let mut stored = Stored::seal(&[1; 32], PASSPHRASE).unwrap();
            stored.argon2id = Cost {
                memory_kib,
                passes,
                lanes,
            };
            // The check sum is no secret: whoever writes the file can make it fit.
            stored.check = stored.check();
            let text = serde_json::to_string(&stored).unwrap();
            let result = Stored::parse(text.as_bytes()).and_then(|stored| stored.open(PASSPHRASE));
            assert_eq!(code(result), "identity-file-damaged");
        }
    }

    #[test]
    fn a_changed_field_with_a_fitting_check_sum_does_not_decrypt() {
        let mut stored = Stored::seal(&[1; 32], PASSPHRASE).unwrap();
        stored.node = Keypair::from_secret(&[2; 32]).node_id();
        stored.check = stored.check();
        assert_eq!(code(stored.open(PASSPHRASE)), "wrong-passphrase");
    }

    #[test]
    fn a_missing_folder_is_an_error_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("identity.json");
        assert_eq!(code(load_or_create(&path, PASSPHRASE)), "identity-file-io");
    }
}
