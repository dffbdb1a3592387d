//! Many connections: each has its turn, and those that are idle cost nothing.

use net::tcp::limits::{TURN_EVENTS, TURN_MESSAGES, WRITE_MESSAGES};
use net::tcp::{Bounds, Kind};

use crate::side::{Side, framed};

#[test]
fn idle_connections_cost_no_call() {
    let mut side = Side::new(Bounds { per_address: 1000, ..Bounds::default() });
    let _idle: Vec<_> = (0..300).map(|_| side.client()).collect();
    let (mut client, connection) = side.client();
    client.say(b"warm");
    side.hear();
    side.turn();
    for _ in 0..100 {
        client.say(b"question");
        let before = side.figures().calls;
        side.turn();
        assert_eq!(side.heard.len(), 1);
        assert!(side.send(connection, Kind::Control, &[b"answer"]));
        assert_eq!(side.figures().calls - before, 2, "one waits, one reads");
        side.streams.exchange(&mut side.events, Some(std::time::Duration::ZERO)).unwrap();
        assert_eq!(side.figures().calls - before, 4, "one writes, one waits");
        assert_eq!(client.listen().unwrap(), b"answer");
    }
}

#[test]
fn messages_that_wait_together_leave_together() {
    let mut side = Side::new(Bounds::default());
    let (mut client, connection) = side.client();
    side.turn();
    let before = side.figures().calls;
    for number in 0..3 * WRITE_MESSAGES as u32 {
        assert!(side.send(connection, Kind::Payload, &[&number.to_be_bytes()]));
    }
    side.turn();
    assert_eq!(side.figures().calls - before, 3 + 1);
    for number in 0..3 * WRITE_MESSAGES as u32 {
        assert_eq!(client.listen().unwrap(), number.to_be_bytes());
    }
}

/// Some say as much as they can; what the others say is heard as soon as everybody has had one turn.
#[test]
fn busy_connections_starve_no_other() {
    const BUSY: usize = 40;
    let mut side = Side::new(Bounds { per_address: 1000, ..Bounds::default() });
    let mut all: Vec<_> = (0..200).map(|_| side.client()).collect();
    let flood = framed(b"flood").repeat(20 * TURN_MESSAGES);
    for (client, _) in &mut all[..BUSY] {
        client.say_raw(&flood);
    }
    for (client, _) in &mut all[BUSY..] {
        client.say(b"once");
    }
    let (mut quiet, mut turns) = (0, 0);
    while quiet < all.len() - BUSY {
        side.turn();
        turns += 1;
        assert!(side.heard.len() < TURN_EVENTS + TURN_MESSAGES);
        quiet += side.heard.iter().filter(|(_, text)| text == b"once").count();
    }
    // All that the busy ones have would take fifty turns, and one turn's share of theirs takes three.
    assert!(turns <= 4, "{turns}");
    let mut heard = side.figures().messages_in;
    side.turn_until(|side| {
        heard = side.figures().messages_in;
        heard == (BUSY * 20 * TURN_MESSAGES + 160) as u64
    });
}
