//! No unproved address is sent more than its budget, whatever is forged: a sniffer keeps the ledger.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::spoof::{Account, Family, Ledger, Sniffer, Spoofer, open_up};
use crate::support::{Backend, Cable, Client, NEAR, Relay, RelayOptions, eventually};

/// `RELAY_LONG` is set by `cargo xtask test --long`.
const DATAGRAMS: u64 = 70_000;
const LONG_DATAGRAMS: u64 = 1_000_000;
/// A flood of a few seconds: members whose budgets are used up want nothing, and after ten seconds of that there is peace.
const SHORT_DATAGRAMS: u64 = 10_000;
/// So that there are members, and not many.
const A_FEW: u64 = 300;
/// Begins every payload of the group that forgers join.
const MARK: &[u8] = b"payload";
const PAYLOAD: usize = MARK.len() + 500;
/// Prefixes of each family, hosts of each, and those of them who are spoken for most.
const PREFIXES: u32 = 512;
const HOSTS: u32 = 256;
const VICTIMS: u32 = 4;
/// Ports of each victim.
const PORTS: u16 = 4;
/// IP bytes a second for all unproved members.
const EGRESS: u64 = 200_000;
/// The limits that `docs/operations.md` states: answers of a prefix, questions of a client, of a prefix and of the relay, at once and
/// each second; what a member gets of a guarded relay, and for each byte that it sends.
const REPLIES: (f64, f64) = (400.0, 100.0);
const QUESTIONS: (f64, f64) = (10.0, 5.0);
const QUESTIONS_OF_PREFIX: (f64, f64) = (1000.0, 10_000.0);
const ALL_QUESTIONS: (f64, f64) = (5000.0, 50_000.0);
const GRANT: u64 = 16 << 10;
const FACTOR: u64 = 3;
/// `ERR TOO_LARGE PayloadTooLarge` and the like; no answer is longer.
const LONGEST_REPLY: u64 = 64;

/// A client that has heard nothing for so long asks again.
const AGAIN: Duration = Duration::from_secs(1);

/// Datagrams that a member is sent at once, at most: `UDP_SEGMENT` takes no more.
const LONGEST_RUN: u64 = 64;

/// What was sent in the name of each address, in IP bytes.
type Spent = HashMap<IpAddr, u64>;

struct Flood {
    spent: Spent,
    ledger: Ledger,
    /// From before the first datagram to after the last answer.
    seconds: f64,
}

/// A relay, and somebody in whose name nobody forges.
struct Scene<'a> {
    cable: &'a Cable,
    relay: Relay,
    id: String,
    talker: Client,
    listener: Client,
    spoofer: Spoofer,
}

fn datagrams() -> u64 {
    if std::env::var_os("RELAY_LONG").is_some() { LONG_DATAGRAMS } else { DATAGRAMS }
}

/// The n-th datagram comes from here: every fourth from a victim; a host's port is always the same, so that members speak.
fn source(number: u64, random: u32) -> SocketAddr {
    let is_victim = number.is_multiple_of(4);
    let host = if is_victim { random % VICTIMS } else { random % (PREFIXES * HOSTS) };
    let port = 1025 + if is_victim { (random >> 18) as u16 % PORTS } else { (host % 9999) as u16 };
    let (prefix, host) = (host / HOSTS, host % HOSTS);
    match number / 4 % 2 {
        0 => (Ipv4Addr::from(0x0b00_0000 + prefix * HOSTS + host), port).into(),
        _ => (Ipv6Addr::new(0x2001, 0xdb8, 0, prefix as u16, 0, 0, 0, 1 + host as u16), port).into(),
    }
}

impl<'a> Scene<'a> {
    /// A relay that serves the cable by both families, and its own machine, where a group of two talks.
    fn new(cable: &'a Cable, backend: Backend, flags: &[&str]) -> Self {
        open_up(cable);
        let hosts = ["--host", NEAR, "--host", "fd09::1", "--host", "127.0.0.1", "--cap", "none"];
        let relay = RelayOptions::new(backend).with(hosts).with(flags.iter().copied()).start();
        let [v4, v6, local] = relay.addresses[..] else { panic!("{:?}", relay.addresses) };
        let talker = Client::to(local);
        let id = talker.create();
        talker.join(&id);
        let listener = Client::member(local, &id).roomy();
        let spoofer = Spoofer::over(cable, v4, v6);
        Self { cable, relay, id, talker, listener, spoofer }
    }

    /// Forges datagrams of every kind, while the members talk and somebody keeps the ledger.
    fn flood(&mut self, datagrams: u64) -> Flood {
        self.booked(|scene| scene.forge(datagrams))
    }

    /// Somebody keeps the ledger while datagrams are forged.
    fn booked(&mut self, forge: impl FnOnce(&mut Self) -> Spent) -> Flood {
        let sniffers = Family::BOTH.map(|family| Sniffer::over(self.cable, family));
        let (start, done) = (Instant::now(), AtomicBool::new(false));
        let (spent, ledger) = thread::scope(|scope| {
            let booking = sniffers.map(|sniffer| scope.spawn(|| book(sniffer, &done)));
            let spent = forge(self);
            done.store(true, Ordering::Release);
            let books = booking.into_iter().flat_map(|booking| booking.join().unwrap().0);
            (spent, Ledger(books.collect()))
        });
        eprintln!(
            "{} datagrams to {} addresses, {} payload bytes, {:.1} s",
            ledger.sum(|account| account.datagrams),
            ledger.0.len(),
            ledger.sum(|account| account.payloads),
            start.elapsed().as_secs_f64()
        );
        Flood { spent, ledger, seconds: start.elapsed().as_secs_f64() }
    }

    fn forge(&mut self, datagrams: u64) -> Spent {
        let texts = texts(&self.id);
        let (mut spent, mut state) = (Spent::new(), 5000_u64);
        let before = self.taken();
        for number in 0..datagrams {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let random = (state >> 32) as u32;
            let source = source(number, random);
            let text = &texts[(random >> 8) as usize % texts.len()];
            *spent.entry(source.ip()).or_default() += self.spoofer.say(source, text.as_bytes());
            if number % 64 == 0 {
                self.talk();
            }
        }
        eventually("the relay has taken all", || (self.taken() - before >= datagrams as f64).then_some(()));
        eventually("nothing waits", || (self.metric("relay_waiting_copies") == 0.0).then_some(()));
        spent
    }

    fn talk(&self) {
        self.talker.send([MARK, &[b'!'; PAYLOAD - MARK.len()]].concat());
    }

    /// Says to each member all that the cap allows in a second.
    fn talk_up_to_the_cap(&self) {
        (0..EGRESS / PAYLOAD as u64).for_each(|_| self.talk());
    }

    /// Datagrams that have come to an end, in the relay or before it.
    fn taken(&self) -> f64 {
        let names = [
            "relay_received_packets_total",
            "relay_kernel_receive_dropped_total",
            "relay_sifted_packets_total",
        ];
        names.iter().map(|name| self.metric(name)).sum()
    }

    fn metric(&self, name: &str) -> f64 {
        self.relay.metric(name, "")
    }

    /// Who speaks for itself, in prefixes that are flooded.
    fn neighbours_prove_themselves(&self) {
        let neighbours = [("11.0.0.255", "/32", 0), ("2001:db8::ffff", "/128", 1)];
        for (own, length, relay) in neighbours {
            let relay = self.relay.addresses[relay];
            let neighbour = self.cable.over_there(|| {
                let nodad = if relay.is_ipv6() { " nodad" } else { "" };
                crate::support::ip(&format!("addr add {own}{length} dev far{nodad}"));
                eventually("the address can be used", || {
                    let own = SocketAddr::new(own.parse().unwrap(), 7);
                    std::net::UdpSocket::bind(own).ok()?;
                    Some(Client::from(own, relay))
                })
            });
            // As clients do, it asks again: the first datagram of an address may be lost to neighbour discovery.
            let mut shown = String::new();
            eventually("it joins", || {
                neighbour.send(format!("!JOIN {} {shown}", self.id));
                let answer = neighbour.receive_within(AGAIN)?;
                let answer = String::from_utf8(answer).unwrap();
                if let Some(cookie) = answer.strip_prefix("ERR RETRY ") {
                    cookie.clone_into(&mut shown);
                    return None;
                }
                assert_eq!(answer, format!("OK JOINED {}", self.id));
                Some(())
            });
        }
    }
}

fn texts(id: &str) -> [String; 16] {
    [
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
    ]
}

/// Books until all is done, and what was on its way then.
fn book(mut sniffer: Sniffer, done: &AtomicBool) -> Ledger {
    let mut ledger = Ledger::default();
    while !done.load(Ordering::Acquire) {
        sniffer.book(&mut ledger, MARK);
    }
    sniffer.book(&mut ledger, MARK);
    sniffer.assert_has_seen_all();
    ledger
}

/// The /24 or /64 of an address.
fn prefix(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from(v4.to_bits() >> 8 << 8).into(),
        IpAddr::V6(v6) => Ipv6Addr::from(v6.to_bits() >> 64 << 64).into(),
    }
}

/// IP bytes of a payload for this address.
fn copy(address: IpAddr) -> u64 {
    (Family::of(address).headers() + PAYLOAD) as u64
}

/// Clients at an address.
fn ports(address: IpAddr) -> u64 {
    let is_victim = match address {
        IpAddr::V4(v4) => v4.to_bits() < 0x0b00_0000 + VICTIMS,
        IpAddr::V6(v6) => v6.segments()[3] == 0 && u32::from(v6.segments()[7]) <= VICTIMS,
    };
    if is_victim { PORTS.into() } else { 1 }
}

impl Flood {
    /// Tokens of a bucket in that time.
    fn at_most(&self, (at_once, each_second): (f64, f64)) -> u64 {
        (at_once + each_second * self.seconds) as u64
    }

    /// Nobody got anything but answers, and no more of them than the limits say.
    fn assert_answers_only(&self) {
        let (of_prefix, of_client) = (self.at_most(REPLIES), self.at_most(QUESTIONS));
        let mut prefixes: HashMap<IpAddr, u64> = HashMap::new();
        for (address, Account { bytes, payloads, datagrams }) in &self.ledger.0 {
            let spent = self.spent[address];
            assert_eq!(*payloads, 0, "{address}");
            assert!(*bytes <= 3 * spent, "{address} got {bytes} for {spent}");
            let longest = LONGEST_REPLY + Family::of(*address).headers() as u64;
            assert!(*bytes <= datagrams * longest, "{address} got {bytes} in {datagrams} answers");
            let budget = of_prefix + ports(*address) * of_client;
            assert!(*datagrams <= budget, "{address} got {datagrams} of {budget} in {} s", self.seconds);
            *prefixes.entry(prefix(*address)).or_default() += datagrams;
        }
        let beyond = prefixes.values().map(|got| got.saturating_sub(of_prefix)).sum::<u64>();
        assert!(beyond <= self.at_most(ALL_QUESTIONS), "{beyond} questions in {} s", self.seconds);
        let budget = of_prefix + self.at_most(QUESTIONS_OF_PREFIX);
        for (prefix, got) in prefixes {
            assert!(got <= budget, "those at {prefix} got {got} of {budget}");
        }
    }

    /// All members together got what the cap allows, a full bucket, and what it may be overdrawn by once.
    fn assert_within_the_cap(&self, overdraft: u64) {
        let payloads = self.ledger.sum(|account| account.payloads);
        let cap = (EGRESS as f64 * (1.0 + self.seconds)) as u64 + overdraft;
        assert!(payloads <= cap, "{payloads} of {cap} in {} s", self.seconds);
    }

    /// IP bytes of one payload for everybody who got any.
    fn one_for_each(&self) -> u64 {
        let listeners = self.ledger.0.iter().filter(|(_, account)| account.payloads > 0);
        listeners.map(|(address, _)| copy(*address) * ports(*address)).sum()
    }
}

#[test]
fn strict_sends_the_unproved_answers_and_no_payload() {
    Cable::lay(|cable| {
        let mut scene = Scene::new(cable, Backend::Uring, &["--admission", "strict"]);
        let flood = scene.flood(datagrams());
        for family in Family::BOTH {
            let answered = flood.ledger.0.keys().filter(|address| Family::of(**address) == family).count();
            assert!(answered > 1000, "somebody is answered by {family:?}");
        }
        flood.assert_answers_only();
        assert!(scene.relay.metric("relay_dropped_packets_total", "reply_limit") > 0.0);
        assert!(scene.listener.hear().starts_with("payload"), "the members go on");
        scene.neighbours_prove_themselves();
    });
}

#[test]
fn auto_sends_the_unproved_no_more_payloads_than_the_cap() {
    Cable::lay(|cable| {
        let egress = EGRESS.to_string();
        let mut scene = Scene::new(cable, Backend::Mmsg, &["--unproved-egress", &egress]);
        let flood = scene.flood(datagrams());
        for family in Family::BOTH {
            let listens = |(address, account): (&IpAddr, &Account)| {
                Family::of(*address) == family && account.payloads > 0
            };
            assert!(flood.ledger.0.iter().any(listens), "in peace members get payloads by {family:?}");
        }
        flood.assert_within_the_cap(flood.one_for_each());
        assert!(scene.relay.metric("relay_dropped_copies_total", "unproved_egress") > 0.0, "it was reached");
        scene.neighbours_prove_themselves();
    });
}

/// Who was a member before gets its budget and nothing beyond it; who was none does not become one.
#[test]
fn guarded_sends_each_of_the_unproved_no_more_than_its_budget() {
    Cable::lay(|cable| {
        let egress = EGRESS.to_string();
        let flags = ["--unproved-egress", &egress, "--heartbeat", "2"];
        let mut scene = Scene::new(cable, Backend::Uring, &flags);
        eventually("the relay is guarded", || {
            // A few members, who get all that the cap allows: so they use up their budgets before they are idle for too long.
            scene.forge(A_FEW);
            scene.talk_up_to_the_cap();
            (scene.metric("relay_admission_guarded") == 1.0).then_some(())
        });
        let flood = scene.booked(|scene| {
            let mut spent = scene.forge(SHORT_DATAGRAMS);
            eventually("budgets are used up", || {
                scene.forge(A_FEW).into_iter().for_each(|(ip, bytes)| *spent.entry(ip).or_default() += bytes);
                scene.talk_up_to_the_cap();
                let dropped = scene.relay.metric("relay_dropped_copies_total", "unproved_budget");
                (dropped > 0.0).then_some(())
            });
            spent
        });
        assert_eq!(scene.relay.metric("relay_admission_changes_total", "to=\"peace\""), 0.0);
        assert!(flood.ledger.sum(|account| account.payloads) > 0, "budgets are for something");
        for (address, account) in &flood.ledger.0 {
            let budget = ports(*address) * GRANT + FACTOR * flood.spent[address];
            // Answers are a part of it.
            assert!(account.bytes <= budget, "{address} got {} of {budget}", account.bytes);
        }
        flood.assert_within_the_cap(LONGEST_RUN * copy(Ipv6Addr::LOCALHOST.into()));
        scene.neighbours_prove_themselves();
    });
}
