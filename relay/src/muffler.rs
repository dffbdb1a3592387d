//! Who says more than can be sent, and how much of that the sockets let pass: what would be dropped after all had better not
//! be taken in.

use std::collections::HashMap;
use std::time::Duration;

use engine::ClientAddr;
use net::{Loud, Sieve, Sources};

use crate::limits::{LOUD_EVERY, LOUD_KEPT, LOUD_MEMORY, LOUD_SPARE, SIEVE_LEAST};

/// Who has said what was dropped because too much was waiting.
#[derive(Debug, Default)]
pub struct Blame {
    senders: HashMap<ClientAddr, Duration>,
    payloads: u64,
}

impl Blame {
    /// A payload of this sender is dropped.
    pub fn note(&mut self, sender: Option<ClientAddr>, now: Duration) {
        self.payloads += 1;
        if let Some(sender) = sender
            && (self.senders.len() < LOUD_KEPT || self.senders.contains_key(&sender))
        {
            self.senders.insert(sender, now);
        }
    }

    /// Forgets those who have not been noted since.
    pub fn forget(&mut self, since: Duration) {
        self.senders.retain(|_, last| *last >= since);
    }

    /// The others.
    pub fn sources(&self) -> Sources {
        Sources::of(self.senders.keys().map(ClientAddr::socket_addr))
    }

    /// True if that is nobody.
    pub fn is_empty(&self) -> bool {
        self.senders.is_empty()
    }

    /// Payloads dropped since the start.
    pub fn payloads(&self) -> u64 {
        self.payloads
    }
}

/// How many payloads of those who are to blame pass: as many as can be sent, and some to choose from.
#[derive(Debug)]
pub struct Muffler {
    /// Of [`Sieve::ALL`].
    share: u32,
    loud: Option<Loud>,
    /// The beginning of the window that it looks at, which may be yet to come.
    since: Duration,
    /// Payloads that were sent since then, and those that had been dropped until then.
    sent: u64,
    dropped: u64,
}

impl Default for Muffler {
    fn default() -> Self {
        Self { share: Sieve::ALL, loud: None, since: Duration::ZERO, sent: 0, dropped: 0 }
    }
}

impl Muffler {
    /// True if everything passes.
    pub fn is_open(&self) -> bool {
        self.loud.is_none()
    }

    /// When it looks again, even if nothing arrives.
    pub fn due(&self) -> Option<Duration> {
        (!self.is_open()).then(|| self.since + LOUD_EVERY)
    }

    /// Whose payloads pass less often.
    pub fn loud(&self) -> Option<&Loud> {
        self.loud.as_ref()
    }

    /// Lets everything pass; true if that changes something. What has waited when an overload begins is dropped at once, and
    /// says nothing about what comes: the next window but one is the first that counts.
    pub fn open(&mut self, now: Duration) -> bool {
        (self.share, self.since) = (Sieve::ALL, now + LOUD_EVERY);
        self.loud.take().is_some()
    }

    /// Takes what was sent in the last turn; true if something else passes from now on.
    pub fn turn(&mut self, now: Duration, sent: u64, blame: &mut Blame) -> bool {
        if now < self.since {
            (self.sent, self.dropped) = (0, blame.payloads);
            return false;
        }
        self.sent += sent;
        if now < self.since + LOUD_EVERY {
            return false;
        }
        let dropped = blame.payloads - self.dropped;
        let share = self.next_share(dropped);
        (self.since, self.sent, self.dropped) = (now, 0, blame.payloads);
        blame.forget(now.saturating_sub(LOUD_MEMORY));
        // To begin costs something, so it has to be worth it.
        let is_little = self.is_open() && share > Sieve::ALL / 4 * 3;
        if share == Sieve::ALL || is_little || blame.is_empty() {
            return !self.is_open() && self.open(now);
        }
        self.share = share;
        self.loud = Some(Loud { sources: blame.sources(), share });
        true
    }

    /// What is taken in and what can be sent say how much too much passes.
    fn next_share(&self, dropped: u64) -> u32 {
        let share = u64::from(self.share);
        let wanted = self.sent + (self.sent as f64 * LOUD_SPARE) as u64;
        let next = match self.sent + dropped {
            _ if dropped == 0 => 2 * share,
            taken => (share * wanted / taken).clamp(share / 4, share / 4 * 5),
        };
        next.clamp(SIEVE_LEAST.into(), Sieve::ALL.into()) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(port: u16) -> ClientAddr {
        ClientAddr::new(([10, 0, 0, 1], port).into()).unwrap()
    }

    /// The share after some time of so many payloads offered and sent in each window: what passes and is not sent is dropped.
    fn settles(
        muffler: &mut Muffler,
        blame: &mut Blame,
        windows: std::ops::Range<u32>,
        offered: u64,
        sent: u64,
    ) -> f64 {
        for window in windows {
            let now = LOUD_EVERY * (window + 1);
            let share = f64::from(muffler.share) / f64::from(Sieve::ALL);
            let taken = (offered as f64 * share) as u64;
            (sent..taken).for_each(|payload| blame.note(Some(client(1 + payload as u16 % 100)), now));
            muffler.turn(now, sent.min(taken), blame);
        }
        f64::from(muffler.share) / f64::from(Sieve::ALL)
    }

    #[test]
    fn half_more_than_is_sent_passes() {
        let (mut muffler, mut blame) = (Muffler::default(), Blame::default());
        let share = settles(&mut muffler, &mut blame, 0..5, 4000, 1000);
        assert!((0.36..0.39).contains(&share), "{share}");
        let loud = muffler.loud().expect("a filter");
        assert!((1..=100).all(|port| loud.sources.contains(client(port).socket_addr())));
    }

    #[test]
    fn who_drops_less_than_it_sends_needs_no_filter() {
        let (mut muffler, mut blame) = (Muffler::default(), Blame::default());
        assert_eq!(settles(&mut muffler, &mut blame, 0..20, 1900, 1000), 1.0);
        assert!(muffler.is_open() && muffler.due().is_none());
    }

    #[test]
    fn it_is_gone_half_a_second_after_the_overload() {
        let (mut muffler, mut blame) = (Muffler::default(), Blame::default());
        settles(&mut muffler, &mut blame, 0..10, 16_000, 1000);
        assert!(muffler.due().is_some());
        settles(&mut muffler, &mut blame, 10..15, 500, 1000);
        assert!(muffler.is_open() && muffler.due().is_none());
    }

    #[test]
    fn who_has_been_quiet_for_a_while_is_forgiven() {
        let (mut muffler, mut blame) = (Muffler::default(), Blame::default());
        blame.note(Some(client(2000)), LOUD_EVERY);
        settles(&mut muffler, &mut blame, 0..4, 4000, 1000);
        let holds = |muffler: &Muffler| muffler.loud().unwrap().sources.contains(client(2000).socket_addr());
        assert!(holds(&muffler));
        // One in 1,500 others is taken for one of a hundred, another one in each set.
        assert!((6..16).any(|window| {
            settles(&mut muffler, &mut blame, window..window + 1, 4000, 1000);
            !holds(&muffler)
        }));
    }

    #[test]
    fn no_more_are_kept_than_may() {
        let mut blame = Blame::default();
        for port in 1..=LOUD_KEPT as u16 + 100 {
            blame.note(Some(client(port)), LOUD_EVERY);
        }
        assert_eq!((blame.senders.len(), blame.payloads()), (LOUD_KEPT, LOUD_KEPT as u64 + 100));
    }
}
