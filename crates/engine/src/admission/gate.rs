//! The fan-out's side: whether a run to an unproved member goes out.

use std::sync::Arc;

use super::{Admission, Lease};
use crate::{Member, Tick};

/// How the unproved members of a roster are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Treatment {
    /// Like all others.
    #[default]
    Served,
    /// Each gets what its budget holds.
    Budgeted,
    /// They get nothing, because all of them together had as much as they may.
    OverCap,
    /// They get nothing, because proofs are asked for.
    Refused,
}

/// Why an unproved member does not get its copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyDrop {
    /// Proofs are asked for.
    Unproved,
    /// All unproved members together had as much as they may.
    UnprovedEgress,
    /// It had as much as its budget held.
    UnprovedBudget,
}

impl CopyDrop {
    /// Metric labels, in the order of the variants.
    pub const LABELS: [&'static str; 3] = ["unproved", "unproved_egress", "unproved_budget"];
}

/// A run of datagrams for one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// How many.
    pub count: u16,
    /// Bytes of each but the last, which may be shorter.
    pub size: u16,
    /// Bytes of all.
    pub bytes: u32,
}

/// One shard's gate.
pub struct Gate {
    admission: Arc<Admission>,
    lease: Lease,
    now: Tick,
    dropped: [u64; CopyDrop::LABELS.len()],
}

impl Gate {
    pub(crate) fn new(admission: Arc<Admission>, now: Tick) -> Self {
        Self { admission, lease: Lease::default(), now, dropped: Default::default() }
    }

    /// Everything until the next turn happens now.
    pub fn begin_turn(&mut self, now: Tick) {
        self.now = self.now.max(now);
    }

    /// How many of a run's datagrams go to an unproved member, from the first on. The others are counted as dropped.
    pub fn admit(&mut self, to: &Member, treatment: Treatment, offer: Offer) -> u16 {
        let (admitted, reason) = match treatment {
            Treatment::Served => return offer.count,
            Treatment::OverCap => (0, CopyDrop::UnprovedEgress),
            Treatment::Refused => (0, CopyDrop::Unproved),
            Treatment::Budgeted => self.spend(to, offer),
        };
        self.dropped[reason as usize] += u64::from(offer.count - admitted);
        admitted
    }

    /// So many datagrams of a run were admitted by a budget, and could not be sent now; the run will be offered again.
    pub fn take_back(&mut self, to: &Member, offer: Offer, admitted: u16) {
        let cost = offer.cost(to.client.ip_header(), admitted);
        self.admission.budgets.refund(&to.client, cost);
        self.admission.egress.want_later(cost);
        self.lease.give_back(cost);
        self.dropped[CopyDrop::UnprovedBudget as usize] -= u64::from(offer.count - admitted);
    }

    /// Copies dropped so far, by [`CopyDrop`].
    pub fn dropped(&self) -> [u64; CopyDrop::LABELS.len()] {
        self.dropped
    }

    /// IP bytes of what has passed by the budgets so far.
    pub fn paid(&self) -> u64 {
        self.lease.paid()
    }

    fn spend(&mut self, to: &Member, offer: Offer) -> (u16, CopyDrop) {
        let Admission { egress, budgets, .. } = &*self.admission;
        let header = to.client.ip_header();
        let all = offer.cost(header, offer.count);
        let run = (offer.count, header + u64::from(offer.size), all);
        if !self.lease.pay(all, egress, self.now) {
            egress.want(offer.cost(header, budgets.affords(&to.client, run)));
            return (0, CopyDrop::UnprovedEgress);
        }
        let admitted = budgets.spend(&to.client, run, self.now);
        let cost = offer.cost(header, admitted);
        egress.want(cost);
        self.lease.give_back(all - cost);
        (admitted, CopyDrop::UnprovedBudget)
    }
}

impl Offer {
    /// IP bytes of so many of its datagrams, from the first on.
    fn cost(self, header: u64, count: u16) -> u64 {
        let bytes =
            if count == self.count { self.bytes.into() } else { u64::from(count) * u64::from(self.size) };
        u64::from(count) * header + bytes
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::limits::BUDGET_GRANT;
    use crate::{ClientAddr, LocalAddr, Settings};

    const NOTHING: [u64; CopyDrop::LABELS.len()] = [0; CopyDrop::LABELS.len()];

    fn gate(unproved_egress: u64) -> Gate {
        let admission = Admission::seeded(5000, Tick(0));
        admission.configure(&Settings { unproved_egress, ..Settings::default() });
        Gate::new(Arc::new(admission), Tick(0))
    }

    fn member(number: u8) -> Member {
        let client = ClientAddr::new(([10, 0, 0, number], 9).into()).unwrap();
        Member { client, local: LocalAddr::new(0, None), proved: false, form: wire::Form::Base }
    }

    fn dropped(gate: &Gate, reason: CopyDrop) -> u64 {
        let dropped = gate.dropped();
        assert_eq!(dropped.iter().sum::<u64>(), dropped[reason as usize]);
        dropped[reason as usize]
    }

    /// 64 datagrams of 1000 bytes, the last one of 10.
    const RUN: Offer = Offer { count: 64, size: 1000, bytes: 63 * 1000 + 10 };
    /// IPv4 and UDP.
    const EACH: u64 = 28 + RUN.size as u64;
    /// How many of them a grant is good for.
    const FIT: u16 = (BUDGET_GRANT / EACH) as u16;

    #[test]
    fn what_is_taken_back_is_as_if_it_had_never_passed() {
        let mut gate = gate(1 << 30);
        for _ in 0..3 {
            assert_eq!(gate.admit(&member(1), Treatment::Budgeted, RUN), FIT);
            assert_eq!(gate.paid(), u64::from(FIT) * EACH);
            assert_eq!(dropped(&gate, CopyDrop::UnprovedBudget), u64::from(RUN.count - FIT));
            gate.take_back(&member(1), RUN, FIT);
            assert_eq!((gate.paid(), gate.dropped()), (0, NOTHING));
        }
        let short = Offer { count: 2, size: 500, bytes: 510 };
        for _ in 0..3 {
            assert_eq!(gate.admit(&member(2), Treatment::Budgeted, short), 2);
            assert_eq!(gate.paid(), 510 + 2 * 28, "the last one is shorter");
            gate.take_back(&member(2), short, 2);
            assert_eq!((gate.paid(), gate.dropped()), (0, NOTHING));
        }
        assert_eq!(gate.admission.egress.take_wanted(), 0);
    }

    #[test]
    fn a_budget_is_spent_to_the_byte_and_every_copy_is_counted() {
        let mut gate = gate(1 << 30);
        assert_eq!(gate.admit(&member(1), Treatment::Budgeted, RUN), FIT);
        let left = BUDGET_GRANT - gate.paid() - 28;
        let last = Offer { count: 1, size: left as u16, bytes: left as u32 };
        assert_eq!(gate.admit(&member(1), Treatment::Budgeted, Offer { bytes: last.bytes + 1, ..last }), 0);
        assert_eq!(gate.admit(&member(1), Treatment::Budgeted, last), 1);
        assert_eq!(gate.admit(&member(1), Treatment::Budgeted, Offer { count: 1, size: 0, bytes: 0 }), 0);
        assert_eq!(gate.paid(), BUDGET_GRANT);
        assert_eq!(dropped(&gate, CopyDrop::UnprovedBudget), u64::from(RUN.count - FIT) + 2);
    }

    #[test]
    fn all_budgets_together_are_capped_and_the_cap_comes_back_with_the_time() {
        let mut gate = gate(1000);
        let one = Offer { count: 1, size: 972, bytes: 972 };
        assert_eq!(gate.admit(&member(1), Treatment::Budgeted, one), 1);
        assert_eq!(gate.admit(&member(2), Treatment::Budgeted, Offer { count: 3, bytes: 3 * 972, ..one }), 0);
        assert_eq!(dropped(&gate, CopyDrop::UnprovedEgress), 3);
        gate.begin_turn(Tick(1));
        gate.begin_turn(Tick(0));
        assert_eq!(gate.admit(&member(2), Treatment::Budgeted, one), 1, "a turn that is late is none before");
    }

    #[test]
    fn what_is_over_the_cap_is_wanted_as_far_as_budgets_hold() {
        let mut gate = gate(1);
        let wanted = |gate: &mut Gate, number| {
            let admitted = gate.admit(&member(number), Treatment::Budgeted, RUN);
            (admitted, gate.admission.egress.take_wanted())
        };
        let all = u64::from(FIT) * EACH;
        assert_eq!(wanted(&mut gate, 1), (FIT, all), "the last one may overdraw the cap");
        assert_eq!(wanted(&mut gate, 2), (0, all));
        assert_eq!(wanted(&mut gate, 1), (0, 0), "its budget is spent");
    }

    #[test]
    fn the_treatment_tells_who_gets_nothing_and_why() {
        let mut gate = gate(0);
        assert_eq!(gate.admit(&member(1), Treatment::Served, RUN), 64);
        assert_eq!((gate.paid(), gate.dropped()), (0, NOTHING));
        assert_eq!(gate.admit(&member(1), Treatment::OverCap, RUN), 0);
        assert_eq!(gate.admit(&member(1), Treatment::Refused, Offer { count: 2, ..RUN }), 0);
        let mut expected = NOTHING;
        expected[CopyDrop::UnprovedEgress as usize] = 64;
        expected[CopyDrop::Unproved as usize] = 2;
        assert_eq!(gate.dropped(), expected);
    }
}
