//! `omniswarm identity`, and loading the key for every other command.

use std::{path::Path, process::ExitCode};

use anyhow::Context as _;
use omni_node::identity::{KeySource, load_or_create};
use omni_types::Keypair;
use zeroize::Zeroizing;

use crate::{Common, IdentityKind};

/// Name of the encrypted key in a data folder.
const KEY_FILE: &str = "identity.json";
/// Longest passphrase file that is read, bytes.
const MAX_PASSPHRASE_FILE: u64 = 4096;

pub(crate) fn show(common: &Common) -> anyhow::Result<ExitCode> {
    let data = common.data()?;
    let keypair = load(common, &data, IdentityKind::Keyring)?;
    println!("{}", keypair.node_id());
    Ok(ExitCode::SUCCESS)
}

/// The key of the node whose data folder this is.
pub(crate) fn load(common: &Common, data: &Path, default: IdentityKind) -> anyhow::Result<Keypair> {
    let source = match common.identity.unwrap_or(default) {
        IdentityKind::Keyring => KeySource::Keyring {
            profile: "default".to_owned(),
        },
        IdentityKind::File => {
            std::fs::create_dir_all(data)
                .with_context(|| format!("the folder {} cannot be made", data.display()))?;
            KeySource::EncryptedFile {
                path: data.join(KEY_FILE),
                passphrase: passphrase(common)?,
            }
        }
        IdentityKind::Session => KeySource::Session,
    };
    load_or_create(&source).with_context(|| match source {
        KeySource::Keyring { .. } => {
            "no identity; on a computer without a key store choose `--identity file` (a file \
             encrypted with your passphrase) or `--identity session` (lost when the program ends)"
        }
        _ => "no identity",
    })
}

fn passphrase(common: &Common) -> anyhow::Result<Zeroizing<String>> {
    let text = match &common.passphrase_file {
        Some(path) => {
            let size = std::fs::metadata(path)
                .with_context(|| format!("{} cannot be read", path.display()))?
                .len();
            anyhow::ensure!(
                size <= MAX_PASSPHRASE_FILE,
                "the passphrase file is too large"
            );
            Zeroizing::new(std::fs::read_to_string(path)?)
        }
        None => Zeroizing::new(std::env::var("OMNISWARM_PASSPHRASE").map_err(|_| {
            anyhow::anyhow!(
                "`--identity file` needs a passphrase: set OMNISWARM_PASSPHRASE or use \
                 --passphrase-file"
            )
        })?),
    };
    Ok(Zeroizing::new(
        text.trim_end_matches(['\r', '\n']).to_owned(),
    ))
}
