//! Who changes its address, and goes on there with its session.

use std::collections::VecDeque;
use std::time::Duration;

use rand_distr::{Distribution, Exp1};
use wire::Token;

use super::agenda::Task;
use super::crowd::Crowd;
use super::person::State;
use crate::outcome::Phase;

/// The addresses of a run: who is at each, and which are free.
#[derive(Debug)]
pub struct Places {
    holders: Vec<Option<u32>>,
    /// Who has left one last is last: what comes to it late is nobody's.
    free: VecDeque<u32>,
}

impl Places {
    /// Everybody is at the place of its own number, and the others are free.
    pub fn new(people: u32, places: u32) -> Self {
        let holders = (0..places).map(|place| Some(place).filter(|place| *place < people)).collect();
        Self { holders, free: (people..places).collect() }
    }

    /// Who is at a place.
    pub fn holder(&self, place: u32) -> Option<u32> {
        self.holders.get(place as usize).copied().flatten()
    }

    /// Somebody leaves a place for another one.
    fn leave(&mut self, place: u32) -> Option<u32> {
        let other = self.free.pop_front()?;
        self.holders[other as usize] = self.holders[place as usize].take();
        self.free.push_back(place);
        Some(other)
    }
}

impl Crowd {
    /// Whoever is to move does so from now on.
    pub(super) fn set_out(&mut self, now: Duration) {
        (0..self.plan.movers()).for_each(|person| self.plan_move(person, now));
    }

    /// A person's network is another one: what comes to the old address it does not hear any more.
    pub(super) fn move_on(&mut self, person: u32, now: Duration) {
        if self.phase != Phase::Measuring {
            return;
        }
        self.plan_move(person, now);
        let it = &mut self.people[person as usize];
        if it.state == State::Here
            && let Some(place) = self.places.leave(it.place)
        {
            (it.place, it.cookie) = (place, None);
            self.ask_for(person, State::Moving, now);
        }
    }

    /// Its session goes on at the new address, if it still has its name.
    pub(super) fn resumed(&mut self, person: u32, name: Option<&str>, token: Token, now: Duration) {
        self.people[person as usize].token = Some(token);
        if name != Some(self.names.name(person).as_str()) {
            return self.is_lost(person, now);
        }
        self.deeds.moved += 1;
        self.is_here(person, now);
    }

    fn plan_move(&mut self, person: u32, now: Duration) {
        let factor: f64 = Exp1.sample(&mut self.rng);
        self.agenda.add(now + self.plan.returns.mul_f64(factor), Task::Move(person));
    }
}
