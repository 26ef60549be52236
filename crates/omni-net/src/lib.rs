//! The network: libp2p over TCP and QUIC. Bytes come in, verified messages go up; nothing that
//! does not verify leaves this crate upwards.
//!
//! ```text
//!            Handle (commands, never waits)            Receiver<Event>
//!                     │                                      ▲
//!                     ▼                                      │
//!   ┌──────────────────────── one task owns the swarm ───────────────────────┐
//!   │ links: dial supernodes and stewards, back off, try again               │
//!   │ meeting: stewards register at supernodes, volunteers discover them     │
//!   │ work and blobs: decode, verify, answer refusals, match ids             │
//!   └─────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Two channels, both bounded, and a rule that keeps them from waiting for each other: a command
//! never waits (a full queue is [`SendError::Busy`]), and while the owner does not take events the
//! task stops asking the swarm for more, so that pressure reaches the peers.

mod behaviour;
mod codec;
mod failure;
mod link;
mod peer;
mod task;
#[cfg(test)]
mod tests;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use omni_types::{
    Cid, Keypair, NetworkId, NodeId, Rejection, VerifiedRequest, VerifiedResponse, WorkRequest,
    WorkResponse,
};
use tokio::sync::{Notify, mpsc};

pub use failure::{Error, RequestFailure, SendError};

/// Commands that may wait for the task.
const COMMAND_QUEUE: usize = 256;
/// Events that may wait for the owner; as many again wait inside the task.
const EVENT_QUEUE: usize = 64;

/// What this program is in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Finds stewards through supernodes and asks them for work; announces no address of its own.
    Volunteer,
    /// Registers at supernodes and answers work requests.
    Steward,
    /// The meeting point: keeps the register of stewards, dials nobody.
    Supernode,
}

/// How to take part.
#[derive(Clone, Debug)]
pub struct Config {
    /// Identity of this node; also the key of its connections.
    pub keypair: Keypair,
    /// The network; peers of another one are disconnected.
    pub network: NetworkId,
    /// What this program is in it.
    pub part: Part,
    /// Multiaddresses to listen on, such as `/ip4/0.0.0.0/tcp/4001` or
    /// `/ip4/127.0.0.1/udp/0/quic-v1`; none is fine for a volunteer.
    pub listen: Vec<String>,
    /// Multiaddresses of supernodes, each ending in `/p2p/<peer id>`.
    pub supernodes: Vec<String>,
    /// Keys of the charter's stewards: only these are dialled as stewards and asked for work.
    pub stewards: Vec<NodeId>,
}

/// Names one request that waits for an answer from this node. Good for one answer; after the
/// protocol's time limit (10 s for work, 30 s for blobs) an answer goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(u64);

/// What happened in the network.
#[derive(Debug)]
pub enum Event {
    /// This node can be reached here.
    Listening {
        /// Whole multiaddress with `/p2p/`.
        address: String,
    },
    /// A peer of this network is connected and identified.
    PeerConnected {
        /// Who.
        node: NodeId,
    },
    /// The last connection to a peer reported before is gone.
    PeerDisconnected {
        /// Who.
        node: NodeId,
    },
    /// One of the configured stewards is connected and identified.
    StewardFound {
        /// Who.
        node: NodeId,
    },
    /// The last connection to a steward is gone; looking for it goes on by itself.
    StewardLost {
        /// Who.
        node: NodeId,
    },
    /// One of the configured supernodes is connected and identified.
    SupernodeConnected {
        /// Who.
        node: NodeId,
    },
    /// The last connection to a supernode is gone; dialling goes on by itself.
    SupernodeLost {
        /// Who.
        node: NodeId,
    },
    /// A verified work request, to be answered with [`Handle::respond`].
    Request {
        /// Who asks, proven by the connection.
        from: NodeId,
        /// To answer with.
        token: Token,
        /// What is asked.
        request: VerifiedRequest,
    },
    /// What became of [`Handle::request`]; exactly one for each accepted command.
    Response {
        /// The number given with the request.
        id: u64,
        /// The steward asked.
        from: NodeId,
        /// Its verified answer, or why there is none.
        result: Result<VerifiedResponse, RequestFailure>,
    },
    /// A peer wants a blob, to be answered with [`Handle::answer_blob`].
    BlobRequest {
        /// Who asks.
        from: NodeId,
        /// To answer with.
        token: Token,
        /// Which blob.
        cid: Cid,
    },
    /// What became of [`Handle::fetch_blob`]; exactly one for each accepted command.
    Blob {
        /// The number given with the fetch.
        id: u64,
        /// The peer asked.
        from: NodeId,
        /// The bytes, which match the content id, or why there are none.
        result: Result<Vec<u8>, RequestFailure>,
    },
    /// A peer sent something that does not verify, or belongs to another network. It was told so.
    Refused {
        /// Who.
        from: NodeId,
        /// Why.
        rejection: Rejection,
    },
}

/// Commands to the network task. Cheap to clone; the task ends when the last one is dropped, when
/// the events are no longer received, or at [`Handle::shutdown`].
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<task::Command>,
    stop: Arc<Notify>,
    refused: Arc<AtomicU64>,
    local: NodeId,
}

impl Handle {
    /// Asks steward `to`; [`Event::Response`] with the same `id` follows.
    ///
    /// # Errors
    /// [`SendError`]; then no event follows.
    pub fn request(&self, to: NodeId, id: u64, request: WorkRequest) -> Result<(), SendError> {
        self.send(task::Command::Request { to, id, request })
    }

    /// Answers a work request. An unknown or outdated token is ignored; an answer above its size
    /// limit is replaced by a refusal with [`Rejection::TooLarge`].
    ///
    /// # Errors
    /// [`SendError`].
    pub fn respond(&self, token: Token, response: WorkResponse) -> Result<(), SendError> {
        self.send(task::Command::Respond { token, response })
    }

    /// Fetches a blob from connected peer `from`; [`Event::Blob`] with the same `id` follows.
    ///
    /// # Errors
    /// [`SendError`]; then no event follows.
    pub fn fetch_blob(&self, from: NodeId, id: u64, cid: Cid) -> Result<(), SendError> {
        self.send(task::Command::FetchBlob { from, id, cid })
    }

    /// Answers a blob request; `None` says that the blob is not here, and so does a blob above its
    /// size limit. An unknown or outdated token is ignored.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn answer_blob(&self, token: Token, blob: Option<Vec<u8>>) -> Result<(), SendError> {
        self.send(task::Command::AnswerBlob { token, blob })
    }

    /// Ends the task: connections close, then the event channel does.
    pub fn shutdown(&self) {
        self.stop.notify_one();
    }

    /// Messages refused so far because they did not verify, for the metrics.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// This node.
    pub fn local(&self) -> NodeId {
        self.local
    }

    fn send(&self, command: task::Command) -> Result<(), SendError> {
        self.commands
            .try_send(command)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => SendError::Busy,
                mpsc::error::TrySendError::Closed(_) => SendError::Closed,
            })
    }
}

/// Binds the addresses and starts the one task that owns the swarm. Must be called inside a tokio
/// runtime with time and input/output enabled. When the receiver yields `None`, the task has ended
/// and its sockets are closed.
///
/// # Errors
/// [`Error`]: an address that cannot be parsed or bound, a key that libp2p refuses, no runtime.
pub fn start(config: Config) -> Result<(Handle, mpsc::Receiver<Event>), Error> {
    let runtime = tokio::runtime::Handle::try_current().map_err(|_| Error::NoRuntime)?;
    let (command_sender, commands) = mpsc::channel(COMMAND_QUEUE);
    let (events, event_receiver) = mpsc::channel(EVENT_QUEUE);
    let handle = Handle {
        commands: command_sender,
        stop: Arc::new(Notify::new()),
        refused: Arc::new(AtomicU64::new(0)),
        local: config.keypair.node_id(),
    };
    let channels = task::Channels {
        commands,
        events,
        stop: Arc::clone(&handle.stop),
        refused: Arc::clone(&handle.refused),
    };
    let task = task::Task::new(&config, channels)?;
    runtime.spawn(task.run());
    Ok((handle, event_receiver))
}
