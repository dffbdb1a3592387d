//! Serving from sockets that a service manager has bound (`LISTEN_FDS`), so that none of their datagrams is lost while
//! the relay restarts.

use std::net::{SocketAddr, TcpListener};

use net::{Binding, Inherited, SocketOptions};

use crate::config::{Loaded, MAX_HOSTS, MAX_SHARDS};
use crate::failure::Failure;

/// The name of the socket for scrapes (`FileDescriptorName=`).
const METRICS: &str = "metrics";

/// What was passed.
pub struct Passed {
    sockets: Inherited,
    /// The listener for scrapes.
    pub metrics: Option<TcpListener>,
}

/// Takes what was passed, which may be nothing.
///
/// # Errors
/// What was passed and cannot be used.
pub fn take() -> Result<Passed, Failure> {
    let mut sockets = net::inherited().map_err(|error| Failure::Passed(error.to_string()))?;
    let mut metrics = None;
    for (name, listener) in std::mem::take(&mut sockets.listeners) {
        if name != METRICS {
            return Err(Failure::Passed(format!(
                "the TCP socket {name} is of no use; the one for metrics needs FileDescriptorName={METRICS}"
            )));
        }
        if metrics.replace(listener).is_some() {
            return Err(Failure::Passed(format!("two TCP sockets are named {METRICS}")));
        }
    }
    match excess(sockets.addresses().count(), sockets.shards()) {
        Some(message) => Err(Failure::Passed(message)),
        None => Ok(Passed { sockets, metrics }),
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
    pub fn bind(self, options: SocketOptions) -> Option<Result<Binding, Failure>> {
        (self.sockets.shards() > 0)
            .then(|| self.sockets.bind(options).map_err(|error| Failure::Passed(error.to_string())))
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
    fn no_more_is_served_than_the_configuration_may_ask_for() {
        assert_eq!(excess(MAX_HOSTS, MAX_SHARDS as usize), None);
        assert!(excess(MAX_HOSTS + 1, 1).unwrap().contains("17 addresses were passed, 16 at most"));
        assert!(excess(1, MAX_SHARDS as usize + 1).unwrap().contains("257 sockets for one address"));
    }
}
