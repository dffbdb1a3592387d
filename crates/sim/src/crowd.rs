//! All clients, and who they are by address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::client::{Belief, Client, Hearsay, Kind};
use crate::network::Map;
use crate::script::Script;
use crate::world::World;

/// The clients of a run.
pub struct Crowd {
    /// All of them.
    pub clients: Vec<Client>,
    /// What they all know.
    pub hearsay: Hearsay,
    by_address: Map<SocketAddr, usize>,
    next_port: u16,
    locals: Vec<Option<IpAddr>>,
}

/// Where the relay serves: loopback clients, who are trusted, are heard there.
pub const RELAY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5000);

impl Crowd {
    /// The clients of a script.
    pub fn new(script: &Script, world: &World) -> Self {
        let hearsay = Hearsay {
            groups: script.declared.iter().map(|(id, _)| *id).collect(),
            declared: script.declared.len(),
            talk: script.talk,
            sizes: script.sizes.clone(),
            is_calm: false,
            is_closed: false,
        };
        let second = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        let locals = if script.wildcard { vec![Some(RELAY.ip()), Some(second)] } else { vec![None] };
        let mut crowd =
            Self { clients: Vec::new(), hearsay, by_address: Map::default(), next_port: 10_000, locals };
        for number in 0..script.clients {
            let kinds = [
                Kind::Talker,
                Kind::Talker,
                Kind::Talker,
                Kind::Listener,
                Kind::Wanderer,
                Kind::Mute,
                Kind::Fool,
            ];
            let kind = *world.pick(&kinds);
            let address = crowd.fresh_address(world);
            let mut client = Client::new(number, address, kind, script.settings.heartbeat);
            client.local = *world.pick(&crowd.locals);
            crowd.clients.push(client);
            crowd.by_address.insert(address, number);
        }
        crowd
    }

    /// Who has this address.
    pub fn at(&self, address: SocketAddr) -> Option<usize> {
        self.by_address.get(&address).copied()
    }

    /// A client's address changes, and it does not know.
    pub fn rebind(&mut self, number: usize, world: &World) {
        let address = self.fresh_address(world);
        self.by_address.remove(&self.clients[number].address);
        self.by_address.insert(address, number);
        self.clients[number].address = address;
        self.clients[number].local = *world.pick(&self.locals);
    }

    /// Everyone who wants to be in a group and is in none, as far as it knows, and was not told why.
    pub fn lost(&self, since: std::time::Duration) -> Option<&Client> {
        self.clients.iter().find(|client| {
            !matches!(client.belief, Belief::Inside(_))
                && client.refused.is_none_or(|refused| refused < since)
        })
    }

    fn fresh_address(&mut self, world: &World) -> SocketAddr {
        self.next_port = self.next_port.wrapping_add(1).max(10_000);
        let low = world.below(6) as u8;
        let ip = match world.below(4) {
            0 => IpAddr::V4(Ipv4Addr::new(127, 0, low, 1)),
            1 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xDB8, u16::from(low), 0, 0, 0, 0, 7)),
            _ => IpAddr::V4(Ipv4Addr::new(198, 51, low, 7)),
        };
        SocketAddr::new(ip, self.next_port)
    }
}
