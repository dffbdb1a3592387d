//! The other side of the measurement: members of one group on sockets of their own, by the driver that needs no ring.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use net::{Arrival, Driver, DriverConfig, Mmsg, Run, SocketIndex, SocketOptions};

use super::subject::Subject;

/// Members of the group that is fanned out to, the sender included.
pub const MEMBERS: usize = 16;
/// Bytes of a payload.
pub const PAYLOAD: usize = 200;
/// How long a flood is measured, and what goes before it unmeasured.
const FLOOD: Duration = Duration::from_millis(250);
const WARM_UP: Duration = Duration::from_millis(30);
/// Payloads that are sent at once, and that are on their way at most.
const BURST: u64 = 32;
const WINDOW: u64 = 96;
/// Payloads a second, and for how long, while delays are measured: a shard that is mostly idle.
const MODEST: u32 = 1000;
const MODEST_FOR: Duration = Duration::from_millis(350);
/// Without any arrival for so long, what is on its way counts as lost.
const SILENCE: Duration = Duration::from_millis(50);
/// For an answer to a command.
const PATIENCE: Duration = Duration::from_secs(2);

/// What came of a flood.
pub struct Flow {
    /// Copies that arrived.
    pub copies: u64,
    /// The shard's processor time meanwhile.
    pub shard: Duration,
    /// How long it took.
    pub elapsed: Duration,
    /// The larger part of it that the shard or this thread waited for a processor.
    pub waited: f64,
}

/// Members of one group; the first one speaks.
pub struct Client {
    driver: Mmsg,
    relay: SocketAddr,
    members: usize,
    arrivals: Vec<Arrival>,
    started: Instant,
}

impl Client {
    /// So many members of a new group.
    ///
    /// # Errors
    /// No sockets can be had, or the relay does not answer.
    pub fn join(relay: SocketAddr, members: usize) -> io::Result<Self> {
        let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
        let sockets = net::bind_clients(localhost, members, Some(relay), SocketOptions::default())
            .map_err(|error| error.source)?;
        let config = DriverConfig { buffers: 1024, ..DriverConfig::default() };
        let driver = Mmsg::new(sockets, &config).map_err(|failure| failure.error.source)?;
        let mut client = Self { driver, relay, members, arrivals: Vec::new(), started: Instant::now() };
        let answer = client.ask(0, "!CREATE")?;
        let group = answer.strip_prefix("OK CREATED ").unwrap_or_default().to_owned();
        for member in 0..members {
            let answer = client.ask(member, &format!("!JOIN {group}"))?;
            if !answer.starts_with("OK JOINED") {
                return Err(io::Error::other(format!("the relay answered {answer:?}")));
            }
        }
        Ok(client)
    }

    fn ask(&mut self, member: usize, request: &str) -> io::Result<String> {
        self.send(member, request.as_bytes(), 1)?;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            self.driver.exchange(&mut self.arrivals, Some(PATIENCE))?;
            if let Some(arrival) = self.arrivals.pop() {
                let answer = String::from_utf8_lossy(self.driver.bytes(&arrival)).into_owned();
                self.driver.release(arrival.buffer);
                return Ok(answer);
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the relay does not answer on loopback"))
    }

    /// The same bytes a number of times, in one message.
    fn send(&mut self, member: usize, bytes: &[u8], times: u64) -> io::Result<()> {
        let part = self.driver.compose(bytes);
        let parts = vec![part; times as usize];
        let gather = self.driver.gather(&parts);
        let run = Run {
            socket: SocketIndex(member as u16),
            to: self.relay,
            from: None,
            gather,
            size: bytes.len() as u16,
            bytes: (bytes.len() * parts.len()) as u32,
        };
        self.driver.send(&run).map_err(|_| io::Error::other("a turn takes no more"))
    }

    /// Takes what has arrived, and hands every arrival's bytes over.
    fn receive(&mut self, wait: Duration, mut each: impl FnMut(&[u8])) -> io::Result<u64> {
        self.driver.exchange(&mut self.arrivals, Some(wait))?;
        let count = self.arrivals.len() as u64;
        for arrival in self.arrivals.drain(..) {
            each(self.driver.bytes(&arrival));
            self.driver.release(arrival.buffer);
        }
        Ok(count)
    }

    /// As much as the relay can forward.
    ///
    /// # Errors
    /// A driver became unusable, or the kernel does not count processor time.
    pub fn flood(&mut self, subject: &Subject) -> io::Result<Flow> {
        self.pump(WARM_UP)?;
        let (shard, delay, own) = (subject.time()?, net::thread_run_delay()?, Instant::now());
        let copies = self.pump(FLOOD)?;
        let elapsed = own.elapsed();
        let (after, own_delay) = (subject.time()?, net::thread_run_delay()? - delay);
        let waited = (after.1 - shard.1).max(own_delay).as_secs_f64() / elapsed.as_secs_f64();
        Ok(Flow { copies, shard: after.0 - shard.0, elapsed, waited })
    }

    /// Keeps payloads on their way for a time; returns the copies that arrived.
    fn pump(&mut self, time: Duration) -> io::Result<u64> {
        let copies_each = self.members as u64 - 1;
        let payload = [b'.'; PAYLOAD];
        let (start, mut heard) = (Instant::now(), Instant::now());
        let (mut on_their_way, mut all) = (0_u64, 0);
        while start.elapsed() < time {
            while on_their_way + BURST * copies_each <= WINDOW * copies_each {
                self.send(0, &payload, BURST)?;
                on_their_way += BURST * copies_each;
            }
            let count = self.receive(Duration::from_millis(1), |_| {})?;
            all += count;
            on_their_way = on_their_way.saturating_sub(count);
            if count > 0 {
                heard = Instant::now();
            } else if heard.elapsed() > SILENCE {
                on_their_way = 0;
            }
        }
        // What is left must not count in the next phase.
        while on_their_way > 0 && heard.elapsed() < SILENCE {
            let count = self.receive(Duration::from_millis(1), |_| {})?;
            on_their_way = on_their_way.saturating_sub(count);
            if count > 0 {
                heard = Instant::now();
            }
        }
        Ok(all)
    }

    /// At a modest, steady rate: nanoseconds from each send to the arrival of its copy.
    ///
    /// # Errors
    /// The driver became unusable.
    pub fn delays(&mut self) -> io::Result<Vec<u64>> {
        let interval = Duration::from_secs(1) / MODEST;
        let (start, mut due) = (Instant::now(), Duration::ZERO);
        let (started, mut delays) = (self.started, Vec::new());
        while due < MODEST_FOR {
            let mut payload = [b'.'; PAYLOAD];
            // The first byte of a payload must not be that of a command.
            payload[1..9].copy_from_slice(&nanoseconds(started).to_be_bytes());
            self.send(0, &payload, 1)?;
            due += interval;
            loop {
                let left = due.saturating_sub(start.elapsed());
                self.receive(left, |bytes| {
                    let sent =
                        bytes.get(1..9).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
                    delays.extend(sent.map(|sent| nanoseconds(started).saturating_sub(sent)));
                })?;
                if left.is_zero() {
                    break;
                }
            }
        }
        Ok(delays)
    }
}

fn nanoseconds(since: Instant) -> u64 {
    since.elapsed().as_nanos() as u64
}
