//! The closed loop: the next payload leaves when one has reached everybody, and what is lost is given up.

use crate::accounts::{WAYS, agree, all_at_once};
use crate::common::relay::Faults;

#[test]
fn as_fast_as_it_goes_everything_arrives() {
    // A window of one to a group, so that the pace is that of the relay in this process.
    all_at_once(&WAYS, |way| {
        let load = "--clients 8 --group-size 4 --in-flight 1 --duration 1s --ramp 0";
        let truth = agree(Faults::default(), &format!("{load} {way}"));
        assert!(truth.payloads > 2, "{truth:?}");
    });
}

#[test]
fn losses_neither_stop_the_loop_nor_escape_it() {
    // A lost copy keeps its place for a second, so the places are many.
    let load = "--clients 8 --group-size 4 --in-flight 64 --duration 3s --ramp 0 --payload 100";
    let truth = agree(Faults { drop: 0.02, duplicate: 0.01, ..Faults::default() }, load);
    assert!(truth.dropped > 0 && truth.payloads > 128, "{truth:?}");
}
