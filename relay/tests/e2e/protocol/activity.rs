//! What keeps a client and a group alive, and when they go, with short real durations.

use std::io::Write;
use std::time::{Duration, Instant};

use super::{NO_SUCH_GROUP, NOT_JOINED};
use crate::support::{
    Backend, Client, Pace, Relay, RelayOptions, each_backend, eventually, tick, undisturbed,
};

const HEARTBEAT: Duration = Duration::from_millis(300);
const IDLE: Duration = Duration::from_millis(900);
const SWEEP: Duration = Duration::from_millis(100);
const EMPTY_TTL: Duration = Duration::from_millis(400);
/// The relay's time is whole milliseconds, at both ends of a span.
const GRAIN: Duration = Duration::from_millis(2);
/// What a busy machine may add to what the relay promises.
const SLACK: Duration = Duration::from_secs(2);

/// A relay with short durations, and this time to live for empty groups.
fn hasty(backend: Backend, empty_ttl: &str) -> RelayOptions {
    RelayOptions::new(backend).with(["--heartbeat", "0.3", "--sweep", "0.1", "--empty-ttl", empty_ttl])
}

fn events(relay: &Relay, event: &str) -> f64 {
    relay.metric("relay_group_events_total", &format!("event=\"{event}\""))
}

/// Asks until the answer that begins so; everything before is dropped.
fn answer(client: &Client, request: &str, start: &str) -> String {
    client.send(request);
    loop {
        let text = client.hear();
        if text.starts_with(start) {
            return text;
        }
    }
}

/// What a client does again and again that is no activity.
const IDLE_HABITS: [&str; 10] = [
    "",
    "!WHO",
    "!NONSENSE",
    "!",
    "!JOIN",
    "!JOIN NOSUCHGROUP",
    "!LEAVE",
    "!LEAVE NOSUCHGROUP",
    "!CREATE",
    "too large",
];

#[test]
fn joins_pings_and_payloads_are_activity_and_nothing_else_is() {
    each_backend(|backend| {
        undisturbed(|| {
            let relay = hasty(backend, "60").start();
            let [pings, talks, joins] = [(); 3].map(|()| Client::to(relay.address()));
            let group = pings.create();
            let first = Instant::now();
            [&pings, &talks, &joins].iter().for_each(|client| client.join(&group));
            let idle: Vec<Client> =
                IDLE_HABITS.iter().map(|_| Client::member(relay.address(), &group)).collect();
            let silent = Client::member(relay.address(), &group);
            let last = Instant::now();
            let mut pace = Pace::new(IDLE / 2);
            let mut gone = None;
            let all = 3 + idle.len() + 1;
            while gone.is_none_or(|gone: Instant| gone.elapsed() < IDLE + SWEEP * 2) {
                pings.send("!PING");
                talks.send("talk");
                joins.send(format!("!JOIN {group}"));
                if gone.is_none() {
                    for (client, habit) in idle.iter().zip(IDLE_HABITS) {
                        client.send(if habit == "too large" { " ".repeat(5000) } else { habit.to_owned() });
                    }
                }
                let count = answer(&pings, "!WHO", "OK WHO");
                let count: usize = count.rsplit(' ').next().unwrap().parse().unwrap();
                pace.beat()?;
                assert!(count == all || first.elapsed() > IDLE - GRAIN, "too early: {:?}", first.elapsed());
                assert!(count == 3 || last.elapsed() < IDLE + SWEEP + SLACK, "{count} are left");
                assert!(count >= 3, "an active client is gone");
                gone = gone.or((count == 3).then(Instant::now));
                tick();
            }
            assert_eq!(events(&relay, "expire"), (all - 3) as f64);
            for client in &idle {
                assert_eq!(answer(client, "!PING", "ERR NOT_IN_GROUP Join"), NOT_JOINED);
            }
            // Nobody is told that it is removed.
            assert!(silent.drain().iter().all(|datagram| datagram == b"talk"));
            assert_eq!(silent.ask("!PING"), NOT_JOINED);
            Some(())
        });
    });
}

#[test]
fn empty_groups_go_after_their_time_and_free_the_quota() {
    each_backend(|backend| {
        let relay = hasty(backend, "0.4").start();
        let client = Client::to(relay.address());
        let start = Instant::now();
        let groups = [(); 3].map(|()| client.create());
        eventually("the groups are deleted", || {
            let left = relay.metric("relay_groups", "");
            assert!(left == 3.0 || start.elapsed() > EMPTY_TTL - GRAIN, "too early: {:?}", start.elapsed());
            (left == 0.0).then_some(())
        });
        assert!(start.elapsed() < EMPTY_TTL + SWEEP + SLACK, "too late: {:?}", start.elapsed());
        for group in &groups {
            assert_eq!(client.ask(format!("!JOIN {group}")), NO_SUCH_GROUP);
        }
        (0..3).for_each(|_| drop(client.create()));
        assert_eq!(client.ask("!CREATE"), "ERR CLIENT_LIMIT 3/3");
    });
}

#[test]
fn a_join_stops_the_clock_of_an_empty_group_and_the_last_leave_starts_it() {
    each_backend(|backend| {
        undisturbed(|| {
            let relay = hasty(backend, "0.4").start();
            let [a, b] = [(); 2].map(|()| Client::to(relay.address()));
            let mut pace = Pace::new(EMPTY_TTL - GRAIN);
            let group = a.create();
            let joined = a.ask(format!("!JOIN {group}"));
            pace.beat()?;
            assert_eq!(joined, format!("OK JOINED {group}"));
            let start = Instant::now();
            while start.elapsed() < EMPTY_TTL + SWEEP * 3 {
                assert_eq!(a.ask("!PING"), "PONG 0.3");
                tick();
                pace.beat()?;
            }
            // One of two leaves: not empty yet. The second leaves: its clock begins anew.
            b.join(&group);
            assert_eq!(a.ask(format!("!LEAVE {group}")), format!("OK LEFT {group}"));
            assert_eq!(b.ask("!WHO"), format!("OK WHO {group} 1"));
            let left = Instant::now();
            assert_eq!(b.ask(format!("!LEAVE {group}")), format!("OK LEFT {group}"));
            eventually("the group is deleted", || {
                let groups = relay.metric("relay_groups", "");
                assert!(
                    groups == 1.0 || left.elapsed() > EMPTY_TTL - GRAIN,
                    "too early: {:?}",
                    left.elapsed()
                );
                (groups == 0.0).then_some(())
            });
            assert!(left.elapsed() < EMPTY_TTL + SWEEP + SLACK, "too late: {:?}", left.elapsed());
            assert_eq!(b.ask(format!("!JOIN {group}")), NO_SUCH_GROUP);
            Some(())
        });
    });
}

#[test]
fn the_last_members_expiry_starts_the_clock_too() {
    each_backend(|backend| {
        let relay = hasty(backend, "0.4").start();
        let client = Client::to(relay.address());
        let group = client.create();
        let start = Instant::now();
        if client.ask(format!("!JOIN {group}")) == NO_SUCH_GROUP {
            // A machine that busy deletes it before anyone can join.
            assert!(start.elapsed() > EMPTY_TTL / 2);
            return;
        }
        eventually("the group is deleted", || {
            let groups = relay.metric("relay_groups", "");
            assert!(groups == 1.0 || start.elapsed() > IDLE + EMPTY_TTL - GRAIN, "{:?}", start.elapsed());
            (groups == 0.0).then_some(())
        });
        assert!(start.elapsed() < IDLE + EMPTY_TTL + SWEEP * 2 + SLACK, "too late: {:?}", start.elapsed());
        eventually("both are counted", || {
            ((events(&relay, "expire"), events(&relay, "delete")) == (1.0, 1.0)).then_some(())
        });
        assert!(client.has_nothing());
        assert_eq!(client.ask("!WHO"), NOT_JOINED);
    });
}

#[test]
fn declared_groups_stay() {
    each_backend(|backend| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "[groups.LOBBY-1]\n[groups.LOBBY-2]\ncap = 1\n").unwrap();
        let relay = hasty(backend, "0.1").with(["--config", file.path().to_str().unwrap()]).start();
        let [client, creator] = [(); 2].map(|()| Client::to(relay.address()));
        let joined = Instant::now();
        client.join("LOBBY-1");
        eventually("the member is expired", || (relay.metric("relay_members", "") == 0.0).then_some(()));
        assert!(joined.elapsed() > IDLE - GRAIN);
        // An ordinary group that is younger goes before.
        creator.create();
        eventually("the other group is deleted", || (events(&relay, "delete") == 1.0).then_some(()));
        assert_eq!(relay.metric("relay_groups", ""), 2.0);
        client.join("LOBBY-1");
        client.join("LOBBY-2");
    });
}

/// The original client pings every heartbeat, give or take a tenth: two lost ones must not cost its membership.
#[test]
fn who_pings_at_the_suggested_interval_stays() {
    each_backend(|backend| {
        undisturbed(|| {
            let relay = hasty(backend, "60").start();
            let client = Client::to(relay.address());
            client.join(&client.create());
            let mut pace = Pace::new(IDLE - HEARTBEAT / 2);
            for _ in 0..4 {
                let ping = Instant::now();
                while ping.elapsed() < HEARTBEAT * 2 {
                    tick();
                }
                client.send("!PING");
                pace.beat()?;
                assert_eq!(client.hear(), "PONG 0.3");
            }
            Some(())
        });
    });
}
