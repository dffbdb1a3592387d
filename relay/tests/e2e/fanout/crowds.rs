//! A group of a thousand members.

use super::{Speech, assert_no_drops, assert_same, hear_all, members_on_both_shards};
use crate::support::{Client, RelayOptions, each_backend, stay_here};

#[test]
fn a_thousand_members_hear_everything_in_order() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--cap", "none", "--pin"]).start();
        stay_here();
        let group = Client::to(relay.address()).create();
        let members = members_on_both_shards(&relay, &group, 1000);
        assert_eq!(members[0].ask("!WHO"), format!("OK WHO {group} 1000"));
        let mut speeches: Vec<Speech> = (0..3).map(Speech::new).collect();
        for round in 0..4 {
            speeches.iter_mut().for_each(|speech| speech.said.clear());
            // More copies than one turn sends.
            for number in 0..60 {
                let speech = &mut speeches[number % 3];
                let size = if round == 0 { 100 } else { speech.size() };
                members[number % 3].send(speech.next(size));
            }
            for (number, member) in members.iter().enumerate() {
                let own = if number < 3 { 20 } else { 0 };
                let heard = hear_all(member, 60 - own, 3);
                for (sender, (heard, speech)) in heard.iter().zip(&speeches).enumerate() {
                    let said = if sender == number { &[][..] } else { &speech.said };
                    assert_same(heard, said, &format!("round {round}, member {number}"));
                }
            }
        }
        assert_no_drops(&relay);
        members.iter().for_each(Client::assert_heard_all);
    });
}
