//! Base and extended clients in one group.

use super::{hello, join};
use crate::support::{Client, Relay, RelayOptions, each_backend};

#[test]
fn each_member_hears_a_payload_in_its_own_form() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let [base, extended, with_sender] = [(); 3].map(|()| Client::to(relay.address()));
        let group = base.create();
        base.join(&group);
        hello(&extended, "");
        hello(&with_sender, " FROM");
        join(&extended, &group);
        join(&with_sender, &group);
        base.send("hello");
        assert_eq!(extended.hear(), "hello");
        assert_eq!(with_sender.hear(), "!FROM #1 0000000000 hello");
        extended.send("!RAW !PING");
        assert_eq!(base.hear(), "!PING");
        assert_eq!(with_sender.hear(), "!FROM #2 0000000000 !PING");
        with_sender.send("!RAW !PING");
        assert_eq!(base.hear(), "!PING");
        assert_eq!(extended.hear(), "!RAW !PING");
        // The longest payload, which is longer than a datagram to the relay may be when it says who speaks.
        let longest = "x".repeat(4096);
        base.send(&longest);
        assert_eq!(extended.hear(), longest);
        assert_eq!(with_sender.hear(), format!("!FROM #1 0000000001 {longest}"));
        base.assert_silence();
        for client in [&extended, &with_sender] {
            assert_eq!(client.ask("!no-such-command"), "!ERR BAD_CMD UnknownCommand");
        }
    });
}

/// Payloads of one size share sends whatever is put before them, and nobody hears the relay's own words as somebody's.
#[test]
fn bursts_arrive_whole_in_every_form() {
    const PAYLOADS: usize = 200;
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--shards", "1"]).start();
        let speakers = [(); 2].map(|()| Client::to(relay.address()));
        let listeners = [(); 3].map(|()| Client::to(relay.address()).roomy());
        let group = speakers[0].create();
        speakers.iter().for_each(|speaker| speaker.join(&group));
        listeners[0].join(&group);
        for (listener, wish) in listeners[1..].iter().zip(["", " FROM"]) {
            hello(listener, wish);
            join(listener, &group);
        }
        relay.pausing(|| {
            for number in 0..PAYLOADS {
                speakers[number % 2].send(format!("{number:0width$}", width = 10 + number / 20 * 50));
            }
        });
        for number in 0..PAYLOADS {
            let said = format!("{number:0width$}", width = 10 + number / 20 * 50);
            assert_eq!(listeners[0].hear(), said);
            assert_eq!(listeners[1].hear(), said);
            let sender = format!("!FROM #{} {:010} ", 1 + number % 2, number / 2);
            assert_eq!(listeners[2].hear(), format!("{sender}{said}"));
        }
        listeners.iter().for_each(Client::assert_heard_all);
        assert_eq!(relay.metric("relay_dropped_copies_total", ""), 0.0);
    });
}
