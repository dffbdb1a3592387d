//! Sizes in bytes: `8388608`, `64K`, `8M`, `1G`, in powers of 1024.

use super::problem::Complaint;
use super::{MAX_BUFFER, MIN_BUFFER};

/// The highest rate: far above any network card, far below any overflow.
const MAX_RATE: u64 = 1 << 40;

/// The unit's letter and its bytes.
const UNITS: [(&str, u64); 4] = [("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)];

/// Reads the size of a socket buffer.
pub(super) fn parse(text: &str) -> Result<usize, Complaint> {
    let size = bytes(text, MIN_BUFFER, MAX_BUFFER).map(|bytes| bytes as usize);
    size.ok_or_else(|| complaint(text, "size", "4096 to 1G"))
}

/// Reads bytes a second.
pub(super) fn rate(text: &str) -> Result<u64, Complaint> {
    bytes(text, MIN_BUFFER, MAX_RATE).ok_or_else(|| complaint(text, "number of bytes", "4096 to 1T"))
}

fn complaint(text: &str, what: &str, range: &str) -> Complaint {
    Complaint::new(
        text,
        format!("is not a {what} from {range}; write bytes or a whole number with K, M or G (64K, 8M)"),
    )
}

fn bytes(text: &str, min: u64, max: u64) -> Option<u64> {
    let upper = text.to_ascii_uppercase();
    let short = upper.strip_suffix("IB").unwrap_or(&upper);
    let (digits, unit) = UNITS
        .iter()
        .find_map(|(letter, bytes)| Some((short.strip_suffix(letter)?.trim_end(), *bytes)))
        .unwrap_or((&upper, 1));
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let bytes = digits.parse::<u64>().ok()?.checked_mul(unit)?;
    (min..=max).contains(&bytes).then_some(bytes)
}

/// The shortest exact text.
pub(super) fn show(bytes: &usize) -> String {
    show_rate(&(*bytes as u64))
}

/// The same for bytes a second.
pub(super) fn show_rate(bytes: &u64) -> String {
    let bytes = *bytes;
    let unit = UNITS.iter().find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| bytes.to_string(), |(letter, unit)| format!("{}{letter}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        let forms = [
            ("4096", 4096),
            ("8388608", 8 << 20),
            ("8M", 8 << 20),
            ("8m", 8 << 20),
            ("8MiB", 8 << 20),
            ("64K", 65_536),
            ("64 K", 65_536),
            ("1G", 1 << 30),
        ];
        for (text, bytes) in forms {
            assert_eq!(parse(text), Ok(bytes), "{text}");
            assert_eq!(parse(&show(&bytes)), Ok(bytes), "{text}");
        }
        for text in ["", "M", "iB", "4095", "2G", "1.5M", "-8M", "8MB", "8iB", "+8M", "99999999999999999999G"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!([rate("25000000"), rate("1T"), rate("64 K")], [Ok(25_000_000), Ok(1 << 40), Ok(65_536)]);
        assert!(rate("1025G").is_err() && rate("4095").is_err());
        assert_eq!([show(&(8 << 20)), show(&65_536), show(&4097)], ["8M", "64K", "4097"]);
    }
}
