//! A peer that vanishes without a word is noticed, whether something is sent to it or not.

use std::time::Duration;

use net::tcp::{Bounds, Ending, Event, Kind, Tenacity};

use crate::cable::{FAR, NEAR, There, ip, lay};
use crate::side::{Client, Side};

/// A connection whose peer is there no more.
fn vanish(there: &There) -> (Side, Client, net::tcp::ConnectionId) {
    let tenacity = Tenacity {
        unacknowledged: Duration::from_secs(1),
        probe_after: Duration::from_secs(1),
        probe_every: Duration::from_secs(1),
    };
    let mut side = Side::at(&format!("{NEAR}:0"), Bounds::default(), &tenacity);
    let address = side.address;
    let client = there.visit(|| Client::connect(address, None, 0));
    let mut opened = None;
    side.turn_until(|side| {
        opened = side.events.first().cloned();
        opened.is_some()
    });
    let Some(Event::Opened { connection, source, .. }) = opened else { panic!("{opened:?}") };
    assert_eq!(source, client.address());
    there.visit(|| ip(&format!("addr del {FAR}/24 dev far")));
    (side, client, connection)
}

fn notices(mut side: Side, connection: net::tcp::ConnectionId) {
    side.turn_until(|side| side.events == [Event::Closed { connection, why: Ending::Vanished }]);
    assert!(side.streams.is_empty());
}

#[test]
fn who_is_silent_is_asked() {
    lay(|there| {
        let (side, _client, connection) = vanish(there);
        notices(side, connection);
    });
}

#[test]
fn what_is_sent_is_not_sent_for_ever() {
    lay(|there| {
        let (mut side, _client, connection) = vanish(there);
        assert!(side.send(connection, Kind::Payload, &[b"are you there?"]));
        notices(side, connection);
    });
}
