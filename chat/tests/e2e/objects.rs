//! Objects on the input.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::talker::{Home, Talker, relay};

/// The talk in the documentation, as it stands there.
#[test]
fn the_documented_talk_is_had() {
    let document = include_str!("../../../docs/chat.md");
    let (_, talk) = document.split_once("```chat\n").unwrap();
    let (talk, _) = talk.split_once("```").unwrap();
    let (relay, homes) =
        (relay("none", "0"), BTreeMap::from(["anna", "bob"].map(|name| (name, Home::new()))));
    let mut talkers: BTreeMap<&str, Talker> = BTreeMap::new();
    for line in talk.lines() {
        let (name, rest) = line.split_once(['<', '>']).unwrap();
        let talker = talkers.entry(name).or_insert_with(|| homes[name].talk(relay.address(), &[]));
        match (line.as_bytes()[name.len()], rest.trim_start()) {
            (b'>', line) => talker.line(line),
            (_, fields) => drop(talker.expect(&serde_json::from_str::<Value>(fields).unwrap())),
        }
    }
    assert_eq!(talkers.into_values().map(Talker::end).collect::<Vec<_>>(), [0, 0]);
}
