//! What a run is to do, resolved and checked; what workers are sent.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use ipnet::IpNet;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::lane::Measurement;
use crate::payload::STAMP;
use crate::show::precise;

/// The most clients of a plan: as many as addresses in the loopback network.
pub const MAX_CLIENTS: u32 = 16_000_000;

/// The most threads of a machine.
const MAX_THREADS: u32 = 1024;

/// The most processors that can be listed.
const MAX_CPUS: usize = 4096;

/// Pings in a shorter distance are an attack.
const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(100);

/// The mix of sizes, in twelfths: docs/loadgen.md.
const MIX: [u16; 12] = [64, 64, 64, 64, 64, 64, 64, 512, 512, 512, 512, 1200];

/// Nothing is asked for more often in a second, not even by a search that knows no limit.
const HIGHEST_RATE: f64 = 1e9;

/// A run, whole: the same on every machine that takes part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The relay.
    pub target: SocketAddr,
    /// Simulated clients, 1 or more.
    pub clients: u32,
    /// Groups that they are spread over as evenly as can be, 1 to `clients`.
    pub groups: u32,
    /// Who sends payloads.
    pub senders: Senders,
    /// When they send.
    pub load: Load,
    /// Bytes of each payload.
    pub payload: PayloadSize,
    /// Pings.
    pub heartbeat: Heartbeat,
    /// Members that leave their group and join it again, per second.
    pub churn: f64,
    /// Part of the clients that join and then say nothing, 0 to 1.
    pub silent: f64,
    /// Clients prove their addresses only where they have to, as those do that know no proofs.
    #[serde(default)]
    pub unproved: bool,
    /// Over how long the clients join.
    pub ramp: Duration,
    /// Traffic that is not counted, before the measurement.
    pub warm_up: Duration,
    /// The measurement.
    pub duration: Duration,
    /// How clients are many.
    pub sockets: Sockets,
    /// Where shared sockets send from.
    pub source_prefix: Option<IpNet>,
    /// How datagrams travel.
    pub backend: Backend,
    /// Whether received datagrams may be coalesced by the kernel (`UDP_GRO`).
    pub gro: bool,
    /// Threads of each machine; None lets it choose.
    pub threads: Option<u32>,
    /// Processors that the threads are pinned to, one each in turn; empty lets the machine choose.
    pub cpus: Vec<usize>,
    /// What everything random comes from.
    pub seed: u64,
}

/// Who sends payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Senders {
    /// Every client that is not silent.
    All,
    /// So many in each group.
    PerGroup(u32),
}

/// When payloads are sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// Open loop: at times that are fixed before, whatever the relay does.
    Open {
        /// Payloads per second of each sender.
        rate: f64,
        /// How the times are spread.
        arrivals: Arrivals,
    },
    /// Closed loop: in each group so many payloads are on their way, and the next leaves when one has reached every
    /// member. It finds out what a relay can do at most; its latencies are no forecast.
    InFlight(u16),
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Load::Open { rate, .. } => write!(f, "--rate {}", precise(*rate)),
            Load::InFlight(window) => write!(f, "--in-flight {window}"),
        }
    }
}

/// How the intended times of payloads are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Equal distances.
    Constant,
    /// A Poisson process: exponential distances.
    Poisson,
}

/// Bytes of each payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadSize {
    /// Always the same.
    Fixed(u16),
    /// Each size between these equally often.
    Between(u16, u16),
    /// 64 bytes in 7 of 12, 512 in 4 and 1200 in 1 (the proportions of the Simple IMIX).
    Mix,
}

impl PayloadSize {
    /// The size of the next payload.
    pub fn draw(self, rng: &mut impl Rng) -> u16 {
        match self {
            PayloadSize::Fixed(size) => size,
            PayloadSize::Between(least, most) => rng.random_range(least..=most),
            PayloadSize::Mix => MIX[rng.random_range(0..MIX.len())],
        }
    }

    /// The largest that it can be.
    pub fn largest(self) -> u16 {
        match self {
            PayloadSize::Fixed(size) => size,
            PayloadSize::Between(_, most) => most,
            PayloadSize::Mix => MIX[MIX.len() - 1],
        }
    }
}

/// Pings of each joined client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heartbeat {
    /// As often as the relay's PONG asks for.
    Auto,
    /// In this distance.
    Every(Duration),
}

/// How clients are many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Sockets {
    /// Shared sockets where the target can be reached from many addresses of this machine, one for each client elsewhere.
    Auto,
    /// One socket for each client.
    PerClient,
    /// One socket for each thread; clients differ by their address.
    Shared,
}

/// How datagrams travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// io_uring where it is available.
    Auto,
    /// io_uring.
    Uring,
    /// recvmmsg and sendmmsg.
    Mmsg,
}

/// The part of a plan that one thread does: groups, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The groups.
    pub groups: Range<u32>,
}

impl Plan {
    /// Clients of a group: the first groups have one more where they cannot be equal.
    pub fn clients_of(&self, group: u32) -> Range<u32> {
        self.first_client(group)..self.first_client(group + 1)
    }

    fn first_client(&self, group: u32) -> u32 {
        let (size, larger) = (self.clients / self.groups, self.clients % self.groups);
        group * size + group.min(larger)
    }

    /// Cuts a share into so many that differ by at most one group; fewer where there are too few groups.
    pub fn split(share: &Share, parts: u32) -> Vec<Share> {
        let count = share.groups.len() as u32;
        let parts = parts.clamp(1, count.max(1));
        let at =
            |part: u32| share.groups.start + (u64::from(count) * u64::from(part) / u64::from(parts)) as u32;
        (0..parts).map(|part| Share { groups: at(part)..at(part + 1) }).collect()
    }

    /// All of it.
    pub fn whole(&self) -> Share {
        Share { groups: 0..self.groups }
    }

    /// The same with a target that is plain IPv4 if it is one: so its datagrams show it.
    pub fn canonical(mut self) -> Self {
        self.target.set_ip(self.target.ip().to_canonical());
        self
    }

    fn measurement(&self) -> Measurement {
        Measurement { load: self.load, warm_up: self.warm_up, duration: self.duration }
    }

    fn has_sound_target(&self) -> bool {
        let (ip, port) = (self.target.ip().to_canonical(), self.target.port());
        port != 0 && !ip.is_unspecified() && !ip.is_multicast()
    }

    fn has_sound_threads(&self) -> bool {
        self.threads.is_none_or(|threads| (1..=MAX_THREADS).contains(&threads)) && self.cpus.len() <= MAX_CPUS
    }

    fn has_sound_heartbeat(&self) -> bool {
        match self.heartbeat {
            Heartbeat::Auto => true,
            Heartbeat::Every(distance) => (SHORTEST_HEARTBEAT..=quantity::MAX_DURATION).contains(&distance),
        }
    }

    /// Why a plan from elsewhere cannot be done.
    pub fn fault(&self, share: &Share) -> Option<String> {
        let sizes = match self.payload {
            PayloadSize::Fixed(size) => size..=size,
            PayloadSize::Between(least, most) => least..=most,
            PayloadSize::Mix => STAMP as u16..=STAMP as u16,
        };
        let is_sound = (1..=self.clients).contains(&self.groups)
            && self.clients <= MAX_CLIENTS
            && share.groups.start < share.groups.end
            && share.groups.end <= self.groups
            && usize::from(*sizes.start()) >= STAMP
            && usize::from(*sizes.end()) <= wire::MAX_DATAGRAM
            && sizes.start() <= sizes.end()
            && (0.0..=HIGHEST_RATE).contains(&self.churn)
            && (0.0..1.0).contains(&self.silent)
            && self.ramp <= quantity::MAX_DURATION
            && self.measurement().is_sound()
            && self.has_sound_target()
            && self.has_sound_threads()
            && self.has_sound_heartbeat();
        (!is_sound).then(|| "the plan is not one that a loadgen makes".to_owned())
    }

    /// Messages that people write in a second if all are online; 0 in the closed loop.
    pub fn messages_per_second(&self) -> f64 {
        match self.load {
            Load::Open { rate, .. } => f64::from(self.clients) * rate,
            Load::InFlight(_) => 0.0,
        }
    }

    /// Copies that the relay is to deliver in a second; 0 in the closed loop, where it decides.
    pub fn deliveries_per_second(&self) -> f64 {
        let Load::Open { rate, .. } = self.load else { return 0.0 };
        let size = f64::from(self.clients) / f64::from(self.groups);
        let senders = match self.senders {
            Senders::All => size * (1.0 - self.silent),
            Senders::PerGroup(count) => f64::from(count).min(size),
        };
        f64::from(self.groups) * senders * rate * (size - 1.0)
    }

    /// Senders of a group of so many members that are not silent.
    pub fn senders_of(&self, speaking: u32) -> u32 {
        match self.senders {
            Senders::All => speaking,
            Senders::PerGroup(count) => count.min(speaking),
        }
    }
}

impl Measurement {
    /// Why a measurement from elsewhere cannot be made after this wait.
    pub fn fault(&self, wait: Duration) -> Option<String> {
        let is_sound = self.is_sound() && wait <= quantity::MAX_DURATION;
        (!is_sound).then(|| "the measurement is not one that a loadgen makes".to_owned())
    }

    fn is_sound(&self) -> bool {
        let has_sound_load = match self.load {
            Load::Open { rate, .. } => (0.0..=HIGHEST_RATE).contains(&rate),
            Load::InFlight(window) => window > 0,
        };
        has_sound_load && self.warm_up <= quantity::MAX_DURATION && self.duration <= quantity::MAX_DURATION
    }
}

#[cfg(test)]
pub(crate) fn example() -> Plan {
    Plan {
        target: "127.0.0.1:5000".parse().unwrap(),
        clients: 100,
        groups: 10,
        senders: Senders::All,
        load: Load::Open { rate: 10.0, arrivals: Arrivals::Constant },
        payload: PayloadSize::Fixed(64),
        heartbeat: Heartbeat::Auto,
        churn: 0.0,
        silent: 0.0,
        unproved: false,
        ramp: Duration::from_secs(1),
        warm_up: Duration::ZERO,
        duration: Duration::from_secs(10),
        sockets: Sockets::Auto,
        source_prefix: None,
        backend: Backend::Auto,
        gro: false,
        threads: None,
        cpus: Vec::new(),
        seed: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_is_in_one_group() {
        let plan = Plan { clients: 103, groups: 10, ..example() };
        let sizes: Vec<usize> = (0..10).map(|group| plan.clients_of(group).len()).collect();
        assert_eq!(sizes, [11, 11, 11, 10, 10, 10, 10, 10, 10, 10]);
        assert!((1..10).all(|group| plan.clients_of(group - 1).end == plan.clients_of(group).start));
    }

    #[test]
    fn a_load_is_told_in_few_digits() {
        let told = |rate| Load::Open { rate, arrivals: Arrivals::Constant }.to_string();
        let rates = [14.601_329_589_185_41, 50.0, 12_345.0, 0.5, 0.012_343, 12_345.6].map(told);
        assert_eq!(
            rates,
            ["--rate 14.6", "--rate 50", "--rate 12345", "--rate 0.5", "--rate 0.01234", "--rate 12346"]
        );
        assert_eq!(Load::InFlight(64).to_string(), "--in-flight 64");
    }

    /// Everything that a machine must not take from another.
    fn faulty() -> Vec<Plan> {
        let long = quantity::MAX_DURATION + Duration::from_nanos(1);
        let open = |rate| Load::Open { rate, arrivals: Arrivals::Poisson };
        let every = |distance| Plan { heartbeat: Heartbeat::Every(distance), ..example() };
        let to = |target: &str| Plan { target: target.parse().unwrap(), ..example() };
        let mut plans = Vec::new();
        for time in [long, Duration::MAX] {
            plans.push(Plan { ramp: time, ..example() });
            plans.push(Plan { warm_up: time, ..example() });
            plans.push(Plan { duration: time, ..example() });
            plans.push(every(time));
        }
        plans.extend([Duration::ZERO, Duration::from_nanos(1), Duration::from_millis(99)].map(every));
        plans.extend([0, 1025, u32::MAX].map(|threads| Plan { threads: Some(threads), ..example() }));
        plans
            .extend(["127.0.0.1:0", "0.0.0.0:5000", "224.0.0.1:5000", "[::]:5000", "[ff02::1]:5000"].map(to));
        plans.extend(["[::ffff:0.0.0.0]:5000", "[::ffff:224.0.0.1]:5000"].map(to));
        plans.push(Plan { cpus: vec![0; 4097], ..example() });
        for number in [f64::NAN, f64::INFINITY, -1.0, f64::MAX] {
            plans.push(Plan { load: open(number), ..example() });
            plans.push(Plan { churn: number, ..example() });
            plans.push(Plan { silent: number, ..example() });
        }
        plans.push(Plan { load: Load::InFlight(0), ..example() });
        plans.extend([0, u32::MAX].map(|groups| Plan { groups, ..example() }));
        plans.extend([0, u32::MAX].map(|clients| Plan { clients, ..example() }));
        plans
    }

    #[test]
    fn a_plan_from_elsewhere_is_checked() {
        let share = Share { groups: 0..10 };
        assert_eq!(example().fault(&share), None);
        for plan in faulty() {
            assert!(plan.fault(&share).is_some(), "{plan:?}");
        }
        for groups in [0..0, 3..11, 0..u32::MAX, u32::MAX..u32::MAX] {
            assert!(example().fault(&Share { groups: groups.clone() }).is_some(), "{groups:?}");
        }
    }

    #[test]
    fn a_measurement_from_elsewhere_is_checked() {
        let sound = example().measurement();
        assert_eq!(sound.fault(Duration::from_millis(100)), None);
        assert!(sound.fault(Duration::MAX).is_some());
        for time in [quantity::MAX_DURATION + Duration::from_nanos(1), Duration::MAX] {
            assert!(Measurement { warm_up: time, ..sound }.fault(Duration::ZERO).is_some());
            assert!(Measurement { duration: time, ..sound }.fault(Duration::ZERO).is_some());
        }
        let load = Load::Open { rate: f64::NAN, arrivals: Arrivals::Constant };
        assert!(Measurement { load, ..sound }.fault(Duration::ZERO).is_some());
    }

    #[test]
    fn a_target_is_what_its_datagrams_show() {
        let to = |target: &str| Plan { target: target.parse().unwrap(), ..example() }.canonical().target;
        assert_eq!(to("[::ffff:127.0.0.1]:5000"), example().target);
        assert_eq!(to("[::1]:5000").to_string(), "[::1]:5000");
    }

    #[test]
    fn shares_are_nearly_equal_and_whole() {
        let parts = Plan::split(&Share { groups: 5..15 }, 3);
        let ranges: Vec<Range<u32>> = parts.into_iter().map(|share| share.groups).collect();
        assert_eq!(ranges, [5..8, 8..11, 11..15]);
        assert_eq!(Plan::split(&Share { groups: 0..2 }, 8).len(), 2);
    }
}
