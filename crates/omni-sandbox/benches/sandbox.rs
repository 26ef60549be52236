//! What the sandbox costs: speed of a skill against native code, warm and cold start, memory. This
//! program is its own sandbox child. `--json` prints the same figures for programs.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::{
    hint::black_box,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use omni_sandbox::{CHILD_ARG, Child, Command, Requirement, child_main, engine_config, spawn};
use omni_types::ResourceLimits;

const LIMITS: ResourceLimits = ResourceLimits {
    memory_bytes: 64 << 20,
    output_bytes: 8192,
    segment_wall_ms: 120_000,
};
/// How long the compared segment takes natively, about.
const SEGMENT: Duration = Duration::from_secs(1);
const PAIRS: usize = 9;
const WARM_RUNS: usize = 2000;
/// The quietest of so many rounds of warm starts counts.
const WARM_ROUNDS: usize = 5;
const COLD_STARTS: usize = 20;

/// Reads one byte and writes one byte.
const SMALL: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 64))
        (i32.store (i32.const 4) (i32.const 1))
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;
/// The same without the import, for an instance outside the child.
const BARE: &str = r#"(module (memory (export "memory") 2) (func (export "_start")))"#;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHILD_ARG) {
        return child_main();
    }
    if std::env::args().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    let json = std::env::args().any(|argument| argument == "--json");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let figures = runtime.block_on(measure());
    if json {
        println!("{}", serde_json::to_string_pretty(&figures).unwrap());
    } else {
        figures.print();
    }
    ExitCode::SUCCESS
}

#[derive(serde::Serialize)]
struct Figures {
    /// Native processor time over processor time in the sandbox, median of the pairs.
    speed_ratio: f64,
    speed_ratio_lowest: f64,
    speed_ratio_highest: f64,
    native_cpu_ms: f64,
    sandbox_cpu_ms: f64,
    warm_p50_us: f64,
    warm_p99_us: f64,
    warm_p99_us_all_rounds: Vec<f64>,
    instance_p50_us: f64,
    cold_small_ms: f64,
    cold_labs_ms: f64,
    child_small_rss_kib: u64,
    child_labs_rss_kib: u64,
    parent_rss_kib: u64,
}

impl Figures {
    fn print(&self) {
        println!(
            "speed: {:.3} of native ({:.3} to {:.3}, {PAIRS} pairs)",
            self.speed_ratio, self.speed_ratio_lowest, self.speed_ratio_highest
        );
        println!(
            "    the same segment in turn: {:.0} ms natively, {:.0} ms in the sandbox (medians)",
            self.native_cpu_ms, self.sandbox_cpu_ms
        );
        println!("    processor time of the thread and of the child, so the child's low priority");
        println!("    and what else runs hardly count; both outputs are equal");
        println!(
            "warm start: p50 {:.0} us, p99 {:.0} us ({WARM_RUNS} runs, quietest of {WARM_ROUNDS} rounds)",
            self.warm_p50_us, self.warm_p99_us
        );
        println!(
            "    p99 of each round: {:.0?} us",
            self.warm_p99_us_all_rounds
        );
        println!("    wall clock from request to output, both ways through the pipe");
        println!(
            "instance: p50 {:.1} us, without child and pipe",
            self.instance_p50_us
        );
        println!(
            "cold start: {:.1} ms (small), {:.1} ms (labs), median of {COLD_STARTS}",
            self.cold_small_ms, self.cold_labs_ms
        );
        println!("    wall clock from spawn to loaded: process, walls, compilation");
        println!(
            "memory: child {} KiB (small), {} KiB (labs), this parent {} KiB",
            self.child_small_rss_kib, self.child_labs_rss_kib, self.parent_rss_kib
        );
    }
}

async fn measure() -> Figures {
    let small = wat::parse_str(SMALL).unwrap();
    let catalogue = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../skills/catalogue");
    let labs = std::fs::read(catalogue.join("labs.wasm")).unwrap();

    let mut pairs = compare(&labs).await;
    let ratio = |(native, sandboxed): &(Duration, Duration)| ratio(*native, *sandboxed);
    let mut ratios: Vec<f64> = pairs.iter().map(ratio).collect();
    ratios.sort_by(f64::total_cmp);
    pairs.sort();
    let native_cpu_ms = milliseconds(pairs[PAIRS / 2].0);
    pairs.sort_by_key(|pair| pair.1);
    let sandbox_cpu_ms = milliseconds(pairs[PAIRS / 2].1);

    let mut rounds = Vec::new();
    for _ in 0..WARM_ROUNDS {
        rounds.push(warm(&small).await);
    }
    let p99 = |times: &Vec<Duration>| microseconds(times[times.len() * 99 / 100]);
    let warm_p99_us_all_rounds = rounds.iter().map(p99).collect();
    let quietest = rounds
        .iter()
        .min_by(|a, b| p99(a).total_cmp(&p99(b)))
        .unwrap();

    Figures {
        speed_ratio: ratios[PAIRS / 2],
        speed_ratio_lowest: ratios[0],
        speed_ratio_highest: ratios[PAIRS - 1],
        native_cpu_ms,
        sandbox_cpu_ms,
        warm_p50_us: microseconds(quietest[WARM_RUNS / 2]),
        warm_p99_us: p99(quietest),
        warm_p99_us_all_rounds,
        instance_p50_us: instance(),
        cold_small_ms: cold(&small).await,
        cold_labs_ms: cold(&labs).await,
        child_small_rss_kib: child_memory(&small).await,
        child_labs_rss_kib: child_memory(&labs).await,
        parent_rss_kib: resident_kib("self"),
    }
}

async fn child(module: &[u8]) -> Child {
    let command = Command::current_exe().unwrap();
    spawn(&command, module, &LIMITS, Requirement::All)
        .await
        .unwrap()
}

/// Processor times of the same segment, natively and in the sandbox, in turn.
async fn compare(module: &[u8]) -> Vec<(Duration, Duration)> {
    let request = segment();
    let stdin = request.encode();
    let (seed, input) = stdin.split_at(8);
    let seed = u64::from_le_bytes(seed.try_into().unwrap());
    let mut child = child(module).await;
    let pid = child.control().pid();
    let mut pairs = Vec::new();
    // The first pair warms up.
    for _ in 0..=PAIRS {
        let begin = clock::own();
        let expected = labs::run(black_box(&stdin)).unwrap();
        let native = clock::own() - begin;
        let begin = clock::of(pid);
        let output = child.run(input, seed).await.unwrap();
        let sandboxed = clock::of(pid) - begin;
        assert_eq!(output, expected);
        pairs.push((native, sandboxed));
    }
    pairs.split_off(1)
}

/// A segment of about [`SEGMENT`].
fn segment() -> labs::Request {
    let mut request = labs::Request {
        seed: 1,
        track: labs::Track::General,
        length: 101,
        budget: 1_000_000,
        crossover_permille: 900,
        parents: Vec::new(),
    };
    let begin = clock::own();
    labs::run(&request.encode()).unwrap();
    let trial = clock::own() - begin;
    let scale = ratio(SEGMENT, trial);
    request.budget = ((request.budget as f64 * scale) as u64).clamp(1, labs::MAX_BUDGET);
    request
}

async fn warm(module: &[u8]) -> Vec<Duration> {
    let mut child = child(module).await;
    let mut times = Vec::with_capacity(WARM_RUNS);
    for seed in 0..WARM_RUNS as u64 {
        let begin = Instant::now();
        let output = child.run(b"", seed).await.unwrap();
        times.push(begin.elapsed());
        assert_eq!(output.len(), 1);
    }
    times.sort();
    times
}

fn instance() -> f64 {
    use wasmtime::{Engine, Linker, Module, Store};
    let engine = Engine::new(&engine_config()).unwrap();
    let module = Module::new(&engine, wat::parse_str(BARE).unwrap()).unwrap();
    let ready = Linker::new(&engine).instantiate_pre(&module).unwrap();
    let mut times: Vec<Duration> = (0..WARM_RUNS)
        .map(|_| {
            let begin = Instant::now();
            let mut store = Store::new(&engine, ());
            black_box(ready.instantiate(&mut store).unwrap());
            begin.elapsed()
        })
        .collect();
    times.sort();
    microseconds(times[WARM_RUNS / 2])
}

async fn cold(module: &[u8]) -> f64 {
    let mut times = Vec::new();
    for _ in 0..COLD_STARTS {
        let begin = Instant::now();
        let child = child(module).await;
        times.push(begin.elapsed());
        drop(child);
    }
    times.sort();
    milliseconds(times[COLD_STARTS / 2])
}

async fn child_memory(module: &[u8]) -> u64 {
    let child = child(module).await;
    resident_kib(&child.control().pid().to_string())
}

/// Resident memory of a process; 0 where the system does not tell.
fn resident_kib(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Processor time; elsewhere than on Linux the wall clock.
mod clock {
    use std::time::Duration;

    #[cfg(target_os = "linux")]
    pub fn own() -> Duration {
        use nix::time::{ClockId, clock_gettime};
        clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
            .unwrap()
            .into()
    }

    #[cfg(target_os = "linux")]
    pub fn of(pid: u32) -> Duration {
        use nix::{
            time::{clock_getcpuclockid, clock_gettime},
            unistd::Pid,
        };
        let clock = clock_getcpuclockid(Pid::from_raw(pid.cast_signed())).unwrap();
        clock_gettime(clock).unwrap().into()
    }

    #[cfg(not(target_os = "linux"))]
    pub fn own() -> Duration {
        static BEGIN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        BEGIN.get_or_init(std::time::Instant::now).elapsed()
    }

    #[cfg(not(target_os = "linux"))]
    pub fn of(_pid: u32) -> Duration {
        own()
    }
}
