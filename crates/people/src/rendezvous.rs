//! Where two who want to talk directly hear of each other's address.

use ahash::RandomState;
use hashbrown::HashMap;
use wire::{Notice, Refusal, Token};

use crate::People;
use crate::limits::{BRIDGE_MS, PEER_AT_MS};
use crate::name::Name;
use crate::parties::{Address, Place, SessionId, Turn};
use crate::people::Key;
use crate::timers::Job;

/// A session that waits for a peer.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    /// Whom it wants; anybody of its group who wants anybody, if nobody.
    pub wanted: Option<Key>,
    /// When it ends, in ticks.
    pub until: u64,
}

/// Two who were matched.
struct Meeting {
    /// Who they are, and whether they know of the other.
    sides: [(SessionId, bool); 2],
    since: u64,
}

/// Those who wait, and those who are told.
pub(crate) struct Meetings<G> {
    /// Who waits for anybody, by group: one, because two match.
    unnamed: HashMap<Option<G>, SessionId, RandomState>,
    open: HashMap<Token, Meeting, RandomState>,
    waiting: usize,
}

impl<G> Default for Meetings<G> {
    fn default() -> Self {
        Self { unnamed: HashMap::default(), open: HashMap::default(), waiting: 0 }
    }
}

impl<G> Meetings<G> {
    pub fn waiting(&self) -> usize {
        self.waiting
    }
}

impl<A: Address, G: Place> People<A, G> {
    pub(crate) fn bridge(
        &mut self,
        id: SessionId,
        wanted: Option<&[u8]>,
        nonce: Token,
        turn: &mut Turn<'_, A>,
    ) -> Result<(), Refusal> {
        let own = self.name_of(id)?;
        let session = &self.sessions[&id];
        let (address, group) = (session.address, session.group.clone());
        address.by_udp().ok_or(Refusal::NotOverTcp)?;
        let wanted = wanted.map(Name::parse).transpose().map_err(|_| Refusal::BadName)?;
        let wanted = wanted.map(|name| name.key);
        self.stop_waiting(id);
        let other = match &wanted {
            Some(wanted) => self.who_wants(wanted, &own.key),
            None => self.meetings.unnamed.get(&group).copied(),
        };
        if let Some(other) = other.filter(|&other| other != id) {
            self.stop_waiting(other);
            [id, other].into_iter().for_each(|side| self.meet_by(side, nonce));
            let sides = [(other, false), (id, false)];
            self.meetings.open.insert(nonce, Meeting { sides, since: turn.now.tick });
            self.figures.bridges += 1;
            self.introduce(nonce, 0, turn);
            return Ok(());
        }
        self.wait(id, wanted, turn);
        turn.post.tell(address, Notice::Waiting);
        Ok(())
    }

    /// Somebody has a new peer, and is not told of the one before any more: else who asks on and on is told eight times what it says.
    fn meet_by(&mut self, id: SessionId, nonce: Token) {
        let before = self.sessions.get_mut(&id).and_then(|session| session.met.replace(nonce));
        before.and_then(|before| self.meetings.open.remove(&before));
    }

    /// The session of a name, if it waits for that one.
    fn who_wants(&self, name: &Key, wanted: &Key) -> Option<SessionId> {
        let other = self.persons.get(name)?.session;
        let wait = self.sessions.get(&other)?.wait.as_ref()?;
        (wait.wanted.as_ref() == Some(wanted)).then_some(other)
    }

    fn wait(&mut self, id: SessionId, wanted: Option<Key>, turn: &mut Turn<'_, A>) {
        let until = turn.now.tick + BRIDGE_MS;
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if wanted.is_none() {
            self.meetings.unnamed.insert(session.group.clone(), id);
        }
        session.wait = Some(Wait { wanted, until });
        self.meetings.waiting += 1;
        // One at a time for each session, however often it begins to wait.
        if !std::mem::replace(&mut session.is_timed, true) {
            self.timers.add(turn.shard, until, Job::Wait { session: id });
        }
    }

    pub(crate) fn stop_waiting(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(wait) = session.wait.take() else { return };
        self.meetings.waiting -= 1;
        if wait.wanted.is_none() && self.meetings.unnamed.get(&session.group) == Some(&id) {
            self.meetings.unnamed.remove(&session.group);
        }
    }

    /// Who waits for anybody waits for one of its group.
    pub(crate) fn stop_waiting_unnamed(&mut self, id: SessionId) {
        let wait = self.sessions.get(&id).and_then(|session| session.wait.as_ref());
        if wait.is_some_and(|wait| wait.wanted.is_none()) {
            self.stop_waiting(id);
        }
    }

    pub(crate) fn end_wait(&mut self, id: SessionId, turn: &mut Turn<'_, A>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        match session.wait.as_ref().map(|wait| wait.until) {
            Some(until) if until > turn.now.tick => {
                self.timers.add(turn.shard, until, Job::Wait { session: id });
            }
            _ => {
                session.is_timed = false;
                self.stop_waiting(id);
            }
        }
    }

    /// Tells each side of a meeting where the other is, unless it knows, or one of them is reached by UDP no more: for this time of the
    /// number.
    pub(crate) fn introduce(&mut self, nonce: Token, number: usize, turn: &mut Turn<'_, A>) {
        let Some(meeting) = self.meetings.open.get(&nonce) else { return };
        let [(one, one_knows), (other, other_knows)] = meeting.sides;
        let next = PEER_AT_MS.get(number + 1).map(|after| meeting.since + after);
        for (to, about, knows) in [(one, other, one_knows), (other, one, other_knows)] {
            let (Ok(name), false) = (self.try_name_of(about), knows) else { continue };
            let Some(to) = self.sessions.get(&to).map(|session| session.address) else { continue };
            let about = self.sessions.get(&about).and_then(|session| session.address.by_udp());
            if let (Some(_), Some(address)) = (to.by_udp(), about) {
                turn.post.tell(to, Notice::PeerAt(&name.shown, address, nonce));
            }
        }
        match next {
            Some(due) => self.timers.add(turn.shard, due, Job::Meet { nonce, number: number + 1 }),
            None => drop(self.meetings.open.remove(&nonce)),
        }
    }

    fn try_name_of(&self, id: SessionId) -> Result<Name, Refusal> {
        if self.sessions.contains_key(&id) { self.name_of(id) } else { Err(Refusal::NotRegistered) }
    }

    /// A side of a meeting knows where the other is.
    pub(crate) fn end_introduction(&mut self, id: SessionId, nonce: Token) {
        let Some(meeting) = self.meetings.open.get_mut(&nonce) else { return };
        for (side, knows) in &mut meeting.sides {
            *knows |= *side == id;
        }
        if meeting.sides.iter().all(|(_, knows)| *knows) {
            self.meetings.open.remove(&nonce);
        }
    }
}
