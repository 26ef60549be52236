//! How a node gets to its network: straight to the supernodes it was given, or by bringing up the
//! embedded network first.

use omni_types::{Keypair, NetworkId, NodeId};

use crate::{embedded::Embedded, error::NodeError};

/// A network to take part in.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its identity.
    pub id: NetworkId,
    /// Plain name.
    pub name: String,
    /// Keys that may hand out work.
    pub stewards: Vec<NodeId>,
    /// Multiaddresses of supernodes.
    pub supernodes: Vec<String>,
    /// Multiaddresses to listen on.
    pub listen: Vec<String>,
}

/// The way into a network.
#[derive(Debug)]
pub(crate) enum Uplink {
    /// Supernodes run elsewhere.
    Direct(Box<Direct>),
    /// Supernode, steward and helpers run in this program while the node is online.
    Embedded(Box<Embedded>),
}

/// Supernodes that run elsewhere.
#[derive(Debug)]
pub(crate) struct Direct {
    pub keypair: Keypair,
    pub part: omni_net::Part,
    pub network: Network,
}

impl Uplink {
    pub(crate) fn direct(keypair: Keypair, part: omni_net::Part, network: Network) -> Self {
        Self::Direct(Box::new(Direct {
            keypair,
            part,
            network,
        }))
    }

    pub(crate) fn network(&self) -> NetworkId {
        match self {
            Self::Direct(direct) => direct.network.id,
            Self::Embedded(embedded) => embedded.network().id,
        }
    }

    /// Gets everything ready and says how to connect.
    pub(crate) async fn up(&mut self) -> Result<omni_net::Config, NodeError> {
        let (keypair, part, network) = match self {
            Self::Direct(direct) => (direct.keypair.clone(), direct.part, direct.network.clone()),
            Self::Embedded(embedded) => {
                let network = Box::pin(embedded.up()).await?;
                (
                    embedded.keypair().clone(),
                    omni_net::Part::Volunteer,
                    network,
                )
            }
        };
        Ok(omni_net::Config {
            keypair,
            network: network.id,
            part,
            listen: network.listen,
            supernodes: network.supernodes,
            stewards: network.stewards,
        })
    }

    /// Takes down what [`Uplink::up`] brought up.
    pub(crate) async fn down(&mut self) {
        if let Self::Embedded(embedded) = self {
            Box::pin(embedded.down()).await;
        }
    }

    /// Tells the embedded network's other nodes what the volunteer has confirmed.
    pub(crate) async fn confirmed(&mut self, actions: Vec<omni_types::Action>) {
        if let Self::Embedded(embedded) = self {
            Box::pin(embedded.confirmed(actions)).await;
        }
    }

    /// Has the embedded network's other nodes pause or resume.
    pub(crate) async fn pause(&mut self, paused: bool) {
        if let Self::Embedded(embedded) = self {
            Box::pin(embedded.pause(paused)).await;
        }
    }
}
