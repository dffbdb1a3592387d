//! All people of the relay, and the one place where they are asked and called.

use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashMap;
use wire::{Notice, Person as Request, Refusal, Token, Usage};

use crate::desk::{Counter, Desk};
use crate::figures::Figures;
use crate::inbox::Inbox;
use crate::limits::{FORGET_MS, PARTS, SEEN_AT_ONCE, STORE_SWEEP_MS, SWEEP_MS};
use crate::outcomes::Outcomes;
use crate::pace::Pace;
use crate::parties::{Address, Badge, Caller, Nobody, Now, Place, SessionId, Turn};
use crate::parts::Parts;
use crate::quota::Quota;
use crate::rendezvous::{Meetings, Wait};
use crate::rooms::Rooms;
use crate::signals::Signals;
use crate::timers::{Job, Timers};

/// What all spellings of a name have in common.
pub(crate) type Key = Arc<str>;

/// How the relay wants it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Who registers in no group is to come into one: [`People::arrivals`] says who.
    pub has_lobby: bool,
}

/// All people: sessions that have ever asked for something here, names that are online, and what is between them.
pub struct People<A, G> {
    pub(crate) settings: Settings,
    pub(crate) desk: Counter,
    pub(crate) timers: Timers,
    pub(crate) outcomes: Outcomes,
    pub(crate) sessions: Parts<SessionId, Session<A, G>>,
    pub(crate) persons: Parts<Key, Person>,
    pub(crate) rooms: Rooms<G>,
    /// How many messages for a name the store has been asked to keep, and has not answered.
    pub(crate) puts: HashMap<Key, u32, RandomState>,
    pub(crate) meetings: Meetings<G>,
    /// Those who are to come into the lobby, and their shards.
    pub(crate) arrivals: Vec<(usize, A)>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) figures: Figures,
    pub(crate) quota: Quota,
    round: Round,
    /// What is old is looked for, since somebody asked for something for the first time.
    is_swept: bool,
    serial: u64,
}

/// A session that has asked for something.
pub(crate) struct Session<A, G> {
    pub address: A,
    pub group: Option<G>,
    pub shard: usize,
    pub pace: Pace,
    pub badge: Arc<Badge>,
    /// The name that it has.
    pub name: Option<Key>,
    /// The name that it had until it gave it back, if it has had none since.
    pub former: Option<Arc<str>>,
    pub watches: bool,
    pub wait: Option<Wait>,
    /// By which it and the last one with whom it was matched know each other.
    pub met: Option<Token>,
    /// There is a timer for its waits.
    pub is_timed: bool,
}

/// A name that is online.
pub(crate) struct Person {
    pub shown: Arc<str>,
    pub claim: Token,
    pub session: SessionId,
    pub inbox: Inbox,
}

impl<A: Address, G: Place> People<A, G> {
    /// Without anybody. `desk` keeps what must survive.
    pub fn new(settings: Settings, desk: Box<dyn Desk>, signals: Arc<Signals>) -> Self {
        Self {
            settings,
            desk: Counter::new(desk),
            timers: Timers::default(),
            outcomes: Outcomes::default(),
            sessions: Parts::default(),
            persons: Parts::default(),
            rooms: Rooms::default(),
            puts: HashMap::default(),
            meetings: Meetings::default(),
            arrivals: Vec::new(),
            signals,
            figures: Figures::default(),
            quota: Quota::default(),
            round: Round::default(),
            is_swept: false,
            serial: 0,
        }
    }

    /// Does what a session asks for. What is not refused is answered by the post, now or in a later turn. `fresh` is
    /// random: what is made of it is a secret.
    ///
    /// # Errors
    /// The refusal to answer with.
    pub fn request(
        &mut self,
        request: &Request<'_>,
        caller: Caller<A, G>,
        fresh: u128,
        turn: &mut Turn<'_, A>,
    ) -> Result<(), Refusal> {
        let site = caller.site;
        let id = self.meet(caller, turn);
        let address = self.sessions[&id].address;
        match *request {
            Request::Reg(fields) => {
                let register = fields.register().ok_or(Refusal::MissingArgument(Usage::Reg))?;
                self.register((id, site), register, Token::of(fresh), turn)
            }
            Request::Dereg => self.deregister(id, turn),
            Request::Peers(fields) => self.peers(id, fields.only(), turn),
            Request::Watch => self.watch(id, turn),
            Request::Unwatch => {
                self.stop_watching(id);
                turn.post.tell(address, Notice::Unwatching);
                Ok(())
            }
            Request::Send(fields) => {
                let letter = fields.letter().ok_or(Refusal::MissingArgument(Usage::Send))?;
                self.send((id, site), letter, turn)
            }
            Request::Ack(fields) => {
                fields.ack().into_iter().for_each(|ack| self.acknowledge(id, ack, turn));
                Ok(())
            }
            Request::Bridge(fields) => self.bridge(id, fields.only(), Token::of(fresh), turn),
            Request::Unbridge => {
                self.stop_waiting(id);
                turn.post.tell(address, Notice::Unbridged);
                Ok(())
            }
        }
    }

    /// A session that has asked for something before is in another group now, or in none.
    pub fn enter(&mut self, id: SessionId, group: Option<G>, turn: &mut Turn<'_, A>) {
        if self.sessions.get(&id).is_some_and(|session| session.group != group) {
            self.change_rooms(id, group, turn);
        }
    }

    /// A session goes on at another address, and maybe on another shard.
    pub fn move_to(&mut self, id: SessionId, address: A, turn: &mut Turn<'_, A>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        (session.address, session.shard) = (address, turn.shard);
        session.pace.prove(turn.now.tick);
        let name = session.name.clone();
        if address.by_udp().is_none() {
            self.stop_waiting(id);
        }
        if let Some(name) = name {
            self.deliver_there(&name, turn);
        }
    }

    /// A session has ended. Nobody is told of it at once.
    pub fn leave(&mut self, id: SessionId, (shard, now): (usize, Now)) {
        self.depart(id, &mut Turn { now, shard, post: &mut Nobody });
        self.stop_watching(id);
        self.stop_waiting(id);
        self.sessions.remove(&id);
    }

    /// A session has said something, whatever it is: mail comes to who was silent. Needless unless it
    /// [is awaited](Badge::is_awaited).
    pub fn hear(&mut self, id: SessionId, turn: &mut Turn<'_, A>) {
        let name = self.sessions.get(&id).and_then(|session| session.name.clone());
        if let Some(name) = name {
            self.wake(&name, turn);
        }
    }

    /// Does what is due on this shard, and what the desk has answered.
    pub fn turn(&mut self, turn: &mut Turn<'_, A>) {
        if self.signals.take_answers() {
            for (question, answer) in self.desk.answers() {
                self.hear_of(question, answer, turn);
            }
        }
        while let Some(job) = self.timers.pop(turn.shard, turn.now.tick) {
            match job {
                Job::Try { to, serial } => self.try_again(&to, serial, turn),
                Job::Round { to } => self.begin_in_time(&to, turn),
                Job::News { room } => self.tell_news(room, turn),
                Job::Meet { nonce, number } => self.introduce(nonce, number, turn),
                Job::Wait { session } => self.end_wait(session, turn),
                Job::Sweep => self.sweep(turn),
            }
        }
    }

    /// When this shard's next turn has to be, in ticks; `None` if nothing is due.
    pub fn due(&self, shard: usize) -> Option<u64> {
        self.timers.due(shard)
    }

    /// Sessions of this shard that have registered in no group, since it last asked: they are to come into the lobby.
    pub fn arrivals(&mut self, shard: usize) -> Vec<A> {
        let (here, elsewhere) =
            std::mem::take(&mut self.arrivals).into_iter().partition(|(at, _)| *at == shard);
        self.arrivals = elsewhere;
        self.signals.set_arrivals(self.arrivals.len());
        let here: Vec<_> = here;
        here.into_iter().map(|(_, address)| address).collect()
    }

    /// Applies new settings.
    pub fn reload(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The numbers as they are. They are kept as they change: however many people there are, this takes no longer.
    pub fn figures(&self) -> Figures {
        Figures {
            online: self.persons.len() as u64,
            waiting: self.meetings.waiting() as u64,
            silent: self.signals.silent().into(),
            under_way: self.signals.under_way(),
            ..self.figures
        }
    }

    /// A number that nothing else has.
    pub(crate) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Whoever asks is known from now on, as it is now.
    fn meet(&mut self, caller: Caller<A, G>, turn: &mut Turn<'_, A>) -> SessionId {
        if !self.is_swept {
            self.is_swept = true;
            self.timers.add(turn.shard, turn.now.tick + SWEEP_MS, Job::Sweep);
        }
        let Caller { session: id, address, group, shard, badge, .. } = caller;
        if let Some(session) = self.sessions.get_mut(&id) {
            (session.address, session.shard) = (address, shard);
            self.enter(id, group, turn);
        } else {
            let session = Session {
                address,
                group,
                shard,
                pace: Pace::default(),
                badge,
                name: None,
                former: None,
                watches: false,
                wait: None,
                met: None,
                is_timed: false,
            };
            self.sessions.insert(id, session);
        }
        id
    }

    fn sweep(&mut self, turn: &mut Turn<'_, A>) {
        let now = turn.now.tick;
        if !self.outcomes.sweep(now) {
            // The rest is soon done, and then what follows.
            return self.timers.add(turn.shard, now + FORGET_MS, Job::Sweep);
        }
        self.timers.add(turn.shard, now + SWEEP_MS, Job::Sweep);
        self.quota.sweep(now);
        self.rooms.sweep();
        self.go_round(turn.now);
    }

    /// The store forgets what is old, and names that nobody has used for long: not before it has heard of all that are online, and by
    /// the time at which that began. So none of them is ever forgotten, whatever it takes to tell, and however soon names are.
    fn go_round(&mut self, now: Now) {
        if !self.round.is_on && now.tick >= self.round.tick + STORE_SWEEP_MS {
            self.round = Round { tick: now.tick, since: now.unix, parts: 0, unseen: Vec::new(), is_on: true };
        }
        if !self.round.is_on {
            return;
        }
        for _ in 0..SEEN_AT_ONCE {
            let Some(name) = self.next_unseen() else {
                self.round.is_on = false;
                return self.sweep_store(self.round.since);
            };
            if !self.see(&name, now) {
                return self.round.unseen.push(name);
            }
        }
    }

    fn next_unseen(&mut self) -> Option<Key> {
        let round = &mut self.round;
        while round.unseen.is_empty() && round.parts < PARTS {
            round.unseen.extend(self.persons.keys_of(round.parts).cloned());
            round.parts += 1;
        }
        round.unseen.pop()
    }

    /// The store hears that a name is in use. False if it has too much to do.
    pub(crate) fn see(&mut self, name: &Key, now: Now) -> bool {
        self.desk.tell(store::Request::Seen { name: (**name).into(), now: now.unix })
    }
}

/// What the store hears before it forgets anything.
#[derive(Default)]
struct Round {
    /// When it began.
    tick: u64,
    /// The same in milliseconds since 1970.
    since: u64,
    /// Parts of the names that have had their turn. Who comes later the store hears of by that.
    parts: usize,
    /// Names of the last part that were online, of which the store has not heard.
    unseen: Vec<Key>,
    is_on: bool,
}
