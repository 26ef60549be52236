//! What a URL may be, before any name is resolved.

use std::{collections::BTreeSet, net::IpAddr};

use url::{Host, Url};

use super::{EgressError, address};

/// Longest URL, bytes.
const MAX_URL_BYTES: usize = 2048;
/// Longest name of a host, bytes.
const MAX_HOST_BYTES: usize = 253;
/// The one port of public hosts.
const HTTPS_PORT: u16 = 443;

/// Where a host is. A request never goes from the one to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// A public place of the internet: every address must be public.
    Public,
    /// This computer, for the embedded network: every address must be loopback.
    Loopback,
}

/// Which hosts may be asked.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    hosts: BTreeSet<String>,
    allow_loopback: bool,
}

impl Rules {
    /// Takes the list of hosts, each as a URL names it: lower case, ASCII, loopback addresses as
    /// `127.0.0.1` or `[::1]`.
    pub(super) fn new(hosts: Vec<String>, allow_loopback: bool) -> Result<Self, EgressError> {
        let rules = Self {
            hosts: hosts.into_iter().collect(),
            allow_loopback,
        };
        for host in &rules.hosts {
            // A listed host must be one that a URL can reach, and no pattern.
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(&byte);
            if !host.bytes().all(plain) || host.ends_with('.') {
                return Err(EgressError::ConfigWrong(format!(
                    "{host:?} is no plain name"
                )));
            }
            rules
                .target(&format!("https://{host}/"))
                .map_err(|error| EgressError::ConfigWrong(format!("{host:?}: {error}")))?;
        }
        Ok(rules)
    }

    /// The same rules for one host alone.
    pub(super) fn only(&self, host: String) -> Result<Self, EgressError> {
        Self::new(vec![host], self.allow_loopback)
    }

    /// Reads a URL and applies the rules to it.
    pub(super) fn target(&self, text: &str) -> Result<Target, EgressError> {
        refuse_odd(text)?;
        self.judge(absolute(text)?)
    }

    /// Reads where an answer sends on to, from the URL that gave it.
    pub(super) fn redirected(&self, from: &Target, text: &str) -> Result<Target, EgressError> {
        refuse_odd(text)?;
        let joined = if Url::parse(text).is_ok() {
            absolute(text)?
        } else {
            let joined = from.url.join(text).map_err(|_| EgressError::UrlMalformed)?;
            if let Some(rest) = text.strip_prefix("//") {
                refuse_other_reading(rest, &joined)?;
            }
            joined
        };
        let to = self.judge(joined)?;
        if from.reach != to.reach || (from.is_https() && !to.is_https()) {
            return Err(EgressError::RedirectNotAllowed);
        }
        Ok(to)
    }

    fn judge(&self, mut url: Url) -> Result<Target, EgressError> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressError::UserInfoNotAllowed);
        }
        if !matches!(url.scheme(), "https" | "http") {
            return Err(EgressError::SchemeNotAllowed);
        }
        let name = url.host_str().ok_or(EgressError::UrlMalformed)?.to_owned();
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        let reach = match literal {
            Some(address) if self.allow_loopback && address::is_loopback(address) => {
                Reach::Loopback
            }
            Some(_) => return Err(EgressError::IpLiteralNotAllowed),
            None if name == "localhost" || name.ends_with(".localhost") => Reach::Loopback,
            None => Reach::Public,
        };
        if reach == Reach::Loopback && !self.allow_loopback
            || name.len() > MAX_HOST_BYTES
            || !self.hosts.contains(&name)
        {
            return Err(EgressError::HostNotAllowed { host: name });
        }
        let port = url
            .port_or_known_default()
            .ok_or(EgressError::UrlMalformed)?;
        match reach {
            Reach::Public if url.scheme() != "https" => return Err(EgressError::SchemeNotAllowed),
            Reach::Public if port != HTTPS_PORT => return Err(EgressError::PortNotAllowed),
            _ if port == 0 => return Err(EgressError::PortNotAllowed),
            _ => {}
        }
        url.set_fragment(None);
        Ok(Target {
            url,
            name,
            literal,
            port,
            reach,
        })
    }
}

/// A URL that the rules allow.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) url: Url,
    /// The host as the URL names it.
    pub(super) name: String,
    /// The address that the URL names instead of a host.
    pub(super) literal: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) reach: Reach,
}

impl Target {
    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether one of the addresses of the host may be connected to.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        match self.reach {
            Reach::Public => address::is_public(address),
            Reach::Loopback => address::is_loopback(address),
        }
    }
}

/// Refuses what parsers of URLs drop, replace or take for something else: white space, control
/// characters, backslashes, everything outside ASCII.
fn refuse_odd(text: &str) -> Result<(), EgressError> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    if text.len() <= MAX_URL_BYTES && text.bytes().all(plain) {
        Ok(())
    } else {
        Err(EgressError::UrlMalformed)
    }
}

fn absolute(text: &str) -> Result<Url, EgressError> {
    let url = Url::parse(text).map_err(|_| EgressError::UrlMalformed)?;
    match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(url.scheme()) => {
            refuse_other_reading(rest, &url)?;
            Ok(url)
        }
        _ => Err(EgressError::UrlMalformed),
    }
}

/// Refuses a host that was read as another one than is written, such as `2130706433`, `0x7f.1` or
/// `127.0.0.1.` for 127.0.0.1. `rest` follows the two slashes.
fn refuse_other_reading(rest: &str, url: &Url) -> Result<(), EgressError> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(EgressError::UserInfoNotAllowed);
    }
    let read = url.host_str().ok_or(EgressError::UrlMalformed)?;
    let lower = authority.to_ascii_lowercase();
    let port = lower.strip_prefix(read);
    if port.is_some_and(|port| port.is_empty() || port.starts_with(':')) {
        return Ok(());
    }
    Err(match url.host() {
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => EgressError::IpLiteralNotAllowed,
        _ => EgressError::UrlMalformed,
    })
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]
    use super::*;

    #[test]
    fn a_redirection_stays_in_public_and_encrypted() {
        let hosts = ["a.example", "b.example", "127.0.0.1", "a.localhost"];
        let rules = Rules::new(hosts.map(str::to_owned).to_vec(), true).unwrap();
        for (from, to, expected) in [
            (
                "https://a.example/x/y",
                "z?q",
                Ok("https://a.example/x/z?q"),
            ),
            ("https://a.example/x", "/z#f", Ok("https://a.example/z")),
            (
                "https://a.example/",
                "//b.example/",
                Ok("https://b.example/"),
            ),
            (
                "https://a.example/",
                "https://b.example:443/",
                Ok("https://b.example/"),
            ),
            (
                "http://a.localhost:1/",
                "https://a.localhost:2/",
                Ok("https://a.localhost:2/"),
            ),
            (
                "https://a.example/",
                "http://b.example/",
                Err("scheme-not-allowed"),
            ),
            (
                "https://a.example/",
                "//b.example:80/",
                Err("port-not-allowed"),
            ),
            (
                "https://a.example/",
                "//c.example/",
                Err("host-not-allowed"),
            ),
            (
                "https://a.example/",
                "https://127.0.0.1/",
                Err("redirect-not-allowed"),
            ),
            (
                "https://a.example/",
                "http://127.0.0.1:80/",
                Err("redirect-not-allowed"),
            ),
            (
                "https://a.example/",
                "//a.localhost/",
                Err("redirect-not-allowed"),
            ),
            (
                "https://a.example/",
                "https://127.1/",
                Err("ip-literal-not-allowed"),
            ),
            (
                "https://a.example/",
                "//127.1/",
                Err("ip-literal-not-allowed"),
            ),
            (
                "https://a.localhost/",
                "http://a.localhost/",
                Err("redirect-not-allowed"),
            ),
            (
                "http://a.localhost/",
                "https://a.example/",
                Err("redirect-not-allowed"),
            ),
        ] {
            let from = rules.target(from).unwrap();
            let result = rules.redirected(&from, to);
            match expected {
                Ok(url) => assert_eq!(result.unwrap().url.as_str(), url, "{to}"),
                Err(code) => assert_eq!(result.unwrap_err().code(), code, "{to}"),
            }
        }
    }
}
