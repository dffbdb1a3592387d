//! Links that carry little at once.

use super::{SIZES, cell, nothing, rounds};
use crate::support::{Cable, ip};

/// From one byte less than a packet to what takes eight.
const LARGE: [usize; 8] = [547, 548, 549, 1472, 1473, 4096, 1471, 4095];

fn behind_an_mtu_of(mtu: u32) {
    let story = |cable: &Cable, cast: &mut super::Cast| {
        let set = |device: &str| ip(&format!("link set {device} mtu {mtu}"));
        set("near");
        cable.over_there(|| set("far"));
        cast.speak(rounds(), &SIZES);
        cast.speak(rounds(), &LARGE);
    };
    cell(&format!("MTU {mtu}, payloads up to 4096 bytes"), story, nothing, |figures| {
        assert!(figures.nothing_missing(), "{figures:?}");
    });
}

#[test]
fn an_mtu_of_1500() {
    behind_an_mtu_of(1500);
}

#[test]
fn an_mtu_of_576() {
    behind_an_mtu_of(576);
}
