//! Links to peers that this node wants to stay connected to: when to dial them again.
//!
//! ```text
//!   wanted ── due ──▶ dialling ── established ──▶ up
//!     ▲                  │ failed                  │ closed
//!     └──── back off ────┴─────────────────────────┘
//! ```

use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use crate::peer::is_loopback;

/// First waiting time.
const BASE: Duration = Duration::from_millis(250);
/// Longest waiting time between dials on this computer.
const LOCAL_CAP: Duration = Duration::from_secs(5);
/// Longest waiting time between dials over a real network: a supernode that comes back must not
/// meet all its volunteers at once.
const REMOTE_CAP: Duration = Duration::from_secs(60);
/// A connection that lasted this long ends the backing off.
const STABLE: Duration = Duration::from_secs(10);
/// Most addresses kept for one peer.
const MAX_ADDRESSES: usize = 16;

/// What a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Supernode,
    Steward,
}

/// Waiting times that differ between nodes, so that they do not act in step.
#[derive(Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    /// A sequence of its own for every node.
    pub(crate) fn new(local: &[u8; 32]) -> Self {
        Self(local.iter().fold(0, |state, byte| {
            mixed(state ^ u64::from(*byte)).wrapping_add(1)
        }))
    }

    /// The waiting time after `attempts` tries, at most `cap`, plus or minus a quarter.
    pub(crate) fn backoff(&mut self, attempts: u32, cap: Duration) -> Duration {
        let doubled = BASE.saturating_mul(1_u32 << attempts.min(16)).min(cap);
        self.0 = self.0.wrapping_add(1);
        let permille = 750 + (mixed(self.0) % 501) as u32;
        doubled.saturating_mul(permille) / 1000
    }
}

/// SplitMix64's output function: spreads a counter over all bits.
fn mixed(state: u64) -> u64 {
    let mut z = state.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A peer to stay connected to.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) goal: Goal,
    pub(crate) peer: PeerId,
    pub(crate) addresses: Vec<Multiaddr>,
    /// When to dial; `None` while dialling, connected, or without an address.
    pub(crate) dial_due: Option<Instant>,
    /// When to register or discover at this supernode; `None` while there is no need.
    pub(crate) meet_due: Option<Instant>,
    /// Meetings since the last success, for the waiting time.
    pub(crate) meetings: u32,
    attempts: u32,
    up_since: Option<Instant>,
}

impl Link {
    /// A link without addresses yet.
    pub(crate) fn new(goal: Goal, peer: PeerId) -> Self {
        Self {
            goal,
            peer,
            addresses: Vec::new(),
            dial_due: None,
            meet_due: None,
            meetings: 0,
            attempts: 0,
            up_since: None,
        }
    }

    /// One more configured address.
    pub(crate) fn add_address(&mut self, address: Multiaddr, now: Instant) {
        if self.addresses.len() < MAX_ADDRESSES && !self.addresses.contains(&address) {
            self.addresses.push(address);
            self.dial_due = Some(now);
        }
    }

    /// A dial begins.
    pub(crate) fn dialling(&mut self) {
        self.attempts = self.attempts.saturating_add(1);
        self.dial_due = None;
    }

    /// The dial failed.
    pub(crate) fn failed(&mut self, jitter: &mut Jitter, now: Instant) {
        if !self.addresses.is_empty() {
            self.dial_due = Some(now + jitter.backoff(self.attempts, self.cap()));
        }
    }

    /// Connected.
    pub(crate) fn up(&mut self, now: Instant) {
        self.dial_due = None;
        self.up_since = self.up_since.or(Some(now));
    }

    /// The last connection closed.
    pub(crate) fn down(&mut self, jitter: &mut Jitter, now: Instant) {
        if self
            .up_since
            .take()
            .is_some_and(|since| now.duration_since(since) >= STABLE)
        {
            self.attempts = 0;
        }
        self.meet_due = None;
        self.failed(jitter, now);
    }

    /// The peer announced these addresses.
    pub(crate) fn announced(&mut self, addresses: &[Multiaddr], connected: bool, now: Instant) {
        let addresses: Vec<Multiaddr> = addresses.iter().take(MAX_ADDRESSES).cloned().collect();
        if addresses != self.addresses {
            self.addresses = addresses;
            self.attempts = 0;
            if !connected && !self.addresses.is_empty() {
                self.dial_due = Some(now);
            }
        }
    }

    fn cap(&self) -> Duration {
        if self.addresses.iter().any(is_loopback) {
            LOCAL_CAP
        } else {
            REMOTE_CAP
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn waiting_times_double_up_to_the_cap_and_differ_between_nodes() {
        let mut jitter = Jitter::new(&[1; 32]);
        for attempts in 0..40 {
            let wait = jitter.backoff(attempts, LOCAL_CAP);
            let ideal = BASE
                .saturating_mul(1_u32 << attempts.min(16))
                .min(LOCAL_CAP);
            assert!(wait >= ideal * 3 / 4 && wait <= ideal * 5 / 4, "{attempts}");
        }
        let series = |seed: u8| {
            let mut jitter = Jitter::new(&[seed; 32]);
            (0..4)
                .map(|_| jitter.backoff(3, LOCAL_CAP))
                .collect::<Vec<_>>()
        };
        assert_ne!(series(1), series(2));
    }

    #[test]
    fn new_addresses_are_dialled_at_once_and_known_ones_keep_backing_off() {
        let now = Instant::now();
        let mut jitter = Jitter::new(&[1; 32]);
        let old: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        let new: Multiaddr = "/ip4/127.0.0.1/tcp/2".parse().unwrap();
        let mut link = Link::new(Goal::Steward, PeerId::random());
        assert_eq!(link.dial_due, None);
        link.announced(std::slice::from_ref(&old), false, now);
        assert_eq!(link.dial_due, Some(now));
        link.dialling();
        link.failed(&mut jitter, now);
        let waiting = link.dial_due;
        assert!(waiting > Some(now));
        link.announced(&[old], false, now);
        assert_eq!(link.dial_due, waiting);
        link.announced(&[new], false, now);
        assert_eq!(link.dial_due, Some(now));
    }
}
