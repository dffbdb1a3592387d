//! A receive buffer that the shard holds, and what is owed for the datagram in it.

use std::cell::RefCell;
use std::rc::Rc;

use engine::AdmissionMode;

use crate::model::PeerIndex;
use crate::port::Packet;

/// A datagram in a receive buffer.
pub struct Lease {
    /// The datagram.
    pub packet: Packet,
    /// Counts all datagrams of the run.
    pub number: u64,
    /// `None` until the shard has read it.
    pub debt: RefCell<Option<Debt>>,
}

/// The copies that a datagram has to cause.
#[derive(Default)]
pub struct Debt {
    /// Nobody, unless it is a payload.
    pub sender: Option<PeerIndex>,
    /// When it was taken, in milliseconds.
    pub at: u64,
    /// Who had to prove itself then.
    pub mode: Option<AdmissionMode>,
    audience: Rc<[PeerIndex]>,
    served: Vec<u64>,
    left: u64,
}

impl Lease {
    /// A datagram that was received just now.
    pub fn new(packet: Packet, number: u64) -> Self {
        Self { packet, number, debt: RefCell::new(None) }
    }
}

impl Debt {
    /// A copy for each of them but the sender.
    pub fn to(sender: PeerIndex, audience: Rc<[PeerIndex]>, (at, mode): (u64, AdmissionMode)) -> Self {
        let left = audience.len() as u64 - 1;
        Self {
            sender: Some(sender),
            at,
            mode: Some(mode),
            served: vec![0; audience.len().div_ceil(64)],
            audience,
            left,
        }
    }

    /// Copies that were not sent yet.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Who has not got a copy.
    pub fn unserved(&self) -> impl Iterator<Item = PeerIndex> {
        let is_unserved = |at: &usize| self.served.get(at / 64).is_none_or(|word| word & 1 << (at % 64) == 0);
        let others = (0..self.audience.len()).filter(is_unserved).map(|at| self.audience[at]);
        others.filter(|peer| self.sender != Some(*peer))
    }

    /// Pays one copy.
    ///
    /// # Errors
    /// Why it is not owed.
    pub fn pay(&mut self, to: Option<PeerIndex>) -> Result<(), &'static str> {
        let to = to.ok_or("an address that the relay has never heard of")?;
        if self.sender == Some(to) {
            return Err("its own sender");
        }
        let at = self.audience.binary_search(&to).map_err(|_| "who was no member when it was received")?;
        let (word, bit) = (&mut self.served[at / 64], 1 << (at % 64));
        if *word & bit != 0 {
            return Err("the same member again");
        }
        *word |= bit;
        self.left -= 1;
        Ok(())
    }
}
