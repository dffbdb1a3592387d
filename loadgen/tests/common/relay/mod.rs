//! A relay of the base protocol in this process that loses, repeats, reorders and spoils copies, and knows which.

pub mod faults;
mod mail;
mod members;

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use loadgen::payload::Stamp;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;
use wire::{Command, Heartbeat, Message, Refusal, Reply, Usage, decode};

pub use faults::{Faults, Truth};
use mail::Mail;
use members::Members;

/// Without a payload for so long, what was held back is sent. The generator waits for a second.
const PAUSE: Duration = Duration::from_millis(100);

/// Between two looks at the clock.
const TURN: Duration = Duration::from_millis(20);

/// A relay that serves until it is dropped.
pub struct LossyRelay {
    address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How a relay is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub host: IpAddr,
    pub faults: Faults,
    /// What PONG suggests; whoever says nothing for three of them is no member any more.
    pub heartbeat: Duration,
    /// Members of a group.
    pub cap: usize,
    /// Groups of a creator.
    pub quota: u32,
}

/// Answers datagrams.
struct Desk {
    options: Options,
    members: Members,
    mail: Mail,
    last_payload: Instant,
}

impl Default for Options {
    fn default() -> Self {
        let (host, faults) = (Ipv4Addr::LOCALHOST.into(), Faults::default());
        Self { host, faults, heartbeat: Duration::from_secs(60), cap: usize::MAX, quota: u32::MAX }
    }
}

impl LossyRelay {
    pub fn start(options: Options) -> Self {
        let socket = UdpSocket::bind((options.host, 0)).unwrap();
        // It loses what it is told to lose, and nothing else.
        setsockopt(&socket, RcvBufForce, &(64 << 20)).expect("a large receive buffer, which takes root");
        socket.set_read_timeout(Some(TURN)).unwrap();
        let address = socket.local_addr().unwrap();
        let mail = Mail::new(socket.try_clone().unwrap(), options.faults);
        let members = Members::new(options.cap, options.quota);
        let desk = Arc::new(Mutex::new(Desk { options, members, mail, last_payload: Instant::now() }));
        let stop = Arc::new(AtomicBool::new(false));
        let (served, stopped) = (Arc::clone(&desk), Arc::clone(&stop));
        let thread = Some(thread::spawn(move || serve(&socket, &served, &stopped)));
        Self { address, desk, stop, thread }
    }

    pub fn with(faults: Faults) -> Self {
        Self::start(Options { faults, ..Options::default() })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has happened so far.
    pub fn truth(&self) -> Truth {
        self.desk().mail.truth
    }

    /// Members now.
    pub fn members(&self) -> usize {
        self.desk().members.count()
    }

    /// Clients that have joined so far, each as often as it has.
    pub fn joins(&self) -> u64 {
        self.desk().members.joins
    }

    /// Forgets everybody, as if it were started anew.
    pub fn restart(&self) {
        self.desk().members.forget();
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap()
    }
}

impl Drop for LossyRelay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || ended.is_none_or(|ended| ended.is_ok()), "the relay panicked");
    }
}

fn serve(socket: &UdpSocket, desk: &Mutex<Desk>, stop: &AtomicBool) {
    let mut buffer = [0; wire::MAX_DATAGRAM + 1];
    let mut turned = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let received = match socket.recv_from(&mut buffer) {
            Ok(received) => Some(received),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => None,
            Err(error) => panic!("the relay cannot receive: {error}"),
        };
        let mut desk = desk.lock().unwrap();
        if let Some((len, from)) = received {
            desk.take(from, &buffer[..len]);
        }
        if turned.elapsed() > TURN {
            turned = Instant::now();
            desk.turn();
        }
    }
}

impl Desk {
    fn turn(&mut self) {
        self.members.expire(3 * self.options.heartbeat);
        if self.last_payload.elapsed() > PAUSE {
            self.mail.flush();
        }
    }

    fn take(&mut self, from: SocketAddr, datagram: &[u8]) {
        let reply = match decode(datagram) {
            Message::Empty => None,
            Message::TooLarge => Some(Reply::Refused(Refusal::TooLarge)),
            Message::Payload(payload) => self.payload(from, payload),
            Message::Command(command) => self.command(from, command),
        };
        if let Some(reply) = reply {
            self.mail.send(from, reply.encode().as_bytes());
        }
    }

    fn command(&mut self, from: SocketAddr, command: Command<'_>) -> Option<Reply> {
        Some(match command {
            Command::Create(_) => self.members.create(from),
            Command::Join(argument) => match argument.group(Usage::Join) {
                Ok(group) => self.members.join(from, group),
                Err(usage) => Reply::Refused(Refusal::MissingArgument(usage)),
            },
            Command::Leave(argument) => match argument.group(Usage::Leave) {
                Ok(group) => {
                    self.mail.left(from);
                    self.members.leave(from, group)
                }
                Err(usage) => Reply::Refused(Refusal::MissingArgument(usage)),
            },
            Command::Ping => return self.ping(from),
            Command::Who => self.members.who(from),
            _ => Reply::Refused(Refusal::UnknownCommand),
        })
    }

    fn ping(&mut self, from: SocketAddr) -> Option<Reply> {
        if self.members.hear(from).is_none() {
            return Some(Reply::Refused(Refusal::NotJoined));
        }
        let pong = Reply::Pong(Heartbeat(self.options.heartbeat.as_millis() as u64));
        if self.mail.counts() && self.mail.dice.drops_pong() {
            self.mail.withhold(from, pong.encode());
            return None;
        }
        Some(pong)
    }

    fn payload(&mut self, from: SocketAddr, payload: &[u8]) -> Option<Reply> {
        self.last_payload = Instant::now();
        let counted = Stamp::read(payload).filter(|stamp| stamp.epoch != 0);
        let Some(group) = self.members.hear(from) else {
            self.mail.truth.refused += u64::from(counted.is_some());
            return Some(Reply::Refused(Refusal::NotJoined));
        };
        if counted.is_some() {
            self.mail.truth.payloads += 1;
            self.mail.spoken(from);
        }
        for &to in group.iter().filter(|to| **to != from) {
            match counted {
                Some(stamp) => self.mail.copy(to, stamp, payload),
                None => self.mail.send(to, payload),
            }
        }
        None
    }
}
