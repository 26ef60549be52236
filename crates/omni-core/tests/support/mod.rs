//! A network in memory: keys, charter, campaign, the skill run natively, and a steward to talk to.
#![allow(dead_code)]

pub mod play;

use std::collections::BTreeSet;

use omni_core::{
    Input, Machine, Output, Steward, Volunteer,
    machine::{Command, Job},
    policy::{Denial, POLICY_VERSION, Permit, Walls},
    steward, volunteer,
};
use omni_types::{
    Action, Campaign, CampaignId, Cid, Digest, Entry, EvolutionParams, Keypair, Labs, Lease, Micro,
    NetworkId, NodeId, Problem, ReceiptProof, Record, Rejection, ResourceLimits, RewardPolicy,
    RiskTier, SegmentOutput, Signed, SignedCharter, SkillKind, SkillRef, Timestamp, Track,
    VerificationPolicy, Verified, WorkRequest, WorkResponse, WorkResult, canonical,
    charter::Charter,
    record::MAX_RECORD_BYTES,
    seed::{Draws, splitmix64},
    wire::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, NewsItem, NoWork},
    work::outputs_root,
};

/// Where virtual time begins.
pub const START: Timestamp = Timestamp(1_800_000_000_000);
/// The name of the usual network.
pub const NAME: &str = "test";
/// The problem of every campaign here.
pub const PROBLEM: Labs = Labs {
    track: Track::General,
    length: 21,
};

/// A key pair by name.
pub fn key(name: &str) -> Keypair {
    Keypair::from_secret(&Digest::of(name.as_bytes()).0)
}

pub fn engine() -> Digest {
    Digest::of(b"engine")
}

pub fn skill() -> Cid {
    Cid::of(b"the skill labs")
}

/// One network with one steward.
#[derive(Clone)]
pub struct Network {
    pub id: NetworkId,
    pub charter: SignedCharter,
    pub steward: Keypair,
}

pub fn network(name: &str) -> Network {
    let steward = key("steward");
    let charter = Charter {
        name: name.to_owned(),
        revision: 1,
        stewards: vec![steward.node_id()],
        supernodes: vec![],
        skills: vec![skill()],
        policy_floor: 1,
    };
    let roots = [key("root one"), key("root two"), key("root three")];
    let ids: Vec<NodeId> = roots.iter().map(Keypair::node_id).collect();
    let expires = START.plus_ms(1_000_000_000);
    let charter = SignedCharter::seal(&charter, &roots, 2, START, expires).unwrap();
    Network {
        id: NetworkId::derive(name, &ids, 2),
        charter,
        steward,
    }
}

/// A small campaign; `change` makes it another one.
pub fn campaign(network: &Network, change: impl FnOnce(&mut Campaign)) -> Verified<Campaign> {
    let text = |text: &str| [("en".to_owned(), text.to_owned())].into();
    let name = "labs-21".to_owned();
    let mut campaign = Campaign {
        id: CampaignId::derive(network.id, network.steward.node_id(), &name),
        name,
        title: text("Quiet sequences"),
        purpose: text("Finds sequences that do not resemble themselves when shifted."),
        skill: SkillRef {
            name: "labs".to_owned(),
            kind: SkillKind::Compute,
            cid: skill(),
        },
        problem: Problem::Labs(PROBLEM),
        evolution: EvolutionParams {
            population: 8,
            units_per_generation: 6,
            segments_per_unit: 4,
            evaluations_per_segment: 300,
            crossover_permille: 900,
            tournament: 2,
            seed: 7,
        },
        verification: VerificationPolicy {
            agree: 2,
            ask: 4,
            newcomer_units: 3,
            audit_permille: 250,
            maturity_units: 3,
            lease_ms: 20_000,
            recheck_claim_ms: 3_000,
        },
        reward: RewardPolicy {
            budget: Micro(1_000_000_000),
            per_segment: Micro(1_000),
            per_recheck_segment: Micro(600),
        },
        limits: ResourceLimits {
            memory_bytes: 16 << 20,
            output_bytes: 512,
            segment_wall_ms: 10_000,
        },
        risk: RiskTier::Low,
    };
    change(&mut campaign);
    let expires = START.plus_ms(100_000_000_000);
    Signed::seal(campaign, &network.steward, network.id, START, expires).unwrap()
}

/// What the sandbox does with one segment, by the same source compiled natively.
pub fn run_segment(unit_seed: u64, input: &[u8], segment: u32) -> Vec<u8> {
    let mut stdin = splitmix64(unit_seed, segment.into()).to_le_bytes().to_vec();
    stdin.extend_from_slice(input);
    labs::run(&stdin).unwrap()
}

pub fn honest(lease: &Lease) -> Vec<SegmentOutput> {
    let run = |segment| run_segment(lease.unit_seed, &lease.input, segment);
    outputs(lease, run)
}

pub fn outputs(lease: &Lease, run: impl FnMut(u32) -> Vec<u8>) -> Vec<SegmentOutput> {
    let mut run = run;
    let segments = lease.segments.iter();
    segments
        .map(|segment| SegmentOutput {
            segment: *segment,
            output: run(*segment),
        })
        .collect()
}

/// A well-formed, true claim that no search has led to; another one for another salt.
pub fn guess(salt: u64) -> Vec<u8> {
    let mut draws = Draws::new(salt);
    let sequence: Vec<bool> = (0..PROBLEM.length).map(|_| draws.below(2) == 1).collect();
    omni_evolve::labs::output(PROBLEM, &sequence, 299)
}

/// Ways to earn without working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// A well-formed, true claim about a sequence thrown together without any search.
    Guess,
    /// A claim of an energy that the sequence does not have.
    Boast,
    /// The right answer to other units.
    Copy,
    /// Nothing at all.
    Empty,
}

pub const LIES: [Lie; 4] = [Lie::Guess, Lie::Boast, Lie::Copy, Lie::Empty];

/// What a liar answers; `pool` are right answers to other units.
pub fn lie(lie: Lie, lease: &Lease, segment: u32, pool: &[Vec<u8>]) -> Vec<u8> {
    let mut draws = Draws::new(splitmix64(lease.unit_seed, 77 + u64::from(segment)));
    let mut guess = guess(draws.bits());
    match lie {
        Lie::Guess => guess,
        Lie::Boast => {
            guess[8..12].copy_from_slice(&1u32.to_le_bytes());
            guess
        }
        Lie::Copy => match pool.len() {
            0 => guess,
            len => pool[draws.below(len as u64) as usize].clone(),
        },
        Lie::Empty => vec![],
    }
}

/// To bytes and back, as over the wire or through the log.
pub fn through_bytes<T: serde::Serialize + serde::de::DeserializeOwned>(
    value: &T,
    limit: usize,
) -> T {
    let bytes = canonical::to_bytes(value).unwrap();
    assert!(bytes.len() <= limit, "{} bytes", bytes.len());
    canonical::from_bytes(&bytes, limit).unwrap()
}

pub fn answer(
    network: &Network,
    node: &Keypair,
    lease: &Lease,
    outputs: Vec<SegmentOutput>,
    now: Timestamp,
) -> Verified<WorkResult> {
    let result = WorkResult {
        lease: lease.id,
        campaign: lease.campaign,
        unit: lease.unit,
        engine: engine(),
        policy: omni_core::policy::policy_hash(),
        root: outputs_root(&outputs),
        outputs,
    };
    Signed::seal(result, node, network.id, now, now.plus_ms(1_000_000)).unwrap()
}

/// A steward, its log, and a clock.
pub struct Desk {
    pub network: Network,
    pub campaign: Verified<Campaign>,
    pub steward: Steward,
    pub log: Vec<Entry>,
    /// Log lengths at which a commit ended.
    pub commits: Vec<usize>,
    pub now: Timestamp,
}

impl Desk {
    pub fn new(change: impl FnOnce(&mut Campaign)) -> Self {
        let network = network("test");
        let campaign = campaign(&network, change);
        let mut desk = Self::open(network, campaign, vec![], START);
        desk.drain();
        desk
    }

    pub fn open(
        network: Network,
        campaign: Verified<Campaign>,
        log: Vec<Entry>,
        now: Timestamp,
    ) -> Self {
        let config = steward::Config {
            keypair: network.steward.clone(),
            network: network.id,
            engine: engine(),
            campaign: campaign.clone(),
        };
        let steward = Steward::open(config, log.clone(), now).unwrap();
        Self {
            network,
            campaign,
            steward,
            commits: vec![log.len()],
            log,
            now,
        }
    }

    /// The same steward after a crash: from its log alone.
    pub fn reopened(&self) -> Self {
        Self::open(
            self.network.clone(),
            self.campaign.clone(),
            self.log.clone(),
            self.now,
        )
    }

    pub fn drain(&mut self) -> Vec<WorkResponse> {
        let mut responses = vec![];
        while let Some(output) = self.steward.poll_output() {
            match output {
                Output::Commit { entries, .. } => {
                    assert!(responses.is_empty(), "answered before it was written down");
                    let stored = entries
                        .iter()
                        .map(|entry| through_bytes(entry, MAX_RECORD_BYTES));
                    self.log.extend(stored);
                    self.commits.push(self.log.len());
                }
                Output::Respond { response, .. } => {
                    responses.push(through_bytes(&*response, MAX_RESPONSE_BYTES))
                }
                other => panic!("a steward does not want {other:?}"),
            }
        }
        assert!(self.steward.totals().conserved);
        responses
    }

    pub fn send(&mut self, from: &Keypair, request: WorkRequest) -> WorkResponse {
        let request = through_bytes(&request, MAX_REQUEST_BYTES);
        let request = match request.verify(from.node_id(), self.now, self.network.id) {
            Ok(request) => request,
            Err(rejection) => return WorkResponse::Refused(rejection),
        };
        let input = Input::Request {
            from: from.node_id(),
            token: 5,
            request,
        };
        self.steward.handle(input, self.now);
        let mut responses = self.drain();
        assert_eq!(responses.len(), 1);
        responses.remove(0)
    }

    pub fn tick(&mut self) {
        self.steward.handle(Input::Tick, self.now);
        assert!(self.drain().is_empty());
        // After its tick a machine does not want to be woken for the same reason at once.
        assert!(
            self.steward
                .poll_timeout()
                .is_none_or(|(at, _)| at > self.now)
        );
    }

    pub fn wait(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
    }

    pub fn ask(&mut self, node: &Keypair) -> WorkResponse {
        let request = WorkRequest::Ask {
            campaign: self.campaign.id,
            engine: engine(),
        };
        self.send(node, request)
    }

    pub fn lease(&mut self, node: &Keypair) -> Verified<Lease> {
        match self.ask(node) {
            WorkResponse::Lease(lease) => lease.verify(self.now, self.network.id).unwrap(),
            other => panic!("no lease: {other:?}"),
        }
    }

    /// `None` when the node has to wait.
    pub fn try_lease(&mut self, node: &Keypair) -> Option<Verified<Lease>> {
        match self.ask(node) {
            WorkResponse::Lease(lease) => Some(lease.verify(self.now, self.network.id).unwrap()),
            _ => None,
        }
    }

    pub fn no_work(&mut self, node: &Keypair) -> NoWork {
        match self.ask(node) {
            WorkResponse::NoWork { reason, .. } => reason,
            other => panic!("work: {other:?}"),
        }
    }

    pub fn submit(
        &mut self,
        node: &Keypair,
        lease: &Lease,
        outputs: Vec<SegmentOutput>,
    ) -> WorkResponse {
        let result = answer(&self.network, node, lease, outputs, self.now);
        let id = result.id();
        let response = self.send(node, WorkRequest::Submit(result.into_signed()));
        if let WorkResponse::Stored(stored) = response {
            assert_eq!(stored, id);
        }
        response
    }

    pub fn submit_ok(&mut self, node: &Keypair, lease: &Lease, outputs: Vec<SegmentOutput>) {
        let response = self.submit(node, lease, outputs);
        assert!(matches!(response, WorkResponse::Stored(_)), "{response:?}");
    }

    /// Takes one lease and answers it.
    pub fn work(
        &mut self,
        node: &Keypair,
        run: impl Fn(&Lease) -> Vec<SegmentOutput>,
    ) -> Verified<Lease> {
        let lease = self.lease(node);
        let outputs = run(&lease);
        self.submit_ok(node, &lease, outputs);
        lease
    }

    pub fn news(&mut self, node: &Keypair, after: u64) -> (Vec<NewsItem>, u64) {
        let request = WorkRequest::News {
            campaign: self.campaign.id,
            after,
        };
        match self.send(node, request) {
            WorkResponse::News(news) => (news.items, news.last),
            other => panic!("no news: {other:?}"),
        }
    }

    pub fn proofs(&mut self, node: &Keypair) -> Vec<ReceiptProof> {
        let items = self.news(node, 0).0;
        let proof = |item| match item {
            NewsItem::Receipt(proof) => Some(*proof),
            NewsItem::Posting(_) => None,
        };
        items.into_iter().filter_map(proof).collect()
    }

    /// One unit from lease to verdict: `worker` answers with `run`, `verifiers` honestly, each as
    /// long as it is drawn.
    pub fn unit(
        &mut self,
        worker: &Keypair,
        run: impl Fn(&Lease) -> Vec<SegmentOutput>,
        verifiers: &[&Keypair],
    ) -> Verified<Lease> {
        let lease = self.work(worker, run);
        for _ in 0..8 {
            for verifier in verifiers {
                // Whoever asks is about; who is drawn gets the recheck.
                match self.try_lease(verifier) {
                    Some(recheck) if recheck.unit == lease.unit => {
                        self.submit_ok(verifier, &recheck, honest(&recheck));
                    }
                    Some(other) => {
                        let reason = omni_types::ReturnReason::Stopped;
                        self.send(
                            verifier,
                            WorkRequest::Return {
                                lease: other.id,
                                reason,
                            },
                        );
                    }
                    None => {}
                }
            }
            if self.verdict(&lease).is_some() {
                break;
            }
            self.wait(4_000);
        }
        lease
    }

    pub fn verdict(&self, lease: &Lease) -> Option<omni_types::Verdict> {
        self.records().find_map(|record| match record {
            Record::VerdictReached(verdict) => {
                let verdict = verdict.clone().verify_stored(self.network.id).unwrap();
                (verdict.unit == lease.unit).then(|| (*verdict).clone())
            }
            _ => None,
        })
    }

    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.log.iter().map(|entry| &entry.record)
    }
}

pub fn volunteer_config(network: &Network, keypair: Keypair) -> volunteer::Config {
    volunteer::Config {
        keypair,
        network: network.id,
        network_name: NAME.to_owned(),
        stewards: vec![network.steward.node_id()],
        allowlist: BTreeSet::from([skill()]),
        engine: engine(),
        slots: 1,
        walls: Walls::Up,
        helper: false,
        governed: false,
    }
}

/// What a machine wanted, told apart so far as tests need it.
#[derive(Debug)]
pub enum Wanted {
    Commit(Vec<Record>),
    Network(bool),
    Request(u64, WorkRequest),
    Fetch(Cid),
    Run(Box<Job>),
    KillJob,
    KillAll,
    Freeze(bool),
    Throttle(u8),
    Confirmed(Vec<Action>),
    Decided(u64, Result<Permit, Denial>),
}

/// A volunteer's machine with its log, played by hand.
pub struct Seat {
    pub network: Network,
    pub keypair: Keypair,
    pub volunteer: Volunteer,
    pub log: Vec<Entry>,
    pub now: Timestamp,
}

impl Seat {
    pub fn new(network: &Network, name: &str) -> Self {
        Self::open(network, volunteer_config(network, key(name)), vec![], START)
    }

    pub fn open(
        network: &Network,
        config: volunteer::Config,
        log: Vec<Entry>,
        now: Timestamp,
    ) -> Self {
        let keypair = config.keypair.clone();
        let volunteer = Volunteer::open(config, log.clone(), now).unwrap();
        Self {
            network: network.clone(),
            keypair,
            volunteer,
            log,
            now,
        }
    }

    pub fn reopened(&self) -> Self {
        let config = volunteer_config(&self.network, self.keypair.clone());
        Self::open(&self.network, config, self.log.clone(), self.now)
    }

    pub fn drain(&mut self) -> Vec<Wanted> {
        let mut wanted = vec![];
        while let Some(output) = self.volunteer.poll_output() {
            wanted.push(match output {
                Output::Commit { entries, .. } => {
                    let stored: Vec<Entry> = entries
                        .iter()
                        .map(|entry| through_bytes(entry, MAX_RECORD_BYTES))
                        .collect();
                    self.log.extend(stored.iter().cloned());
                    Wanted::Commit(stored.into_iter().map(|entry| entry.record).collect())
                }
                Output::Network(on) => Wanted::Network(on),
                Output::Request { to, id, request } => {
                    assert_eq!(to, self.network.steward.node_id());
                    Wanted::Request(id, through_bytes(&request, MAX_REQUEST_BYTES))
                }
                Output::FetchSkill { skill, .. } => Wanted::Fetch(skill),
                Output::Decided { token, decision } => Wanted::Decided(token, decision),
                Output::Confirmed(actions) => Wanted::Confirmed(actions),
                Output::Throttle(percent) => Wanted::Throttle(percent),
                Output::Run(job) => Wanted::Run(job),
                Output::KillJob(_) => Wanted::KillJob,
                Output::KillAll => Wanted::KillAll,
                Output::Freeze(on) => Wanted::Freeze(on),
                Output::Respond { .. } => panic!("a volunteer answers nobody"),
            });
        }
        let due = self.volunteer.poll_timeout();
        assert!(
            due.is_none_or(|(at, _)| at > self.now),
            "spins: {due:?} at {:?}",
            self.now
        );
        wanted
    }

    pub fn give(&mut self, input: Input) -> Vec<Wanted> {
        self.volunteer.handle(input, self.now);
        self.drain()
    }

    pub fn command(&mut self, command: Command) -> Vec<Wanted> {
        self.give(Input::Command(command))
    }

    pub fn agree(&mut self) -> Vec<Wanted> {
        self.command(Command::Agree {
            policy_version: POLICY_VERSION,
        })
    }

    pub fn found(&mut self) -> Vec<Wanted> {
        self.give(Input::StewardFound(self.network.steward.node_id()))
    }

    /// Delivers an answer as it comes off the wire.
    pub fn receive(&mut self, id: u64, response: WorkResponse) -> Vec<Wanted> {
        let steward = self.network.steward.node_id();
        let response = response
            .verify(steward, self.now, self.network.id)
            .map_err(|_: Rejection| omni_core::RequestFailed::BadAnswer);
        self.give(Input::Response { id, response })
    }
}
