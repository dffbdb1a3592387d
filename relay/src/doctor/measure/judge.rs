//! Which backend is better here, or whether the difference is only noise.

use serde::Serialize;

use super::Series;

/// A smaller difference of the medians is not worth a setting.
const WORTH: f64 = 1.05;
/// Who waited for a processor for a larger part of a phase was disturbed, and so many of all phases may be: a round that
/// is lost to a disturbance is forgiven anyway.
const DISTURBED: f64 = 0.1;
const TOLERATED: f64 = 0.2;

/// What to run with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recommendation {
    /// `uring`, `mmsg`, or `either`.
    pub backend: &'static str,
    /// The flag.
    pub flag: &'static str,
    /// Why.
    pub reason: String,
}

/// The middle of some values, the least and the most.
pub fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
    (at(sorted.len() / 2), at(0), at(sorted.len().saturating_sub(1)))
}

/// By how much the medians differ in favour of the first, if that is no noise: it won all rounds but one at most.
fn gain(first: &[f64], second: &[f64]) -> Option<f64> {
    let ratio = spread(first).0 / spread(second).0.max(f64::MIN_POSITIVE);
    let rounds = first.len().min(second.len());
    let won = first.iter().zip(second).filter(|(first, second)| first > second).count();
    (ratio >= WORTH && won + 1 >= rounds && rounds > 1).then_some(ratio)
}

/// What the first is better at.
fn strengths(first: &Series, second: &Series) -> Vec<String> {
    let more = |what: &str, of: fn(&Series) -> &Vec<f64>| {
        gain(of(first), of(second)).map(|ratio| format!("{:.0} % more copies {what}", (ratio - 1.0) * 100.0))
    };
    // A shorter delay is better.
    let less = |what: &str, of: fn(&Series) -> &Vec<f64>| {
        gain(of(second), of(first)).map(|ratio| format!("{:.0} % less {what}", (1.0 - 1.0 / ratio) * 100.0))
    };
    [
        more("per CPU second to a group", |series| &series.fan_out),
        more("per CPU second from one to one", |series| &series.one_to_one),
        less("delay (p50)", |series| &series.delay_p50),
        less("delay (p99)", |series| &series.delay_p99),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Why the figures cannot be compared, if they cannot; `waited` has the part of each phase that shard or generator
/// waited for a processor.
pub fn disturbance(cpus: usize, waited: &[f64]) -> Option<String> {
    let disturbed = waited.iter().filter(|part| **part > DISTURBED).count();
    if cpus < 2 {
        return Some("relay and generator share the only processor".to_owned());
    }
    let many = disturbed as f64 > waited.len() as f64 * TOLERATED;
    many.then(|| {
        format!(
            "something else ran on the processors in {disturbed} of {} phases; repeat it on an idle machine",
            waited.len()
        )
    })
}

/// What to run with. Where it was disturbed, nothing is concluded.
pub fn recommend(uring: &Series, mmsg: &Series, disturbance: Option<String>) -> Recommendation {
    let (of_uring, of_mmsg) = (strengths(uring, mmsg), strengths(mmsg, uring));
    let (backend, flag, reason) = match (&uring.unavailable, &mmsg.unavailable, disturbance) {
        (Some(why), ..) => (
            "mmsg",
            "--backend auto",
            format!("io_uring cannot be had ({why}), and auto falls back by itself"),
        ),
        (_, Some(why), _) => ("uring", "--backend uring", format!("mmsg cannot be had ({why})")),
        (.., Some(why)) => ("either", "--backend auto", format!("nothing can be concluded: {why}")),
        _ => match (of_uring.is_empty(), of_mmsg.is_empty()) {
            (true, true) => ("either", "--backend auto", "the difference is within the noise".to_owned()),
            (false, true) => ("uring", "--backend uring", of_uring.join(", ")),
            (true, false) => ("mmsg", "--backend mmsg", of_mmsg.join(", ")),
            (false, false) => {
                let (uring, mmsg) = (of_uring.join(", "), of_mmsg.join(", "));
                ("either", "--backend auto", format!("it depends: uring has {uring}; mmsg has {mmsg}"))
            }
        },
    };
    Recommendation { backend, flag, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Backend;

    fn series(backend: Backend, copies: [f64; 5], delay: f64) -> Series {
        let delays = vec![delay; 5];
        Series {
            fan_out: copies.into(),
            one_to_one: vec![1e5; 5],
            delay_p50: delays.clone(),
            delay_p99: delays,
            ..Series::of(backend)
        }
    }

    fn advised(uring: ([f64; 5], f64), mmsg: ([f64; 5], f64)) -> &'static str {
        let uring = series(Backend::Uring, uring.0, uring.1);
        recommend(&uring, &series(Backend::Mmsg, mmsg.0, mmsg.1), None).backend
    }

    #[test]
    fn only_what_is_no_noise_counts() {
        let even = [100.0, 101.0, 102.0, 99.0, 100.0];
        assert_eq!(advised((even, 50.0), (even, 50.0)), "either");
        assert_eq!(advised((even.map(|rate| rate * 1.2), 50.0), (even, 50.0)), "uring");
        assert_eq!(advised((even.map(|rate| rate * 1.03), 50.0), (even, 50.0)), "either");
        assert_eq!(
            advised(([120.0, 80.0, 120.0, 80.0, 120.0], 50.0), (even, 50.0)),
            "either",
            "it lost two rounds"
        );
        assert_eq!(advised((even, 80.0), (even, 50.0)), "mmsg", "a shorter delay");
        assert_eq!(advised((even.map(|rate| rate * 1.2), 80.0), (even, 50.0)), "either", "it depends");
    }

    #[test]
    fn what_cannot_be_had_is_not_advised() {
        let denied = Series { unavailable: Some("denied".into()), ..Series::of(Backend::Uring) };
        let mmsg = series(Backend::Mmsg, [1.0; 5], 1.0);
        let advice = recommend(&denied, &mmsg, None);
        assert_eq!((advice.backend, advice.flag), ("mmsg", "--backend auto"));
        assert!(advice.reason.contains("denied"));
    }

    #[test]
    fn where_it_was_disturbed_nothing_is_concluded() {
        let uring = series(Backend::Uring, [2.0; 5], 1.0);
        let mmsg = series(Backend::Mmsg, [1.0; 5], 1.0);
        let advice = |waited: &[f64]| recommend(&uring, &mmsg, disturbance(2, waited));
        assert_eq!(advice(&[0.0, 0.0, 0.0, 0.0, 0.5]).backend, "uring");
        let none = advice(&[0.0, 0.0, 0.0, 0.5, 0.5]);
        assert_eq!(none.backend, "either");
        assert!(none.reason.contains("in 2 of 5 phases"), "{none:?}");
        assert!(disturbance(1, &[]).unwrap().contains("only processor"));
    }

    #[test]
    fn the_middle_and_the_ends() {
        assert_eq!(spread(&[3.0, 1.0, 2.0]), (2.0, 1.0, 3.0));
        assert_eq!(spread(&[]), (0.0, 0.0, 0.0));
    }
}
