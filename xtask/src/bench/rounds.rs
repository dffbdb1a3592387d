//! Everybody in turn, several times, so that a machine that drifts drifts for all of them.

use super::Bench;
use super::stats::Spread;

/// What the rounds said of one of those that are compared.
pub struct Rounds<T> {
    /// Of each round that did not fail.
    pub seen: Vec<T>,
    /// Why the last one that failed did.
    pub error: Option<String>,
}

/// Measures each of them once a round.
pub fn in_turn<S, T>(
    bench: &Bench,
    name: &str,
    subjects: &[S],
    mut once: impl FnMut(&S) -> anyhow::Result<T>,
) -> Vec<Rounds<T>> {
    let mut all: Vec<Rounds<T>> = subjects.iter().map(|_| Rounds { seen: Vec::new(), error: None }).collect();
    for round in 1..=bench.rounds {
        eprintln!("{name}: round {round} of {}", bench.rounds);
        for (subject, own) in subjects.iter().zip(&mut all) {
            match once(subject) {
                Ok(seen) => own.seen.push(seen),
                Err(error) => own.error = Some(format!("{error:#}")),
            }
        }
    }
    all
}

impl<T> Rounds<T> {
    /// How a figure spread; none if every round failed.
    pub fn spread(&self, figure: impl Fn(&T) -> f64) -> Option<Spread> {
        Spread::of(&self.seen.iter().map(figure).collect::<Vec<_>>())
    }

    /// The same as a cell with so many digits.
    pub fn cell(&self, digits: usize, figure: impl Fn(&T) -> f64) -> String {
        self.spread(figure).map_or("-".to_owned(), |spread| spread.show(digits))
    }

    /// The most of a figure, at least 0.
    pub fn worst(&self, figure: impl Fn(&T) -> f64) -> f64 {
        self.seen.iter().map(figure).fold(0.0, f64::max)
    }

    /// These words and what failed, for the last column.
    pub fn remarks(&self, words: impl IntoIterator<Item = String>) -> String {
        let failed = self.error.iter().map(|error| format!("failed: {error}"));
        words.into_iter().chain(failed).collect::<Vec<_>>().join("; ")
    }
}
