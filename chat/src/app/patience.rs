//! How long a script's command goes on trying.

use std::time::{Duration, Instant};

/// Unless told otherwise: the relay itself tries to deliver a message for 4.5 s.
const USUAL: Duration = Duration::from_secs(15);

/// Until when it is tried.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    timeout: Option<Duration>,
    until: Instant,
}

impl Patience {
    /// For so long from now on.
    pub fn new(timeout: Option<Duration>, now: Instant) -> Self {
        Self { timeout, until: now + timeout.unwrap_or(USUAL) }
    }

    /// What the relay has answered prolongs it, unless a time was said.
    pub fn renew(&mut self, now: Instant) {
        if self.timeout.is_none() {
            self.until = now + USUAL;
        }
    }

    /// Whether it is at its end.
    pub fn is_over(&self, now: Instant) -> bool {
        self.until <= now
    }

    /// When that is to be looked at, if it is not over.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        Some(self.until).filter(|&until| until > now)
    }

    /// That it was given up.
    pub fn words(&self) -> &'static str {
        match self.timeout {
            Some(_) => "gave up: not done within --timeout",
            None => "gave up: not done within 15 s (--timeout says how long it may take)",
        }
    }
}
