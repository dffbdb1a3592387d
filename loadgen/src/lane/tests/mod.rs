//! Stories of a lane against the relay's own engine.

mod world;

#[path = "../../../../crates/engine/tests/common/mod.rs"]
mod relay;

use std::time::Duration;

use engine::{Cap, Settings};

use self::world::{Faults, Truth, World};
use super::*;
use crate::outcome::Totals;
use crate::plan::{Arrivals, Heartbeat, Senders, example};

const SECOND: Duration = Duration::from_secs(1);

fn open(rate: f64) -> Load {
    Load::Open { rate, arrivals: Arrivals::Constant }
}

#[test]
fn everybody_joins_within_the_ramp() {
    let plan = Plan { clients: 1000, groups: 7, ramp: 3 * SECOND, ..example() };
    let mut world = World::new(&plan, Settings { cap: Cap::Unlimited, ..Settings::default() });
    world.pass(SECOND);
    let progress = world.lane.progress(world.now);
    assert!((300..=345).contains(&progress.members), "{progress:?}");
    world.until(|lane| lane.phase() == Phase::Ready);
    assert!(world.now < plan.ramp + SECOND);
    assert_eq!((world.relay.clients(), world.lane.progress(world.now).groups), (1000, 7));
}

#[test]
fn everybody_is_proved_unless_nobody_is_to_be() {
    // Of those that are asked nothing, only who made its group.
    for (unproved, members) in [(false, 0), (true, 90)] {
        let world = World::joined(&Plan { unproved, ..example() });
        assert_eq!(world.relay.admission.unproved(), members);
    }
}

#[test]
fn a_relay_that_knows_no_proofs_is_asked_without() {
    // At once, and later than requests are repeated: a CREATE that is makes a second group.
    for (delay, groups) in [(Duration::ZERO, 10), (Duration::from_millis(700), 20)] {
        let mut world = World::new(&example(), Settings::default());
        (world.knows_proofs, world.delay) = (false, delay);
        world.until(|lane| lane.phase() == Phase::Ready);
        world.pass(3 * SECOND);
        let progress = world.lane.progress(world.now);
        assert_eq!((progress.members, progress.groups, world.relay.groups.count()), (100, 10, groups));
        let totals = world.measure(open(1.0), SECOND).totals;
        assert_eq!((totals.sent, totals.lost(), totals.refusals), (100, 0, 0));
    }
}

#[test]
fn without_faults_everything_arrives() {
    let mut world = World::joined(&example());
    let outcome = world.measure(open(10.0), 5 * SECOND);
    let totals = outcome.totals;
    assert_eq!((totals.sent, totals.expected, totals.received), (5000, 45_000, 45_000));
    assert_eq!((totals.received, outcome.latency.count()), (world.truth.copies, 45_000));
    assert_eq!((outcome.members, outcome.lateness.count(), totals.late_sends), (100, 5000, 0));
    assert_eq!(outcome.series.iter().map(|slot| slot.received).sum::<u64>(), 45_000);
    assert_eq!(outcome.series.iter().map(|slot| slot.latency.count()).sum::<u64>(), 45_000);
}

#[test]
fn only_the_chosen_send() {
    let plan = Plan { senders: Senders::PerGroup(1), silent: 0.3, ..example() };
    let mut world = World::joined(&plan);
    let totals = world.measure(open(10.0), 5 * SECOND).totals;
    assert_eq!((totals.sent, totals.expected, totals.received), (500, 4500, 4500));
}

#[test]
fn every_fault_is_counted_for_what_it_is() {
    let faults = Faults { drop: 0.03, repeat: 0.02, hold: 0.05, corrupt: 0.01, mute: 0.2 };
    for load in [open(20.0), Load::Open { rate: 20.0, arrivals: Arrivals::Poisson }] {
        let plan = Plan { heartbeat: Heartbeat::Every(SECOND), ..example() };
        let mut world = World::joined(&plan);
        (world.faults, world.truth) = (faults, Truth::default());
        let totals = world.measure(load, 5 * SECOND).totals;
        let Truth { copies, dropped, repeated, reordered, corrupted, muted } = world.truth;
        assert!(
            dropped > 2000 && repeated > 1000 && reordered > 100 && corrupted > 500 && muted > 50,
            "{:?}",
            world.truth
        );
        assert_eq!(
            (totals.expected, totals.lost(), totals.corrupted),
            (copies, dropped + corrupted, corrupted)
        );
        assert_eq!((totals.duplicated, totals.reordered, totals.pongs_lost()), (repeated, reordered, muted));
    }
}

#[test]
fn what_is_in_transition_is_neither_expected_nor_lost() {
    let plan = Plan { clients: 60, groups: 3, churn: 40.0, ..example() };
    let mut world = World::joined(&plan);
    let totals = world.measure(open(30.0), 10 * SECOND).totals;
    assert!(totals.leaves > 300 && totals.joins > 300 && totals.in_transition > 1000, "{totals:?}");
    assert_eq!((totals.lost(), totals.received, totals.duplicated), (0, totals.expected, 0));
    assert_eq!(totals.received + totals.in_transition, world.truth.copies);
}

#[test]
fn under_churn_what_is_dropped_is_lost_or_was_in_transition() {
    let plan = Plan { clients: 60, groups: 3, churn: 10.0, ..example() };
    let mut world = World::joined(&plan);
    world.faults = Faults { drop: 0.1, ..Faults::default() };
    world.truth = Truth::default();
    let totals = world.measure(open(30.0), 10 * SECOND).totals;
    assert_eq!(totals.expected, totals.received + totals.lost());
    let arrived = world.truth.copies - world.truth.dropped;
    assert_eq!(totals.received + totals.in_transition, arrived);
    assert!(totals.lost() < world.truth.dropped && totals.lost() * 10 > world.truth.dropped * 5);
}

#[test]
fn the_silent_are_forgotten_and_nobody_is_accused() {
    let plan = Plan { silent: 0.3, ..example() };
    let settings = Settings { heartbeat: 2 * SECOND, sweep: SECOND, ..Settings::default() };
    let mut world = World::new(&plan, settings);
    world.until(|lane| lane.phase() == Phase::Ready);
    let outcome = world.measure(open(5.0), 20 * SECOND);
    assert_eq!((outcome.members, outcome.totals.evictions, outcome.totals.lost()), (70, 0, 0));
    assert_eq!((world.relay.clients(), outcome.totals.pongs_lost()), (70, 0));
}

#[test]
fn whoever_pings_too_seldom_is_forgotten_and_comes_back() {
    let plan = Plan { heartbeat: Heartbeat::Every(10 * SECOND), senders: Senders::PerGroup(0), ..example() };
    let settings = Settings { heartbeat: SECOND, sweep: SECOND, ..Settings::default() };
    let mut world = World::new(&plan, settings);
    world.until(|lane| lane.phase() == Phase::Ready);
    let totals = world.measure(open(0.0), 30 * SECOND).totals;
    assert!(totals.evictions > 200 && totals.joins >= totals.evictions, "{totals:?}");
}

#[test]
fn a_relay_that_begins_anew_is_joined_anew() {
    let plan = Plan { heartbeat: Heartbeat::Every(SECOND), ..example() };
    let mut world = World::joined(&plan);
    let (now, settings) = (world.relay.now, Settings::default());
    world.relay = relay::Relay::new(1, settings);
    world.relay.begin_turn(now);
    let outcome = world.measure(open(1.0), 5 * SECOND);
    assert_eq!((outcome.totals.evictions, outcome.members, world.relay.clients()), (100, 100, 100));
    assert_eq!(world.lane.progress(world.now).groups, 10);
}

#[test]
fn whoever_asks_for_a_group_that_is_gone_meanwhile_waits_for_the_next() {
    let mut world = World::joined(&Plan { clients: 3, groups: 1, ..example() });
    world.lane.clients[1].state = State::Waiting;
    world.lane.start(1);
    world.lane.dismiss(2);
    // Both requests are lost.
    world.lane.due(world.now, &mut world::Sent::default());
    (world.lane.groups[0].id, world.lane.groups[0].creating) = (None, true);
    world.pass(SECOND);
    let states: Vec<State> = world.lane.clients.iter().map(|client| client.state).collect();
    assert_eq!(states, [State::Joined, State::Waiting, State::Waiting]);
}

#[test]
fn in_the_closed_loop_no_more_are_on_their_way() {
    let plan = Plan { clients: 20, groups: 2, ..example() };
    let mut world = World::joined(&plan);
    let totals = world.measure(Load::InFlight(4), SECOND / 20).totals;
    assert!(totals.sent > 500, "{totals:?}");
    assert_eq!(totals.received, totals.expected);
    world.faults = Faults { drop: 1.0, ..Faults::default() };
    let stuck = world.measure(Load::InFlight(4), 5 * SECOND).totals;
    assert_eq!((stuck.sent, stuck.received), (2 * 4 * 5, 0));
}

#[test]
fn the_closed_loop_goes_on_from_the_warm_up_to_the_measurement() {
    let mut world = World::joined(&Plan { clients: 20, groups: 2, ..example() });
    let load = Load::InFlight(4);
    world.delay = Duration::from_millis(2);
    let measurement = Measurement { load, warm_up: SECOND / 10, duration: SECOND / 5 };
    world.lane.measure(measurement, world.now);
    world.until(|lane| lane.phase() == Phase::Ready);
    let totals = world.lane.take_outcome().unwrap().totals;
    // Two groups, four at a time, each on its way for 2 ms and a turn.
    assert!(totals.sent > 300, "{totals:?}");
}

#[test]
fn an_early_end_still_has_an_outcome() {
    let mut world = World::joined(&example());
    world.lane.measure(Measurement { load: open(10.0), warm_up: SECOND, duration: 60 * SECOND }, world.now);
    world.pass(3 * SECOND);
    world.lane.stop(world.now);
    world.until(|lane| lane.phase() == Phase::Ready);
    let outcome = world.lane.take_outcome().unwrap();
    assert!(outcome.interrupted && outcome.duration.as_secs() == 2, "{:?}", outcome.duration);
    assert_eq!((outcome.totals.sent, outcome.totals.lost()), (2000, 0));
}

#[test]
fn those_about_to_leave_do_so_at_the_end() {
    let plan = Plan { churn: 30.0, ..example() };
    let mut world = World::joined(&plan);
    let load = open(1.0);
    world.lane.measure(Measurement { load, warm_up: Duration::ZERO, duration: 60 * SECOND }, world.now);
    world.pass(3 * SECOND);
    world.lane.leave();
    world.pass(SECOND / 10);
    assert_eq!((world.relay.clients(), world.lane.is_quiet()), (0, true));
}

#[test]
fn copies_of_an_earlier_measurement_are_nobodys_fault() {
    let mut world = World::joined(&example());
    world.measure(open(1.0), SECOND);
    let late = Stamp {
        epoch: 1,
        run: world.lane.run,
        sender: 1,
        sequence: 0,
        intended: world.now,
        number: 0,
        place: 0,
    };
    world.lane.measure(Measurement { load: open(0.0), warm_up: Duration::ZERO, duration: SECOND }, world.now);
    world.lane.receive(0, Filler::new(1).payload(&late, 64), world.now);
    assert_eq!(*world.lane.ledger.totals(), Totals::default());
}

#[test]
fn a_time_is_only_told_of_a_ping_that_was_alone() {
    let mut world =
        World::joined(&Plan { clients: 1, groups: 1, heartbeat: Heartbeat::Every(SECOND), ..example() });
    world.faults = Faults { mute: 1.0, ..Faults::default() };
    world
        .lane
        .measure(Measurement { load: open(0.0), warm_up: Duration::ZERO, duration: 60 * SECOND }, world.now);
    world.pass(7 * SECOND / 2);
    let pong = Reply::Pong(wire::Heartbeat(60_000)).encode();
    let pinged = world.lane.ledger.totals().pings_sent;
    for _ in 0..pinged + 3 {
        world.lane.receive(0, pong.as_bytes(), world.now);
    }
    assert!(pinged >= 2);
    assert_eq!(world.lane.ledger.totals().pongs_received, pinged);
}

#[test]
fn everybody_leaves() {
    let mut world = World::joined(&example());
    world.lane.leave();
    world.pass(SECOND);
    assert_eq!((world.relay.clients(), world.lane.is_quiet()), (0, true));
}

#[test]
fn refusals_that_cannot_pass_are_told_with_a_remedy() {
    let full = Settings { cap: Cap::Members(5), ..Settings::default() };
    let mut world = World::new(&example(), full);
    world.pass(SECOND);
    let Some(Failure::Refused(failure)) = world.lane.take_failure() else { panic!() };
    assert!(failure.contains("ERR GROUP_FULL") && failure.contains("--group-size"), "{failure}");
    let none = Settings { max_groups_per_client: 0, ..Settings::default() };
    let mut world = World::new(&example(), none);
    world.pass(SECOND);
    let Some(Failure::Refused(failure)) = world.lane.take_failure() else { panic!() };
    assert!(failure.contains("ERR CLIENT_LIMIT"), "{failure}");
}

#[test]
fn nobody_who_answers_nobody_who_joins() {
    let mut world = World::new(&example(), Settings::default());
    let mut sent = 0;
    struct Void<'a>(&'a mut usize);
    impl Outlet for Void<'_> {
        fn send(&mut self, _: u32, _: &[u8]) {
            *self.0 += 1;
        }
    }
    while world.lane.take_failure().is_none() {
        world.lane.due(world.now, &mut Void(&mut sent));
        world.now += Duration::from_millis(10);
        assert!(world.now < 30 * SECOND);
    }
    // Each of ten creators asked at 0, 0.5, 1.5, 3.5 and 7.5 s.
    assert_eq!((sent, *world.lane.ledger.totals()), (50, Totals { repeats: 40, ..Totals::default() }));
}

#[test]
fn what_comes_too_late_to_tell_is_lost() {
    let plan = Plan { senders: Senders::PerGroup(1), clients: 2, groups: 1, ..example() };
    let mut world = World::joined(&plan);
    let load = open(1.0);
    world.lane.measure(Measurement { load, warm_up: Duration::ZERO, duration: 200 * SECOND }, world.now);
    world.faults = Faults { hold: 0.0, drop: 1.0, ..Faults::default() };
    world.pass(SECOND / 2);
    world.faults = Faults::default();
    world.pass(100 * SECOND);
    let run = world.lane.run;
    let receiver = u32::from(world.lane.clients[0].sender != Client::NO_SENDER);
    let first =
        Stamp { epoch: 1, run, sender: 1 - receiver, sequence: 0, intended: world.now, number: 0, place: 0 };
    world.lane.receive(receiver, Filler::new(1).payload(&first, 64), world.now);
    let totals = *world.lane.ledger.totals();
    assert_eq!((totals.too_late, totals.lost(), totals.reordered), (1, 1, 0));
}

#[test]
fn invented_payloads_do_no_harm() {
    let mut world = World::joined(&example());
    world.measure(open(1.0), SECOND);
    world.lane.measure(Measurement { load: open(1.0), warm_up: Duration::ZERO, duration: SECOND }, world.now);
    let (run, now) = (world.lane.run, world.now);
    let long = Duration::from_secs(1 << 33);
    for (sender, sequence, intended) in [(1, u32::MAX, now), (1, 0, long), (u32::MAX, 0, now)] {
        let stamp = Stamp { epoch: 2, run, sender, sequence, intended, number: u64::MAX, place: u16::MAX };
        world.lane.receive(0, Filler::new(1).payload(&stamp, 64), now);
    }
    assert!(world.lane.ledger.totals().received == 0 && world.lane.ledger.totals().misdelivered >= 2);
}

#[test]
fn strangers_and_echoes_are_not_taken_for_copies() {
    let mut world = World::joined(&example());
    world.lane.measure(Measurement { load: open(0.0), warm_up: Duration::ZERO, duration: SECOND }, world.now);
    let mut filler = Filler::new(3);
    let stamp =
        |run, sender| Stamp { epoch: 1, run, sender, sequence: 0, intended: world.now, number: 0, place: 0 };
    let (run, now) = (world.lane.run, world.now);
    let copies = [(run ^ 1, 0), (run, 5), (run, 15), (run, 1000)].map(|(run, sender)| stamp(run, sender));
    for copy in copies {
        world.lane.receive(5, filler.payload(&copy, 64), now);
    }
    world.lane.receive(5, b"no reply of the protocol", now);
    let totals = *world.lane.ledger.totals();
    assert_eq!((totals.misdelivered, totals.corrupted, totals.received), (4, 1, 0));
}
