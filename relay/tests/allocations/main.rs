//! In steady state a turn allocates nothing: real shards, real sockets, and an allocator that counts.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use engine::{Admission, Cap, Engine, Entropy, Groups, OwnAddresses, Settings, Shared, Tick};
use net::{Binding, Driver, DriverConfig, Mmsg, SocketOptions, Uring, bind};
use relay::clock::Clock;
use relay::inbox::{Inbox, News, Postbox};
use relay::limits::{BUFFERS, TURN_ARRIVALS};
use relay::meter::Meter;
use relay::shard::Shard;

/// The system's allocator; it counts what each thread asks for.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more, and counts for nobody.
    let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
}

// SAFETY: every call is passed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MEMBERS: usize = 40;
const WARM_UP: usize = 50;
const ROUNDS: usize = 300;

/// Goes on by 10 us whenever it is looked at, so that no turn takes longer because the machine is busy.
struct Steps(Cell<u64>);

impl Clock for Steps {
    fn now(&self) -> Duration {
        self.0.set(self.0.get() + 10);
        Duration::from_micros(self.0.get())
    }

    fn calendar(&self) -> Duration {
        self.now()
    }
}

/// A shard and the clients of its two groups; all of it on this thread.
struct Town<D> {
    shard: Shard<D, Steps>,
    postbox: Postbox,
    relay: SocketAddr,
    clients: Vec<UdpSocket>,
}

impl<D: Driver> Town<D> {
    fn build(open: impl FnOnce(Vec<net::Socket>, &DriverConfig) -> D) -> Self {
        let Binding { mut shards, addresses, .. } =
            bind(&["127.0.0.1:0".parse().unwrap()], 1, SocketOptions::default()).unwrap();
        let config = DriverConfig {
            buffers: BUFFERS as u16,
            arrivals_per_exchange: TURN_ARRIVALS as u16,
            turn_budget: 20_000,
            ..DriverConfig::default()
        };
        let driver = open(shards.remove(0), &config);
        let groups = Arc::new(Groups::new());
        groups.declare(&["HALL", "ANNEX"].map(|id| (id.parse().unwrap(), None)), Tick(0));
        let settings = Arc::new(Settings { cap: Cap::Unlimited, ..Settings::default() });
        let own = Arc::new(OwnAddresses { bound: addresses.clone(), ..OwnAddresses::default() });
        let entropy = Entropy::new(|bytes| bytes.fill(7));
        let engine = Engine::new(
            (0, 1),
            Shared::new(groups, Arc::new(Admission::seeded(0, Tick(0)))),
            settings,
            own,
            entropy,
            Tick(0),
        );
        let inbox = Inbox::default();
        let postbox = inbox.postbox(driver.waker());
        let shard = Shard::new(engine, driver, BUFFERS, Steps(Cell::new(0)), inbox, Meter::default());
        let clients = (0..MEMBERS).map(|_| client()).collect();
        Self { shard, postbox, relay: addresses[0], clients }
    }

    fn say(&self, client: usize, text: &[u8]) {
        self.clients[client].send_to(text, self.relay).unwrap();
    }

    /// Turns until nothing comes any more, and hears what was sent; returns how many datagrams that was.
    fn settle(&mut self) -> usize {
        // Who has news does not wait.
        self.postbox.post(&News::default());
        while self.shard.turn().unwrap() {
            self.postbox.post(&News::default());
        }
        let mut room = [0; 4096];
        let mut heard = 0;
        for client in &self.clients {
            while client.recv_from(&mut room).is_ok() {
                heard += 1;
            }
        }
        heard
    }

    /// What clients do in every minute of their lives: payloads of many senders and sizes, in two groups, and
    /// heartbeats.
    fn round(&mut self, number: usize, payloads: usize) -> usize {
        for at in 0..payloads {
            let size = if number.is_multiple_of(2) { 500 } else { 100 + 13 * at };
            self.say((number + at / 3) % MEMBERS, &[b'x'; 2000][..size]);
        }
        self.say(number % MEMBERS, b"!PING");
        self.say((number + 1) % MEMBERS, b"!WHO");
        // Two of this size are never one message's.
        self.say((number + 2) % MEMBERS, &[b'y'; 4096]);
        self.settle()
    }
}

fn client() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn allocates_nothing<D: Driver>(open: impl FnOnce(Vec<net::Socket>, &DriverConfig) -> D) {
    let mut town = Town::build(open);
    for number in 0..MEMBERS {
        town.say(number, if number.is_multiple_of(4) { b"!JOIN ANNEX" } else { b"!JOIN HALL" });
    }
    assert_eq!(town.settle(), MEMBERS);
    // Twice as much as later, so that every list has been as long as it will be, however the turns fall.
    (0..WARM_UP).for_each(|number| assert!(town.round(number, 60) > 600));
    let before = ASKED.get();
    let heard: usize = (0..ROUNDS).map(|number| town.round(number, 30)).sum();
    assert!(heard > 300 * ROUNDS, "{heard} datagrams");
    assert_eq!(ASKED.get() - before, 0, "allocations in {ROUNDS} rounds");
}

#[test]
fn a_turn_allocates_nothing_on_mmsg() {
    allocates_nothing(|sockets, config| Mmsg::new(sockets, config).unwrap());
}

#[test]
fn a_turn_allocates_nothing_on_uring() {
    if std::env::var_os("RELAY_TEST_NO_URING").is_none_or(|value| value != "1") {
        allocates_nothing(|sockets, config| Uring::new(sockets, config).unwrap());
    }
}

#[test]
fn the_allocator_counts() {
    let before = ASKED.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ASKED.get(), before + 1);
}
