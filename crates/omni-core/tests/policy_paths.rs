//! Whatever happens to a volunteer's node, in whatever order: nothing runs without a permit, without
//! consent to this very policy, with the kill switch thrown, during a halt, or behind a missing wall.
//!
//! A reference model that knows nothing of the machine's inside keeps what must hold; the machine is
//! given random inputs, and every output that does something is compared with the model.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use std::collections::BTreeSet;

use omni_core::{
    Input, RequestFailed,
    confirmations::{DAY_MS, QUESTION_MS, scopes},
    machine::Command,
    policy::{CEILING, POLICY_VERSION, Walls, policy_hash, tier},
    volunteer::Config,
};
use omni_types::{
    Action, Answer, Cid, Digest, Keypair, Order, OrderKind, RiskTier, Scope, Settings, SignedOrder,
    Timestamp,
};
use proptest::prelude::*;
use support::{Desk, NAME, Seat, Wanted, key, play::Play, run_segment, skill, volunteer_config};

#[derive(Clone, Debug)]
enum Step {
    Agree {
        version: u32,
    },
    Withdraw,
    Kill,
    Lift,
    Pause(bool),
    Walls(Walls),
    Memory(u64),
    Halt {
        signers: usize,
        hours: u64,
        foreign: bool,
    },
    HaltLift,
    Answer {
        yes: Option<usize>,
    },
    Revoke,
    Decide(usize),
    Found,
    Lost,
    AnswerOpen,
    FailOpen,
    Skill(bool),
    RunAll,
    Wait(u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop_oneof![Just(POLICY_VERSION), Just(POLICY_VERSION - 1), any::<u32>()]
            .prop_map(|version| Step::Agree { version }),
        1 => Just(Step::Withdraw),
        1 => Just(Step::Kill),
        2 => Just(Step::Lift),
        1 => any::<bool>().prop_map(Step::Pause),
        2 => prop_oneof![
            4 => Just(Walls::Up), 1 => Just(Walls::Missing), 1 => Just(Walls::Unknown)
        ].prop_map(Step::Walls),
        1 => prop_oneof![Just(256 << 20), Just(1 << 30)].prop_map(Step::Memory),
        1 => (1usize..=2, 1u64..=3, any::<bool>())
            .prop_map(|(signers, hours, foreign)| Step::Halt { signers, hours, foreign }),
        1 => Just(Step::HaltLift),
        3 => prop::option::weighted(0.7, 0usize..3).prop_map(|yes| Step::Answer { yes }),
        1 => Just(Step::Revoke),
        1 => (0usize..6).prop_map(Step::Decide),
        3 => Just(Step::Found),
        1 => Just(Step::Lost),
        8 => Just(Step::AnswerOpen),
        1 => Just(Step::FailOpen),
        4 => prop::bool::weighted(0.8).prop_map(Step::Skill),
        2 => Just(Step::RunAll),
        3 => prop_oneof![
            Just(100), Just(5_000), Just(QUESTION_MS), Just(3_600_000), Just(DAY_MS)
        ].prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

/// What campaign the steward has.
#[derive(Clone, Copy, Debug)]
struct Kind {
    risk: RiskTier,
    listed: bool,
    memory_bytes: u64,
}

fn kind() -> impl Strategy<Value = Kind> {
    let risk = prop_oneof![
        3 => Just(RiskTier::Low), 3 => Just(RiskTier::Medium), 1 => Just(RiskTier::High)
    ];
    let memory = prop_oneof![
        4 => Just(16 << 20), 2 => Just(200 << 20), 1 => Just(CEILING.memory_bytes + (1 << 16))
    ];
    (risk, prop::bool::weighted(0.8), memory).prop_map(|(risk, listed, memory_bytes)| Kind {
        risk,
        listed,
        memory_bytes,
    })
}

/// What must hold, kept by what happened alone.
struct Model {
    consent: bool,
    killed: bool,
    halted: Option<Timestamp>,
    last_order: u64,
    walls: Walls,
    memory_bytes: u64,
    /// Question, action, until when.
    yes: Vec<(u64, Action, Option<Timestamp>)>,
    kind: Kind,
}

impl Model {
    fn stopped(&self, now: Timestamp) -> bool {
        !self.consent || self.killed || self.halted.is_some_and(|until| now < until)
    }

    fn said_yes(&self, now: Timestamp, what: impl Fn(&Action) -> bool) -> bool {
        self.yes
            .iter()
            .any(|(_, action, until)| what(action) && until.is_none_or(|until| now < until))
    }

    fn may_run(&self, now: Timestamp) -> bool {
        let confirmed = match self.kind.risk {
            RiskTier::Low => true,
            RiskTier::Medium => {
                self.said_yes(now, |action| matches!(action, Action::JoinCampaign { .. }))
            }
            RiskTier::High => false,
        };
        let wanted = self.kind.memory_bytes;
        let memory = wanted <= self.memory_bytes
            || self.said_yes(now, |action| {
                matches!(action, Action::ExceedLimits { memory_bytes, .. } if *memory_bytes >= wanted)
            });
        !self.stopped(now)
            && self.walls == Walls::Up
            && self.kind.listed
            && wanted <= CEILING.memory_bytes
            && confirmed
            && memory
    }
}

struct World {
    play: Play,
    model: Model,
    config: fn(&Desk, Kind) -> Config,
    token: u64,
    runs: usize,
}

fn config(desk: &Desk, kind: Kind) -> Config {
    let listed = match kind.listed {
        true => skill(),
        false => Cid::of(b"another skill"),
    };
    Config {
        allowlist: BTreeSet::from([listed]),
        walls: Walls::Unknown,
        // So that the volunteer's memory is for one piece of work.
        slots: 1,
        ..volunteer_config(&desk.network, key("volunteer"))
    }
}

fn roots() -> [Keypair; 3] {
    [key("root one"), key("root two"), key("root three")]
}

fn order(number: u64, kind: OrderKind, signers: &[Keypair], at: Timestamp, ms: u64) -> SignedOrder {
    let ids: Vec<_> = roots().iter().map(Keypair::node_id).collect();
    let order = Order {
        number,
        kind,
        reason: "Because.".to_owned(),
    };
    SignedOrder::seal(&order, NAME, (&ids, 2), signers, (at, at.plus_ms(ms))).unwrap()
}

impl World {
    fn new(kind: Kind) -> Self {
        let desk = Desk::new(|campaign| {
            campaign.risk = kind.risk;
            campaign.limits.memory_bytes = kind.memory_bytes;
        });
        let seat = Seat::open(&desk.network, config(&desk, kind), vec![], support::START);
        Self {
            play: Play {
                seat,
                desk,
                open: vec![],
                sent: vec![],
            },
            model: Model {
                consent: false,
                killed: false,
                halted: None,
                last_order: 0,
                walls: Walls::Unknown,
                memory_bytes: Settings::default().memory_bytes,
                yes: vec![],
                kind,
            },
            config,
            token: 0,
            runs: 0,
        }
    }

    fn now(&self) -> Timestamp {
        self.play.seat.now
    }

    /// Compares what the machine wants with what may be.
    fn look(&mut self, wanted: &[Wanted]) {
        let now = self.now();
        let model = &self.model;
        for wanted in wanted {
            match wanted {
                Wanted::Run(job) => {
                    self.runs += 1;
                    assert!(model.may_run(now), "runs what may not run");
                    assert_eq!(job.permit().policy(), policy_hash());
                    match job.permit().action() {
                        Action::RunSkill { skill, limits, .. } => {
                            assert_eq!(*skill, job.lease().skill);
                            assert_eq!(*limits, job.lease().limits);
                        }
                        other => panic!("runs with a permit for {other:?}"),
                    }
                }
                Wanted::Network(true) | Wanted::Request(..) => {
                    assert!(!model.stopped(now), "{wanted:?} while stopped");
                }
                Wanted::Fetch(skill) => {
                    assert!(!model.stopped(now) && model.kind.listed, "fetches {skill}");
                }
                Wanted::Decided(_, Ok(permit)) => {
                    assert!(!model.stopped(now), "a permit while stopped");
                    match tier(permit.action()) {
                        Some(RiskTier::Low) => {}
                        Some(RiskTier::Medium) => assert!(
                            permit
                                .confirmed()
                                .is_some_and(|number| model.yes.iter().any(
                                    |(own, action, until)| *own == number
                                        && action == permit.action()
                                        && until.is_none_or(|until| now < until)
                                )),
                            "{permit:?} without a yes"
                        ),
                        Some(RiskTier::High) | None => panic!("a permit for high risk"),
                    }
                }
                _ => {}
            }
        }
        // What still runs may run.
        let running = self.play.seat.volunteer.running().count();
        assert!(running == 0 || self.model.stays(now), "{running} run on");
    }

    fn give(&mut self, input: Input) {
        let wanted = self.play.give(input);
        self.look(&wanted);
    }

    fn command(&mut self, command: Command) {
        self.give(Input::Command(command));
    }

    fn action(&self, which: usize) -> Action {
        let campaign = self.play.desk.campaign.id;
        let host = || "data.example".to_owned();
        match which {
            0 => Action::FetchOutsideInput {
                campaign,
                host: host(),
            },
            1 => Action::ReadFolder {
                campaign,
                folder: "papers".to_owned(),
            },
            2 => Action::SendDiagnostics {
                bundle: Digest::of(b"bundle"),
                host: host(),
            },
            3 => Action::RunProgram,
            4 => Action::OpenPort,
            _ => Action::UseWorkspace { campaign },
        }
    }

    fn take(&mut self, step: &Step) {
        let now = self.now();
        match step {
            Step::Agree { version } => {
                self.model.consent |= *version == POLICY_VERSION;
                self.command(Command::Agree {
                    policy_version: *version,
                });
            }
            Step::Withdraw => {
                self.model.consent = false;
                self.model.yes.clear();
                self.command(Command::Withdraw);
            }
            Step::Kill => {
                self.model.killed = true;
                self.command(Command::Kill);
            }
            Step::Lift => {
                self.model.killed = false;
                self.command(Command::LiftKill);
            }
            Step::Pause(true) => self.command(Command::Pause { until: None }),
            Step::Pause(false) => self.command(Command::Resume),
            Step::Walls(walls) => {
                self.model.walls = *walls;
                self.give(Input::Walls(*walls));
            }
            Step::Memory(bytes) => {
                self.model.memory_bytes = *bytes;
                let settings = Settings {
                    memory_bytes: *bytes,
                    cores: 1,
                    ..Settings::default()
                };
                self.command(Command::Change(settings));
            }
            Step::Halt {
                signers,
                hours,
                foreign,
            } => {
                let number = self.model.last_order + 1;
                let ms = hours * 3_600_000;
                let keys = match foreign {
                    true => [key("stranger one"), key("stranger two")],
                    false => [key("root one"), key("root two")],
                };
                let order = order(number, OrderKind::Halt, &keys[..*signers], now, ms);
                if *signers == 2 && !foreign {
                    self.model.last_order = number;
                    self.model.halted = Some(now.plus_ms(ms));
                }
                self.give(Input::Order(Box::new(order)));
            }
            Step::HaltLift => {
                self.model.last_order += 1;
                self.model.halted = None;
                let number = self.model.last_order;
                let order = order(number, OrderKind::Lift, &roots()[..2], now, 1000);
                self.give(Input::Order(Box::new(order)));
            }
            Step::Answer { yes } => self.answer(*yes),
            Step::Revoke => {
                let Some(grant) = self.play.seat.volunteer.grants(now).next().cloned() else {
                    return;
                };
                self.model.yes.retain(|(own, ..)| *own != grant.number);
                self.command(Command::Revoke {
                    question: grant.number,
                });
            }
            Step::Decide(which) => {
                self.token += 1;
                let (token, action) = (self.token, self.action(*which));
                self.give(Input::Decide { token, action });
            }
            Step::Found => {
                let steward = self.play.desk.network.steward.node_id();
                self.give(Input::StewardFound(steward));
            }
            Step::Lost => {
                let steward = self.play.desk.network.steward.node_id();
                self.play.open.clear();
                self.give(Input::StewardLost(steward));
            }
            Step::AnswerOpen => {
                let open = std::mem::take(&mut self.play.open);
                for (id, request) in open {
                    self.play.desk.now = now;
                    let node = self.play.seat.keypair.clone();
                    let response = self.play.desk.send(&node, request);
                    let wanted = self.play.receive(id, response);
                    self.look(&wanted);
                }
            }
            Step::FailOpen => {
                for (id, _) in std::mem::take(&mut self.play.open) {
                    let response = Err(RequestFailed::TimedOut);
                    self.give(Input::Response { id, response });
                }
            }
            Step::Skill(available) => {
                let (skill, available) = (skill(), *available);
                self.give(Input::Skill { skill, available });
            }
            Step::RunAll => self.run_all(),
            Step::Wait(ms) => {
                self.play.seat.now = now.plus_ms(*ms);
                self.give(Input::Tick);
            }
            Step::Restart => {
                let config = (self.config)(&self.play.desk, self.model.kind);
                let network = self.play.desk.network.clone();
                let log = self.play.seat.log.clone();
                self.play.seat = Seat::open(&network, config, log, now);
                self.play.open.clear();
                self.model.walls = Walls::Unknown;
                let wanted = self.play.seat.drain();
                self.play.note(&wanted);
                self.look(&wanted);
            }
        }
    }

    fn answer(&mut self, yes: Option<usize>) {
        let now = self.now();
        let Some(question) = self.play.seat.volunteer.questions().next().cloned() else {
            return;
        };
        let number = question.number;
        let answer = match yes {
            None => Answer::No,
            Some(which) => {
                let scope = [Scope::Once, Scope::Day, Scope::Campaign][which];
                if scopes(&question.action).contains(&scope) && now < question.expires {
                    let until = (scope != Scope::Campaign).then(|| now.plus_ms(DAY_MS));
                    self.model
                        .yes
                        .push((number, question.action.clone(), until));
                }
                Answer::Yes(scope)
            }
        };
        self.command(Command::Answer {
            question: number,
            answer,
        });
    }

    fn run_all(&mut self) {
        let running: Vec<_> = self
            .play
            .seat
            .volunteer
            .running()
            .map(|run| run.lease)
            .collect();
        for id in running {
            let lease = self.play.lease();
            if lease.id != id {
                continue;
            }
            for segment in lease.segments.clone() {
                let output = run_segment(lease.unit_seed, &lease.input, segment);
                self.give(Input::Segment {
                    lease: id,
                    segment,
                    output,
                });
            }
        }
    }
}

impl Model {
    /// Whether what runs may run on: also while the walls are not known anew.
    fn stays(&self, now: Timestamp) -> bool {
        let walls = Self {
            walls: match self.walls {
                Walls::Unknown => Walls::Up,
                known => known,
            },
            yes: self.yes.clone(),
            ..*self
        };
        walls.may_run(now)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn no_path_leads_to_a_running_skill_that_may_not_run(
        kind in kind(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(kind);
        for step in &steps {
            world.take(step);
        }
    }
}

/// The property says nothing when nothing ever runs: the straight way leads there.
#[test]
fn the_straight_way_leads_to_a_running_skill() {
    for risk in [RiskTier::Low, RiskTier::Medium] {
        let mut world = World::new(Kind {
            risk,
            listed: true,
            memory_bytes: 16 << 20,
        });
        for step in [
            Step::Agree {
                version: POLICY_VERSION,
            },
            Step::Walls(Walls::Up),
            Step::Found,
            Step::AnswerOpen,
            Step::Answer { yes: Some(1) },
            Step::AnswerOpen,
            Step::AnswerOpen,
            Step::Skill(true),
        ] {
            world.take(&step);
        }
        assert_eq!(world.runs, 1, "{risk:?}");
    }
}
