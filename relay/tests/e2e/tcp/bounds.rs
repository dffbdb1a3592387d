//! What one connection can cost the others: nothing.

use super::{Caller, at, framed};
use crate::conservation::Books;
use crate::support::{Client, Relay, RelayOptions, each_backend, eventually};

/// Payloads of this many bytes fill what the kernel takes for a slow reader, and its queue.
const SIZE: usize = 4000;

/// A member that reads nothing, with as small a buffer as can be had.
fn deaf_member(relay: &Relay, group: &str) -> Caller {
    let deaf = Caller::from(at([127, 0, 0, 1]), relay.address(), 4096);
    deaf.join(group);
    deaf
}

fn payload(number: usize) -> Vec<u8> {
    let mut payload = format!("{number:08}").into_bytes();
    payload.resize(SIZE, b'x');
    payload
}

fn number(payload: &[u8]) -> usize {
    std::str::from_utf8(&payload[..8]).unwrap().parse().unwrap()
}

/// It loses its oldest payloads, which are counted; nobody else loses one, whoever speaks.
#[test]
fn a_slow_reader_costs_others_nothing() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let by_udp = Client::to(relay.address()).roomy();
        let group = by_udp.create();
        by_udp.join(&group);
        let by_tcp = Caller::member(relay.address(), &group);
        let deaf = deaf_member(&relay, &group);
        let slow = || relay.metric("relay_dropped_copies_total", "tcp_slow");
        let (mut said, mut round) = (0, 0);
        while slow() == 0.0 || round < 20 {
            for _ in 0..50 {
                by_udp.send(payload(said));
                assert_eq!(number(&by_tcp.receive()), said);
                by_tcp.send(payload(said + 1));
                assert_eq!(number(&by_udp.receive()), said + 1);
                said += 2;
            }
            round += 1;
            assert!(round < 400, "a queue without an end");
        }
        let lost = |heard: &[usize]| said - heard.len();
        let mut heard = Vec::new();
        while heard.last() != Some(&(said - 1)) {
            heard.push(number(&deaf.receive()));
        }
        assert!(heard.windows(2).all(|pair| pair[0] < pair[1]), "in order");
        eventually("all that it lost is counted", || (slow() == lost(&heard) as f64).then_some(()));
        let first_gap = heard.iter().enumerate().find(|(at, number)| at != *number).expect("a gap").0;
        assert!(
            heard[heard.len() - 20..].windows(2).all(|pair| pair[0] + 1 == pair[1]),
            "the oldest are lost"
        );
        assert!(first_gap > 0, "what the kernel had taken came");
        deaf.assert_silence();
    });
}

/// With 64 answers unread nothing more is read from it, and 10 s later it is closed; but not by one who reads again.
#[test]
fn who_reads_no_answers_is_not_read_from_and_then_closed() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let deaf = Caller::from(at([127, 0, 0, 1]), relay.address(), 4096);
        let commands = || relay.metric("relay_commands_total", "");
        let flood: Vec<u8> = framed(b"!CREATE").repeat(1000);
        deaf.try_send_all(&flood);
        let stopped = eventually("nothing more is read", || {
            let before = commands();
            deaf.try_send_all(&flood);
            (0..20).for_each(|_| crate::support::tick());
            (commands() == before && relay.metric("relay_tcp_queued_bytes", "") > 0.0).then_some(before)
        });
        let other = Caller::to(relay.address());
        other.assert_silence();
        eventually("it is closed", || {
            (relay.metric("relay_tcp_closed_total", "\"deaf\"") == 1.0).then_some(())
        });
        assert_eq!(commands(), stopped + 1.0);
        assert!(relay.metric("relay_dropped_copies_total", "tcp_closed") >= 64.0);
    });
}

#[test]
fn what_is_too_large_is_answered_and_skipped() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let caller = Caller::to(relay.address());
        let group = caller.ask("!CREATE").replace("OK CREATED ", "");
        for len in [4097, 5000, 65_535] {
            caller.send_raw(&framed(&vec![b'!'; len]));
            assert_eq!(caller.hear(), "ERR TOO_LARGE PayloadTooLarge");
        }
        // An empty one is ignored, and a message may come byte by byte.
        caller.send_raw(&[0, 0, 0, 0]);
        framed(format!("!JOIN {group}").as_bytes()).iter().for_each(|byte| caller.send_raw(&[*byte]));
        assert_eq!(caller.hear(), format!("OK JOINED {group}"));
        caller.send_raw(&framed(&vec![b'x'; 4097]));
        assert_eq!(caller.hear(), "ERR TOO_LARGE PayloadTooLarge");
        assert_eq!(caller.ask("!WHO"), format!("OK WHO {group} 1"));
    });
}

#[test]
fn one_address_has_256_connections_and_all_clients_are_counted() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--max-clients", "3"]).start();
        let refused = |reason| relay.metric("relay_tcp_refused_total", reason);
        let mut callers: Vec<Caller> = (0..256).map(|_| Caller::to(relay.address())).collect();
        callers.iter().for_each(Caller::assert_silence);
        assert!(Caller::to(relay.address()).next().is_none());
        eventually("it is counted", || (refused("\"address\"") == 1.0).then_some(()));
        let neighbour = Caller::from(at([127, 0, 0, 2]), relay.address(), 0);
        neighbour.assert_silence();
        callers.truncate(2);
        let group = Client::to(relay.address()).create();
        let member = Client::member(relay.address(), &group);
        callers.iter().for_each(|caller| caller.join(&group));
        assert_eq!(neighbour.ask(format!("!JOIN {group}")), "ERR SERVER_FULL TryLater");
        assert_eq!(member.ask("!WHO"), format!("OK WHO {group} 3"));
    });
}

#[test]
fn who_is_denied_is_not_let_in_and_a_reload_closes_it() {
    each_backend(|backend| {
        let file = crate::operations::tools::ConfigFile::new("deny = ['127.0.0.2']\n");
        let relay = RelayOptions::new(backend).with(["--config", &file.name()]).start();
        let denied = Caller::from(at([127, 0, 0, 2]), relay.address(), 0);
        assert!(denied.next().is_none());
        let welcome = Caller::from(at([127, 0, 0, 3]), relay.address(), 0);
        let group = welcome.ask("!CREATE").replace("OK CREATED ", "");
        welcome.join(&group);
        file.write("deny = ['127.0.0.3']\n");
        relay.signal("HUP");
        assert!(welcome.next().is_none());
        let now_welcome = Caller::from(at([127, 0, 0, 2]), relay.address(), 0);
        now_welcome.assert_silence();
        eventually("its membership is over", || (relay.metric("relay_members", "") == 0.0).then_some(()));
        let counted = |name| relay.metric(name, "\"denied\"") == 1.0;
        eventually("both are counted", || {
            (counted("relay_tcp_refused_total") && counted("relay_tcp_closed_total")).then_some(())
        });
    });
}

/// Every copy is sent, dropped and counted, or waits, whoever speaks and whoever listens.
#[test]
fn no_copy_is_unaccounted_for() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let by_udp: Vec<Client> = (0..3).map(|_| Client::to(relay.address()).roomy()).collect();
        let group = by_udp[0].create();
        by_udp.iter().for_each(|client| client.join(&group));
        let by_tcp: Vec<Caller> = (0..3).map(|_| Caller::member(relay.address(), &group)).collect();
        let deaf = deaf_member(&relay, &group);
        let goes = deaf_member(&relay, &group);
        // CREATE, and a JOIN of each.
        let mut sent = 1 + 3 + 3 + 2;
        for number in 0..500 {
            by_udp.iter().for_each(|client| client.send(payload(number)));
            by_tcp.iter().for_each(|caller| caller.send(payload(number)));
            sent += 6;
            by_tcp.iter().for_each(|caller| (0..5).for_each(|_| drop(caller.receive())));
            by_udp.iter().for_each(|client| (0..5).for_each(|_| drop(client.receive())));
        }
        goes.reset();
        drop(deaf);
        eventually("both are gone", || (relay.metric("relay_tcp_connections", "") == 3.0).then_some(()));
        let books = Books::settled(&relay, sent);
        books.assert_law();
        assert!(books.sum("relay_dropped_copies_total", "tcp_closed") > 0.0);
        assert!(books.sum("relay_received_packets_total", "\"tcp\"") > 1500.0);
    });
}
