//! When silence and emptiness may end something, and when they must have.

use std::time::Duration;

use engine::{Event, Settings};

use super::{GroupIndex, Model, PeerIndex, ShardModel};

/// A shard's time, in milliseconds.
pub(super) struct Watch {
    last_turn: u64,
    /// The loop was stopped: nobody is swept before.
    grace: u64,
    /// A longer idle limit of before a reload holds until then.
    patience: (u64, u64),
    /// When the shard last turned later than it wanted: what it owes is due a second after.
    late: u64,
}

/// How long a sweep may take, in milliseconds.
const SLACK: u64 = 1000;

impl Watch {
    pub fn new(now: u64) -> Self {
        Self { last_turn: now, grace: now, patience: (0, 0), late: now }
    }
}

impl Model {
    /// A shard has begun a turn; `late` if it had wanted to earlier.
    pub fn begin_turn(&mut self, shard: usize, now: u64, late: bool) {
        let ShardModel { settings, expiry, .. } = &mut self.shards[shard];
        let heartbeat = settings.heartbeat;
        let gap = Duration::from_millis(now.saturating_sub(expiry.last_turn));
        if gap > heartbeat.max(engine::limits::MIN_STALL) {
            expiry.grace = now + millis(heartbeat * 11 / 10);
        }
        if late {
            expiry.late = now;
        }
        expiry.last_turn = now;
    }

    /// A shard has read new settings.
    pub fn reload(&mut self, shard: usize, settings: &Settings) {
        let ShardModel { settings: old, expiry, .. } = &mut self.shards[shard];
        let now = expiry.last_turn;
        if settings.heartbeat < old.heartbeat {
            let until = now + millis((old.heartbeat * 11 / 10).min(engine::limits::RELOAD_PATIENCE));
            let before = if now < expiry.patience.1 { expiry.patience.0 } else { 0 };
            expiry.patience = (limit(old).max(before), until);
        }
        expiry.late = now;
        *old = settings.clone();
        self.set_mode(settings.admission);
    }

    /// Why a member must not have been swept, at a shard's turn of this time.
    pub fn may_expire(&self, peer: PeerIndex, now: u64) -> Result<(), String> {
        let known = self.peer(peer);
        let ShardModel { settings, expiry, .. } = &self.shards[known.shard];
        let sweep = sweep(settings);
        let silent = (now / sweep * sweep).saturating_sub(known.active);
        if now < expiry.grace {
            return Err(format!("in the grace until {} ms", expiry.grace));
        }
        let patient = if now < expiry.patience.1 { expiry.patience.0 } else { 0 };
        let limit = limit(settings).max(patient);
        if silent <= limit {
            Err(format!("after {silent} ms of silence, {limit} are allowed"))
        } else {
            Ok(())
        }
    }

    /// Sweeps a member out of the model.
    pub fn expire(&mut self, peer: PeerIndex, now: u64) {
        let (shard, group) = (self.peer(peer).shard, self.peer(peer).group);
        if let Some(group) = group {
            self.exit(peer, group, now);
            self.shards[shard].counts.events[Event::Expire as usize] += 1;
        }
    }

    /// A member of this shard that should have been swept long ago.
    pub fn overdue_member(&self, shard: usize, now: u64) -> Option<PeerIndex> {
        let ShardModel { settings, members, expiry, .. } = &self.shards[shard];
        let limit = limit(settings).max(expiry.patience.0);
        let is_overdue = |peer: &&PeerIndex| {
            let due = self.peer(**peer).active + limit + sweep(settings);
            now > due.max(self.excuse(shard)) + SLACK
        };
        members.iter().find(is_overdue).copied()
    }

    /// Why a group must not have been deleted, at a shard's turn of this time.
    pub fn may_delete(&self, shard: usize, group: GroupIndex, now: u64) -> Result<(), String> {
        let settings = &self.shards[shard].settings;
        let since = self.group(group).empty_since.ok_or("it is not empty")?;
        let as_of = now / sweep(settings) * sweep(settings);
        let due = since + millis(settings.empty_ttl);
        if as_of < due { Err(format!("at {as_of} ms, it may stay until {due} ms")) } else { Ok(()) }
    }

    /// A group that should have been deleted long ago, whichever shard has to do that.
    pub fn overdue_group(&self) -> Option<GroupIndex> {
        // Who stands still has not been late yet.
        let now = self.shards.iter().map(|shard| shard.expiry.last_turn).min().unwrap_or(0);
        let excuse = (0..self.shards.len()).map(|shard| self.excuse(shard)).max().unwrap_or(0);
        let longest = |of: fn(&Settings) -> u64| self.shards.iter().map(|shard| of(&shard.settings)).max();
        let wait = longest(|settings| millis(settings.empty_ttl) + sweep(settings)).unwrap_or(0);
        let is_overdue = |since: u64| now > (since + wait).max(excuse) + SLACK;
        let found = self.groups().find(|(_, group)| group.empty_since.is_some_and(is_overdue))?;
        Some(found.0)
    }

    /// Until when a shard could not sweep.
    fn excuse(&self, shard: usize) -> u64 {
        let ShardModel { settings, expiry, .. } = &self.shards[shard];
        expiry.grace.max(expiry.patience.1).max(expiry.late) + sweep(settings)
    }
}

fn limit(settings: &Settings) -> u64 {
    3 * millis(settings.heartbeat)
}

fn sweep(settings: &Settings) -> u64 {
    millis(settings.sweep).max(1)
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
