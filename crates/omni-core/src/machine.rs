//! What goes into the machines and what comes out of them.

use omni_types::{
    Action, Answer, Cid, Entry, Lease, LeaseId, NodeId, Settings, SignedOrder, Timestamp, Verified,
    VerifiedRequest, VerifiedResponse, WorkRequest, WorkResponse, work::ReturnReason,
};

use crate::{
    books::AccountBalance,
    governor::Conditions,
    policy::{Denial, Permit, Walls},
};

/// A machine without effects: inputs in, ordered outputs out; every wake-up names its reason.
pub trait Machine {
    /// Takes one input and runs to completion.
    fn handle(&mut self, input: Input, now: Timestamp);

    /// The next output; drain until `None` after every input.
    fn poll_output(&mut self) -> Option<Output>;

    /// When to call [`Machine::handle`] with [`Input::Tick`] at the latest, and why.
    fn poll_timeout(&self) -> Option<(Timestamp, &'static str)>;
}

/// What the person at the computer wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Agrees to the policy of this version.
    Agree {
        /// The version that was shown.
        policy_version: u32,
    },
    /// Takes the consent back.
    Withdraw,
    /// Throws the kill switch.
    Kill,
    /// Lifts the kill switch.
    LiftKill,
    /// Pauses.
    Pause {
        /// Until then, or until [`Command::Resume`].
        until: Option<Timestamp>,
    },
    /// Resumes.
    Resume,
    /// Answers a question about a medium-risk action.
    Answer {
        /// Number of the question.
        question: u64,
        /// The answer.
        answer: Answer,
    },
    /// Takes a "yes" back.
    Revoke {
        /// Number of its question.
        question: u64,
    },
    /// Other limits and times.
    Change(Settings),
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFailed {
    /// No connection, or it broke.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// An answer that could not be verified.
    BadAnswer,
}

/// Everything that can happen to a machine.
#[derive(Debug)]
pub enum Input {
    /// From the person at the computer.
    Command(Command),
    /// An order of the network's root keys, by whatever path it came.
    Order(Box<SignedOrder>),
    /// Power, network, heat and use of the computer.
    Conditions(Conditions),
    /// What is known of the walls around the sandbox.
    Walls(Walls),
    /// Another part of the program wants to do something (volunteer only).
    Decide {
        /// Goes back with the decision.
        token: u64,
        /// What.
        action: Action,
    },
    /// What the volunteer has confirmed to the node that this one helps.
    Confirmed(Vec<Action>),
    /// Nobody waits for this decision any more.
    Forget {
        /// From the input.
        token: u64,
    },
    /// A steward of the charter is connected.
    StewardFound(NodeId),
    /// A steward is gone.
    StewardLost(NodeId),
    /// A node asks (steward only).
    Request {
        /// Who asks.
        from: NodeId,
        /// Goes back with the response.
        token: u64,
        /// What is asked.
        request: VerifiedRequest,
    },
    /// The answer to one of this machine's requests.
    Response {
        /// Of the request.
        id: u64,
        /// Answer, or none.
        response: Result<VerifiedResponse, RequestFailed>,
    },
    /// A skill is in the local store, or could not be fetched.
    Skill {
        /// Which.
        skill: Cid,
        /// Whether it is there.
        available: bool,
    },
    /// The sandbox finished one segment of a job.
    Segment {
        /// The job's lease.
        lease: LeaseId,
        /// Which segment.
        segment: u32,
        /// Its output.
        output: Vec<u8>,
    },
    /// The sandbox gave a job up.
    JobFailed {
        /// The job's lease.
        lease: LeaseId,
        /// Why.
        reason: ReturnReason,
    },
    /// A time named by [`Machine::poll_timeout`] has come.
    Tick,
}

/// A lease with the permit to run it: what the sandbox takes.
#[derive(Debug)]
pub struct Job {
    lease: Verified<Lease>,
    permit: Permit,
}

impl Job {
    /// Joins a lease with the permit for just this skill and these limits.
    ///
    /// # Errors
    /// [`Denial::NotAllowed`] when the permit is for something else.
    pub fn new(permit: Permit, lease: Verified<Lease>) -> Result<Self, Denial> {
        match permit.action() {
            Action::RunSkill { skill, limits, .. }
                if *skill == lease.skill && *limits == lease.limits =>
            {
                Ok(Self { lease, permit })
            }
            _ => Err(Denial::NotAllowed),
        }
    }

    /// The lease.
    pub fn lease(&self) -> &Verified<Lease> {
        &self.lease
    }

    /// The permit.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }
}

/// Everything a machine can want done, in this order.
#[derive(Debug)]
pub enum Output {
    /// Write these entries and balances in one transaction before anything that follows.
    Commit {
        /// Lines of the log.
        entries: Vec<Entry>,
        /// Balances that changed.
        balances: Vec<AccountBalance>,
    },
    /// Connect to the network (`true`), or close every connection and listening port.
    Network(bool),
    /// Ask a steward.
    Request {
        /// Whom.
        to: NodeId,
        /// Comes back with the response.
        id: u64,
        /// What.
        request: WorkRequest,
    },
    /// Answer a node.
    Respond {
        /// From the request.
        token: u64,
        /// What.
        response: Box<WorkResponse>,
    },
    /// The decision about an action that another part of the program wants to take.
    Decided {
        /// From the input.
        token: u64,
        /// Leave to do it, or why not.
        decision: Result<Permit, Denial>,
    },
    /// The medium-risk actions that the volunteer has confirmed, whole each time they change; what is
    /// confirmed to this node holds for those that help it on this computer.
    Confirmed(Vec<Action>),
    /// From now on the children may use this share of the whole computer's processors, per cent.
    Throttle(u8),
    /// Get a skill into the local store.
    FetchSkill {
        /// Leave to do so.
        permit: Permit,
        /// Which.
        skill: Cid,
        /// From whom.
        from: NodeId,
    },
    /// Run a job.
    Run(Box<Job>),
    /// Kill one job's child.
    KillJob(LeaseId),
    /// Kill every child.
    KillAll,
    /// Freeze (`true`) or thaw every child.
    Freeze(bool),
}
