//! The socket's two directions, and the one queue in which everything arrives that wakes the program.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use chat::Client;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Wakes that may wait. Beyond it the threads wait, and the kernel drops datagrams: memory stays bounded.
const QUEUE: usize = 1024;
/// Larger than any datagram.
const BUFFER: usize = 65_536;

/// What wakes the program.
#[derive(Debug)]
pub enum Wake {
    /// From the relay.
    Datagram(Vec<u8>),
    /// The kernel reports that something sent earlier found nobody.
    Unreachable,
    /// A line was typed or read.
    Line(Vec<u8>),
    /// No more lines come.
    End,
    /// A signal that ends the program.
    Signal(i32),
}

/// The sending side.
#[derive(Debug)]
pub struct Post {
    socket: Arc<UdpSocket>,
    server: SocketAddr,
    wakes: SyncSender<Wake>,
    trouble: Option<io::ErrorKind>,
}

impl Post {
    /// Starts the threads that receive datagrams and signals. They end with the process.
    pub fn open(socket: UdpSocket) -> io::Result<(Self, Receiver<Wake>)> {
        let (wakes, queue) = sync_channel(QUEUE);
        let server = socket.peer_addr()?;
        let socket = Arc::new(socket);
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        thread::spawn({
            let (socket, wakes) = (socket.clone(), wakes.clone());
            move || receive(&socket, &wakes)
        });
        thread::spawn({
            let wakes = wakes.clone();
            move || signals.forever().map(Wake::Signal).try_for_each(|wake| wakes.send(wake))
        });
        Ok((Self { socket, server, wakes, trouble: None }, queue))
    }

    /// The address that the datagrams go to.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// A way to wake the program.
    pub fn sender(&self) -> SyncSender<Wake> {
        self.wakes.clone()
    }

    /// Sends what the client has to send, and tells of new trouble. What cannot be sent counts as lost: the client
    /// repeats what matters.
    pub fn flush(&mut self, client: &mut Client) -> Option<String> {
        let mut trouble = None;
        while let Some(datagram) = client.datagram() {
            let mut sent = self.socket.send(&datagram);
            if is_report(&sent) {
                // An earlier datagram found nobody, which says nothing about this one: it was not tried.
                client.unreachable();
                sent = self.socket.send(&datagram);
            }
            trouble = self.judge(&sent).or(trouble);
        }
        trouble
    }

    /// Each kind of trouble is worth one line, until something could be sent again.
    fn judge(&mut self, sent: &io::Result<usize>) -> Option<String> {
        let known = self.trouble;
        self.trouble = sent.as_ref().err().map(io::Error::kind);
        let error = sent.as_ref().err().filter(|error| Some(error.kind()) != known && !is_report(sent))?;
        Some(format!("cannot send to {}: {error}", self.server))
    }
}

fn receive(socket: &UdpSocket, wakes: &SyncSender<Wake>) {
    let mut buffer = vec![0; BUFFER];
    loop {
        let wake = match socket.recv(&mut buffer) {
            Ok(len) => Wake::Datagram(buffer[..len].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // Errors of a connected socket are reports about what was sent, taken away by reading them.
            Err(_) => Wake::Unreachable,
        };
        if wakes.send(wake).is_err() {
            return;
        }
    }
}

fn is_report(sent: &io::Result<usize>) -> bool {
    matches!(sent, Err(error) if error.kind() == io::ErrorKind::ConnectionRefused)
}
