//! How connections end, and who hears what of it.

use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

use net::tcp::{Bounds, ConnectionId, Ending, Event, Kind, Tenacity};
use socket2::SockRef;

use crate::side::{Side, until};

fn ending(side: &mut Side, connection: ConnectionId) -> Ending {
    let mut ending = None;
    side.turn_until(|side| {
        ending = side.events.iter().find_map(|event| match event {
            Event::Closed { connection: closed, why } if *closed == connection => Some(*why),
            _ => None,
        });
        ending.is_some()
    });
    ending.unwrap()
}

#[test]
fn who_says_nothing_is_closed() {
    let mut side = Side::new(Bounds::default());
    let (mut mute, silent) = side.client();
    let (mut half, unfinished) = side.client();
    let (mut whole, connection) = side.client();
    half.stream.write_all(b"\x00\x00\x00\x05hell").unwrap();
    whole.say(b"hello");
    assert_eq!(side.hear(), (connection, b"hello".to_vec()));
    side.turn_until(|side| side.figures().bytes_in == 15);
    side.pass(Duration::from_millis(9_999));
    side.turn();
    assert_eq!(side.events, []);
    side.pass(Duration::from_millis(1));
    side.turn();
    let closed = |connection| Event::Closed { connection, why: Ending::Silent };
    assert_eq!(side.events, [closed(silent), closed(unfinished)]);
    assert!(mute.is_reset() && half.is_reset());
    side.pass(Duration::from_secs(3600));
    side.turn();
    assert_eq!((side.figures().open, side.figures().closed[Ending::Silent.index()]), (1, 2));
}

/// The wait ends when somebody's time does, by the real clock.
#[test]
fn a_deadline_ends_the_wait() {
    let listeners = net::tcp::listen(&["127.0.0.1:0".parse().unwrap()], &Tenacity::default()).unwrap();
    let address = listeners[0].address();
    let bounds = Bounds { first_message: Duration::from_millis(50), ..Bounds::default() };
    let mut streams = net::tcp::Streams::new(listeners, bounds).unwrap();
    let _client = crate::side::Client::connect(address, None, 0);
    let mut events = Vec::new();
    let mut closed = false;
    until(|| {
        streams.exchange(&mut events, None).unwrap();
        closed |= events.iter().any(|event| matches!(event, Event::Closed { why: Ending::Silent, .. }));
        closed
    });
    assert!(streams.is_empty());
}

#[test]
fn a_waker_ends_the_wait_each_time() {
    let mut side = Side::new(Bounds::default());
    let waker = side.streams.waker();
    for _ in 0..3 {
        waker.wake();
        side.streams.exchange(&mut side.events, None).unwrap();
        let waker = waker.clone();
        let waking = std::thread::spawn(move || waker.wake());
        side.streams.exchange(&mut side.events, None).unwrap();
        waking.join().unwrap();
    }
}

#[test]
fn what_is_queued_is_written_before_the_end() {
    let mut side = Side::new(Bounds::default());
    let (mut client, connection) = side.client();
    client.say(b"first");
    side.hear();
    // What is not read any more must not turn the end into a reset.
    client.say(b"unheard");
    assert!(side.send(connection, Kind::Control, &[b"good"]));
    assert!(side.send(connection, Kind::Payload, &[b"bye"]));
    side.streams.close(connection);
    assert!(!side.send(connection, Kind::Control, &[b"too late"]));
    side.turn();
    client.say(b"unheard");
    assert_eq!(
        [client.listen(), client.listen(), client.listen()],
        [Some(b"good".to_vec()), Some(b"bye".to_vec()), None]
    );
    drop(client);
    side.turn_until(|side| {
        assert_eq!(side.events, []);
        side.streams.is_empty()
    });
    assert_eq!(side.figures().closed[Ending::Asked.index()], 1);
}

#[test]
fn who_does_not_take_its_last_messages_is_cut_off() {
    let mut side = Side::new(Bounds::default());
    let (mut client, connection) = side.client_from(None, 1);
    while side.figures().messages_queued == 0 {
        side.send(connection, Kind::Control, &[&[0; 4000]]);
        side.turn();
    }
    side.streams.close(connection);
    side.pass(Duration::from_millis(999));
    side.turn();
    assert_eq!(side.figures().open, 1);
    side.pass(Duration::from_millis(1));
    side.turn();
    assert!(side.streams.is_empty() && side.events.is_empty());
    assert!(side.figures().messages_discarded > 0);
    assert!(client.is_reset());
}

#[test]
fn who_has_nothing_more_to_say_still_hears_the_answers() {
    let mut side = Side::new(Bounds::default());
    let (mut client, connection) = side.client();
    client.say(b"question");
    client.stream.shutdown(Shutdown::Write).unwrap();
    side.hear();
    assert!(side.send(connection, Kind::Control, &[b"answer"]));
    assert_eq!(ending(&mut side, connection), Ending::Peer);
    assert!(!side.send(connection, Kind::Control, &[b"too late"]));
    side.turn_until(|side| side.streams.is_empty());
    assert_eq!([client.listen(), client.listen()], [Some(b"answer".to_vec()), None]);
    assert_eq!(side.figures().closed[Ending::Peer.index()], 1);
    assert!(!side.send(connection, Kind::Control, &[b"to nobody"]));
}

/// What waits for it is written when it is taken, and until then nothing is tried.
#[test]
fn who_has_nothing_more_to_say_may_take_its_time_to_hear() {
    let mut side = Side::new(Bounds::default());
    let (mut client, connection) = side.client_from(None, 32 << 10);
    let mut sent = 0;
    while side.figures().messages_queued == 0 {
        assert!(side.send(connection, Kind::Payload, &[&[0; 4096]]));
        sent += 1;
        side.turn();
    }
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(ending(&mut side, connection), Ending::Peer);
    let before = side.figures().calls;
    (0..10).for_each(|_| side.turn());
    assert_eq!(side.figures().calls - before, 10, "it only waits");
    let listening = std::thread::spawn(move || std::iter::from_fn(|| client.listen()).count());
    side.turn_until(|side| side.streams.is_empty());
    assert_eq!(listening.join().unwrap(), sent);
}

#[test]
fn a_reset_ends_only_that_connection() {
    let mut side = Side::new(Bounds::default());
    let (client, connection) = side.client();
    let (mut other, second) = side.client();
    SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    assert_eq!(ending(&mut side, connection), Ending::Reset);
    other.say(b"still here");
    assert_eq!(side.hear(), (second, b"still here".to_vec()));
}

/// Sent before it is known: the write fails, and no signal ends the program.
#[test]
fn a_message_to_who_has_just_gone_ends_the_connection() {
    let mut side = Side::new(Bounds::default());
    let (client, connection) = side.client();
    SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    assert!(side.send(connection, Kind::Payload, &[b"nobody there"]));
    side.turn();
    assert_eq!(side.events, [Event::Closed { connection, why: Ending::Reset }]);
    assert_eq!((side.figures().messages_discarded, side.figures().open), (1, 0));
}

/// A slot is used again, an id is not.
#[test]
fn an_id_means_nobody_else_afterwards() {
    let mut side = Side::new(Bounds::default());
    let (client, first) = side.client();
    drop(client);
    ending(&mut side, first);
    side.turn_until(|side| side.streams.is_empty());
    let (mut client, second) = side.client();
    assert!(first != second && !side.send(first, Kind::Control, &[b"for another"]));
    side.streams.close(first);
    assert!(side.send(second, Kind::Control, &[b"for you"]));
    side.turn();
    assert_eq!(client.listen(), Some(b"for you".to_vec()));
}

#[test]
fn a_stop_lets_everybody_go_and_nobody_in() {
    let mut side = Side::new(Bounds::default());
    let mut clients: Vec<_> = (0..20).map(|_| side.client()).collect();
    for (_, connection) in &clients {
        assert!(side.send(*connection, Kind::Control, &[b"bye"]));
    }
    side.streams.stop();
    side.turn();
    for (client, _) in &mut clients {
        assert_eq!([client.listen(), client.listen()], [Some(b"bye".to_vec()), None]);
    }
    assert!(std::net::TcpStream::connect(side.address).is_err());
    drop(clients);
    side.turn_until(|side| side.streams.is_empty());
}
