//! Durations, as [`quantity`] reads them.

use std::time::Duration;

use super::problem::Complaint;

pub(super) use quantity::show;

const _: () = assert!(
    quantity::MAX_DURATION.as_nanos() == engine::limits::MAX_DURATION.as_nanos()
        && quantity::MIN_DURATION.as_nanos() == engine::limits::MIN_DURATION.as_nanos(),
    "what can be written is what the engine takes"
);
const _: () = assert!(engine::limits::MAX_COALESCE.as_millis() == 1000, "what the complaint says");

/// Reads a duration of 1 ms to a year.
pub(super) fn parse(text: &str) -> Result<Duration, Complaint> {
    quantity::parse(text).map_err(|verdict| Complaint::new(text, verdict.to_string()))
}

/// Reads for how long payloads may wait: 0, or up to [`engine::limits::MAX_COALESCE`].
pub(super) fn parse_coalesce(text: &str) -> Result<Duration, Complaint> {
    let duration = parse_or_zero(text)?;
    if duration > engine::limits::MAX_COALESCE {
        return Err(Complaint::new(text, "is longer than 1 s, the longest time for which payloads may wait"));
    }
    Ok(duration)
}

/// Like [`parse`], and 0 is allowed, which means: as soon as possible.
pub(super) fn parse_or_zero(text: &str) -> Result<Duration, Complaint> {
    quantity::parse_or_zero(text).map_err(|verdict| Complaint::new(text, verdict.to_string()))
}
