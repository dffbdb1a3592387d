//! Reports of invented runs, for tests and for looking at what the texts and the page make of them.

use std::net::Ipv4Addr;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, LogNormal};

use super::{Losses, Machine, Objective, RelayView, Report, Setup, Verdict};
use crate::outcome::{Outcome, Own, Slot, Totals};
use crate::plan::{self, Load, PayloadSize, Plan, Senders};

/// Each sample with its name.
pub(crate) fn all() -> Vec<(&'static str, Report)> {
    vec![
        ("perfect", perfect()),
        ("lossy", lossy()),
        ("invalid", invalid()),
        ("heartbeat", heartbeat()),
        ("nobody", nobody()),
        ("short", short()),
    ]
}

/// Writes what became of a sample into the folder `LOADGEN_SAMPLES`, if somebody wants to look at it.
pub(crate) fn keep(name: &str, ending: &str, text: &str) {
    if let Some(folder) = std::env::var_os("LOADGEN_SAMPLES") {
        let path = std::path::Path::new(&folder).join(name).with_extension(ending);
        std::fs::write(path, text).unwrap();
    }
}

/// Nothing was lost.
pub(crate) fn perfect() -> Report {
    let plan =
        Plan { clients: 1000, groups: 100, warm_up: SECOND * 5, duration: SECOND * 60, ..plan::example() };
    let outcome = traffic(&plan, 1, |_| (1.0, 1.0));
    let objectives =
        vec![objective("--max-loss", "0 %", "0 %", true), objective("--max-p99", "1 ms", "455 µs", true)];
    Report { objectives, relay: Some(relay(&outcome, 1)), ..report(plan, outcome) }
}

/// A third of the way the relay is overwhelmed for a while.
pub(crate) fn lossy() -> Report {
    let plan = Plan {
        clients: 1200,
        groups: 60,
        senders: Senders::PerGroup(3),
        load: Load::Open { rate: 33.3, arrivals: plan::Arrivals::Poisson },
        payload: PayloadSize::Mix,
        churn: 12.5,
        silent: 0.1,
        source_prefix: Some("127.1.0.0/16".parse().unwrap()),
        threads: Some(2),
        cpus: vec![0, 1],
        duration: SECOND * 60,
        ..plan::example()
    };
    let mut outcome = traffic(&plan, 2, |at| match at {
        0.0..0.33 | 0.5.. => (1.0, 1.0),
        _ => (0.93, 40.0),
    });
    outcome.totals = Totals {
        duplicated: 12,
        reordered: 4410,
        corrupted: 2,
        misdelivered: 3,
        in_transition: 213,
        late_sends: 38,
        skipped: 17,
        own_drops: 800,
        evictions: 2,
        refusals: 5,
        repeats: 41,
        pongs_received: outcome.totals.pings_sent - 9,
        ..outcome.totals
    };
    let lost = outcome.totals.lost();
    let relay_dropped = lost / 2;
    let losses = Losses {
        relay_dropped,
        relay_kernel: lost - relay_dropped - 900,
        receiver_kernel: 800,
        unexplained: 100,
        ..Losses::default()
    };
    let mut relay = relay(&outcome, 2);
    relay.dropped_packets = vec![("malformed".into(), 3), ("rate_limited".into(), 120)];
    relay.dropped_copies = vec![("queue_full".into(), relay_dropped), ("unreachable".into(), 41)];
    relay.kernel_drops = losses.relay_kernel / 20;
    let objectives = vec![
        objective("--max-loss", "0.1 %", "1.2 %", false),
        objective("--max-p99", "50 ms", "14.2 ms", true),
    ];
    let reasons = vec![
        "1.2 % of the copies were lost, more than the 0.1 % that --max-loss allows".into(),
        "3 copies reached a client outside of their group, which no relay should do: look at its version and at whether two relays share the address".into(),
    ];
    Report {
        losses,
        objectives,
        verdict: Verdict::Missed,
        reasons,
        relay: Some(relay),
        ..report(plan, outcome)
    }
}

/// The generator could not keep up.
pub(crate) fn invalid() -> Report {
    let plan = Plan {
        clients: 20_000,
        groups: 20,
        load: Load::Open { rate: 2.0, arrivals: plan::Arrivals::Constant },
        duration: SECOND * 30,
        ..plan::example()
    };
    let mut outcome = traffic(&plan, 3, |at| (1.0 - 0.4 * at, 1.0 + 4000.0 * at));
    outcome.totals.late_sends = outcome.totals.sent * 2 / 3;
    outcome.totals.own_drops = outcome.totals.lost();
    outcome.own = vec![own(0, 0.998, 0.31), own(1, 0.97, 0.28)];
    outcome.interrupted = true;
    let losses = Losses { receiver_kernel: outcome.totals.lost(), ..Losses::default() };
    let reasons = vec![
        "2 of 3 payloads left more than 1 ms late: the generator needs more processors or a lower --rate"
            .into(),
        "the generator's own receive queues dropped copies".into(),
    ];
    let relay_missing = Some("127.0.0.1:9500 did not answer within 2 s".into());
    Report { losses, reasons, verdict: Verdict::Invalid, relay_missing, ..report(plan, outcome) }
}

/// Nobody sends a payload.
pub(crate) fn heartbeat() -> Report {
    let plan = Plan {
        clients: 50_000,
        groups: 5000,
        senders: Senders::PerGroup(0),
        duration: SECOND * 120,
        ..plan::example()
    };
    let mut outcome = traffic(&plan, 4, |_| (1.0, 1.0));
    outcome.totals.pings_sent = 100_000;
    outcome.totals.pongs_received = 100_000;
    let relay = relay(&outcome, 0);
    Report { relay: Some(relay), ..report(plan, outcome) }
}

/// Nobody could join.
pub(crate) fn nobody() -> Report {
    let plan = Plan { clients: 10, groups: 2, ..plan::example() };
    let outcome = Outcome { interrupted: true, ..Outcome::planned(plan.duration) };
    let reasons = vec!["no client was answered when it joined".into()];
    Report { verdict: Verdict::Invalid, reasons, machine: Machine::default(), ..report(plan, outcome) }
}

/// One slot, one copy.
pub(crate) fn short() -> Report {
    let plan = Plan {
        clients: 2,
        groups: 1,
        load: Load::InFlight(1),
        payload: PayloadSize::Between(40, 64),
        heartbeat: plan::Heartbeat::Every(Duration::from_millis(1500)),
        silent: 0.1 + 0.2,
        duration: Duration::from_millis(100),
        ..plan::example()
    };
    let mut outcome = Outcome { duration: plan.duration, members: 2, ..Outcome::planned(plan.duration) };
    outcome.totals =
        Totals { sent: 1, sent_bytes: 64, expected: 1, received: 1, received_bytes: 64, ..Totals::default() };
    outcome.latency.record(Duration::from_micros(87));
    outcome.lateness.record(Duration::from_nanos(900));
    let slot = outcome.slot_mut(0);
    (slot.sent, slot.expected, slot.received) = (1, 1, 1);
    slot.latency.record(Duration::from_micros(87));
    report(plan, outcome)
}

const SECOND: Duration = Duration::from_secs(1);

fn report(plan: Plan, outcome: Outcome) -> Report {
    let sockets = "shared".into();
    Report {
        target: "127.0.0.1:5000".into(),
        plan,
        setup: Setup {
            backend: "uring".into(),
            sockets,
            threads: 2,
            workers: 0,
            started: "2026-11-21T09:30:00Z".into(),
        },
        outcome,
        relay: None,
        relay_missing: None,
        losses: Losses::default(),
        objectives: Vec::new(),
        verdict: Verdict::Met,
        reasons: Vec::new(),
        machine: Machine {
            processor: "AMD EPYC 9R14 96-Core Processor".into(),
            cpus: 2,
            memory: 8 << 30,
            kernel: "6.18.2-amd64".into(),
        },
    }
}

fn objective(flag: &str, limit: &str, measured: &str, met: bool) -> Objective {
    Objective { flag: flag.into(), limit: limit.into(), measured: measured.into(), met }
}

fn own(cpu: usize, busy: f64, starved: f64) -> Own {
    let part = |part: f64| Duration::from_secs_f64(60.0 * part);
    Own { cpu: Some(cpu), busy: part(busy), starved: part(starved), wall: part(1.0) }
}

fn relay(outcome: &Outcome, shards: u32) -> RelayView {
    let totals = &outcome.totals;
    RelayView {
        url: format!("{}://{}:9500/metrics", "http", Ipv4Addr::LOCALHOST),
        version: "0.1.0".into(),
        backend: "uring".into(),
        shards: shards.max(1),
        cpu: Duration::from_nanos(1150 * totals.received + 4000 * totals.pings_sent),
        elapsed: outcome.duration,
        received_packets: totals.sent + totals.pings_sent,
        sent_packets: totals.received + totals.pongs_received,
        ..RelayView::default()
    }
}

/// Traffic as planned; `course` gives, for each part of the time, the part that is delivered and a factor of the
/// latency.
fn traffic(plan: &Plan, seed: u64, course: impl Fn(f64) -> (f64, f64)) -> Outcome {
    let mut random = StdRng::seed_from_u64(seed);
    let mut outcome = Outcome {
        duration: plan.duration,
        members: u64::from(plan.clients),
        ..Outcome::planned(plan.duration)
    };
    let slots = outcome.duration.div_duration_f64(outcome.slot).round() as usize;
    for index in 0..slots {
        let (delivered, slower) = course(index as f64 / slots as f64);
        fill(&mut outcome, index, plan, &mut random, delivered, slower);
    }
    outcome.totals.pings_sent = u64::from(plan.clients) * 2;
    outcome.totals.pongs_received = outcome.totals.pings_sent;
    outcome.totals.joins = u64::from(plan.clients);
    record(&mut random, 200.0, 2000, |duration| {
        outcome.round_trip.record_n(duration, outcome.totals.pings_sent / 2000);
    });
    outcome.own = vec![own(0, 0.62, 0.001), own(1, 0.58, 0.004)];
    outcome
}

fn fill(outcome: &mut Outcome, index: usize, plan: &Plan, random: &mut StdRng, delivered: f64, slower: f64) {
    let size = plan.clients / plan.groups;
    let senders = f64::from(plan.senders_of(size) * plan.groups);
    let Load::Open { rate, arrivals } = plan.load else { return };
    let noise = if arrivals == plan::Arrivals::Poisson { 0.97 + 0.06 * random.random::<f64>() } else { 1.0 };
    let sent = (senders * rate * noise * outcome.slot.as_secs_f64()).round() as u64;
    let expected = sent * u64::from(size - 1);
    let received = (expected as f64 * delivered).round() as u64;
    let copies = expected / 500 + 1;
    let mut latency = Slot::default().latency;
    if sent > 0 {
        record(random, 110.0 * slower, received / copies, |duration| {
            latency.record_n(duration, copies);
            outcome.latency.record_n(duration, copies);
        });
        record(random, 2.0 * slower, 100, |duration| outcome.lateness.record_n(duration, sent / 100));
    }
    *outcome.slot_mut(index) = Slot { sent, expected, received, latency };
    outcome.totals.add(&Totals {
        sent,
        expected,
        received,
        sent_bytes: sent * 64,
        received_bytes: received * 64,
        ..Totals::default()
    });
}

/// Long-tailed durations around so many microseconds.
fn record(random: &mut impl Rng, median_us: f64, times: u64, mut into: impl FnMut(Duration)) {
    let spread = LogNormal::new(median_us.ln(), 0.45).unwrap();
    for _ in 0..times {
        into(Duration::from_secs_f64(spread.sample(random) * 1e-6));
    }
}
