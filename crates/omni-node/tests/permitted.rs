//! A real node is asked for leave, the volunteer answers from elsewhere, and doors open for what was
//! agreed to and for nothing else.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::{future::Future, path::Path, pin::Pin, sync::Arc, time::Duration};

use omni_core::{Denial, Job, Permit, policy::Walls};
use omni_node::{
    Command, Network, NodeError, NodeHandle, NodeView, POLICY_VERSION,
    control::{self, Ask, Told},
    egress::{Gate, GateConfig, Limits},
    node::{self, VolunteerOptions},
    permitted::{Outside, picked_folder, scratch},
    runner::{JobControl, Runner, RunnerEvent, WallsFound},
    throttle::Throttle,
    workspace::Workspace,
};
use omni_types::{Action, Answer, CampaignId, Digest, Keypair, NetworkId, Scope};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc,
    time::timeout,
};

/// Longest that anything may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs nothing: these tests are not about skills.
struct Nothing;

impl Runner for Nothing {
    fn walls(&self) -> Pin<Box<dyn Future<Output = WallsFound> + Send + '_>> {
        let verdict = Walls::Up;
        let walls = Vec::new();
        Box::pin(async move { WallsFound { walls, verdict } })
    }

    fn start(
        &self,
        _: &Job,
        _: Vec<u8>,
        _: mpsc::Sender<RunnerEvent>,
        _: Arc<Throttle>,
    ) -> JobControl {
        panic!("nothing is to run here")
    }
}

fn open(data: &Path) -> NodeHandle<NodeView> {
    let keypair = Keypair::from_secret(&Digest::of(b"permitted").0);
    let network = Network {
        id: NetworkId([3; 32]),
        name: "alone".to_owned(),
        stewards: vec![keypair.node_id()],
        supernodes: vec![],
        listen: vec![],
    };
    let options = VolunteerOptions {
        data: data.to_owned(),
        keypair,
        allowlist: Default::default(),
        slots: 1,
        runner: Arc::new(Nothing),
        governed: false,
    };
    node::start_volunteer(options, network).unwrap()
}

async fn agree(handle: &NodeHandle<NodeView>) {
    let policy_version = POLICY_VERSION;
    let agree = Command::Agree { policy_version };
    handle.command(agree).await.unwrap();
}

fn campaign() -> CampaignId {
    CampaignId([5; 32])
}

fn outside(host: &str) -> Action {
    Action::FetchOutsideInput {
        campaign: campaign(),
        host: host.to_owned(),
    }
}

/// Asks in the background.
fn ask(
    handle: &NodeHandle<NodeView>,
    action: Action,
) -> tokio::task::JoinHandle<Result<Permit, NodeError>> {
    let handle = handle.clone();
    tokio::spawn(async move { handle.permit(action).await })
}

/// The number of the open question, once there is one.
async fn question(handle: &NodeHandle<NodeView>) -> u64 {
    let mut view = handle.view();
    let open = view.wait_for(|view| !view.questions.is_empty());
    let open = timeout(DEADLINE, open).await.unwrap().unwrap();
    open.questions[0].id.parse().unwrap()
}

/// From where the volunteer answers.
#[derive(Clone, Copy, Debug)]
enum From {
    Window,
    Terminal,
}

async fn answer(handle: &NodeHandle<NodeView>, from: From, answer: Answer) {
    let question = question(handle).await;
    match from {
        From::Window => {
            let command = Command::Answer { question, answer };
            handle.command(command).await.unwrap();
        }
        From::Terminal => {
            let told = control::ask(handle.data(), &Ask::Answer { question, answer }).await;
            let told: Told<NodeView> = told.unwrap();
            assert!(matches!(told, Told::Done { .. }), "{told:?}");
        }
    }
}

async fn permit(handle: &NodeHandle<NodeView>, action: Action) -> Permit {
    let asked = ask(handle, action);
    answer(handle, From::Window, Answer::Yes(Scope::Once)).await;
    timeout(DEADLINE, asked).await.unwrap().unwrap().unwrap()
}

#[tokio::test]
async fn a_medium_action_waits_for_its_answer_from_window_and_terminal_alike() {
    for from in [From::Window, From::Terminal] {
        let folder = tempfile::tempdir().unwrap();
        let handle = open(folder.path());
        agree(&handle).await;
        let mut asked = ask(&handle, outside("data.example"));
        question(&handle).await;
        assert!(
            timeout(Duration::from_millis(300), &mut asked)
                .await
                .is_err(),
            "it does not wait"
        );
        answer(&handle, from, Answer::Yes(Scope::Day)).await;
        let permit = timeout(DEADLINE, asked).await.unwrap().unwrap().unwrap();
        assert_eq!(*permit.action(), outside("data.example"), "{from:?}");
        // Remembered for the day, and for this host only.
        handle.permit(outside("data.example")).await.unwrap();
        let other = ask(&handle, outside("other.example"));
        answer(&handle, from, Answer::No).await;
        let other = timeout(DEADLINE, other).await.unwrap().unwrap();
        assert!(
            matches!(other, Err(NodeError::Denied(Denial::NotConfirmed))),
            "{other:?}"
        );
        let view = handle.view().borrow().clone();
        assert_eq!(view.grants.len(), 1);
        let question = view.grants[0].id.parse().unwrap();
        handle.command(Command::Revoke { question }).await.unwrap();
        let again = handle.permit(outside("data.example")).await;
        assert!(matches!(again, Err(NodeError::Denied(_))), "{again:?}");
        handle.stop().await.unwrap();
    }
}

#[tokio::test]
async fn whoever_waits_is_told_no_when_everything_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path());
    agree(&handle).await;
    let asked = ask(&handle, outside("data.example"));
    question(&handle).await;
    handle.command(Command::Kill).await.unwrap();
    let denied = timeout(DEADLINE, asked).await.unwrap().unwrap();
    assert!(
        matches!(denied, Err(NodeError::Denied(Denial::Killed))),
        "{denied:?}"
    );
    handle.stop().await.unwrap();
}

/// Answers one request.
async fn server(body: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    port
}

#[tokio::test]
async fn a_permit_opens_the_door_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path());
    agree(&handle).await;
    let port = server("data").await;
    let url = |host: &str| format!("http://{host}:{port}/input");
    let gate = Gate::new(GateConfig {
        allow_loopback: true,
        ..GateConfig::default()
    });
    let gate = Outside(gate.unwrap());
    let limits = Limits::default();

    let leave = permit(&handle, outside("localhost")).await;
    let got = gate.fetch(leave, &url("localhost"), limits).await.unwrap();
    assert_eq!(got.bytes, b"data");
    let leave = permit(&handle, outside("localhost")).await;
    let other = gate.fetch(leave, &url("127.0.0.1"), limits).await;
    assert_eq!(other.unwrap_err().code(), "host-not-allowed");
    // A permit for something else opens nothing.
    let workspace_leave = || Action::UseWorkspace {
        campaign: campaign(),
    };
    let leave = handle.permit(workspace_leave()).await.unwrap();
    let none = gate.fetch(leave, &url("localhost"), limits).await;
    assert_eq!(none.unwrap_err().code(), "not-allowed");

    let bundle = b"a bundle".to_vec();
    let send = |bundle: &[u8]| Action::SendDiagnostics {
        bundle: Digest::of(bundle),
        host: "localhost".to_owned(),
    };
    let leave = permit(&handle, send(b"another bundle")).await;
    let refused = gate
        .send_diagnostics(leave, &url("localhost"), bundle.clone(), limits)
        .await;
    assert_eq!(refused.unwrap_err().code(), "not-allowed");
    let leave = permit(&handle, send(&bundle)).await;
    let to = url("localhost");
    let sent = gate.send_diagnostics(leave, &to, bundle, limits);
    assert_eq!(sent.await.unwrap().bytes, b"data");

    let workspace = Workspace::open(&folder.path().join("work")).unwrap();
    let leave = handle.permit(workspace_leave()).await.unwrap();
    let own = scratch(&workspace, &leave).unwrap();
    own.write("note", b"text").unwrap();
    assert_eq!(picked_folder(&leave).unwrap_err().code(), "not-allowed");

    let papers = folder.path().join("papers");
    std::fs::create_dir(&papers).unwrap();
    std::fs::write(papers.join("one.txt"), "words").unwrap();
    let read = Action::ReadFolder {
        campaign: campaign(),
        folder: papers.to_str().unwrap().to_owned(),
    };
    let leave = permit(&handle, read).await;
    let found = picked_folder(&leave).unwrap();
    let texts: Vec<String> = found
        .text_files(Default::default())
        .unwrap()
        .map(|file| file.text)
        .collect();
    assert_eq!(texts, ["words"]);
    assert_eq!(
        scratch(&workspace, &leave).unwrap_err().code(),
        "not-allowed"
    );
    handle.stop().await.unwrap();
}
