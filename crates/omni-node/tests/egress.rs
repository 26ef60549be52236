//! The gate for everything that leaves this computer, tried against real servers on loopback.
//! Nothing here contacts the internet: what would is asked with `Gate::check`, which connects to
//! nothing.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use omni_node::egress::{
    EgressError, Gate, GateConfig, GateLimits, Limits, MAX_POST_BYTES, MAX_REDIRECTS, Resolve,
    Resolving, Response,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivatePkcs8KeyDer},
};

/// Enough for whatever should come to an end by itself.
const AMPLE: Limits = Limits {
    max_bytes: 1 << 20,
    total_time: Duration::from_secs(60),
};
/// For what must be ended by the deadline.
const SHORT: Limits = Limits {
    max_bytes: 1 << 20,
    total_time: Duration::from_millis(300),
};

/// What a server does after it has read the head of a request.
enum Then {
    /// Writes this and closes.
    Close(String),
    /// Writes this and waits for the other side to go.
    Hold(String),
    /// Writes the first once and the second until the other side goes.
    Forever(String, String),
    /// Writes the first, then one letter at a time, slowly.
    Drip(String),
}

struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(then: impl Fn(&str) -> Then + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, None, then)
    }

    fn on(
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        then: impl Fn(&str) -> Then + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let then = Arc::new(then);
        let task = tokio::spawn({
            let (connections, requests) = (Arc::clone(&connections), Arc::clone(&requests));
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    connections.fetch_add(1, Ordering::SeqCst);
                    let (requests, then, tls) =
                        (Arc::clone(&requests), Arc::clone(&then), tls.clone());
                    tokio::spawn(async move {
                        // A client that goes away early is part of many tests.
                        let _ = match tls {
                            None => serve(stream, &requests, &*then).await,
                            Some(tls) => match tls.accept(stream).await {
                                Ok(stream) => serve(stream, &requests, &*then).await,
                                Err(error) => Err(error),
                            },
                        };
                    });
                }
            }
        });
        Self {
            address,
            connections,
            requests,
            task,
        }
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.address.port())
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    requests: &Mutex<Vec<String>>,
    then: &(dyn Fn(&str) -> Then + Send + Sync),
) -> io::Result<()> {
    let mut request = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await?;
        request.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            continue;
        };
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        if body.len() >= length {
            break;
        }
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let text = String::from_utf8(request).unwrap();
    let path = text.split(' ').nth(1).unwrap().to_owned();
    requests.lock().unwrap().push(text);
    match then(&path) {
        Then::Close(answer) => {
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await
        }
        Then::Hold(answer) => {
            stream.write_all(answer.as_bytes()).await?;
            stream.flush().await?;
            stream.read_u8().await.map(|_| ())
        }
        Then::Forever(first, again) => {
            stream.write_all(first.as_bytes()).await?;
            loop {
                stream.write_all(again.as_bytes()).await?;
            }
        }
        Then::Drip(first) => {
            stream.write_all(first.as_bytes()).await?;
            loop {
                stream.write_all(b"x").await?;
                stream.flush().await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

fn ok(body: &str) -> Then {
    Then::Close(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn sends_on(status: u16, location: &str) -> Then {
    Then::Close(format!(
        "HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    ))
}

/// Answers in turn; the last one stays. Unknown names are not found.
#[derive(Default)]
struct Names {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    asked: AtomicUsize,
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.get_mut(host) {
            None => Err(io::ErrorKind::NotFound.into()),
            Some(turns) if turns.len() > 1 => Ok(turns.remove(0)),
            Some(turns) => Ok(turns[0].clone()),
        };
        Box::pin(async move { answer })
    }
}

fn names(table: &[(&str, &[&[&str]])]) -> Arc<Names> {
    let names = Names::default();
    for (host, turns) in table {
        let turns = turns
            .iter()
            .map(|turn| turn.iter().map(|text| text.parse().unwrap()).collect())
            .collect();
        names
            .answers
            .lock()
            .unwrap()
            .insert((*host).to_owned(), turns);
    }
    Arc::new(names)
}

/// Every name that tests use leads to this computer, but those of the public.
fn usual() -> Arc<Names> {
    names(&[
        ("a.localhost", &[&["127.0.0.1"]]),
        ("b.localhost", &[&["127.0.0.1"]]),
        ("public.example", &[&["1.1.1.1", "2606:4700:4700::1111"]]),
        ("private.example", &[&["10.0.0.1"]]),
        ("metadata.example", &[&["169.254.169.254"]]),
    ])
}

const HOSTS: &[&str] = &[
    "a.localhost",
    "b.localhost",
    "public.example",
    "private.example",
    "metadata.example",
];

fn config(hosts: &[&str], allow_loopback: bool) -> GateConfig {
    GateConfig {
        hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
        allow_loopback,
        ..GateConfig::default()
    }
}

/// The gate of an embedded network.
fn local(names: &Arc<Names>) -> Gate {
    Gate::with_resolver(config(HOSTS, true), names.clone()).unwrap()
}

/// The gate of a real network.
fn public(names: &Arc<Names>, hosts: &[&str]) -> Gate {
    Gate::with_resolver(config(hosts, false), names.clone()).unwrap()
}

#[track_caller]
fn code<T: std::fmt::Debug>(result: Result<T, EgressError>) -> &'static str {
    match result {
        Ok(value) => panic!("not refused: {value:?}"),
        Err(error) => error.code(),
    }
}

#[tokio::test]
async fn an_allowed_host_is_asked_and_answers() {
    let server = Server::start(|_| ok("hello")).await;
    let gate = local(&usual());
    let url = server.url("a.localhost", "/path?query=1#fragment");
    let answer = gate.get(&url, AMPLE).await.unwrap();
    assert_eq!(
        answer,
        Response {
            bytes: b"hello".to_vec(),
            content_type: Some("text/plain".to_owned()),
            final_url: server.url("a.localhost", "/path?query=1"),
        }
    );
    let request = server.requests().remove(0).to_lowercase();
    assert!(request.starts_with("get /path?query=1 http/1.1\r\n"));
    assert!(request.contains(&format!(
        "\r\nhost: a.localhost:{}\r\n",
        server.address.port()
    )));
    assert!(request.contains("\r\naccept-encoding: identity\r\n"));
}

#[tokio::test]
async fn the_systems_resolver_knows_this_computer() {
    let server = Server::start(|_| ok("hello")).await;
    let gate = Gate::new(config(&["localhost", "127.0.0.1"], true)).unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let answer = gate.get(&server.url(host, "/"), AMPLE).await.unwrap();
        assert_eq!(answer.bytes, b"hello");
    }
}

#[tokio::test]
async fn a_host_that_is_not_on_the_list_is_refused_before_it_is_looked_up() {
    let names = usual();
    let gate = public(&names, &["public.example", "xn--bcher-kva.example"]);
    for (url, expected) in [
        ("https://private.example/", "host-not-allowed"),
        ("https://sub.public.example/", "host-not-allowed"),
        ("https://public.example.evil.example/", "host-not-allowed"),
        ("https://evilpublic.example/", "host-not-allowed"),
        ("https://public.example./", "host-not-allowed"),
        ("https://localhost/", "host-not-allowed"),
        ("https://a.localhost/", "host-not-allowed"),
        ("http://public.example/", "scheme-not-allowed"),
        ("ftp://public.example/", "scheme-not-allowed"),
        ("file:///etc/passwd", "url-malformed"),
        ("data:text/plain,x", "url-malformed"),
        ("https://public.example:8443/", "port-not-allowed"),
        ("https://public.example:80/", "port-not-allowed"),
        ("https://user@public.example/", "user-info-not-allowed"),
        ("https://user:word@public.example/", "user-info-not-allowed"),
        ("https://@public.example/", "user-info-not-allowed"),
        (
            "https://public.example@evil.example/",
            "user-info-not-allowed",
        ),
        ("https:public.example/", "url-malformed"),
        ("https:/public.example/", "url-malformed"),
        ("https:///public.example/", "url-malformed"),
        ("https:\\\\public.example\\", "url-malformed"),
        ("https://evil.example\\@public.example/", "url-malformed"),
        ("https://public.exa\tmple/", "url-malformed"),
        (" https://public.example/", "url-malformed"),
        (
            "https://public.example/\r\nHost: evil.example",
            "url-malformed",
        ),
        ("https://%70ublic.example/", "url-malformed"),
        ("https://b\u{fc}cher.example/", "url-malformed"),
        ("https://public\u{3002}example/", "url-malformed"),
        ("/relative", "url-malformed"),
        ("", "url-malformed"),
    ] {
        assert_eq!(code(gate.check(url).await), expected, "{url:?}");
        assert_eq!(code(gate.get(url, AMPLE).await), expected, "{url:?}");
        let post = gate.post(url, "text/plain", Vec::new(), AMPLE).await;
        assert_eq!(code(post), expected, "{url:?}");
    }
    let long = format!("https://public.example/{}", "a".repeat(2048));
    assert_eq!(code(gate.check(&long).await), "url-malformed");
    assert_eq!(names.asked.load(Ordering::SeqCst), 0);

    for url in [
        "https://public.example/",
        "HTTPS://Public.Example:443/a?b#c",
    ] {
        assert_eq!(
            gate.check(url).await.unwrap(),
            ["1.1.1.1:443", "[2606:4700:4700::1111]:443"]
                .map(|text| text.parse::<SocketAddr>().unwrap())
        );
    }
}

#[tokio::test]
async fn a_number_in_the_place_of_a_host_is_refused_in_every_form() {
    let names = usual();
    let closed = public(&names, &["public.example"]);
    let open = Gate::with_resolver(
        config(&["public.example", "127.0.0.1", "[::1]"], true),
        names.clone(),
    )
    .unwrap();
    let literal = "ip-literal-not-allowed";
    for (host, expected) in [
        ("1.1.1.1", literal),
        ("10.0.0.1", literal),
        ("169.254.169.254", literal),
        ("2130706433", literal),
        ("0x7f000001", literal),
        ("0x7F.1", literal),
        ("0177.0.0.1", literal),
        ("017700000001", literal),
        ("127.1", literal),
        ("127.0.1", literal),
        ("127.0.0.1.", literal),
        ("127.0.0.01", literal),
        ("0", literal),
        ("0.0.0.0", literal),
        ("2852039166", literal),
        ("%31%32%37.0.0.1", literal),
        ("[::]", literal),
        ("[2606:4700:4700::1111]", literal),
        ("[fe80::1]", literal),
        ("[fd00::1]", literal),
        ("[::ffff:127.0.0.1]", literal),
        ("[::ffff:7f00:1]", literal),
        ("[::127.0.0.1]", literal),
        ("[0:0:0:0:0:0:0:1]", literal),
        ("[::0001]", literal),
        ("[64:ff9b::7f00:1]", literal),
        ("[fe80::1%25eth0]", "url-malformed"),
        ("[::1%25lo]", "url-malformed"),
        ("::1", "url-malformed"),
        ("256.0.0.1", "url-malformed"),
        ("1.2.3.4.5", "url-malformed"),
        ("127.0.0.1%00", "url-malformed"),
        ("\u{ff11}27.0.0.1", "url-malformed"),
        ("127\u{3002}0.0.1", "url-malformed"),
    ] {
        for url in [format!("https://{host}/"), format!("https://{host}:443/x")] {
            // Also when loopback is allowed and its plain forms are on the list.
            assert_eq!(code(open.check(&url).await), expected, "{url}");
            assert_eq!(code(closed.check(&url).await), expected, "{url}");
        }
    }
    for host in ["127.0.0.1", "[::1]"] {
        let url = format!("http://{host}:8080/");
        assert_eq!(code(closed.check(&url).await), literal);
        let expected: SocketAddr = format!("{host}:8080").parse().unwrap();
        assert_eq!(open.check(&url).await.unwrap(), [expected]);
    }
    // Loopback, but not on the list.
    let url = "http://127.0.0.2:8080/";
    assert_eq!(code(open.check(url).await), "host-not-allowed");
    assert_eq!(names.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_is_refused_when_any_of_its_addresses_is_not_public() {
    for (addresses, allowed) in [
        (&["1.1.1.1"][..], true),
        (&["2606:4700:4700::1111", "1.1.1.1"], true),
        (&["64:ff9b::101:101"], true),
        (&["127.0.0.1"], false),
        (&["10.1.2.3"], false),
        (&["172.16.0.1"], false),
        (&["192.168.1.1"], false),
        (&["100.64.0.1"], false),
        (&["169.254.169.254"], false),
        (&["0.0.0.0"], false),
        (&["255.255.255.255"], false),
        (&["224.0.0.1"], false),
        (&["198.18.0.1"], false),
        (&["192.0.2.1"], false),
        (&["::1"], false),
        (&["fe80::1"], false),
        (&["fd12::1"], false),
        (&["ff02::1"], false),
        (&["::ffff:10.0.0.1"], false),
        (&["64:ff9b::a00:1"], false),
        (&["2002:a00:1::1"], false),
        (&["2001:0:101:101::1"], false),
        // One among good ones, first, in the middle, last.
        (&["10.0.0.1", "1.1.1.1", "8.8.8.8"], false),
        (&["1.1.1.1", "127.0.0.1", "8.8.8.8"], false),
        (&["1.1.1.1", "8.8.8.8", "fd00::1"], false),
    ] {
        let names = names(&[("public.example", &[addresses])]);
        for gate in [public(&names, &["public.example"]), local(&names)] {
            let result = gate.check("https://public.example/").await;
            if allowed {
                assert_eq!(result.unwrap().len(), addresses.len(), "{addresses:?}");
            } else {
                assert_eq!(code(result), "address-not-allowed", "{addresses:?}");
                let get = gate.get("https://public.example/", AMPLE).await;
                assert_eq!(code(get), "address-not-allowed", "{addresses:?}");
            }
        }
    }
    // The other way round: what is called this computer must be this computer.
    for addresses in [&["1.1.1.1"][..], &["127.0.0.1", "10.0.0.1"], &["0.0.0.0"]] {
        let names = names(&[("a.localhost", &[addresses])]);
        let result = local(&names).get("http://a.localhost:9/", AMPLE).await;
        assert_eq!(code(result), "address-not-allowed", "{addresses:?}");
    }
    let gate = public(
        &names(&[("public.example", &[&[]])]),
        &["public.example", "x.example"],
    );
    for url in ["https://public.example/", "https://x.example/"] {
        assert_eq!(code(gate.check(url).await), "name-not-found");
    }
}

#[tokio::test]
async fn the_checked_address_is_the_one_connected_to() {
    let first = Server::start(|_| ok("first")).await;
    let port = first.address.port();
    let mut other = None;
    for address in ["::1", "127.0.0.2"] {
        if let Ok(listener) = TcpListener::bind((address, port)).await {
            other = Some((address, Server::on(listener, None, |_| ok("second"))));
            break;
        }
    }
    let Some((address, second)) = other else {
        eprintln!("not tried: this computer has one loopback address only");
        return;
    };
    // Whoever asks a second time is led elsewhere.
    let names = names(&[("a.localhost", &[&["127.0.0.1"], &[address]])]);
    let answer = local(&names)
        .get(&first.url("a.localhost", "/"), AMPLE)
        .await
        .unwrap();
    assert_eq!(answer.bytes, b"first");
    assert_eq!(names.asked.load(Ordering::SeqCst), 1);
    assert_eq!((first.connections(), second.connections()), (1, 0));
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_the_next_time_is_checked_again() {
    let server = Server::start(|path| match path {
        "/start" => sends_on(302, "/next"),
        _ => ok("reached"),
    })
    .await;
    let names = names(&[("a.localhost", &[&["127.0.0.1"], &["10.0.0.1"]])]);
    let url = server.url("a.localhost", "/start");
    let result = local(&names).get(&url, AMPLE).await;
    assert_eq!(code(result), "address-not-allowed");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_does_not_answer() {
    let server = Server::start(|_| ok("hello")).await;
    let names = names(&[
        ("a.localhost", &[&["127.9.9.9", "127.0.0.1"]]),
        ("b.localhost", &[&["127.0.0.1"]]),
    ]);
    let gate = local(&names);
    let url = server.url("a.localhost", "/");
    assert_eq!(gate.get(&url, AMPLE).await.unwrap().bytes, b"hello");
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://b.localhost:{}/", gone.local_addr().unwrap().port());
    drop(gone);
    assert_eq!(code(gate.get(&url, AMPLE).await), "connection-failed");
}

#[tokio::test]
async fn redirections_are_followed_under_the_same_rules() {
    let target = Server::start(|_| ok("there")).await;
    let there = target.url("b.localhost", "/there");
    for status in [301, 302, 303, 307, 308] {
        let location = there.clone();
        let server = Server::start(move |path| match path {
            "/start" => sends_on(status, "middle?x=1"),
            _ => sends_on(status, &location),
        })
        .await;
        let url = server.url("a.localhost", "/start");
        let answer = local(&usual()).get(&url, AMPLE).await.unwrap();
        assert_eq!(answer.bytes, b"there", "{status}");
        assert_eq!(answer.final_url, there);
        assert!(server.requests()[1].starts_with("GET /middle?x=1 "));
    }
}

#[tokio::test]
async fn a_redirection_to_a_place_that_is_not_allowed_is_refused() {
    for (location, expected) in [
        ("https://other.example/", "host-not-allowed"),
        ("//other.example/", "host-not-allowed"),
        ("http://c.localhost/", "host-not-allowed"),
        // From this computer to the public and into private networks.
        ("https://public.example/", "redirect-not-allowed"),
        ("https://private.example/", "redirect-not-allowed"),
        ("https://metadata.example/", "redirect-not-allowed"),
        (
            "http://169.254.169.254/latest/meta-data",
            "ip-literal-not-allowed",
        ),
        ("http://10.0.0.1/", "ip-literal-not-allowed"),
        ("//10.0.0.1/", "ip-literal-not-allowed"),
        ("http://2130706433/", "ip-literal-not-allowed"),
        ("//0x7f.1/", "ip-literal-not-allowed"),
        ("http://[::ffff:a9fe:a9fe]/", "ip-literal-not-allowed"),
        ("http://public.example/", "scheme-not-allowed"),
        ("https://public.example:444/", "port-not-allowed"),
        ("http://user@a.localhost/", "user-info-not-allowed"),
        ("//user@a.localhost/", "user-info-not-allowed"),
        ("file:///etc/passwd", "url-malformed"),
        ("javascript:x", "url-malformed"),
        ("///a.localhost/", "url-malformed"),
        ("/\\other.example/", "url-malformed"),
        ("\\\\other.example/", "url-malformed"),
        ("http:other", "url-malformed"),
    ] {
        let server = Server::start(move |_| sends_on(302, location)).await;
        let url = server.url("a.localhost", "/start");
        let result = local(&usual()).get(&url, AMPLE).await;
        assert_eq!(code(result), expected, "{location}");
        assert_eq!(server.connections(), 1, "{location}");
    }
    let server = Server::start(|_| {
        Then::Close("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".to_owned())
    })
    .await;
    let result = local(&usual())
        .get(&server.url("a.localhost", "/"), AMPLE)
        .await;
    assert_eq!(code(result), "redirect-not-allowed");
}

#[tokio::test]
async fn redirections_come_to_an_end() {
    let server = Server::start(|path| {
        let step: usize = path[1..].parse().unwrap();
        match step {
            0 => ok("end"),
            // The end is never reached from here.
            99 => sends_on(302, "/99"),
            _ => sends_on(302, &format!("/{}", step - 1)),
        }
    })
    .await;
    let gate = local(&usual());
    let url = |steps: usize| server.url("a.localhost", &format!("/{steps}"));
    let answer = gate.get(&url(MAX_REDIRECTS), AMPLE).await.unwrap();
    assert_eq!(answer.bytes, b"end");
    for steps in [MAX_REDIRECTS + 1, 99] {
        let before = server.connections();
        let result = gate.get(&url(steps), AMPLE).await;
        assert_eq!(code(result), "too-many-redirects");
        assert_eq!(server.connections() - before, MAX_REDIRECTS + 1);
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_refused() {
    let head = "HTTP/1.1 200 OK\r\n";
    let piece = "x".repeat(1000);
    let server = Server::start(move |path| match path {
        // Said before a byte of it is sent; none ever is.
        "/said" => Then::Hold(format!("{head}Content-Length: 1001\r\n\r\n")),
        "/huge" => Then::Hold(format!(
            "{head}Content-Length: 18446744073709551000\r\n\r\n"
        )),
        "/open" => Then::Forever(format!("{head}\r\n"), piece.clone()),
        "/chunks" => Then::Forever(
            format!("{head}Transfer-Encoding: chunked\r\n\r\n"),
            format!("3e8\r\n{piece}\r\n"),
        ),
        "/exact" => ok(&piece),
        "/exact-open" => Then::Close(format!("{head}\r\n{piece}")),
        "/exact-chunks" => Then::Close(format!(
            "{head}Transfer-Encoding: chunked\r\n\r\n3e8\r\n{piece}\r\n0\r\n\r\n"
        )),
        _ => ok(""),
    })
    .await;
    let gate = local(&usual());
    let limits = Limits {
        max_bytes: 1000,
        ..AMPLE
    };
    for path in ["/said", "/huge", "/open", "/chunks"] {
        let result = gate.get(&server.url("a.localhost", path), limits).await;
        assert_eq!(
            result,
            Err(EgressError::AnswerTooLarge { limit_bytes: 1000 }),
            "{path}"
        );
    }
    for path in ["/exact", "/exact-open", "/exact-chunks"] {
        let answer = gate.get(&server.url("a.localhost", path), limits).await;
        assert_eq!(answer.unwrap().bytes.len(), 1000, "{path}");
    }
    // The gate's own bounds hold whatever a request asks for.
    let mut config = config(HOSTS, true);
    config.limits.request.max_bytes = 999;
    let gate = Gate::with_resolver(config, usual()).unwrap();
    let result = gate.get(&server.url("a.localhost", "/exact"), AMPLE).await;
    assert_eq!(
        result,
        Err(EgressError::AnswerTooLarge { limit_bytes: 999 })
    );
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_ended() {
    let head = "HTTP/1.1 200 OK\r\n";
    let server = Server::start(move |path| match path {
        "/silent" => Then::Hold(String::new()),
        "/slow-head" => Then::Drip(head.to_owned()),
        "/slow-body" => Then::Drip(format!("{head}Content-Length: 100000\r\n\r\n")),
        "/slow-open" => Then::Drip(format!("{head}\r\n")),
        "/stuck" => Then::Hold(format!("{head}Content-Length: 10\r\n\r\nhalf")),
        _ => Then::Drip("HTTP/1.1 302 Found\r\nLocation: /\r\n".to_owned()),
    })
    .await;
    let gate = local(&usual());
    for path in [
        "/silent",
        "/slow-head",
        "/slow-body",
        "/slow-open",
        "/stuck",
        "/redirect",
    ] {
        let start = Instant::now();
        let result = gate.get(&server.url("a.localhost", path), SHORT).await;
        assert_eq!(code(result), "deadline-passed", "{path}");
        assert!(start.elapsed() < Duration::from_secs(20), "{path}");
    }
}

#[tokio::test]
async fn one_deadline_covers_the_lookup_and_all_redirections() {
    struct Silent;
    impl Resolve for Silent {
        fn resolve<'a>(&'a self, _host: &'a str) -> Resolving<'a> {
            Box::pin(std::future::pending())
        }
    }
    let mut config = config(&["public.example"], false);
    config.limits.request.total_time = SHORT.total_time;
    let gate = Gate::with_resolver(config, Arc::new(Silent)).unwrap();
    let url = "https://public.example/";
    assert_eq!(code(gate.get(url, AMPLE).await), "deadline-passed");
    assert_eq!(code(gate.check(url).await), "deadline-passed");
}

#[tokio::test]
async fn an_answer_that_is_no_plain_answer_is_refused() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let server = Server::start(move |path| match path {
        "/many-headers" => Then::Forever(ok.to_owned(), "X-A: b\r\n".to_owned()),
        "/long-header" => Then::Forever(format!("{ok}X-A: "), "b".repeat(1000)),
        "/not-http" => Then::Close("SSH-2.0-server\r\n\r\n".to_owned()),
        "/nothing" => Then::Close(String::new()),
        "/half" => Then::Close(format!("{ok}Content-Length: 10\r\n\r\nhalf")),
        "/half-chunk" => Then::Close(format!("{ok}Transfer-Encoding: chunked\r\n\r\n3e8\r\nhalf")),
        "/packed" => Then::Close(format!(
            "{ok}Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nbomb"
        )),
        "/packed-twice" => Then::Close(format!(
            "{ok}Content-Encoding: identity\r\nContent-Encoding: br\r\nContent-Length: 0\r\n\r\n"
        )),
        "/part" => Then::Close("HTTP/1.1 206 Part\r\nContent-Length: 0\r\n\r\n".to_owned()),
        "/missing" => Then::Close("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n".to_owned()),
        _ => Then::Close("HTTP/1.1 304 Same\r\nContent-Length: 0\r\n\r\n".to_owned()),
    })
    .await;
    let gate = local(&usual());
    for (path, expected) in [
        ("/many-headers", "answer-malformed"),
        ("/long-header", "answer-malformed"),
        ("/not-http", "answer-malformed"),
        ("/nothing", "connection-failed"),
        ("/half", "connection-failed"),
        ("/half-chunk", "connection-failed"),
        ("/packed", "encoding-not-allowed"),
        ("/packed-twice", "encoding-not-allowed"),
        ("/part", "status-refused"),
        ("/missing", "status-refused"),
        ("/same", "status-refused"),
    ] {
        let result = gate.get(&server.url("a.localhost", path), AMPLE).await;
        assert_eq!(code(result), expected, "{path}");
    }
}

#[tokio::test]
async fn what_is_sent_arrives_whole_and_goes_nowhere_else() {
    let server = Server::start(|path| match path {
        "/report" => Then::Close("HTTP/1.1 201 Taken\r\nContent-Length: 2\r\n\r\nid".to_owned()),
        _ => sends_on(307, "/report"),
    })
    .await;
    let gate = local(&usual());
    let url = server.url("a.localhost", "/report");
    let answer = gate
        .post(&url, "application/json", b"{\"a\":1}".to_vec(), AMPLE)
        .await
        .unwrap();
    assert_eq!(answer.bytes, b"id");
    let request = server.requests().remove(0);
    assert!(request.starts_with("POST /report HTTP/1.1\r\n"));
    assert!(request.contains("content-type: application/json\r\n"));
    assert!(request.ends_with("\r\n\r\n{\"a\":1}"));

    let elsewhere = server.url("a.localhost", "/elsewhere");
    let result = gate.post(&elsewhere, "text/plain", vec![1], AMPLE).await;
    assert_eq!(code(result), "redirect-not-allowed");
    assert_eq!(server.connections(), 2);
    let large = vec![0; MAX_POST_BYTES + 1];
    let result = gate.post(&url, "text/plain", large, AMPLE).await;
    assert_eq!(code(result), "request-too-large");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn nothing_is_remembered_from_one_request_to_the_next() {
    let server = Server::start(|_| {
        Then::Close(
            "HTTP/1.1 200 OK\r\nSet-Cookie: id=1; Path=/\r\nETag: \"1\"\r\nContent-Length: 0\r\n\r\n"
                .to_owned(),
        )
    })
    .await;
    let gate = local(&usual());
    for _ in 0..2 {
        gate.get(&server.url("a.localhost", "/"), AMPLE)
            .await
            .unwrap();
    }
    let requests = server.requests();
    assert_eq!(requests[0], requests[1]);
    assert!(!requests[1].to_lowercase().contains("cookie"));
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn requests_at_the_same_time_are_bounded() {
    let server = Server::start(|_| Then::Hold(String::new())).await;
    let mut config = config(HOSTS, true);
    config.limits = GateLimits {
        concurrent: 2,
        ..GateLimits::default()
    };
    let gate = Gate::with_resolver(config, usual()).unwrap();
    let url = server.url("a.localhost", "/");
    let mut holding = Vec::new();
    for _ in 0..2 {
        let (gate, url) = (gate.clone(), url.clone());
        holding.push(tokio::spawn(async move { gate.get(&url, AMPLE).await }));
    }
    reached(&server, 2).await;
    for _ in 0..3 {
        assert_eq!(code(gate.get(&url, SHORT).await), "deadline-passed");
    }
    assert_eq!(server.connections(), 2);
    // A request that is given up makes room.
    holding.remove(0).abort();
    let (gate, url) = (gate.clone(), url.clone());
    holding.push(tokio::spawn(async move { gate.get(&url, AMPLE).await }));
    reached(&server, 3).await;
    for request in holding {
        request.abort();
    }
}

async fn reached(server: &Server, connections: usize) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while server.connections() < connections {
        assert!(Instant::now() < deadline, "the server is not reached");
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_list_of_hosts_with_a_mistake_is_refused() {
    for (host, allow_loopback) in [
        ("", false),
        ("Public.example", false),
        ("public.example.", false),
        ("*.example", false),
        ("public.example:443", false),
        ("https://public.example", false),
        ("public.example/path", false),
        ("user@public.example", false),
        ("b\u{fc}cher.example", false),
        ("10.0.0.1", true),
        ("1.1.1.1", false),
        ("127.0.0.1", false),
        ("127.1", true),
        ("::1", true),
        ("localhost", false),
        ("a.localhost", false),
    ] {
        let result = Gate::new(config(&[host], allow_loopback));
        assert_eq!(code(result), "egress-config-wrong", "{host:?}");
    }
    let mut config = config(&["public.example"], false);
    config.extra_authorities = vec![vec![1, 2, 3]];
    assert_eq!(code(Gate::new(config)), "egress-config-wrong");
}

/// A server with encryption for `a.localhost`, and its certificate.
async fn encrypted(then: impl Fn(&str) -> Then + Send + Sync + 'static) -> (Server, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(["a.localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.key_pair.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    (
        Server::on(listener, Some(acceptor), then),
        made.cert.der().to_vec(),
    )
}

#[tokio::test]
async fn the_other_side_of_an_encrypted_connection_proves_who_it_is() {
    let (server, certificate) = encrypted(|_| ok("secret")).await;
    let https = |host: &str| server.url(host, "/").replace("http://", "https://");
    let mut trusting = config(HOSTS, true);
    trusting.extra_authorities = vec![certificate];
    let trusting = Gate::with_resolver(trusting, usual()).unwrap();
    let answer = trusting.get(&https("a.localhost"), AMPLE).await.unwrap();
    assert_eq!(answer.bytes, b"secret");

    // Another name than the certificate's, and nobody who vouches for it.
    let result = trusting.get(&https("b.localhost"), AMPLE).await;
    assert_eq!(code(result), "certificate-refused");
    let result = local(&usual()).get(&https("a.localhost"), AMPLE).await;
    assert_eq!(code(result), "certificate-refused");
    assert_eq!(server.requests().len(), 1);

    // No encryption where it is asked for.
    let plain = Server::start(|_| ok("plain")).await;
    let url = plain.url("a.localhost", "/").replace("http://", "https://");
    let result = trusting.get(&url, SHORT).await;
    assert!(result.is_err());
    assert!(plain.requests().is_empty());
}

#[tokio::test]
async fn a_redirection_does_not_give_up_encryption() {
    let plain = Server::start(|_| ok("plain")).await;
    let location = plain.url("a.localhost", "/");
    let (server, certificate) = encrypted(move |_| sends_on(302, &location)).await;
    let mut config = config(HOSTS, true);
    config.extra_authorities = vec![certificate];
    let gate = Gate::with_resolver(config, usual()).unwrap();
    let url = server
        .url("a.localhost", "/")
        .replace("http://", "https://");
    assert_eq!(code(gate.get(&url, AMPLE).await), "redirect-not-allowed");
    assert_eq!((server.requests().len(), plain.connections()), (1, 0));
}
