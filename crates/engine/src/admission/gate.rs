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
        if !self.lease.pay(all, egress, self.now) {
            return (0, CopyDrop::UnprovedEgress);
        }
        let each = header + u64::from(offer.size);
        let admitted = budgets.spend(&to.client, (offer.count, each, all), self.now);
        self.lease.give_back(all - offer.cost(header, admitted));
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
