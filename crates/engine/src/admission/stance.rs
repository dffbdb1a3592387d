//! Peace or guarded: how the relay stands to those who have not shown where they are.

use crate::Tick;
use crate::limits::{CALM_HEARTBEATS, GRACE_HEARTBEATS, MIN_CALM, SILENT_MEMBERS, SILENT_SHARE};
use crate::settings::{AdmissionMode, Settings};
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock};

/// How the relay stands to unproved addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// By `open`: everyone counts as proved.
    Open,
    /// By `auto`: nobody is asked, and what goes to unproved members in all is capped.
    Peace,
    /// By `auto`, under attack: who joins is asked for a proof, and each unproved member has a budget.
    Guarded,
    /// By `strict`: who joins is asked for a proof, and nothing goes to unproved members.
    Strict,
}

/// Why the relay became guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// What went to unproved members reached the cap.
    Egress,
    /// Too many unproved members never sent anything after their JOIN.
    Silent,
}

/// The stance, and its history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Now.
    pub stance: Stance,
    /// Why it last became guarded.
    pub cause: Cause,
    /// How often it became guarded.
    pub alarms: u64,
    /// How often it ceased to be.
    pub relaxations: u64,
}

/// Keeps watch over the stance.
pub(super) struct Watch {
    hot: Hot,
    cause: AtomicU32,
    alarms: AtomicU64,
    relaxations: AtomicU64,
    /// No alarm before.
    started: Tick,
    grace: AtomicU64,
    last: Mutex<Look>,
}

/// On a cache line of its own: it is read for payloads, and the others are written.
#[repr(align(64))]
struct Hot(AtomicU32);

/// What the last look has seen.
struct Look {
    at: Tick,
    /// Since when all has been calm, if the relay was guarded.
    calm: Option<Tick>,
}

impl Watch {
    pub fn new(now: Tick) -> Self {
        Self {
            hot: Hot(AtomicU32::new(Stance::Peace as u32)),
            cause: AtomicU32::new(0),
            alarms: AtomicU64::new(0),
            relaxations: AtomicU64::new(0),
            started: now,
            grace: AtomicU64::new(u64::MAX),
            last: Mutex::new(Look { at: now, calm: None }),
        }
    }

    #[inline]
    pub fn stance(&self) -> Stance {
        match self.hot.0.load(Ordering::Relaxed) {
            0 => Stance::Open,
            1 => Stance::Peace,
            2 => Stance::Guarded,
            _ => Stance::Strict,
        }
    }

    pub fn standing(&self) -> Standing {
        Standing {
            stance: self.stance(),
            cause: if self.cause.load(Ordering::Relaxed) == 0 { Cause::Egress } else { Cause::Silent },
            alarms: self.alarms.load(Ordering::Relaxed),
            relaxations: self.relaxations.load(Ordering::Relaxed),
        }
    }

    /// Takes over the mode; true if the relay is not guarded any more.
    pub fn configure(&self, settings: &Settings) -> bool {
        let grace = self.started + settings.heartbeat.saturating_mul(GRACE_HEARTBEATS);
        self.grace.store(grace.0, Ordering::Relaxed);
        let now = self.stance();
        match settings.admission {
            AdmissionMode::Open => self.change(now, Stance::Open),
            AdmissionMode::Strict => self.change(now, Stance::Strict),
            AdmissionMode::Auto if now == Stance::Guarded => false,
            AdmissionMode::Auto => self.change(now, Stance::Peace),
        }
    }

    /// Something that only an attack explains; not while everybody joins again after a start.
    pub fn alarm(&self, cause: Cause, now: Tick) {
        if now.0 >= self.grace.load(Ordering::Relaxed) {
            self.cause.store(cause as u32, Ordering::Relaxed);
            self.change(Stance::Peace, Stance::Guarded);
        }
    }

    /// Raises the alarm if so many silent ones are too many.
    pub fn consider_silent(&self, silent: u32, members: u32, now: Tick) {
        if self.stance() == Stance::Peace && silent >= too_many(members) {
            self.alarm(Cause::Silent, now);
        }
    }

    /// Looks at what unproved members were to get since the last look, and what they may in a second; at how many silent
    /// ones there are among how many members. True if the relay is not guarded any more.
    pub fn look(
        &self,
        settings: &Settings,
        (demand, rate): (u64, u64),
        (silent, members): (u32, u32),
        now: Tick,
    ) -> bool {
        let mut last = lock(&self.last);
        let millis = now.since(last.at).as_millis() as u64;
        last.at = now;
        self.consider_silent(silent, members, now);
        if self.stance() != Stance::Guarded {
            last.calm = None;
            return false;
        }
        let is_calm =
            demand.saturating_mul(1000) <= rate.saturating_mul(millis) / 2 && silent < too_many(members) / 2;
        let since = match last.calm {
            Some(since) if is_calm => since,
            _ => *last.calm.insert(now),
        };
        let stretch = settings.heartbeat.saturating_mul(CALM_HEARTBEATS).max(MIN_CALM);
        if now.since(since) < stretch {
            return false;
        }
        last.calm = None;
        self.change(Stance::Guarded, Stance::Peace)
    }

    /// True if the relay is not guarded any more.
    fn change(&self, from: Stance, to: Stance) -> bool {
        let changed =
            self.hot.0.compare_exchange(from as u32, to as u32, Ordering::Relaxed, Ordering::Relaxed);
        let is_new = from != to && changed.is_ok();
        if is_new && to == Stance::Guarded {
            self.alarms.fetch_add(1, Ordering::Relaxed);
        }
        if is_new && from == Stance::Guarded {
            self.relaxations.fetch_add(1, Ordering::Relaxed);
        }
        is_new && from == Stance::Guarded
    }
}

/// Silent unproved members that are no accident.
fn too_many(members: u32) -> u32 {
    SILENT_MEMBERS.max(members / SILENT_SHARE)
}
