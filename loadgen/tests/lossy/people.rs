//! People behind a network that loses and repeats datagrams, before the release relay.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::common::process::{RelayOptions, each_backend};
use crate::common::program::Program;

/// Between two looks at whether it is to stop.
const TURN: Duration = Duration::from_millis(50);

/// Of the datagrams, either way.
const LOST: f64 = 0.05;
const REPEATED: f64 = 0.05;

/// Stands before a relay, with an address of its own there for each client.
struct Network {
    address: SocketAddr,
    ways: Arc<Ways>,
    threads: Vec<JoinHandle<()>>,
}

struct Ways {
    front: UdpSocket,
    relay: SocketAddr,
    dice: Mutex<StdRng>,
    stop: AtomicBool,
}

impl Network {
    fn before(relay: SocketAddr) -> Self {
        let front = socket();
        let address = front.local_addr().unwrap();
        let dice = Mutex::new(StdRng::seed_from_u64(4737));
        let ways = Arc::new(Ways { front, relay, dice, stop: false.into() });
        let served = Arc::clone(&ways);
        Self { address, ways, threads: vec![thread::spawn(move || served.serve())] }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.ways.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            assert!(thread.join().is_ok() || thread::panicking(), "the network panicked");
        }
    }
}

impl Ways {
    /// What clients say, to the relay; a thread for each of them brings the answers.
    fn serve(&self) {
        let mut backs: HashMap<SocketAddr, UdpSocket> = HashMap::new();
        thread::scope(|scope| {
            self.forward(&self.front, |from, bytes| {
                let back = backs.entry(from).or_insert_with(|| {
                    let back = socket();
                    back.connect(self.relay).unwrap();
                    let answers = back.try_clone().unwrap();
                    scope.spawn(move || {
                        self.forward(&answers, |_, bytes| drop(self.front.send_to(bytes, from)));
                    });
                    back
                });
                // A relay that is gone is nobody's fault.
                let _ = back.send(bytes);
            });
        });
    }

    fn forward(&self, socket: &UdpSocket, mut send: impl FnMut(SocketAddr, &[u8])) {
        let mut buffer = [0; 8192];
        while !self.stop.load(Ordering::Relaxed) {
            let Ok((len, from)) = socket.recv_from(&mut buffer) else { continue };
            (0..self.copies()).for_each(|_| send(from, &buffer[..len]));
        }
    }

    /// Of a datagram: none, one or two.
    fn copies(&self) -> usize {
        let drawn: f64 = self.dice.lock().unwrap().random();
        if drawn < LOST {
            0
        } else if drawn < LOST + REPEATED {
            2
        } else {
            1
        }
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(TURN)).unwrap();
    socket
}

#[test]
fn what_is_lost_and_repeated_on_the_way_costs_time_only() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--data-dir", "none"]).start();
        let network = Network::before(relay.address());
        let load = "--profile people --clients 60 --rate 3 --offline-share 0.2 --returns 1s --duration 6s";
        let seen = Program::run(network.address, load).report();
        let sum = |key: &str| seen.number(&format!("/details/outcome/sums/{key}"));
        assert!(sum("sent_again") > 0 && sum("repeats") > 0 && seen.number("/sent") > 0);
        assert_eq!(seen.number("/sent"), seen.number("/delivered"), "{:?}", seen.0["details"]["outcome"]);
        for key in ["lost", "unanswered", "doubled", "out_of_order", "misdelivered", "corrupted", "unsent"] {
            assert_eq!(sum(key), 0, "{key}");
        }
    });
}
