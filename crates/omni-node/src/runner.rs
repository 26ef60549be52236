//! Runs jobs in sandbox children.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use omni_core::{Job, policy::Walls};
use omni_sandbox::{Command, Control, Failure, Requirement, SpawnError};
use omni_types::{Lease, LeaseId, ReturnReason, Verified, seed::splitmix64};
use tokio::{
    sync::{OnceCell, mpsc},
    task::AbortHandle,
};

use crate::{
    throttle::{Member, Meter, Throttle},
    view::WallView,
};

/// What comes out of a running job.
#[derive(Debug)]
pub enum RunnerEvent {
    /// A segment's output.
    Segment {
        /// The job's lease.
        lease: LeaseId,
        /// Which segment.
        segment: u32,
        /// Its bytes.
        output: Vec<u8>,
    },
    /// The job is over without a result.
    Failed {
        /// The job's lease.
        lease: LeaseId,
        /// What to tell the steward.
        reason: ReturnReason,
        /// Named failure of the sandbox, for logs.
        code: &'static str,
    },
}

/// What was found of the walls around the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WallsFound {
    /// Each wall.
    pub walls: Vec<WallView>,
    /// Whether work may run behind them.
    pub verdict: Walls,
}

impl WallsFound {
    /// They could not be looked at.
    pub fn none() -> Self {
        Self {
            walls: Vec::new(),
            verdict: Walls::Missing,
        }
    }
}

/// Something that can run jobs.
pub trait Runner: Send + Sync {
    /// Looks at the walls that jobs run behind.
    fn walls(&self) -> Pin<Box<dyn Future<Output = WallsFound> + Send + '_>>;

    /// Starts a job with the skill's module; its events go to `events`, its child to `throttle`.
    fn start(
        &self,
        job: &Job,
        module: Vec<u8>,
        events: mpsc::Sender<RunnerEvent>,
        throttle: Arc<Throttle>,
    ) -> JobControl;
}

/// Stops or freezes a running job, from anywhere and at any time.
#[derive(Clone, Debug)]
pub struct JobControl(Arc<Mutex<JobState>>);

#[derive(Debug, Default)]
struct JobState {
    killed: bool,
    frozen: bool,
    child: Option<Control>,
    /// Its place among the children that share the processors.
    member: Option<Member>,
    task: Option<AbortHandle>,
}

impl JobControl {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(JobState::default())))
    }

    fn with<T>(&self, change: impl FnOnce(&mut JobState) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Kills the child at once; a child that is being started dies with the task that starts it.
    pub fn kill(&self) {
        self.with(|state| {
            state.killed = true;
            if let Some(child) = &state.child {
                child.kill();
            }
            state.member = None;
            if let Some(task) = &state.task {
                task.abort();
            }
        });
    }

    /// Stops the child where it is, or lets it go on.
    pub fn freeze(&self, frozen: bool) {
        self.with(|state| {
            state.frozen = frozen;
            if let Some(child) = &state.child {
                if frozen {
                    child.pause();
                } else {
                    child.resume();
                }
            }
        });
    }

    fn is_over(&self) -> bool {
        self.with(|state| state.task.as_ref().is_some_and(AbortHandle::is_finished))
    }

    /// Takes the child under control; `false` when it was killed before it was there.
    fn adopt(&self, child: Control, throttle: &Throttle) -> bool {
        self.with(|state| {
            if state.killed {
                child.kill();
                return false;
            }
            if state.frozen {
                child.pause();
            }
            state.member = Some(throttle.add(child.clone()));
            state.child = Some(child);
            true
        })
    }

    /// The job is over: its child is gone.
    fn over(&self) {
        self.with(|state| {
            state.member = None;
            state.child = None;
        });
    }
}

/// The real one: each job in a child process of its own.
#[derive(Clone, Debug)]
pub struct SandboxRunner {
    command: Command,
    requirement: Requirement,
}

impl SandboxRunner {
    /// Children are started with `command`, and run only behind every wall.
    pub fn new(command: Command) -> Self {
        Self {
            command,
            requirement: Requirement::All,
        }
    }

    /// Work runs also where a wall could not be put up.
    #[must_use]
    pub fn behind_what_there_is(self) -> Self {
        Self {
            requirement: Requirement::WhatThereIs,
            ..self
        }
    }

    /// Children are this very program.
    ///
    /// # Errors
    /// When the system does not say where this program lies.
    pub fn current_exe() -> std::io::Result<Self> {
        Command::current_exe().map(Self::new)
    }
}

impl Runner for SandboxRunner {
    fn walls(&self) -> Pin<Box<dyn Future<Output = WallsFound> + Send + '_>> {
        Box::pin(async {
            let report = match omni_sandbox::probe(&self.command).await {
                Ok(report) => report,
                Err(error) => {
                    tracing::error!(code = error.code(), %error, "the walls cannot be looked at");
                    return WallsFound::none();
                }
            };
            let walls = report
                .walls()
                .iter()
                .map(|wall| WallView {
                    code: wall.wall.code().to_owned(),
                    up: wall.is_up(),
                })
                .collect();
            let missing = !report.all_up();
            if missing {
                let missing: Vec<&str> = report.missing().iter().map(|wall| wall.code()).collect();
                tracing::warn!(?missing, "walls around the sandbox are missing");
            }
            let verdict = match self.requirement {
                Requirement::All if missing => Walls::Missing,
                Requirement::All | Requirement::WhatThereIs => Walls::Up,
            };
            WallsFound { walls, verdict }
        })
    }

    fn start(
        &self,
        job: &Job,
        module: Vec<u8>,
        events: mpsc::Sender<RunnerEvent>,
        throttle: Arc<Throttle>,
    ) -> JobControl {
        let control = JobControl::new();
        let (command, requirement) = (self.command.clone(), self.requirement);
        let lease = job.lease().clone();
        let adopter = control.clone();
        let task = tokio::spawn(async move {
            let id = lease.id;
            let place = (&adopter, &*throttle);
            let ended = run((&command, requirement), module, &lease, place, &events).await;
            adopter.over();
            if let Err((reason, code)) = ended {
                let failed = RunnerEvent::Failed {
                    lease: id,
                    reason,
                    code,
                };
                // Fails only when the node is gone.
                let _ = events.send(failed).await;
            }
        });
        control.with(|state| state.task = Some(task.abort_handle()));
        control
    }
}

async fn run(
    (command, requirement): (&Command, Requirement),
    module: Vec<u8>,
    lease: &Verified<Lease>,
    (control, throttle): (&JobControl, &Throttle),
    events: &mpsc::Sender<RunnerEvent>,
) -> Result<(), (ReturnReason, &'static str)> {
    let mut child = omni_sandbox::spawn(command, &module, &lease.limits, requirement)
        .await
        .map_err(|error| {
            let reason = match &error {
                SpawnError::Refused(_) => ReturnReason::SkillRefused,
                SpawnError::Failed(failure) => reason_of(failure),
            };
            (reason, error.code())
        })?;
    drop(module);
    if !control.adopt(child.control(), throttle) {
        return Err((ReturnReason::Stopped, "killed"));
    }
    for segment in &lease.segments {
        let seed = splitmix64(lease.unit_seed, u64::from(*segment));
        let output = child
            .run(&lease.input, seed)
            .await
            .map_err(|failure| (reason_of(&failure), failure.code()))?;
        let event = RunnerEvent::Segment {
            lease: lease.id,
            segment: *segment,
            output,
        };
        if events.send(event).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn reason_of(failure: &Failure) -> ReturnReason {
    match failure {
        Failure::TimedOut => ReturnReason::TimedOut,
        Failure::Killed => ReturnReason::Stopped,
        // This computer's fault and not the skill's.
        Failure::WallMissing(_) => ReturnReason::Denied,
        _ => ReturnReason::SkillFailed,
    }
}

/// Holds every job of a node, and of the nodes embedded with it, so that the kill switch reaches
/// them from any thread without waiting for an event loop.
pub struct Leash {
    runner: Arc<dyn Runner>,
    held: Mutex<Held>,
    walls: OnceCell<WallsFound>,
    throttle: Arc<Throttle>,
}

#[derive(Default)]
struct Held {
    closed: bool,
    frozen: bool,
    jobs: Vec<JobControl>,
}

/// Children end with the leash they are on.
impl Drop for Leash {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Leash {
    /// A leash for jobs that `runner` runs.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn new(runner: Arc<dyn Runner>) -> std::io::Result<Self> {
        Ok(Self {
            runner,
            held: Mutex::default(),
            walls: OnceCell::new(),
            throttle: Arc::new(Throttle::start(100)?),
        })
    }

    /// Looks at the walls, once for all nodes on this leash.
    pub async fn walls(&self) -> WallsFound {
        let look = || self.runner.walls();
        self.walls.get_or_init(look).await.clone()
    }

    /// From now on all jobs together may use this share of the computer's processors, per cent.
    pub(crate) fn throttle(&self, percent: u8) {
        self.throttle.set_percent(percent);
    }

    /// Tells how much processor time all jobs use.
    pub(crate) fn meter(&self) -> Meter {
        self.throttle.meter()
    }

    fn with<T>(&self, change: impl FnOnce(&mut Held) -> T) -> T {
        change(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Starts a job; one that comes after the kill switch dies at once.
    pub fn start(
        &self,
        job: &Job,
        module: Vec<u8>,
        events: mpsc::Sender<RunnerEvent>,
    ) -> JobControl {
        let throttle = Arc::clone(&self.throttle);
        let control = self.runner.start(job, module, events, throttle);
        self.with(|held| {
            held.jobs.retain(|job| !job.is_over());
            if held.closed {
                control.kill();
            } else {
                if held.frozen {
                    control.freeze(true);
                }
                held.jobs.push(control.clone());
            }
        });
        control
    }

    /// Kills every job, and those that would start before [`Leash::reopen`].
    pub(crate) fn kill(&self) {
        self.with(|held| {
            held.closed = true;
            for job in held.jobs.drain(..) {
                job.kill();
            }
        });
    }

    /// Lets jobs start again.
    pub(crate) fn reopen(&self) {
        self.with(|held| held.closed = false);
    }

    /// Freezes or thaws every job.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.with(|held| {
            held.frozen = frozen;
            for job in &held.jobs {
                job.freeze(frozen);
            }
        });
    }
}
