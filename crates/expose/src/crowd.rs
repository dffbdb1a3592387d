//! Who has a place, and who gives it up when somebody else wants in.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::AbortHandle;

use crate::limits::CONNECTIONS;

/// The connections that are open, the oldest first.
#[derive(Default)]
pub struct Crowd {
    places: Vec<Place>,
}

struct Place {
    peer: IpAddr,
    /// It has brought a whole request.
    asked: Arc<AtomicBool>,
    task: AbortHandle,
}

impl Crowd {
    /// Ends one connection if all places are taken: one of the peer that holds most, the oldest of those that have not
    /// asked for anything yet. Whoever comes with a crowd thus drives out nobody but itself.
    pub fn make_room(&mut self) {
        self.places.retain(|place| !place.task.is_finished());
        if self.places.len() < CONNECTIONS {
            return;
        }
        let held = |peer| self.places.iter().filter(|place| place.peer == peer).count();
        let worth = |place: &Place| (held(place.peer), !place.asked.load(Ordering::Relaxed));
        // The last of the greatest, so from the newest to the oldest.
        let last = (0..self.places.len()).rev().max_by_key(|at| worth(&self.places[*at]));
        if let Some(at) = last {
            self.places.remove(at).task.abort();
        }
    }

    /// Gives a place to a connection from there, which this task serves.
    pub fn admit(&mut self, peer: IpAddr, asked: Arc<AtomicBool>, task: AbortHandle) {
        self.places.push(Place { peer: household(peer), asked, task });
    }
}

/// Whoever has one address of IPv6 has 2^64 of them.
fn household(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) >> 64 << 64).into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_is_an_address_or_half_a_long_one() {
        let same = |a: &str, b: &str| household(a.parse().unwrap()) == household(b.parse().unwrap());
        assert!(same("2001:db8::1", "2001:db8::ffff:0:0:1") && !same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1") && !same("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
    }
}
