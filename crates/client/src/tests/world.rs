//! Clients, a relay and the network between them, under one clock.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::network::{Letter, Network};
use super::relay::{self, Relay};
use crate::{Client, Config, Event, Protocol, Request, Transmit, Transport};

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) relay: Relay,
    pub(super) network: Network,
    pub(super) clients: Vec<Member>,
    /// Addresses from which nothing passes, and to which nothing does.
    pub(super) cut: Vec<SocketAddr>,
    /// A way between these two that carries nothing.
    pub(super) break_between: Option<(SocketAddr, SocketAddr)>,
    pub(super) has_udp: bool,
    pub(super) has_tcp: bool,
    /// Everything that reached somebody who is not the relay.
    pub(super) arrived: Vec<Letter>,
    last_port: u16,
}

pub(super) struct Member {
    pub(super) client: Client,
    pub(super) address: Option<SocketAddr>,
    pub(super) events: Vec<Event>,
    pub(super) opened: Vec<Transport>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            now: Instant::now(),
            relay: Relay::new(),
            network: Network::new(seed),
            clients: Vec::new(),
            cut: Vec::new(),
            break_between: None,
            has_udp: true,
            has_tcp: false,
            arrived: Vec::new(),
            last_port: 40_000,
        }
    }

    /// One more client, that begins to look for the relay.
    pub(super) fn enter(&mut self) -> usize {
        self.enter_with(None)
    }

    pub(super) fn enter_with(&mut self, protocol: Option<Protocol>) -> usize {
        self.enter_as(Config { protocol, ..Config::new(relay::address()) })
    }

    pub(super) fn enter_as(&mut self, config: Config) -> usize {
        let client = Client::seeded(config, self.clients.len() as u64 + 1, self.now);
        self.clients.push(Member { client, address: None, events: Vec::new(), opened: Vec::new() });
        self.clients.len() - 1
    }

    /// Clients with these names in group HOME, in fair weather.
    pub(super) fn of(names: &[&str], seed: u64) -> Self {
        let mut world = Self::new(seed);
        for name in names {
            let member = world.enter();
            world.pass(1.0);
            world.ask(member, Request::Register { name: (*name).to_owned(), claim: None });
            world.pass(1.0);
            world.ask(member, Request::Join("HOME".parse().unwrap()));
            world.pass(1.0);
            assert_eq!(world.clients[member].client.name(), Some(*name));
        }
        for member in &mut world.clients {
            member.events.clear();
        }
        world
    }

    pub(super) fn ask(&mut self, member: usize, request: Request) {
        self.clients[member].client.request(request, self.now).unwrap();
    }

    pub(super) fn client(&mut self, member: usize) -> &mut Client {
        &mut self.clients[member].client
    }

    /// What happened to a client since it was asked last.
    pub(super) fn events(&mut self, member: usize) -> Vec<Event> {
        std::mem::take(&mut self.clients[member].events)
    }

    /// Lets seconds pass.
    pub(super) fn pass(&mut self, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        let mut turns = 0;
        loop {
            turns += 1;
            assert!(turns < 1_000_000, "time stands still");
            self.settle();
            let deadlines = self.clients.iter().filter_map(|member| member.client.deadline(self.now));
            let step = self.now + Duration::from_millis(100);
            let next = deadlines.chain(self.network.next_arrival()).chain([step]).min().unwrap_or(end);
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            for member in &mut self.clients {
                member.client.tick(self.now);
            }
            self.relay.tick(self.now);
        }
        self.now = end;
    }

    /// Passes time until something is true, for a minute at most.
    pub(super) fn pass_until(&mut self, mut condition: impl FnMut(&mut Self) -> bool) {
        for _ in 0..6000 {
            if condition(self) {
                return;
            }
            self.pass(0.1);
        }
        panic!("it never came true");
    }

    fn settle(&mut self) {
        loop {
            let moved = (0..self.clients.len()).filter(|&member| self.carry_out(member)).count() > 0;
            for letter in std::mem::take(&mut self.relay.out) {
                self.network.carry(&letter, self.now);
            }
            let arrived = self.arrive();
            if !moved && !arrived {
                return;
            }
        }
    }

    fn carry_out(&mut self, member: usize) -> bool {
        let mut moved = false;
        while let Some(transmit) = self.clients[member].client.poll_transmit() {
            moved = true;
            match transmit {
                Transmit::Open(transport) => self.open(member, transport),
                Transmit::Send { to, datagram } => {
                    let from =
                        self.clients[member].address.expect("nothing is sent before a socket is there");
                    self.network.carry(&Letter { from, to, datagram }, self.now);
                }
            }
        }
        let member = &mut self.clients[member];
        member.events.extend(std::iter::from_fn(|| member.client.poll_event()));
        moved
    }

    fn open(&mut self, member: usize, transport: Transport) {
        self.last_port += 1;
        let member = &mut self.clients[member];
        member.opened.push(transport);
        member.address = Some(SocketAddr::from(([198, 51, 100, 7], self.last_port)));
        match transport {
            Transport::Tcp if !self.has_tcp => member.client.closed(self.now),
            _ => member.client.opened(self.now),
        }
    }

    fn arrive(&mut self) -> bool {
        let Some(letter) = self.network.arrive(self.now) else { return false };
        let is_cut = |address: &SocketAddr| self.cut.contains(address);
        if is_cut(&letter.from) || is_cut(&letter.to) || !self.passes(&letter) {
            return true;
        }
        if letter.to == relay::address() {
            self.relay.receive(letter.from, &letter.datagram, self.now);
            return true;
        }
        self.arrived.push(letter.clone());
        if let Some(member) = self.clients.iter_mut().find(|member| member.address == Some(letter.to)) {
            member.client.receive(letter.from, &letter.datagram, self.now);
        }
        true
    }

    /// Whether this way to or from the relay carries anything.
    fn passes(&self, letter: &Letter) -> bool {
        let transport = |address| {
            let member = self.clients.iter().find(|member| member.address == Some(address));
            member.and_then(|member| member.opened.last()).copied().unwrap_or(Transport::Udp)
        };
        if self.break_between.is_some_and(|ends| [ends, (ends.1, ends.0)].contains(&(letter.from, letter.to)))
        {
            return false;
        }
        match (letter.from == relay::address(), letter.to == relay::address()) {
            (true, _) => self.has_udp || transport(letter.to) == Transport::Tcp,
            (_, true) => self.has_udp || transport(letter.from) == Transport::Tcp,
            _ => true,
        }
    }
}

/// The addresses of clients by name, for those who look into the relay.
pub(super) fn addresses(world: &World) -> BTreeMap<String, SocketAddr> {
    let named = world.relay.sessions.iter();
    named.filter_map(|(address, session)| Some((session.name.clone()?, *address))).collect()
}
