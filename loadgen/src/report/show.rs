//! Numbers as people read them: few digits, the right unit, and never a zero for what is not zero.

use std::time::Duration;

/// Exact, with a comma between thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// To three digits, with the prefix of a thousand, a million and so on.
pub(super) fn si(number: f64) -> String {
    let (scaled, prefix) = match number {
        999.5e9.. => (number / 1e12, " T"),
        999.5e6.. => (number / 1e9, " G"),
        999.5e3.. => (number / 1e6, " M"),
        999.5.. => (number / 1e3, " k"),
        _ => return trimmed(three(number)),
    };
    three(scaled) + prefix
}

/// A count for where there is little room: exact up to six digits.
pub(super) fn short_count(number: u64) -> String {
    if number < 1_000_000 { count(number) } else { si(number as f64) }
}

/// To three digits, in µs, ms or s.
pub(super) fn duration(duration: Duration) -> String {
    let ns = duration.as_nanos() as f64;
    match ns {
        100e9.. => count((ns / 1e9).round() as u64) + " s",
        0.9995e9.. => three(ns / 1e9) + " s",
        0.9995e6.. => three(ns / 1e6) + " ms",
        0.0 => "0 µs".into(),
        _ => three(ns / 1e3) + " µs",
    }
}

/// A round duration, without zeros at its end.
pub(super) fn limit(time: Duration) -> String {
    rounded(&duration(time))
}

/// A number with its unit, without zeros at its end.
pub(super) fn rounded(text: &str) -> String {
    match text.split_once(' ') {
        Some((number, unit)) => format!("{} {unit}", trimmed(number.to_owned())),
        None => trimmed(text.to_owned()),
    }
}

/// In seconds, to the millisecond.
pub(super) fn seconds(duration: Duration) -> String {
    quantity::show(&Duration::from_millis((duration.as_secs_f64() * 1e3).round() as u64)) + " s"
}

/// A part of a whole in percent. It is `0 %` only if the part is 0, and `100 %` only if it is the whole.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if part == whole && whole > 0 {
        return "100 %".into();
    }
    if part == 0 || whole == 0 {
        return "0 %".into();
    }
    let rest = whole.saturating_sub(part) as f64 / whole as f64 * 100.0;
    if rest > 0.0 && rest < 1.0 {
        let decimals = leading_zeros(rest) + 1;
        return format!("{:.decimals$} %", 100.0 - rest);
    }
    ratio(part as f64 / whole as f64)
}

/// A part of 1 in percent, to three digits from 1 % on and to two below it.
pub(super) fn ratio(part: f64) -> String {
    let percent = part * 100.0;
    if percent <= 0.0 {
        "0 %".into()
    } else if percent < 1e-9 {
        "under 0.000000001 %".into()
    } else if percent < 0.995 {
        let decimals = leading_zeros(percent) + 1;
        format!("{percent:.decimals$} %")
    } else {
        three(percent) + " %"
    }
}

/// Megabits per second.
pub(super) fn throughput(bytes: u64, time: Duration) -> String {
    let bits = per_second(bytes, time) * 8.0;
    match bits {
        999.5e6.. => three(bits / 1e9) + " Gbit/s",
        0.0 => "0 Mbit/s".into(),
        ..0.995e6 => ratio(bits / 1e8).replace('%', "Mbit/s"),
        _ => three(bits / 1e6) + " Mbit/s",
    }
}

/// How many a second; 0 if no time passed.
pub(super) fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
}

/// Bytes of memory.
pub(super) fn memory(bytes: u64) -> String {
    three(bytes as f64 / f64::from(1 << 30)) + " GiB"
}

/// What comes from outside, without what a terminal would obey.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// One of something, or many of it.
pub(super) fn plural(number: u64, one: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {one}{ending}", count(number))
}

/// Three digits of a number below 1000, two decimals at most.
fn three(number: f64) -> String {
    let decimals = match number {
        99.95.. => 0,
        9.995.. => 1,
        _ => 2,
    };
    format!("{number:.decimals$}")
}

fn trimmed(number: String) -> String {
    if !number.contains('.') {
        return number;
    }
    number.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Zeros of a number below 1 before its first digit, that before the point included.
fn leading_zeros(number: f64) -> usize {
    (-number.log10()).ceil().clamp(1.0, 12.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_rates() {
        let counts = [0, 999, 1000, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567"]);
        let rates = [0.0, 0.25, 10.0, 33.333, 999.4, 999.6, 10_000.0, 1_234_567.0, 5e9].map(si);
        assert_eq!(rates, ["0", "0.25", "10", "33.3", "999", "1.00 k", "10.0 k", "1.23 M", "5.00 G"]);
        assert_eq!([999_999, 1_000_000].map(short_count), ["999,999", "1.00 M"]);
        assert_eq!([plural(1, "thread"), plural(0, "thread")], ["1 thread", "0 threads"]);
    }

    #[test]
    fn durations_choose_their_unit() {
        let texts = [0, 1, 900, 12_345, 999_400, 999_600, 1_234_567, 999_600_000, 61_000_000_000]
            .map(|ns| duration(Duration::from_nanos(ns)));
        assert_eq!(
            texts,
            ["0 µs", "0.00 µs", "0.90 µs", "12.3 µs", "999 µs", "1.00 ms", "1.23 ms", "1.00 s", "61.0 s"]
        );
        assert_eq!(duration(Duration::from_secs(3600)), "3,600 s");
        assert_eq!(
            [10_000, 100_000, 2_500_000].map(|ns| limit(Duration::from_nanos(ns))),
            ["10 µs", "100 µs", "2.5 ms"]
        );
        assert_eq!(
            [60_000, 100, 1500].map(|ms| seconds(Duration::from_millis(ms))),
            ["60 s", "0.1 s", "1.5 s"]
        );
    }

    #[test]
    fn what_is_not_zero_never_reads_as_zero() {
        let parts = [
            (0, 10),
            (1, 5_400_000),
            (19, 100_000),
            (1, 10),
            (10, 10),
            (9_999_999, 10_000_000),
            (995, 1000),
            (0, 0),
        ];
        let texts = parts.map(|(part, whole)| percent(part, whole));
        assert_eq!(
            texts,
            ["0 %", "0.000019 %", "0.019 %", "10.0 %", "100 %", "99.999990 %", "99.50 %", "0 %"]
        );
        assert_eq!(percent(1, u64::MAX), "under 0.000000001 %");
    }

    #[test]
    fn throughput_has_a_unit_for_slow_and_fast() {
        let second = Duration::from_secs(1);
        let texts = [0, 8, 1250, 125_000, 5_760_000, 250_000_000].map(|bytes| throughput(bytes, second));
        assert_eq!(
            texts,
            ["0 Mbit/s", "0.000064 Mbit/s", "0.010 Mbit/s", "1.00 Mbit/s", "46.1 Mbit/s", "2.00 Gbit/s"]
        );
        assert_eq!(throughput(5, Duration::ZERO), "0 Mbit/s");
    }

    #[test]
    fn a_terminal_has_nothing_to_obey() {
        assert_eq!(harmless("a\x1b[31mb\u{9b}c"), "a\u{fffd}[31mb\u{fffd}c");
    }
}
