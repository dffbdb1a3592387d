//! When the faults are over: everyone gets in, everyone is answered, everyone is heard, and nothing is left.

use std::net::SocketAddr;
use std::time::Duration;

use engine::{Access, AdmissionMode};

use crate::client::Belief;
use crate::model::GroupIndex;
use crate::simulation::Simulation;
use crate::trace::What;

/// After so long in calm weather every question is answered.
const ANSWERED: Duration = Duration::from_secs(2);

impl Simulation {
    /// The run from its beginning to its end: first the faults, then what must work without them.
    pub fn run(&mut self) {
        self.phase(1);
        self.strike(crate::faults::Fault::Weather);
        self.run_to(self.script.faults);
        self.phase(2);
        self.heal();
        let heartbeat = self.script.settings.heartbeat;
        let begun = self.world.now();
        // Twice, because a reload may have doubled both.
        let settle = 2 * (5 * heartbeat + 2 * self.script.settings.sweep) + Duration::from_secs(20);
        self.run_to(begun + settle);
        self.phase(3);
        self.check_everyone(begun);
        self.crowd.hearsay.is_closed = true;
        self.run_to(self.world.now() + ANSWERED);
        self.probe();
        self.phase(4);
        self.end(false);
    }

    fn phase(&mut self, number: u64) {
        self.world.note(What::Phase, [number, 0, 0], &[]);
        if let Some(fleet) = &mut self.fleet {
            fleet.audit();
        }
    }

    fn heal(&mut self) {
        self.world.network.borrow_mut().heal();
        self.crowd.hearsay.is_calm = true;
        // A burst must not be under way while the network is judged.
        self.crowd.hearsay.talk = self.crowd.hearsay.talk.max(Duration::from_millis(500));
        self.stalled.fill(Duration::ZERO);
        (0..self.script.shards).for_each(|shard| self.plan_turn(shard, self.world.now()));
        if self.fleet.is_none() {
            self.start();
        }
        if let Some(fleet) = &mut self.fleet {
            fleet.reload(|settings| (settings.access, settings.max_rate) = (Access::default(), None));
        }
        // Who was silent or worse begins to behave.
        for number in 0..self.crowd.clients.len() {
            let now = self.world.now();
            self.crowd.clients[number].behave(now);
            let soon = now + self.world.between(Duration::ZERO, ANSWERED);
            self.plan_timer(number, soon);
        }
    }

    fn check_everyone(&mut self, since: Duration) {
        if let Some(client) = self.crowd.lost(since) {
            self.world.violated(|| {
                format!("{} is in no group and was never told why: {:?}", client.address, client.belief)
            });
        }
        let is_unanswered = |asked: Duration| asked + ANSWERED < self.world.now();
        if let Some(client) = self.crowd.clients.iter().find(|client| client.asked.is_some_and(is_unanswered))
        {
            self.world.violated(|| format!("{} has had no answer since {:?}", client.address, client.asked));
        }
        for client in &self.crowd.clients {
            if let Belief::Inside(group) = client.belief {
                let is_known = self.group_of(client.number).is_some() || self.had_to_go(client.address);
                self.world.check(is_known, || {
                    format!("{} believes to be in {group} and is in none: {client:?}", client.address)
                });
            }
        }
    }

    /// Everyone says something, and everyone else in the group has to hear it.
    fn probe(&mut self) {
        // A damaged payload can look like what is said now.
        self.crowd.clients.iter_mut().for_each(|client| client.probes.clear());
        let groups: Vec<Option<GroupIndex>> =
            (0..self.crowd.clients.len()).map(|number| self.group_of(number)).collect();
        for (number, group) in groups.iter().enumerate() {
            if group.is_some() {
                self.say(number, format!("?{number}").as_bytes());
                // One after the other, because the smallest receive buffer must not lose any.
                self.run_to(self.world.now() + Duration::from_millis(1));
            }
        }
        self.run_to(self.world.now() + ANSWERED);
        let model = self.world.model.borrow();
        for client in &mut self.crowd.clients {
            let is_open = model.mode() == AdmissionMode::Open;
            let is_proved =
                is_open || model.find(client.address).is_some_and(|peer| model.peer(peer).proved.is_some());
            let own = groups[client.number];
            let others = (0..groups.len()).filter(|other| *other != client.number);
            let right: Vec<usize> = others.filter(|other| own.is_some() && groups[*other] == own).collect();
            client.probes.sort_unstable();
            // An unproved member may have had all that it gets.
            let has_heard = |other: &usize| client.probes.contains(other);
            let is_right = if is_proved {
                client.probes == right
            } else {
                client.probes.len() == right.iter().filter(|other| has_heard(other)).count()
            };
            self.world.check(is_right, || {
                format!("{} heard {:?}, but should have heard {right:?}", client.address, client.probes)
            });
        }
    }

    /// True for who had to make room, and has not been told, because it has not asked since.
    fn had_to_go(&self, address: SocketAddr) -> bool {
        let model = self.world.model.borrow();
        let since = 2 * 2 * self.script.settings.heartbeat.as_millis() as u64;
        let evicted = model.find(address).and_then(|peer| model.peer(peer).evicted);
        evicted.is_some_and(|at| at + since > self.world.now().as_millis() as u64)
    }

    fn group_of(&self, number: usize) -> Option<GroupIndex> {
        let model = self.world.model.borrow();
        let peer = model.find(self.crowd.clients[number].address)?;
        model.peer(peer).group
    }
}
