//! The protocols of one node and their limits.

use std::{iter, time::Duration};

use libp2p::{
    StreamProtocol, Swarm, SwarmBuilder, connection_limits, identify, identity, noise, ping,
    rendezvous, request_response,
    request_response::ProtocolSupport,
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
    tcp, yamux,
};
use omni_types::wire::{BLOB_PROTOCOL, WORK_PROTOCOL};

use crate::{
    Config, Part,
    codec::{BlobCodec, WorkCodec},
    failure::Error,
    peer,
};

/// Time for a work request, from either side.
const WORK_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a blob, from either side.
const BLOB_TIMEOUT: Duration = Duration::from_secs(30);
/// Work streams of one connection, both directions.
pub(crate) const WORK_STREAMS: usize = 16;
/// Blob streams of one connection, both directions.
pub(crate) const BLOB_STREAMS: usize = 8;

/// Connections of a volunteer: few, to be kind to home routers.
const VOLUNTEER_CONNECTIONS: u32 = 50;
/// Connections of a steward. The system must allow as many open files.
const STEWARD_CONNECTIONS: u32 = 2_000;
/// Connections of a supernode. The system must allow as many open files.
const SUPERNODE_CONNECTIONS: u32 = 4_000;
/// Connections to one peer.
const CONNECTIONS_PER_PEER: u32 = 4;
/// Connections being set up at a time, each direction.
const PENDING_CONNECTIONS: u32 = 64;

/// A connection without streams is kept this long: being connected is the point.
const IDLE_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
/// Between pings on one connection.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// A connection whose ping takes longer is closed.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Shortest and longest registration that a supernode accepts, seconds. The longest is short
/// because every repetition of a registration is kept until it expires.
const REGISTRATION_TTL_RANGE_S: (u64, u64) = (60, 900);
/// How long a steward registers for, seconds.
pub(crate) const REGISTRATION_TTL_S: u64 = 600;
/// Registrations at one supernode.
const REGISTRATIONS: usize = 1_000;
/// Registrations of one peer; a repetition counts while the one before is still there.
const REGISTRATIONS_PER_PEER: usize = 4;
/// Discoveries that a supernode remembers.
const COOKIES: usize = 1_000;

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    // First, so that a connection above the limits is refused before anything is set up for it.
    limits: connection_limits::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) meeting: Toggle<rendezvous::client::Behaviour>,
    pub(crate) register: Toggle<rendezvous::server::Behaviour>,
    pub(crate) work: request_response::Behaviour<WorkCodec>,
    pub(crate) blob: request_response::Behaviour<BlobCodec>,
}

fn behaviour(config: &Config, keypair: &identity::Keypair) -> Behaviour {
    let established = match config.part {
        Part::Volunteer => VOLUNTEER_CONNECTIONS,
        Part::Steward => STEWARD_CONNECTIONS,
        Part::Supernode => SUPERNODE_CONNECTIONS,
    };
    let mut limits = connection_limits::Behaviour::new(
        connection_limits::ConnectionLimits::default()
            .with_max_pending_incoming(Some(PENDING_CONNECTIONS))
            .with_max_pending_outgoing(Some(PENDING_CONNECTIONS))
            .with_max_established(Some(established))
            .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER)),
    );
    // Strangers must not be able to take the places of those the charter names.
    for peer in config
        .stewards
        .iter()
        .filter_map(|node| peer::peer_id(*node))
    {
        limits.bypass_peer_id(&peer);
    }
    for (peer, _) in config
        .supernodes
        .iter()
        .filter_map(|text| peer::supernode_address(text).ok())
    {
        limits.bypass_peer_id(&peer);
    }

    // What a volunteer's computer listens on is nobody's business: it is not dialled.
    let identify = identify::Config::new(peer::protocol_version(config.network), keypair.public())
        .with_agent_version(concat!("omniswarm/", env!("CARGO_PKG_VERSION")).to_owned())
        .with_hide_listen_addrs(config.part == Part::Volunteer)
        .with_cache_size(0);

    let meeting = (config.part != Part::Supernode)
        .then(|| rendezvous::client::Behaviour::new(keypair.clone()));
    let (min_ttl, max_ttl) = REGISTRATION_TTL_RANGE_S;
    let register = (config.part == Part::Supernode).then(|| {
        rendezvous::server::Behaviour::new(
            rendezvous::server::Config::default()
                .with_min_ttl(min_ttl)
                .with_max_ttl(max_ttl)
                .with_max_registration_total(REGISTRATIONS)
                .with_max_registration_per_peer(REGISTRATIONS_PER_PEER)
                .with_max_stored_cookies(COOKIES),
        )
    });

    let work_support = match config.part {
        Part::Steward => ProtocolSupport::Full,
        Part::Volunteer | Part::Supernode => ProtocolSupport::Outbound,
    };
    Behaviour {
        limits,
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::new(
            ping::Config::new()
                .with_interval(PING_INTERVAL)
                .with_timeout(PING_TIMEOUT),
        ),
        meeting: meeting.into(),
        register: register.into(),
        work: request_response::Behaviour::with_codec(
            WorkCodec::new(),
            iter::once((StreamProtocol::new(WORK_PROTOCOL), work_support)),
            request_response::Config::default()
                .with_request_timeout(WORK_TIMEOUT)
                .with_max_concurrent_streams(WORK_STREAMS),
        ),
        blob: request_response::Behaviour::with_codec(
            BlobCodec,
            iter::once((StreamProtocol::new(BLOB_PROTOCOL), ProtocolSupport::Full)),
            request_response::Config::default()
                .with_request_timeout(BLOB_TIMEOUT)
                .with_max_concurrent_streams(BLOB_STREAMS),
        ),
    }
}

/// The swarm of one node, not yet listening.
pub(crate) fn swarm(config: &Config) -> Result<Swarm<Behaviour>, Error> {
    let keypair = peer::transport_keypair(&config.keypair)?;
    let transport_error = |error: &dyn std::fmt::Display| Error::Transport(error.to_string());
    Ok(SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(
            tcp::Config::default().nodelay(true),
            noise::Config::new,
            yamux::Config::default,
        )
        .map_err(|error| transport_error(&error))?
        .with_quic()
        .with_behaviour(|keypair| behaviour(config, keypair))
        .map_err(|error| transport_error(&error))?
        .with_swarm_config(|swarm| swarm.with_idle_connection_timeout(IDLE_TIMEOUT))
        .build())
}
