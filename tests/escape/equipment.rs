//! What all groups need: cases, children, and looks at processes from outside.

use std::{
    future::Future,
    path::PathBuf,
    time::{Duration, Instant},
};

use libtest_mimic::{Failed, Trial};
use omni_sandbox::{Child, Command, Failure, Requirement, SpawnError, spawn};
use omni_types::ResourceLimits;

/// Longest that any condition may take to come true.
pub const DEADLINE: Duration = Duration::from_secs(60);

pub const LIMITS: ResourceLimits = ResourceLimits {
    memory_bytes: 4 << 20,
    output_bytes: 4096,
    // For a busy machine; what must be ended by its time has less.
    segment_wall_ms: 60_000,
};

/// One line of a table: a sentence and what shows that it holds.
pub struct Case {
    name: String,
    check: Box<dyn FnOnce() + Send>,
}

pub fn case(name: impl Into<String>, check: impl FnOnce() + Send + 'static) -> Case {
    Case {
        name: name.into(),
        check: Box::new(check),
    }
}

impl Case {
    pub fn into_trial(self, group: &str) -> Trial {
        let check = self.check;
        Trial::test(self.name, move || {
            check();
            Ok::<(), Failed>(())
        })
        .with_kind(group)
    }
}

pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// A program that does not exist: a module that is refused never gets as far as a process.
pub fn no_program() -> Command {
    Command {
        program: "/nonexistent".into(),
        args: Vec::new(),
    }
}

/// Code of the refusal of a module before any process is started, or `cannot-start` when it was not
/// refused.
pub fn verdict(module: &[u8]) -> SpawnError {
    let begin = Instant::now();
    let verdict = wait(spawn(&no_program(), module, &LIMITS, Requirement::All)).unwrap_err();
    // Whatever the bytes say, the answer comes at once.
    assert!(begin.elapsed() < DEADLINE, "{:?}", begin.elapsed());
    assert!(!verdict.to_string().is_empty());
    verdict
}

pub async fn start(module: &[u8], limits: &ResourceLimits) -> Result<Child, SpawnError> {
    let command = Command::current_exe().unwrap();
    spawn(&command, module, limits, Requirement::All).await
}

/// Output of one run in a new child.
pub fn run_once(
    module: &[u8],
    limits: &ResourceLimits,
    input: &[u8],
    seed: u64,
) -> Result<Vec<u8>, Failure> {
    wait(async {
        let mut child = start(module, limits).await.unwrap();
        let pid = child.control().pid();
        let outcome = child.run(input, seed).await;
        drop(child);
        wait_until_gone(pid);
        outcome
    })
}

pub fn module(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A skill with every import, two pages of memory, `more` beside its program and `body` as program.
/// `$print` writes to standard output, by the list at 0.
pub fn skill_with(more: &str, body: &str) -> Vec<u8> {
    let imports: String = crate::imports::ALLOWED
        .iter()
        .map(|(name, signature)| {
            let ty = crate::imports::wat_type(signature);
            format!("(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} {ty}))\n")
        })
        .collect();
    module(&format!(
        r#"(module {imports}
            (memory (export "memory") 2)
            {more}
            (func $print (param $at i32) (param $length i32)
                (i32.store (i32.const 0) (local.get $at))
                (i32.store (i32.const 4) (local.get $length))
                (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
            (func (export "_start") {body}))"#
    ))
}

pub fn skill(body: &str) -> Vec<u8> {
    skill_with("", body)
}

/// Everything on standard input to standard output.
pub const ECHO: &str = "
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 70000))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $print (i32.const 1024) (i32.load (i32.const 8)))";

/// State letter of a process; `None` when it is gone or only waits to be reaped. Always `None` where
/// there is no `/proc`.
pub fn process_state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(PathBuf::from(format!("/proc/{pid}/stat"))).ok()?;
    let state = stat[stat.rfind(')')? + 1..].trim().chars().next()?;
    (!matches!(state, 'Z' | 'X')).then_some(state)
}

pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < DEADLINE, "never came true: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

pub fn wait_until_gone(pid: u32) {
    wait_until("the process is gone", || process_state(pid).is_none());
}
