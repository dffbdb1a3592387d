//! One parser for each type of value, whichever source it comes from, and the text that it reads back.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};

use engine::Cap;
use engine::limits::MAX_RATE;

use super::MAX_SHARDS;
use super::choice::Shards;
use super::problem::Complaint;

/// Reads decimal digits, nothing else.
pub(super) fn number<T: TryFrom<u64>>(text: &str, min: u64, max: u64) -> Result<T, Complaint> {
    digits(text, min, max).ok_or_else(|| Complaint::new(text, format!("is not a number from {min} to {max}")))
}

/// Reads a number of members, or `none`.
pub(super) fn cap(text: &str) -> Result<Cap, Complaint> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(Cap::Unlimited);
    }
    let max = u64::from(u32::MAX);
    let wrong = || Complaint::new(text, format!("is neither a number from 1 to {max} nor \"none\""));
    digits(text, 1, max).map(Cap::Members).ok_or_else(wrong)
}

pub(super) fn show_cap(cap: &Cap) -> String {
    match cap {
        Cap::Members(members) => members.to_string(),
        Cap::Unlimited => "none".to_owned(),
    }
}

/// Reads a number of payloads a second, or `off`.
pub(super) fn max_rate(text: &str) -> Result<Option<NonZeroU32>, Complaint> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    let wrong = || Complaint::new(text, format!("is neither a number from 1 to {MAX_RATE} nor \"off\""));
    let rate = digits::<u32>(text, 1, MAX_RATE.into()).and_then(NonZeroU32::new);
    rate.map(Some).ok_or_else(wrong)
}

pub(super) fn show_max_rate(rate: &Option<NonZeroU32>) -> String {
    rate.map_or_else(|| "off".to_owned(), |rate| rate.to_string())
}

/// Reads a number of shards, or `auto`.
pub(super) fn shards(text: &str) -> Result<Shards, Complaint> {
    if text.eq_ignore_ascii_case("auto") {
        return Ok(Shards::Auto);
    }
    let count = digits::<usize>(text, 1, MAX_SHARDS).and_then(NonZeroUsize::new);
    let wrong = || Complaint::new(text, format!("is neither a number from 1 to {MAX_SHARDS} nor \"auto\""));
    count.map(Shards::Count).ok_or_else(wrong)
}

pub(super) fn show_shards(shards: &Shards) -> String {
    match shards {
        Shards::Auto => "auto".to_owned(),
        Shards::Count(count) => count.to_string(),
    }
}

/// Reads an address with a port, a port of 127.0.0.1, or `off`.
pub(super) fn listen(text: &str) -> Result<Option<SocketAddr>, Complaint> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    let port = digits(text, 0, u64::from(u16::MAX)).map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let wrong =
        || Complaint::new(text, "is neither an address with a port (127.0.0.1:9500, [::1]:9500) nor \"off\"");
    port.or_else(|| text.parse().ok()).map(Some).ok_or_else(wrong)
}

pub(super) fn show_listen(listen: &Option<SocketAddr>) -> String {
    listen.map_or_else(|| "off".to_owned(), |address| address.to_string())
}

fn digits<T: TryFrom<u64>>(text: &str, min: u64, max: u64) -> Option<T> {
    if text.bytes().any(|byte| !byte.is_ascii_digit()) {
        return None;
    }
    let number = text.parse().ok().filter(|number| (min..=max).contains(number))?;
    T::try_from(number).ok()
}
