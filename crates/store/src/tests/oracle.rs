//! What a store ought to answer, written without one.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use crate::limits::{MAIL_BYTES, SEEN_LAG_MS, SENDER_SHARE, SITE_MAILBOX_SHARE, SITE_SHARE};
use crate::{Answer, Bound, Bounds, Mail, Name, Request};

/// All that a store should know.
pub struct Oracle {
    bounds: Bounds,
    names: BTreeMap<Box<str>, Known>,
    /// The highest number given.
    highest: u64,
}

struct Known {
    shown: Box<str>,
    claim: Box<str>,
    seen: u64,
    seen_on_disk: u64,
    mails: Vec<Mail>,
    /// Where those of these numbers have come from, if that is bounded.
    sites: BTreeMap<u64, NonZeroU64>,
}

impl Oracle {
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, names: BTreeMap::new(), highest: 0 }
    }

    /// A day, or a quarter of a time to live that is less than four.
    fn lag(&self) -> u64 {
        SEEN_LAG_MS.min(self.bounds.name_ttl.as_millis() as u64 / 4)
    }

    /// The store was closed and opened.
    pub fn reopen(&mut self) {
        for known in self.names.values_mut() {
            known.seen = known.seen_on_disk;
        }
    }

    /// Names, mails and bytes.
    pub fn sizes(&self) -> (u64, u64, u64) {
        let mails = self.names.values().map(|known| known.mails.len() as u64).sum();
        (self.names.len() as u64, mails, self.names.iter().map(|(to, known)| bytes(to, &known.mails)).sum())
    }

    /// Checks an answer, in the order of the requests.
    pub fn check(&mut self, request: &Request, answer: Option<&Answer>) {
        let expected = self.expected(request, answer);
        assert_eq!(answer, expected.as_ref(), "to {request:?}");
    }

    fn expected(&mut self, request: &Request, answer: Option<&Answer>) -> Option<Answer> {
        match request {
            Request::Claim { name, claim, fresh, now } => {
                Some(self.claim(name, claim.as_deref(), fresh.as_deref(), *now))
            }
            Request::Seen { name, now } => {
                let lag = self.lag();
                self.names.get_mut(name).into_iter().for_each(|known| known.seen(*now, false, lag));
                None
            }
            Request::Has { name } => Some(Answer::Known(self.names.contains_key(name))),
            Request::Put { to, from, site, id, now, bytes } => {
                let number = match answer {
                    Some(Answer::Stored { number }) => *number,
                    _ => u64::MAX,
                };
                let mail =
                    Mail { number, from: from.clone(), id: id.clone(), time: *now, bytes: bytes.clone() };
                Some(self.put(to, mail, *site))
            }
            Request::Read { name, after, count } => {
                let mails = self.names.get(name).map_or(&[][..], |known| &known.mails);
                let later = mails.iter().filter(|mail| mail.number > *after);
                Some(Answer::Mails(later.take(*count).cloned().collect()))
            }
            Request::Delete { name, number } => {
                self.names.get_mut(name).into_iter().for_each(|known| {
                    known.mails.retain(|mail| mail.number != *number);
                });
                None
            }
            Request::Sweep { now } => Some(self.sweep(*now)),
        }
    }

    fn claim(&mut self, name: &Name, claim: Option<&str>, fresh: Option<&str>, now: u64) -> Answer {
        let lag = self.lag();
        let is_full = self.names.len() >= self.bounds.names as usize;
        match self.names.get_mut(&name.key) {
            Some(known) if claim == Some(&*known.claim) => {
                let is_news = known.shown != name.shown;
                known.shown = name.shown.clone();
                known.seen(now, is_news, lag);
                Answer::Claimed { claim: known.claim.clone(), mails: known.mails.len() as u32, is_new: false }
            }
            Some(_) => Answer::Taken,
            None if fresh.is_none() => Answer::Free,
            None if is_full => Answer::NamesFull,
            None => {
                let fresh = fresh.unwrap_or_default();
                let known = Known {
                    shown: name.shown.clone(),
                    claim: fresh.into(),
                    seen: now,
                    seen_on_disk: now,
                    mails: Vec::new(),
                    sites: BTreeMap::new(),
                };
                self.names.insert(name.key.clone(), known);
                Answer::Claimed { claim: fresh.into(), mails: 0, is_new: true }
            }
        }
    }

    fn put(&mut self, to: &str, mail: Mail, site: Option<NonZeroU64>) -> Answer {
        let (in_all, of_site) = (self.sizes().2, site.map(|site| self.of_site(site)));
        let Some(known) = self.names.get_mut(to) else { return Answer::NoSuchName };
        let same = |other: &&Mail| other.from.key == mail.from.key && other.id == mail.id;
        if let Some(other) = known.mails.iter().find(same) {
            return Answer::Stored { number: other.number };
        }
        let more = bytes(to, std::slice::from_ref(&mail));
        let theirs: Vec<Mail> =
            known.mails.iter().filter(|other| other.from.key == mail.from.key).cloned().collect();
        let per_name = u64::from(self.bounds.mails_per_name);
        let full = if in_all + more > self.bounds.bytes {
            Some(Bound::Store)
        } else if of_site.is_some_and(|bytes| bytes + more > self.bounds.bytes / SITE_SHARE) {
            Some(Bound::Site)
        } else if known.mails.len() as u64 >= per_name {
            Some(Bound::Mails)
        } else if bytes(to, &known.mails) + more > self.bounds.bytes_per_name {
            Some(Bound::Bytes)
        } else if theirs.len() as u64 >= per_name / SENDER_SHARE
            || bytes(to, &theirs) + more > self.bounds.bytes_per_name / SENDER_SHARE
        {
            Some(Bound::Sender)
        } else if site.is_some_and(|site| {
            let there = known.of_site(site);
            there.len() as u64 >= per_name / SITE_MAILBOX_SHARE
                || bytes(to, &there) + more > self.bounds.bytes_per_name / SITE_MAILBOX_SHARE
        }) {
            Some(Bound::SiteInMailbox)
        } else {
            None
        };
        if let Some(bound) = full {
            return Answer::Full(bound);
        }
        assert!(mail.number > self.highest, "no number is given twice, and all grow");
        self.highest = mail.number;
        let number = mail.number;
        known.sites.extend(site.map(|site| (number, site)));
        known.mails.push(mail);
        Answer::Stored { number }
    }

    /// Bytes of mail that has come from a site.
    fn of_site(&self, site: NonZeroU64) -> u64 {
        self.names.iter().map(|(to, known)| bytes(to, &known.of_site(site))).sum()
    }

    fn sweep(&mut self, now: u64) -> Answer {
        let Bounds { age, name_ttl, .. } = self.bounds;
        let before = self.sizes();
        self.names.retain(|_, known| u128::from(now.saturating_sub(known.seen)) < name_ttl.as_millis());
        for known in self.names.values_mut() {
            known.mails.retain(|mail| u128::from(now.saturating_sub(mail.time)) < age.as_millis());
        }
        let after = self.sizes();
        Answer::Swept { names: before.0 - after.0, mails: before.1 - after.1, more: false }
    }
}

impl Known {
    /// Mail that has come from a site.
    fn of_site(&self, site: NonZeroU64) -> Vec<Mail> {
        let is_it = |mail: &&Mail| self.sites.get(&mail.number) == Some(&site);
        self.mails.iter().filter(is_it).cloned().collect()
    }

    fn seen(&mut self, now: u64, is_news: bool, lag: u64) {
        self.seen = self.seen.max(now);
        if is_news || self.seen - self.seen_on_disk >= lag {
            self.seen_on_disk = self.seen;
        }
    }
}

fn bytes(to: &str, mails: &[Mail]) -> u64 {
    let of = |mail: &Mail| {
        to.len() + mail.from.key.len() + mail.from.shown.len() + mail.id.len() + mail.bytes.len()
    };
    mails.iter().map(|mail| MAIL_BYTES + of(mail) as u64).sum()
}
