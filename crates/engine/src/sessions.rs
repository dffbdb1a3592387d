//! Who speaks from an address: the clients of one shard.

use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashTable;
use people::{Badge, SessionId};
use slab::Slab;
use wire::{Form, Token};

use crate::limits::SESSION_PARTS;
use crate::shelf::unlist;
use crate::{ClientAddr, Tick};

/// A client: a member of a group, or an extended one.
pub(crate) struct Session {
    pub client: ClientAddr,
    /// When it last joined, pinged or sent a payload.
    pub active: Tick,
    /// When it came.
    pub joined: Tick,
    /// The group that it is in, as this shard sees it; [`NOWHERE`] for an extended client that is in none.
    pub view: u32,
    /// Where it was in that group's roster when last looked up.
    pub position: u32,
    /// When its payloads up to now are due at its highest rate, in the units of [`crate::pace`].
    pub paced: u32,
    /// It has shown that it receives what is sent to its address.
    pub proved: bool,
    /// It is not proved, and had never sent anything after its JOIN when it was last looked at.
    pub silent: bool,
    /// Its connection is over, and it waits for a RESUME.
    pub gone: bool,
    /// How its client wants to be spoken to. One that is not a base client has a [`Person`].
    pub form: Form,
}

/// The view of who is in no group.
pub(crate) const NOWHERE: u32 = u32::MAX;

impl Session {
    /// The view of its group, if it is in one.
    pub fn group(&self) -> Option<u32> {
        Some(self.view).filter(|&view| view != NOWHERE)
    }
}

/// What an extended client has besides a session.
pub(crate) struct Person {
    /// By which the directory knows it.
    pub token: Token,
    /// By which others know it, wherever it is.
    pub id: SessionId,
    /// The name that it has.
    pub badge: Arc<Badge>,
    /// It has asked for something that people ask for.
    pub is_known: bool,
    /// When all the pages of names that it was told would be due.
    pub listed: Tick,
    /// The token that it had before it came to this address, and when it came.
    pub before: Option<(Token, Tick)>,
}

/// A shard's sessions: a slab, and an index by address.
pub(crate) struct Sessions {
    slab: Slab<Session>,
    /// No key was ever this one or above.
    end: usize,
    /// In parts that grow one by one: to hash every address again at once would stop the shard for as long, and room
    /// for all from the beginning would scatter a few clients over as many pages.
    index: Box<[HashTable<u32>]>,
    hasher: RandomState,
}

impl Sessions {
    /// `capacity`: sessions to make room for at once; room that is never used is not resident.
    pub fn new(capacity: usize, hasher: RandomState) -> Self {
        let index = (0..SESSION_PARTS).map(|_| HashTable::new()).collect();
        Self { slab: Slab::with_capacity(capacity), end: 0, index, hasher }
    }

    pub fn len(&self) -> usize {
        self.slab.len()
    }

    #[inline]
    pub fn find(&self, client: &ClientAddr) -> Option<usize> {
        let hash = self.hasher.hash_one(client);
        let is_it = |&key: &u32| self.slab[key as usize].client == *client;
        self.index[part_of(hash)].find(hash, is_it).map(|&key| key as usize)
    }

    pub fn insert(&mut self, session: Session) -> usize {
        let hash = self.hasher.hash_one(session.client);
        let key = self.slab.insert(session);
        self.end = self.end.max(key + 1);
        let rehash = |&key: &u32| self.hasher.hash_one(self.slab[key as usize].client);
        self.index[part_of(hash)].insert_unique(hash, key as u32, rehash);
        key
    }

    pub fn remove(&mut self, key: usize) -> Session {
        let Self { slab, index, hasher, .. } = self;
        let hash_of = |&key: &u32| hasher.hash_one(slab[key as usize].client);
        let hash = hash_of(&(key as u32));
        unlist(&mut index[part_of(hash)], key as u32, hash, hash_of);
        slab.remove(key)
    }

    /// All keys are below.
    pub fn keys_end(&self) -> usize {
        self.end
    }

    /// The session of this key, if there is one.
    pub fn try_get(&self, key: usize) -> Option<&Session> {
        self.slab.get(key)
    }

    pub fn get(&self, key: usize) -> &Session {
        &self.slab[key]
    }

    pub fn get_mut(&mut self, key: usize) -> &mut Session {
        &mut self.slab[key]
    }
}

/// The high bits: a part uses the low ones, and its control bytes the top seven.
fn part_of(hash: u64) -> usize {
    (hash >> 32) as usize % SESSION_PARTS
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn clients_spread_over_the_parts_of_the_index() {
        let hasher = RandomState::with_seeds(1, 2, 3, 4);
        let client = |port| ClientAddr::new(([10, 0, 0, 1], port).into()).unwrap();
        let mut parts = [0; SESSION_PARTS];
        (1..=4 * SESSION_PARTS as u16).for_each(|port| parts[part_of(hasher.hash_one(client(port)))] += 1);
        assert!(parts.iter().filter(|&&clients| clients > 0).count() > SESSION_PARTS / 2, "{parts:?}");
    }
}
