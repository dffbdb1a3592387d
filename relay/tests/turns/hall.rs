//! A shard in a world on paper.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine::{Admission, AdmissionMode, Cap, Engine, Entropy, Groups, OwnAddresses, Settings, Shared, Tick};
use relay::inbox::{Inbox, Postbox};
use relay::limits::{BUFFERS, PUBLISH_EVERY, TURN_ARRIVALS, TURN_UNITS};
use relay::meter::{Counters, Meter};
use relay::shard::Shard;

use crate::paper::{Paper, PaperClock, SharedWorld, World};

/// A shard with one declared group, `HALL`.
pub struct Hall {
    pub world: SharedWorld,
    pub shard: Shard<Paper, PaperClock>,
    pub meter: Meter,
    pub groups: Arc<Groups>,
    pub postbox: Postbox,
}

impl Hall {
    pub fn open() -> Self {
        Self::coalescing(Duration::ZERO)
    }

    /// Payloads may wait for company for so long.
    pub fn coalescing(coalesce: Duration) -> Self {
        Self::with(&Settings { coalesce, ..Settings::default() })
    }

    /// With these settings, but no caps, and nobody has to prove anything.
    pub fn with(settings: &Settings) -> Self {
        let world: SharedWorld = Rc::new(RefCell::new(World::default()));
        let groups = Arc::new(Groups::new());
        groups.declare(&[("HALL".parse().unwrap(), None), ("ANNEX".parse().unwrap(), None)], Tick(0));
        let settings = Settings { cap: Cap::Unlimited, admission: AdmissionMode::Open, ..settings.clone() };
        let own = Arc::new(OwnAddresses::default());
        let entropy = Entropy::new(|bytes| bytes.fill(7));
        let engine = Engine::new(
            (0, 1),
            Shared::new(Arc::clone(&groups), Arc::new(Admission::seeded(0, Tick(0)))),
            Arc::new(settings),
            own,
            entropy,
            Tick(0),
        );
        let driver = Paper::new(Rc::clone(&world), BUFFERS, TURN_ARRIVALS, TURN_UNITS + 64 + TURN_ARRIVALS);
        let meter = Meter::default();
        let inbox = Inbox::default();
        let postbox = inbox.postbox(net::Waker::new().unwrap());
        let shard = Shard::new(engine, driver, BUFFERS, PaperClock(Rc::clone(&world)), inbox, meter.clone());
        Self { world, shard, meter, groups, postbox }
    }

    /// Declares these groups in place of the first two.
    pub fn declare<'a>(&self, ids: impl Iterator<Item = &'a str>) {
        let ids: Vec<_> = ids.map(|id| (id.parse().unwrap(), None)).collect();
        self.groups.declare(&ids, Tick(0));
    }

    pub fn arrive(&self, from: u16, datagram: impl Into<Vec<u8>>) {
        self.world.borrow_mut().incoming.push_back((client(from), datagram.into()));
    }

    pub fn turn(&mut self) {
        self.shard.turn().unwrap();
    }

    /// Turns until nothing is left to do, and forgets what was sent on the way.
    pub fn settle(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        loop {
            self.turn();
            let done = self.world.borrow().lent == 0 && self.world.borrow().incoming.is_empty();
            if done {
                break;
            }
        }
        self.world.borrow_mut().now += PUBLISH_EVERY;
        self.turn();
        let mut world = self.world.borrow_mut();
        world.times.clear();
        std::mem::take(&mut world.sent)
    }

    pub fn fill(&mut self, members: u16) {
        (0..members).for_each(|member| self.arrive(member, "!JOIN HALL"));
        assert_eq!(self.settle().len(), usize::from(members));
    }
}

pub fn client(number: u16) -> SocketAddr {
    ([10, 0, 0, 1], 1000 + number).into()
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The conservation law of docs/architecture.md.
pub fn assert_conserved(counters: &Counters) {
    let meant = counters.tally.fanout.sum + counters.tally.replies;
    let dropped = counters.overflowed + counters.failed.iter().sum::<u64>();
    assert_eq!(meant, counters.sent.packets + dropped + counters.waiting, "{counters:?}");
}
