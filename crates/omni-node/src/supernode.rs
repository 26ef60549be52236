//! The supernode: a meeting point. It keeps no log and runs no work.

use omni_types::Keypair;
use tokio::sync::{mpsc, watch};

use crate::{error::NodeError, uplink::Network};

/// A running supernode.
#[derive(Debug)]
pub struct Supernode {
    addresses: watch::Receiver<Vec<String>>,
    peers: watch::Receiver<u32>,
    stop: mpsc::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Supernode {
    /// Starts listening.
    ///
    /// # Errors
    /// [`NodeError::Network`].
    pub fn start(keypair: Keypair, network: Network) -> Result<Self, NodeError> {
        let config = omni_net::Config {
            keypair,
            network: network.id,
            part: omni_net::Part::Supernode,
            listen: network.listen,
            supernodes: Vec::new(),
            stewards: network.stewards,
        };
        let (handle, mut events) = omni_net::start(config)?;
        let (address_sender, addresses) = watch::channel(Vec::new());
        let (peer_sender, peers) = watch::channel(0u32);
        let (stop, mut stopped) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            let mut stopping = false;
            loop {
                tokio::select! {
                    _ = stopped.recv(), if !stopping => {
                        stopping = true;
                        handle.shutdown();
                    }
                    event = events.recv() => {
                        let Some(event) = event else { break };
                        match event {
                            omni_net::Event::Listening { address } => {
                                tracing::info!(%address, "listening");
                                address_sender.send_modify(|known| known.push(address));
                            }
                            omni_net::Event::PeerConnected { node } => {
                                tracing::info!(peer = %node, "peer connected");
                                peer_sender.send_modify(|count| *count += 1);
                            }
                            omni_net::Event::PeerDisconnected { node } => {
                                tracing::info!(peer = %node, "peer disconnected");
                                peer_sender.send_modify(|count| *count = count.saturating_sub(1));
                            }
                            omni_net::Event::Refused { from, rejection } => {
                                tracing::warn!(peer = %from, code = rejection.code(), "message refused");
                            }
                            // A meeting point gives out no work and has no blobs.
                            _ => {}
                        }
                    }
                }
            }
        });
        Ok(Self {
            addresses,
            peers,
            stop,
            task,
        })
    }

    /// Addresses it can be reached at, as they become known.
    pub fn addresses(&self) -> watch::Receiver<Vec<String>> {
        self.addresses.clone()
    }

    /// Connected peers.
    pub fn peers(&self) -> watch::Receiver<u32> {
        self.peers.clone()
    }

    /// Closes every connection and waits until that is done.
    pub async fn stop(self) {
        // An error means that it has ended already.
        let _ = self.stop.send(()).await;
        let _ = self.task.await;
    }
}
