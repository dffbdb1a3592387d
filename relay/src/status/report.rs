//! The JSON, whose shape docs/operations.md documents: keys may be added, never renamed without a new schema number.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use engine::{CommandKind, DropReason, Event, Stance, Throttled};
use net::tcp::{Ending, NoRoom};
use people::Outcome;
use serde_json::{Value, json};
use wire::Refusal;

use super::access::Why;
use super::sample::{Sample, copy_reasons, quantile, round};
use super::verdict::{Finding, Level, Present, findings};
use super::{Reading, Status, lock};
use crate::config::Source;
use crate::limits::{RATE_SAMPLES, SAMPLE_EVERY, VERDICT_SAMPLES, WORST_KEPT, WORST_SHOWN};
use crate::metrics::{FAILURES, PeopleFigures};
use crate::sandbox::Confinement;
use crate::worst::{Ranking, Worst, rank, recent_span};

/// The number of the shape.
const SCHEMA: u32 = 1;

impl Status {
    pub(super) fn report(&self, hidden: Option<Why>) -> String {
        let reading = self.read();
        let (before, minute) = {
            let history = lock(&self.history);
            let back = |samples| history.back(samples).cloned().unwrap_or_else(|| reading.now.clone());
            (back(RATE_SAMPLES), back(VERDICT_SAMPLES))
        };
        let people = self.sources.people();
        let findings = self.findings(&reading, &people, (&before, &minute));
        json!({
            "schema": SCHEMA,
            "at": SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |at| at.as_secs_f64()),
            "relay": self.relay(),
            "verdict": {
                "level": findings.first().map_or(Level::Healthy, |worst| worst.level),
                "findings": findings,
            },
            "present": self.present(&reading),
            "people": self.people(&people),
            "rates": rates(&reading.now, &before),
            "totals": totals(&reading.now),
            "drops": drops(&reading, &before),
            "requests": requests(&reading),
            "latency": latency(&reading.now, &minute),
            "shards": shards(&reading, &before),
            "driver": driver(&reading),
            "tcp": self.tcp(&reading),
            "buffers": self.buffers(),
            "history": self.history(),
            "worst_receivers": self.worst(hidden),
            "configuration": self.configuration(),
        })
        .to_string()
    }

    fn findings(
        &self,
        reading: &Reading,
        people: &PeopleFigures,
        (before, minute): (&Sample, &Sample),
    ) -> Vec<Finding> {
        let busy = busy_shares(&reading.now, before).into_iter().enumerate();
        let queue = |sockets: &crate::metrics::ShardSockets| {
            if sockets.receive_buffer == 0 {
                0.0
            } else {
                sockets.queue as f64 / sockets.receive_buffer as f64
            }
        };
        let (ceilings, admission) = (self.sources.ceilings, &self.sources.shared.admission);
        let is_guarded = admission.stance() == Stance::Guarded;
        findings(&Present {
            ready: self.sources.ready.load(Ordering::Relaxed),
            stalled: reading.stalled.iter().position(|stalled| *stalled),
            now: &reading.now,
            before: minute,
            busiest: busy.max_by(|(_, a), (_, b)| a.total_cmp(b)),
            limits: [
                (clients(reading), ceilings.clients.into(), "clients"),
                (self.sources.shared.groups.count().into(), ceilings.groups.into(), "groups"),
                (
                    self.sources.shared.groups.unjoined().into(),
                    ceilings.unjoined_groups.into(),
                    "groups that nobody joined",
                ),
                (people.store.names, self.sources.mail.names.into(), "names"),
            ],
            mail: (people.store.bytes, self.sources.mail.bytes),
            trouble: people.trouble.as_deref(),
            overloaded: reading.shards.iter().position(|shard| shard.is_overloaded),
            fullest_queue: reading.sockets.iter().map(queue).fold(0.0, f64::max),
            guarded: is_guarded.then(|| admission.unproved()),
            fallback: self.sources.fallback.as_deref(),
            unconfined: self.sources.confinement.get().map_or(&[], |now| &now.lacks[..]),
            small_buffers: self.about.receive_buffer.0 < self.about.receive_buffer.1
                || self.about.send_buffer.0 < self.about.send_buffer.1,
        })
    }

    fn relay(&self) -> Value {
        let addresses: Vec<String> = self.about.addresses.iter().map(ToString::to_string).collect();
        let fallback = self.sources.fallback.as_ref();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "ready": self.sources.ready.load(Ordering::Relaxed),
            "uptime_seconds": round(self.now().as_secs_f64()),
            "process": std::process::id(),
            "addresses": addresses,
            "backend": self.sources.backend,
            "sandbox": self.sources.confinement.get().map(sandbox),
            "fallback": fallback.map(|reason| json!({ "reason": reason, "remedy": self.about.remedy })),
        })
    }

    fn present(&self, reading: &Reading) -> Value {
        let (groups, ceilings) = (&self.sources.shared.groups, self.sources.ceilings);
        json!({
            "clients": clients(reading),
            "clients_limit": ceilings.clients,
            "groups": groups.count(),
            "groups_limit": ceilings.groups,
            "unjoined_groups": groups.unjoined(),
            "unjoined_groups_limit": ceilings.unjoined_groups,
            "members": groups.clients(),
            "admission": match self.sources.shared.admission.stance() {
                Stance::Open => "open",
                Stance::Peace => "peace",
                Stance::Guarded => "guarded",
                Stance::Strict => "strict",
            },
            "unproved_members": self.sources.shared.admission.unproved(),
            "silent_unproved_members": self.sources.shared.admission.silent(),
            "unproved_egress_limit": self.sources.shared.admission.egress_limit(),
            "waiting_copies": reading.shards.iter().map(|shard| shard.waiting).sum::<u64>(),
        })
    }

    /// What the connections do; nothing where there are none.
    fn tcp(&self, reading: &Reading) -> Value {
        let counters = reading.shards.last().filter(|_| self.sources.has_tcp);
        counters.map_or(Value::Null, |counters| {
            let figures = &counters.streams;
            json!({
                "connections": figures.open,
                "accepted": figures.accepted,
                "refused": by_label(NoRoom::ALL.map(NoRoom::label), figures.refused),
                "closed": by_label(Ending::ALL.map(Ending::label), figures.closed),
                "queued_bytes": figures.queued_bytes,
            })
        })
    }

    fn people(&self, now: &PeopleFigures) -> Value {
        let (people, store, most) = (&now.people, &now.store, &self.sources.mail);
        json!({
            "names": store.names,
            "names_limit": most.names,
            "online": people.online,
            "messages": by_label(Outcome::LABELS, people.messages),
            "under_way": people.under_way,
            "silent_recipients": people.silent,
            "watchers": people.watching,
            "bridges": people.bridges,
            "bridges_waiting": people.waiting,
            "mails": store.mails,
            "mail_bytes": store.bytes,
            "mail_bytes_limit": most.bytes,
            "mail_expired": store.expired,
            "trouble": now.trouble,
        })
    }

    fn buffers(&self) -> Value {
        let buffer = |(granted, asked)| json!({ "granted_bytes": granted, "asked_bytes": asked });
        json!({ "receive": buffer(self.about.receive_buffer), "send": buffer(self.about.send_buffer) })
    }

    fn history(&self) -> Value {
        let history = lock(&self.history);
        json!({
            "step_seconds": SAMPLE_EVERY.as_secs(),
            "received_packets": history.rates(|sample| sample.received.packets),
            "sent_packets": history.rates(|sample| sample.sent.packets),
            "dropped_copies": history.rates(Sample::copies),
            "kernel_dropped": history.rates(|sample| sample.kernel_dropped),
        })
    }

    fn worst(&self, hidden: Option<Why>) -> Value {
        if let Some(why) = hidden {
            return json!({ "shown": false, "why": why.name(), "hint": why.hint() });
        }
        let now = self.now();
        let shards: Vec<Worst> = self.sources.meters.iter().map(crate::meter::Meter::worst).collect();
        let list = |ranking: Ranking| {
            let rows: Vec<Value> = ranking
                .rows
                .iter()
                .map(|row| {
                    json!({
                        "address": row.to.to_string(),
                        "dropped_at_least": row.at_least,
                        "dropped_at_most": row.at_most,
                        "reasons": by_label(FAILURES, row.lost),
                        "last_seconds_ago": round(now.saturating_sub(row.last).as_secs_f64()),
                    })
                })
                .collect();
            json!({
                "dropped": ranking.total,
                "receivers": rows,
                "others_at_most": ranking.others_at_most,
            })
        };
        json!({
            "shown": true,
            "kept_by_each_shard": WORST_KEPT,
            "recent_seconds": round(recent_span(now).as_secs_f64()),
            "recent": list(rank(shards.iter().flat_map(|worst| worst.recent(now)), WORST_SHOWN)),
            "since_start": list(rank(shards.iter().map(Worst::since_start), WORST_SHOWN)),
        })
    }

    fn configuration(&self) -> Value {
        let configuration = lock(&self.configuration);
        let option = |shown: &crate::config::Shown| {
            let source = match shown.source {
                Source::Flag => "flag",
                Source::Environment => "environment",
                Source::File => "file",
                Source::Default => "default",
            };
            json!({
                "name": shown.name,
                "value": shown.value,
                "source": source,
                "place": shown.place,
                "live": shown.live,
            })
        };
        let options: Vec<Value> = configuration.options.iter().map(option).collect();
        json!({ "options": options, "declared_groups": configuration.groups })
    }
}

fn sandbox(now: &Confinement) -> Value {
    json!({
        "state": now.state(),
        "landlock": now.landlock,
        "system_calls": now.system_calls,
        "no_privileges": now.no_privileges,
        "lacks": now.lacks,
    })
}

fn clients(reading: &Reading) -> u64 {
    reading.shards.iter().map(|shard| shard.clients).sum()
}

fn rates(now: &Sample, before: &Sample) -> Value {
    let rate = |of: fn(&Sample) -> u64| round(now.rate(before, of));
    json!({
        "seconds": round(now.at.saturating_sub(before.at).as_secs_f64()),
        "received_packets": rate(|sample| sample.received.packets),
        "received_bytes": rate(|sample| sample.received.bytes),
        "sent_packets": rate(|sample| sample.sent.packets),
        "sent_bytes": rate(|sample| sample.sent.bytes),
        "unproved_egress_bytes": rate(|sample| sample.unproved_bytes),
        "dropped_copies": rate(Sample::copies),
        "dropped_packets": rate(|sample| sample.dropped_packets),
        "kernel_dropped": rate(|sample| sample.kernel_dropped),
    })
}

fn totals(now: &Sample) -> Value {
    json!({
        "received_packets": now.received.packets,
        "received_bytes": now.received.bytes,
        "sent_packets": now.sent.packets,
        "sent_bytes": now.sent.bytes,
        "dropped_copies": now.copies(),
        "dropped_packets": now.dropped_packets,
        "kernel_dropped": now.kernel_dropped,
    })
}

fn by_label<'a, T: Into<Value>>(
    labels: impl IntoIterator<Item = &'a str>,
    counts: impl IntoIterator<Item = T>,
) -> BTreeMap<&'a str, Value> {
    labels.into_iter().zip(counts.into_iter().map(Into::into)).collect()
}

/// Totals of the shards' arrays of counts.
fn sum<const N: usize>(reading: &Reading, of: impl Fn(&crate::meter::Counters) -> &[u64; N]) -> [u64; N] {
    std::array::from_fn(|at| reading.shards.iter().map(|shard| of(shard)[at]).sum())
}

fn drops(reading: &Reading, before: &Sample) -> Value {
    let now = &reading.now;
    let rates = (0..now.dropped_copies.len()).map(|at| round(now.rate(before, |s| s.dropped_copies[at])));
    json!({
        "copies": by_label(copy_reasons(), now.dropped_copies),
        "copies_rate": by_label(copy_reasons(), rates),
        "packets": by_label(DropReason::LABELS, sum(reading, |shard| &shard.tally.dropped)),
    })
}

fn requests(reading: &Reading) -> Value {
    json!({
        "commands": by_label(CommandKind::LABELS, sum(reading, |shard| &shard.tally.commands)),
        "refused": by_label(Refusal::LABELS, sum(reading, |shard| &shard.tally.refusals)),
        "throttled": by_label(Throttled::LABELS, sum(reading, |shard| &shard.tally.throttled)),
        "group_events": by_label(Event::LABELS, sum(reading, |shard| &shard.tally.events)),
    })
}

/// Of the last minute, in seconds: the bounds below which so many lie. None where nothing was measured, or beyond a second.
fn latency(now: &Sample, minute: &Sample) -> Value {
    let latency = now.latency_since(minute);
    let bound =
        |part| quantile(&latency, part).map(|nanos| nanos / 1e9).filter(|seconds| seconds.is_finite());
    json!({
        "seconds": round(now.at.saturating_sub(minute.at).as_secs_f64()),
        "measured_payloads": latency.count,
        "p50_seconds_at_most": bound(0.5),
        "p99_seconds_at_most": bound(0.99),
        "p999_seconds_at_most": bound(0.999),
    })
}

/// The share of time that each shard did not wait.
fn busy_shares(now: &Sample, before: &Sample) -> Vec<f64> {
    (0..now.shards.len()).map(|at| (shard_rate(now, before, at, |shard| shard.busy) / 1e9).min(1.0)).collect()
}

fn shard_rate(now: &Sample, before: &Sample, at: usize, of: fn(&super::sample::ShardSample) -> u64) -> f64 {
    now.rate(before, |sample| sample.shards.get(at).map_or(0, of))
}

fn shards(reading: &Reading, before: &Sample) -> Vec<Value> {
    let now = &reading.now;
    let busy = busy_shares(now, before);
    let shard = |(at, counters): (usize, &crate::meter::Counters)| {
        let (sockets, totals) = (reading.sockets[at], now.shards[at]);
        let rate = |of| round(shard_rate(now, before, at, of));
        json!({
            "shard": at,
            "stalled": reading.stalled[at],
            "overloaded": counters.is_overloaded,
            "busy": (busy[at] * 1000.0).round() / 1000.0,
            "clients": counters.clients,
            "waiting_copies": counters.waiting,
            "received_packets": totals.received,
            "received_packets_rate": rate(|shard| shard.received),
            "sent_packets": totals.sent,
            "sent_packets_rate": rate(|shard| shard.sent),
            "dropped_copies": totals.dropped,
            "dropped_copies_rate": rate(|shard| shard.dropped),
            "kernel_dropped": totals.kernel_dropped,
            "receive_queue_bytes": sockets.queue,
            "receive_buffer_bytes": sockets.receive_buffer,
        })
    };
    reading.shards.iter().enumerate().map(shard).collect()
}

fn driver(reading: &Reading) -> Value {
    let sum = |of: fn(&net::DriverStats) -> u64| -> u64 {
        reading.shards.iter().map(|shard| of(&shard.driver)).sum()
    };
    json!({
        "enters": sum(|driver| driver.enters),
        "rearms": sum(|driver| driver.rearms),
        "no_buffers": sum(|driver| driver.no_buffers),
        "cq_overflow": sum(|driver| driver.cq_overflow),
        "receive_errors": sum(|driver| driver.receive_errors),
        "icmp_errors": sum(|driver| driver.peer_errors),
        "buffers_free": sum(|driver| driver.buffers_free),
    })
}
