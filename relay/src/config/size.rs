//! Sizes in bytes: `8388608`, `64K`, `8M`, `1G`, in powers of 1024.

use super::problem::Complaint;
use super::{MAX_BUFFER, MIN_BUFFER};

/// The unit's letter and its bytes.
const UNITS: [(&str, u64); 3] = [("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)];

const FORMS: &str = "is not a size from 4096 to 1G; write bytes or a whole number with K, M or G (64K, 8M)";

/// Reads the size of a socket buffer.
pub(super) fn parse(text: &str) -> Result<usize, Complaint> {
    let complaint = || Complaint::new(text, FORMS);
    let upper = text.to_ascii_uppercase();
    let short = upper.strip_suffix("IB").unwrap_or(&upper);
    let (digits, unit) = UNITS
        .iter()
        .find_map(|(letter, bytes)| Some((short.strip_suffix(letter)?.trim_end(), *bytes)))
        .unwrap_or((&upper, 1));
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(complaint());
    }
    let bytes =
        digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(complaint)?;
    if !(MIN_BUFFER..=MAX_BUFFER).contains(&bytes) {
        return Err(complaint());
    }
    Ok(bytes as usize)
}

/// The shortest exact text.
pub(super) fn show(bytes: &usize) -> String {
    let bytes = *bytes as u64;
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
        assert_eq!([show(&(8 << 20)), show(&65_536), show(&4097)], ["8M", "64K", "4097"]);
    }
}
