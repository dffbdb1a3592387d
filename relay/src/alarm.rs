//! Tells the log when the relay becomes guarded, and when it is at peace again.

use engine::{Admission, Cause, Stance};

/// What of it the log knows.
#[derive(Debug, Default)]
pub struct Alarm {
    told: u64,
}

impl Alarm {
    /// Tells what is new: one line, however often it went to and fro.
    pub fn look(&mut self, admission: &Admission) {
        let standing = admission.standing();
        let changes = standing.alarms + standing.relaxations;
        if std::mem::replace(&mut self.told, changes) == changes {
            return;
        }
        if standing.stance == Stance::Guarded {
            let cause = match standing.cause {
                Cause::Egress => {
                    "what goes to members who have not shown where they are has reached --unproved-egress"
                }
                Cause::Silent => {
                    "too many members who have not shown where they are were never heard of again"
                }
            };
            tracing::warn!(
                cause,
                unproved = admission.unproved(),
                silent = admission.silent(),
                "the relay is guarded: who joins has to prove its address"
            );
        } else {
            tracing::info!(alarms = standing.alarms, "the relay is not guarded any more");
        }
    }
}
