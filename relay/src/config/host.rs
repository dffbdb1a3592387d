//! Addresses to serve on, given as addresses or as names.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use super::MAX_HOSTS;
use super::problem::Complaint;

/// One `--host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// An address; v4-mapped ones are v4.
    Address(IpAddr),
    /// A name, to be resolved.
    Name(String),
}

/// Reads one host or several with commas between.
pub(super) fn parse(text: &str) -> Result<Vec<Host>, Complaint> {
    let hosts: Vec<Host> = text.split(',').map(|host| parse_one(host.trim())).collect::<Result<_, _>>()?;
    if hosts.len() > MAX_HOSTS {
        return Err(Complaint::new(text, format!("names more than {MAX_HOSTS} addresses")));
    }
    Ok(hosts)
}

fn parse_one(text: &str) -> Result<Host, Complaint> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(Host::Address(address.to_canonical()));
    }
    let port = text.rsplit_once(':').filter(|(host, port)| is_name(host) && port.parse::<u16>().is_ok());
    if port.is_some() || text.parse::<SocketAddr>().is_ok() {
        return Err(Complaint::new(text, "holds a port; give the address alone, and the port with --port"));
    }
    if bare.contains('%') {
        return Err(Complaint::new(
            text,
            "has a zone, which the relay cannot serve on; give a global address",
        ));
    }
    if !is_name(text) {
        return Err(Complaint::new(text, "is neither an IPv4 or IPv6 address nor a host name"));
    }
    Ok(Host::Name(text.to_owned()))
}

/// Names need a letter at the end's first place: the resolver takes `5000` and `1.2.3` for addresses.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(label) && last.starts_with(|c: char| c.is_ascii_alphabetic())
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Address(address) => address.fmt(f),
            Host::Name(name) => f.write_str(name),
        }
    }
}

/// Asks the system's resolver.
pub(super) fn look_up(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|address| address.ip().to_canonical()).collect())
}

/// The address of each host, IPv4 preferred; the error is the message to show.
pub(super) fn resolve(
    hosts: &[Host],
    look_up: impl Fn(&str) -> io::Result<Vec<IpAddr>>,
) -> Result<Vec<IpAddr>, String> {
    let mut addresses: Vec<IpAddr> = Vec::with_capacity(hosts.len());
    for (position, host) in hosts.iter().enumerate() {
        let address = match host {
            Host::Address(address) => *address,
            Host::Name(name) => {
                let unknown =
                    |why| format!("cannot resolve \"{name}\": {why}; correct it or give an address");
                let found = look_up(name).map_err(|error| unknown(error.to_string()))?;
                let preferred = found.iter().find(|address| address.is_ipv4()).or(found.first());
                *preferred.ok_or_else(|| unknown("it has no address".to_owned()))?
            }
        };
        for (other, earlier) in addresses.iter().zip(&hosts[..position]) {
            if *other == address {
                return Err(format!("\"{earlier}\" and \"{host}\" are the same address; give it once"));
            }
            if other.is_ipv4() == address.is_ipv4() && (other.is_unspecified() || address.is_unspecified()) {
                let (all, one) = if other.is_unspecified() { (earlier, host) } else { (host, earlier) };
                return Err(format!("\"{all}\" serves \"{one}\" too; give one of them"));
            }
        }
        addresses.push(address);
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> Result<Vec<IpAddr>, String> {
        let hosts = parse(text).map_err(|complaint| complaint.to_string())?;
        resolve(&hosts, |name| match name {
            "both" => Ok(vec!["::1".parse().unwrap(), "127.0.0.1".parse().unwrap()]),
            "six" => Ok(vec!["2001:db8::1".parse().unwrap()]),
            "none" => Ok(Vec::new()),
            _ => Err(io::Error::other("no such name")),
        })
    }

    #[test]
    fn addresses_and_names() {
        let texts = |text| {
            resolved(text).map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(texts("both, [::1],six"), Ok("127.0.0.1 ::1 2001:db8::1".to_owned()));
        assert_eq!(texts("0.0.0.0,::"), Ok("0.0.0.0 ::".to_owned()));
        assert_eq!(texts("::ffff:10.0.0.1"), Ok("10.0.0.1".to_owned()));
    }

    #[test]
    fn errors_say_what_to_do() {
        let errors = [
            (
                "127.0.0.1:5000",
                r#""127.0.0.1:5000" holds a port; give the address alone, and the port with --port"#,
            ),
            ("[::1]:5000", r#""[::1]:5000" holds a port; give the address alone, and the port with --port"#),
            (
                "localhost:5000",
                r#""localhost:5000" holds a port; give the address alone, and the port with --port"#,
            ),
            (
                "fe80::1%eth0",
                r#""fe80::1%eth0" has a zone, which the relay cannot serve on; give a global address"#,
            ),
            ("5000", r#""5000" is neither an IPv4 or IPv6 address nor a host name"#),
            ("300.1.2.3", r#""300.1.2.3" is neither an IPv4 or IPv6 address nor a host name"#),
            ("", r#""" is neither an IPv4 or IPv6 address nor a host name"#),
            ("a b", r#""a b" is neither an IPv4 or IPv6 address nor a host name"#),
            ("both,127.0.0.1", r#""both" and "127.0.0.1" are the same address; give it once"#),
            ("127.0.0.1,0.0.0.0", r#""0.0.0.0" serves "127.0.0.1" too; give one of them"#),
            ("none", r#"cannot resolve "none": it has no address; correct it or give an address"#),
            ("gone.example", r#"cannot resolve "gone.example": no such name; correct it or give an address"#),
        ];
        for (text, error) in errors {
            assert_eq!(resolved(text), Err(error.to_owned()), "{text}");
        }
        assert!(
            resolved(&vec!["both"; MAX_HOSTS + 1].join(","))
                .unwrap_err()
                .ends_with("names more than 16 addresses")
        );
    }
}
