//! Any requests, in any batches, with the store closed and opened at any point, are answered as the oracle says.

use std::time::Duration;

use proptest::prelude::*;

use super::desk::{Bytes, Desk, claim, delete, put_from, read};
use super::oracle::Oracle;
use crate::{Answer, Bounds, Request};

const HOUR: u64 = 3600 * 1000;

#[derive(Clone, Debug)]
enum Step {
    Claim {
        name: usize,
        shown: bool,
        fresh: u8,
    },
    Seen {
        name: usize,
    },
    Has {
        name: usize,
    },
    Put {
        to: usize,
        from: usize,
        site: Option<u64>,
        id: u8,
        size: usize,
    },
    Read {
        name: usize,
        after: usize,
        count: usize,
    },
    Delete {
        name: usize,
        which: usize,
    },
    Sweep,
    /// Or earlier: clocks are set.
    Later {
        hours: i64,
    },
    /// Wait for all answers.
    Wait,
    Reopen,
}

const NAMES: [&str; 5] = ["ann", "bob", "cat", "dan", "élodie"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = 0..NAMES.len();
    let step = prop_oneof![
        4 => (name.clone(), any::<bool>(), 0..4u8).prop_map(|(name, shown, fresh)| Step::Claim { name, shown, fresh }),
        1 => name.clone().prop_map(|name| Step::Seen { name }),
        1 => name.clone().prop_map(|name| Step::Has { name }),
        16 => (name.clone(), name.clone(), prop::option::of(1..4u64), 0..6u8, 0..400usize)
            .prop_map(|(to, from, site, id, size)| Step::Put { to, from, site, id, size }),
        3 => (name.clone(), 0..30usize, 0..6usize)
            .prop_map(|(name, after, count)| Step::Read { name, after, count }),
        5 => (name, 0..30usize).prop_map(|(name, which)| Step::Delete { name, which }),
        1 => Just(Step::Sweep),
        2 => (-10..40i64).prop_map(|hours| Step::Later { hours }),
        3 => Just(Step::Wait),
        2 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..120)
}

struct Trial {
    bytes: Bytes,
    desk: Desk,
    oracle: Oracle,
    bounds: Bounds,
    now: u64,
    numbers: Vec<u64>,
    asked: Vec<(u64, Request)>,
}

impl Trial {
    fn new() -> Self {
        let bounds = Bounds {
            mails_per_name: 8,
            bytes_per_name: 2400,
            bytes: 4000,
            names: 4,
            age: Duration::from_millis(60 * HOUR),
            name_ttl: Duration::from_millis(70 * HOUR),
        };
        let bytes = Bytes::default();
        let desk = Desk::on(bytes.source(), bounds).unwrap();
        let oracle = Oracle::new(bounds);
        Self { bytes, desk, oracle, bounds, now: 1000 * HOUR, numbers: vec![0], asked: Vec::new() }
    }

    fn step(&mut self, step: &Step) {
        let number = |which: usize| self.numbers[which % self.numbers.len()];
        let request = match *step {
            Step::Claim { name, shown, fresh } => {
                let own = format!("{}-{fresh}", NAMES[name]);
                claim(NAMES[name], shown.then_some(&own), if fresh == 3 { "" } else { &own }, self.now)
            }
            Step::Seen { name } => Request::Seen { name: NAMES[name].into(), now: self.now },
            Step::Has { name } => Request::Has { name: NAMES[name].into() },
            Step::Put { to, from, site, id, size } => {
                put_from(site, NAMES[to], NAMES[from], &id.to_string(), self.now, &vec![id; size])
            }
            Step::Read { name, after, count } => read(NAMES[name], number(after), count),
            Step::Delete { name, which } => delete(NAMES[name], number(which)),
            Step::Sweep => Request::Sweep { now: self.now },
            Step::Later { hours } => {
                self.now = self.now.saturating_add_signed(hours * HOUR as i64);
                return;
            }
            Step::Wait => return self.settle(),
            Step::Reopen => return self.reopen(),
        };
        let tag = self.desk.post(request.clone());
        self.asked.push((tag, request));
    }

    /// Compares all answers.
    fn settle(&mut self) {
        for (tag, request) in std::mem::take(&mut self.asked) {
            let answer = request.wants_answer().then(|| self.desk.wait(tag));
            if let Some(Answer::Stored { number }) = answer {
                self.numbers.push(number);
            }
            self.oracle.check(&request, answer.as_ref());
        }
    }

    fn reopen(&mut self) {
        self.settle();
        // Two stores must not have the same bytes.
        let idle = Desk::on(Bytes::default().source(), self.bounds).unwrap();
        drop(std::mem::replace(&mut self.desk, idle));
        self.desk = Desk::on(self.bytes.source(), self.bounds).unwrap();
        self.oracle.reopen();
        let figures = self.desk.store.figures();
        assert_eq!((figures.names, figures.mails, figures.bytes), self.oracle.sizes());
    }
}

/// Cases, at most: what a long run asks for elsewhere would take half an hour here.
const MOST_CASES: u32 = 5000;

fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.min(MOST_CASES), ..usual }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_store_does_what_the_oracle_says(steps in steps()) {
        let mut trial = Trial::new();
        steps.iter().for_each(|step| trial.step(step));
        trial.reopen();
        for name in NAMES {
            let all = trial.desk.mails(name);
            trial.oracle.check(&read(name, 0, usize::MAX), Some(&Answer::Mails(all)));
        }
    }
}
