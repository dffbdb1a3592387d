//! Fan-out: who gets what, in which order, whole.

mod bursts;
mod churn;
mod company;
mod crowds;
mod hot;
mod large;
mod mtu;
mod overload;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::{Client, Relay, eventually, tick};

/// The payloads of one sender: each begins with its letter, so that a receiver knows whose it is.
struct Speech {
    letter: u8,
    random: StdRng,
    said: Vec<Vec<u8>>,
}

impl Speech {
    fn new(number: usize) -> Self {
        Self { letter: b'a' + number as u8, random: StdRng::seed_from_u64(number as u64), said: Vec::new() }
    }

    /// The next payload, of this size.
    fn next(&mut self, size: usize) -> Vec<u8> {
        let mut payload = vec![0; size];
        self.random.fill(&mut payload[..]);
        payload[0] = self.letter;
        self.said.push(payload.clone());
        payload
    }

    /// A size from 1 to 4096: equal ones in a row, and all others.
    fn size(&mut self) -> usize {
        match self.random.random_range(0..10) {
            0..4 => 512,
            4 => 1,
            5 => 4096,
            6 => self.random.random_range(1..100),
            7 => self.random.random_range(1400..1500),
            _ => self.random.random_range(1..=4096),
        }
    }
}

/// Receives so many datagrams, and gives those of each sender, by letter.
#[track_caller]
fn hear_all(client: &Client, count: usize, senders: usize) -> Vec<Vec<Vec<u8>>> {
    let mut heard = vec![Vec::new(); senders];
    for _ in 0..count {
        let datagram = client.receive();
        let sender = usize::from(datagram[0] - b'a');
        heard[sender].push(datagram);
    }
    heard
}

/// Asserts that two lists of payloads are equal; says where they begin to differ rather than all of them.
#[track_caller]
fn assert_same(heard: &[Vec<u8>], said: &[Vec<u8>], whose: &str) {
    let differs = heard.iter().zip(said).position(|(heard, said)| heard != said);
    let lens = |list: &[Vec<u8>], at: usize| list[at..].iter().take(5).map(Vec::len).collect::<Vec<_>>();
    if let Some(at) = differs {
        panic!("{whose}: number {at} differs: sizes {:?}, not {:?}", lens(heard, at), lens(said, at));
    }
    assert_eq!(heard.len(), said.len(), "{whose}");
}

/// So many members of a group, with room for bursts.
fn members_of(relay: &Relay, group: &str, count: usize) -> Vec<Client> {
    (0..count).map(|_| Client::member(relay.address(), group).roomy()).collect()
}

/// The payloads before an answer that begins so.
#[track_caller]
fn hear_until(client: &Client, start: &str) -> Vec<usize> {
    let mut heard = Vec::new();
    loop {
        let datagram = client.receive();
        if datagram.starts_with(start.as_bytes()) {
            return heard;
        }
        heard.push(number(&datagram));
    }
}

#[track_caller]
fn number(datagram: &[u8]) -> usize {
    String::from_utf8_lossy(datagram).parse().expect("a number")
}

/// At least so many members of a group, on each of two shards at least one.
fn members_on_both_shards(relay: &Relay, group: &str, count: usize) -> Vec<Client> {
    let mut members = members_of(relay, group, count);
    loop {
        let shards = eventually("every member is counted", || {
            let shards = [0, 1].map(|shard| relay.metric("relay_clients", &format!("shard=\"{shard}\"")));
            (shards.iter().sum::<f64>() >= members.len() as f64).then_some(shards)
        });
        if shards.iter().all(|&clients| clients > 0.0) {
            return members;
        }
        members.push(Client::member(relay.address(), group).roomy());
    }
}

/// Nothing was lost anywhere on the way.
#[track_caller]
fn assert_no_drops(relay: &Relay) {
    // Counters are published every 50 ms.
    (0..5).for_each(|_| tick());
    for metric in
        ["relay_dropped_copies_total", "relay_dropped_packets_total", "relay_kernel_receive_dropped_total"]
    {
        assert_eq!(relay.metric(metric, ""), 0.0, "{metric}");
    }
}

/// Waits until it shows that so many datagrams travelled in one message, on average.
#[track_caller]
fn wait_for_segments(relay: &Relay, wanted: f64) {
    eventually("datagrams share messages", || {
        let messages = relay.metric("relay_send_segments_count", "").max(1.0);
        (relay.metric("relay_send_segments_sum", "") / messages > wanted).then_some(())
    });
}
