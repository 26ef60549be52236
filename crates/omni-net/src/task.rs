//! The one task that owns the swarm.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::StreamExt as _;
use libp2p::{
    Multiaddr, PeerId, Swarm, identify, ping, rendezvous,
    request_response::{
        self, InboundFailure, InboundRequestId, OutboundFailure, OutboundRequestId,
    },
    swarm::{
        ConnectionId, DialError, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use omni_types::{
    Cid, NetworkId, NodeId, Rejection, Timestamp, WorkRequest, WorkResponse,
    wire::{MAX_BLOB_BYTES, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES},
};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep_until},
};

use crate::{
    Config, Event, Part, Token,
    behaviour::{self, BLOB_STREAMS, Behaviour, BehaviourEvent, REGISTRATION_TTL_S, WORK_STREAMS},
    codec::{Blob, Message, rejection_of},
    failure::{Error, RequestFailure},
    link::{Goal, Jitter, Link},
    peer,
};

/// Events that wait inside the task before the swarm is no longer asked for more.
const MAX_PENDING: usize = 64;
/// Events that wait before commands are no longer taken: each command can add one.
const MAX_PENDING_WITH_COMMANDS: usize = 512;
/// Requests of peers that wait for an answer from this node.
const MAX_INBOUND: usize = 1_024;
/// The same, of one peer.
const MAX_INBOUND_PER_PEER: usize = 16;
/// Requests of this node to one steward that wait for an answer.
const MAX_WORK_PER_PEER: usize = WORK_STREAMS / 2;
/// Blob fetches of this node from one peer.
const MAX_BLOBS_PER_PEER: usize = BLOB_STREAMS / 2;
/// Requests of this node that wait for an answer, of each kind.
const MAX_OUTBOUND: usize = 64;
/// Longest time between discoveries while no steward is connected.
const DISCOVER_CAP: Duration = Duration::from_secs(5);
/// Time between discoveries while some but not all stewards are connected.
const DISCOVER_MORE: Duration = Duration::from_secs(60);
/// When to register again if a registration got no answer or was refused.
const REGISTER_AGAIN: Duration = Duration::from_secs(5);
/// A wake-up far enough to mean never.
const FAR: Duration = Duration::from_secs(3_600);

/// What the owner wants.
#[derive(Debug)]
pub(crate) enum Command {
    Request {
        to: NodeId,
        id: u64,
        request: WorkRequest,
    },
    Respond {
        token: Token,
        response: WorkResponse,
    },
    FetchBlob {
        from: NodeId,
        id: u64,
        cid: Cid,
    },
    AnswerBlob {
        token: Token,
        blob: Option<Vec<u8>>,
    },
}

/// The task's ends of the channels.
pub(crate) struct Channels {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) stop: Arc<Notify>,
    pub(crate) refused: Arc<AtomicU64>,
}

/// A connected peer.
struct Peer {
    node: NodeId,
    /// Known to be of this network, and reported.
    identified: bool,
}

/// A request of a peer that waits for this node's answer.
struct Inbound<R> {
    from: PeerId,
    request: InboundRequestId,
    channel: request_response::ResponseChannel<R>,
}

/// A work request of this node.
struct Asked {
    id: u64,
    to: NodeId,
}

/// A blob fetch of this node.
struct Fetch {
    id: u64,
    from: NodeId,
    cid: Cid,
}

type WorkEvent = request_response::Event<Message<WorkRequest>, Message<WorkResponse>>;
type BlobEvent = request_response::Event<Cid, Option<Blob>>;

/// State of the network. Fields drop in order: the sockets close before the events do.
pub(crate) struct Task {
    swarm: Swarm<Behaviour>,
    part: Part,
    network: NetworkId,
    namespace: rendezvous::Namespace,
    protocol_version: String,
    stewards: HashSet<PeerId>,
    links: HashMap<PeerId, Link>,
    peers: HashMap<PeerId, Peer>,
    jitter: Jitter,
    asked: HashMap<OutboundRequestId, Asked>,
    fetches: HashMap<OutboundRequestId, Fetch>,
    work_inbound: HashMap<Token, Inbound<Message<WorkResponse>>>,
    blob_inbound: HashMap<Token, (Cid, Inbound<Option<Blob>>)>,
    next_token: u64,
    pending: VecDeque<Event>,
    commands: mpsc::Receiver<Command>,
    stop: Arc<Notify>,
    refused: Arc<AtomicU64>,
    events: mpsc::Sender<Event>,
}

fn now() -> Timestamp {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

/// Waits until the owner has a place for an event, or is gone.
async fn place(events: &mpsc::Sender<Event>) {
    drop(events.reserve().await);
}

fn failure_of(error: &OutboundFailure) -> RequestFailure {
    match error {
        OutboundFailure::DialFailure => RequestFailure::NotConnected,
        OutboundFailure::Timeout => RequestFailure::TimedOut,
        OutboundFailure::ConnectionClosed => RequestFailure::Closed,
        OutboundFailure::UnsupportedProtocols => RequestFailure::Unsupported,
        OutboundFailure::Io(error) => {
            rejection_of(error).map_or(RequestFailure::Closed, RequestFailure::from)
        }
    }
}

impl Task {
    /// Binds the addresses.
    pub(crate) fn new(config: &Config, channels: Channels) -> Result<Self, Error> {
        let start = Instant::now();
        let mut links: HashMap<PeerId, Link> = HashMap::new();
        let namespace = rendezvous::Namespace::new(peer::steward_namespace(config.network))
            .map_err(|error| Error::Transport(error.to_string()))?;
        let stewards: HashSet<PeerId> = config
            .stewards
            .iter()
            .filter_map(|node| peer::peer_id(*node))
            .collect();
        if config.part != Part::Supernode {
            for text in &config.supernodes {
                let (peer, address) = peer::supernode_address(text)?;
                links
                    .entry(peer)
                    .or_insert_with(|| Link::new(Goal::Supernode, peer))
                    .add_address(address, start);
            }
        }
        if config.part == Part::Volunteer {
            for peer in &stewards {
                links
                    .entry(*peer)
                    .or_insert_with(|| Link::new(Goal::Steward, *peer));
            }
        }
        let mut swarm = behaviour::swarm(config)?;
        links.remove(swarm.local_peer_id());
        for text in &config.listen {
            swarm
                .listen_on(peer::address(text)?)
                .map_err(|error| Error::Listen {
                    address: text.clone(),
                    reason: error.to_string(),
                })?;
        }
        Ok(Self {
            swarm,
            part: config.part,
            network: config.network,
            namespace,
            protocol_version: peer::protocol_version(config.network),
            stewards,
            links,
            peers: HashMap::new(),
            jitter: Jitter::new(&config.keypair.node_id().0),
            asked: HashMap::new(),
            fetches: HashMap::new(),
            work_inbound: HashMap::new(),
            blob_inbound: HashMap::new(),
            next_token: 0,
            pending: VecDeque::new(),
            commands: channels.commands,
            stop: channels.stop,
            refused: channels.refused,
            events: channels.events,
        })
    }

    /// Runs until the owner lets go.
    pub(crate) async fn run(mut self) {
        tracing::info!(peer = %self.swarm.local_peer_id(), part = ?self.part, "network started");
        loop {
            self.hand_over();
            let wake = self.next_wake();
            let takes_swarm = self.pending.len() < MAX_PENDING;
            let takes_commands = self.pending.len() < MAX_PENDING_WITH_COMMANDS;
            tokio::select! {
                () = self.stop.notified() => break,
                () = self.events.closed() => break,
                // Only the wait for a place; the next turn of the loop fills it.
                () = place(&self.events), if !self.pending.is_empty() => {}
                command = self.commands.recv(), if takes_commands => match command {
                    Some(command) => self.on_command(command),
                    None => break,
                },
                event = self.swarm.select_next_some(), if takes_swarm => self.on_event(event),
                () = sleep_until(wake) => self.on_wake(),
            }
        }
        tracing::info!(peer = %self.swarm.local_peer_id(), "network stopped");
    }

    /// Gives the owner as many waiting events as it has places for.
    fn hand_over(&mut self) {
        while !self.pending.is_empty() {
            let Ok(permit) = self.events.try_reserve() else {
                return;
            };
            if let Some(event) = self.pending.pop_front() {
                permit.send(event);
            }
        }
    }

    fn next_wake(&self) -> Instant {
        self.links
            .values()
            .flat_map(|link| [link.dial_due, link.meet_due])
            .flatten()
            .min()
            .unwrap_or_else(|| Instant::now() + FAR)
    }

    fn on_wake(&mut self) {
        let now = Instant::now();
        let is_due = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        let dials: Vec<PeerId> = self
            .links
            .values()
            .filter(|link| is_due(link.dial_due))
            .map(|link| link.peer)
            .collect();
        for peer in dials {
            self.dial(peer, now);
        }
        let meetings: Vec<PeerId> = self
            .links
            .values()
            .filter(|link| is_due(link.meet_due))
            .map(|link| link.peer)
            .collect();
        for peer in meetings {
            match self.part {
                Part::Steward => self.register(peer, now),
                Part::Volunteer => self.discover(peer, now),
                Part::Supernode => {}
            }
        }
    }

    // ---- links ----

    fn dial(&mut self, peer: PeerId, now: Instant) {
        let Some(link) = self.links.get_mut(&peer) else {
            return;
        };
        link.dialling();
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(link.addresses.clone())
            .build();
        match self.swarm.dial(options) {
            Ok(()) => tracing::debug!(%peer, goal = ?link.goal, "dialling"),
            // Connected or being dialled already: its end decides what comes next.
            Err(DialError::DialPeerConditionFalse(_)) => {}
            Err(error) => {
                tracing::debug!(%peer, %error, "cannot dial");
                link.failed(&mut self.jitter, now);
            }
        }
    }

    fn register(&mut self, supernode: PeerId, now: Instant) {
        let Some(link) = self.links.get_mut(&supernode) else {
            return;
        };
        link.meet_due = None;
        let Some(meeting) = self.swarm.behaviour_mut().meeting.as_mut() else {
            return;
        };
        match meeting.register(self.namespace.clone(), supernode, Some(REGISTRATION_TTL_S)) {
            Ok(()) => link.meet_due = Some(now + REGISTER_AGAIN.saturating_mul(4)),
            // The first address to come up registers.
            Err(rendezvous::client::RegisterError::NoExternalAddresses) => {}
            Err(error) => {
                tracing::warn!(peer = %supernode, %error, "cannot register");
                link.meet_due = Some(now + REGISTER_AGAIN);
            }
        }
    }

    fn discover(&mut self, supernode: PeerId, now: Instant) {
        let found = self
            .stewards
            .iter()
            .filter(|peer| self.is_identified(peer))
            .count();
        let all = found == self.stewards.len();
        let Some(link) = self.links.get_mut(&supernode) else {
            return;
        };
        link.meet_due = None;
        if all {
            return;
        }
        let wait = if found == 0 {
            self.jitter.backoff(link.meetings, DISCOVER_CAP)
        } else {
            DISCOVER_MORE
        };
        link.meetings = link.meetings.saturating_add(1);
        link.meet_due = Some(now + wait);
        if let Some(meeting) = self.swarm.behaviour_mut().meeting.as_mut() {
            meeting.discover(Some(self.namespace.clone()), None, None, supernode);
        }
    }

    /// Meets all connected supernodes now.
    fn meet_now(&mut self) {
        let now = Instant::now();
        let peers = &self.peers;
        for link in self.links.values_mut() {
            let up = peers.get(&link.peer).is_some_and(|peer| peer.identified);
            if link.goal == Goal::Supernode && up {
                link.meetings = 0;
                link.meet_due = Some(now);
            }
        }
    }

    fn is_identified(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|peer| peer.identified)
    }

    fn leads_to_supernode(&self, peer: &PeerId) -> bool {
        self.links
            .get(peer)
            .is_some_and(|link| link.goal == Goal::Supernode)
    }

    fn disconnect(&mut self, peer: PeerId) {
        if self.swarm.disconnect_peer_id(peer).is_err() {
            tracing::trace!(%peer, "already disconnected");
        }
    }

    // ---- events of the swarm ----

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::NewListenAddr { address, .. } => self.on_listening(address),
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.swarm.remove_external_address(&address);
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "listener failed");
            }
            SwarmEvent::ListenerClosed {
                addresses, reason, ..
            } => tracing::warn!(?addresses, ?reason, "no longer listening"),
            SwarmEvent::ConnectionEstablished { peer_id, .. } => self.on_connected(peer_id),
            SwarmEvent::ConnectionClosed {
                peer_id,
                num_established: 0,
                cause,
                ..
            } => {
                tracing::debug!(peer = %peer_id, ?cause, "disconnected");
                self.on_disconnected(peer_id);
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(peer),
                error,
                ..
            } => self.on_dial_failed(peer, &error),
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            _ => {}
        }
    }

    fn on_listening(&mut self, address: Multiaddr) {
        // Stewards and supernodes are configured to be reached where they listen; a volunteer
        // announces nothing.
        if self.part != Part::Volunteer {
            self.swarm.add_external_address(address.clone());
        }
        if self.part == Part::Steward {
            self.meet_now();
        }
        if let Ok(address) = address.with_p2p(*self.swarm.local_peer_id()) {
            tracing::info!(%address, "listening");
            self.pending.push_back(Event::Listening {
                address: address.to_string(),
            });
        }
    }

    fn on_connected(&mut self, peer: PeerId) {
        let Some(node) = peer::node_id(peer) else {
            tracing::warn!(%peer, "not an ed25519 identity");
            self.disconnect(peer);
            return;
        };
        self.peers.entry(peer).or_insert_with(|| {
            tracing::debug!(%peer, "connected");
            Peer {
                node,
                identified: false,
            }
        });
        if let Some(link) = self.links.get_mut(&peer) {
            link.up(Instant::now());
        }
    }

    fn on_disconnected(&mut self, peer: PeerId) {
        if let Some(link) = self.links.get_mut(&peer) {
            link.down(&mut self.jitter, Instant::now());
        }
        let Some(Peer {
            node,
            identified: true,
        }) = self.peers.remove(&peer)
        else {
            return;
        };
        if self.stewards.contains(&peer) {
            tracing::info!(%peer, "steward lost");
            self.pending.push_back(Event::StewardLost { node });
            if self.part == Part::Volunteer {
                self.meet_now();
            }
        }
        if self.leads_to_supernode(&peer) {
            tracing::info!(%peer, "supernode lost");
            self.pending.push_back(Event::SupernodeLost { node });
        }
        self.pending.push_back(Event::PeerDisconnected { node });
    }

    fn on_dial_failed(&mut self, peer: PeerId, error: &DialError) {
        tracing::debug!(%peer, %error, "dial failed");
        let connected = self.swarm.is_connected(&peer);
        if let Some(link) = self.links.get_mut(&peer)
            && !connected
            && link.dial_due.is_none()
        {
            link.failed(&mut self.jitter, Instant::now());
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Identify(event) => self.on_identify(event),
            BehaviourEvent::Ping(event) => self.on_ping(event),
            BehaviourEvent::Meeting(event) => self.on_meeting(event),
            BehaviourEvent::Register(event) => log_register(&event),
            BehaviourEvent::Work(event) => self.on_work(event),
            BehaviourEvent::Blob(event) => self.on_blob(event),
            BehaviourEvent::Limits(never) => match never {},
        }
    }

    fn on_identify(&mut self, event: identify::Event) {
        match event {
            identify::Event::Received { peer_id, info, .. } => {
                self.on_identified(peer_id, &info.protocol_version);
            }
            identify::Event::Error {
                peer_id,
                connection_id,
                error,
            } => {
                // Without identification nothing can be asked of it.
                if !self.is_identified(&peer_id) {
                    tracing::debug!(peer = %peer_id, %error, "not identified");
                    self.close(connection_id);
                }
            }
            identify::Event::Sent { .. } | identify::Event::Pushed { .. } => {}
        }
    }

    fn on_identified(&mut self, peer: PeerId, protocol_version: &str) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        let node = state.node;
        if protocol_version != self.protocol_version {
            tracing::warn!(%peer, "peer of another network disconnected");
            self.disconnect(peer);
            self.refuse(node, Rejection::WrongNetwork);
            return;
        }
        if state.identified {
            return;
        }
        state.identified = true;
        self.pending.push_back(Event::PeerConnected { node });
        if self.stewards.contains(&peer) {
            tracing::info!(%peer, "steward found");
            self.pending.push_back(Event::StewardFound { node });
        }
        if self.leads_to_supernode(&peer) {
            tracing::info!(%peer, "supernode connected");
            self.pending.push_back(Event::SupernodeConnected { node });
            if let Some(link) = self.links.get_mut(&peer) {
                link.meetings = 0;
                link.meet_due = Some(Instant::now());
            }
        }
    }

    fn on_ping(&mut self, event: ping::Event) {
        match event.result {
            Ok(_) | Err(ping::Failure::Unsupported) => {}
            Err(error) => {
                tracing::debug!(peer = %event.peer, %error, "no answer to a ping");
                self.close(event.connection);
            }
        }
    }

    fn close(&mut self, connection: ConnectionId) {
        if !self.swarm.close_connection(connection) {
            tracing::trace!(%connection, "already closed");
        }
    }

    fn on_meeting(&mut self, event: rendezvous::client::Event) {
        match event {
            rendezvous::client::Event::Registered {
                rendezvous_node,
                ttl,
                ..
            } => {
                tracing::debug!(peer = %rendezvous_node, ttl_s = ttl, "registered");
                self.meet_after(rendezvous_node, Duration::from_secs(ttl / 3));
            }
            rendezvous::client::Event::RegisterFailed {
                rendezvous_node,
                error,
                ..
            } => {
                tracing::warn!(peer = %rendezvous_node, ?error, "registration refused");
                self.meet_after(rendezvous_node, REGISTER_AGAIN);
            }
            rendezvous::client::Event::Discovered { registrations, .. } => {
                let now = Instant::now();
                for registration in registrations {
                    let peer = registration.record.peer_id();
                    let connected = self.swarm.is_connected(&peer);
                    if let Some(link) = self.links.get_mut(&peer)
                        && link.goal == Goal::Steward
                    {
                        link.announced(registration.record.addresses(), connected, now);
                    }
                }
            }
            rendezvous::client::Event::DiscoverFailed {
                rendezvous_node,
                error,
                ..
            } => tracing::debug!(peer = %rendezvous_node, ?error, "discovery failed"),
            rendezvous::client::Event::Expired { .. } => {}
        }
    }

    /// Meets a supernode again later, unless it went away meanwhile.
    fn meet_after(&mut self, supernode: PeerId, wait: Duration) {
        if self.is_identified(&supernode)
            && let Some(link) = self.links.get_mut(&supernode)
        {
            link.meet_due = Some(Instant::now() + wait);
        }
    }

    // ---- work ----

    fn on_work(&mut self, event: WorkEvent) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                request_response::Message::Request {
                    request_id,
                    request,
                    channel,
                } => self.on_work_request(
                    request,
                    Inbound {
                        from: peer,
                        request: request_id,
                        channel,
                    },
                ),
                request_response::Message::Response {
                    request_id,
                    response,
                } => self.on_work_response(request_id, response),
            },
            request_response::Event::OutboundFailure {
                peer,
                request_id,
                error,
                ..
            } => {
                tracing::debug!(%peer, %error, "work request failed");
                if let Some(Asked { id, to }) = self.asked.remove(&request_id) {
                    self.pending.push_back(Event::Response {
                        id,
                        from: to,
                        result: Err(failure_of(&error)),
                    });
                }
            }
            request_response::Event::InboundFailure {
                peer,
                request_id,
                error,
                ..
            } => {
                self.work_inbound
                    .retain(|_, inbound| inbound.request != request_id);
                self.on_inbound_failure(peer, &error);
            }
            request_response::Event::ResponseSent { .. } => {}
        }
    }

    fn on_work_request(
        &mut self,
        message: Message<WorkRequest>,
        inbound: Inbound<Message<WorkResponse>>,
    ) {
        let Some(from) = peer::node_id(inbound.from) else {
            return;
        };
        let decoded = match message {
            Message::Decoded(decoded) => decoded,
            Message::Encoded(_) => Err(Rejection::Malformed),
        };
        match decoded.and_then(|request| request.verify(from, now(), self.network)) {
            Ok(request) => {
                if !has_room(self.work_inbound.values(), inbound.from) {
                    tracing::debug!(peer = %inbound.from, "too many requests");
                    self.send_response(inbound.channel, &WorkResponse::Refused(Rejection::TooMany));
                    return;
                }
                let token = self.new_token();
                self.work_inbound.insert(token, inbound);
                self.pending.push_back(Event::Request {
                    from,
                    token,
                    request,
                });
            }
            Err(rejection) => {
                self.send_response(inbound.channel, &WorkResponse::Refused(rejection));
                self.refuse(from, rejection);
            }
        }
    }

    fn on_work_response(&mut self, request: OutboundRequestId, message: Message<WorkResponse>) {
        let Some(Asked { id, to }) = self.asked.remove(&request) else {
            return;
        };
        let decoded = match message {
            Message::Decoded(decoded) => decoded,
            Message::Encoded(_) => Err(Rejection::Malformed),
        };
        let result = decoded
            .and_then(|response| response.verify(to, now(), self.network))
            .map_err(|rejection| {
                tracing::warn!(peer = %to, code = rejection.code(), "answer refused");
                self.refused.fetch_add(1, Ordering::Relaxed);
                RequestFailure::from(rejection)
            });
        self.pending.push_back(Event::Response {
            id,
            from: to,
            result,
        });
    }

    fn send_response(
        &mut self,
        channel: request_response::ResponseChannel<Message<WorkResponse>>,
        response: &WorkResponse,
    ) {
        let encoded = Message::encode(response, MAX_RESPONSE_BYTES).or_else(|rejection| {
            tracing::error!(code = rejection.code(), "answer cannot be sent");
            Message::encode(&WorkResponse::Refused(rejection), MAX_RESPONSE_BYTES)
        });
        if let Ok(encoded) = encoded
            && self
                .swarm
                .behaviour_mut()
                .work
                .send_response(channel, encoded)
                .is_err()
        {
            tracing::debug!("answer came too late");
        }
    }

    // ---- blobs ----

    fn on_blob(&mut self, event: BlobEvent) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                request_response::Message::Request {
                    request_id,
                    request: cid,
                    channel,
                } => self.on_blob_request(
                    cid,
                    Inbound {
                        from: peer,
                        request: request_id,
                        channel,
                    },
                ),
                request_response::Message::Response {
                    request_id,
                    response,
                } => self.on_blob_response(request_id, response),
            },
            request_response::Event::OutboundFailure {
                peer,
                request_id,
                error,
                ..
            } => {
                tracing::debug!(%peer, %error, "blob request failed");
                if let Some(Fetch { id, from, .. }) = self.fetches.remove(&request_id) {
                    self.pending.push_back(Event::Blob {
                        id,
                        from,
                        result: Err(failure_of(&error)),
                    });
                }
            }
            request_response::Event::InboundFailure {
                peer,
                request_id,
                error,
                ..
            } => {
                self.blob_inbound
                    .retain(|_, (_, inbound)| inbound.request != request_id);
                self.on_inbound_failure(peer, &error);
            }
            request_response::Event::ResponseSent { .. } => {}
        }
    }

    fn on_blob_request(&mut self, cid: Cid, inbound: Inbound<Option<Blob>>) {
        let Some(from) = peer::node_id(inbound.from) else {
            return;
        };
        let waiting = self.blob_inbound.values().map(|(_, inbound)| inbound);
        if !has_room(waiting, inbound.from) {
            // Letting go of the channel closes the stream: "no answer", not "not here".
            tracing::debug!(peer = %inbound.from, "too many blob requests");
            return;
        }
        let token = self.new_token();
        self.blob_inbound.insert(token, (cid, inbound));
        self.pending
            .push_back(Event::BlobRequest { from, token, cid });
    }

    fn on_blob_response(&mut self, request: OutboundRequestId, blob: Option<Blob>) {
        let Some(Fetch { id, from, cid }) = self.fetches.remove(&request) else {
            return;
        };
        let result = match blob {
            Some(blob) if blob.cid == cid => Ok(blob.bytes),
            Some(_) => {
                tracing::warn!(peer = %from, %cid, "wrong blob");
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(RequestFailure::WrongCid)
            }
            None => Err(RequestFailure::Absent),
        };
        self.pending.push_back(Event::Blob { id, from, result });
    }

    // ---- both ----

    fn on_inbound_failure(&mut self, peer: PeerId, error: &InboundFailure) {
        tracing::debug!(%peer, %error, "request of a peer failed");
        let rejection = match error {
            InboundFailure::Io(error) => rejection_of(error),
            _ => None,
        };
        if let (Some(rejection), Some(node)) = (rejection, peer::node_id(peer)) {
            self.refuse(node, rejection);
        }
    }

    fn refuse(&mut self, from: NodeId, rejection: Rejection) {
        tracing::warn!(peer = %from, code = rejection.code(), "refused");
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.pending.push_back(Event::Refused { from, rejection });
    }

    fn new_token(&mut self) -> Token {
        self.next_token = self.next_token.wrapping_add(1);
        Token(self.next_token)
    }

    /// The peer id of a peer that is connected and of this network.
    fn reachable(&self, node: NodeId) -> Result<PeerId, RequestFailure> {
        peer::peer_id(node)
            .filter(|peer| self.is_identified(peer))
            .ok_or(RequestFailure::NotConnected)
    }

    // ---- commands ----

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Request { to, id, request } => {
                if let Err(failure) = self.ask(to, id, &request) {
                    self.pending.push_back(Event::Response {
                        id,
                        from: to,
                        result: Err(failure),
                    });
                }
            }
            Command::Respond { token, response } => {
                if let Some(inbound) = self.work_inbound.remove(&token) {
                    self.send_response(inbound.channel, &response);
                }
            }
            Command::FetchBlob { from, id, cid } => {
                if let Err(failure) = self.fetch(from, id, cid) {
                    self.pending.push_back(Event::Blob {
                        id,
                        from,
                        result: Err(failure),
                    });
                }
            }
            Command::AnswerBlob { token, blob } => self.answer_blob(token, blob),
        }
    }

    fn ask(&mut self, to: NodeId, id: u64, request: &WorkRequest) -> Result<(), RequestFailure> {
        let peer = peer::peer_id(to)
            .filter(|peer| self.stewards.contains(peer))
            .ok_or(RequestFailure::NotASteward)?;
        self.reachable(to)?;
        let open = self.asked.values().filter(|asked| asked.to == to).count();
        if open >= MAX_WORK_PER_PEER || self.asked.len() >= MAX_OUTBOUND {
            return Err(RequestFailure::TooMany);
        }
        let message = Message::encode(request, MAX_REQUEST_BYTES)?;
        let request = self.swarm.behaviour_mut().work.send_request(&peer, message);
        self.asked.insert(request, Asked { id, to });
        Ok(())
    }

    fn fetch(&mut self, from: NodeId, id: u64, cid: Cid) -> Result<(), RequestFailure> {
        let peer = self.reachable(from)?;
        let open = self.fetches.values().filter(|fetch| fetch.from == from);
        if open.count() >= MAX_BLOBS_PER_PEER || self.fetches.len() >= MAX_OUTBOUND {
            return Err(RequestFailure::TooMany);
        }
        let request = self.swarm.behaviour_mut().blob.send_request(&peer, cid);
        self.fetches.insert(request, Fetch { id, from, cid });
        Ok(())
    }

    fn answer_blob(&mut self, token: Token, blob: Option<Vec<u8>>) {
        let Some((cid, inbound)) = self.blob_inbound.remove(&token) else {
            return;
        };
        let blob = blob
            .filter(|bytes| {
                let fits = bytes.len() <= MAX_BLOB_BYTES;
                if !fits {
                    tracing::error!(%cid, bytes = bytes.len(), "blob is too large to send");
                }
                fits
            })
            .map(|bytes| Blob { cid, bytes });
        if self
            .swarm
            .behaviour_mut()
            .blob
            .send_response(inbound.channel, blob)
            .is_err()
        {
            tracing::debug!(%cid, "blob came too late");
        }
    }
}

/// Whether one more request of `from` may wait.
fn has_room<'a, R: 'a>(waiting: impl Iterator<Item = &'a Inbound<R>>, from: PeerId) -> bool {
    let (mut all, mut of_peer) = (0, 0);
    for inbound in waiting {
        all += 1;
        of_peer += usize::from(inbound.from == from);
    }
    all < MAX_INBOUND && of_peer < MAX_INBOUND_PER_PEER
}

fn log_register(event: &rendezvous::server::Event) {
    use rendezvous::server::Event as Register;
    match event {
        Register::PeerRegistered { peer, registration } => {
            tracing::debug!(%peer, namespace = %registration.namespace, "registered");
        }
        Register::PeerNotRegistered { peer, error, .. } => {
            tracing::warn!(%peer, ?error, "registration refused");
        }
        Register::DiscoverNotServed { enquirer, error } => {
            tracing::warn!(peer = %enquirer, ?error, "discovery refused");
        }
        Register::DiscoverServed { .. }
        | Register::PeerUnregistered { .. }
        | Register::RegistrationExpired(_) => {}
    }
}
