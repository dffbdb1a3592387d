//! Those who do the work: the threads of this process, or the processes of other machines.
//!
//! **A [`Crew`] is told a [`Command`] and tells [`News`]; whether its members are threads or workers makes no
//! difference.**

pub mod address;
mod local;
pub mod messages;
mod remote;
#[cfg(test)]
mod tests;
mod thread;

pub use local::{CrewError, Opened, open};

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::capacity::Cores;
use crate::lane::Measurement;
use crate::outcome::{Outcome, Phase, Progress};

/// A member that tells nothing for so long is gone: threads tell their progress ten times a second.
const SILENCE: Duration = Duration::from_secs(15);

/// The own thread was held up if a wait takes so much longer than it should, or if nobody listened for so long. It then
/// cannot say how long others were silent.
const ABSENCE: Duration = Duration::from_secs(1);

/// How long everybody may take to leave; threads take two seconds at most.
const FAREWELL: Duration = Duration::from_secs(4);

/// What a crew is told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Measure, after this wait, which lets all members begin together.
    Measure(Measurement, Duration),
    /// End a measurement now; its outcome follows.
    Stop,
    /// Let every client leave, and end.
    Leave,
}

/// What a crew, or a member of it, tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// How far it is; a few times a second.
    Progress(Box<Progress>),
    /// A measurement has ended, and this was seen.
    Outcome(Box<Outcome>),
    /// The relay does not take its clients: a sentence that says why.
    Refused(String),
    /// It cannot go on: a sentence that says why.
    Failed(String),
    /// Every client has left; nothing more comes. After a failure, too.
    Left,
}

/// How a crew works.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The names of the drivers, each once.
    pub backends: Vec<String>,
    /// `shared` or `per_client`.
    pub sockets: String,
    /// Threads.
    pub threads: u32,
    /// The processors that they are pinned to; empty if they are not.
    pub cpus: Vec<usize>,
    /// Where it and the relay run, as far as that can be seen.
    pub cores: Cores,
    /// What its owner should know, such as why io_uring is not used.
    pub notes: Vec<String>,
}

/// One who does a part of the work.
pub trait Member: Send {
    /// Tells it what to do.
    ///
    /// # Errors
    /// It cannot be reached any more.
    fn tell(&mut self, command: Command) -> io::Result<()>;

    /// What a person calls it.
    fn name(&self) -> String;
}

/// A member, and what is known of it.
struct Seat {
    member: Box<dyn Member>,
    progress: Progress,
    /// When it told something last.
    heard: Instant,
    has_left: bool,
}

/// All who do the work. Dropped, it lets everybody leave first, which takes a few seconds at most.
pub struct Crew {
    seats: Vec<Seat>,
    news: Receiver<(usize, News)>,
    facts: Facts,
    outcomes: Vec<Outcome>,
    silence: Duration,
    /// When somebody last listened to the news.
    listened: Instant,
    is_leaving: bool,
}

impl Crew {
    /// Nobody yet.
    fn new(news: Receiver<(usize, News)>, facts: Facts) -> Self {
        let (seats, outcomes, listened) = (Vec::new(), Vec::new(), Instant::now());
        Crew { seats, news, facts, outcomes, silence: SILENCE, listened, is_leaving: false }
    }

    /// One more; its news come with its number, counted from 0.
    fn add(&mut self, member: Box<dyn Member>) {
        let (progress, heard) = (Progress::default(), Instant::now());
        self.seats.push(Seat { member, progress, heard, has_left: false });
    }

    /// How it works.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Tells everybody.
    ///
    /// # Errors
    /// The first who cannot be reached; the others are told nevertheless.
    pub fn tell(&mut self, command: Command) -> io::Result<()> {
        let results: Vec<io::Result<()>> =
            self.seats.iter_mut().map(|seat| seat.member.tell(command)).collect();
        results.into_iter().collect()
    }

    /// What all of them together have to tell, within this time: the outcome and the end are told when everybody has
    /// told theirs, progress each time that the wait is over. Who tells nothing any more has failed.
    pub fn hear(&mut self, wait: Duration) -> News {
        let deadline = Instant::now() + wait;
        self.excuse(self.listened);
        let news = self.next(deadline);
        self.listened = Instant::now();
        news
    }

    /// Lets everybody leave, and waits for that, a few seconds at most.
    pub fn leave(&mut self) {
        if std::mem::replace(&mut self.is_leaving, true) {
            return;
        }
        // Who cannot be told is gone, or leaves because nobody is there any more.
        let _ = self.tell(Command::Leave);
        let deadline = Instant::now() + FAREWELL;
        while !self.has_left() {
            match self.news.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((member, news)) => drop(self.take(member, news)),
                Err(_) => return,
            }
        }
    }

    fn has_left(&self) -> bool {
        self.seats.iter().all(|seat| seat.has_left)
    }

    /// Counts nobody's silence from before now, if nothing was listened to since then for long.
    fn excuse(&mut self, since: Instant) {
        let now = Instant::now();
        if now.saturating_duration_since(since) > ABSENCE {
            self.seats.iter_mut().for_each(|seat| seat.heard = now);
        }
    }

    /// Who has told nothing for too long.
    fn silent(&self) -> Option<News> {
        let is_silent = |seat: &&Seat| !seat.has_left && seat.heard.elapsed() > self.silence;
        let name = self.seats.iter().find(is_silent)?.member.name();
        Some(News::Failed(format!("{name} tells nothing any more")))
    }

    fn next(&mut self, deadline: Instant) -> News {
        loop {
            let news = match self.news.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((member, news)) => self.take(member, news),
                Err(RecvTimeoutError::Timeout) => {
                    self.excuse(deadline);
                    Some(self.silent().unwrap_or_else(|| News::Progress(Box::new(self.together()))))
                }
                Err(RecvTimeoutError::Disconnected) => {
                    Some(News::Failed("every member of the crew is gone".into()))
                }
            };
            if let Some(news) = news {
                return news;
            }
        }
    }

    /// Takes progress back that was not told on, so that its latencies are not lost.
    pub fn keep(&mut self, news: News) {
        if let (News::Progress(progress), Some(first)) = (news, self.seats.first_mut()) {
            first.progress.latency = merged(first.progress.latency.take(), progress.latency);
        }
    }

    fn take(&mut self, member: usize, news: News) -> Option<News> {
        let seat = self.seats.get_mut(member)?;
        seat.heard = Instant::now();
        match news {
            News::Progress(mut progress) => {
                progress.latency = merged(seat.progress.latency.take(), progress.latency);
                seat.progress = *progress;
                None
            }
            News::Outcome(outcome) => {
                self.outcomes.push(*outcome);
                if self.outcomes.len() < self.seats.len() {
                    return None;
                }
                let mut all = self.outcomes.drain(..);
                let mut sum = all.next()?;
                all.for_each(|outcome| sum.merge(&outcome));
                Some(News::Outcome(Box::new(sum)))
            }
            News::Left => {
                seat.has_left = true;
                self.has_left().then_some(News::Left)
            }
            failed @ (News::Failed(_) | News::Refused(_)) => Some(failed),
        }
    }

    /// The progress of all, as one; latencies only once.
    fn together(&mut self) -> Progress {
        let mut sum = Progress { phase: Phase::Leaving, ..Progress::default() };
        for progress in self.seats.iter_mut().map(|seat| &mut seat.progress) {
            sum.phase = sum.phase.min(progress.phase);
            sum.members += progress.members;
            sum.groups += progress.groups;
            sum.missing += progress.missing;
            sum.totals.add(&progress.totals);
            sum.latency = merged(sum.latency.take(), progress.latency.take());
        }
        sum
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.leave();
    }
}

fn merged(
    one: Option<crate::hdr::Durations>,
    other: Option<crate::hdr::Durations>,
) -> Option<crate::hdr::Durations> {
    match (one, other) {
        (Some(mut one), Some(other)) => {
            one.merge(&other);
            Some(one)
        }
        (one, other) => one.or(other),
    }
}
