//! The ways out of the program: a socket to the relay, a connection to it, a socket for peers; and a thread that listens on
//! each.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use super::connect;
use super::post::Wake;

/// Larger than any datagram.
const BUFFER: usize = 65_536;
/// How long a thread may take to notice that its socket is not wanted any more.
const GLANCE: Duration = Duration::from_secs(1);
/// How long a connection may take to be made, and a message to be taken by it.
const CONNECTING: Duration = Duration::from_secs(4);

/// What carries messages now.
pub enum Link {
    None,
    Udp { socket: Arc<UdpSocket>, peers: Option<Arc<UdpSocket>> },
    Tcp(TcpStream),
}

/// Where a listening thread brings what it hears.
#[derive(Clone)]
pub struct Ear {
    /// Which of the ways that there were it belongs to.
    pub turn: u32,
    pub wakes: SyncSender<Wake>,
    pub open: Arc<AtomicBool>,
}

impl Link {
    /// A new socket to the relay, from a new port.
    ///
    /// # Errors
    /// No socket can be had, or no way leads there.
    pub fn udp(server: SocketAddr, ear: &Ear) -> io::Result<Self> {
        let socket = Arc::new(connect::open(server)?);
        listen(&socket, ear)?;
        Ok(Self::Udp { socket, peers: None })
    }

    /// Begins to connect; the connection comes as [`Wake::Connected`].
    pub fn connect(server: SocketAddr, ear: Ear) {
        thread::spawn(move || {
            let stream = TcpStream::connect_timeout(&server, CONNECTING);
            let _ = ear.wakes.send(Wake::Connected(ear.turn, stream));
        });
    }

    /// Takes a connection that was made.
    ///
    /// # Errors
    /// It is gone already.
    pub fn tcp(stream: TcpStream, server: SocketAddr, ear: Ear) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(CONNECTING))?;
        let reader = stream.try_clone()?;
        thread::spawn(move || {
            let _ = read_messages(reader, server, &ear);
            let _ = ear.wakes.send(Wake::Closed(ear.turn));
        });
        Ok(Self::Tcp(stream))
    }

    /// Sends to the relay.
    ///
    /// # Errors
    /// It could not be sent.
    pub fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Udp { socket, .. } => socket.send(datagram).map(drop),
            Self::Tcp(stream) => {
                let Ok(len) = u16::try_from(datagram.len()) else { return Ok(()) };
                stream.write_all(&[&len.to_be_bytes()[..], datagram].concat())
            }
        }
    }

    /// Sends to a peer, from the port from which the relay is sent to.
    ///
    /// # Errors
    /// It could not be sent.
    pub fn send_to_peer(&mut self, to: SocketAddr, datagram: &[u8], ear: &Ear) -> io::Result<()> {
        let Self::Udp { socket, peers } = self else { return Ok(()) };
        if peers.is_none() {
            let beside = Arc::new(connect::beside(socket)?);
            listen(&beside, ear)?;
            *peers = Some(beside);
        }
        peers.as_ref().map_or(Ok(0), |peers| peers.send_to(datagram, to)).map(drop)
    }

    /// From where the relay is sent to.
    pub fn local(&self) -> Option<SocketAddr> {
        match self {
            Self::None => None,
            Self::Udp { socket, .. } => socket.local_addr().ok(),
            Self::Tcp(stream) => stream.local_addr().ok(),
        }
    }

    /// Ends it, and the threads that listen on it.
    pub fn close(&mut self, ear: &Ear) {
        ear.open.store(false, Ordering::Relaxed);
        if let Self::Tcp(stream) = self {
            // It may have gone already.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        *self = Self::None;
    }
}

fn listen(socket: &Arc<UdpSocket>, ear: &Ear) -> io::Result<()> {
    socket.set_read_timeout(Some(GLANCE))?;
    let (socket, ear) = (socket.clone(), ear.clone());
    thread::spawn(move || receive(&socket, &ear));
    Ok(())
}

fn receive(socket: &UdpSocket, ear: &Ear) {
    let mut buffer = vec![0; BUFFER];
    while ear.open.load(Ordering::Relaxed) {
        let wake = match socket.recv_from(&mut buffer) {
            Ok((len, from)) => Wake::Datagram(ear.turn, from, buffer[..len].to_vec()),
            Err(error) if is_nothing(error.kind()) => continue,
            // Errors of a connected socket are reports about what was sent, taken away by reading them.
            Err(_) => Wake::Unreachable(ear.turn),
        };
        if ear.wakes.send(wake).is_err() {
            return;
        }
    }
}

fn is_nothing(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Each message stands behind its length.
fn read_messages(mut stream: impl Read, server: SocketAddr, ear: &Ear) -> io::Result<()> {
    loop {
        let mut len = [0; 2];
        stream.read_exact(&mut len)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(len))];
        stream.read_exact(&mut message)?;
        if ear.wakes.send(Wake::Datagram(ear.turn, server, message)).is_err() {
            return Ok(());
        }
    }
}
