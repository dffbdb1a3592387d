//! Bursts of several senders: order per sender at each receiver, boundaries and sizes.

use super::{Speech, assert_no_drops, assert_same, hear_all, members_on_both_shards, wait_for_segments};
use crate::support::{Backend, Client, Relay, RelayOptions, each_backend, stay_here};

const ROUNDS: usize = 30;
/// Payloads of one round: less than any buffer on the way holds, even at 4096 bytes each.
const BURST: usize = 150;

/// Senders talk in bursts, plainly listening members and such with `UDP_GRO` hear everything.
fn talk(backend: Backend, senders: usize, size: impl Fn(&mut Speech) -> usize) -> Relay {
    let relay = RelayOptions::new(backend).with(["--pin"]).start();
    stay_here();
    let group = Client::to(relay.address()).create();
    let mut members = members_on_both_shards(&relay, &group, senders + 4);
    let listeners = members.split_off(senders);
    let coalescing = [(); 3].map(|()| Client::member(relay.address(), &group).roomy().coalescing());
    let listeners: Vec<Client> = listeners.into_iter().chain(coalescing).collect();
    let mut speeches: Vec<Speech> = (0..senders).map(Speech::new).collect();
    for round in 0..ROUNDS {
        speeches.iter_mut().for_each(|speech| speech.said.clear());
        let burst = || {
            for number in 0..BURST {
                // Now in turns, now one after the other.
                let sender = if round % 2 == 0 { number % senders } else { number * senders / BURST };
                let size = size(&mut speeches[sender]);
                members[sender].send(speeches[sender].next(size));
            }
        };
        // Now received at once, now as it comes.
        relay.pausing_if(round % 4 < 2, burst);
        for (number, listener) in listeners.iter().enumerate() {
            let heard = hear_all(listener, BURST, senders);
            for (heard, speech) in heard.iter().zip(&speeches) {
                assert_same(heard, &speech.said, &format!("round {round}, listener {number}"));
            }
        }
        for (own, member) in members.iter().enumerate() {
            let heard = hear_all(member, BURST - speeches[own].said.len(), senders);
            for (sender, (heard, speech)) in heard.iter().zip(&speeches).enumerate() {
                let said = if sender == own { &[][..] } else { &speech.said };
                assert_same(heard, said, &format!("round {round}, sender {own}"));
            }
        }
    }
    assert_no_drops(&relay);
    members.iter().chain(&listeners).for_each(Client::assert_heard_all);
    relay
}

#[test]
fn several_senders_of_all_sizes_are_heard_in_order() {
    each_backend(|backend| {
        talk(backend, 4, Speech::size);
    });
}

#[test]
fn several_senders_of_one_size_share_messages() {
    each_backend(|backend| {
        for size in [1, 64, 512, 1400] {
            wait_for_segments(&talk(backend, 4, |_| size), 1.5);
        }
    });
}

#[test]
fn one_sender_of_the_largest_payloads_is_heard_in_order() {
    each_backend(|backend| {
        talk(backend, 1, |_| 4096);
    });
}

#[test]
fn every_size_arrives_as_it_was() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--pin"]).start();
        stay_here();
        let group = Client::to(relay.address()).create();
        let sender = Client::member(relay.address(), &group);
        let listeners = [
            Client::member(relay.address(), &group).roomy(),
            Client::member(relay.address(), &group).roomy().coalescing(),
        ];
        // Up and down, so that each follows a shorter one and a longer one.
        let sizes: Vec<usize> = (1..=4096).chain((1..=4096).rev()).collect();
        let mut speech = Speech::new(0);
        for sizes in sizes.chunks(64) {
            speech.said.clear();
            for &size in sizes {
                sender.send(speech.next(size));
            }
            for listener in &listeners {
                assert_same(&hear_all(listener, sizes.len(), 1)[0], &speech.said, "a listener");
            }
        }
        sender.assert_silence();
        assert_no_drops(&relay);
    });
}

#[test]
fn each_group_hears_its_own() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--pin"]).start();
        stay_here();
        let creators = [(); 5].map(|()| Client::to(relay.address()));
        let groups: Vec<Vec<Client>> =
            creators.iter().map(|creator| members_on_both_shards(&relay, &creator.create(), 4)).collect();
        let mut speeches: Vec<Speech> = (0..groups.len()).map(Speech::new).collect();
        for round in 0..ROUNDS {
            speeches.iter_mut().for_each(|speech| speech.said.clear());
            for number in 0..BURST {
                let group = (number * 7 + round) % groups.len();
                let size = speeches[group].size();
                groups[group][0].send(speeches[group].next(size));
            }
            for (number, (group, speech)) in groups.iter().zip(&speeches).enumerate() {
                for listener in &group[1..] {
                    let heard = hear_all(listener, speech.said.len(), groups.len());
                    assert_same(&heard[number], &speech.said, &format!("round {round}, group {number}"));
                }
            }
        }
        assert_no_drops(&relay);
        groups.iter().flatten().for_each(Client::assert_heard_all);
    });
}
