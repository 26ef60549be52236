//! A child process that was taken over: it holds the other ends of the pipes and says what it likes.
//! Whatever that is, the parent names it, ends the process, and believes nothing but bytes.

use std::{
    io::{Read, Write},
    path::Path,
    process::{ExitCode, Stdio},
};

use nix::{
    sys::signal::{SigSet, Signal, kill, raise},
    unistd::Pid,
};
use omni_sandbox::{Command, EXPECTED_WALLS, Failure, Requirement, SpawnError, Wall, spawn};
use omni_types::{ResourceLimits, work::MAX_OUTPUT_BYTES};

use crate::equipment::{Case, ECHO, LIMITS, case, skill, skill_with, wait, wait_until_gone};

pub const FAKE_ARG: &str = "__taken-over";

/// For runs that must be ended by their time, milliseconds.
const SHORT_MS: u32 = 1000;
/// Largest frame that is read from a child, bytes.
const MAX_FRAME_BYTES: usize = MAX_OUTPUT_BYTES + 1024;
/// Runs that are asked for before a child is dropped.
const RUNS: usize = 3;

#[derive(Clone)]
enum Step {
    /// Takes one request.
    Hear,
    Say(Vec<u8>),
    /// Says this again and again.
    Repeat(Vec<u8>),
    /// Says one byte at a time, slowly, for ever.
    Drip,
    Errors(usize),
    CloseInput,
    CloseOutput,
    /// Holds off every signal that can be held off.
    IgnoreSignals,
    Signal(Signal),
    /// Starts a process that has the pipes too and stays.
    Fork,
    Exit(i32),
}

use Step::*;

/// What a child does; after that it lives on and is deaf.
struct Misdeed {
    what: String,
    steps: Vec<Step>,
    /// Codes of starting and of the runs after it, up to the first that is not `ok`.
    expected: Vec<&'static str>,
}

// --------------------------------------------------------------------------------- what it says

fn head(major: u8, value: u64) -> Vec<u8> {
    let major = major << 5;
    let bytes = value.to_be_bytes();
    match value {
        0..24 => vec![major | bytes[7]],
        24..0x100 => vec![major | 24, bytes[7]],
        0x100..0x1_0000 => [&[major | 25], &bytes[6..]].concat(),
        0x1_0000..0x1_0000_0000 => [&[major | 26], &bytes[4..]].concat(),
        _ => [&[major | 27], &bytes[..]].concat(),
    }
}

fn number(value: i64) -> Vec<u8> {
    match u64::try_from(value) {
        Ok(value) => head(0, value),
        Err(_) => head(1, value.unsigned_abs() - 1),
    }
}

fn text(text: &str) -> Vec<u8> {
    [head(3, text.len() as u64), text.into()].concat()
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    [head(2, bytes.len() as u64), bytes.into()].concat()
}

fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries = entries
        .iter()
        .map(|(key, value)| [text(key), value.clone()].concat());
    [
        head(5, entries.len() as u64),
        entries.collect::<Vec<_>>().concat(),
    ]
    .concat()
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes(), body].concat()
}

fn raised(up: i64, landlock: i64) -> Vec<u8> {
    map(&[("up", number(up)), ("landlock", number(landlock))])
}

fn ready_with(raised: Vec<u8>) -> Vec<u8> {
    map(&[("ready", map(&[("raised", raised)]))])
}

const EVERY_WALL: i64 = (1 << Wall::ALL.len()) - 1;

fn ready() -> Vec<u8> {
    ready_with(raised(EVERY_WALL, 7))
}

fn loaded() -> Vec<u8> {
    text("loaded")
}

fn output(length: usize) -> Vec<u8> {
    map(&[("output", map(&[("bytes", bytes(&vec![7; length]))]))])
}

fn failed(fault: Vec<u8>) -> Vec<u8> {
    map(&[("failed", map(&[("fault", fault)]))])
}

fn exit_code(code: i64) -> Vec<u8> {
    failed(map(&[("exit-code", map(&[("code", number(code))]))]))
}

fn trap(kind: &str) -> Vec<u8> {
    failed(map(&[("trap", map(&[("kind", text(kind))]))]))
}

/// Says one whole frame.
fn say(body: Vec<u8>) -> Step {
    Say(frame(&body))
}

/// A conversation until just after a request, as an honest child leads it.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Prepare,
    Load,
    Run,
}

impl Asked {
    const ALL: [Self; 3] = [Self::Prepare, Self::Load, Self::Run];

    fn shown(self) -> &'static str {
        match self {
            Self::Prepare => "asked for its walls",
            Self::Load => "given the skill",
            Self::Run => "asked to run",
        }
    }

    fn steps(self) -> Vec<Step> {
        let mut steps = vec![Hear];
        if self != Self::Prepare {
            steps.extend([say(ready()), Hear]);
        }
        if self == Self::Run {
            steps.extend([say(loaded()), Hear]);
        }
        steps
    }

    fn misdeed(self, what: &str, steps: Vec<Step>, code: &'static str) -> Misdeed {
        let mut expected = vec![code];
        if self == Self::Run {
            expected.insert(0, "ok");
        }
        Misdeed {
            what: format!("when {}, a child {what}: {code}", self.shown()),
            steps: [self.steps(), steps].concat(),
            expected,
        }
    }
}

/// No answer at any time.
fn damage() -> Vec<(&'static str, Vec<u8>)> {
    let length = |length: u32| length.to_be_bytes().to_vec();
    let up_twice = [
        &[0xa2][..],
        &text("up"),
        &number(1),
        &text("up"),
        &number(1),
    ]
    .concat();
    let more = map(&[("bytes", bytes(b"x")), ("more", number(1))]);
    let list = [&[0x83][..], &[1, 2, 3]].concat();
    let mut lines = vec![
        (
            "speaks plain text",
            b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec(),
        ),
        ("announces no bytes", length(0)),
        (
            "announces a byte too many",
            length(MAX_FRAME_BYTES as u32 + 1),
        ),
        ("announces two gigabytes", length(1 << 31)),
        ("announces four gigabytes", length(u32::MAX)),
    ];
    let bodies = [
        ("says noise", vec![0x9f; 100]),
        ("says zeros", vec![0; 100]),
        ("says ones", vec![0xff; MAX_FRAME_BYTES]),
        ("says an unknown word", text("launch")),
        ("says an answer in capital letters", text("LOADED")),
        (
            "says an answer and a byte more",
            [loaded(), vec![0]].concat(),
        ),
        (
            "says two answers in one frame",
            [loaded(), loaded()].concat(),
        ),
        (
            "says an answer with a long form of its length",
            [&[0x78, 6][..], b"loaded"].concat(),
        ),
        (
            "says an answer in pieces",
            [&[0x7f, 0x66][..], b"loaded", &[0xff]].concat(),
        ),
        (
            "says a number in a long form",
            failed(map(&[("exit-code", map(&[("code", vec![0x18, 3])]))])),
        ),
        (
            "says its walls in another order",
            ready_with(map(&[("landlock", number(7)), ("up", number(EVERY_WALL))])),
        ),
        ("says a key twice", ready_with(up_twice)),
        ("says a key that nobody knows", map(&[("output", more)])),
        (
            "says output as a list",
            map(&[("output", map(&[("bytes", list)]))]),
        ),
        (
            "says output as text",
            map(&[("output", map(&[("bytes", text("x"))]))]),
        ),
        ("says nothing at all in a frame", vec![0xf6]),
        ("says something undefined", vec![0xf7]),
        ("says no number", vec![0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]),
        ("says a link", [&[0xd8, 42][..], &bytes(&[0, 1])].concat()),
        ("says lists inside each other", vec![0x81; MAX_FRAME_BYTES]),
        (
            "says maps inside each other",
            [&[0xa1][..], &text("a")].concat().repeat(2000),
        ),
        ("says tags inside each other", vec![0xc1; MAX_FRAME_BYTES]),
        (
            "claims a text of nine million million bytes",
            [&[0x7b, 0, 0, 8][..], &[0; 5]].concat(),
        ),
        (
            "claims bytes without number",
            [
                &[0xa1][..],
                &text("output"),
                &[0xa1],
                &text("bytes"),
                &[0x5b],
                &[0xff; 8],
            ]
            .concat(),
        ),
        (
            "claims a list without number",
            [&[0x9b][..], &[0xff; 8]].concat(),
        ),
        (
            "claims a map without number",
            [&[0xbb][..], &[0xff; 8]].concat(),
        ),
        ("says a text that is none", vec![0x62, 0xc3, 0x28]),
        ("says half a map", vec![0xa1, 0x66]),
    ];
    lines.extend(bodies.map(|(what, body)| (what, frame(&body))));
    lines
}

/// Ends of the process or of its pipe.
fn ends() -> Vec<(&'static str, Vec<Step>, &'static str)> {
    vec![
        ("exits", vec![Exit(0)], "child-died"),
        ("exits with an error", vec![Exit(101)], "child-died"),
        (
            "exits in the middle of a length",
            vec![Say(vec![0, 0]), Exit(0)],
            "child-died",
        ),
        (
            "exits in the middle of an answer",
            vec![Say(vec![0, 0, 0, 9, 0x66]), Exit(0)],
            "child-died",
        ),
        (
            "closes its output and lives on",
            vec![CloseOutput],
            "child-died",
        ),
        ("aborts", vec![Signal(Signal::SIGABRT)], "child-died"),
        (
            "runs an instruction that is none",
            vec![Signal(Signal::SIGILL)],
            "child-died",
        ),
        ("kills itself", vec![Signal(Signal::SIGKILL)], "child-died"),
        (
            "asks the system for something forbidden",
            vec![Signal(Signal::SIGSYS)],
            "wall-hit",
        ),
    ]
}

/// Answers that would be good at another time.
fn order() -> Vec<(Asked, &'static str, Vec<u8>, &'static str)> {
    let protocol = "child-protocol";
    vec![
        (
            Asked::Prepare,
            "says that the skill is loaded",
            loaded(),
            protocol,
        ),
        (
            Asked::Prepare,
            "says that the skill is refused",
            text("refused"),
            protocol,
        ),
        (Asked::Prepare, "says an output", output(1), protocol),
        (
            Asked::Prepare,
            "says that a run failed",
            failed(text("memory-limit")),
            protocol,
        ),
        (Asked::Load, "says its walls again", ready(), protocol),
        (Asked::Load, "says an output", output(1), protocol),
        (
            Asked::Load,
            "says that a run failed",
            failed(text("memory-limit")),
            protocol,
        ),
        (
            Asked::Load,
            "says that the skill is refused",
            text("refused"),
            "cannot-compile",
        ),
        (Asked::Run, "says its walls again", ready(), protocol),
        (
            Asked::Run,
            "says that the skill is loaded",
            loaded(),
            protocol,
        ),
        (
            Asked::Run,
            "says that the skill is refused",
            text("refused"),
            protocol,
        ),
        (
            Asked::Run,
            "says a byte more than the limit",
            output(LIMITS.output_bytes as usize + 1),
            protocol,
        ),
        (
            Asked::Run,
            "says the largest output of all",
            output(MAX_OUTPUT_BYTES),
            protocol,
        ),
        (
            Asked::Run,
            "says more than the largest output of all",
            output(MAX_OUTPUT_BYTES + 1),
            protocol,
        ),
    ]
}

/// Failures of a run that a child may or may not report.
fn faults() -> Vec<(String, Vec<u8>, &'static str)> {
    let mut lines: Vec<(String, Vec<u8>, &str)> = [
        "unreachable",
        "memory-out-of-bounds",
        "table-out-of-bounds",
        "null-call",
        "bad-signature",
        "integer-overflow",
        "division-by-zero",
        "bad-conversion",
        "other",
    ]
    .into_iter()
    .map(|kind| (format!("reports the trap {kind}"), trap(kind), "trap"))
    .collect();
    for (fault, code) in [
        ("memory-limit", "memory-limit"),
        ("stack-overflow", "stack-overflow"),
        ("output-too-large", "output-too-large"),
        ("engine", "child-died"),
        // These are for the parent to find out.
        ("timed-out", "child-protocol"),
        ("killed", "child-protocol"),
        ("wall-hit", "child-protocol"),
        ("child-died", "child-protocol"),
        ("input-too-large", "child-protocol"),
    ] {
        lines.push((format!("reports {fault}"), failed(text(fault)), code));
    }
    for (code, expected) in [
        (-1, "exit-code"),
        (0, "exit-code"),
        (i64::from(i32::MAX), "exit-code"),
        (1 << 31, "child-protocol"),
        (i64::MIN, "child-protocol"),
    ] {
        lines.push((
            format!("reports the exit code {code}"),
            exit_code(code),
            expected,
        ));
    }
    lines.push((
        "reports a trap that nobody knows".into(),
        trap("escape"),
        "child-protocol",
    ));
    lines.push((
        "reports a trap of no kind".into(),
        failed(text("trap")),
        "child-protocol",
    ));
    lines
}

/// Reports of walls.
fn walls() -> Vec<(String, Vec<u8>, &'static str)> {
    let protocol = "child-protocol";
    let mut lines: Vec<(String, Vec<u8>, &str)> = [
        ("a wall that does not exist", raised(EVERY_WALL + 1, 7)),
        ("every wall and one more", raised(2 * EVERY_WALL + 1, 7)),
        ("the thirty-second wall", raised(1 << 31, 7)),
        ("more walls than a number holds", raised(1 << 32, 7)),
        ("fewer than no walls", raised(-1, 7)),
        ("a Landlock beyond its range", raised(EVERY_WALL, 256)),
        ("a negative Landlock", raised(EVERY_WALL, -1)),
        ("no Landlock", map(&[("up", number(EVERY_WALL))])),
        ("nothing but Landlock", map(&[("landlock", number(7))])),
        ("an empty report", map(&[])),
        ("a report in words", text("every wall")),
    ]
    .map(|(what, raised)| (format!("claims {what}"), ready_with(raised), protocol))
    .into();
    lines.push((
        "says that it is ready and no more".into(),
        text("ready"),
        protocol,
    ));
    // Where all of them are expected.
    if EXPECTED_WALLS == Wall::ALL {
        const MISSING: [&str; 10] = [
            "wall-missing closed-files",
            "wall-missing empty-environment",
            "wall-missing lowest-priority",
            "wall-missing no-capabilities",
            "wall-missing no-new-privileges",
            "wall-missing not-dumpable",
            "wall-missing ends-with-parent",
            "wall-missing landlock",
            "wall-missing resource-limits",
            "wall-missing system-calls",
        ];
        for (bit, code) in MISSING.into_iter().enumerate() {
            let report = ready_with(raised(EVERY_WALL & !(1 << bit), 7));
            lines.push((format!("is without wall number {bit}"), report, code));
        }
        let report = ready_with(raised(EVERY_WALL, 0));
        lines.push((
            "claims a Landlock of no version".into(),
            report,
            "wall-missing landlock",
        ));
        let report = ready_with(raised(0, 7));
        lines.push(("has no wall".into(), report, "wall-missing closed-files"));
    }
    lines
}

/// Whole conversations.
fn conversations() -> Vec<(&'static str, Vec<Step>, Vec<&'static str>)> {
    let at_run = |steps: Vec<Step>| [Asked::Run.steps(), steps].concat();
    let (mut half, mut slow) = (frame(&output(100)), frame(&output(100)));
    half.truncate(50);
    slow.truncate(4);
    let timed_out = || vec!["ok", "timed-out"];
    vec![
        // These two wait for the time of starting and compiling, which is fixed.
        (
            "a child that says nothing at all is ended by its time",
            vec![],
            vec!["timed-out"],
        ),
        (
            "a child that does not take the skill is ended by its time",
            vec![Hear, say(ready())],
            vec!["timed-out"],
        ),
        (
            "a child that gives no output is ended by its time",
            at_run(vec![]),
            timed_out(),
        ),
        (
            "a child that gives half an output is ended by its time",
            at_run(vec![Say(half)]),
            timed_out(),
        ),
        (
            "a child that gives its output too slowly is ended by its time",
            at_run(vec![Say(slow), Drip]),
            timed_out(),
        ),
        (
            "a child that holds off every signal is ended by its time",
            at_run(vec![IgnoreSignals]),
            timed_out(),
        ),
        (
            "a child that stops itself is ended by its time",
            at_run(vec![Signal(Signal::SIGSTOP)]),
            timed_out(),
        ),
        (
            "a child that leaves its pipes to another process is ended by its time",
            at_run(vec![Fork, Exit(0)]),
            timed_out(),
        ),
        (
            "a child that stops itself after its output is ended at the next run",
            at_run(vec![say(output(1)), Signal(Signal::SIGSTOP)]),
            vec!["ok", "ok", "timed-out"],
        ),
        (
            "a child that closes its input and lives on has died",
            at_run(vec![CloseInput, say(output(1))]),
            vec!["ok", "ok", "child-died"],
        ),
        (
            "a flood of errors goes nowhere",
            [
                vec![Errors(10 << 20)],
                at_run(vec![say(output(1)), Exit(0)]),
            ]
            .concat(),
            vec!["ok", "ok", "child-died"],
        ),
        (
            "answers before the questions are bytes and no more",
            vec![say(ready()), say(loaded()), say(output(1)), say(output(2))],
            vec!["ok", "ok", "ok", "timed-out"],
        ),
        (
            "a second output for one run is the next run's answer and no more",
            at_run(vec![say(output(1)), say(output(1)), Hear, Hear, Exit(0)]),
            vec!["ok", "ok", "ok", "child-died"],
        ),
        (
            "an endless row of outputs ends with the child",
            at_run(vec![Repeat(frame(&output(4096)))]),
            vec!["ok", "ok", "ok", "ok"],
        ),
        (
            "an endless row of zeros is no answer",
            at_run(vec![Repeat(vec![0; 4096])]),
            vec!["ok", "child-protocol"],
        ),
        (
            "an endless row of zeros behind an output is no answer",
            at_run(vec![say(output(1)), Repeat(vec![0; 4096])]),
            vec!["ok", "ok", "child-protocol"],
        ),
        (
            "loaded twice is an answer too many",
            vec![Hear, say(ready()), Hear, say(loaded()), say(loaded())],
            vec!["ok", "child-protocol"],
        ),
        (
            "ready twice is an answer too many",
            vec![Hear, say(ready()), say(ready())],
            vec!["child-protocol"],
        ),
        (
            "an output of as many bytes as allowed is taken",
            at_run(vec![say(output(4096)), Exit(0)]),
            vec!["ok", "ok", "child-died"],
        ),
        (
            "an empty output is taken",
            at_run(vec![say(output(0)), Exit(0)]),
            vec!["ok", "ok", "child-died"],
        ),
    ]
}

/// The same list in the parent and in the child.
fn misdeeds() -> Vec<Misdeed> {
    let mut misdeeds: Vec<Misdeed> = conversations()
        .into_iter()
        .map(|(what, steps, expected)| Misdeed {
            what: what.into(),
            steps,
            expected,
        })
        .collect();
    for asked in Asked::ALL {
        for (what, bytes) in damage() {
            misdeeds.push(asked.misdeed(what, vec![Say(bytes)], "child-protocol"));
        }
        for (what, steps, code) in ends() {
            misdeeds.push(asked.misdeed(what, steps, code));
        }
    }
    for (asked, what, body, code) in order() {
        misdeeds.push(asked.misdeed(what, vec![say(body)], code));
    }
    for (what, body, code) in faults() {
        misdeeds.push(Asked::Run.misdeed(&what, vec![say(body)], code));
    }
    for (what, body, code) in walls() {
        misdeeds.push(Asked::Prepare.misdeed(&what, vec![say(body)], code));
    }
    misdeeds
}

// -------------------------------------------------------------------------------- what it does

/// Arguments: which misdeed, and a file for the numbers of its processes.
pub fn fake_main(args: &[String]) -> ExitCode {
    // Nothing of this is left over, not even when the test itself is ended.
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).unwrap();
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0).unwrap();
    let misdeed: usize = args[0].parse().unwrap();
    let file = Path::new(&args[1]);
    note(file, std::process::id());
    for step in misdeeds().swap_remove(misdeed).steps {
        act(step, file);
    }
    deaf()
}

fn note(file: &Path, pid: u32) {
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .unwrap();
    writeln!(file, "{pid}").unwrap();
}

fn deaf() -> ! {
    loop {
        std::thread::park();
    }
}

// It must outlive this process.
#[allow(clippy::zombie_processes)]
fn act(step: Step, file: &Path) {
    let mut stdout = std::io::stdout().lock();
    // Whether anybody listens is not this program's business.
    let mut speak = |bytes: &[u8]| stdout.write_all(bytes).and_then(|()| stdout.flush());
    match step {
        Hear => {
            let mut stdin = std::io::stdin().lock();
            let mut header = [0; 4];
            stdin.read_exact(&mut header).unwrap();
            let mut body = vec![0; u32::from_be_bytes(header) as usize];
            stdin.read_exact(&mut body).unwrap();
        }
        Say(bytes) => drop(speak(&bytes)),
        Repeat(bytes) => while speak(&bytes).is_ok() {},
        Drip => {
            while speak(&[0]).is_ok() {
                std::thread::park_timeout(std::time::Duration::from_millis(20));
            }
        }
        Errors(length) => std::io::stderr().write_all(&vec![b'x'; length]).unwrap(),
        CloseInput => nix::unistd::close(0).unwrap(),
        CloseOutput => nix::unistd::close(1).unwrap(),
        IgnoreSignals => SigSet::all().thread_block().unwrap(),
        Step::Signal(signal) => raise(signal).unwrap(),
        Fork => {
            let mut other = std::process::Command::new("sleep");
            let other = other.arg("600").stderr(Stdio::null()).spawn().unwrap();
            note(file, other.id());
        }
        Exit(code) => std::process::exit(code),
    }
}

// ----------------------------------------------------------------------------- the other side

fn shown(failure: &Failure) -> String {
    match failure {
        Failure::WallMissing(wall) => format!("{} {}", failure.code(), wall.code()),
        other => other.code().to_owned(),
    }
}

/// Codes of starting and of running until something is not as it should be.
async fn converse(command: &Command, limits: &ResourceLimits, module: &[u8]) -> Vec<String> {
    let mut child = match spawn(command, module, limits, Requirement::All).await {
        Ok(child) => child,
        Err(SpawnError::Failed(failure)) => return vec![shown(&failure)],
        Err(refused) => return vec![refused.code().to_owned()],
    };
    let mut codes = vec!["ok".to_owned()];
    for _ in 0..RUNS {
        match child.run(b"input", 1).await {
            Ok(output) => {
                assert!(output.len() <= limits.output_bytes as usize);
                codes.push("ok".to_owned());
            }
            Err(failure) => {
                codes.push(shown(&failure));
                assert!(!child.is_alive());
                // There is no way back.
                assert_eq!(child.run(b"input", 1).await, Err(Failure::ChildDied));
                break;
            }
        }
    }
    codes
}

fn check(index: usize, expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("processes");
    let command = Command {
        program: std::env::current_exe().unwrap(),
        args: vec![
            FAKE_ARG.into(),
            index.to_string().into(),
            file.clone().into(),
        ],
    };
    let mut limits = LIMITS;
    let mut module = skill(ECHO);
    if expected.last() == Some(&"timed-out") {
        limits.segment_wall_ms = SHORT_MS;
    }
    if expected == ["timed-out"] {
        // More than a pipe holds, so that the parent waits already while it writes.
        module = skill_with(&format!(r#"(data "{}")"#, "x".repeat(1 << 20)), ECHO);
    }
    let codes = wait(converse(&command, &limits, &module));
    let processes = std::fs::read_to_string(&file).unwrap();
    let mut processes = processes.lines().map(|line| line.parse::<i32>().unwrap());
    let child = processes.next().unwrap();
    // What it started itself, which no child with walls can.
    for other in processes {
        let _ = kill(Pid::from_raw(other), Signal::SIGKILL);
    }
    assert_eq!(codes, expected);
    wait_until_gone(child.cast_unsigned());
}

pub fn cases() -> Vec<Case> {
    let misdeeds = misdeeds().into_iter().enumerate();
    misdeeds
        .map(|(index, misdeed)| case(misdeed.what, move || check(index, &misdeed.expected)))
        .collect()
}
