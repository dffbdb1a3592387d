//! Stories of time: who goes when, and who does not go because the relay itself had slept.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Relay, client, text};
use engine::limits::{
    MAX_DURATION, MIN_DURATION, SWEEP_CLIENTS_PER_TURN, SWEEP_EXPIRIES_PER_TURN, SWEEP_GROUPS_PER_TURN,
};
use engine::{AdmissionMode, Cap, Engine, Event, Prefixes, Settings, Tick};

/// Members of one group, by number, in a relay that sweeps every 30 s and suggests a heartbeat of 60 s.
fn members(count: u32) -> (Relay, String) {
    let mut relay = Relay::new(2, Settings { cap: Cap::Unlimited, ..Settings::default() });
    let id = relay.create(client(0));
    (0..count).for_each(|number| relay.join(client(number), &id));
    (relay, id)
}

fn millis(heartbeat: u64, sweep: u64, ttl: u64) -> Settings {
    Settings {
        heartbeat: Duration::from_millis(heartbeat),
        sweep: Duration::from_millis(sweep),
        empty_ttl: Duration::from_millis(ttl),
        cap: Cap::Unlimited,
        // Else unproved members are looked at once more.
        admission: AdmissionMode::Open,
        ..Settings::default()
    }
}

fn count(engine: &Engine, event: Event) -> u64 {
    engine.tally().events[event as usize]
}

#[test]
fn a_silent_client_goes_at_the_first_sweep_after_three_heartbeats() {
    let mut relay = Relay::new(2, millis(60_000, 30_000, 300_000));
    let id = relay.create(client(0));
    (0..2).for_each(|number| relay.join(client(number), &id));
    relay.pass_quietly(30_000);
    relay.say(client(1), b"!PING");
    relay.pass_quietly(150_000 + 29_999);
    assert_eq!(relay.clients(), 2, "no sweep has come");
    relay.pass_quietly(1);
    assert_eq!(relay.clients(), 1, "three heartbeats are not more than three");
    relay.pass_quietly(30_000);
    assert_eq!(relay.clients(), 0);
}

#[test]
fn joining_pinging_and_payloads_are_activity_and_the_rest_is_not() {
    let (mut relay, id) = members(5);
    let says = ["!PING", "hello", &format!("!JOIN {id}"), "!WHO", "!JOIN NOWHERE"];
    for _ in 0..8 {
        relay.pass_quietly(50_000);
        for (number, bytes) in says.iter().enumerate() {
            relay.ask(client(number as u32), bytes.as_bytes());
        }
    }
    assert_eq!(relay.say(client(0), b"!WHO"), format!("OK WHO {id} 3"));
}

#[test]
fn an_empty_group_goes_after_its_time_unless_somebody_joins() {
    let mut relay = Relay::new(1, Settings::default());
    let id = relay.create(client(0));
    relay.pass_quietly(299_999);
    relay.join(client(1), &id);
    relay.pass_quietly(180_000);
    assert_eq!((relay.groups.count(), relay.clients()), (1, 1));
    relay.pass_quietly(1);
    assert_eq!(
        (relay.groups.count(), relay.clients()),
        (1, 0),
        "480 s is a sweep, and starts the clock again"
    );
    relay.pass_quietly(299_999);
    assert_eq!(relay.groups.count(), 1);
    relay.pass_quietly(1);
    assert_eq!(relay.groups.count(), 0);
}

#[test]
fn after_a_stop_nobody_is_lost_who_speaks_within_a_heartbeat() {
    let (mut relay, id) = members(2000);
    relay.pass_quietly(45_000);
    // SIGSTOP, ten minutes, SIGCONT.
    relay.begin_turn(600_000);
    relay.sweep();
    assert_eq!(relay.clients(), 2000);
    relay.pass_quietly(65_999);
    assert_eq!(relay.clients(), 2000);
    relay.begin_turn(1);
    (0..1000).for_each(|number| relay.receive(client(number), b"!PING"));
    relay.sweep();
    assert_eq!(relay.clients(), 1000, "who stays silent is swept after");
    assert_eq!(relay.say(client(0), b"!WHO"), format!("OK WHO {id} 1000"));
}

#[test]
fn a_stop_in_the_middle_of_a_sweep_is_a_stop() {
    let (mut relay, _) = members(4 * SWEEP_EXPIRIES_PER_TURN as u32);
    relay.pass_quietly(209_999);
    relay.begin_turn(1);
    relay.engines.iter_mut().for_each(Engine::sweep);
    assert_eq!(relay.clients(), 2 * SWEEP_EXPIRIES_PER_TURN);
    relay.begin_turn(600_000);
    relay.sweep();
    assert_eq!(relay.clients(), 2 * SWEEP_EXPIRIES_PER_TURN);
    for number in 0..4 * SWEEP_EXPIRIES_PER_TURN as u32 {
        relay.ask(client(number), b"!PING");
    }
    relay.pass_quietly(100_000);
    assert_eq!(relay.clients(), 2 * SWEEP_EXPIRIES_PER_TURN);
}

#[test]
fn a_quiet_loop_has_not_stopped() {
    let (mut relay, _) = members(1);
    let mut turns = 0;
    while relay.clients() > 0 {
        let due = relay.engines.iter().map(|engine| engine.deadline().0).min().unwrap();
        assert!(due > relay.now, "a loop that is never at rest");
        relay.begin_turn(due - relay.now);
        relay.sweep();
        turns += 1;
    }
    assert_eq!((relay.now, turns), (210_000, 7));
}

#[test]
fn a_clock_that_jumps_back_expires_nobody_and_a_clock_that_jumps_forward_neither() {
    let (mut relay, _) = members(3);
    relay.pass_quietly(40_000);
    for clock in [5, 0, 39_999, 40_001, 10_000_000, 40_002, 10_000_001] {
        for engine in &mut relay.engines {
            engine.begin_turn(Tick(clock));
            engine.sweep();
            assert!(engine.deadline() > Tick(clock));
        }
        assert_eq!(relay.clients(), 3, "at {clock}");
    }
    relay.now = 10_000_001;
    relay.pass_quietly(59_000);
    (0..2).for_each(|number| assert_eq!(relay.say(client(number), b"!PING"), "PONG 60.0"));
    relay.pass_quietly(60_000);
    assert_eq!(relay.clients(), 2);
}

#[test]
fn a_shorter_heartbeat_counts_when_it_was_heard_of_and_a_longer_one_at_once() {
    let (mut relay, _) = members(2);
    relay.pass_quietly(100_000);
    relay.say(client(0), b"!PING");
    let reload = |relay: &mut Relay, heartbeat| {
        let settings = Arc::new(millis(heartbeat, 10_000, 300_000));
        relay.engines.iter_mut().for_each(|engine| engine.reload(Arc::clone(&settings)));
    };
    reload(&mut relay, 20_000);
    relay.pass_quietly(65_000);
    assert_eq!(relay.clients(), 2, "who obeys the old heartbeat has had no chance to hear of the new one");
    assert_eq!(relay.say(client(0), b"!PING"), "PONG 20.0");
    relay.pass_quietly(1_000);
    assert_eq!(relay.clients(), 1, "166 s of silence are more than 60");
    relay.pass_quietly(63_999);
    assert_eq!(relay.clients(), 1);
    reload(&mut relay, 1_000_000);
    relay.pass_quietly(2_000_000);
    assert_eq!(relay.clients(), 1);
}

#[test]
fn reloads_do_not_put_a_sweep_off() {
    let (mut relay, _) = members(1);
    for second in 1..=600 {
        relay.begin_turn(1000);
        let settings = Arc::new(millis(60_000 - second % 2, 30_000, 300_000));
        relay.engines.iter_mut().for_each(|engine| engine.reload(Arc::clone(&settings)));
        relay.sweep();
    }
    assert_eq!((relay.clients(), relay.groups.count()), (0, 0));
}

#[test]
fn the_bounds_of_all_durations_hold() {
    let (year, instant) = (MAX_DURATION.as_millis() as u64, MIN_DURATION.as_millis() as u64);
    let mut relay = Relay::new(1, millis(year, instant, year));
    let id = relay.create(client(0));
    relay.join(client(0), &id);
    assert_eq!(relay.say(client(0), b"!PING"), "PONG 31536000.0");
    for _ in 0..1000 {
        relay.begin_turn(1);
        relay.sweep();
    }
    // Three years in steps of half a heartbeat, as a loop would take them that has nothing else to do.
    for _ in 0..7 {
        relay.begin_turn(year / 2);
        relay.sweep();
        assert_eq!(relay.groups.count(), 1);
    }
    assert_eq!(relay.clients(), 0);
    relay.begin_turn(year);
    relay.sweep();
    assert_eq!(relay.groups.count(), 0);
    let mut zero = Relay::new(1, millis(0, 0, 0));
    zero.create(client(0));
    zero.begin_turn(100);
    zero.sweep();
    assert_eq!(zero.groups.count(), 0);
}

#[test]
fn a_turn_sweeps_no_more_than_the_limits_say() {
    let mut relay = Relay::new(2, millis(1000, 100, 100));
    let ids: Vec<String> = (0..3000).map(|number| relay.create(client(number))).collect();
    for number in 0..10_000 {
        relay.join(client(number), &ids[number as usize % ids.len()]);
    }
    let mut turns = 0;
    while relay.groups.count() > 0 {
        relay.begin_turn(1);
        for engine in &mut relay.engines {
            let before = (count(engine, Event::Expire), count(engine, Event::Delete));
            engine.sweep();
            assert!(count(engine, Event::Expire) - before.0 <= SWEEP_EXPIRIES_PER_TURN as u64);
            assert!(count(engine, Event::Delete) - before.1 <= SWEEP_GROUPS_PER_TURN as u64);
        }
        turns += 1;
    }
    // The clients go from 3100 on, in eighty turns; their groups 100 ms later, at 3300.
    let needed = 3000 / 2 / SWEEP_GROUPS_PER_TURN as u64 + 2;
    assert!((3300..=3300 + needed).contains(&turns), "{turns} turns");
}

#[test]
fn clients_that_keep_every_turn_busy_do_not_keep_groups_alive() {
    let mut relay = Relay::new(1, millis(10, 1, 50));
    let id = relay.create(client(0));
    (0..20_000).for_each(|number| relay.join(client(number), &id));
    relay.create(client(0));
    for now in 1..=200 {
        relay.begin_turn(1);
        (0..2000).for_each(|turn| relay.receive(client(now % 10 * 2000 + turn), b"!PING"));
        relay.engines[0].sweep();
    }
    assert_eq!((relay.groups.count(), relay.clients()), (1, 20_000));
}

#[test]
fn expiry_is_exact_to_the_sweep_under_full_load() {
    const CLIENTS: u32 = 100_000;
    let (heartbeat, sweep) = (1000, 100);
    let mut relay =
        Relay::new(3, Settings { max_groups_per_client: 1000, ..millis(heartbeat, sweep, 100_000) });
    let ids: Vec<String> = (0..1000).map(|_| relay.create(client(0))).collect();
    (0..CLIENTS).for_each(|number| relay.join(client(number), &ids[number as usize % 1000]));
    // Everyone pings once a heartbeat; every tenth falls silent at some time. When the last ping was is known.
    let mut active = vec![0; CLIENTS as usize];
    let falls_silent =
        |number: u32| if number % 10 == 3 { 1000 + u64::from(number % 4001) } else { u64::MAX };
    // Those who joined together are looked at together: that takes so many turns, fewer than there are in a sweep.
    // In each sweep up to a fortieth of a tenth of them goes.
    let looks = u64::from(CLIENTS) / 3 / SWEEP_CLIENTS_PER_TURN as u64 + 1;
    let turns = looks + u64::from(CLIENTS) / 3 / 400 / SWEEP_EXPIRIES_PER_TURN as u64 + 1;
    for now in 1..=9000 {
        relay.begin_turn(1);
        for number in (0..CLIENTS).skip((now % heartbeat) as usize).step_by(heartbeat as usize) {
            if now < falls_silent(number) {
                relay.receive(client(number), b"!PING");
                active[number as usize] = now;
            }
        }
        relay.engines.iter_mut().for_each(Engine::sweep);
        if now % 10 == 9 || now % sweep == 0 {
            let left = |boundary| active.iter().filter(|&&active| active + 3 * heartbeat >= boundary).count();
            let clients = relay.clients();
            let boundary = now / sweep * sweep;
            let latest = if now - boundary < turns { boundary.saturating_sub(sweep) } else { boundary };
            assert!((left(boundary)..=left(latest)).contains(&clients), "{clients} clients at {now}");
        }
    }
    assert_eq!(relay.clients(), CLIENTS as usize * 9 / 10);
    let expired: u64 = relay.engines.iter().map(|engine| count(engine, Event::Expire)).sum();
    assert_eq!(expired, u64::from(CLIENTS) / 10);
    relay.say(client(0), &text(&["!LEAVE ", &ids[0]]));
}

/// The bound in work of a turn's time: whom it looks at, seen by how many turns a sweep of clients takes that only pinged.
#[test]
fn a_turn_looks_at_no_more_clients_than_the_limits_say() {
    const TURNS: usize = 5;
    let mut relay = Relay::new(1, millis(1000, 100, 100_000));
    let id = relay.create(client(0));
    let clients = (TURNS * SWEEP_CLIENTS_PER_TURN) as u32;
    (0..clients).for_each(|number| relay.join(client(number), &id));
    relay.begin_turn(1000);
    (0..clients).for_each(|number| relay.receive(client(number), b"!PING"));
    // All are in the wheel's slot of 3000, and will be idle at 4000.
    relay.begin_turn(1000);
    relay.begin_turn(1000);
    relay.sweep();
    relay.begin_turn(100);
    assert_eq!((turns(&mut relay), relay.clients()), (TURNS, clients as usize));
}

/// How many turns the only shard needs for what is due.
fn turns(relay: &mut Relay) -> usize {
    relay.engines[0].sweep();
    let is_busy = |relay: &Relay| relay.engines[0].deadline() <= Tick(relay.now);
    1 + std::iter::from_fn(|| is_busy(relay).then(|| relay.engines[0].sweep())).count()
}

#[test]
fn a_turn_deletes_no_more_groups_than_the_limits_say_and_the_next_one_is_due_at_once() {
    const TURNS: usize = 3;
    let mut relay = Relay::new(1, millis(1000, 100, 100));
    (0..TURNS * SWEEP_GROUPS_PER_TURN).for_each(|number| drop(relay.create(client(number as u32))));
    relay.begin_turn(100);
    assert_eq!((turns(&mut relay), relay.groups.count()), (TURNS, 0));
}

/// Sweeps a tenth of a heartbeat apart in which it took more than a turn to look at everybody, when all have joined at the
/// beginning, and said something at 900 ms or not.
fn long_sweeps(trust: Prefixes, speaks: bool) -> Vec<u64> {
    const CLIENTS: u32 = 2 * SWEEP_CLIENTS_PER_TURN as u32;
    let settings = millis(1000, 100, 100_000);
    let mut relay = Relay::new(1, Settings { trust, admission: AdmissionMode::Auto, ..settings });
    let id = relay.create(client(0));
    (1..=CLIENTS).for_each(|number| relay.join(client(number), &id));
    let mut is_long = |now| {
        relay.begin_turn(100);
        if speaks && now == 900 {
            (1..=CLIENTS).for_each(|number| relay.receive(client(number), b"!PING"));
        }
        turns(&mut relay) > 1
    };
    (100..=3000).step_by(100).filter(|now| is_long(*now)).collect()
}

#[test]
fn nobody_is_looked_at_in_whom_nothing_is_left_to_judge() {
    let (nobody, everybody) = (Prefixes::default, Prefixes::all);
    assert_eq!(long_sweeps(nobody(), true), [1600], "after a heartbeat and a half, and not again");
    assert_eq!(long_sweeps(nobody(), false), [1600]);
    assert_eq!((long_sweeps(everybody(), true), long_sweeps(everybody(), false)), (vec![], vec![]));
}

#[test]
fn a_silence_of_the_loop_of_just_a_heartbeat_is_no_stop() {
    for (pause, left) in [(60_000, 0), (60_001, 1)] {
        let (mut relay, _) = members(1);
        relay.pass_quietly(180_000 - 1);
        relay.begin_turn(pause);
        relay.sweep();
        assert_eq!(relay.clients(), left, "after {pause}");
    }
}

#[test]
fn a_reload_of_something_else_does_not_prolong_the_patience() {
    let (mut relay, _) = members(1);
    let reload = |relay: &mut Relay, sweep| {
        let settings = Arc::new(millis(20_000, sweep, 300_000));
        relay.engines.iter_mut().for_each(|engine| engine.reload(Arc::clone(&settings)));
    };
    relay.pass_quietly(90_000);
    reload(&mut relay, 10_000);
    relay.pass_quietly(60_000);
    reload(&mut relay, 5_000);
    relay.pass_quietly(5_999);
    assert_eq!(relay.clients(), 1);
    relay.pass_quietly(1);
    assert_eq!(relay.clients(), 0, "66 s after the shorter heartbeat");
}
