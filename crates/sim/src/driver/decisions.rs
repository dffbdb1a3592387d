//! What the relay has decided where the model could not know: seen in its groups and its replies, and judged.

use std::net::SocketAddr;

use wire::GroupId;

use super::SimDriver;
use crate::model::{Expected, Group, GroupIndex, Maybe, Model, Peer, PeerIndex, Request};
use crate::trace::What;

impl SimDriver {
    /// Sees what the engine has made of the last request, where the model could not know.
    pub(super) fn settle(&self) {
        let Some(maybe) = self.pending.take() else { return };
        let mut model = self.world.model.borrow_mut();
        let address = model.peer(maybe.peer).address;
        let roster = maybe.group.and_then(|(_, id)| self.groups.roster(&id));
        let mut members = roster.iter().flat_map(engine::Roster::members);
        let is_inside = members.any(|member| member.client.socket_addr() == address);
        if model.may_evict(self.shard) {
            self.settle_evictions(&mut model, &maybe, is_inside);
        }
        if let Err(wrong) = model.decided(&maybe, is_inside) {
            self.violated(|| format!("{address}: {wrong}"));
        }
    }

    /// Sees who had to go for a request.
    fn settle_evictions(&self, model: &mut Model, maybe: &Maybe, is_inside: bool) {
        let is_new = is_inside && model.peer(maybe.peer).group.is_none();
        if self.groups.clients() != model.totals().0 + u32::from(is_new) {
            self.settle_members(model, maybe);
        }
        if maybe.request == Request::Create {
            self.settle_groups(model);
        }
    }

    /// Some member of this shard had to go.
    fn settle_members(&self, model: &mut Model, maybe: &Maybe) {
        let is_gone = |peer: &&PeerIndex| {
            let Peer { address, group, .. } = model.peer(**peer);
            let roster = group.and_then(|group| self.groups.roster(&model.group(group).id));
            let mut members = roster.iter().flat_map(engine::Roster::members);
            !members.any(|member| member.client.socket_addr() == *address)
        };
        let members = &model.shard(self.shard).members;
        let gone: Vec<PeerIndex> =
            members.iter().filter(|peer| **peer != maybe.peer).filter(is_gone).copied().collect();
        for victim in gone {
            let address = model.peer(victim).address;
            self.world.note(What::Evicts, [self.shard as u64, self.world.number_of(address), 0], &[]);
            if let Err(wrong) = model.evict_member(victim, maybe) {
                self.violated(|| format!("{address} had to go: {wrong}"));
            }
        }
    }

    /// Groups that had to go.
    fn settle_groups(&self, model: &mut Model) {
        let is_gone = |(_, group): &(GroupIndex, &Group)| {
            !group.deleted && group.declared.is_none() && self.groups.roster(&group.id).is_none()
        };
        let gone: Vec<GroupIndex> = model.groups().filter(is_gone).map(|(at, _)| at).collect();
        for victim in gone {
            let id = model.group(victim).id;
            self.world.note(What::Evicts, [self.shard as u64, 0, 1], id.as_str().as_bytes());
            let has_room = model.has_room(self.shard, (self.groups.count(), self.groups.unjoined()));
            let may_go = model.evict_group(self.shard, victim);
            if has_room || !may_go {
                self.violated(|| format!("the group {id} had to go, allowed {may_go}, room {has_room}"));
            }
        }
    }

    /// A group may have been made and have had to go in one turn.
    fn see_whether_it_is_gone(&self, model: &mut Model, text: &str) {
        let id = text.strip_prefix("OK CREATED ").and_then(|id| id.parse::<GroupId>().ok());
        let Some(at) = id.filter(|id| self.groups.roster(id).is_none()).and_then(|id| model.of(&id)) else {
            return;
        };
        if !(model.may_evict(self.shard) && model.evict_group(self.shard, at)) {
            self.violated(|| format!("{text}, but it is gone"));
        }
    }

    /// A reply is the next one that is expected, but for those that the relay need not give.
    pub(super) fn check_reply(&self, to: SocketAddr, start: u32, len: u16) {
        let text = String::from_utf8_lossy(&self.text[start as usize..][..usize::from(len)]);
        let now = self.port.borrow().turn_at.as_millis() as u64;
        let mut model = self.world.model.borrow_mut();
        while let Some((owed, expected)) = self.expected.borrow_mut().pop_front() {
            let is_right = match &expected {
                Expected::Any(maybe) if owed == to && model.answered(maybe, &text, self.shard, now) => {
                    return self.see_whether_it_is_gone(&mut model, &text);
                }
                Expected::Any(_) => continue,
                _ if owed != to => false,
                Expected::Text(right) => *right == text,
                Expected::Created(creator) => {
                    let id = text.strip_prefix("OK CREATED ").and_then(|id| id.parse::<GroupId>().ok());
                    id.is_some_and(|id| model.created(id, *creator, false, now).is_ok())
                }
            };
            if !is_right {
                self.violated(|| format!("{to} gets {text}, but {owed} should get {expected:?}"));
            }
            return;
        }
        self.violated(|| format!("{to} gets a reply that it is not owed: {text}"));
    }
}
