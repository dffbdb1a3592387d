//! The shard loop: the one place where the engine meets a driver.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use engine::{Datagram, Engine, LocalAddr, Outbox, Settings};
use net::tcp::Rules;
use net::{Arrival, Driver};

use crate::clock::{Clock, tick};
use crate::fanout::{Fanout, Pace};
use crate::ferry::Ferry;
use crate::inbox::Inbox;
use crate::limits::{
    COALESCING_BUFFERS, FERRY_TURN, HEARTBEATS, LATENCY_EVERY, LATENCY_TURNS, PUBLISH_EVERY, STOP_PATIENCE,
    TURN_ARRIVALS,
};
use crate::meter::{Counters, Meter};
use crate::overload::{Orders, Overload, Sight};
use crate::sandbox;
use crate::worst::Worst;

/// One shard: an engine, a driver, and what passes between them in a turn.
pub struct Shard<D, C> {
    engine: Engine,
    driver: D,
    clock: C,
    inbox: Inbox,
    arrivals: Vec<Arrival>,
    outbox: Outbox,
    fanout: Fanout,
    /// Between the thread of the connections, which takes from it, and the others.
    ferry: Option<Ferry>,
    overload: Overload,
    counters: Counters,
    worst: Box<Worst>,
    meter: Meter,
    stopping: bool,
    /// When this turn began, and when the loop last woke from waiting.
    turn: Duration,
    woken: Duration,
    published: Duration,
    measured: Duration,
    unmeasured_turns: u32,
    /// Something was counted since the last publication, a failed send among it.
    dirty: bool,
    failed: bool,
}

impl<D: Driver, C: Clock> Shard<D, C> {
    /// A shard that has not turned yet, with a driver of so many receive `buffers`.
    pub fn new(engine: Engine, driver: D, buffers: usize, clock: C, inbox: Inbox, meter: Meter) -> Self {
        let now = clock.now();
        engine.set_calendar(tick(now), clock.calendar().as_millis() as u64);
        let fanout = Fanout::new(buffers, engine.gate());
        Self {
            engine,
            driver,
            inbox,
            arrivals: Vec::with_capacity(TURN_ARRIVALS),
            outbox: Outbox::with_room(TURN_ARRIVALS),
            fanout,
            ferry: None,
            overload: Overload::default(),
            counters: Counters::default(),
            worst: Box::default(),
            meter,
            stopping: false,
            turn: now,
            woken: now,
            published: now,
            measured: now,
            unmeasured_turns: 0,
            dirty: true,
            failed: false,
            clock,
        }
    }

    /// Hands over to this ferry what is for clients by TCP, or serves them with what comes by it.
    pub fn with_ferry(mut self, ferry: Ferry) -> Self {
        if self.driver.has_streams() {
            self.fanout.serve_far();
            self.ferry = Some(ferry);
        } else {
            self.fanout.hand_over_to(ferry);
        }
        self
    }

    /// Turns until it is told to stop; gives the driver back with every buffer released.
    ///
    /// # Errors
    /// What made the driver unusable.
    pub fn run(self) -> io::Result<D> {
        self.run_watched(|_| ())
    }

    /// The same, for whoever looks at it after every turn.
    ///
    /// # Errors
    /// What made the driver unusable.
    pub fn run_watched(mut self, mut watch: impl FnMut(&mut Self)) -> io::Result<D> {
        while !self.stopping {
            self.turn()?;
            watch(&mut self);
        }
        self.finish(watch)?;
        Ok(self.driver)
    }

    /// One turn: take what has arrived, decide, send. True if something had arrived.
    ///
    /// # Errors
    /// What made the driver unusable.
    pub fn turn(&mut self) -> io::Result<bool> {
        self.exchange()?;
        self.engine.begin_turn(tick(self.turn));
        self.read_inbox();
        self.engine.turn_people(&mut self.outbox);
        self.unload();
        self.decide();
        self.send();
        self.engine.sweep();
        // A sweep counts without any datagram, and a connection without a message.
        self.dirty |= self.driver.has_streams() && self.driver.figures() != self.counters.streams;
        self.dirty |= self.engine.tally().events != self.counters.tally.events;
        self.measure_latency();
        let arrived = !self.arrivals.is_empty();
        self.outbox.clear();
        self.arrivals.clear();
        Ok(arrived)
    }

    /// Hands over the last turn's sends and takes what has arrived; waits for it only if nothing is to be done.
    fn exchange(&mut self) -> io::Result<()> {
        let is_crowded = self.fanout.is_crowded() && !self.overload.is_active();
        if is_crowded && self.overload.may_wait(self.clock.now(), self.driver.receive_pressure()) {
            self.driver.end_turn()?;
        } else {
            self.driver.exchange(&mut self.arrivals, Some(Duration::ZERO))?;
        }
        self.count_sends();
        // This exchange may have taken a wake-up with it; the news must not wait for the next one.
        let told =
            self.read_inbox() || self.ferry.as_ref().is_some_and(Ferry::is_loaded) || self.engine.is_called();
        let idle = self.arrivals.is_empty() && self.fanout.is_idle() && !told && !self.stopping;
        let mut now = self.clock.now();
        self.measure_turn(now.saturating_sub(self.woken));
        self.publish(now);
        if idle {
            let wait = self.wait(now);
            self.driver.exchange(&mut self.arrivals, Some(wait))?;
            now = self.clock.now();
        }
        (self.woken, self.turn) = (now, now);
        Ok(())
    }

    /// How long nothing has to be done, unless something arrives.
    fn wait(&self, now: Duration) -> Duration {
        let deadline = Duration::from_millis(self.engine.deadline().0);
        let until = if self.dirty { deadline.min(self.published + PUBLISH_EVERY) } else { deadline };
        let until = self.overload.due().map_or(until, |due| until.min(due));
        self.fanout.due().map_or(until, |due| until.min(due)).saturating_sub(now)
    }

    /// A turn has taken so long, its sends and the next receive included.
    fn measure_turn(&mut self, time: Duration) {
        self.counters.busy += nanos(time);
        self.counters.turns.record(nanos(time), 1);
    }

    /// Sends to clients by TCP what other shards have for them.
    fn unload(&mut self) {
        if let Some(ferry) = &self.ferry {
            ferry.unload(FERRY_TURN).deliver(&mut self.driver);
        }
    }

    fn send(&mut self) {
        let sight = self.sight();
        let Orders { time, quantum, backlog, sieve } = self.overload.turn(&sight, self.fanout.blame());
        if let Some(sieve) = sieve {
            // A kernel that refuses the filter goes on to drop what does not fit, whatever it is.
            let _ = self.driver.sift(sieve.as_ref());
        }
        self.dirty |= self.overload.is_active() != self.counters.is_overloaded;
        // What has been done so far, receiving and deciding, is part of no turn's sends.
        let pace = Pace { until: self.clock.now() + time, quantum, backlog };
        let when = (self.turn, pace, &self.clock);
        self.fanout.turn(when, &self.outbox, &self.arrivals, &mut self.driver);
    }

    fn sight(&self) -> Sight {
        // Only a turn that left something behind need ask.
        let is_full = self.arrivals.len() >= TURN_ARRIVALS;
        Sight {
            now: self.turn,
            pressure: is_full.then(|| self.driver.receive_pressure()),
            is_dominated: is_full && self.fanout.is_dominated(),
            busy: Duration::from_nanos(self.counters.busy),
            completed: self.fanout.completed_by(self.turn),
            dropped: self.fanout.dropped(),
            taken: if self.overload.is_active() { self.taken() } else { (0, 0) },
        }
    }

    /// Commands but for heartbeats among what this turn has taken, and everything else.
    fn taken(&self) -> (u64, u64) {
        let is_command = |arrival: &&Arrival| {
            let bytes = self.driver.bytes(arrival);
            bytes.starts_with(b"!") && !HEARTBEATS.iter().any(|beat| bytes.starts_with(beat))
        };
        let commands = self.arrivals.iter().filter(is_command).count();
        (commands as u64, (self.arrivals.len() - commands) as u64)
    }

    fn decide(&mut self) {
        let ends = if self.driver.has_streams() {
            self.arrivals.iter().filter(|arrival| arrival.len == 0).count()
        } else {
            0
        };
        self.dirty |= !self.arrivals.is_empty();
        if self.arrivals.len() > ends {
            let received = (self.arrivals.len() - ends) as u64;
            self.counters.batches.record(received, 1);
            self.counters.received.packets += received;
        }
        for (number, arrival) in self.arrivals.iter().enumerate() {
            self.counters.received.bytes += u64::from(arrival.len);
            let datagram = Datagram {
                bytes: self.driver.bytes(arrival),
                source: arrival.source,
                local: LocalAddr::new(arrival.socket.0 as u8, arrival.local),
                number: number as u32,
            };
            match (self.driver.has_streams(), arrival.len) {
                (false, _) => self.engine.receive(&datagram, &mut self.outbox),
                (true, 0) => self.engine.hang_up(arrival.source, &mut self.outbox),
                (true, _) => self.engine.receive_by_stream(&datagram, &mut self.outbox),
            }
        }
    }

    /// Measures from the start of the turn that took a payload to the return of its last send, by letting the sends
    /// go now; some turns only.
    fn measure_latency(&mut self) {
        if self.fanout.completed().is_empty() {
            return;
        }
        self.unmeasured_turns += 1;
        if self.unmeasured_turns < LATENCY_TURNS && self.turn < self.measured + LATENCY_EVERY {
            return;
        }
        self.driver.flush();
        let now = self.clock.now();
        for completed in self.fanout.completed() {
            self.counters.latency.record(nanos(now.saturating_sub(completed.at)), completed.payloads);
        }
        self.measured = self.turn;
        self.unmeasured_turns = 0;
    }

    fn count_sends(&mut self) {
        let report = self.driver.report();
        self.dirty |= report.datagrams > 0 || !report.failures.is_empty() || !report.unreached.is_empty();
        self.counters.add_sends(report);
        self.failed |= !report.failures.is_empty();
        for failure in &report.failures {
            self.worst.note(failure, self.turn);
        }
        for to in &report.unreached {
            self.engine.unreached(*to);
        }
        report.clear();
    }

    fn publish(&mut self, now: Duration) {
        if self.dirty && now >= self.published + PUBLISH_EVERY {
            self.published = now;
            self.publish_now();
        }
    }

    /// The engine, for whoever looks at it from outside.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What has been counted up to now, whether or not it has been published.
    pub fn counters(&mut self) -> &Counters {
        self.count_sends();
        self.fill_counters();
        &self.counters
    }

    fn publish_now(&mut self) {
        self.fill_counters();
        self.failed = self.failed && !self.meter.publish_worst(&self.worst);
        self.dirty = !self.meter.publish(&self.counters) || self.failed;
    }

    fn fill_counters(&mut self) {
        self.engine.set_calendar(tick(self.clock.now()), self.clock.calendar().as_millis() as u64);
        self.counters.tally.clone_from(self.engine.tally());
        self.counters.clients = self.engine.clients() as u64;
        self.counters.overflowed = self.fanout.dropped();
        self.counters.streams = self.driver.figures();
        let aboard = self.ferry.as_ref().map(Ferry::load).unwrap_or_default();
        self.counters.unferried = aboard.dropped;
        self.counters.waiting =
            self.fanout.waiting() + self.counters.streams.messages_queued + aboard.waiting;
        self.counters.is_overloaded = self.overload.is_active();
        self.counters.unproved = self.fanout.gate().dropped();
        self.counters.unproved_bytes = self.engine.unproved_bytes() + self.fanout.gate().paid();
        self.counters.driver = self.driver.stats();
    }

    /// True if there was something to read.
    fn read_inbox(&mut self) -> bool {
        let Some(news) = self.inbox.read() else { return false };
        if let Some(settings) = news.settings {
            self.driver.govern(&rules(&settings));
            self.engine.reload(settings);
            // Nothing is held by settings of before.
            self.fanout.hurry();
        }
        if news.sealed
            && let Err(error) = sandbox::give_up_files()
        {
            tracing::warn!(error, "the shard keeps the system calls that open files");
        }
        self.stopping |= news.stop;
        true
    }

    /// A turn of a shard that stops: nothing waits for company any more.
    fn last_turn(&mut self, watch: &mut impl FnMut(&mut Self)) -> io::Result<bool> {
        self.fanout.hurry();
        let arrived = self.turn()?;
        watch(self);
        Ok(arrived)
    }

    /// Goes on while there is something to take or to send, for a bounded time, and gives every buffer back.
    fn finish(&mut self, mut watch: impl FnMut(&mut Self)) -> io::Result<()> {
        let patience = self.clock.now() + STOP_PATIENCE;
        while (self.last_turn(&mut watch)? || !self.fanout.is_idle()) && self.clock.now() < patience {}
        // What its sockets get from now on is whoever's has them next, if anybody has; all that was taken is done.
        self.driver.stop_receiving()?;
        // Whoever has the sockets next, if anybody has, decides for itself.
        let _ = self.driver.sift(None);
        for _ in 0..=COALESCING_BUFFERS / TURN_ARRIVALS {
            if !self.last_turn(&mut watch)? && self.fanout.is_idle() {
                break;
            }
        }
        self.fanout.abandon(&mut self.driver);
        self.driver.flush();
        self.count_sends();
        self.publish_now();
        Ok(())
    }
}

/// Who may be connected by these settings, and how long it may be silent.
pub fn rules(settings: &Arc<Settings>) -> Rules {
    let access = Arc::clone(settings);
    Rules::new(move |source| access.access.admits(source), settings.idle_limit())
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
