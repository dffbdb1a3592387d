//! Who goes offline, how, and for how long.

use std::time::Duration;

use rand::RngExt;
use rand_distr::{Distribution, Exp1};

use super::agenda::Task;
use super::crowd::Crowd;
use super::limits::DRAWS;
use super::person::State;
use crate::outcome::Phase;

impl Crowd {
    /// As many go offline as are to be.
    pub(super) fn thin_out(&mut self, now: Duration) {
        (0..self.plan.offline()).for_each(|_| self.somebody_leaves(now));
    }

    /// Whoever is away comes back, and in the middle of a measurement another one goes instead.
    pub(super) fn come_back(&mut self, person: u32, now: Duration) {
        let is_time = matches!(self.phase, Phase::Measuring | Phase::Draining);
        if !is_time || !self.people[person as usize].is_leaving() {
            return;
        }
        self.deeds.returned += 1;
        self.people[person as usize].returned = Some(now);
        self.greet(person, now);
        if self.phase == Phase::Measuring {
            self.somebody_leaves(now);
        }
    }

    /// Half of those who leave say so.
    fn somebody_leaves(&mut self, now: Duration) {
        let people = self.people.len() as u32;
        let drawn = (0..DRAWS).map(|_| self.rng.random_range(0..people));
        let mut drawn = drawn.collect::<Vec<_>>().into_iter();
        let Some(person) = drawn.find(|person| self.people[*person as usize].state == State::Here) else {
            return;
        };
        self.people[person as usize].returned = None;
        if self.rng.random() {
            self.deeds.deregistered += 1;
            self.depart(person, now);
        } else {
            self.deeds.fell_silent += 1;
            self.enter(person, State::Away, now);
        }
        let factor: f64 = Exp1.sample(&mut self.rng);
        self.agenda.add(now + self.plan.returns.mul_f64(factor), Task::Return(person));
    }
}
