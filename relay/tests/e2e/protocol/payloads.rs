//! The payload rows: who gets what, and what counts as one.

use super::NOT_JOINED;
use crate::support::{Client, Relay, each_backend};

#[test]
fn a_payload_goes_to_every_other_member_and_never_back() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let [a, b, c] = [(); 3].map(|()| Client::to(relay.address()));
        let group = a.create();
        for client in [&a, &b, &c] {
            client.join(&group);
        }
        a.send(b"\x00\xffverbatim\n");
        assert_eq!(b.receive(), b"\x00\xffverbatim\n");
        assert_eq!(c.receive(), b"\x00\xffverbatim\n");
        a.assert_silence();
    });
}

#[test]
fn any_first_byte_but_one_makes_a_payload() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let sender = Client::to(relay.address());
        let group = sender.create();
        sender.join(&group);
        let receiver = Client::member(relay.address(), &group);
        for byte in (0..=255).filter(|&byte| byte != b'!') {
            sender.send([byte]);
            assert_eq!(receiver.receive(), [byte]);
            sender.send([byte, b'!', 0]);
            assert_eq!(receiver.receive(), [byte, b'!', 0]);
        }
        sender.assert_silence();
    });
}

#[test]
fn a_member_may_say_what_the_relay_says() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let sender = Client::to(relay.address());
        let group = sender.create();
        sender.join(&group);
        let receiver = Client::member(relay.address(), &group);
        for text in ["OK LEFT X", "ERR NOT_IN_GROUP NotInThatGroup", "PONG 60.0", " !PING", "OK "] {
            sender.send(text);
            assert_eq!(receiver.hear(), text);
        }
        sender.assert_silence();
    });
}

#[test]
fn only_members_send_payloads() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let client = Client::to(relay.address());
        let group = client.create();
        let member = Client::member(relay.address(), &group);
        for payload in [&b"x"[..], b"hello", b"\0", b"OK", b"ERR", b"PONG", b"ok then", b"\xff\xff"] {
            assert_eq!(client.ask(payload), NOT_JOINED, "{payload:?}");
        }
        client.join(&group);
        client.send("now");
        assert_eq!(member.hear(), "now");
        assert_eq!(client.ask(format!("!LEAVE {group}")), format!("OK LEFT {group}"));
        assert_eq!(client.ask("and then"), NOT_JOINED);
        member.assert_silence();
    });
}

#[test]
fn a_member_alone_hears_nothing() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let client = Client::to(relay.address());
        client.join(&client.create());
        for _ in 0..100 {
            client.send("is anybody there?");
        }
        client.assert_silence();
    });
}
