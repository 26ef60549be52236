//! Runs jobs in sandbox children.

use std::sync::{Arc, Mutex, PoisonError};

use omni_core::Job;
use omni_sandbox::{Command, Control, Failure, SpawnError};
use omni_types::{Lease, LeaseId, ReturnReason, Verified, seed::splitmix64};
use tokio::{sync::mpsc, task::AbortHandle};

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

/// Something that can run jobs.
pub trait Runner: Send + Sync {
    /// Starts a job with the skill's module; its events go to `events`.
    fn start(&self, job: &Job, module: Vec<u8>, events: mpsc::Sender<RunnerEvent>) -> JobControl;
}

/// Stops or freezes a running job, from anywhere and at any time.
#[derive(Clone, Debug)]
pub struct JobControl(Arc<Mutex<JobState>>);

#[derive(Debug, Default)]
struct JobState {
    killed: bool,
    frozen: bool,
    child: Option<Control>,
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
    fn adopt(&self, child: Control) -> bool {
        self.with(|state| {
            if state.killed {
                child.kill();
            } else if state.frozen {
                child.pause();
            }
            state.child = Some(child);
            !state.killed
        })
    }
}

/// The real one: each job in a child process of its own.
#[derive(Clone, Debug)]
pub struct SandboxRunner {
    command: Command,
}

impl SandboxRunner {
    /// Children are started with `command`.
    pub fn new(command: Command) -> Self {
        Self { command }
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
    fn start(&self, job: &Job, module: Vec<u8>, events: mpsc::Sender<RunnerEvent>) -> JobControl {
        let control = JobControl::new();
        let command = self.command.clone();
        let lease = job.lease().clone();
        let adopter = control.clone();
        let task = tokio::spawn(async move {
            let id = lease.id;
            if let Err((reason, code)) = run(&command, module, &lease, &adopter, &events).await {
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
    command: &Command,
    module: Vec<u8>,
    lease: &Verified<Lease>,
    control: &JobControl,
    events: &mpsc::Sender<RunnerEvent>,
) -> Result<(), (ReturnReason, &'static str)> {
    let mut child = omni_sandbox::spawn(command, &module, &lease.limits)
        .await
        .map_err(|error| {
            let reason = match &error {
                SpawnError::Refused(_) => ReturnReason::SkillRefused,
                SpawnError::Failed(failure) => reason_of(failure),
            };
            (reason, error.code())
        })?;
    drop(module);
    if !control.adopt(child.control()) {
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
        _ => ReturnReason::SkillFailed,
    }
}

/// Holds every job of a node, and of the nodes embedded with it, so that the kill switch reaches
/// them from any thread without waiting for an event loop.
pub(crate) struct Leash {
    runner: Arc<dyn Runner>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    closed: bool,
    frozen: bool,
    jobs: Vec<JobControl>,
}

impl Leash {
    pub(crate) fn new(runner: Arc<dyn Runner>) -> Self {
        Self {
            runner,
            held: Mutex::default(),
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Held) -> T) -> T {
        change(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Starts a job; one that comes after the kill switch dies at once.
    pub(crate) fn start(
        &self,
        job: &Job,
        module: Vec<u8>,
        events: mpsc::Sender<RunnerEvent>,
    ) -> JobControl {
        let control = self.runner.start(job, module, events);
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
