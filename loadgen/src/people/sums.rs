//! What has become of the messages of a run, in numbers.

use serde::{Deserialize, Serialize};

use super::accounts::{Message, Told};

/// Messages, each counted once in the sender's accounts, and once in the recipient's.
///
/// `sent = delivered + lost + refused + unanswered`, and `shown = delivered + refused_and_shown + unanswered_and_shown`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Messages that left, each counted once.
    pub sent: u64,
    /// Shown to their recipients, and their senders know that they have arrived or were stored.
    pub delivered: u64,
    /// Of those, messages that were stored first.
    pub delivered_from_mail: u64,
    /// Their senders were told that they have arrived or were stored, and they never came.
    pub lost: u64,
    /// Refused because nobody had the name.
    pub no_such_name: u64,
    /// Refused because the mailbox was full.
    pub mailbox_full: u64,
    /// Their senders were told nothing.
    pub unanswered: u64,
    /// Written and never sent: the one before, to the same name, had no outcome.
    pub unsent: u64,
    /// Shown to their recipients, each counted once.
    pub shown: u64,
    /// Shown, although their senders were told that they were refused.
    pub refused_and_shown: u64,
    /// Shown, and their senders were told nothing.
    pub unanswered_and_shown: u64,
    /// Arrivals that a recipient would have shown again: known messages under another sender or id.
    pub doubled: u64,
    /// Messages that were shown after a later one of the same sender to the same recipient.
    pub out_of_order: u64,
    /// Arrivals that are no message as it was sent.
    pub corrupted: u64,
    /// Arrivals at somebody whose they were not.
    pub misdelivered: u64,
    /// Arrivals that a recipient knew by their sender and id, and acknowledged again.
    pub repeats: u64,
    /// Of those, after the sender was told that it had arrived.
    pub repeats_after_delivered: u64,
    /// SENDs that were repeated because no outcome had come.
    pub sent_again: u64,
}

impl Sums {
    /// Messages that were refused, for every reason.
    pub fn refused(&self) -> u64 {
        self.no_such_name + self.mailbox_full
    }

    /// True if each message is in one place of each side's accounts, and in no other.
    pub fn is_balanced(&self) -> bool {
        self.sent == self.delivered + self.lost + self.refused() + self.unanswered
            && self.shown == self.delivered + self.refused_and_shown + self.unanswered_and_shown
    }

    /// Counts a message where it belongs.
    pub(super) fn file(&mut self, message: &Message) {
        let shown = u64::from(message.is_shown);
        match message.told {
            _ if message.tries == 0 => self.unsent += 1,
            Told::Nothing => {
                self.unanswered += 1;
                self.unanswered_and_shown += shown;
            }
            Told::Stored | Told::Delivered => {
                self.delivered += shown;
                self.delivered_from_mail += shown * u64::from(message.was_stored);
                self.lost += 1 - shown;
            }
            Told::NoSuchName => {
                self.no_such_name += 1;
                self.refused_and_shown += shown;
            }
            Told::MailboxFull => {
                self.mailbox_full += 1;
                self.refused_and_shown += shown;
            }
        }
    }
}
