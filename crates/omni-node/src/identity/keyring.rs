//! The key in the operating system's key store, as its 32 bytes.

use std::{sync::mpsc, thread, time::Duration};

use ::keyring::{Entry, Error as StoreError};
use omni_types::Keypair;
use zeroize::Zeroizing;

use super::{IdentityError, new_secret};

/// Name of the program in the key store.
const SERVICE: &str = "org.omniswarm";

/// Longest profile name, bytes.
pub const MAX_PROFILE_BYTES: usize = 64;

/// How long the key store may take, milliseconds: the volunteer may have to type a password.
pub const KEY_STORE_WAIT_MS: u64 = 120_000;

pub(super) fn load_or_create(profile: &str) -> Result<Keypair, IdentityError> {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if profile.is_empty() || profile.len() > MAX_PROFILE_BYTES || !profile.bytes().all(allowed) {
        return Err(IdentityError::ProfileName);
    }
    let profile = profile.to_owned();
    let (sender, receiver) = mpsc::sync_channel(1);
    // On its own thread, because the key store's client may wait for ever for an answer, and starts a
    // runtime of its own, which must not happen inside another one.
    thread::Builder::new()
        .name("key-store".to_owned())
        .spawn(move || {
            // Nobody listens any more after the wait: the answer is dropped.
            let _ = sender.try_send(ask(&profile));
        })?;
    match receiver.recv_timeout(Duration::from_millis(KEY_STORE_WAIT_MS)) {
        Ok(answer) => answer,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(IdentityError::KeyStoreTimeout),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(IdentityError::KeyStoreFailed(
            "the client of the key store stopped".to_owned(),
        )),
    }
}

fn ask(profile: &str) -> Result<Keypair, IdentityError> {
    if let Err(error) = Entry::store_status() {
        return Err(IdentityError::KeyStoreUnavailable(detail(error)));
    }
    let entry = Entry::new(SERVICE, profile).map_err(named)?;
    match stored(&entry) {
        Err(StoreError::NoEntry) => {
            entry.set_secret(new_secret()?.as_slice()).map_err(named)?;
            // What counts is what the store gives back: it must have kept the key, and another
            // program of ours may have been quicker.
            keypair(&stored(&entry).map_err(named)?)
        }
        found => keypair(&found.map_err(named)?),
    }
}

fn stored(entry: &Entry) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    entry.get_secret().map(Zeroizing::new)
}

fn keypair(secret: &[u8]) -> Result<Keypair, IdentityError> {
    let secret: &[u8; 32] = secret
        .try_into()
        .map_err(|_| IdentityError::KeyStoreMalformed)?;
    Ok(Keypair::from_secret(secret))
}

fn named(error: StoreError) -> IdentityError {
    match error {
        StoreError::NoStorageAccess(_) => IdentityError::KeyStoreLocked,
        StoreError::NoDefaultStore => IdentityError::KeyStoreUnavailable(detail(&error)),
        StoreError::Ambiguous(_) => IdentityError::KeyStoreAmbiguous,
        StoreError::BadEncoding(_) | StoreError::BadDataFormat(..) => {
            IdentityError::KeyStoreMalformed
        }
        other => IdentityError::KeyStoreFailed(detail(&other)),
    }
}

/// What the system said, from those errors only that cannot carry the secret.
fn detail(error: &StoreError) -> String {
    match error {
        StoreError::PlatformFailure(_)
        | StoreError::NoStorageAccess(_)
        | StoreError::NoEntry
        | StoreError::NoDefaultStore
        | StoreError::BadStoreFormat(_)
        | StoreError::NotSupportedByStore(_) => error.to_string(),
        _ => "no details".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    /// Needs a real, unlocked key store: `cargo xtask test` runs it with one of its own.
    #[test]
    #[ignore = "needs a key store; `cargo xtask test` runs it with one of its own"]
    fn the_key_store_gives_the_same_key_back() {
        let profile = format!("test-{}", std::process::id());
        let made = load_or_create(&profile).unwrap();
        // Inside a runtime too, although it blocks it.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let read = runtime.block_on(async { load_or_create(&profile).unwrap() });
        assert_eq!(read.secret(), made.secret());
        let other = format!("{profile}-other");
        assert_ne!(load_or_create(&other).unwrap().node_id(), made.node_id());

        let entry = Entry::new(SERVICE, &profile).unwrap();
        entry.set_secret(&[1; 31]).unwrap();
        let error = load_or_create(&profile).unwrap_err();
        assert_eq!(error.code(), "key-store-malformed");
        assert_eq!(entry.get_secret().unwrap(), [1; 31], "never overwritten");
        entry.delete_credential().unwrap();
        Entry::new(SERVICE, &other)
            .unwrap()
            .delete_credential()
            .unwrap();
    }

    /// The child of `without_a_key_store_the_error_says_so`; also a look at the present one by hand.
    #[test]
    #[ignore = "says what the key store answers"]
    fn answer() {
        match load_or_create("test-answer") {
            Ok(keypair) => println!("answer: key {}", keypair.node_id()),
            Err(error) => println!("answer: {} | {error}", error.code()),
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn without_a_key_store_the_error_says_so() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("identity::keyring::tests::answer")
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("answer: key-store-unavailable |"), "{text}");
    }
}
