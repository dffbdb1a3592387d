//! Crowds from their first HELLO to the last mail, without a clock and without sockets.

use std::time::Duration;

use super::plan;
use super::relay::{Fault, Model};
use crate::outcome::Phase;
use crate::people::PeoplePlan;
use crate::people::crowd::Crowd;
use crate::people::names::Names;
use crate::people::outcome::Outcome;
use crate::plan::{Arrivals, Load, Plan};

/// Time goes by in steps.
const STEP: Duration = Duration::from_millis(10);

/// Whatever a relay does, it ends.
const LONGEST: Duration = Duration::from_secs(120);

/// What a crowd sees of a relay.
fn seen(plan: &PeoplePlan, relay: &mut Model) -> Outcome {
    let mut crowd = Crowd::new(plan, Names::random());
    let mut now = Duration::ZERO;
    while now < LONGEST {
        crowd.due(now);
        while !crowd.outbox().is_empty() {
            let said: Vec<(u32, Vec<u8>)> =
                crowd.outbox().iter().map(|(person, bytes)| (person, bytes.to_vec())).collect();
            crowd.outbox().clear();
            let heard = said.iter().flat_map(|(person, bytes)| relay.take(*person, bytes));
            heard.collect::<Vec<_>>().iter().for_each(|(to, bytes)| crowd.receive(*to, bytes, now));
        }
        assert_eq!(crowd.take_failure(), None);
        if let Some(outcome) = crowd.take_outcome() {
            assert!(outcome.sums.is_balanced(), "{outcome:?}");
            return outcome;
        }
        if crowd.progress().phase == Phase::Ready {
            crowd.measure(now);
        }
        now += STEP;
    }
    panic!("it does not end: {:?}", crowd.progress());
}

/// So many people of whom a part is away, for half a second on average.
fn with_absences(people: u32, offline_share: f64) -> PeoplePlan {
    PeoplePlan { offline_share, returns: Duration::from_millis(500), ..plan(people) }
}

#[test]
fn everybody_is_there_and_everything_arrives_at_once() {
    let outcome = seen(&plan(10), &mut Model::default());
    let sums = outcome.sums;
    assert_eq!((sums.sent, sums.delivered, sums.delivered_from_mail), (1000, 1000, 0));
    assert_eq!((sums.sent_again, outcome.deeds.registered, outcome.deeds.unexpected), (0, 10, 0));
    assert_eq!((outcome.times.delivered.count(), outcome.times.lateness.count()), (1000, 1000));
    assert_eq!(outcome.duration, Duration::from_secs(10));
}

#[test]
fn who_is_away_finds_everything_on_return() {
    let outcome = seen(&with_absences(20, 0.3), &mut Model::default());
    let (sums, deeds) = (outcome.sums, outcome.deeds);
    assert_eq!((sums.delivered, sums.shown, sums.lost), (sums.sent, sums.sent, 0), "{sums:?}");
    assert_eq!((sums.out_of_order, sums.doubled, sums.refused()), (0, 0, 0));
    assert!(sums.delivered_from_mail > 100, "{sums:?}");
    assert!(deeds.deregistered > 10 && deeds.fell_silent > 10 && deeds.unexpected == 0, "{deeds:?}");
    assert_eq!(deeds.returned, deeds.deregistered + deeds.fell_silent);
    assert!(outcome.times.first_mail.count() > 10 && outcome.times.stored.count() > 100);
}

#[test]
fn datagrams_that_are_lost_cost_time_only() {
    for loss in [0.05, 0.1, 0.2] {
        let mut relay = Model::losing(loss);
        let sums = seen(&with_absences(10, 0.2), &mut relay).sums;
        assert_eq!((sums.delivered, sums.lost, sums.unanswered), (sums.sent, 0, 0), "{loss}: {sums:?}");
        assert_eq!((sums.doubled, sums.out_of_order, sums.corrupted), (0, 0, 0), "{loss}");
        assert!(sums.sent_again > 0 && sums.repeats > 0, "{loss}: {sums:?}");
    }
}

#[test]
fn whatever_a_relay_does_wrong_is_found() {
    let seen = |fault| {
        let outcome = seen(&with_absences(2, 0.0), &mut Model::with(fault));
        (outcome.sums, outcome.deeds)
    };
    assert_eq!(seen(Fault::Lose).0.lost, 1);
    assert_eq!(seen(Fault::Double).0.doubled, 1);
    assert_eq!(seen(Fault::Swap).0.out_of_order, 1);
    assert_eq!(seen(Fault::Spoil).0.corrupted, 1);
    assert_eq!(seen(Fault::Misdeliver).0.misdelivered, 1);
    let ignored = seen(Fault::Ignore).0;
    assert_eq!(ignored.unanswered, 1);
    assert!(ignored.unsent > 0, "the others of its pair wait behind it: {ignored:?}");
}

#[test]
fn what_a_relay_does_wrong_with_who_is_away_is_found() {
    let seen = |fault| seen(&with_absences(10, 0.3), &mut Model::with(fault));
    assert_eq!(seen(Fault::Forget).sums.lost, 1);
    // To another one, and back.
    assert_eq!(seen(Fault::Reclaim).deeds.claims_changed, 2);
    assert_eq!(seen(Fault::None).sums.lost, 0);
}

/// So many people of whom half change their address twice a second, and some are away.
fn with_moves(people: u32) -> PeoplePlan {
    PeoplePlan { moving_share: 0.5, ..with_absences(people, 0.2) }
}

#[test]
fn who_moves_goes_on_and_misses_nothing() {
    for mut relay in [Model::default(), Model::losing(0.1)] {
        let outcome = seen(&with_moves(20), &mut relay);
        let (sums, deeds) = (outcome.sums, outcome.deeds);
        assert_eq!((sums.delivered, sums.shown, sums.lost), (sums.sent, sums.sent, 0), "{sums:?}");
        assert_eq!((sums.out_of_order, sums.doubled, sums.unanswered), (0, 0, 0), "{sums:?}");
        assert_eq!((deeds.sessions_lost, deeds.unexpected, deeds.registered), (0, 0, 20), "{deeds:?}");
        assert!(deeds.moved > 50 && deeds.unheard > 0, "{deeds:?}");
    }
}

#[test]
fn a_session_that_does_not_go_on_is_found() {
    let outcome = seen(&with_moves(10), &mut Model::with(Fault::Expel));
    assert_eq!((outcome.deeds.sessions_lost, outcome.sums.lost), (1, 0));
}

#[test]
fn mail_that_a_relay_holds_back_is_asked_for_and_not_lost() {
    let outcome = seen(&with_absences(10, 0.3), &mut Model::with(Fault::Doze));
    assert_eq!((outcome.sums.lost, outcome.sums.delivered), (0, outcome.sums.sent));
    assert!(outcome.deeds.prompted > 0 && outcome.deeds.beats > 0, "{:?}", outcome.deeds);
}

#[test]
fn a_message_for_which_there_is_no_room_is_sent_again() {
    let outcome = seen(&plan(10), &mut Model::with(Fault::Refuse));
    assert_eq!((outcome.sums.sent, outcome.sums.delivered, outcome.sums.sent_again), (1000, 1000, 10));
    assert_eq!((outcome.deeds.no_room, outcome.deeds.unexpected), (10, 0));
}

#[test]
fn whoever_says_nothing_for_a_heartbeat_beats() {
    let quiet = Plan { load: Load::Open { rate: 0.0, arrivals: Arrivals::Constant }, ..plan(5).plan };
    let deeds = seen(&PeoplePlan { plan: quiet, ..plan(5) }, &mut Model::default()).deeds;
    assert!(deeds.beats >= 5 * 10 && deeds.beats == deeds.pongs, "{deeds:?}");
}

#[test]
fn a_relay_without_sessions_is_named() {
    let mut crowd = Crowd::new(&plan(2), Names::random());
    crowd.due(Duration::ZERO);
    crowd.receive(0, b"ERR BAD_CMD UnknownCommand", Duration::ZERO);
    let failure = crowd.take_failure().unwrap();
    assert!(failure.contains("HELLO 2") && failure.contains("--profile people"), "{failure}");
}

#[test]
fn a_relay_that_says_nothing_ends_the_run() {
    let mut crowd = Crowd::new(&plan(2), Names::random());
    let mut now = Duration::ZERO;
    let failure = loop {
        crowd.due(now);
        if let Some(failure) = crowd.take_failure() {
            break failure;
        }
        now += STEP;
        assert!(now < LONGEST);
    };
    assert!(failure.starts_with("only 0 of 2 people registered"), "{failure}");
}
