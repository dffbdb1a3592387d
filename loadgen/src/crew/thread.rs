//! One thread: a lane on a driver.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, Instant};

use net::{Arrival, Driver, Part, Run, SocketGauge, SocketIndex};

use super::address::Book;
use super::{Command, News};
use crate::lane::{Failure, Lane, Measurement, Outlet};
use crate::outcome::{Outcome, Own, Phase};
use crate::plan::Plan;

/// Progress is told in this distance.
const PROGRESS: Duration = Duration::from_millis(100);

/// For each socket, the drops are read in this distance: reading takes a microsecond, and so a thousandth of the time.
const DROPS: Duration = Duration::from_millis(1);

/// After a measurement's command, the last copies and the leaving of clients need no faster turn than this.
const IDLE: Duration = Duration::from_millis(100);

/// Clients leave for so long at most; the relay forgets the others by itself.
const FAREWELL: Duration = Duration::from_secs(2);

/// A lane on its driver.
pub struct Worker {
    /// How datagrams travel.
    pub driver: Box<dyn Driver>,
    /// The clients.
    pub lane: Lane,
    /// Their addresses.
    pub book: Book,
    /// What is asked.
    pub plan: Plan,
    /// The processor that the thread is pinned to.
    pub cpu: Option<usize>,
    /// The sockets' queues.
    pub gauges: Vec<SocketGauge>,
    /// What to do.
    pub commands: Receiver<Command>,
    /// What to tell, with this member's number.
    pub news: Sender<(usize, News)>,
    /// This member's number.
    pub number: usize,
}

/// What a turn remembers.
struct Turn {
    start: Instant,
    pending: Option<(Measurement, Duration)>,
    next_progress: Duration,
    next_drops: Duration,
    /// What each socket said last about its drops, which wraps at 2^32.
    drops: Vec<u32>,
    /// The thread's own times when the measurement began.
    began: Option<Times>,
    /// Kept for its allocation.
    row: Vec<Part>,
    /// When leaving is given up.
    leaving: Option<Duration>,
    /// When it is looked for those who have joined since they were to leave: their answer was on its way.
    next_look: Duration,
}

/// A thread's own times.
#[derive(Clone, Copy)]
struct Times {
    busy: Duration,
    starved: Duration,
    wall: Duration,
}

/// Hands a lane's datagrams to the driver. What one client sends in a row travels together (`UDP_SEGMENT`).
struct Post<'a> {
    driver: &'a mut dyn Driver,
    book: &'a Book,
    to: SocketAddr,
    /// Of one client, all of the same size.
    row: &'a mut Vec<Part>,
    client: u32,
    sent: usize,
    /// Those of them that the driver had no room for.
    refused: usize,
}

impl Outlet for Post<'_> {
    fn send(&mut self, client: u32, bytes: &[u8]) {
        let fits = |first: &Part| {
            client == self.client
                && bytes.len() == first.len()
                && self.row.len() < Run::MAX_DATAGRAMS
                && (self.row.len() + 1) * bytes.len() <= Run::MAX_BYTES
        };
        if !self.row.first().is_some_and(fits) {
            self.send_row();
        }
        self.client = client;
        self.row.push(self.driver.compose(bytes));
        self.sent += 1;
    }
}

impl Post<'_> {
    fn send_row(&mut self) {
        let Some(first) = self.row.first() else { return };
        let size = first.len();
        let mut run = Run {
            socket: SocketIndex(0),
            to: self.to,
            from: None,
            gather: self.driver.gather(self.row),
            size: size as u16,
            bytes: (size * self.row.len()) as u32,
        };
        self.book.address(self.client, &mut run);
        // The budget of a turn is many batches, and a batch is all that a lane sends between two exchanges: whatever is
        // refused all the same never left, and says so.
        if self.driver.send(&run).is_err() {
            self.refused += self.row.len();
        }
        self.row.clear();
    }
}

impl Worker {
    /// Works until everybody has left, which nobody need ask for: a crew that is gone, and a failure, are reason enough.
    pub fn run(mut self) {
        let mut turn = Turn {
            start: Instant::now(),
            pending: None,
            next_progress: Duration::ZERO,
            next_drops: Duration::ZERO,
            drops: vec![0; self.gauges.len()],
            began: None,
            row: Vec::with_capacity(Run::MAX_DATAGRAMS),
            leaving: None,
            next_look: Duration::ZERO,
        };
        self.drops(&mut turn);
        let mut arrivals = Vec::new();
        loop {
            self.obey(&mut turn);
            let wait = self.send(&mut turn);
            if let Err(error) = self.driver.exchange(&mut arrivals, Some(wait)) {
                self.tell(News::Failed(format!("a socket cannot be used any more: {error}")));
                return self.tell(News::Left);
            }
            self.receive(&turn, &mut arrivals);
            if !self.report(&mut turn) {
                return;
            }
        }
    }

    /// Takes commands.
    fn obey(&mut self, turn: &mut Turn) {
        let now = turn.start.elapsed();
        loop {
            match self.commands.try_recv() {
                Ok(Command::Measure(measurement, wait)) => turn.pending = Some((measurement, now + wait)),
                Ok(Command::Stop) => self.stop(turn, now),
                Ok(Command::Leave) => self.leave(turn, now),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.leave(turn, now);
                    break;
                }
            }
        }
        if let Some((measurement, at)) = turn.pending
            && at <= now
        {
            turn.pending = None;
            self.lane.measure(measurement, now);
        }
    }

    /// Ends a measurement; the outcome of one that has not begun is that nothing was seen.
    fn stop(&mut self, turn: &mut Turn, now: Duration) {
        match turn.pending.take() {
            Some((measurement, _)) => {
                let nothing = Outcome { interrupted: true, ..Outcome::planned(measurement.duration) };
                self.tell(News::Outcome(Box::new(nothing)));
            }
            None => self.lane.stop(now),
        }
    }

    fn leave(&mut self, turn: &mut Turn, now: Duration) {
        if turn.leaving.is_none() {
            turn.pending = None;
            (turn.leaving, turn.next_look) = (Some(now + FAREWELL), now + IDLE);
            self.lane.leave();
        }
    }

    /// True when everybody has left, those included whose answer to a JOIN was on its way.
    fn has_left(&mut self, turn: &mut Turn, now: Duration) -> bool {
        if now < turn.next_look || !self.lane.is_quiet() {
            return false;
        }
        turn.next_look = now + IDLE;
        self.lane.leave();
        self.lane.is_quiet()
    }

    /// Sends what is due, and returns how long nothing more will be.
    fn send(&mut self, turn: &mut Turn) -> Duration {
        let now = turn.start.elapsed();
        let mut post = Post {
            driver: &mut *self.driver,
            book: &self.book,
            to: self.plan.target,
            row: &mut turn.row,
            client: 0,
            sent: 0,
            refused: 0,
        };
        self.lane.due(now, &mut post);
        if post.sent > 0 {
            post.send_row();
            let refused = post.refused;
            self.driver.flush();
            self.lane.lost_here(refused as u64, 0);
            self.lane.handed_over(turn.start.elapsed());
        }
        self.count_failures();
        let due = self.lane.next_due().unwrap_or(Duration::MAX).min(turn.next_progress);
        let due = turn.pending.map_or(due, |(_, at)| due.min(at));
        due.saturating_sub(turn.start.elapsed()).min(IDLE)
    }

    fn count_failures(&mut self) {
        let report = self.driver.report();
        let failed = report.failed();
        report.clear();
        if failed > 0 {
            self.lane.lost_here(failed, 0);
        }
    }

    fn receive(&mut self, turn: &Turn, arrivals: &mut Vec<Arrival>) {
        let now = turn.start.elapsed();
        for arrival in arrivals.drain(..) {
            if arrival.source == self.plan.target
                && let Some(client) = self.book.client(&arrival)
            {
                let bytes = self.driver.bytes(&arrival);
                for datagram in arrival.datagrams() {
                    self.lane.receive(client, &bytes[datagram], now);
                }
            }
            self.driver.release(arrival.buffer);
        }
    }

    /// Tells what there is to tell; false when it is over.
    fn report(&mut self, turn: &mut Turn) -> bool {
        // What goes wrong while everybody leaves anyway concerns nobody.
        if let Some(failure) = self.lane.take_failure().filter(|_| turn.leaving.is_none()) {
            self.tell(match failure {
                Failure::Refused(reason) => News::Refused(reason),
                Failure::Failed(reason) => News::Failed(reason),
            });
            self.leave(turn, turn.start.elapsed());
        }
        if self.lane.phase() == Phase::Measuring && turn.began.is_none() {
            turn.began = Some(times(turn));
            self.drops(turn);
        }
        if let Some(mut outcome) = self.lane.take_outcome() {
            outcome.totals.own_drops += self.drops(turn);
            outcome.own =
                turn.began.take().map(|began| own(self.cpu, began, times(turn))).into_iter().collect();
            self.tell(News::Outcome(Box::new(outcome)));
        }
        let now = turn.start.elapsed();
        if turn.leaving.is_some_and(|end| end <= now || self.has_left(turn, now)) {
            self.tell(News::Left);
            return false;
        }
        if now >= turn.next_progress {
            turn.next_progress = now + PROGRESS;
            if now >= turn.next_drops {
                turn.next_drops = now + DROPS * self.gauges.len() as u32;
                let drops = self.drops(turn);
                self.lane.lost_here(0, drops);
            }
            let progress = self.lane.progress(now);
            self.tell(News::Progress(Box::new(progress)));
        }
        true
    }

    /// Copies that the sockets have dropped since the last time.
    fn drops(&mut self, turn: &mut Turn) -> u64 {
        let mut more = 0;
        for (gauge, before) in self.gauges.iter().zip(&mut turn.drops) {
            if let Ok(Some(memory)) = gauge.read() {
                more += u64::from(memory.drops.wrapping_sub(*before));
                *before = memory.drops;
            }
        }
        more
    }

    fn tell(&self, news: News) {
        // Whoever listened is gone, and so are the commands: at the next turn everybody leaves.
        let _ = self.news.send((self.number, news));
    }
}

fn times(turn: &Turn) -> Times {
    Times {
        busy: net::thread_cpu_time(),
        starved: net::thread_run_delay().unwrap_or_default(),
        wall: turn.start.elapsed(),
    }
}

fn own(cpu: Option<usize>, began: Times, ended: Times) -> Own {
    Own {
        cpu,
        busy: ended.busy.saturating_sub(began.busy),
        starved: ended.starved.saturating_sub(began.starved),
        wall: ended.wall.saturating_sub(began.wall),
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use net::{DriverConfig, Epoll};

    use super::*;
    use crate::crew::address::Addresses;
    use crate::plan::example;

    /// A driver of one socket that sends no more than a run in a turn.
    fn driver(plan: &Plan, addresses: Addresses) -> Epoll {
        let sockets = addresses.sockets(plan, &(0..1)).unwrap();
        let config = DriverConfig { turn_budget: Run::MAX_DATAGRAMS as u32, ..DriverConfig::default() };
        Epoll::new(sockets, &config).map_err(|failure| failure.error).unwrap()
    }

    #[test]
    fn what_the_driver_has_no_room_for_has_failed() {
        let somebody = UdpSocket::bind("127.0.0.1:0").unwrap();
        let plan = Plan { target: somebody.local_addr().unwrap(), ..example() };
        let addresses = Addresses::Ports(plan.target.ip());
        let (mut driver, book) = (driver(&plan, addresses), addresses.book(&(0..1)));
        let (to, mut row) = (plan.target, Vec::new());
        let mut post =
            Post { driver: &mut driver, book: &book, to, row: &mut row, client: 0, sent: 0, refused: 0 };
        for _ in 0..Run::MAX_DATAGRAMS + 3 {
            post.send(0, b"12345678");
        }
        post.send_row();
        assert_eq!((post.sent, post.refused), (Run::MAX_DATAGRAMS + 3, 3));
    }
}
