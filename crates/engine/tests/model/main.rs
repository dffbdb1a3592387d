//! The engines against an independent model of the protocol: random sequences, compared answer by answer.
//!
//! `PROPTEST_CASES` and `PROPTEST_RNG_SEED` vary the number of cases and their seed; failures are kept in
//! `proptest-regressions/model.txt` and tried first from then on.

#[path = "../common/mod.rs"]
mod common;
mod extended;
mod oracle;
mod order;
mod proofs;
mod steps;
mod trial;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Mutex;

use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestCaseError, TestRunner};

const CASES: u32 = 10_000;
const SEED: u64 = 5000;

/// What random sequences have to reach, so often in a thousand cases at least.
const REACHED: [(&str, u64); 17] = [
    ("refused SERVER_FULL", 500),
    ("refused GROUP_FULL", 500),
    ("refused CLIENT_LIMIT", 500),
    ("refused BAD_ARG", 500),
    ("refused BAD_CMD", 500),
    ("refused NOT_IN_GROUP", 500),
    ("refused TOO_LARGE", 500),
    ("dropped own_address", 500),
    ("dropped impossible_source", 500),
    ("dropped reply_from_stranger", 200),
    ("copies", 500),
    ("refused RETRY", 500),
    ("guarded", 10),
    ("at peace again", 2),
    ("event expire", 200),
    ("event leave", 500),
    ("event delete", 200),
];

fn config() -> Config {
    let config = Config::default();
    Config {
        cases: std::env::var("PROPTEST_CASES").map_or(CASES, |_| config.cases),
        rng_seed: if config.rng_seed == RngSeed::Random { RngSeed::Fixed(SEED) } else { config.rng_seed },
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/model.txt"))),
        test_name: Some("model"),
        ..config
    }
}

/// The difference that was seen last; while a case is made smaller each of its forms panics.
static DIFFERENCE: Mutex<String> = Mutex::new(String::new());

fn difference() -> String {
    DIFFERENCE.lock().map_or_else(|_| String::new(), |text| text.clone())
}

#[test]
fn the_engines_do_what_the_protocol_says() {
    let config = config();
    let reproduce = format!("PROPTEST_RNG_SEED={} PROPTEST_CASES={}", config.rng_seed, config.cases);
    println!("{reproduce}");
    let cases = u64::from(config.cases);
    let totals: RefCell<BTreeMap<String, u64>> = RefCell::default();
    set_hook(Box::new(|info| {
        if let Ok(mut text) = DIFFERENCE.lock() {
            *text = info.to_string();
        }
    }));
    let result = TestRunner::new(config).run(&steps::cases(), |case| {
        let trial = catch_unwind(AssertUnwindSafe(|| trial::Trial::run(&case)))
            .map_err(|_| TestCaseError::fail(difference()))?;
        let standing = trial.relay.admission.standing();
        let changes = [("guarded", standing.alarms), ("at peace again", standing.relaxations)];
        let changes = changes.map(|(label, count)| (label.to_owned(), count));
        for (label, count) in trial.oracle.counts.into_iter().chain(changes) {
            *totals.borrow_mut().entry(label).or_default() += count;
        }
        Ok(())
    });
    let _ = take_hook();
    if let Err(error) = result {
        panic!("{error}\nrun it again with {reproduce}");
    }
    let totals = totals.into_inner();
    println!("{totals:#?}");
    for (label, least) in REACHED {
        let reached = totals.get(label).copied().unwrap_or(0);
        assert!(cases < 1000 || reached * 1000 >= cases * least, "{label} is reached {reached} times only");
    }
}
