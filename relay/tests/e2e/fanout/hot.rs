//! A group that is flooded with many times its share of the relay, and nine quiet ones, which must not notice.

use super::{members_of, number};
use crate::support::{Client, Relay, RelayOptions, each_backend, eventually, stay_here};

/// Members of the flooded group; one of them says everything.
const HOT: usize = 128;
const QUIET_GROUPS: usize = 9;
const QUIET: usize = 10;
/// Payloads of a round: five times what waits at most (512), and a fraction of what the kernel's buffer holds.
const FLOOD: usize = 2560;
/// Of so many payloads in the flooded group, one is followed by a word in each of the quiet ones.
const QUIET_EVERY: usize = 128;
/// The flood ends when so many copies were dropped.
const DROPPED: f64 = 200_000.0;
const ROUNDS: usize = 20;

/// A group, and what its members have heard so far.
struct Crowd {
    members: Vec<Client>,
    said: usize,
    heard: Vec<Vec<usize>>,
    pongs: Vec<usize>,
}

impl Crowd {
    fn new(relay: &Relay, members: usize) -> Self {
        let group = Client::to(relay.address()).create();
        let members = members_of(relay, &group, members);
        let (heard, pongs) = (vec![Vec::new(); members.len()], vec![0; members.len()]);
        Self { members, said: 0, heard, pongs }
    }

    /// The first member says the next number.
    fn speak(&mut self) {
        self.members[0].send(self.said.to_string());
        self.said += 1;
    }

    /// Takes what has arrived; true if by now everybody has the answers to so many heartbeats.
    fn listen(&mut self, heartbeats: usize) -> bool {
        for ((member, heard), pongs) in self.members.iter().zip(&mut self.heard).zip(&mut self.pongs) {
            for datagram in member.drain() {
                if datagram.starts_with(b"PONG ") {
                    *pongs += 1;
                } else {
                    heard.push(number(&datagram));
                }
            }
        }
        self.pongs.iter().all(|&pongs| pongs == heartbeats)
    }

    /// Waits until everybody has heard all that the first has said, in order.
    #[track_caller]
    fn hear_everything(&mut self, heartbeats: usize) {
        let all: Vec<usize> = (0..self.said).collect();
        eventually("a quiet group loses nothing and keeps its order", || {
            self.listen(heartbeats);
            self.heard[1..].iter().all(|heard| *heard == all).then_some(())
        });
        assert!(self.heard[0].is_empty(), "nobody hears itself");
    }
}

/// The hot group is flooded, everybody sends a heartbeat in the middle of it, and the quiet ones talk all the time.
fn flood(hot: &mut Crowd, quiet: &mut [Crowd]) {
    for payload in 0..FLOOD {
        hot.speak();
        if payload % QUIET_EVERY == 0 {
            quiet.iter_mut().for_each(Crowd::speak);
        }
        if payload == FLOOD / 2 {
            let everybody = hot.members.iter().chain(quiet.iter().flat_map(|crowd| &crowd.members));
            everybody.for_each(|member| member.send("!PING"));
        }
    }
}

#[test]
fn a_flooded_group_costs_the_others_nothing() {
    each_backend(|backend| {
        // All on one shard, or the quiet groups would have another one for themselves.
        let relay = RelayOptions::new(backend).with(["--shards", "1", "--cap", "none", "--pin"]).start();
        stay_here();
        let mut hot = Crowd::new(&relay, HOT);
        let mut quiet: Vec<Crowd> = (0..QUIET_GROUPS).map(|_| Crowd::new(&relay, QUIET)).collect();
        let mut rounds = 0;
        while relay.metric("relay_dropped_copies_total", "") < DROPPED {
            rounds += 1;
            assert!(rounds <= ROUNDS, "{rounds} rounds are no flood");
            // Now found in one piece, now as it comes.
            relay.pausing_if(rounds % 2 == 1, || flood(&mut hot, &mut quiet));
            for crowd in quiet.iter_mut().chain([&mut hot]) {
                eventually("heartbeats are answered", || crowd.listen(rounds).then_some(()));
            }
        }
        for crowd in &mut quiet {
            crowd.hear_everything(rounds);
        }
        let dropped = eventually("whatever the flooded group has not heard was counted", || {
            hot.listen(rounds);
            let all: usize = hot.heard.iter().map(Vec::len).sum();
            let dropped = relay.metric("relay_dropped_copies_total", "");
            (all as f64 + dropped == (hot.said * (HOT - 1)) as f64).then_some(dropped)
        });
        assert_eq!(relay.metric("relay_dropped_copies_total", "reason=\"backlog\""), dropped);
        assert_eq!(relay.metric("relay_kernel_receive_dropped_total", ""), 0.0);
        assert_eq!(relay.metric("relay_members", ""), (HOT + QUIET_GROUPS * QUIET) as f64);
        for heard in &hot.heard {
            assert!(heard.is_sorted_by(|one, next| one < next), "in order, whatever is missing");
        }
    });
}
