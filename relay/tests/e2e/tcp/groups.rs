//! Groups whose members are connected or not.

use super::Caller;
use crate::support::{Client, Relay, each_backend};

/// Everything that a byte can be, in sizes from one byte to the longest.
fn payloads() -> Vec<Vec<u8>> {
    let any = |len: usize| (0..len).map(|at| (at * 7 + len) as u8).collect::<Vec<u8>>();
    let mut payloads: Vec<Vec<u8>> = [1, 2, 255, 256, 1200, 1473, 4095, 4096].map(any).into();
    payloads.iter_mut().filter(|payload| payload[0] == b'!').for_each(|payload| payload[0] = b'?');
    payloads.push((0..=255).collect());
    payloads
}

#[test]
fn they_hear_each_other_byte_for_byte() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let group = Client::to(relay.address()).create();
        let by_tcp = Caller::member(relay.address(), &group);
        let other = Caller::member(relay.address(), &group);
        let by_udp: Vec<Client> = (0..4).map(|_| Client::member(relay.address(), &group)).collect();
        for payload in payloads() {
            by_tcp.send(&payload);
            assert_eq!(other.receive(), payload);
            by_udp.iter().for_each(|client| assert_eq!(client.receive(), payload));
            for speaker in 0..by_udp.len() {
                by_udp[speaker].send(&payload);
                let others = by_udp.iter().enumerate().filter(|(at, _)| *at != speaker);
                others.for_each(|(_, client)| assert_eq!(client.receive(), payload));
                assert_eq!(by_tcp.receive(), payload);
                assert_eq!(other.receive(), payload);
            }
        }
        by_tcp.assert_silence();
        assert_eq!(other.ask("!WHO"), format!("OK WHO {group} 6"));
    });
}
