//! What a run of people means: what no relay may do, the latencies that were asked for, and the generator's distrust of itself.

use std::time::Duration;

use super::PeoplePlan;
use super::outcome::Outcome;
use crate::hdr::Durations;
use crate::outcome::LATE;
use crate::report::{Objective, Verdict};
use crate::show::{count, duration, flag_value, plural};
use crate::verdict::Objectives;

/// More late messages than this part of all, and the load was not the one that was asked for.
const MANY_LATE: f64 = 0.1;

/// So few late messages say nothing.
const FEW_LATE: u64 = 10;

/// What a run means.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Each objective.
    pub objectives: Vec<Objective>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Vec<String>,
}

/// Judges a run.
pub fn judge(plan: &PeoplePlan, objectives: &Objectives, outcome: &Outcome) -> Judgement {
    let objectives = measured(objectives, &outcome.times.delivered);
    let missed = objectives.iter().filter(|objective| !objective.met);
    let missed: Vec<String> = missed
        .map(|objective| format!("{} {}: measured {}", objective.flag, objective.limit, objective.measured))
        .collect();
    let (broken, distrust) = (broken(outcome), distrust(outcome, !missed.is_empty()));
    let verdict = match (broken.is_empty(), distrust.is_empty(), missed.is_empty()) {
        // No generator can be the reason for that, however slow it was.
        (false, ..) => Verdict::Missed,
        (true, false, _) => Verdict::Invalid,
        (true, true, false) => Verdict::Missed,
        (true, true, true) => Verdict::Met,
    };
    let reasons = [broken, distrust, missed, remarks(plan, outcome)].concat();
    Judgement { objectives, verdict, reasons }
}

/// The latencies that were asked for, of messages that reached somebody who was there.
fn measured(objectives: &Objectives, delivered: &Durations) -> Vec<Objective> {
    let time = |time: Duration| flag_value(&duration(time));
    let each = objectives.latency.iter().map(|(flag, part, limit)| {
        let value = if *part < 1.0 { delivered.quantile(*part) } else { delivered.max() };
        let none = delivered.count() == 0;
        Objective {
            flag: flag.clone(),
            limit: time(*limit),
            measured: if none { "nothing was delivered at once".into() } else { time(value) },
            met: !none && value <= *limit,
        }
    });
    each.collect()
}

/// What no relay may do.
fn broken(outcome: &Outcome) -> Vec<String> {
    let (sums, deeds) = (&outcome.sums, &outcome.deeds);
    let all = [
        (
            sums.lost,
            "message",
            "lost: the sender was told that it has arrived or is stored, and it never came",
        ),
        (sums.doubled, "message", "shown twice: it came again under another sender or id"),
        (sums.out_of_order, "message", "shown after a later one of the same sender"),
        (sums.corrupted, "arrival", "no message as it was sent"),
        (sums.misdelivered, "message", "at somebody whose it was not"),
        (sums.unanswered, "message", "without an outcome, however often it was sent"),
        (sums.unsent, "message", "never sent, because the one before to the same name had no outcome"),
        (sums.no_such_name, "message", "refused as if nobody had a name that was registered"),
        (deeds.claims_changed, "name", "with another claim than before"),
        (deeds.claims_refused, "claim", "refused that the relay had given"),
        (deeds.sessions_lost, "session", "forgotten although its owner had kept the heartbeat"),
    ];
    let found = all.into_iter().filter(|(number, ..)| *number > 0);
    let mut reasons: Vec<String> =
        found.map(|(number, what, fault)| format!("{}: {fault}", plural(number, what))).collect();
    if !sums.is_balanced() {
        reasons
            .push("the accounts do not add up, which is a fault of the generator: please report it".into());
    }
    reasons
}

/// Why nothing can be said about the relay.
fn distrust(outcome: &Outcome, is_missed: bool) -> Vec<String> {
    let (sums, deeds) = (&outcome.sums, &outcome.deeds);
    let mut reasons = Vec::new();
    if deeds.late_sends >= FEW_LATE && deeds.late_sends as f64 > MANY_LATE * sums.sent as f64 {
        reasons.push(format!(
            "the generator could not keep its schedule: {} of {} were written more than {} late",
            count(deeds.late_sends),
            plural(sums.sent, "message"),
            flag_value(&duration(LATE)),
        ));
    }
    if is_missed && deeds.own_drops + deeds.send_failures > 0 {
        reasons.push(format!(
            "the generator's own queues dropped {}, and its kernel did not take {}",
            plural(deeds.own_drops, "datagram"),
            count(deeds.send_failures),
        ));
    }
    if sums.sent == 0 {
        reasons.push("no message was sent in this time: give a longer --duration, or more --rate".into());
    }
    reasons
}

/// What is worth knowing, and changes nothing.
fn remarks(plan: &PeoplePlan, outcome: &Outcome) -> Vec<String> {
    let (sums, deeds) = (&outcome.sums, &outcome.deeds);
    let mut remarks = Vec::new();
    if outcome.interrupted {
        remarks.push("the run was ended before its time".to_owned());
    }
    if sums.mailbox_full > 0 {
        let full = plural(sums.mailbox_full, "message");
        remarks.push(format!(
            "{full} found a full mailbox: see the relay's --mailbox-messages and --mail-bytes"
        ));
    }
    if deeds.no_room > 0 {
        remarks.push(format!(
            "the relay had no room for a message {}: see its --mail-bytes, of which a /24 or /48 that is not in --trust gets an eighth",
            plural(deeds.no_room, "time"),
        ));
    }
    if sums.refused_and_shown > 0 {
        let shown = plural(sums.refused_and_shown, "message");
        remarks.push(format!("{shown} refused after the recipient had seen it, and its ACK was lost"));
    }
    if deeds.prompted > 0 {
        let kept = plural(deeds.prompted, "message");
        remarks.push(format!(
            "{kept} stayed in the mailbox of somebody who was there, until it said something: the relay took it for silent"
        ));
    }
    if deeds.own_drops + deeds.send_failures > 0 {
        let lost = plural(deeds.own_drops + deeds.send_failures, "datagram");
        remarks.push(format!(
            "{lost} lost by the generator itself; what it says is repeated, so it cost time only"
        ));
    }
    if plan.movers() > 0 && deeds.moved == 0 {
        remarks.push("nobody changed its address: give a longer --duration, or shorter --returns".into());
    }
    if plan.offline() > 0 && outcome.times.first_mail.count() == 0 {
        remarks.push("nobody who came back had mail: give a longer --duration, or shorter --returns".into());
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::outcome::Deeds;
    use crate::people::sums::Sums;
    use crate::people::tests::plan;

    fn good() -> Sums {
        Sums { sent: 100, delivered: 90, mailbox_full: 10, shown: 90, ..Sums::default() }
    }

    fn judged(sums: Sums, deeds: Deeds) -> Judgement {
        let outcome = Outcome { sums, deeds, ..Outcome::default() };
        judge(&plan(10), &Objectives::default(), &outcome)
    }

    #[test]
    fn a_full_mailbox_is_a_remark() {
        let judgement = judged(good(), Deeds::default());
        assert_eq!((judgement.verdict, judgement.reasons.len()), (Verdict::Met, 1), "{judgement:?}");
        assert!(judgement.reasons[0].contains("--mailbox-messages"), "{judgement:?}");
    }

    #[test]
    fn a_full_store_is_a_remark() {
        let judgement = judged(good(), Deeds { no_room: 2, ..Deeds::default() });
        assert_eq!(judgement.verdict, Verdict::Met, "{judgement:?}");
        assert!(judgement.reasons.iter().any(|reason| reason.contains("2 times: see its --mail-bytes")));
    }

    #[test]
    fn whatever_is_broken_is_missed_and_named() {
        let cases = [
            (Sums { lost: 1, delivered: 89, shown: 89, ..good() }, "1 message: lost"),
            (Sums { doubled: 2, ..good() }, "2 messages: shown twice"),
            (Sums { out_of_order: 1, ..good() }, "after a later one"),
            (Sums { unanswered: 1, delivered: 89, shown: 89, ..good() }, "without an outcome"),
            (Sums { no_such_name: 10, mailbox_full: 0, ..good() }, "nobody had a name"),
            (Sums { misdelivered: 1, ..good() }, "whose it was not"),
            (Sums { corrupted: 1, ..good() }, "as it was sent"),
            (Sums { shown: 91, ..good() }, "do not add up"),
        ];
        for (sums, text) in cases {
            let judgement = judged(sums, Deeds::default());
            assert_eq!(judgement.verdict, Verdict::Missed, "{text}");
            assert!(judgement.reasons[0].contains(text), "{text}: {:?}", judgement.reasons);
        }
    }

    #[test]
    fn a_slow_generator_says_nothing_about_the_relay_but_excuses_no_loss() {
        let late = Deeds { late_sends: 20, ..Deeds::default() };
        assert_eq!(judged(good(), late).verdict, Verdict::Invalid);
        assert_eq!(judged(Sums { doubled: 1, ..good() }, late).verdict, Verdict::Missed);
        assert_eq!(judged(Sums::default(), Deeds::default()).verdict, Verdict::Invalid);
    }

    #[test]
    fn latencies_are_those_of_who_is_there() {
        let mut outcome = Outcome { sums: good(), ..Outcome::default() };
        let limit = Duration::from_millis(5);
        let objectives =
            Objectives { latency: vec![("--max-p99".into(), 0.99, limit)], ..Objectives::default() };
        assert_eq!(judge(&plan(10), &objectives, &outcome).verdict, Verdict::Missed);
        outcome.times.delivered.record(limit / 2);
        assert_eq!(judge(&plan(10), &objectives, &outcome).verdict, Verdict::Met);
        outcome.times.delivered.record_n(limit * 2, 10);
        outcome.times.stored.record(limit);
        let judgement = judge(&plan(10), &objectives, &outcome);
        assert_eq!(judgement.verdict, Verdict::Missed);
        assert!(judgement.reasons[0].starts_with("--max-p99 5ms: measured 10"), "{judgement:?}");
    }
}
