//! Connections of which only the relay's end is left, or that break off in the middle of a message.

use std::fs;

use super::{Caller, at};
use crate::support::{Cable, Client, FAR, NEAR, Relay, RelayOptions, each_backend, eventually, ip};

/// Everybody else in a group, by both transports.
struct Others {
    by_udp: Client,
    by_tcp: Caller,
    said: u32,
}

impl Others {
    fn of(relay: &Relay, group: &str) -> Self {
        let (by_udp, by_tcp) =
            (Client::member(relay.address(), group), Caller::member(relay.address(), group));
        Self { by_udp, by_tcp, said: 0 }
    }

    /// Each says something, and hears what the other has said, and nothing else.
    #[track_caller]
    fn talk(&mut self) {
        self.said += 1;
        let words = format!("word {}", self.said);
        self.by_udp.send(&words);
        assert_eq!(self.by_tcp.hear(), words);
        self.by_tcp.send(&words);
        assert_eq!(self.by_udp.hear(), words);
    }

    /// How many are in the group.
    fn count(&self) -> usize {
        let answer = self.by_udp.ask("!WHO");
        answer.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
    }
}

fn descriptors(relay: &Relay) -> usize {
    fs::read_dir(format!("/proc/{}/fd", relay.pid())).expect("/proc is there").count()
}

/// Its host is gone without a FIN or an RST, and what is sent to it is never acknowledged.
#[test]
fn a_half_open_connection_is_closed_and_costs_nobody_anything() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let options = RelayOptions::new(backend).with(["--host", NEAR, "--trust", "10.0.0.0/8"]);
            let relay = options.with(["--heartbeat", "0.5", "--sweep", "0.05"]).start();
            let creator = Client::from(at([10, 9, 0, 1]), relay.address());
            let group = creator.create();
            let mut others = Others::of(&relay, &group);
            let before = descriptors(&relay);
            let goes = cable.over_there(|| Caller::member(relay.address(), &group));
            assert_eq!(goes.address().ip().to_string(), FAR);
            others.talk();
            assert_eq!((goes.hear(), goes.hear()), ("word 1".to_owned(), "word 1".to_owned()));
            assert_eq!((others.count(), descriptors(&relay)), (3, before + 1));

            cable.over_there(|| ip("link set far down"));
            eventually("it is not a member any more", || {
                others.talk();
                (others.count() == 2).then_some(())
            });
            eventually("its descriptor is free", || {
                others.talk();
                (descriptors(&relay) == before).then_some(())
            });
            eventually("it is counted", || {
                (relay.metric("relay_tcp_closed_total", "\"idle\"") == 1.0).then_some(())
            });
            assert_eq!(relay.metric("relay_tcp_connections", ""), 1.0);
        });
    });
}

/// Half a message is nobody's: neither the group's, nor that of who comes next from the same address.
#[test]
fn a_connection_that_is_reset_in_the_middle_of_a_message() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let group = Client::to(relay.address()).create();
        let mut others = Others::of(&relay, &group);
        let before = descriptors(&relay);
        for part in [&[0][..], &[0, 9], b"\x00\x09half a"] {
            let resets = Caller::from(at([127, 0, 0, 1]), relay.address(), 0);
            let own = resets.address();
            resets.join(&group);
            others.talk();
            // What it has not read makes no difference.
            resets.send_raw(part);
            resets.reset();
            eventually("it has left", || (others.count() == 2).then_some(()));
            others.talk();
            let next = Caller::from(own, relay.address(), 0);
            assert_eq!(next.ask("!WHO"), "ERR NOT_IN_GROUP JoinFirstUseJOIN");
        }
        eventually("no descriptor is left open", || (descriptors(&relay) == before).then_some(()));
    });
}
