//! Groups of the model, and who is in them.

use std::rc::Rc;

use engine::{Cap, Event, Terms};
use wire::GroupId;

use super::eviction::first_due;
use super::{Model, PeerIndex};

/// A group of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupIndex(pub u32);

/// What the relay should know of a group.
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// What the configuration says of it, if it declares it.
    pub declared: Option<Terms>,
    /// Since when it has been empty, in milliseconds, if it will be deleted for that.
    pub empty_since: Option<u64>,
    /// True once it was deleted.
    pub deleted: bool,
    creator: Option<PeerIndex>,
    /// Nobody proved has made it: it may have to make room.
    is_spare: bool,
    was_joined: bool,
    /// Ascending.
    members: Vec<PeerIndex>,
    audience: Option<Rc<[PeerIndex]>>,
}

impl Group {
    /// Its members, ascending.
    pub fn members(&self) -> &[PeerIndex] {
        &self.members
    }

    /// True if only its creator can know of it, and this is who that is.
    pub fn is_new_and_by(&self, peer: PeerIndex) -> bool {
        !self.was_joined && self.creator == Some(peer)
    }

    /// True if it may have to make room for another: where nobody has to prove anything, only what somebody made who had to.
    pub fn may_make_room(&self, is_open: bool) -> bool {
        let is_spare = self.is_spare && !self.was_joined;
        self.members.is_empty() && self.declared.is_none() && !self.deleted && (is_spare || !is_open)
    }

    /// The common cap, unless it is declared.
    pub fn cap(&self, common: Cap) -> Cap {
        self.declared.map_or(common, |terms| terms.cap.unwrap_or(Cap::Unlimited))
    }

    /// Its members now.
    pub fn audience(&mut self) -> Rc<[PeerIndex]> {
        Rc::clone(self.audience.get_or_insert_with(|| self.members.as_slice().into()))
    }
}

impl Model {
    /// The group of this id.
    pub fn of(&self, id: &GroupId) -> Option<GroupIndex> {
        self.by_id.get(id).copied()
    }

    /// The configuration declares a group, which is new.
    pub fn declare(&mut self, id: GroupId, terms: Terms) {
        self.live_groups += 1;
        self.add_group(id, Some(terms), None, false, None);
    }

    /// A group was made, and this is its id.
    pub fn created(
        &mut self,
        id: GroupId,
        creator: PeerIndex,
        is_spare: bool,
        now: u64,
    ) -> Result<(), String> {
        if self.by_id.contains_key(&id) {
            return Err(format!("{id} was made twice"));
        }
        self.add_group(id, None, Some(creator), is_spare, Some(now));
        Ok(())
    }

    fn add_group(
        &mut self,
        id: GroupId,
        declared: Option<Terms>,
        creator: Option<PeerIndex>,
        is_spare: bool,
        since: Option<u64>,
    ) {
        self.by_id.insert(id, GroupIndex(self.groups.len() as u32));
        self.groups.push(Group {
            id,
            declared,
            empty_since: since,
            deleted: false,
            creator,
            is_spare,
            was_joined: false,
            members: Vec::new(),
            audience: None,
        });
    }

    pub(super) fn enter(&mut self, shard: usize, peer: PeerIndex, to: GroupIndex, came: Option<u64>) {
        let group = &mut self.groups[to.0 as usize];
        if let Err(at) = group.members.binary_search(&peer) {
            group.members.insert(at, peer);
        }
        group.audience = None;
        group.empty_since = None;
        if !std::mem::replace(&mut group.was_joined, true) && group.declared.is_none() {
            self.unjoined -= 1;
        }
        let known = &mut self.peers[peer.0 as usize];
        (known.group, known.entries) = (Some(to), known.entries + 1);
        if let Some(now) = came {
            known.due = first_due(self.shards[shard].settings.max_rate, now);
        }
        self.shards[shard].members.push(peer);
        self.clients += 1;
    }

    /// A member is one no more.
    pub(super) fn exit(&mut self, peer: PeerIndex, from: GroupIndex, now: u64) {
        let group = &mut self.groups[from.0 as usize];
        if let Ok(at) = group.members.binary_search(&peer) {
            group.members.remove(at);
        }
        group.audience = None;
        if group.members.is_empty() && group.declared.is_none() {
            group.empty_since = Some(now);
        }
        let known = &mut self.peers[peer.0 as usize];
        (known.group, known.proved) = (None, None);
        self.shards[known.shard].members.retain(|other| *other != peer);
        self.clients -= 1;
    }

    /// An empty group was deleted by this shard.
    pub fn deleted(&mut self, shard: usize, at: GroupIndex) {
        self.forget(at);
        self.shards[shard].counts.events[Event::Delete as usize] += 1;
    }

    pub(super) fn forget(&mut self, at: GroupIndex) {
        let group = &mut self.groups[at.0 as usize];
        group.deleted = true;
        group.empty_since = None;
        self.by_id.remove(&group.id);
        self.live_groups -= 1;
        self.unjoined -= u32::from(!group.was_joined);
        if let Some(used) = group.creator.and_then(|creator| self.quotas.get_mut(&creator)) {
            *used -= 1;
        }
    }
}
