//! A flood of creates from forged addresses: what each group costs, and that a second flood costs no more.
//! Alone in its file, because the kernel counts the pages of the whole process.

mod common;
#[path = "common/counting.rs"]
mod counting;

use common::{Relay, client};
use counting::{heap, reset_peak, resident};
use engine::limits::{MAX_UNJOINED_GROUPS, UNJOINED_GROUP_BYTES};
use engine::{AdmissionMode, Settings};

/// With fewer groups the few pages that the test itself touches count for more than theirs.
const WEIGHTY: u32 = 4096;

/// Fill levels of the flood, with some of those at which tables have just grown.
fn levels() -> impl Iterator<Item = u32> {
    let full = MAX_UNJOINED_GROUPS;
    [1, 2, 4, 7, 8, 9, 14, 15, 16, 18, 22, 24, 28, 29, 30, 32, 40, 48, 56, 57, 58, 60, 64]
        .into_iter()
        .map(move |sixty_fourths| full / 64 * sixty_fourths)
}

/// Creates up to each level, and tells the highest bytes per group: at the heap's peak, and resident.
fn flood(relay: &mut Relay, from: u32) -> (f64, f64) {
    let (base, base_resident) = (heap().live, resident());
    reset_peak();
    let (mut made, mut most, mut most_resident) = (0, 0.0f64, 0.0f64);
    for level in levels() {
        for number in made..level {
            assert!(relay.say(client(from + number), b"!CREATE").starts_with("OK CREATED "));
        }
        made = level;
        let allocated = heap().peak.saturating_sub(base) as f64 / f64::from(level);
        let pages = resident().saturating_sub(base_resident) as f64 / f64::from(level);
        println!("{level:6} groups: {allocated:6.1} bytes each allocated at the peak, {pages:6.1} resident");
        most = most.max(allocated);
        if level >= WEIGHTY {
            most_resident = most_resident.max(pages);
        }
    }
    assert_eq!(relay.say(client(from + made), b"!CREATE"), "ERR SERVER_FULL TryLater");
    (most, most_resident)
}

#[test]
fn a_group_that_nobody_joined_costs_at_most_what_the_limit_says_however_often() {
    // Nobody's group makes room for another's.
    let mut relay = Relay::new(2, Settings { admission: AdmissionMode::Open, ..Settings::default() });
    // Whatever the first answer allocates is no group's cost.
    relay.say(client(0), b"!WHO");
    let (empty, mut full) = (heap().live, Vec::new());
    for round in 0..4 {
        let (allocated, pages) = flood(&mut relay, round * MAX_UNJOINED_GROUPS + 1);
        assert!(allocated <= UNJOINED_GROUP_BYTES as f64, "{allocated} bytes allocated");
        assert!(pages <= UNJOINED_GROUP_BYTES as f64, "{pages} bytes resident");
        full.push(resident());
        relay.pass_quietly(400_000);
        assert_eq!(relay.groups.count(), 0);
        // All of it is given back; what is left is the test harness's copy of this test's output.
        assert!(heap().live <= empty + (1 << 15), "{} bytes stay", heap().live - empty);
    }
    println!("resident with a full flood: {full:?}, after the last: {}", resident());
    assert!(full[3] <= full[0] + full[0] / 16, "grows: {full:?}");
}
