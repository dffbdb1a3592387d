//! The driver and the card, on a relay that is a few lines long.

use super::*;
use crate::capacity::card::{SCHEMA, Varied};
use crate::capacity::standing::Standing;
use crate::outcome::{Outcome, Totals};
use crate::plan::{Load, Plan};
use crate::report::{Losses, Machine, Objective, RelayView, Setup, Verdict};

/// What a relay of this capacity (payloads per second of each sender) would show.
fn report(capacity: f64, load: f64, duration: Duration) -> Report {
    let mut plan = crate::plan::example();
    if let Load::Open { rate, .. } = &mut plan.load {
        *rate = load;
    }
    let seconds = duration.as_secs_f64();
    let sent = f64::from(plan.clients) * load * seconds;
    let part = (capacity / load).min(1.0);
    let mut outcome = Outcome::planned(duration);
    outcome.duration = duration;
    outcome.totals = Totals {
        sent: sent as u64,
        expected: (sent * 9.0) as u64,
        received: (sent * 9.0 * part) as u64,
        ..Totals::default()
    };
    let p99 = Duration::from_micros(if part < 1.0 { 45_000 } else { 350 });
    outcome.latency.record_n(p99, outcome.totals.received);
    let met = part == 1.0;
    let objective = |flag: &str, limit: &str| Objective {
        flag: flag.into(),
        limit: limit.into(),
        measured: String::new(),
        met,
    };
    let objectives = vec![objective("--max-p99", "5 ms"), objective("--max-loss", "0.1 %")];
    Report {
        target: "relay.example:5000".into(),
        plan,
        setup: Setup {
            backend: "uring".into(),
            sockets: "shared".into(),
            threads: 2,
            workers: 0,
            started: "2026-05-01T12:00:00Z".into(),
        },
        relay: Some(relay(outcome.totals.received, duration)),
        outcome,
        relay_missing: None,
        losses: Losses::default(),
        objectives,
        verdict: if met { Verdict::Met } else { Verdict::Missed },
        reasons: Vec::new(),
        machine: machine(),
    }
}

fn machine() -> Machine {
    let processor = "A processor with a name of the length that is usual".into();
    Machine { processor, cpus: 8, memory: 17_179_869_184, kernel: "6.18.5".into() }
}

fn relay(copies: u64, duration: Duration) -> RelayView {
    RelayView {
        version: "0.1.0".into(),
        backend: "uring".into(),
        shards: 2,
        cpu: Duration::from_nanos(copies * 800),
        elapsed: duration,
        sent_packets: copies,
        ..RelayView::default()
    }
}

fn asked() -> Asked {
    let (generator, relay) = (Some(vec![2, 3]), Some(vec![0, 1]));
    Asked {
        varied: Varied::Rate,
        goal: Goal::default(),
        min: 1.0,
        max: Some(5000.0),
        confirmations: 3,
        cores: Cores { same_machine: Some(true), generator, relay },
    }
}

/// The card, after what every card must be.
fn card(asked: &Asked, mut trial: impl FnMut(f64, Duration) -> Report) -> CapacityCard {
    let card = run::<InvalidGoal>(asked, |load, duration| Ok(trial(load, duration))).unwrap();
    let text = card.to_string();
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{text}");
    assert!(!text.contains('\u{a0}'), "{text}");
    assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
    assert_eq!(text.starts_with("Capacity"), card.standing == Standing::Capacity);
    assert_eq!(card.exit_code() == 0, card.standing == Standing::Capacity);
    let json = serde_json::to_string(&card).unwrap();
    assert!(json.starts_with(&format!(r#"{{"schema":"{SCHEMA}""#)), "{json}");
    let read: CapacityCard = serde_json::from_str(&json).unwrap();
    assert_eq!(
        serde_json::to_value(&read).unwrap(),
        serde_json::from_str::<serde_json::Value>(&json).unwrap()
    );
    card
}

#[test]
fn a_capacity_is_found_repeated_and_told() {
    let card = card(&asked(), |load, duration| report(123.0, load, duration));
    let text = card.to_string();
    println!("{text}");
    let (lower, upper) = (card.found.lower.unwrap(), card.found.upper.unwrap());
    assert!(lower <= 123.0 && 123.0 < upper);
    assert_eq!(card.confirmation.good, 3);
    let level = card.lower.unwrap();
    assert!((level.deliveries_per_second.median / (lower * 900.0) - 1.0).abs() < 1e-3);
    assert!((level.relay_ns_per_delivery.unwrap().median - 800.0).abs() < 1.0);
    for part in [
        "RFC 9971",
        "800 ns per delivery",
        "in 3 trials after the search; 3 met",
        "350 µs",
        "--max-loss 0.1 %",
        "100 clients",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn shared_cores_are_never_a_capacity() {
    let mut asked = asked();
    asked.cores.generator = Some(vec![0, 1]);
    let card = card(&asked, |load, duration| report(123.0, load, duration));
    assert_eq!(
        (card.standing, card.title.as_str()),
        (
            Standing::SharedCores(vec![0, 1]),
            concat!(
                "Not a capacity: generator and relay shared cores 0,1; ",
                "what follows is what both together reached on them"
            )
        )
    );
    asked.cores.relay = None;
    let card = self::card(&asked, |load, duration| report(123.0, load, duration));
    assert_eq!((card.exit_code(), card.standing), (98, Standing::UnknownCores));
}

#[test]
fn where_the_generator_was_the_limit_it_is_at_least_that() {
    let card = card(&asked(), |load, duration| Report {
        verdict: if load > 60.0 { Verdict::Invalid } else { Verdict::Met },
        ..report(123.0, load, duration)
    });
    assert_eq!((&card.standing, card.exit_code()), (&Standing::GeneratorLimited, 98));
    assert!(
        card.title.starts_with("Not a capacity: the generator was the limit: at least 5"),
        "{}",
        card.title
    );
}

#[test]
fn objectives_that_never_hold_are_no_capacity() {
    let asked = Asked { min: 10.0, ..asked() };
    let card = card(&asked, |load, duration| report(3.0, load, duration));
    assert_eq!((card.exit_code(), card.lower), (99, None));
    assert!(card.title.ends_with("even at the minimum, 10 payloads/s from each sender"), "{}", card.title);
}

#[test]
fn what_does_not_hold_when_repeated_is_not_confirmed() {
    let mut long = 0;
    let card = card(&asked(), |load, duration| {
        long += u32::from(duration == Goal::default().final_trial && load <= 123.0);
        report(if long > 2 { 50.0 } else { 123.0 }, load, duration)
    });
    assert_eq!((card.standing, card.confirmation.good), (Standing::Unconfirmed, 0));
}

#[test]
fn interrupted_it_ends_with_what_is_known() {
    let mut trials = 0;
    let card = card(&asked(), |load, duration| {
        trials += 1;
        let mut report = report(123.0, load, duration);
        report.outcome.interrupted = trials == 5;
        report
    });
    assert_eq!((card.standing, card.trials.len()), (Standing::Unfinished, 5));
}

#[test]
fn without_objectives_nothing_is_a_capacity() {
    let card =
        card(&asked(), |load, duration| Report { objectives: Vec::new(), ..report(9e9, load, duration) });
    assert_eq!(card.standing, Standing::NoObjectives);
    assert_eq!(
        card.caveats,
        ["the objectives hold even at the maximum: at least 5,000 payloads/s from each sender"]
    );
}

#[test]
fn clients_are_whole() {
    let goal = Goal { whole: true, ..Goal::default() };
    let asked = Asked { varied: Varied::Clients, goal, min: 2.0, max: None, ..asked() };
    let card = card(&asked, |load, duration| {
        let report = report(777.0, load, duration);
        Report { plan: Plan { clients: load as u32, ..report.plan }, ..report }
    });
    assert_eq!(card.found.lower.map(f64::fract), Some(0.0));
    assert!(card.title.ends_with(" clients"), "{}", card.title);
}

#[test]
fn failures_are_passed_on() {
    let goal = Goal { width: 2.0, ..Goal::default() };
    let failed = run::<InvalidGoal>(&Asked { goal, ..asked() }, |_, _| Err(InvalidGoal::Order));
    assert_eq!(failed, Err(InvalidGoal::Width));
    let failed = run::<InvalidGoal>(&asked(), |_, _| Err(InvalidGoal::Order));
    assert_eq!(failed, Err(InvalidGoal::Order));
}
