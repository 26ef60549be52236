//! The world that a swarm lives in: virtual time, a network that loses, delays, reorders and
//! repeats, computers that crash, and a log for each that keeps what was committed.
//!
//! One seed decides everything. Messages pass as canonical bytes and are verified at the door, as
//! the programs do it.

use std::collections::{BTreeMap, BTreeSet};

use omni_core::{
    Input, Machine, Output, RequestFailed, Steward, Volunteer, machine::Command,
    policy::POLICY_VERSION, steward,
};
use omni_types::{
    Campaign, Digest, Entry, Keypair, Lease, LeaseId, LogHead, Record, ReturnReason, Timestamp,
    Verified, WorkRequest, WorkResponse, canonical,
    record::MAX_RECORD_BYTES,
    seed::Draws,
    wire::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES},
};

use crate::support::{
    self, Lie, Network, START, engine, key, network, run_segment, skill, volunteer_config,
};

/// How long a request may take before it counts as lost, milliseconds.
const REQUEST_MS: u64 = 3_000;

/// What can go wrong, in thousandths.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// A message that never arrives.
    pub lost: u64,
    /// A message that arrives twice.
    pub repeated: u64,
    /// A crash of a volunteer's computer before any one of its outputs.
    pub node_crash: u64,
    /// A crash of the steward before any one of its outputs.
    pub steward_crash: u64,
    /// A job that fails for no fault of the node.
    pub job_failed: u64,
    /// Longest delay of a message, milliseconds.
    pub delay_ms: u64,
}

impl Faults {
    pub const NONE: Self = Self {
        lost: 0,
        repeated: 0,
        node_crash: 0,
        steward_crash: 0,
        job_failed: 0,
        delay_ms: 50,
    };
    pub const MANY: Self = Self {
        lost: 100,
        repeated: 50,
        node_crash: 4,
        steward_crash: 2,
        job_failed: 30,
        delay_ms: 900,
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Steward,
    Node(usize),
}

#[derive(Debug)]
enum Event {
    /// A request on its way to the steward.
    Request {
        node: usize,
        life: u32,
        id: u64,
        bytes: Vec<u8>,
    },
    /// An answer on its way back.
    Response {
        node: usize,
        life: u32,
        id: u64,
        bytes: Vec<u8>,
    },
    TimedOut {
        node: usize,
        life: u32,
        id: u64,
    },
    /// Something that happens inside one computer, as long as it has not crashed.
    Local {
        node: usize,
        life: u32,
        input: Input,
    },
    Wake {
        who: Who,
        at: Timestamp,
    },
    Restart(Who),
}

/// A log as it is on disk: canonical bytes and the head over them.
#[derive(Debug)]
pub struct Disk {
    pub entries: Vec<Vec<u8>>,
    pub head: LogHead,
}

impl Disk {
    fn new() -> Self {
        Self {
            entries: vec![],
            head: LogHead::EMPTY,
        }
    }

    fn append(&mut self, entries: &[Entry]) {
        for entry in entries {
            let bytes = canonical::to_bytes(entry).unwrap();
            self.head = self.head.extend(&bytes);
            self.entries.push(bytes);
        }
    }

    pub fn read(&self) -> Vec<Entry> {
        self.entries
            .iter()
            .map(|bytes| canonical::from_bytes(bytes, MAX_RECORD_BYTES).unwrap())
            .collect()
    }
}

pub struct Node {
    pub keypair: Keypair,
    pub lie: Option<Lie>,
    pub disk: Disk,
    /// Results that are on disk.
    committed: BTreeSet<Digest>,
    pub machine: Option<Volunteer>,
    life: u32,
    pub crashes: u32,
    wake: Option<Timestamp>,
}

pub struct World {
    pub network: Network,
    pub campaign: Verified<Campaign>,
    pub now: Timestamp,
    faults: Faults,
    draws: Draws,
    events: BTreeMap<(Timestamp, u64), Event>,
    next_event: u64,
    pub nodes: Vec<Node>,
    pub steward: Option<Steward>,
    pub disk: Disk,
    pub steward_crashes: u32,
    steward_wake: Option<Timestamp>,
    /// Where answers to requests go, by token.
    tokens: BTreeMap<u64, (usize, u32, u64)>,
    next_token: u64,
    /// Right answers to other units, for those who copy.
    pool: Vec<Vec<u8>>,
    /// Leases whose results the steward has said to have stored.
    pub acknowledged: BTreeSet<(LeaseId, Digest)>,
    /// Leases asked about, by request, to know what an acknowledgement is for.
    submitted: BTreeMap<(usize, u32, u64), LeaseId>,
}

impl World {
    /// A steward, `honest` volunteers and one liar of each kind named.
    pub fn new(
        seed: u64,
        honest: usize,
        liars: &[Lie],
        faults: Faults,
        change: impl FnOnce(&mut Campaign),
    ) -> Self {
        let network = network(support::NAME);
        let campaign = support::campaign(&network, change);
        let lies = std::iter::repeat_n(None, honest).chain(liars.iter().copied().map(Some));
        let nodes = lies
            .enumerate()
            .map(|(index, lie)| Node {
                keypair: key(&format!("volunteer {index}")),
                lie,
                disk: Disk::new(),
                committed: BTreeSet::new(),
                machine: None,
                life: 0,
                crashes: 0,
                wake: None,
            })
            .collect();
        let mut world = Self {
            network,
            campaign,
            now: START,
            faults,
            draws: Draws::new(seed),
            events: BTreeMap::new(),
            next_event: 0,
            nodes,
            steward: None,
            disk: Disk::new(),
            steward_crashes: 0,
            steward_wake: None,
            tokens: BTreeMap::new(),
            next_token: 0,
            pool: vec![],
            acknowledged: BTreeSet::new(),
            submitted: BTreeMap::new(),
        };
        world.restart(Who::Steward);
        for node in 0..world.nodes.len() {
            world.later(100 * node as u64, Event::Restart(Who::Node(node)));
        }
        world
    }

    fn chance(&mut self, permille: u64) -> bool {
        self.draws.below(1000) < permille
    }

    fn later(&mut self, ms: u64, event: Event) {
        self.next_event += 1;
        self.events
            .insert((self.now.plus_ms(ms), self.next_event), event);
    }

    /// Puts a message on its way, or loses it, or sends it twice; later messages may overtake it.
    fn send(&mut self, event: impl Fn() -> Event) {
        if self.chance(self.faults.lost) {
            return;
        }
        let copies = if self.chance(self.faults.repeated) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let delay = 1 + self.draws.below(self.faults.delay_ms);
            self.later(delay, event());
        }
    }

    /// Lets the world go on for so many milliseconds.
    pub fn run(&mut self, ms: u64) {
        let end = self.now.plus_ms(ms);
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > end {
                break;
            }
            let ((at, _), event) = entry.remove_entry();
            self.now = at;
            self.happen(event);
        }
        self.now = end;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Request {
                node,
                life,
                id,
                bytes,
            } => self.arrive(node, life, id, &bytes),
            Event::Response {
                node,
                life,
                id,
                bytes,
            } if self.alive(node, life) => {
                let response: WorkResponse =
                    canonical::from_bytes(&bytes, MAX_RESPONSE_BYTES).unwrap();
                if let (WorkResponse::Stored(result), Some(lease)) =
                    (&response, self.submitted.get(&(node, life, id)))
                {
                    self.acknowledged.insert((*lease, *result));
                }
                let steward = self.network.steward.node_id();
                let response = response.verify(steward, self.now, self.network.id);
                // The only reason why an honest steward's answer is refused is that it came too late.
                let response = response.map_err(|_| RequestFailed::BadAnswer);
                self.give(node, Input::Response { id, response });
            }
            Event::TimedOut { node, life, id } if self.alive(node, life) => {
                let response = Err(RequestFailed::TimedOut);
                self.give(node, Input::Response { id, response });
            }
            Event::Local { node, life, input } if self.alive(node, life) => self.give(node, input),
            Event::Wake {
                who: Who::Node(node),
                at,
            } if self.nodes[node].wake == Some(at) => {
                self.nodes[node].wake = None;
                self.give(node, Input::Tick);
            }
            Event::Wake {
                who: Who::Steward,
                at,
            } if self.steward_wake == Some(at) => {
                self.steward_wake = None;
                self.steward_takes(Input::Tick);
            }
            Event::Restart(who) => self.restart(who),
            Event::Response { .. }
            | Event::TimedOut { .. }
            | Event::Local { .. }
            | Event::Wake { .. } => {}
        }
    }

    fn alive(&self, node: usize, life: u32) -> bool {
        self.nodes[node].life == life && self.nodes[node].machine.is_some()
    }

    // ---- volunteers ------------------------------------------------------------------------

    fn give(&mut self, node: usize, input: Input) {
        let now = self.now;
        if let Some(machine) = &mut self.nodes[node].machine {
            machine.handle(input, now);
            self.drain(node);
        }
    }

    fn local(&mut self, node: usize, ms: u64, input: Input) {
        let life = self.nodes[node].life;
        self.later(ms, Event::Local { node, life, input });
    }

    fn drain(&mut self, node: usize) {
        loop {
            let crash = self.chance(self.faults.node_crash);
            let Some(machine) = &mut self.nodes[node].machine else {
                return;
            };
            let Some(output) = machine.poll_output() else {
                break;
            };
            if crash {
                // What was not yet done is not done.
                self.nodes[node].machine = None;
                self.nodes[node].crashes += 1;
                self.nodes[node].wake = None;
                let outage = 500 + self.draws.below(10_000);
                self.later(outage, Event::Restart(Who::Node(node)));
                return;
            }
            self.perform(node, output);
        }
        let due = self.nodes[node]
            .machine
            .as_ref()
            .and_then(Machine::poll_timeout);
        if let Some((at, why)) = due {
            assert!(at > self.now, "node {node} would spin: {why}");
            if self.nodes[node].wake != Some(at) {
                self.nodes[node].wake = Some(at);
                let wait = at.since_ms(self.now);
                self.later(
                    wait,
                    Event::Wake {
                        who: Who::Node(node),
                        at,
                    },
                );
            }
        }
    }

    fn perform(&mut self, node: usize, output: Output) {
        let life = self.nodes[node].life;
        match output {
            Output::Commit { entries, .. } => {
                self.nodes[node].disk.append(&entries);
                for entry in entries {
                    if let Record::ResultCommitted(result) = entry.record {
                        let result = result.verify_stored(self.network.id).unwrap();
                        self.nodes[node].committed.insert(result.id());
                    }
                }
            }
            Output::Network(true) => {
                let steward = self.network.steward.node_id();
                self.local(node, 200, Input::StewardFound(steward));
            }
            Output::Request { id, request, .. } => {
                if let WorkRequest::Submit(result) = &request {
                    let result = result.clone().verify_stored(self.network.id).unwrap();
                    let committed = self.nodes[node].committed.contains(&result.id());
                    assert!(
                        committed,
                        "node {node} sends a result that it has not committed"
                    );
                    self.submitted.insert((node, life, id), result.lease);
                }
                let bytes = canonical::to_bytes(&request).unwrap();
                assert!(bytes.len() <= MAX_REQUEST_BYTES);
                self.send(|| Event::Request {
                    node,
                    life,
                    id,
                    bytes: bytes.clone(),
                });
                self.later(REQUEST_MS, Event::TimedOut { node, life, id });
            }
            Output::FetchSkill { skill: wanted, .. } => {
                assert_eq!(wanted, skill());
                let available = !self.chance(self.faults.lost);
                self.local(
                    node,
                    300,
                    Input::Skill {
                        skill: wanted,
                        available,
                    },
                );
            }
            Output::Run(job) => self.run_job(node, job.lease()),
            Output::Network(false)
            | Output::KillJob(_)
            | Output::KillAll
            | Output::Freeze(_)
            | Output::Throttle(_)
            | Output::Confirmed(_)
            | Output::Decided { .. } => {}
            Output::Respond { .. } => panic!("a volunteer answers nobody"),
        }
    }

    fn run_job(&mut self, node: usize, lease: &Lease) {
        if self.chance(self.faults.job_failed) {
            let input = Input::JobFailed {
                lease: lease.id,
                reason: ReturnReason::TimedOut,
            };
            return self.local(node, 400, input);
        }
        let mut when = 0;
        for segment in &lease.segments {
            when += 100 + self.draws.below(400);
            let right = || run_segment(lease.unit_seed, &lease.input, *segment);
            let output = match self.nodes[node].lie {
                Some(lie) => support::lie(lie, lease, *segment, &self.pool),
                None => {
                    let output = right();
                    if self.pool.len() < 200 {
                        self.pool.push(output.clone());
                    }
                    output
                }
            };
            self.local(
                node,
                when,
                Input::Segment {
                    lease: lease.id,
                    segment: *segment,
                    output,
                },
            );
        }
    }

    // ---- steward ---------------------------------------------------------------------------

    fn arrive(&mut self, node: usize, life: u32, id: u64, bytes: &[u8]) {
        if self.steward.is_none() {
            return;
        }
        let from = self.nodes[node].keypair.node_id();
        let request: WorkRequest = canonical::from_bytes(bytes, MAX_REQUEST_BYTES).unwrap();
        let request = request.verify(from, self.now, self.network.id);
        let request = request.expect("an own request is refused at the door");
        self.next_token += 1;
        let token = self.next_token;
        self.tokens.insert(token, (node, life, id));
        self.steward_takes(Input::Request {
            from,
            token,
            request,
        });
    }

    fn steward_takes(&mut self, input: Input) {
        let now = self.now;
        let Some(machine) = &mut self.steward else {
            return;
        };
        let tick = matches!(input, Input::Tick);
        machine.handle(input, now);
        self.steward_drain(tick);
    }

    fn steward_drain(&mut self, tick: bool) {
        loop {
            let crash = self.chance(self.faults.steward_crash);
            let Some(machine) = &mut self.steward else {
                return;
            };
            let Some(output) = machine.poll_output() else {
                break;
            };
            if crash {
                self.steward = None;
                self.steward_wake = None;
                self.steward_crashes += 1;
                let outage = 500 + self.draws.below(5_000);
                return self.later(outage, Event::Restart(Who::Steward));
            }
            match output {
                Output::Commit { entries, .. } => self.disk.append(&entries),
                Output::Respond { token, response } => {
                    let (node, life, id) = self.tokens.remove(&token).expect("answered twice");
                    let bytes = canonical::to_bytes(&*response).unwrap();
                    assert!(bytes.len() <= MAX_RESPONSE_BYTES);
                    self.send(|| Event::Response {
                        node,
                        life,
                        id,
                        bytes: bytes.clone(),
                    });
                }
                other => panic!("a steward does not want {other:?}"),
            }
        }
        let steward = self.steward.as_ref().expect("it is up");
        assert!(steward.totals().conserved, "credits were made or lost");
        if let Some((at, why)) = steward.poll_timeout() {
            assert!(!tick || at > self.now, "the steward would spin: {why}");
            let at = at.max(self.now.plus_ms(1));
            if self.steward_wake != Some(at) {
                self.steward_wake = Some(at);
                let wait = at.since_ms(self.now);
                self.later(
                    wait,
                    Event::Wake {
                        who: Who::Steward,
                        at,
                    },
                );
            }
        }
    }

    // ---- life and death --------------------------------------------------------------------

    pub fn open_steward(&self) -> Steward {
        let config = steward::Config {
            keypair: self.network.steward.clone(),
            network: self.network.id,
            engine: engine(),
            campaign: self.campaign.clone(),
        };
        Steward::open(config, self.disk.read(), self.now).expect("the steward's log")
    }

    fn restart(&mut self, who: Who) {
        match who {
            Who::Steward => {
                self.tokens.clear();
                self.steward = Some(self.open_steward());
                self.steward_drain(false);
            }
            Who::Node(index) => {
                let node = &mut self.nodes[index];
                let first = node.disk.entries.is_empty();
                let config = volunteer_config(&self.network, node.keypair.clone());
                let log = node.disk.read();
                node.life += 1;
                node.machine =
                    Some(Volunteer::open(config, log, self.now).expect("a volunteer's log"));
                self.drain(index);
                if first {
                    let agree = Command::Agree {
                        policy_version: POLICY_VERSION,
                    };
                    self.give(index, Input::Command(agree));
                }
            }
        }
    }
}
