//! The law with a link whose queue is far shorter than the granted send buffer: what it drops is counted.

use std::net::SocketAddr;

use super::Books;
use crate::support::{
    Backend, Cable, Client, FAR, NEAR, Relay, RelayOptions, each_backend, eventually, stay_here, tc,
};

const SENDERS: usize = 3;
const ROUNDS: u32 = 20;
const BURST: u32 = 20;

/// A bucket of 70 KB takes the largest message whole, and behind it wait 100 KB: a message is queued as a whole or
/// dropped as a whole. A message that is larger than the bucket would be cut by the queue, and counted as sent if
/// any part of it was queued.
const SLOW: &str = "rate 8kbit burst 70kb limit 100kb";
const FAST: &str = "rate 1gbit burst 1mb limit 100mb";

fn client(host: &str, relay: &Relay) -> Client {
    Client::from(SocketAddr::new(host.parse().unwrap(), 0), relay.address()).roomy()
}

/// A payload that says who sent it, and when.
fn payload(sender: usize, number: u32, size: usize) -> Vec<u8> {
    let mut payload = vec![b'p'; size];
    payload[1] = sender as u8;
    payload[2..6].copy_from_slice(&number.to_be_bytes());
    payload
}

/// The numbers that a client has heard of each sender.
fn heard(payloads: &[Vec<u8>]) -> [Vec<u32>; SENDERS] {
    let mut heard = [const { Vec::new() }; SENDERS];
    for payload in payloads {
        heard[usize::from(payload[1])].push(u32::from_be_bytes(*payload[2..].first_chunk().unwrap()));
    }
    heard
}

fn behind_a_short_queue(backend: Backend, near: &'static str, far: &'static str, sizes: &[usize]) {
    Cable::lay(|cable| {
        stay_here();
        let flags = ["--host", near, "--shards", "1", "--admission", "open"];
        let relay = RelayOptions::new(backend).with(flags).start();
        let senders = [(); SENDERS].map(|()| client(near, &relay));
        let listener = client(near, &relay);
        let distant = cable.over_there(|| [client(far, &relay), client(far, &relay)]);
        let group = senders[0].create();
        senders.iter().chain([&listener]).chain(&distant).for_each(|client| client.join(&group));
        let mut sent = 1 + SENDERS as u64 + 3;

        tc(&format!("qdisc add dev near root tbf {SLOW}"));
        for round in 0..ROUNDS {
            relay.pausing_if(round % 2 == 0, || {
                for number in round * BURST..(round + 1) * BURST {
                    for (at, sender) in senders.iter().enumerate() {
                        sender.send(payload(at, number, sizes[number as usize % sizes.len()]));
                        sent += 1;
                    }
                }
            });
            // Who is near hears everything, whatever becomes of the others.
            let near: Vec<Vec<u8>> = (0..BURST as usize * SENDERS).map(|_| listener.receive()).collect();
            let all: Vec<u32> = (round * BURST..(round + 1) * BURST).collect();
            heard(&near).iter().for_each(|numbers| assert_eq!(numbers, &all));
        }
        let books = Books::settled(&relay, sent);
        books.assert_law();
        let copies = f64::from(ROUNDS * BURST) * SENDERS as f64 * 2.0;
        let dropped = books.dropped_copies("send_buffer_full");
        assert!(dropped > 0.0 && dropped < copies, "{dropped}");
        assert_eq!(books.sum("relay_dropped_copies_total", ""), dropped);
        assert_eq!(books.sum("relay_members", ""), SENDERS as f64 + 3.0);

        tc(&format!("qdisc change dev near root tbf {FAST}"));
        let mut payloads = [Vec::new(), Vec::new()];
        eventually("what was counted as sent arrives", || {
            payloads.iter_mut().zip(&distant).for_each(|(heard, client)| heard.extend(client.drain()));
            let arrived: usize = payloads.iter().map(Vec::len).sum();
            assert!(arrived as f64 <= copies - dropped, "{arrived} arrived, {dropped} dropped");
            (arrived as f64 == copies - dropped).then_some(())
        });
        for numbers in payloads.iter().flat_map(|payloads| heard(payloads)) {
            assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        }
        // All are members still, and nothing stands in the way.
        senders[0].send(payload(0, u32::MAX, 100));
        distant.iter().chain([&listener]).for_each(|client| assert_eq!(client.receive().len(), 100));
        distant.iter().for_each(Client::assert_heard_all);
    });
}

#[test]
fn a_member_behind_a_short_queue() {
    each_backend(|backend| behind_a_short_queue(backend, NEAR, FAR, &[1000]));
}

#[test]
fn mixed_sizes_behind_a_short_queue() {
    each_backend(|backend| behind_a_short_queue(backend, NEAR, FAR, &[100, 1400, 4096, 1400, 1400, 3000]));
}

#[test]
fn a_member_behind_a_short_queue_over_ipv6() {
    each_backend(|backend| behind_a_short_queue(backend, "fd09::1", "fd09::2", &[1200]));
}
