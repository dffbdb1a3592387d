//! Who is gone: clients that were silent for too long, and groups that were empty.

use crate::Engine;
use crate::expiry::Expiry;
use crate::limits::{SWEEP_CLIENTS_PER_TURN, SWEEP_EXPIRIES_PER_TURN, SWEEP_GROUPS_PER_TURN};
use crate::tally::Event;

impl Engine {
    /// Sweeps idle clients, then empty groups; a bounded part of them each turn.
    pub fn sweep(&mut self) {
        self.eject();
        if !self.expiry.begin_sweep(&self.settings, self.shard, self.now) {
            return;
        }
        self.sweep_clients();
        if !self.expiry.wheel.has_fired() {
            self.sweep_groups();
        }
    }

    fn sweep_clients(&mut self) {
        let limit = self.expiry.idle_limit(&self.settings);
        let mut expiries = 0;
        for _ in 0..SWEEP_CLIENTS_PER_TURN {
            let Some(key) = self.expiry.wheel.pop() else { return };
            let session = self.sessions.get(key);
            let limit = if session.gone { self.settings.heartbeat } else { limit };
            if self.expiry.as_of.since(session.active) > limit {
                if self.end_session(key) {
                    self.tally.count(Event::Expire);
                }
                expiries += 1;
                if expiries == SWEEP_EXPIRIES_PER_TURN {
                    return;
                }
            } else {
                self.judge(key);
                self.expiry.wheel.add(key, self.look_at(self.sessions.get(key)));
            }
        }
    }

    fn sweep_groups(&mut self) {
        let Expiry { stripe, as_of, .. } = &mut self.expiry;
        let deleted =
            self.groups.sweep(stripe, self.shards, *as_of, self.settings.empty_ttl, SWEEP_GROUPS_PER_TURN);
        self.tally.events[Event::Delete as usize] += deleted as u64;
    }
}
