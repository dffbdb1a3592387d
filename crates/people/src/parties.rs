//! Who takes part: sessions and their addresses, groups, and whoever carries what is said to them.

use std::fmt::Debug;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wire::{Notice, Refusal};

/// Where a client is reached.
pub trait Address: Copy + Debug {
    /// Where others would reach it by UDP; `None` if they would not.
    fn by_udp(&self) -> Option<SocketAddr>;
}

/// A group. Two that have the same id one after the other are not equal.
pub trait Place: Clone + Eq + Hash + Debug {
    /// True if the group is deleted: nobody will ever be in it again.
    fn is_over(&self) -> bool;
}

/// What is to be known of a session without the lock of all.
#[derive(Debug, Default)]
pub struct Badge {
    name: Mutex<Option<Arc<str>>>,
    is_awaited: AtomicBool,
}

impl Badge {
    /// The name that it has now, as its owner writes it.
    pub fn name(&self) -> Option<Arc<str>> {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True if it matters that its owner says something, whatever it is: it is silent, or has just been sent something for the last time.
    pub fn is_awaited(&self) -> bool {
        self.is_awaited.load(Ordering::Relaxed)
    }

    pub(crate) fn wear(&self, name: Option<Arc<str>>) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }

    pub(crate) fn set_awaited(&self, is_awaited: bool) {
        self.is_awaited.store(is_awaited, Ordering::Relaxed);
    }
}

/// A session, the same for as long as it lives, wherever it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// Where somebody comes from: a /24 or a /48. Whoever has one address of it can have them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Which one. It is kept with the messages that wait, so it is the same in each process.
    pub number: NonZeroU64,
    /// It may have as much as it likes of what is kept.
    pub is_trusted: bool,
}

impl Site {
    /// Where an address belongs to.
    pub fn of(ip: IpAddr, is_trusted: bool) -> Self {
        const V4: NonZeroU64 = NonZeroU64::new(4 << 60).unwrap();
        const V6: NonZeroU64 = NonZeroU64::new(6 << 60).unwrap();
        let number = match ip {
            IpAddr::V4(v4) => V4 | u64::from(v4.to_bits() >> 8),
            IpAddr::V6(v6) => V6 | (v6.to_bits() >> 80) as u64,
        };
        Self { number, is_trusted }
    }

    /// Which one it is, if there is a bound to what it may have kept.
    pub fn bounded(self) -> Option<NonZeroU64> {
        Some(self.number).filter(|_| !self.is_trusted)
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller<A, G> {
    /// Whose session.
    pub session: SessionId,
    /// Where it is.
    pub address: A,
    /// The group that it is in.
    pub group: Option<G>,
    /// The shard that serves it.
    pub shard: usize,
    /// Where it comes from, for what one site may have of something.
    pub site: Site,
    /// Where its name is to be written.
    pub badge: Arc<Badge>,
}

/// What time it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Milliseconds since some moment; never goes back.
    pub tick: u64,
    /// Milliseconds since 1970, as the calendar has it.
    pub unix: u64,
}

/// A moment on a shard, and what is said in it.
pub struct Turn<'a, A: Copy> {
    /// What time it is.
    pub now: Now,
    /// Whose turn it is.
    pub shard: usize,
    /// Takes what is to be said.
    pub post: &'a mut dyn Post<A>,
}

/// Takes what is to be said.
pub trait Post<A: Copy> {
    /// Something for one.
    fn tell(&mut self, to: A, notice: Notice<'_>);

    /// A refusal for one.
    fn refuse(&mut self, to: A, refusal: Refusal);

    /// The same for many.
    fn tell_all(&mut self, to: &[A], notice: Notice<'_>) {
        to.iter().for_each(|&to| self.tell(to, notice));
    }
}

/// Takes what is never said.
pub(crate) struct Nobody;

impl<A: Copy> Post<A> for Nobody {
    fn tell(&mut self, _to: A, notice: Notice<'_>) {
        debug_assert!(false, "nobody hears {notice:?}");
    }

    fn refuse(&mut self, _to: A, refusal: Refusal) {
        debug_assert!(false, "nobody hears {refusal:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_a_24_or_a_48_and_the_same_in_each_process() {
        let site = |ip: &str| Site::of(ip.parse().unwrap(), false).number.get();
        assert_eq!(site("192.0.2.1"), site("192.0.2.254"));
        assert_eq!(site("2001:db8:1::1"), site("2001:db8:1:ffff::2"));
        let others = ["192.0.2.1", "192.0.3.1", "2001:db8:1::1", "2001:db8:2::1", "0.0.0.1", "::1"].map(site);
        assert!(others.iter().enumerate().all(|(at, site)| !others[..at].contains(site)));
        assert_eq!(
            (others[0], others[2]),
            (0x4000_0000_00c0_0002, 0x6000_2001_0db8_0001),
            "as it is on disks"
        );
    }
}
