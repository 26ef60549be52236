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
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use omni_core::{Command, Conditions, Denial, Input, Machine, Output, Permit, RequestFailed};
use omni_net::RequestFailure;
use omni_store::Store;
use omni_types::{Action, Cid, Entry, LeaseId, NodeId, Record, SignedOrder, Timestamp, UnitId};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    catalogue, clock,
    error::NodeError,
    runner::{JobControl, Leash, RunnerEvent, WallsFound},
    status::STATUS_FILE,
    switch::{self, Switch},
    uplink::Uplink,
    view::WallView,
};

/// Commands that may wait.
const COMMAND_QUEUE: usize = 32;
/// Sandbox events that may wait.
const SANDBOX_QUEUE: usize = 256;
/// Shortest wait for a timer, milliseconds: a machine that is always due cannot spin.
const MIN_WAIT_MS: u64 = 10;
/// Longest wait without a look at the clock and at the switch file, milliseconds. The kill switch
/// of this program and of the control socket does not wait for it; one thrown by the file alone does.
const MAX_WAIT_MS: u64 = 1_000;
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

/// What a view shows besides the machine.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// The time.
    pub now: Timestamp,
    /// Connections.
    pub connections: Connections,
    /// Walls around the sandbox; none before they were looked at.
    pub walls: Vec<WallView>,
}

/// A machine that can be looked at.
pub trait Observed: Machine {
    /// What there is to see, whole each time.
    type View: Clone + PartialEq + serde::Serialize + Send + Sync + 'static;

    /// The present view.
    fn view(&self, around: &Around) -> Self::View;
}

/// What somebody wants of the node.
enum Wish {
    /// A command, and the word that it has been carried out.
    Command(Command, oneshot::Sender<()>),
    /// An order of the root keys, and the word that it was looked at.
    Order(Box<SignedOrder>, oneshot::Sender<()>),
    /// What the volunteer confirmed to the node that this one helps.
    Confirmed(Vec<Action>, oneshot::Sender<()>),
    /// Another part of the program wants to do something.
    Decide(Action, oneshot::Sender<Result<Permit, Denial>>),
}

/// A running node: look at it, tell it what to do, stop it.
pub struct NodeHandle<V> {
    leash: Arc<Leash>,
    data: PathBuf,
    view: watch::Receiver<V>,
    address: watch::Receiver<Vec<String>>,
    wishes: mpsc::Sender<Wish>,
    stop: mpsc::Sender<()>,
    ended: watch::Receiver<Option<Result<(), NodeError>>>,
}

impl<V> Clone for NodeHandle<V> {
    fn clone(&self) -> Self {
        Self {
            leash: Arc::clone(&self.leash),
            data: self.data.clone(),
            view: self.view.clone(),
            address: self.address.clone(),
            wishes: self.wishes.clone(),
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

    /// The node's data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Carries a command out; returns when its record is on disk and its effects have begun. The kill
    /// switch is written down first, then ends every child, before anything else is done.
    ///
    /// # Errors
    /// [`NodeError::Ended`] when the node no longer runs.
    pub async fn command(&self, command: Command) -> Result<(), NodeError> {
        if matches!(command, Command::Kill)
            && let Err(error) = switch::write(&self.data, Switch::Kill)
        {
            // A full disk must not keep anything running.
            tracing::error!(%error, "the kill switch cannot be written down");
        }
        if matches!(command, Command::Kill | Command::Withdraw) {
            // Whatever the event loop is busy with.
            self.leash.kill();
        }
        self.wish(|done| Wish::Command(command, done)).await
    }

    /// Hands in an order of the network's root keys, by whatever path it came. One that does not hold
    /// is counted and does nothing.
    ///
    /// # Errors
    /// [`NodeError::Ended`] when the node no longer runs.
    pub async fn order(&self, order: SignedOrder) -> Result<(), NodeError> {
        self.wish(|done| Wish::Order(Box::new(order), done)).await
    }

    /// Tells a helper what the volunteer has confirmed.
    pub(crate) async fn confirmed(&self, actions: Vec<Action>) -> Result<(), NodeError> {
        self.wish(|done| Wish::Confirmed(actions, done)).await
    }

    /// Asks for leave to do something. For a medium-risk action this waits until the volunteer
    /// answers or the time for that runs out, which is "no".
    ///
    /// # Errors
    /// [`NodeError::Denied`], or [`NodeError::Ended`] when the node no longer runs.
    pub async fn permit(&self, action: Action) -> Result<Permit, NodeError> {
        self.wish(|decided| Wish::Decide(action, decided))
            .await?
            .map_err(NodeError::Denied)
    }

    async fn wish<T>(&self, wish: impl FnOnce(oneshot::Sender<T>) -> Wish) -> Result<T, NodeError> {
        let (done, wait) = oneshot::channel();
        self.wishes
            .send(wish(done))
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
    /// Folder of the node.
    pub data: PathBuf,
    /// State of the computer, where it matters.
    pub conditions: Option<watch::Receiver<Option<Conditions>>>,
    /// Whether the walls around the sandbox are looked at (volunteers).
    pub probe: bool,
    /// Whether this node lets jobs start again after a stop; a helper on the leash of the volunteer's
    /// own node does not.
    pub reopens: bool,
}

/// Starts the loop on the present tokio runtime.
pub(crate) fn start<M>(parts: Parts<M>) -> NodeHandle<M::View>
where
    M: Observed + Send + 'static,
{
    let (wishes, wish_queue) = mpsc::channel(COMMAND_QUEUE);
    let (stop, stopped) = mpsc::channel(1);
    let (sandbox, sandbox_queue) = mpsc::channel(SANDBOX_QUEUE);
    let around = Around {
        now: clock::now(),
        ..Around::default()
    };
    let (view_sender, view) = watch::channel(parts.machine.view(&around));
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
        decisions: BTreeMap::new(),
        next_decision: 0,
        data: parts.data.clone(),
        reopens: parts.reopens,
        connections: Connections::default(),
        stewards: BTreeSet::new(),
        address: address_sender,
        inputs: VecDeque::new(),
        switch_settled: false,
    };
    let mut node = Loop {
        machine: parts.machine,
        effects,
        wishes: wish_queue,
        stopped,
        sandbox: sandbox_queue,
        conditions: parts.conditions,
        probe_due: parts.probe,
        probe: None,
        walls: Vec::new(),
        view: view_sender,
        status: parts.data.join(STATUS_FILE),
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
        data: parts.data,
        view,
        address,
        wishes,
        stop,
        ended,
    }
}

/// Looks at the walls around the sandbox.
fn probe(leash: &Arc<Leash>) -> oneshot::Receiver<WallsFound> {
    let (found, wait) = oneshot::channel();
    let leash = Arc::clone(leash);
    tokio::spawn(async move {
        // Nobody may be waiting.
        let _ = found.send(leash.walls().await);
    });
    wait
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
    /// Who waits for a decision.
    decisions: BTreeMap<u64, oneshot::Sender<Result<Permit, Denial>>>,
    next_decision: u64,
    data: PathBuf,
    reopens: bool,
    connections: Connections,
    /// Connected stewards.
    stewards: BTreeSet<NodeId>,
    address: watch::Sender<Vec<String>>,
    /// Inputs that effects gave at once.
    inputs: VecDeque<Input>,
    /// The log says what the switch file says.
    switch_settled: bool,
}

struct Loop<M: Observed> {
    machine: M,
    effects: Effects,
    wishes: mpsc::Receiver<Wish>,
    stopped: mpsc::Receiver<()>,
    sandbox: mpsc::Receiver<RunnerEvent>,
    conditions: Option<watch::Receiver<Option<Conditions>>>,
    /// The walls are looked at when the node goes online: not a child before consent.
    probe_due: bool,
    /// While they are being looked at.
    probe: Option<oneshot::Receiver<WallsFound>>,
    walls: Vec<WallView>,
    view: watch::Sender<M::View>,
    status: PathBuf,
    status_at: Timestamp,
    /// The view has changed since the file was written.
    status_stale: bool,
}

/// Everything that can happen.
enum Event {
    Wish(Wish),
    Conditions(Conditions),
    Walls(WallsFound),
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
            self.look_at_switch();
            self.drain().await?;
            let input = match self.next().await {
                Event::Wish(wish) => {
                    self.carry_out(wish).await?;
                    continue;
                }
                Event::Conditions(conditions) => Some(Input::Conditions(conditions)),
                Event::Walls(found) => {
                    self.probe = None;
                    self.walls = found.walls;
                    Some(Input::Walls(found.verdict))
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

    /// Takes what the switch file says, if there is one.
    fn look_at_switch(&mut self) {
        let command = match switch::read(&self.effects.data) {
            None => return,
            Some(Switch::Kill) => {
                self.effects.leash.kill();
                Command::Kill
            }
            Some(Switch::Lift) => Command::LiftKill,
        };
        self.machine.handle(Input::Command(command), clock::now());
        self.effects.switch_settled = true;
    }

    async fn carry_out(&mut self, wish: Wish) -> Result<(), NodeError> {
        let (input, done) = match wish {
            Wish::Command(command, done) => (Input::Command(command), done),
            Wish::Order(order, done) => (Input::Order(order), done),
            Wish::Confirmed(actions, done) => (Input::Confirmed(actions), done),
            Wish::Decide(action, decided) => {
                for token in self.effects.forgotten_decisions() {
                    self.machine.handle(Input::Forget { token }, clock::now());
                }
                let token = self.effects.await_decision(decided);
                let input = Input::Decide { token, action };
                self.machine.handle(input, clock::now());
                return self.drain().await;
            }
        };
        self.machine.handle(input, clock::now());
        self.drain().await?;
        // Nobody may be waiting.
        let _ = done.send(());
        Ok(())
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
        if self.probe_due && self.effects.net.is_some() {
            self.probe_due = false;
            self.probe = Some(probe(&self.effects.leash));
        }
        if std::mem::take(&mut self.effects.switch_settled) {
            switch::clear(&self.effects.data);
        }
        let around = Around {
            now: clock::now(),
            connections: self.effects.connections,
            walls: self.walls.clone(),
        };
        let view = self.machine.view(&around);
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
            Some(wish) = self.wishes.recv() => Event::Wish(wish),
            _ = self.stopped.recv() => Event::Stop,
            Some(event) = self.sandbox.recv() => Event::Sandbox(event),
            found = found(&mut self.probe) => Event::Walls(found),
            conditions = told(&mut self.conditions) => Event::Conditions(conditions),
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

/// What was found of the walls, once.
async fn found(probe: &mut Option<oneshot::Receiver<WallsFound>>) -> WallsFound {
    match probe {
        Some(probe) => probe.await.unwrap_or_else(|_| WallsFound::none()),
        None => std::future::pending().await,
    }
}

/// The next state of the computer.
async fn told(conditions: &mut Option<watch::Receiver<Option<Conditions>>>) -> Conditions {
    if let Some(conditions) = conditions {
        while conditions.changed().await.is_ok() {
            if let Some(conditions) = *conditions.borrow_and_update() {
                return conditions;
            }
        }
    }
    // Nobody tells, or nobody any more; the machine notices that by itself.
    std::future::pending().await
}

impl Effects {
    async fn perform(&mut self, output: Output) -> Result<(), NodeError> {
        match output {
            Output::Commit { entries, balances } => {
                let rows: Vec<omni_store::Balance> =
                    balances.iter().map(crate::ledger::row).collect();
                self.store.append(&entries, &rows, clock::now())?;
                for entry in &entries {
                    self.switch_settled |= matches!(entry.record, Record::Kill { .. });
                    self.log(entry);
                }
            }
            Output::Network(true) => {
                if self.reopens {
                    self.leash.reopen();
                }
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
            Output::Throttle(percent) => self.leash.throttle(percent),
            Output::Confirmed(actions) => self.uplink.confirmed(actions).await,
            Output::Decided { token, decision } => {
                if let Some(decided) = self.decisions.remove(&token) {
                    // Nobody may be waiting.
                    let _ = decided.send(decision);
                }
            }
        }
        Ok(())
    }

    fn await_decision(&mut self, decided: oneshot::Sender<Result<Permit, Denial>>) -> u64 {
        let token = self.next_decision;
        self.next_decision += 1;
        self.decisions.insert(token, decided);
        token
    }

    /// Decisions that nobody waits for any more.
    fn forgotten_decisions(&mut self) -> Vec<u64> {
        let forgotten: Vec<u64> = self
            .decisions
            .iter()
            .filter(|(_, decided)| decided.is_closed())
            .map(|(token, _)| *token)
            .collect();
        for token in &forgotten {
            self.decisions.remove(token);
        }
        forgotten
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
            Record::Pause { on, .. } => line.event = if *on { "paused" } else { "resumed" },
            Record::SettingsChanged(_) => line.event = "settings changed",
            Record::OrderTaken(_) => line.event = "order of the root keys taken",
            Record::Decided(decision) => {
                line.event = "decided";
                line.detail = Some(format!(
                    "{} {} {} {}",
                    decision.action.name(),
                    decision.verdict.code(),
                    decision.rule,
                    decision.correlation.as_deref().unwrap_or("-")
                ));
            }
            Record::Asked {
                question, action, ..
            } => {
                line.event = "volunteer asked";
                line.detail = Some(format!("question {question} {}", action.name()));
            }
            Record::Answered { question, answer } => {
                line.event = "volunteer answered";
                line.detail = Some(format!("question {question} {answer:?}"));
            }
            Record::AnswerUsed { question } => {
                line.event = "answer used";
                line.detail = Some(format!("question {question}"));
            }
            Record::AnswerRevoked { question } => {
                line.event = "answer revoked";
                line.detail = Some(format!("question {question}"));
            }
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
