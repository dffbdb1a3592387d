//! The suggested time between two heartbeats.

use core::fmt::{self, Write};

/// The suggested time between two heartbeats, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat(pub u64);

impl Heartbeat {
    pub(crate) fn write_to(self, to: &mut impl Write) -> fmt::Result {
        let (seconds, millis) = (self.0 / 1000, self.0 % 1000);
        put_number(to, seconds, 1)?;
        to.write_str(".")?;
        match millis {
            _ if millis % 100 == 0 => put_number(to, millis / 100, 1),
            _ if millis % 10 == 0 => put_number(to, millis / 10, 2),
            _ => put_number(to, millis, 3),
        }
    }

    pub(crate) fn parse(seconds: &str) -> Option<Self> {
        let seconds: f64 = seconds.parse().ok()?;
        (0.0..=1e12).contains(&seconds).then_some(Self((seconds * 1000.0 + 0.5) as u64))
    }
}

/// Seconds as the shortest decimal with at least one digit behind the point: `60.0`, `0.5`, `12.346`.
impl fmt::Display for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// Writes a number in so many digits at least.
pub(crate) fn put_number(to: &mut impl Write, mut number: u64, least: usize) -> fmt::Result {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while number > 0 || digits.len() - start < least {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    to.write_str(core::str::from_utf8(&digits[start..]).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reply;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn heartbeats_are_shortest_decimals() {
        for (millis, text) in
            [(60_000, "60.0"), (500, "0.5"), (12_346, "12.346"), (1, "0.001"), (10, "0.01"), (1_050, "1.05")]
        {
            assert_eq!(Heartbeat(millis).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn heartbeats_survive_the_wire(millis in 0u64..1 << 40) {
            prop_assert_eq!(Reply::parse(Reply::Pong(Heartbeat(millis)).encode().as_bytes()), Some(Reply::Pong(Heartbeat(millis))));
        }
    }
}
