//! Who takes part in a cell: two groups of members, here and there, and a stranger who is in neither.

use std::time::Duration;

use super::speech::Said;
use crate::support::{Client, PATIENCE, Relay, eventually, stay_here};

/// How long an answer may be on its way before the request is repeated.
const AGAIN: Duration = Duration::from_millis(500);

const GROUPS: u8 = 2;

/// What everybody says before the relay may catch up: a few hundred datagrams, which every buffer holds.
const BURST: usize = 60;

/// Somebody who speaks, and hears.
pub struct Member {
    /// Who has vanished has none.
    client: Option<Client>,
    pub group: u8,
    /// The payloads that it has heard, in the order of their arrival.
    pub heard: Vec<Said>,
    /// The number of its next payload.
    next: u32,
}

/// A relay and its clients.
pub struct Cast {
    pub relay: Relay,
    pub members: Vec<Member>,
    /// Creates the groups, and is in none.
    stranger: Client,
    groups: Vec<String>,
    /// Datagrams that clients have sent.
    pub sent: u64,
    /// Datagrams that clients have read.
    pub heard: u64,
}

impl Cast {
    /// Everybody joins, two of each group from each of these makers of clients.
    pub fn gather(relay: Relay, stranger: Client, makers: &[&dyn Fn() -> Client]) -> Self {
        // Else what one sender sends may arrive in another order.
        stay_here();
        let member = |group, client| Member { client: Some(client), group, heard: Vec::new(), next: 0 };
        let pair = |maker: &&dyn Fn() -> Client| [maker(), maker()];
        let of_group =
            |group| makers.iter().flat_map(pair).map(move |client| member(group, client)).collect::<Vec<_>>();
        let members = (0..GROUPS).flat_map(of_group).collect();
        let mut cast = Self { relay, members, stranger, groups: Vec::new(), sent: 0, heard: 0 };
        cast.join();
        cast
    }

    /// New groups, which everybody who is there joins.
    pub fn join(&mut self) {
        self.groups = (0..GROUPS).map(|_| self.stranger.create()).collect();
        self.sent += u64::from(GROUPS);
        self.heard += u64::from(GROUPS);
        for at in self.present() {
            let group = &self.groups[usize::from(self.members[at].group)];
            let (request, answer) = (format!("!JOIN {group}"), format!("OK JOINED {group}"));
            self.ask(at, &request, &answer);
        }
    }

    /// Who has not gone.
    pub fn present(&self) -> Vec<usize> {
        (0..self.members.len()).filter(|&at| self.members[at].client.is_some()).collect()
    }

    /// Everybody who is there says so many payloads, of these sizes in turn; now and then the relay may catch up.
    pub fn speak(&mut self, rounds: usize, sizes: &[usize]) {
        for begun in (0..rounds).step_by(BURST) {
            self.shout(BURST.min(rounds - begun), sizes);
            self.wait_for_relay();
            self.listen();
        }
    }

    /// The same one by one, so that no two payloads leave the relay together.
    pub fn speak_singly(&mut self, rounds: usize, sizes: &[usize]) {
        for round in 0..rounds {
            for at in self.present() {
                self.say(at, sizes[(round + at) % sizes.len()]);
                self.wait_for_relay();
            }
            self.listen();
        }
    }

    fn wait_for_relay(&self) {
        eventually("the relay has caught up", || {
            let metrics = self.relay.metrics();
            let of = |name: &str| {
                metrics.iter().filter(|(key, _)| key.starts_with(name)).all(|(_, value)| *value == 0.0)
            };
            (of("relay_socket_receive_queue_bytes") && of("relay_waiting_copies")).then_some(())
        });
    }

    /// The same all at once.
    pub fn shout(&mut self, rounds: usize, sizes: &[usize]) {
        for round in 0..rounds {
            for at in self.present() {
                self.say(at, sizes[(round + at) % sizes.len()]);
            }
        }
    }

    /// One payload; only what the kernel takes is said.
    pub fn say(&mut self, at: usize, size: usize) {
        let member = &mut self.members[at];
        let said = Said { group: member.group, sender: at as u8, number: member.next };
        if member.client().try_send(said.payload(size)) {
            member.next += 1;
            self.sent += 1;
        }
    }

    /// Repeats a request until an answer comes that begins with this; a link may repeat older ones.
    #[track_caller]
    pub fn ask(&mut self, at: usize, request: &str, answer: &str) -> String {
        eventually("an answer", || {
            self.sent += u64::from(self.members[at].client().try_send(request));
            while let Some(datagram) = self.members[at].client().receive_within(AGAIN) {
                let reply = self.take(at, datagram);
                if reply.as_ref().is_some_and(|reply| reply.starts_with(answer)) {
                    return reply;
                }
            }
            None
        })
    }

    /// Everybody who is there gets this answer, whatever stands before it.
    #[track_caller]
    pub fn all_are_answered(&mut self, request: &str, answer: &str) {
        for at in self.present() {
            self.ask(at, request, answer);
        }
    }

    /// Reads all that has arrived.
    #[track_caller]
    pub fn listen(&mut self) {
        for at in self.present() {
            for datagram in self.members[at].client().drain() {
                self.take(at, datagram);
            }
        }
        assert!(self.stranger.drain().is_empty(), "who is in no group hears nothing");
    }

    /// Counts a datagram and gives the text of a reply.
    #[track_caller]
    fn take(&mut self, at: usize, datagram: Vec<u8>) -> Option<String> {
        self.heard += 1;
        let Some(said) = Said::of(&datagram) else {
            return Some(String::from_utf8(datagram).expect("a reply is text"));
        };
        let member = &mut self.members[at];
        assert_eq!(said.group, member.group, "{at} is in another group than {said:?}");
        assert_ne!(usize::from(said.sender), at, "a sender hears itself: {said:?}");
        member.heard.push(said);
        None
    }

    /// What each member has heard of each other one came in the order in which that one said it.
    #[track_caller]
    pub fn assert_order(&self) {
        for (at, member) in self.members.iter().enumerate() {
            for sender in 0..self.members.len() {
                let numbers = member.of(sender);
                assert!(numbers.is_sorted_by(|a, b| a < b), "{at} of {sender}: {numbers:?}");
            }
        }
    }

    /// The relay stops when it is told to.
    #[track_caller]
    pub fn end(mut self) {
        self.relay.signal("TERM");
        assert!(self.relay.wait().success(), "within {PATIENCE:?}");
    }
}

impl Member {
    /// Its socket.
    #[track_caller]
    pub fn client(&self) -> &Client {
        self.client.as_ref().expect("it has not vanished")
    }

    /// From now on it neither speaks nor hears.
    pub fn vanish(&mut self) {
        self.client = None;
    }

    /// The numbers of the payloads that it has heard of one sender.
    pub fn of(&self, sender: usize) -> Vec<u32> {
        self.heard.iter().filter(|said| usize::from(said.sender) == sender).map(|said| said.number).collect()
    }
}
