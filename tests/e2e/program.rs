//! Real processes of the program under test: starting, waiting with deadlines, and what they leave.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal};
use serde_json::Value;

/// Passphrase of every key file; the test looks for it in everything that is written.
pub const PASSPHRASE: &str = "seven-herons-e2e-7f1c94";

/// Longest wait for anything that is expected to happen.
pub const DEADLINE: Duration = Duration::from_secs(180);
const STEP: Duration = Duration::from_millis(20);

/// Looks again and again until there is an answer.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_within(DEADLINE, what, look)
}

pub fn until_within<T>(deadline: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(
            start.elapsed() < deadline,
            "not within {deadline:?}: {what}"
        );
        thread::sleep(STEP);
    }
}

/// The program under test, built beside this test.
pub fn omniswarm() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap();
    let program = folder.join(format!("omniswarm{}", std::env::consts::EXE_SUFFIX));
    assert!(
        program.exists(),
        "{} is missing; build it with `cargo build -p omni-cli`",
        program.display()
    );
    program
}

/// A command that sees nothing of this computer's user: no key store, no home folder.
pub fn command(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", home)
        .env("TMPDIR", home)
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        .env("OMNISWARM_IDENTITY", "file")
        .env("OMNISWARM_PASSPHRASE", PASSPHRASE)
        .stdin(Stdio::null());
    command
}

/// Runs to the end, within the deadline.
pub fn run(command: &mut Command) -> Output {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let watchdog = thread::spawn(move || child.wait_with_output().unwrap());
    let start = Instant::now();
    while !watchdog.is_finished() {
        if start.elapsed() > DEADLINE {
            signal(pid, Signal::KILL);
            panic!("{command:?} did not end");
        }
        thread::sleep(STEP);
    }
    watchdog.join().unwrap()
}

pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, signal);
}

/// A running program with its output in files.
pub struct Program {
    child: Child,
    pub out: PathBuf,
    pub err: PathBuf,
}

impl Program {
    pub fn start(command: &mut Command, logs: &Path, name: &str) -> Self {
        let run = (1..)
            .find(|run| !logs.join(format!("{name}.{run}.out")).exists())
            .unwrap();
        let out = logs.join(format!("{name}.{run}.out"));
        let err = logs.join(format!("{name}.{run}.err"));
        let child = command
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap())
            .spawn()
            .unwrap();
        Self { child, out, err }
    }

    /// Types a line, when the program was started with a pipe for that.
    pub fn type_line(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn output(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    /// The line that says that the program is ready.
    pub fn ready(&mut self) -> Value {
        until("a ready line", || {
            let text = self.output();
            let line = text.lines().next().filter(|_| text.contains('\n'));
            if line.is_none()
                && let Some(status) = self.child.try_wait().unwrap()
            {
                let err = fs::read_to_string(&self.err).unwrap();
                panic!("ended with {status} before it was ready: {err}");
            }
            line.map(|line| serde_json::from_str(line).unwrap())
        })
    }

    /// Like Ctrl-C, then waits for the end.
    pub fn interrupt(mut self) -> ExitStatus {
        signal(self.pid(), Signal::INT);
        self.wait(Duration::from_secs(15))
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        until_within(deadline, "the end of a program", || self.try_wait())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process by number and start time, so that a number used again is not taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    pid: u32,
    started: u64,
}

/// State, parent and start time.
fn stat(pid: u32) -> Option<(char, u32, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some((
        fields.first()?.chars().next()?,
        fields.get(1)?.parse().ok()?,
        fields.get(19)?.parse().ok()?,
    ))
}

impl Process {
    pub fn pid(self) -> u32 {
        self.pid
    }

    /// Processor time used so far, milliseconds; a tick is ten of them on every Linux.
    #[allow(dead_code)] // The bench looks at it, the end-to-end tests do not.
    pub fn cpu_ms(&self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some((ticks(11)? + ticks(12)?) * 10)
    }

    pub fn is_alive(self) -> bool {
        stat(self.pid).is_some_and(|(state, _, started)| state != 'Z' && started == self.started)
    }
}

/// Everything that a process has started and that is still there.
pub fn descendants(pid: u32) -> BTreeSet<Process> {
    let all: Vec<(u32, u32, u64)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| stat(pid).map(|(_, parent, started)| (pid, parent, started)))
        .collect();
    let mut found = BTreeSet::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for (pid, of, started) in &all {
            if *of == parent {
                found.insert(Process {
                    pid: *pid,
                    started: *started,
                });
                parents.push(*pid);
            }
        }
    }
    found
}

pub fn all_gone(processes: &BTreeSet<Process>) {
    until_within(Duration::from_secs(5), "no process is left", || {
        (!processes.iter().any(|process| process.is_alive())).then_some(())
    });
}

/// Internet sockets that a process has open.
pub fn inet_sockets(pid: u32) -> usize {
    let inodes: BTreeSet<String> = ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"]
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok())
        .flat_map(|table| {
            table
                .lines()
                .skip(1)
                .filter_map(|line| Some(line.split_whitespace().nth(9)?.to_owned()))
                .collect::<Vec<_>>()
        })
        .collect();
    fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| {
            target
                .to_str()
                .and_then(|target| target.strip_prefix("socket:["))
                .and_then(|target| target.strip_suffix(']'))
                .is_some_and(|inode| inodes.contains(inode))
        })
        .count()
}
