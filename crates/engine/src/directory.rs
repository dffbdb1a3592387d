//! Where each extended session is: found by its token, from whichever shard its client comes back to.

use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashMap;
use people::{Badge, SessionId};
use wire::{Form, Token};

use crate::ClientAddr;
use crate::group::Handle;
use crate::limits::DIRECTORY_STRIPES;
use crate::sync::{AtomicU32, Mutex, MutexGuard, Ordering, lock};
use crate::voice::Voice;

/// The extended sessions of all shards, by their tokens.
///
/// **Who holds a session's entry decides about it**: its shard while it does what the client has asked for, so that nobody
/// takes half a move; and whoever takes the entry out has the session from then on. A shard whose session has no entry
/// any more has lost it to another one, hears so with its next turn, and forgets it then or when it next looks at it.
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
    /// Where its shard hears that it has gone on elsewhere.
    pub departed: Arc<Departed>,
    /// Who it is to those who ask for senders there, once it has spoken to any.
    pub voice: Option<Arc<Voice>>,
    /// Who it is to people, as in its [`Person`](crate::sessions::Person).
    pub id: SessionId,
    pub badge: Arc<Badge>,
    pub is_known: bool,
}

/// Sessions of one shard that others have by now. The shard looks here at the beginning of each turn: what it had of them must
/// not stay, or who goes to and fro would have more sessions than there may be.
#[derive(Default)]
pub(crate) struct Departed {
    list: Mutex<Vec<(ClientAddr, Token)>>,
    /// So many; read without the lock.
    count: AtomicU32,
}

impl Departed {
    /// One more, by the address and the token that it had.
    pub fn push(&self, client: ClientAddr, token: Token) {
        let mut list = lock(&self.list);
        list.push((client, token));
        self.count.store(list.len() as u32, Ordering::Relaxed);
    }

    /// All of them, which are forgotten here; usually none.
    #[inline]
    pub fn take(&self) -> Vec<(ClientAddr, Token)> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let mut list = lock(&self.list);
        self.count.store(0, Ordering::Relaxed);
        std::mem::take(&mut list)
    }
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
        take(&mut self.stripe(token), token)
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

    /// Takes it out.
    pub fn remove(mut self) {
        take(&mut self.stripe, &self.token);
    }
}

/// Takes a session out of its stripe, which does not stay large.
fn take(stripe: &mut Stripe, token: &Token) -> Option<Seat> {
    let seat = stripe.remove(token);
    if stripe.capacity() > 4 * stripe.len().max(16) {
        stripe.shrink_to_fit();
    }
    seat
}
