//! The status page: what matters when no dashboard is at hand, as one page and as JSON.

mod access;
mod page;
mod report;
mod runbook;
mod sample;
mod verdict;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::request::Parts;

use crate::clock::{Clock, Monotonic};
use crate::config::{Loaded, Shown, Token};
use crate::meter::Counters;
use crate::metrics::Sources;
use access::Access;
use sample::{History, Sample};

pub use page::page;
pub use runbook::section;

/// What does not change while the relay runs.
pub struct About {
    /// Where clients are served.
    pub addresses: Vec<SocketAddr>,
    /// Where this page is.
    pub bound: SocketAddr,
    /// Bytes of each socket's receive and send buffer: granted and asked for.
    pub receive_buffer: (usize, usize),
    pub send_buffer: (usize, usize),
    /// What helps against the reason of the fallback.
    pub remedy: Option<&'static str>,
}

/// Knows how the relay is doing.
pub struct Status {
    sources: Arc<Sources>,
    about: About,
    clock: Monotonic,
    history: Mutex<History>,
    configuration: Mutex<Configuration>,
}

/// What a reload changes.
#[derive(Default)]
struct Configuration {
    options: Vec<Shown>,
    /// Groups that the file declares.
    groups: usize,
    token: Option<Token>,
}

/// An answer to `/status.json`.
pub enum Answer {
    /// JSON.
    Report(String),
    /// The token is wrong, or lacks.
    Denied,
    /// It asks for another site.
    Misdirected,
}

/// Everything that one answer tells, read at once.
struct Reading {
    shards: Vec<Counters>,
    now: Sample,
    sockets: Vec<crate::metrics::ShardSockets>,
    stalled: Vec<bool>,
}

impl Status {
    /// The status of the relay with these sources.
    pub fn new(sources: Arc<Sources>, about: About, clock: Monotonic, loaded: &Loaded) -> Self {
        let status =
            Self { sources, about, clock, history: Mutex::default(), configuration: Mutex::default() };
        status.configure(loaded);
        status
    }

    /// Takes over what a reload has read.
    pub fn configure(&self, loaded: &Loaded) {
        let (options, groups) = (loaded.shown().collect(), loaded.setup.groups.len());
        *lock(&self.configuration) =
            Configuration { options, groups, token: loaded.setup.status_token.clone() };
    }

    /// Adds a sample to the history.
    pub fn sample(&self) {
        let now = self.read().now;
        lock(&self.history).push(now);
    }

    /// The JSON that this request may see.
    pub fn answer(&self, request: &Parts) -> Answer {
        let access = access::decide(self.about.bound, lock(&self.configuration).token.as_ref(), request);
        match access {
            Access::Denied => Answer::Denied,
            Access::Misdirected => Answer::Misdirected,
            Access::Full => Answer::Report(self.report(None)),
            Access::Partial(why) => Answer::Report(self.report(Some(why))),
        }
    }

    /// True if this request may have the page, which tells nothing yet, but asks for the token if there is one.
    pub fn has_page_for(&self, request: &Parts) -> bool {
        lock(&self.configuration).token.is_some() || !access::is_misdirected(self.about.bound, request)
    }

    fn read(&self) -> Reading {
        let sockets = self.sources.sockets.read();
        let shards: Vec<Counters> = self.sources.meters.iter().map(crate::meter::Meter::read).collect();
        let stalled = self.sources.pulse.stalled().collect();
        Reading { now: Sample::of(self.now(), &shards, &sockets), shards, sockets, stalled }
    }

    fn now(&self) -> Duration {
        self.clock.now()
    }
}

/// What a panicking thread has left is whole: it is replaced or appended to, never edited.
fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
