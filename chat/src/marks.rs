//! Numbers for messages, by which people tell their fates apart.

use std::collections::HashMap;

use client::Fate;
use wire::MessageId;

/// More messages than this, of which the fate is still open, lose their number: as many as a client keeps.
const MAX_OPEN: usize = 2048;

/// What has become of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which one, counted from 1 in the order of typing; 0 if it is long ago.
    pub number: u64,
    /// To whom.
    pub to: String,
    /// What the protocol calls it.
    pub id: MessageId,
    /// What has become of it.
    pub fate: Fate,
}

/// The messages whose fate is open.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    open: HashMap<MessageId, u64>,
    last: u64,
}

impl Marks {
    /// One more message: its number.
    pub(crate) fn begin(&mut self, id: MessageId) -> u64 {
        self.last += 1;
        if self.open.len() < MAX_OPEN {
            self.open.insert(id, self.last);
        }
        self.last
    }

    /// Something has become of a message.
    pub(crate) fn mark(&mut self, to: String, id: MessageId, fate: Fate) -> Mark {
        let number = self.open.get(&id).copied().unwrap_or(0);
        if fate.is_final() {
            self.open.remove(&id);
        }
        Mark { number, to, id, fate }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_keeps_its_number_until_nothing_more_is_told_of_it() {
        let (mut marks, id) = (Marks::default(), MessageId::parse(b"m1").unwrap());
        let number = marks.begin(id);
        let mut number_at = |fate| marks.mark("bob".into(), id, fate).number;
        for fate in [Fate::Sent, Fate::Deferred, Fate::Stored, Fate::Delivered] {
            assert_eq!(number_at(fate), number, "{fate:?}");
        }
        assert_eq!(number_at(Fate::Delivered), 0);
    }
}
