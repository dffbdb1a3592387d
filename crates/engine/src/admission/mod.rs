//! Who is believed to be where it says it is, and what those get who have not shown it.
//!
//! An address is *proved* when it has shown that it receives what is sent to it. The engines of all shards share one
//! [`Admission`].

mod budgets;
mod cookies;
mod egress;
mod gate;
mod stance;

use ahash::RandomState;
use wire::Cookie;

use crate::settings::Settings;
use crate::sync::{AtomicU32, Ordering};
use crate::throttle::Throttle;
use crate::{ClientAddr, Tick};
use budgets::Budgets;
use cookies::Cookies;
use egress::{Egress, Lease};
pub use gate::{CopyDrop, Gate, Offer, Treatment};
use stance::Watch;
pub use stance::{Cause, Stance, Standing};

/// What the shards share of it.
pub struct Admission {
    watch: Watch,
    cookies: Cookies,
    egress: Egress,
    budgets: Budgets,
    pub(crate) throttle: Throttle,
    unproved: AtomicU32,
    silent: AtomicU32,
}

impl Admission {
    /// For a relay that starts now. `key` is a secret of cryptographic quality, which cookies are made with.
    pub fn new(key: [u8; 16], now: Tick) -> Self {
        Self::with_hasher(key, now, RandomState::new())
    }

    /// The same with hash keys from a seed, as in [`crate::Groups::seeded`].
    pub fn seeded(seed: u64, now: Tick) -> Self {
        let hasher = RandomState::with_seeds(seed, !seed, seed.rotate_left(32), !seed.rotate_left(32));
        Self::with_hasher(u128::from(seed).to_le_bytes(), now, hasher)
    }

    fn with_hasher(key: [u8; 16], now: Tick, hasher: RandomState) -> Self {
        Self {
            watch: Watch::new(now),
            cookies: Cookies::new(key),
            egress: Egress::new(now),
            budgets: Budgets::new(hasher.clone()),
            throttle: Throttle::new(hasher),
            unproved: AtomicU32::new(0),
            silent: AtomicU32::new(0),
        }
    }

    /// Takes over the settings; every shard may do it.
    pub(crate) fn configure(&self, settings: &Settings) {
        self.egress.set_rate(settings.unproved_egress);
        if self.watch.configure(settings) {
            self.budgets.clear();
        }
    }

    /// How the relay stands to unproved addresses now.
    #[inline]
    pub fn stance(&self) -> Stance {
        self.watch.stance()
    }

    /// The same, and how often and why it has changed.
    pub fn standing(&self) -> Standing {
        self.watch.standing()
    }

    /// Members that are not proved.
    pub fn unproved(&self) -> u32 {
        self.unproved.load(Ordering::Relaxed)
    }

    /// Those of them that had never sent anything after their JOIN when they were last looked at.
    pub fn silent(&self) -> u32 {
        self.silent.load(Ordering::Relaxed)
    }

    /// IP bytes a second that all unproved members together may get.
    pub fn egress_limit(&self) -> u64 {
        self.egress.rate()
    }

    /// Unproved members that have a budget now.
    pub fn budgets(&self) -> usize {
        self.budgets.len()
    }

    /// What an address has to repeat, to be proved.
    pub(crate) fn cookie(&self, client: &ClientAddr, now: Tick) -> Cookie {
        self.cookies.of(client, now)
    }

    pub(crate) fn is_valid(&self, cookie: Cookie, client: &ClientAddr, now: Tick) -> bool {
        self.cookies.is_valid(cookie, client, now)
    }

    /// An unproved client became a member.
    pub(crate) fn enter_unproved(&self) {
        self.unproved.fetch_add(1, Ordering::Relaxed);
    }

    /// An unproved member is gone, or proved. What it had of its budget stays until there is peace, or copies that still
    /// wait for it would have a new one; nobody becomes an unproved member meanwhile.
    pub(crate) fn exit_unproved(&self, silent: bool) {
        self.unproved.fetch_sub(1, Ordering::Relaxed);
        if silent {
            self.silent.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A look has found an unproved member silent, or not any more.
    pub(crate) fn set_silent(&self, silent: bool, members: u32, now: Tick) {
        if silent {
            self.silent.fetch_add(1, Ordering::Relaxed);
            self.watch.consider_silent(self.silent(), members, now);
        } else {
            self.silent.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Looks whether the relay is under attack, about once a second.
    pub(crate) fn look(&self, settings: &Settings, members: u32, now: Tick) {
        let demand = self.egress.take_wanted();
        if self.watch.look(settings, (demand, self.egress.rate()), (self.silent(), members), now) {
            self.budgets.clear();
        }
    }

    /// An unproved member of a guarded relay has sent so many bytes.
    pub(crate) fn credit(&self, client: &ClientAddr, len: usize) {
        self.budgets.credit(client, len as u64 + client.ip_header());
    }

    /// An unproved member is answered with `len` bytes. That is owed, so it is not refused; but it counts.
    pub(crate) fn pay_for_answer(&self, payer: &mut Payer, client: &ClientAddr, len: usize, now: Tick) {
        let bytes = len as u64 + client.ip_header();
        match self.stance() {
            Stance::Peace if !payer.0.pay(bytes, &self.egress, now) => self.watch.alarm(Cause::Egress, now),
            Stance::Guarded => self.budgets.charge(client, bytes),
            Stance::Peace | Stance::Open | Stance::Strict => {}
        }
    }

    /// Word has come by ICMP that nobody is at an address. It can be forged, so it does no more than this: halves what is
    /// left of an unproved member's budget, if something was sent there in the last second. True if it did.
    pub fn shrink(&self, client: &ClientAddr, now: Tick) -> bool {
        self.stance() == Stance::Guarded && self.budgets.shrink(client, now)
    }

    /// How a payload of `len` bytes is treated that takes so many IP bytes for all unproved members of a roster, of whom
    /// `sender` may be one.
    #[inline]
    pub(crate) fn treat(
        &self,
        payer: &mut Payer,
        bytes: u64,
        (sender, len): (Option<&ClientAddr>, usize),
        now: Tick,
    ) -> Treatment {
        let own = sender.map_or(0, |client| len as u64 + client.ip_header());
        let bytes = bytes.saturating_sub(own);
        match self.stance() {
            Stance::Peace if payer.0.pay(bytes, &self.egress, now) => Treatment::Served,
            Stance::Peace => self.over_cap(now),
            Stance::Open => Treatment::Served,
            Stance::Guarded => {
                sender.into_iter().for_each(|client| self.credit(client, len));
                Treatment::Budgeted
            }
            Stance::Strict => Treatment::Refused,
        }
    }

    #[cold]
    fn over_cap(&self, now: Tick) -> Treatment {
        self.watch.alarm(Cause::Egress, now);
        Treatment::OverCap
    }
}

/// What a shard's engine has taken of the common bucket.
#[derive(Debug, Default)]
pub(crate) struct Payer(Lease);

impl Payer {
    /// Bytes that were paid for so far.
    pub fn paid(&self) -> u64 {
        self.0.paid()
    }
}
