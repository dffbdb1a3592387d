//! Clients by TCP, whom one more engine serves.

use super::common::answer;
use super::*;
use engine::{ClientAddr, Datagram, LocalAddr, Prefixes, Stance, Tick};

/// The engine that serves connections; the first one serves datagrams.
const TCP: usize = 1;

const HEARTBEAT: u64 = 60_000;

fn mixed(admission: AdmissionMode) -> Relay {
    Relay::new(2, Settings { admission, trust: Prefixes::default(), ..Settings::default() })
}

/// What a message of a connection is answered, empty for nothing.
fn call(relay: &mut Relay, source: SocketAddr, message: &[u8]) -> String {
    relay.begin_turn(0);
    let datagram = Datagram { bytes: message, source, local: LocalAddr::stream(), number: 0 };
    relay.engines[TCP].receive_by_stream(&datagram, &mut relay.outboxes[TCP]);
    let outbox = &relay.outboxes[TCP];
    match outbox.epochs().flatten().next().map(|delivery| answer(outbox, delivery)) {
        Some(Answer::Reply { text, .. }) => text,
        _ => String::new(),
    }
}

fn hang_up(relay: &mut Relay, source: SocketAddr) {
    relay.begin_turn(0);
    relay.engines[TCP].hang_up(source, &mut relay.outboxes[TCP]);
}

/// A client of the first engine.
fn by_udp(number: u32) -> SocketAddr {
    let mut source = client(number);
    source.set_port(4000);
    source
}

fn members(relay: &Relay, group: &str) -> Vec<ClientAddr> {
    let roster = relay.groups.roster(&group.parse().unwrap()).unwrap();
    assert_eq!(roster.far() as usize, roster.members().filter(|member| member.client.is_stream()).count());
    roster.members().map(|member| member.client).collect()
}

fn token_of(answer: &str) -> String {
    answer.split(' ').nth(3).unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn a_connection_proves_its_address_whatever_the_admission() {
    for mode in [AdmissionMode::Open, AdmissionMode::Auto, AdmissionMode::Strict] {
        let mut relay = mixed(mode);
        let group = call(&mut relay, client(1), b"!CREATE").replace("OK CREATED ", "");
        // Of a port that services have, too.
        let mut low = client(2);
        low.set_port(53);
        for source in [client(1), low] {
            assert_eq!(call(&mut relay, source, &text(&["!JOIN ", &group])), format!("OK JOINED {group}"));
            assert!(call(&mut relay, source, b"!HELLO 2").starts_with("!OK HELLO 2 "));
        }
        assert_eq!(relay.admission.unproved(), 0);
        let datagrams = relay.say(by_udp(3), b"!HELLO 2");
        assert!(datagrams.starts_with("!RETRY "), "{datagrams}");
    }
}

#[test]
fn the_same_address_is_another_client_by_another_transport() {
    let mut relay = mixed(AdmissionMode::Open);
    let group = relay.create(by_udp(1));
    relay.join(by_udp(1), &group);
    assert_eq!(call(&mut relay, by_udp(1), b"!WHO"), "ERR NOT_IN_GROUP JoinFirstUseJOIN");
    assert_eq!(call(&mut relay, by_udp(1), &text(&["!JOIN ", &group])), format!("OK JOINED {group}"));
    let expected = [ClientAddr::new(by_udp(1)), ClientAddr::by_stream(by_udp(1))].map(Option::unwrap);
    assert_eq!(members(&relay, &group), expected);
    hang_up(&mut relay, by_udp(1));
    assert_eq!(members(&relay, &group), expected[..1]);
    assert_eq!(relay.clients(), 1);
    assert_eq!(relay.engines[TCP].tally().events[Event::Leave as usize], 1);
}

#[test]
fn a_reload_of_the_trust_takes_no_proof_from_who_is_connected() {
    let mut relay = Relay::new(2, Settings { admission: AdmissionMode::Auto, ..Settings::default() });
    let near: SocketAddr = "127.0.0.1:4000".parse().unwrap();
    let group = call(&mut relay, near, b"!CREATE").replace("OK CREATED ", "");
    call(&mut relay, near, &text(&["!JOIN ", &group]));
    let settings = Settings { trust: Prefixes::default(), ..Settings::default() };
    relay.engines[TCP].reload(std::sync::Arc::new(settings));
    relay.pass_quietly(1);
    assert_eq!((relay.admission.unproved(), relay.admission.stance()), (0, Stance::Peace));
}

/// For one heartbeat after the end, and never for longer than a silent session lives.
#[test]
fn an_extended_session_lingers_for_a_heartbeat() {
    for silence in [0, HEARTBEAT, 2 * HEARTBEAT + HEARTBEAT / 2] {
        let mut relay = mixed(AdmissionMode::Open);
        call(&mut relay, client(1), b"!HELLO 2");
        let group = call(&mut relay, client(1), b"!CREATE").replace("!OK CREATED ", "");
        call(&mut relay, client(1), &text(&["!JOIN ", &group]));
        relay.pass_quietly(silence);
        hang_up(&mut relay, client(1));
        let left = HEARTBEAT.min(3 * HEARTBEAT - silence);
        relay.pass_quietly(left - 1);
        assert_eq!((members(&relay, &group).len(), relay.directory.sessions()), (1, 1), "{silence}");
        // Exact to the sweep.
        relay.pass_quietly(30_001);
        assert_eq!((members(&relay, &group).len(), relay.directory.sessions()), (0, 0), "{silence}");
        assert_eq!((relay.clients(), relay.engines[TCP].tally().events[Event::Expire as usize]), (0, 1));
    }
}

#[test]
fn a_session_goes_on_by_the_other_transport_and_back() {
    let mut relay = mixed(AdmissionMode::Open);
    let mut token = token_of(&call(&mut relay, client(1), b"!HELLO 2 FROM"));
    let group = call(&mut relay, client(1), b"!CREATE").replace("!OK CREATED ", "");
    call(&mut relay, client(1), &text(&["!JOIN ", &group]));
    for step in 0..4 {
        hang_up(&mut relay, client(1));
        let shown = cookie(&mut relay, by_udp(step));
        let answer = relay.say(by_udp(step), &text(&["!RESUME ", &token, " ", &shown]));
        assert!(answer.starts_with(&format!("!OK RESUMED {group} - ")), "{answer}");
        assert_eq!(members(&relay, &group), [ClientAddr::new(by_udp(step)).unwrap()]);
        token = answer.split(' ').nth(4).unwrap().to_owned();
        let answer = call(&mut relay, client(1), &text(&["!RESUME ", &token]));
        assert!(answer.starts_with(&format!("!OK RESUMED {group} - ")), "{answer}");
        assert_eq!(members(&relay, &group), [ClientAddr::by_stream(client(1)).unwrap()]);
        let again = call(&mut relay, client(1), &text(&["!RESUME ", &token]));
        assert_eq!(again, answer, "any answer can be lost");
        token = answer.split(' ').nth(4).unwrap().to_owned();
        relay.pass_quietly(HEARTBEAT + 30_001);
        assert_eq!(members(&relay, &group).len(), 1, "it does not linger any more");
        call(&mut relay, client(1), b"!BEAT");
        assert_eq!((relay.clients(), relay.directory.sessions()), (1, 1));
    }
}

#[test]
fn a_lingering_session_is_its_tokens_and_not_its_addresses() {
    for message in ["!WHO", "payload", "!HELLO 2", "!BEAT"] {
        let mut relay = mixed(AdmissionMode::Open);
        let token = token_of(&call(&mut relay, client(1), b"!HELLO 2"));
        let group = call(&mut relay, client(1), b"!CREATE").replace("!OK CREATED ", "");
        call(&mut relay, client(1), &text(&["!JOIN ", &group]));
        hang_up(&mut relay, client(1));
        call(&mut relay, client(1), message.as_bytes());
        assert_eq!(members(&relay, &group), [], "{message}");
        assert_eq!(call(&mut relay, client(2), &text(&["!RESUME ", &token])), "!ERR BAD_TOKEN");

        let token = token_of(&call(&mut relay, client(3), b"!HELLO 2"));
        call(&mut relay, client(3), &text(&["!JOIN ", &group]));
        hang_up(&mut relay, client(3));
        let answer = call(&mut relay, client(3), &text(&["!RESUME ", &token]));
        assert!(answer.starts_with(&format!("!OK RESUMED {group} - ")), "{answer}");
    }
}

/// Whoever has its address and port next, and keeps asking with a token that is none, has nothing of it.
#[test]
fn a_lingering_session_ends_with_the_first_wrong_token() {
    for message in ["!RESUME", "!RESUME AAAAAAAAAAAAAAAAAAAAAAAAAA", "!RESUME x y z"] {
        let mut relay = mixed(AdmissionMode::Open);
        let token = token_of(&call(&mut relay, client(1), b"!HELLO 2"));
        let group = call(&mut relay, client(1), b"!CREATE").replace("!OK CREATED ", "");
        call(&mut relay, client(1), &text(&["!JOIN ", &group]));
        hang_up(&mut relay, client(1));
        assert_eq!(call(&mut relay, client(1), message.as_bytes()), "!ERR BAD_TOKEN");
        assert_eq!(members(&relay, &group), [], "{message}");
        assert_eq!((relay.clients(), relay.directory.sessions()), (0, 0));
        assert_eq!(call(&mut relay, client(1), &text(&["!RESUME ", &token])), "!ERR BAD_TOKEN");
    }
}

/// The answer was lost with the connection, and the next one from the same port says the same again.
#[test]
fn a_repeated_resume_of_another_connection_goes_on_with_the_session() {
    let mut relay = mixed(AdmissionMode::Open);
    let shown = cookie(&mut relay, by_udp(7));
    let token = token_of(&relay.say(by_udp(7), &text(&["!HELLO 2 ", &shown])));
    let first = call(&mut relay, client(1), &text(&["!RESUME ", &token]));
    assert!(first.starts_with("!OK RESUMED - - "), "{first}");
    hang_up(&mut relay, client(1));
    assert_eq!(call(&mut relay, client(1), &text(&["!RESUME ", &token])), first);
    assert_eq!(call(&mut relay, client(1), b"!BEAT"), "!PONG 60.0");
    relay.pass_quietly(HEARTBEAT + 30_001);
    assert_eq!((relay.clients(), relay.directory.sessions()), (1, 1), "it does not linger any more");
}

#[test]
fn access_lists_hold_and_own_addresses_do_not() {
    let bound: SocketAddr = "192.0.2.1:5000".parse().unwrap();
    let own = engine::OwnAddresses { bound: vec![bound], ..engine::OwnAddresses::default() };
    let mut settings = Settings { admission: AdmissionMode::Open, ..Settings::default() };
    settings.access.deny = Prefixes::new(["198.51.100.0/24".parse().unwrap()]);
    let mut relay = Relay::with_own_addresses(2, settings, own);
    assert_eq!(call(&mut relay, bound, b"!PING"), "ERR NOT_IN_GROUP JoinFirstUseJOIN");
    assert_eq!(call(&mut relay, "198.51.100.7:9".parse().unwrap(), b"!PING"), "");
    let dropped = relay.engines[TCP].tally().dropped;
    assert_eq!((dropped[DropReason::Denied as usize], dropped.iter().sum::<u64>()), (1, 1));
}

#[test]
fn what_a_clock_says_before_two_heartbeats_have_passed_is_no_reason_to_linger_longer() {
    let mut relay = mixed(AdmissionMode::Open);
    relay.begin_turn(1);
    assert_eq!(Tick(relay.now), Tick(1));
    call(&mut relay, client(1), b"!HELLO 2");
    hang_up(&mut relay, client(1));
    relay.pass_quietly(HEARTBEAT + 30_001);
    assert_eq!(relay.clients(), 0);
}
