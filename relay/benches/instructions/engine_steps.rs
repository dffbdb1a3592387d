//! What the engine decides about one datagram after the other.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;

use engine::{
    Admission, Cap, Datagram, Engine, Entropy, Groups, LocalAddr, Outbox, OwnAddresses, Settings, Shared,
    Tick,
};

use crate::{Named, Step};

pub const ALL: &[Named] = &[
    ("engine: 64 payloads, 1,000 sessions in groups of 10", payloads),
    ("engine: 64 PINGs, 1,000 sessions", pings),
    ("engine: 16 JOINs and LEAVEs, a group of 100", joins),
    ("engine: JOIN and LEAVE under traffic, a group of 100", || joins_under_traffic(100)),
    ("engine: JOIN and LEAVE under traffic, a group of 10,000", || joins_under_traffic(10_000)),
];

/// An engine with declared groups, `G0` and so on, that are all of one size.
pub fn engine(groups: u32, members: u32) -> Engine {
    let all = Arc::new(Groups::seeded(5000));
    let ids: Vec<_> = (0..groups).map(|group| (id(group).parse().expect("an id"), None)).collect();
    all.declare(&ids, Tick(0));
    let mut settings = Settings { cap: Cap::Unlimited, ..Settings::default() };
    // Room for those clients only: under valgrind an empty table for a million takes a while to make.
    settings.ceilings.clients = (groups * members).next_power_of_two();
    // Nobody has proved its address, and the time that would fill the bucket never passes.
    settings.unproved_egress = 1 << 50;
    let own = Arc::new(OwnAddresses { bound: vec![([10, 0, 0, 1], 5000).into()], ..OwnAddresses::default() });
    let entropy = Entropy::new(|bytes| bytes.fill(7));
    let admission = Arc::new(Admission::seeded(0, Tick(0)));
    Engine::new((0, 1), Shared::new(all, admission), Arc::new(settings), own, entropy, Tick(0))
}

/// The name of a group.
pub fn id(group: u32) -> String {
    format!("G{group}")
}

/// An address for each client.
pub fn client(number: u32) -> SocketAddr {
    let [_, high, middle, low] = number.to_be_bytes();
    ([10, 1 + high, middle, low], 40_000).into()
}

/// An engine whose groups are full, and its outbox.
struct Full {
    engine: Engine,
    outbox: Outbox,
}

impl Full {
    fn new(groups: u32, members: u32) -> Self {
        let mut full = Self { engine: engine(groups, members), outbox: Outbox::default() };
        for number in 0..groups * members {
            full.take(number, format!("!JOIN {}", id(number / members)).as_bytes(), 0);
            full.turn();
        }
        full
    }

    fn take(&mut self, from: u32, bytes: &[u8], number: u32) {
        let datagram = Datagram { bytes, source: client(from), local: LocalAddr::new(0, None), number };
        self.engine.receive(black_box(&datagram), &mut self.outbox);
    }

    fn turn(&mut self) {
        black_box(&self.outbox);
        self.outbox.clear();
        self.engine.begin_turn(Tick(0));
    }
}

fn payloads() -> Step {
    let mut full = Full::new(100, 10);
    Box::new(move || {
        for number in 0..64 {
            // 17 and 1,000 have no common divisor: 64 clients, of most groups one.
            full.take(number * 17 % 1000, &[b'x'; 512], number);
        }
        full.turn();
    })
}

fn pings() -> Step {
    let mut full = Full::new(100, 10);
    Box::new(move || {
        for number in 0..64 {
            full.take(number * 17 % 1000, b"!PING", number);
        }
        full.turn();
    })
}

fn joins() -> Step {
    let mut full = Full::new(1, 100);
    Box::new(move || {
        for stranger in 1000..1016 {
            full.take(stranger, b"!JOIN G0", 0);
            full.take(stranger, b"!LEAVE G0", 1);
            full.turn();
        }
    })
}

/// Whoever joins or leaves finds a snapshot that was made for the payload before.
fn joins_under_traffic(members: u32) -> Step {
    let mut full = Full::new(1, members);
    Box::new(move || {
        for request in [&b"!JOIN G0"[..], b"!LEAVE G0"] {
            full.take(7, &[b'x'; 512], 0);
            full.take(members + 1, request, 1);
            full.turn();
        }
    })
}
