//! Sockets that a service manager has bound and passes on (`sd_listen_fds(3)`).

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;
use socket2::{Domain, Protocol, Type};

use crate::bind::{BindError, Binding, SocketOptions, check_one, equip, explain, prepare_wildcard};
use crate::sieve;
use crate::socket::Socket;

/// The number of the first descriptor that is passed (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;

/// What was passed to this process. Its sockets outlive it in the service manager, with what waits in them.
#[derive(Debug, Default)]
pub struct Inherited {
    /// UDP sockets by address, in the order of their descriptors.
    groups: Vec<(SocketAddr, Vec<socket2::Socket>)>,
    /// Listening TCP sockets, with the names that the service manager gave them.
    pub listeners: Vec<(String, TcpListener)>,
}

/// A descriptor that cannot be served from.
#[derive(Debug, thiserror::Error)]
pub enum InheritError {
    /// The environment variables contradict each other or the process.
    #[error("LISTEN_FDS, LISTEN_FDNAMES: {0}")]
    Environment(io::Error),
    /// Fewer were passed than were promised.
    #[error(
        "LISTEN_FDS={count} promises descriptors {FIRST} to {}, and {missing} is not open; unset it, or start the relay by its socket unit",
        FIRST + count - 1
    )]
    Missing {
        /// The first that is not there.
        missing: RawFd,
        /// How many were promised.
        count: RawFd,
    },
    /// One descriptor.
    #[error("descriptor {fd} ({name}) {fault}")]
    Descriptor {
        /// Its number.
        fd: RawFd,
        /// What the service manager calls it.
        name: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// Some addresses have more sockets than others, so that not every shard could have one of each.
    #[error("{first} has {} and {second} has {}; each address needs as many", sockets(.counts.0), sockets(.counts.1))]
    Uneven {
        /// The first address.
        first: SocketAddr,
        /// One that differs.
        second: SocketAddr,
        /// Their numbers of sockets.
        counts: (usize, usize),
    },
}

/// What is wrong with an inherited descriptor.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// ENOTSOCK.
    #[error("is not a socket")]
    NoSocket,
    /// Neither UDP nor a listening TCP socket.
    #[error(
        "is neither a UDP socket nor a TCP socket that listens (ListenDatagram= is UDP, ListenStream= TCP)"
    )]
    WrongKind,
    /// UDP-Lite, mostly.
    #[error("is a datagram socket of another protocol than UDP")]
    NotUdp,
    /// It has no port.
    #[error("is a UDP socket that is not bound to a port")]
    Unbound,
    /// It hears only one peer.
    #[error("is a UDP socket that is connected to one peer")]
    Connected,
    /// IPv4 clients would have addresses of IPv6.
    #[error("is a socket for IPv6 and IPv4 at once; set BindIPv6Only=ipv6-only and pass another for IPv4")]
    DualStack,
    /// Several sockets of one address of which only one would receive.
    #[error("shares its address without SO_REUSEPORT; set ReusePort=yes")]
    NotShared,
    /// Anything else that the kernel said about it.
    #[error("cannot be used: {0}")]
    Kernel(#[from] io::Error),
}

fn sockets(count: usize) -> String {
    if count == 1 { "1 socket".to_owned() } else { format!("{count} sockets") }
}

/// What the service manager has passed to this process: nothing, if there is none. Only the first call gets it.
///
/// # Errors
/// What cannot be served from.
pub fn inherited() -> Result<Inherited, InheritError> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let mut inherited = Inherited::default();
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(inherited);
    }
    let passed = sd_notify::listen_fds_with_names()
        .map_err(|error| missing().unwrap_or(InheritError::Environment(error)))?;
    let passed: Vec<_> = passed.collect();
    for (fd, name) in passed {
        // SAFETY: by the protocol these descriptors, which are open (their flags were just set), belong to the process
        // whose id LISTEN_PID is, which is this one; nothing else in it reads that, and the flag above lets this run
        // once.
        let owned = unsafe { OwnedFd::from_raw_fd(fd) };
        let taken = inherited.take(owned, &name);
        taken.map_err(|fault| InheritError::Descriptor { fd, name, fault })?;
    }
    inherited.check_even()?;
    Ok(inherited)
}

/// The first descriptor that was promised and is not there.
fn missing() -> Option<InheritError> {
    let count: RawFd = std::env::var("LISTEN_FDS").ok()?.parse().ok().filter(|count| *count > 0)?;
    // SAFETY: the call reads the flags of a number, which need not be an open descriptor, and touches no memory.
    let is_open = |fd: &RawFd| unsafe { libc::fcntl(*fd, libc::F_GETFD) } >= 0;
    let missing = (FIRST..FIRST.checked_add(count)?).find(|fd| !is_open(fd))?;
    Some(InheritError::Missing { missing, count })
}

impl Inherited {
    /// The addresses, with the number of sockets that each of them has.
    pub fn addresses(&self) -> impl Iterator<Item = (SocketAddr, usize)> {
        self.groups.iter().map(|(address, group)| (*address, group.len()))
    }

    /// How many shards can be served: each needs a socket of its own for every address. 0 if no UDP socket was passed.
    pub fn shards(&self) -> usize {
        self.groups.first().map_or(0, |(_, group)| group.len())
    }

    /// The sockets of the shards, set up as those that [`bind`](crate::bind()) makes.
    ///
    /// # Errors
    /// The first address that could not be set up.
    pub fn bind(self, options: SocketOptions) -> Result<Binding, BindError> {
        let mut binding = Binding::of(self.shards());
        for (address, group) in self.groups {
            check_one(address)?;
            let sockets: io::Result<Vec<Socket>> = group
                .into_iter()
                .map(|socket| {
                    socket.set_nonblocking(true)?;
                    // A relay that was killed may have left its own.
                    sieve::detach(socket.as_raw_fd())?;
                    prepare_wildcard(&socket, address)?;
                    equip(&socket, address, options)?;
                    Ok(Socket::new(socket.into(), address).with(options))
                })
                .collect();
            sockets
                .and_then(|sockets| binding.adopt(address, sockets))
                .map_err(|error| explain(address, error))?;
        }
        Ok(binding)
    }

    fn take(&mut self, fd: OwnedFd, name: &str) -> Result<(), Fault> {
        let socket = socket2::Socket::from(fd);
        let is_internet = |domain| domain == Domain::IPV4 || domain == Domain::IPV6;
        let kind = socket.r#type().map_err(|error| match error.raw_os_error() {
            Some(libc::ENOTSOCK) => Fault::NoSocket,
            _ => Fault::Kernel(error),
        })?;
        let internet = is_internet(socket.domain()?);
        if internet && kind == Type::STREAM && socket.is_listener()? {
            // The server beside the shards waits by readiness.
            socket.set_nonblocking(true)?;
            self.listeners.push((name.to_owned(), socket.into()));
            return Ok(());
        }
        if !internet || kind != Type::DGRAM {
            return Err(Fault::WrongKind);
        }
        if socket.protocol()? != Some(Protocol::UDP) {
            return Err(Fault::NotUdp);
        }
        let address = address_of(&socket)?;
        match self.groups.iter_mut().find(|(other, _)| *other == address) {
            None => self.groups.push((address, vec![socket])),
            Some((_, group)) => {
                if !socket.reuse_port()? {
                    return Err(Fault::NotShared);
                }
                group.push(socket);
            }
        }
        Ok(())
    }

    fn check_even(&self) -> Result<(), InheritError> {
        let shards = self.shards();
        match (self.groups.first(), self.groups.iter().find(|(_, group)| group.len() != shards)) {
            (Some((first, _)), Some((second, group))) => {
                Err(InheritError::Uneven { first: *first, second: *second, counts: (shards, group.len()) })
            }
            _ => Ok(()),
        }
    }
}

/// The address of a socket that can be served from.
fn address_of(socket: &socket2::Socket) -> Result<SocketAddr, Fault> {
    let address = socket.local_addr()?.as_socket().ok_or(Fault::WrongKind)?;
    if address.port() == 0 {
        return Err(Fault::Unbound);
    }
    if socket.peer_addr().is_ok() {
        return Err(Fault::Connected);
    }
    check_family(socket, address)?;
    Ok(address)
}

/// Whoever speaks IPv4 has an address of IPv4.
pub(crate) fn check_family(socket: &socket2::Socket, address: SocketAddr) -> Result<(), Fault> {
    let SocketAddr::V6(v6) = address else { return Ok(()) };
    let serves_v4 = v6.ip().is_unspecified() && !socket.only_v6()?;
    if serves_v4 || v6.ip().to_ipv4_mapped().is_some() { Err(Fault::DualStack) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    fn fault(socket: impl Into<OwnedFd>) -> String {
        Inherited::default().take(socket.into(), "x").expect_err("a fault").to_string()
    }

    fn shared(address: &str) -> socket2::Socket {
        let address: SocketAddr = address.parse().unwrap();
        let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, None).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.bind(&address.into()).unwrap();
        socket
    }

    #[test]
    fn what_cannot_be_served_from_says_why() {
        assert!(fault(std::fs::File::open("/dev/null").unwrap()).contains("not a socket"));
        let unbound = socket2::Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
        assert!(fault(unbound).contains("not bound"));
        let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
        connected.connect("127.0.0.1:9").unwrap();
        assert!(fault(connected).contains("connected to one peer"));
        let lite =
            socket2::Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::from(libc::IPPROTO_UDPLITE)));
        // Linux 7.1 has none any more.
        if let Ok(lite) = lite {
            lite.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
            assert!(fault(lite).contains("another protocol than UDP"));
        }
        let (one, _other) = std::os::unix::net::UnixDatagram::pair().unwrap();
        assert!(fault(one).contains("neither a UDP socket nor"));
        let stream = socket2::Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        assert!(fault(stream).contains("neither a UDP socket nor"));
        let dual = socket2::Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)).unwrap();
        dual.set_only_v6(false).unwrap();
        dual.bind(&"[::]:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        assert!(fault(dual).contains("BindIPv6Only=ipv6-only"));
    }

    #[test]
    fn sockets_are_grouped_by_address_and_must_be_even() {
        let mut inherited = Inherited::default();
        let first = shared("127.0.0.1:0");
        let address = first.local_addr().unwrap().as_socket().unwrap();
        inherited.take(first.into(), "a").unwrap();
        inherited.take(shared("[::1]:0").into(), "b").unwrap();
        assert_eq!(inherited.shards(), 1);
        inherited.check_even().unwrap();
        inherited.take(shared(&address.to_string()).into(), "c").unwrap();
        assert_eq!(inherited.shards(), 2);
        let uneven = inherited.check_even().unwrap_err().to_string();
        assert!(uneven.contains("2 sockets") && uneven.contains("1 socket;"), "{uneven}");
    }

    #[test]
    fn without_a_shared_port_a_second_socket_is_refused() {
        let mut inherited = Inherited::default();
        let [first, second] = [(); 2].map(|()| {
            let socket = socket2::Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
            socket.set_reuse_address(true).unwrap();
            socket
        });
        first.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        second.bind(&first.local_addr().unwrap()).unwrap();
        inherited.take(first.into(), "a").unwrap();
        let fault = inherited.take(second.into(), "b").unwrap_err().to_string();
        assert!(fault.contains("ReusePort=yes"), "{fault}");
    }
}
