//! Where nothing is lost, the relay's books are those of its clients.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Books;
use crate::support::{Client, RelayOptions, alone, each_backend, eventually, forge};

/// What was sent to the relay, by what it should become of it.
#[derive(Default)]
struct Sent {
    commands: u64,
    payloads: u64,
    refused_payloads: u64,
    dropped: u64,
    bytes: u64,
}

impl Sent {
    fn all(&self) -> u64 {
        self.commands + self.payloads + self.refused_payloads + self.dropped
    }
}

#[test]
fn what_the_clients_sent_and_heard_is_what_the_relay_says() {
    each_backend(|backend| {
        // Nobody else sends anything here, and closed ports stay closed.
        alone(|| {
            let relay = RelayOptions::new(backend).start();
            let mut random = StdRng::seed_from_u64(7);
            let mut sent = Sent::default();
            let creator = Client::to(relay.address()).roomy();
            let groups = [(); 3].map(|()| creator.create());
            (sent.commands, sent.bytes) = (3, 3 * 7);
            let clients: Vec<Client> = (0..20).map(|_| Client::to(relay.address()).roomy()).collect();
            let mut joined = vec![false; clients.len()];
            for round in 0..100 {
                if round % 10 == 0 {
                    // A relay that gets little of the processor must not fall behind, or it rightly drops.
                    eventually("the relay has caught up", || {
                        let received = relay.metric("relay_received_packets_total", "");
                        let waiting = relay.metric("relay_waiting_copies", "");
                        (received == sent.all() as f64 && waiting == 0.0).then_some(())
                    });
                }
                let at_once = random.random();
                let burst = || {
                    for _ in 0..100 {
                        let client = random.random_range(0..clients.len());
                        act(&clients[client], &mut joined[client], &groups, &mut random, &mut sent);
                    }
                };
                relay.pausing_if(at_once, burst);
            }
            for text in ["!PING", "payload"] {
                forge(([127, 0, 0, 1], 0).into(), relay.address(), text);
                forge(relay.address(), relay.address(), text);
                sent.dropped += 2;
                sent.bytes += 2 * text.len() as u64;
            }
            let books = Books::settled(&relay, sent.all());
            books.assert_law();
            assert_books(&books, &sent);
            let heard: Vec<Vec<u8>> = clients.iter().flat_map(Client::drain).collect();
            // The creator has read its three answers.
            assert_eq!(books.sum("relay_sent_packets_total", ""), (heard.len() + 3) as f64);
            let bytes: usize = heard.iter().map(Vec::len).sum();
            assert_eq!(
                books.sum("relay_sent_bytes_total", ""),
                (bytes + 3 * "OK CREATED ABCD1234".len()) as f64
            );
        });
    });
}

fn assert_books(books: &Books, sent: &Sent) {
    let sum = |name| books.sum(name, "");
    assert_eq!(sum("relay_kernel_receive_dropped_total"), 0.0);
    assert_eq!(sum("relay_dropped_copies_total"), 0.0);
    assert_eq!(sum("relay_received_bytes_total"), sent.bytes as f64);
    assert_eq!(sum("relay_commands_total"), sent.commands as f64);
    assert_eq!(sum("relay_fanout_recipients_count"), sent.payloads as f64);
    assert_eq!(sum("relay_replies_total"), (sent.commands + sent.refused_payloads) as f64);
    assert_eq!(sum("relay_dropped_packets_total"), sent.dropped as f64);
    assert_eq!(books.sum("relay_dropped_packets_total", "reason=\"source_port_zero\""), 2.0);
    assert_eq!(books.sum("relay_dropped_packets_total", "reason=\"own_address\""), 2.0);
}

/// A client does something.
fn act(client: &Client, joined: &mut bool, groups: &[String], random: &mut StdRng, sent: &mut Sent) {
    let group = &groups[random.random_range(0..groups.len())];
    let datagram = match random.random_range(0..16) {
        0..2 => format!("!JOIN {group}"),
        2 => "!PING".to_owned(),
        3 => "!WHO".to_owned(),
        4 => "!NONSENSE".to_owned(),
        5 => "!JOIN NOSUCHGROUP".to_owned(),
        6 => "x".repeat(5000),
        7 => String::new(),
        8 => "OK this is what a relay says".to_owned(),
        _ => "payload".repeat(random.random_range(1..200)),
    };
    client.send(&datagram);
    // Of a datagram that is too large, one byte too many is received.
    sent.bytes += datagram.len().min(4097) as u64;
    *joined |= datagram.starts_with("!JOIN ") && datagram.ends_with(group.as_str());
    match datagram.as_str() {
        "" => sent.dropped += 1,
        text if text.starts_with("OK") && !*joined => sent.dropped += 1,
        text if text.len() > 4096 => sent.refused_payloads += 1,
        text if text.starts_with('!') => sent.commands += 1,
        _ if *joined => sent.payloads += 1,
        _ => sent.refused_payloads += 1,
    }
}
