//! Who may not speak at all, or not so much, and who has to go.

use std::net::IpAddr;
use std::num::NonZeroU32;

use engine::{Access, AdmissionMode, Event};

use super::{GroupIndex, Maybe, Model, PeerIndex};
use crate::script::MANY;

/// What may be sent at once, in milliseconds of the rate.
const BURST: u64 = 250;

impl Model {
    /// True if a shard takes no datagrams from here.
    pub fn is_denied(&self, shard: usize, ip: IpAddr) -> bool {
        let Access { allow, deny } = &self.shards[shard].settings.access;
        let is_in = |prefixes: &engine::Prefixes| prefixes.given().iter().any(|net| net.contains(&ip));
        !is_in(allow) || is_in(deny)
    }

    /// A member of this shard that is not allowed any more.
    pub fn denied_member(&self, shard: usize) -> Option<PeerIndex> {
        let members = &self.shards[shard].members;
        members.iter().find(|peer| self.is_denied(shard, self.peer(**peer).address.ip())).copied()
    }

    /// A member is removed because it is not allowed any more.
    pub fn eject(&mut self, peer: PeerIndex, now: u64) {
        let (shard, group) = (self.peer(peer).shard, self.peer(peer).group);
        if let Some(group) = group {
            self.exit(peer, group, now);
            self.shards[shard].counts.events[Event::Eject as usize] += 1;
        }
    }

    /// True if one more payload is within the highest rate, which divides a second into whole milliseconds here.
    pub(super) fn is_within_rate(&mut self, shard: usize, peer: PeerIndex, now: u64) -> bool {
        let Some(rate) = self.shards[shard].settings.max_rate else { return true };
        let due = &mut self.peers[peer.0 as usize].due;
        let is_within = *due <= now + BURST;
        if is_within {
            *due = now.max(*due) + 1000 / u64::from(rate.get());
        }
        is_within
    }

    /// True if there may be no room, so that somebody has to go.
    pub fn may_evict(&self, shard: usize) -> bool {
        let ceilings = &self.shards[shard].settings.ceilings;
        ceilings.clients.min(ceilings.groups).min(ceilings.unjoined_groups) < MANY
    }

    /// A member had to go, to make room for the one who asked for this.
    ///
    /// # Errors
    /// Why it should not have.
    pub fn evict_member(&mut self, victim: PeerIndex, by: &Maybe) -> Result<(), &'static str> {
        let known = self.peer(victim);
        let (shard, group) = (known.shard, known.group);
        let settings = &self.shards[shard].settings;
        let silent = u128::from(by.now.saturating_sub(known.active));
        let wrong = [
            (known.proved.is_some(), "it had proved itself"),
            (
                !by.proves && silent <= settings.heartbeat.as_millis(),
                "it has spoken, and for who is not proved",
            ),
            (self.clients < settings.ceilings.clients, "there was room"),
            (self.mode == AdmissionMode::Open, "nobody has to prove anything"),
        ];
        if let Some(group) = group {
            self.exit(victim, group, by.now);
        }
        self.shards[shard].counts.events[Event::EvictMember as usize] += 1;
        self.peers[victim.0 as usize].evicted = Some(by.now);
        wrong.iter().find(|(is_wrong, _)| *is_wrong).map_or(Ok(()), |(_, why)| Err(*why))
    }

    /// True if a shard need not make room where there are so many groups, and so many that nobody ever joined.
    pub fn has_room(&self, shard: usize, (groups, unjoined): (u32, u32)) -> bool {
        let ceilings = self.shards[shard].settings.ceilings;
        groups < ceilings.groups && unjoined < ceilings.unjoined_groups
    }

    /// A group had to go, to make room for another. False if it should not have.
    pub fn evict_group(&mut self, shard: usize, victim: GroupIndex) -> bool {
        let is_open = self.shards[shard].settings.admission == AdmissionMode::Open;
        let may_go = self.group(victim).may_make_room(is_open);
        self.forget(victim);
        self.shards[shard].counts.events[Event::EvictGroup as usize] += 1;
        may_go
    }
}

/// Who has just come waits for its turn, and has no burst.
pub(super) fn first_due(max_rate: Option<NonZeroU32>, now: u64) -> u64 {
    max_rate.map_or(0, |rate| now + BURST + 1000 / u64::from(rate.get()))
}
