//! Starting nodes: a volunteer's, a steward's, a supernode's.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use omni_core::{Steward, Volunteer, policy::Walls, steward, volunteer};
use omni_store::Store;
use omni_types::{Campaign, Cid, Entry, Keypair, NetworkId, Record, Signed, Verified};

use crate::{
    campaigns::{CAMPAIGN_VALID_MS, CampaignChoice},
    clock, conditions, control,
    error::NodeError,
    event_loop::{self, NodeHandle, Parts},
    profile::Profile,
    runner::{Leash, Runner},
    steward_view::StewardView,
    uplink::{Network, Uplink},
    view::NodeView,
};

/// Name of the log in a data folder.
pub const LOG_FILE: &str = "log.sqlite";

/// What a volunteer's node is started with.
pub struct VolunteerOptions {
    /// Folder for everything it keeps; made when missing.
    pub data: PathBuf,
    /// Its key.
    pub keypair: Keypair,
    /// Skills that may run.
    pub allowlist: BTreeSet<Cid>,
    /// Jobs at once, until the volunteer chooses.
    pub slots: usize,
    /// What runs jobs.
    pub runner: Arc<dyn Runner>,
    /// Whether battery, network, heat and use of the computer hold work back.
    pub governed: bool,
}

/// What a steward is started with.
pub struct StewardOptions {
    /// Folder for everything it keeps; made when missing.
    pub data: PathBuf,
    /// Its key.
    pub keypair: Keypair,
    /// Its campaign.
    pub choice: CampaignChoice,
}

/// Starts a volunteer's node on a network whose supernodes run elsewhere. Nothing connects before
/// the volunteer agrees.
///
/// # Errors
/// [`NodeError`].
pub fn start_volunteer(
    options: VolunteerOptions,
    network: Network,
) -> Result<NodeHandle<NodeView>, NodeError> {
    let leash = Arc::new(Leash::new(Arc::clone(&options.runner))?);
    start_volunteer_on(options, network, leash)
}

/// Like [`start_volunteer`], with a leash that the caller starts jobs on, too.
///
/// # Errors
/// [`NodeError`].
pub fn start_volunteer_on(
    options: VolunteerOptions,
    network: Network,
    leash: Arc<Leash>,
) -> Result<NodeHandle<NodeView>, NodeError> {
    let keypair = options.keypair.clone();
    let uplink = Uplink::direct(keypair, omni_net::Part::Volunteer, network.clone());
    start_volunteer_over(options, &network, uplink, leash)
}

/// Starts a node that helps the volunteer's own, on the leash of that one.
pub(crate) fn start_helper(
    options: VolunteerOptions,
    network: Network,
    leash: Arc<Leash>,
) -> Result<NodeHandle<NodeView>, NodeError> {
    let keypair = options.keypair.clone();
    let uplink = Uplink::direct(keypair, omni_net::Part::Volunteer, network.clone());
    start(options, &network, uplink, leash, true)
}

pub(crate) fn start_volunteer_over(
    options: VolunteerOptions,
    network: &Network,
    uplink: Uplink,
    leash: Arc<Leash>,
) -> Result<NodeHandle<NodeView>, NodeError> {
    let handle = start(options, network, uplink, leash, false)?;
    control::serve(&handle);
    Ok(handle)
}

fn start(
    options: VolunteerOptions,
    network: &Network,
    uplink: Uplink,
    leash: Arc<Leash>,
    helper: bool,
) -> Result<NodeHandle<NodeView>, NodeError> {
    let store = open_store(&options.data, &options.keypair, network)?;
    let config = volunteer::Config {
        keypair: options.keypair,
        network: network.id,
        network_name: network.name.clone(),
        stewards: network.stewards.clone(),
        allowlist: options.allowlist,
        engine: omni_sandbox::engine_hash(),
        slots: options.slots,
        walls: Walls::Unknown,
        helper,
        governed: options.governed,
    };
    let conditions = match options.governed {
        true => {
            let meter = leash.meter();
            let folder = options.data.clone();
            Some(conditions::watch(folder, move || meter.cpu_ms())?)
        }
        false => None,
    };
    let machine = Volunteer::open(config, read_log(&store)?, clock::now())
        .map_err(|error| NodeError::Replay(error.to_string()))?;
    Ok(event_loop::start(Parts {
        machine,
        store,
        uplink,
        leash,
        online: false,
        data: options.data,
        conditions,
        probe: true,
        reopens: !helper,
    }))
}

/// Starts a steward.
///
/// # Errors
/// [`NodeError`].
pub fn start_steward(
    options: StewardOptions,
    network: Network,
    runner: Arc<dyn Runner>,
) -> Result<NodeHandle<StewardView>, NodeError> {
    let store = open_store(&options.data, &options.keypair, &network)?;
    let log = read_log(&store)?;
    let campaign = match campaign_of(&log, network.id)? {
        Some(campaign) => campaign,
        None => new_campaign(&options, network.id)?,
    };
    let config = steward::Config {
        keypair: options.keypair.clone(),
        network: network.id,
        engine: omni_sandbox::engine_hash(),
        campaign,
    };
    let machine = Steward::open(config, log, clock::now())
        .map_err(|error| NodeError::Replay(error.to_string()))?;
    let uplink = Uplink::direct(options.keypair, omni_net::Part::Steward, network);
    let handle = event_loop::start(Parts {
        machine,
        store,
        uplink,
        leash: Arc::new(Leash::new(runner)?),
        online: true,
        data: options.data,
        conditions: None,
        probe: false,
        reopens: true,
    });
    control::serve(&handle);
    Ok(handle)
}

/// The campaign that a steward's log opened.
fn campaign_of(log: &[Entry], network: NetworkId) -> Result<Option<Verified<Campaign>>, NodeError> {
    match log.first().map(|entry| &entry.record) {
        Some(Record::CampaignOpened(campaign)) => {
            Ok(Some(campaign.clone().verify_stored(network)?))
        }
        Some(_) | None => Ok(None),
    }
}

fn new_campaign(
    options: &StewardOptions,
    network: NetworkId,
) -> Result<Verified<Campaign>, NodeError> {
    let document = options
        .choice
        .document(network, options.keypair.node_id())?;
    let now = clock::now();
    let expires = now.plus_ms(CAMPAIGN_VALID_MS);
    Ok(Signed::seal(
        document,
        &options.keypair,
        network,
        now,
        expires,
    )?)
}

fn open_store(data: &Path, keypair: &Keypair, network: &Network) -> Result<Store, NodeError> {
    private_folder(data)?;
    let store = Store::open(&data.join(LOG_FILE), keypair, network.id)?;
    let profile = Profile {
        node: keypair.node_id(),
        network: network.id,
        network_name: network.name.clone(),
    };
    profile.write(data)?;
    Ok(store)
}

/// Makes a folder that only its owner can look into.
pub(crate) fn private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn read_log(store: &Store) -> Result<Vec<Entry>, NodeError> {
    let mut log = Vec::new();
    store.for_each::<omni_store::Error>(|_, entry| {
        log.push(entry);
        Ok(())
    })?;
    Ok(log)
}
