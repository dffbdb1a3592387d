//! Two accounts of one run: the generator's and the relay's.

use crate::common::program::Program;
use crate::common::relay::{Faults, LossyRelay, Truth};
use crate::common::report::Seen;

/// What both sides can know of a run in which nobody leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accounts {
    sent: u64,
    expected: u64,
    received: u64,
    lost: u64,
    duplicated: u64,
    reordered: u64,
    corrupted: u64,
    misdelivered: u64,
    pongs_lost: u64,
}

impl From<&Seen> for Accounts {
    fn from(seen: &Seen) -> Self {
        Self {
            sent: seen.number("/sent"),
            expected: seen.number("/expected"),
            received: seen.number("/received"),
            lost: seen.number("/lost"),
            duplicated: seen.number("/duplicated"),
            reordered: seen.number("/reordered"),
            corrupted: seen.number("/corrupted"),
            misdelivered: seen.total("misdelivered"),
            pongs_lost: seen.number("/pongs/lost"),
        }
    }
}

impl From<Truth> for Accounts {
    fn from(truth: Truth) -> Self {
        Self {
            sent: truth.payloads,
            expected: truth.copies,
            received: truth.delivered,
            lost: truth.dropped + truth.corrupted,
            duplicated: truth.duplicated,
            reordered: truth.reordered,
            corrupted: truth.corrupted,
            misdelivered: 0,
            pongs_lost: truth.pongs_dropped,
        }
    }
}

/// How clients can be many and how their datagrams can travel.
pub const WAYS: [&str; 3] =
    ["--sockets shared --backend uring", "--sockets shared --backend mmsg", "--sockets per-client"];

/// A run with these faults, whose accounts agree; gives the truth.
#[track_caller]
pub fn agree(faults: Faults, words: &str) -> Truth {
    let relay = LossyRelay::with(faults);
    let seen = Program::run(relay.address(), words).report();
    let truth = relay.truth();
    assert_eq!(Accounts::from(&seen), Accounts::from(truth), "{words}: left is what loadgen reports");
    truth
}

/// Does something with each of these, all at the same time: runs wait more than they work.
#[track_caller]
pub fn all_at_once<T: Sync>(items: &[T], story: impl Fn(&T) + Sync) {
    std::thread::scope(|scope| {
        items.iter().for_each(|item| drop(scope.spawn(|| story(item))));
    });
}
