//! `omniswarm charter`: making and checking the document that defines a network.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Subcommand;
use omni_core::charter;
use omni_node::{Network, POLICY_VERSION, catalogue, clock, profile};
use omni_types::{Charter, NetworkId, NodeId, SignedCharter};

use crate::{Common, IdentityKind, identity};

/// How long a new charter is valid, days.
const VALID_DAYS: u64 = 365;

#[derive(Subcommand)]
pub(crate) enum CharterCommand {
    /// Make a charter, signed with this data folder's key as the one root key
    New {
        /// Plain name of the network
        #[arg(long)]
        name: String,
        /// Public key of a steward; may be repeated
        #[arg(long = "steward", required = true)]
        stewards: Vec<NodeId>,
        /// Multiaddress of a supernode, ending in /p2p/<id>; may be repeated
        #[arg(long = "supernode")]
        supernodes: Vec<String>,
        /// Where to write it
        #[arg(long)]
        out: PathBuf,
    },
    /// Check a charter and print what it says
    Check {
        /// The charter
        file: PathBuf,
    },
}

pub(crate) fn run(common: &Common, command: CharterCommand) -> anyhow::Result<ExitCode> {
    match command {
        CharterCommand::New {
            name,
            stewards,
            supernodes,
            out,
        } => {
            let root = identity::load(common, &common.data()?, IdentityKind::Keyring)?;
            let now = clock::now();
            let charter = Charter {
                name,
                revision: now.0,
                stewards,
                supernodes,
                skills: catalogue::allowlist().into_iter().collect(),
                policy_floor: POLICY_VERSION,
            };
            let expires = now.plus_ms(VALID_DAYS * 24 * 3600 * 1000);
            let signed = SignedCharter::seal(&charter, &[root], 1, now, expires)?;
            profile::write_charter(&out, &signed)
                .with_context(|| format!("{} cannot be written", out.display()))?;
            println!("{}", signed.network());
        }
        CharterCommand::Check { file } => {
            let (charter, network) = read(&file)?;
            let text = serde_json::json!({ "network": network, "charter": charter });
            println!("{}", serde_json::to_string_pretty(&text)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads and verifies a charter file; the file's own roots are what is trusted.
fn read(file: &std::path::Path) -> anyhow::Result<(Charter, NetworkId)> {
    let signed =
        profile::read_charter(file).with_context(|| format!("{} is no charter", file.display()))?;
    let network = signed.network();
    let charter = charter::verify(&signed, network, clock::now())
        .with_context(|| format!("the charter {} does not hold", file.display()))?;
    Ok((charter, network))
}

/// The network that a charter file defines, with further supernodes.
pub(crate) fn network(
    file: &std::path::Path,
    supernodes: &[String],
    listen: &[String],
) -> anyhow::Result<(Network, SignedCharter, Charter)> {
    let (charter, id) = read(file)?;
    anyhow::ensure!(
        charter.policy_floor <= POLICY_VERSION,
        "the network asks for policy {} and this program has {POLICY_VERSION}; update it",
        charter.policy_floor
    );
    let signed = profile::read_charter(file)?;
    let mut all = charter.supernodes.clone();
    all.extend(supernodes.iter().cloned());
    let network = Network {
        id,
        name: charter.name.clone(),
        stewards: charter.stewards.clone(),
        supernodes: all,
        listen: listen.to_vec(),
    };
    Ok((network, signed, charter))
}
