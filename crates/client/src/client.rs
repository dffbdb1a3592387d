//! One client of one relay, whatever that speaks.

use std::net::SocketAddr;
use std::time::Instant;

use wire::{GroupId, MessageId};

use crate::direct::canonical;
use crate::errors::{MessageError, RequestError};
use crate::event::{Event, Protocol, Status};
use crate::people::Person;
use crate::probe::{Found, Probe};
use crate::random::Random;
use crate::seen::Seen;
use crate::session::{Beginning, Session};
use crate::{Output, Request, SendError, Transmit, Transport, base};

/// What a client is to do.
#[derive(Clone, Debug)]
pub struct Config {
    /// The relay.
    pub server: SocketAddr,
    /// What it has to speak; nothing: extended if it does, else base.
    pub protocol: Option<Protocol>,
    /// What may carry it, the best one first.
    pub transports: Vec<Transport>,
    /// Messages are acknowledged, and told; otherwise they stay with the relay, for whoever has the name next.
    pub takes_messages: bool,
    /// Who is in the group is asked for, and who comes and goes told.
    pub watches: bool,
}

/// The client of one relay.
#[derive(Debug)]
pub struct Client {
    config: Config,
    random: Random,
    stage: Stage,
    out: Output,
    /// The group to be in, for when the relay has changed what it speaks.
    home: Option<GroupId>,
    /// Messages that were told, for the session that comes.
    seen: Seen,
}

#[derive(Debug)]
enum Stage {
    Probing(Probe),
    Base { client: Box<base::Client>, transport: Transport, strays: u32 },
    Extended(Box<Session>),
    Gone,
}

impl Config {
    /// In any way that the relay takes.
    pub fn new(server: SocketAddr) -> Self {
        Self {
            server,
            protocol: None,
            transports: vec![Transport::Udp, Transport::Tcp],
            takes_messages: true,
            watches: true,
        }
    }
}

impl Client {
    /// A client that begins to look for its relay.
    ///
    /// # Errors
    /// The operating system has no random numbers.
    pub fn new(config: Config, now: Instant) -> Result<Self, getrandom::Error> {
        Ok(Self::with_random(config, Random::of_system()?, now))
    }

    /// A client whose ids and pauses follow from a seed: for tests that are to repeat.
    pub fn seeded(config: Config, seed: u64, now: Instant) -> Self {
        Self::with_random(config, Random::seeded(seed), now)
    }

    fn with_random(mut config: Config, random: Random, now: Instant) -> Self {
        if config.transports.is_empty() {
            config.transports.push(Transport::Udp);
        }
        config.server = canonical(config.server);
        let mut out = Output::default();
        let stage = probing(&config, now, &mut out);
        Self { config, random, stage, out, home: None, seen: Seen::default() }
    }

    /// The group that the relay last acknowledged.
    pub fn group(&self) -> Option<GroupId> {
        match &self.stage {
            Stage::Base { client, .. } => client.group(),
            Stage::Extended(session) => session.group(),
            Stage::Probing(_) | Stage::Gone => None,
        }
    }

    /// The group that the client wants to be in: the same, or the one that it lost and tries to join again.
    pub fn home(&self) -> Option<GroupId> {
        match &self.stage {
            Stage::Base { client, .. } => client.home(),
            Stage::Extended(session) => session.home(),
            Stage::Probing(_) => self.home,
            Stage::Gone => None,
        }
    }

    /// The name that the relay has registered for this client.
    pub fn name(&self) -> Option<&str> {
        self.session().and_then(Session::name)
    }

    /// What the relay speaks, once it has answered.
    pub fn protocol(&self) -> Option<Protocol> {
        match self.stage {
            Stage::Base { .. } => Some(Protocol::Base),
            Stage::Extended(_) => Some(Protocol::Extended),
            Stage::Probing(_) | Stage::Gone => None,
        }
    }

    /// Whether [`Config::protocol`] has said what is spoken, whatever else the relay could.
    pub fn is_told_protocol(&self) -> bool {
        self.config.protocol.is_some()
    }

    /// The people of the group, in the order of their names, as far as the relay has told.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.session().into_iter().flat_map(Session::people)
    }

    /// Messages on their way, or waiting for their turn.
    pub fn waiting(&self) -> usize {
        self.session().map_or(0, Session::waiting)
    }

    /// Whom messages reach directly.
    pub fn direct_peer(&self) -> Option<&str> {
        self.session().and_then(Session::direct_peer)
    }

    /// Whether nobody answers although it was tried in every way.
    pub fn is_out_of_contact(&self) -> bool {
        match &self.stage {
            Stage::Probing(probe) => probe.is_in_vain(),
            Stage::Extended(session) => !session.is_live(),
            Stage::Base { .. } | Stage::Gone => false,
        }
    }

    /// What there is to know without asking the relay.
    pub fn status(&self, now: Instant) -> Status {
        let mut status = Status {
            group: self.group(),
            name: self.name().map(str::to_owned),
            protocol: self.protocol(),
            transport: self.config.transports[0],
            heartbeat: None,
            next_ping: None,
            round_trip: None,
            waiting: self.waiting(),
            direct: self.direct_peer().map(str::to_owned),
            silent: self.is_out_of_contact(),
        };
        match &self.stage {
            Stage::Probing(probe) => status.transport = probe.transport(),
            Stage::Base { client, transport, .. } => {
                let base::Status { heartbeat, next_ping, silent, .. } = client.status(now);
                status = Status { transport: *transport, heartbeat, next_ping, silent, ..status };
            }
            Stage::Extended(session) => {
                status.transport = session.transport();
                status.heartbeat = Some(session.heartbeat());
                status.next_ping = Some(session.next_beat(now));
                status.round_trip = session.round_trip();
            }
            Stage::Gone => {}
        }
        status
    }

    /// Whether [`Client::request`] and [`Client::send`] would take something now.
    pub fn is_ready(&self, now: Instant) -> bool {
        match &self.stage {
            Stage::Base { client, .. } => client.is_ready(now),
            Stage::Extended(session) => session.is_ready(),
            Stage::Probing(_) | Stage::Gone => false,
        }
    }

    /// Whether nothing is asked, not even by the client itself: it will tell no news of its own soon.
    pub fn is_idle(&self) -> bool {
        self.session().is_none_or(Session::is_idle)
    }

    /// Asks the relay; the answer comes as an [`Event`].
    ///
    /// # Errors
    /// [`RequestError`] says why nothing was asked.
    pub fn request(&mut self, request: Request, now: Instant) -> Result<(), RequestError> {
        if !self.is_ready(now) {
            return Err(RequestError::Busy);
        }
        let done = match &mut self.stage {
            _ if !request.is_sound() => Err(RequestError::BadName),
            Stage::Base { client, .. } => match request.base() {
                Some(request) => client.ask(request, now).map_err(|_| RequestError::Busy),
                None => Err(RequestError::BaseOnly),
            },
            Stage::Extended(session) => match &request {
                Request::Bridge(Some(name)) if session.is_called(name) => Err(RequestError::OwnName),
                _ => {
                    session.ask(request, now);
                    Ok(())
                }
            },
            Stage::Probing(_) | Stage::Gone => Err(RequestError::Busy),
        };
        self.settle(now);
        done
    }

    /// Sends a payload to the group.
    ///
    /// # Errors
    /// [`SendError`] says why nothing was sent.
    pub fn send(&mut self, payload: &[u8], now: Instant) -> Result<(), SendError> {
        let done = match &mut self.stage {
            Stage::Base { client, .. } => client.send(payload, now),
            Stage::Extended(session) => session.send(payload, now),
            Stage::Probing(_) | Stage::Gone => Err(SendError::Busy),
        };
        self.settle(now);
        done
    }

    /// Sends a message to one person, directly if there is a way. It is repeated until its fate is known, which comes as
    /// [`Event::Fate`]s.
    ///
    /// # Errors
    /// [`MessageError`] says why nothing was taken.
    pub fn message(&mut self, to: &str, bytes: &[u8], now: Instant) -> Result<MessageId, MessageError> {
        let done = match &mut self.stage {
            Stage::Extended(session) => session.message(to, bytes, now),
            Stage::Base { .. } => Err(MessageError::BaseOnly),
            Stage::Probing(_) => Err(MessageError::NoContact),
            Stage::Gone => Err(MessageError::Leaving),
        };
        self.settle(now);
        done
    }

    /// This message was told in an earlier run: should it come again, it is acknowledged, and not told. It may be said at any
    /// time, also before the relay has answered.
    pub fn remember(&mut self, from: &str, id: MessageId) {
        match &mut self.stage {
            Stage::Extended(session) => session.remember(from, id),
            Stage::Probing(_) | Stage::Base { .. } | Stage::Gone => self.seen.remember(from, id),
        }
    }

    /// Ends a direct talk; whether there was one.
    pub fn hang_up(&mut self, now: Instant) -> bool {
        let was = match &mut self.stage {
            Stage::Extended(session) => session.hang_up(now),
            _ => false,
        };
        self.settle(now);
        was
    }

    /// Leaves politely; afterwards the client takes nothing any more.
    pub fn goodbye(&mut self, now: Instant) {
        match &mut self.stage {
            Stage::Base { client, .. } => client.goodbye(now),
            Stage::Extended(session) => session.goodbye(now),
            Stage::Probing(_) | Stage::Gone => self.stage = Stage::Gone,
        }
        self.settle(now);
    }

    /// Whether [`Client::goodbye`] has been said and answered, or was waited for long enough.
    pub fn is_finished(&self) -> bool {
        match &self.stage {
            Stage::Base { client, .. } => client.is_finished(),
            Stage::Extended(session) => session.is_finished(),
            Stage::Probing(_) => false,
            Stage::Gone => true,
        }
    }

    /// The socket that [`Transmit::Open`] asked for is there.
    pub fn opened(&mut self, now: Instant) {
        match &mut self.stage {
            Stage::Probing(probe) => {
                let first = probe.opened(now);
                self.out.transmits.extend(first.map(|datagram| to(self.config.server, datagram)));
            }
            Stage::Extended(session) => session.opened(now),
            Stage::Base { client, .. } => client.moved(now),
            Stage::Gone => {}
        }
        self.settle(now);
    }

    /// The socket cannot be had, or the connection has ended.
    pub fn closed(&mut self, now: Instant) {
        match &mut self.stage {
            Stage::Probing(probe) => probe.closed(true, now, &mut self.out),
            Stage::Extended(session) => session.closed(now),
            Stage::Base { client, transport, .. } => {
                client.unreachable();
                if *transport == Transport::Tcp {
                    self.probe_again(now);
                }
            }
            Stage::Gone => {}
        }
        self.settle(now);
    }

    /// The operating system reports that nobody listens at the relay's address: a hint, for anybody can forge it.
    pub fn unreachable(&mut self, now: Instant) {
        match &mut self.stage {
            Stage::Probing(probe) => probe.closed(true, now, &mut self.out),
            Stage::Base { client, .. } => client.unreachable(),
            Stage::Extended(session) => session.doubt(now),
            Stage::Gone => {}
        }
        self.settle(now);
    }

    /// The network has changed, is back, or carries nothing from this socket any more: goes on from another, at once.
    pub fn network_changed(&mut self, now: Instant) {
        match &mut self.stage {
            Stage::Probing(probe) => probe.network_changed(now, &mut self.out),
            Stage::Base { transport, .. } => self.out.open(*transport),
            Stage::Extended(session) => session.network_changed(now),
            Stage::Gone => {}
        }
        self.settle(now);
    }

    /// Takes a datagram, or a message of the connection. What comes neither from the relay nor from the peer of a direct talk is
    /// ignored.
    pub fn receive(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) {
        let is_relay = canonical(from) == self.config.server;
        match &mut self.stage {
            Stage::Extended(session) if !is_relay => session.receive_direct(from, datagram, now),
            _ if !is_relay => {}
            Stage::Extended(session) => session.receive(datagram, now),
            Stage::Base { client, strays, .. } => {
                if *strays > 0 && datagram == b"ERR BAD_CMD UnknownCommand" {
                    *strays -= 1;
                } else {
                    client.receive(datagram, now);
                }
            }
            Stage::Probing(probe) => match probe.receive(datagram, now, &mut self.out) {
                Ok(found) => self.found(found, now),
                Err(again) => self.out.send(self.config.server, again),
            },
            Stage::Gone => {}
        }
        self.settle(now);
    }

    /// Lets time pass. Call it at [`Client::deadline`] at the latest.
    pub fn tick(&mut self, now: Instant) {
        match &mut self.stage {
            Stage::Probing(probe) => {
                let again = probe.tick(now, &mut self.out);
                self.out.transmits.extend(again.map(|datagram| to(self.config.server, datagram)));
            }
            Stage::Base { client, .. } => client.tick(now),
            Stage::Extended(session) => session.tick(now),
            Stage::Gone => {}
        }
        self.settle(now);
    }

    /// When [`Client::tick`] has something to do next, if nothing else happens.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        match &self.stage {
            Stage::Probing(probe) => Some(probe.deadline()),
            Stage::Base { client, .. } => client.wake_at(),
            Stage::Extended(session) => session.deadline(now),
            Stage::Gone => None,
        }
    }

    /// The next thing to carry out.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.transmits.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.out.events.pop_front()
    }

    fn session(&self) -> Option<&Session> {
        match &self.stage {
            Stage::Extended(session) => Some(session),
            _ => None,
        }
    }

    fn found(&mut self, found: Option<Found>, now: Instant) {
        let (Some(found), Stage::Probing(probe)) = (found, &self.stage) else { return };
        let transport = probe.transport();
        let random = Random::seeded(self.random.number());
        let protocol = match found {
            Found::Extended(token, heartbeat) => {
                let (config, seen) = (self.config.clone(), std::mem::take(&mut self.seen));
                let beginning = Beginning { config, transport, token, heartbeat, random, seen };
                let mut session = Session::new(beginning, now);
                session.go_home(self.home.take(), now);
                self.stage = Stage::Extended(Box::new(session));
                Protocol::Extended
            }
            Found::Base { strays } => {
                let mut client = Box::new(base::Client::new(self.random.number(), now));
                client.go_home(self.home.take(), now);
                self.stage = Stage::Base { client, transport, strays };
                Protocol::Base
            }
        };
        self.out.event(Event::Contact { protocol, transport });
    }

    /// Collects what the stage has to say, and leaves one that has ended.
    fn settle(&mut self, now: Instant) {
        match &mut self.stage {
            Stage::Base { client, .. } => {
                while let Some(datagram) = client.datagram() {
                    self.out.send(self.config.server, datagram);
                }
                while let Some(event) = client.event() {
                    self.out.event(event);
                }
            }
            Stage::Extended(session) => {
                let other = session.output();
                if other.transmits.iter().any(|transmit| matches!(transmit, Transmit::Open(_))) {
                    self.out.transmits.clear();
                }
                self.out.append(other);
                if session.is_void() {
                    self.probe_again(now);
                }
            }
            Stage::Probing(_) | Stage::Gone => {}
        }
    }

    fn probe_again(&mut self, now: Instant) {
        self.home = self.home();
        self.stage = probing(&self.config, now, &mut self.out);
    }
}

fn probing(config: &Config, now: Instant, out: &mut Output) -> Stage {
    Stage::Probing(Probe::new(config.protocol, config.transports.clone(), now, out))
}

fn to(to: SocketAddr, datagram: Vec<u8>) -> Transmit {
    Transmit::Send { to, datagram }
}
