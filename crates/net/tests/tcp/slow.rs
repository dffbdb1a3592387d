//! Who does not read costs nobody else anything, and no more memory than its share.

use std::io::Write;
use std::time::Duration;

use net::tcp::limits::{CONTROL_MOST, CONTROL_STOPS, ENTRY_BYTES};
use net::tcp::{Bounds, ConnectionId, Ending, Event, Frame, Kind};

use crate::side::{Client, Side, framed};

/// The receive buffer of who does not read. Much smaller ones make the kernel wait for a timer before each segment.
const SMALL: usize = 32 << 10;

fn number(text: &[u8]) -> u32 {
    u32::from_be_bytes(text[..4].try_into().unwrap())
}

/// Fills what the kernel takes, until messages wait here.
fn clog(side: &mut Side, connection: ConnectionId) {
    while side.figures().messages_queued == 0 {
        assert!(side.send(connection, Kind::Payload, &[&[0; 4096]]));
        side.turn();
    }
}

#[test]
fn a_slow_reader_loses_its_oldest_payloads_and_nobody_else_anything() {
    let mut side = Side::new(Bounds::default());
    let (mut slow, stuck) = side.client_from(None, SMALL);
    let (mut quick, other) = side.client();
    const ROUNDS: u32 = 3000;
    for round in 0..ROUNDS {
        let frame = [&round.to_be_bytes()[..], &[7; 1000]];
        assert!(side.send(stuck, Kind::Payload, &frame));
        assert!(side.send(other, Kind::Payload, &frame));
        side.turn();
        assert_eq!(number(&quick.listen().unwrap()), round, "it comes in the very turn");
        assert!(side.figures().queued_bytes <= Bounds::default().queue_bytes as u64);
    }
    let dropped = side.figures().payloads_dropped as u32;
    assert!(dropped > ROUNDS / 2, "{dropped}");
    let waiting = side.figures().messages_queued as u32;
    assert!(waiting * (1006 + ENTRY_BYTES as u32) > 200_000, "there is room for as much: {waiting}");
    // What the kernel had comes first, and then the newest that waited.
    let mut got = Vec::new();
    while got.last() != Some(&(ROUNDS - 1)) {
        side.turn();
        got.push(number(&slow.listen().unwrap()));
    }
    assert_eq!(got.len() as u32, ROUNDS - dropped);
    let newest: Vec<u32> = (ROUNDS - waiting + 1..ROUNDS).collect();
    assert!(got.ends_with(&newest) && got.is_sorted());
    assert_eq!(side.figures().messages_queued, 0);
}

/// A long turn drops nothing of somebody who reads: what does not fit is written first.
#[test]
fn a_turn_may_send_more_than_a_queue_holds() {
    let mut side = Side::new(Bounds { payloads: 10, ..Bounds::default() });
    let (mut client, connection) = side.client();
    for round in 0..200_u32 {
        assert!(side.send(connection, Kind::Payload, &[&round.to_be_bytes()]));
    }
    side.turn();
    assert!((0..200).all(|round| number(&client.listen().unwrap()) == round));
    assert_eq!(side.figures().payloads_dropped, 0);
}

#[test]
fn control_keeps_its_place_among_payloads_and_is_not_dropped() {
    let mut side = Side::new(Bounds { payloads: 4, ..Bounds::default() });
    let (mut client, connection) = side.client_from(None, SMALL);
    clog(&mut side, connection);
    for round in 0..30_u32 {
        let kind = if round % 10 == 0 { Kind::Control } else { Kind::Payload };
        assert!(side.send(connection, kind, &[&round.to_be_bytes()]));
    }
    let mut got = Vec::new();
    while got.last() != Some(&29) {
        side.turn();
        let text = client.listen().unwrap();
        if text.len() == 4 {
            got.push(number(&text));
        }
    }
    // Of what has clogged the connection a part may have been written, which is then one of the four that wait.
    got.retain(|number| *number != 26);
    assert_eq!(got, [0, 10, 20, 27, 28, 29]);
}

#[test]
fn all_queues_together_are_bounded_and_shares_are_equal() {
    let bounds = Bounds { queue_bytes: 100_000, queued_bytes: 500_000, ..Bounds::default() };
    let mut side = Side::new(bounds);
    let all: Vec<_> = (0..50).map(|_| side.client_from(None, SMALL)).collect();
    let frame = Frame::new(&[&[0; 936 - ENTRY_BYTES]]).unwrap();
    for _ in 0..3000 {
        for (_, connection) in &all {
            assert!(side.streams.send(*connection, Kind::Payload, &frame));
        }
        assert!(side.figures().queued_bytes <= 2 * bounds.queued_bytes as u64);
    }
    // Each has a fiftieth now, and something wherever it was over before.
    assert!(side.figures().queued_bytes >= bounds.queued_bytes as u64 * 9 / 10, "{:?}", side.figures());
    assert!(side.figures().queued_bytes <= bounds.queued_bytes as u64, "{:?}", side.figures());
    assert!(side.figures().payloads_dropped > 50 * 1000);
}

/// Sends questions of which each is answered, until none is heard any more; returns how many were.
fn flood(side: &mut Side, client: &mut Client, connection: ConnectionId) -> u64 {
    client.stream.set_nonblocking(true).unwrap();
    let mut rest = Vec::new();
    side.turn_until(|side| {
        let is_over = side.figures().messages_queued >= CONTROL_STOPS as u64 && side.heard.is_empty();
        for _ in std::mem::take(&mut side.heard) {
            assert!(side.send(connection, Kind::Control, &[&[0; 4000]]));
        }
        if rest.is_empty() {
            rest = framed(b"!WHO").repeat(100);
        }
        if let Ok(count) = client.stream.write(&rest) {
            rest.drain(..count);
        }
        is_over
    });
    client.stream.set_nonblocking(false).unwrap();
    side.figures().messages_in
}

#[test]
fn who_reads_no_answers_is_not_read_from_and_then_closed() {
    // Long answers fill what the kernel takes sooner, and more of them than usual have room.
    let mut side = Side::new(Bounds { queue_bytes: 1 << 20, ..Bounds::default() });
    let (mut client, connection) = side.client_from(None, SMALL);
    let heard = flood(&mut side, &mut client, connection);
    let _ = client.stream.write(&framed(b"!WHO"));
    side.turn();
    assert_eq!(side.figures().messages_in, heard);
    side.pass(Duration::from_millis(9_999));
    side.turn();
    assert_eq!(side.events, []);
    side.pass(Duration::from_millis(1));
    side.turn();
    assert_eq!(side.events, [Event::Closed { connection, why: Ending::Deaf }]);
    assert!(!side.send(connection, Kind::Control, &[b"late"]));
    assert!(client.is_reset());
}

#[test]
fn who_reads_its_answers_after_all_is_heard_again() {
    let mut side = Side::new(Bounds { queue_bytes: 1 << 20, ..Bounds::default() });
    let (mut client, connection) = side.client_from(None, SMALL);
    let heard = flood(&mut side, &mut client, connection);
    side.pass(Duration::from_secs(9));
    let mut listener = Client { stream: client.stream.try_clone().unwrap() };
    let listening = std::thread::spawn(move || while listener.listen().is_some() {});
    side.turn_until(|side| side.figures().messages_in > heard);
    side.pass(Duration::from_secs(3600));
    side.turn();
    assert_eq!(side.figures().open, 1);
    side.streams.close(connection);
    side.turn_until(|_| listening.is_finished());
    listening.join().unwrap();
    drop(client);
    side.turn_until(|side| side.streams.is_empty());
}

/// What it said meanwhile has been there for long when it has read its answers, and nothing more comes.
#[test]
fn what_was_said_while_nobody_listened_is_heard() {
    let mut side = Side::new(Bounds::default());
    let (mut client, connection) = side.client_from(None, SMALL);
    clog(&mut side, connection);
    for _ in 0..CONTROL_STOPS {
        assert!(side.send(connection, Kind::Control, &[b"answer"]));
    }
    side.turn();
    client.say(b"later");
    (0..3).for_each(|_| side.turn());
    assert_eq!(side.figures().messages_in, 0);
    let mut listener = Client { stream: client.stream.try_clone().unwrap() };
    let listening = std::thread::spawn(move || {
        while listener.listen().unwrap() != b"answer" {}
        (1..CONTROL_STOPS).for_each(|_| assert_eq!(listener.listen().unwrap(), b"answer"));
    });
    assert_eq!(side.hear(), (connection, b"later".to_vec()));
    listening.join().unwrap();
}

/// It reads its last messages and closes, and nobody has to wait until it is cut off.
#[test]
fn who_is_not_read_from_can_still_take_its_leave() {
    let mut side = Side::new(Bounds { queue_bytes: 1 << 20, ..Bounds::default() });
    let (mut client, connection) = side.client_from(None, SMALL);
    flood(&mut side, &mut client, connection);
    side.streams.close(connection);
    let leaving = std::thread::spawn(move || while client.listen().is_some() {});
    side.turn_until(|side| side.streams.is_empty());
    leaving.join().unwrap();
    assert_eq!((side.figures().messages_discarded, side.figures().closed[Ending::Asked.index()]), (0, 1));
}

#[test]
fn more_control_than_a_queue_holds_ends_the_connection() {
    let mut side = Side::new(Bounds::default());
    let (mut client, connection) = side.client_from(None, SMALL);
    clog(&mut side, connection);
    let sent = (0..2 * CONTROL_MOST).take_while(|_| side.send(connection, Kind::Control, &[b"news"])).count();
    assert_eq!(sent, CONTROL_MOST);
    side.turn();
    assert_eq!(side.events, [Event::Closed { connection, why: Ending::Overrun }]);
    assert!(client.is_reset());
}

/// Who closes what has ended meanwhile hears no more of it.
#[test]
fn a_closed_connection_has_no_events() {
    let mut side = Side::new(Bounds::default());
    let (_client, connection) = side.client_from(None, SMALL);
    clog(&mut side, connection);
    while side.send(connection, Kind::Control, &[b"news"]) {}
    side.streams.close(connection);
    side.turn();
    assert_eq!((side.events.len(), side.figures().closed[Ending::Overrun.index()]), (0, 1));
}
