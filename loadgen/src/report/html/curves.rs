//! What the charts show of an outcome.

use std::time::Duration;

use super::axis::{Axis, Tick, time_ticks};
use super::chart::{Chart, Form, Series};
use crate::hdr::Durations;
use crate::outcome::{Outcome, Slot};
use crate::show;

/// Less is as good as nothing on a scale of times: no clock tells more.
const SHORTEST: Duration = Duration::from_micros(1);
/// Nines that are drawn at most: beyond them, texts and curves have no room.
const MOST_NINES: f64 = 7.0;
/// Points of a percentile curve for each nine.
const PER_NINE: u32 = 20;

/// The pieces of the measurement, and where each lies in time.
struct Pieces<'a> {
    slots: &'a [Slot],
    /// The length of each, in seconds: the last may be shorter.
    lengths: Vec<f64>,
    whole: Duration,
    places: Vec<Tick>,
}

/// Payloads, deliveries, losses and latency over time; none if nothing was sent.
pub(super) fn over_time(outcome: &Outcome) -> Vec<Chart> {
    if outcome.totals.sent == 0 || outcome.series.is_empty() {
        return Vec::new();
    }
    let pieces = Pieces::of(outcome);
    let charts =
        [Some(pieces.payloads()), Some(pieces.deliveries()), Some(pieces.losses()), pieces.latencies()];
    charts.into_iter().flatten().collect()
}

impl<'a> Pieces<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        let (slots, slot) = (&outcome.series[..], outcome.slot.as_secs_f64());
        let planned = slot * slots.len() as f64;
        let measured = outcome.duration.as_secs_f64();
        let whole = if measured > planned - slot && measured < planned { measured } else { planned };
        let begins = (0..slots.len()).map(|index| index as f64 * slot);
        let lengths: Vec<f64> = begins.clone().map(|begin| (whole - begin).min(slot)).collect();
        let place = |(begin, length): (f64, &f64)| {
            let [from, to] = [begin, begin + length].map(|time| show::seconds(Duration::from_secs_f64(time)));
            ((begin + length / 2.0) / whole, format!("{from} – {to}"))
        };
        let places = begins.zip(&lengths).map(place).collect();
        Pieces { slots, lengths, whole: Duration::from_secs_f64(whole), places }
    }

    fn payloads(&self) -> Chart {
        let sent = self.rates(|slot| slot.sent);
        let axis = Axis::from_zero(largest(&sent) * 1.02, 1.0, |value| show::rounded(&show::si(value)));
        let series = vec![Series { name: "sent", class: "c1", form: Form::Area, values: sent }];
        self.chart("Payloads per second", axis, series, show::si)
    }

    fn deliveries(&self) -> Chart {
        let (expected, received) = (self.rates(|slot| slot.expected), self.rates(|slot| slot.received));
        let most = largest(&expected).max(largest(&received));
        let axis = Axis::from_zero(most * 1.02, 1.0, |value| show::rounded(&show::si(value)));
        let series = vec![
            Series { name: "expected", class: "c0", form: Form::Line, values: expected },
            Series { name: "received", class: "c2", form: Form::Area, values: received },
        ];
        self.chart("Copies per second", axis, series, show::si)
    }

    fn losses(&self) -> Chart {
        let loss = |slot: &Slot| {
            let lost = slot.expected.saturating_sub(slot.received);
            (slot.expected > 0).then(|| lost as f64 / slot.expected as f64)
        };
        let values: Vec<_> = self.slots.iter().map(loss).collect();
        let most = largest(&values);
        let least = if most > 0.0 { 1e-9 } else { 0.01 };
        let axis = Axis::from_zero(most, least, |value| show::rounded(&show::ratio(value)));
        let series = vec![Series { name: "lost", class: "c3", form: Form::Bars, values }];
        let note = if most > 0.0 { "" } else { "nothing was lost" };
        Chart { note, ..self.chart("Loss, by the time of sending", axis, series, show::ratio) }
    }

    /// None if no copy arrived.
    fn latencies(&self) -> Option<Chart> {
        let curve = |name, class, read: fn(&Durations) -> Duration| {
            let at = |slot: &Slot| (slot.latency.count() > 0).then(|| seconds(read(&slot.latency)));
            Series { name, class, form: Form::Line, values: self.slots.iter().map(at).collect() }
        };
        let series = vec![
            curve("max", "c4", Durations::max),
            curve("p99", "c1", |latency| latency.quantile(0.99)),
            curve("p50", "c2", |latency| latency.quantile(0.5)),
        ];
        let axis = times_axis(&series)?;
        Some(self.chart("Latency, by the time of arrival", axis, series, time_text))
    }

    fn rates(&self, number: fn(&Slot) -> u64) -> Vec<Option<f64>> {
        // A last piece that is much shorter than the others has no rate to speak of.
        let shortest = self.lengths[0] / 10.0;
        let rate = |(slot, length): (&Slot, &f64)| (*length > shortest).then(|| number(slot) as f64 / length);
        self.slots.iter().zip(&self.lengths).map(rate).collect()
    }

    fn chart(&self, title: &'static str, axis: Axis, series: Vec<Series>, text: fn(f64) -> String) -> Chart {
        let width = 1.0 / self.slots.len() as f64;
        let (places, ticks) = (self.places.clone(), time_ticks(self.whole));
        Chart { title, across: "Time", places, width, ticks, axis, series, text, note: "", wide: false }
    }
}

/// Everything that takes time: its name, the class of its colour, and how long it took.
pub(super) fn times(outcome: &Outcome) -> [(&'static str, &'static str, &Durations); 3] {
    [
        ("latency", "c1", &outcome.latency),
        ("PING to PONG", "c2", &outcome.round_trip),
        ("pacing error", "c0", &outcome.lateness),
    ]
}

/// The distribution of what takes time, with as much room for each further nine; none if nothing did.
pub(crate) fn percentiles(all: &[(&'static str, &'static str, &Durations)]) -> Option<Chart> {
    let recorded: Vec<_> = all.iter().filter(|(_, _, times)| times.count() > 0).collect();
    let most = recorded.iter().map(|(_, _, times)| times.count()).max()?;
    let nines = (most as f64).log10().ceil().clamp(1.0, MOST_NINES) as u32;
    let series: Vec<_> = recorded
        .iter()
        .map(|(name, class, times)| Series { name, class, form: Form::Line, values: curve(times, nines) })
        .collect();
    Some(Chart {
        title: "Times by percentile",
        across: "Percentile: each step to the right is ten times rarer",
        places: (0..=nines * PER_NINE).map(|index| (part(index, nines), rarity(index))).collect(),
        width: 0.0,
        ticks: percentile_ticks(nines),
        axis: times_axis(&series)?,
        series,
        text: time_text,
        note: "",
        wide: true,
    })
}

fn curve(times: &Durations, nines: u32) -> Vec<Option<f64>> {
    let last = (times.count() as f64).log10() + 1.0 / f64::from(PER_NINE);
    let exponent = |index: u32| f64::from(index) / f64::from(PER_NINE);
    let value = |index| seconds(times.quantile(1.0 - 10_f64.powf(-exponent(index))));
    (0..=nines * PER_NINE).map(|index| (exponent(index) <= last).then(|| value(index))).collect()
}

fn part(index: u32, nines: u32) -> f64 {
    f64::from(index) / f64::from(nines * PER_NINE)
}

/// The percentile at a place, with as many digits as tell it from its neighbours.
fn rarity(index: u32) -> String {
    let exponent = f64::from(index) / f64::from(PER_NINE);
    let decimals = exponent.floor() as usize;
    format!("{:.decimals$} %", 100.0 - 100.0 * 10_f64.powf(-exponent))
}

fn percentile_ticks(nines: u32) -> Vec<Tick> {
    let half = (2_f64.log10() / f64::from(nines), "50 %".to_owned());
    let nine = |count: u32| {
        let decimals = count.saturating_sub(2) as usize;
        let text = format!("{:.decimals$} %", 100.0 - 100.0 * 0.1_f64.powi(count as i32));
        (f64::from(count) / f64::from(nines), text)
    };
    let start = (nines < 5).then(|| (0.0, "0 %".to_owned()));
    start.into_iter().chain([half]).chain((1..=nines).map(nine)).collect()
}

fn times_axis(series: &[Series]) -> Option<Axis> {
    let values = series.iter().flat_map(|series| series.values.iter().flatten().copied());
    let (low, high) =
        values.fold((f64::MAX, 0.0), |(low, high): (f64, f64), value| (low.min(value), high.max(value)));
    (high > 0.0).then(|| Axis::spanning(low, high, |value| show::rounded(&time_text(value))))
}

/// In seconds, so that every scale is of plain numbers.
fn seconds(time: Duration) -> f64 {
    time.max(SHORTEST).as_secs_f64()
}

fn time_text(seconds: f64) -> String {
    show::duration(Duration::from_secs_f64(seconds))
}

fn largest(values: &[Option<f64>]) -> f64 {
    values.iter().flatten().copied().fold(0.0, f64::max)
}
