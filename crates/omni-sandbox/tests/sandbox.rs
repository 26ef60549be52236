//! The sandbox with real child processes: this test program is its own child, and also plays
//! hostile children and a parent that dies.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[cfg(target_os = "linux")]
mod native;

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Failed, Trial};
use omni_sandbox::{
    CHILD_ARG, Child, Command, Failure, MAX_FUNCTIONS, MAX_MODULE_BYTES, Refusal, Requirement,
    SpawnError, TrapKind, Wall, admit, child_main, probe, spawn,
};
use omni_types::{ResourceLimits, seed::splitmix64, work::MAX_INPUT_BYTES};

const FAKE_ARG: &str = "__fake-child";
const PARENT_ARG: &str = "__dying-parent";
/// Longest that any condition may take to come true.
const DEADLINE: Duration = Duration::from_secs(20);

const LIMITS: ResourceLimits = ResourceLimits {
    memory_bytes: 4 << 20,
    output_bytes: 4096,
    segment_wall_ms: 20_000,
};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some(CHILD_ARG) => return child_main(),
        Some(FAKE_ARG) => return fake_child(&args[2..]),
        Some(PARENT_ARG) => return dying_parent(args[2] == "paused"),
        #[cfg(target_os = "linux")]
        Some(native::PROBE_ARG) => return native::probe_main(&args[2..]),
        #[cfg(target_os = "linux")]
        Some(native::PROBE_PARENT_ARG) => return native::probe_parent_main(&args[2..]),
        _ => {}
    }
    let arguments = Arguments::from_args();
    let mut trials = refusals();
    trials.extend(outcomes());
    trials.extend(fakes());
    trials.push(trial(
        "the catalogue's skills give the bytes of their vectors",
        catalogue_vectors,
    ));
    // These watch processes through /proc.
    if cfg!(target_os = "linux") {
        trials.extend(lives());
    }
    #[cfg(target_os = "linux")]
    trials.extend(native::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}

// ---------------------------------------------------------------------------------- equipment

fn trial(name: impl Into<String>, check: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        check();
        Ok::<(), Failed>(())
    })
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn module(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A skill with every import, 128 KiB of memory, and `body` as its program.
fn skill(body: &str) -> Vec<u8> {
    module(&format!(
        r#"(module
            {IMPORTS}
            (memory (export "memory") 2)
            (global $global (mut i32) (i32.const 0))
            ;; Writes `len` bytes at `ptr` to standard output, by the list at 0.
            (func $print (param $ptr i32) (param $len i32)
                (i32.store (i32.const 0) (local.get $ptr))
                (i32.store (i32.const 4) (local.get $len))
                (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
            (func $deep (param i32) (result i32)
                (i32.add (i32.const 1) (call $deep (i32.add (local.get 0) (i32.const 1)))))
            (func (export "_start") {body}))"#
    ))
}

const IMPORTS: &str = r#"
    (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $fd_fdstat_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_prestat_get" (func $fd_prestat_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $fd_prestat_dir_name (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_seek" (func $fd_seek (param i32 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "sched_yield" (func $sched_yield (result i32)))"#;

const LOOP: &str = "(loop $again (br $again))";
const GROW: &str = "(loop $again
    (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))";
/// Everything on standard input to standard output.
const ECHO: &str = "
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 70000))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $print (i32.const 1024) (i32.load (i32.const 8)))";

async fn ready(module: &[u8], limits: &ResourceLimits) -> Child {
    let command = Command::current_exe().unwrap();
    spawn(&command, module, limits, Requirement::All)
        .await
        .unwrap()
}

fn run_once(module: &[u8], input: &[u8], seed: u64) -> Result<Vec<u8>, Failure> {
    wait(async { ready(module, &LIMITS).await.run(input, seed).await })
}

/// State letter of a process, `R` when any of its threads runs; `None` when it is gone or only waits
/// to be reaped.
fn process_state(pid: u32) -> Option<char> {
    let state = |stat: PathBuf| {
        let stat = std::fs::read_to_string(stat).ok()?;
        stat[stat.rfind(')')? + 1..].trim().chars().next()
    };
    let process = PathBuf::from(format!("/proc/{pid}"));
    let main = state(process.join("stat"))?;
    let runs = std::fs::read_dir(process.join("task"))
        .ok()?
        .flatten()
        .any(|thread| state(thread.path().join("stat")) == Some('R'));
    (!matches!(main, 'Z' | 'X')).then_some(if runs { 'R' } else { main })
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < DEADLINE, "never came true: {what}");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

fn wait_until_gone(pid: u32) {
    wait_until("the process is gone", || process_state(pid).is_none());
}

// ----------------------------------------------------------------------------------- admission

fn refusals() -> Vec<Trial> {
    let import = |what: &str| {
        module(&format!(
            r#"(module (import {what}) (memory (export "memory") 1) (func (export "_start")))"#
        ))
    };
    let not_allowed = |module: &str, name: &str| Refusal::ImportNotAllowed {
        module: module.into(),
        name: name.into(),
    };
    let many = |what: &str, count: u32| what.repeat(count as usize);
    let rest = r#"(memory (export "memory") 1) (func (export "_start"))"#;
    let with = |more: &str| module(&format!("(module {rest} {more})"));
    let wasi = "wasi_snapshot_preview1";
    let mut trailing = with("");
    trailing.push(0xff);
    let mut cut = skill(ECHO);
    cut.truncate(cut.len() - 3);
    let cases = [
        (
            "a function of another module",
            import(r#""env" "system" (func)"#),
            not_allowed("env", "system"),
        ),
        (
            "a file function",
            import(&format!(r#""{wasi}" "path_open" (func)"#)),
            not_allowed(wasi, "path_open"),
        ),
        (
            "a socket function",
            import(&format!(r#""{wasi}" "sock_accept" (func)"#)),
            not_allowed(wasi, "sock_accept"),
        ),
        (
            "an imported memory",
            module(
                r#"(module (import "env" "memory" (memory 1)) (export "memory" (memory 0)) (func (export "_start")))"#,
            ),
            not_allowed("env", "memory"),
        ),
        (
            "an imported global",
            import(&format!(r#""{wasi}" "fd_read" (global i32)"#)),
            not_allowed(wasi, "fd_read"),
        ),
        (
            "an imported table",
            import(&format!(r#""{wasi}" "table" (table 1 funcref)"#)),
            not_allowed(wasi, "table"),
        ),
        (
            "an allowed name with other parameters",
            import(&format!(r#""{wasi}" "fd_write" (func)"#)),
            Refusal::ImportSignature { name: "fd_write" },
        ),
        ("garbage", b"this is no module".to_vec(), Refusal::Malformed),
        ("nothing", Vec::new(), Refusal::Malformed),
        ("a module cut short", cut, Refusal::Malformed),
        ("a module with trailing bytes", trailing, Refusal::Malformed),
        (
            "a component",
            b"\0asm\x0d\0\x01\0".to_vec(),
            Refusal::Malformed,
        ),
        (
            "an invalid body",
            module(
                r#"(module (memory (export "memory") 1) (func (export "_start") i32.add drop))"#,
            ),
            Refusal::Malformed,
        ),
        (
            "too many bytes",
            vec![0; MAX_MODULE_BYTES + 1],
            Refusal::TooLarge,
        ),
        (
            "no _start",
            module(r#"(module (memory (export "memory") 1))"#),
            Refusal::NoEntry,
        ),
        (
            "a _start with a parameter",
            module(r#"(module (memory (export "memory") 1) (func (export "_start") (param i32)))"#),
            Refusal::NoEntry,
        ),
        (
            "a _start that is a global",
            module(
                r#"(module (memory (export "memory") 1) (global (export "_start") i32 (i32.const 0)))"#,
            ),
            Refusal::NoEntry,
        ),
        (
            "no memory",
            module(r#"(module (func (export "_start")))"#),
            Refusal::NoMemory,
        ),
        (
            "a memory that is not exported",
            module(r#"(module (memory 1) (func (export "_start")))"#),
            Refusal::NoMemory,
        ),
        (
            "a start section",
            with("(func $run) (start $run)"),
            Refusal::StartFunction,
        ),
        ("two memories", with("(memory 1)"), Refusal::TooManyMemories),
        (
            "a 64-bit memory",
            module(r#"(module (memory (export "memory") i64 1) (func (export "_start")))"#),
            Refusal::Malformed,
        ),
        (
            "a shared memory",
            module(r#"(module (memory (export "memory") 1 1 shared) (func (export "_start")))"#),
            Refusal::Malformed,
        ),
        (
            "atomic instructions",
            with("(func (drop (i32.atomic.load (i32.const 0))))"),
            Refusal::Malformed,
        ),
        (
            "relaxed SIMD",
            with(
                "(func (param v128 v128 v128) (result v128) (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2)))",
            ),
            Refusal::Malformed,
        ),
        ("exceptions", with("(tag)"), Refusal::Malformed),
        (
            "too much memory",
            module(r#"(module (memory (export "memory") 65) (func (export "_start")))"#),
            Refusal::MemoryTooLarge,
        ),
        (
            "too many functions",
            with(&many("(func)", MAX_FUNCTIONS)),
            Refusal::TooManyFunctions,
        ),
        (
            "a function too large",
            with(&format!("(func {})", many("nop ", 600_000))),
            Refusal::FunctionTooLarge,
        ),
        (
            "too many tables",
            with(&many("(table 1 funcref)", 5)),
            Refusal::TooManyTables,
        ),
        (
            "a table too large",
            with("(table 100001 funcref)"),
            Refusal::TableTooLarge,
        ),
    ];
    let mut trials: Vec<Trial> = cases
        .into_iter()
        .map(|(name, module, expected)| {
            trial(format!("refused: {name}"), move || {
                // The program does not exist: a refused module never gets as far as a process.
                let command = Command {
                    program: "/nonexistent".into(),
                    args: Vec::new(),
                };
                let refused =
                    wait(spawn(&command, &module, &LIMITS, Requirement::All)).unwrap_err();
                assert_eq!(refused, SpawnError::Refused(expected));
                assert!(!refused.to_string().is_empty());
            })
        })
        .collect();
    trials.push(trial(
        "every prefix and flipped byte of a module is answered",
        || {
            let good = skill(ECHO);
            assert_eq!(admit(&good).unwrap().memory_min_bytes(), 128 << 10);
            for length in 0..good.len() {
                let _ = admit(&good[..length]);
                let mut flipped = good.clone();
                flipped[length] ^= 0x55;
                let _ = admit(&flipped);
            }
        },
    ));
    trials.push(trial("a missing program cannot start", || {
        let command = Command {
            program: "/nonexistent".into(),
            args: Vec::new(),
        };
        let failed = wait(spawn(&command, &skill(ECHO), &LIMITS, Requirement::All)).unwrap_err();
        assert_eq!(failed, SpawnError::Failed(Failure::CannotStart));
    }));
    trials
}

// ------------------------------------------------------------------------------------ outcomes

fn outcomes() -> Vec<Trial> {
    let exit = |code: i32| format!("(call $proc_exit (i32.const {code}))");
    let flood = |fd: u32| {
        format!(
            "(local $n i32)
            (i32.store (i32.const 0) (i32.const 0))
            (i32.store (i32.const 4) (i32.const 65536))
            (loop $again
                (drop (call $fd_write (i32.const {fd}) (i32.const 0) (i32.const 1) (i32.const 8)))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $n) (i32.const 1000))))"
        )
    };
    let trap = |kind| Err(Failure::Trap(kind));
    type Case = (&'static str, String, Result<Vec<u8>, Failure>);
    let cases: Vec<Case> = vec![
        ("nothing written is an empty output", String::new(), Ok(Vec::new())),
        ("seed and input are the standard input", ECHO.into(), Ok(b"\x2a\0\0\0\0\0\0\0input".to_vec())),
        ("exit code 0 keeps the output", format!("{ECHO} {} unreachable", exit(0)), Ok(b"\x2a\0\0\0\0\0\0\0input".to_vec())),
        ("exit code 3", exit(3), Err(Failure::ExitCode(3))),
        ("exit code -1", exit(-1), Err(Failure::ExitCode(-1))),
        ("unreachable", "unreachable".into(), trap(TrapKind::Unreachable)),
        ("division by zero", "(drop (i32.div_u (i32.const 1) (i32.load (i32.const 64))))".into(), trap(TrapKind::DivisionByZero)),
        ("integer overflow", "(drop (i32.div_s (i32.const 0x80000000) (i32.sub (i32.load (i32.const 64)) (i32.const 1))))".into(), trap(TrapKind::IntegerOverflow)),
        ("bad conversion", "(drop (i32.trunc_f64_s (f64.const nan)))".into(), trap(TrapKind::BadConversion)),
        ("a load outside the memory", "(drop (i32.load (i32.const 131072)))".into(), trap(TrapKind::MemoryOutOfBounds)),
        ("a store far outside the memory", "(i32.store (i32.const -4) (i32.const 1))".into(), trap(TrapKind::MemoryOutOfBounds)),
        ("endless recursion", "(drop (call $deep (i32.const 0)))".into(), Err(Failure::StackOverflow)),
        ("endless growth and a trap", format!("{GROW} unreachable"), Err(Failure::MemoryLimit)),
        ("endless growth and an exit code", format!("{GROW} {}", exit(1)), Err(Failure::MemoryLimit)),
        ("growth denied and borne", format!("{GROW} (i32.store (i32.const 64) (memory.size)) (call $print (i32.const 64) (i32.const 1))"), Ok(vec![64])),
        ("growth beyond all bounds", "(if (i32.ne (memory.grow (i32.const -1)) (i32.const -1)) (then unreachable))".into(), Ok(Vec::new())),
        ("a flood of output", flood(1), Err(Failure::OutputTooLarge)),
        ("a flood of errors goes nowhere", flood(2), Ok(Vec::new())),
        ("the largest output", "(call $print (i32.const 1024) (i32.const 4096))".into(), Ok(vec![0; 4096])),
        ("one byte more", "(call $print (i32.const 1024) (i32.const 4097))".into(), Err(Failure::OutputTooLarge)),
        ("no arguments and no environment", "
            (i64.store (i32.const 64) (i64.const -1)) (i64.store (i32.const 72) (i64.const -1))
            (drop (call $args_sizes_get (i32.const 64) (i32.const 68)))
            (drop (call $environ_sizes_get (i32.const 72) (i32.const 76)))
            (call $print (i32.const 64) (i32.const 16))".into(), Ok(vec![0; 16])),
        ("the clock stands still in the year 2000", "
            (drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 64)))
            (drop (call $sched_yield))
            (drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 72)))
            (call $print (i32.const 64) (i32.const 16))".into(), Ok([946_684_800_000_000_000u64.to_le_bytes(); 2].concat())),
        ("random numbers follow from the seed", "
            (drop (call $random_get (i32.const 64) (i32.const 12)))
            (call $print (i32.const 64) (i32.const 12))".into(), Ok([splitmix64(42, 0).to_le_bytes(), splitmix64(42, 1).to_le_bytes()].concat()[..12].to_vec())),
        ("a NaN has the same bits everywhere", "
            (f64.store (i32.const 64) (f64.div (f64.load (i32.const 80)) (f64.load (i32.const 80))))
            (call $print (i32.const 64) (i32.const 8))".into(), Ok(f64::from_bits(0x7ff8_0000_0000_0000).to_le_bytes().to_vec())),
        ("hostile pointers are answered with error numbers", hostile_pointers(), Ok(Vec::new())),
    ];
    cases
        .into_iter()
        .map(|(name, body, expected)| {
            trial(format!("outcome: {name}"), move || {
                assert_eq!(run_once(&skill(&body), b"input", 42), expected);
            })
        })
        .collect()
}

/// Calls every function with bad numbers and exits with the number of the first case (from 1) whose
/// answer is not the expected one.
fn hostile_pointers() -> String {
    const BADF: u32 = 8;
    const FAULT: u32 = 21;
    const INVAL: u32 = 28;
    const SPIPE: u32 = 70;
    // Lists: at 16 a good one; at 32 a bad pointer; at 48 a bad length; at 64 both, wrapping round.
    let mut body = String::from(
        "(i64.store (i32.const 16) (i64.const 0x0000000400000400))
         (i64.store (i32.const 32) (i64.const 0x0000000480000000))
         (i64.store (i32.const 48) (i64.const 0xffffffff00000400))
         (i64.store (i32.const 64) (i64.const 0xffffffffffffffff))",
    );
    let mut calls = vec![
        ("fd_close -1".to_owned(), BADF),
        ("clock_time_get 99 0 80".into(), INVAL),
        ("random_get 0 -1".into(), FAULT),
        ("fd_seek 0 -1 0 80".into(), SPIPE),
        ("fd_fdstat_get 9 80".into(), BADF),
    ];
    for (good, call) in [(0, "fd_read"), (1, "fd_write"), (2, "fd_write")] {
        calls.push((format!("{call} 7 16 1 80"), BADF));
        calls.push((format!("{call} {good} 16 2147483647 80"), INVAL));
        calls.push((format!("{call} {good} 16 -1 80"), INVAL));
        for list in [32, 48, 64] {
            calls.push((format!("{call} {good} {list} 1 80"), FAULT));
        }
    }
    calls.push(("fd_read 1 16 1 80".into(), BADF));
    calls.push(("fd_write 0 16 1 80".into(), BADF));
    for bad in ["-1", "-4", "-8", "2147483647", "-2147483648", "131070"] {
        for (call, errno) in [
            ("fd_read 0 BAD 1 80", FAULT),
            ("fd_read 0 BAD 1024 80", FAULT),
            ("fd_read 0 16 1 BAD", FAULT),
            ("fd_write 1 BAD 1 80", FAULT),
            ("fd_write 1 16 1 BAD", FAULT),
            ("fd_write 2 BAD 1024 BAD", FAULT),
            ("random_get BAD 16", FAULT),
            ("random_get BAD BAD", FAULT),
            ("clock_time_get 0 0 BAD", FAULT),
            ("args_sizes_get BAD 80", FAULT),
            ("args_sizes_get 80 BAD", FAULT),
            ("environ_sizes_get BAD BAD", FAULT),
            ("args_get BAD BAD", 0),
            ("environ_get BAD BAD", 0),
            ("fd_fdstat_get 0 BAD", FAULT),
            ("fd_prestat_get 3 BAD", BADF),
            ("fd_prestat_dir_name 3 BAD BAD", BADF),
            ("fd_seek BAD BAD BAD BAD", BADF),
            ("fd_close BAD", BADF),
        ] {
            calls.push((call.replace("BAD", bad), errno));
        }
    }
    for (index, (call, errno)) in calls.iter().enumerate() {
        let mut words = call.split(' ');
        let name = words.next().unwrap();
        let wide = matches!(name, "fd_seek" | "clock_time_get");
        let args: String = words
            .enumerate()
            .map(|(position, word)| {
                let ty = if wide && position == 1 { "i64" } else { "i32" };
                format!("({ty}.const {word})")
            })
            .collect();
        let case = index + 1;
        body += &format!(
            "(if (i32.ne (call ${name} {args}) (i32.const {errno}))
                (then (call $proc_exit (i32.const {case}))))\n"
        );
    }
    body
}

// ------------------------------------------------------------------------------ hostile children

/// Plays a child that misbehaves: `mode`, and a file to leave the process id in.
fn fake_child(args: &[String]) -> ExitCode {
    let frame = |body: &[u8]| [&(body.len() as u32).to_be_bytes(), body].concat();
    // Claims the walls of these bits and Landlock's seventh version.
    let walls = |bits: u8| {
        let body = b"\xa1\x65ready\xa1\x66raised\xa2\x62up\x19\x03\xff\x68landlock\x07";
        let mut ready = frame(body);
        *ready.iter_mut().rfind(|byte| **byte == 0xff).unwrap() = bits;
        ready
    };
    let ready = walls(0xff);
    let loaded = [ready.clone(), frame(b"\x66loaded")].concat();
    let missing_one = walls(0xfe);
    let bytes: Vec<u8> = match args[0].trim_start_matches("ready-") {
        "text" => b"Hello! I am not the program you are looking for.\n".to_vec(),
        "huge" => vec![0xff; 64],
        "empty" => vec![0; 4],
        "noise" => frame(&[0x9f; 100]),
        "unknown" => frame(b"\x66launch"),
        "long-integer" => {
            frame(b"\xa1\x66failed\xa1\x65fault\xa1\x69exit-code\xa1\x64code\x18\x03")
        }
        "eager" => frame(b"\xa1\x66output\xa1\x65bytes\x41\x00"),
        "loaded" => frame(b"\x66loaded"),
        "twice" => ready.clone(),
        "unknown-walls" => {
            let body = b"\xa1\x65ready\xa1\x66raised\xa2\x62up\x1a\x80\0\x03\xff\x68landlock\x07";
            frame(body)
        }
        "wall-missing" => missing_one,
        "wall-missing-loaded" => [missing_one, frame(b"\x66loaded")].concat(),
        "loaded-twice" => [loaded, frame(b"\x66loaded")].concat(),
        "loaded-ready" => [loaded, ready.clone()].concat(),
        "flood" => {
            let body = [&b"\xa1\x66output\xa1\x65bytes\x59\x20\x00"[..], &[7; 8192]].concat();
            [loaded, frame(&body)].concat()
        }
        "silent-run" => loaded,
        "half" => b"\0\0".to_vec(),
        "end" | "silent" => Vec::new(),
        other => panic!("no such mode: {other}"),
    };
    let bytes = if args[0].starts_with("ready-") {
        [ready, bytes].concat()
    } else {
        bytes
    };
    if let Some(file) = args.get(1) {
        std::fs::write(file, std::process::id().to_string()).unwrap();
    }
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&bytes).unwrap();
    stdout.flush().unwrap();
    if !args[0].ends_with("end") && !args[0].ends_with("half") {
        // Alive and deaf, whatever the parent sends or closes.
        loop {
            std::thread::park();
        }
    }
    // Only after the request has been taken, so that the parent sees the answer and not a closed pipe.
    let mut header = [0; 4];
    std::io::stdin().read_exact(&mut header).unwrap();
    ExitCode::SUCCESS
}

fn fake(mode: &str) -> Command {
    Command {
        program: std::env::current_exe().unwrap(),
        args: vec![FAKE_ARG.into(), mode.into()],
    }
}

fn fakes() -> Vec<Trial> {
    let damaged = [
        ("text", Failure::ChildProtocol),
        ("huge", Failure::ChildProtocol),
        ("empty", Failure::ChildProtocol),
        ("noise", Failure::ChildProtocol),
        ("unknown", Failure::ChildProtocol),
        ("long-integer", Failure::ChildProtocol),
        ("eager", Failure::ChildProtocol),
        ("half", Failure::ChildDied),
        ("end", Failure::ChildDied),
    ];
    let at_start = [
        ("loaded", Failure::ChildProtocol),
        ("unknown-walls", Failure::ChildProtocol),
        ("wall-missing", Failure::WallMissing(Wall::ClosedFiles)),
    ];
    let at_load = damaged
        .map(|(mode, expected)| (format!("ready-{mode}"), expected))
        .into_iter()
        .chain([("ready-twice".into(), Failure::ChildProtocol)]);
    let at_start = damaged
        .into_iter()
        .chain(at_start)
        .map(|(mode, expected)| (mode.to_owned(), expected));
    let at_load = at_start.chain(at_load).map(|(mode, expected)| {
        trial(format!("fake child at load: {mode}"), move || {
            let failed = wait(spawn(&fake(&mode), &skill(ECHO), &LIMITS, Requirement::All));
            assert_eq!(failed.unwrap_err(), SpawnError::Failed(expected));
        })
    });
    let at_run = [
        ("loaded-twice", Failure::ChildProtocol),
        ("loaded-ready", Failure::ChildProtocol),
        ("flood", Failure::ChildProtocol),
        ("silent-run", Failure::TimedOut),
    ]
    .map(|(mode, expected)| {
        trial(format!("fake child at run: {mode}"), move || {
            wait(async {
                let limits = ResourceLimits {
                    segment_wall_ms: if mode == "silent-run" { 300 } else { 20_000 },
                    ..LIMITS
                };
                let mut child = spawn(&fake(mode), &skill(ECHO), &limits, Requirement::All)
                    .await
                    .unwrap();
                // The silent one gets more than a pipe holds and never reads, so writing blocks too.
                let length = if mode == "silent-run" {
                    MAX_INPUT_BYTES
                } else {
                    1
                };
                let input = vec![1; length];
                assert_eq!(child.run(&input, 1).await, Err(expected));
                assert_eq!(process_state(child.control().pid()), None);
                assert_eq!(child.run(&input, 1).await, Err(Failure::ChildDied));
            });
        })
    });
    let mut trials: Vec<Trial> = at_load.chain(at_run).collect();
    trials.push(trial("a fake child's missing wall can be accepted", || {
        wait(async {
            let command = fake("wall-missing-loaded");
            let limits = ResourceLimits {
                segment_wall_ms: 200,
                ..LIMITS
            };
            let module = skill(ECHO);
            let accepted = spawn(&command, &module, &limits, Requirement::WhatThereIs);
            let child = accepted.await.unwrap();
            assert_eq!(child.walls().missing(), [Wall::ClosedFiles]);
            assert!(!child.walls().all_up());
            let report = probe(&command).await.unwrap();
            assert_eq!(&report, child.walls());
        });
    }));
    trials.push(trial("a probe of a fake child fails by name", || {
        assert_eq!(wait(probe(&fake("end"))), Err(Failure::ChildDied));
        assert_eq!(wait(probe(&fake("noise"))), Err(Failure::ChildProtocol));
    }));
    trials.push(trial(
        "a dropped spawn kills a child that never loads",
        || {
            let file = std::env::temp_dir().join(format!("omni-sandbox-{}", std::process::id()));
            let mut command = fake("silent");
            command.args.push(file.clone().into());
            let read_pid = || std::fs::read_to_string(&file).ok()?.parse::<u32>().ok();
            wait(async {
                let module = skill(ECHO);
                let mut spawning = Box::pin(spawn(&command, &module, &LIMITS, Requirement::All));
                let begin = Instant::now();
                while read_pid().is_none() {
                    assert!(begin.elapsed() < DEADLINE);
                    let step = Duration::from_millis(5);
                    assert!(tokio::time::timeout(step, &mut spawning).await.is_err());
                }
            });
            wait_until_gone(read_pid().unwrap());
            std::fs::remove_file(&file).unwrap();
        },
    ));
    trials
}

// ---------------------------------------------------------------------------- life of a child

/// Starts a child with an endless skill, prints its process id, and waits to be killed.
fn dying_parent(paused: bool) -> ExitCode {
    let limits = ResourceLimits {
        segment_wall_ms: 600_000,
        ..LIMITS
    };
    wait(async {
        let mut child = ready(&skill(LOOP), &limits).await;
        let control = child.control();
        if paused {
            assert!(control.pause());
        }
        println!("{}", control.pid());
        let _ = child.run(b"", 1).await;
    });
    ExitCode::FAILURE
}

fn lives() -> Vec<Trial> {
    let mut trials = vec![
        trial(
            "an endless loop times out, and the next child works",
            || {
                wait(async {
                    let limits = ResourceLimits {
                        segment_wall_ms: 300,
                        ..LIMITS
                    };
                    let mut child = ready(&skill(LOOP), &limits).await;
                    let pid = child.control().pid();
                    let begin = Instant::now();
                    assert_eq!(child.run(b"", 1).await, Err(Failure::TimedOut));
                    assert!(begin.elapsed() >= Duration::from_millis(300));
                    assert!(begin.elapsed() < DEADLINE);
                    assert_eq!(process_state(pid), None);
                    assert!(!child.is_alive());
                    assert_eq!(child.run(b"", 1).await, Err(Failure::ChildDied));
                    let mut next = ready(&skill(ECHO), &LIMITS).await;
                    assert_eq!(next.run(b"!", 0).await.unwrap(), b"\0\0\0\0\0\0\0\0!");
                });
            },
        ),
        trial("runs of one child share nothing", || {
            let body = "
                (i32.store (i32.const 68) (global.get $global))
                (i32.store (i32.const 72) (memory.size))
                (call $print (i32.const 64) (i32.const 12))
                (global.set $global (i32.const 7))
                (drop (memory.grow (i32.const 3)))
                (i32.store (i32.const 64) (i32.const 7))";
            wait(async {
                let mut child = ready(&skill(body), &LIMITS).await;
                for _ in 0..3 {
                    let output = child.run(b"", 1).await.unwrap();
                    assert_eq!(output, [0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]);
                }
            });
        }),
        trial(
            "random numbers are the same for one seed and others for another",
            || {
                let body = "
                (drop (call $random_get (i32.const 64) (i32.const 100)))
                (call $print (i32.const 64) (i32.const 100))";
                wait(async {
                    let mut child = ready(&skill(body), &LIMITS).await;
                    let mut other = ready(&skill(body), &LIMITS).await;
                    let first = child.run(b"", 5).await.unwrap();
                    assert_eq!(child.run(b"x", 5).await.unwrap(), first);
                    assert_eq!(other.run(b"", 5).await.unwrap(), first);
                    assert_ne!(child.run(b"", 6).await.unwrap(), first);
                });
            },
        ),
        trial(
            "the largest input arrives, a larger one is not sent",
            || {
                // Prints how much came, in three reads of which the last finds nothing.
                let body = "
                (local $n i32)
                (i32.store (i32.const 0) (i32.const 1024))
                (i32.store (i32.const 4) (i32.const 40000))
                (loop $again
                    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
                    (local.set $n (i32.add (local.get $n) (i32.load (i32.const 8))))
                    (br_if $again (i32.load (i32.const 8))))
                (i32.store (i32.const 64) (local.get $n))
                (call $print (i32.const 64) (i32.const 4))";
                wait(async {
                    let mut child = ready(&skill(body), &LIMITS).await;
                    let output = child.run(&vec![9; MAX_INPUT_BYTES], 1).await.unwrap();
                    assert_eq!(output, (MAX_INPUT_BYTES as u32 + 8).to_le_bytes());
                    let too_large = child.run(&vec![9; MAX_INPUT_BYTES + 1], 1).await;
                    assert_eq!(too_large, Err(Failure::InputTooLarge));
                });
            },
        ),
        trial("kill ends a running skill, and can be repeated", || {
            killed_while(false)
        }),
        trial("kill ends a paused skill", || killed_while(true)),
        trial("kill of an idle child shows at the next run", || {
            wait(async {
                let mut child = ready(&skill(ECHO), &LIMITS).await;
                child.control().kill();
                assert!(!child.is_alive());
                wait_until_gone(child.control().pid());
                assert_eq!(child.run(b"", 1).await, Err(Failure::Killed));
                assert_eq!(child.run(b"", 1).await, Err(Failure::ChildDied));
            });
        }),
        trial("a child that is killed by somebody else has died", || {
            wait(async {
                let mut child = ready(&skill(LOOP), &LIMITS).await;
                let pid = child.control().pid();
                let kill = std::thread::spawn(move || {
                    wait_until("it runs", || process_state(pid) == Some('R'));
                    signal_kill(pid);
                });
                assert_eq!(child.run(b"", 1).await, Err(Failure::ChildDied));
                kill.join().unwrap();
            });
        }),
        trial("a dropped child is gone", || {
            wait(async {
                let child = ready(&skill(ECHO), &LIMITS).await;
                let control = child.control();
                assert!(process_state(control.pid()).is_some());
                drop(child);
                wait_until_gone(control.pid());
                assert!(!control.pause());
                assert!(!control.resume());
                control.kill();
            });
        }),
        trial("a dropped run costs the child", || {
            wait(async {
                let mut child = ready(&skill(LOOP), &LIMITS).await;
                let step = Duration::from_millis(50);
                assert!(tokio::time::timeout(step, child.run(b"", 1)).await.is_err());
                assert_eq!(child.run(b"", 1).await, Err(Failure::ChildDied));
                assert_eq!(process_state(child.control().pid()), None);
            });
        }),
        trial("a pause costs no time and no work", || {
            wait(async {
                let wall = Duration::from_millis(3000);
                let limits = ResourceLimits {
                    segment_wall_ms: wall.as_millis() as u32,
                    ..LIMITS
                };
                let mut child = ready(&skill(ECHO), &limits).await;
                let control = child.control();
                assert!(control.pause());
                wait_until("it is stopped", || {
                    process_state(control.pid()) == Some('T')
                });
                let mut run = Box::pin(child.run(b"still here", 0));
                let longer = wall + Duration::from_millis(500);
                assert!(tokio::time::timeout(longer, &mut run).await.is_err());
                assert!(control.resume());
                assert_eq!(run.await.unwrap()[8..], *b"still here");
            });
        }),
        trial("a pause in the middle of a run keeps its result", || {
            // Long enough to be caught running; the sum is what counts.
            let body = "
                (local $n i32) (local $sum i32)
                (loop $again
                    (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31)) (local.get $n)))
                    (local.set $n (i32.add (local.get $n) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $n) (i32.const 300000000))))
                (i32.store (i32.const 64) (local.get $sum))
                (call $print (i32.const 64) (i32.const 4))";
            wait(async {
                // The lowest priority on a busy machine.
                let limits = ResourceLimits {
                    segment_wall_ms: 600_000,
                    ..LIMITS
                };
                let mut child = ready(&skill(body), &limits).await;
                let undisturbed = child.run(b"", 1).await.unwrap();
                let control = child.control();
                let pauses = std::thread::spawn(move || {
                    for _ in 0..5 {
                        wait_until("it runs or is done", || {
                            matches!(process_state(control.pid()), Some('R' | 'S') | None)
                        });
                        assert!(control.pause());
                        wait_until("it is stopped", || {
                            process_state(control.pid()) == Some('T')
                        });
                        assert!(control.resume());
                    }
                });
                assert_eq!(child.run(b"", 1).await.unwrap(), undisturbed);
                pauses.join().unwrap();
            });
        }),
        trial(
            "pause and throttle hold independently of each other",
            || {
                let stopped = |pid| process_state(pid) == Some('T');
                wait(async {
                    let mut child = ready(&skill(LOOP), &LIMITS).await;
                    let control = child.control();
                    let pid = control.pid();
                    let holds = std::thread::spawn(move || {
                        let runs = || process_state(pid) == Some('R');
                        wait_until("it runs", runs);
                        assert!(control.throttle(true));
                        wait_until("it is stopped", || stopped(pid));
                        assert!(control.pause());
                        assert!(control.throttle(false));
                        assert!(stopped(pid));
                        assert!(control.throttle(true));
                        assert!(control.resume());
                        assert!(stopped(pid));
                        assert!(control.throttle(false));
                        wait_until("it runs again", runs);
                        control.kill();
                    });
                    assert_eq!(child.run(b"", 1).await, Err(Failure::Killed));
                    holds.join().unwrap();
                    assert!(!child.control().throttle(true));
                    assert!(!child.control().throttle(false));
                });
            },
        ),
        trial(
            "stopping from many threads at once ends as asked last",
            || {
                wait(async {
                    let child = ready(&skill(ECHO), &LIMITS).await;
                    let pid = child.control().pid();
                    for _ in 0..20 {
                        let pauser = child.control();
                        let throttler = child.control();
                        let pausing = std::thread::spawn(move || {
                            for turn in 0..50 {
                                assert!(if turn % 2 == 0 {
                                    pauser.pause()
                                } else {
                                    pauser.resume()
                                });
                            }
                        });
                        for turn in 0..51 {
                            assert!(throttler.throttle(turn % 2 == 0));
                        }
                        pausing.join().unwrap();
                        wait_until("it is stopped", || process_state(pid) == Some('T'));
                        assert!(throttler.throttle(false));
                        wait_until("it goes on", || process_state(pid) == Some('S'));
                    }
                });
            },
        ),
        trial("time throttled costs no time limit", || {
            wait(async {
                let limits = ResourceLimits {
                    segment_wall_ms: 1500,
                    ..LIMITS
                };
                let mut child = ready(&skill(ECHO), &limits).await;
                let control = child.control();
                assert!(control.throttle(true));
                let mut run = Box::pin(child.run(b"still here", 0));
                let longer = Duration::from_millis(2000);
                assert!(tokio::time::timeout(longer, &mut run).await.is_err());
                assert!(control.throttle(false));
                assert_eq!(run.await.unwrap()[8..], *b"still here");
            });
        }),
        trial(
            "processor time is counted, and stands still with the child",
            || {
                wait(async {
                    let mut child = ready(&skill(LOOP), &LIMITS).await;
                    let control = child.control();
                    let begin = control.cpu_ms().unwrap();
                    let looker = std::thread::spawn(move || {
                        let used = || control.cpu_ms().unwrap() - begin;
                        wait_until("it has computed for a while", || used() >= 100);
                        assert!(control.throttle(true));
                        wait_until("it is stopped", || {
                            process_state(control.pid()) == Some('T')
                        });
                        let stopped = used();
                        std::thread::park_timeout(Duration::from_millis(100));
                        assert_eq!(used(), stopped);
                        control.kill();
                    });
                    assert_eq!(child.run(b"", 1).await, Err(Failure::Killed));
                    looker.join().unwrap();
                    assert_eq!(child.control().cpu_ms(), None);
                });
            },
        ),
        trial(
            "a child ended for a forbidden system call has hit a wall",
            || {
                wait(async {
                    let mut child = ready(&skill(LOOP), &LIMITS).await;
                    let pid = child.control().pid();
                    let signal = std::thread::spawn(move || {
                        wait_until("it runs", || process_state(pid) == Some('R'));
                        send_signal(pid, "SYS");
                    });
                    assert_eq!(child.run(b"", 1).await, Err(Failure::WallHit));
                    signal.join().unwrap();
                });
            },
        ),
        trial(
            "every wall stands around a child before it has a skill",
            || {
                wait(async {
                    let report = probe(&Command::current_exe().unwrap()).await.unwrap();
                    assert_eq!(report.missing(), []);
                    assert!(report.walls().iter().all(|found| found.is_up()));
                    assert!(report.landlock().files());
                    let child = ready(&skill(ECHO), &LIMITS).await;
                    assert_eq!(child.walls(), &report);
                    // Seen from outside.
                    let pid = child.control().pid();
                    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
                    let mut threads = 0;
                    for task in tasks {
                        threads += 1;
                        let status = task.unwrap().path().join("status");
                        let status = std::fs::read_to_string(status).unwrap();
                        for line in [
                            "NoNewPrivs:\t1",
                            "Seccomp:\t2",
                            "CapPrm:\t0000000000000000",
                            "CapEff:\t0000000000000000",
                        ] {
                            assert!(status.lines().any(|found| found == line), "{line} {status}");
                        }
                    }
                    assert_eq!(threads, 2);
                    if let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) {
                        assert_eq!(files.count(), 3);
                    }
                });
            },
        ),
        trial(
            "a child has low priority, hard limits and no environment",
            || {
                wait(async {
                    let child = ready(&skill(ECHO), &LIMITS).await;
                    let pid = child.control().pid();
                    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
                    let after_name = &stat[stat.rfind(')').unwrap() + 2..];
                    assert_eq!(after_name.split(' ').nth(16), Some("19"));
                    // Only an administrator may look.
                    let environment = std::fs::read(format!("/proc/{pid}/environ"));
                    assert!(environment.unwrap_or_default().is_empty());
                    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
                    let memory = LIMITS.memory_bytes;
                    for (name, most) in [
                        (
                            "Max cpu time",
                            60 + 64 * u64::from(LIMITS.segment_wall_ms) / 1000,
                        ),
                        ("Max file size", 0),
                        ("Max data size", memory + (768 << 20)),
                        ("Max core file size", 0),
                        ("Max processes", 0),
                        ("Max open files", 0),
                        ("Max locked memory", 0),
                        ("Max address space", memory + (6 << 30)),
                        ("Max msgqueue size", 0),
                        ("Max nice priority", 0),
                        ("Max realtime priority", 0),
                    ] {
                        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
                        let mut values = line[name.len()..].split_whitespace();
                        for _ in 0..2 {
                            let value: u64 = values.next().unwrap().parse().unwrap();
                            assert!(value <= most, "{name}: {value}");
                        }
                    }
                });
            },
        ),
    ];
    for mode in ["running", "paused"] {
        trials.push(trial(
            format!("a {mode} child ends with its parent"),
            move || {
                let mut parent = std::process::Command::new(std::env::current_exe().unwrap())
                    .args([PARENT_ARG, mode])
                    .stdout(std::process::Stdio::piped())
                    .spawn()
                    .unwrap();
                let mut line = String::new();
                BufReader::new(parent.stdout.take().unwrap())
                    .read_line(&mut line)
                    .unwrap();
                let pid = line.trim().parse().unwrap();
                assert!(process_state(pid).is_some());
                parent.kill().unwrap();
                parent.wait().unwrap();
                wait_until_gone(pid);
            },
        ));
    }
    trials
}

fn killed_while(paused: bool) {
    wait(async {
        let mut child = ready(&skill(LOOP), &LIMITS).await;
        let control = child.control();
        let killer = std::thread::spawn(move || {
            let pid = control.pid();
            wait_until("it runs", || process_state(pid) == Some('R'));
            if paused {
                assert!(control.pause());
                wait_until("it is stopped", || process_state(pid) == Some('T'));
            }
            control.kill();
            control.kill();
            wait_until_gone(pid);
            control.kill();
        });
        assert_eq!(child.run(b"", 1).await, Err(Failure::Killed));
        killer.join().unwrap();
        assert!(!child.control().pause());
    });
}

fn signal_kill(pid: u32) {
    send_signal(pid, "KILL");
}

fn send_signal(pid: u32, name: &str) {
    let mut kill = std::process::Command::new("kill");
    assert!(
        kill.args(["-s", name, &pid.to_string()])
            .status()
            .unwrap()
            .success()
    );
}

/// Run in debug and in release builds: both must give these bytes.
fn catalogue_vectors() {
    #[derive(serde::Deserialize)]
    struct Vector {
        skill: String,
        seed: u64,
        input_hex: String,
        output_hex: String,
    }
    let catalogue: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../skills/catalogue");
    let vectors = std::fs::read(catalogue.join("vectors.json")).unwrap();
    let vectors: Vec<Vector> = serde_json::from_slice(&vectors).unwrap();
    assert!(!vectors.is_empty());
    let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
    let limits = ResourceLimits {
        memory_bytes: 64 << 20,
        output_bytes: 8192,
        segment_wall_ms: 120_000,
    };
    wait(async {
        for vector in vectors {
            let module = std::fs::read(catalogue.join(format!("{}.wasm", vector.skill))).unwrap();
            let mut child = ready(&module, &limits).await;
            let input = hex(&vector.input_hex);
            for _ in 0..2 {
                let output = child.run(&input, vector.seed).await;
                assert_eq!(output, Ok(hex(&vector.output_hex)), "seed {}", vector.seed);
            }
        }
    });
}
