//! Who has an address that the relay wants: a relay, the service manager, or somebody who is in the way.

use std::net::SocketAddr;

use crate::doctor::finding::{Finding, How};
use crate::doctor::look::{self, Seen, Unseen};
use crate::port::{self, Protocol, User, Users};

/// What the packaged program is called.
const RELAY: &str = "relay";
/// Those that bind sockets for others, and pass them on.
const MANAGERS: [&str; 2] = ["systemd", "init"];
/// The first process cannot be ended without everything else.
const FIRST: i32 = 1;

/// Somebody who has an address.
pub struct Holder {
    pub address: SocketAddr,
    pub kind: Kind,
    protocol: Protocol,
    users: Users,
}

/// What that means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A relay, perhaps with a socket that the manager has passed.
    Relay,
    /// The service manager alone: it starts its service when somebody speaks to the socket, or has started it.
    Manager,
    /// Somebody who cannot be seen; a relay cannot be seen, either.
    HiddenRelay,
    /// Somebody who cannot be seen.
    Hidden,
    /// Somebody else.
    Other,
}

/// Who has the address, if anybody.
pub fn of(protocol: Protocol, address: SocketAddr) -> Seen<Option<Holder>> {
    // What this program is called: one under another name may serve beside it.
    let own = look::text("/proc/self/comm").ok();
    let users = port::users(protocol, address)
        .map_err(|error| Unseen(format!("cannot look for sockets in /proc/net: {error}")))?;
    Ok(users.map(|users| Holder::new(protocol, address, users, own.as_deref())))
}

impl Holder {
    pub fn new(protocol: Protocol, address: SocketAddr, mut users: Users, own: Option<&str>) -> Self {
        let is_relay = |user: &User| user.name == RELAY || Some(user.name.as_str()) == own;
        let kind = if users.seen.is_empty() {
            users.hidden.retain(is_relay);
            if users.hidden.is_empty() { Kind::Hidden } else { Kind::HiddenRelay }
        } else if users.seen.iter().all(is_manager) {
            Kind::Manager
        } else if users.seen.iter().all(|user| is_manager(user) || is_relay(user)) {
            Kind::Relay
        } else {
            Kind::Other
        };
        Self { address, kind, protocol, users }
    }

    /// The numbers of those that are seen.
    pub fn processes(&self) -> Vec<i32> {
        self.users.seen.iter().map(|user| user.process).collect()
    }

    /// `relay (process 7)`.
    pub fn names(&self) -> String {
        let users = if self.users.seen.is_empty() { &self.users.hidden } else { &self.users.seen };
        let names = users.iter().map(|user| format!("{} (process {})", user.name, user.process));
        names.collect::<Vec<_>>().join(", ")
    }

    /// Whose address it is, in words.
    pub fn found(&self) -> String {
        let (address, names) = (self.address, self.names());
        match self.kind {
            Kind::Relay => format!("{names} serves on {address} already; it was left alone"),
            Kind::Manager => format!("{names} keeps the socket {address} (for the relay, see relay.socket)"),
            Kind::HiddenRelay => {
                format!("{address} is in use by a process that this user may not see, most likely {names}")
            }
            Kind::Hidden => format!(
                "{address} is in use by a process that this user may not see, perhaps the relay itself or systemd for it"
            ),
            Kind::Other => format!("{address} is in use by {names}"),
        }
    }

    /// Commands that show who it is, or end those who are in the way.
    pub fn remedy(&self, finding: Finding) -> Finding {
        let port = self.address.port();
        let in_the_way = || self.users.seen.iter().filter(|user| user.process != FIRST);
        match self.kind {
            Kind::Relay => finding,
            Kind::Manager => finding.fix(How::Now, "systemctl status relay.socket"),
            Kind::HiddenRelay | Kind::Hidden => {
                let letter = if self.protocol == Protocol::Udp { 'u' } else { 't' };
                finding.fix(How::Now, format!("sudo ss -{letter}lpn 'sport = :{port}'"))
            }
            // It would start its service anew.
            Kind::Other if self.users.seen.iter().any(is_manager) => {
                finding.fix(How::Now, "systemctl list-sockets")
            }
            Kind::Other if in_the_way().count() == 0 => finding.fix(
                How::Advice,
                "it is the first process here, with which all others end: let the relay have another port",
            ),
            Kind::Other => {
                let numbers: Vec<String> = in_the_way().map(|user| user.process.to_string()).collect();
                finding.fix(How::Now, format!("kill {}", numbers.join(" ")))
            }
        }
    }
}

fn is_manager(user: &User) -> bool {
    MANAGERS.contains(&user.name.as_str())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A holder of 127.0.0.1:5000, of these processes, and of those that cannot be seen.
    pub fn holder(seen: &[(&str, i32)], hidden: &[(&str, i32)]) -> Holder {
        let users = |all: &[(&str, i32)]| {
            all.iter().map(|(name, process)| User { name: (*name).into(), process: *process }).collect()
        };
        let users = Users { seen: users(seen), hidden: users(hidden) };
        Holder::new(Protocol::Udp, "127.0.0.1:5000".parse().unwrap(), users, Some("relay-new"))
    }

    fn commands(seen: &[(&str, i32)]) -> Vec<String> {
        let finding = holder(seen, &[]).remedy(Finding::problem("port", ""));
        finding.fixes.into_iter().map(|fix| fix.command).collect()
    }

    #[test]
    fn who_it_is() {
        let kind = |seen: &[(&str, i32)]| holder(seen, &[]).kind;
        assert_eq!(kind(&[("relay", 7)]), Kind::Relay);
        assert_eq!(kind(&[("relay-new", 7), ("relay", 8)]), Kind::Relay);
        assert_eq!(kind(&[("systemd", 1), ("relay", 8)]), Kind::Relay);
        assert_eq!(kind(&[("systemd", 1)]), Kind::Manager);
        assert_eq!(kind(&[("systemd", 812)]), Kind::Manager, "of a user");
        assert_eq!(kind(&[("relayd", 7)]), Kind::Other);
        assert_eq!(kind(&[("systemd", 1), ("named", 8)]), Kind::Other);
        assert_eq!(holder(&[], &[("dnsmasq", 3)]).kind, Kind::Hidden);
        let hidden = holder(&[], &[("dnsmasq", 3), ("relay", 4)]);
        assert_eq!((hidden.kind, hidden.names().as_str()), (Kind::HiddenRelay, "relay (process 4)"));
    }

    #[test]
    fn what_to_do_is_a_command_and_never_ends_the_first_process() {
        assert_eq!(commands(&[("nc", 7), ("named", 8)]), ["kill 7 8"]);
        assert_eq!(commands(&[("nc", 7), ("sh", 1)]), ["kill 7"]);
        assert!(commands(&[("sh", 1)])[0].contains("first process"));
        assert_eq!(commands(&[("systemd", 1), ("named", 8)]), ["systemctl list-sockets"]);
        assert_eq!(commands(&[("systemd", 1)]), ["systemctl status relay.socket"]);
        assert!(commands(&[("systemd", 1), ("relay", 8)]).is_empty());
        assert_eq!(commands(&[]), ["sudo ss -ulpn 'sport = :5000'"]);
    }
}
