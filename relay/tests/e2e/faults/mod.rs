//! The fault matrix: whatever is done to the relay and its links, the right members hear what was said, whole and in
//! order, nothing gets stuck, and the counters explain every datagram.
//!
//! `cargo xtask faults` prints the figures of every cell.

mod cast;
mod figures;
mod icmp;
mod killed;
mod limits;
mod link;
mod losses;
mod reordered;
pub mod router;
mod sizes;
mod speech;
mod stopped;
mod vanished;

use std::net::SocketAddr;

use cast::Cast;
use figures::{Figures, Lost};

use crate::conservation::Books;
use crate::support::{Backend, Cable, Client, FAR, NEAR, Relay, RelayOptions, each_backend, ip};

/// Sizes of payloads that one packet of an Ethernet carries.
const SIZES: [usize; 6] = [speech::SMALLEST, 100, 1400, 1400, 1472, 512];

/// How much is said: more where `cargo xtask faults` has time.
fn rounds() -> usize {
    let times = std::env::var("FAULTS_TIMES").ok().and_then(|text| text.parse().ok());
    60 * times.unwrap_or(1)
}

/// A client of a relay, at an address.
fn client(host: &str, relay: SocketAddr) -> Client {
    Client::from(SocketAddr::new(host.parse().unwrap(), 0), relay).roomy()
}

/// A relay at the near end, to which everybody has proved where they are: admission has its own stories.
fn relay(backend: Backend) -> RelayOptions {
    RelayOptions::new(backend).with(["--host", NEAR, "--pin", "--trust", "10.0.0.0/8"])
}

/// The relay at the near end of a cable, members at both ends.
fn cast(cable: &Cable, relay: Relay) -> Cast {
    // A datagram is a packet, so that whoever loses packets counts datagrams.
    ip("link set near gso_max_segs 1");
    let address = relay.address();
    let here = || client(NEAR, address);
    let there = || cable.over_there(|| client(FAR, address));
    Cast::gather(relay, client(NEAR, address), &[&here, &there])
}

/// Tells a cell on both backends: what is done, and what the link has lost by then. Before it, everybody has joined;
/// after it, everybody who is there is answered, and every datagram is explained.
fn cell(
    name: &str,
    story: impl Fn(&Cable, &mut Cast) + Sync,
    lost: impl Fn(&Cable, &Books) -> Lost + Sync,
    judge: impl Fn(&Figures) + Sync,
) {
    cell_with(&[], name, story, lost, judge);
}

/// The same with these flags.
fn cell_with(
    flags: &[&str],
    name: &str,
    story: impl Fn(&Cable, &mut Cast) + Sync,
    lost: impl Fn(&Cable, &Books) -> Lost + Sync,
    judge: impl Fn(&Figures) + Sync,
) {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let mut cast = cast(cable, relay(backend).with(flags.iter().copied()).start());
            story(cable, &mut cast);
            let figures = explained(&mut cast, |books| lost(cable, books));
            cast.assert_order();
            figures.report(name, backend.name());
            judge(&figures);
            cast.end();
        });
    });
}

/// Everybody is answered, and every datagram is explained.
#[track_caller]
fn explained(cast: &mut Cast, lost: impl Fn(&Books) -> Lost) -> Figures {
    cast.all_are_answered("!PING", "PONG ");
    Figures::settled(cast, lost)
}

/// Where the link is innocent.
fn nothing(_: &Cable, _: &Books) -> Lost {
    Lost::default()
}
