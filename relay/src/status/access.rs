//! Who may see the addresses of receivers.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST};

use crate::config::Token;

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    Full,
    /// No addresses, for this reason.
    Partial(Why),
    /// Nothing: the token is wrong.
    Denied,
}

/// Why addresses are not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The request brings no token, and one is needed.
    TokenNeeded,
    /// There is no token, and the relay can be reached from elsewhere.
    NoToken,
    /// The request came by another name than that of this machine's loopback: another site's page may have sent it.
    ForeignHost,
    /// The request came through a proxy, so whoever asks may be anywhere.
    Proxied,
}

impl Why {
    /// Its name in the JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::TokenNeeded => "token_needed",
            Self::NoToken => "no_token_configured",
            Self::ForeignHost => "foreign_host",
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
            Self::ForeignHost => {
                "Without a status token receivers are shown only to who asks for localhost, 127.0.0.1 or [::1]. Use one of these names, or set --status-token-file."
            }
            Self::Proxied => "Behind a proxy receivers need a status token: set --status-token-file.",
        }
    }
}

/// What proxies add.
const PROXY_HEADERS: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// Decides about a request to a server that is bound so.
pub fn decide(bound: SocketAddr, token: Option<&Token>, headers: &HeaderMap) -> Access {
    if let Some(token) = token {
        return match headers.get(AUTHORIZATION).map(|value| bearer(value.as_bytes())) {
            None => Access::Partial(Why::TokenNeeded),
            Some(Some(given)) if token.is(given) => Access::Full,
            Some(_) => Access::Denied,
        };
    }
    if !bound.ip().to_canonical().is_loopback() {
        Access::Partial(Why::NoToken)
    } else if PROXY_HEADERS.iter().any(|name| headers.contains_key(*name)) {
        Access::Partial(Why::Proxied)
    } else if headers.get(HOST).and_then(|host| host.to_str().ok()).is_some_and(is_loopback) {
        Access::Full
    } else {
        Access::Partial(Why::ForeignHost)
    }
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
    use super::*;
    use crate::config::load;

    fn ask(bound: &str, token: &str, headers: &[(&'static str, &str)]) -> Access {
        let args = ["relay".to_owned(), format!("--status-token={token}")].map(Into::into);
        let token = load(args.into_iter(), std::iter::empty()).unwrap().setup.status_token;
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        decide(bound.parse().unwrap(), token.as_ref(), &headers.collect())
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
            assert_eq!(ask(HERE, "", &[("host", host)]), Access::Partial(Why::ForeignHost), "{host}");
        }
        assert_eq!(ask(HERE, "", &[]), Access::Partial(Why::ForeignHost));
        for header in PROXY_HEADERS {
            let proxied = [("host", "localhost"), (header, "x")];
            assert_eq!(ask(HERE, "", &proxied), Access::Partial(Why::Proxied), "{header}");
        }
    }

    #[test]
    fn a_token_is_needed_everywhere_and_is_enough_everywhere() {
        for bound in [HERE, THERE] {
            assert_eq!(ask(bound, SECRET, &[("host", "localhost")]), Access::Partial(Why::TokenNeeded));
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
