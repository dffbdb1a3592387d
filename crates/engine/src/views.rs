//! The groups that this shard's clients are in, as this shard last saw them.

use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use hashbrown::HashMap;
use slab::Slab;
use wire::GroupId;

use crate::delivery::RosterIndex;
use crate::group::Handle;
use crate::limits::INDEXED_MEMBERS;
use crate::{ClientAddr, Groups, Roster, Treatment};

/// A group as a shard sees it: its roster and terms, and which version that is.
pub(crate) struct View {
    pub handle: Arc<Handle>,
    pub roster: Roster,
    pub version: u64,
    /// How long the group's payloads may wait for company, if it says so itself.
    pub coalesce: Option<Duration>,
    /// Sessions of this shard in the group.
    sessions: u32,
    /// Where the roster stands in the outbox, for as long as the outbox has this stamp.
    pub listed: (u64, RosterIndex),
    /// How its unproved members are treated.
    pub unproved: Treatment,
}

impl View {
    /// A client's position in the roster: `hint` if it still is. Of many members the group's index is asked, under the
    /// lock, which takes less than a look at each of them; it may know a later roster than this one, and so be wrong.
    #[inline]
    pub fn position(&self, client: &ClientAddr, hint: u32, groups: &Groups) -> Option<u32> {
        if self.roster.is_at(client, hint) {
            return Some(hint);
        }
        let is_indexed = self.roster.len() > INDEXED_MEMBERS;
        let indexed = is_indexed.then(|| groups.position(&self.handle, client, hint)).flatten();
        self.roster.position(client, indexed.unwrap_or(hint))
    }

    /// From now on its unproved members are treated so. The outbox has to list the roster anew where that is a change.
    #[inline]
    pub fn treat(&mut self, unproved: Treatment) {
        if self.unproved != unproved {
            self.unproved = unproved;
            self.listed.0 = u64::MAX;
        }
    }
}

/// A shard's views.
pub(crate) struct Views {
    slab: Slab<View>,
    /// By stripe and slot, which no other group has while this one has members. A view whose last member has gone on from
    /// another address may outlast its group, and is in here no more when the next group has its place.
    index: HashMap<(u32, u32), u32, RandomState>,
}

impl Views {
    pub fn new(hasher: RandomState) -> Self {
        Self { slab: Slab::new(), index: HashMap::with_hasher(hasher) }
    }

    /// One more session is in the group.
    pub fn enter(&mut self, handle: Arc<Handle>) -> u32 {
        let place = (handle.stripe, handle.slot);
        let known = self.index.get(&place).copied();
        let key = known.filter(|&key| Arc::ptr_eq(self.handle(key), &handle)).unwrap_or_else(|| {
            // A version that no group has, so that the first look fetches the roster.
            let version = u64::MAX;
            let listed = (u64::MAX, RosterIndex(0));
            let roster = Roster::default();
            let (coalesce, unproved) = (None, Treatment::Served);
            let view = View { handle, roster, version, coalesce, sessions: 0, listed, unproved };
            let key = self.slab.insert(view) as u32;
            self.index.insert(place, key);
            key
        });
        self.slab[key as usize].sessions += 1;
        key
    }

    /// One session is in the group no more; the last one takes the view with it.
    pub fn exit(&mut self, key: u32) {
        let view = &mut self.slab[key as usize];
        view.sessions -= 1;
        if view.sessions == 0 {
            let view = self.slab.remove(key as usize);
            let place = (view.handle.stripe, view.handle.slot);
            if self.index.get(&place) == Some(&key) {
                self.index.remove(&place);
            }
        }
    }

    pub fn id(&self, key: u32) -> GroupId {
        self.slab[key as usize].handle.id
    }

    pub fn handle(&self, key: u32) -> &Arc<Handle> {
        &self.slab[key as usize].handle
    }

    /// The view as it is.
    pub fn view(&mut self, key: u32) -> &mut View {
        &mut self.slab[key as usize]
    }

    /// The view, brought up to date: one shared read if nothing has changed.
    #[inline]
    pub fn current(&mut self, key: u32, groups: &Groups) -> &mut View {
        let view = &mut self.slab[key as usize];
        if view.handle.version() != view.version {
            (view.version, view.roster, view.coalesce) = groups.current(&view.handle);
        }
        view
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::groups::Door;
    use crate::{Cap, LocalAddr, Member, Tick};
    use wire::Form;

    fn member(number: u32) -> Member {
        let client = ClientAddr::new(([127, 0, 0, 1], number as u16 + 1).into()).unwrap();
        Member { client, local: LocalAddr::new(0, None), proved: true, form: Form::Base }
    }

    #[test]
    fn a_view_lasts_for_as_long_as_somebody_is_in_the_group() {
        let mut views = Views::new(RandomState::new());
        let handle = Handle::new("TEST".parse().unwrap(), 3, 4);
        let key = views.enter(Arc::clone(&handle));
        assert_eq!(views.enter(handle), key);
        views.exit(key);
        assert_eq!((views.slab.len(), views.index.len()), (1, 1));
        views.exit(key);
        assert_eq!((views.slab.len(), views.index.len()), (0, 0));
    }

    /// The index knows the roster as it is, the view one that may be older.
    #[test]
    fn a_position_is_one_in_the_roster_of_the_view() {
        const MEMBERS: u32 = 4 * INDEXED_MEMBERS as u32;
        let (groups, mut views) = (Groups::new(), Views::new(RandomState::new()));
        let id = "TEST".parse().unwrap();
        groups.declare(&[(id, None)], Tick(0));
        let door = Door { cap: Cap::Unlimited, admit: true, needs_proof: false };
        let joined = |number| groups.join(&id, member(number), door).ok().unwrap();
        let key = views.enter(joined(0).handle);
        (1..MEMBERS).for_each(|number| drop(joined(number)));
        let view = views.current(key, &groups);
        // Who was last takes the first place; one more comes, and one is nowhere any more.
        groups.leave(&view.handle, &member(0).client, 0, Tick(0));
        joined(MEMBERS);
        groups.leave(&view.handle, &member(7).client, 7, Tick(0));
        for number in 0..MEMBERS {
            for hint in [number, 0, MEMBERS, u32::MAX] {
                assert_eq!(view.position(&member(number).client, hint, &groups), Some(number));
            }
        }
        assert_eq!(view.position(&member(MEMBERS).client, 0, &groups), None, "it came later");
        let now = groups.roster(&id).unwrap();
        for (at, member) in now.members().enumerate() {
            assert_eq!(groups.position(&view.handle, &member.client, u32::MAX), Some(at as u32));
        }
        let view = views.current(key, &groups);
        assert_eq!(view.position(&member(MEMBERS - 1).client, MEMBERS - 1, &groups), Some(0));
    }
}
