//! The only way out of this computer besides the peer-to-peer network: blobs from gateways, the
//! update feed, diagnostics that the volunteer sends.
//!
//! ```text
//! URL -- rules --> target -- resolved once --> addresses, all checked -- connected --> peer, checked
//!          ^                                                                             |
//!          +------------------------------ redirection, at most 5 -----------------------+
//! ```
//!
//! A name can be made to lead into the volunteer's own network, and to lead elsewhere at every
//! question. So the checked address is the one that is connected to, and nothing between the check
//! and the connection asks again: no pool, no proxy, no client library that resolves names.

mod address;
mod error;
mod resolve;
mod target;

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode,
    body::{Body as _, Bytes, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, RootCertStore,
        client::Resumption,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName},
        version::TLS13,
    },
};

pub use error::EgressError;
pub use resolve::{Resolve, Resolving, SystemResolver};
use target::{Rules, Target};

/// Redirections followed for one request.
pub const MAX_REDIRECTS: usize = 5;
/// Most bytes sent in one request.
pub const MAX_POST_BYTES: usize = 8 << 20;
/// Addresses of one host that are tried.
const MAX_ATTEMPTS: usize = 4;
/// Time for one address.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Largest head of an answer, bytes.
const MAX_HEAD_BYTES: usize = 32 << 10;
/// Most lines in the head of an answer.
const MAX_HEADERS: usize = 64;
/// Longest kept content type, bytes.
const MAX_CONTENT_TYPE_BYTES: usize = 128;
/// Name of the program for the other side. No version and no system: they tell users apart.
const USER_AGENT: &str = "omniswarm";

/// What one request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest answer, bytes.
    pub max_bytes: u64,
    /// From the first moment to the last byte, redirections and waiting for other requests included.
    pub total_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 16 << 20,
            total_time: Duration::from_secs(60),
        }
    }
}

/// What may be reached.
#[derive(Clone, Debug, Default)]
pub struct GateConfig {
    /// The hosts, exactly as URLs name them: lower case, ASCII (punycode), no pattern. With
    /// loopback allowed also `localhost`, names that end in `.localhost`, `127.0.0.1`, `[::1]`.
    pub hosts: Vec<String>,
    /// Whether this computer itself may be reached, by any port and without encryption; for the
    /// embedded network only.
    pub allow_loopback: bool,
    /// Upper bounds for every request, whatever it asks for.
    pub limits: GateLimits,
    /// Certificate authorities (DER) trusted besides the public ones.
    pub extra_authorities: Vec<Vec<u8>>,
}

/// Upper bounds of the whole gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateLimits {
    /// Bounds of one request.
    pub request: Limits,
    /// Requests at the same time; others wait.
    pub concurrent: usize,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self {
            request: Limits {
                max_bytes: 256 << 20,
                total_time: Duration::from_secs(600),
            },
            concurrent: 4,
        }
    }
}

/// An answer, whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// Its body.
    pub bytes: Vec<u8>,
    /// What the other side calls it; not checked against the bytes.
    pub content_type: Option<String>,
    /// The URL that gave it, after redirections, without fragment.
    pub final_url: String,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("bytes", &self.bytes.len())
            .field("content_type", &self.content_type)
            .field("final_url", &self.final_url)
            .finish()
    }
}

/// What is sent.
#[derive(Clone)]
enum Sent {
    Get,
    Post {
        content_type: &'static str,
        body: Bytes,
    },
}

/// What comes back from one connection.
enum Answer {
    Whole(Response),
    SendsOn(String),
}

/// The gate. Cheap to clone; clones share the limit on requests.
#[derive(Clone)]
pub struct Gate {
    rules: Arc<Rules>,
    limits: GateLimits,
    requests: Arc<Semaphore>,
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("rules", &self.rules)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Gate {
    /// A gate that resolves names with the operating system.
    ///
    /// # Errors
    /// [`EgressError::ConfigWrong`].
    pub fn new(config: GateConfig) -> Result<Self, EgressError> {
        Self::with_resolver(config, Arc::new(SystemResolver::default()))
    }

    /// A gate with another source of addresses.
    ///
    /// # Errors
    /// [`EgressError::ConfigWrong`].
    pub fn with_resolver(
        config: GateConfig,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, EgressError> {
        Ok(Self {
            rules: Arc::new(Rules::new(config.hosts, config.allow_loopback)?),
            limits: config.limits,
            requests: Arc::new(Semaphore::new(config.limits.concurrent.max(1))),
            resolver,
            tls: tls(config.extra_authorities)?,
        })
    }

    /// This gate for one host alone, whether or not it is on the list; the limit on requests stays
    /// shared.
    ///
    /// # Errors
    /// [`EgressError::ConfigWrong`].
    pub fn only(&self, host: String) -> Result<Self, EgressError> {
        Ok(Self {
            rules: Arc::new(self.rules.only(host)?),
            ..self.clone()
        })
    }

    /// Fetches a URL. Redirections are followed, each under the same rules.
    ///
    /// # Errors
    /// Any [`EgressError`] but those of sending.
    pub async fn get(&self, url: &str, limits: Limits) -> Result<Response, EgressError> {
        self.request(url, Sent::Get, limits).await
    }

    /// Sends bytes to a URL, at most [`MAX_POST_BYTES`]. No redirection is followed: what is sent
    /// goes where the volunteer agreed to, and nowhere else.
    ///
    /// # Errors
    /// Any [`EgressError`].
    pub async fn post(
        &self,
        url: &str,
        content_type: &'static str,
        body: Vec<u8>,
        limits: Limits,
    ) -> Result<Response, EgressError> {
        if body.len() > MAX_POST_BYTES {
            return Err(EgressError::RequestTooLarge {
                limit_bytes: MAX_POST_BYTES as u64,
            });
        }
        let sent = Sent::Post {
            content_type,
            body: body.into(),
        };
        self.request(url, sent, limits).await
    }

    /// What a request to a URL would connect to, after all checks; nothing is connected.
    ///
    /// # Errors
    /// As [`Self::get`] before the connection.
    pub async fn check(&self, url: &str) -> Result<Vec<SocketAddr>, EgressError> {
        let target = self.rules.target(url)?;
        timeout(self.limits.request.total_time, self.addresses(&target))
            .await
            .map_err(|_| EgressError::DeadlinePassed)?
    }

    async fn request(
        &self,
        url: &str,
        sent: Sent,
        limits: Limits,
    ) -> Result<Response, EgressError> {
        let target = self.rules.target(url)?;
        let max_bytes = limits.max_bytes.min(self.limits.request.max_bytes);
        let total_time = limits.total_time.min(self.limits.request.total_time);
        timeout(total_time, self.follow(target, sent, max_bytes))
            .await
            .map_err(|_| EgressError::DeadlinePassed)?
    }

    async fn follow(
        &self,
        mut target: Target,
        sent: Sent,
        max_bytes: u64,
    ) -> Result<Response, EgressError> {
        // Never closed.
        let _turn = self.requests.acquire().await;
        for _ in 0..=MAX_REDIRECTS {
            match self.ask(&target, &sent, max_bytes).await? {
                Answer::Whole(response) => return Ok(response),
                Answer::SendsOn(location) => {
                    target = self.rules.redirected(&target, &location)?;
                }
            }
        }
        Err(EgressError::TooManyRedirects)
    }

    /// The addresses of a target: all are checked, or none is given out.
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, EgressError> {
        let addresses = match target.literal {
            Some(address) => vec![address],
            None => self
                .resolver
                .resolve(&target.name)
                .await
                .map_err(|_| EgressError::NameNotFound)?,
        };
        if addresses.is_empty() {
            return Err(EgressError::NameNotFound);
        }
        // One bad address among good ones is a sign that somebody else gave the answer.
        if !addresses.iter().all(|&address| target.allows(address)) {
            return Err(EgressError::AddressNotAllowed);
        }
        Ok(addresses
            .into_iter()
            .map(|address| SocketAddr::new(address, target.port))
            .collect())
    }

    async fn ask(
        &self,
        target: &Target,
        sent: &Sent,
        max_bytes: u64,
    ) -> Result<Answer, EgressError> {
        let addresses = self.addresses(target).await?;
        let stream = connect(&addresses).await?;
        if !target.is_https() {
            return exchange(stream, target, sent, max_bytes).await;
        }
        let host = target.url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|_| EgressError::UrlMalformed)?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(rustls::Error::InvalidCertificate(_)) => EgressError::CertificateRefused,
                _ => EgressError::ConnectionFailed(error.kind()),
            }
        })?;
        exchange(stream, target, sent, max_bytes).await
    }
}

/// TLS 1.3 alone, with the public authorities, without memory of earlier connections.
fn tls(extra_authorities: Vec<Vec<u8>>) -> Result<TlsConnector, EgressError> {
    let mut authorities = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    for authority in extra_authorities {
        authorities
            .add(CertificateDer::from(authority))
            .map_err(|error| EgressError::ConfigWrong(error.to_string()))?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| EgressError::ConfigWrong(error.to_string()))?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Connects to the first of the addresses that answers.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, EgressError> {
    let mut failed = std::io::ErrorKind::NotConnected;
    for &address in addresses.iter().take(MAX_ATTEMPTS) {
        match timeout(CONNECT_TIME, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // The system could be told to connect elsewhere than asked.
                return match stream.peer_addr() {
                    Ok(peer) if peer == address => Ok(stream),
                    Ok(_) => Err(EgressError::AddressNotAllowed),
                    Err(error) => Err(EgressError::ConnectionFailed(error.kind())),
                };
            }
            Ok(Err(error)) => failed = error.kind(),
            Err(_) => failed = std::io::ErrorKind::TimedOut,
        }
    }
    Err(EgressError::ConnectionFailed(failed))
}

/// Sends one request over a connection and reads its answer; the connection is not used again.
async fn exchange<S>(
    stream: S,
    target: &Target,
    sent: &Sent,
    max_bytes: u64,
) -> Result<Answer, EgressError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(|error| failure(&error))?;
    // Dropping the set ends the connection, however this function ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let answer = sender
        .send_request(request(target, sent)?)
        .await
        .map_err(|error| failure(&error))?;

    let status = answer.status();
    let header = |name| {
        answer
            .headers()
            .get(name)
            .and_then(|text| text.to_str().ok())
    };
    if is_redirection(status) {
        return match (sent, header(header::LOCATION)) {
            (Sent::Get, Some(location)) => Ok(Answer::SendsOn(location.to_owned())),
            _ => Err(EgressError::RedirectNotAllowed),
        };
    }
    let wanted = match sent {
        Sent::Get => status == StatusCode::OK,
        Sent::Post { .. } => status.is_success(),
    };
    if !wanted {
        return Err(EgressError::StatusRefused {
            status: status.as_u16(),
        });
    }
    // Nothing is unpacked here: a small answer cannot become a large one.
    if answer
        .headers()
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(EgressError::EncodingNotAllowed);
    }
    let content_type = header(header::CONTENT_TYPE)
        .filter(|text| text.len() <= MAX_CONTENT_TYPE_BYTES)
        .map(str::to_owned);
    Ok(Answer::Whole(Response {
        bytes: body(answer.into_body(), max_bytes).await?,
        content_type,
        final_url: target.url.to_string(),
    }))
}

fn is_redirection(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn request(target: &Target, sent: &Sent) -> Result<Request<Full<Bytes>>, EgressError> {
    let url = &target.url;
    let host = match url.port() {
        Some(port) => format!("{}:{port}", target.name),
        None => target.name.clone(),
    };
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let request = Request::builder()
        .uri(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "*/*")
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::CONNECTION, "close");
    match sent {
        Sent::Get => request.method("GET").body(Full::default()),
        Sent::Post { content_type, body } => request
            .method("POST")
            .header(header::CONTENT_TYPE, *content_type)
            .body(Full::new(body.clone())),
    }
    .map_err(|_| EgressError::UrlMalformed)
}

/// Reads a body piece by piece, never more than allowed and one piece.
async fn body(mut body: Incoming, max_bytes: u64) -> Result<Vec<u8>, EgressError> {
    let too_large = EgressError::AnswerTooLarge {
        limit_bytes: max_bytes,
    };
    if body.size_hint().lower() > max_bytes {
        return Err(too_large);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| failure(&error))?;
        // Trailers are of no use here.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if (bytes.len() as u64).saturating_add(data.len() as u64) > max_bytes {
            return Err(too_large);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

fn failure(error: &hyper::Error) -> EgressError {
    // Also a head that is too large.
    if error.is_parse() {
        EgressError::AnswerMalformed
    } else if error.is_incomplete_message() {
        EgressError::ConnectionFailed(std::io::ErrorKind::UnexpectedEof)
    } else {
        EgressError::ConnectionFailed(std::io::ErrorKind::ConnectionAborted)
    }
}
