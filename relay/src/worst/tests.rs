//! The bounds that Space-Saving promises, for any stream, and what they become when sketches are merged.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use net::{Failure, FailureKind};
use proptest::prelude::*;

use super::{Ranking, Sketch, Worst, rank, recent_span};
use crate::limits::{WORST_KEPT, WORST_WINDOW};

fn address(number: u16) -> SocketAddr {
    match number % 3 {
        0 => (std::net::Ipv6Addr::from(u128::from(number) << 64 | 7), 9).into(),
        1 => ([10, 0, 0, 1], number).into(),
        _ => ([10, 1, (number >> 8) as u8, number as u8], 5000).into(),
    }
}

fn failure(to: u16, kind: usize, datagrams: u32) -> Failure {
    Failure { to: address(to), kind: FailureKind::ALL[kind], datagrams }
}

/// A few who fail often, and many who fail seldom.
fn stream() -> impl Strategy<Value = Vec<Failure>> {
    let who = prop_oneof![1 => 0..8_u16, 2 => 0..600_u16];
    prop::collection::vec((who, 0..5_usize, 1..65_u32), 0..1500)
        .prop_map(|all| all.into_iter().map(|(to, kind, copies)| failure(to, kind, copies)).collect())
}

type Truth = BTreeMap<SocketAddr, [u64; 5]>;

fn truth(stream: &[Failure]) -> Truth {
    let mut truth = Truth::new();
    for failure in stream {
        truth.entry(failure.to).or_default()[failure.kind.index()] += u64::from(failure.datagrams);
    }
    truth
}

fn sketch(stream: &[Failure]) -> Sketch {
    let mut sketch = Sketch::default();
    stream.iter().for_each(|failure| sketch.note(failure, Duration::ZERO));
    sketch
}

fn check(ranking: &Ranking, truth: &Truth) {
    let sum = |lost: &[u64; 5]| lost.iter().sum::<u64>();
    assert_eq!(ranking.total, truth.values().map(sum).sum::<u64>());
    for row in &ranking.rows {
        let real = &truth[&row.to];
        assert!(row.at_least <= sum(real) && sum(real) <= row.at_most, "{row:?} is really {real:?}");
        assert_eq!(row.at_least, sum(&row.lost));
        assert!(row.lost.iter().zip(real).all(|(lost, real)| lost <= real), "{row:?} is really {real:?}");
    }
    for (to, real) in truth.iter().filter(|(to, _)| ranking.rows.iter().all(|row| row.to != **to)) {
        assert!(sum(real) <= ranking.others_at_most, "{to}: {real:?} is not listed: {ranking:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whoever_is_above_the_bound_is_listed_and_every_bound_holds(stream in stream()) {
        let (sketch, truth) = (sketch(&stream), truth(&stream));
        let fair_share = sketch.total() / WORST_KEPT as u64;
        prop_assert!(sketch.unseen() <= fair_share);
        for (to, real) in &truth {
            let listed = sketch.accounts().iter().any(|account| account.to == *to);
            prop_assert!(listed || real.iter().sum::<u64>() <= fair_share);
        }
        prop_assert!(sketch.accounts().iter().all(|account| account.before <= fair_share));
        check(&rank([&sketch].into_iter(), WORST_KEPT), &truth);
    }

    #[test]
    fn merged_bounds_hold(streams in prop::collection::vec(stream(), 1..4), most in 1..30_usize) {
        let sketches: Vec<Sketch> = streams.iter().map(|stream| sketch(stream)).collect();
        let ranking = rank(sketches.iter(), most);
        prop_assert!(ranking.rows.len() <= most);
        prop_assert!(ranking.rows.is_sorted_by(|a, b| a.at_least >= b.at_least));
        check(&ranking, &truth(&streams.concat()));
    }
}

#[test]
fn few_receivers_are_counted_exactly() {
    let stream: Vec<Failure> =
        (0..10_000).map(|n| failure(n % WORST_KEPT as u16, usize::from(n % 5), 1)).collect();
    let ranking = rank([&sketch(&stream)].into_iter(), WORST_KEPT);
    let truth = truth(&stream);
    assert_eq!((ranking.rows.len(), ranking.others_at_most), (WORST_KEPT, 156));
    assert!(ranking.rows.iter().all(|row| row.at_least == row.at_most && row.lost == truth[&row.to]));
}

#[test]
fn a_flood_of_receivers_that_fail_once_hides_nobody_and_is_not_listed() {
    let flood = |first: u16| (first..first + 10_000).map(|n| failure(n, 0, 1));
    let late = [failure(60_000, 1, 200), failure(60_001, 2, 300)];
    let stream: Vec<Failure> = flood(0).chain(late).chain(flood(20_000).take(50)).collect();
    let ranking = rank([&sketch(&stream)].into_iter(), WORST_KEPT);
    check(&ranking, &truth(&stream));
    let listed: Vec<_> = ranking.rows.iter().map(|row| (row.to, row.at_least)).collect();
    assert_eq!(listed, [(address(60_001), 300), (address(60_000), 200)]);
    assert!((150..=160).contains(&ranking.others_at_most), "{}", ranking.others_at_most);
}

#[test]
fn recent_is_what_failed_in_this_window_and_the_one_before() {
    let mut worst = Worst::default();
    let at = |windows: f64| WORST_WINDOW.mul_f64(windows);
    let listed = |worst: &Worst, windows: f64| -> Vec<(SocketAddr, u64)> {
        let rows = rank(worst.recent(at(windows)), 9).rows;
        rows.into_iter().map(|row| (row.to, row.at_least)).collect()
    };
    worst.note(&failure(1, 0, 5), at(0.5));
    assert_eq!(listed(&worst, 0.9), [(address(1), 5)]);
    assert_eq!(listed(&worst, 1.9), [(address(1), 5)]);
    assert_eq!(listed(&worst, 2.0), [], "it is over, although nothing has failed since");
    worst.note(&failure(2, 0, 4), at(1.5));
    worst.note(&failure(1, 0, 1), at(1.9));
    assert_eq!(listed(&worst, 1.9), [(address(1), 6), (address(2), 4)]);
    assert_eq!(listed(&worst, 2.5), [(address(2), 4), (address(1), 1)]);
    worst.note(&failure(3, 0, 9), at(7.0));
    assert_eq!(listed(&worst, 7.1), [(address(3), 9)]);
    assert_eq!(worst.since_start().total(), 19);
    assert_eq!(recent_span(at(0.5)), at(0.5));
    assert_eq!(recent_span(at(7.5)), at(1.5));
}

/// What a failure costs where every receiver fails, and where ten thousand do: printed, not judged.
#[test]
fn the_price_of_a_failure() {
    for receivers in [1_u16, 50, 10_000] {
        let stream: Vec<Failure> = (0..20_000_u16).map(|n| failure(n % receivers, 0, 1)).collect();
        let mut worst = Worst::default();
        let start = Instant::now();
        stream.iter().for_each(|failure| worst.note(black_box(failure), Duration::from_secs(1)));
        let each = start.elapsed().as_nanos() as f64 / stream.len() as f64;
        eprintln!("{receivers} receivers: {each:.0} ns for each failure");
        assert_eq!(worst.since_start().total(), 20_000);
    }
}
