//! Who has to go: the no longer allowed, and where there is no room, the longest silent of those who are not proved.

use wire::GroupId;

use crate::admission::Stance;
use crate::groups::{CannotJoin, Door, Joined};
use crate::limits::{EJECT_CLIENTS_PER_TURN, EVICTION_CLIENTS};
use crate::sessions::Session;
use crate::tally::Event;
use crate::{Engine, Member, Outbox, Prefixes};

impl Engine {
    /// Adds a member to a group, and tells whether room for one more client was reserved for it. Room is made only for who
    /// would get in.
    pub(super) fn enter(
        &mut self,
        id: &GroupId,
        member: Member,
        (needs_proof, is_client): (bool, bool),
        outbox: &mut Outbox,
    ) -> (Result<Joined, CannotJoin>, bool) {
        let ceiling = self.settings.ceilings.clients;
        let door = Door { cap: self.settings.cap, admit: true, needs_proof };
        let admit = is_client || self.groups.reserve_client(ceiling);
        let joined = self.groups.join(id, member, Door { admit, ..door });
        if let Err(CannotJoin::ServerFull { proved }) = joined
            && self.make_room(proved, outbox)
            && self.groups.reserve_client(ceiling)
        {
            return (self.groups.join(id, member, door), true);
        }
        (joined, admit)
    }

    /// Reserves room for one more client, who is proved.
    pub(super) fn reserve(&mut self, outbox: &mut Outbox) -> bool {
        let ceiling = self.settings.ceilings.clients;
        self.groups.reserve_client(ceiling)
            || self.make_room(true, outbox) && self.groups.reserve_client(ceiling)
    }

    /// Ends the longest silent of the unproved members of this shard that it looks at. For who is not proved either, nobody
    /// goes who may still be there: who has spoken within a heartbeat.
    fn make_room(&mut self, is_proved: bool, outbox: &mut Outbox) -> bool {
        if self.admission.unproved() == 0 || self.admission.stance() == Stance::Open {
            return false;
        }
        let patience = self.expiry.time_to_speak(&self.settings);
        let may_go =
            |session: &Session| !session.proved && (is_proved || self.now.since(session.active) > patience);
        let end = self.evicting + EVICTION_CLIENTS;
        let seen =
            (self.evicting..end).filter_map(|key| self.sessions.try_get(key).map(|session| (key, session)));
        let victim = seen.filter(|(_, session)| may_go(session)).min_by_key(|(_, session)| session.active);
        let victim = victim.map(|(key, _)| key);
        self.evicting = if end < self.sessions.keys_end() { end } else { 0 };
        let Some(key) = victim else { return false };
        self.seal(key, outbox);
        self.expiry.wheel.remove(key);
        self.end_session(key);
        self.tally.count(Event::EvictMember);
        true
    }

    /// Ends sessions that a reload no longer allows, and takes their proof from those that it no longer trusts; a bounded part
    /// each turn.
    pub(super) fn eject(&mut self) {
        let Some(first) = self.ejecting else { return };
        let end = first + EJECT_CLIENTS_PER_TURN;
        for key in first..end {
            let Some(session) = self.sessions.try_get(key) else { continue };
            let ip = session.client.ip();
            if !self.settings.access.admits(ip) {
                self.expiry.wheel.remove(key);
                if self.end_session(key) {
                    self.tally.count(Event::Eject);
                }
            } else if self.doubted.contains(ip) && !self.settings.trust.contains(ip) {
                self.doubt(key);
            }
        }
        self.ejecting = Some(end).filter(|&end| end < self.sessions.keys_end());
        if self.ejecting.is_none() {
            self.doubted = Prefixes::default();
        }
    }
}
