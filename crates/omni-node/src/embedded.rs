//! The embedded network: supernode, steward and two more volunteers' nodes, all in this program and
//! on this computer only. The first minute is real work with real receipts, even offline.
//!
//! Its keys are derived from the volunteer's own key, so that receipts of yesterday's steward still
//! verify today. It is up only while the volunteer's node is online.

use std::{path::PathBuf, sync::Arc, time::Duration};

use omni_core::{Command, policy::POLICY_VERSION};
use omni_types::{Action, Charter, Keypair, NetworkId, SignedCharter};
use tokio::sync::watch;

use crate::{
    campaigns::CampaignChoice,
    catalogue, clock,
    error::NodeError,
    event_loop::NodeHandle,
    identity,
    node::{self, StewardOptions, VolunteerOptions, private_folder},
    profile,
    runner::{Leash, Runner},
    steward_view::StewardView,
    supernode::Supernode,
    uplink::{Network, Uplink},
    view::NodeView,
};

/// Plain name of the embedded network.
pub const NETWORK_NAME: &str = "This computer";
/// How long the parts of the network may take to come up, milliseconds.
const UP_MS: u64 = 20_000;
/// How long the embedded charter is valid, milliseconds: a year, and renewed with every start.
const CHARTER_VALID_MS: u64 = 365 * 24 * 3600 * 1000;

/// What the embedded network is made of.
pub struct EmbeddedOptions {
    /// The volunteer's data folder; the network's own folders lie below it.
    pub data: PathBuf,
    /// The volunteer's key.
    pub keypair: Keypair,
    /// What is searched.
    pub choice: CampaignChoice,
    /// Volunteers' nodes besides the person's own; at least 1, or nothing can be verified, and 2 to
    /// settle a disagreement.
    pub helpers: usize,
    /// Jobs at once for each node.
    pub slots: usize,
    /// What runs jobs.
    pub runner: Arc<dyn Runner>,
    /// Whether battery, network, heat and use of the computer hold work back.
    pub governed: bool,
}

/// The embedded network and the volunteer's node on it.
#[derive(Debug)]
pub struct EmbeddedNode {
    /// The volunteer's node.
    pub node: NodeHandle<NodeView>,
    /// The steward, while the network is up.
    pub steward: watch::Receiver<Option<StewardView>>,
    /// The helpers' views, while the network is up.
    pub helpers: watch::Receiver<Vec<NodeView>>,
    /// The network's identity.
    pub network: NetworkId,
}

/// Starts the volunteer's node on an embedded network. Nothing of it listens, connects or runs
/// before the volunteer agrees.
///
/// # Errors
/// [`NodeError`].
pub fn start(options: EmbeddedOptions) -> Result<EmbeddedNode, NodeError> {
    let keys = Keys::derive(&options.keypair);
    let charter = Charter {
        name: NETWORK_NAME.to_owned(),
        revision: clock::now().0,
        stewards: vec![keys.steward.node_id()],
        supernodes: Vec::new(),
        skills: catalogue::allowlist().into_iter().collect(),
        policy_floor: POLICY_VERSION,
    };
    let roots = [keys.root.clone()];
    let now = clock::now();
    let signed = SignedCharter::seal(&charter, &roots, 1, now, now.plus_ms(CHARTER_VALID_MS))?;
    let id = signed.network();
    private_folder(&options.data)?;
    profile::write_charter(&options.data.join(profile::CHARTER_FILE), &signed)?;

    let network = Network {
        id,
        name: charter.name,
        stewards: charter.stewards,
        supernodes: Vec::new(),
        listen: Vec::new(),
    };
    let (steward_sender, steward) = watch::channel(None);
    let (helper_sender, helpers) = watch::channel(Vec::new());
    // One leash for all: the kill switch reaches the helpers' children as it does the node's own.
    let leash = Arc::new(Leash::new(Arc::clone(&options.runner))?);
    let volunteer = VolunteerOptions {
        data: options.data.clone(),
        keypair: options.keypair.clone(),
        allowlist: catalogue::allowlist(),
        slots: options.slots,
        runner: Arc::clone(&options.runner),
        governed: options.governed,
    };
    let embedded = Embedded {
        options,
        keys,
        network: network.clone(),
        leash: Arc::clone(&leash),
        paused: false,
        confirmed: Vec::new(),
        running: None,
        steward: steward_sender,
        helpers: helper_sender,
    };
    let uplink = Uplink::Embedded(Box::new(embedded));
    let node = node::start_volunteer_over(volunteer, &network, uplink, leash)?;
    Ok(EmbeddedNode {
        node,
        steward,
        helpers,
        network: id,
    })
}

#[derive(Debug)]
struct Keys {
    root: Keypair,
    supernode: Keypair,
    steward: Keypair,
}

impl Keys {
    fn derive(keypair: &Keypair) -> Self {
        Self {
            root: identity::derived(keypair, "root"),
            supernode: identity::derived(keypair, "supernode"),
            steward: identity::derived(keypair, "steward"),
        }
    }
}

pub(crate) struct Embedded {
    options: EmbeddedOptions,
    keys: Keys,
    network: Network,
    leash: Arc<Leash>,
    paused: bool,
    /// What the volunteer has confirmed.
    confirmed: Vec<Action>,
    running: Option<Running>,
    steward: watch::Sender<Option<StewardView>>,
    helpers: watch::Sender<Vec<NodeView>>,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded")
            .field("network", &self.network.id)
            .field("up", &self.running.is_some())
            .finish_non_exhaustive()
    }
}

struct Running {
    supernode: Supernode,
    steward: NodeHandle<StewardView>,
    helpers: Vec<NodeHandle<NodeView>>,
    watchers: Vec<tokio::task::JoinHandle<()>>,
    network: Network,
}

impl Embedded {
    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    pub(crate) fn keypair(&self) -> &Keypair {
        &self.options.keypair
    }

    /// Brings the network up; the same again when it is up.
    pub(crate) async fn up(&mut self) -> Result<Network, NodeError> {
        if let Some(running) = &self.running {
            return Ok(running.network.clone());
        }
        let listening = Network {
            listen: vec![
                "/ip4/127.0.0.1/tcp/0".to_owned(),
                "/ip4/127.0.0.1/udp/0/quic-v1".to_owned(),
            ],
            ..self.network.clone()
        };
        let supernode = Supernode::start(self.keys.supernode.clone(), listening.clone())?;
        let mut addresses = supernode.addresses();
        let deadline = Duration::from_millis(UP_MS);
        let wanted = listening.listen.len();
        let supernodes = {
            let known = addresses.wait_for(|known| known.len() >= wanted);
            match tokio::time::timeout(deadline, known).await {
                Ok(Ok(known)) => known.clone(),
                _ => return Err(NodeError::EmbeddedNetwork),
            }
        };
        let folder = self.options.data.join("embedded");
        let steward = node::start_steward(
            StewardOptions {
                data: folder.join(format!("steward-{}", self.options.choice.name())),
                keypair: self.keys.steward.clone(),
                choice: self.options.choice.clone(),
            },
            Network {
                supernodes: supernodes.clone(),
                ..listening
            },
            Arc::clone(&self.options.runner),
        )?;
        let network = Network {
            supernodes,
            ..self.network.clone()
        };
        let mut helpers = Vec::new();
        for number in 1..=self.options.helpers {
            let name = format!("helper-{number}");
            let helper = node::start_helper(
                VolunteerOptions {
                    data: folder.join(&name),
                    keypair: identity::derived(&self.options.keypair, &name),
                    allowlist: catalogue::allowlist(),
                    slots: self.options.slots,
                    runner: Arc::clone(&self.options.runner),
                    governed: false,
                },
                network.clone(),
                Arc::clone(&self.leash),
            )?;
            // The volunteer's consent covers the helpers on this computer, and so does a pause.
            helper.command(pause_command(self.paused)).await?;
            let policy_version = POLICY_VERSION;
            helper.command(Command::Agree { policy_version }).await?;
            helper.confirmed(self.confirmed.clone()).await?;
            helpers.push(helper);
        }
        let watchers = self.watch(&steward, &helpers);
        self.running = Some(Running {
            supernode,
            steward,
            helpers,
            watchers,
            network: network.clone(),
        });
        Ok(network)
    }

    /// Passes the views of the network's parts on.
    fn watch(
        &self,
        steward: &NodeHandle<StewardView>,
        helpers: &[NodeHandle<NodeView>],
    ) -> Vec<tokio::task::JoinHandle<()>> {
        let mut watchers = Vec::new();
        let mut view = steward.view();
        let sender = self.steward.clone();
        watchers.push(tokio::spawn(async move {
            loop {
                let now = view.borrow_and_update().clone();
                sender.send_replace(Some(now));
                if view.changed().await.is_err() {
                    break;
                }
            }
        }));
        let views: Vec<NodeView> = helpers
            .iter()
            .map(|helper| helper.view().borrow().clone())
            .collect();
        self.helpers.send_replace(views);
        for (place, helper) in helpers.iter().enumerate() {
            let mut view = helper.view();
            let sender = self.helpers.clone();
            watchers.push(tokio::spawn(async move {
                while view.changed().await.is_ok() {
                    let now = view.borrow_and_update().clone();
                    sender.send_modify(|views| {
                        if let Some(shown) = views.get_mut(place) {
                            *shown = now;
                        }
                    });
                }
            }));
        }
        watchers
    }

    pub(crate) async fn down(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        for watcher in running.watchers {
            watcher.abort();
        }
        for helper in &running.helpers {
            // What it ended with was logged where it happened.
            let _ = helper.stop().await;
        }
        let _ = running.steward.stop().await;
        running.supernode.stop().await;
        self.helpers.send_replace(Vec::new());
    }

    pub(crate) async fn confirmed(&mut self, actions: Vec<Action>) {
        self.confirmed = actions;
        if let Some(running) = &self.running {
            for helper in &running.helpers {
                if let Err(error) = helper.confirmed(self.confirmed.clone()).await {
                    tracing::warn!(code = error.code(), "a helper could not be told");
                }
            }
        }
    }

    pub(crate) async fn pause(&mut self, paused: bool) {
        self.paused = paused;
        if let Some(running) = &self.running {
            for helper in &running.helpers {
                if let Err(error) = helper.command(pause_command(paused)).await {
                    tracing::warn!(
                        code = error.code(),
                        "a helper could not be paused or resumed"
                    );
                }
            }
        }
    }
}

fn pause_command(paused: bool) -> Command {
    if paused {
        Command::Pause { until: None }
    } else {
        Command::Resume
    }
}
