//! Why a request does not leave this computer, or its answer is not used.

use std::io;

use thiserror::Error;

/// Why the gate refuses. The sentence can be shown to the volunteer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EgressError {
    /// The settings of the gate are wrong.
    #[error("The list of allowed internet addresses is wrong: {0}.")]
    ConfigWrong(String),
    /// The URL cannot be read, or can be read in more than one way.
    #[error("An internet address is not written in the one plain way.")]
    UrlMalformed,
    /// Not HTTPS.
    #[error("Only encrypted connections (https) are allowed.")]
    SchemeNotAllowed,
    /// The URL carries a user name or password.
    #[error("An internet address with a user name or password in it is not allowed.")]
    UserInfoNotAllowed,
    /// Another port than that of HTTPS.
    #[error("Only the usual port of encrypted web connections is allowed.")]
    PortNotAllowed,
    /// The host is a number instead of a name.
    #[error("An internet address must be a name and not a number.")]
    IpLiteralNotAllowed,
    /// The host is not on the list.
    #[error("Connections to {host} are not allowed.")]
    HostNotAllowed {
        /// The host as the URL names it.
        host: String,
    },
    /// The name cannot be resolved.
    #[error("The name of an internet address is not known at the moment.")]
    NameNotFound,
    /// The name leads into the own computer or network, or to no public place.
    #[error(
        "The name of an internet address leads into a private network, which is never allowed."
    )]
    AddressNotAllowed,
    /// No connection comes about, or it breaks.
    #[error("A connection to the internet failed ({0}).")]
    ConnectionFailed(io::ErrorKind),
    /// The other side does not prove who it is.
    #[error("The other side of a connection could not prove who it is.")]
    CertificateRefused,
    /// More redirections than allowed.
    #[error("The other side sends on from place to place.")]
    TooManyRedirects,
    /// A redirection that is not followed.
    #[error("The other side sends on to a place that is not allowed.")]
    RedirectNotAllowed,
    /// The answer is no plain HTTP answer, or its head is too large.
    #[error("The answer of the other side cannot be understood.")]
    AnswerMalformed,
    /// The answer is compressed, although that was not asked for.
    #[error("The other side answers in a form that was not asked for.")]
    EncodingNotAllowed,
    /// The answer says that the request failed.
    #[error("The other side refuses with the number {status}.")]
    StatusRefused {
        /// HTTP status.
        status: u16,
    },
    /// The answer is larger than allowed.
    #[error("The answer is larger than the {limit_bytes} bytes allowed.")]
    AnswerTooLarge {
        /// Most bytes allowed.
        limit_bytes: u64,
    },
    /// What should be sent is larger than allowed.
    #[error("What should be sent is larger than the {limit_bytes} bytes allowed.")]
    RequestTooLarge {
        /// Most bytes allowed.
        limit_bytes: u64,
    },
    /// The time is over.
    #[error("The other side takes too long.")]
    DeadlinePassed,
}

impl EgressError {
    /// Stable code, kebab case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ConfigWrong(_) => "egress-config-wrong",
            Self::UrlMalformed => "url-malformed",
            Self::SchemeNotAllowed => "scheme-not-allowed",
            Self::UserInfoNotAllowed => "user-info-not-allowed",
            Self::PortNotAllowed => "port-not-allowed",
            Self::IpLiteralNotAllowed => "ip-literal-not-allowed",
            Self::HostNotAllowed { .. } => "host-not-allowed",
            Self::NameNotFound => "name-not-found",
            Self::AddressNotAllowed => "address-not-allowed",
            Self::ConnectionFailed(_) => "connection-failed",
            Self::CertificateRefused => "certificate-refused",
            Self::TooManyRedirects => "too-many-redirects",
            Self::RedirectNotAllowed => "redirect-not-allowed",
            Self::AnswerMalformed => "answer-malformed",
            Self::EncodingNotAllowed => "encoding-not-allowed",
            Self::StatusRefused { .. } => "status-refused",
            Self::AnswerTooLarge { .. } => "answer-too-large",
            Self::RequestTooLarge { .. } => "request-too-large",
            Self::DeadlinePassed => "deadline-passed",
        }
    }
}
