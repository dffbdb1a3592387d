//! Verdicts on what was seen.

use super::*;
use crate::outcome::Own;
use crate::plan::{Load, example};

fn seen(totals: Totals) -> Outcome {
    let mut outcome = Outcome::planned(Duration::from_secs(10));
    outcome.totals = totals;
    outcome.latency.record_n(Duration::from_millis(2), totals.received);
    outcome
}

fn good() -> Totals {
    Totals { sent: 1000, expected: 9000, received: 9000, ..Totals::default() }
}

fn strict() -> Objectives {
    Objectives {
        loss: Some(0.001),
        latency: vec![("--max-p99".into(), 0.99, Duration::from_millis(5))],
        ..Objectives::default()
    }
}

fn verdict(objectives: &Objectives, outcome: &Outcome) -> Verdict {
    judge(&example(), objectives, outcome, None).verdict
}

#[test]
fn objectives_are_met_or_missed() {
    assert_eq!(verdict(&strict(), &seen(good())), Verdict::Met);
    let lossy = seen(Totals { received: 8990, ..good() });
    assert_eq!(verdict(&Objectives::default(), &lossy), Verdict::Met);
    let judgement = judge(&example(), &strict(), &lossy, None);
    assert_eq!(judgement.verdict, Verdict::Missed);
    assert_eq!(judgement.reasons, ["--max-loss 0.1%: measured 0.11% (10 of 9000)"]);
    let silent = seen(Totals { received: 0, ..good() });
    assert!(judge(&example(), &strict(), &silent, None).objectives.iter().all(|objective| !objective.met));
}

#[test]
fn where_nothing_was_sent_nothing_is_said() {
    assert_eq!(verdict(&strict(), &seen(Totals::default())), Verdict::Invalid);
    let pongs = Objectives { pong_loss: Some(0.01), ..Objectives::default() };
    assert_eq!(verdict(&pongs, &seen(good())), Verdict::Invalid);
}

#[test]
fn drops_that_the_relay_counted_are_not_excused() {
    let second = Duration::from_secs(1);
    let starved = Own { cpu: None, busy: second / 2, starved: second / 5, wall: second };
    let outcome = tired(starved, Totals { received: 8000, ..good() });
    let relay = RelayView { dropped_copies: vec![("send_buffer_full".into(), 990)], ..RelayView::default() };
    assert_eq!(judge(&example(), &strict(), &outcome, Some(&relay)).verdict, Verdict::Missed);
    assert_eq!(judge(&example(), &strict(), &outcome, None).verdict, Verdict::Invalid);
}

#[test]
fn whoever_stood_still_cannot_say_that_the_relay_forgot() {
    let mut outcome = seen(Totals { evictions: 5, ..good() });
    assert_eq!(verdict(&strict(), &outcome), Verdict::Missed);
    outcome.longest_pause = Duration::from_secs(6);
    assert_eq!(verdict(&strict(), &outcome), Verdict::Invalid);
}

/// 9 of 9000 copies may be lost, and one more was.
fn edge() -> Totals {
    Totals { received: 8990, ..good() }
}

fn tired(own: Own, totals: Totals) -> Outcome {
    Outcome { own: vec![own], ..seen(totals) }
}

#[test]
fn invalid_wins_over_missed() {
    for totals in [
        Totals { late_sends: 101, ..good() },
        Totals { own_drops: 2, ..edge() },
        Totals { send_failures: 1, ..edge() },
        Totals { own_drops: 100, ..good() },
    ] {
        assert_eq!(verdict(&strict(), &seen(totals)), Verdict::Invalid, "{totals:?}");
    }
}

#[test]
fn own_losses_excuse_no_more_than_they_explain() {
    let lossy = Totals { received: 8000, own_drops: 1, send_failures: 1, ..good() };
    assert_eq!(verdict(&strict(), &seen(lossy)), Verdict::Missed);
    let judgement = judge(&example(), &strict(), &seen(Totals { own_drops: 1, ..good() }), None);
    assert_eq!((judgement.verdict, judgement.reasons.len()), (Verdict::Met, 1));
}

#[test]
fn a_tired_generator_excuses_what_was_missed_and_nothing_else() {
    let second = Duration::from_secs(1);
    let busy = Own { cpu: Some(1), busy: second, starved: Duration::ZERO, wall: second };
    let starved = Own { cpu: None, busy: second / 2, starved: second / 5, wall: second };
    for own in [busy, starved] {
        assert_eq!(verdict(&strict(), &tired(own.clone(), good())), Verdict::Met);
        let judgement = judge(&example(), &strict(), &tired(own.clone(), edge()), None);
        assert_eq!(judgement.verdict, Verdict::Invalid);
        let closed = Plan { load: Load::InFlight(8), ..example() };
        let judgement = judge(&closed, &Objectives::default(), &tired(own, good()), None);
        assert_eq!(judgement.verdict, Verdict::Invalid);
    }
}

#[test]
fn a_little_lateness_is_not_the_relays_fault_nor_ours() {
    assert_eq!(verdict(&strict(), &seen(Totals { late_sends: 100, ..good() })), Verdict::Met);
    let one = Totals { sent: 1, expected: 1, received: 1, late_sends: 1, ..Totals::default() };
    assert_eq!(verdict(&Objectives::default(), &seen(one)), Verdict::Met);
}

#[test]
fn own_lateness_is_no_bad_mark() {
    let mut outcome = seen(good());
    outcome.latency.record_n(Duration::from_millis(10), 1000);
    assert_eq!(verdict(&strict(), &outcome), Verdict::Missed);
    outcome.lateness.record_n(Duration::from_millis(3), 1000);
    assert_eq!(verdict(&strict(), &outcome), Verdict::Missed);
    outcome.lateness.record_n(Duration::from_millis(6), 1000);
    assert_eq!(verdict(&strict(), &outcome), Verdict::Invalid);
}

#[test]
fn what_no_relay_may_do_is_never_met() {
    assert_eq!(verdict(&Objectives::default(), &seen(Totals { misdelivered: 1, ..good() })), Verdict::Missed);
    assert_eq!(verdict(&Objectives::default(), &seen(Totals { corrupted: 1, ..good() })), Verdict::Missed);
}

#[test]
fn whoever_keeps_the_heartbeat_is_not_forgotten() {
    let outcome = seen(Totals { evictions: 1, ..good() });
    assert_eq!(verdict(&strict(), &outcome), Verdict::Missed);
    let slow = Plan { heartbeat: Heartbeat::Every(Duration::from_secs(3600)), ..example() };
    assert_eq!(judge(&slow, &strict(), &outcome, None).verdict, Verdict::Met);
}

#[test]
fn copies_that_come_again_are_told_and_may_be_limited() {
    let outcome = seen(Totals { duplicated: 90, ..good() });
    let judgement = judge(&example(), &strict(), &outcome, None);
    assert_eq!(
        (judgement.verdict, judgement.reasons),
        (Verdict::Met, vec!["90 copies arrived again".to_owned()])
    );
    let once = Objectives { duplicates: Some(0.001), ..Objectives::default() };
    assert_eq!(verdict(&once, &outcome), Verdict::Missed);
}

#[test]
fn losses_add_up() {
    let totals = Totals { received: 8000, own_drops: 100, send_failures: 10, ..good() };
    let relay = RelayView {
        dropped_copies: vec![("send_buffer_full".into(), 300)],
        dropped_packets: vec![("not_joined".into(), 5)],
        kernel_drops: 20,
        ..RelayView::default()
    };
    let losses = attribute(&seen(totals), Some(&relay));
    let expected = Losses {
        receiver_kernel: 100,
        relay_dropped: 300 + 45,
        generator_send: 90,
        relay_kernel: 180,
        unexplained: 1000 - 100 - 345 - 90 - 180,
    };
    assert_eq!(losses, expected);
    let few = seen(Totals { received: 8950, own_drops: 100, ..good() });
    assert_eq!(attribute(&few, Some(&relay)), Losses { receiver_kernel: 50, ..Losses::default() });
}
