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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::time::Duration;

    const HEARTBEAT: u64 = 30_000;
    /// When the relay starts.
    const START: u64 = 7000;
    /// The first moment at which anything alarms.
    const AWAKE: u64 = START + 2 * HEARTBEAT;

    fn settings(admission: AdmissionMode) -> Settings {
        Settings { admission, heartbeat: Duration::from_millis(HEARTBEAT), ..Settings::default() }
    }

    fn watch() -> Watch {
        let watch = Watch::new(Tick(START));
        assert!(!watch.configure(&settings(AdmissionMode::Auto)));
        watch
    }

    fn guarded() -> Watch {
        let watch = watch();
        watch.alarm(Cause::Egress, Tick(AWAKE));
        assert_eq!(watch.stance(), Stance::Guarded);
        watch
    }

    /// How many looks, a second apart, pass until there is peace; `None` if there is none in two hundred.
    fn until_peace(watch: &Watch, settings: &Settings, demand: u64, silent: u32) -> Option<u64> {
        let after = lock(&watch.last).at.0.max(AWAKE);
        (1..=200).find(|second| {
            let now = Tick(after + 1000 * second);
            let is_over = watch.look(settings, (demand, 1000), (silent, 100), now);
            assert_eq!(is_over, watch.stance() == Stance::Peace);
            is_over
        })
    }

    #[test]
    fn nothing_alarms_within_two_heartbeats_of_the_start() {
        let watch = watch();
        watch.alarm(Cause::Egress, Tick(AWAKE - 1));
        assert_eq!(watch.stance(), Stance::Peace);
        watch.alarm(Cause::Silent, Tick(AWAKE));
        let standing = Standing { stance: Stance::Guarded, cause: Cause::Silent, alarms: 1, relaxations: 0 };
        assert_eq!(watch.standing(), standing);
        watch.alarm(Cause::Egress, Tick(AWAKE + 1));
        assert_eq!(
            watch.standing(),
            Standing { cause: Cause::Egress, ..standing },
            "one attack is one alarm"
        );
    }

    #[test]
    fn nothing_alarms_where_the_mode_is_not_auto() {
        for (mode, stance) in [(AdmissionMode::Open, Stance::Open), (AdmissionMode::Strict, Stance::Strict)] {
            let watch = watch();
            assert!(!watch.configure(&settings(mode)), "it was not guarded");
            watch.alarm(Cause::Egress, Tick(AWAKE));
            watch.consider_silent(u32::MAX, 0, Tick(AWAKE));
            assert!(!watch.look(&settings(mode), (u64::MAX, 0), (u32::MAX, 0), Tick(AWAKE)));
            assert_eq!((watch.stance(), watch.standing().alarms), (stance, 0));
        }
    }

    #[test]
    fn a_reload_ends_the_guard_only_by_another_mode() {
        let watch = guarded();
        assert!(!watch.configure(&settings(AdmissionMode::Auto)));
        assert_eq!(watch.stance(), Stance::Guarded);
        for (number, mode) in [(1, AdmissionMode::Open), (2, AdmissionMode::Strict)] {
            assert!(watch.configure(&settings(mode)), "its budgets have to go");
            assert!(!watch.configure(&settings(mode)));
            assert!(!watch.configure(&settings(AdmissionMode::Auto)));
            assert_eq!(watch.stance(), Stance::Peace);
            assert_eq!((watch.standing().alarms, watch.standing().relaxations), (number, number));
            watch.alarm(Cause::Egress, Tick(AWAKE));
        }
    }

    #[test]
    fn too_many_are_silent_by_number_and_by_share() {
        for (silent, members, alarms) in
            [(255, 0, false), (256, 0, true), (256, 2056, false), (257, 2056, true), (257, 2063, true)]
        {
            let (by_look, at_once) = (watch(), watch());
            by_look.look(&settings(AdmissionMode::Auto), (0, 0), (silent, members), Tick(AWAKE));
            at_once.consider_silent(silent, members, Tick(AWAKE));
            for watch in [by_look, at_once] {
                assert_eq!(watch.stance() == Stance::Guarded, alarms, "{silent} of {members}");
            }
        }
    }

    #[test]
    fn peace_comes_when_both_were_calm_for_a_heartbeat() {
        let settings = settings(AdmissionMode::Auto);
        let stretch = Some(1 + HEARTBEAT / 1000);
        for (demand, silent, calm) in
            [(0, 0, stretch), (500, 0, stretch), (501, 0, None), (0, 127, stretch), (0, 128, None)]
        {
            let watch = guarded();
            assert_eq!(until_peace(&watch, &settings, demand, silent), calm, "{demand} {silent}");
            assert_eq!(watch.standing().relaxations, u64::from(calm.is_some()));
        }
    }

    #[test]
    fn a_busy_look_begins_the_calm_anew_and_so_does_the_next_alarm() {
        let settings = settings(AdmissionMode::Auto);
        let stretch = HEARTBEAT / 1000;
        let watch = guarded();
        for second in 1..=stretch {
            assert!(!watch.look(&settings, (0, 1000), (0, 0), Tick(AWAKE + 1000 * second)));
        }
        let busy = AWAKE + 1000 * (stretch + 1);
        assert!(!watch.look(&settings, (501, 1000), (0, 0), Tick(busy)));
        assert_eq!(until_peace(&watch, &settings, 0, 0), Some(stretch));
        watch.alarm(Cause::Egress, Tick(2 * busy));
        assert_eq!(until_peace(&watch, &settings, 0, 0), Some(stretch + 1));
        // What was calm before a reload was another attack.
        watch.alarm(Cause::Egress, Tick(3 * busy));
        assert!(!watch.look(&settings, (0, 1000), (0, 0), Tick(3 * busy)));
        watch.configure(&self::settings(AdmissionMode::Open));
        assert!(!watch.look(&settings, (0, 1000), (0, 0), Tick(3 * busy + 1)));
        watch.configure(&settings);
        watch.alarm(Cause::Egress, Tick(4 * busy));
        assert!(!watch.look(&settings, (0, 1000), (0, 0), Tick(4 * busy)));
    }

    #[test]
    fn however_short_the_heartbeat_the_calm_lasts_ten_seconds() {
        let settings = Settings { heartbeat: Duration::from_millis(5), ..settings(AdmissionMode::Auto) };
        assert_eq!(until_peace(&guarded(), &settings, 0, 0), Some(11));
    }

    #[test]
    fn what_is_wanted_is_held_against_the_time_since_the_last_look() {
        let settings = settings(AdmissionMode::Auto);
        for (demand, is_over) in [(HEARTBEAT / 2, true), (HEARTBEAT / 2 + 1, false)] {
            let watch = guarded();
            assert!(!watch.look(&settings, (0, 1000), (0, 0), Tick(AWAKE)));
            let late = Tick(AWAKE + HEARTBEAT);
            assert_eq!(watch.look(&settings, (demand, 1000), (0, 0), late), is_over);
        }
    }
}
