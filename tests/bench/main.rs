//! Measurements of a node with real children: the kill switch, and the processor limit.
//!
//! `kill`: eight children - six in an endless skill, one in the middle of compilation, one that
//! ignores every signal it may ignore - and the time from the moment the kill switch is thrown
//! until the last of them is dead. After every run the node is opened again, and must be stopped.
//!
//! `limit`: four busy children, a limit, and the processor time they use in a minute.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "../e2e/program.rs"]
#[allow(dead_code)]
mod program;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use omni_core::Job;
use omni_node::{
    CHILD_ARG, Command, Network, NodeHandle, NodeView, POLICY_VERSION, child_main, clock,
    node::{self, VolunteerOptions},
    runner::{Leash, Runner, RunnerEvent, SandboxRunner},
    sandbox,
    view::Phase,
};
use omni_types::{
    Action, CampaignId, Cid, Digest, Keypair, Lease, LeaseId, Micro, NetworkId, ResourceLimits,
    RiskTier, Signed, SkillKind, UnitId,
};
use program::{Process, descendants, until};
use tokio::{runtime::Runtime, sync::mpsc};

const STUBBORN_ARG: &str = "__stubborn";
const RUNS: usize = 100;
const CHILDREN: usize = 8;
/// Never over this, milliseconds.
const NEVER_OVER: f64 = 250.0;
const LIMITS: ResourceLimits = ResourceLimits {
    memory_bytes: 64 << 20,
    output_bytes: 1024,
    segment_wall_ms: 600_000,
};
/// Functions of the module whose compilation takes its time.
const FUNCTIONS: usize = 1_500;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some(CHILD_ARG) => return child_main(),
        Some(STUBBORN_ARG) => return stubborn(),
        _ => {}
    }
    let named = |name: &str| args.iter().any(|arg| arg == name);
    let runtime = Runtime::new().unwrap();
    let mut good = true;
    if named("kill") {
        good &= kill(&runtime);
    }
    if named("limit") {
        good &= limit(&runtime);
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A child that answers nothing and ends at no signal that it may ignore.
fn stubborn() -> ExitCode {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let all = [
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::hangup(),
            SignalKind::quit(),
            SignalKind::user_defined1(),
            SignalKind::user_defined2(),
            SignalKind::alarm(),
            SignalKind::pipe(),
        ];
        let mut kept: Vec<_> = all.map(|kind| signal(kind).unwrap()).into();
        loop {
            kept[0].recv().await;
        }
    })
}

fn endless() -> Vec<u8> {
    let text = r#"(module (memory (export "memory") 1)
        (func (export "_start") (loop $again (br $again))))"#;
    wat::parse_str(text).unwrap()
}

/// Much to compile.
fn laborious() -> Vec<u8> {
    let mut text = String::from(r#"(module (memory (export "memory") 1) (func (export "_start"))"#);
    for number in 0..FUNCTIONS {
        write!(text, "(func (param i64 i64) (result i64) (local i64)").unwrap();
        for step in 0..60 {
            let turn = (number * 7 + step * 13) % 63;
            write!(
                text,
                "(local.set 2 (i64.xor (i64.mul (local.get 0) (i64.const {step})) (i64.rotl \
                 (i64.add (local.get 1) (local.get 2)) (i64.const {turn}))))\
                 (local.set 0 (i64.add (local.get 2) (local.get 0)))"
            )
            .unwrap();
        }
        text.push_str("(local.get 2))");
    }
    text.push(')');
    wat::parse_str(text).unwrap()
}

/// Most jobs run this program as sandbox child; the marked one runs the stubborn child.
#[derive(Debug)]
struct Mixed {
    honest: SandboxRunner,
    stubborn: SandboxRunner,
}

impl Mixed {
    fn new() -> Self {
        let program = std::env::current_exe().unwrap();
        let runner = |arg: &str| {
            SandboxRunner::new(sandbox::Command {
                program: program.clone(),
                args: vec![arg.into()],
            })
        };
        Self {
            honest: runner(CHILD_ARG),
            stubborn: runner(STUBBORN_ARG),
        }
    }
}

impl Runner for Mixed {
    fn walls(
        &self,
    ) -> std::pin::Pin<Box<dyn Future<Output = omni_node::runner::WallsFound> + Send + '_>> {
        self.honest.walls()
    }

    fn start(
        &self,
        job: &Job,
        module: Vec<u8>,
        events: mpsc::Sender<RunnerEvent>,
        throttle: Arc<omni_node::throttle::Throttle>,
    ) -> omni_node::runner::JobControl {
        let runner = match job.lease().input.is_empty() {
            true => &self.honest,
            false => &self.stubborn,
        };
        runner.start(job, module, events, throttle)
    }
}

/// A node on a network without anybody else, and the leash that its jobs are on.
struct Bench {
    handle: NodeHandle<NodeView>,
    leash: Arc<Leash>,
    network: NetworkId,
    keypair: Keypair,
    events: (mpsc::Sender<RunnerEvent>, mpsc::Receiver<RunnerEvent>),
    started: u64,
}

impl Bench {
    async fn open(data: &Path, skills: &[&[u8]]) -> Self {
        let keypair = Keypair::from_secret(&Digest::of(b"bench").0);
        let network = NetworkId([7; 32]);
        let leash = Arc::new(Leash::new(Arc::new(Mixed::new())).unwrap());
        let options = VolunteerOptions {
            data: data.to_owned(),
            keypair: keypair.clone(),
            allowlist: skills.iter().map(|skill| Cid::of(skill)).collect(),
            slots: CHILDREN,
            runner: Arc::new(Mixed::new()),
            governed: false,
        };
        let alone = Network {
            id: network,
            name: "bench".to_owned(),
            stewards: vec![keypair.node_id()],
            supernodes: vec![],
            listen: vec![],
        };
        let handle = node::start_volunteer_on(options, alone, Arc::clone(&leash)).unwrap();
        Self {
            handle,
            leash,
            network,
            keypair,
            events: mpsc::channel(64),
            started: 0,
        }
    }

    async fn agree(&self) {
        let policy_version = POLICY_VERSION;
        let agree = Command::Agree { policy_version };
        self.handle.command(agree).await.unwrap();
        // The walls are looked at first.
        let mut view = self.handle.view();
        let seen = view.wait_for(|view| !view.safety.walls.is_empty()).await;
        assert!(!seen.unwrap().safety.walls_missing);
    }

    /// Starts one job by the way of the node: a permit of its policy, a signed lease.
    async fn start(&mut self, module: &[u8], input: Vec<u8>) {
        self.started += 1;
        let campaign = CampaignId([1; 32]);
        let skill = Cid::of(module);
        let action = Action::RunSkill {
            campaign,
            document: Digest::of(b"document"),
            risk: RiskTier::Low,
            skill,
            kind: SkillKind::Compute,
            limits: LIMITS,
        };
        let permit = self.handle.permit(action).await.unwrap();
        let unit = UnitId::derive(campaign, self.started);
        let lease = Lease {
            id: LeaseId::derive(unit, 0),
            campaign,
            unit,
            node: self.keypair.node_id(),
            skill,
            input,
            unit_seed: 1,
            segments: vec![0],
            limits: LIMITS,
            audit_commitment: Digest::of(b"secret"),
            audit_permille: 50,
            reward: Micro(1),
        };
        let now = clock::now();
        let expires = now.plus_ms(3_600_000);
        let lease = Signed::seal(lease, &self.keypair, self.network, now, expires).unwrap();
        let job = Job::new(permit, lease).unwrap();
        let events = self.events.0.clone();
        self.leash.start(&job, module.to_vec(), events);
    }
}

fn children() -> BTreeSet<Process> {
    descendants(std::process::id())
}

fn busy(process: &Process, ms: u64) -> bool {
    process.cpu_ms().is_some_and(|used| used >= ms)
}

fn kill(runtime: &Runtime) -> bool {
    let (endless, laborious) = (endless(), laborious());
    let data = tempfile::tempdir().unwrap();
    let mut times = vec![];
    let mut compiling = 0;
    let mut bench = runtime.block_on(Bench::open(data.path(), &[&endless, &laborious]));
    runtime.block_on(bench.agree());
    for run in 1..=RUNS {
        runtime.block_on(async {
            for _ in 0..CHILDREN - 2 {
                bench.start(&endless, vec![]).await;
            }
            bench.start(&endless, b"stubborn".to_vec()).await;
        });
        let before = until("seven children, six of them busy", || {
            let now = children();
            let working = now.iter().filter(|process| busy(process, 100)).count();
            (now.len() == CHILDREN - 1 && working >= CHILDREN - 2).then_some(now)
        });
        runtime.block_on(bench.start(&laborious, vec![]));
        let compiler = until("one in compilation", || {
            children()
                .into_iter()
                .find(|process| !before.contains(process) && busy(process, 30))
        });
        let all = children();
        assert_eq!(all.len(), CHILDREN);
        compiling += usize::from(compiler.is_alive());
        let handle = bench.handle.clone();
        let begin = Instant::now();
        let command = runtime.spawn(async move { handle.command(Command::Kill).await });
        let mut last = all.clone();
        while !last.is_empty() {
            last.retain(|process| process.is_alive());
            if begin.elapsed() > Duration::from_secs(10) {
                break;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        let took = begin.elapsed().as_secs_f64() * 1e3;
        runtime.block_on(command).unwrap().unwrap();
        times.push(took);
        // The node comes back stopped, and starts nothing.
        bench = runtime.block_on(async {
            bench.handle.stop().await.unwrap();
            let bench = Bench::open(data.path(), &[&endless, &laborious]).await;
            assert_eq!(bench.handle.view().borrow().phase, Phase::Stopped);
            assert!(bench.handle.permit(Action::Connect).await.is_err());
            bench.handle.command(Command::LiftKill).await.unwrap();
            bench.agree().await;
            bench
        });
        if run % 20 == 0 {
            println!("kill: {run} of {RUNS} runs");
        }
    }
    runtime.block_on(bench.handle.stop()).unwrap();
    times.sort_by(f64::total_cmp);
    let over = times.iter().filter(|took| **took > NEVER_OVER).count();
    println!(
        "kill: {CHILDREN} children ({} endless, 1 compiling in {compiling} of {RUNS} runs, 1 that \
         ignores signals), {RUNS} runs: median {:.1} ms, p99 {:.1} ms, longest {:.1} ms; {over} over \
         {NEVER_OVER} ms; restarted stopped {RUNS} times",
        CHILDREN - 2,
        times[RUNS / 2],
        times[RUNS * 99 / 100 - 1],
        times[RUNS - 1],
    );
    over == 0
}

fn limit(runtime: &Runtime) -> bool {
    const BUSY: usize = 4;
    let endless = endless();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut good = true;
    for percent in [30u8, 70] {
        let data = tempfile::tempdir().unwrap();
        let used = runtime.block_on(async {
            let mut bench = Bench::open(data.path(), &[&endless]).await;
            bench.agree().await;
            let settings = omni_types::Settings {
                cpu_percent: percent,
                ..omni_types::Settings::default()
            };
            bench
                .handle
                .command(Command::Change(settings))
                .await
                .unwrap();
            for _ in 0..BUSY {
                bench.start(&endless, vec![]).await;
            }
            // Compilation and the first turns.
            tokio::time::sleep(Duration::from_secs(5)).await;
            let total = || -> u64 { children().iter().filter_map(Process::cpu_ms).sum() };
            let (begin, before) = (Instant::now(), total());
            let mut seconds = vec![];
            let mut last = before;
            for _ in 0..60 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let now = total();
                seconds.push((now - last) as f64 / 10.0 / cores as f64);
                last = now;
            }
            let used = (last - before) as f64 / begin.elapsed().as_secs_f64() / 10.0 / cores as f64;
            bench.handle.stop().await.unwrap();
            drop(bench);
            until("the children end with their leash", || {
                children().is_empty().then_some(())
            });
            seconds.sort_by(f64::total_cmp);
            println!(
                "limit: {percent} % of {cores} cores, {BUSY} busy children: {used:.1} % over one \
                 minute; single seconds from {:.1} to {:.1} %",
                seconds[0],
                seconds[seconds.len() - 1]
            );
            used
        });
        good &= (used - f64::from(percent)).abs() <= 5.0;
    }
    good
}
