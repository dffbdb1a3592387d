//! A seed means one run, bit by bit; other seeds mean others.

use std::collections::BTreeSet;

use net::Waker;

/// Small runs, which take a tenth of a second.
const SEEDS: [u64; 4] = [2, 3, 5, 8];

#[test]
fn a_seed_is_one_run_bit_by_bit() {
    let waker = Waker::new().unwrap();
    let mut hashes = BTreeSet::new();
    for seed in SEEDS {
        let [once, again] = [(); 2].map(|()| sim::run(seed, &waker));
        assert_eq!(once.violation, None, "seed {seed}");
        assert_eq!(
            (once.hash, once.events, once.time),
            (again.hash, again.events, again.time),
            "seed {seed}"
        );
        assert!(once.events > 1000, "seed {seed} is a run of {} events", once.events);
        hashes.insert(once.hash);
    }
    assert_eq!(hashes.len(), SEEDS.len(), "each seed is another run");
}

/// Short runs: of people alone many take a second.
#[test]
fn people_read_each_message_once_and_in_order() {
    for seed in 0..150 {
        let once = sim::people::run(seed);
        assert_eq!(once.violation, None, "seed {seed}");
        assert!(once.events > 100, "seed {seed} is a run of {} events", once.events);
        if seed < 5 {
            assert_eq!(sim::people::run(seed).hash, once.hash, "seed {seed}");
        }
    }
}
