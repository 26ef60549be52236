//! A volunteer's node that lies, for the end-to-end test. It is the shipped node with another runner:
//! it signs, commits and connects as an honest one does, but hands in other outputs than the sandbox gave.
//!
//! `omniswarm-test-dishonest --charter <file> --supernode <address> --data-dir <folder> --mode <mode>
//! --from <file>`: honest until the file `--from` is there. The passphrase of the key is in
//! OMNISWARM_PASSPHRASE.

#![allow(clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    path::PathBuf,
    pin::Pin,
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use omni_core::Job;
use omni_evolve::labs;
use omni_node::{
    Command, Network, POLICY_VERSION, catalogue, clock,
    identity::{KeySource, load_or_create},
    node::{VolunteerOptions, start_volunteer},
    profile,
    runner::{JobControl, Runner, RunnerEvent, SandboxRunner, WallsFound},
    throttle::Throttle,
};
use omni_types::{Labs, LeaseId, Track};
use tokio::sync::mpsc;

/// Events of one job that may wait.
const QUEUE: usize = 64;
/// Where an output of the skill holds length, energy and sequence.
const LENGTH_AT: usize = 6;
const ENERGY_AT: usize = 8;
const SEQUENCE_AT: usize = 32;

#[derive(Clone, Copy, Debug)]
enum Mode {
    /// Hands in another sequence, with its true energy.
    Wrong,
    /// Claims a lower energy than the sequence has.
    Boastful,
    /// Hands in what an earlier piece of work came to.
    Copied,
    /// Hands in nothing.
    Empty,
}

impl Mode {
    fn named(name: &str) -> Self {
        match name {
            "wrong" => Self::Wrong,
            "boastful" => Self::Boastful,
            "copied" => Self::Copied,
            "empty" => Self::Empty,
            other => panic!("no mode is called {other}"),
        }
    }

    fn lie(self, true_output: &[u8], earlier: Option<&Vec<u8>>) -> Vec<u8> {
        let mut output = true_output.to_vec();
        match self {
            Self::Wrong => {
                let length = field(&output, LENGTH_AT);
                let problem = Labs {
                    track: Track::General,
                    length: u16::from_le_bytes(length),
                };
                let mut sequence = labs::parse_output(problem, &output)
                    .expect("a true output")
                    .sequence;
                let first = sequence.first_mut().expect("a sequence");
                *first = !*first;
                let last = output.get_mut(SEQUENCE_AT).expect("a sequence");
                *last ^= 1;
                let energy = labs::energy(&sequence).to_le_bytes();
                let place = output.get_mut(ENERGY_AT..ENERGY_AT + 4).expect("an energy");
                place.copy_from_slice(&energy);
            }
            Self::Boastful => {
                let energy = u32::from_le_bytes(field(&output, ENERGY_AT)) - 4;
                let place = output.get_mut(ENERGY_AT..ENERGY_AT + 4).expect("an energy");
                place.copy_from_slice(&energy.to_le_bytes());
            }
            Self::Copied => output.clone_from(earlier.expect("an earlier output to copy")),
            Self::Empty => output.clear(),
        }
        output
    }
}

fn field<const N: usize>(output: &[u8], at: usize) -> [u8; N] {
    let bytes = output.get(at..at + N).expect("a field");
    bytes.try_into().expect("its size")
}

struct Liar {
    honest: SandboxRunner,
    mode: Mode,
    from: PathBuf,
    lying: Arc<AtomicBool>,
    /// True outputs of honest days by segment.
    earlier: Arc<Mutex<BTreeMap<u32, Vec<u8>>>>,
}

impl Runner for Liar {
    fn walls(&self) -> Pin<Box<dyn Future<Output = WallsFound> + Send + '_>> {
        self.honest.walls()
    }

    fn start(
        &self,
        job: &Job,
        module: Vec<u8>,
        events: mpsc::Sender<RunnerEvent>,
        throttle: Arc<Throttle>,
    ) -> JobControl {
        // The first lie is about first-hand work, so that there is a result to reject; after that
        // rechecks are answered with lies too.
        let first_hand = job.lease().id == LeaseId::derive(job.lease().unit, 0);
        if first_hand && self.from.exists() {
            self.lying.store(true, Ordering::SeqCst);
        }
        let lies = self.lying.load(Ordering::SeqCst);
        let (true_events, mut truth) = mpsc::channel(QUEUE);
        let control = self.honest.start(job, module, true_events, throttle);
        let (mode, earlier) = (self.mode, Arc::clone(&self.earlier));
        tokio::spawn(async move {
            while let Some(mut event) = truth.recv().await {
                if let RunnerEvent::Segment {
                    segment, output, ..
                } = &mut event
                {
                    let mut earlier = earlier.lock().expect("no panic elsewhere");
                    if lies {
                        *output = mode.lie(output, earlier.get(segment));
                    } else {
                        earlier.insert(*segment, output.clone());
                    }
                }
                if events.send(event).await.is_err() {
                    return;
                }
            }
        });
        control
    }
}

fn argument(name: &str) -> String {
    std::env::args()
        .skip_while(|argument| argument != name)
        .nth(1)
        .unwrap_or_else(|| panic!("{name} is missing"))
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(omni_node::CHILD_ARG) {
        return omni_node::child_main();
    }
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(node());
    ExitCode::SUCCESS
}

async fn node() {
    let data = PathBuf::from(argument("--data-dir"));
    std::fs::create_dir_all(&data).expect("a data folder");
    let passphrase = std::env::var("OMNISWARM_PASSPHRASE").expect("a passphrase");
    let keypair = load_or_create(&KeySource::EncryptedFile {
        path: data.join("identity.json"),
        passphrase: passphrase.into(),
    })
    .expect("a key");
    let signed = profile::read_charter(&PathBuf::from(argument("--charter"))).expect("a charter");
    let id = signed.network();
    let charter =
        omni_core::charter::verify(&signed, id, clock::now()).expect("a charter that holds");
    let node = keypair.node_id();
    let handle = start_volunteer(
        VolunteerOptions {
            data,
            keypair,
            allowlist: catalogue::allowlist(),
            slots: 1,
            runner: Arc::new(Liar {
                honest: SandboxRunner::current_exe().expect("this program"),
                mode: Mode::named(&argument("--mode")),
                from: PathBuf::from(argument("--from")),
                lying: Arc::default(),
                earlier: Arc::default(),
            }),
            governed: false,
        },
        Network {
            id,
            name: charter.name,
            stewards: charter.stewards,
            supernodes: vec![argument("--supernode")],
            listen: Vec::new(),
        },
    )
    .expect("a node");
    handle
        .command(Command::Agree {
            policy_version: POLICY_VERSION,
        })
        .await
        .expect("consent is written");
    println!("{}", serde_json::json!({ "ready": "node", "node": node }));
    tokio::signal::ctrl_c().await.expect("a signal");
    handle.stop().await.expect("an orderly end");
}
