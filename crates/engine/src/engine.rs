//! One shard's engine: takes datagrams, decides, and leaves its answers in the outbox.

mod eviction;
mod proof;
mod sender;
mod strangers;
mod sweeping;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use wire::{
    Argument, Command, GroupId, Heartbeat, Message, Proof, Refusal, Reply, Usage, decode, looks_like_reply,
};

use crate::address::Creator;
use crate::admission::{Admission, Payer, Stance};
use crate::expiry::Expiry;
use crate::groups::{CannotCreate, CannotJoin, Joined};
use crate::limits::ROOM_CLIENTS;
use crate::pace::Pace;
use crate::sessions::{Session, Sessions};
use crate::tally::{CommandKind, DropReason, Event};
use crate::views::Views;
use crate::{
    ClientAddr, Departure, Entropy, GroupKey, Groups, LocalAddr, Member, Outbox, OwnAddresses, Prefixes,
    Settings, Tally, Tick,
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

type Home = Box<dyn Fn(SocketAddr) -> usize + Send>;

/// Decides for the clients of one shard. A client's datagrams must always come to the same one.
pub struct Engine {
    shard: usize,
    shards: usize,
    groups: Arc<Groups>,
    admission: Arc<Admission>,
    settings: Arc<Settings>,
    own: Arc<OwnAddresses>,
    /// Which shard a source's datagrams come to, if that is known.
    home: Option<Home>,
    entropy: Entropy,
    sessions: Sessions,
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
    /// The engine of shard number `shard` out of `shards`, which share `groups` and `admission`.
    pub fn new(
        (shard, shards): (usize, usize),
        (groups, admission): (Arc<Groups>, Arc<Admission>),
        settings: Arc<Settings>,
        own: Arc<OwnAddresses>,
        entropy: Entropy,
        now: Tick,
    ) -> Self {
        admission.configure(&settings);
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
            groups,
            admission,
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
        let session = self.sessions.find(&client);
        match (decode(datagram.bytes), session) {
            (Message::Payload(payload), Some(key)) => self.payload(payload, datagram.number, key, outbox),
            (message, _) => self.request(&message, &self.sender(datagram, &client, session), outbox),
        }
    }

    /// When the next turn has to begin at the latest.
    pub fn deadline(&self) -> Tick {
        if self.ejecting.is_some() {
            return self.now;
        }
        let deadline = self.expiry.deadline(&self.settings, self.now);
        self.next_look().map_or(deadline, |look| look.min(deadline))
    }

    /// Applies new settings.
    pub fn reload(&mut self, settings: Arc<Settings>) {
        let old = std::mem::replace(&mut self.settings, settings);
        self.admission.configure(&self.settings);
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
        self.sessions.find(client).map(|key| self.views.id(self.sessions.get(key).view))
    }

    fn payload(&mut self, payload: &[u8], number: u32, key: usize, outbox: &mut Outbox) {
        let session = self.sessions.get_mut(key);
        session.active = self.now;
        if let Some(pace) = &self.pace
            && !pace.admits(&mut session.paced, self.now)
        {
            return self.tally.drop(DropReason::MaxRate);
        }
        let group = GroupKey(session.view);
        let view = self.views.current(session.view, &self.groups);
        let Some(position) = view.position(&session.client, session.position, &self.groups) else {
            debug_assert!(false, "a session's group does not know it");
            return;
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
            outbox.fan_out(number, group, view, position, self.settings.coalesce);
        }
    }

    /// Takes whatever is not a member's payload.
    fn request(&mut self, message: &Message<'_>, from: &Sender<'_>, outbox: &mut Outbox) {
        let command = match message {
            Message::Empty => return self.tally.drop(DropReason::Empty),
            Message::Payload(payload) if looks_like_reply(payload) => {
                return self.tally.drop(DropReason::ReplyFromStranger);
            }
            Message::Command(command) => Some(command),
            Message::Payload(_) | Message::TooLarge => None,
        };
        let answer = match (self.hear(command, from), message) {
            (Hearing::Ignored, _) => return,
            (Hearing::Asked, _) => Err(self.ask(from.client)),
            (Hearing::Heard, Message::Command(command)) => self.command(command, from, outbox),
            (Hearing::Heard, Message::TooLarge) => Err(Refusal::TooLarge),
            (Hearing::Heard, _) => Err(Refusal::NotJoined),
        };
        self.answer(answer, from, outbox);
    }

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
            Command::Unknown => Err(Refusal::UnknownCommand),
        }
    }

    fn create(&mut self, argument: Argument<'_>, from: &Sender<'_>) -> Result<Reply, Refusal> {
        let proof = argument.cookie().map_or(Proof::None, Proof::Cookie);
        // A wrong cookie is none: this command takes whatever stands behind it. What is made in a member's name need not be its own.
        let proved = from.is_trusted || self.shows_proof(from, proof);
        let creator = Creator::new(from.client, proved || self.admission.stance() == Stance::Open);
        let (throttle, now, is_limited) = (&self.admission.throttle, self.now, self.has_limits(from));
        let has_shelter = || !is_limited || throttle.take_shelter(from.client, now);
        let created = self.groups.create(creator, has_shelter, &self.settings, &mut self.entropy, self.now);
        let created = created.map_err(|cannot| match cannot {
            // Others may have used it up in its name. Who knows no proofs, and is asked for none, is told no more than that.
            CannotCreate::ClientLimit { .. }
                if !creator.proved && (argument.cookie().is_some() || self.asks(from)) =>
            {
                self.ask(from.client)
            }
            CannotCreate::ClientLimit { used } => {
                Refusal::ClientLimit { used, max: self.settings.max_groups_per_client }
            }
            CannotCreate::ServerFull => Refusal::ServerFull,
        })?;
        if created.evicted {
            self.tally.count(Event::EvictGroup);
        }
        self.tally.count(Event::Create);
        Ok(Reply::Created(created.id))
    }

    fn join(
        &mut self,
        argument: Argument<'_>,
        from: &Sender<'_>,
        outbox: &mut Outbox,
    ) -> Result<Reply, Refusal> {
        let (id, proof) = argument.group_and_proof().map_err(Refusal::MissingGroup)?;
        let member = from.as_member(self.check_proof(from, proof)?);
        let id = id.ok_or(Refusal::NoSuchGroup)?;
        if let Some(key) = from.session.filter(|&key| self.is_in(key, &id)) {
            return self.join_again(key, member).map(|()| Reply::Joined(id));
        }
        // What is guessed in a member's name need not be its own.
        let shown = self.shows_proof(from, proof);
        let needs_proof = self.is_guessing(from, shown) || self.asks(from) && !member.proved;
        let (joined, admit) = self.enter(&id, member, (needs_proof, from.session.is_some()), outbox);
        let joined = joined.map_err(|cannot| {
            if admit && from.session.is_none() {
                self.groups.release_client();
            }
            match cannot {
                CannotJoin::NoSuchGroup => self.note_guess(from, shown),
                CannotJoin::GroupFull => Refusal::GroupFull(id),
                CannotJoin::ServerFull { .. } => Refusal::ServerFull,
                CannotJoin::NeedsProof => self.ask_guesser(from, member.proved),
            }
        })?;
        match from.session {
            Some(key) => self.move_session(key, joined, outbox),
            None => self.new_session(*from.client, joined),
        }
        self.tally.count(Event::Join);
        Ok(Reply::Joined(id))
    }

    fn join_again(&mut self, key: usize, member: Member) -> Result<(), Refusal> {
        if !member.proved && self.admission.stance() == Stance::Strict {
            return Err(self.ask(&member.client));
        }
        if member.proved {
            self.prove(key);
        }
        let session = self.sessions.get_mut(key);
        session.active = self.now;
        self.groups.update(self.views.handle(session.view), member, session.position);
        Ok(())
    }

    fn new_session(&mut self, client: ClientAddr, joined: Joined) {
        let view = self.views.enter(joined.handle);
        let (now, position, proved) = (self.now, joined.position, joined.proved);
        if !proved {
            self.admission.enter_unproved();
        }
        let paced = self.pace.as_ref().map_or(Pace::from_now(now), |pace| pace.spent(now));
        let joined = now;
        let session = Session { client, active: now, joined, view, position, proved, silent: false, paced };
        let due = self.look_at(&session);
        let key = self.sessions.insert(session);
        self.expiry.wheel.add(key, due);
    }

    fn move_session(&mut self, key: usize, joined: Joined, outbox: &mut Outbox) {
        self.seal(key, outbox);
        self.exit_group(key);
        if joined.proved {
            self.prove(key);
        }
        let session = self.sessions.get_mut(key);
        session.view = self.views.enter(joined.handle);
        session.position = joined.position;
        session.active = self.now;
        self.tally.count(Event::Leave);
    }

    fn leave(
        &mut self,
        argument: Argument<'_>,
        from: &Sender<'_>,
        outbox: &mut Outbox,
    ) -> Result<Reply, Refusal> {
        let id =
            argument.group(Usage::Leave).map_err(Refusal::MissingGroup)?.ok_or(Refusal::NotInThatGroup)?;
        let in_it = from.session.filter(|&key| self.is_in(key, &id));
        let key = in_it.ok_or(Refusal::NotInThatGroup)?;
        self.seal(key, outbox);
        self.expiry.wheel.remove(key);
        self.end_session(key);
        self.tally.count(Event::Leave);
        Ok(Reply::Left(id))
    }

    fn ping(&mut self, from: &Sender<'_>) -> Result<Reply, Refusal> {
        let key = from.session.ok_or(Refusal::NotJoined)?;
        let session = self.sessions.get_mut(key);
        session.active = self.now;
        if from.is_proved && !session.proved {
            self.trust_again(key, from);
        }
        // Rounded, as the protocol has it.
        let heartbeat = self.settings.heartbeat + Duration::from_micros(500);
        Ok(Reply::Pong(Heartbeat(heartbeat.as_millis() as u64)))
    }

    fn who(&mut self, from: &Sender<'_>) -> Result<Reply, Refusal> {
        let key = from.session.ok_or(Refusal::NotJoined)?;
        let handle = self.views.handle(self.sessions.get(key).view);
        Ok(Reply::Who(handle.id, self.groups.members(handle)))
    }

    fn answer(&mut self, answer: Result<Reply, Refusal>, to: &Sender<'_>, outbox: &mut Outbox) {
        let reply = answer.unwrap_or_else(|refusal| {
            self.tally.refusals[refusal.index()] += 1;
            Reply::Refused(refusal)
        });
        self.tally.replies += 1;
        let text = reply.encode();
        if to.session.is_some_and(|key| self.is_unproved(key)) {
            self.admission.pay_for_answer(&mut self.payer, to.client, text.as_bytes().len(), self.now);
        }
        outbox.reply(to.as_member(false), text.as_bytes());
    }

    /// Ends a session that is in no list of the wheel any more.
    fn end_session(&mut self, key: usize) {
        self.exit_group(key);
        let session = self.sessions.remove(key);
        if !session.proved {
            self.admission.exit_unproved(session.silent);
        }
        self.groups.release_client();
    }

    fn is_in(&self, key: usize, id: &GroupId) -> bool {
        self.views.handle(self.sessions.get(key).view).id == *id
    }

    /// What was said before a client leaves its group is sent before what is said from now on.
    fn seal(&self, key: usize, outbox: &mut Outbox) {
        let Session { client, view, .. } = *self.sessions.get(key);
        outbox.seal(Departure { client, group: GroupKey(view) });
    }

    fn exit_group(&mut self, key: usize) {
        let session = self.sessions.get(key);
        self.groups.leave(self.views.handle(session.view), &session.client, session.position, self.now);
        self.views.exit(session.view);
    }
}
