//! The threads of this process.

use std::io;
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use net::{Driver, DriverConfig, Epoll, Mmsg, SetupFailure, Socket, SocketGauge, Uring, Waker};

use super::address::{AddressError, Addresses, Book};
use super::thread::Worker;
use super::{Command, Crew, Facts, Member, News};
use crate::capacity::Cores;
use crate::lane::{Lane, clients_of};
use crate::machine::{Neighbour, cores_of};
use crate::plan::{Backend, Load, Plan, Share};

/// Deliveries per second that one thread takes in with room to spare: a fifth of what one core can receive, see
/// `docs/performance.md`.
const DELIVERIES: f64 = 100_000.0;

/// Timers fire this exactly; the kernel's default of 50 us would be felt in the pacing.
const TIMER_SLACK: Duration = Duration::from_micros(1);

/// The longest datagram of a relay is 4096 bytes; one more, so that a longer one is not taken for whole.
const MAX_DATAGRAM: u16 = 4097;

/// What the kernel may coalesce at most.
const MAX_COALESCED: u16 = 65_507;

/// Why a crew cannot work.
#[derive(Debug, thiserror::Error)]
pub enum CrewError {
    /// The clients cannot have addresses.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A socket cannot be had.
    #[error("{0}{1}")]
    Bind(net::BindError, &'static str),
    /// A driver cannot be set up.
    #[error("the backend cannot be used: {0}; {advice}", advice = .0.advice())]
    Driver(net::SetupError),
    /// A thread cannot be started.
    #[error("a thread cannot be {0}: {1}")]
    Thread(&'static str, io::Error),
    /// A thread cannot be pinned.
    #[error("processor {0} cannot be used ({1}): --cpus takes those that this process may run on")]
    Pin(usize, io::Error),
    /// A worker cannot do its part.
    #[error("worker {0}: {1}")]
    Worker(String, String),
    /// Workers do whole groups.
    #[error(
        "{workers} workers for {groups} groups: each needs a group, so give more --groups or fewer --workers"
    )]
    FewGroups {
        /// Groups of the plan.
        groups: u32,
        /// Workers.
        workers: usize,
    },
}

/// A thread, as seen from the others.
struct Hand {
    commands: Sender<Command>,
    waker: Waker,
    number: usize,
}

impl Member for Hand {
    fn tell(&mut self, command: Command) -> io::Result<()> {
        self.commands.send(command).map_err(|_| io::ErrorKind::BrokenPipe)?;
        self.waker.wake();
        Ok(())
    }

    fn name(&self) -> String {
        format!("thread {}", self.number)
    }
}

/// What a thread says when its driver is ready.
type Ready = Result<(Waker, &'static str, Option<String>), CrewError>;

impl Crew {
    /// Threads of this process for a share of a plan; their clients begin to join.
    ///
    /// # Errors
    /// Why one of them cannot work.
    pub fn local(plan: &Plan, share: &Share) -> Result<Crew, CrewError> {
        let addresses = Addresses::of(plan)?;
        // Too low a limit shows where the sockets are opened, with its remedy.
        let _ = net::raise_descriptor_limit();
        let cpus = cpus(plan);
        let shares = Plan::split(share, threads(plan, share));
        let (sender, news) = channel();
        // If one cannot be had, those before it leave.
        let mut crew = Crew::new(news, Facts { sockets: addresses.name().into(), ..Facts::default() });
        for (number, share) in shares.iter().enumerate() {
            let cpu = if cpus.is_empty() { None } else { Some(cpus[number % cpus.len()]) };
            let start = Start { plan: plan.clone(), share: share.clone(), addresses, cpu, number };
            let (commands, waker, backend, note) = start.spawn(sender.clone())?;
            crew.add(Box::new(Hand { commands, waker, number }));
            crew.facts.join(cpu, backend, note);
        }
        crew.facts.cores = cores(plan, &crew.facts.cpus);
        Ok(crew)
    }
}

/// The sockets of so many clients, on the driver of the thread that has asked for them.
pub struct Opened {
    /// How datagrams travel.
    pub driver: Box<dyn Driver>,
    /// Whose each is.
    pub book: Book,
    /// The sockets' queues.
    pub gauges: Vec<SocketGauge>,
    /// The processor that the thread is pinned to.
    pub cpu: Option<usize>,
    /// How it works.
    pub facts: Facts,
}

/// Opens the sockets of all clients of a plan for this thread, which is pinned as the first of a crew is.
///
/// # Errors
/// Why they cannot be had.
pub fn open(plan: &Plan) -> Result<Opened, CrewError> {
    let addresses = Addresses::of(plan)?;
    // Too low a limit shows where the sockets are opened, with its remedy.
    let _ = net::raise_descriptor_limit();
    let (cpu, clients) = (cpus(plan).first().copied(), 0..plan.clients);
    let start = Start { plan: plan.clone(), share: plan.whole(), addresses, cpu, number: 0 };
    let sockets = start.sockets(&clients)?;
    let gauges = sockets.iter().map(Socket::gauge).collect();
    let Chosen { driver, name, note } = start.driver(sockets)?;
    let mut facts = Facts { sockets: addresses.name().into(), ..Facts::default() };
    facts.join(cpu, name, note);
    Ok(Opened { driver, book: addresses.book(&clients), gauges, cpu, facts })
}

/// Where the relay and these threads run.
fn cores(plan: &Plan, own: &[usize]) -> Cores {
    let (same_machine, relay) = match cores_of(plan.target) {
        Neighbour::Elsewhere => (Some(false), None),
        Neighbour::Here { cpus, .. } => (Some(true), Some(cpus)),
        Neighbour::HereUnknown => (Some(true), None),
    };
    Cores { same_machine, generator: Some(own.to_vec()), relay }
}

impl Facts {
    fn join(&mut self, cpu: Option<usize>, backend: &str, note: Option<String>) {
        self.threads += 1;
        self.cpus.extend(cpu);
        if !self.backends.iter().any(|known| known == backend) {
            self.backends.push(backend.to_owned());
        }
        self.notes.extend(note.filter(|note| !self.notes.contains(note)));
    }
}

/// As many threads as the load needs and the machine has, and no more than there are groups. Beside a relay on the
/// same machine, half of it.
fn threads(plan: &Plan, share: &Share) -> u32 {
    if let Some(threads) = plan.threads {
        return threads;
    }
    let all = if plan.cpus.is_empty() { net::parallelism() } else { plan.cpus.len() };
    let is_local = net::local_addresses().is_ok_and(|local| local.contains(&plan.target.ip()))
        || plan.target.ip().is_loopback();
    let free = if is_local && plan.cpus.is_empty() { (all / 2).max(1) } else { all };
    let part = share.groups.len() as f64 / f64::from(plan.groups);
    let needed = match plan.load {
        Load::Open { .. } => (plan.deliveries_per_second() * part / DELIVERIES).ceil() as usize,
        Load::InFlight(_) => free,
    };
    needed.clamp(1, free) as u32
}

/// The processors to pin threads to: those asked for, or the last ones, because whoever does not choose is more often
/// found on the first.
fn cpus(plan: &Plan) -> Vec<usize> {
    if !plan.cpus.is_empty() {
        return plan.cpus.clone();
    }
    let mut cpus = net::available_cpus().unwrap_or_default();
    cpus.reverse();
    cpus
}

/// What a thread begins with.
struct Start {
    plan: Plan,
    share: Share,
    addresses: Addresses,
    cpu: Option<usize>,
    number: usize,
}

type Spawned = (Sender<Command>, Waker, &'static str, Option<String>);

impl Start {
    fn spawn(self, news: Sender<(usize, News)>) -> Result<Spawned, CrewError> {
        let (commands, receiver) = channel();
        let (ready, answer) = channel();
        thread::Builder::new()
            .name(format!("lane-{}", self.number))
            .spawn(move || self.begin(receiver, news, &ready))
            .map_err(|error| CrewError::Thread("started", error))?;
        let lost = || CrewError::Thread("set up", io::ErrorKind::BrokenPipe.into());
        let (waker, backend, note) = answer.recv().map_err(|_| lost())??;
        Ok((commands, waker, backend, note))
    }

    fn begin(self, commands: Receiver<Command>, news: Sender<(usize, News)>, ready: &Sender<Ready>) {
        let clients = clients_of(&self.plan, &self.share);
        let chosen = self.sockets(&clients).and_then(|sockets| {
            let gauges = sockets.iter().map(Socket::gauge).collect();
            Ok((gauges, self.driver(sockets)?))
        });
        let (gauges, chosen) = match chosen {
            Ok(chosen) => chosen,
            // Whoever started this thread waits for it.
            Err(error) => return drop(ready.send(Err(error))),
        };
        let Chosen { driver, name, note } = chosen;
        let lane = Lane::new(&self.plan, &self.share);
        if ready.send(Ok((driver.waker(), name, note))).is_ok() {
            let book = self.addresses.book(&clients);
            let Start { plan, cpu, number, .. } = self;
            Worker { driver, lane, book, plan, cpu, gauges, commands, news, number }.run();
        }
    }

    fn sockets(&self, clients: &Range<u32>) -> Result<Vec<Socket>, CrewError> {
        if let Some(cpu) = self.cpu {
            net::pin_current_thread(cpu).map_err(|error| CrewError::Pin(cpu, error))?;
        }
        // Without it the pacing is less exact, and the report shows how exact it was.
        let _ = net::set_timer_slack(TIMER_SLACK);
        self.addresses.sockets(&self.plan, clients).map_err(|error| {
            let remedy = remedy(&error);
            CrewError::Bind(error, remedy)
        })
    }

    fn driver(&self, sockets: Vec<Socket>) -> Result<Chosen, CrewError> {
        let config = DriverConfig {
            buffers: 1024,
            max_datagram: if self.plan.gro { MAX_COALESCED } else { MAX_DATAGRAM },
            ..DriverConfig::default()
        };
        let refused = |failure: SetupFailure| CrewError::Driver(failure.error);
        if matches!(self.addresses, Addresses::Ports(_)) {
            let driver = Epoll::new(sockets, &config).map_err(refused)?;
            return Ok(Chosen { driver: Box::new(driver), name: "epoll", note: None });
        }
        let (sockets, note) = match self.plan.backend {
            Backend::Mmsg => (sockets, None),
            wanted => match Uring::new(sockets, &config) {
                Ok(driver) => return Ok(Chosen { driver: Box::new(driver), name: "uring", note: None }),
                Err(failure) if wanted == Backend::Uring => return Err(refused(failure)),
                Err(SetupFailure { error, sockets }) => {
                    (sockets, Some(format!("io_uring is not used: {error}; {}", error.advice())))
                }
            },
        };
        let driver = Mmsg::new(sockets, &config).map_err(refused)?;
        Ok(Chosen { driver: Box::new(driver), name: "mmsg", note })
    }
}

/// A driver, its name, and what its owner should know.
struct Chosen {
    driver: Box<dyn Driver>,
    name: &'static str,
    note: Option<String>,
}

fn remedy(error: &net::BindError) -> &'static str {
    match error.kind {
        net::BindErrorKind::Descriptors => "; use --sockets shared, fewer clients, or raise ulimit -Hn",
        net::BindErrorKind::Ports => "; use --sockets shared, fewer clients, or more workers",
        _ => "",
    }
}
