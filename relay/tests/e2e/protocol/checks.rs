//! What is checked of every datagram, in this order: its length, its size, its command.

use super::{BAD_COMMAND, NOT_JOINED, TOO_LARGE};
use crate::support::{Client, Relay, each_backend, eventually};

#[test]
fn a_datagram_without_bytes_is_ignored() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let stranger = Client::to(relay.address());
        let group = stranger.create();
        let [member, other] = [(); 2].map(|()| Client::member(relay.address(), &group));
        stranger.send("");
        member.send("");
        stranger.assert_silence();
        member.assert_silence();
        other.assert_silence();
        eventually("both are counted", || {
            (relay.metric("relay_dropped_packets_total", "reason=\"empty\"") == 2.0).then_some(())
        });
    });
}

#[test]
fn size_is_checked_before_command_and_membership() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let stranger = Client::to(relay.address());
        let group = stranger.create();
        let [member, other] = [(); 2].map(|()| Client::member(relay.address(), &group));
        for client in [&stranger, &member] {
            for size in [4097, 4098, 9000, 65_507] {
                for start in ["x", "!", "!PING ", "!JOIN", "!LEAVE ", "!CREATE ", "!nonsense"] {
                    let datagram = format!("{start:size$}");
                    assert_eq!(client.ask(&datagram), TOO_LARGE, "{size} bytes of {start:?}");
                }
            }
        }
        other.assert_silence();
        assert_eq!(member.ask("!WHO"), format!("OK WHO {group} 2"));
        assert_eq!(stranger.ask("!WHO"), NOT_JOINED);
    });
}

#[test]
fn four_thousand_and_ninety_six_bytes_are_taken() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let stranger = Client::to(relay.address());
        let group = stranger.create();
        let [member, other] = [(); 2].map(|()| Client::member(relay.address(), &group));
        let payload: Vec<u8> = (0..4096).map(|n| b'a' + (n % 26) as u8).collect();
        member.send(&payload);
        assert_eq!(other.receive(), payload);
        assert_eq!(stranger.ask(&payload), NOT_JOINED);
        assert_eq!(member.ask(format!("{:4096}", "!PING")), "PONG 60.0");
        assert_eq!(stranger.ask(format!("!JOIN{group:>4091}")), format!("OK JOINED {group}"));
        assert_eq!(stranger.ask(format!("{:4096}", format!("!LEAVE {group}"))), format!("OK LEFT {group}"));
        assert_eq!(member.ask(vec![b'!'; 4096]), BAD_COMMAND);
    });
}

#[test]
fn a_command_is_what_stands_before_the_first_space() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let stranger = Client::to(relay.address());
        let group = stranger.create();
        let member = Client::member(relay.address(), &group);
        let texts = [
            "!",
            "!!",
            "! ",
            "!  ",
            "! JOIN X",
            "!\0",
            "!JOIN\tX",
            "!JOINABCD",
            "!PING\n",
            "!PING\r\n",
            "!PING\0",
            "!ping",
            "!Ping",
            "!PINg",
            "!PIN",
            "!PINGS",
            "!WHO?",
            "!who",
            "!create",
            "!CREATED",
            "!leave",
            "!LEFT",
            "!HULLO",
            "!!JOIN X",
            "!\u{a0}JOIN X",
            "!OK",
            "!ERR",
        ];
        let with_group =
            ["! JOIN ", "!join ", "!Join ", "!JOIN\t", "!JOIN\n", "!JOIN", "!\tJOIN ", "!JOIN\u{a0}"];
        for client in [&stranger, &member] {
            for text in texts {
                assert_eq!(client.ask(text), BAD_COMMAND, "{text:?}");
            }
            for text in with_group {
                assert_eq!(client.ask(format!("{text}{group}")), BAD_COMMAND, "{text:?}");
            }
            for bytes in [&b"!\xff"[..], b"!\xffJOIN X", b"!PING\xff", b"!\x00\x01\x02", b"!\xef\xbb\xbfPING"]
            {
                assert_eq!(client.ask(bytes), BAD_COMMAND, "{bytes:?}");
            }
        }
        assert_eq!(stranger.ask("!WHO"), NOT_JOINED);
        assert_eq!(member.ask("!WHO"), format!("OK WHO {group} 1"));
    });
}

#[test]
fn create_ping_and_who_ignore_what_follows() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        for rest in ["", " ", "  ", " junk", " a b c", " \t\n", " \u{df}", " !PING"] {
            let client = Client::to(relay.address());
            let created = client.ask(format!("!CREATE{rest}"));
            let group = created.strip_prefix("OK CREATED ").unwrap_or_else(|| panic!("{rest:?}: {created}"));
            client.join(group);
            assert_eq!(client.ask(format!("!PING{rest}")), "PONG 60.0", "{rest:?}");
            assert_eq!(client.ask(format!("!WHO{rest}")), format!("OK WHO {group} 1"), "{rest:?}");
        }
    });
}

#[test]
fn heartbeats_are_written_as_shortest_decimals() {
    each_backend(|backend| {
        let cases = [
            ("60", "60.0"),
            ("0.5", "0.5"),
            ("12.3456", "12.346"),
            ("90s", "90.0"),
            ("5m", "300.0"),
            ("1.25", "1.25"),
        ];
        for (heartbeat, text) in cases {
            let relay = crate::support::RelayOptions::new(backend).with(["--heartbeat", heartbeat]).start();
            let client = Client::to(relay.address());
            client.join(&client.create());
            assert_eq!(client.ask("!PING"), format!("PONG {text}"));
        }
    });
}
