//! Serving from sockets that a service manager has bound (`LISTEN_FDS`), so that none of their datagrams is lost while
//! the relay restarts.

use std::net::{SocketAddr, TcpListener};

use net::tcp::{Listener, Tenacity};
use net::{Binding, Inherited, SocketOptions};

use crate::config::{Loaded, MAX_HOSTS, MAX_SHARDS, TcpMode};
use crate::failure::Failure;

/// The name of the socket for scrapes (`FileDescriptorName=`).
const METRICS: &str = "metrics";

/// What was passed.
pub struct Passed {
    sockets: Inherited,
    /// The listener for scrapes.
    pub metrics: Option<TcpListener>,
    /// Those for clients, with their names.
    streams: Vec<(String, TcpListener)>,
}

/// Takes what was passed, which may be nothing.
///
/// # Errors
/// What was passed and cannot be used.
pub fn take() -> Result<Passed, Failure> {
    let mut sockets = net::inherited().map_err(|error| Failure::Passed(error.to_string()))?;
    let (mut metrics, streams): (Vec<_>, Vec<_>) =
        std::mem::take(&mut sockets.listeners).into_iter().partition(|(name, _)| name == METRICS);
    if metrics.len() > 1 {
        return Err(Failure::Passed(format!("two TCP sockets are named {METRICS}")));
    }
    if let (Some((name, _)), 0) = (streams.first(), sockets.shards()) {
        return Err(Failure::Passed(format!(
            "the TCP socket {name} is of no use without UDP sockets; the one for metrics needs FileDescriptorName={METRICS}"
        )));
    }
    match excess(sockets.addresses().count(), sockets.shards()) {
        Some(message) => Err(Failure::Passed(message)),
        None => Ok(Passed { sockets, metrics: metrics.pop().map(|(_, listener)| listener), streams }),
    }
}

/// What is too much of so many addresses, with so many sockets each.
fn excess(addresses: usize, shards: usize) -> Option<String> {
    if addresses > MAX_HOSTS {
        return Some(format!(
            "sockets of {addresses} addresses were passed, {MAX_HOSTS} at most can be served"
        ));
    }
    (shards > MAX_SHARDS as usize).then(|| format!("{shards} sockets for one address, {MAX_SHARDS} at most"))
}

impl Passed {
    /// The sockets to serve from, if any were passed. They decide about addresses and shards.
    ///
    /// A relay never adds sockets of its own: the clients whose datagrams reach those would lose them at the next
    /// restart, and every other client would change its shard.
    pub fn bind(
        self,
        mode: TcpMode,
        options: SocketOptions,
    ) -> Option<Result<(Binding, Vec<Listener>), Failure>> {
        (self.sockets.shards() > 0).then(|| {
            let binding = self.sockets.bind(options).map_err(|error| Failure::Passed(error.to_string()))?;
            let listeners = listeners(self.streams, mode, &binding.addresses).map_err(Failure::Passed)?;
            Ok((binding, listeners))
        })
    }
}

/// Where clients connect: at each of the addresses, or nowhere.
fn listeners(
    streams: Vec<(String, TcpListener)>,
    mode: TcpMode,
    addresses: &[SocketAddr],
) -> Result<Vec<Listener>, String> {
    let mut listeners: Vec<Listener> = Vec::new();
    for (name, socket) in streams {
        let listener = net::tcp::adopt(socket, &Tenacity::default())
            .map_err(|fault| format!("the TCP socket {name} {fault}"))?;
        let address = listener.address();
        if mode == TcpMode::Off {
            return Err(format!("the TCP socket {name} is of no use with tcp=off; remove its ListenStream="));
        }
        if !addresses.contains(&address) {
            return Err(format!(
                "the TCP socket {name} is at {address}, where no UDP socket is; the one for metrics needs FileDescriptorName={METRICS}"
            ));
        }
        if listeners.iter().any(|other| other.address() == address) {
            return Err(format!("two TCP sockets are at {address}; one thread serves all connections"));
        }
        listeners.push(listener);
    }
    let is_served = |address: &SocketAddr| listeners.iter().any(|listener| listener.address() == *address);
    match addresses.iter().find(|address| !is_served(address)) {
        Some(address) if !listeners.is_empty() || mode == TcpMode::On => Err(format!(
            "no TCP socket is at {address}; each address needs one (ListenStream=), or none does"
        )),
        _ => Ok(listeners),
    }
}

/// Says which options are not looked at where `shards` sockets were passed for each of these addresses.
pub fn warn(loaded: &Loaded, shards: usize, addresses: &[SocketAddr]) {
    let setup = &loaded.setup;
    let asked = |option| loaded.source(option).asked_for();
    let configured = setup.hosts.iter().map(|host| SocketAddr::from((*host, setup.port)));
    if (asked("host") || asked("port")) && !configured.eq(addresses.iter().copied()) {
        tracing::warn!("host and port are not looked at: the service manager has passed bound sockets");
    }
    let wanted = setup.shards.here();
    if shards < wanted || (shards > wanted && asked("shards")) {
        tracing::warn!(
            shards,
            wanted,
            "each shard needs a socket of its own: ListenDatagram= must name each address {wanted} times, with ReusePort=yes"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_one_listener_or_none_has() {
        let [one, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [here, there] = [&one, &other].map(|listener| listener.local_addr().unwrap());
        let copy = |listener: &TcpListener| ("relay".to_owned(), listener.try_clone().unwrap());
        let taken = |streams: Vec<&TcpListener>, mode, addresses: &[SocketAddr]| {
            let listeners = listeners(streams.into_iter().map(copy).collect(), mode, addresses);
            listeners.map(|all| all.iter().map(Listener::address).collect::<Vec<_>>())
        };
        assert_eq!(taken(vec![], TcpMode::Auto, &[here]), Ok(vec![]));
        assert_eq!(taken(vec![], TcpMode::Off, &[here]), Ok(vec![]));
        assert_eq!(taken(vec![&other, &one], TcpMode::On, &[here, there]), Ok(vec![there, here]));
        let refusal = |streams, mode, addresses: &[SocketAddr]| taken(streams, mode, addresses).unwrap_err();
        assert!(refusal(vec![&one], TcpMode::Auto, &[here, there]).contains(&format!("is at {there}; each")));
        assert!(refusal(vec![&one, &one], TcpMode::Auto, &[here]).contains("two TCP sockets"));
    }

    #[test]
    fn no_more_is_served_than_the_configuration_may_ask_for() {
        assert_eq!(excess(MAX_HOSTS, MAX_SHARDS as usize), None);
        assert!(excess(MAX_HOSTS + 1, 1).unwrap().contains("17 addresses were passed, 16 at most"));
        assert!(excess(1, MAX_SHARDS as usize + 1).unwrap().contains("257 sockets for one address"));
    }
}
