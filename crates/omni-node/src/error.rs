//! What a node can end with.

use std::sync::Arc;

use thiserror::Error;

/// Why a node does not start or does not go on. Cheap to clone: several places show it.
#[derive(Clone, Debug, Error)]
pub enum NodeError {
    /// The identity key is not to be had.
    #[error("{}", .0.sentence())]
    Identity(Arc<crate::identity::IdentityError>),
    /// The store cannot be opened, read or written.
    #[error("{0}")]
    Store(Arc<omni_store::Error>),
    /// The log does not fit the program.
    #[error("The record of past work cannot be replayed: {0}")]
    Replay(String),
    /// The network does not start.
    #[error("{0}")]
    Network(Arc<omni_net::Error>),
    /// The network task ended.
    #[error("The connection to the network ended unexpectedly.")]
    NetworkEnded,
    /// A document that this program made itself is refused.
    #[error("{0}")]
    Rejected(#[from] omni_types::Rejection),
    /// The campaign cannot be set up.
    #[error("{0}")]
    Campaign(#[from] crate::campaigns::CampaignError),
    /// A file or folder cannot be read or written.
    #[error("A file or folder cannot be used: {0}")]
    Io(Arc<std::io::Error>),
    /// A part of the embedded network did not come up.
    #[error("The built-in network did not start in time.")]
    EmbeddedNetwork,
    /// The policy, or the volunteer, says no.
    #[error("{0}")]
    Denied(omni_core::Denial),
    /// The node no longer runs.
    #[error("The node is not running.")]
    Ended,
}

impl NodeError {
    /// Stable code, kebab case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Identity(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Replay(_) => "log-not-replayable",
            Self::Network(error) => error.code(),
            Self::NetworkEnded => "network-ended",
            Self::Rejected(rejection) => rejection.code(),
            Self::Campaign(_) => "campaign-unknown",
            Self::Io(_) => "file-unusable",
            Self::EmbeddedNetwork => "embedded-network",
            Self::Denied(denial) => denial.code(),
            Self::Ended => "ended",
        }
    }
}

impl From<omni_store::Error> for NodeError {
    fn from(error: omni_store::Error) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<omni_net::Error> for NodeError {
    fn from(error: omni_net::Error) -> Self {
        Self::Network(Arc::new(error))
    }
}

impl From<std::io::Error> for NodeError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl From<crate::identity::IdentityError> for NodeError {
    fn from(error: crate::identity::IdentityError) -> Self {
        Self::Identity(Arc::new(error))
    }
}
