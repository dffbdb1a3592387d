//! The engine's answers: what is to be sent, and to whom.

use std::ops::Range;
use std::time::Duration;

use wire::Notice;

use crate::views::View;
use crate::{ClientAddr, Member, Roster, Treatment};

/// One answer: some bytes for some receivers. One for each datagram at most, however large its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What to send.
    pub payload: Payload,
    /// Who gets it.
    pub audience: Audience,
}

/// The bytes of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// The datagram of this number in this turn, as it was received.
    Received(u32),
    /// A reply, in the outbox's text.
    Composed(Range<u32>),
    /// A payload that not every receiver gets in the same form: the [`Outbox::forms`] of this number.
    Formed(u32),
}

/// A payload in the forms of its receivers. Base clients get the last bytes of the datagram, from `start` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forms {
    /// The datagram of this number in this turn.
    pub datagram: u32,
    /// Where the payload begins in it.
    pub start: u16,
    /// Where it begins for extended clients, to whom nothing may begin with `!` that does not say that it is a payload.
    pub extended: u16,
    /// What stands before the payload for those who want to know who speaks, in the outbox's text; empty if nobody does.
    pub header: Range<u32>,
}

/// The receivers of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// One address.
    One(Member),
    /// Every member of a roster except the one at `sender`.
    Others {
        /// Which of the outbox's rosters.
        roster: RosterIndex,
        /// The sender's position in it.
        sender: u32,
    },
}

/// Bytes of a usual reply.
const REPLY: usize = 32;

/// A roster of the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RosterIndex(pub u32);

/// A group of this shard: small, dense, and the same for as long as the shard has a client in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey(pub u32);

/// A roster as the outbox lists it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The members.
    pub roster: Roster,
    /// Whose they are.
    pub group: GroupKey,
    /// How long the group's payloads may wait for company; zero: they go at once.
    pub hold: Duration,
    /// What those of them get who are not proved.
    pub unproved: Treatment,
}

/// Somebody leaves a group, for another one or for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Who.
    pub client: ClientAddr,
    /// Which.
    pub group: GroupKey,
}

/// This turn's answers, in the order of the datagrams that caused them.
///
/// They fall into epochs. Within an epoch replies may go first and payloads may be gathered by receiver; whatever
/// belongs to an earlier epoch is sent before. An epoch ends when a member leaves or moves, so that no receiver
/// gets one sender's payloads out of order by changing groups, and a turn's payloads come before its `OK LEFT`.
#[derive(Debug, Default)]
pub struct Outbox {
    deliveries: Vec<Delivery>,
    text: Vec<u8>,
    forms: Vec<Forms>,
    rosters: Vec<Listed>,
    /// Where each epoch but the first begins, and what ended the one before.
    seals: Vec<(usize, Departure)>,
    payloads: u64,
    /// Changes with every turn and epoch.
    stamp: u64,
}

impl Outbox {
    /// With room for the answers to so many datagrams, and their replies: it does not grow in the turn that needs it most.
    pub fn with_room(datagrams: usize) -> Self {
        Self {
            deliveries: Vec::with_capacity(datagrams),
            text: Vec::with_capacity(datagrams * REPLY),
            rosters: Vec::with_capacity(datagrams),
            seals: Vec::with_capacity(datagrams),
            ..Self::default()
        }
    }

    /// The epochs, in order.
    pub fn epochs(&self) -> impl Iterator<Item = &[Delivery]> {
        let seals = || self.seals.iter().map(|(at, _)| *at);
        let starts = std::iter::once(0).chain(seals());
        let ends = seals().chain(std::iter::once(self.deliveries.len()));
        starts.zip(ends).map(|(start, end)| &self.deliveries[start..end])
    }

    /// Who ended the epoch of this number by leaving a group; `None` for the last one.
    pub fn ended_by(&self, epoch: usize) -> Option<Departure> {
        self.seals.get(epoch).map(|(_, departure)| *departure)
    }

    /// A roster that a delivery names.
    pub fn listed(&self, index: RosterIndex) -> &Listed {
        &self.rosters[index.0 as usize]
    }

    /// The text of a reply.
    pub fn text(&self, range: &Range<u32>) -> &[u8] {
        &self.text[range.start as usize..range.end as usize]
    }

    /// The forms of a payload that has several.
    pub fn forms(&self, number: u32) -> &Forms {
        &self.forms[number as usize]
    }

    /// True if there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    /// How many payloads are to be fanned out.
    pub fn payloads(&self) -> u64 {
        self.payloads
    }

    /// Forgets everything, for the next turn.
    pub fn clear(&mut self) {
        self.deliveries.clear();
        self.text.clear();
        self.forms.clear();
        self.rosters.clear();
        self.seals.clear();
        self.payloads = 0;
        self.stamp += 1;
    }

    /// Ends the epoch, be it empty: what earlier turns have taken may wait.
    pub(crate) fn seal(&mut self, departure: Departure) {
        self.seals.push((self.deliveries.len(), departure));
        self.stamp += 1;
    }

    pub(crate) fn reply(&mut self, to: Member, text: &[u8]) {
        let payload = Payload::Composed(self.add_text(text));
        self.deliveries.push(Delivery { payload, audience: Audience::One(to) });
    }

    /// The same for each of them.
    pub(crate) fn tell_all(&mut self, to: &[Member], notice: Notice<'_>) {
        let start = self.text.len() as u32;
        notice.write_to(&mut |piece| self.text.extend_from_slice(piece));
        let text = start..self.text.len() as u32;
        let deliver =
            |&to| Delivery { payload: Payload::Composed(text.clone()), audience: Audience::One(to) };
        self.deliveries.extend(to.iter().map(deliver));
    }

    /// Adds the forms of a payload.
    pub(crate) fn form(&mut self, forms: Forms) -> Payload {
        self.forms.push(forms);
        Payload::Formed(self.forms.len() as u32 - 1)
    }

    /// Adds a text that goes with something else.
    pub(crate) fn add_text(&mut self, text: &[u8]) -> Range<u32> {
        self.add_pieces(|put| put(text))
    }

    /// The same, piece by piece.
    pub(crate) fn add_pieces(&mut self, write: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Range<u32> {
        let start = self.text.len() as u32;
        write(&mut |piece| self.text.extend_from_slice(piece));
        start..self.text.len() as u32
    }

    /// A view knows where its roster was listed, and under which stamp. Another outbox may have the same stamp, so what
    /// is listed there has to be this roster.
    /// `common`: how long the payloads of groups may wait that do not say so themselves.
    pub(crate) fn fan_out(
        &mut self,
        payload: Payload,
        group: GroupKey,
        view: &mut View,
        sender: u32,
        common: Duration,
    ) {
        let (stamp, index) = view.listed;
        let is_listed =
            || self.rosters.get(index.0 as usize).is_some_and(|other| other.roster.is_same(&view.roster));
        if stamp != self.stamp || !is_listed() {
            view.listed = (self.stamp, RosterIndex(self.rosters.len() as u32));
            let hold = view.coalesce.unwrap_or(common);
            let (roster, unproved) = (view.roster.clone(), view.unproved);
            self.rosters.push(Listed { roster, group, hold, unproved });
        }
        self.payloads += 1;
        let audience = Audience::Others { roster: view.listed.1, sender };
        self.deliveries.push(Delivery { payload, audience });
    }
}
