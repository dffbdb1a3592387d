//! Those who do the work: the threads of this process, or the processes of other machines.
//!
//! **A [`Crew`] is told a [`Command`] and tells [`News`]; whether its members are threads or workers makes no
//! difference.**

pub mod address;
mod local;
pub mod messages;
mod remote;
mod thread;

pub use local::CrewError;

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::capacity::Cores;
use crate::lane::Measurement;
use crate::outcome::{Outcome, Phase, Progress};

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
    /// Every client has left; nothing more comes.
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
}

/// All who do the work.
pub struct Crew {
    members: Vec<Box<dyn Member>>,
    news: Receiver<(usize, News)>,
    facts: Facts,
    progress: Vec<Progress>,
    outcomes: Vec<Outcome>,
    left: usize,
}

impl Crew {
    fn new(members: Vec<Box<dyn Member>>, news: Receiver<(usize, News)>, facts: Facts) -> Self {
        let progress = vec![Progress::default(); members.len()];
        Crew { members, news, facts, progress, outcomes: Vec::new(), left: 0 }
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
            self.members.iter_mut().map(|member| member.tell(command)).collect();
        results.into_iter().collect()
    }

    /// What all of them together have to tell, within this time: the outcome and the end are told when everybody has
    /// told theirs, progress each time that the wait is over.
    pub fn hear(&mut self, wait: Duration) -> News {
        let deadline = Instant::now() + wait;
        loop {
            let news = match self.news.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((member, news)) => self.take(member, news),
                Err(RecvTimeoutError::Timeout) => Some(News::Progress(Box::new(self.together()))),
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
        if let (News::Progress(progress), Some(first)) = (news, self.progress.first_mut()) {
            first.latency = merged(first.latency.take(), progress.latency);
        }
    }

    fn take(&mut self, member: usize, news: News) -> Option<News> {
        match news {
            News::Progress(mut progress) => {
                let before = &mut self.progress[member];
                progress.latency = merged(before.latency.take(), progress.latency);
                *before = *progress;
                None
            }
            News::Outcome(outcome) => {
                self.outcomes.push(*outcome);
                if self.outcomes.len() < self.members.len() {
                    return None;
                }
                let mut all = self.outcomes.drain(..);
                let mut sum = all.next()?;
                all.for_each(|outcome| sum.merge(&outcome));
                Some(News::Outcome(Box::new(sum)))
            }
            News::Left => {
                self.left += 1;
                (self.left == self.members.len()).then_some(News::Left)
            }
            failed @ (News::Failed(_) | News::Refused(_)) => Some(failed),
        }
    }

    /// The progress of all, as one; latencies only once.
    fn together(&mut self) -> Progress {
        let mut sum = Progress { phase: Phase::Leaving, ..Progress::default() };
        for progress in &mut self.progress {
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
