//! What a group id is to a map and to people.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use wire::{GroupId, InvalidGroupId};

#[test]
fn ids_hash_by_their_text() {
    let state = RandomState::new();
    let hash = |text: &str| state.hash_one(text.parse::<GroupId>().unwrap());
    assert_eq!(hash("lobby"), hash("LOBBY"));
    let texts = ["A", "B", "AA", "ABCD1234", "ABCD1235", "LOBBY-1"];
    assert_eq!(texts.map(hash).iter().collect::<HashSet<_>>().len(), texts.len());
}

#[test]
fn ids_and_their_errors_have_a_text() {
    assert_eq!(format!("{:?}", "lobby-1".parse::<GroupId>().unwrap()), "GroupId(LOBBY-1)");
    assert_eq!(InvalidGroupId.to_string(), "a group id is 1 to 32 characters of A-Z, 0-9, _ and -");
}
