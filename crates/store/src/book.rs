//! The index in memory: who has which name, and what waits for it, without the texts.

use std::collections::{HashMap, VecDeque, hash_map};
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;

use crate::bounds::Bounds;
use crate::limits;
use crate::request::Bound;

/// All names, and all that waits.
#[derive(Default)]
pub struct Book {
    pub names: HashMap<Box<str>, Entry>,
    pub mails: u64,
    pub bytes: u64,
    /// Bytes by the site that they have come from.
    sites: HashMap<NonZeroU64, u64>,
    /// The number of the next mail.
    pub next: u64,
    /// From here on no number is reserved on disk.
    pub reserved: u64,
    /// It was read anew: what it had heard of names since they were last written is lost, so that none is forgotten before it has heard
    /// that again.
    pub is_anew: bool,
    hasher: RandomState,
}

/// A name.
#[derive(Debug)]
pub struct Entry {
    pub shown: Box<str>,
    pub claim: Box<str>,
    /// When its owner was last seen, Unix milliseconds.
    pub seen: u64,
    /// The same as it is on disk.
    pub seen_on_disk: u64,
    /// In the order of their numbers.
    pub slips: VecDeque<Slip>,
    /// What they count for.
    pub bytes: u64,
}

/// A mail, without its text.
#[derive(Clone, Copy, Debug)]
pub struct Slip {
    pub number: u64,
    pub time: u64,
    /// Of [`Mark`].
    pub id: u64,
    /// Of [`Mark`].
    pub sender: u32,
    pub bytes: u32,
    /// Where it has come from, if that is known and bounded.
    pub site: Option<NonZeroU64>,
}

/// Who sent a mail, and under which id, as far as hashes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub sender: u32,
    pub id: u64,
}

impl Book {
    /// The keys of hashes are the process's own: nobody can find names that share one.
    pub fn mark(&self, from: &str, id: &str) -> Mark {
        Mark { sender: self.hasher.hash_one(from) as u32, id: self.hasher.hash_one((from, id)) }
    }

    /// What keeps a mail out, if anything does.
    pub fn obstacle(
        &self,
        to: &Entry,
        (sender, site): (u32, Option<NonZeroU64>),
        cost: u64,
        bounds: &Bounds,
    ) -> Option<Bound> {
        let of_site = site.map_or(0, |site| self.sites.get(&site).copied().unwrap_or_default());
        // True if those mails in this mailbox, with the new one, are more than one of so many parts of it.
        let exceeds = |is_theirs: &dyn Fn(&Slip) -> bool, parts: u64| {
            let theirs = to.slips.iter().filter(|slip| is_theirs(slip));
            let (mails, bytes) =
                theirs.fold((1, cost), |(mails, bytes), slip| (mails + 1, bytes + u64::from(slip.bytes)));
            mails > (bounds.mails() / parts).max(1) || bytes > (bounds.bytes_per_name / parts).max(1)
        };
        if self.bytes + cost > bounds.bytes {
            Some(Bound::Store)
        } else if site.is_some() && of_site + cost > bounds.bytes / limits::SITE_SHARE {
            Some(Bound::Site)
        } else if to.slips.len() as u64 >= bounds.mails() {
            Some(Bound::Mails)
        } else if to.bytes + cost > bounds.bytes_per_name {
            Some(Bound::Bytes)
        } else if exceeds(&|slip| slip.sender == sender, limits::SENDER_SHARE) {
            Some(Bound::Sender)
        } else if site.is_some() && exceeds(&|slip| slip.site == site, limits::SITE_MAILBOX_SHARE) {
            Some(Bound::SiteInMailbox)
        } else {
            None
        }
    }

    /// Notes a mail that waits; its number is the highest of that name's.
    pub fn add(&mut self, to: &str, slip: Slip) {
        let Some(entry) = self.names.get_mut(to) else { return };
        entry.slips.push_back(slip);
        entry.bytes += u64::from(slip.bytes);
        self.mails += 1;
        self.bytes += u64::from(slip.bytes);
        if let Some(site) = slip.site {
            *self.sites.entry(site).or_default() += u64::from(slip.bytes);
        }
    }

    /// Forgets a mail; false if there is none of that number.
    pub fn remove(&mut self, to: &str, number: u64) -> bool {
        let Some(entry) = self.names.get_mut(to) else { return false };
        let Some(slip) = entry.take(number) else { return false };
        entry.bytes -= u64::from(slip.bytes);
        self.mails -= 1;
        self.bytes -= u64::from(slip.bytes);
        if let Some(site) = slip.site
            && let hash_map::Entry::Occupied(mut of_site) = self.sites.entry(site)
        {
            *of_site.get_mut() -= u64::from(slip.bytes);
            if *of_site.get() == 0 {
                of_site.remove();
            }
        }
        true
    }

    /// Forgets a name, of which no mail is left.
    pub fn forget(&mut self, name: &str) {
        self.names.remove(name);
    }

    /// Names that were not seen for too long, with the numbers of their mail, at most so many.
    pub fn abandoned(&self, bounds: &Bounds, now: u64, most: usize) -> Vec<(Box<str>, Vec<u64>)> {
        let past = |entry: &&Entry| Bounds::is_past(bounds.name_ttl, entry.seen, now);
        let all = |entry: &Entry| entry.slips.iter().map(|slip| slip.number).collect();
        self.names
            .iter()
            .filter(|(_, entry)| past(entry))
            .take(most)
            .map(|(name, entry)| (name.clone(), all(entry)))
            .collect()
    }

    /// Mail that is too old, at most so many.
    pub fn aged(&self, bounds: &Bounds, now: u64, most: usize) -> Vec<(Box<str>, u64)> {
        let past = |slip: &&Slip| Bounds::is_past(bounds.age, slip.time, now);
        let mut aged = Vec::new();
        for (name, entry) in &self.names {
            let room = most - aged.len();
            aged.extend(entry.slips.iter().filter(past).take(room).map(|slip| (name.clone(), slip.number)));
        }
        aged
    }
}

impl Slip {
    pub fn new(number: u64, time: u64, mark: Mark, bytes: u64) -> Self {
        // A request fits the queue, so a mail is not as large as that.
        Self { number, time, id: mark.id, sender: mark.sender, bytes: bytes as u32, site: None }
    }

    pub fn is(&self, mark: Mark) -> bool {
        (self.sender, self.id) == (mark.sender, mark.id)
    }
}

impl Entry {
    /// A name without mail.
    pub fn new(shown: &str, claim: &str, seen: u64) -> Self {
        let slips = VecDeque::new();
        Self { shown: shown.into(), claim: claim.into(), seen, seen_on_disk: seen, slips, bytes: 0 }
    }

    /// Where the first mail behind a number is.
    pub fn behind(&self, number: u64) -> usize {
        self.slips.partition_point(|slip| slip.number <= number)
    }

    fn take(&mut self, number: u64) -> Option<Slip> {
        let place = self.slips.binary_search_by_key(&number, |slip| slip.number).ok()?;
        let slip = self.slips.remove(place);
        // A full mailbox that was read must not keep its memory.
        if self.slips.is_empty() {
            self.slips = VecDeque::new();
        }
        slip
    }
}
