//! The one event loop: drains the machine's ordered outputs, waits for the next event, hands it in.
//!
//! ```text
//!            ┌────────────── outputs, in order: commit before send ─────────────┐
//!            │                                                                  ▼
//!   Machine ◀┴─ Input ─── select { command, network, sandbox, timer, stop } ◀── effects
//! ```
//!
//! It owns the machine, the store, the network and the running jobs; nothing else touches them, and
//! there is no lock around domain state. Every channel is bounded.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use omni_core::{Command, Input, Machine, Output, RequestFailed};
use omni_net::RequestFailure;
use omni_store::Store;
use omni_types::{Cid, Entry, LeaseId, NodeId, Record, Timestamp, UnitId};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    catalogue, clock,
    error::NodeError,
    runner::{JobControl, Leash, RunnerEvent},
    uplink::Uplink,
};

/// Commands that may wait.
const COMMAND_QUEUE: usize = 32;
/// Sandbox events that may wait.
const SANDBOX_QUEUE: usize = 256;
/// Shortest wait for a timer, milliseconds: a machine that is always due cannot spin.
const MIN_WAIT_MS: u64 = 10;
/// Longest wait without a look at the clock, milliseconds.
const MAX_WAIT_MS: u64 = 60_000;
/// Shortest time between two status files, milliseconds.
const STATUS_MS: u64 = 1_000;
/// Requests of other nodes that may wait for an answer.
const MAX_TOKENS: usize = 1_024;
/// Times that the network is started again after it ended by itself.
const NETWORK_RESTARTS: u32 = 5;

/// Whether and how the node is connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Connected peers.
    pub peers: u32,
    /// A supernode is connected.
    pub supernode: bool,
    /// Connected stewards.
    pub stewards: u32,
}

/// A machine that can be looked at.
pub trait Observed: Machine {
    /// What there is to see, whole each time.
    type View: Clone + PartialEq + serde::Serialize + Send + Sync + 'static;

    /// The present view.
    fn view(&self, connections: &Connections) -> Self::View;
}

/// A command and the word that it has been carried out.
type Order = (Command, oneshot::Sender<()>);

/// A running node: look at it, tell it what to do, stop it.
pub struct NodeHandle<V> {
    leash: Arc<Leash>,
    view: watch::Receiver<V>,
    address: watch::Receiver<Vec<String>>,
    commands: mpsc::Sender<Order>,
    stop: mpsc::Sender<()>,
    ended: watch::Receiver<Option<Result<(), NodeError>>>,
}

impl<V> Clone for NodeHandle<V> {
    fn clone(&self) -> Self {
        Self {
            leash: Arc::clone(&self.leash),
            view: self.view.clone(),
            address: self.address.clone(),
            commands: self.commands.clone(),
            stop: self.stop.clone(),
            ended: self.ended.clone(),
        }
    }
}

impl<V> std::fmt::Debug for NodeHandle<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeHandle").finish_non_exhaustive()
    }
}

impl<V: Clone> NodeHandle<V> {
    /// The view; changes wake the receiver.
    pub fn view(&self) -> watch::Receiver<V> {
        self.view.clone()
    }

    /// Addresses it listens on, as they become known.
    pub fn addresses(&self) -> watch::Receiver<Vec<String>> {
        self.address.clone()
    }

    /// Carries a command out; returns when its record is on disk and its effects have begun. The kill
    /// switch ends every child before anything else is done.
    ///
    /// # Errors
    /// [`NodeError::Ended`] when the node no longer runs.
    pub async fn command(&self, command: Command) -> Result<(), NodeError> {
        if matches!(command, Command::Kill | Command::Withdraw) {
            // Whatever the event loop is busy with.
            self.leash.kill();
        }
        let (done, wait) = oneshot::channel();
        let order = (command, done);
        self.commands
            .send(order)
            .await
            .map_err(|_| NodeError::Ended)?;
        wait.await.map_err(|_| NodeError::Ended)
    }

    /// Stops the node: children are killed, connections closed, the store is closed. Returns when
    /// all that is done.
    ///
    /// # Errors
    /// What the node ended with, if it ended before.
    pub async fn stop(&self) -> Result<(), NodeError> {
        // An error means that it has ended already.
        let _ = self.stop.send(()).await;
        self.ended().await
    }

    /// Waits until the node has ended.
    ///
    /// # Errors
    /// What it ended with.
    pub async fn ended(&self) -> Result<(), NodeError> {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(result) => result.clone().unwrap_or(Ok(())),
            Err(_) => Err(NodeError::Ended),
        }
    }
}

/// What an event loop is made of.
pub(crate) struct Parts<M> {
    pub machine: M,
    pub store: Store,
    pub uplink: Uplink,
    pub leash: Arc<Leash>,
    /// Whether this node needs no word of its machine to go online (stewards, supernodes).
    pub online: bool,
    /// File for `omniswarm status`.
    pub status: PathBuf,
}

/// Starts the loop on the present tokio runtime.
pub(crate) fn start<M>(parts: Parts<M>) -> NodeHandle<M::View>
where
    M: Observed + Send + 'static,
{
    let (commands, command_queue) = mpsc::channel(COMMAND_QUEUE);
    let (stop, stopped) = mpsc::channel(1);
    let (sandbox, sandbox_queue) = mpsc::channel(SANDBOX_QUEUE);
    let connections = Connections::default();
    let (view_sender, view) = watch::channel(parts.machine.view(&connections));
    let (address_sender, address) = watch::channel(Vec::new());
    let (ended_sender, ended) = watch::channel(None);
    let online = parts.online;
    let effects = Effects {
        store: parts.store,
        uplink: parts.uplink,
        leash: Arc::clone(&parts.leash),
        net: None,
        sandbox,
        jobs: BTreeMap::new(),
        units: BTreeMap::new(),
        fetches: BTreeMap::new(),
        next_fetch: 0,
        tokens: BTreeMap::new(),
        next_token: 0,
        connections,
        stewards: BTreeSet::new(),
        address: address_sender,
        inputs: VecDeque::new(),
    };
    let mut node = Loop {
        machine: parts.machine,
        effects,
        commands: command_queue,
        stopped,
        sandbox: sandbox_queue,
        view: view_sender,
        status: parts.status,
        status_at: Timestamp(0),
        status_stale: true,
    };
    tokio::spawn(async move {
        let result = node.run(online).await;
        if let Err(error) = &result {
            tracing::error!(code = error.code(), %error, "node ends");
        }
        node.effects.close().await;
        node.write_status(true);
        drop(node);
        let _ = ended_sender.send(Some(result));
    });
    NodeHandle {
        leash: parts.leash,
        view,
        address,
        commands,
        stop,
        ended,
    }
}

struct Net {
    handle: omni_net::Handle,
    events: mpsc::Receiver<omni_net::Event>,
}

struct Effects {
    store: Store,
    uplink: Uplink,
    leash: Arc<Leash>,
    net: Option<Net>,
    sandbox: mpsc::Sender<RunnerEvent>,
    jobs: BTreeMap<LeaseId, JobControl>,
    /// Unit of each open lease: the correlation id for records that name the lease only.
    units: BTreeMap<LeaseId, UnitId>,
    fetches: BTreeMap<u64, Cid>,
    next_fetch: u64,
    tokens: BTreeMap<u64, omni_net::Token>,
    next_token: u64,
    connections: Connections,
    /// Connected stewards.
    stewards: BTreeSet<NodeId>,
    address: watch::Sender<Vec<String>>,
    /// Inputs that effects gave at once.
    inputs: VecDeque<Input>,
}

struct Loop<M: Observed> {
    machine: M,
    effects: Effects,
    commands: mpsc::Receiver<Order>,
    stopped: mpsc::Receiver<()>,
    sandbox: mpsc::Receiver<RunnerEvent>,
    view: watch::Sender<M::View>,
    status: PathBuf,
    status_at: Timestamp,
    /// The view has changed since the file was written.
    status_stale: bool,
}

/// Everything that can happen.
enum Event {
    Command(Order),
    Net(Box<omni_net::Event>),
    NetClosed,
    Sandbox(RunnerEvent),
    Timer,
    Stop,
}

impl<M: Observed> Loop<M> {
    async fn run(&mut self, online: bool) -> Result<(), NodeError> {
        let mut restarts = 0;
        if online {
            self.effects.go_online().await?;
        }
        loop {
            self.drain().await?;
            let input = match self.next().await {
                Event::Command((command, done)) => {
                    self.machine.handle(Input::Command(command), clock::now());
                    self.drain().await?;
                    // Nobody may be waiting.
                    let _ = done.send(());
                    continue;
                }
                Event::Net(event) => self.effects.on_net(*event),
                Event::NetClosed => {
                    restarts += 1;
                    if restarts > NETWORK_RESTARTS {
                        return Err(NodeError::NetworkEnded);
                    }
                    tracing::error!(restarts, "the network ended by itself and is started again");
                    self.effects.on_net_closed();
                    self.effects.go_online().await?;
                    None
                }
                Event::Sandbox(event) => self.effects.on_sandbox(event),
                Event::Timer => Some(Input::Tick),
                Event::Stop => return Ok(()),
            };
            if let Some(input) = input {
                self.machine.handle(input, clock::now());
            }
        }
    }

    /// Carries out what the machine wants until it wants nothing more, then shows the new state.
    async fn drain(&mut self) -> Result<(), NodeError> {
        loop {
            while let Some(output) = self.machine.poll_output() {
                self.effects.perform(output).await?;
            }
            match self.effects.inputs.pop_front() {
                Some(input) => self.machine.handle(input, clock::now()),
                None => break,
            }
        }
        let view = self.machine.view(&self.effects.connections);
        let changed = self.view.send_if_modified(|shown| {
            let changed = *shown != view;
            if changed {
                *shown = view;
            }
            changed
        });
        self.status_stale |= changed;
        self.write_status(false);
        Ok(())
    }

    async fn next(&mut self) -> Event {
        let now = clock::now();
        let due = self
            .machine
            .poll_timeout()
            .map_or(MAX_WAIT_MS, |(at, _)| at.since_ms(now));
        let status_due = if self.status_stale {
            self.status_at.plus_ms(STATUS_MS).since_ms(now)
        } else {
            MAX_WAIT_MS
        };
        let wait_ms = due.min(status_due).clamp(MIN_WAIT_MS, MAX_WAIT_MS);
        let net = async {
            match &mut self.effects.net {
                Some(net) => net.events.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(order) = self.commands.recv() => Event::Command(order),
            _ = self.stopped.recv() => Event::Stop,
            Some(event) = self.sandbox.recv() => Event::Sandbox(event),
            event = net => event.map_or(Event::NetClosed, |event| Event::Net(Box::new(event))),
            () = tokio::time::sleep(Duration::from_millis(wait_ms)) => Event::Timer,
        }
    }

    /// Writes the view for `omniswarm status`, at most once a second unless it is the last.
    fn write_status(&mut self, last: bool) {
        let now = clock::now();
        if !last && (!self.status_stale || now.since_ms(self.status_at) < STATUS_MS) {
            return;
        }
        self.status_at = now;
        self.status_stale = false;
        let view = self.view.borrow().clone();
        if let Err(error) = crate::status::write(&self.status, now, last, &view) {
            tracing::warn!(%error, "the status file cannot be written");
        }
    }
}

impl Effects {
    async fn perform(&mut self, output: Output) -> Result<(), NodeError> {
        match output {
            Output::Commit { entries, balances } => {
                let rows: Vec<omni_store::Balance> =
                    balances.iter().map(crate::ledger::row).collect();
                self.store.append(&entries, &rows, clock::now())?;
                for entry in &entries {
                    self.log(entry);
                }
            }
            Output::Network(true) => {
                self.leash.reopen();
                self.go_online().await?;
            }
            Output::Network(false) => self.go_offline().await,
            Output::Request { to, id, request } => {
                let sent = match &self.net {
                    Some(net) => net.handle.request(to, id, request).is_ok(),
                    None => false,
                };
                if !sent {
                    let response = Err(RequestFailed::Unreachable);
                    self.inputs.push_back(Input::Response { id, response });
                }
            }
            Output::Respond { token, response } => {
                if let (Some(net), Some(token)) = (&self.net, self.tokens.remove(&token))
                    && let Err(error) = net.handle.respond(token, *response)
                {
                    tracing::warn!(%error, "an answer could not be sent");
                }
            }
            Output::FetchSkill {
                permit,
                skill,
                from,
            } => {
                tracing::debug!(action = permit.action().name(), %skill, %from, "fetch");
                self.fetch(skill, from)?;
            }
            Output::Run(job) => {
                let lease = job.lease().id;
                match self.store.blob(job.lease().skill)? {
                    Some(module) => {
                        let events = self.sandbox.clone();
                        let control = self.leash.start(&job, module, events);
                        self.jobs.insert(lease, control);
                        tracing::info!(
                            correlation_id = %job.lease().unit, %lease,
                            segments = job.lease().segments.len(), "run"
                        );
                    }
                    None => self.inputs.push_back(Input::JobFailed {
                        lease,
                        reason: omni_types::ReturnReason::SkillUnavailable,
                    }),
                }
            }
            Output::KillJob(lease) => {
                if let Some(job) = self.jobs.remove(&lease) {
                    job.kill();
                }
            }
            Output::KillAll => {
                self.leash.kill();
                self.jobs.clear();
            }
            Output::Freeze(frozen) => {
                self.leash.freeze(frozen);
                self.uplink.pause(frozen).await;
            }
        }
        Ok(())
    }

    fn kill_all(&mut self) {
        for job in std::mem::take(&mut self.jobs).into_values() {
            job.kill();
        }
    }

    async fn go_online(&mut self) -> Result<(), NodeError> {
        if self.net.is_none() {
            let config = self.uplink.up().await?;
            let (handle, events) = omni_net::start(config)?;
            self.net = Some(Net { handle, events });
        }
        Ok(())
    }

    async fn go_offline(&mut self) {
        if let Some(mut net) = self.net.take() {
            net.handle.shutdown();
            // The channel closes when every socket is closed.
            while net.events.recv().await.is_some() {}
        }
        self.forget_connections();
        self.fetches.clear();
        self.uplink.down().await;
    }

    fn forget_connections(&mut self) {
        self.connections = Connections::default();
        self.stewards.clear();
        self.tokens.clear();
        self.address.send_replace(Vec::new());
    }

    /// Tells the machine what is gone with the network.
    fn on_net_closed(&mut self) {
        self.net = None;
        for steward in std::mem::take(&mut self.stewards) {
            self.inputs.push_back(Input::StewardLost(steward));
        }
        for skill in std::mem::take(&mut self.fetches).into_values() {
            let available = false;
            self.inputs.push_back(Input::Skill { skill, available });
        }
        self.forget_connections();
    }

    async fn close(&mut self) {
        self.kill_all();
        self.go_offline().await;
    }

    fn fetch(&mut self, skill: Cid, from: NodeId) -> Result<(), NodeError> {
        if self.store.blob(skill)?.is_some() {
            let available = true;
            self.inputs.push_back(Input::Skill { skill, available });
            return Ok(());
        }
        let id = self.next_fetch;
        self.next_fetch += 1;
        let sent = match &self.net {
            Some(net) => net.handle.fetch_blob(from, id, skill).is_ok(),
            None => false,
        };
        if sent {
            self.fetches.insert(id, skill);
        } else {
            let available = false;
            self.inputs.push_back(Input::Skill { skill, available });
        }
        Ok(())
    }

    fn on_sandbox(&mut self, event: RunnerEvent) -> Option<Input> {
        match event {
            RunnerEvent::Segment {
                lease,
                segment,
                output,
            } => self.jobs.contains_key(&lease).then_some(Input::Segment {
                lease,
                segment,
                output,
            }),
            RunnerEvent::Failed {
                lease,
                reason,
                code,
            } => {
                self.jobs.remove(&lease)?;
                let unit = self.units.get(&lease).map(UnitId::to_string);
                tracing::warn!(correlation_id = unit, %lease, code, "a job failed");
                Some(Input::JobFailed { lease, reason })
            }
        }
    }

    fn on_net(&mut self, event: omni_net::Event) -> Option<Input> {
        use omni_net::Event as Net;
        match event {
            Net::Listening { address } => {
                tracing::info!(%address, "listening");
                self.address.send_modify(|known| known.push(address));
                None
            }
            Net::PeerConnected { node } => {
                self.connections.peers += 1;
                tracing::debug!(peer = %node, "peer connected");
                None
            }
            Net::PeerDisconnected { node } => {
                self.connections.peers = self.connections.peers.saturating_sub(1);
                tracing::debug!(peer = %node, "peer disconnected");
                None
            }
            Net::SupernodeConnected { .. } => {
                self.connections.supernode = true;
                None
            }
            Net::SupernodeLost { .. } => {
                self.connections.supernode = false;
                None
            }
            Net::StewardFound { node } => {
                self.stewards.insert(node);
                self.connections.stewards = self.stewards.len() as u32;
                Some(Input::StewardFound(node))
            }
            Net::StewardLost { node } => {
                self.stewards.remove(&node);
                self.connections.stewards = self.stewards.len() as u32;
                Some(Input::StewardLost(node))
            }
            Net::Request {
                from,
                token,
                request,
            } => {
                if self.tokens.len() >= MAX_TOKENS {
                    // Tokens whose answer went nowhere; the oldest is surely outdated.
                    self.tokens.pop_first();
                }
                let number = self.next_token;
                self.next_token += 1;
                self.tokens.insert(number, token);
                Some(Input::Request {
                    from,
                    token: number,
                    request,
                })
            }
            Net::Response { id, from, result } => {
                let response = result.map_err(|failure| {
                    tracing::debug!(peer = %from, code = failure.code(), "request failed");
                    failed(failure)
                });
                Some(Input::Response { id, response })
            }
            Net::BlobRequest { token, cid, .. } => {
                let blob = catalogue::module(cid)
                    .map(<[u8]>::to_vec)
                    .or_else(|| self.store.blob(cid).ok().flatten());
                if let Some(net) = &self.net
                    && let Err(error) = net.handle.answer_blob(token, blob)
                {
                    tracing::warn!(%error, "a blob could not be sent");
                }
                None
            }
            Net::Blob { id, from, result } => {
                let skill = self.fetches.remove(&id)?;
                let available = match result {
                    Ok(bytes) => match self.store.put_blob(&bytes) {
                        Ok(_) => true,
                        Err(error) => {
                            tracing::error!(%error, "a blob could not be stored");
                            false
                        }
                    },
                    Err(failure) => {
                        tracing::warn!(peer = %from, %skill, code = failure.code(), "no blob");
                        false
                    }
                };
                Some(Input::Skill { skill, available })
            }
            Net::Refused { from, rejection } => {
                tracing::warn!(peer = %from, code = rejection.code(), "message refused");
                None
            }
        }
    }

    /// One line for each record, with the unit as correlation id: a unit can be followed through
    /// the logs of all nodes from lease to receipt.
    fn log(&mut self, entry: &Entry) {
        let network = self.uplink.network();
        let line = Line::of(&entry.record, network);
        if let (Some(lease), Some(unit)) = (line.lease, line.unit) {
            self.units.insert(lease, unit);
        }
        let unit = line
            .unit
            .or_else(|| line.lease.and_then(|lease| self.units.get(&lease).copied()));
        if line.last
            && let Some(lease) = line.lease
        {
            self.units.remove(&lease);
            self.jobs.remove(&lease);
        }
        tracing::info!(
            correlation_id = unit.map(tracing::field::display),
            lease = line.lease.map(tracing::field::display),
            peer = line.node.map(tracing::field::display),
            detail = line.detail,
            "{}",
            line.event
        );
    }
}

fn failed(failure: RequestFailure) -> RequestFailed {
    match failure {
        RequestFailure::TimedOut => RequestFailed::TimedOut,
        RequestFailure::Refused(_) | RequestFailure::Malformed | RequestFailure::TooLarge => {
            RequestFailed::BadAnswer
        }
        _ => RequestFailed::Unreachable,
    }
}

/// What a log line says about a record.
struct Line {
    event: &'static str,
    unit: Option<UnitId>,
    lease: Option<LeaseId>,
    node: Option<NodeId>,
    detail: Option<String>,
    /// Nothing more will name this lease.
    last: bool,
}

impl Line {
    fn of(record: &Record, network: omni_types::NetworkId) -> Self {
        let mut line = Self {
            event: "",
            unit: None,
            lease: None,
            node: None,
            detail: None,
            last: false,
        };
        // Documents in the log were verified before they came into it.
        match record {
            Record::Consent {
                given,
                policy_version,
                ..
            } => {
                line.event = if *given {
                    "consent given"
                } else {
                    "consent withdrawn"
                };
                line.detail = Some(format!("policy version {policy_version}"));
            }
            Record::Kill { on } => line.event = if *on { "stopped" } else { "stop lifted" },
            Record::Pause { on } => line.event = if *on { "paused" } else { "resumed" },
            Record::CampaignJoined(_) => line.event = "campaign joined",
            Record::CampaignOpened(_) => line.event = "campaign opened",
            Record::LeaseTaken(lease) | Record::LeaseIssued(lease) => {
                line.event = match record {
                    Record::LeaseTaken(_) => "lease taken",
                    _ => "lease issued",
                };
                if let Ok(lease) = lease.clone().verify_stored(network) {
                    line.unit = Some(lease.unit);
                    line.lease = Some(lease.id);
                    line.node = Some(lease.node);
                }
            }
            Record::LeaseDropped { lease, reason } => {
                line.event = "lease given back";
                line.lease = Some(*lease);
                line.detail = Some(format!("{reason:?}"));
                line.last = true;
            }
            Record::LeaseEnded { lease, reason } => {
                line.event = "lease ended";
                line.lease = Some(*lease);
                line.detail = reason.map(|reason| format!("{reason:?}"));
                line.last = true;
            }
            Record::ResultCommitted(result) | Record::ResultReceived(result) => {
                let committed = matches!(record, Record::ResultCommitted(_));
                line.event = if committed {
                    "result committed"
                } else {
                    "result received"
                };
                if let Ok(result) = result.clone().verify_stored(network) {
                    line.unit = Some(result.unit);
                    line.lease = Some(result.lease);
                    line.node = Some(result.signer());
                }
                line.last = !committed;
            }
            Record::ResultDelivered { lease, stored } => {
                line.event = if *stored {
                    "result delivered"
                } else {
                    "result refused"
                };
                line.lease = Some(*lease);
                line.last = true;
            }
            Record::ReceiptReceived { proof, .. } => {
                line.event = "receipt received";
                if let Ok(receipt) = proof.receipt.clone().verify_stored(network) {
                    line.unit = Some(receipt.unit);
                    line.detail = Some(receipt.id.to_string());
                }
            }
            Record::ReceiptIssued(receipt) => {
                line.event = "receipt issued";
                if let Ok(receipt) = receipt.clone().verify_stored(network) {
                    line.unit = Some(receipt.unit);
                    line.node = Some(receipt.node);
                    line.detail = Some(receipt.id.to_string());
                }
            }
            Record::PostingReceived { posting, .. } | Record::PostingIssued(posting) => {
                line.event = "reward resolved";
                if let Ok(posting) = posting.clone().verify_stored(network) {
                    line.node = Some(posting.node);
                    line.detail = Some(format!("{:?} {}", posting.outcome, posting.receipt));
                }
            }
            Record::UnitCreated {
                unit, generation, ..
            } => {
                line.event = "unit created";
                line.unit = Some(*unit);
                line.detail = Some(format!("generation {generation}"));
            }
            Record::SampleDrawn { unit, segments } => {
                line.event = "sample drawn";
                line.unit = Some(*unit);
                line.detail = Some(format!("segments {segments:?}"));
            }
            Record::VerifierDrawn { unit, node } => {
                line.event = "verifier drawn";
                line.unit = Some(*unit);
                line.node = Some(*node);
            }
            Record::VerdictReached(verdict) => {
                line.event = "verdict";
                if let Ok(verdict) = verdict.clone().verify_stored(network) {
                    line.unit = Some(verdict.unit);
                    line.node = Some(verdict.worker);
                    line.detail = Some(format!("{:?}", verdict.outcome));
                }
            }
            Record::GenerationClosed { generation, .. } => {
                line.event = "generation closed";
                line.detail = Some(format!("generation {generation}"));
            }
        }
        line
    }
}
