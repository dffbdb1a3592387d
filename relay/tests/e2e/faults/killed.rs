//! kill -9 under traffic, and a new relay on the same port.

use super::figures::Lost;
use super::link::counted;
use super::{SIZES, cast, explained, relay, rounds};
use crate::conservation::Books;
use crate::support::{Cable, each_backend, eventually, while_stopped};

#[test]
fn a_relay_that_is_killed_and_started_again() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let first = relay(backend).start();
            let port = first.address().port();
            let mut cast = cast(cable, first);
            cast.speak(rounds() / 2, &SIZES);
            let before = explained(&mut cast, |_| Lost::default());
            before.report("until kill -9", backend.name());

            (cast.sent, cast.heard) = (0, 0);
            // What it has not read yet dies with it.
            while_stopped(cast.relay.pid(), || {
                cast.shout(rounds() / 4, &SIZES);
                cast.relay.signal("KILL");
            });
            cast.relay.wait();
            // A ring holds its socket for a moment longer.
            eventually("nobody has the port", || (!is_bound(port)).then_some(()));
            let buried = cast.sent;
            // What comes then finds no port, and whose message came back may hear of it.
            cast.shout(rounds() / 4, &SIZES);
            let homeless = counted("Udp", "NoPorts");
            cast.relay = relay(backend).with(["--port", &port.to_string()]).start();

            cast.listen();
            cast.all_are_answered("!PING", "ERR NOT_IN_GROUP ");
            cast.join();
            cast.speak(rounds() / 2, &SIZES);
            let lost = |_: &Books| Lost { before: buried + homeless, ..Lost::default() };
            let figures = explained(&mut cast, lost);
            cast.assert_order();
            figures.report("from kill -9 on, a new relay on the port", backend.name());
            assert!(buried > 0 && homeless > 0, "{buried} {homeless} {figures:?}");
            cast.end();
        });
    });
}

/// Whether somebody in this network has a UDP port.
fn is_bound(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/thread-self/net/udp").expect("/proc is there");
    table.contains(&format!(":{port:04X} 00000000:0000"))
}
