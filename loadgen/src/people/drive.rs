//! One thread: a crowd on a driver.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use net::{Arrival, Driver, Run, SocketIndex};

use super::crowd::{Crowd, Progress};
use super::limits::FAREWELL;
use super::outcome::Outcome;
use crate::crew::Opened;
use crate::outcome::{Own, Phase};
use crate::plan::Plan;

/// Progress is told, and a wish to end is heard, in this distance.
const TURN: Duration = Duration::from_millis(100);

/// The drops of a socket are read in this distance: reading takes a microsecond, and so a thousandth of the time.
const DROPS: Duration = Duration::from_millis(1);

/// What a thread tells.
pub enum News {
    /// How far it is; ten times a second.
    Progress(Box<Progress>),
    /// The measurement begins when this has an answer.
    Ready(Sender<()>),
    /// The measurement has ended. Everybody leaves after that.
    Outcome(Box<Outcome>),
    /// It cannot go on: a sentence that says why.
    Failed(String),
}

/// A crowd on its driver.
pub struct Stage<'a> {
    /// The sockets.
    pub opened: Opened,
    /// Everybody.
    pub crowd: Crowd,
    /// Where the relay is.
    pub plan: &'a Plan,
    /// Set when the run is to end early.
    pub stop: &'a AtomicBool,
    /// Whom it tells.
    pub news: Sender<News>,
}

/// What a turn remembers.
struct Turn {
    start: Instant,
    next_progress: Duration,
    next_drops: Duration,
    /// What each socket said last about its drops, which wraps at 2^32.
    drops: Vec<u32>,
    /// When the measurement began, and the thread's times then.
    began: Option<(Duration, Duration, Duration)>,
    /// When leaving is given up.
    leaves_until: Option<Duration>,
    arrivals: Vec<Arrival>,
}

impl Stage<'_> {
    /// Works until everybody has left.
    pub fn run(mut self) {
        let mut turn = Turn {
            start: Instant::now(),
            next_progress: Duration::ZERO,
            next_drops: Duration::ZERO,
            drops: vec![0; self.opened.gauges.len()],
            began: None,
            leaves_until: None,
            arrivals: Vec::new(),
        };
        self.read_drops(&mut turn);
        while !self.is_over(&turn) {
            if let Err(error) = self.turn(&mut turn) {
                return self.tell(News::Failed(format!("a socket cannot be used any more: {error}")));
            }
        }
    }

    fn is_over(&self, turn: &Turn) -> bool {
        turn.leaves_until.is_some_and(|end| turn.start.elapsed() >= end || self.crowd.has_left())
    }

    fn turn(&mut self, turn: &mut Turn) -> io::Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            self.end_early(turn);
        }
        self.crowd.due(turn.start.elapsed());
        self.post()?;
        let due = self.crowd.next_due().unwrap_or(Duration::MAX).min(turn.next_progress);
        let wait = due.saturating_sub(turn.start.elapsed()).min(TURN);
        self.opened.driver.exchange(&mut turn.arrivals, Some(wait))?;
        self.receive(turn);
        self.post()?;
        self.report(turn);
        Ok(())
    }

    /// Who is interrupted before anything was measured has nothing to wait for.
    fn end_early(&mut self, turn: &mut Turn) {
        match self.crowd.progress().phase {
            Phase::Measuring => self.crowd.stop(turn.start.elapsed()),
            Phase::Joining | Phase::Ready if turn.leaves_until.is_none() => self.leave(turn),
            _ => {}
        }
    }

    fn leave(&mut self, turn: &mut Turn) {
        let now = turn.start.elapsed();
        self.crowd.leave(now);
        turn.leaves_until = Some(now + FAREWELL);
    }

    /// Sends what waits. The budget of a turn is many batches; where it is used up, a turn more has another.
    fn post(&mut self) -> io::Result<()> {
        let (driver, book) = (&mut self.opened.driver, &self.opened.book);
        let mut refused = 0;
        for (place, bytes) in self.crowd.outbox().iter() {
            let run = |driver: &mut Box<dyn Driver>| {
                let part = driver.compose(bytes);
                let mut run = Run {
                    socket: SocketIndex(0),
                    to: self.plan.target,
                    from: None,
                    gather: driver.gather(&[part]),
                    size: bytes.len() as u16,
                    bytes: bytes.len() as u32,
                };
                book.address(place, &mut run);
                driver.send(&run)
            };
            if run(driver).is_err() {
                driver.end_turn()?;
                refused += u64::from(run(driver).is_err());
            }
        }
        self.crowd.outbox().clear();
        driver.flush();
        let report = driver.report();
        let failed = report.failed();
        report.clear();
        self.crowd.lost_here(refused + failed, 0);
        Ok(())
    }

    fn receive(&mut self, turn: &mut Turn) {
        let now = turn.start.elapsed();
        for arrival in turn.arrivals.drain(..) {
            if arrival.source == self.plan.target
                && let Some(place) = self.opened.book.client(&arrival)
            {
                let bytes = self.opened.driver.bytes(&arrival);
                arrival.datagrams().for_each(|datagram| self.crowd.receive(place, &bytes[datagram], now));
            }
            self.opened.driver.release(arrival.buffer);
        }
    }

    /// Tells what there is to tell, and does what follows from it.
    fn report(&mut self, turn: &mut Turn) {
        if let Some(failure) = self.crowd.take_failure().filter(|_| turn.leaves_until.is_none()) {
            self.tell(News::Failed(failure));
            return self.leave(turn);
        }
        if let Some(mut outcome) = self.crowd.take_outcome() {
            let drops = self.read_drops(turn);
            outcome.deeds.own_drops += drops;
            outcome.own = self.own(turn);
            self.tell(News::Outcome(Box::new(outcome)));
            return self.leave(turn);
        }
        let progress = self.crowd.progress();
        if progress.phase == Phase::Ready && turn.began.is_none() && turn.leaves_until.is_none() {
            self.begin(turn);
        }
        let now = turn.start.elapsed();
        if now >= turn.next_progress {
            turn.next_progress = now + TURN;
            if now >= turn.next_drops {
                turn.next_drops = now + DROPS * self.opened.gauges.len() as u32;
                let drops = self.read_drops(turn);
                self.crowd.lost_here(0, drops);
            }
            self.tell(News::Progress(Box::new(progress)));
        }
    }

    /// Begins the measurement, when whoever looks at the relay has looked.
    fn begin(&mut self, turn: &mut Turn) {
        let (ready, answer) = std::sync::mpsc::channel();
        self.tell(News::Ready(ready));
        // Whoever is gone needs no measurement, and ends it at once.
        let _ = answer.recv();
        let now = turn.start.elapsed();
        turn.began = Some((now, net::thread_cpu_time(), net::thread_run_delay().unwrap_or_default()));
        self.crowd.measure(now);
    }

    fn own(&self, turn: &Turn) -> Own {
        let (wall, busy, starved) = turn.began.unwrap_or_default();
        Own {
            cpu: self.opened.cpu,
            busy: net::thread_cpu_time().saturating_sub(busy),
            starved: net::thread_run_delay().unwrap_or_default().saturating_sub(starved),
            wall: turn.start.elapsed().saturating_sub(wall),
        }
    }

    /// Datagrams that the sockets have dropped since the last time.
    fn read_drops(&self, turn: &mut Turn) -> u64 {
        let mut more = 0;
        for (gauge, before) in self.opened.gauges.iter().zip(&mut turn.drops) {
            if let Ok(Some(memory)) = gauge.read() {
                more += u64::from(memory.drops.wrapping_sub(*before));
                *before = memory.drops;
            }
        }
        more
    }

    fn tell(&self, news: News) {
        // Whoever listened has set `stop` before it went.
        let _ = self.news.send(news);
    }
}
