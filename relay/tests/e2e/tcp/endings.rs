//! What becomes of a client whose connection is over.

use super::{Caller, at};
use crate::support::{Client, Relay, RelayOptions, each_backend, eventually};

/// The members of a group, as one of them is told.
fn who(member: &Client, group: &str) -> String {
    member.ask("!WHO").replace(&format!("OK WHO {group} "), "")
}

fn eventually_alone(member: &Client, group: &str) {
    eventually("nobody else is in the group", || (who(member, group) == "1").then_some(()));
}

#[test]
fn a_base_client_leaves_at_once_however_it_goes() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let stays = Client::to(relay.address());
        let group = stays.create();
        stays.join(&group);
        let goes = Caller::member(relay.address(), &group);
        assert_eq!(who(&stays, &group), "2");
        goes.send("my last word");
        goes.hang_up();
        assert_eq!(stays.hear(), "my last word");
        eventually_alone(&stays, &group);
        drop(Caller::member(relay.address(), &group));
        eventually_alone(&stays, &group);
        let resets = Caller::member(relay.address(), &group);
        resets.reset();
        eventually_alone(&stays, &group);
        assert_eq!(relay.metric("relay_members", ""), 1.0);
    });
}

#[test]
fn an_extended_client_may_go_on_by_either_transport() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let stays = Client::to(relay.address());
        let group = stays.create();
        stays.join(&group);
        let goes = Caller::to(relay.address());
        let token = goes.hello("");
        assert_eq!(goes.ask(format!("!JOIN {group}")), format!("!OK JOINED {group}"));
        goes.hang_up();
        eventually("the connection is over", || {
            (relay.metric("relay_tcp_connections", "") == 0.0).then_some(())
        });
        assert_eq!(who(&stays, &group), "2", "it lingers");

        let again = Caller::to(relay.address());
        let token = resumed(&again.ask(format!("!RESUME {token}")), &group);
        stays.send("by TCP");
        assert_eq!(again.hear(), "by TCP");

        let by_udp = Client::to(relay.address());
        let cookie = by_udp.ask("!HELLO 2").replace("!RETRY ", "");
        let token = resumed(&by_udp.ask(format!("!RESUME {token} {cookie}")), &group);
        stays.send("by UDP");
        assert_eq!(by_udp.hear(), "by UDP");
        assert_eq!(
            again.ask("!PING"),
            "ERR NOT_IN_GROUP JoinFirstUseJOIN",
            "nothing else came, and it is nobody"
        );

        let third = Caller::to(relay.address());
        resumed(&third.ask(format!("!RESUME {token}")), &group);
        stays.send("by TCP again");
        assert_eq!(third.hear(), "by TCP again");
        third.send("heard");
        assert_eq!(stays.hear(), "heard");
        by_udp.send("a stranger's");
        assert_eq!(by_udp.hear(), "ERR NOT_IN_GROUP JoinFirstUseJOIN");
        assert_eq!(who(&stays, &group), "2");
    });
}

/// The new token.
fn resumed(answer: &str, group: &str) -> String {
    let token = answer.strip_prefix(&format!("!OK RESUMED {group} - "));
    token.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn who_does_not_come_back_is_gone_after_a_heartbeat() {
    each_backend(|backend| {
        // An idle member would stay for 3 s.
        let relay = RelayOptions::new(backend).with(["--heartbeat", "1", "--sweep", "0.05"]).start();
        let goes = Caller::to(relay.address());
        let token = goes.hello("");
        goes.hang_up();
        eventually("its session ends", || (relay.metric("relay_sessions", "") == 0.0).then_some(()));
        let late = Caller::to(relay.address());
        assert_eq!(late.ask(format!("!RESUME {token}")), "!ERR BAD_TOKEN");
    });
}

/// Who connects from the same address and port is somebody else, unless it shows the token.
#[test]
fn an_address_alone_is_no_session() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let stays = Client::to(relay.address());
        let group = stays.create();
        stays.join(&group);
        let first = Caller::from(at([127, 0, 0, 1]), relay.address(), 0);
        let own = first.address();
        first.hello("");
        assert_eq!(first.ask(format!("!JOIN {group}")), format!("!OK JOINED {group}"));
        first.reset();
        eventually("the connection is over", || {
            (relay.metric("relay_tcp_connections", "") == 0.0).then_some(())
        });
        let second = Caller::from(own, relay.address(), 0);
        assert_eq!(second.ask("!WHO"), "ERR NOT_IN_GROUP JoinFirstUseJOIN");
        eventually_alone(&stays, &group);

        let token = second.hello("");
        assert_eq!(second.ask(format!("!JOIN {group}")), format!("!OK JOINED {group}"));
        second.reset();
        eventually("the connection is over", || {
            (relay.metric("relay_tcp_connections", "") == 0.0).then_some(())
        });
        let third = Caller::from(own, relay.address(), 0);
        resumed(&third.ask(format!("!RESUME {token}")), &group);
        third.send("it is I");
        assert_eq!(stays.hear(), "it is I");
    });
}

#[test]
fn idle_and_mute_connections_are_closed() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--heartbeat", "0.2", "--sweep", "0.05"]).start();
        let idle = Caller::to(relay.address());
        let group = idle.ask("!CREATE").replace("OK CREATED ", "");
        idle.join(&group);
        let mute = Caller::to(relay.address());
        // Half a message is none.
        mute.send_raw(&[0]);
        let lively = Caller::to(relay.address());
        eventually("both are closed", || {
            assert_eq!(lively.ask("!no-such-command"), "ERR BAD_CMD UnknownCommand");
            let closed = |reason| relay.metric("relay_tcp_closed_total", reason);
            (closed("\"idle\"") == 1.0 && closed("\"silent\"") == 1.0).then_some(())
        });
        assert!(idle.next().is_none() && mute.next().is_none());
        assert_eq!(relay.metric("relay_members", ""), 0.0);
    });
}

/// What was said while the relay was stopped is heard before anybody counts as silent.
#[test]
fn a_stopped_relay_closes_nobody_for_its_silence() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--heartbeat", "0.5"]).start();
        let caller = Caller::to(relay.address());
        let group = caller.ask("!CREATE").replace("OK CREATED ", "");
        caller.join(&group);
        relay.pausing(|| {
            caller.send("!PING");
            // Time is what this is about: three heartbeats and a second pass.
            std::thread::sleep(std::time::Duration::from_millis(2600));
        });
        assert_eq!(caller.hear(), "PONG 0.5");
        assert_eq!(caller.ask("!WHO"), format!("OK WHO {group} 1"));
        assert_eq!(relay.metric("relay_tcp_closed_total", ""), 0.0);
    });
}

#[test]
fn what_is_queued_is_written_before_the_relay_ends() {
    each_backend(|backend| {
        let mut relay = Relay::start(backend);
        let speaker = Client::to(relay.address());
        let group = speaker.create();
        speaker.join(&group);
        let listener = Caller::member(relay.address(), &group);
        relay.pausing(|| {
            (0..50).for_each(|number| speaker.send(format!("payload {number}")));
            relay.signal("TERM");
        });
        assert!(relay.wait().success());
        for number in 0..50 {
            assert_eq!(listener.hear(), format!("payload {number}"));
        }
        assert!(listener.next().is_none());
    });
}
