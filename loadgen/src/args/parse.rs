//! One parser for each type of value.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::payload::STAMP;
use crate::plan::{Heartbeat, PayloadSize, Senders};

/// Ten times as often as real clients ping.
const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(100);

/// The most payloads per second that one sender can be asked for.
const FASTEST: f64 = 10_000_000.0;

pub fn duration(text: &str) -> Result<Duration, String> {
    quantity::parse(text).map_err(|error| error.to_string())
}

pub fn duration_or_zero(text: &str) -> Result<Duration, String> {
    quantity::parse_or_zero(text).map_err(|error| error.to_string())
}

/// A duration that may be shorter than a millisecond: `200us`.
pub fn latency(text: &str) -> Result<Duration, String> {
    let micros = text.strip_suffix("us").or_else(|| text.strip_suffix("µs"));
    let Some(number) = micros else { return duration(text) };
    let micros = positive(number.trim_end())?;
    Duration::try_from_secs_f64(micros / 1e6).map_err(|_| "is too long".to_owned())
}

pub fn heartbeat(text: &str) -> Result<Heartbeat, String> {
    if text == "auto" {
        return Ok(Heartbeat::Auto);
    }
    let period = duration(text)?;
    if period < SHORTEST_HEARTBEAT {
        return Err("is shorter than 100ms, and real clients never ping more often than once a second".into());
    }
    Ok(Heartbeat::Every(period))
}

pub fn senders(text: &str) -> Result<Senders, String> {
    if text == "all" {
        return Ok(Senders::All);
    }
    let wrong = || "is neither \"all\" nor a number of senders in each group".to_owned();
    match text.parse() {
        Ok(0) => Err("is nobody: for heartbeats only, use --rate 0".to_owned()),
        Ok(count) => Ok(Senders::PerGroup(count)),
        Err(_) => Err(wrong()),
    }
}

/// Payloads per second; 0 means none.
pub fn rate(text: &str) -> Result<f64, String> {
    let rate = finite(text)?;
    if (0.0..=FASTEST).contains(&rate) { Ok(rate) } else { Err(format!("is not from 0 to {FASTEST}")) }
}

pub fn positive(text: &str) -> Result<f64, String> {
    finite(text).and_then(|number| if number > 0.0 { Ok(number) } else { Err("is not more than 0".into()) })
}

fn finite(text: &str) -> Result<f64, String> {
    text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(|| "is not a number".to_owned())
}

/// A part of a whole, 0 to 1: `0.1%`, `5 %`, `0.05`.
pub fn percent(text: &str) -> Result<f64, String> {
    let part = match text.strip_suffix('%') {
        Some(number) => finite(number.trim_end())? / 100.0,
        None => finite(text)?,
    };
    let wrong = || "is not a part from 0% to 100% (0.1%, 0.001)".to_owned();
    if (0.0..=1.0).contains(&part) { Ok(part) } else { Err(wrong()) }
}

pub fn payload(text: &str) -> Result<PayloadSize, String> {
    if text == "mix" {
        return Ok(PayloadSize::Mix);
    }
    let wrong = || {
        format!(
            "is neither a number of bytes from {STAMP} to {}, nor MIN..MAX, nor \"mix\"",
            wire::MAX_DATAGRAM
        )
    };
    let size = |text: &str| {
        text.trim()
            .parse::<u16>()
            .ok()
            .filter(|size| (STAMP..=wire::MAX_DATAGRAM).contains(&usize::from(*size)))
    };
    match text.split_once("..") {
        Some((least, most)) => match (size(least), size(most)) {
            (Some(least), Some(most)) if least <= most => Ok(PayloadSize::Between(least, most)),
            _ => Err(wrong()),
        },
        None => size(text).map(PayloadSize::Fixed).ok_or_else(wrong),
    }
}

pub fn listen(text: &str) -> Result<SocketAddr, String> {
    let port = text.parse::<u16>().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    port.or_else(|_| text.parse()).map_err(|_| {
        "is neither a port nor an address with a port (9600, 127.0.0.1:9600, [::1]:9600)".to_owned()
    })
}

/// Processors: `0`, `2-3`, `0,2-3`.
pub fn cpus(text: &str) -> Result<Vec<usize>, String> {
    let wrong = || "is not a list of processors (1 or 2-3 or 0,2-3)".to_owned();
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Ok(first), Ok(last)) = (first.trim().parse::<usize>(), last.trim().parse::<usize>()) else {
            return Err(wrong());
        };
        if first > last || last > 4095 {
            return Err(wrong());
        }
        cpus.extend(first..=last);
    }
    Ok(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_whole() {
        for (text, part) in [("0.1%", 0.001), ("5 %", 0.05), ("0.25", 0.25), ("0", 0.0), ("100%", 1.0)] {
            assert_eq!(percent(text), Ok(part), "{text}");
        }
        for text in ["", "%", "-1%", "101%", "1.5", "nan", "inf%"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_of_payloads() {
        assert_eq!(payload("512"), Ok(PayloadSize::Fixed(512)));
        assert_eq!(payload("40..4096"), Ok(PayloadSize::Between(40, 4096)));
        assert_eq!(payload("mix"), Ok(PayloadSize::Mix));
        for text in ["", "39", "4097", "64..63", "..64", "64..", "big", "1e3"] {
            assert!(payload(text).is_err(), "{text}");
        }
    }

    #[test]
    fn latencies_may_be_short() {
        assert_eq!(latency("200us"), Ok(Duration::from_micros(200)));
        assert_eq!(latency("5ms"), Ok(Duration::from_millis(5)));
        assert!(latency("0us").is_err() && latency("us").is_err() && latency("-5us").is_err());
    }

    #[test]
    fn heartbeats_have_a_shortest() {
        assert_eq!(heartbeat("auto"), Ok(Heartbeat::Auto));
        assert_eq!(heartbeat("100ms"), Ok(Heartbeat::Every(SHORTEST_HEARTBEAT)));
        assert!(heartbeat("99ms").unwrap_err().contains("once a second"));
    }

    #[test]
    fn lists_of_processors() {
        assert_eq!(cpus("0,2-3"), Ok(vec![0, 2, 3]));
        for text in ["", "a", "3-2", "1,", "0-99999"] {
            assert!(cpus(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_are_bounded() {
        assert_eq!((rate("0"), rate("2.5"), rate("1e3")), (Ok(0.0), Ok(2.5), Ok(1000.0)));
        assert!(rate("-1").is_err() && rate("inf").is_err() && rate("1e9").is_err());
    }
}
