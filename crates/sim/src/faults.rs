//! What goes wrong in a run, and when.

use std::time::Duration;

use engine::{Access, AdmissionMode, Cap, Prefixes, Settings};
use net::FailureKind;

use crate::network::{Trouble, Weather};
use crate::simulation::{Event, Simulation};
use crate::trace::What;
use crate::world::World;

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The network changes for everyone.
    Weather,
    /// One client is cut off, cannot be sent to, gets another address, is impersonated, or said not to be there.
    Trouble,
    /// A shard, all of them, or everything stands still.
    Stall,
    /// The relay ends and starts again.
    Restart,
    /// The relay reads new settings.
    Reload,
    /// A client talks without end.
    Burst,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Weather, Self::Trouble, Self::Stall, Self::Restart, Self::Reload, Self::Burst];
}

impl Simulation {
    /// Plans the next fault of a kind, if there will be one.
    pub(crate) fn plan_fault(&mut self, fault: Fault) {
        let between = &self.script.between;
        let mean = match fault {
            Fault::Weather => between.weather,
            Fault::Trouble => between.trouble,
            Fault::Stall => between.stall,
            Fault::Restart => between.restart,
            Fault::Reload => between.reload,
            Fault::Burst => between.burst,
        };
        if mean == Duration::MAX {
            return;
        }
        let at = self.world.now() + self.world.between(Duration::ZERO, 2 * mean);
        if at < self.script.faults {
            self.plan(at, Event::Fault(fault));
        }
    }

    /// A fault begins.
    pub(crate) fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::Weather => self.change_weather(),
            Fault::Trouble => self.trouble_somebody(),
            Fault::Stall => self.stall(),
            Fault::Restart => self.restart(),
            Fault::Reload => self.reload(),
            Fault::Burst => self.burst(),
        }
    }

    fn change_weather(&mut self) {
        let (world, worst) = (&self.world, &self.script.worst);
        let share = |most: f64| most * world.below(101) as f64 / 100.0;
        let weather = Weather {
            loss: share(worst.loss),
            duplication: share(worst.duplication),
            corruption: share(worst.corruption),
            delay: (worst.delay.0, world.between(worst.delay.0, worst.delay.1)),
            refusal: share(worst.refusal),
        };
        world.note(What::Weather, [0; 3], &[]);
        world.network.borrow_mut().weather = weather;
    }

    fn trouble_somebody(&mut self) {
        let world = &self.world;
        let number = world.below(self.crowd.clients.len() as u64) as usize;
        let client = self.crowd.clients[number].address;
        let until = world.now() + world.between(Duration::ZERO, 5 * self.script.settings.heartbeat);
        world.note(What::Weather, [1, world.number_of(client), 0], &[]);
        match world.below(7) {
            0 => self.crowd.rebind(number, world),
            1 => {
                let group = *world.pick(&self.crowd.hearsay.groups);
                self.impersonate(client, format!("!JOIN {group}").as_bytes());
            }
            2 => self.impersonate(*world.pick(&[RELAY_ITSELF, NOBODY]), b"!CREATE"),
            3 => self.forge_an_error(client),
            4 | 5 => world.network.borrow_mut().trouble(client, Trouble::CutOff, until),
            _ => {
                let trouble = Trouble::Refused(*world.pick(&FailureKind::ALL));
                world.network.borrow_mut().trouble(client, trouble, until);
            }
        }
    }

    /// Somebody says that nobody is there, to each shard.
    fn forge_an_error(&mut self, client: std::net::SocketAddr) {
        let Some(fleet) = &self.fleet else { return };
        for shard in 0..fleet.len() {
            self.world.note(What::Unreached, [shard as u64, self.world.number_of(client), 1], &[]);
            fleet.port(shard).borrow_mut().forged.push(client);
        }
    }

    fn impersonate(&mut self, source: std::net::SocketAddr, bytes: &[u8]) {
        let local = self.crowd.clients[0].local;
        self.send_up(source, local, bytes);
    }

    fn stall(&mut self) {
        let world = &self.world;
        let heartbeat = self.script.settings.heartbeat;
        let length = world.between(Duration::ZERO, *world.pick(&[heartbeat / 20, heartbeat, 5 * heartbeat]));
        let until = world.now() + length;
        let which = world.below(self.stalled.len() as u64 + 2) as usize;
        world.note(What::Stall, [which as u64, length.as_millis() as u64, 0], &[]);
        let shards = self.stalled.len();
        match self.stalled.get_mut(which) {
            Some(one) => *one = until,
            None if which == shards => self.stalled.fill(until),
            // Everything stands still, clients too: the clock jumps.
            None => world.pass_to(until),
        }
    }

    fn restart(&mut self) {
        let is_killed = self.world.chance(0.5);
        self.restarts += 1;
        self.world.note(What::Restart, [self.restarts, u64::from(is_killed), 0], &[]);
        self.end(is_killed);
        let down = self.world.between(Duration::ZERO, Duration::from_secs(3));
        self.plan(self.world.now() + down, Event::Start);
    }

    fn reload(&mut self) {
        let Some(fleet) = &mut self.fleet else { return };
        let world = &self.world;
        let (which, moody, max_rate) = (world.below(9), self.script.moody, self.script.settings.max_rate);
        world.note(What::Reload, [which, 0, 0], &[]);
        fleet.reload(|settings: &mut Settings| match which {
            0 => settings.cap = *world.pick(&[Cap::Members(3), Cap::Members(128), Cap::Unlimited]),
            1 => settings.empty_ttl = *world.pick(&[Duration::from_secs(2), settings.empty_ttl * 2]),
            2 => {
                let other = *world.pick(&[settings.sweep / 3, settings.sweep * 2]);
                let most = 2 * self.script.settings.sweep;
                settings.sweep = other.clamp(Duration::from_millis(1), most);
            }
            3 if moody => {
                settings.admission =
                    *world.pick(&[AdmissionMode::Open, AdmissionMode::Auto, AdmissionMode::Strict]);
            }
            4 => settings.unproved_egress = *world.pick(&[25_000_000, 100_000, 5_000]),
            5 => settings.access = access(world),
            6 => settings.max_rate = max_rate.filter(|_| settings.max_rate.is_none()),
            7 => settings.coalesce = *world.pick(&[Duration::ZERO, Duration::from_millis(10)]),
            _ => {
                let most = 2 * self.script.settings.heartbeat;
                let other = *world.pick(&[settings.heartbeat / 2, settings.heartbeat * 2]);
                settings.heartbeat = other.clamp(Duration::from_millis(100), most);
            }
        });
        (0..self.script.shards).for_each(|shard| self.plan_turn(shard, self.world.now()));
    }

    fn burst(&mut self) {
        let number = self.world.below(self.crowd.clients.len() as u64) as usize;
        for _ in 0..self.world.below(self.script.burst) {
            let word = self.crowd.clients[number].word(&self.world, &self.crowd.hearsay);
            self.say(number, &word);
        }
    }
}

/// Most may speak, or all: not a part of those that clients have, or only the usual ones, of whom a part may not.
fn access(world: &World) -> Access {
    let set = |texts: &[&str]| Prefixes::new(texts.iter().filter_map(|text| text.parse().ok()));
    let denied = ["198.51.1.0/24", "198.51.0.0/16", "127.0.2.0/24", "2001:db8::/32", "198.51.3.7"];
    let deny = set(&[*world.pick(&denied)]);
    match world.below(4) {
        0 => Access { allow: set(&["198.51.0.0/16", "127.0.0.0/8"]), deny },
        1 | 2 => Access { deny, ..Access::default() },
        _ => Access::default(),
    }
}

/// Sources that no client has: the relay's own address, and one that cannot be answered.
const RELAY_ITSELF: std::net::SocketAddr = crate::crowd::RELAY;
const NOBODY: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 9)), 0);
