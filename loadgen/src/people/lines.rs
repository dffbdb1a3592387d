//! A line per second while a run goes on, and what of it a Prometheus is shown.

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use super::crowd::Progress;
use super::run::Task;
use crate::outcome::{Phase, Progress as LaneProgress, Totals};
use crate::show::{count, harmless};
use crate::view::Status;

const EVERY: Duration = Duration::from_secs(1);

/// Writes progress lines to standard output; nobody who reads them is no error.
#[derive(Debug, Default)]
pub struct Lines {
    next: Duration,
    has_begun: bool,
    is_closed: bool,
}

impl Lines {
    /// Shows how far a run is, once a second.
    ///
    /// # Errors
    /// What standard output answers.
    pub fn show(&mut self, task: &Task, progress: &Progress, elapsed: Duration) -> io::Result<()> {
        if !std::mem::replace(&mut self.has_begun, true) {
            let (people, target) = (count(task.plan.plan.clients.into()), harmless(&task.target));
            let away = count(task.plan.offline().into());
            self.write(&format!(
                "{target}: {people} people, {away} of them offline, {}",
                task.plan.plan.load
            ))?;
        }
        if elapsed < self.next {
            return Ok(());
        }
        self.next = Duration::from_secs((elapsed + EVERY / 2).as_secs()) + EVERY;
        self.write(&format!("{:>5.1} s  {}", elapsed.as_secs_f64(), said(task, progress)))
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        match writeln!(out, "{line}").and_then(|()| out.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            result => result,
        }
    }
}

fn said(task: &Task, progress: &Progress) -> String {
    let sums = &progress.sums;
    let phase = match progress.phase {
        Phase::Joining => "joining",
        Phase::Draining => "draining",
        Phase::Leaving => "leaving",
        _ => "measuring",
    };
    let here = format!("{phase:<10} {} of {} online", count(progress.here.into()), task.plan.plan.clients);
    if progress.phase == Phase::Joining {
        return here;
    }
    let [sent, shown, kept, open] = [sums.sent, sums.shown, progress.kept, progress.open].map(count);
    let mut said = format!("{here}  {sent} sent  {shown} shown  {kept} stored  {open} without an outcome");
    for (number, what) in [(sums.doubled, "doubled"), (sums.out_of_order, "out of order")] {
        if number > 0 {
            said += &format!("  {} {what}", count(number));
        }
    }
    said
}

/// The same for the exporter, in its words: a message is a payload with one copy.
pub fn status(task: &Task, progress: &Progress, elapsed: Duration) -> Status {
    let (sums, deeds) = (&progress.sums, &progress.deeds);
    let totals = Totals {
        sent: sums.sent,
        expected: sums.sent,
        received: sums.shown,
        duplicated: sums.repeats + sums.doubled,
        reordered: sums.out_of_order,
        corrupted: sums.corrupted,
        misdelivered: sums.misdelivered,
        late_sends: deeds.late_sends,
        send_failures: deeds.send_failures,
        own_drops: deeds.own_drops,
        pings_sent: deeds.beats,
        pongs_received: deeds.pongs,
        ..Totals::default()
    };
    Status {
        target: task.target.clone(),
        clients: task.plan.plan.clients.into(),
        groups: 0,
        elapsed,
        phase_elapsed: elapsed,
        phase_planned: None,
        load: task.plan.plan.load.to_string(),
        progress: LaneProgress {
            phase: progress.phase,
            members: progress.here.into(),
            groups: 0,
            totals,
            missing: sums.sent.saturating_sub(sums.shown),
            latency: None,
        },
    }
}
