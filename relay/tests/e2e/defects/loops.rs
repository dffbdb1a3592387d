//! One datagram in causes at most one answer, and no error is ever answered with an error.

use super::{dropped, received};
use crate::protocol::NOT_JOINED;
use crate::support::{Backend, Client, Relay, alone, each_backend, eventually, forge, tick};

#[test]
fn what_the_relay_itself_says_is_not_answered() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let stranger = Client::to(relay.address());
        let texts = [
            "OK JOINED ABCD1234",
            "OK LEFT X",
            "OK ",
            "ERR NOT_IN_GROUP JoinFirstUseJOIN",
            "ERR ",
            "ERR \u{ff}",
            "PONG 60.0",
            "PONG ",
        ];
        texts.iter().for_each(|text| stranger.send(text));
        stranger.assert_silence();
        eventually("all are counted", || {
            (dropped(&relay, "reply_from_stranger") == texts.len() as f64).then_some(())
        });
        // Only these beginnings: anything else is told that its sender has not joined.
        for text in ["OK", "OKAY", "ok ", "ERROR", "ERR", "PONG", "Pong ", " OK "] {
            assert_eq!(stranger.ask(text), NOT_JOINED, "{text:?}");
        }
        // Who joins is heard, and who has left is a stranger again.
        let group = stranger.create();
        let [member, leaver] = [(); 2].map(|()| Client::member(relay.address(), &group));
        leaver.send("ERR from a member");
        assert_eq!(member.hear(), "ERR from a member");
        assert_eq!(leaver.ask(format!("!LEAVE {group}")), format!("OK LEFT {group}"));
        leaver.send("ERR from a stranger");
        leaver.assert_silence();
        member.assert_silence();
    });
}

#[test]
fn one_datagram_causes_at_most_one_answer() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let client = Client::to(relay.address());
        let requests = [
            "!CREATE", "!JOIN", "!JOIN X", "!LEAVE", "!LEAVE X", "!PING", "!WHO", "!", "payload", "!JOIN\nX",
        ];
        for request in requests {
            client.ask(request);
            client.assert_silence();
        }
        assert!(client.ask(" ".repeat(5000)).starts_with("ERR TOO_LARGE"));
        client.assert_silence();
    });
}

/// A datagram that claims to come from another relay.
fn between_two_relays(backend: Backend, other: Backend, datagram: &str) {
    let (one, two) = (Relay::start(backend), Relay::start(other));
    forge(two.address(), one.address(), datagram);
    eventually("the answer has reached the other relay", || {
        ((received(&one), received(&two)) == (1.0, 1.0)).then_some(())
    });
    eventually("and was dropped there", || (dropped(&two, "reply_from_stranger") == 1.0).then_some(()));
    // A loop of two relays turns ten thousand times in this while.
    for _ in 0..10 {
        tick();
    }
    assert_eq!((received(&one), received(&two)), (1.0, 1.0), "after {datagram:?}");
    assert_eq!(two.metric("relay_replies_total", ""), 0.0);
}

#[test]
fn two_relays_do_not_answer_each_other() {
    each_backend(|backend| {
        alone(|| {
            for other in [Backend::Uring, Backend::Mmsg] {
                for datagram in ["hello", "!CREATE", "!PING", "!JOIN NOSUCHGROUP", "!NONSENSE"] {
                    between_two_relays(backend, other, datagram);
                }
            }
        });
    });
}

/// The worst that forged joins can do to two relays: each is a member of the other's group. Whatever is said is heard
/// once by everyone in both groups.
#[test]
fn two_relays_that_are_members_of_each_other_do_not_loop() {
    each_backend(|backend| {
        alone(|| {
            let relays = [(); 2].map(|()| Relay::start(backend));
            let [a, b] = &relays;
            let [group_a, group_b] = [a, b].map(|relay| Client::to(relay.address()).create());
            let [client_a, other_a] = [(); 2].map(|()| Client::member(a.address(), &group_a));
            let client_b = Client::member(b.address(), &group_b);
            // The answers are taken for payloads of a stranger, and dropped.
            forge(b.address(), a.address(), format!("!JOIN {group_a}"));
            eventually("the first has the second", || (a.metric("relay_members", "") == 3.0).then_some(()));
            forge(a.address(), b.address(), format!("!JOIN {group_b}"));
            eventually("the second has the first", || (b.metric("relay_members", "") == 2.0).then_some(()));
            // To the first, the second's OK JOINED is what a member says.
            let heard = format!("OK JOINED {group_b}");
            assert_eq!((client_a.hear(), other_a.hear()), (heard.clone(), heard));
            client_a.send("hello");
            assert_eq!((other_a.hear(), client_b.hear()), ("hello".to_owned(), "hello".to_owned()));
            client_b.send("hello yourself");
            assert_eq!(
                (client_a.hear(), other_a.hear()),
                ("hello yourself".to_owned(), "hello yourself".to_owned())
            );
            for _ in 0..10 {
                tick();
            }
            [client_a, other_a, client_b].iter().for_each(Client::assert_heard_all);
        });
    });
}
