//! Numbers of the card as people read them.

use super::trial::Spread;

/// To four digits, whole above 1000 and with a comma between thousands.
pub(super) fn number(number: f64) -> String {
    match number.abs() {
        1000.0.. => grouped(number.round() as i64),
        _ if number.fract() == 0.0 => format!("{number:.0}"),
        100.0.. => format!("{number:.1}"),
        10.0.. => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let comma = |index: usize| index > 0 && (digits.len() - index).is_multiple_of(3);
    digits
        .char_indices()
        .flat_map(|(index, digit)| comma(index).then_some(',').into_iter().chain([digit]))
        .collect()
}

/// Seconds in the unit that suits them.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        0.9995.. => format!("{} s", three(seconds)),
        0.000_999_5.. => format!("{} ms", three(seconds * 1e3)),
        _ => format!("{} µs", three(seconds * 1e6)),
    }
}

/// A part of 1 in percent; 0 only if it is 0.
pub(super) fn percent(part: f64) -> String {
    match part * 100.0 {
        0.0 => "0 %".into(),
        percent @ 0.001.. => format!("{} %", three(percent)),
        _ => "<0.001 %".into(),
    }
}

/// To three digits, and no more than three after the point.
pub(super) fn three(number: f64) -> String {
    let places = match number {
        99.95.. => 0,
        9.995.. => 1,
        0.9995.. => 2,
        _ => 3,
    };
    format!("{number:.places$}")
}

/// The median, and the ends where they differ from it.
pub(super) fn spread(spread: &Spread, show: impl Fn(f64) -> String) -> String {
    let [median, min, max] = [spread.median, spread.min, spread.max].map(show);
    if min == max { median } else { format!("{median} ({min} to {max})") }
}

/// Numbers with commas between them.
pub(super) fn list(numbers: &[usize]) -> String {
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_honest() {
        let numbers = [0.5, 7.0, 12.345, 123.45, 999.0, 1234.5, 1_234_567.0].map(number);
        assert_eq!(numbers, ["0.500", "7", "12.35", "123.5", "999", "1,235", "1,234,567"]);
        assert_eq!(
            [0.0, 1e-7, 0.000_123, 0.5, 1.0].map(percent),
            ["0 %", "<0.001 %", "0.012 %", "50.0 %", "100 %"]
        );
        assert_eq!(
            [0.000_012_3, 0.001_234, 0.25, 3.0].map(seconds),
            ["12.3 µs", "1.23 ms", "250 ms", "3.00 s"]
        );
    }
}
