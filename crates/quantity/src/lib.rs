//! Durations as people write them, exact to the millisecond: `90`, `0.25`, `90s`, `5m`, `1.5h`, `250ms`.

use std::time::Duration;

/// The shortest duration that is not 0.
pub const MIN_DURATION: Duration = Duration::from_millis(1);

/// The longest duration.
pub const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 3600);

/// Milliseconds of each unit; no unit means seconds.
const UNITS: [(&str, u128); 6] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("", 1000)];

/// Digits of a fraction that count. With them, and the largest unit, the arithmetic stays within 128 bits.
const FRACTION_DIGITS: usize = 24;

/// What is wrong with a text, as the end of a sentence that begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// It is of another form.
    #[error("is not a duration; write seconds (90, 0.25) or a number with ms, s, m, h or d (250ms, 5m)")]
    Form,
    /// It is less than [`MIN_DURATION`].
    #[error("is shorter than 1 ms, the shortest duration")]
    TooShort,
    /// It is more than [`MAX_DURATION`].
    #[error("is longer than 365 days, the longest duration")]
    TooLong,
}

/// Reads a duration of 1 ms to a year. Finer than a millisecond is rounded to the nearest, as the protocol rounds the
/// heartbeat.
///
/// # Errors
/// What is wrong with the text.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let duration = parse_or_zero(text)?;
    if duration < MIN_DURATION { Err(InvalidDuration::TooShort) } else { Ok(duration) }
}

/// Like [`parse`], and 0 is allowed, which means: as soon as possible.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_or_zero(text: &str) -> Result<Duration, InvalidDuration> {
    use InvalidDuration::{Form, TooLong};
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(number_end);
    let unit = unit.trim_start();
    let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(Form)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(Form);
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| TooLong)? };
    let fraction = &fraction[..fraction.len().min(FRACTION_DIGITS)];
    let scale = 10_u128.pow(fraction.len() as u32);
    let parts: u128 = fraction.bytes().fold(0, |sum, digit| sum * 10 + u128::from(digit - b'0'));
    let fraction_ms = (parts * unit_ms * 2 + scale) / (scale * 2);
    let total = whole.checked_mul(*unit_ms).and_then(|ms| ms.checked_add(fraction_ms)).ok_or(TooLong)?;
    if total > MAX_DURATION.as_millis() { Err(TooLong) } else { Ok(Duration::from_millis(total as u64)) }
}

/// The shortest exact text, in seconds.
pub fn show(duration: &Duration) -> String {
    let (seconds, ms) = (duration.as_secs(), duration.subsec_millis());
    let text = format!("{seconds}.{ms:03}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(text: &str) -> Option<u128> {
        parse_or_zero(text).ok().map(|duration| duration.as_millis())
    }

    #[test]
    fn every_form() {
        let forms = [
            ("90", 90_000),
            ("0.001", 1),
            ("0.25", 250),
            (".5", 500),
            ("5.", 5000),
            ("0", 0),
            ("90s", 90_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("365d", 31_536_000_000),
            ("250ms", 250),
            ("1.5m", 90_000),
            ("1.5ms", 2),
            ("0.4ms", 0),
            ("12.3456", 12_346),
            ("12.3454999999999999999999999999999", 12_345),
            ("5 m", 300_000),
            ("0.00049999", 0),
            ("0.0005", 1),
            ("0090", 90_000),
        ];
        for (text, expected) in forms {
            assert_eq!(ms(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_an_error() {
        let others = [
            "",
            ".",
            "s",
            "1e-3",
            "1E3",
            "-1",
            "+1",
            "1.2.3",
            "1,5",
            "inf",
            "nan",
            "1_000",
            "5M",
            "5min",
            "1m30s",
            "٣",
            "365.1d",
            "8761h",
            "99999999999999999999999999999999999999999999999999",
        ];
        for text in others {
            assert_eq!(ms(text), None, "{text}");
        }
        assert!(parse("0").is_err() && parse("0.0004").is_err() && parse("1ms").is_ok());
    }

    proptest! {
        #[test]
        fn shown_and_read_again(ms in 0..=31_536_000_000_u64) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse_or_zero(&show(&duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "\\PC*", number in "[0-9.]{0,60}(ms|s|m|h|d)?") {
            let _ = (parse(&text), parse(&number));
        }
    }
}
