//! Addresses, redirections and answers: what is written, what a name leads to, and what the other
//! side says. Nothing here contacts the internet: what would is only asked about.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use omni_node::egress::{
    EgressError, Gate, GateConfig, Limits, MAX_POST_BYTES, Resolve, Resolving,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::equipment::{Case, case, wait};

const AMPLE: Limits = Limits {
    max_bytes: 1000,
    total_time: Duration::from_secs(60),
};
const SHORT: Limits = Limits {
    max_bytes: 1000,
    total_time: Duration::from_millis(300),
};

/// Hosts, as a URL may write them, with the code.
const NUMBERS: &[(&str, &str, &str)] = &[
    ("a public number", "1.1.1.1", "ip-literal-not-allowed"),
    ("this computer", "127.0.0.1", "ip-literal-not-allowed"),
    ("a private network", "192.168.0.1", "ip-literal-not-allowed"),
    (
        "the metadata of clouds",
        "169.254.169.254",
        "ip-literal-not-allowed",
    ),
    ("every address", "0.0.0.0", "ip-literal-not-allowed"),
    ("one decimal number", "2130706433", "ip-literal-not-allowed"),
    (
        "the metadata as one decimal number",
        "2852039166",
        "ip-literal-not-allowed",
    ),
    (
        "one hexadecimal number",
        "0x7f000001",
        "ip-literal-not-allowed",
    ),
    (
        "hexadecimal parts",
        "0x7f.0x0.0x0.0x1",
        "ip-literal-not-allowed",
    ),
    ("octal parts", "0177.0.0.01", "ip-literal-not-allowed"),
    ("one octal number", "017700000001", "ip-literal-not-allowed"),
    ("mixed parts", "0x7f.0.1", "ip-literal-not-allowed"),
    ("two parts", "127.1", "ip-literal-not-allowed"),
    ("three parts", "10.0.1", "ip-literal-not-allowed"),
    ("a lone zero", "0", "ip-literal-not-allowed"),
    (
        "zeros in front",
        "127.000.000.001",
        "ip-literal-not-allowed",
    ),
    ("a dot behind", "127.0.0.1.", "ip-literal-not-allowed"),
    ("percent signs", "%31%32%37.0.0.1", "ip-literal-not-allowed"),
    (
        "wide digits",
        "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
        "url-malformed",
    ),
    (
        "digits in circles",
        "\u{2460}\u{2461}\u{2466}.0.0.1",
        "url-malformed",
    ),
    ("a wide dot", "127\u{ff0e}0.0.1", "url-malformed"),
    ("too large a part", "256.0.0.1", "url-malformed"),
    ("five parts", "1.2.3.4.5", "url-malformed"),
    ("a zero byte behind", "127.0.0.1%00", "url-malformed"),
    (
        "version 6 of this computer",
        "[::1]",
        "ip-literal-not-allowed",
    ),
    (
        "version 6 of every address",
        "[::]",
        "ip-literal-not-allowed",
    ),
    (
        "this computer in full",
        "[0:0:0:0:0:0:0:1]",
        "ip-literal-not-allowed",
    ),
    (
        "a public number of version 6",
        "[2606:4700:4700::1111]",
        "ip-literal-not-allowed",
    ),
    (
        "a mapped number",
        "[::ffff:127.0.0.1]",
        "ip-literal-not-allowed",
    ),
    (
        "a mapped hexadecimal number",
        "[::ffff:a9fe:a9fe]",
        "ip-literal-not-allowed",
    ),
    (
        "a compatible number",
        "[::127.0.0.1]",
        "ip-literal-not-allowed",
    ),
    (
        "a translated number",
        "[64:ff9b::7f00:1]",
        "ip-literal-not-allowed",
    ),
    (
        "a tunnelled number",
        "[2002:7f00:1::]",
        "ip-literal-not-allowed",
    ),
    (
        "a number of the own link",
        "[fe80::1]",
        "ip-literal-not-allowed",
    ),
    (
        "a number of the own place",
        "[fd00::1]",
        "ip-literal-not-allowed",
    ),
    ("a zone", "[fe80::1%25eth0]", "url-malformed"),
    (
        "a zone without its percent sign",
        "[fe80::1%eth0]",
        "url-malformed",
    ),
    ("no brackets", "::1", "url-malformed"),
    ("half a bracket", "[::1", "url-malformed"),
    ("a number of a later version", "[v1.fe80]", "url-malformed"),
];

/// URLs that are not just `https://public.example/...`, with the code.
const URLS: &[(&str, &str, &str)] = &[
    ("another host", "https://other.example/", "host-not-allowed"),
    (
        "a host below",
        "https://a.public.example/",
        "host-not-allowed",
    ),
    (
        "a host behind",
        "https://public.example.other.example/",
        "host-not-allowed",
    ),
    (
        "a host that ends so",
        "https://notpublic.example/",
        "host-not-allowed",
    ),
    (
        "a dot behind the host",
        "https://public.example./",
        "host-not-allowed",
    ),
    (
        "this computer by name",
        "https://localhost/",
        "host-not-allowed",
    ),
    (
        "a name of this computer",
        "https://x.localhost/",
        "host-not-allowed",
    ),
    (
        "a host in punycode",
        "https://xn--pblic-hva.example/",
        "host-not-allowed",
    ),
    (
        "a Cyrillic host",
        "https://publi\u{441}.example/",
        "url-malformed",
    ),
    (
        "a wide host",
        "https://\u{ff50}ublic.example/",
        "url-malformed",
    ),
    (
        "an ideographic dot",
        "https://public\u{3002}example/",
        "url-malformed",
    ),
    (
        "a host with percent signs",
        "https://public%2eexample/",
        "url-malformed",
    ),
    ("no host", "https:///", "url-malformed"),
    (
        "a host of nothing but a port",
        "https://:443/",
        "url-malformed",
    ),
    (
        "no encryption",
        "http://public.example/",
        "scheme-not-allowed",
    ),
    (
        "another protocol",
        "ftp://public.example/",
        "scheme-not-allowed",
    ),
    (
        "a socket of the web",
        "wss://public.example/",
        "scheme-not-allowed",
    ),
    ("a file", "file:///etc/passwd", "url-malformed"),
    ("data", "data:text/plain,x", "url-malformed"),
    ("a script", "javascript:alert(1)", "url-malformed"),
    ("gopher", "gopher://public.example/_x", "scheme-not-allowed"),
    (
        "another port",
        "https://public.example:8443/",
        "port-not-allowed",
    ),
    ("port 0", "https://public.example:0/", "port-not-allowed"),
    (
        "the port of mail",
        "https://public.example:25/",
        "port-not-allowed",
    ),
    (
        "a port out of range",
        "https://public.example:65979/",
        "url-malformed",
    ),
    (
        "a user",
        "https://user@public.example/",
        "user-info-not-allowed",
    ),
    (
        "a user and a word",
        "https://user:word@public.example/",
        "user-info-not-allowed",
    ),
    (
        "an empty user",
        "https://@public.example/",
        "user-info-not-allowed",
    ),
    (
        "the host as a user",
        "https://public.example@other.example/",
        "user-info-not-allowed",
    ),
    (
        "a user with percent signs",
        "https://public.example%2f@other.example/",
        "user-info-not-allowed",
    ),
    ("backslashes", "https:\\\\public.example\\", "url-malformed"),
    (
        "a backslash before the at",
        "https://other.example\\@public.example/",
        "url-malformed",
    ),
    ("one slash", "https:/public.example/", "url-malformed"),
    ("three slashes", "https:///public.example/", "url-malformed"),
    (
        "a tab in the host",
        "https://public.exam\tple/",
        "url-malformed",
    ),
    (
        "a new line and a header",
        "https://public.example/\r\nHost: other.example",
        "url-malformed",
    ),
    (
        "a space in front",
        " https://public.example/",
        "url-malformed",
    ),
    (
        "a zero byte",
        "https://public.example\0.other.example/",
        "url-malformed",
    ),
    ("no scheme", "//public.example/", "url-malformed"),
];

/// What a name leads to, and that it is not allowed: one of the addresses is no public place.
const ANSWERS: &[(&str, &[&str])] = &[
    ("this computer", &["127.0.0.1"]),
    ("another number of this computer", &["127.255.255.254"]),
    ("the network 10", &["10.0.0.1"]),
    ("the last number of the network 172.16", &["172.31.255.255"]),
    ("the network 192.168", &["192.168.1.1"]),
    ("a provider's own network", &["100.64.0.1"]),
    ("the metadata of clouds", &["169.254.169.254"]),
    ("the host of a cloud", &["168.63.129.16"]),
    ("every address", &["0.0.0.0"]),
    ("this network", &["0.1.2.3"]),
    ("everybody at once", &["255.255.255.255"]),
    ("a group", &["224.0.0.251"]),
    ("a network for measurements", &["198.19.255.255"]),
    ("a network for documents", &["203.0.113.7"]),
    ("version 6 of this computer", &["::1"]),
    ("version 6 of every address", &["::"]),
    ("the own link", &["fe80::1"]),
    ("the own place", &["fd12:3456::1"]),
    ("an old own place", &["fec0::1"]),
    ("a group of version 6", &["ff02::fb"]),
    ("a mapped private number", &["::ffff:10.0.0.1"]),
    ("a mapped public number", &["::ffff:1.1.1.1"]),
    ("a compatible number", &["::10.0.0.1"]),
    ("a translated private number", &["64:ff9b::a00:1"]),
    ("a locally translated number", &["64:ff9b:1::a00:1"]),
    ("a tunnelled private number", &["2002:a00:1::1"]),
    ("a number of Teredo", &["2001:0:a00:1::1"]),
    ("a number that carries another", &["2606:4700::5efe:a00:1"]),
    ("documents of version 6", &["2001:db8::1"]),
    (
        "a bad one before good ones",
        &["10.0.0.1", "1.1.1.1", "8.8.8.8"],
    ),
    (
        "a bad one among good ones",
        &["1.1.1.1", "127.0.0.1", "8.8.8.8"],
    ),
    (
        "a bad one behind good ones",
        &["1.1.1.1", "2606:4700:4700::1111", "fd00::1"],
    ),
];

/// Where an answer of this computer may not send on to.
const REDIRECTIONS: &[(&str, &str, &str)] = &[
    (
        "to the public",
        "https://public.example/",
        "redirect-not-allowed",
    ),
    (
        "to another host",
        "https://other.example/",
        "host-not-allowed",
    ),
    (
        "to another host by two slashes",
        "//other.example/",
        "host-not-allowed",
    ),
    (
        "to the public without encryption",
        "http://public.example/",
        "scheme-not-allowed",
    ),
    (
        "to the metadata of clouds",
        "http://169.254.169.254/latest/meta-data",
        "ip-literal-not-allowed",
    ),
    (
        "to a private number",
        "//10.0.0.1/",
        "ip-literal-not-allowed",
    ),
    (
        "to a decimal number",
        "http://2130706433/",
        "ip-literal-not-allowed",
    ),
    (
        "to a hexadecimal number",
        "//0x7f.1/",
        "ip-literal-not-allowed",
    ),
    (
        "to a mapped number",
        "http://[::ffff:7f00:1]/",
        "ip-literal-not-allowed",
    ),
    (
        "to a number of this computer that is not listed",
        "http://127.0.0.1/",
        "host-not-allowed",
    ),
    (
        "to a public port",
        "https://public.example:22/",
        "port-not-allowed",
    ),
    (
        "to a user",
        "http://user@a.localhost/",
        "user-info-not-allowed",
    ),
    ("to a file", "file:///etc/passwd", "url-malformed"),
    ("to a script", "javascript:x", "url-malformed"),
    ("to three slashes", "///a.localhost/", "url-malformed"),
    ("to backslashes", "\\\\other.example\\", "url-malformed"),
    (
        "to a slash and a backslash",
        "/\\other.example/",
        "url-malformed",
    ),
    ("to a place with a space", "/a b", "url-malformed"),
    ("to a place without slashes", "http:next", "url-malformed"),
];

/// What a server says, whether it says the last part for ever, and the code.
const SAID: &[(&str, &str, &str, &str)] = &[
    (
        "a length beyond the limit",
        "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
        "x",
        "answer-too-large",
    ),
    (
        "a length beyond all limits",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
        "",
        "answer-malformed",
    ),
    (
        "an endless body",
        "HTTP/1.1 200 OK\r\n\r\n",
        "xxxxxxxxxxxxxxxx",
        "answer-too-large",
    ),
    (
        "endless pieces",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "1\r\nx\r\n",
        "answer-too-large",
    ),
    (
        "a piece of any length",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        "xxxxxxxxxxxxxxxx",
        "answer-too-large",
    ),
    (
        "a piece of a length that does not fit",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        "x",
        "connection-failed",
    ),
    (
        "endless headers",
        "HTTP/1.1 200 OK\r\n",
        "X-A: b\r\n",
        "answer-malformed",
    ),
    (
        "one endless header",
        "HTTP/1.1 200 OK\r\nX-A: ",
        "bbbbbbbbbbbbbbbb",
        "answer-malformed",
    ),
    (
        "an endless first line",
        "HTTP/1.1 200 ",
        "OKOKOKOKOKOKOKOK",
        "answer-malformed",
    ),
    (
        "two lengths",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "",
        "answer-malformed",
    ),
    (
        "a negative length",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "",
        "answer-malformed",
    ),
    (
        "a header with a zero byte",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        "",
        "answer-malformed",
    ),
    (
        "another protocol",
        "SSH-2.0-server\r\n",
        "x",
        "answer-malformed",
    ),
    (
        "an old protocol",
        "HTTP/0.9 200 OK\r\n\r\n",
        "",
        "answer-malformed",
    ),
    (
        "a status of four digits",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "",
        "answer-malformed",
    ),
    (
        "a packed body",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nbomb",
        "",
        "encoding-not-allowed",
    ),
    (
        "a part of the body",
        "HTTP/1.1 206 Part\r\nContent-Length: 0\r\n\r\n",
        "",
        "status-refused",
    ),
    (
        "an error",
        "HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n",
        "",
        "status-refused",
    ),
    (
        "a redirection to itself",
        "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        "",
        "too-many-redirects",
    ),
    (
        "a redirection without a place",
        "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        "",
        "redirect-not-allowed",
    ),
];

/// Beginnings of answers that never come to an end; the code is of the deadline.
const STALLED: &[(&str, &str)] = &[
    ("no answer", ""),
    ("half a first line", "HTTP/1.1 2"),
    ("half a head", "HTTP/1.1 200 OK\r\nContent-"),
    (
        "a head and no body",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
    ),
    (
        "half a body",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
    ),
    (
        "half a piece",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf",
    ),
    ("endless preludes", "HTTP/1.1 100 Continue\r\n\r\n"),
];

/// Answers in turn; the last one stays.
#[derive(Default)]
struct Names {
    answers: Mutex<HashMap<&'static str, Vec<Vec<IpAddr>>>>,
    asked: AtomicUsize,
}

impl Names {
    fn new(turns: &[(&'static str, &[&[&str]])]) -> Arc<Self> {
        let names = Self::default();
        for (host, turns) in turns {
            let numbers = |turn: &&[&str]| turn.iter().map(|text| text.parse().unwrap()).collect();
            let turns = turns.iter().map(numbers).collect();
            names.answers.lock().unwrap().insert(*host, turns);
        }
        Arc::new(names)
    }

    fn usual() -> Arc<Self> {
        Self::new(&[
            ("a.localhost", &[&["127.0.0.1"]]),
            ("public.example", &[&["1.1.1.1"]]),
        ])
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
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

/// A gate to `public.example` and, when asked for, to `a.localhost`.
fn gate(names: &Arc<Names>, allow_loopback: bool) -> Gate {
    let mut config = GateConfig {
        hosts: vec!["public.example".into()],
        allow_loopback,
        ..GateConfig::default()
    };
    if allow_loopback {
        config.hosts.push("a.localhost".into());
    }
    Gate::with_resolver(config, names.clone()).unwrap()
}

fn code<T>(result: Result<T, EgressError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.code(),
    }
}

/// A server on this computer that answers each request with the first text, and then says the second
/// for ever or, when that is empty, holds the connection.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start(first: String, again: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        // Ends with the runtime of its case.
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                // A client that goes away early is what many cases are about.
                tokio::spawn(answer(stream, first.clone(), again.repeat(64)));
            }
        });
        Self {
            address,
            connections,
        }
    }

    fn url(&self) -> String {
        format!("http://a.localhost:{}/", self.address.port())
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn answer(mut stream: TcpStream, first: String, again: String) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut piece = [0; 1024];
        match stream.read(&mut piece).await? {
            0 => return Ok(()),
            read => request.extend_from_slice(&piece[..read]),
        }
    }
    stream.write_all(first.as_bytes()).await?;
    stream.flush().await?;
    while !again.is_empty() {
        stream.write_all(again.as_bytes()).await?;
    }
    stream.read_u8().await.map(drop)
}

fn written() -> Vec<Case> {
    let numbers = NUMBERS.iter().map(|(what, host, expected)| {
        let url = format!("https://{host}/");
        (format!("{what} in the place of a host"), url, *expected)
    });
    let urls = URLS
        .iter()
        .map(|(what, url, expected)| (format!("a URL with {what}"), (*url).to_owned(), *expected));
    let long = format!("https://public.example/{}", "a".repeat(2048));
    let long = [("a URL that is too long".to_owned(), long, "url-malformed")];
    let lines = numbers.chain(urls).chain(long);
    lines
        .map(|(what, url, expected)| {
            case(format!("{what} is {expected}"), move || {
                wait(async {
                    let names = Names::usual();
                    // A volunteer's gate, and that of the embedded network.
                    let gate = gate(&names, false);
                    assert_eq!(code(gate.check(&url).await), expected);
                    assert_eq!(code(gate.get(&url, AMPLE).await), expected);
                    let post = gate.post(&url, "text/plain", Vec::new(), AMPLE).await;
                    assert_eq!(code(post), expected);
                    // Refused before anybody is told about it.
                    assert_eq!(names.asked(), 0);
                });
            })
        })
        .collect()
}

fn resolved() -> Vec<Case> {
    let mut cases: Vec<Case> = ANSWERS
        .iter()
        .map(|(what, addresses)| {
            case(
                format!("a name that leads to {what} is address-not-allowed"),
                move || {
                    wait(async {
                        let names = Names::new(&[("public.example", &[addresses])]);
                        for allow_loopback in [false, true] {
                            let gate = gate(&names, allow_loopback);
                            let url = "https://public.example/";
                            assert_eq!(code(gate.check(url).await), "address-not-allowed");
                            assert_eq!(code(gate.get(url, AMPLE).await), "address-not-allowed");
                        }
                    });
                },
            )
        })
        .collect();
    for (what, address) in [
        ("a public place", "1.1.1.1"),
        ("a private network", "10.0.0.1"),
        ("every address", "0.0.0.0"),
        ("a mapped number of it", "::ffff:127.0.0.1"),
    ] {
        let title = format!("a name of this computer that leads to {what} is address-not-allowed");
        cases.push(case(title, move || {
            wait(async {
                let names = Names::new(&[("a.localhost", &[&[address]])]);
                let gate = gate(&names, true);
                // Asked first: a broken gate would connect.
                let url = "http://a.localhost:9/";
                assert_eq!(code(gate.check(url).await), "address-not-allowed");
                assert_eq!(code(gate.get(url, AMPLE).await), "address-not-allowed");
            });
        }));
    }
    for (what, known) in [("nothing", true), ("no answer at all", false)] {
        cases.push(case(
            format!("a name that leads to {what} is name-not-found"),
            move || {
                wait(async {
                    let names = if known {
                        Names::new(&[("public.example", &[&[]])])
                    } else {
                        Names::new(&[])
                    };
                    let gate = gate(&names, false);
                    assert_eq!(
                        code(gate.check("https://public.example/").await),
                        "name-not-found"
                    );
                });
            },
        ));
    }
    cases.push(case(
        "a name is asked once for a connection, whatever it would say next",
        || {
            wait(async {
                let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                let server = Server::start(ok.into(), "").await;
                let names = Names::new(&[("a.localhost", &[&["127.0.0.1"], &["10.0.0.1"]])]);
                let gate = gate(&names, true);
                assert_eq!(gate.get(&server.url(), AMPLE).await.unwrap().bytes, b"ok");
                assert_eq!(names.asked(), 1);
                // The next request is checked anew.
                assert_eq!(
                    code(gate.get(&server.url(), AMPLE).await),
                    "address-not-allowed"
                );
                assert_eq!(server.connections(), 1);
            });
        },
    ));
    cases.push(case(
        "a name that leads elsewhere after a redirection is address-not-allowed",
        || {
            wait(async {
                let next = "HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n";
                let server = Server::start(next.into(), "").await;
                let names = Names::new(&[("a.localhost", &[&["127.0.0.1"], &["192.168.0.1"]])]);
                let result = gate(&names, true).get(&server.url(), AMPLE).await;
                assert_eq!(code(result), "address-not-allowed");
                assert_eq!(server.connections(), 1);
            });
        },
    ));
    cases
}

fn answered() -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, location, expected) in REDIRECTIONS {
        cases.push(case(
            format!("a redirection {what} is {expected}"),
            move || {
                wait(async {
                    let head = format!(
                        "HTTP/1.1 307 On\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
                    );
                    let server = Server::start(head, "").await;
                    let gate = gate(&Names::usual(), true);
                    assert_eq!(code(gate.get(&server.url(), AMPLE).await), *expected);
                    assert_eq!(server.connections(), 1);
                });
            },
        ));
    }
    for (what, first, again, expected) in SAID {
        cases.push(case(
            format!("{what} in an answer is {expected}"),
            move || {
                wait(async {
                    let server = Server::start((*first).to_owned(), again).await;
                    let gate = gate(&Names::usual(), true);
                    assert_eq!(code(gate.get(&server.url(), AMPLE).await), *expected);
                });
            },
        ));
    }
    for (what, first) in STALLED {
        cases.push(case(
            format!("{what} and then silence is deadline-passed"),
            move || {
                wait(async {
                    let server = Server::start((*first).to_owned(), "").await;
                    let gate = gate(&Names::usual(), true);
                    assert_eq!(
                        code(gate.get(&server.url(), SHORT).await),
                        "deadline-passed"
                    );
                });
            },
        ));
    }
    cases.push(case(
        "what is sent is not sent on: redirect-not-allowed",
        || {
            wait(async {
                let next = "HTTP/1.1 307 On\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n";
                let server = Server::start(next.into(), "").await;
                let gate = gate(&Names::usual(), true);
                let post = gate
                    .post(&server.url(), "text/plain", Vec::new(), AMPLE)
                    .await;
                assert_eq!(code(post), "redirect-not-allowed");
                assert_eq!(server.connections(), 1);
            });
        },
    ));
    cases.push(case(
        "a byte more than may be sent is request-too-large",
        || {
            wait(async {
                let server = Server::start(String::new(), "").await;
                let gate = gate(&Names::usual(), true);
                let large = vec![0; MAX_POST_BYTES + 1];
                let post = gate.post(&server.url(), "text/plain", large, AMPLE).await;
                assert_eq!(code(post), "request-too-large");
                assert_eq!(server.connections(), 0);
            });
        },
    ));
    cases
}

pub fn cases() -> Vec<Case> {
    [written(), resolved(), answered()]
        .into_iter()
        .flatten()
        .collect()
}
