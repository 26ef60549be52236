//! The parent's side: starts, feeds, pauses and kills one child.
//!
//! ```text
//!   spawn ─▶ walls up ─▶ ready ─ run ─▶ ready
//!               │          │      └─ any failure ─▶ dead (killed and reaped)
//!               │          └─ drop ─▶ dead
//!               └─ a wall is missing ─▶ dead
//! ```

use std::{
    ffi::OsString,
    future::poll_fn,
    io,
    path::{Path, PathBuf},
    pin::pin,
    process::{ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use omni_types::{
    ResourceLimits,
    work::{MAX_INPUT_BYTES, MAX_OUTPUT_BYTES},
};
use tokio::{
    process::{ChildStdin, ChildStdout},
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{
    CHILD_ARG, Failure, Refusal, SpawnError, WallReport, admit,
    frame::{Answer, FrameError, Request, receive, send},
    spawner,
};

/// Wall-clock time a child has for starting and putting up its walls, and again for compiling,
/// milliseconds.
pub const COMPILE_WALL_MS: u32 = 30_000;

const COMPILE_WALL: Duration = Duration::from_millis(COMPILE_WALL_MS as u64);
/// Step of the watchdog. A stop is noticed to within one step.
const TICK: Duration = Duration::from_millis(100);
/// Most time that one step counts: a computer that slept meanwhile has not worked.
const MAX_COUNTED: Duration = Duration::from_secs(1);
/// How long a killed process may take to go before it is left to the runtime.
const REAP_WALL: Duration = Duration::from_secs(5);
/// What the child is called in process lists.
#[cfg(unix)]
const SHOWN_NAME: &str = "omniswarm-sandbox";

/// The program that is started as child, with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Program to start.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

impl Command {
    /// This very program as a child. On Linux it is the running image, even when an update has
    /// replaced the file meanwhile, so that parent and child are always of one version.
    ///
    /// # Errors
    /// When the system does not tell where the program is.
    pub fn current_exe() -> io::Result<Self> {
        let running = Path::new("/proc/self/exe");
        let program = if cfg!(target_os = "linux") && running.exists() {
            running.to_owned()
        } else {
            std::env::current_exe()?
        };
        Ok(Self {
            program,
            args: vec![CHILD_ARG.into()],
        })
    }

    fn build(&self) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        // In a group of its own a child does not get the terminal's Ctrl-C, and the system wakes and
        // ends it when it is stopped at the moment its parent dies.
        #[cfg(unix)]
        command.process_group(0).arg0(SHOWN_NAME);
        #[cfg(windows)]
        {
            const CREATE_NO_WINDOW: u32 = 0x0800_0000;
            command.creation_flags(CREATE_NO_WINDOW);
        }
        command
    }
}

/// A child process with one compiled skill. Dropping it kills the process.
#[derive(Debug)]
pub struct Child {
    control: Control,
    stdin: ChildStdin,
    stdout: ChildStdout,
    limits: ResourceLimits,
    walls: WallReport,
    state: State,
}

/// Which walls must stand before a child gets a skill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Requirement {
    /// Every wall that this system is supposed to have.
    #[default]
    All,
    /// Whichever can be put up.
    WhatThereIs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    /// An exchange began and has not ended; if its future was dropped, the pipe is out of step.
    Busy,
    Dead,
}

/// Stops a child from anywhere, at any time, also while it runs. Does nothing once the child has
/// been reaped: the process id is only used while the system still holds it for this child.
#[derive(Clone, Debug)]
pub struct Control {
    process: Arc<Process>,
}

#[derive(Debug)]
struct Process {
    pid: u32,
    /// Signals are sent and the child is reaped under this lock.
    child: Mutex<Option<tokio::process::Child>>,
    killed: AtomicBool,
    /// Who wants it stopped. Changed under the lock of `child`.
    holds: watch::Sender<Holds>,
}

/// Reasons for a child to stand still; any of them is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Holds {
    paused: bool,
    throttled: bool,
}

impl Holds {
    fn any(self) -> bool {
        self.paused || self.throttled
    }
}

/// Limits under which a child shows its walls.
const PROBE_LIMITS: ResourceLimits = ResourceLimits {
    memory_bytes: 64 << 20,
    output_bytes: 1 << 10,
    segment_wall_ms: 1000,
};

/// Admits `module`, starts a child with an empty environment, has it put up its walls, and then
/// gives it the module to compile. `limits` hold for every run; outputs are further limited to
/// [`omni_types::work::MAX_OUTPUT_BYTES`]. Needs a tokio runtime with I/O and time. Dropping the
/// future kills the child.
///
/// # Errors
/// [`SpawnError::Refused`] when the module is not admitted; [`SpawnError::Failed`] when the child
/// does not start, misses a wall of the `requirement`, dies, breaks the protocol or takes longer
/// than [`COMPILE_WALL_MS`].
pub async fn spawn(
    command: &Command,
    module: &[u8],
    limits: &ResourceLimits,
    requirement: Requirement,
) -> Result<Child, SpawnError> {
    admit(module)?.fits(limits)?;
    let mut child = prepare(command, limits).await?;
    let missing = child.walls.missing();
    if let (Requirement::All, Some(wall)) = (requirement, missing.first()) {
        return Err(child.end(Failure::WallMissing(*wall)).await.into());
    }
    let load = Request::Load {
        module: module.to_vec(),
    };
    match child.exchange(&load, COMPILE_WALL).await? {
        Answer::Loaded => Ok(child),
        Answer::Refused => {
            child.end(Failure::ChildDied).await;
            Err(Refusal::CannotCompile.into())
        }
        Answer::Ready { .. } | Answer::Output { .. } | Answer::Failed { .. } => {
            Err(child.end(Failure::ChildProtocol).await.into())
        }
    }
}

/// Starts a child, takes its report of its walls, and ends it. Needs a tokio runtime with I/O and
/// time.
///
/// # Errors
/// When the child does not start, dies, breaks the protocol or takes longer than
/// [`COMPILE_WALL_MS`].
pub async fn probe(command: &Command) -> Result<WallReport, Failure> {
    let mut child = prepare(command, &PROBE_LIMITS).await?;
    child.end(Failure::Killed).await;
    Ok(child.walls.clone())
}

/// Starts a child that has put up its walls and knows of no skill.
async fn prepare(command: &Command, limits: &ResourceLimits) -> Result<Child, Failure> {
    let mut child = start(command, limits).await?;
    let prepare = Request::Prepare { limits: *limits };
    let walls = match child.exchange(&prepare, COMPILE_WALL).await? {
        Answer::Ready { raised } => WallReport::read(raised),
        _ => None,
    };
    match walls {
        Some(walls) => child.walls = walls,
        None => return Err(child.end(Failure::ChildProtocol).await),
    }
    Ok(child)
}

async fn start(command: &Command, limits: &ResourceLimits) -> Result<Child, Failure> {
    let mut child = spawner::start(command.build()).await.map_err(|error| {
        tracing::warn!(%error, "sandbox child does not start");
        Failure::CannotStart
    })?;
    let (Some(pid), Some(stdin), Some(stdout)) =
        (child.id(), child.stdin.take(), child.stdout.take())
    else {
        return Err(Failure::CannotStart);
    };
    tracing::debug!(pid, "sandbox child started");
    let process = Process {
        pid,
        child: Mutex::new(Some(child)),
        killed: AtomicBool::new(false),
        holds: watch::Sender::new(Holds::default()),
    };
    Ok(Child {
        control: Control {
            process: Arc::new(process),
        },
        stdin,
        stdout,
        limits: *limits,
        walls: WallReport::nothing(),
        state: State::Ready,
    })
}

impl Child {
    /// Runs the skill once, from a fresh state: its standard input is `seed` (8 bytes, little
    /// endian) followed by `input` (at most [`MAX_INPUT_BYTES`]). Returns its standard output.
    ///
    /// A run whose future is dropped before it ends costs the child: the next run gives
    /// [`Failure::ChildDied`].
    ///
    /// # Errors
    /// Any [`Failure`] except [`Failure::CannotStart`]. Afterwards the child is dead and reaped.
    pub async fn run(&mut self, input: &[u8], seed: u64) -> Result<Vec<u8>, Failure> {
        match self.state {
            State::Dead => return Err(Failure::ChildDied),
            State::Busy => return Err(self.end(Failure::ChildDied).await),
            State::Ready => {}
        }
        if input.len() > MAX_INPUT_BYTES {
            return Err(self.end(Failure::InputTooLarge).await);
        }
        let run = Request::Run {
            input: input.to_vec(),
            seed,
        };
        let wall = Duration::from_millis(self.limits.segment_wall_ms.into());
        let most = (self.limits.output_bytes as usize).min(MAX_OUTPUT_BYTES);
        match self.exchange(&run, wall).await? {
            Answer::Output { bytes } if bytes.len() <= most => Ok(bytes),
            Answer::Failed { fault } => Err(self.end(fault.into()).await),
            Answer::Ready { .. } | Answer::Loaded | Answer::Refused | Answer::Output { .. } => {
                Err(self.end(Failure::ChildProtocol).await)
            }
        }
    }

    /// The walls that the child reported before it got the skill.
    pub fn walls(&self) -> &WallReport {
        &self.walls
    }

    /// A handle that stops this child from elsewhere.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Whether the child can still be asked to run; a child that died unnoticed looks alive until
    /// the next run.
    pub fn is_alive(&self) -> bool {
        self.state == State::Ready && !self.control.process.killed.load(Ordering::SeqCst)
    }

    /// One request and its answer, within `wall` of time not paused.
    async fn exchange(&mut self, request: &Request, wall: Duration) -> Result<Answer, Failure> {
        self.state = State::Busy;
        let process = Arc::clone(&self.control.process);
        // Writing is under the watchdog too: a child that does not read would block it for ever.
        let work = async {
            send(&mut self.stdin, request).await?;
            receive(&mut self.stdout).await
        };
        let failure = tokio::select! {
            biased;
            answer = work => match answer {
                Ok(answer) => {
                    self.state = State::Ready;
                    return Ok(answer);
                }
                Err(FrameError::Closed) => Failure::ChildDied,
                Err(FrameError::Protocol) => Failure::ChildProtocol,
            },
            () = process.watch(wall) => Failure::TimedOut,
        };
        Err(self.end(failure).await)
    }

    /// Kills and reaps the child. Returns what to report: `failure`, unless somebody asked for the
    /// kill.
    async fn end(&mut self, failure: Failure) -> Failure {
        self.state = State::Dead;
        let process = &self.control.process;
        let failure = if process.killed.load(Ordering::SeqCst) {
            Failure::Killed
        } else {
            failure
        };
        let failure = match (failure, process.stop().await) {
            (Failure::ChildDied, Some(status)) if broke_a_wall(status) => Failure::WallHit,
            (failure, _) => failure,
        };
        tracing::debug!(
            pid = process.pid,
            code = failure.code(),
            "sandbox child ended"
        );
        failure
    }
}

/// Whether the system ended the process for a forbidden system call.
#[cfg(unix)]
fn broke_a_wall(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(rustix::process::Signal::SYS.as_raw())
}

#[cfg(not(unix))]
fn broke_a_wall(_: ExitStatus) -> bool {
    false
}

impl Drop for Child {
    fn drop(&mut self) {
        self.control.process.release();
    }
}

impl Control {
    /// Ends the child at once (SIGKILL on Unix), paused or not. May be called again.
    pub fn kill(&self) {
        self.process.killed.store(true, Ordering::SeqCst);
        self.process.kill();
    }

    /// Stops the child where it is (SIGSTOP); no work is lost and its time limit stands still.
    /// `false` when the child is gone, and always on systems other than Unix, where nothing happens.
    pub fn pause(&self) -> bool {
        self.process.hold(|holds| holds.paused = true)
    }

    /// Lets a paused child go on (SIGCONT), unless it is throttled. `false` as for
    /// [`Control::pause`].
    pub fn resume(&self) -> bool {
        self.process.hold(|holds| holds.paused = false)
    }

    /// Stops the child, or lets it go on, independently of [`Control::pause`]: it runs only when it
    /// is neither paused nor throttled. `false` as for [`Control::pause`].
    pub fn throttle(&self, stopped: bool) -> bool {
        self.process.hold(|holds| holds.throttled = stopped)
    }

    /// Processor time that the child has used so far, milliseconds, in steps of the system's clock
    /// tick (10). `None` when it is gone, and on systems other than Linux.
    pub fn cpu_ms(&self) -> Option<u64> {
        self.process.cpu_ms()
    }

    /// Process id of the child; stays the same after it is gone.
    pub fn pid(&self) -> u32 {
        self.process.pid
    }
}

impl Process {
    fn child(&self) -> MutexGuard<'_, Option<tokio::process::Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kill(&self) {
        if let Some(child) = self.child().as_mut() {
            // Fails only when the child is already gone.
            let _ = child.start_kill();
        }
    }

    /// Kills, waits for the end, and lets go of the process id. How the process ended, when that is
    /// known.
    async fn stop(&self) -> Option<ExitStatus> {
        self.kill();
        let reaped = poll_fn(|cx| match self.child().as_mut() {
            Some(child) => pin!(child.wait()).poll(cx).map(Result::ok),
            None => std::task::Poll::Ready(None),
        });
        let ended = timeout(REAP_WALL, reaped).await;
        if ended.is_err() {
            tracing::warn!(pid = self.pid, "killed sandbox child is slow to go");
        }
        self.release();
        ended.ok().flatten()
    }

    /// Gives the child back to the runtime, which kills and reaps it if that has not happened.
    fn release(&self) {
        drop(self.child().take());
        // Nobody waits for a resume that cannot come.
        self.holds.send_replace(Holds::default());
    }

    #[cfg(unix)]
    fn hold(&self, change: impl FnOnce(&mut Holds)) -> bool {
        use rustix::process::{Pid, Signal, kill_process};
        let child = self.child();
        let pid = running(&child)
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        let Some(pid) = pid else {
            return false;
        };
        let mut holds = *self.holds.borrow();
        change(&mut holds);
        let signal = if holds.any() {
            Signal::STOP
        } else {
            Signal::CONT
        };
        let sent = kill_process(pid, signal).is_ok();
        if sent {
            self.holds.send_replace(holds);
        }
        sent
    }

    #[cfg(not(unix))]
    fn hold(&self, _change: impl FnOnce(&mut Holds)) -> bool {
        false
    }

    #[cfg(target_os = "linux")]
    fn cpu_ms(&self) -> Option<u64> {
        let child = self.child();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", running(&child)?)).ok()?;
        let (_, after_name) = stat.rsplit_once(')')?;
        let mut times = after_name.split_whitespace().skip(11);
        let user: u64 = times.next()?.parse().ok()?;
        let system: u64 = times.next()?.parse().ok()?;
        let ticks_per_second = rustix::param::clock_ticks_per_second();
        user.checked_add(system)?
            .checked_mul(1000)?
            .checked_div(ticks_per_second)
    }

    #[cfg(not(target_os = "linux"))]
    fn cpu_ms(&self) -> Option<u64> {
        None
    }

    /// Ends after `wall` of time in which the child was not stopped.
    async fn watch(&self, wall: Duration) {
        let mut left = wall;
        let mut holds = self.holds.subscribe();
        while !left.is_zero() {
            // The sender is in `self`, so this waits for a resume and for nothing else.
            let _ = holds.wait_for(|holds| !holds.any()).await;
            let begin = Instant::now();
            sleep(TICK.min(left)).await;
            if !self.holds.borrow().any() {
                left = left.saturating_sub(begin.elapsed().min(MAX_COUNTED));
            }
        }
    }
}

/// Process id, as long as the system holds it for this child: `None` once it has been reaped.
#[cfg(unix)]
fn running(child: &Option<tokio::process::Child>) -> Option<u32> {
    child.as_ref().and_then(tokio::process::Child::id)
}
