//! A filter drops what it is to drop, and nothing else, over IPv4 and IPv6, for as long as it is there.

use std::net::SocketAddr;

use net::{Driver, DriverConfig, Sieve};

use crate::candidate::{Candidate, on, receive};
use crate::peer::Peer;

crate::contract_of_few![a_filter_drops_payloads_and_spares_commands];

/// Only what begins with `!` passes.
const COMMANDS: Sieve =
    Sieve { spared: [*b"!PIN", *b"!BEA"], first: b'!', of_second: Sieve::ALL, of_rest: 0, loud: None };

/// Sends these, and gives what arrives of them; the last one does.
fn sifted(
    driver: &mut impl Driver,
    (peer, to): (&Peer, SocketAddr),
    texts: &[&str],
    arrive: usize,
) -> Vec<String> {
    texts.iter().for_each(|text| peer.send(text.as_bytes(), to));
    let arrivals = receive(driver, arrive);
    let heard = arrivals.iter().map(|arrival| String::from_utf8(driver.bytes(arrival).to_vec()).unwrap());
    let heard = heard.collect();
    arrivals.iter().for_each(|arrival| driver.release(arrival.buffer));
    heard
}

fn a_filter_drops_payloads_and_spares_commands<C: Candidate>() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (mut driver, own) = on::<C>(address, &DriverConfig::default());
        let peer = Peer::on(address);
        let ends = (&peer, own);
        let texts = ["hello", "!PING", "!JOIN X", "world", "!"];
        for _ in 0..2 {
            driver.sift(Some(&COMMANDS)).unwrap();
            assert_eq!(sifted(&mut driver, ends, &texts, 3), ["!PING", "!JOIN X", "!"]);
            driver.sift(Some(&Sieve { of_second: 0, ..COMMANDS })).unwrap();
            assert_eq!(sifted(&mut driver, ends, &["!JOIN X", "hello", "!PING"], 1), ["!PING"]);
            driver.sift(None).unwrap();
            assert_eq!(sifted(&mut driver, ends, &texts, 5), texts);
        }
    }
}
