//! One batch of requests, answered within one transaction.

use std::num::NonZeroU64;

use redb::{ReadableTable, Table, WriteTransaction};

use crate::book::{Book, Entry, Mark, Slip};
use crate::bounds::Bounds;
use crate::disk::{FACTS, MAILS, MailRow, NAMES, RESERVED};
use crate::figures::Tally;
use crate::limits;
use crate::request::{Answer, Mail, Name, Request, cost};

/// What the database says.
type Result<T> = std::result::Result<T, redb::Error>;

/// The transaction's tables, and the index that has to follow them.
pub struct Turn<'t> {
    book: &'t mut Book,
    bounds: &'t Bounds,
    transaction: &'t WriteTransaction,
    names: Table<'t, &'static str, (&'static str, &'static str, u64)>,
    mails: Table<'t, u64, MailRow>,
    /// Gone from the index, and still on disk.
    deleted: &'t mut Vec<Deleted>,
    may_write: bool,
    /// There is something that must be on disk before it is answered.
    changed: bool,
    pub tally: Tally,
}

/// A mail that its recipient has: for whom, and its number.
pub type Deleted = (Box<str>, u64);

impl<'t> Turn<'t> {
    pub fn new(
        transaction: &'t WriteTransaction,
        book: &'t mut Book,
        deleted: &'t mut Vec<Deleted>,
        bounds: &'t Bounds,
        may_write: bool,
    ) -> Result<Self> {
        let (names, mails) = (transaction.open_table(NAMES)?, transaction.open_table(MAILS)?);
        let (changed, tally) = (false, Tally::default());
        Ok(Self { book, bounds, transaction, names, mails, deleted, may_write, changed, tally })
    }

    /// False for what would have to be written, while nothing may be.
    pub fn is_possible(&self, request: &Request) -> bool {
        self.may_write || request.only_looks() || self.is_as_before(request)
    }

    /// True if somebody claims a name that is there, and would change nothing of it but when it was seen.
    fn is_as_before(&self, request: &Request) -> bool {
        let Request::Claim { name, .. } = request else { return false };
        self.book.names.get(&name.key).is_some_and(|entry| entry.shown == name.shown)
    }

    /// Does what is asked; `None` for what nobody waits for.
    pub fn answer(&mut self, request: &Request) -> Result<Option<Answer>> {
        Ok(Some(match request {
            Request::Claim { name, claim, fresh, now } => {
                self.claim(name, claim.as_deref(), fresh.as_deref(), *now)?
            }
            Request::Seen { name, now } => return self.seen(name, *now).map(|()| None),
            Request::Has { name } => Answer::Known(self.book.names.contains_key(name)),
            Request::Put { to, from, site, id, now, bytes } => {
                self.put(to, (from, *site), id, *now, bytes)?
            }
            Request::Read { name, after, count } => Answer::Mails(self.read(name, *after, *count)?),
            Request::Delete { name, number } => {
                self.delete(name, *number);
                return Ok(None);
            }
            Request::Sweep { now } => self.sweep(*now)?,
        }))
    }

    fn claim(&mut self, name: &Name, claim: Option<&str>, fresh: Option<&str>, now: u64) -> Result<Answer> {
        let Some(entry) = self.book.names.get_mut(&name.key) else {
            return fresh.map_or(Ok(Answer::Free), |fresh| self.register(name, fresh, now));
        };
        if !claim.is_some_and(|claim| is_same(claim, &entry.claim)) {
            return Ok(Answer::Taken);
        }
        let is_news = entry.shown != name.shown;
        entry.shown = name.shown.clone();
        let answer =
            Answer::Claimed { claim: entry.claim.clone(), mails: entry.slips.len() as u32, is_new: false };
        self.note_seen(&name.key, now, is_news)?;
        Ok(answer)
    }

    fn register(&mut self, name: &Name, fresh: &str, now: u64) -> Result<Answer> {
        if self.book.names.len() >= self.bounds.names as usize {
            return Ok(Answer::NamesFull);
        }
        self.names.insert(&*name.key, (&*name.shown, fresh, now))?;
        self.changed = true;
        self.book.names.insert(name.key.clone(), Entry::new(&name.shown, fresh, now));
        Ok(Answer::Claimed { claim: fresh.into(), mails: 0, is_new: true })
    }

    fn seen(&mut self, name: &str, now: u64) -> Result<()> {
        self.note_seen(name, now, false)
    }

    /// Writes only what is news, or has been for a while.
    fn note_seen(&mut self, name: &str, now: u64, is_news: bool) -> Result<()> {
        let Some(entry) = self.book.names.get_mut(name) else { return Ok(()) };
        entry.seen = entry.seen.max(now);
        // While nothing may be written the next time does.
        let is_due = is_news || entry.seen - entry.seen_on_disk >= self.bounds.seen_lag();
        if is_due && self.may_write {
            entry.seen_on_disk = entry.seen;
            self.names.insert(name, (&*entry.shown, &*entry.claim, entry.seen))?;
            self.changed = true;
        }
        Ok(())
    }

    fn put(
        &mut self,
        to: &str,
        (from, site): (&Name, Option<NonZeroU64>),
        id: &str,
        now: u64,
        bytes: &[u8],
    ) -> Result<Answer> {
        let Some(entry) = self.book.names.get(to) else { return Ok(Answer::NoSuchName) };
        let mark = self.book.mark(&from.key, id);
        if let Some(number) = find(&self.mails, entry, mark, &from.key, id)? {
            return Ok(Answer::Stored { number });
        }
        let cost = cost(to, from, id, bytes);
        if let Some(bound) = self.book.obstacle(entry, (mark.sender, site), cost, self.bounds) {
            self.tally.refused += 1;
            return Ok(Answer::Full(bound));
        }
        let number = self.number()?;
        self.mails.insert(
            number,
            (to, &*from.key, &*from.shown, id, now, bytes, site.map_or(0, NonZeroU64::get)),
        )?;
        self.changed = true;
        self.tally.stored += 1;
        self.book.add(to, Slip { site, ..Slip::new(number, now, mark, cost) });
        Ok(Answer::Stored { number })
    }

    /// A number that no mail has had.
    fn number(&mut self) -> Result<u64> {
        let number = self.book.next;
        self.book.next += 1;
        if self.book.next > self.book.reserved {
            self.book.reserved = number + limits::NUMBERS;
            self.transaction.open_table(FACTS)?.insert(RESERVED, self.book.reserved)?;
        }
        Ok(number)
    }

    fn read(&mut self, name: &str, after: u64, count: usize) -> Result<Vec<Mail>> {
        let Some(entry) = self.book.names.get(name) else { return Ok(Vec::new()) };
        let slips = entry.slips.iter().skip(entry.behind(after)).take(count.min(limits::READ_MAILS));
        slips.map(|slip| mail(&self.mails, slip.number)).collect()
    }

    fn remove(&mut self, name: &str, number: u64) -> Result<()> {
        self.book.remove(name, number);
        self.mails.remove(number)?;
        self.changed = true;
        Ok(())
    }

    /// Nobody waits for that: the row goes with the next commit.
    fn delete(&mut self, name: &str, number: u64) {
        if self.book.remove(name, number) {
            self.deleted.push((name.into(), number));
            self.tally.deleted += 1;
        }
    }

    /// Whether there is something to commit now. If so, the rows of what was deleted go with it.
    pub fn finish(&mut self, is_time: bool) -> Result<bool> {
        let is_enough = self.deleted.len() >= limits::DELETED || is_time && !self.deleted.is_empty();
        let must_commit = self.changed || is_enough;
        if must_commit {
            self.deleted.iter().try_for_each(|(_, number)| self.mails.remove(number).map(drop))?;
        }
        Ok(must_commit)
    }

    fn sweep(&mut self, now: u64) -> Result<Answer> {
        if std::mem::take(&mut self.book.is_anew) {
            return Ok(Answer::Swept { names: 0, mails: 0, more: false });
        }
        let (mut names, mut mails) = (0, 0);
        for (name, numbers) in self.book.abandoned(self.bounds, now, limits::SWEEP_ROWS) {
            if names + mails >= limits::SWEEP_ROWS {
                break;
            }
            mails += numbers.len();
            for number in numbers {
                self.remove(&name, number)?;
            }
            self.names.remove(&*name)?;
            self.changed = true;
            self.book.forget(&name);
            names += 1;
        }
        let room = limits::SWEEP_ROWS.saturating_sub(names + mails);
        for (name, number) in self.book.aged(self.bounds, now, room) {
            self.remove(&name, number)?;
            mails += 1;
        }
        let more = names + mails >= limits::SWEEP_ROWS;
        let (names, mails) = (names as u64, mails as u64);
        self.tally.expired += mails;
        self.tally.forgotten += names;
        Ok(Answer::Swept { names, mails, more })
    }
}

/// The mail of that sender and id that waits already.
fn find(mails: &Table<u64, MailRow>, entry: &Entry, mark: Mark, from: &str, id: &str) -> Result<Option<u64>> {
    for slip in entry.slips.iter().filter(|slip| slip.is(mark)) {
        // Two ids may share a hash.
        let mail = mail(mails, slip.number)?;
        if &*mail.from.key == from && &*mail.id == id {
            return Ok(Some(slip.number));
        }
    }
    Ok(None)
}

fn mail(mails: &Table<u64, MailRow>, number: u64) -> Result<Mail> {
    let Some(row) = mails.get(number)? else {
        return Err(redb::Error::Corrupted(format!("mail {number} is in the index only")));
    };
    let (_to, from, shown, id, time, text, _site) = row.value();
    let from = Name { key: from.into(), shown: shown.into() };
    Ok(Mail { number, from, id: id.into(), time, bytes: text.into() })
}

/// In a time that does not tell how much of it is right.
fn is_same(shown: &str, claim: &str) -> bool {
    let differences = shown.bytes().zip(claim.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    shown.len() == claim.len() && differences == 0
}
