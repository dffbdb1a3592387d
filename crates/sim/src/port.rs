//! A shard's socket, and what the simulation hears of its driver.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use crate::trace::What;
use crate::world::World;

/// A socket that the simulation and the shard's driver share.
pub type SharedPort = Rc<RefCell<Port>>;

/// A datagram on its way to the relay.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Who says that it is from him.
    pub source: SocketAddr,
    /// The relay's address that it reached, under a wildcard.
    pub local: Option<IpAddr>,
    /// Its bytes.
    pub bytes: Rc<[u8]>,
}

/// A datagram that the relay's kernel took, on its way to a client.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The receiver.
    pub to: SocketAddr,
    /// Its bytes.
    pub bytes: Rc<[u8]>,
}

/// The socket of one shard.
#[derive(Default)]
pub struct Port {
    /// What the kernel has received and nobody has taken.
    pub queue: VecDeque<Packet>,
    /// Datagrams that its receive buffer holds.
    pub room: usize,
    /// What the kernel has taken to send, and the simulation has not yet.
    pub sent: Vec<Sent>,
    /// ICMP errors that have come in without a reason.
    pub forged: Vec<SocketAddr>,
    /// Until when the driver waits, unless something arrives.
    pub asleep: Option<Duration>,
    /// When the turn began.
    pub turn_at: Duration,
    /// What the driver has seen.
    pub seen: Seen,
}

/// What a driver has seen: the other side of the shard's accounts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Datagrams that the kernel has received, but had no room for.
    pub overflowed: u64,
    /// Datagrams handed over, and their bytes.
    pub handed: u64,
    /// See above.
    pub handed_bytes: u64,
    /// Datagrams that the kernel refused.
    pub refused: u64,
    /// Datagrams queued in the driver.
    pub queued: u64,
    /// Receive buffers that the shard holds.
    pub lent: usize,
    /// Copies that payloads still owe whose buffers the shard holds.
    pub owed: u64,
    /// Copies that were never sent, of payloads whose buffers have come back; replies that did not fit a turn.
    pub dropped: u64,
    /// Those of them that were for members who were proved.
    pub dropped_proved: u64,
}

impl Port {
    /// A datagram reaches the socket.
    pub fn arrive(&mut self, shard: usize, packet: Packet, world: &World) {
        if self.queue.len() < self.room {
            self.queue.push_back(packet);
        } else {
            self.seen.overflowed += 1;
            let numbers = [shard as u64, world.number_of(packet.source), packet.bytes.len() as u64];
            world.note(What::Overflows, numbers, &[]);
        }
    }
}
