//! How many are let in: in all, from one address and from one prefix.

use net::tcp::limits::ACCEPT_PAUSE;
use net::tcp::{Bounds, NoRoom, Streams, Tenacity, listen};
use nix::libc;

use crate::forbid::{Call, forbid};
use crate::side::{Client, DEADLINE, Side, until};

/// Somebody who is refused at once for this reason.
fn is_refused(side: &mut Side, source: &str, why: NoRoom) {
    let before = side.figures();
    let mut client = Client::connect(side.address, Some(source), 0);
    side.turn_until(|side| side.figures().refused[why.index()] > before.refused[why.index()]);
    assert!(client.is_reset());
    assert_eq!(side.figures().accepted, before.accepted);
}

#[test]
fn bounds_by_address_by_prefix_and_in_all_hold_and_free_again() {
    let bounds = Bounds { connections: 5, per_address: 2, per_prefix: 3, ..Bounds::default() };
    let mut side = Side::at("127.0.0.1:0", bounds, &Tenacity::default());
    let mut enter = |source| side.client_from(Some(source), 0);
    let mut inside = vec![enter("127.1.1.1"), enter("127.1.1.1"), enter("127.1.1.2")];
    is_refused(&mut side, "127.1.1.1", NoRoom::Address);
    is_refused(&mut side, "127.1.1.3", NoRoom::Prefix);
    inside.push(side.client_from(Some("127.1.2.1"), 0));
    inside.push(side.client_from(Some("127.1.3.1"), 0));
    is_refused(&mut side, "127.1.4.1", NoRoom::InAll);
    inside.clear();
    side.turn_until(|side| side.streams.is_empty());
    side.client_from(Some("127.1.1.1"), 0);
    assert_eq!(side.figures().refused, [1, 1, 1, 0, 0]);
}

#[test]
fn both_families_are_served() {
    let mut side = Side::at("[::1]:0", Bounds::default(), &Tenacity::default());
    let (mut client, connection) = side.client();
    client.say(b"by IPv6");
    assert_eq!(side.hear(), (connection, b"by IPv6".to_vec()));
    let mut everywhere = Side::at("0.0.0.0:0", Bounds::default(), &Tenacity::default());
    everywhere.address.set_ip([127, 0, 0, 9].into());
    // The address that it reached is compared there.
    everywhere.client();
}

/// Whatever keeps the process from accepting, it is not tried again and again.
#[test]
fn an_error_that_will_come_again_makes_a_pause() {
    let mut side = Side::new(Bounds::default());
    let _client = Client::connect(side.address, None, 0);
    forbid(&Call { number: libc::SYS_accept4, argument: None }, libc::ENOSYS);
    side.turn_until(|side| side.figures().accept_errors == 1);
    let before = side.figures().calls;
    for _ in 0..10 {
        side.turn();
    }
    assert_eq!(side.figures().calls - before, 10, "it only waits");
    side.pass(ACCEPT_PAUSE);
    side.turn();
    assert_eq!(side.figures().accept_errors, 2);
}

/// Nothing else has to happen for it to be tried again.
#[test]
fn a_pause_ends_the_wait() {
    let listeners = listen(&["127.0.0.1:0".parse().unwrap()], &Tenacity::default()).unwrap();
    let _client = Client::connect(listeners[0].address(), None, 0);
    let mut streams = Streams::new(listeners, Bounds::default()).unwrap();
    forbid(&Call { number: libc::SYS_accept4, argument: None }, libc::ENOSYS);
    let mut events = Vec::new();
    until(|| {
        streams.exchange(&mut events, Some(DEADLINE)).unwrap();
        streams.figures().accept_errors == 3
    });
}

/// A confined process may set no option: whoever is refused hears an ordinary end.
#[test]
fn who_cannot_reset_ends_connections_nevertheless() {
    let mut side = Side::new(Bounds { connections: 0, ..Bounds::default() });
    let mut client = Client::connect(side.address, None, 0);
    forbid(&Call { number: libc::SYS_setsockopt, argument: None }, libc::ENOSYS);
    side.turn_until(|side| side.figures().refused[NoRoom::InAll.index()] == 1);
    assert!(!client.is_reset());
}
