//! How much is kept, and for how long, as its owner wants it.

use std::time::Duration;

use crate::limits;

/// How much is kept, and for how long. Nothing is ever dropped because there is no room: what does not fit is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Mails that wait for one name, at most; more than [`limits::MOST_MAILS_PER_NAME`] counts as that.
    pub mails_per_name: u32,
    /// Bytes that wait for one name, at most: texts, names and ids, and [`limits::MAIL_BYTES`] for each mail.
    pub bytes_per_name: u64,
    /// Bytes that wait for all names together, at most.
    pub bytes: u64,
    /// Names, at most.
    pub names: u32,
    /// How long a mail waits, at most: then a [`Request::Sweep`](crate::Request::Sweep) drops it, counted, though there
    /// would be room.
    pub age: Duration,
    /// How long a name that is not seen is kept with its mail.
    pub name_ttl: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        let days = Duration::from_secs(limits::DAYS * 24 * 3600);
        Self {
            mails_per_name: limits::MAILS_PER_NAME,
            bytes_per_name: limits::BYTES_PER_NAME,
            bytes: limits::BYTES_IN_ALL,
            names: limits::NAMES,
            age: days,
            name_ttl: days,
        }
    }
}

impl Bounds {
    pub(crate) fn mails(&self) -> u64 {
        u64::from(self.mails_per_name.min(limits::MOST_MAILS_PER_NAME))
    }

    /// How far the time on disk at which a name was last seen may lag behind, milliseconds.
    pub(crate) fn seen_lag(&self) -> u64 {
        let ttl = u64::try_from(self.name_ttl.as_millis()).unwrap_or(u64::MAX);
        limits::SEEN_LAG_MS.min(ttl / limits::SEEN_LAG_SHARE)
    }

    /// True if what is of that time has become too old.
    pub(crate) fn is_past(limit: Duration, time: u64, now: u64) -> bool {
        u128::from(now.saturating_sub(time)) >= limit.as_millis().max(1)
    }
}
