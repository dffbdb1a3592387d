//! The relay as a whole: binds, starts the shards, listens to signals, reloads, stops.

use std::io;
use std::mem;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};

use engine::{Groups, Shared};
use net::tcp::Listener;
use net::{BindError, BindErrorKind, Binding, Home, SocketGauge, SocketOptions, Steering, Waker};
use signal_hook::consts::SIGHUP;
use signal_hook::low_level::signal_name;

use crate::activation::{self, Passed};
use crate::alarm::Alarm;
use crate::clock::{Clock, Monotonic, tick};
use crate::config::{self, Loaded, SandboxMode};
use crate::crew::{self, CannotStart, Common, Crew};
use crate::failure::Failure;
use crate::http;
use crate::inbox::News;
use crate::limits::{MIN_DESCRIPTORS, PORT_CHOICES};
use crate::listener;
use crate::mailroom::{Mailroom, Where};
use crate::meter::Meter;
use crate::metrics::{Exporter, Sockets, Sources};
use crate::own::own_addresses;
use crate::port;
use crate::pulse::Pulse;
use crate::sandbox::{self, Confinement, Files, Sandbox};
use crate::signals::Attention;
use crate::status::{About, Status};
use crate::supervisor::Supervisor;
use crate::tcp::{self, Landing};

/// What the relay's main thread reacts to.
#[derive(Debug)]
pub enum Event {
    /// A signal was received.
    Signal(i32),
    /// A shard has ended, asked or not.
    ShardEnded {
        /// Which.
        shard: usize,
        /// What made its driver unusable, if that ended it.
        ended: io::Result<()>,
    },
}

impl Event {
    /// A shard's failure, if it is one.
    fn failure(self) -> Option<Failure> {
        match self {
            Self::ShardEnded { shard, ended: Err(error) } => {
                Some(Failure::Shard { shard, reason: error.to_string() })
            }
            _ => None,
        }
    }
}

/// Serves until a signal says stop.
///
/// # Errors
/// What kept it from serving, or ended it.
pub fn run(loaded: Loaded) -> Result<(), Failure> {
    // First of all, before descriptors of the relay's own have numbers that may have been meant.
    let passed = activation::take()?;
    let signals = Attention::pay()?;
    let (sender, events) = channel();
    let mut relay = Relay::start(&loaded, passed, signals, &sender)?;
    let ended = relay.watch(loaded, &events);
    relay.stop();
    // A shard may still fail while it sends the last of what it took.
    ended.and_then(|()| events.try_iter().find_map(Event::failure).map_or(Ok(()), Err))
}

/// A relay that serves.
struct Relay {
    crew: Crew,
    common: Common,
    /// Where it serves.
    addresses: Vec<SocketAddr>,
    mailroom: Mailroom,
    ready: Arc<AtomicBool>,
    status: Option<Arc<Status>>,
    supervisor: Supervisor,
    alarm: Alarm,
}

impl Relay {
    fn start(
        loaded: &Loaded,
        mut passed: Passed,
        signals: Attention,
        events: &Sender<Event>,
    ) -> Result<Self, Failure> {
        let setup = &loaded.setup;
        let clock = Monotonic::start();
        // Sockets are many with many shards. What is not granted shows when it lacks.
        let descriptors = net::raise_descriptor_limit().map_or(MIN_DESCRIPTORS, |(_, limit)| limit);
        let cpus = net::available_cpus()?;
        let options = options(loaded);
        let passed_metrics = passed.metrics.take();
        let Bound { mut binding, listeners, untaken, is_passed } = bind(loaded, passed, options)?;
        let metrics = listener::listen(loaded, passed_metrics)?;
        // What bound these takes privileges and a look at other processes; no thread runs yet.
        let own = Arc::new(own_addresses(&binding.addresses));
        // These draw random numbers, whose source a static build opens as a file, once.
        let (mailroom, shared) = share(&clock);
        let (place, mut sandbox) = enter_sandbox(loaded, metrics.as_ref(), &listeners)?;
        let sockets = mem::take(&mut binding.shards);
        let shards = sockets.len();
        let threads = shards + usize::from(!listeners.is_empty());
        let landing = Landing::new(setup, listeners, &sockets, descriptors)?;
        shared.groups.declare(&setup.groups, tick(clock.now()));
        let home = home(&binding, is_passed);
        let common = Common { setup: Arc::new(setup.clone()), shared, own, home, clock, cpus };
        let ready = Arc::new(AtomicBool::new(false));
        let meters: Vec<Meter> = (0..threads).map(|_| Meter::default()).collect();
        let gauges = gauges(&sockets, threads);
        let crew = Crew::start(&common, sockets, landing, &meters, events);
        let crew = crew.map_err(|cannot| cannot_start(loaded, cannot))?;
        sandbox.settle();
        open(loaded, &mailroom, &place, crew.wakers(), &mut sandbox)?;
        let metrics_at = metrics.as_ref().and_then(|listener| listener.local_addr().ok());
        let confinement = Arc::new(OnceLock::new());
        signals.turn_into(events.clone(), Arc::clone(&confinement))?;
        let (mut status, pulse) = (None, Pulse::of(threads));
        if let (Some(listener), Some(bound)) = (metrics, metrics_at) {
            let sources = Arc::new(Sources {
                meters,
                has_tcp: crew.has_tcp(),
                sockets: Sockets::new(gauges),
                shared: common.shared.clone(),
                ceilings: setup.settings.ceilings,
                mailroom: mailroom.clone(),
                mail: setup.mail,
                ready: Arc::clone(&ready),
                pulse: pulse.clone(),
                backend: crew.backend(),
                fallback: crew.fallback.as_ref().map(ToString::to_string),
                confinement: Arc::clone(&confinement),
            });
            let about = about(&binding, options, bound, &crew);
            let page = Arc::new(Status::new(Arc::clone(&sources), about, clock, loaded));
            let exporter = Arc::new(Exporter::new(sources));
            let health = (Arc::clone(&ready), pulse.clone());
            http::serve(listener, exporter, Arc::clone(&page), Arc::clone(&confinement), health)?;
            status = Some(page);
        }
        let sealed = seal(loaded, sandbox, &crew)?;
        let confinement = confinement.get_or_init(|| sealed);
        // Only now, so that a relay that does not start says why in one line.
        warn_of_binding(&binding, options, untaken.as_ref());
        let _ = is_passed.then(|| activation::warn(loaded, shards, &binding.addresses));
        listener::warn(loaded, metrics_at);
        let supervisor = Supervisor::of_this_process(pulse);
        let mut relay = Self {
            crew,
            common,
            addresses: binding.addresses,
            mailroom,
            ready,
            status,
            supervisor,
            alarm: Alarm::default(),
        };
        relay.crew.begin();
        relay.announce(shards, metrics_at, confinement);
        Ok(relay)
    }

    fn announce(&mut self, shards: usize, metrics: Option<SocketAddr>, confinement: &Confinement) {
        if let Some(reason) = &self.crew.fallback {
            tracing::warn!(%reason, "io_uring is not available, so the mmsg backend serves; {}", reason.advice());
        }
        if confinement.state() == "partial" {
            let lacks = confinement.lacks.join("; ");
            tracing::warn!(%lacks, "the relay is not confined as it should be; see relay doctor");
        }
        self.ready.store(true, Ordering::Relaxed);
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        let metrics = metrics.map_or("off".to_owned(), |address| format!("http://{address}/metrics"));
        tracing::info!(
            address = addresses.join(","),
            shards,
            tcp = if self.crew.has_tcp() { "on" } else { "off" },
            backend = self.crew.backend(),
            metrics,
            sandbox = confinement.state(),
            "the relay serves"
        );
        self.supervisor.ready(&self.crew, &summary(&self.common.shared.groups));
    }

    /// Reacts to events until one says stop.
    fn watch(&mut self, mut loaded: Loaded, events: &Receiver<Event>) -> Result<(), Failure> {
        let is_reload = |event: &Event| matches!(event, Event::Signal(SIGHUP));
        loop {
            self.alarm.look(&self.common.shared.admission);
            self.supervisor.look(&self.crew, || summary(&self.common.shared.groups));
            let event = match events.recv_timeout(self.supervisor.patience()) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            // One reload serves for all that wait, and every other event, which ends the relay, overtakes it.
            let overtaking =
                if is_reload(&event) { events.try_iter().find(|other| !is_reload(other)) } else { None };
            match overtaking.unwrap_or(event) {
                Event::Signal(SIGHUP) => self.reload(&mut loaded),
                Event::Signal(signal) => {
                    let signal = signal_name(signal).unwrap_or("unknown");
                    tracing::info!(signal, "the relay stops; a second signal ends it at once");
                    return Ok(());
                }
                Event::ShardEnded { shard, ended } => {
                    let reason = ended.err().map_or("unasked".to_owned(), |error| error.to_string());
                    return Err(Failure::Shard { shard, reason });
                }
            }
        }
    }

    /// Reads the configuration anew; keeps the old one if the new one is not valid.
    fn reload(&mut self, running: &mut Loaded) {
        self.supervisor.reloading();
        match config::reload(running) {
            Ok(new) => {
                for change in &new.pending {
                    tracing::warn!("{change}");
                }
                for doubt in &new.doubts {
                    tracing::warn!("{doubt}");
                }
                *running = new.loaded;
                let setup = &running.setup;
                self.common.shared.groups.declare(&setup.groups, tick(self.common.clock.now()));
                if let Some(status) = &self.status {
                    status.configure(running);
                }
                let settings = Some(Arc::new(setup.settings.clone()));
                self.crew.post(&News { settings, ..News::default() });
                tracing::info!(groups = setup.groups.len(), "the configuration was reloaded");
            }
            Err(problem) => tracing::error!("{problem}; the old configuration stays"),
        }
        self.supervisor.reloaded();
    }

    /// Not ready any more, then every shard sends what it has and ends.
    fn stop(mut self) {
        self.ready.store(false, Ordering::Relaxed);
        self.supervisor.stopping();
        self.crew.stop();
        self.mailroom.close();
    }
}

/// What the status page tells of the relay that never changes.
fn about(binding: &Binding, asked: SocketOptions, bound: SocketAddr, crew: &Crew) -> About {
    About {
        addresses: binding.addresses.clone(),
        bound,
        receive_buffer: (binding.receive_buffer, asked.receive_buffer),
        send_buffer: (binding.send_buffer, asked.send_buffer),
        remedy: crew.fallback.as_ref().map(net::SetupError::advice),
    }
}

/// What is asked of each socket.
fn options(loaded: &Loaded) -> SocketOptions {
    SocketOptions {
        receive_buffer: loaded.setup.receive_buffer,
        send_buffer: loaded.setup.send_buffer,
        report_queue_drops: true,
        ..SocketOptions::default()
    }
}

/// Gives up what this thread, and what it starts, does not need; before, it makes the place where names and mail are kept.
fn enter_sandbox(
    loaded: &Loaded,
    metrics: Option<&TcpListener>,
    listeners: &[Listener],
) -> Result<(Where, Sandbox), Failure> {
    let place = Where::of(&loaded.setup.data_dir);
    place.prepare().map_err(|error| cannot_keep(loaded, error))?;
    let files = Files { read: loaded.files().collect(), written: place.directory.as_deref() };
    let held = metrics.iter().map(AsFd::as_fd).chain(listeners.iter().map(AsFd::as_fd));
    let sandbox = Sandbox::enter(loaded.setup.sandbox, files, held);
    Ok((place, sandbox))
}

/// Of each socket of each thread; that of the connections has none of its own.
fn gauges(sockets: &[Vec<net::Socket>], threads: usize) -> Vec<Vec<SocketGauge>> {
    let of = |at| sockets.get(at).into_iter().flatten().map(net::Socket::gauge).collect();
    (0..threads).map(of).collect()
}

fn cannot_keep(loaded: &Loaded, error: store::Error) -> Failure {
    Failure::Store { place: loaded.place("data-dir"), error }
}

fn cannot_start(loaded: &Loaded, cannot: CannotStart) -> Failure {
    match cannot {
        CannotStart::Backend(error) => Failure::Backend { place: loaded.place("backend"), error },
        CannotStart::Thread(error) => Failure::System { error },
    }
}

/// Where the relay can be reached.
struct Bound {
    binding: Binding,
    listeners: Vec<Listener>,
    /// Why no connections are taken, if they should be.
    untaken: Option<BindError>,
    /// A service manager has passed the sockets.
    is_passed: bool,
}

/// The sockets and the listeners.
fn bind(loaded: &Loaded, passed: Passed, options: SocketOptions) -> Result<Bound, Failure> {
    let of = |binding, listeners, untaken, is_passed| Bound { binding, listeners, untaken, is_passed };
    if let Some(bound) = passed.bind(loaded.setup.tcp, options) {
        let (binding, listeners) = bound?;
        return Ok(of(binding, listeners, None, true));
    }
    let setup = &loaded.setup;
    let addresses: Vec<_> = setup.hosts.iter().map(|host| (*host, setup.port).into()).collect();
    // A port that is free for datagrams may be taken for connections; if any will do, there is another one.
    let mut choices = if setup.port == 0 { PORT_CHOICES } else { 1 };
    loop {
        choices -= 1;
        let bound = port::bind(&addresses, setup.shards.here(), options);
        let binding = bound.map_err(|error| cannot_bind(loaded, error))?;
        match tcp::listen(setup, &binding.addresses) {
            Ok(listeners) => return Ok(of(binding, listeners, None, false)),
            Err(error) if choices > 0 && error.kind == BindErrorKind::InUse => {}
            Err(error) => return Ok(of(binding, Vec::new(), Some(tcp::give_up(loaded, error)?), false)),
        }
    }
}

/// What all shards share, and where it keeps what must survive.
fn share(clock: &Monotonic) -> (Mailroom, Shared) {
    let mailroom = Mailroom::new();
    let shared = Shared {
        everybody: Arc::new(mailroom.people()),
        ..Shared::new(Arc::new(Groups::new()), crew::admission(clock))
    };
    (mailroom, shared)
}

/// Starts the thread that keeps what must survive, with descriptors of its own if files are confined.
fn open(
    loaded: &Loaded,
    mailroom: &Mailroom,
    place: &Where,
    wakers: Vec<Waker>,
    sandbox: &mut Sandbox,
) -> Result<(), Failure> {
    let (kept, is_apart) = (wakers.clone(), sandbox.sets_store_apart());
    let (tell, told) = channel();
    let begin = move || {
        let _ = is_apart.then(|| tell.send(net::own_descriptors(kept.iter().map(AsFd::as_fd))));
    };
    mailroom.start(place, loaded.setup.mail, wakers, begin).map_err(|error| cannot_keep(loaded, error))?;
    told.into_iter().for_each(|apart| sandbox.note_store(apart));
    Ok(())
}

/// The last step, which the shards are told of; an error if all was to be given up and was not.
fn seal(loaded: &Loaded, sandbox: Sandbox, crew: &Crew) -> Result<Confinement, Failure> {
    let confinement = sandbox.seal();
    if loaded.setup.sandbox == SandboxMode::Require && !confinement.lacks.is_empty() {
        return Err(Failure::Sandbox { place: loaded.place("sandbox"), lacks: confinement.lacks.join("; ") });
    }
    if confinement.system_calls
        && let Err(error) = sandbox::give_up_writing()
    {
        tracing::warn!(error, "the main thread keeps the system calls that write files");
    }
    crew.post(&News { sealed: confinement.system_calls, ..News::default() });
    Ok(confinement)
}

/// How it is, in one line of `systemctl status`.
fn summary(groups: &Groups) -> String {
    format!("serves {} clients and {} groups", groups.clients(), groups.count())
}

fn cannot_bind(loaded: &Loaded, error: BindError) -> Failure {
    let is_host = matches!(error.kind, BindErrorKind::NotAvailable | BindErrorKind::Many);
    let option = if is_host { "host" } else { "port" };
    Failure::Bind { place: loaded.place(option), error }
}

/// Where clients are steered to, if that is known: whoever passed sockets has bound them in an order of its own.
fn home(binding: &Binding, is_passed: bool) -> Option<Home> {
    match binding.steering {
        Steering::BySource(home) if !is_passed => Some(home),
        _ => None,
    }
}

/// Says what the kernel did not grant.
fn warn_of_binding(binding: &Binding, asked: SocketOptions, untaken: Option<&BindError>) {
    untaken.into_iter().for_each(tcp::warn);
    let buffers = [
        ("receive", "rmem", binding.receive_buffer, asked.receive_buffer),
        ("send", "wmem", binding.send_buffer, asked.send_buffer),
    ];
    for (what, limit, granted, asked) in buffers {
        if granted < asked.min(net::MAX_BUFFER) {
            tracing::warn!(
                granted,
                asked,
                "the {what} buffer is smaller than asked; run: sysctl -w net.core.{limit}_max={asked}"
            );
        }
    }
    if let Steering::ByKernel(error) = &binding.steering {
        tracing::warn!(%error, "clients are spread by the kernel's own hash: one that speaks to two addresses of the relay may count twice");
    }
}
