//! Everything that was found, and what it means for the exit code.

use serde::Serialize;

use super::finding::{Finding, Verdict};
use super::measure::{self, Measurement};
use super::patient::Patient;
use super::text;

/// The version of the JSON object's shape: it goes up when a field goes away or changes its meaning.
const FORMAT: u32 = 1;

/// What `relay doctor` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    format: u32,
    version: &'static str,
    /// The worst of all findings.
    verdict: Verdict,
    exit_code: u8,
    relay: Subject,
    summary: Summary,
    checks: Vec<Finding>,
    /// Of `--measure`.
    measurement: Option<Measurement>,
}

/// The relay that would run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Subject {
    pub addresses: Vec<String>,
    pub shards: usize,
    pub backend: &'static str,
    pub user: u32,
}

/// How many findings there are of each verdict.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Summary {
    pub ok: usize,
    pub info: usize,
    pub unknown: usize,
    pub warning: usize,
    pub problem: usize,
}

impl Report {
    pub(super) fn new(
        patient: &Patient<'_>,
        mut checks: Vec<Finding>,
        measurement: Option<Measurement>,
    ) -> Self {
        for well in checks.iter_mut().filter(|check| check.verdict == Verdict::Ok) {
            well.why = None;
            well.fixes.clear();
        }
        let setup = patient.setup;
        let addresses =
            setup.hosts.iter().map(|host| std::net::SocketAddr::new(*host, setup.port).to_string()).collect();
        let relay = Subject {
            addresses,
            shards: patient.shards,
            backend: setup.backend.name(),
            user: patient.privileges.user,
        };
        let verdict = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok);
        let exit_code = u8::from(verdict >= Verdict::Warning);
        let summary = Summary::of(&checks);
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION"),
            verdict,
            exit_code,
            relay,
            summary,
            checks,
            measurement,
        }
    }

    /// 0 if nothing will hurt, 1 if something will.
    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// For people.
    pub fn text(&self, colour: bool) -> String {
        let measured = self.measurement.as_ref().map(measure::render).unwrap_or_default();
        text::render(&self.relay, &self.checks, self.summary, colour) + &measured
    }

    /// For programs.
    pub fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("keys are text, and no number is infinite") + "\n"
    }
}

impl Summary {
    fn of(checks: &[Finding]) -> Self {
        let mut summary = Self::default();
        for check in checks {
            *match check.verdict {
                Verdict::Ok => &mut summary.ok,
                Verdict::Info => &mut summary.info,
                Verdict::Unknown => &mut summary.unknown,
                Verdict::Warning => &mut summary.warning,
                Verdict::Problem => &mut summary.problem,
            } += 1;
        }
        summary
    }
}
