//! Binds the sockets of every shard, so that no second relay can share a port in silence.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use socket2::{Domain, Protocol, SockAddr, Type};

use crate::cbpf::Key;
use crate::host::broadcast_addresses;
use crate::socket::{Socket, get_option, set_option};
use crate::steer::{self, Home, Steering};

/// A ring of a killed process keeps its port for up to 50 ms (measured); 2 s is generous on a busy machine.
const PATIENCE: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(10);
/// Chosen ports to try when several addresses must share one that was free for the first.
const CHOICES: usize = 16;
/// From here on ports take no privilege, unless net.ipv4.ip_unprivileged_port_start says otherwise.
const UNPRIVILEGED: u16 = 1024;

/// The largest buffer that the kernel grants, in the unit of [`SocketOptions::receive_buffer`]: it keeps the doubled
/// value in an int. A byte less than 1 GiB.
pub const MAX_BUFFER: usize = i32::MAX as usize / 2;

/// What to ask the kernel for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// Bytes of SO_RCVBUF of each socket.
    pub receive_buffer: usize,
    /// Bytes of SO_SNDBUF of each socket.
    pub send_buffer: usize,
    /// Lets the kernel hand over several datagrams of one sender in one buffer (UDP_GRO): those that travelled
    /// as one segmented send, and those that the network card has merged. See [`Arrival::segment`]; the
    /// driver's `max_datagram` should then have room for 65,535 bytes.
    ///
    /// [`Arrival::segment`]: crate::Arrival::segment
    pub coalesce_receives: bool,
    /// Lets the kernel say when the outgoing queue drops a datagram, which is then a
    /// [`FailureKind::BufferFull`]; otherwise it counts as sent (IP_RECVERR, IPV6_RECVERR). The kernel then also
    /// tells of ICMP errors about earlier sends, which the driver counts and nothing else. Not for connected
    /// sockets: they would hear no more of [`SendReport::returned`].
    ///
    /// [`FailureKind::BufferFull`]: crate::FailureKind::BufferFull
    /// [`SendReport::returned`]: crate::SendReport::returned
    pub report_queue_drops: bool,
}

impl Default for SocketOptions {
    /// 8 MiB each: about 10 ms of small datagrams at a million per second, and what the reference relay
    /// asked for. Nothing is coalesced, and the drops of the outgoing queue are not told.
    fn default() -> Self {
        SocketOptions {
            receive_buffer: 8 << 20,
            send_buffer: 8 << 20,
            coalesce_receives: false,
            report_queue_drops: false,
        }
    }
}

/// Sockets that are bound, and what the kernel granted.
#[derive(Debug)]
pub struct Binding {
    /// For each shard, one socket per address, in the order of the addresses.
    pub shards: Vec<Vec<Socket>>,
    /// The addresses, with the port that was chosen for port 0.
    pub addresses: Vec<SocketAddr>,
    /// The smallest receive buffer of all sockets, in the unit of [`SocketOptions::receive_buffer`].
    pub receive_buffer: usize,
    /// The smallest send buffer of all sockets, in the unit of [`SocketOptions::send_buffer`].
    pub send_buffer: usize,
    /// How clients are spread over the shards.
    pub steering: Steering,
    /// The same for all addresses, so that a client reaches one shard by each of them.
    key: Key,
}

/// An address that cannot be served from.
#[derive(Debug, thiserror::Error)]
#[error("cannot bind {address}: {}", self.reason())]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// What to tell the operator.
    pub kind: BindErrorKind,
    /// What the kernel said.
    pub source: io::Error,
}

/// What stands against an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindErrorKind {
    /// EADDRINUSE, for longer than 2 s.
    #[error("another process uses it")]
    InUse,
    /// EADDRINUSE for port 0: the kernel has none left to choose.
    #[error("all ports of net.ipv4.ip_local_port_range are in use")]
    Ports,
    /// EADDRNOTAVAIL, EAFNOSUPPORT, ENODEV.
    #[error("this machine does not have this address")]
    NotAvailable,
    /// A broadcast or multicast address: each of its sockets would get every datagram.
    #[error("it is a broadcast or multicast address")]
    Many,
    /// EACCES, EPERM, of a port below 1024.
    #[error("permission denied (ports below 1024 need CAP_NET_BIND_SERVICE)")]
    Permission,
    /// EACCES, EPERM, of a port that anybody may have.
    #[error(
        "permission denied (by a seccomp profile, a security module or net.ipv4.ip_unprivileged_port_start)"
    )]
    Forbidden,
    /// EMFILE, ENFILE.
    #[error("the limit of open files is too low")]
    Descriptors,
    /// Anything else; [`BindError`] shows what the kernel said.
    #[error("the kernel refused")]
    Other,
}

impl BindError {
    fn reason(&self) -> String {
        match self.kind {
            BindErrorKind::Other => self.source.to_string(),
            kind => kind.to_string(),
        }
    }
}

/// Binds every address once for each shard.
///
/// Port 0 lets the kernel choose; addresses with port 0 all get the port that was chosen for the first of
/// them.
///
/// # Errors
/// The first address that could not be bound. A port in use is retried for 2 s before it is an error.
pub fn bind(addresses: &[SocketAddr], shards: usize, options: SocketOptions) -> Result<Binding, BindError> {
    let chosen = addresses.iter().any(|address| address.port() == 0);
    let mut attempts = if chosen { CHOICES } else { 1 };
    loop {
        attempts -= 1;
        let patience = if attempts == 0 { PATIENCE } else { Duration::ZERO };
        match bind_all(addresses, shards.max(1), options, patience) {
            Err(error) if is_taken(&error) && attempts > 0 => {}
            result => return result,
        }
    }
}

fn is_taken(error: &BindError) -> bool {
    matches!(error.kind, BindErrorKind::InUse | BindErrorKind::Ports)
}

fn bind_all(
    addresses: &[SocketAddr],
    shards: usize,
    options: SocketOptions,
    patience: Duration,
) -> Result<Binding, BindError> {
    let mut binding = Binding::of(shards);
    let mut port = 0;
    for &wanted in addresses {
        let mut address = wanted;
        if address.port() == 0 {
            address.set_port(port);
        }
        check_one(address)?;
        let group =
            bind_group(address, shards, options, patience).map_err(|error| explain(address, error))?;
        address = group[0].address();
        if wanted.port() == 0 {
            port = address.port();
        }
        binding.adopt(address, group).map_err(|error| explain(address, error))?;
    }
    Ok(binding)
}

/// An error where each socket would get every datagram, and answer it from an address that nobody has.
pub(crate) fn check_one(address: SocketAddr) -> Result<(), BindError> {
    let is_many = match address.ip() {
        IpAddr::V4(v4) => {
            v4.is_multicast() || v4.is_broadcast() || broadcast_addresses().is_ok_and(|all| all.contains(&v4))
        }
        IpAddr::V6(v6) => v6.is_multicast(),
    };
    match is_many {
        true => Err(BindError { address, kind: BindErrorKind::Many, source: Errno::EADDRNOTAVAIL.into() }),
        false => Ok(()),
    }
}

/// The sockets of one address. Only the first insists on being alone, and lets the others in afterwards.
fn bind_group(
    mut address: SocketAddr,
    shards: usize,
    options: SocketOptions,
    patience: Duration,
) -> io::Result<Vec<Socket>> {
    let mut group = Vec::with_capacity(shards);
    for shard in 0..shards {
        let socket = open(address, options)?;
        prepare_wildcard(&socket, address)?;
        if shard > 0 {
            socket.set_reuse_port(true)?;
        }
        bind_patiently(&socket, address, patience)?;
        if shard == 0 && shards > 1 {
            socket.set_reuse_port(true)?;
        }
        let bound =
            socket.local_addr()?.as_socket().ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))?;
        address.set_port(bound.port());
        group.push(Socket::new(socket.into(), address).with(options));
    }
    Ok(group)
}

pub(crate) fn open(address: SocketAddr, options: SocketOptions) -> io::Result<socket2::Socket> {
    let socket =
        socket2::Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    equip(&socket, address, options)?;
    Ok(socket)
}

/// What can be set before the socket is bound, and afterwards.
pub(crate) fn equip(socket: &socket2::Socket, address: SocketAddr, options: SocketOptions) -> io::Result<()> {
    if options.coalesce_receives {
        set_option(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_GRO, &1_i32)?;
    }
    if options.report_queue_drops {
        let (level, name) = match address {
            SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_RECVERR),
            SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
        };
        set_option(socket.as_raw_fd(), level, name, &1_i32)?;
    }
    let (receive, send) = (options.receive_buffer, options.send_buffer);
    ask_buffer(socket, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, receive)?;
    ask_buffer(socket, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, send)
}

/// A socket of all local addresses says which of them was reached, and answers from it.
pub(crate) fn prepare_wildcard(socket: &socket2::Socket, address: SocketAddr) -> io::Result<()> {
    if !address.ip().is_unspecified() {
        return Ok(());
    }
    tell_local_address(socket, address)?;
    if address.is_ipv6() {
        // It sends from any address that is routed to this machine, as IPv4 does without being asked.
        socket.set_freebind_v6(true)?;
    }
    Ok(())
}

pub(crate) fn tell_local_address(socket: &socket2::Socket, address: SocketAddr) -> io::Result<()> {
    let (level, name) = match address {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    };
    set_option(socket.as_raw_fd(), level, name, &1_i32)
}

/// With CAP_NET_ADMIN any size is granted; without it the limit is net.core.{r,w}mem_max.
fn ask_buffer(socket: &socket2::Socket, force: i32, polite: i32, bytes: usize) -> io::Result<()> {
    let bytes = bytes.min(MAX_BUFFER) as i32;
    set_option(socket.as_raw_fd(), libc::SOL_SOCKET, force, &bytes)
        .or_else(|_| set_option(socket.as_raw_fd(), libc::SOL_SOCKET, polite, &bytes))
}

fn bind_patiently(socket: &socket2::Socket, address: SocketAddr, patience: Duration) -> io::Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        match socket.bind(&SockAddr::from(address)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                thread::sleep(RETRY);
            }
            result => return result,
        }
    }
}

impl Binding {
    /// Nothing is bound yet.
    pub(crate) fn of(shards: usize) -> Binding {
        Binding {
            shards: (0..shards).map(|_| Vec::new()).collect(),
            addresses: Vec::new(),
            receive_buffer: usize::MAX,
            send_buffer: usize::MAX,
            steering: Steering::Single,
            key: Key::random(),
        }
    }

    pub(crate) fn adopt(&mut self, address: SocketAddr, group: Vec<Socket>) -> io::Result<()> {
        for socket in &group {
            self.receive_buffer = self.receive_buffer.min(granted(socket, libc::SO_RCVBUF)?);
            self.send_buffer = self.send_buffer.min(granted(socket, libc::SO_SNDBUF)?);
        }
        if group.len() > 1 && !matches!(self.steering, Steering::ByKernel(_)) {
            self.steering = match steer::attach(group[0].as_raw_fd(), group.len(), self.key) {
                Ok(()) => Steering::BySource(Home::new(group.len(), self.key)),
                Err(refusal) => Steering::ByKernel(refusal),
            };
        }
        self.addresses.push(address);
        self.shards.iter_mut().zip(group).for_each(|(shard, socket)| shard.push(socket));
        Ok(())
    }
}

/// The kernel reports twice what it granted, for its own overhead.
fn granted(socket: &Socket, name: i32) -> io::Result<usize> {
    let doubled: i32 = get_option(socket.as_raw_fd(), libc::SOL_SOCKET, name)?;
    Ok(doubled as usize / 2)
}

pub(crate) fn explain(address: SocketAddr, source: io::Error) -> BindError {
    let kind = match source.raw_os_error() {
        Some(libc::EADDRINUSE) if address.port() == 0 => BindErrorKind::Ports,
        Some(libc::EADDRINUSE) => BindErrorKind::InUse,
        Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT | libc::ENODEV) => BindErrorKind::NotAvailable,
        Some(libc::EACCES | libc::EPERM) if (1..UNPRIVILEGED).contains(&address.port()) => {
            BindErrorKind::Permission
        }
        Some(libc::EACCES | libc::EPERM) => BindErrorKind::Forbidden,
        Some(libc::EMFILE | libc::ENFILE) => BindErrorKind::Descriptors,
        _ => BindErrorKind::Other,
    };
    BindError { address, kind, source }
}
