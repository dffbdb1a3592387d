//! A run of people from beginning to end, and its report.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::crowd::{Crowd, Progress};
use super::drive::{News, Stage};
use super::lines::{Lines, status};
use super::outcome::Outcome;
use super::report::Report;
use super::verdict::judge;
use super::{Names, PeoplePlan};
use crate::crew::{CrewError, Facts, Opened, open};
use crate::observer::Observer;
use crate::plan::Plan;
use crate::report::{Machine, Setup};
use crate::session::{SessionError, Watch};
use crate::verdict::Objectives;

/// What a run needs.
pub struct Task {
    /// What to do.
    pub plan: PeoplePlan,
    /// The target as it was written.
    pub target: String,
    /// What must hold besides what always must.
    pub objectives: Objectives,
    /// The relay's own metrics.
    pub observer: Observer,
}

/// Who watches a run.
pub struct Watchers {
    /// What a person sees; None where standard output is for the report.
    pub lines: Option<Lines>,
    /// What a Prometheus sees.
    pub exporter: Option<Watch>,
    /// Set by a signal: end early.
    pub stop: Arc<AtomicBool>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The sockets cannot be had.
    #[error(transparent)]
    Crew(#[from] CrewError),
    /// The work was not done.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// Does what a task asks for.
///
/// # Errors
/// Why there is no report.
pub fn run(task: &Task, watchers: &mut Watchers) -> Result<Report, PeopleError> {
    let names = Names::random();
    let (prefix, end) = (names.prefix().to_owned(), AtomicBool::new(false));
    thread::scope(|scope| {
        let (news, heard) = channel();
        let (ready, opened) = channel();
        let (plan, end) = (&task.plan, &end);
        let work = move || stage(plan, names, end, &ready, news);
        let started = thread::Builder::new().name("people".into()).spawn_scoped(scope, work);
        started.map_err(|error| CrewError::Thread("started", error))?;
        let lost = || CrewError::Thread("set up", std::io::ErrorKind::BrokenPipe.into());
        let facts = opened.recv().map_err(|_| lost())??;
        facts.notes.iter().for_each(|note| eprintln!("loadgen: {note}"));
        let mut host = Host { task, watchers, end, began: Instant::now(), looked: None };
        let result = host.listen(&heard);
        // However it ended, the thread lets everybody leave.
        end.store(true, Ordering::Relaxed);
        result.map(|(outcome, started)| host.report(&facts, prefix, outcome, started))
    })
}

/// The thread: opens its sockets, says so, and works.
fn stage(
    plan: &PeoplePlan,
    names: Names,
    stop: &AtomicBool,
    ready: &Sender<Result<Facts, CrewError>>,
    news: Sender<News>,
) {
    let places = Plan { clients: plan.places(), ..plan.plan.clone() };
    let opened: Opened = match open(&places) {
        Ok(opened) => opened,
        // Whoever started this thread waits for it.
        Err(error) => return drop(ready.send(Err(error))),
    };
    if ready.send(Ok(opened.facts.clone())).is_ok() {
        let crowd = Crowd::new(plan, names);
        Stage { opened, crowd, plan: &plan.plan, stop, news }.run();
    }
}

/// Who listens to the thread.
struct Host<'a> {
    task: &'a Task,
    watchers: &'a mut Watchers,
    end: &'a AtomicBool,
    began: Instant,
    /// The relay's metrics before the measurement.
    looked: Option<crate::relay_view::Reading>,
}

impl Host<'_> {
    /// Waits for the outcome; with it comes when the measurement began.
    fn listen(&mut self, heard: &Receiver<News>) -> Result<(Outcome, String), PeopleError> {
        let mut started = String::new();
        loop {
            let failed = |reason: &str| SessionError::Failed(reason.to_owned()).into();
            match heard.recv_timeout(Duration::from_secs(15)) {
                Ok(News::Progress(progress)) => self.show(&progress)?,
                Ok(News::Ready(answer)) => {
                    self.looked = self.task.observer.look();
                    started = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
                    // A thread that is gone is heard of next.
                    let _ = answer.send(());
                }
                Ok(News::Outcome(outcome)) => return Ok((*outcome, started)),
                Ok(News::Failed(reason)) => return Err(SessionError::NotTaken(reason).into()),
                Err(RecvTimeoutError::Disconnected) if self.end.load(Ordering::Relaxed) => {
                    return Err(SessionError::Interrupted.into());
                }
                Err(RecvTimeoutError::Disconnected) => return Err(failed("the thread has ended by itself")),
                Err(RecvTimeoutError::Timeout) => return Err(failed("the thread tells nothing any more")),
            }
        }
    }

    fn show(&mut self, progress: &Progress) -> Result<(), SessionError> {
        if self.watchers.stop.load(Ordering::Relaxed) {
            self.end.store(true, Ordering::Relaxed);
        }
        let elapsed = self.began.elapsed();
        if let Some(lines) = &mut self.watchers.lines {
            lines.show(self.task, progress, elapsed).map_err(SessionError::View)?;
        }
        if let Some(exporter) = &mut self.watchers.exporter {
            exporter(&status(self.task, progress, elapsed));
        }
        Ok(())
    }

    fn report(&self, facts: &Facts, run: String, outcome: Outcome, started: String) -> Report {
        let task = self.task;
        let after = task.observer.look();
        let relay =
            task.observer.view(self.looked.as_ref(), after.as_ref(), outcome.duration + outcome.drain);
        let (relay, relay_missing) = match relay {
            Ok(relay) => (Some(relay), None),
            Err(reason) => (None, Some(reason)),
        };
        let judgement = judge(&task.plan, &task.objectives, &outcome);
        Report {
            target: task.target.clone(),
            run,
            plan: task.plan.clone(),
            setup: Setup {
                backend: facts.backends.join(","),
                sockets: facts.sockets.clone(),
                threads: facts.threads,
                workers: 0,
                started,
            },
            outcome,
            relay,
            relay_missing,
            objectives: judgement.objectives,
            verdict: judgement.verdict,
            reasons: judgement.reasons,
            machine: Machine::of_this(),
        }
    }
}
