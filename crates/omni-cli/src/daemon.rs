//! `omniswarm node`, `steward` and `supernode`: one part of a network each, until interrupted.
//!
//! Each prints one JSON line on standard output when it is ready, with its addresses.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use omni_node::{
    Command, NodeHandle, POLICY_VERSION,
    campaigns::CampaignChoice,
    catalogue,
    node::{self, StewardOptions, VolunteerOptions},
    profile,
    runner::SandboxRunner,
    supernode::Supernode,
};
use omni_types::{RiskTier, Track};
use tokio::sync::watch;

use crate::{Common, IdentityKind, charter, identity, output};

/// How long a program waits for its listening addresses.
const LISTEN_WAIT: Duration = Duration::from_secs(20);

#[derive(Args)]
pub(crate) struct NodeArgs {
    /// Charter of the network
    #[arg(long)]
    charter: PathBuf,
    /// Further supernodes, multiaddresses ending in /p2p/<id>
    #[arg(long = "supernode")]
    supernodes: Vec<String>,
    /// Pieces of work at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    slots: u8,
    /// Work also where a wall around the sandbox cannot be put up (see `omniswarm doctor sandbox`)
    #[arg(long)]
    accept_missing_walls: bool,
    /// Do not hold work back on battery, on a metered connection, when hot or in use
    #[arg(long)]
    ungoverned: bool,
    /// I have read what the program does (README, "What happens to your computer") and agree
    #[arg(long)]
    agree: bool,
}

#[derive(Args)]
pub(crate) struct StewardArgs {
    /// Charter of the network
    #[arg(long)]
    charter: PathBuf,
    /// Further supernodes, multiaddresses ending in /p2p/<id>
    #[arg(long = "supernode")]
    supernodes: Vec<String>,
    /// Where to listen, multiaddresses
    #[arg(long, default_values_t = ["/ip4/127.0.0.1/tcp/0".to_owned(), "/ip4/127.0.0.1/udp/0/quic-v1".to_owned()])]
    listen: Vec<String>,
    #[command(flatten)]
    campaign: CampaignArgs,
}

/// Which research problem.
#[derive(Args)]
pub(crate) struct CampaignArgs {
    /// Campaign
    #[arg(long, default_value = "labs")]
    pub(crate) campaign: String,
    /// Length of the sequences, 13 to 449
    #[arg(long)]
    pub(crate) length: Option<u16>,
    /// Search skew-symmetric sequences only (odd lengths)
    #[arg(long)]
    pub(crate) skew: bool,
    /// Seed of the search
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Work of one segment, flip evaluations [default: by length]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1u64 << 40))]
    evaluations: Option<u64>,
    /// How long a node has for a piece of work, seconds
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    lease_seconds: u64,
    /// How risky the campaign is called: volunteers are asked about `medium`, `high` never runs
    #[arg(long, value_enum, default_value = "low")]
    risk: Risk,
    /// Memory that one piece of work may use, mebibytes
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(8..=256))]
    memory_mib: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Risk {
    Low,
    Medium,
    High,
}

impl CampaignArgs {
    pub(crate) fn choice(&self) -> anyhow::Result<CampaignChoice> {
        let standard = CampaignChoice::default();
        let (track, length) = match (self.length, self.skew) {
            (None, false) => (standard.track, standard.length),
            (None, true) => (Track::Skew, standard.length),
            (Some(length), true) => (Track::Skew, length),
            (Some(length), false) => (Track::General, length),
        };
        Ok(CampaignChoice {
            evaluations: self.evaluations,
            seed: self.seed,
            lease_ms: self.lease_seconds * 1000,
            risk: match self.risk {
                Risk::Low => RiskTier::Low,
                Risk::Medium => RiskTier::Medium,
                Risk::High => RiskTier::High,
            },
            memory_mib: self.memory_mib,
            ..CampaignChoice::labs(&self.campaign, track, length)?
        })
    }
}

#[derive(Args)]
pub(crate) struct SupernodeArgs {
    /// Charter of the network
    #[arg(long)]
    charter: PathBuf,
    /// Where to listen, multiaddresses
    #[arg(long, default_values_t = ["/ip4/127.0.0.1/tcp/0".to_owned(), "/ip4/127.0.0.1/udp/0/quic-v1".to_owned()])]
    listen: Vec<String>,
}

pub(crate) async fn node(common: &Common, args: NodeArgs) -> anyhow::Result<ExitCode> {
    let data = common.data()?;
    let keypair = blocking_identity(common, &data).await?;
    let (network, signed, charter) = charter::network(&args.charter, &args.supernodes, &[])?;
    let built_in = catalogue::allowlist();
    let id = keypair.node_id();
    let handle = node::start_volunteer(
        VolunteerOptions {
            data: data.clone(),
            keypair,
            allowlist: charter
                .skills
                .into_iter()
                .filter(|skill| built_in.contains(skill))
                .collect(),
            slots: args.slots.into(),
            runner: Arc::new(match args.accept_missing_walls {
                true => SandboxRunner::current_exe()?.behind_what_there_is(),
                false => SandboxRunner::current_exe()?,
            }),
            governed: !args.ungoverned,
        },
        network,
    )?;
    profile::write_charter(&data.join(profile::CHARTER_FILE), &signed)?;
    if args.agree {
        let policy_version = POLICY_VERSION;
        handle.command(Command::Agree { policy_version }).await?;
    } else if handle.view().borrow().policy.agreed_at_ms.is_none() {
        eprintln!(
            "omniswarm: nothing connects and nothing runs before you agree; start with --agree"
        );
    }
    output::json(&serde_json::json!({ "ready": "node", "node": id }));
    until_interrupted(&handle).await
}

pub(crate) async fn steward(common: &Common, args: StewardArgs) -> anyhow::Result<ExitCode> {
    let data = common.data()?;
    let keypair = blocking_identity(common, &data).await?;
    let (network, signed, _) = charter::network(&args.charter, &args.supernodes, &args.listen)?;
    let id = keypair.node_id();
    anyhow::ensure!(
        network.stewards.contains(&id),
        "the charter does not name this key ({id}) as a steward"
    );
    let choice = args.campaign.choice()?;
    let wanted = args.listen.len();
    let handle = node::start_steward(
        StewardOptions {
            data: data.clone(),
            keypair,
            choice,
        },
        network,
        Arc::new(SandboxRunner::current_exe()?),
    )?;
    profile::write_charter(&data.join(profile::CHARTER_FILE), &signed)?;
    let addresses = listening(handle.addresses(), wanted).await?;
    output::json(&serde_json::json!({ "ready": "steward", "node": id, "addresses": addresses }));
    until_interrupted(&handle).await
}

pub(crate) async fn supernode(common: &Common, args: SupernodeArgs) -> anyhow::Result<ExitCode> {
    let data = common.data()?;
    let keypair = blocking_identity(common, &data).await?;
    let (network, ..) = charter::network(&args.charter, &[], &args.listen)?;
    let id = keypair.node_id();
    let supernode = Supernode::start(keypair, network)?;
    let addresses = listening(supernode.addresses(), args.listen.len()).await?;
    output::json(&serde_json::json!({ "ready": "supernode", "node": id, "addresses": addresses }));
    interrupted().await?;
    supernode.stop().await;
    Ok(ExitCode::SUCCESS)
}

async fn listening(
    mut addresses: watch::Receiver<Vec<String>>,
    wanted: usize,
) -> anyhow::Result<Vec<String>> {
    let known = addresses.wait_for(|known| known.len() >= wanted);
    let known = tokio::time::timeout(LISTEN_WAIT, known)
        .await
        .context("the listening addresses did not come up")??;
    Ok(known.clone())
}

/// Key stores and passphrases take their time; the runtime must not wait for them.
async fn blocking_identity(
    common: &Common,
    data: &std::path::Path,
) -> anyhow::Result<omni_types::Keypair> {
    let common = common.clone();
    let data = data.to_owned();
    let load = move || identity::load(&common, &data, IdentityKind::Keyring);
    tokio::task::spawn_blocking(load).await?
}

async fn until_interrupted<V: Clone>(handle: &NodeHandle<V>) -> anyhow::Result<ExitCode> {
    tokio::select! {
        ended = handle.ended() => ended?,
        interrupted = interrupted() => {
            interrupted?;
            handle.stop().await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits for Ctrl-C or the system's request to end.
pub(crate) async fn interrupted() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result,
            _ = terminate.recv() => Ok(()),
            _ = hangup.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
