//! Histograms of durations that can be stored and merged without loss.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize};

/// Longer durations count as this one.
const LONGEST: Duration = Duration::from_secs(3600);

/// Durations in nanoseconds, from 1 ns to an hour.
///
/// As text it is the compressed V2 form of the HdrHistogram libraries in base64, which their tools read.
#[derive(Clone, Debug, PartialEq)]
pub struct Durations(Histogram<u64>);

impl Durations {
    /// An empty histogram that keeps so many significant digits, 1 to 5.
    pub fn with_digits(digits: u8) -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST.as_nanos() as u64, digits.clamp(1, 5));
        Durations(histogram.unwrap_or_else(|_| unreachable!("the bounds are in order, the digits in range")))
    }

    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        self.0.saturating_record(duration.as_nanos() as u64);
    }

    /// Counts a duration so many times.
    pub fn record_n(&mut self, duration: Duration, times: u64) {
        self.0.saturating_record_n(duration.as_nanos() as u64, times);
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Durations) {
        // Fails only where the other's values do not fit, and all have the same bounds.
        let _ = self.0.add(&other.0);
    }

    /// The significant digits that it keeps.
    pub fn digits(&self) -> u8 {
        self.0.sigfig()
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The duration that this part of all (0 to 1) does not exceed; 0 if there are none.
    pub fn quantile(&self, part: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(part))
    }

    /// The longest; 0 if there are none.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.0.max())
    }

    /// The mean; 0 if there are none.
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(self.0.mean() as u64)
    }

    /// The recorded values in ascending order, each with its count.
    pub fn values(&self) -> impl Iterator<Item = (Duration, u64)> {
        self.0.iter_recorded().map(|value| {
            (Duration::from_nanos(value.value_iterated_to()), value.count_since_last_iteration())
        })
    }

    /// How many durations were longer than this.
    pub fn count_above(&self, limit: Duration) -> u64 {
        self.0.len() - self.0.count_between(0, limit.as_nanos() as u64)
    }

    /// Forgets everything, keeping the allocation.
    pub fn clear(&mut self) {
        self.0.reset();
    }
}

impl Default for Durations {
    /// Three significant digits: exact to a part in a thousand.
    fn default() -> Self {
        Self::with_digits(3)
    }
}

impl Serialize for Durations {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.0, &mut bytes).map_err(S::Error::custom)?;
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Durations {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text.as_bytes()).map_err(D::Error::custom)?;
        let histogram = Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(D::Error::custom)?;
        // Histograms of other bounds could not be added to these.
        let ours = Durations::with_digits(histogram.sigfig()).0;
        let bounds = |one: &Histogram<u64>| (one.low(), one.high(), one.sigfig());
        if bounds(&histogram) != bounds(&ours) {
            return Err(D::Error::custom("a histogram of durations goes from 1 ns to an hour"));
        }
        Ok(Durations(histogram))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_on_the_way() {
        let mut durations = Durations::default();
        for step in 0..10_000_u64 {
            durations.record(Duration::from_nanos(step * step * 7 + 1));
        }
        durations.record(Duration::from_secs(7200));
        let text = serde_json::to_string(&durations).unwrap();
        let read: Durations = serde_json::from_str(&text).unwrap();
        assert_eq!(read, durations);
        assert!(text.starts_with("\"HIST"), "{text}");
    }

    #[test]
    fn merged_is_the_same_as_recorded_together() {
        let (mut all, mut one, mut two) = (Durations::default(), Durations::default(), Durations::default());
        for step in 0..1000_u64 {
            let duration = Duration::from_micros(step * 13 % 997);
            all.record(duration);
            if step % 3 == 0 { one.record(duration) } else { two.record(duration) }
        }
        one.merge(&two);
        assert_eq!(one, all);
        assert_eq!((one.count(), one.count_above(Duration::ZERO)), (1000, 1000 - 2));
    }

    #[test]
    fn foreign_bounds_are_an_error() {
        let longest = LONGEST.as_nanos() as u64;
        for (low, high, is_ours) in [(1, longest, true), (1, longest / 2, false), (2, longest, false)] {
            let foreign = Durations(Histogram::new_with_bounds(low, high, 3).unwrap());
            let text = serde_json::to_string(&foreign).unwrap();
            assert_eq!(serde_json::from_str::<Durations>(&text).is_ok(), is_ours, "{low} {high}");
        }
    }

    #[test]
    fn foreign_text_is_an_error() {
        for text in ["\"\"", "\"HISTFAAA\"", "\"%%%\"", "7"] {
            assert!(serde_json::from_str::<Durations>(text).is_err(), "{text}");
        }
    }
}
