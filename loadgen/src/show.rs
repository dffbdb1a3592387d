//! Numbers as people read them: few digits, the right unit, and never a zero for what is not zero.

use std::time::Duration;

/// Exact, with a comma between thousands.
pub(crate) fn count(number: u64) -> String {
    grouped(&number.to_string())
}

fn grouped(digits: &str) -> String {
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
pub(crate) fn si(number: f64) -> String {
    let (scaled, prefix) = match number {
        999.5e9.. => (number / 1e12, " T"),
        999.5e6.. => (number / 1e9, " G"),
        999.5e3.. => (number / 1e6, " M"),
        999.5.. => (number / 1e3, " k"),
        _ => return trimmed(three(number)),
    };
    three(scaled) + prefix
}

/// To four digits, but whole numbers and those above 1000 to the last digit before the point, for where two must be
/// told apart that are close.
pub(crate) fn exact(number: f64) -> String {
    let text = precise(number);
    if text.contains('.') { text } else { grouped(&text) }
}

/// The same without commas, as a flag takes it.
pub(crate) fn precise(number: f64) -> String {
    if number >= 1000.0 || number.fract() == 0.0 {
        return format!("{number:.0}");
    }
    let decimals = (3.0 - number.log10().floor()).clamp(0.0, 15.0) as usize;
    trimmed(format!("{number:.decimals$}"))
}

/// A count for where there is little room: exact up to six digits.
pub(crate) fn short_count(number: u64) -> String {
    if number < 1_000_000 { count(number) } else { si(number as f64) }
}

/// To three digits, in µs, ms or s.
pub(crate) fn duration(duration: Duration) -> String {
    let ns = duration.as_nanos() as f64;
    match ns {
        100e9.. => count((ns / 1e9).round() as u64) + " s",
        0.9995e9.. => three(ns / 1e9) + " s",
        0.9995e6.. => three(ns / 1e6) + " ms",
        0.0 => "0 µs".into(),
        _ => three(ns / 1e3) + " µs",
    }
}

/// In seconds, to three digits in the unit that suits them.
pub(crate) fn from_seconds(seconds: f64) -> String {
    duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// A round duration, without zeros at its end.
pub(crate) fn limit(time: Duration) -> String {
    rounded(&duration(time))
}

/// A number with its unit, without zeros at its end.
pub(crate) fn rounded(text: &str) -> String {
    match text.split_once(' ') {
        Some((number, unit)) => format!("{} {unit}", trimmed(number.to_owned())),
        None => trimmed(text.to_owned()),
    }
}

/// In seconds, to the millisecond.
pub(crate) fn seconds(duration: Duration) -> String {
    quantity::show(&Duration::from_millis((duration.as_secs_f64() * 1e3).round() as u64)) + " s"
}

/// A part of a whole in percent. It is `0 %` only if the part is 0, and `100 %` only if it is the whole.
pub(crate) fn percent(part: u64, whole: u64) -> String {
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
pub(crate) fn ratio(part: f64) -> String {
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

/// As a flag takes it: `0.1%`, `5ms`, `200us`.
pub(crate) fn flag_value(text: &str) -> String {
    let (number, unit) = text.rsplit_once(' ').unwrap_or((text, ""));
    trimmed(number.replace(',', "")) + &unit.replace('µ', "u")
}

/// Megabits per second.
pub(crate) fn throughput(bytes: u64, time: Duration) -> String {
    let bits = per_second(bytes, time) * 8.0;
    match bits {
        999.5e6.. => three(bits / 1e9) + " Gbit/s",
        0.0 => "0 Mbit/s".into(),
        ..0.995e6 => ratio(bits / 1e8).replace('%', "Mbit/s"),
        _ => three(bits / 1e6) + " Mbit/s",
    }
}

/// How many a second; 0 if no time passed.
pub(crate) fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
}

/// Bytes of memory.
pub(crate) fn memory(bytes: u64) -> String {
    three(bytes as f64 / f64::from(1 << 30)) + " GiB"
}

/// What comes from outside, without what a terminal would obey.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// One of something, or many of it.
pub(crate) fn plural(number: u64, one: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {one}{ending}", count(number))
}

/// Numbers with commas between them.
pub(crate) fn list(numbers: &[usize]) -> String {
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

/// Three digits of a number below 1000, two decimals at most.
pub(crate) fn three(number: f64) -> String {
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
    fn four_digits_tell_what_is_close_apart() {
        let numbers = [0.0, 0.5, 0.012_345_6, 7.0, 14.601_329, 123.45, 999.96, 1234.5, 1_234_567.0];
        assert_eq!(
            numbers.map(exact),
            ["0", "0.5", "0.01235", "7", "14.6", "123.5", "1,000", "1,234", "1,234,567"]
        );
        assert_eq!([0.05, 1234.6, 12_345.0].map(precise), ["0.05", "1235", "12345"]);
    }

    #[test]
    fn flags_have_their_own_spelling() {
        let parts = [0.0, 1.0, 0.001, 0.0011, 0.000_000_12, 0.5, 1e-12].map(|part| flag_value(&ratio(part)));
        assert_eq!(parts, ["0%", "100%", "0.1%", "0.11%", "0.000012%", "50%", "under 0.000000001%"]);
        let times =
            [200, 5_000, 2_500_000, 3_600_000_000].map(|us| flag_value(&duration(Duration::from_micros(us))));
        assert_eq!(times, ["200us", "5ms", "2.5s", "3600s"]);
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
