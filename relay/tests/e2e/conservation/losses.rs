//! The law with losses of every kind, each counted by its reason.

use std::net::SocketAddr;

use super::Books;
use crate::support::{Cable, Client, FAR, NEAR, Relay, RelayOptions, each_backend, eventually, ip, tc};

fn near() -> SocketAddr {
    SocketAddr::new(NEAR.parse().unwrap(), 0)
}

/// A member at the other end of the cable.
fn far(cable: &Cable, relay: &Relay) -> Client {
    cable.over_there(|| Client::from(SocketAddr::new(FAR.parse().unwrap(), 0), relay.address()).roomy())
}

#[test]
fn routes_that_refuse() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let relay = RelayOptions::new(backend).with(["--host", NEAR, "--admission", "open"]).start();
            let group = Client::from(near(), relay.address()).create();
            let members = [(); 3].map(|()| Client::from(near(), relay.address()).roomy());
            let far = [far(cable, &relay), far(cable, &relay)];
            members.iter().chain(&far).for_each(|client| client.join(&group));
            let mut sent = 1 + 5;
            for (kind, reason) in
                [("prohibit", "denied"), ("unreachable", "unreachable"), ("blackhole", "other")]
            {
                ip(&format!("route add {kind} {FAR}"));
                // Equal sizes travel in one message, which fails as a whole: each of its datagrams counts.
                relay.pausing(|| (0..100).for_each(|_| members[0].send([b'x'; 500])));
                for size in 1..101 {
                    members[1].send(vec![b'y'; size]);
                }
                sent += 200;
                for (member, count) in members.iter().zip([100, 100, 200]) {
                    (0..count).for_each(|_| drop(member.receive()));
                }
                let books = Books::settled(&relay, sent);
                books.assert_law();
                assert_eq!(books.dropped_copies(reason), 400.0, "{kind}");
                ip(&format!("route del {kind} {FAR}"));
            }
            // A plain send that is too large for its route: fragments are forbidden nowhere, so none is.
            ip("link set near mtu 600");
            (0..10).for_each(|_| members[0].send([b'z'; 4096]));
            far.iter().for_each(|far| (0..10).for_each(|_| assert!(far.receive() == [b'z'; 4096])));
            let books = Books::settled(&relay, sent + 10);
            books.assert_law();
            assert_eq!(books.dropped_copies("too_large"), 0.0);
            assert_eq!(relay.metric("relay_members", ""), 5.0);
        });
    });
}

/// The relay's send buffer is full of what a slow link has not carried yet.
#[test]
fn a_full_send_buffer() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let flags = ["--host", NEAR, "--send-buffer", "16K", "--admission", "open"];
            let relay = RelayOptions::new(backend).with(flags).start();
            let creator = Client::from(near(), relay.address());
            let group = creator.create();
            let sender = Client::from(near(), relay.address()).roomy();
            let [one, two] = [far(cable, &relay), far(cable, &relay)];
            [&sender, &one, &two].iter().for_each(|client| client.join(&group));
            tc("qdisc add dev near root tbf rate 400kbit burst 5kb limit 10mb");
            let mut sent = 1 + 3;
            for round in 0..20 {
                let burst = || (0..50).for_each(|_| sender.send([b'x'; 1000]));
                relay.pausing_if(round % 2 == 0, burst);
                sent += 50;
            }
            let books = Books::settled(&relay, sent);
            books.assert_law();
            let (full, taken) =
                (books.dropped_copies("send_buffer_full"), books.sum("relay_sent_packets_total", "") - 4.0);
            assert!(full > 0.0 && full + taken == 2000.0, "{full} dropped, {taken} taken");
            // What the kernel took arrives as slowly as the link carries it.
            tc("qdisc change dev near root tbf rate 100mbit burst 50kb limit 10mb");
            let mut heard = 0;
            eventually("what was taken arrives", || {
                heard += one.drain().len() + two.drain().len();
                (heard as f64 == taken).then_some(())
            });
        });
    });
}

/// More copies than a turn sends, for longer than the backlog reaches: the oldest are dropped.
#[test]
fn an_overrun_backlog() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--cap", "none", "--shards", "1"]).start();
        let group = Client::to(relay.address()).create();
        let members: Vec<Client> = (0..400).map(|_| Client::member(relay.address(), &group)).collect();
        let mut sent = 1 + 400;
        eventually("the backlog is overrun", || {
            relay.pausing(|| (0..1000).for_each(|_| members[0].send([b'x'; 64])));
            sent += 1000;
            (Books::of(&relay).dropped_copies("backlog") > 0.0).then_some(())
        });
        let books = Books::settled(&relay, sent);
        books.assert_law();
        assert!(books.dropped_copies("backlog") > 0.0);
        assert_eq!(books.sum("relay_dropped_copies_total", ""), books.dropped_copies("backlog"));
        assert_eq!(relay.metric("relay_members", ""), 400.0);
    });
}

/// What the kernel drops before the relay has seen it is counted by the kernel, and nothing else is missing.
#[test]
fn a_full_receive_buffer() {
    each_backend(|backend| {
        let flags = ["--receive-buffer", "64K", "--shards", "1"];
        let relay = RelayOptions::new(backend).with(flags).start();
        let group = Client::to(relay.address()).create();
        let [sender, receiver] = [(); 2].map(|()| Client::member(relay.address(), &group).roomy());
        relay.pausing(|| (0..1000).for_each(|_| sender.send([b'x'; 1000])));
        let books = Books::settled(&relay, 1 + 2 + 1000);
        books.assert_law();
        let lost = books.sum("relay_kernel_receive_dropped_total", "");
        assert!(lost > 0.0);
        assert_eq!(receiver.drain().len() as f64, 1000.0 - lost);
    });
}
