//! Numbers and phases in the words of both views: short, and of nearly the same width from second to second.

use std::time::Duration;

use crate::outcome::Phase;

/// With a comma between thousands.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// To three digits: `0`, `33.3`, `450 k`, `1.20 M`.
pub fn rate(number: f64) -> String {
    match number {
        999.5e6.. => three(number / 1e9) + " G",
        999.5e3.. => three(number / 1e6) + " M",
        999.5.. => three(number / 1e3) + " k",
        0.0 => "0".into(),
        _ => three(number),
    }
}

/// To three digits, in µs, ms or s.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        0.9995.. => three(seconds) + " s",
        0.9995e-3.. => three(seconds * 1e3) + " ms",
        _ => three(seconds * 1e6) + " µs",
    }
}

/// In percent; never a zero for what is not.
pub fn percent(part: f64) -> String {
    match part * 100.0 {
        0.0 => "0.00 %".into(),
        ..0.01 => "<0.01 %".into(),
        percent => format!("{percent:.2} %"),
    }
}

/// What goes on.
pub fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Joining => "joining",
        Phase::Ready => "ready",
        Phase::WarmUp => "warming up",
        Phase::Measuring => "measuring",
        Phase::Draining => "draining",
        Phase::Leaving => "leaving",
    }
}

/// What comes from outside, without what a terminal would obey.
pub fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn three(number: f64) -> String {
    let decimals = match number {
        99.95.. => 0,
        9.995.. => 1,
        _ => 2,
    };
    format!("{number:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!([0, 999, 12_345, 1_234_567].map(count), ["0", "999", "12,345", "1,234,567"]);
        let rates = [0.0, 0.5, 33.33, 999.4, 999.6, 49_960.0, 450e3, 1.2e6, 2e9].map(rate);
        assert_eq!(rates, ["0", "0.50", "33.3", "999", "1.00 k", "50.0 k", "450 k", "1.20 M", "2.00 G"]);
        let durations = [112, 999, 1000, 12_300, 1_500_000].map(|us| duration(Duration::from_micros(us)));
        assert_eq!(durations, ["112 µs", "999 µs", "1.00 ms", "12.3 ms", "1.50 s"]);
        assert_eq!(
            [0.0, 1e-9, 1e-4, 0.125, 1.0].map(percent),
            ["0.00 %", "<0.01 %", "0.01 %", "12.50 %", "100.00 %"]
        );
    }
}
