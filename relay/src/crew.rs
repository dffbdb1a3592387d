//! The shards' threads: started together, told things together, joined together.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use engine::{Admission, Engine, Entropy, OwnAddresses, Shared};
use net::{Driver, Home, SetupError, Socket, Waker};

use crate::backend::{self, AnyDriver};
use crate::clock::{Clock, Monotonic, tick};
use crate::config::Setup;
use crate::inbox::{Inbox, News, Postbox};
use crate::limits::{BUFFERS, COALESCING_BUFFERS};
use crate::meter::Meter;
use crate::sandbox;
use crate::server::Event;
use crate::shard::Shard;

/// The running shards.
pub struct Crew {
    members: Vec<(Postbox, JoinHandle<()>)>,
    /// Backends in use, in the order of the shards.
    backends: Vec<&'static str>,
    /// Why io_uring is not used, if it was to be.
    pub fallback: Option<SetupError>,
}

/// What all shards share.
#[derive(Clone)]
pub struct Common {
    pub setup: Arc<Setup>,
    pub shared: Shared,
    pub own: Arc<OwnAddresses>,
    /// Where clients are steered to, if that is known.
    pub home: Option<Home>,
    pub clock: Monotonic,
    /// The processors that this process may run on.
    pub cpus: Vec<usize>,
}

/// What a shard tells when it is about to turn.
struct Started {
    postbox: Postbox,
    backend: &'static str,
    fallback: Option<SetupError>,
}

type Report = SyncSender<Result<Started, SetupError>>;

impl Crew {
    /// Starts a shard for each of `sockets`, and returns when all of them turn.
    ///
    /// # Errors
    /// The backend that could not be set up, or the thread that could not be started.
    pub fn start(
        common: &Common,
        sockets: Vec<Vec<Socket>>,
        meters: &[Meter],
        events: &Sender<Event>,
    ) -> Result<Self, CannotStart> {
        let shards = sockets.len();
        let mut crew = Self { members: Vec::new(), backends: Vec::new(), fallback: None };
        for (shard, (sockets, meter)) in sockets.into_iter().zip(meters).enumerate() {
            let (report, started) = sync_channel(1);
            let (common, meter, events) = (common.clone(), meter.clone(), events.clone());
            let cpu = common.cpus.get(shard % common.cpus.len().max(1)).filter(|_| common.setup.pin).copied();
            let thread = thread::Builder::new().name(format!("shard-{shard}")).spawn(move || {
                let run = || run_shard((shard, shards), cpu, &common, sockets, meter, &report);
                // A shard that panics must be heard of, or its clients would speak to nobody.
                let ended = catch_unwind(AssertUnwindSafe(run))
                    .unwrap_or_else(|_| Err(io::Error::other("it panicked")));
                // Nobody listens any more if the relay has stopped.
                let _ = events.send(Event::ShardEnded { shard, ended });
            })?;
            let started =
                started.recv().map_err(|_| io::Error::other("a shard ended while it started"))??;
            crew.members.push((started.postbox, thread));
            crew.backends.push(started.backend);
            crew.fallback = crew.fallback.or(started.fallback);
        }
        Ok(crew)
    }

    /// The backend in use: `uring`, `mmsg`, or `mixed` if not every ring could be had.
    pub fn backend(&self) -> &'static str {
        match self.backends.first() {
            Some(first) if self.backends.iter().all(|backend| backend == first) => first,
            _ => "mixed",
        }
    }

    /// What wakes each shard.
    pub fn wakers(&self) -> Vec<Waker> {
        self.members.iter().map(|(postbox, _)| postbox.waker()).collect()
    }

    /// Tells every shard.
    pub fn post(&self, news: &News) {
        for (postbox, _) in &self.members {
            postbox.post(news);
        }
    }

    /// For each shard, true if it has not turned since it was told something.
    pub fn deaf(&self) -> impl Iterator<Item = bool> {
        self.members.iter().map(|(postbox, _)| !postbox.is_read())
    }

    /// Waits until every shard has ended.
    pub fn join(self) {
        for (_, thread) in self.members {
            // How it ended was told by its event.
            let _ = thread.join();
        }
    }
}

/// Why the shards could not be started.
#[derive(Debug, thiserror::Error)]
pub enum CannotStart {
    /// The backend.
    #[error(transparent)]
    Backend(#[from] SetupError),
    /// A thread.
    #[error("cannot start a shard's thread: {0}")]
    Thread(#[from] io::Error),
}

fn run_shard(
    (shard, shards): (usize, usize),
    cpu: Option<usize>,
    common: &Common,
    sockets: Vec<Socket>,
    meter: Meter,
    report: &Report,
) -> io::Result<()> {
    if let Some(Err(error)) = cpu.map(net::pin_current_thread) {
        tracing::warn!(shard, %error, "cannot pin the shard's thread: it stays unpinned");
    }
    let buffers = buffers(&common.setup);
    let chosen = match backend::choose(common.setup.backend, sockets, buffers) {
        Ok(chosen) => chosen,
        Err(error) => {
            let _ = report.send(Err(error));
            return Ok(());
        }
    };
    if let Err(error) = sandbox::settle(common.setup.sandbox) {
        // The main thread cannot give it up either, and says so once.
        tracing::debug!(shard, error, "the shard keeps privileges");
    }
    let mut engine = Engine::new(
        (shard, shards),
        common.shared.clone(),
        Arc::new(common.setup.settings.clone()),
        Arc::clone(&common.own),
        Entropy::new(fill_random),
        tick(common.clock.now()),
    );
    if let Some(home) = common.home {
        engine.keep_to_shard(move |source| home.of(source));
    }
    match chosen.driver {
        AnyDriver::Uring(ring) => {
            turn(engine, (*ring, buffers), common.clock, meter, report, ("uring", chosen.fallback))
        }
        AnyDriver::Mmsg(mmsg) => {
            turn(engine, (*mmsg, buffers), common.clock, meter, report, ("mmsg", chosen.fallback))
        }
    }
}

/// Receive buffers of a shard: more where payloads may wait for company from the beginning.
fn buffers(setup: &Setup) -> usize {
    if setup.coalesces() { COALESCING_BUFFERS } else { BUFFERS }
}

fn turn<D: Driver>(
    engine: Engine,
    (driver, buffers): (D, usize),
    clock: Monotonic,
    meter: Meter,
    report: &Report,
    (backend, fallback): (&'static str, Option<SetupError>),
) -> io::Result<()> {
    let inbox = Inbox::default();
    let postbox = inbox.postbox(driver.waker());
    let shard = Shard::new(engine, driver, buffers, clock, inbox, meter);
    let _ = report.send(Ok(Started { postbox, backend, fallback }));
    shard.run().map(drop)
}

/// What the shards of a relay that starts now share about proofs.
pub fn admission(clock: &Monotonic) -> Arc<Admission> {
    let mut key = [0; 16];
    fill_random(&mut key);
    Arc::new(Admission::new(key, tick(clock.now())))
}

/// The operating system's generator. It fails only where the system has none.
fn fill_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system has a random generator");
}
