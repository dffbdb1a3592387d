//! Which address and which socket a client has.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::Range;

use ipnet::{IpNet, Ipv4Net};
use net::{Arrival, Run, Socket, SocketIndex, SocketOptions, bind, bind_clients};

use crate::plan::{Plan, Sockets};

/// Where clients of shared sockets live if nobody says otherwise: four million addresses of the loopback network that
/// nothing else uses.
const LOOPBACK: (Ipv4Addr, u8) = (Ipv4Addr::new(127, 64, 0, 0), 10);

/// Bytes of the buffers of a shared socket: 64 MiB, about 80,000 small datagrams.
const SHARED_BUFFER: usize = 64 << 20;

/// Bytes of the buffers of a client's own socket.
const OWN_BUFFER: usize = 1 << 20;

/// How the clients of a plan differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// By their address, in this prefix.
    Prefix(IpNet),
    /// By their port, on this address.
    Ports(IpAddr),
}

/// Why the clients cannot have addresses.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// There are too few addresses.
    #[error(
        "{clients} clients need as many addresses, and --source-prefix {prefix} has {hosts}: use a shorter prefix"
    )]
    PrefixTooSmall {
        /// The clients.
        clients: u32,
        /// The prefix.
        prefix: IpNet,
        /// Its addresses.
        hosts: u128,
    },
    /// The prefix is of the other family.
    #[error("--source-prefix {0} and the target are not of the same family")]
    Family(IpNet),
    /// Nothing is known to send from.
    #[error(
        "shared sockets need addresses of this machine to send from: give --source-prefix (after `ip route add local \
         PREFIX dev lo`), or use --sockets per-client"
    )]
    NoPrefix,
    /// There is no way to the target.
    #[error("there is no way from this machine to {0}: {1}")]
    NoRoute(SocketAddr, io::Error),
}

impl Addresses {
    /// What a plan asks for.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub fn of(plan: &Plan) -> Result<Self, AddressError> {
        let prefix = plan.source_prefix.or_else(|| loopback(plan.target));
        match (plan.sockets, prefix) {
            (Sockets::PerClient, _) | (Sockets::Auto, None) => Ok(Addresses::Ports(route(plan.target)?)),
            (Sockets::Shared, None) => Err(AddressError::NoPrefix),
            (Sockets::Auto | Sockets::Shared, Some(prefix)) => shared(plan, prefix),
        }
    }

    /// `shared` or `per_client`.
    pub fn name(self) -> &'static str {
        match self {
            Addresses::Prefix(_) => "shared",
            Addresses::Ports(_) => "per_client",
        }
    }

    /// The sockets of these clients.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn sockets(self, plan: &Plan, clients: &Range<u32>) -> Result<Vec<Socket>, net::BindError> {
        let buffer = if matches!(self, Addresses::Prefix(_)) { SHARED_BUFFER } else { OWN_BUFFER };
        let options = SocketOptions {
            receive_buffer: buffer,
            send_buffer: buffer,
            coalesce_receives: plan.gro,
            ..SocketOptions::default()
        };
        match self {
            Addresses::Prefix(prefix) => {
                let any = match prefix {
                    IpNet::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                    IpNet::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                };
                let binding = bind(&[SocketAddr::new(any, 0)], 1, options)?;
                Ok(binding.shards.into_iter().flatten().collect())
            }
            Addresses::Ports(address) => bind_clients(address, clients.len(), Some(plan.target), options),
        }
    }

    /// The book of these clients.
    pub fn book(self, clients: &Range<u32>) -> Book {
        Book { addresses: self, first: clients.start, count: clients.len() as u32 }
    }
}

fn loopback(target: SocketAddr) -> Option<IpNet> {
    let (address, length) = LOOPBACK;
    let is_v4_loopback = target.is_ipv4() && target.ip().is_loopback();
    is_v4_loopback.then(|| Ipv4Net::new(address, length).ok()).flatten().map(IpNet::V4)
}

fn shared(plan: &Plan, prefix: IpNet) -> Result<Addresses, AddressError> {
    let prefix = prefix.trunc();
    if plan.target.is_ipv4() != matches!(prefix, IpNet::V4(_)) {
        return Err(AddressError::Family(prefix));
    }
    // The first is left out: it is the network's own in some, and nobody's in others.
    let hosts = (1_u128 << (prefix.max_prefix_len() - prefix.prefix_len()).min(64)) - 1;
    if u128::from(plan.clients) > hosts {
        return Err(AddressError::PrefixTooSmall { clients: plan.clients, prefix, hosts });
    }
    Ok(Addresses::Prefix(prefix))
}

/// The address that datagrams to the target leave from.
fn route(target: SocketAddr) -> Result<IpAddr, AddressError> {
    let any = match target {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let asked = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect(target)?;
        socket.local_addr()
    });
    asked.map(|address| address.ip()).map_err(|error| AddressError::NoRoute(target, error))
}

/// Tells a lane's clients by their sockets and addresses.
#[derive(Clone, Copy, Debug)]
pub struct Book {
    addresses: Addresses,
    /// The first client's number in the plan.
    first: u32,
    count: u32,
}

impl Book {
    /// The client that a datagram has reached, by its number in the lane.
    pub fn client(&self, arrival: &Arrival) -> Option<u32> {
        let client = match self.addresses {
            Addresses::Ports(_) => Some(u32::from(arrival.socket.0)),
            Addresses::Prefix(prefix) => number(prefix, arrival.local?)?.checked_sub(self.first),
        };
        client.filter(|client| *client < self.count)
    }

    /// Addresses a run of one datagram from a client.
    pub fn address(&self, client: u32, run: &mut Run) {
        match self.addresses {
            Addresses::Ports(_) => run.socket = SocketIndex(client as u16),
            Addresses::Prefix(prefix) => run.from = Some(host(prefix, self.first + client)),
        }
    }
}

/// The address of a client of a plan.
fn host(prefix: IpNet, client: u32) -> IpAddr {
    match prefix.addr() {
        IpAddr::V4(network) => Ipv4Addr::from_bits(network.to_bits() + 1 + client).into(),
        IpAddr::V6(network) => Ipv6Addr::from_bits(network.to_bits() + 1 + u128::from(client)).into(),
    }
}

/// The client of an address.
fn number(prefix: IpNet, address: IpAddr) -> Option<u32> {
    match (prefix.addr(), address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            address.to_bits().checked_sub(network.to_bits())?.checked_sub(1)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let host = address.to_bits().checked_sub(network.to_bits())?.checked_sub(1)?;
            u32::try_from(host).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::example;

    #[test]
    fn loopback_is_shared_and_others_are_not() {
        assert_eq!(Addresses::of(&example()).unwrap().name(), "shared");
        let v6 = Plan { target: "[::1]:5000".parse().unwrap(), ..example() };
        assert_eq!(Addresses::of(&v6).unwrap(), Addresses::Ports("::1".parse().unwrap()));
        let wanted = Plan { sockets: Sockets::Shared, ..v6 };
        assert!(matches!(Addresses::of(&wanted), Err(AddressError::NoPrefix)));
    }

    #[test]
    fn every_client_has_its_own_address() {
        for prefix in ["10.1.0.0/16", "127.64.0.0/10", "fd00:1::/64"] {
            let prefix: IpNet = prefix.parse().unwrap();
            for client in [0, 1, 254, 255, 65_533] {
                let address = host(prefix, client);
                assert!(prefix.contains(&address) && number(prefix, address) == Some(client), "{address}");
            }
            assert_eq!(number(prefix, prefix.network()), None);
            assert_eq!(number(prefix, "9.9.9.9".parse().unwrap()), None);
        }
    }

    #[test]
    fn a_prefix_must_fit() {
        let plan = |clients, prefix: &str| Plan {
            clients,
            source_prefix: Some(prefix.parse().unwrap()),
            ..example()
        };
        assert!(Addresses::of(&plan(255, "10.0.0.0/24")).is_ok());
        assert!(matches!(Addresses::of(&plan(256, "10.0.0.0/24")), Err(AddressError::PrefixTooSmall { .. })));
        assert!(matches!(Addresses::of(&plan(2, "fd00::/64")), Err(AddressError::Family(_))));
    }
}
