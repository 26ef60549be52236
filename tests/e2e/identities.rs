//! Keys: never in plain text, and a missing key store is named.

use std::fs;

use crate::{
    network::{Network, files},
    program::{self, PASSPHRASE, run},
    turn,
};

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let first = wanted[0];
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        rest = &rest[at..];
        if rest.starts_with(wanted) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

/// Neither passphrase nor secret key is in any file of the network, logs included.
pub fn no_secret_is_written(network: &Network) {
    let mut secrets = vec![PASSPHRASE.as_bytes().to_vec()];
    let folders = fs::read_dir(network.folder.path()).unwrap();
    for folder in folders.map(|entry| entry.unwrap().path()) {
        if !folder.join("identity.json").exists() {
            continue;
        }
        let name = folder.file_name().unwrap().to_str().unwrap();
        let secret = network.keypair(name).secret();
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        secrets.push(secret.to_vec());
        secrets.push(hex.to_uppercase().into_bytes());
        secrets.push(hex.into_bytes());
    }
    assert!(secrets.len() > 3 * 4, "too few keys were looked for");
    for path in files(network.folder.path()) {
        let bytes = fs::read(&path).unwrap();
        for secret in &secrets {
            assert!(
                !contains(&bytes, secret),
                "{} holds a secret",
                path.display()
            );
        }
    }
}

#[test]
fn without_a_key_store_the_node_says_so_and_writes_nothing() {
    let _turn = turn();
    let network = Network::start();
    let data = network.data("keyring");
    let mut command = program::command(program::omniswarm(), network.folder.path());
    command
        .args(["node", "--identity", "keyring", "--agree", "--data-dir"])
        .arg(&data)
        .arg("--charter")
        .arg(&network.charter);
    let output = run(&mut command);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("key-store-unavailable"), "{text}");
    assert!(text.contains("--identity file"), "{text}");
    assert!(output.stdout.is_empty());
    assert_eq!(files(&data), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_wrong_passphrase_is_named_and_another_steward_key_is_refused() {
    let _turn = turn();
    let network = Network::start();
    let charter = network.charter.to_str().unwrap();
    let mut wrong = network.command("root", &["identity"]);
    wrong.env("OMNISWARM_PASSPHRASE", "not the right one");
    let output = run(&mut wrong);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("wrong-passphrase"), "{text}");
    let output = network.run("impostor", &["steward", "--charter", charter]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("does not name this key"), "{text}");
}
