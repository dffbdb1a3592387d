//! A line per second, for a standard output that is no terminal.

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use super::pace::Pace;
use super::words::{percent, phase};
use super::{Status, View, Wish};
use crate::outcome::{Phase, Totals};
use crate::show::{count, duration, harmless, si};

const EVERY: Duration = Duration::from_secs(1);

/// Writes progress lines; nobody who reads them is no error.
pub struct Lines<W: Write> {
    out: W,
    pace: Pace,
    next: Duration,
    load: Option<String>,
    /// The load was told, and not yet a phase that it concerns.
    is_awaited: bool,
    closed: bool,
}

impl<W: Write> Lines<W> {
    /// Lines to this.
    pub fn to(out: W) -> Self {
        Lines { out, pace: Pace::new(), next: Duration::ZERO, load: None, is_awaited: false, closed: false }
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        match writeln!(self.out, "{line}").and_then(|()| self.out.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            result => result,
        }
    }

    fn write_load(&mut self, status: &Status) -> io::Result<()> {
        let load = harmless(&status.load);
        self.is_awaited = self.load.is_some();
        let line = if self.load.is_none() {
            let [clients, groups] = [status.clients, status.groups].map(count);
            format!("{}: {clients} clients in {groups} groups, {load}", harmless(&status.target))
        } else {
            format!("{:>5.1} s  {:<10} {load}", status.elapsed.as_secs_f64(), "load")
        };
        self.load = Some(status.load.clone());
        self.write(&line)
    }

    /// Whether there is something to say about this moment: no rate before it is one, and nothing of the load before.
    fn has_news(&mut self, phase: Phase) -> bool {
        let is_traffic = matches!(phase, Phase::WarmUp | Phase::Measuring);
        self.is_awaited &= !is_traffic;
        !self.is_awaited && (!is_traffic || self.pace.is_settled())
    }
}

impl<W: Write> View for Lines<W> {
    fn show(&mut self, status: &Status) -> io::Result<Wish> {
        self.pace.update(status);
        if self.load.as_ref() != Some(&status.load) {
            self.write_load(status)?;
        }
        let has_news = self.has_news(status.progress.phase);
        if has_news && status.elapsed >= self.next {
            // At whole seconds, but not soon after a line that had to wait.
            self.next = Duration::from_secs((status.elapsed + EVERY / 2).as_secs()) + EVERY;
            let (seconds, name) = (status.elapsed.as_secs_f64(), phase(status.progress.phase));
            let line = format!("{seconds:>5.1} s  {name:<10} {}", said(status, &self.pace));
            self.write(&line)?;
        }
        Ok(Wish::GoOn)
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What there is to say now, in parts that two spaces separate.
pub fn said(status: &Status, pace: &Pace) -> String {
    let progress = &status.progress;
    let members = count(progress.members);
    let mut said = match progress.phase {
        Phase::Joining | Phase::Ready => {
            format!("{members} of {} clients in {} groups", count(status.clients), count(progress.groups))
        }
        Phase::Draining => format!("{} copies are still on their way or lost", count(progress.missing)),
        Phase::Leaving => format!("{members} clients are still there"),
        Phase::WarmUp | Phase::Measuring if !pace.is_settled() => format!("{members} members"),
        Phase::WarmUp | Phase::Measuring if progress.totals.sent == 0 => heartbeats(&members, pace),
        Phase::WarmUp | Phase::Measuring => traffic(pace),
    };
    for (number, what) in faults(&progress.totals) {
        said.push_str(&format!("  {} {what}", count(number)));
    }
    said
}

fn traffic(pace: &Pace) -> String {
    let latency = pace.latency();
    let mut said = format!(
        "{} payloads/s  {} deliveries/s  loss {}",
        si(pace.per_second(|totals| totals.sent)),
        si(pace.per_second(|totals| totals.received)),
        pace.loss().map_or_else(|| "-".into(), percent)
    );
    if latency.count() > 0 {
        let [p50, p99] = [0.5, 0.99].map(|part| duration(latency.quantile(part)));
        said.push_str(&format!("  p50 {p50}  p99 {p99}"));
    }
    said
}

fn heartbeats(members: &str, pace: &Pace) -> String {
    let [pings, pongs] =
        [pace.per_second(|totals| totals.pings_sent), pace.per_second(|totals| totals.pongs_received)]
            .map(si);
    format!("{members} members  {pings} PINGs/s  {pongs} PONGs/s  {} unanswered", count(pace.unanswered()))
}

/// What should not be, and is.
fn faults(totals: &Totals) -> impl Iterator<Item = (u64, &'static str)> {
    let all = [
        (totals.duplicated, "duplicated"),
        (totals.reordered, "reordered"),
        (totals.corrupted, "corrupted"),
        (totals.misdelivered, "misdelivered"),
        (totals.refusals, "refused"),
        (totals.evictions, "evicted"),
        (totals.late_sends, "sent late"),
        (totals.send_failures, "not sent"),
        (totals.own_drops, "dropped by this machine"),
    ];
    all.into_iter().filter(|(number, _)| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::hdr::Durations;

    fn lines(statuses: &[Status]) -> Vec<String> {
        let mut view = Lines::to(Vec::new());
        for status in statuses {
            assert_eq!(view.show(status).unwrap(), Wish::GoOn);
        }
        view.finish().unwrap();
        String::from_utf8(view.out).unwrap().lines().map(str::to_owned).collect()
    }

    fn measuring(ms: u64) -> Status {
        let mut status = example(Duration::from_millis(ms), Phase::Measuring);
        status.progress.totals =
            Totals { sent: ms * 50, expected: ms * 450, received: ms * 450, ..Totals::default() };
        let mut latency = Durations::with_digits(2);
        latency.record_n(Duration::from_micros(110), 990);
        latency.record_n(Duration::from_micros(870), 10);
        status.progress.latency = Some(latency);
        status
    }

    #[test]
    fn one_line_per_second() {
        let statuses: Vec<Status> = (0..=12).map(|tick| measuring(tick * 250)).collect();
        let lines = lines(&statuses);
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!(lines[0], "127.0.0.1:5000: 100,000 clients in 1,000 groups, --rate 50");
        assert_eq!(
            lines[3],
            "  3.0 s  measuring  50.0 k payloads/s  450 k deliveries/s  loss 0.00 %  p50 110 µs  p99 110 µs"
        );
    }

    #[test]
    fn every_phase_says_what_matters() {
        let mut last = Vec::new();
        for phase in [Phase::Joining, Phase::Ready, Phase::Draining, Phase::Leaving, Phase::WarmUp] {
            let statuses = [2250, 3000].map(|ms| {
                let mut status = example(Duration::from_millis(ms), phase);
                status.progress.missing = 1234;
                status
            });
            last.push(lines(&statuses).pop().unwrap());
        }
        assert_eq!(
            last,
            [
                "  3.0 s  joining    12,345 of 100,000 clients in 1,234 groups",
                "  3.0 s  ready      12,345 of 100,000 clients in 1,234 groups",
                "  3.0 s  draining   1,234 copies are still on their way or lost",
                "  3.0 s  leaving    12,345 clients are still there",
                "  3.0 s  warming up 12,345 members  0 PINGs/s  0 PONGs/s  0 unanswered",
            ]
        );
    }

    #[test]
    fn faults_and_another_load_are_told() {
        let mut status = measuring(1000);
        status.progress.totals.corrupted = 3;
        status.progress.totals.own_drops = 1000;
        let other = Status { load: "--rate 60\x1b[2J".into(), ..measuring(1250) };
        let lines = lines(&[measuring(500), status, other]);
        assert!(lines[1].ends_with("  3 corrupted  1,000 dropped by this machine"), "{lines:?}");
        assert_eq!(lines[2], "  1.2 s  load       --rate 60\u{fffd}[2J");
    }

    #[test]
    fn a_new_load_is_followed_by_full_lines_only() {
        let mut statuses: Vec<Status> = (0..=12).map(|tick| measuring(tick * 250)).collect();
        let later = |ms: u64, status: Status| {
            let elapsed = Duration::from_millis(3000 + ms);
            Status { elapsed, load: "--rate 60".into(), ..status }
        };
        statuses.push(later(1000, example(Duration::ZERO, Phase::Draining)));
        statuses.push(later(1250, example(Duration::ZERO, Phase::Ready)));
        statuses.extend((1..=16).map(|tick| {
            let mut status = measuring(tick * 250);
            status.progress.totals.received -= 100;
            status.progress.missing = 100;
            later(1500 + tick * 250, status)
        }));
        let lines = lines(&statuses);
        let full = "measuring  50.0 k payloads/s  450 k deliveries/s  loss 0.00 %  p50 110 µs  p99 110 µs";
        let expected = ["  4.0 s  load       --rate 60".to_owned()]
            .into_iter()
            .chain(["5.2", "6.0", "7.0", "8.0"].map(|seconds| format!("  {seconds} s  {full}")));
        assert_eq!(lines[4..], expected.collect::<Vec<_>>(), "{lines:#?}");
    }

    struct Closed(usize);

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_ends_the_lines_and_not_the_run() {
        let mut view = Lines::to(Closed(0));
        for ms in [0, 1000, 2000] {
            assert_eq!(view.show(&measuring(ms)).unwrap(), Wish::GoOn);
        }
        view.finish().unwrap();
        assert_eq!(view.out.0, 1);
    }
}
