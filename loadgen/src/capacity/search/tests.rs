//! Searches on relays whose capacity is known, because they are a few lines long.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

/// Carries out what a search asks for; the relay is told load, duration and number of the trial.
fn search(
    goal: Goal,
    min: f64,
    max: Option<f64>,
    mut relay: impl FnMut(f64, Duration, u32) -> TrialResult,
) -> Found {
    let mut search = Search::new(goal, min, max);
    for number in 0..=goal.max_trials {
        match search.next() {
            Step::Trial { load, duration } => search.record(relay(load, duration, number)),
            Step::Done(found) => {
                assert_eq!(found.trials, number);
                assert!(found.measured <= goal.max_time);
                return found;
            }
        }
    }
    panic!("it must end within {} trials", goal.max_trials);
}

fn result(load: f64, duration: Duration, good: bool) -> TrialResult {
    TrialResult { load, duration, good, valid: true, loss: 0.0 }
}

/// What exceeds the capacity is lost.
fn sharp(capacity: f64) -> impl FnMut(f64, Duration, u32) -> TrialResult {
    move |load, duration, _| {
        let loss = (1.0 - capacity / load).max(0.0);
        TrialResult { loss, ..result(load, duration, load <= capacity) }
    }
}

/// A trial is good with the probability of a logistic curve in the logarithm of the load; `spread` is its scale.
fn noisy(capacity: f64, spread: f64, seed: u64) -> impl FnMut(f64, Duration, u32) -> TrialResult {
    let mut random = StdRng::seed_from_u64(seed);
    move |load, duration, _| {
        let good = 1.0 / (1.0 + ((load / capacity).ln() / spread).exp());
        result(load, duration, random.random::<f64>() < good)
    }
}

/// Capacities and limits of all magnitudes.
fn cases(count: u64) -> impl Iterator<Item = (u64, f64, Option<f64>)> {
    let mut random = StdRng::seed_from_u64(9971);
    (0..count).map(move |seed| {
        let capacity = 10_f64.powf(random.random_range(0.1..6.0));
        let max = random.random::<bool>().then(|| capacity * 10_f64.powf(random.random_range(0.1..3.0)));
        (seed, capacity, max)
    })
}

#[test]
fn a_sharp_capacity_lies_between_the_bounds() {
    let goal = Goal::default();
    let mut most = 0;
    for (_, capacity, max) in cases(1000) {
        let found = search(goal, 1.0, max, sharp(capacity));
        let (lower, upper) = (found.lower.unwrap(), found.upper.unwrap());
        assert_eq!(found.ending, Ending::Regular);
        assert!(lower <= capacity && capacity < upper, "{lower} <= {capacity} < {upper}");
        assert!((upper - lower) / upper <= goal.width + 1e-9, "{lower}..{upper}");
        assert_eq!(found.conditional_throughput, Some(lower));
        most = most.max(found.trials);
    }
    assert!(most <= 30, "{most} trials");
}

#[test]
fn whole_loads_are_found_exactly_where_they_are_few() {
    let goal = Goal { whole: true, ..Goal::default() };
    for capacity in 1..200 {
        let found = search(goal, 1.0, Some(1000.0), sharp(f64::from(capacity)));
        let (lower, upper) = (found.lower.unwrap(), found.upper.unwrap());
        assert!(lower <= f64::from(capacity) && upper > f64::from(capacity), "{capacity}: {found:?}");
        assert!(upper - lower <= (upper * goal.width).max(1.0), "{capacity}: {found:?}");
        assert_eq!((lower.fract(), upper.fract()), (0.0, 0.0));
    }
}

/// Within a width of the bounds, for both a width and the spread are what cannot be told apart.
#[test]
fn a_noisy_capacity_is_within_a_width_of_the_bounds() {
    let goal = Goal::default();
    for spread in [0.005, 0.01, 0.02] {
        let (mut near, mut most) = (0, 0);
        for (seed, capacity, max) in cases(1000) {
            let found = search(goal, 1.0, max, noisy(capacity, spread, seed));
            let lower = found.lower.unwrap_or(0.0) * (1.0 - goal.width);
            let upper = found.upper.unwrap_or(f64::INFINITY) * (1.0 + goal.width);
            near += u32::from(found.ending == Ending::Regular && (lower..upper).contains(&capacity));
            most = most.max(found.trials);
        }
        assert!(near >= 950, "spread {spread}: {near} of 1000");
        assert!(most <= 40, "spread {spread}: {most} trials");
    }
}

#[test]
fn a_drifting_capacity_is_between_what_it_was_and_what_it_became() {
    let goal = Goal::default();
    for (_, capacity, max) in cases(500) {
        for drift in [-0.003, 0.003_f64] {
            let mut last = capacity;
            let found = search(goal, 1.0, max, |load, duration, number| {
                last = capacity * (1.0 + drift).powi(number as i32);
                result(load, duration, load <= last)
            });
            let (lower, upper) = (found.lower.unwrap_or(1.0), found.upper.unwrap());
            assert!(
                lower <= capacity.max(last) && upper >= capacity.min(last),
                "{found:?} {capacity} {last}"
            );
        }
    }
}

#[test]
fn it_ends_whatever_happens() {
    for seed in 0..2000 {
        let mut random = StdRng::seed_from_u64(seed);
        let goal =
            Goal { whole: random.random(), invalid_repeats: random.random_range(0..4), ..Goal::default() };
        let (good, valid): (f64, f64) = (random.random(), random.random());
        let max = random.random::<bool>().then_some(1e4);
        let found = search(goal, 1.0, max, |load, duration, _| TrialResult {
            good: random.random::<f64>() < good,
            valid: random.random::<f64>() < valid,
            loss: random.random(),
            ..result(load, duration, true)
        });
        if let (Some(lower), Some(upper)) = (found.lower, found.upper) {
            assert!(lower < upper, "{found:?}");
        }
    }
}

#[test]
fn all_good_up_to_the_maximum_and_all_bad_down_to_the_minimum() {
    let found = search(Goal::default(), 10.0, Some(1000.0), |load, duration, _| result(load, duration, true));
    assert_eq!((found.ending, found.lower, found.upper), (Ending::Maximum, Some(1000.0), None));
    let found =
        search(Goal::default(), 10.0, Some(1000.0), |load, duration, _| result(load, duration, false));
    assert_eq!((found.ending, found.lower, found.upper), (Ending::Minimum, None, Some(10.0)));
    let found = search(Goal::default(), 10.0, None, |load, duration, _| result(load, duration, false));
    assert_eq!((found.ending, found.upper), (Ending::Minimum, Some(10.0)));
}

#[test]
fn without_a_limit_the_budget_ends_it() {
    let goal = Goal { max_trials: 20, ..Goal::default() };
    let found = search(goal, 1.0, None, |load, duration, _| result(load, duration, true));
    assert_eq!((found.ending, found.trials, found.upper), (Ending::Budget, 20, None));
    let goal = Goal { max_time: Duration::from_secs(21), ..Goal::default() };
    let found = search(goal, 1.0, None, |load, duration, _| result(load, duration, true));
    assert_eq!((found.ending, found.trials), (Ending::Budget, 10));
}

#[test]
fn where_the_generator_ends_the_relay_is_only_bounded_from_below() {
    for max in [None, Some(5000.0)] {
        let relay = |load, duration, _| TrialResult { valid: load <= 700.0, ..result(load, duration, true) };
        let found = search(Goal::default(), 1.0, max, relay);
        let (lower, limit) = (found.lower.unwrap(), found.generator_limit.unwrap());
        assert_eq!((found.ending, found.upper), (Ending::Generator, None));
        assert!(lower <= 700.0 && limit > 700.0 && (limit - lower) / limit <= 0.0501, "{found:?}");
    }
}

#[test]
fn a_generator_that_fails_above_the_relay_does_not_spoil_the_result() {
    let mut relay = sharp(300.0);
    let found = search(Goal::default(), 1.0, Some(5000.0), |load, duration, number| TrialResult {
        valid: load <= 700.0,
        ..relay(load, duration, number)
    });
    assert_eq!(found.ending, Ending::Regular);
    assert!(found.lower.unwrap() <= 300.0 && found.upper.unwrap() > 300.0);
}

#[test]
fn a_single_invalid_trial_is_repeated() {
    let mut relay = sharp(300.0);
    let found = search(Goal::default(), 1.0, Some(1000.0), |load, duration, number| TrialResult {
        valid: number % 3 != 0,
        ..relay(load, duration, number)
    });
    assert_eq!((found.ending, found.generator_limit), (Ending::Regular, None));
}

#[test]
fn a_bad_island_below_good_loads_is_the_upper_bound() {
    let island = |load, duration, _| result(load, duration, load < 90.0 || (110.0..200.0).contains(&load));
    let found = search(Goal::default(), 1.0, Some(100.0), island);
    assert!(found.upper.unwrap() <= 100.0 && found.lower.unwrap() < 90.0, "{found:?}");
}

#[test]
fn stopped_it_tells_what_it_knows() {
    let mut search = Search::new(Goal::default(), 1.0, None);
    search.stop();
    assert!(matches!(search.next(), Step::Done(Found { ending: Ending::Stopped, lower: None, .. })));
}

#[test]
fn the_first_guess_is_what_arrived_of_an_overload() {
    let mut search = Search::new(Goal::default(), 1.0, Some(10_000.0));
    let mut relay = sharp(100.0);
    search.record(relay(10_000.0, Duration::from_secs(2), 0));
    let Step::Trial { load, .. } = search.next() else { panic!("it has only begun") };
    assert!((load - 100.0).abs() < 1e-6, "{load}");
}
