//! Whether a report can be one of a run: what comes from a file may say anything.

use serde::Serialize;
use serde_json::Value;

use super::{Report, Verdict};
use crate::hdr::Durations;
use crate::outcome::Outcome;

/// No number of a run is larger: every number up to here is exact in JSON.
pub(super) const MOST: u64 = 1 << 53;

impl Report {
    /// What no run can have seen, in words; None if there is nothing of that kind.
    pub(super) fn fault(&self) -> Option<String> {
        let plan = self.plan.fault(&self.plan.whole());
        plan.or_else(|| too_large(&self.outcome))
            .or_else(|| contradiction(&self.outcome))
            .or_else(|| histograms(&self.outcome))
            .or_else(|| self.losses_fault())
            .or_else(|| self.verdict_fault())
            .or_else(|| self.members_fault())
    }

    fn losses_fault(&self) -> Option<String> {
        let lost = self.outcome.totals.lost();
        let sum = numbers(&self.losses).iter().fold(0_u64, |sum, (_, number)| sum.saturating_add(*number));
        (sum > lost).then(|| format!("its losses are {sum} in all, more than the {lost} copies lost"))
    }

    fn verdict_fault(&self) -> Option<String> {
        let missed = self.objectives.iter().find(|objective| !objective.met)?;
        (self.verdict == Verdict::Met).then(|| format!("it is called met, and {} is missed", missed.flag))
    }

    fn members_fault(&self) -> Option<String> {
        let (members, clients) = (self.outcome.members, self.plan.clients);
        (members > clients.into()).then(|| format!("it has {members} members of {clients} clients"))
    }
}

/// Every number of a flat structure, with its name.
pub(super) fn numbers(of: &impl Serialize) -> Vec<(String, u64)> {
    let Ok(Value::Object(fields)) = serde_json::to_value(of) else { return Vec::new() };
    fields.into_iter().filter_map(|(name, value)| Some((name, value.as_u64()?))).collect()
}

/// A number that cannot be counted in a run, nor added to another without care.
pub(super) fn too_large(outcome: &Outcome) -> Option<String> {
    let slots = outcome.series.iter().flat_map(|slot| {
        [("sent", slot.sent), ("expected", slot.expected), ("received", slot.received)]
            .map(|(name, number)| (format!("series.{name}"), number))
    });
    let histograms = histograms_of(outcome).map(|(name, one, _)| (format!("{name} (count)"), one.count()));
    let members = [("members".to_owned(), outcome.members)];
    let mut all = numbers(&outcome.totals).into_iter().chain(slots).chain(histograms).chain(members);
    let (name, number) = all.find(|(_, number)| *number > MOST)?;
    Some(format!("{name} is {number}, more than any run can count"))
}

fn histograms_of(outcome: &Outcome) -> impl Iterator<Item = (&'static str, &Durations, u8)> {
    let whole = [
        ("latency", &outcome.latency, 3),
        ("round_trip", &outcome.round_trip, 3),
        ("lateness", &outcome.lateness, 3),
    ];
    whole.into_iter().chain(outcome.series.iter().map(|slot| ("series.latency", &slot.latency, 2)))
}

fn histograms(outcome: &Outcome) -> Option<String> {
    let (name, one, digits) = histograms_of(outcome).find(|(_, one, digits)| one.digits() != *digits)?;
    Some(format!("{name} keeps {} digits instead of {digits}", one.digits()))
}

/// A part that is more than its whole.
fn contradiction(outcome: &Outcome) -> Option<String> {
    let totals = &outcome.totals;
    let sum = |number: fn(&crate::outcome::Slot) -> u64| {
        outcome.series.iter().map(number).fold(0, u64::saturating_add)
    };
    let pairs = [
        ("received", totals.received, "expected", totals.expected),
        ("reordered", totals.reordered, "received", totals.received),
        ("late_sends", totals.late_sends, "sent", totals.sent),
        ("the copies in latency", outcome.latency.count(), "received", totals.received),
        ("the payloads in lateness", outcome.lateness.count(), "sent", totals.sent),
        ("the PONGs in round_trip", outcome.round_trip.count(), "pongs_received", totals.pongs_received),
        ("sent in all of series", sum(|slot| slot.sent), "sent", totals.sent),
        ("expected in all of series", sum(|slot| slot.expected), "expected", totals.expected),
        ("received in all of series", sum(|slot| slot.received), "received", totals.received),
    ];
    let (part, count, whole, all) = pairs.into_iter().find(|(_, count, _, all)| count > all)?;
    Some(format!("{part}: {count}, and {whole} is only {all}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    /// What is said of an edit.
    type Edit = (&'static str, fn(&mut Report));

    #[test]
    fn samples_are_sound() {
        for (name, report) in samples::all() {
            assert_eq!(report.fault(), None, "{name}");
        }
    }

    #[test]
    fn nonsense_is_named() {
        let edits: [Edit; 10] = [
            ("received: ", |report| report.outcome.totals.received = report.outcome.totals.expected * 10),
            ("reordered", |report| report.outcome.totals.reordered = MOST),
            ("late_sends", |report| report.outcome.totals.late_sends = report.outcome.totals.sent + 1),
            ("duplicated is 18446744073709551615", |report| report.outcome.totals.duplicated = u64::MAX),
            ("series.sent is 9007199254740993", |report| report.outcome.series[3].sent = MOST + 1),
            ("sent in all of series", |report| report.outcome.series[3].sent += 1),
            ("digits", |report| report.outcome.latency = Durations::with_digits(2)),
            ("losses are", |report| report.losses.unexplained = u64::MAX),
            ("of 1200 clients", |report| report.outcome.members = 1201),
            ("called met", |report| report.verdict = Verdict::Met),
        ];
        for (words, edit) in edits {
            let mut report = samples::lossy();
            edit(&mut report);
            let fault = report.fault().unwrap_or_default();
            assert!(fault.contains(words), "{words}: {fault}");
        }
        let mut report = samples::lossy();
        report.plan.groups = 0;
        assert!(report.fault().is_some());
    }
}
