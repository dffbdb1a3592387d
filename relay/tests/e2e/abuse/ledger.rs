//! No unproved address is sent more than its budget, whatever is forged: a sniffer keeps the ledger.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use super::spoof::{HEADERS, Ledger, Sniffer, Spoofer, open_up};
use crate::support::{Backend, Cable, Client, NEAR, Relay, RelayOptions, eventually};

/// `RELAY_LONG` is set by `cargo xtask test --long`.
const DATAGRAMS: u64 = 100_000;
const LONG_DATAGRAMS: u64 = 1_000_000;
/// Begins every payload of the group that forgers join.
const MARK: &[u8] = b"payload";
/// IP bytes a second for all unproved members.
const EGRESS: u64 = 200_000;
/// The limits that `docs/operations.md` states: answers of a prefix and questions of an address, at once and each second.
const REPLIES: (u64, u64) = (400, 100);
const QUESTIONS: (u64, u64) = (10, 5);
const LONGEST_REPLY: u64 = 92;
const QUESTION: u64 = 54;

/// What was sent in the name of each address, in IP bytes.
type Spent = HashMap<Ipv4Addr, u64>;

struct Flood {
    spent: Spent,
    ledger: Ledger,
    /// From before the first datagram to after the last answer, rounded up.
    seconds: u64,
}

fn datagrams() -> u64 {
    if std::env::var_os("RELAY_LONG").is_some() { LONG_DATAGRAMS } else { DATAGRAMS }
}

/// A relay that serves the cable and its own machine, and a group of two local clients.
fn relay(backend: Backend, flags: [&str; 4]) -> (Relay, String, [Client; 2]) {
    let relay = RelayOptions::new(backend).with(["--host", NEAR, "--host", "127.0.0.1"]).with(flags).start();
    let local = relay.addresses[1];
    let id = Client::to(local).create();
    let members = [(); 2].map(|()| Client::member(local, &id));
    (relay, id, members)
}

/// Forges datagrams of every kind from 512 prefixes; some hosts speak often, most of them rarely.
fn flood(cable: &Cable, relay: &Relay, id: &str, talker: &Client) -> Flood {
    let port = relay.addresses[0].port();
    let (mut spoofer, mut sniffer) = (Spoofer::over(cable, port), Sniffer::over(cable));
    let texts = [
        "!CREATE".to_owned(),
        format!("!JOIN {id}"),
        "!JOIN WRONG123".to_owned(),
        format!("!JOIN {id} AAAAAAAAAAAAAAAA"),
        "!CREATE AAAAAAAAAAAAAAAA".to_owned(),
        "!PING".to_owned(),
        "!WHO".to_owned(),
        format!("!LEAVE {id}"),
        "!?".to_owned(),
        "!".to_owned(),
        String::new(),
        "x".to_owned(),
        "hello".repeat(200),
        "OK JOINED X".to_owned(),
        "ERR X".to_owned(),
        "PONG 60.0".to_owned(),
    ];
    let (start, done) = (Instant::now(), AtomicBool::new(false));
    let (spent, ledger) = thread::scope(|scope| {
        let booking = scope.spawn(|| {
            let mut ledger = Ledger::default();
            while !done.load(Ordering::Acquire) {
                sniffer.book(&mut ledger, MARK);
            }
            // What was on its way.
            sniffer.book(&mut ledger, MARK);
            ledger
        });
        let mut spent = Spent::new();
        let mut state = 5000_u64;
        for number in 0..datagrams() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let random = (state >> 32) as u32;
            // Every fourth speaks in the name of one of four victims.
            let host = if number % 4 == 0 { random % 4 } else { random % (512 << 8) };
            let source = SocketAddrV4::new(Ipv4Addr::from(0x0b00_0000 + host), 1 + (random >> 18) as u16);
            let text = &texts[(random >> 8) as usize % texts.len()];
            *spent.entry(*source.ip()).or_default() += spoofer.say(source, text.as_bytes());
            if number % 64 == 0 {
                talker.send([MARK, &[b'!'; 500]].concat());
            }
        }
        let taken = || {
            relay.metric("relay_received_packets_total", "")
                + relay.metric("relay_kernel_receive_dropped_total", "")
        };
        eventually("the relay has taken all", || (taken() >= datagrams() as f64).then_some(()));
        eventually("nothing waits", || (relay.metric("relay_waiting_copies", "") == 0.0).then_some(()));
        done.store(true, Ordering::Release);
        (spent, booking.join().unwrap())
    });
    Flood { spent, ledger, seconds: start.elapsed().as_secs() + 1 }
}

impl Flood {
    /// Nobody got anything but answers, and no more of them than the limits say.
    fn assert_answers_only(&self) {
        let at_most =
            |(at_once, each_second): (u64, u64), bytes| (at_once + each_second * self.seconds) * bytes;
        let (of_prefix, of_address) = (at_most(REPLIES, LONGEST_REPLY), at_most(QUESTIONS, QUESTION));
        let mut prefixes: HashMap<u32, (u64, u64)> = HashMap::new();
        for (address, (got, _)) in &self.ledger.accounts {
            let spent = self.spent[address];
            assert!(*got <= 3 * spent, "{address} got {got} for {spent}");
            assert!(*got <= of_prefix + of_address, "{address} got {got} in {} s", self.seconds);
            let prefix = prefixes.entry(address.to_bits() >> 8).or_default();
            *prefix = (prefix.0 + got, prefix.1 + 1);
        }
        for (prefix, (got, hosts)) in prefixes {
            let budget = of_prefix + hosts * of_address;
            assert!(got <= budget, "{}.0/24 got {got} of {budget}", Ipv4Addr::from(prefix << 8));
        }
    }
}

/// Who speaks for itself, in a prefix that is flooded.
fn a_neighbour_proves_itself(cable: &Cable, relay: &Relay, id: &str) {
    let neighbour = cable.over_there(|| {
        crate::support::ip("addr add 11.0.0.200/32 dev far");
        Client::from(SocketAddr::from(([11, 0, 0, 200], 7)), relay.addresses[0])
    });
    let mut answer = neighbour.ask(format!("!JOIN {id}"));
    if let Some(cookie) = answer.strip_prefix("ERR RETRY ") {
        answer = neighbour.ask(format!("!JOIN {id} {cookie}"));
    }
    assert_eq!(answer, format!("OK JOINED {id}"));
}

#[test]
fn strict_sends_the_unproved_answers_and_no_payload() {
    Cable::lay(|cable| {
        open_up();
        let (relay, id, [talker, listener]) =
            relay(Backend::Uring, ["--admission", "strict", "--cap", "none"]);
        let flood = flood(cable, &relay, &id, &talker);
        eprintln!(
            "{} datagrams, {} accounts, {} s",
            flood.ledger.datagrams(),
            flood.ledger.accounts.len(),
            flood.seconds
        );
        assert!(flood.ledger.datagrams() > 1000, "somebody is answered");
        assert_eq!(flood.ledger.payloads, 0);
        flood.assert_answers_only();
        assert!(relay.metric("relay_dropped_packets_total", "reply_limit") > 0.0);
        assert!(listener.hear().starts_with("payload"), "the members go on");
        a_neighbour_proves_itself(cable, &relay, &id);
    });
}

#[test]
fn auto_sends_the_unproved_no_more_payloads_than_the_cap() {
    Cable::lay(|cable| {
        open_up();
        let egress = EGRESS.to_string();
        let (relay, id, [talker, _listener]) =
            relay(Backend::Mmsg, ["--unproved-egress", &egress, "--cap", "none"]);
        let flood = flood(cable, &relay, &id, &talker);
        let payloads = flood.ledger.payloads;
        eprintln!("{} datagrams, {payloads} payload bytes, {} s", flood.ledger.datagrams(), flood.seconds);
        // A full bucket holds a second's, and each payload may overdraw it once, by what all members get.
        assert!(payloads > 0, "in peace members get payloads");
        let overdraft = (HEADERS + MARK.len() + 500) as u64 * flood.ledger.accounts.len() as u64;
        assert!(payloads <= EGRESS * (flood.seconds + 1) + overdraft, "{payloads} in {} s", flood.seconds);
        a_neighbour_proves_itself(cable, &relay, &id);
    });
}
