//! Where each extended session is: found by its token, from whichever shard its client comes back to.

use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashMap;
use wire::{Form, Token};

use crate::ClientAddr;
use crate::group::Handle;
use crate::limits::DIRECTORY_STRIPES;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::voice::Voice;

/// The extended sessions of all shards, by their tokens.
///
/// **Who holds a session's entry decides about it**: its shard while it does what the client has asked for, so that nobody
/// takes half a move; and whoever takes the entry out has the session from then on. A shard whose session has no entry
/// any more has lost it to another one, and forgets it when it next looks.
pub struct Directory {
    stripes: Box<[Mutex<Stripe>]>,
    hasher: RandomState,
}

type Stripe = HashMap<Token, Seat, RandomState>;

/// What a session takes with it to another address.
#[derive(Clone)]
pub(crate) struct Seat {
    pub client: ClientAddr,
    pub form: Form,
    /// The group that it is in.
    pub group: Option<Arc<Handle>>,
    /// Who it is to those who ask for senders there, once it has spoken to any.
    pub voice: Option<Arc<Voice>>,
}

/// A session's entry, which nobody else can look at meanwhile.
pub(crate) struct Held<'a> {
    stripe: MutexGuard<'a, Stripe>,
    token: Token,
}

impl Directory {
    /// Without sessions.
    pub fn new() -> Self {
        let hasher = RandomState::new();
        let stripe = || Mutex::new(HashMap::with_hasher(hasher.clone()));
        Self { stripes: (0..DIRECTORY_STRIPES).map(|_| stripe()).collect(), hasher }
    }

    /// Extended sessions now.
    pub fn sessions(&self) -> usize {
        self.stripes.iter().map(|stripe| lock(stripe).len()).sum()
    }

    /// Adds a session under a token that nobody has.
    pub(crate) fn put(&self, token: Token, seat: Seat) {
        self.stripe(&token).insert(token, seat);
    }

    /// Takes a session out, for whoever goes on with it or ends it; `None` if somebody else has.
    pub(crate) fn take(&self, token: &Token) -> Option<Seat> {
        let mut stripe = self.stripe(token);
        let seat = stripe.remove(token);
        if stripe.capacity() > 4 * stripe.len().max(16) {
            stripe.shrink_to_fit();
        }
        seat
    }

    /// Holds a session's entry; `None` if it is somebody else's now.
    pub(crate) fn hold(&self, token: Token) -> Option<Held<'_>> {
        let stripe = self.stripe(&token);
        stripe.contains_key(&token).then_some(Held { stripe, token })
    }

    fn stripe(&self, token: &Token) -> MutexGuard<'_, Stripe> {
        let hash = self.hasher.hash_one(token);
        lock(&self.stripes[(hash >> 32) as usize % DIRECTORY_STRIPES])
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}

impl Held<'_> {
    /// The entry; none if it was removed meanwhile.
    pub fn seat(&mut self) -> Option<&mut Seat> {
        self.stripe.get_mut(&self.token)
    }
}
