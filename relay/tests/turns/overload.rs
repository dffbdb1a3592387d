//! A shard that is asked for more than it can do: what it still does, how old that is, and how it ends.

use std::time::Duration;

use relay::limits::PUBLISH_EVERY;

use crate::hall::{Hall, assert_conserved, client};

const GROUPS: u16 = 10;
const MEMBERS: u16 = 20;

/// What a message of n datagrams costs n + 1 times, and what it costs to take one: about as on a real machine.
const PRICE: Duration = Duration::from_micros(2);
const TAKING: Duration = Duration::from_nanos(400);

/// Payloads a second that a shard can forward at best: messages of many datagrams.
const CAPACITY: f64 = 1e6 / (2.0 * MEMBERS as f64);

/// Between two heartbeats of everybody.
const HEARTBEAT: Duration = Duration::from_millis(10);

/// Groups that talk, and what came of it.
struct Talk {
    hall: Hall,
    said: u64,
    pings: usize,
}

/// What was sent in some time.
struct Sent {
    copies: usize,
    /// Of these, those that were sent in time.
    in_time: usize,
    pongs: usize,
    /// From the arrival at the socket until it was sent, in order.
    delays: Vec<Duration>,
}

impl Talk {
    /// Everybody is there; the socket has room for so many datagrams.
    fn begin(room: usize) -> Self {
        let mut hall = Hall::open();
        let ids: Vec<String> = (0..GROUPS).map(|group| format!("G{group}")).collect();
        hall.declare(ids.iter().map(String::as_str));
        for (group, id) in (0..GROUPS).zip(&ids) {
            (0..MEMBERS).for_each(|member| hall.arrive(group * MEMBERS + member, format!("!JOIN {id}")));
        }
        hall.settle();
        {
            let mut world = hall.world.borrow_mut();
            (world.price, world.price_of_taking, world.room) = (PRICE, TAKING, room);
        }
        Self { hall, said: 0, pings: 0 }
    }

    /// So many payloads a second, in each group in turn, and heartbeats of everybody, for so long.
    fn go_on(&mut self, rate: f64, time: Duration) -> Sent {
        let start = self.hall.world.borrow().now;
        let (mut said, mut beats) = (0, 0);
        self.pings = 0;
        loop {
            let past = self.hall.world.borrow().now - start;
            if past >= time {
                break;
            }
            while f64::from(said) < past.as_secs_f64() * rate {
                self.say(start + Duration::from_secs_f64(f64::from(said) / rate));
                said += 1;
            }
            while HEARTBEAT * beats < past {
                self.beat();
                beats += 1;
            }
            self.hall.turn();
            self.hall.world.borrow_mut().now += Duration::from_micros(5);
        }
        self.sent(start + time)
    }

    fn say(&mut self, at: Duration) {
        let (group, member) = ((self.said % u64::from(GROUPS)) as u16, (self.said / 10 % 20) as u16);
        self.said += 1;
        let payload = format!("{:020}", at.as_nanos());
        self.hall.world.borrow_mut().come(client(group * MEMBERS + member), payload.into());
    }

    fn beat(&mut self) {
        let mut world = self.hall.world.borrow_mut();
        (0..GROUPS * MEMBERS).for_each(|number| world.come(client(number), "!PING".into()));
        self.pings += usize::from(GROUPS * MEMBERS);
    }

    /// What has been sent since the last look; no heartbeat is under way.
    fn sent(&mut self, end: Duration) -> Sent {
        while !self.hall.world.borrow().incoming.is_empty() {
            self.hall.turn();
        }
        self.hall.turn();
        let mut world = self.hall.world.borrow_mut();
        let times = std::mem::take(&mut world.times);
        let all = std::mem::take(&mut world.sent);
        let pongs = all.iter().filter(|(_, bytes)| bytes.starts_with(b"PONG")).count();
        let payloads = all.iter().zip(times).filter_map(|((_, bytes), at)| {
            let said = std::str::from_utf8(bytes).ok()?.parse().ok()?;
            Some((at, at - Duration::from_nanos(said)))
        });
        let payloads: Vec<(Duration, Duration)> = payloads.collect();
        let mut delays: Vec<Duration> = payloads.iter().map(|(_, delay)| *delay).collect();
        delays.sort();
        let in_time = payloads.iter().filter(|(at, _)| *at <= end).count();
        Sent { copies: delays.len(), in_time, pongs, delays }
    }

    /// Nothing comes for so long.
    fn rest(&mut self, time: Duration) {
        let end = self.hall.world.borrow().now + time;
        while self.hall.world.borrow().now < end {
            self.hall.turn();
            self.hall.world.borrow_mut().now += PUBLISH_EVERY / 10;
        }
    }

    fn is_overloaded(&self) -> bool {
        self.hall.meter.read().is_overloaded
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// Of what a default receive buffer holds.
const ROOM: usize = 8000;

#[test]
fn four_times_too_much_costs_a_tenth_and_delivers_nothing_old() {
    let peak = [0.9, 1.2, 1.5].map(|part| Talk::begin(ROOM).go_on(part * CAPACITY, SECOND / 2).in_time);
    let mut talk = Talk::begin(ROOM);
    talk.go_on(4.0 * CAPACITY, SECOND / 2);
    assert!(talk.is_overloaded());
    let sent = talk.go_on(4.0 * CAPACITY, SECOND / 2);
    let best = peak.into_iter().max().unwrap();
    assert!(sent.in_time as f64 > 0.9 * best as f64, "{} of {best}", sent.in_time);
    let p99 = sent.delays[sent.delays.len() * 99 / 100];
    assert!(p99 < Duration::from_millis(20), "{p99:?}");
    assert_eq!(sent.pongs, talk.pings, "every heartbeat is answered");
    talk.rest(SECOND);
    assert_conserved(&talk.hall.meter.read());
}

#[test]
fn who_is_asked_for_less_again_does_it_all_within_a_second() {
    let mut talk = Talk::begin(ROOM);
    talk.go_on(4.0 * CAPACITY, SECOND / 2);
    talk.go_on(CAPACITY / 4.0, SECOND);
    assert!(!talk.is_overloaded());
    let (said, dropped) = (talk.said, talk.hall.meter.read().overflowed);
    let sent = talk.go_on(CAPACITY / 4.0, SECOND);
    talk.rest(SECOND);
    assert_eq!(talk.hall.meter.read().overflowed, dropped);
    assert_eq!(
        sent.copies + talk.sent(Duration::MAX).copies,
        (talk.said - said) as usize * usize::from(MEMBERS - 1)
    );
}

#[test]
fn what_would_be_dropped_is_not_even_taken_and_who_is_quiet_loses_nothing() {
    let mut talk = Talk::begin(ROOM);
    // To take and to drop a payload costs as much as to send it to four members.
    talk.hall.world.borrow_mut().price_of_taking = 4 * PRICE;
    talk.go_on(8.0 * CAPACITY, SECOND);
    let (sifted, dropped) = (talk.hall.world.borrow().sifted, talk.hall.meter.read().overflowed);
    let said = talk.said;
    let sent = talk.go_on(8.0 * CAPACITY, SECOND);
    let dropped = (talk.hall.meter.read().overflowed - dropped) as usize / usize::from(MEMBERS - 1);
    let (said, sifted) = ((talk.said - said) as usize, talk.hall.world.borrow().sifted - sifted);
    assert!(sifted > said / 2 && dropped < said / 10, "{said} said, {sifted} sifted, {dropped} dropped");
    // In the time that the heartbeats leave half more is taken than is sent.
    let taking = 4.0 * PRICE.as_secs_f64();
    let heartbeats = sent.pongs as f64 * (taking + 2.0 * PRICE.as_secs_f64());
    let best = (1.0 - heartbeats) / (1.5 * taking + 1.0 / CAPACITY);
    let payloads = sent.in_time as f64 / f64::from(MEMBERS - 1);
    assert!(payloads > 0.8 * best, "{payloads} of {best}");
    assert_eq!(sent.pongs, talk.pings, "every heartbeat is answered");
    talk.rest(SECOND);
    let sieve = talk.hall.world.borrow().sieve.clone();
    assert!(sieve.is_none() && !talk.is_overloaded(), "{sieve:?}");
    assert_conserved(&talk.hall.meter.read());
}

#[test]
fn what_cannot_even_be_taken_is_sifted_and_heartbeats_are_answered() {
    let mut talk = Talk::begin(ROOM);
    talk.hall.world.borrow_mut().price_of_taking = PRICE;
    // A datagram costs two microseconds to take: twice what a shard that does nothing else takes.
    talk.go_on(1e6, SECOND / 2);
    assert!(talk.hall.world.borrow().sieve.is_some());
    let (sifted, lost) = (talk.hall.world.borrow().sifted, talk.hall.world.borrow().overflowed);
    let sent = talk.go_on(1e6, SECOND / 2);
    assert!(talk.hall.world.borrow().sifted > sifted && sent.copies > 0);
    assert_eq!(sent.pongs, talk.pings, "every heartbeat is answered");
    assert_eq!(talk.hall.world.borrow().overflowed, lost, "nothing more finds a full queue");
    // Nothing comes any more that could wake it, and it must still let the next payload pass.
    talk.rest(SECOND);
    let sieve = talk.hall.world.borrow().sieve.clone();
    assert!(sieve.is_none() && !talk.is_overloaded(), "{sieve:?}");
    assert_conserved(&talk.hall.meter.read());
}

#[test]
fn a_burst_is_no_overload() {
    let mut talk = Talk::begin(ROOM);
    let now = talk.hall.world.borrow().now;
    (0..400).for_each(|_| talk.say(now));
    talk.rest(SECOND);
    assert_eq!(talk.sent(Duration::MAX).copies, 400 * usize::from(MEMBERS - 1));
    assert_eq!(talk.hall.meter.read().overflowed, 0);
}

#[test]
fn a_queue_that_grows_and_grows_is_an_overload_long_before_it_is_full() {
    let mut talk = Talk::begin(20_000);
    talk.go_on(2.0 * CAPACITY, 2 * SECOND / 5);
    assert!(talk.is_overloaded());
    let sent = talk.go_on(2.0 * CAPACITY, SECOND / 4);
    let p99 = sent.delays[sent.delays.len() * 99 / 100];
    assert!(p99 < Duration::from_millis(20), "{p99:?}");
}
