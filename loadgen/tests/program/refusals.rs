//! A relay that has too little room: one line with its own words and the remedy.

use crate::common::eventually;
use crate::common::program::Program;
use crate::common::relay::{LossyRelay, Options};

#[test]
fn groups_are_full() {
    let relay = LossyRelay::start(Options { cap: 3, ..Options::default() });
    let ended = Program::run(relay.address(), "--clients 20 --group-size 5 --json -").end();
    ended.failed(1, &["ERR GROUP_FULL", "--group-size", "--cap"]);
    eventually("those who had joined have left", || (relay.members() == 0).then_some(()));
}

#[test]
fn nobody_may_make_a_group() {
    let relay = LossyRelay::start(Options { quota: 0, ..Options::default() });
    let ended = Program::run(relay.address(), "--clients 4 --group-size 2 --json -").end();
    ended.failed(1, &["ERR CLIENT_LIMIT 0/0", "quota"]);
}

/// A client is a creator of its own, so that a quota of one is enough.
#[test]
fn everybody_may_make_one_group() {
    let relay = LossyRelay::start(Options { quota: 1, cap: 1, ..Options::default() });
    let words = "--clients 5 --groups 5 --duration 100ms --ramp 0";
    assert_eq!(Program::run(relay.address(), words).report().members(), 5);
}
