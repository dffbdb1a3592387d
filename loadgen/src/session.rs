//! A run from beginning to end: everybody joins, measurements are made, everybody leaves.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wire::Reply;

use crate::crew::{Command, Crew, News};
use crate::lane::Measurement;
use crate::outcome::{Outcome, Phase, Progress};
use crate::plan::Plan;
use crate::view::{Status, View, Wish};

/// The view is shown, and wishes are heard, in this distance.
const SHOW: Duration = Duration::from_millis(250);

/// Workers begin a measurement together, so long after they were told.
const TOGETHER: Duration = Duration::from_millis(100);

/// An outcome that has not come so long after its time never comes.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often the target is asked for a sign of life, and how long each time.
const PROBES: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// Why a run ended without an outcome.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The target says that nobody is there.
    #[error(
        "nothing listens at {0} (connection refused): start the relay, or give its address with --target"
    )]
    Refused(SocketAddr),
    /// The target says nothing.
    #[error("no answer from {0} within {1} s: is the relay running, and is UDP let through?")]
    Silent(SocketAddr, f32),
    /// The target says something strange.
    #[error("what answers at {0} is no relay of this protocol")]
    NoRelay(SocketAddr),
    /// The target cannot be asked.
    #[error("there is no way from this machine to {0}: {1}")]
    NoRoute(SocketAddr, std::io::Error),
    /// The relay does not take the clients.
    #[error("{0}")]
    NotTaken(String),
    /// The crew cannot go on.
    #[error("{0}")]
    Failed(String),
    /// The terminal or the pipe cannot be written to.
    #[error("cannot show progress: {0}")]
    View(std::io::Error),
    /// Ended by the user before anything was measured.
    #[error("ended before the measurement began: nothing was measured")]
    Interrupted,
}

/// Asks the target for a sign of life: any reply of the protocol.
///
/// # Errors
/// What keeps it from being one.
pub fn probe(target: SocketAddr) -> Result<(), SessionError> {
    let any: SocketAddr = if target.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let no_route = |error| SessionError::NoRoute(target, error);
    let socket = UdpSocket::bind(any).map_err(no_route)?;
    socket.connect(target).map_err(no_route)?;
    let mut buffer = [0; wire::MAX_DATAGRAM];
    for wait in PROBES {
        socket.set_read_timeout(Some(wait)).map_err(no_route)?;
        let answer = socket.send(b"!PING").and_then(|_| socket.recv(&mut buffer));
        match answer {
            Ok(len) if Reply::parse(&buffer[..len]).is_some() => return Ok(()),
            Ok(_) => return Err(SessionError::NoRelay(target)),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                return Err(SessionError::Refused(target));
            }
            Err(_) => {}
        }
    }
    let all: Duration = PROBES.iter().sum();
    Err(SessionError::Silent(target, all.as_secs_f32()))
}

/// Somebody who is shown the state of a run.
pub type Watch = Box<dyn FnMut(&Status)>;

/// Who watches a run.
pub struct Watchers {
    /// What a person sees.
    pub view: Box<dyn View>,
    /// What a Prometheus sees.
    pub exporter: Option<Watch>,
    /// Set by a signal: end early.
    pub stop: Arc<AtomicBool>,
}

/// A run under way. Dropped, it lets everybody leave first.
pub struct Session<'a> {
    crew: Crew,
    target: String,
    plan: Plan,
    load: String,
    watchers: &'a mut Watchers,
    started: Instant,
    phase: Phase,
    phase_began: Instant,
    phase_planned: Option<Duration>,
    has_measured: bool,
}

impl<'a> Session<'a> {
    /// A run of a crew that has begun to join.
    pub fn new(crew: Crew, target: &str, plan: &Plan, watchers: &'a mut Watchers) -> Self {
        let now = Instant::now();
        Session {
            crew,
            target: target.to_owned(),
            plan: plan.clone(),
            load: plan.load.to_string(),
            watchers,
            started: now,
            phase: Phase::Joining,
            phase_began: now,
            phase_planned: Some(plan.ramp),
            has_measured: false,
        }
    }

    /// Waits until everybody has joined.
    ///
    /// # Errors
    /// Why that cannot be.
    pub fn join(&mut self) -> Result<(), SessionError> {
        loop {
            match self.crew.hear(SHOW) {
                News::Progress(progress) => {
                    if self.show(&progress)? == Wish::Stop {
                        return Err(SessionError::Interrupted);
                    }
                    if progress.phase >= Phase::Ready {
                        return Ok(());
                    }
                }
                News::Failed(reason) => return Err(SessionError::Failed(reason)),
                News::Refused(reason) => return Err(SessionError::NotTaken(reason)),
                News::Outcome(_) | News::Left => {}
            }
        }
    }

    /// Makes a measurement. The user's wish to end makes it shorter.
    ///
    /// # Errors
    /// Why there is no outcome; also if the wish came before anything was measured, in this measurement or another.
    pub fn measure(&mut self, measurement: Measurement) -> Result<Outcome, SessionError> {
        self.load = measurement.load.to_string();
        self.tell(Command::Measure(measurement, TOGETHER))?;
        let mut deadline = Instant::now() + measurement.warm_up + measurement.duration + PATIENCE;
        let mut stopped = false;
        loop {
            match self.crew.hear(SHOW) {
                News::Progress(progress) => {
                    if self.show(&progress)? == Wish::Stop && !stopped {
                        stopped = true;
                        deadline = Instant::now() + PATIENCE;
                        self.tell(Command::Stop)?;
                    }
                    self.phase_planned = planned(progress.phase, &measurement);
                }
                News::Outcome(outcome) => return self.measured(*outcome),
                News::Failed(reason) => return Err(SessionError::Failed(reason)),
                News::Refused(reason) => return Err(SessionError::NotTaken(reason)),
                News::Left => {}
            }
            if Instant::now() > deadline {
                return Err(SessionError::Failed("the measurement does not come to its end".into()));
            }
        }
    }

    fn measured(&mut self, outcome: Outcome) -> Result<Outcome, SessionError> {
        let is_nothing = outcome.interrupted && outcome.duration.is_zero();
        if is_nothing && !self.has_measured {
            return Err(SessionError::Interrupted);
        }
        self.has_measured = true;
        Ok(outcome)
    }

    /// Lets everybody leave.
    pub fn leave(&mut self) {
        self.crew.leave();
    }

    /// How the crew works.
    pub fn facts(&self) -> &crate::crew::Facts {
        self.crew.facts()
    }

    fn tell(&mut self, command: Command) -> Result<(), SessionError> {
        self.crew.tell(command).map_err(|error| SessionError::Failed(format!("a worker is gone: {error}")))
    }

    fn show(&mut self, progress: &Progress) -> Result<Wish, SessionError> {
        if progress.phase != self.phase {
            (self.phase, self.phase_began) = (progress.phase, Instant::now());
        }
        let status = Status {
            target: self.target.clone(),
            clients: self.plan.clients.into(),
            groups: self.plan.groups.into(),
            elapsed: self.started.elapsed(),
            phase_elapsed: self.phase_began.elapsed(),
            phase_planned: self.phase_planned,
            load: self.load.clone(),
            progress: progress.clone(),
        };
        if let Some(exporter) = &mut self.watchers.exporter {
            exporter(&status);
        }
        let wish = self.watchers.view.show(&status).map_err(SessionError::View)?;
        Ok(if self.watchers.stop.load(Ordering::Relaxed) { Wish::Stop } else { wish })
    }
}

fn planned(phase: Phase, measurement: &Measurement) -> Option<Duration> {
    match phase {
        Phase::WarmUp => Some(measurement.warm_up),
        Phase::Measuring => Some(measurement.duration),
        _ => None,
    }
}
