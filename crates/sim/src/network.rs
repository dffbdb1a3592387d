//! The network between clients and relay: what is lost, repeated, delayed, damaged, cut off or refused.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::SocketAddr;
use std::time::Duration;

use net::FailureKind;

use crate::trace::What;
use crate::world::World;

/// A map whose hashes are the same in every run.
pub type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// What the network does to any datagram.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Probabilities of losing a datagram, of carrying it twice, and of changing a byte of it.
    pub loss: f64,
    /// See above.
    pub duplication: f64,
    /// See above.
    pub corruption: f64,
    /// How long a datagram travels at least, and at most: those that travel longer are overtaken.
    pub delay: (Duration, Duration),
    /// Probability that the relay's kernel refuses a send, whatever the reason.
    pub refusal: f64,
}

/// A trouble of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing passes, and nobody is told.
    CutOff,
    /// The relay's kernel refuses what is sent to it.
    Refused(FailureKind),
}

/// The network as it is now.
pub struct Network {
    /// What befalls everyone.
    pub weather: Weather,
    troubles: Map<SocketAddr, (Trouble, Duration)>,
}

/// The direction of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the relay.
    Up,
    /// From the relay.
    Down,
}

impl Weather {
    /// A network without faults.
    pub const CALM: Self = Self {
        loss: 0.0,
        duplication: 0.0,
        corruption: 0.0,
        delay: (Duration::from_micros(200), Duration::from_micros(200)),
        refusal: 0.0,
    };
}

impl Network {
    /// A network in this weather.
    pub fn new(weather: Weather) -> Self {
        Self { weather, troubles: Map::default() }
    }

    /// Nobody has any trouble, and the weather is calm.
    pub fn heal(&mut self) {
        self.troubles.clear();
        self.weather = Weather::CALM;
    }

    /// A client has a trouble until then.
    pub fn trouble(&mut self, client: SocketAddr, trouble: Trouble, until: Duration) {
        self.troubles.insert(client, (trouble, until));
    }

    fn trouble_of(&self, client: SocketAddr, now: Duration) -> Option<Trouble> {
        self.troubles.get(&client).filter(|(_, until)| now < *until).map(|(trouble, _)| *trouble)
    }

    /// True if nothing reaches a client now.
    pub fn is_cut_off(&self, to: SocketAddr, world: &World) -> bool {
        self.trouble_of(to, world.now()) == Some(Trouble::CutOff)
    }

    /// Why the relay's kernel refuses a message to a client now, if it does.
    pub fn refuses(&self, to: SocketAddr, world: &World) -> Option<FailureKind> {
        if to.port() == 0 {
            return Some(FailureKind::Other);
        }
        match self.trouble_of(to, world.now()) {
            Some(Trouble::Refused(kind)) => Some(kind),
            _ if world.chance(self.weather.refusal) => Some(*world.pick(&FailureKind::ALL)),
            _ => None,
        }
    }

    /// Carries a datagram: when each of its copies arrives, and how it looks then. `peer` is the client's end.
    pub fn carry(
        &self,
        direction: Direction,
        peer: SocketAddr,
        bytes: &[u8],
        world: &World,
    ) -> Vec<(Duration, Vec<u8>)> {
        let lost =
            self.trouble_of(peer, world.now()) == Some(Trouble::CutOff) || world.chance(self.weather.loss);
        if lost {
            world.note(What::Loses, [world.number_of(peer), direction as u64, bytes.len() as u64], &[]);
            return Vec::new();
        }
        let copies = 1 + usize::from(world.chance(self.weather.duplication));
        let carry_one = |_| {
            let (least, most) = self.weather.delay;
            (world.now() + world.between(least, most), self.damaged(bytes, world))
        };
        (0..copies).map(carry_one).collect()
    }

    fn damaged(&self, bytes: &[u8], world: &World) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        if !bytes.is_empty() && world.chance(self.weather.corruption) {
            let at = world.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 + world.below(255) as u8;
        }
        bytes
    }
}
