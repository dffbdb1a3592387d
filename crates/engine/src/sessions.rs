//! Who speaks from an address: the clients of one shard.

use ahash::RandomState;
use hashbrown::HashTable;
use slab::Slab;

use crate::{ClientAddr, Tick};

/// A client that is a member of a group.
pub(crate) struct Session {
    pub client: ClientAddr,
    /// When it last joined, pinged or sent a payload.
    pub active: Tick,
    /// The group that it is in, as this shard sees it.
    pub view: u32,
    /// Where it was in that group's roster when last looked up.
    pub position: u32,
}

/// A shard's sessions: a slab, and an index by address.
pub(crate) struct Sessions {
    slab: Slab<Session>,
    index: HashTable<u32>,
    hasher: RandomState,
}

impl Sessions {
    /// `capacity`: sessions to make room for at once, because growing the index later would stop the shard for as
    /// long as it takes to hash every address again. Of room that is never used only the index's control bytes are
    /// resident, two for each session at most.
    pub fn new(capacity: usize, hasher: RandomState) -> Self {
        Self { slab: Slab::with_capacity(capacity), index: HashTable::with_capacity(capacity), hasher }
    }

    pub fn len(&self) -> usize {
        self.slab.len()
    }

    #[inline]
    pub fn find(&self, client: &ClientAddr) -> Option<usize> {
        let hash = self.hasher.hash_one(client);
        self.index.find(hash, |&key| self.slab[key as usize].client == *client).map(|&key| key as usize)
    }

    pub fn insert(&mut self, session: Session) -> usize {
        let hash = self.hasher.hash_one(session.client);
        let key = self.slab.insert(session);
        let rehash = |&key: &u32| self.hasher.hash_one(self.slab[key as usize].client);
        self.index.insert_unique(hash, key as u32, rehash);
        key
    }

    pub fn remove(&mut self, key: usize) -> Session {
        let session = self.slab.remove(key);
        let hash = self.hasher.hash_one(session.client);
        if let Ok(entry) = self.index.find_entry(hash, |&at| at as usize == key) {
            entry.remove();
        }
        session
    }

    pub fn get(&self, key: usize) -> &Session {
        &self.slab[key]
    }

    pub fn get_mut(&mut self, key: usize) -> &mut Session {
        &mut self.slab[key]
    }
}
