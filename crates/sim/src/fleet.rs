//! The relay: its shards, turned when they have something to do, started and stopped.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine::{Admission, Engine, Entropy, Groups, OwnAddresses, Settings, Shared};
use net::Waker;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use relay::inbox::{Inbox, News, Postbox};
use relay::meter::Meter;
use relay::shard::Shard;

use crate::audit;
use crate::driver::{Common, SimDriver};
use crate::ledger::Ledger;
use crate::model::Model;
use crate::network::Map;
use crate::port::{Port, Sent, SharedPort};
use crate::script::Script;
use crate::trace::What;
use crate::world::{SharedWorld, SimClock, World};

/// Turned later than this, a shard is late.
const LATE: Duration = Duration::from_millis(20);

/// All shards of a relay.
pub struct Fleet {
    world: SharedWorld,
    pub(crate) groups: Arc<Groups>,
    pub(crate) members: Vec<Member>,
    settings: Settings,
}

/// The relay's shard, in a simulation.
pub type SimShard = Shard<SimDriver, SimClock>;

/// One shard, and what surrounds it.
pub struct Member {
    pub(crate) shard: SimShard,
    pub(crate) port: SharedPort,
    postbox: Postbox,
    news: Option<Settings>,
    /// When it first wanted to turn since it last did.
    wanted: Duration,
}

impl Fleet {
    /// Starts a relay; the model becomes that of one that has just started.
    pub fn start(script: &Script, own: SocketAddr, world: &SharedWorld, waker: &Waker) -> Self {
        let settings = script.settings.clone();
        let now = world.tick();
        let groups = Arc::new(Groups::seeded(world.below(u64::MAX)));
        groups.declare(&script.declared, now);
        let admission = Arc::new(Admission::seeded(world.below(u64::MAX), now));
        let mut model = Model::new(script.shards, &settings, own, now.0);
        script.declared.iter().for_each(|(id, terms)| model.declare(*id, *terms));
        world.model.replace(model);
        let own = Arc::new(OwnAddresses { bound: vec![own], ..OwnAddresses::default() });
        let common = Common {
            world: Rc::clone(world),
            waker: waker.clone(),
            numbers: Rc::new(Cell::new(0)),
            order: Rc::new(RefCell::new(Map::default())),
            groups: Arc::clone(&groups),
            ledger: Rc::new(RefCell::new(Ledger::new(Arc::clone(&admission), world.now()))),
        };
        let shared = Shared::new(Arc::clone(&groups), Arc::clone(&admission));
        let member = |number| {
            let mut dice = SmallRng::seed_from_u64(world.below(u64::MAX));
            let entropy = Entropy::new(move |bytes| dice.fill_bytes(bytes));
            let place = (number, script.shards);
            let settings = Arc::new(settings.clone());
            let engine = Engine::new(place, shared.clone(), settings, Arc::clone(&own), entropy, now);
            let port = Rc::new(RefCell::new(Port { room: script.room, ..Port::default() }));
            let driver = SimDriver::new(number, script.make, Rc::clone(&port), &common);
            let inbox = Inbox::default();
            let postbox = inbox.postbox(waker.clone());
            let clock = SimClock(Rc::clone(world));
            let shard = Shard::new(engine, driver, script.make.buffers, clock, inbox, Meter::default());
            Member { shard, port, postbox, news: None, wanted: world.now() }
        };
        let members = (0..script.shards).map(member).collect();
        Self { world: Rc::clone(world), groups, members, settings }
    }

    /// How many shards.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// A shard's socket.
    pub fn port(&self, shard: usize) -> &SharedPort {
        &self.members[shard].port
    }

    /// A shard wants to turn at this time.
    pub fn wants(&mut self, shard: usize, at: Duration) {
        let wanted = &mut self.members[shard].wanted;
        *wanted = at.min(*wanted);
    }

    /// One turn of a shard. What it has sent, and until when it waits; zero if it has more to do.
    pub fn turn(&mut self, shard: usize) -> (Vec<Sent>, Duration) {
        let world = &self.world;
        let member = &mut self.members[shard];
        world.note(What::Turns, [shard as u64, 0, 0], &[]);
        let late = world.now() > member.wanted.saturating_add(LATE);
        member.wanted = Duration::MAX;
        member.read_news(shard, world);
        member.port.borrow_mut().asleep = None;
        if let Err(error) = member.shard.turn() {
            world.violated(|| format!("shard {shard}: {error}"));
        }
        audit::after_turn(shard, &mut member.shard, &member.port, late, &self.groups, world);
        let mut port = member.port.borrow_mut();
        let until = port.asleep.filter(|_| port.queue.is_empty()).unwrap_or_default();
        (std::mem::take(&mut port.sent), until)
    }

    /// New settings for every shard.
    pub fn reload(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
        let settings = Arc::new(self.settings.clone());
        for member in &mut self.members {
            member.postbox.post(&News { settings: Some(Arc::clone(&settings)), ..News::default() });
            member.news = Some(self.settings.clone());
        }
    }

    /// Everything is compared with the model.
    pub fn audit(&mut self) {
        audit::all(self, &self.world);
    }

    /// Stops as a relay does that is told to; what it still sent.
    pub fn stop(self) -> Vec<Sent> {
        let mut sent = Vec::new();
        for (number, mut member) in self.members.into_iter().enumerate() {
            member.read_news(number, &self.world);
            member.postbox.post(&News { stop: true, ..News::default() });
            // It may have stood still until now.
            let watch = |shard: &mut SimShard| {
                audit::after_turn(number, shard, &member.port, true, &self.groups, &self.world);
            };
            match member.shard.run_watched(watch) {
                Ok(driver) => audit::at_end(number, &driver, &member.port, &self.world),
                Err(error) => self.world.violated(|| format!("shard {number}: {error}")),
            }
            sent.append(&mut member.port.borrow_mut().sent);
        }
        sent
    }
}

impl Member {
    /// What it will read of new settings, the model has read.
    fn read_news(&mut self, shard: usize, world: &World) {
        if let Some(settings) = self.news.take() {
            world.model.borrow_mut().reload(shard, &settings);
        }
    }
}
