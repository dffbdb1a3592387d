//! What can be asked of the store, and what it answers.

use std::num::NonZeroU64;

use crate::limits;

/// A name as it is compared, and as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// The same for all spellings that count as one name: the caller folds.
    pub key: Box<str>,
    /// As it was written.
    pub shown: Box<str>,
}

/// What can be asked. Times (`now`) are Unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Whose is this name? [`Answer::Claimed`], [`Answer::Taken`], [`Answer::Free`] or [`Answer::NamesFull`].
    Claim {
        /// Which, and how to show it from now on.
        name: Name,
        /// The claim that its owner shows, if any.
        claim: Option<Box<str>>,
        /// Random, to become the claim if the name is free; none if it is to stay so.
        fresh: Option<Box<str>>,
        /// The time.
        now: u64,
    },
    /// Its owner has been seen. No answer, and no commit of its own more than once a day.
    Seen {
        /// The key of the name.
        name: Box<str>,
        /// The time.
        now: u64,
    },
    /// Is there such a name? [`Answer::Known`].
    Has {
        /// The key of the name.
        name: Box<str>,
    },
    /// Keep a mail. [`Answer::Stored`] (with the same number if it is still stored from before), [`Answer::NoSuchName`] or
    /// [`Answer::Full`].
    Put {
        /// The key of the name that it is for.
        to: Box<str>,
        /// Who sends it.
        from: Name,
        /// Where the sender is, if there is a bound to what may be kept from there ([`limits::SITE_SHARE`],
        /// [`limits::SITE_MAILBOX_SHARE`]). It is kept with the mail, so it has to mean the same after a restart.
        site: Option<NonZeroU64>,
        /// The sender's name for it.
        id: Box<str>,
        /// The time of its first acceptance.
        now: u64,
        /// Its text.
        bytes: Box<[u8]>,
    },
    /// The oldest mails behind a number. [`Answer::Mails`], which is empty for an unknown name.
    Read {
        /// The key of the name that they are for.
        name: Box<str>,
        /// Only what has a higher number.
        after: u64,
        /// At most so many, and [`limits::READ_MAILS`].
        count: usize,
    },
    /// Its recipient has it: forget it. No answer; what is not there is no fault.
    Delete {
        /// The key of the name that it was for.
        name: Box<str>,
        /// Its number.
        number: u64,
    },
    /// Forget names not seen for [`Bounds::name_ttl`](crate::Bounds::name_ttl), with their mail, and mail older than
    /// [`Bounds::age`](crate::Bounds::age). [`Answer::Swept`]. The first one after the disk has failed forgets nothing: what was said of names in use
    /// may be lost. So say it before each sweep.
    Sweep {
        /// The time.
        now: u64,
    },
}

impl Request {
    /// What it takes of the queue, bytes.
    pub(crate) fn bytes(&self) -> usize {
        let texts = match self {
            Request::Claim { name, claim, fresh, .. } => {
                name.bytes() + [claim, fresh].into_iter().flatten().map(|text| text.len()).sum::<usize>()
            }
            Request::Seen { name, .. }
            | Request::Has { name }
            | Request::Read { name, .. }
            | Request::Delete { name, .. } => name.len(),
            Request::Put { to, from, id, bytes, .. } => to.len() + from.bytes() + id.len() + bytes.len(),
            Request::Sweep { .. } => 0,
        };
        size_of::<Self>() + texts
    }

    /// True for what is worth opening the place: what may keep something.
    pub(crate) fn needs_place(&self) -> bool {
        matches!(self, Request::Claim { .. } | Request::Put { .. })
    }

    /// True for what changes nothing on the disk, or not before something else does.
    pub(crate) fn only_looks(&self) -> bool {
        matches!(self, Request::Has { .. } | Request::Read { .. } | Request::Delete { .. })
    }

    /// False for what its asker does not wait for.
    pub(crate) fn wants_answer(&self) -> bool {
        !matches!(self, Request::Seen { .. } | Request::Delete { .. })
    }
}

impl Name {
    pub(crate) fn bytes(&self) -> usize {
        self.key.len() + self.shown.len()
    }
}

/// What a mail for `to` counts for in all bounds, bytes.
pub(crate) fn cost(to: &str, from: &Name, id: &str, bytes: &[u8]) -> u64 {
    limits::MAIL_BYTES + (to.len() + from.bytes() + id.len() + bytes.len()) as u64
}

/// A mail that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its place: later mail has a higher number, and no number is ever given again.
    pub number: u64,
    /// Who sent it.
    pub from: Name,
    /// The sender's name for it.
    pub id: Box<str>,
    /// When it was accepted, Unix milliseconds.
    pub time: u64,
    /// Its text.
    pub bytes: Box<[u8]>,
}

/// What the store says. All that it tells of is on the disk by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The name is the asker's.
    Claimed {
        /// What proves it from now on; it never changes.
        claim: Box<str>,
        /// Mails that wait.
        mails: u32,
        /// Nobody had it before.
        is_new: bool,
    },
    /// It is somebody else's.
    Taken,
    /// It is nobody's, and stays so.
    Free,
    /// There are as many names as may be.
    NamesFull,
    /// Whether there is such a name.
    Known(bool),
    /// The mail waits under this number.
    Stored {
        /// Its number.
        number: u64,
    },
    /// Nobody has that name.
    NoSuchName,
    /// There is no room for that mail.
    Full(Bound),
    /// Mails, oldest first.
    Mails(Vec<Mail>),
    /// What a sweep has removed.
    Swept {
        /// Names.
        names: u64,
        /// Mails, those of the names included.
        mails: u64,
        /// There is more: sweep again.
        more: bool,
    },
    /// The disk failed; nothing of it was done, as far as is known. [`Store::trouble`](crate::Store::trouble) says what to do.
    Failed,
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// [`Bounds::mails_per_name`](crate::Bounds::mails_per_name).
    Mails,
    /// [`Bounds::bytes_per_name`](crate::Bounds::bytes_per_name).
    Bytes,
    /// The sender's quarter of the mailbox ([`limits::SENDER_SHARE`]).
    Sender,
    /// [`Bounds::bytes`](crate::Bounds::bytes).
    Store,
    /// What all mailboxes together may have of the sender's site ([`limits::SITE_SHARE`]).
    Site,
    /// What the mailbox may have of the sender's site ([`limits::SITE_MAILBOX_SHARE`]).
    SiteInMailbox,
}

/// The answer to what was asked with a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The asker's.
    pub tag: u64,
    /// The answer.
    pub answer: Answer,
}
