//! The groups that this shard's clients are in, as this shard last saw them.

use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use hashbrown::HashMap;
use slab::Slab;
use wire::GroupId;

use crate::delivery::RosterIndex;
use crate::group::Handle;
use crate::{Groups, Roster};

/// A group as a shard sees it: its roster, and which version that is.
pub(crate) struct View {
    pub handle: Arc<Handle>,
    pub roster: Roster,
    pub version: u64,
    /// How long the group's payloads may wait for company.
    pub hold: Duration,
    /// Sessions of this shard in the group.
    sessions: u32,
    /// Where the roster stands in the outbox, for as long as the outbox has this stamp.
    pub listed: (u64, RosterIndex),
}

/// A shard's views.
pub(crate) struct Views {
    slab: Slab<View>,
    /// By stripe and slot, which no other group has while this one has members.
    index: HashMap<(u32, u32), u32, RandomState>,
}

impl Views {
    pub fn new() -> Self {
        Self { slab: Slab::new(), index: HashMap::with_hasher(RandomState::new()) }
    }

    /// One more session is in the group.
    pub fn enter(&mut self, handle: Arc<Handle>) -> u32 {
        let slab = &mut self.slab;
        let key = *self.index.entry((handle.stripe, handle.slot)).or_insert_with(|| {
            // A version that no group has, so that the first look fetches the roster.
            let version = u64::MAX;
            let listed = (u64::MAX, RosterIndex(0));
            let (roster, hold) = (Roster::default(), Duration::ZERO);
            slab.insert(View { handle, roster, version, hold, sessions: 0, listed }) as u32
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
            self.index.remove(&(view.handle.stripe, view.handle.slot));
        }
    }

    pub fn id(&self, key: u32) -> GroupId {
        self.slab[key as usize].handle.id
    }

    pub fn handle(&self, key: u32) -> &Arc<Handle> {
        &self.slab[key as usize].handle
    }

    /// The view, brought up to date: one shared read if nothing has changed.
    #[inline]
    pub fn current(&mut self, key: u32, groups: &Groups) -> &mut View {
        let view = &mut self.slab[key as usize];
        if view.handle.version() != view.version {
            (view.version, view.roster) = groups.roster(&view.handle);
        }
        view
    }
}
