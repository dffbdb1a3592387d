//! ICMP that says that a member cannot be reached: it can be forged, and takes from one budget at most.

use std::time::{Duration, Instant};

use super::far;
use crate::support::{Cable, Client, FAR, NEAR, RelayOptions, eventually, tick, unreachable};

/// The code of a port that nobody has.
const PORT: u8 = 3;
/// Enough to leave less than a payload of a budget.
const FORGED: usize = 10;

/// What a client hears, to the answer to a command that it sends now.
fn answered(client: &Client) -> Vec<String> {
    let mut heard = vec![client.ask("!WHO")];
    while !heard.last().is_some_and(|last| last.starts_with("OK WHO ")) {
        heard.push(client.hear());
    }
    heard
}

#[test]
fn a_forged_unreachable_shrinks_one_budget_and_only_of_whom_something_was_sent_to() {
    Cable::lay(|cable| {
        let flags = ["--host", NEAR, "--heartbeat", "2", "--shards", "1", "--unproved-egress", "100000"];
        let relay = RelayOptions::plain().with(flags).start();
        let stranger = far(cable, &relay);
        let clients = [(); 4].map(|()| far(cable, &relay));
        let [creator, proved, slandered, other] = &clients;
        let group = creator.create();
        creator.join(&group);
        [slandered, other].iter().for_each(|client| client.join(&group));
        // In peace nobody is asked who does not want to be.
        let told = proved.ask(format!("!JOIN {group} ?"));
        let cookie = told.strip_prefix("ERR RETRY ").unwrap_or_else(|| panic!("{told}"));
        assert_eq!(proved.ask(format!("!JOIN {group} {cookie}")), format!("OK JOINED {group}"));
        let keep = || clients.iter().for_each(|client| client.send("!PING"));
        eventually("the relay is guarded", || {
            (0..20).for_each(|_| creator.send([b'x'; 1400]));
            keep();
            tick();
            clients.iter().for_each(|client| drop(client.drain()));
            (relay.metric("relay_admission_guarded", "") == 1.0).then_some(())
        });
        let forge = |member: &Client| {
            let before = relay.metric("relay_icmp_errors_total", "");
            cable.over_there(|| {
                let far = FAR.parse().unwrap();
                (0..FORGED).for_each(|_| unreachable(far, (PORT, 0), relay.address(), member.address()));
            });
            eventually("all were heard", || {
                // An idle relay tells of them with the next thing that it does.
                stranger.ask("!WHO");
                (relay.metric("relay_icmp_errors_total", "") - before >= FORGED as f64).then_some(())
            });
        };
        // The bucket of all has something again, and nothing was sent to anybody for longer than ICMP is heard.
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(1500) {
            tick();
        }
        keep();
        clients.iter().for_each(|client| drop(client.drain()));
        forge(other);
        // Who hears something of 500 bytes.
        let speak = |text: &str| {
            creator.send(format!("{text:500}"));
            // In one turn answers may come first.
            answered(creator);
            [proved, slandered, other]
                .map(|listener| answered(listener).iter().any(|said| said.starts_with(text)))
        };
        assert_eq!(speak("first"), [true; 3], "it was too late for the one, and nobody else's business");
        for number in 0.. {
            speak(&format!("before {number}"));
            [slandered, proved].iter().for_each(|member| forge(member));
            let heard = speak(&format!("after {number}"));
            assert!(heard[0] && heard[2], "{number}: {heard:?}");
            if !heard[1] {
                break;
            }
            assert!(number < 5, "forged in time, and without effect");
        }
        assert_eq!(relay.metric("relay_admission_guarded", ""), 1.0);
        assert_eq!(relay.metric("relay_members", ""), 4.0, "nobody is thrown out");
    });
}
