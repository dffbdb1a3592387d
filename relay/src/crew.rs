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
use crate::ferry::Ferry;
use crate::inbox::{Inbox, News, Postbox};
use crate::limits::{BUFFERS, COALESCING_BUFFERS};
use crate::meter::Meter;
use crate::sandbox;
use crate::server::Event;
use crate::shard::Shard;
use crate::tcp::Landing;

/// The running shards.
#[derive(Default)]
pub struct Crew {
    members: Vec<Member>,
    /// The thread of the connections.
    tcp: Option<Member>,
    /// Backends in use, in the order of the shards.
    backends: Vec<&'static str>,
    /// Why io_uring is not used, if it was to be.
    pub fallback: Option<SetupError>,
    /// What each of them waits for before it turns.
    waiting: Vec<SyncSender<()>>,
}

type Member = (Postbox, JoinHandle<()>);

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

/// What a shard tells when it can turn.
struct Started {
    postbox: Postbox,
    backend: &'static str,
    fallback: Option<SetupError>,
    begin: SyncSender<()>,
}

type Report = SyncSender<Result<Started, SetupError>>;

impl Crew {
    /// Starts a shard for each of `sockets`, and the thread of the connections if there are to be some; returns when all of them
    /// can turn, which they do when they are told to. Each has a meter.
    ///
    /// # Errors
    /// The backend that could not be set up, or the thread that could not be started.
    pub fn start(
        common: &Common,
        sockets: Vec<Vec<Socket>>,
        landing: Option<Landing>,
        meters: &[Meter],
        events: &Sender<Event>,
    ) -> Result<Self, CannotStart> {
        let shards = sockets.len();
        let mut crew = Self::default();
        let ferry = landing.as_ref().map(|landing| landing.ferry.clone());
        for (shard, (sockets, meter)) in sockets.into_iter().zip(meters).enumerate() {
            let ferry = ferry.as_ref().map(|ferry| ferry.of_shard(shard));
            let (common, meter) = (common.clone(), meter.clone());
            let cpu = common.cpus.get(shard % common.cpus.len().max(1)).filter(|_| common.setup.pin).copied();
            let run = move |report: &Report| {
                run_shard((shard, shards), cpu, &common, sockets, (meter, ferry), report)
            };
            let (started, thread) = spawn(format!("shard-{shard}"), shard, events, run)?;
            crew.members.push((started.postbox, thread));
            crew.waiting.push(started.begin);
            crew.backends.push(started.backend);
            crew.fallback = crew.fallback.or(started.fallback);
        }
        if let (Some(landing), Some(meter)) = (landing, meters.get(shards)) {
            let (common, meter) = (common.clone(), meter.clone());
            let run = move |report: &Report| run_tcp(shards, &common, landing, meter, report);
            let (started, thread) = spawn("tcp".to_owned(), shards, events, run)?;
            crew.tcp = Some((started.postbox, thread));
            crew.waiting.push(started.begin);
        }
        Ok(crew)
    }

    /// Lets all of them turn: what has arrived until now is answered.
    pub fn begin(&mut self) {
        for begin in self.waiting.drain(..) {
            // A shard that has ended meanwhile is told of by its event.
            let _ = begin.send(());
        }
    }

    /// True if clients are served by TCP, too.
    pub fn has_tcp(&self) -> bool {
        self.tcp.is_some()
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
        self.everyone().map(Postbox::waker).collect()
    }

    /// Tells every shard.
    pub fn post(&self, news: &News) {
        self.everyone().for_each(|postbox| postbox.post(news));
    }

    fn everyone(&self) -> impl Iterator<Item = &Postbox> {
        self.members.iter().chain(&self.tcp).map(|(postbox, _)| postbox)
    }

    /// For each shard, and the thread of the connections behind them, true if it has not turned since it was told something.
    pub fn deaf(&self) -> impl Iterator<Item = bool> {
        self.everyone().map(|postbox| !postbox.is_read())
    }

    /// Tells every shard to send what it has and to end, and waits for it; the thread of the connections ends last, because the
    /// others may have something for it.
    pub fn stop(self) {
        stop(self.members);
        stop(self.tcp.into_iter().collect());
    }
}

fn stop(members: Vec<Member>) {
    members.iter().for_each(|(postbox, _)| postbox.post(&News { stop: true, ..News::default() }));
    for (_, thread) in members {
        // How it ended was told by its event.
        let _ = thread.join();
    }
}

/// Starts a thread, and returns when it can turn.
fn spawn(
    name: String,
    shard: usize,
    events: &Sender<Event>,
    run: impl FnOnce(&Report) -> io::Result<()> + Send + 'static,
) -> Result<(Started, JoinHandle<()>), CannotStart> {
    let (report, started) = sync_channel(1);
    let events = events.clone();
    let thread = thread::Builder::new().name(name).spawn(move || {
        // A shard that panics must be heard of, or its clients would speak to nobody.
        let ended = catch_unwind(AssertUnwindSafe(|| run(&report)))
            .unwrap_or_else(|_| Err(io::Error::other("it panicked")));
        // Nobody listens any more if the relay has stopped.
        let _ = events.send(Event::ShardEnded { shard, ended });
    })?;
    let started = started.recv().map_err(|_| io::Error::other("a shard ended while it started"))??;
    Ok((started, thread))
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
    (meter, ferry): (Meter, Option<Ferry>),
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
    settle(shard, common);
    let mut engine = engine((shard, shards), common);
    if let Some(home) = common.home {
        engine.keep_to_shard(move |source| home.of(source));
    }
    match chosen.driver {
        AnyDriver::Uring(ring) => {
            let shard = (engine, *ring, buffers, common.clock);
            turn(shard, (meter, ferry), report, ("uring", chosen.fallback)).map(drop)
        }
        AnyDriver::Mmsg(mmsg) => {
            let shard = (engine, *mmsg, buffers, common.clock);
            turn(shard, (meter, ferry), report, ("mmsg", chosen.fallback)).map(drop)
        }
    }
}

/// The thread of the connections: one shard more, by another driver.
fn run_tcp(
    shards: usize,
    common: &Common,
    landing: Landing,
    meter: Meter,
    report: &Report,
) -> io::Result<()> {
    let (driver, ferry) = match landing.board(&backend::driver_config(BUFFERS)) {
        Ok(boarded) => boarded,
        Err(error) => {
            let _ = report.send(Err(error));
            return Ok(());
        }
    };
    settle(shards, common);
    // The shards sweep all groups. It sweeps those of the first once more, which changes nothing, and watches over nobody.
    let engine = engine((shards, shards), common);
    let shard = (engine, driver, BUFFERS, common.clock);
    turn(shard, (meter, Some(ferry)), report, ("tcp", None))?.part()
}

fn settle(shard: usize, common: &Common) {
    if let Err(error) = sandbox::settle(common.setup.sandbox) {
        // The main thread cannot give it up either, and says so once.
        tracing::debug!(shard, error, "the shard keeps privileges");
    }
}

fn engine(place: (usize, usize), common: &Common) -> Engine {
    Engine::new(
        place,
        common.shared.clone(),
        Arc::new(common.setup.settings.clone()),
        Arc::clone(&common.own),
        Entropy::new(fill_random),
        tick(common.clock.now()),
    )
}

/// Receive buffers of a shard: more where payloads may wait for company from the beginning.
fn buffers(setup: &Setup) -> usize {
    if setup.coalesces() { COALESCING_BUFFERS } else { BUFFERS }
}

fn turn<D: Driver>(
    (engine, driver, buffers, clock): (Engine, D, usize, Monotonic),
    (meter, ferry): (Meter, Option<Ferry>),
    report: &Report,
    (backend, fallback): (&'static str, Option<SetupError>),
) -> io::Result<D> {
    let inbox = Inbox::default();
    let postbox = inbox.postbox(driver.waker());
    let mut shard = Shard::new(engine, driver, buffers, clock, inbox, meter);
    if let Some(ferry) = ferry {
        shard = shard.with_ferry(ferry);
    }
    let (begin, begun) = sync_channel(1);
    let _ = report.send(Ok(Started { postbox, backend, fallback, begin }));
    // Nobody is answered by a part of a relay: names, for one, are had only when all is there.
    begun.recv().map_err(|_| io::Error::other("the relay does not start"))?;
    shard.run()
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
