//! The parent's side: starts, feeds, pauses and kills one child.
//!
//! ```text
//!   spawn ─▶ ready ─ run ─▶ ready
//!              │      └─ any failure ─▶ dead (killed and reaped)
//!              └─ drop ─▶ dead
//! ```

use std::{
    ffi::OsString,
    future::poll_fn,
    io,
    path::{Path, PathBuf},
    pin::pin,
    process::Stdio,
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
    CHILD_ARG, Failure, Refusal, SpawnError, admit,
    frame::{Answer, FrameError, Request, receive, send},
    spawner,
};

/// Wall-clock time a child has for starting and compiling, milliseconds.
pub const COMPILE_WALL_MS: u32 = 30_000;

/// Step of the watchdog. A pause or resume is noticed to within one step.
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
    state: State,
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
    paused: watch::Sender<bool>,
}

/// Admits `module`, starts a child with an empty environment and has it compile the module.
/// `limits` hold for every run; outputs are further limited to
/// [`omni_types::work::MAX_OUTPUT_BYTES`]. Needs a tokio runtime with I/O and time. Dropping the
/// future kills the child.
///
/// # Errors
/// [`SpawnError::Refused`] when the module is not admitted; [`SpawnError::Failed`] when the child
/// does not start, dies, breaks the protocol or takes longer than [`COMPILE_WALL_MS`].
pub async fn spawn(
    command: &Command,
    module: &[u8],
    limits: &ResourceLimits,
) -> Result<Child, SpawnError> {
    admit(module)?.fits(limits)?;
    let mut child = start(command, limits).await?;
    let load = Request::Load {
        module: module.to_vec(),
        limits: *limits,
    };
    let wall = Duration::from_millis(COMPILE_WALL_MS.into());
    match child.exchange(&load, wall).await? {
        Answer::Loaded => Ok(child),
        Answer::Refused => {
            child.end(Failure::ChildDied).await;
            Err(Refusal::CannotCompile.into())
        }
        Answer::Output { .. } | Answer::Failed { .. } => {
            Err(child.end(Failure::ChildProtocol).await.into())
        }
    }
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
        paused: watch::Sender::new(false),
    };
    Ok(Child {
        control: Control {
            process: Arc::new(process),
        },
        stdin,
        stdout,
        limits: *limits,
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
            Answer::Output { .. } | Answer::Loaded | Answer::Refused => {
                Err(self.end(Failure::ChildProtocol).await)
            }
        }
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
        tracing::debug!(
            pid = process.pid,
            code = failure.code(),
            "sandbox child ends"
        );
        process.stop().await;
        failure
    }
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
        self.process.set_paused(true)
    }

    /// Lets a paused child go on (SIGCONT). `false` as for [`Control::pause`].
    pub fn resume(&self) -> bool {
        self.process.set_paused(false)
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

    /// Kills, waits for the end, and lets go of the process id.
    async fn stop(&self) {
        self.kill();
        let reaped = poll_fn(|cx| match self.child().as_mut() {
            Some(child) => pin!(child.wait()).poll(cx).map(drop),
            None => std::task::Poll::Ready(()),
        });
        if timeout(REAP_WALL, reaped).await.is_err() {
            tracing::warn!(pid = self.pid, "killed sandbox child is slow to go");
        }
        self.release();
    }

    /// Gives the child back to the runtime, which kills and reaps it if that has not happened.
    fn release(&self) {
        drop(self.child().take());
        // Nobody waits for a resume that cannot come.
        self.paused.send_replace(false);
    }

    #[cfg(unix)]
    fn set_paused(&self, paused: bool) -> bool {
        use rustix::process::{Pid, Signal, kill_process};
        let child = self.child();
        let pid = child
            .as_ref()
            // None once the child has been reaped.
            .and_then(tokio::process::Child::id)
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        let Some(pid) = pid else {
            return false;
        };
        let signal = if paused { Signal::STOP } else { Signal::CONT };
        let sent = kill_process(pid, signal).is_ok();
        if sent {
            self.paused.send_replace(paused);
        }
        sent
    }

    #[cfg(not(unix))]
    fn set_paused(&self, _paused: bool) -> bool {
        false
    }

    /// Ends after `wall` of time in which the child was not paused.
    async fn watch(&self, wall: Duration) {
        let mut left = wall;
        let mut pauses = self.paused.subscribe();
        while !left.is_zero() {
            // The sender is in `self`, so this waits for a resume and for nothing else.
            let _ = pauses.wait_for(|paused| !paused).await;
            let begin = Instant::now();
            sleep(TICK.min(left)).await;
            if !*self.paused.borrow() {
                left = left.saturating_sub(begin.elapsed().min(MAX_COUNTED));
            }
        }
    }
}
