//! kill -9 at any moment, and a new relay on the same port: again and again.

use std::net::{SocketAddr, UdpSocket};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::{Backend, Client, RelayOptions, alone};

use super::tools::Over;

const ROUNDS: usize = 200;
const SEED: u64 = 0x0007_e1a7;
/// Longer than a start takes, and than what the first clients ask.
const LONGEST_LIFE: u64 = 40;

#[test]
fn after_a_kill_a_new_relay_serves_on_the_same_port_every_time() {
    alone(|| {
        let address: SocketAddr = "127.0.0.1:5000".parse().unwrap();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let traffic = scope.spawn(|| make_traffic(address, &done));
            let over = Over(&done);
            let mut random = StdRng::seed_from_u64(SEED);
            let mut moment = || Duration::from_millis(random.random_range(0..LONGEST_LIFE));
            for round in 0..ROUNDS {
                let backend = if round % 2 == 0 { Backend::Uring } else { Backend::Mmsg };
                if round % 4 < 2 {
                    // This one may be killed before it serves.
                    kill_at(backend, moment());
                }
                let relay = options(backend).start();
                assert_eq!(relay.address(), address);
                assert_serves(address);
                thread::sleep(moment() / 4);
                // Killed.
                drop(relay);
            }
            drop(over);
            traffic.join().expect("traffic goes on until it is told to end");
        });
    });
}

fn options(backend: Backend) -> RelayOptions {
    RelayOptions::new(backend).with(["--port", "5000"])
}

fn kill_at(backend: Backend, moment: Duration) {
    let mut options = options(backend);
    let mut child = options.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(moment);
    child.kill().unwrap();
    child.wait().unwrap();
}

fn assert_serves(address: SocketAddr) {
    let [a, b] = [(); 2].map(|()| Client::to(address));
    let group = a.create();
    a.join(&group);
    b.join(&group);
    a.send("hello");
    assert_eq!(b.hear(), "hello");
}

/// Clients that do not notice that relays come and go: groups, members and payloads, about two thousand a second.
fn make_traffic(address: SocketAddr, done: &AtomicBool) {
    let sockets: Vec<UdpSocket> = (0..8).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    for socket in &sockets {
        socket.connect(address).unwrap();
        socket.set_nonblocking(true).unwrap();
    }
    let mut group = String::from("NOBODY");
    while !done.load(Ordering::Relaxed) {
        for (number, socket) in sockets.iter().enumerate() {
            let mut answer = [0; 64];
            while let Ok(len) = socket.recv(&mut answer) {
                let text = String::from_utf8_lossy(&answer[..len]);
                if let Some(created) = text.strip_prefix("OK CREATED ") {
                    group = created.to_owned();
                }
            }
            // Refused while no relay is there.
            let _ = match number {
                0 => socket.send(b"!CREATE"),
                _ => socket.send(format!("!JOIN {group}").as_bytes()),
            };
            let _ = socket.send(b"a payload");
        }
        thread::sleep(Duration::from_millis(8));
    }
}
