//! The way of each copy to its receiver, with its fault, and the truth about it.

use std::collections::{HashMap, HashSet};
use std::net::{SocketAddr, UdpSocket};

use loadgen::payload::Stamp;
use wire::Text;

use super::faults::{Dice, Fate, Faults, Truth};

/// Sends copies, or does not.
pub struct Mail {
    socket: UdpSocket,
    pub dice: Dice,
    pub truth: Truth,
    held: Vec<Held>,
    /// PONGs that are dropped when the next payload shows that PINGs still count.
    pongs: Vec<(SocketAddr, Text)>,
    /// Members that have spoken since they joined.
    spoke: HashSet<SocketAddr>,
    /// The highest sequence number that each receiver was sent of each sender.
    highest: HashMap<(SocketAddr, u32, u32), u32>,
}

/// A copy that waits.
struct Held {
    to: SocketAddr,
    stamp: Stamp,
    bytes: Vec<u8>,
    until: Until,
}

enum Until {
    /// So many later copies were sent to the same receiver.
    Later(u32),
    /// The receiver speaks, and the copy is dropped.
    Spoken,
}

impl Mail {
    pub fn new(socket: UdpSocket, faults: Faults) -> Self {
        let (dice, truth) = (Dice::new(faults), Truth::default());
        let (held, pongs, spoke, highest) = (Vec::new(), Vec::new(), HashSet::new(), HashMap::new());
        Self { socket, dice, truth, held, pongs, spoke, highest }
    }

    /// Sends bytes as they are.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) {
        // A receiver that is gone is nobody's fault.
        let _ = self.socket.send_to(bytes, to);
    }

    /// True once a payload that counts was seen.
    pub fn counts(&self) -> bool {
        self.truth.payloads > 0
    }

    /// Drops a PONG, or sends it late if no payload follows.
    pub fn withhold(&mut self, to: SocketAddr, pong: Text) {
        self.pongs.push((to, pong));
    }

    /// A member has said something that counts: what waited for this proof is dropped.
    pub fn spoken(&mut self, client: SocketAddr) {
        self.truth.pongs_dropped += self.pongs.drain(..).len() as u64;
        self.spoke.insert(client);
        let before = self.held.len();
        self.held.retain(|held| held.to != client || !matches!(held.until, Until::Spoken));
        self.truth.dropped += (before - self.held.len()) as u64;
    }

    /// A member is about to leave: what waited for it is sent.
    pub fn left(&mut self, client: SocketAddr) {
        self.spoke.remove(&client);
        self.release(|held| held.to == client);
    }

    /// Nothing more comes: everything that waited is sent.
    pub fn flush(&mut self) {
        std::mem::take(&mut self.pongs).iter().for_each(|(to, pong)| self.send(*to, pong.as_bytes()));
        self.release(|_| true);
    }

    /// A copy of a payload that counts.
    pub fn copy(&mut self, to: SocketAddr, stamp: Stamp, bytes: &[u8]) {
        self.truth.copies += 1;
        let held = |until| Held { to, stamp, bytes: bytes.to_vec(), until };
        match self.dice.copy() {
            Fate::Drop => self.truth.dropped += 1,
            Fate::Hold(later) => self.held.push(held(Until::Later(later))),
            Fate::DropFromPresent if self.spoke.contains(&to) => self.held.push(held(Until::Spoken)),
            Fate::Deliver | Fate::DropFromPresent => self.deliver(to, &stamp, bytes),
            Fate::Duplicate => {
                self.deliver(to, &stamp, bytes);
                self.send(to, bytes);
                self.truth.duplicated += 1;
            }
            Fate::Flip(bit) => {
                let mut bytes = bytes.to_vec();
                let bit = bit as usize % (8 * bytes.len());
                bytes[bit / 8] ^= 1 << (bit % 8);
                self.send(to, &bytes);
                self.truth.corrupted += 1;
            }
        }
    }

    fn deliver(&mut self, to: SocketAddr, stamp: &Stamp, bytes: &[u8]) {
        self.hand_over(to, stamp, bytes);
        for held in self.held.iter_mut().filter(|held| held.to == to) {
            if let Until::Later(later) = &mut held.until {
                *later -= 1;
            }
        }
        self.release(|held| matches!(held.until, Until::Later(0)));
    }

    fn hand_over(&mut self, to: SocketAddr, stamp: &Stamp, bytes: &[u8]) {
        self.send(to, bytes);
        self.truth.delivered += 1;
        let highest = self.highest.entry((to, stamp.run, stamp.sender)).or_insert(stamp.sequence);
        self.truth.reordered += u64::from(*highest > stamp.sequence);
        *highest = stamp.sequence.max(*highest);
    }

    /// Sends what waited, without making others wait less.
    fn release(&mut self, is_due: impl Fn(&Held) -> bool) {
        let due: Vec<Held> = self.held.extract_if(.., |held| is_due(held)).collect();
        due.iter().for_each(|held| self.hand_over(held.to, &held.stamp, &held.bytes));
    }
}
