//! What a seed means: how large, how fast and how troubled a run is.

use std::num::NonZeroU32;
use std::time::Duration;

use engine::{AdmissionMode, Cap, Ceilings, Settings, Terms};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use wire::GroupId;

use crate::driver::Make;
use crate::network::Weather;

/// A ceiling that no run reaches.
pub const MANY: u32 = 10_000;

/// Copies of payloads that a run causes, about: what a run may cost.
const COPIES: f64 = 60_000.0;

/// The parameters of a run.
#[derive(Clone, Debug)]
pub struct Script {
    /// Shards of the relay.
    pub shards: usize,
    /// Clients.
    pub clients: usize,
    /// The relay's settings at first.
    pub settings: Settings,
    /// Groups of the configuration.
    pub declared: Vec<(GroupId, Terms)>,
    /// Reloads change who has to prove itself.
    pub moody: bool,
    /// The relay is bound to a wildcard.
    pub wildcard: bool,
    /// The driver.
    pub make: Make,
    /// Datagrams that a socket's receive buffer holds.
    pub room: usize,
    /// How long the faults last.
    pub faults: Duration,
    /// The worst weather.
    pub worst: Weather,
    /// Mean times between two faults of a kind.
    pub between: Between,
    /// Mean time between two things that a talkative client does.
    pub talk: Duration,
    /// Payloads of one burst, at most.
    pub burst: u64,
    /// Payloads have one of these lengths.
    pub sizes: Vec<usize>,
}

/// Mean times between two faults of a kind; the maximum is never.
#[derive(Clone, Copy, Debug)]
pub struct Between {
    /// The weather changes.
    pub weather: Duration,
    /// A client is cut off, or refused.
    pub trouble: Duration,
    /// A shard, all of them, or the whole machine stands still.
    pub stall: Duration,
    /// The relay ends and starts again.
    pub restart: Duration,
    /// New settings are read.
    pub reload: Duration,
    /// A client talks without end.
    pub burst: Duration,
}

impl Script {
    /// The run of a seed.
    pub fn of(seed: u64) -> Self {
        // Another stream than that of the world.
        let mut dice = SmallRng::seed_from_u64(seed ^ 0x5C21_97A1_0000_0001);
        let heartbeat = pick(&mut dice, &[60_000, 60_000, 60_000, 10_000, 5_000, 1_000, 300]);
        let clients = *one(&mut dice, &[6, 20, 20, 60, 60, 150, 300]) + dice.random_range(0..6);
        // Long runs are quiet ones: what is far apart costs nothing.
        let beats = *one(&mut dice, &[10.0, 20.0, 40.0, 80.0]);
        let faults = (heartbeat.mul_f64(beats)).clamp(Duration::from_secs(20), Duration::from_secs(7200));
        let declared = declared(&mut dice);
        let groups = declared.len() as f64 + 2.0;
        let copies_each = (clients as f64 / groups).max(1.0);
        let talk = Duration::from_secs_f64(faults.as_secs_f64() * clients as f64 * copies_each / COPIES)
            .clamp(Duration::from_millis(2), faults);
        Self {
            shards: dice.random_range(1..=4),
            clients,
            settings: settings(&mut dice, heartbeat, clients),
            declared,
            moody: dice.random_bool(0.3),
            wildcard: dice.random_bool(0.5),
            make: Make {
                buffers: 1024,
                is_ring: dice.random_bool(0.5),
                price: Duration::from_nanos(*one(&mut dice, &[500, 500, 500, 5_000, 20_000])),
            },
            room: *one(&mut dice, &[40, 1000, 4000]),
            faults,
            worst: worst(&mut dice),
            between: between(&mut dice, faults),
            talk,
            burst: *one(&mut dice, &[5, 50, 700, 1500]),
            sizes: sizes(&mut dice),
        }
    }
}

fn one<'a, T>(dice: &mut SmallRng, choices: &'a [T]) -> &'a T {
    &choices[dice.random_range(0..choices.len())]
}

fn pick(dice: &mut SmallRng, millis: &[u64]) -> Duration {
    Duration::from_millis(*one(dice, millis))
}

fn declared(dice: &mut SmallRng) -> Vec<(GroupId, Terms)> {
    let ids = [&b"HALL"[..], b"ANNEX", b"LOBBY-1", b"X", b"A_LONG_NAME_OF_THIRTY-TWO_LETTER"];
    let count = dice.random_range(1..=ids.len());
    let terms = |dice: &mut SmallRng| Terms {
        cap: *one(dice, &[None, Some(Cap::Unlimited), Some(Cap::Members(4)), Some(Cap::Members(50))]),
        coalesce: *one(dice, &[None, None, Some(Duration::ZERO), Some(Duration::from_millis(5))]),
    };
    ids[..count].iter().filter_map(|id| Some((GroupId::parse(id).ok()?, terms(dice)))).collect()
}

fn settings(dice: &mut SmallRng, heartbeat: Duration, clients: usize) -> Settings {
    let clients = clients as u32;
    let admission = *one(dice, &[AdmissionMode::Open, AdmissionMode::Auto, AdmissionMode::Strict]);
    // Its units wrap after 268 s, which no run with a short heartbeat takes.
    let is_short = heartbeat <= Duration::from_secs(1);
    let max_rate = one(dice, &[None, None, NonZeroU32::new(10), NonZeroU32::new(1000)]).filter(|_| is_short);
    Settings {
        heartbeat,
        sweep: heartbeat.mul_f64(*one(dice, &[0.5, 0.5, 0.1, 0.013, 2.0])).max(Duration::from_millis(1)),
        empty_ttl: heartbeat.mul_f64(*one(dice, &[5.0, 5.0, 0.5, 1.0])).max(Duration::from_secs(2)),
        cap: *one(dice, &[Cap::Members(128), Cap::Members(16), Cap::Members(2), Cap::Unlimited]),
        coalesce: *one(dice, &[Duration::ZERO, Duration::ZERO, Duration::from_millis(20)]),
        admission,
        max_rate,
        unproved_egress: *one(dice, &[25_000_000, 25_000_000, 100_000, 5_000]),
        max_groups_per_client: *one(dice, &[3, 3, 1, 20]),
        ceilings: Ceilings {
            clients: *one(dice, &[MANY, MANY, clients.div_ceil(2)]),
            groups: *one(dice, &[MANY, MANY, 12]),
            unjoined_groups: *one(dice, &[MANY, MANY, 5]),
        },
        ..Settings::default()
    }
}

fn worst(dice: &mut SmallRng) -> Weather {
    let most = *one(dice, &[200, 2_000, 20_000, 500_000, 3_000_000]);
    Weather {
        loss: *one(dice, &[0.0, 0.01, 0.1, 0.3]),
        duplication: *one(dice, &[0.0, 0.05, 0.5]),
        corruption: *one(dice, &[0.0, 0.0, 0.01]),
        delay: (Duration::from_micros(100), Duration::from_micros(most)),
        refusal: *one(dice, &[0.0, 0.001, 0.05]),
    }
}

fn between(dice: &mut SmallRng, faults: Duration) -> Between {
    let mut some = |shares: &[f64]| {
        let share = *one(dice, shares);
        if share == 0.0 { Duration::MAX } else { faults.div_f64(share) }
    };
    Between {
        weather: some(&[0.0, 10.0, 30.0]),
        trouble: some(&[0.0, 5.0, 50.0]),
        stall: some(&[0.0, 2.0, 10.0]),
        restart: some(&[0.0, 0.0, 1.0, 3.0]),
        reload: some(&[0.0, 2.0, 10.0]),
        burst: some(&[0.0, 2.0, 10.0]),
    }
}

fn sizes(dice: &mut SmallRng) -> Vec<usize> {
    match dice.random_range(0..3) {
        0 => vec![100],
        1 => vec![64, 512, 1200],
        _ => vec![20, 100, 101, 1472, 4096],
    }
}
