//! Axes: which round numbers are written along them, and where a value lies.

use std::time::Duration;

use crate::show;

/// A mark of an axis: its place, 0 to 1, and its text.
pub(super) type Tick = (f64, String);

/// Values that span more than this factor are drawn on a logarithmic scale.
const DECADES: f64 = 20.0;

/// Where values lie between the ends of a chart.
pub(super) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    pub(super) ticks: Vec<Tick>,
}

impl Axis {
    /// From 0 to a round number that is not less than any value and at least `least`.
    pub(super) fn from_zero(largest: f64, least: f64, text: impl Fn(f64) -> String) -> Self {
        let largest = largest.max(least);
        let step = round_up(largest / 5.0, &[1.0, 2.0, 2.5, 5.0, 10.0]);
        let steps = (largest / step - 1e-9).ceil();
        let tick = |index: u32| (f64::from(index) / steps, text(f64::from(index) * step));
        Axis {
            low: 0.0,
            high: steps * step,
            logarithmic: false,
            ticks: (0..=steps as u32).map(tick).collect(),
        }
    }

    /// From 0, or logarithmic if the values span decades. All are more than 0.
    pub(super) fn spanning(smallest: f64, largest: f64, text: impl Fn(f64) -> String) -> Self {
        if largest < smallest * DECADES {
            return Axis::from_zero(largest, f64::MIN_POSITIVE, text);
        }
        let fine = largest < smallest * 500.0;
        let steps: &[f64] = if fine { &[1.0, 2.0, 5.0, 10.0] } else { &[1.0, 10.0] };
        let (low, high) = (1.0 / round_up(1.0 / smallest, steps), round_up(largest, steps));
        let mut axis = Axis { low, high, logarithmic: true, ticks: Vec::new() };
        let first = low.log10().floor() as i32;
        let decades = first..=high.log10().ceil() as i32;
        let marks = decades
            .flat_map(|power| steps[..steps.len() - 1].iter().map(move |step| step * 10_f64.powi(power)));
        let inside = marks.filter(|mark| *mark > low * 0.999 && *mark < high * 1.001);
        axis.ticks = inside.map(|mark| (axis.place(mark), text(mark))).collect();
        axis
    }

    /// Where a value lies, 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = if self.logarithmic {
            (value.max(self.low) / self.low).log10() / (self.high / self.low).log10()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        place.clamp(0.0, 1.0)
    }
}

/// Marks of the time since a beginning, six or seven at most.
pub(super) fn time_ticks(whole: Duration) -> Vec<Tick> {
    const STEPS: [f64; 13] =
        [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0];
    let whole = whole.as_secs_f64();
    let step = match STEPS.into_iter().find(|step| whole / step <= 6.0) {
        Some(step) if whole >= 3.0 => step,
        _ => round_up(whole / 6.0, &[1.0, 2.0, 5.0, 10.0]),
    };
    let (unit, name) = match step {
        3600.0.. => (3600.0, "h"),
        60.0.. => (60.0, "min"),
        0.1.. => (1.0, "s"),
        _ => (1e-3, "ms"),
    };
    let times = (0..=20).map(|index| f64::from(index) * step).take_while(|time| *time <= whole * 1.0001);
    times.map(|time| (time / whole, format!("{} {name}", show::si(time / unit)))).collect()
}

/// The smallest of these multiples of a power of ten that is not less.
fn round_up(number: f64, steps: &[f64]) -> f64 {
    let power = 10_f64.powi(number.log10().floor() as i32);
    let fits = steps.iter().find(|step| *step * power >= number * 0.999_999);
    fits.copied().unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn marks_are_round() {
        let axis = Axis::from_zero(10_500.0, 1.0, |value| value.to_string());
        assert_eq!(texts(&axis.ticks), ["0", "2500", "5000", "7500", "10000", "12500"]);
        assert!((axis.place(6250.0) - 0.5).abs() < 1e-9);
        let axis = Axis::from_zero(0.0, 1.0, |value| format!("{value:.1}"));
        assert_eq!(texts(&axis.ticks), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    }

    #[test]
    fn decades_are_logarithmic() {
        let axis = Axis::spanning(110.0, 3e6, |value| format!("{value:.0}"));
        assert_eq!(texts(&axis.ticks), ["100", "1000", "10000", "100000", "1000000", "10000000"]);
        assert!((axis.place(1e4) - 0.4).abs() < 1e-9);
        let axis = Axis::spanning(110.0, 4000.0, |value| format!("{value:.0}"));
        assert_eq!(texts(&axis.ticks), ["100", "200", "500", "1000", "2000", "5000"]);
        assert_eq!(texts(&Axis::spanning(5.0, 5.0, |value| value.to_string()).ticks).last(), Some(&"5"));
    }

    #[test]
    fn time_is_told_in_its_units() {
        let ticks = |ms| time_ticks(Duration::from_millis(ms));
        assert_eq!(texts(&ticks(60_000)), ["0 s", "10 s", "20 s", "30 s", "40 s", "50 s", "60 s"]);
        assert_eq!(texts(&ticks(100)), ["0 ms", "20 ms", "40 ms", "60 ms", "80 ms", "100 ms"]);
        assert_eq!(
            texts(&ticks(3_600_000)),
            ["0 min", "10 min", "20 min", "30 min", "40 min", "50 min", "60 min"]
        );
        assert!(ticks(31_536_000_000).len() <= 21);
    }
}
