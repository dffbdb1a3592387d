//! A batch of payloads for one roster, and how far it has been sent.

use std::time::Duration;

use engine::{ClientAddr, Forms, Gate, Listed, Member, Offer, Outbox, Roster, Treatment};
use net::{Driver, Full, Gather, Part, Run, SocketIndex};

use crate::limits::{BATCH_COPIES, BATCH_PAYLOADS};
use crate::plan::{Plan, Span};
use smallvec::SmallVec;

/// Payloads of one group for the same members, in the order in which they were received.
#[derive(Default)]
pub struct Work {
    /// None in the pool: an empty roster would be an allocation.
    roster: Option<Roster>,
    /// Members that a payload is for, but for its sender: all, or those that this shard sends to.
    each: u64,
    /// What those of its members get who are not proved.
    unproved: Treatment,
    payloads: Vec<Queued>,
    /// What extended clients get before payloads of groups that have some: bytes of the receive buffer, and a header.
    headers: Vec<Header>,
    number: u64,
    taken: Vec<Taken>,
    /// Copies that have not been handed to the driver.
    copies: u64,
    /// Where to go on: the round, and the member in it.
    round: usize,
    member: u32,
    plan: Plan,
    /// The plans for extended clients, and for those who want to know who speaks; good if the roster is mixed.
    others: Box<[Plan; 2]>,
    /// The turn that the plan is good for.
    planned: u64,
}

/// A payload that waits for its receivers; it holds its receive buffer.
#[derive(Clone, Copy)]
pub struct Queued {
    /// The bytes as base clients get them.
    pub part: Part,
    /// The sender's position in the roster.
    pub sender: u32,
    /// What extended clients get before it: the header of this number of its batch, or [`NOTHING`].
    ahead: u32,
}

/// Bytes of the receive buffer, and a header.
type Header = (u16, SmallVec<[u8; 32]>);

/// A payload that extended clients get as base clients do.
const NOTHING: u32 = u32::MAX;

/// What extended clients get before a payload.
#[derive(Clone, Copy)]
pub struct Ahead<'a> {
    /// Bytes of the receive buffer just before it: `!RAW `, where it begins with `!`.
    raw: u16,
    /// For those who want to know who speaks.
    header: &'a [u8],
}

impl<'a> Ahead<'a> {
    /// Of a payload of this outbox.
    pub fn of(forms: &Forms, outbox: &'a Outbox) -> Self {
        Self { raw: forms.start - forms.extended, header: outbox.text(&forms.header) }
    }
}

/// Payloads that were received together.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// When the turn began that took them.
    pub at: Duration,
    /// How many they are.
    pub payloads: u64,
}

/// What one turn, or a group's part of it, may still send. The last message may overdraw it, and is then paid for by
/// whoever gave the share.
#[derive(Debug, PartialEq, Eq)]
pub struct Allowance(pub isize);

impl Allowance {
    /// What a message costs: its datagrams, and once more for the message itself. The kernel's price of a message of
    /// n datagrams is about 0.75 us + n * 0.43 us on loopback (docs/performance.md), near enough to 1 + n.
    fn pay(&mut self, datagrams: u16) {
        self.0 -= 1 + datagrams as isize;
    }

    /// Takes a share out, this much at most.
    pub fn take(&mut self, most: isize) -> Allowance {
        let share = most.min(self.0);
        self.0 -= share;
        Allowance(share)
    }

    /// Adds what a share has left, or takes off what it has overdrawn.
    pub fn give_back(&mut self, Allowance(left): Allowance) {
        self.0 += left;
    }

    /// True if nothing is left.
    pub fn is_spent(&self) -> bool {
        self.0 <= 0
    }
}

impl Queued {
    /// A payload that everybody gets as it is.
    pub fn new(part: Part, sender: u32) -> Self {
        Self { part, sender, ahead: NOTHING }
    }

    /// The bytes as extended clients get them.
    fn after_raw(&self, headers: &[Header]) -> Part {
        match (headers.get(self.ahead as usize), self.part) {
            (Some((raw, _)), Part::Received { buffer, offset, len }) => {
                Part::Received { buffer, offset: offset - raw, len: len + raw }
            }
            (_, part) => part,
        }
    }

    /// The bytes as those get them who want to know who speaks.
    fn after_header(&self, headers: &[Header], driver: &mut impl Driver) -> Part {
        match headers.get(self.ahead as usize) {
            Some((_, header)) if !header.is_empty() => driver.compose_before(header, self.part),
            _ => self.part,
        }
    }
}

impl Work {
    /// Begins a batch of this number; `with_far`: it is for members who are connected by TCP, too.
    pub fn open(&mut self, listed: &Listed, number: u64, with_far: bool) {
        let far = if with_far { 0 } else { listed.roster.far() };
        self.roster = Some(listed.roster.clone());
        (self.unproved, self.number) = (listed.unproved, number);
        self.each = listed.roster.len() as u64 - 1 - u64::from(far);
    }

    /// Empties it for the pool, keeping allocations.
    pub fn reset(&mut self) {
        (self.roster, self.unproved) = (None, Treatment::Served);
        self.payloads.clear();
        self.headers.clear();
        self.taken.clear();
        (self.copies, self.round, self.member, self.planned) = (0, 0, 0, 0);
    }

    /// True if a payload for this roster can be added.
    pub fn admits(&self, listed: &Listed) -> bool {
        !self.is_started()
            && self.roster.as_ref().is_some_and(|own| own.is_same(&listed.roster))
            && self.unproved == listed.unproved
            && self.payloads.len() < BATCH_PAYLOADS
            && self.copies + listed.roster.len() as u64 <= BATCH_COPIES
    }

    /// Adds a payload that was taken at the beginning of this turn; returns its copies.
    pub fn push(&mut self, payload: Queued, now: Duration) -> u64 {
        let copies = self.each;
        self.copies += copies;
        self.payloads.push(payload);
        self.planned = 0;
        match self.taken.last_mut() {
            Some(last) if last.at == now => last.payloads += 1,
            _ => self.taken.push(Taken { at: now, payloads: 1 }),
        }
        copies
    }

    /// Puts something before the payload that was added last, for extended clients.
    pub fn put_before_last(&mut self, Ahead { raw, header }: Ahead<'_>) {
        if let Some(last) = self.payloads.last_mut() {
            last.ahead = self.headers.len() as u32;
            self.headers.push((raw, SmallVec::from_slice(header)));
        }
    }

    /// Takes the oldest payloads out of a batch that has not been started, `count` at most: `leave` gets each, and who sent it.
    pub fn drop_oldest(&mut self, count: usize, mut leave: impl FnMut(Queued, Option<ClientAddr>)) {
        let count = count.min(self.payloads.len());
        self.copies -= count as u64 * self.each;
        self.planned = 0;
        let mut left = count as u64;
        self.taken.retain_mut(|taken| {
            let gone = left.min(taken.payloads);
            taken.payloads -= gone;
            left -= gone;
            taken.payloads > 0
        });
        for payload in self.payloads.drain(..count) {
            let from = self.roster.as_ref().map_or(&[][..], |roster| roster.members_from(payload.sender));
            leave(payload, from.first().map(|member| member.client));
        }
        self.drop_headers();
    }

    /// Takes out the headers of payloads that are gone, which are the first ones. Not before they are most of them, because what is left
    /// is renumbered.
    fn drop_headers(&mut self) {
        let left = self.payloads.iter().map(|payload| payload.ahead).find(|ahead| *ahead != NOTHING);
        let gone = left.unwrap_or(self.headers.len() as u32);
        if gone as usize > self.headers.len() / 2 {
            self.headers.drain(..gone as usize);
            let numbered = self.payloads.iter_mut().filter(|payload| payload.ahead != NOTHING);
            numbered.for_each(|payload| payload.ahead -= gone);
        }
    }

    /// Copies of one payload.
    pub fn others(&self) -> u64 {
        self.each
    }

    /// Counts all batches of the shard.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// True if it has a payload by this client.
    pub fn is_by(&self, client: &ClientAddr) -> bool {
        let by = |payload: &Queued| self.roster.as_ref().is_some_and(|own| own.is_at(client, payload.sender));
        self.payloads.iter().any(by)
    }

    /// The payloads, in the order in which they were received.
    pub fn payloads(&self) -> &[Queued] {
        &self.payloads
    }

    /// When they were received.
    pub fn taken(&self) -> &[Taken] {
        &self.taken
    }

    /// Copies that have not been handed to the driver.
    pub fn copies(&self) -> u64 {
        self.copies
    }

    /// True once the first member has been served.
    pub fn is_started(&self) -> bool {
        (self.round, self.member) != (0, 0)
    }

    /// Sends what is left, or as much as the allowance and the driver grant; `turn` is the number of this turn, from 1.
    /// Round by round: every member gets its first run before anyone gets a second. The driver keeps the order of
    /// the runs to one destination.
    pub fn send(
        &mut self,
        turn: u64,
        driver: &mut impl Driver,
        allowance: &mut Allowance,
        gate: &mut Gate,
    ) -> Result<(), Full> {
        let is_mixed = self.roster.as_ref().is_some_and(Roster::is_mixed);
        if self.planned != turn {
            self.plan.make(&self.payloads, driver, |payload, _| payload.part);
            if is_mixed {
                let (headers, [extended, with_sender]) = (&self.headers, &mut *self.others);
                extended.make(&self.payloads, driver, |payload, _| payload.after_raw(headers));
                with_sender
                    .make(&self.payloads, driver, |payload, driver| payload.after_header(headers, driver));
            }
            self.planned = turn;
        }
        let has_unproved = self.roster.as_ref().is_some_and(|roster| roster.unproved() > 0);
        let is_restricted = has_unproved && self.unproved != Treatment::Served;
        while self.round < self.rounds(is_mixed) {
            match (is_restricted, is_mixed) {
                (false, false) => self.send_round::<false, false>(driver, allowance, gate)?,
                (true, false) => self.send_round::<true, false>(driver, allowance, gate)?,
                (false, true) => self.send_round::<false, true>(driver, allowance, gate)?,
                (true, true) => self.send_round::<true, true>(driver, allowance, gate)?,
            }
            (self.round, self.member) = (self.round + 1, 0);
        }
        Ok(())
    }

    fn rounds(&self, is_mixed: bool) -> usize {
        let others = self.others.iter().map(Plan::rounds).filter(|_| is_mixed);
        others.fold(self.plan.rounds(), usize::max)
    }

    /// `RESTRICTED`: not all of the roster's unproved members get everything. `MIXED`: not all members get it in the same form, or
    /// from this thread. Parameters, so that the usual round does not even ask.
    fn send_round<const RESTRICTED: bool, const MIXED: bool>(
        &mut self,
        driver: &mut impl Driver,
        allowance: &mut Allowance,
        gate: &mut Gate,
    ) -> Result<(), Full> {
        let Some(roster) = &self.roster else { return Ok(()) };
        let mut next_span = self.plan.round(self.round, self.member);
        let mut next_of_others = self.others.each_ref().map(|plan| plan.round(self.round, self.member));
        loop {
            let members = roster.members_from(self.member);
            if members.is_empty() {
                return Ok(());
            }
            for member in members {
                if allowance.is_spent() {
                    return Err(Full);
                }
                let mut span = next_span(self.member);
                if MIXED {
                    let others = next_of_others.each_mut().map(|next| next(self.member));
                    let is_elsewhere = !driver.has_streams() && member.client.is_stream();
                    span = [span, others[0], others[1]][member.form as usize].filter(|_| !is_elsewhere);
                }
                if let Some(span) = span {
                    let is_gated = RESTRICTED && !member.proved;
                    let rest = if is_gated { admitted(gate, member, self.unproved, span) } else { span };
                    if rest.gather.count > 0 {
                        let sent = driver.send(&Run {
                            socket: SocketIndex(member.local.socket().into()),
                            to: member.client.socket_addr(),
                            from: member.local.reached(),
                            gather: rest.gather,
                            size: rest.size,
                            bytes: rest.bytes,
                        });
                        if is_gated && sent.is_err() {
                            gate.take_back(member, offer(span), rest.gather.count);
                        }
                        sent?;
                    }
                    // A look at a budget is not free either.
                    allowance.pay(rest.gather.count);
                    self.copies -= u64::from(span.gather.count);
                }
                self.member += 1;
            }
        }
    }
}

/// What of a run goes to an unproved member.
fn admitted(gate: &mut Gate, to: &Member, unproved: Treatment, span: Span) -> Span {
    let count = gate.admit(to, unproved, offer(span));
    if count == span.gather.count {
        return span;
    }
    let bytes = u32::from(count) * u32::from(span.size);
    Span { gather: Gather { count, ..span.gather }, bytes, ..span }
}

/// A run as a gate looks at it.
fn offer(span: Span) -> Offer {
    Offer { count: span.gather.count, size: span.size, bytes: span.bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_overdraws_a_share_takes_it_from_the_others() {
        let mut turn = Allowance(100);
        for _ in 0..2 {
            let mut share = turn.take(10);
            share.pay(30);
            assert!(share.is_spent());
            turn.give_back(share);
        }
        assert_eq!(turn, Allowance(100 - 2 * 31));
        assert_eq!(turn.take(isize::MAX), Allowance(38));
        assert!(turn.is_spent());
    }

    #[test]
    fn headers_go_with_their_payloads() {
        let mut work = Work::default();
        for number in 0..10 * BATCH_PAYLOADS as u32 {
            let part = Part::Composed { start: number, len: 1 };
            work.push(Queued::new(part, 0), Duration::ZERO);
            if number % 3 > 0 {
                work.put_before_last(Ahead { raw: 0, header: &number.to_ne_bytes() });
            }
            if work.payloads.len() == BATCH_PAYLOADS {
                work.drop_oldest(1 + number as usize % 5, |_, _| {});
            }
            assert!(work.headers.len() <= 2 * work.payloads.len(), "{number}: {}", work.headers.len());
            for payload in &work.payloads {
                let Part::Composed { start, .. } = payload.part else { panic!("a composed part") };
                let header = work.headers.get(payload.ahead as usize).map(|(_, header)| &header[..]);
                assert_eq!(header, (start % 3 > 0).then_some(&start.to_ne_bytes()[..]));
            }
        }
        work.drop_oldest(BATCH_PAYLOADS, |_, _| {});
        assert!(work.headers.is_empty());
    }
}
