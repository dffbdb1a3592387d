//! `--measure`: the real shard on each backend in turn, over loopback, and which of them this machine likes better.

mod judge;
mod subject;
mod table;
mod traffic;

use std::io;
use std::thread;
use std::time::Instant;

use serde::Serialize;

use super::patient::Patient;
use crate::config::Backend;
use judge::Recommendation;
use subject::Subject;
use traffic::{Client, Flow};

pub(super) use table::render;

/// Rounds of each backend; the order changes from round to round, so that a drift of the machine hits both.
const ROUNDS: usize = 5;
/// What was measured, and what follows.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// How long it took.
    seconds: f64,
    rounds: usize,
    payload_bytes: usize,
    fan_out: usize,
    /// Something else ran on the processors, or there is only one.
    disturbed: bool,
    backends: Vec<Series>,
    recommendation: Recommendation,
}

/// The rounds of one backend, in their order.
#[derive(Clone, Debug, Serialize)]
struct Series {
    backend: &'static str,
    /// Why there are no rounds.
    unavailable: Option<String>,
    /// Copies for each second of the shard's processor time, one payload to many members.
    fan_out: Vec<f64>,
    /// The same from one to one.
    one_to_one: Vec<f64>,
    /// Microseconds from a send to the arrival, median and 99th percentile of each round.
    delay_p50: Vec<f64>,
    delay_p99: Vec<f64>,
    /// Part of its processor that the shard used while it was under full load.
    core: Vec<f64>,
    /// Part of the time that shard or generator waited for a processor.
    waited: Vec<f64>,
}

/// Measures for about ten seconds.
///
/// # Errors
/// Neither backend can be measured: sockets or threads cannot be had.
pub(super) fn measure(patient: &Patient<'_>) -> io::Result<Measurement> {
    let start = Instant::now();
    let mut backends = [Backend::Uring, Backend::Mmsg].map(|backend| (backend, Series::of(backend)));
    for round in 0..ROUNDS {
        let mut order = [0, 1];
        order.rotate_left(round % 2);
        for at in order {
            let (backend, series) = &mut backends[at];
            if series.unavailable.is_none() {
                measure_round(patient, *backend, series)?;
            }
        }
    }
    let backends = backends.map(|(_, series)| series).to_vec();
    let waited: Vec<f64> = backends.iter().flat_map(|series| &series.waited).copied().collect();
    let disturbance = judge::disturbance(patient.cpus.len(), &waited);
    let disturbed = disturbance.is_some();
    let recommendation = judge::recommend(&backends[0], &backends[1], disturbance);
    Ok(Measurement {
        seconds: start.elapsed().as_secs_f64(),
        rounds: ROUNDS,
        payload_bytes: traffic::PAYLOAD,
        fan_out: traffic::MEMBERS - 1,
        disturbed,
        backends,
        recommendation,
    })
}

fn measure_round(patient: &Patient<'_>, backend: Backend, series: &mut Series) -> io::Result<()> {
    let subject = match Subject::start(patient, backend)? {
        Ok(subject) => subject,
        Err(why) => {
            series.unavailable = Some(why);
            return Ok(());
        }
    };
    let cpu = patient.cpus.last().copied().filter(|_| patient.cpus.len() > 1);
    let result = thread::scope(|scope| {
        let generator = scope.spawn(|| {
            // Unpinned it measures, too, and is disturbed sooner.
            let _ = cpu.map(net::pin_current_thread);
            generate(&subject, series)
        });
        generator.join().unwrap_or_else(|_| Err(io::Error::other("the generator panicked")))
    });
    subject.stop();
    result
}

fn generate(subject: &Subject, series: &mut Series) -> io::Result<()> {
    let _ = net::set_timer_slack(std::time::Duration::from_micros(1));
    for (members, rates) in [(traffic::MEMBERS, &mut series.fan_out), (2, &mut series.one_to_one)] {
        let mut client = Client::join(subject.address(), members)?;
        let Flow { copies, shard, elapsed, waited } = client.flood(subject)?;
        rates.push(copies as f64 / shard.as_secs_f64().max(1e-9));
        series.core.push(shard.as_secs_f64() / elapsed.as_secs_f64());
        series.waited.push(waited);
    }
    let mut delays = Client::join(subject.address(), 2)?.delays()?;
    delays.sort_unstable();
    let at =
        |part: f64| delays.get((delays.len() as f64 * part) as usize).copied().unwrap_or(0) as f64 / 1000.0;
    series.delay_p50.push(at(0.5));
    series.delay_p99.push(at(0.99));
    Ok(())
}

impl Series {
    fn of(backend: Backend) -> Self {
        Self {
            backend: backend.name(),
            unavailable: None,
            fan_out: Vec::new(),
            one_to_one: Vec::new(),
            delay_p50: Vec::new(),
            delay_p99: Vec::new(),
            core: Vec::new(),
            waited: Vec::new(),
        }
    }
}
