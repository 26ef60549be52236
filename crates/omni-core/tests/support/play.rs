//! A volunteer's machine and a steward that answers it, played by hand.

use omni_core::{Input, RequestFailed, volunteer};
use omni_types::{Campaign, Lease, Record, Verified, WorkRequest, WorkResponse};

use super::{Desk, START, Seat, Wanted, honest, key, run_segment, skill, volunteer_config};

pub fn requests(wanted: &[Wanted]) -> Vec<(u64, WorkRequest)> {
    let request = |wanted: &Wanted| match wanted {
        Wanted::Request(id, request) => Some((*id, request.clone())),
        _ => None,
    };
    wanted.iter().filter_map(request).collect()
}

/// The only request of a kind.
pub fn request(wanted: &[Wanted], kind: fn(&WorkRequest) -> bool) -> u64 {
    let found: Vec<u64> = requests(wanted)
        .into_iter()
        .filter(|(_, request)| kind(request))
        .map(|(id, _)| id)
        .collect();
    assert_eq!(found.len(), 1, "{wanted:?}");
    found[0]
}

pub fn is_ask(request: &WorkRequest) -> bool {
    matches!(request, WorkRequest::Ask { .. })
}

pub fn is_news(request: &WorkRequest) -> bool {
    matches!(request, WorkRequest::News { .. })
}

pub fn is_submit(request: &WorkRequest) -> bool {
    matches!(request, WorkRequest::Submit(_))
}

pub fn is_return(request: &WorkRequest) -> bool {
    matches!(request, WorkRequest::Return { .. })
}

pub fn place(wanted: &[Wanted], what: impl Fn(&Wanted) -> bool) -> usize {
    wanted
        .iter()
        .position(what)
        .unwrap_or_else(|| panic!("missing in {wanted:?}"))
}

pub fn commits(wanted: &Wanted, what: impl Fn(&Record) -> bool) -> bool {
    matches!(wanted, Wanted::Commit(records) if records.iter().any(what))
}

/// A seat and a steward; answers requests by hand.
pub struct Play {
    pub seat: Seat,
    pub desk: Desk,
    pub open: Vec<(u64, WorkRequest)>,
    pub sent: Vec<WorkRequest>,
}

impl Play {
    /// Agreed, connected, joined, the skill fetched, first lease in hand but its skill not yet there.
    pub fn joined() -> Self {
        Self::with(|campaign| campaign.verification.maturity_units = 1)
    }

    /// Agreed, connected, and everything answered that was asked, with a changed campaign.
    pub fn with(change: impl FnOnce(&mut Campaign)) -> Self {
        let mut play = Self::before_consent(change);
        let wanted = play.seat.agree();
        play.note(&wanted);
        play.connect();
        play
    }

    /// Like [`Play::with`], with another configuration of the volunteer; nothing agreed.
    pub fn configured(
        change: impl FnOnce(&mut Campaign),
        configure: impl FnOnce(&mut volunteer::Config),
    ) -> Self {
        let desk = Desk::new(change);
        let mut config = volunteer_config(&desk.network, key("volunteer"));
        configure(&mut config);
        let seat = Seat::open(&desk.network, config, vec![], START);
        Self {
            seat,
            desk,
            open: vec![],
            sent: vec![],
        }
    }

    /// The steward is found, and everything answered that is asked.
    pub fn connect(&mut self) -> Vec<Wanted> {
        let wanted = self.seat.found();
        self.note(&wanted);
        self.answer_all()
    }

    /// Nothing agreed, nothing connected.
    pub fn before_consent(change: impl FnOnce(&mut Campaign)) -> Self {
        Self::configured(change, |_| {})
    }

    /// Hands an input in.
    pub fn give(&mut self, input: Input) -> Vec<Wanted> {
        let wanted = self.seat.give(input);
        self.note(&wanted);
        wanted
    }

    pub fn note(&mut self, wanted: &[Wanted]) {
        let new = requests(wanted);
        self.sent
            .extend(new.iter().map(|(_, request)| request.clone()));
        self.open.extend(new);
    }

    pub fn receive(&mut self, id: u64, response: WorkResponse) -> Vec<Wanted> {
        let wanted = self.seat.receive(id, response);
        self.note(&wanted);
        wanted
    }

    pub fn fail(&mut self, id: u64) {
        let response = Err(RequestFailed::TimedOut);
        let wanted = self.seat.give(Input::Response { id, response });
        self.note(&wanted);
    }

    /// Lets the steward answer everything that is open, and what follows, within this moment.
    pub fn answer_all(&mut self) -> Vec<Wanted> {
        let mut all = vec![];
        while !self.open.is_empty() {
            let (id, request) = self.open.remove(0);
            self.desk.now = self.seat.now;
            let response = self.desk.send(&self.seat.keypair, request);
            let wanted = self.seat.receive(id, response);
            self.note(&wanted);
            all.extend(wanted);
        }
        all
    }

    pub fn wait(&mut self, ms: u64) -> Vec<Wanted> {
        self.seat.now = self.seat.now.plus_ms(ms);
        let wanted = self.seat.give(Input::Tick);
        self.note(&wanted);
        wanted
    }

    pub fn skill_ready(&mut self) -> Vec<Wanted> {
        let wanted = self.seat.give(Input::Skill {
            skill: skill(),
            available: true,
        });
        self.note(&wanted);
        wanted
    }

    pub fn lease(&self) -> Verified<Lease> {
        let taken = self
            .seat
            .log
            .iter()
            .rev()
            .find_map(|entry| match &entry.record {
                Record::LeaseTaken(lease) => {
                    Some(lease.clone().verify_stored(self.seat.network.id).unwrap())
                }
                _ => None,
            });
        taken.unwrap_or_else(|| panic!("no lease taken"))
    }

    /// Runs every segment of the lease in hand.
    pub fn run(&mut self) -> Vec<Wanted> {
        let lease = self.lease();
        let mut all = vec![];
        for segment in lease.segments.clone() {
            let output = run_segment(lease.unit_seed, &lease.input, segment);
            let wanted = self.seat.give(Input::Segment {
                lease: lease.id,
                segment,
                output,
            });
            self.note(&wanted);
            all.extend(wanted);
        }
        all
    }

    /// Has others verify everything that the volunteer delivered.
    pub fn verify(&mut self) {
        self.desk.now = self.seat.now;
        for _ in 0..6 {
            for name in ["a", "b"] {
                if let Some(lease) = self.desk.try_lease(&key(name)) {
                    self.desk.submit_ok(&key(name), &lease, honest(&lease));
                }
            }
        }
    }
}
