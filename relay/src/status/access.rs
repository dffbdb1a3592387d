//! Who may see the addresses of receivers.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Version};

use crate::config::Token;

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    Full,
    /// No addresses, for this reason.
    Partial(Why),
    /// Nothing: the token is wrong, or lacks where nothing is shown without it.
    Denied,
    /// Nothing: it asks for another site.
    Misdirected,
}

/// Why addresses are not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The request brings no token, and one is needed.
    TokenNeeded,
    /// There is no token, and the relay can be reached from elsewhere.
    NoToken,
    /// A page of another site asks.
    ForeignSite,
    /// The request came through a proxy, so whoever asks may be anywhere.
    Proxied,
}

impl Why {
    /// Its name in the JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::TokenNeeded => "token_needed",
            Self::NoToken => "no_token_configured",
            Self::ForeignSite => "foreign_site",
            Self::Proxied => "proxied",
        }
    }

    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::TokenNeeded => "Send the status token: Authorization: Bearer TOKEN.",
            Self::NoToken => {
                "This address can be reached from elsewhere. Set --status-token-file and reload the relay to see receivers here."
            }
            Self::ForeignSite => {
                "A page of another site asks for this. Open the relay's own page, or send a status token."
            }
            Self::Proxied => "Behind a proxy receivers need a status token: set --status-token-file.",
        }
    }
}

/// What proxies add, and every header whose name begins with `x-forwarded`.
const PROXY_HEADERS: [&str; 9] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
];

/// Decides about a request to a server that is bound so.
pub fn decide(bound: SocketAddr, token: Option<&Token>, request: &Parts) -> Access {
    let is_misdirected = is_misdirected(bound, request);
    if let Some(token) = token {
        return match request.headers.get(AUTHORIZATION).map(|value| bearer(value.as_bytes())) {
            // Behind a proxy that asks by its own name the page still has to ask for the token.
            None if is_misdirected => Access::Denied,
            None => Access::Partial(Why::TokenNeeded),
            Some(Some(given)) if token.is(given) => Access::Full,
            Some(_) => Access::Denied,
        };
    }
    if is_misdirected {
        Access::Misdirected
    } else if !is_local(bound) {
        Access::Partial(Why::NoToken)
    } else if is_proxied(request) {
        Access::Partial(Why::Proxied)
    } else if is_of_another_site(&request.headers) {
        Access::Partial(Why::ForeignSite)
    } else {
        Access::Full
    }
}

/// True for a request to this machine's loopback by a name that is not the loopback's: perhaps of a page of another
/// site that gave its own name this address.
pub fn is_misdirected(bound: SocketAddr, request: &Parts) -> bool {
    let mut hosts = request.headers.get_all(HOST).iter();
    let is_own = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().is_ok_and(is_loopback),
        _ => false,
    };
    is_local(bound) && !is_own
}

fn is_local(bound: SocketAddr) -> bool {
    bound.ip().to_canonical().is_loopback()
}

/// Browsers and curl speak HTTP/1.1, and name the host of the address to proxies alone.
fn is_proxied(request: &Parts) -> bool {
    let tells = |name: &str| name.starts_with("x-forwarded") || PROXY_HEADERS.contains(&name);
    request.version < Version::HTTP_11
        || request.uri.authority().is_some()
        || request.headers.keys().any(|name| tells(name.as_str()))
}

/// What a browser says of the page whose script or link asks.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let is_own_origin = |origin: &str| origin.split_once("://").is_some_and(|(_, host)| is_loopback(host));
    let is_own_site = |site: &str| matches!(site, "same-origin" | "none");
    let all = |name, is_own: &dyn Fn(&str) -> bool| {
        headers.get_all(name).iter().all(|value| value.to_str().is_ok_and(is_own))
    };
    !(all(ORIGIN, &is_own_origin) && all(HeaderName::from_static("sec-fetch-site"), &is_own_site))
}

/// The token of `Bearer TOKEN`.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// True for a name of this machine's loopback, with any port: another one is usual behind `ssh -L`.
fn is_loopback(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, ""),
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_address = match bare {
        Some(name) => {
            name.parse().is_ok_and(|ip: std::net::Ipv6Addr| IpAddr::V6(ip).to_canonical().is_loopback())
        }
        None => name.parse().is_ok_and(|ip: std::net::Ipv4Addr| ip.is_loopback()),
    };
    port.bytes().all(|byte| byte.is_ascii_digit()) && (is_address || name.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::config::load;

    /// What a request gets whose first line ends so.
    fn ask_by(
        version: Version,
        uri: &str,
        bound: &str,
        token: &str,
        headers: &[(&'static str, &str)],
    ) -> Access {
        let args = ["relay".to_owned(), format!("--status-token={token}")].map(Into::into);
        let token = load(args.into_iter(), std::iter::empty()).unwrap().setup.status_token;
        let mut request = Request::builder().version(version).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        decide(bound.parse().unwrap(), token.as_ref(), &request.body(()).unwrap().into_parts().0)
    }

    fn ask(bound: &str, token: &str, headers: &[(&'static str, &str)]) -> Access {
        ask_by(Version::HTTP_11, "/status.json", bound, token, headers)
    }

    const HERE: &str = "127.0.0.1:9500";
    const THERE: &str = "0.0.0.0:9500";
    const SECRET: &str = "0123456789abcdef";

    #[test]
    fn without_a_token_only_loopback_by_its_own_name() {
        for host in ["localhost", "LocalHost:9500", "127.0.0.1:9500", "127.8.8.8:1", "[::1]", "[::1]:9999"] {
            assert_eq!(ask(HERE, "", &[("host", host)]), Access::Full, "{host}");
            assert_eq!(ask("[::1]:9500", "", &[("host", host)]), Access::Full, "{host}");
            for elsewhere in [THERE, "[::]:9500", "192.0.2.1:9500"] {
                assert_eq!(ask(elsewhere, "", &[("host", host)]), Access::Partial(Why::NoToken));
            }
        }
        let foreign = [
            "",
            "relay",
            "evil.example",
            "evil.example:9500",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.0.2.1:9500",
            "[2001:db8::1]:9500",
            "::1",
            "127.1",
            "2130706433",
            "localhost:9500@evil.example",
        ];
        for host in foreign {
            assert_eq!(ask(HERE, "", &[("host", host)]), Access::Misdirected, "{host}");
            assert_eq!(ask(THERE, "", &[("host", host)]), Access::Partial(Why::NoToken), "{host}");
        }
        assert_eq!(ask(HERE, "", &[]), Access::Misdirected);
        assert_eq!(ask(HERE, "", &[("host", "localhost"), ("host", "evil.example")]), Access::Misdirected);
    }

    #[test]
    fn what_a_proxy_or_another_site_sends_hides_the_list() {
        let forwarded = ["for", "host", "proto", "port", "server", "prefix"];
        let forwarded: Vec<String> = forwarded
            .iter()
            .map(|what| format!("x-forwarded-{what}"))
            .chain(["x-forwarded".into()])
            .collect();
        for header in forwarded.iter().map(String::as_str).chain(PROXY_HEADERS) {
            let request = Request::builder().header("host", "localhost").header(header, "x");
            let request = request.body(()).unwrap().into_parts().0;
            assert_eq!(
                decide(HERE.parse().unwrap(), None, &request),
                Access::Partial(Why::Proxied),
                "{header}"
            );
        }
        let host = ("host", "localhost");
        for (version, uri) in
            [(Version::HTTP_10, "/status.json"), (Version::HTTP_11, "http://localhost/status.json")]
        {
            assert_eq!(ask_by(version, uri, HERE, "", &[host]), Access::Partial(Why::Proxied), "{uri}");
        }
        for (name, own, foreign) in [
            (
                "origin",
                &["http://localhost:9500", "http://[::1]:1"][..],
                &["http://evil.example", "null", ""][..],
            ),
            ("sec-fetch-site", &["same-origin", "none"], &["cross-site", "same-site", "x"]),
        ] {
            for value in own {
                assert_eq!(ask(HERE, "", &[host, (name, value)]), Access::Full, "{name}: {value}");
            }
            for value in foreign {
                let access = ask(HERE, "", &[host, (name, value)]);
                assert_eq!(access, Access::Partial(Why::ForeignSite), "{name}: {value}");
            }
        }
    }

    #[test]
    fn a_token_is_needed_everywhere_and_is_enough_everywhere() {
        for bound in [HERE, THERE] {
            assert_eq!(ask(bound, SECRET, &[("host", "localhost")]), Access::Partial(Why::TokenNeeded));
            let by_another_name = ask(bound, SECRET, &[("host", "a.example")]);
            let hidden = if bound == HERE { Access::Denied } else { Access::Partial(Why::TokenNeeded) };
            assert_eq!(by_another_name, hidden, "{bound}");
            for good in ["Bearer 0123456789abcdef", "bearer 0123456789abcdef"] {
                assert_eq!(
                    ask(bound, SECRET, &[("authorization", good), ("host", "a.example")]),
                    Access::Full
                );
            }
            for bad in ["Bearer", "Bearer ", "Bearer 0123456789abcdee", "Basic 0123456789abcdef", SECRET] {
                assert_eq!(
                    ask(bound, SECRET, &[("authorization", bad), ("host", "localhost")]),
                    Access::Denied
                );
            }
        }
    }
}
