//! Whole turns of a shard, from the datagram to the planned sends, with a driver that does nothing.

use std::time::Duration;

use engine::{Datagram, LocalAddr, Outbox};
use relay::clock::Clock;
use relay::inbox::Inbox;
use relay::limits::BUFFERS;
use relay::meter::Meter;
use relay::shard::Shard;

use crate::blank::Blank;
use crate::engine_steps::{client, engine, id};
use crate::{Named, Step};

pub const ALL: &[Named] = &[
    ("relay: a turn of 64 payloads of one sender, a group of 100", || turn(1, 100, |_| 0)),
    ("relay: a turn of 64 payloads of 64 senders, a group of 100", || turn(1, 100, |payload| payload)),
    ("relay: a turn of 100 payloads, one in each of 100 groups of 10", || {
        turn(100, 10, |payload| payload * 10)
    }),
];

/// Turns before the one that counts.
const WARM_UP: usize = 32;

/// The time never passes, so that no turn has anything to do but its payloads.
struct Frozen;

impl Clock for Frozen {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn calendar(&self) -> Duration {
        self.now()
    }
}

/// Turns with 64 payloads, or one for each group if those are more, of the clients that `sender` says.
fn turn(groups: u32, members: u32, sender: fn(u32) -> u32) -> Step {
    let mut engine = engine(groups, members);
    let mut outbox = Outbox::default();
    for number in 0..groups * members {
        let bytes = format!("!JOIN {}", id(number / members)).into_bytes();
        let local = LocalAddr::new(0, None);
        engine.receive(&Datagram { bytes: &bytes, source: client(number), local, number: 0 }, &mut outbox);
        outbox.clear();
    }
    let payloads = (0..groups.max(64)).map(|payload| (client(sender(payload)), vec![b'x'; 512])).collect();
    let driver = Blank::new(payloads);
    let sent = driver.sent();
    let mut shard = Shard::new(engine, driver, BUFFERS, Frozen, Inbox::default(), Meter::default());
    let mut turn = move || shard.turn().expect("a driver that never fails");
    // The first turns learn what a send costs, and leave something for the next.
    for _ in 0..WARM_UP {
        turn();
    }
    Box::new(move || {
        let before = sent.get();
        turn();
        let copies = u64::from(groups.max(64) * (members - 1));
        assert_eq!(sent.get() - before, copies, "a turn sends what has arrived");
    })
}
