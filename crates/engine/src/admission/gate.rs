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

    /// How many of a run's datagrams go to an unproved member, from the first on: `count` of them have so many `bytes`
    /// together, and `size` each but the last. The others are counted as dropped.
    pub fn admit(&mut self, to: &Member, treatment: Treatment, (count, size, bytes): (u16, u16, u32)) -> u16 {
        let (admitted, reason) = match treatment {
            Treatment::Served => return count,
            Treatment::OverCap => (0, CopyDrop::UnprovedEgress),
            Treatment::Refused => (0, CopyDrop::Unproved),
            Treatment::Budgeted => self.spend(to, (count, size, bytes)),
        };
        self.dropped[reason as usize] += u64::from(count - admitted);
        admitted
    }

    /// Copies dropped so far, by [`CopyDrop`].
    pub fn dropped(&self) -> [u64; CopyDrop::LABELS.len()] {
        self.dropped
    }

    /// IP bytes of what has passed by the budgets so far.
    pub fn paid(&self) -> u64 {
        self.lease.paid()
    }

    fn spend(&mut self, to: &Member, (count, size, bytes): (u16, u16, u32)) -> (u16, CopyDrop) {
        let Admission { egress, budgets, .. } = &*self.admission;
        let header = to.client.ip_header();
        let each = header + u64::from(size);
        let all = u64::from(count) * header + u64::from(bytes);
        if !self.lease.pay(all, egress, self.now) {
            return (0, CopyDrop::UnprovedEgress);
        }
        let admitted = budgets.spend(&to.client, (count, each, all), self.now);
        if admitted < count {
            self.lease.give_back(all - u64::from(admitted) * each);
        }
        (admitted, CopyDrop::UnprovedBudget)
    }
}
