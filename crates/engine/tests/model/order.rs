//! The outbox's promise of order, held against the worst sender that it allows.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use engine::{Audience, Outbox, Payload, RosterIndex};

use crate::common::{Answer, answer};
use crate::oracle::Verdict;
use crate::trial::Taken;

/// Sends each epoch's replies first, then its payloads roster by roster, and checks what every receiver sees.
/// `homes`: the groups that this shard's clients who speak in this turn are in as it begins.
pub fn check(outbox: &Outbox, taken: &[Taken], mut homes: BTreeMap<SocketAddr, String>) {
    let mut heard: BTreeMap<(SocketAddr, SocketAddr), u32> = BTreeMap::new();
    for epoch in outbox.epochs() {
        for delivery in epoch {
            if let Answer::Reply { to, text } = answer(outbox, delivery) {
                follow(&mut homes, to, &text);
            }
        }
        let mut rosters: BTreeMap<RosterIndex, Vec<u32>> = BTreeMap::new();
        for delivery in epoch {
            if let (Payload::Received(number), Audience::Others { roster, .. }) =
                (&delivery.payload, &delivery.audience)
            {
                rosters.entry(*roster).or_default().push(*number);
            }
        }
        let indices: Vec<u32> = rosters.keys().map(|index| index.0).collect();
        assert!(
            indices.windows(2).all(|pair| pair[1] == pair[0] + 1),
            "an epoch's rosters are listed together"
        );
        for number in rosters.into_values().flatten() {
            hear(&taken[number as usize], number, &homes, &mut heard);
        }
    }
}

/// What a client believes after a reply.
fn follow(homes: &mut BTreeMap<SocketAddr, String>, client: SocketAddr, text: &str) {
    if let Some(id) = text.strip_prefix("OK JOINED ") {
        homes.insert(client, id.to_owned());
    } else if text.starts_with("OK LEFT ") {
        homes.insert(client, String::new());
    }
}

fn hear(
    payload: &Taken,
    number: u32,
    homes: &BTreeMap<SocketAddr, String>,
    heard: &mut BTreeMap<(SocketAddr, SocketAddr), u32>,
) {
    let Verdict::FanOut { group, receivers, .. } = &payload.verdict else {
        panic!("number {number} is no payload")
    };
    for receiver in receivers.keys() {
        if let Some(last) = heard.insert((payload.source, *receiver), number) {
            assert!(last < number, "{} hears {} out of order", receiver, payload.source);
        }
        // Between shards no order is promised.
        if let Some(home) = homes.get(receiver) {
            assert_eq!(home, group, "{receiver} hears a group that it is not in");
        }
    }
}
