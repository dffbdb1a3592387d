//! How clients come, stay and go: requests, their repeats, and what the relay answers.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use wire::{Cookie, GroupId, Refusal, Reply};

use super::client::{State, milliseconds};
use super::{Lane, Outlet};
use crate::outcome::Phase;

/// How long a request waits for its answer before it is repeated, first and later.
const PATIENCE: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// How long a member that is about to leave waits for what was sent before: more than three times the longest that a
/// relay holds a payload back (0.3 s of backlog, `docs/architecture.md`).
pub const SETTLE: Duration = Duration::from_secs(1);

/// Without a single answer for so long after the ramp, joining has failed.
pub const STALLED: Duration = Duration::from_secs(10);

/// What is to be asked, and when it is to be asked again.
#[derive(Default)]
pub struct Membership {
    /// The client that starts next, in the order of their numbers.
    pub started: u32,
    /// Requests to send as soon as there is room.
    queue: VecDeque<(u32, State)>,
    /// Unanswered requests by the length of their wait, in order of their deadlines.
    repeats: [VecDeque<(u32, u32)>; PATIENCE.len()],
    /// Retiring clients in order of their deadlines.
    retiring: VecDeque<(u32, u32)>,
    /// Silent members in the order in which they joined, with the time.
    silent: VecDeque<(u32, u32)>,
    /// Members that are counted.
    pub members: u32,
    /// The most that there ever were, and since when.
    most: u32,
    pub progressed: Duration,
    /// Clients whose LEAVE has no answer.
    pub leaving: u32,
    /// What the relay wants to see in requests that have no other answer yet, to believe in their addresses.
    cookies: HashMap<u32, Cookie>,
    proofs: Proofs,
    /// Answers that may still come from a relay that knows no proofs, and say nothing about the group.
    strays: HashMap<u32, u8>,
    /// The last refusal, for the error message.
    pub refusal: Option<Refusal>,
}

/// Whether a JOIN begins with the question for a proof of the client's address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proofs {
    /// It does, and whether the relay understands that has yet to be seen.
    #[default]
    Untold,
    /// It does: the relay understands.
    Known,
    /// It does not: the relay takes the question for a part of the group's name, or nobody wants to be proved.
    Unknown,
}

impl Membership {
    /// Nobody has started; with `unproved` nobody asks for a proof.
    pub fn new(unproved: bool) -> Self {
        let proofs = if unproved { Proofs::Unknown } else { Proofs::Untold };
        Self { proofs, ..Self::default() }
    }

    /// How a client that has no cookie, or has one, asks to join.
    fn way_in(&self, client: u32) -> State {
        let asks = self.proofs != Proofs::Unknown && !self.cookies.contains_key(&client);
        if asks { State::Seeking } else { State::Joining }
    }

    /// The relay has answered a question for a proof.
    fn understood(&mut self) {
        if self.proofs == Proofs::Untold {
            self.proofs = Proofs::Known;
        }
    }

    /// True if a refusal is the late answer to a question for a proof.
    fn take_stray(&mut self, client: u32) -> bool {
        let stray = self.strays.get_mut(&client).filter(|left| **left > 0);
        stray.map(|left| *left -= 1).is_some()
    }

    /// True if something waits for room.
    pub fn is_behind(&self) -> bool {
        !self.queue.is_empty()
    }

    /// When the first repeat or end of waiting is due.
    pub fn next(&self) -> Option<Duration> {
        let heads = self.repeats.iter().filter_map(|queue| queue.front());
        let first = heads.chain(self.retiring.front()).map(|(deadline, _)| *deadline).min()?;
        Some(Duration::from_millis(first.into()))
    }
}

impl Lane {
    /// Lets a client join its group; it asks for the group if nobody has.
    pub(super) fn start(&mut self, client: u32) {
        self.clients[client as usize].state = State::Waiting;
        let group = &mut self.groups[self.clients[client as usize].group as usize];
        if group.id.is_some() {
            self.membership.queue.push_back((client, State::Joining));
        } else if !group.creating {
            group.creating = true;
            self.membership.queue.push_back((client, State::Creating));
        }
    }

    /// Sends requests that wait, at most so many; returns how many.
    pub(super) fn request(&mut self, room: usize, now: Duration, out: &mut impl Outlet) -> usize {
        let mut sent = 0;
        while sent < room
            && let Some((client, wanted)) = self.membership.queue.pop_front()
        {
            let before = if wanted == State::Leaving { State::Retiring } else { State::Waiting };
            if self.clients[client as usize].state == before {
                let way = if wanted == State::Joining { self.membership.way_in(client) } else { wanted };
                self.clients[client as usize].state = way;
                self.clients[client as usize].tries = 0;
                self.membership.leaving += u32::from(wanted == State::Leaving);
                self.ask(client, now, out);
                sent += 1;
            }
        }
        sent
    }

    /// Sends a client's request, and remembers to repeat it.
    fn ask(&mut self, client: u32, now: Duration, out: &mut impl Outlet) {
        let it = &mut self.clients[client as usize];
        let cookie = self.membership.cookies.get(&client);
        let Some(text) = request_text(it.state, self.groups[it.group as usize].id, cookie) else {
            // Meanwhile another member has learnt that the group is gone.
            return if it.state == State::Leaving { self.left(client) } else { self.start(client) };
        };
        let level = usize::from(it.tries).min(PATIENCE.len() - 1);
        it.tries = it.tries.saturating_add(1);
        it.deadline = milliseconds(now + PATIENCE[level]);
        self.membership.repeats[level].push_back((it.deadline, client));
        out.send(client, text.as_bytes());
    }

    /// Repeats what was not answered in time, at most so often; returns how often.
    pub(super) fn repeat(&mut self, room: usize, now: Duration, out: &mut impl Outlet) -> usize {
        let mut sent = 0;
        for level in 0..PATIENCE.len() {
            while sent < room
                && let Some(&(deadline, client)) = self.membership.repeats[level].front()
                && deadline <= milliseconds(now)
            {
                self.membership.repeats[level].pop_front();
                let it = &self.clients[client as usize];
                let asks =
                    matches!(it.state, State::Creating | State::Seeking | State::Joining | State::Leaving);
                if asks && it.deadline == deadline {
                    self.ledger.totals().repeats += 1;
                    self.ask(client, now, out);
                    sent += 1;
                }
            }
        }
        sent
    }

    /// Takes a member out of the accounts; it leaves when what was sent before has had time to arrive.
    pub(super) fn retire(&mut self, client: u32, now: Duration) {
        self.discount(client);
        let it = &mut self.clients[client as usize];
        it.state = State::Retiring;
        it.deadline = milliseconds(now + SETTLE);
        self.membership.retiring.push_back((it.deadline, client));
    }

    /// Lets a member leave at once.
    pub(super) fn dismiss(&mut self, client: u32) {
        self.discount(client);
        self.clients[client as usize].state = State::Retiring;
        self.membership.queue.push_back((client, State::Leaving));
    }

    /// Lets a retiring member leave at once.
    pub(super) fn hurry(&mut self, client: u32) {
        self.membership.queue.push_back((client, State::Leaving));
    }

    /// From now on, payloads are not for this client.
    fn discount(&mut self, client: u32) {
        let it = &mut self.clients[client as usize];
        it.until = self.ledger.number();
        self.groups[it.group as usize].members -= 1;
        self.membership.members -= 1;
    }

    /// Lets retired members leave, and silent ones be forgotten.
    pub(super) fn settle(&mut self, now: Duration) {
        while let Some(&(deadline, client)) = self.membership.retiring.front()
            && deadline <= milliseconds(now)
        {
            self.membership.retiring.pop_front();
            self.membership.queue.push_back((client, State::Leaving));
        }
        // Nothing is sent to them before everybody has joined, and everybody includes them.
        let Some(hint) = self.heart.hint().filter(|_| self.phase != Phase::Joining) else { return };
        let silence = (3 * hint).saturating_sub(2 * SETTLE);
        while let Some(&(joined, client)) = self.membership.silent.front()
            && Duration::from_millis(joined.into()) + silence <= now
        {
            self.membership.silent.pop_front();
            if self.clients[client as usize].state == State::Joined {
                self.discount(client);
                self.clients[client as usize].state = State::Gone;
            }
        }
    }

    /// What the relay's answer means for a client.
    pub(super) fn answered(&mut self, client: u32, reply: Reply, now: Duration) {
        let state = self.clients[client as usize].state;
        if let Reply::Refused(Refusal::Retry(cookie)) = reply {
            return self.prove(client, cookie);
        }
        match (reply, state) {
            (Reply::Created(id), State::Creating) => self.created(client, id, now),
            (Reply::Joined(id), State::Seeking | State::Joining) => self.joined(client, id, now),
            (Reply::Left(_), State::Leaving) => {
                self.ledger.totals().leaves += 1;
                self.left(client);
            }
            (Reply::Refused(Refusal::NotInThatGroup), State::Leaving) => self.left(client),
            (Reply::Pong(heartbeat), _) => self.ponged(client, Duration::from_millis(heartbeat.0), now),
            (Reply::Refused(Refusal::NotJoined), State::Joined) => self.evicted(client),
            (Reply::Refused(Refusal::NotJoined | Refusal::NotInThatGroup), _) => {}
            (Reply::Refused(refusal), _) => self.refused(client, refusal, now),
            _ => {}
        }
    }

    /// Asks again at once with the cookie; with another one when it is time to repeat, or a relay that always wants
    /// another would be asked without end.
    fn prove(&mut self, client: u32, cookie: Cookie) {
        let wanted = match self.clients[client as usize].state {
            State::Seeking => State::Joining,
            state @ (State::Creating | State::Joining) => state,
            _ => return,
        };
        self.membership.understood();
        if self.membership.cookies.insert(client, cookie).is_none() {
            self.ask_again(client, wanted);
        }
    }

    /// Lets a client ask in other words; nobody does who is to leave.
    fn ask_again(&mut self, client: u32, wanted: State) {
        let is_over = self.phase == Phase::Leaving;
        self.clients[client as usize].state = if is_over { State::Gone } else { State::Waiting };
        self.membership.queue.push_back((client, wanted));
    }

    fn created(&mut self, client: u32, id: GroupId, now: Duration) {
        self.membership.cookies.remove(&client);
        self.clients[client as usize].state = State::Waiting;
        let group = &mut self.groups[self.clients[client as usize].group as usize];
        (group.id, group.creating, group.created) = (Some(id), false, milliseconds(now));
        for member in group.clients.clone() {
            if self.clients[member as usize].state == State::Waiting {
                self.membership.queue.push_back((member, State::Joining));
            }
        }
    }

    fn joined(&mut self, client: u32, id: GroupId, now: Duration) {
        let it = &mut self.clients[client as usize];
        let group = &mut self.groups[it.group as usize];
        if group.id != Some(id) {
            return;
        }
        if it.state == State::Seeking {
            self.membership.understood();
        }
        it.state = State::Joined;
        self.membership.cookies.remove(&client);
        self.membership.strays.remove(&client);
        (it.from, it.until) = (self.ledger.number(), u64::MAX);
        group.members += 1;
        self.membership.members += 1;
        if self.membership.members > self.membership.most {
            (self.membership.most, self.membership.progressed) = (self.membership.members, now);
        }
        self.ledger.totals().joins += 1;
        match (self.phase, it.silent) {
            (Phase::Leaving, _) => self.dismiss(client),
            (_, true) => self.membership.silent.push_back((milliseconds(now), client)),
            (_, false) => self.heart.welcome(client, now),
        }
    }

    fn left(&mut self, client: u32) {
        self.membership.leaving -= 1;
        if self.phase == Phase::Leaving {
            self.clients[client as usize].state = State::Gone;
        } else {
            self.start(client);
        }
    }

    fn evicted(&mut self, client: u32) {
        self.ledger.totals().evictions += 1;
        self.discount(client);
        self.start(client);
    }

    fn refused(&mut self, client: u32, refusal: Refusal, now: Duration) {
        if refusal == Refusal::NoSuchGroup && self.was_in_vain(client) {
            return;
        }
        self.ledger.totals().refusals += 1;
        self.membership.refusal = Some(refusal);
        let state = self.clients[client as usize].state;
        match (refusal, state) {
            (Refusal::GroupFull(_), State::Seeking | State::Joining) => self.fail(refusal),
            (Refusal::ClientLimit { .. }, State::Creating) => self.ask_another(client, refusal),
            (Refusal::NoSuchGroup, State::Seeking | State::Joining) => {
                self.group_is_gone(client, now);
            }
            // SERVER_FULL may pass; the request is repeated.
            _ => {}
        }
    }

    /// True if a question for a proof is all that was refused, by a relay that knows none, such as the original server. Then
    /// nobody asks any more.
    fn was_in_vain(&mut self, client: u32) -> bool {
        let it = &mut self.clients[client as usize];
        match it.state {
            State::Seeking if self.membership.proofs != Proofs::Known => {
                self.membership.proofs = Proofs::Unknown;
                self.membership.strays.insert(client, it.tries - 1);
                self.ask_again(client, State::Joining);
                true
            }
            State::Joining => self.membership.take_stray(client),
            _ => false,
        }
    }

    /// The relay has deleted the group, or was started anew; unless the answer is about an earlier one. The request is
    /// repeated in its time, which spares a relay that says so again and again.
    fn group_is_gone(&mut self, client: u32, now: Duration) {
        let it = &mut self.clients[client as usize];
        let group = &mut self.groups[it.group as usize];
        let wait = PATIENCE[usize::from(it.tries.saturating_sub(1)).min(PATIENCE.len() - 1)];
        let asked = it.deadline.saturating_sub(milliseconds(wait));
        if group.id.is_some() && group.created >= asked && group.created > 0 {
            return;
        }
        group.id = None;
        if group.creating {
            it.state = State::Waiting;
        } else {
            group.creating = true;
            (it.state, it.tries) = (State::Creating, 1);
            it.deadline = milliseconds(now + PATIENCE[0]);
            self.membership.repeats[0].push_back((it.deadline, client));
        }
    }

    /// The next client asks for the group.
    fn ask_another(&mut self, client: u32, refusal: Refusal) {
        self.clients[client as usize].state = State::Waiting;
        let group = &mut self.groups[self.clients[client as usize].group as usize];
        group.creator += 1;
        if group.creator as usize >= group.clients.len() {
            return self.fail(refusal);
        }
        let other = group.creator();
        self.clients[other as usize].state = State::Waiting;
        self.membership.queue.push_back((other, State::Creating));
    }
}

fn request_text(state: State, group: Option<GroupId>, cookie: Option<&Cookie>) -> Option<String> {
    let proof = cookie.map(|cookie| format!(" {cookie}")).unwrap_or_default();
    match (state, group) {
        (State::Creating, _) => Some(format!("!CREATE{proof}")),
        (State::Seeking, Some(id)) => Some(format!("!JOIN {id} {}", Cookie::ASK)),
        (State::Joining, Some(id)) => Some(format!("!JOIN {id}{proof}")),
        (State::Leaving, Some(id)) => Some(format!("!LEAVE {id}")),
        _ => None,
    }
}
