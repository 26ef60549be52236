//! Real nodes on loopback, over TCP and QUIC. Nothing sleeps: every wait is for an event, with a
//! deadline.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::{io, iter, time::Duration};

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt as _};
use libp2p::{
    Multiaddr, StreamProtocol, SwarmBuilder, identify, noise,
    request_response::{self, ProtocolSupport},
    swarm::{NetworkBehaviour, SwarmEvent},
    tcp, yamux,
};
use omni_types::{
    Campaign, CampaignId, CampaignStatus, Cid, Digest, Keypair, LeaseId, NetworkId, NodeId,
    Rejection, SegmentOutput, Signed, Timestamp, UnitId, Verified, VerifiedRequest,
    VerifiedResponse, WorkRequest, WorkResponse, WorkResult, canonical,
    wire::{MAX_REQUEST_BYTES, News, NoWork, WORK_PROTOCOL},
    work::{ReturnReason, outputs_root},
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use crate::{Config, Event, Handle, Part, RequestFailure, SendError, Token, peer, start};

/// No test waits longer for one thing.
const DEADLINE: Duration = Duration::from_secs(30);
const TCP: &str = "/ip4/127.0.0.1/tcp/0";
const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";
const BOTH: &[&str] = &[TCP, QUIC];

const SUPERNODE: u8 = 1;
const STEWARD: u8 = 2;
const VOLUNTEER: u8 = 3;
const STRANGER: u8 = 4;

const NETWORK: NetworkId = NetworkId([1; 32]);

fn key(secret: u8) -> Keypair {
    Keypair::from_secret(&[secret; 32])
}

fn node(secret: u8) -> NodeId {
    key(secret).node_id()
}

fn now() -> Timestamp {
    let elapsed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Timestamp(elapsed.as_millis() as u64)
}

/// A running node with its events.
struct Running {
    handle: Handle,
    events: mpsc::Receiver<Event>,
    addresses: Vec<String>,
}

impl Running {
    /// Starts a node and waits until it listens.
    async fn start(
        secret: u8,
        network: NetworkId,
        part: Part,
        listen: &[&str],
        supernodes: &[String],
    ) -> Self {
        let config = Config {
            keypair: key(secret),
            network,
            part,
            listen: listen.iter().map(|text| (*text).to_owned()).collect(),
            supernodes: supernodes.to_vec(),
            stewards: vec![node(STEWARD)],
        };
        let (handle, events) = start(config).unwrap();
        let mut running = Self {
            handle,
            events,
            addresses: Vec::new(),
        };
        for _ in listen {
            let address = running
                .wait(|event| match event {
                    Event::Listening { address } => Some(address),
                    _ => None,
                })
                .await;
            running.addresses.push(address);
        }
        running
    }

    /// Waits for the first event that `pick` takes; others are dropped.
    async fn wait<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        let mut seen = Vec::new();
        loop {
            match timeout_at(deadline, self.events.recv()).await {
                Ok(Some(event)) => {
                    let text = format!("{event:?}");
                    if let Some(found) = pick(event) {
                        return found;
                    }
                    seen.push(text);
                }
                Ok(None) => panic!("the task ended; seen: {seen:#?}"),
                Err(_) => panic!("nothing came; seen: {seen:#?}"),
            }
        }
    }

    async fn wait_steward_found(&mut self) {
        self.wait(|event| match event {
            Event::StewardFound { node: found } => Some(found),
            _ => None,
        })
        .await;
    }

    async fn wait_response(&mut self, id: u64) -> Result<VerifiedResponse, RequestFailure> {
        self.wait(|event| match event {
            Event::Response { id: of, result, .. } if of == id => Some(result),
            _ => None,
        })
        .await
    }

    async fn wait_request(&mut self) -> (NodeId, Token, VerifiedRequest) {
        self.wait(|event| match event {
            Event::Request {
                from,
                token,
                request,
            } => Some((from, token, request)),
            _ => None,
        })
        .await
    }

    async fn wait_blob(&mut self, id: u64) -> Result<Vec<u8>, RequestFailure> {
        self.wait(|event| match event {
            Event::Blob { id: of, result, .. } if of == id => Some(result),
            _ => None,
        })
        .await
    }

    async fn wait_refused(&mut self) -> (NodeId, Rejection) {
        self.wait(|event| match event {
            Event::Refused { from, rejection } => Some((from, rejection)),
            _ => None,
        })
        .await
    }

    /// Shuts down and waits until the sockets are closed.
    async fn stop(mut self) {
        self.handle.shutdown();
        let deadline = Instant::now() + DEADLINE;
        while timeout_at(deadline, self.events.recv())
            .await
            .expect("the task ends")
            .is_some()
        {}
        assert_eq!(
            self.handle.answer_blob(Token(0), None),
            Err(SendError::Closed)
        );
    }
}

/// A supernode, a steward registered there, and a volunteer that found the steward through it.
async fn trio(transport: &[&str]) -> (Running, Running, Running) {
    let supernode = Running::start(SUPERNODE, NETWORK, Part::Supernode, transport, &[]).await;
    let known = supernode.addresses.clone();
    let steward = Running::start(STEWARD, NETWORK, Part::Steward, transport, &known).await;
    let mut volunteer = Running::start(VOLUNTEER, NETWORK, Part::Volunteer, &[], &known).await;
    volunteer.wait_steward_found().await;
    (supernode, steward, volunteer)
}

fn result() -> WorkResult {
    let outputs = vec![SegmentOutput {
        segment: 0,
        output: vec![7; 100],
    }];
    WorkResult {
        lease: LeaseId([1; 16]),
        campaign: CampaignId([2; 32]),
        unit: UnitId([3; 16]),
        engine: Digest([4; 32]),
        policy: Digest([5; 32]),
        root: outputs_root(&outputs),
        outputs,
    }
}

fn sealed<T: omni_types::Domain>(value: T, secret: u8, network: NetworkId) -> Signed<T> {
    let issued = now();
    Signed::seal(
        value,
        &key(secret),
        network,
        issued,
        issued.plus_ms(3_600_000),
    )
    .map(Verified::into_signed)
    .unwrap()
}

fn news(secret: u8, network: NetworkId) -> WorkResponse {
    let campaign = CampaignId([2; 32]);
    let status = CampaignStatus {
        campaign,
        generation: 3,
        units_accepted: 9,
        units_rejected: 1,
        best_output: vec![1, 2, 3],
    };
    WorkResponse::News(News {
        campaign,
        items: Vec::new(),
        last: 5,
        status: sealed(status, secret, network),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_steward_is_found_through_the_supernode_alone() {
    let (_supernode, mut steward, volunteer) = trio(BOTH).await;
    let volunteer_node = volunteer.handle.local();
    steward
        .wait(|event| match event {
            Event::PeerConnected { node } if node == volunteer_node => Some(()),
            _ => None,
        })
        .await;
}

/// Each kind of request goes up verified and its answer comes back verified.
async fn check_round_trip(transport: &str) {
    let (_supernode, mut steward, mut volunteer) = trio(&[transport]).await;
    let campaign = CampaignId([2; 32]);

    let ask = WorkRequest::Ask {
        campaign,
        engine: Digest([4; 32]),
    };
    volunteer.handle.request(node(STEWARD), 1, ask).unwrap();
    let (from, token, request) = steward.wait_request().await;
    assert_eq!(from, node(VOLUNTEER));
    assert!(matches!(request, VerifiedRequest::Ask { campaign: of, .. } if of == campaign));
    let no_work = WorkResponse::NoWork {
        reason: NoWork::Waiting,
        retry_ms: 250,
    };
    steward.handle.respond(token, no_work).unwrap();
    assert!(matches!(
        volunteer.wait_response(1).await,
        Ok(VerifiedResponse::NoWork {
            reason: NoWork::Waiting,
            retry_ms: 250
        })
    ));

    let submit = WorkRequest::Submit(sealed(result(), VOLUNTEER, NETWORK));
    volunteer.handle.request(node(STEWARD), 2, submit).unwrap();
    let (_, token, request) = steward.wait_request().await;
    let VerifiedRequest::Submit(submitted) = request else {
        panic!("not a submit: {request:?}");
    };
    assert_eq!(**submitted, result());
    let stored = WorkResponse::Stored(submitted.id());
    steward.handle.respond(token, stored).unwrap();
    assert!(matches!(
        volunteer.wait_response(2).await,
        Ok(VerifiedResponse::Stored(id)) if id == submitted.id()
    ));

    let ask_news = WorkRequest::News { campaign, after: 0 };
    volunteer
        .handle
        .request(node(STEWARD), 3, ask_news)
        .unwrap();
    let (_, token, _) = steward.wait_request().await;
    steward
        .handle
        .respond(token, news(STEWARD, NETWORK))
        .unwrap();
    assert!(matches!(
        volunteer.wait_response(3).await,
        Ok(VerifiedResponse::News { status, last: 5, .. }) if status.generation == 3
    ));
    assert_eq!(
        (steward.handle.refused(), volunteer.handle.refused()),
        (0, 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_goes_over_tcp_alone() {
    check_round_trip(TCP).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_goes_over_quic_alone() {
    check_round_trip(QUIC).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_does_not_verify_is_refused_and_reported() {
    let (_supernode, mut steward, mut volunteer) = trio(&[TCP]).await;
    let mut wrong_root = result();
    wrong_root.root = Digest([9; 32]);
    let cases = [
        (sealed(result(), STRANGER, NETWORK), Rejection::WrongSigner),
        (
            sealed(result(), VOLUNTEER, NetworkId([2; 32])),
            Rejection::WrongNetwork,
        ),
        (sealed(wrong_root, VOLUNTEER, NETWORK), Rejection::WrongRoot),
    ];
    for (id, (signed, expected)) in (1..).zip(cases) {
        let submit = WorkRequest::Submit(signed);
        volunteer.handle.request(node(STEWARD), id, submit).unwrap();
        assert_eq!(steward.wait_refused().await, (node(VOLUNTEER), expected));
        let answer = volunteer.wait_response(id).await;
        assert!(
            matches!(answer, Ok(VerifiedResponse::Refused(rejection)) if rejection == expected),
            "{answer:?}"
        );
        assert_eq!(steward.handle.refused(), id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_that_does_not_verify_is_a_named_failure() {
    let (_supernode, mut steward, mut volunteer) = trio(&[TCP]).await;
    let cases = [
        (
            news(STRANGER, NETWORK),
            RequestFailure::Refused(Rejection::WrongSigner),
        ),
        (
            news(STEWARD, NetworkId([2; 32])),
            RequestFailure::Refused(Rejection::WrongNetwork),
        ),
        (
            WorkResponse::Campaigns(vec![sealed(campaign(), VOLUNTEER, NETWORK)]),
            RequestFailure::Refused(Rejection::WrongSigner),
        ),
    ];
    for (id, (response, expected)) in (1..).zip(cases) {
        let campaigns = WorkRequest::Campaigns;
        volunteer
            .handle
            .request(node(STEWARD), id, campaigns)
            .unwrap();
        let (_, token, _) = steward.wait_request().await;
        steward.handle.respond(token, response).unwrap();
        assert_eq!(volunteer.wait_response(id).await.unwrap_err(), expected);
    }
    assert_eq!(volunteer.handle.refused(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_connected_stewards_are_asked() {
    let (_supernode, _steward, mut volunteer) = trio(&[TCP]).await;
    for (id, to, expected) in [
        (1, node(STRANGER), RequestFailure::NotASteward),
        (2, node(SUPERNODE), RequestFailure::NotASteward),
    ] {
        let campaigns = WorkRequest::Campaigns;
        volunteer.handle.request(to, id, campaigns).unwrap();
        assert_eq!(volunteer.wait_response(id).await.unwrap_err(), expected);
    }
    let mut alone = Running::start(STRANGER, NETWORK, Part::Volunteer, &[], &[]).await;
    let campaigns = WorkRequest::Campaigns;
    alone.handle.request(node(STEWARD), 1, campaigns).unwrap();
    assert_eq!(
        alone.wait_response(1).await.unwrap_err(),
        RequestFailure::NotConnected
    );
    let cid = Cid::of(b"blob");
    alone.handle.fetch_blob(node(STEWARD), 2, cid).unwrap();
    assert_eq!(
        alone.wait_blob(2).await.unwrap_err(),
        RequestFailure::NotConnected
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversized_request_is_not_even_sent() {
    let (_supernode, _steward, mut volunteer) = trio(&[TCP]).await;
    let mut large = result();
    large.outputs[0].output = vec![0; omni_types::signed::MAX_PAYLOAD_BYTES - 400];
    let submit = WorkRequest::Submit(sealed(large, VOLUNTEER, NETWORK));
    assert!(canonical::to_bytes(&submit).unwrap().len() > MAX_REQUEST_BYTES);
    volunteer.handle.request(node(STEWARD), 1, submit).unwrap();
    assert_eq!(
        volunteer.wait_response(1).await.unwrap_err(),
        RequestFailure::TooLarge
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_are_checked_against_their_content_id() {
    let (_supernode, mut steward, mut volunteer) = trio(BOTH).await;
    let blob = vec![42; 3 << 20];
    let cid = Cid::of(&blob);
    let mut other = blob.clone();
    other.push(0);
    let cases = [
        (Some(blob.clone()), Ok(blob.clone())),
        (None, Err(RequestFailure::Absent)),
        (Some(other), Err(RequestFailure::WrongCid)),
        (
            Some(vec![0; omni_types::wire::MAX_BLOB_BYTES + 1]),
            Err(RequestFailure::Absent),
        ),
    ];
    for (id, (answer, expected)) in (1..).zip(cases) {
        volunteer.handle.fetch_blob(node(STEWARD), id, cid).unwrap();
        let (from, token, asked) = steward
            .wait(|event| match event {
                Event::BlobRequest { from, token, cid } => Some((from, token, cid)),
                _ => None,
            })
            .await;
        assert_eq!((from, asked), (node(VOLUNTEER), cid));
        steward.handle.answer_blob(token, answer).unwrap();
        // A token is good once.
        steward.handle.answer_blob(token, Some(vec![1])).unwrap();
        assert_eq!(volunteer.wait_blob(id).await, expected);
    }
    assert_eq!(volunteer.handle.refused(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volunteer_answers_blobs_but_no_work() {
    let (_supernode, mut steward, mut volunteer) = trio(&[TCP]).await;
    steward
        .wait(|event| match event {
            Event::PeerConnected { node: found } if found == node(VOLUNTEER) => Some(()),
            _ => None,
        })
        .await;
    let blob = b"from a volunteer".to_vec();
    let cid = Cid::of(&blob);
    steward.handle.fetch_blob(node(VOLUNTEER), 1, cid).unwrap();
    let token = volunteer
        .wait(|event| match event {
            Event::BlobRequest { token, .. } => Some(token),
            _ => None,
        })
        .await;
    let answer = Some(blob.clone());
    volunteer.handle.answer_blob(token, answer).unwrap();
    assert_eq!(steward.wait_blob(1).await, Ok(blob));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_of_another_network_is_disconnected() {
    let other = NetworkId([2; 32]);
    let mut supernode = Running::start(SUPERNODE, NETWORK, Part::Supernode, &[TCP], &[]).await;
    let known = supernode.addresses.clone();
    let mut volunteer = Running::start(VOLUNTEER, other, Part::Volunteer, &[], &known).await;
    // Whoever identifies the other first hangs up.
    let refused = tokio::select! {
        refused = supernode.wait_refused() => refused,
        refused = volunteer.wait_refused() => refused,
    };
    assert_eq!(refused.1, Rejection::WrongNetwork);
    // Neither side ever takes the other for a peer of its network.
    volunteer.handle.shutdown();
    supernode.handle.shutdown();
    for mut running in [volunteer, supernode] {
        while let Some(event) = running.events.recv().await {
            assert!(
                !matches!(
                    event,
                    Event::PeerConnected { .. } | Event::SupernodeConnected { .. }
                ),
                "{event:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_steward_that_restarts_on_another_port_is_found_again() {
    let (supernode, steward, mut volunteer) = trio(BOTH).await;
    let old = steward.addresses.clone();
    steward.stop().await;
    volunteer
        .wait(|event| match event {
            Event::StewardLost { node: lost } if lost == node(STEWARD) => Some(()),
            _ => None,
        })
        .await;
    let known = supernode.addresses.clone();
    let mut steward = Running::start(STEWARD, NETWORK, Part::Steward, BOTH, &known).await;
    assert_ne!(steward.addresses, old);
    volunteer.wait_steward_found().await;
    let campaigns = WorkRequest::Campaigns;
    volunteer
        .handle
        .request(node(STEWARD), 1, campaigns)
        .unwrap();
    let (_, token, _) = steward.wait_request().await;
    let none = WorkResponse::Campaigns(Vec::new());
    steward.handle.respond(token, none).unwrap();
    assert!(volunteer.wait_response(1).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supernode_that_comes_late_and_comes_back_is_found() {
    let supernode = Running::start(SUPERNODE, NETWORK, Part::Supernode, &[TCP], &[]).await;
    let known = supernode.addresses.clone();
    let listen = known[0].split("/p2p/").next().unwrap().to_owned();
    supernode.stop().await;

    let mut steward = Running::start(STEWARD, NETWORK, Part::Steward, &[TCP], &known).await;
    let mut volunteer = Running::start(VOLUNTEER, NETWORK, Part::Volunteer, &[], &known).await;
    let supernode = Running::start(SUPERNODE, NETWORK, Part::Supernode, &[&listen], &[]).await;
    volunteer.wait_steward_found().await;
    supernode.stop().await;
    for running in [&mut steward, &mut volunteer] {
        running
            .wait(|event| matches!(event, Event::SupernodeLost { .. }).then_some(()))
            .await;
    }
    let _supernode = Running::start(SUPERNODE, NETWORK, Part::Supernode, &[&listen], &[]).await;
    for running in [&mut steward, &mut volunteer] {
        running
            .wait(|event| matches!(event, Event::SupernodeConnected { .. }).then_some(()))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_takes_no_events_blocks_nobody_and_loses_nothing() {
    let (_supernode, mut steward, mut volunteer) = trio(&[TCP]).await;
    // Each of these fails at once with one event; nobody takes them meanwhile.
    let mut accepted = 0;
    for id in 0..10_000 {
        let campaigns = WorkRequest::Campaigns;
        if volunteer
            .handle
            .request(node(STRANGER), id, campaigns)
            .is_ok()
        {
            accepted += 1;
        }
        if id % 16 == 0 {
            tokio::task::yield_now().await;
        }
    }
    for _ in 0..accepted {
        let failure = volunteer
            .wait(|event| match event {
                Event::Response { result, .. } => Some(result.unwrap_err()),
                _ => None,
            })
            .await;
        assert_eq!(failure, RequestFailure::NotASteward);
    }
    // The connection has lived through it.
    let campaigns = WorkRequest::Campaigns;
    volunteer
        .handle
        .request(node(STEWARD), 1, campaigns)
        .unwrap();
    let (_, token, _) = steward.wait_request().await;
    let none = WorkResponse::Campaigns(Vec::new());
    steward.handle.respond(token, none).unwrap();
    assert!(volunteer.wait_response(1).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_open_requests_are_refused_by_name() {
    let (_supernode, mut steward, mut volunteer) = trio(&[TCP]).await;
    for id in 0..20 {
        let give_back = WorkRequest::Return {
            lease: LeaseId([1; 16]),
            reason: ReturnReason::Stopped,
        };
        volunteer
            .handle
            .request(node(STEWARD), id, give_back)
            .unwrap();
    }
    for _ in 0..12 {
        let failure = volunteer
            .wait(|event| match event {
                Event::Response { result, .. } => Some(result.unwrap_err()),
                _ => None,
            })
            .await;
        assert_eq!(failure, RequestFailure::TooMany);
    }
    // The first eight are answered, whatever the order.
    for _ in 0..8 {
        let (_, token, _) = steward.wait_request().await;
        let returned = WorkResponse::Returned(LeaseId([1; 16]));
        steward.handle.respond(token, returned).unwrap();
    }
    for _ in 0..8 {
        let answer = volunteer
            .wait(|event| match event {
                Event::Response { result, .. } => Some(result),
                _ => None,
            })
            .await;
        assert!(matches!(answer, Ok(VerifiedResponse::Returned(_))));
    }
}

#[tokio::test]
async fn a_bad_configuration_is_named() {
    let config = |listen: &str, supernode: Option<&str>| Config {
        keypair: key(VOLUNTEER),
        network: NETWORK,
        part: Part::Volunteer,
        listen: vec![listen.to_owned()],
        supernodes: supernode.map(str::to_owned).into_iter().collect(),
        stewards: Vec::new(),
    };
    for (config, code) in [
        (config("nowhere", None), "bad-address"),
        (
            config(TCP, Some("/ip4/127.0.0.1/tcp/1")),
            "bad-supernode-id",
        ),
        (config("/ip4/192.0.2.1/tcp/1", None), "cannot-listen"),
    ] {
        assert_eq!(start(config).unwrap_err().code(), code);
    }
}

// ---- a peer that does not keep to the protocol ----

/// Sends and receives any bytes.
#[derive(Clone, Default)]
struct RawCodec;

impl request_response::Codec for RawCodec {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut bytes = Vec::new();
        io.read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut bytes = Vec::new();
        io.read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&bytes).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&bytes).await
    }
}

#[derive(NetworkBehaviour)]
struct RawBehaviour {
    identify: identify::Behaviour,
    work: request_response::Behaviour<RawCodec>,
}

/// Sends `bytes` as a work request to `address` and gives back the answer's bytes.
async fn send_raw(address: &str, bytes: Vec<u8>) -> Vec<u8> {
    let (steward, _) = peer::supernode_address(address).unwrap();
    let mut swarm =
        SwarmBuilder::with_existing_identity(peer::transport_keypair(&key(STRANGER)).unwrap())
            .with_tokio()
            .with_tcp(
                tcp::Config::default(),
                noise::Config::new,
                yamux::Config::default,
            )
            .unwrap()
            .with_behaviour(|keypair| RawBehaviour {
                identify: identify::Behaviour::new(identify::Config::new(
                    peer::protocol_version(NETWORK),
                    keypair.public(),
                )),
                work: request_response::Behaviour::new(
                    iter::once((StreamProtocol::new(WORK_PROTOCOL), ProtocolSupport::Full)),
                    request_response::Config::default(),
                ),
            })
            .unwrap()
            .build();
    swarm.dial(address.parse::<Multiaddr>().unwrap()).unwrap();
    let mut bytes = Some(bytes);
    let deadline = Instant::now() + DEADLINE;
    loop {
        match timeout_at(deadline, swarm.select_next_some())
            .await
            .unwrap()
        {
            SwarmEvent::ConnectionEstablished { .. } => {
                if let Some(bytes) = bytes.take() {
                    swarm.behaviour_mut().work.send_request(&steward, bytes);
                }
            }
            SwarmEvent::Behaviour(RawBehaviourEvent::Work(event)) => match event {
                request_response::Event::Message {
                    message: request_response::Message::Response { response, .. },
                    ..
                } => return response,
                request_response::Event::OutboundFailure { error, .. } => panic!("{error}"),
                _ => {}
            },
            SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raw_bytes_are_refused_by_name() {
    let mut steward = Running::start(STEWARD, NETWORK, Part::Steward, &[TCP], &[]).await;
    let address = steward.addresses[0].clone();
    // A known request with one key more than it has: readable, but not the one form.
    let mut one_more = canonical::to_bytes(&WorkRequest::News {
        campaign: CampaignId([2; 32]),
        after: 0,
    })
    .unwrap();
    let two_keys = one_more.iter().position(|byte| *byte == 0xa2).unwrap();
    one_more[two_keys] = 0xa3;
    one_more.extend_from_slice(b"\x69zzzzzzzzz\x00");
    for (bytes, expected) in [
        (vec![0; MAX_REQUEST_BYTES + 1], Rejection::TooLarge),
        (vec![0; 3 * MAX_REQUEST_BYTES], Rejection::TooLarge),
        (b"GET / HTTP/1.1".to_vec(), Rejection::Malformed),
        (one_more, Rejection::NotCanonical),
    ] {
        let (answer, reported) = tokio::join!(send_raw(&address, bytes), steward.wait_refused());
        assert_eq!(reported, (node(STRANGER), expected));
        let answer: WorkResponse = canonical::from_bytes(&answer, 1_000).unwrap();
        assert_eq!(answer, WorkResponse::Refused(expected));
    }
}

fn campaign() -> Campaign {
    use omni_types::{
        EvolutionParams, Labs, Micro, Problem, ResourceLimits, RewardPolicy, RiskTier, SkillKind,
        SkillRef, Track, VerificationPolicy,
    };
    Campaign {
        id: CampaignId([2; 32]),
        name: "labs".to_owned(),
        title: Default::default(),
        purpose: Default::default(),
        skill: SkillRef {
            name: "labs".to_owned(),
            kind: SkillKind::Compute,
            cid: Cid::of(b"skill"),
        },
        problem: Problem::Labs(Labs {
            track: Track::Skew,
            length: 101,
        }),
        evolution: EvolutionParams {
            population: 10,
            units_per_generation: 10,
            segments_per_unit: 2,
            evaluations_per_segment: 1_000,
            crossover_permille: 500,
            tournament: 2,
            seed: 1,
        },
        verification: VerificationPolicy {
            agree: 2,
            ask: 3,
            newcomer_units: 3,
            audit_permille: 50,
            maturity_units: 20,
            lease_ms: 60_000,
            recheck_claim_ms: 10_000,
        },
        reward: RewardPolicy {
            budget: Micro(1_000_000),
            per_segment: Micro(10),
            per_recheck_segment: Micro(10),
        },
        limits: ResourceLimits {
            memory_bytes: 1 << 24,
            output_bytes: 1_024,
            segment_wall_ms: 10_000,
        },
        risk: RiskTier::Low,
    }
}
