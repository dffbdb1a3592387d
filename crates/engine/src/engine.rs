//! One shard's engine: takes datagrams, decides, and leaves its answers in the outbox.

mod eviction;
mod extended;
mod membership;
mod person;
mod proof;
mod sender;
mod strangers;
mod streams;
mod sweeping;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use hashbrown::HashMap;
use wire::{Command, Form, GroupId, Heartbeat, Message, Refusal, Reply, decode, looks_like_reply};

use crate::admission::{Admission, Payer};
use crate::directory::Departed;
use crate::expiry::Expiry;
use crate::limits::ROOM_CLIENTS;
use crate::pace::Pace;
use crate::pages::Pages;
use crate::sessions::{NOWHERE, Person, Sessions};
use crate::tally::{CommandKind, DropReason};
use crate::views::Views;
use crate::voice::Voice;
use crate::{
    ClientAddr, Directory, Entropy, Everybody, GroupKey, Groups, LocalAddr, Outbox, OwnAddresses, Payload,
    Prefixes, Settings, Tally, Tick,
};
use sender::Sender;
use strangers::Hearing;

/// One received datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Its bytes; of one longer than the protocol's 4096 at least one more.
    pub bytes: &'a [u8],
    /// Who sent it.
    pub source: SocketAddr,
    /// Where it reached the relay.
    pub local: LocalAddr,
    /// Its number in this turn.
    pub number: u32,
}

/// What the engines of all shards share.
#[derive(Clone)]
pub struct Shared {
    /// Who is in which group.
    pub groups: Arc<Groups>,
    /// How the relay stands to unproved addresses.
    pub admission: Arc<Admission>,
    /// Where extended sessions are.
    pub directory: Arc<Directory>,
    /// Names, and what people say to each other.
    pub everybody: Arc<Everybody>,
}

impl Shared {
    /// With a directory of its own, in which nobody is yet, and nowhere to keep names.
    pub fn new(groups: Arc<Groups>, admission: Arc<Admission>) -> Self {
        Self { groups, admission, directory: Arc::default(), everybody: Arc::default() }
    }
}

type Home = Box<dyn Fn(SocketAddr) -> usize + Send>;

/// Decides for the clients of one shard. A client's datagrams must always come to the same one.
pub struct Engine {
    shard: usize,
    shards: usize,
    groups: Arc<Groups>,
    admission: Arc<Admission>,
    directory: Arc<Directory>,
    everybody: Arc<Everybody>,
    /// When people want to be called by this shard.
    people_due: Option<Tick>,
    /// What other shards have taken of this one's sessions.
    departed: Arc<Departed>,
    settings: Arc<Settings>,
    own: Arc<OwnAddresses>,
    /// Which shard a source's datagrams come to, if that is known.
    home: Option<Home>,
    entropy: Entropy,
    sessions: Sessions,
    /// The extended ones among them, by their keys.
    people: Pages<Person>,
    /// Who members are to those that want to know who speaks, by the keys of their sessions.
    voices: HashMap<u32, Arc<Voice>, RandomState>,
    views: Views,
    expiry: Expiry,
    pace: Option<Pace>,
    /// The next client to look at for whether it is still allowed, and trusted; `None` when all have been.
    ejecting: Option<usize>,
    /// What was trusted before: whoever was proved by being there is not any more, if it is not trusted now.
    doubted: Prefixes,
    /// The next client to look at for one that makes room.
    evicting: usize,
    tally: Tally,
    payer: Payer,
    now: Tick,
    /// When this shard last looked whether the relay is under attack.
    looked: Tick,
}

impl Engine {
    /// The engine of shard number `shard` out of `shards`.
    pub fn new(
        (shard, shards): (usize, usize),
        Shared { groups, admission, directory, everybody }: Shared,
        settings: Arc<Settings>,
        own: Arc<OwnAddresses>,
        entropy: Entropy,
        now: Tick,
    ) -> Self {
        admission.configure(&settings);
        everybody.configure(&settings);
        // An eighth more than this shard's share, because flows never spread quite evenly.
        let capacity = settings.ceilings.clients.min(ROOM_CLIENTS) as usize / shards * 9 / 8;
        Self {
            shard,
            shards,
            own,
            home: None,
            entropy,
            sessions: Sessions::new(capacity, groups.hasher().clone()),
            views: Views::new(groups.hasher().clone()),
            expiry: Expiry::new(&settings, now, capacity),
            pace: settings.max_rate.map(Pace::new),
            ejecting: None,
            doubted: Prefixes::default(),
            evicting: 0,
            people: Pages::new(),
            voices: HashMap::with_hasher(groups.hasher().clone()),
            groups,
            admission,
            directory,
            everybody,
            people_due: None,
            departed: Arc::default(),
            settings,
            tally: Tally::default(),
            payer: Payer::default(),
            now,
            looked: now,
        }
    }

    /// Takes only clients whose datagrams come to this shard, as `home` tells of each source: whoever can reach another with
    /// some of them would be two clients, one of which neither knows of the other nor can leave.
    pub fn keep_to_shard(&mut self, home: impl Fn(SocketAddr) -> usize + Send + 'static) {
        self.home = Some(Box::new(home));
    }

    /// Begins a turn: everything until the next one happens now.
    pub fn begin_turn(&mut self, now: Tick) {
        self.expiry.begin_turn(&self.settings, now);
        self.now = self.now.max(now);
        self.forget_departed();
        self.keep_watch();
    }

    /// Takes one datagram; whatever it causes is in the outbox.
    #[inline]
    pub fn receive(&mut self, datagram: &Datagram<'_>, outbox: &mut Outbox) {
        let Some(client) = ClientAddr::new(datagram.source) else {
            return self.drop_nobody(datagram.source);
        };
        if self.own.contains(&client) {
            return self.tally.drop(DropReason::OwnAddress);
        }
        if datagram.local.is_many() {
            return self.tally.drop(DropReason::Broadcast);
        }
        self.hear_from_source(&client, datagram, outbox);
    }

    /// The same once more, of a client that is another one by now, or whose source is no question.
    fn hear_again(&mut self, client: ClientAddr, datagram: &Datagram<'_>, outbox: &mut Outbox) {
        self.hear_from_source(&client, datagram, outbox);
    }

    #[inline(always)] // The hot path goes on here.
    fn hear_from_source(&mut self, client: &ClientAddr, datagram: &Datagram<'_>, outbox: &mut Outbox) {
        let session = self.sessions.find(client);
        match (decode(datagram.bytes), session) {
            (Message::Payload(payload), Some(key)) => self.payload(payload, datagram, key, outbox),
            (message, _) => self.request(&message, &self.sender(datagram, client, session), outbox),
        }
    }

    /// When the next turn has to begin at the latest.
    pub fn deadline(&self) -> Tick {
        if self.ejecting.is_some() {
            return self.now;
        }
        let deadline = self.expiry.deadline(&self.settings, self.now);
        let deadline = self.people_due.map_or(deadline, |due| due.min(deadline));
        self.next_look().map_or(deadline, |look| look.min(deadline))
    }

    /// Applies new settings.
    pub fn reload(&mut self, settings: Arc<Settings>) {
        let old = std::mem::replace(&mut self.settings, settings);
        self.admission.configure(&self.settings);
        self.everybody.configure(&self.settings);
        if (old.sweep, old.heartbeat) != (self.settings.sweep, self.settings.heartbeat) {
            self.expiry.reload(&old, &self.settings, self.shard, self.now);
        }
        self.pace = self.settings.max_rate.map(Pace::new);
        if old.trust != self.settings.trust {
            let doubted = self.doubted.given().iter().chain(old.trust.given()).copied();
            self.doubted = Prefixes::new(doubted);
        }
        if (&old.access, &old.trust) != (&self.settings.access, &self.settings.trust) {
            self.ejecting = Some(0);
        }
    }

    /// This shard's counters.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// This shard's clients.
    pub fn clients(&self) -> usize {
        self.sessions.len()
    }

    /// The group that a client of this shard is in, for whoever checks the engine from outside.
    pub fn group_of(&self, client: &ClientAddr) -> Option<GroupId> {
        let key = self.sessions.find(client)?;
        self.sessions.get(key).group().map(|view| self.views.id(view))
    }

    /// Fans a member's payload out: the last bytes of the datagram, all of it or what stands behind RAW.
    #[inline(always)] // RAW must not make a call of it for everybody else.
    fn payload(&mut self, payload: &[u8], datagram: &Datagram<'_>, key: usize, outbox: &mut Outbox) {
        let session = self.sessions.get_mut(key);
        if session.view == NOWHERE {
            return self.hear_outsider(payload, datagram, key, outbox);
        }
        session.active = self.now;
        if let Some(pace) = &self.pace
            && !pace.admits(&mut session.paced, self.now)
        {
            return self.tally.drop(DropReason::MaxRate);
        }
        let group = GroupKey(session.view);
        let view = self.views.current(session.view, &self.groups);
        let Some(position) = view.position(&session.client, session.position, &self.groups) else {
            return self.hear_no_more(datagram, key, outbox);
        };
        session.position = position;
        if view.roster.unproved() != 0 {
            let sender = (!session.proved).then_some(&session.client);
            let unproved = view.roster.unproved_bytes(payload.len());
            view.treat(self.admission.treat(&mut self.payer, unproved, (sender, payload.len()), self.now));
        }
        let others = view.roster.len() as u64 - 1;
        self.tally.fanout.record(others, 1);
        if others > 0 {
            if view.roster.extended() == 0 {
                let payload = Payload::Received(datagram.number);
                outbox.fan_out(payload, group, view, position, self.settings.coalesce);
            } else {
                self.fan_out_in_forms(payload, datagram, key, outbox);
            }
        } else {
            self.tell_heard(key, outbox);
        }
    }

    /// Takes whatever is not a member's payload.
    fn request(&mut self, message: &Message<'_>, from: &Sender<'_>, outbox: &mut Outbox) {
        let is_stranger = from.member.is_none();
        let command = match message {
            Message::Empty => return self.tally.drop(DropReason::Empty),
            Message::Payload(_) | Message::Command(Command::Unknown)
                if is_stranger && looks_like_reply(from.datagram.bytes) =>
            {
                return self.tally.drop(DropReason::ReplyFromStranger);
            }
            Message::Command(command) => Some(command),
            Message::Payload(_) | Message::TooLarge => None,
        };
        if from.form != Form::Base && !self.hear_from(from, outbox) {
            return self.hear_again(*from.client, from.datagram, outbox);
        }
        let answer = match (self.hear(command, from), message) {
            (Hearing::Ignored, _) => return,
            (Hearing::Asked, _) => Err(self.ask_for(command, from.client)),
            (Hearing::Heard, Message::Command(command)) => match command {
                Command::Raw(payload) => return self.raw(payload, from, outbox),
                _ if from.form != Form::Base => return self.serve(command, from, outbox),
                Command::Hello(_) | Command::Beat | Command::Resume(_) | Command::Person(_) => {
                    return self.greet(command, from, outbox);
                }
                _ => self.command(command, from, outbox),
            },
            (Hearing::Heard, Message::TooLarge) => Err(Refusal::TooLarge),
            (Hearing::Heard, _) => Err(Refusal::NotJoined),
        };
        self.answer(answer, (from, from.form), outbox);
    }

    #[inline(always)] // As above: extended clients' commands are the rare ones.
    fn command(
        &mut self,
        command: &Command<'_>,
        from: &Sender<'_>,
        outbox: &mut Outbox,
    ) -> Result<Reply, Refusal> {
        self.tally.commands[CommandKind::of(command) as usize] += 1;
        self.credit(from);
        match *command {
            Command::Create(argument) => self.create(argument, from),
            Command::Join(argument) => self.join(argument, from, outbox),
            Command::Leave(argument) => self.leave(argument, from, outbox),
            Command::Ping => self.ping(from),
            Command::Who => self.who(from),
            Command::Beat => Ok(Reply::Pong(self.heartbeat())),
            Command::Hello(fields) => self.hello(fields.hello(), from, outbox),
            // Neither gets here: see `Engine::request`.
            Command::Resume(_) | Command::Raw(_) | Command::Person(_) | Command::Unknown => {
                Err(Refusal::UnknownCommand)
            }
        }
    }

    fn ping(&mut self, from: &Sender<'_>) -> Result<Reply, Refusal> {
        let key = from.member.ok_or(Refusal::NotJoined)?;
        let session = self.sessions.get_mut(key);
        session.active = self.now;
        if from.is_proved && !session.proved {
            self.trust_again(key, from);
        }
        Ok(Reply::Pong(self.heartbeat()))
    }

    /// Rounded, as the protocol has it.
    fn heartbeat(&self) -> Heartbeat {
        let heartbeat = self.settings.heartbeat + Duration::from_micros(500);
        Heartbeat(heartbeat.as_millis() as u64)
    }

    fn who(&mut self, from: &Sender<'_>) -> Result<Reply, Refusal> {
        let key = from.member.ok_or(Refusal::NotJoined)?;
        let handle = self.views.handle(self.sessions.get(key).view);
        Ok(Reply::Who(handle.id, self.groups.members(handle)))
    }

    #[inline(always)]
    fn answer(
        &mut self,
        answer: Result<Reply, Refusal>,
        (to, form): (&Sender<'_>, Form),
        outbox: &mut Outbox,
    ) {
        let reply = answer.unwrap_or_else(|refusal| {
            self.tally.refusals[refusal.index()] += 1;
            Reply::Refused(refusal)
        });
        self.tally.replies += 1;
        let text = reply.encode_for(form);
        if to.session.is_some_and(|key| self.is_unproved(key)) {
            self.admission.pay_for_answer(&mut self.payer, to.client, text.as_bytes().len(), self.now);
        }
        outbox.reply(to.as_member(false), text.as_bytes());
    }
}
