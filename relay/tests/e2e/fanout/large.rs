//! A group of thousands, which some join and leave while others talk.

use super::{assert_no_drops, hear_until, members_of, number};
use crate::support::{Client, RelayOptions, each_backend, stay_here};

const MEMBERS: usize = 5000;
const NEWCOMERS: usize = 40;
const ROUNDS: usize = 4;

/// Who talks, and the number of the next payload.
struct Speaker<'a> {
    client: &'a Client,
    next: usize,
}

impl Speaker<'_> {
    /// Says so many numbers, and lets others act before each.
    fn say(&mut self, count: usize, mut between: impl FnMut(usize)) {
        for step in 0..count {
            between(step);
            self.client.send(self.next.to_string());
            self.next += 1;
        }
    }
}

#[test]
fn thousands_hear_everything_while_others_come_and_go() {
    each_backend(|backend| {
        net::raise_descriptor_limit().expect("descriptors for every member");
        let relay = RelayOptions::new(backend).with(["--cap", "none", "--pin"]).start();
        stay_here();
        let group = Client::to(relay.address()).create();
        let members = members_of(&relay, &group, MEMBERS);
        let mut speaker = Speaker { client: &members[0], next: 0 };
        for round in 0..ROUNDS {
            let newcomers = [(); NEWCOMERS].map(|()| Client::to(relay.address()).roomy());
            let first = speaker.next;
            speaker.say(8, |step| {
                for newcomer in newcomers.iter().skip(step).step_by(8) {
                    newcomer.send(format!("!JOIN {group}"));
                }
            });
            let mut heard: Vec<Vec<usize>> =
                newcomers.iter().map(|newcomer| hear_until(newcomer, "OK JOINED")).collect();
            let joined = speaker.next;
            speaker.say(8, |_| ());
            let leaving = speaker.next;
            // Shards have no order between them: what is said before a leave is heard only by who waits for it.
            for (newcomer, heard) in newcomers.iter().zip(&mut heard) {
                while heard.last() != Some(&(leaving - 1)) {
                    heard.push(number(&newcomer.receive()));
                }
            }
            speaker.say(8, |step| {
                for newcomer in newcomers.iter().skip(step).step_by(8) {
                    newcomer.send(format!("!LEAVE {group}"));
                }
            });
            for (newcomer, heard) in newcomers.iter().zip(&mut heard) {
                heard.extend(hear_until(newcomer, "OK LEFT"));
            }
            for (at, member) in members.iter().enumerate().skip(1) {
                for expected in first..speaker.next {
                    assert_eq!(number(&member.receive()), expected, "round {round}, member {at}");
                }
            }
            for (newcomer, heard) in newcomers.iter().zip(&mut heard) {
                heard.extend(newcomer.drain().iter().map(|datagram| number(datagram)));
                assert!(heard[0] <= joined, "round {round}: {heard:?}");
                let all: Vec<usize> = (heard[0]..heard[0] + heard.len()).collect();
                assert_eq!(*heard, all, "round {round}: from the first to the last nothing is missing");
            }
            assert_eq!(members[0].ask("!WHO"), format!("OK WHO {group} {MEMBERS}"));
        }
        assert_no_drops(&relay);
        members.iter().for_each(Client::assert_heard_all);
    });
}
