//! What can go wrong, by name.

use omni_types::Rejection;

/// Why the network could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a multiaddress.
    #[error("not a network address: {0}")]
    Address(String),
    /// A supernode's address must end in the id of an ed25519 key.
    #[error("the address of a supernode must end in /p2p/<its id>: {0}")]
    SupernodeId(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Which.
        address: String,
        /// The system's words.
        reason: String,
    },
    /// The transports could not be set up.
    #[error("cannot set up the network: {0}")]
    Transport(String),
    /// Called outside a tokio runtime.
    #[error("the network needs a tokio runtime")]
    NoRuntime,
}

impl Error {
    /// Stable code, kebab case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address(_) => "bad-address",
            Self::SupernodeId(_) => "bad-supernode-id",
            Self::Listen { .. } => "cannot-listen",
            Self::Transport(_) => "cannot-set-up-network",
            Self::NoRuntime => "no-runtime",
        }
    }
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The command queue is full.
    #[error("The network is busy; try again in a moment.")]
    Busy,
    /// The network task has ended.
    #[error("The network is shut down.")]
    Closed,
}

impl SendError {
    /// Stable code, kebab case.
    pub fn code(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Closed => "closed",
        }
    }
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestFailure {
    /// The peer is not connected, or not yet known to be of this network.
    #[error("The other computer is not connected.")]
    NotConnected,
    /// Work is asked only of the charter's stewards.
    #[error("The other computer is not a steward of this network.")]
    NotASteward,
    /// No answer in time.
    #[error("The other computer did not answer in time.")]
    TimedOut,
    /// The connection or the stream closed before the answer was complete.
    #[error("The connection closed before the answer came.")]
    Closed,
    /// The peer does not answer this kind of request.
    #[error("The other computer does not answer such requests.")]
    Unsupported,
    /// Too many requests of this node are open.
    #[error("Too many requests are open; try again later.")]
    TooMany,
    /// The request or the answer is above its size limit.
    #[error("The message is larger than allowed.")]
    TooLarge,
    /// The answer does not decode, or is not in canonical form.
    #[error("The answer is damaged or not one of ours.")]
    Malformed,
    /// The answer decodes but does not verify; this node refuses it.
    #[error("The answer was refused: {0}")]
    Refused(Rejection),
    /// The peer does not have the blob.
    #[error("The other computer does not have the file.")]
    Absent,
    /// The bytes are not the blob that was asked for.
    #[error("The other computer sent a different file than asked for.")]
    WrongCid,
}

impl RequestFailure {
    /// Stable code, kebab case. A refusal has the code of its rejection.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotConnected => "not-connected",
            Self::NotASteward => "not-a-steward",
            Self::TimedOut => "timed-out",
            Self::Closed => "closed",
            Self::Unsupported => "unsupported",
            Self::TooMany => "too-many",
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::Refused(rejection) => rejection.code(),
            Self::Absent => "absent",
            Self::WrongCid => "wrong-cid",
        }
    }
}

impl From<Rejection> for RequestFailure {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::TooLarge => Self::TooLarge,
            Rejection::Malformed | Rejection::NotCanonical => Self::Malformed,
            other => Self::Refused(other),
        }
    }
}
