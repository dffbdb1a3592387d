//! People with names, some connected and some not, who write to each other.

use super::{Caller, at};
use crate::support::{Client, RelayOptions, each_backend, eventually};

/// What comes of the messages between two people, each of whom says something and tells what it hears.
fn write(from: (&str, &dyn Fn(String)), to: (&str, &dyn Fn(String)), hear: [&dyn Fn() -> String; 2]) {
    let (sender, says) = from;
    let (recipient, answers) = to;
    for id in 1..20 {
        says(format!("!SEND {recipient} {id} hello {id}"));
        let heard = hear[1]();
        let text = heard.strip_prefix(&format!("!MSG {sender} {id} ")).unwrap_or_else(|| panic!("{heard}"));
        assert!(text.ends_with(&format!(" hello {id}")), "{heard}");
        answers(format!("!ACK {sender} {id}"));
        assert_eq!(hear[0](), format!("!DELIVERED {recipient} {id}"));
    }
}

#[test]
fn messages_come_by_either_transport_from_either() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--data-dir", "none"]).start();
        let by_tcp = Caller::to(relay.address());
        by_tcp.hello("");
        let answer = by_tcp.ask("!REG ada");
        assert!(answer.starts_with("!OK REG ada "), "{answer}");
        // On whichever shard.
        for number in 0..4 {
            let by_udp = Client::to(relay.address());
            let cookie = by_udp.ask("!HELLO 2").replace("!RETRY ", "");
            assert!(by_udp.ask(format!("!HELLO 2 {cookie}")).starts_with("!OK HELLO 2 "));
            let name = format!("bob{number}");
            assert!(by_udp.ask(format!("!REG {name}")).starts_with(&format!("!OK REG {name} ")));
            assert_eq!(
                by_tcp.ask(format!("!BRIDGE {name}")),
                "!ERR UDP_ONLY",
                "it has no address for others"
            );
            let (tcp_says, tcp_hears) = (|text: String| by_tcp.send(text), || by_tcp.hear());
            let (udp_says, udp_hears) = (|text: String| by_udp.send(text), || by_udp.hear());
            write((&name, &udp_says), ("ada", &tcp_says), [&udp_hears, &tcp_hears]);
            write(("ada", &tcp_says), (&name, &udp_says), [&tcp_hears, &udp_hears]);
        }
    });
}

/// Who come and go cause as much news as they like: who does not read them loses some, is heard as before, and answered when it
/// reads.
#[test]
fn news_that_are_not_read_close_nobody() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--data-dir", "none"]).start();
        let member = Client::to(relay.address());
        let group = member.create();
        member.join(&group);
        let watcher = Caller::from(at([127, 0, 0, 1]), relay.address(), 4096);
        watcher.hello("");
        assert_eq!(watcher.ask(format!("!JOIN {group}")), format!("!OK JOINED {group}"));
        assert_eq!(watcher.ask("!WATCH"), "!OK WATCH");
        let guests: Vec<Caller> = (0..60).map(|number| guest(relay.address(), number)).collect();
        let everybody = |command: &str, answer: &str| {
            guests.iter().for_each(|guest| guest.send(command));
            guests.iter().for_each(|guest| assert!(guest.hear().starts_with(answer)));
        };
        eventually("news are dropped", || {
            everybody(&format!("!JOIN {group}"), "!OK JOINED ");
            everybody(&format!("!LEAVE {group}"), "!OK LEFT ");
            assert_eq!(relay.metric("relay_tcp_closed_total", ""), 0.0);
            (relay.metric("relay_dropped_copies_total", "tcp_slow") > 0.0).then_some(())
        });
        watcher.send("still here");
        assert_eq!(member.receive(), b"still here");
        watcher.send("!UNWATCH");
        while watcher.hear() != "!OK UNWATCH" {}
        assert_eq!(relay.metric("relay_tcp_closed_total", ""), 0.0);
    });
}

/// Somebody whose name is as long as may be.
fn guest(relay: std::net::SocketAddr, number: u32) -> Caller {
    let guest = Caller::to(relay);
    guest.hello("");
    let first = char::from_u32(0x20000 + number).expect("a letter");
    let name = format!("{first}{}", "\u{20100}".repeat(31));
    assert!(guest.ask(format!("!REG {name}")).starts_with("!OK REG "));
    guest
}
