//! Who is welcome, and how long one may be silent.

use std::net::IpAddr;
use std::time::Duration;

use net::tcp::limits::{FIRST_MESSAGE, LAST_LOOK};
use net::tcp::{Bounds, Ending, Event, NoRoom, Rules};

use crate::side::{Client, Side};

const SILENCE: Duration = Duration::from_secs(3);

fn all_but(unwelcome: &'static str) -> Rules {
    Rules::new(move |source| source != unwelcome.parse::<IpAddr>().unwrap(), SILENCE)
}

fn closed(side: &Side, why: Ending) -> u64 {
    side.figures().closed[why.index()]
}

#[test]
fn who_is_not_welcome_is_not_let_in_and_does_not_stay() {
    let mut side = Side::new(Bounds::default());
    side.streams.govern(&all_but("127.0.0.2"));
    let mut unwelcome = Client::connect(side.address, Some("127.0.0.2"), 0);
    side.turn_until(|side| side.figures().refused[NoRoom::Denied.index()] == 1);
    assert!(unwelcome.is_reset());
    let (mut first, _) = side.client_from(Some("127.0.0.3"), 0);
    let (mut other, connection) = side.client_from(Some("127.0.0.4"), 0);
    side.streams.govern(&all_but("127.0.0.3"));
    side.turn_until(|side| closed(side, Ending::Denied) == 1);
    assert!(side.events.is_empty(), "the owner knows");
    assert!(first.is_reset());
    other.say(b"still here");
    assert_eq!(side.hear(), (connection, b"still here".to_vec()));
}

#[test]
fn who_has_been_silent_for_too_long_is_looked_at_once_more_and_closed() {
    let mut side = Side::new(Bounds::default());
    side.streams.govern(&all_but("127.0.0.2"));
    let (mut silent, connection) = side.client();
    let (mut speaks, _) = side.client();
    silent.say(b"my only word");
    side.hear();
    for _ in 0..2 {
        side.pass(SILENCE / 2);
        speaks.say(b"I am here");
        side.hear();
    }
    side.turn();
    assert_eq!(closed(&side, Ending::Idle), 0);
    side.pass(LAST_LOOK);
    side.turn_until(|side| closed(side, Ending::Idle) == 1);
    assert_eq!(side.events, [Event::Closed { connection, why: Ending::Idle }]);
    assert!(silent.is_reset());
    speaks.say(b"I am here");
    side.hear();
}

/// However long the process was stopped, and whatever else happened in that time.
#[test]
fn what_came_meanwhile_is_heard_before_anybody_counts_as_silent() {
    let mut side = Side::new(Bounds { per_address: 2000, per_prefix: 2000, ..Bounds::default() });
    side.streams.govern(&all_but("127.0.0.2"));
    // More than one look at the kernel's list tells of.
    let mut clients: Vec<Client> = (0..1500).map(|_| side.client().0).collect();
    let say = |clients: &mut [Client], side: &mut Side| {
        clients.iter_mut().for_each(|client| client.say(b"!PING"));
        let mut heard = 0;
        side.turn_until(|side| {
            heard += side.heard.len();
            heard == 1500
        });
    };
    say(&mut clients, &mut side);
    for _ in 0..3 {
        side.pass(100 * SILENCE);
        say(&mut clients, &mut side);
    }
    assert_eq!(side.figures().open, 1500);
}

#[test]
fn new_rules_hold_for_who_is_there() {
    let mut side = Side::new(Bounds::default());
    let (mut client, _) = side.client();
    client.say(b"hello");
    side.hear();
    side.pass(1000 * SILENCE);
    side.turn();
    side.streams.govern(&all_but("127.0.0.2"));
    side.turn();
    side.pass(LAST_LOOK);
    side.turn_until(|side| closed(side, Ending::Idle) == 1);
    assert!(client.is_reset());
}

/// Nothing else has to happen for it.
#[test]
fn a_first_message_has_its_own_time() {
    let mut side = Side::new(Bounds::default());
    side.streams.govern(&all_but("127.0.0.2"));
    let (mut mute, _) = side.client();
    side.pass(FIRST_MESSAGE);
    side.turn_until(|side| closed(side, Ending::Silent) == 1);
    assert!(mute.is_reset());
}
