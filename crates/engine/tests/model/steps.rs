//! What can happen to a relay: random datagrams, times, reloads and declared groups.

use std::net::SocketAddr;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::oracle::Rules;
use crate::proofs::Mode;

pub const OWN_PORT: u16 = 5000;
pub const OWN_HOSTS: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

/// Who speaks: clients in all forms of addresses, and those who are none.
pub const SOURCES: [&str; 18] = [
    "10.0.0.1:4001",
    "10.0.0.1:4002",
    "10.0.0.2:4002",
    "10.0.0.3:65535",
    "[2001:db8::7]:4001",
    "[2001:db8::7]:4003",
    "[fe80::1%1]:4004",
    "[fe80::1%2]:4004",
    "127.0.0.1:4005",
    "10.0.0.1:5000",
    // Nobody who can be answered.
    "10.0.0.1:0",
    "[2001:db8::7]:0",
    // The first two, as somebody would forge them by IPv6, and the relay itself.
    "[::ffff:10.0.0.1]:4001",
    "[::ffff:10.0.0.1]:4002",
    "[::ffff:192.0.2.1]:5000",
    // The relay itself.
    "192.0.2.1:5000",
    "[2001:db8::1]:5000",
    "127.8.9.10:5000",
];

/// How many of them are clients.
pub const CLIENTS: usize = 10;

/// Ids that a person has chosen.
pub const NAMES: [&str; 4] = ["LOBBY-1", "A", "X_9", "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_0123"];

#[derive(Clone, Debug)]
pub struct Case {
    pub shards: usize,
    pub rules: Rules,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub enum Step {
    /// Time passes (or the clock jumps back), then these datagrams are taken in one turn.
    Turn {
        pass: i64,
        says: Vec<Say>,
    },
    /// Nothing is heard for this many half heartbeats.
    Quiet {
        halves: u64,
    },
    Reload(Rules),
    Declare(Vec<(Id, Option<Option<usize>>)>),
}

#[derive(Clone, Debug)]
pub struct Say {
    pub source: SocketAddr,
    pub socket: u8,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    Group {
        command: &'static str,
        id: Id,
        style: Style,
    },
    /// JOIN with something behind the id, or CREATE with something behind it.
    Proof {
        id: Option<Id>,
        divider: &'static str,
        shown: Shown,
    },
    Bytes(Vec<u8>),
    /// So many bytes, of which the first are these.
    Long(&'static [u8], usize),
}

/// What is shown for a proof.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// The last cookie that this client was told.
    Told,
    Lower,
    /// One that somebody else was told.
    Others,
    /// What shows nothing.
    Nothing,
    Text(&'static str),
}

/// A group id: a name, one that the relay has drawn, or the sender's own.
#[derive(Clone, Debug)]
pub enum Id {
    Name(usize),
    Drawn(usize),
    Own,
}

/// How an id is written.
#[derive(Clone, Copy, Debug)]
pub enum Style {
    Plain,
    Lower,
    Padded,
    Missing,
    Broken(&'static [u8]),
}

impl Style {
    pub fn write(self, command: &str, id: &str) -> Vec<u8> {
        let command = command.as_bytes();
        let id = id.as_bytes();
        match self {
            Style::Plain => [command, b" ", id].concat(),
            Style::Lower => [command, b" ", id.to_ascii_lowercase().as_slice()].concat(),
            Style::Padded => [command, b" \t ", id, b"\x0b\x0c \r\n"].concat(),
            Style::Missing => [command, b" \t\r\n "].concat(),
            Style::Broken(end) => [command, b" ", id, end].concat(),
        }
    }
}

/// Half of them are open from beginning to end.
pub fn cases() -> impl Strategy<Value = Case> {
    prop_oneof![cases_that(Mode::Open), cases_that(Mode::Auto)]
}

/// Cases that are always open, or may ask for proofs.
fn cases_that(most: Mode) -> impl Strategy<Value = Case> {
    let steps = vec(step(most), 1..24);
    (1usize..=3, rules(most), declare(), steps).prop_map(|(shards, rules, first, mut steps)| {
        steps.insert(0, first);
        Case { shards, rules, steps }
    })
}

fn rules(most: Mode) -> impl Strategy<Value = Rules> {
    let times =
        (prop_oneof![1 => 1u64..20, 8 => 20u64..300], 1u64..150, prop_oneof![1u64..300, 300u64..3000]);
    let caps = (cap(), prop_oneof![1 => Just(0), 12 => 1usize..4]);
    let ceilings = (1usize..11, 1usize..9, prop_oneof![1 => Just(0), 12 => 1usize..5]);
    let mode = prop_oneof![1 => Just(Mode::Open), 4 => Just(Mode::Auto), 2 => Just(Mode::Strict)];
    (times, caps, ceilings, mode, 1u64..512).prop_map(move |(times, caps, ceilings, mode, egress)| {
        // Who makes room at a ceiling, where not everybody is proved, is a matter of hashes and shards: tests/eviction.rs.
        let (mode, ceilings) =
            if most == Mode::Open { (Mode::Open, ceilings) } else { (mode, (100, 100, 100)) };
        Rules {
            heartbeat: times.0,
            sweep: times.1,
            ttl: times.2,
            cap: caps.0,
            quota: caps.1,
            max_clients: ceilings.0,
            max_groups: ceilings.1,
            max_unjoined: ceilings.2,
            mode,
            egress,
        }
    })
}

fn cap() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![6 => Just(None), 1 => Just(Some(0)), 6 => (1usize..6).prop_map(Some)]
}

fn declare() -> impl Strategy<Value = Step> {
    vec((id(), option::of(cap())), 0..4).prop_map(Step::Declare)
}

fn step(most: Mode) -> impl Strategy<Value = Step> {
    let pass = prop_oneof![4 => Just(0), 6 => 1i64..40, 3 => 20i64..200, 1 => 200i64..1500, 2 => 10_000i64..25_000, 1 => -200i64..0];
    prop_oneof![
        20 => (pass, vec(say(), 0..14)).prop_map(|(pass, says)| Step::Turn { pass, says }),
        3 => (1u64..10).prop_map(|halves| Step::Quiet { halves }),
        1 => rules(most).prop_map(Step::Reload),
        1 => declare(),
    ]
}

fn say() -> impl Strategy<Value = Say> {
    let source = prop_oneof![12 => 0..CLIENTS, 1 => CLIENTS..SOURCES.len()];
    (source, 0u8..2, what()).prop_map(|(source, socket, what)| Say {
        source: SOURCES[source].parse().unwrap(),
        socket,
        what,
    })
}

fn id() -> impl Strategy<Value = Id> {
    prop_oneof![
        2 => (0..NAMES.len()).prop_map(Id::Name),
        4 => (0usize..4).prop_map(Id::Drawn),
        1 => Just(Id::Own),
    ]
}

fn style() -> impl Strategy<Value = Style> {
    let broken = prop::sample::select(vec![
        &b" X"[..],
        b"\0",
        b"\xff",
        b"\xc5\xbf",
        b"-NOT-ANY-GROUP-BUT-A-VERY-LONG-NAME-FOR-ONE",
    ]);
    prop_oneof![
        12 => Just(Style::Plain),
        2 => Just(Style::Lower),
        2 => Just(Style::Padded),
        1 => Just(Style::Missing),
        1 => broken.prop_map(Style::Broken),
    ]
}

fn proof() -> impl Strategy<Value = What> {
    let shown = prop_oneof![
        5 => Just(Shown::Told),
        1 => Just(Shown::Lower),
        1 => Just(Shown::Others),
        2 => Just(Shown::Nothing),
        1 => prop::sample::select(vec!["", "?", "AAAAAAAAAAAAAAAO", "AAAAAAAAAAAAAAAAA"]).prop_map(Shown::Text),
    ];
    let divider = prop::sample::select(vec![" ", ".", " \t. "]);
    (option::weighted(0.8, id()), divider, shown).prop_map(|(id, divider, shown)| What::Proof {
        id,
        divider,
        shown,
    })
}

fn what() -> impl Strategy<Value = What> {
    let group = |command, id| (id, style()).prop_map(move |(id, style)| What::Group { command, id, style });
    let mostly_own = prop_oneof![3 => Just(Id::Own), 1 => id()];
    let odd = prop::sample::select(vec![
        &b""[..],
        b"!",
        b"! JOIN A",
        b"!join A",
        b"!PING\n",
        b"!JOIN\tA",
        b"!JOIN",
        b"!LEAVE",
        b"!JOINA",
        b"!\xff",
        b"!!",
        b"OK JOINED A",
        b"ERR BAD_CMD UnknownCommand",
        b"PONG 60.0",
        b"OKAY",
        b" !PING",
    ]);
    let plain = prop::sample::select(vec![&b"!PING"[..], b"!PING now", b"!WHO", b"!WHO \xff"]);
    let long = (prop::sample::select(vec![&b"!PING"[..], b"ERR ", b"x"]), 4095usize..4099);
    prop_oneof![
        9 => group("!JOIN", id().boxed()),
        3 => group("!LEAVE", mostly_own.boxed()),
        5 => proof(),
        5 => prop::sample::select(vec![&b"!CREATE"[..], b"!CREATE junk"]).prop_map(|text| What::Bytes(text.to_vec())),
        4 => plain.prop_map(|text| What::Bytes(text.to_vec())),
        9 => vec(any::<u8>(), 1..6).prop_map(What::Bytes),
        3 => odd.prop_map(|text| What::Bytes(text.to_vec())),
        1 => long.prop_map(|(start, len)| What::Long(start, len)),
    ]
}
