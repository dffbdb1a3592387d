//! What the client wants carried out, and the one queue in which everything arrives that wakes the program.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use chat::{Client, Transmit, Transport};
use ratatui::crossterm::event::Event as Key;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::connect;
use super::link::{Ear, Link};

/// Wakes that may wait. Beyond it the threads wait, and the kernel drops datagrams: memory stays bounded.
const QUEUE: usize = 1024;
/// How often it is looked whether the way to the relay leads through another network.
const LOOK: Duration = Duration::from_secs(3);

/// What wakes the program. What comes by a way that is closed by now is ignored: each way has a number.
#[derive(Debug)]
pub enum Wake {
    /// From the relay or a peer.
    Datagram(u32, SocketAddr, Vec<u8>),
    /// The kernel reports that something sent earlier found nobody.
    Unreachable(u32),
    /// The connection is made, or not.
    Connected(u32, io::Result<TcpStream>),
    /// The connection has ended.
    Closed(u32),
    /// A line was typed or read.
    Line(Vec<u8>),
    /// Something happened at the terminal of the full screen.
    Key(Key),
    /// No more lines come.
    End,
    /// A signal that ends the program.
    Signal(i32),
}

/// The sending side.
pub struct Post {
    server: SocketAddr,
    wakes: SyncSender<Wake>,
    link: Link,
    ear: Ear,
    trouble: Option<io::ErrorKind>,
    look_at: Instant,
    /// There was a way to the relay when it was looked last.
    has_way: bool,
}

impl Post {
    /// Starts the thread that receives signals. It ends with the process.
    pub fn open(server: SocketAddr) -> io::Result<(Self, Receiver<Wake>)> {
        let (wakes, queue) = sync_channel(QUEUE);
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        thread::spawn({
            let wakes = wakes.clone();
            move || signals.forever().map(Wake::Signal).try_for_each(|wake| wakes.send(wake))
        });
        let ear = Ear { turn: 0, wakes: wakes.clone(), open: Arc::new(AtomicBool::new(true)) };
        let look_at = Instant::now() + LOOK;
        let has_way = connect::way_to(server).is_ok();
        Ok((Self { server, wakes, link: Link::None, ear, trouble: None, look_at, has_way }, queue))
    }

    /// The relay's address.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// A way to wake the program.
    pub fn sender(&self) -> SyncSender<Wake> {
        self.wakes.clone()
    }

    /// Carries out what the client wants, and tells of new trouble. What cannot be sent counts as lost: the client repeats what
    /// matters.
    pub fn flush(&mut self, client: &mut Client, now: Instant) -> Option<String> {
        let mut trouble = None;
        while let Some(transmit) = client.poll_transmit() {
            let sent = match transmit {
                Transmit::Open(transport) => match self.replace(transport, client, now) {
                    // That it was begun says nothing about whether anything can be sent.
                    Ok(()) => continue,
                    error => error,
                },
                Transmit::Send { to, datagram } if to == self.server => self.send(&datagram, client, now),
                Transmit::Send { to, datagram } => {
                    // A peer that cannot be reached says nothing about the way to the relay: the client goes back to that.
                    let _ = self.link.send_to_peer(to, &datagram, &self.ear);
                    continue;
                }
            };
            trouble = self.judge(&sent, client, now).or(trouble);
        }
        trouble
    }

    /// Takes what arrived by a way, if that is still the one.
    pub fn take(&mut self, wake: Wake, client: &mut Client, now: Instant) {
        match wake {
            Wake::Datagram(turn, from, datagram) if turn == self.ear.turn => {
                client.receive(from, &datagram, now);
            }
            Wake::Unreachable(turn) if turn == self.ear.turn => client.unreachable(now),
            Wake::Closed(turn) if turn == self.ear.turn => client.closed(now),
            Wake::Connected(turn, Ok(stream)) if turn == self.ear.turn => {
                match Link::tcp(stream, self.server, self.ear.clone()) {
                    Ok(link) => {
                        self.link = link;
                        client.opened(now);
                    }
                    Err(_) => client.closed(now),
                }
            }
            Wake::Connected(turn, Err(_)) if turn == self.ear.turn => client.closed(now),
            _ => {}
        }
    }

    /// Looks now and then whether the network has changed.
    pub fn look(&mut self, client: &mut Client, now: Instant) {
        if now < self.look_at {
            return;
        }
        self.look_at = now + LOOK;
        let way = connect::way_to(self.server).ok();
        let had_way = std::mem::replace(&mut self.has_way, way.is_some());
        let Some(way) = way else { return };
        match self.link.local() {
            Some(local) if local.ip() != way.ip() => client.network_changed(now),
            None if !had_way => client.network_changed(now),
            _ => {}
        }
    }

    /// When to look next.
    pub fn look_at(&self) -> Instant {
        self.look_at
    }

    fn replace(&mut self, transport: Transport, client: &mut Client, now: Instant) -> io::Result<()> {
        self.link.close(&self.ear);
        self.ear.turn += 1;
        self.ear.open = Arc::new(AtomicBool::new(true));
        if transport == Transport::Tcp {
            Link::connect(self.server, self.ear.clone());
            return Ok(());
        }
        match Link::udp(self.server, &self.ear) {
            Ok(link) => {
                self.link = link;
                client.opened(now);
                Ok(())
            }
            Err(error) => {
                client.closed(now);
                Err(error)
            }
        }
    }

    fn send(&mut self, datagram: &[u8], client: &mut Client, now: Instant) -> io::Result<()> {
        let sent = self.link.send(datagram);
        if !is_report(&sent) {
            return sent;
        }
        // An earlier datagram found nobody, which says nothing about this one: it was not tried.
        client.unreachable(now);
        self.link.send(datagram)
    }

    /// Each kind of trouble is worth one line, until something could be sent again.
    fn judge(&mut self, sent: &io::Result<()>, client: &mut Client, now: Instant) -> Option<String> {
        let known = self.trouble;
        self.trouble = sent.as_ref().err().map(io::Error::kind);
        let error = sent.as_ref().err().filter(|error| Some(error.kind()) != known && !is_report(sent))?;
        if matches!(self.link, Link::Tcp(_)) {
            client.closed(now);
        } else if is_of_network(error.kind()) {
            client.network_changed(now);
        }
        Some(format!("cannot send to {}: {error}", self.server))
    }
}

fn is_report(sent: &io::Result<()>) -> bool {
    matches!(sent, Err(error) if error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Whether another way may carry what this one does not. `PermissionDenied` is the word of this machine's firewall.
fn is_of_network(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as E;
    matches!(
        kind,
        E::NetworkUnreachable
            | E::HostUnreachable
            | E::NetworkDown
            | E::AddrNotAvailable
            | E::PermissionDenied
    )
}
