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
    let mut lines = talk.lines().peekable();
    while let Some(line) = lines.next() {
        let (name, rest) = line.split_once(['<', '>']).unwrap();
        let talker = talkers.entry(name).or_insert_with(|| homes[name].talk(relay.address(), &[]));
        if line[name.len()..].starts_with('>') {
            talker.line(rest.trim_start());
            continue;
        }
        // What one hears between two things that are said may come in any order.
        let mut heard: Vec<Value> = vec![serde_json::from_str(rest).unwrap()];
        while let Some(line) = lines.next_if(|line| line.starts_with(&format!("{name}<"))) {
            heard.push(serde_json::from_str(&line[name.len() + 1..]).unwrap());
        }
        talker.expect_all(heard);
    }
    assert_eq!(talkers.into_values().map(Talker::end).collect::<Vec<_>>(), [0, 0]);
}
