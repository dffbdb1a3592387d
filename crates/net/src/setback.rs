//! Receives that fail again and again: a pause between them, instead of a processor that spins.

use std::time::Duration;

/// Receives in a row that may fail before there is a pause.
const TRIES: u32 = 4;
/// How long an exchange that is to pause waits, at most.
const PAUSE: Duration = Duration::from_millis(1);

/// Counts failed receives, all of them and those since the last datagram.
#[derive(Default)]
pub(crate) struct Setbacks {
    all: u64,
    in_a_row: u32,
}

impl Setbacks {
    pub(crate) fn failed(&mut self) {
        self.all += 1;
        self.in_a_row += 1;
    }

    pub(crate) fn succeeded(&mut self) {
        self.in_a_row = 0;
    }

    /// Number of receives that have failed.
    pub(crate) fn all(&self) -> u64 {
        self.all
    }

    /// The time by which to shorten a wait during which nothing is to be received; one more try follows it.
    pub(crate) fn pause(&mut self) -> Option<Duration> {
        let due = self.in_a_row >= TRIES;
        if due {
            self.in_a_row = TRIES - 1;
        }
        due.then_some(PAUSE)
    }
}

/// The shorter one of a wait and a pause.
pub(crate) fn shorter(wait: Option<Duration>, pause: Duration) -> Option<Duration> {
    Some(wait.map_or(pause, |wait| wait.min(pause)))
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::time::Instant;

    use super::*;
    use crate::{Driver, DriverConfig, Epoll, Mmsg, Socket, Uring};

    /// Receiving from a TCP socket that is not connected fails with ENOTCONN, and the socket is always ready.
    fn failing() -> Vec<Socket> {
        let tcp = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        tcp.set_nonblocking(true).unwrap();
        vec![Socket::new(OwnedFd::from(tcp), "127.0.0.1:9".parse().unwrap())]
    }

    fn does_not_spin(mut driver: impl Driver) {
        const ERRORS: u32 = 60;
        let (started, mut arrivals) = (Instant::now(), Vec::new());
        while driver.stats().receive_errors < ERRORS.into() {
            driver.exchange(&mut arrivals, Some(Duration::from_secs(1))).unwrap();
        }
        // At most two tries to a pause.
        assert!(started.elapsed() >= PAUSE * ((ERRORS - TRIES) / 2 - 1), "{:?}", started.elapsed());
        assert!(
            arrivals.is_empty() && driver.stats().enters <= 3 * u64::from(ERRORS),
            "{:?}",
            driver.stats()
        );
        driver.waker().wake();
        driver.exchange(&mut arrivals, None).unwrap();
    }

    #[test]
    fn mmsg_pauses() {
        does_not_spin(Mmsg::new(failing(), &DriverConfig::default()).unwrap());
    }

    #[test]
    fn epoll_pauses() {
        does_not_spin(Epoll::new(failing(), &DriverConfig::default()).unwrap());
    }

    #[test]
    fn uring_pauses() {
        if std::env::var_os("RELAY_TEST_NO_URING").is_none_or(|value| value != "1") {
            does_not_spin(Uring::new(failing(), &DriverConfig::default()).unwrap());
        }
    }

    #[test]
    fn a_datagram_ends_the_series() {
        let mut setbacks = Setbacks::default();
        for _ in 0..10 {
            (1..TRIES).for_each(|_| setbacks.failed());
            assert_eq!(setbacks.pause(), None);
            setbacks.succeeded();
        }
        (0..TRIES).for_each(|_| setbacks.failed());
        assert_eq!((setbacks.pause(), setbacks.pause()), (Some(PAUSE), None));
        setbacks.failed();
        assert_eq!(setbacks.pause(), Some(PAUSE));
    }
}
