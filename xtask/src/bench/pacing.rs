//! How punctually the generator sends, beside sockperf.

use super::relay::Relay;
use super::stats::Spread;
use super::table::{Outcome, Table};
use super::{Bench, competitors, generator};

const NAME: &str = "generator: pacing";

/// Payloads per second.
const RATE: u32 = 50_000;

/// Loads of that rate.
const LOADS: [(&str, &str); 3] = [
    ("loadgen, nothing comes back", "--clients 50 --group-size 1 --rate 1000"),
    ("loadgen, in pairs", "--clients 50 --group-size 2 --rate 1000"),
    ("loadgen, in groups of 10", "--clients 1000 --group-size 10 --rate 50"),
];

/// Measures both.
pub fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    if !bench.wants(NAME) {
        return Ok(Outcome::Unwanted);
    }
    let mut notes = vec![
        "sockperf logs each hundredth packet; its error counts from its own grid through the most punctual of them."
            .to_owned(),
    ];
    let mut rows = Vec::new();
    for (name, flags) in LOADS {
        match loadgen(bench, flags) {
            Ok(cells) => rows.push(named(name, cells)),
            Err(error) => notes.push(format!("{name}: failed: {error:#}")),
        }
    }
    match competitors::version("sockperf") {
        Some(version) => match competitors::sockperf_times(bench, RATE) {
            Ok(times) => rows.push(named(&format!("sockperf {version}"), errors(&times))),
            Err(error) => notes.push(format!("sockperf: failed: {error:#}")),
        },
        None => notes.push("sockperf is not installed.".to_owned()),
    }
    Ok(Outcome::Measured(Table {
        title: "How punctually the generator sends",
        method: format!(
            "{RATE} payloads a second for {} s: microseconds between the intended time of each and its leaving; \
             goal: p99 under 200.",
            bench.duration.as_secs_f64()
        ),
        head: vec![
            "Sender",
            "p50",
            "p99",
            "p99.9",
            "max",
            "Sent",
            "Share of its core",
            "Waited for its core",
        ],
        rows,
        notes,
    }))
}

fn named(name: &str, cells: Vec<String>) -> Vec<String> {
    [vec![name.to_owned()], cells].concat()
}

fn loadgen(bench: &Bench, flags: &str) -> anyhow::Result<Vec<String>> {
    let relay = Relay::start(bench, "uring", &[])?;
    let seconds = bench.duration.as_secs_f64();
    let load = format!("{flags} --warm-up 500ms --ramp 200ms --duration {seconds}s");
    let (report, _) = generator::run(bench, &relay.target(), &load, |_| {})?;
    let lateness = report.lateness()?;
    let micros = |nanos: u64| format!("{:.1}", nanos as f64 / 1e3);
    let mut cells: Vec<String> =
        [0.5, 0.99, 0.999].map(|part| micros(lateness.value_at_quantile(part))).to_vec();
    cells.push(micros(lateness.max()));
    cells.push(report.sent.to_string());
    cells.push(format!("{:.2}", report.busy() / report.details.outcome.duration.as_secs_f64()));
    cells.push(format!("{:.3}", report.starved()));
    Ok(cells)
}

/// Of sending times that should be a hundred packets apart: the distances from their own grid, whose step is not
/// quite what was asked.
fn errors(times: &[f64]) -> Vec<String> {
    let places = places(times, 100.0 / f64::from(RATE));
    let half = times.len() / 2;
    let steps = (half..times.len()).map(|at| {
        let before = at - half;
        (times[at] - times[before]) / (places[at] - places[before]).max(1.0)
    });
    let step = Spread::of(&steps.collect::<Vec<_>>()).map_or(0.0, |step| step.median);
    let mut offsets: Vec<f64> = times.iter().zip(&places).map(|(time, place)| time - place * step).collect();
    offsets.sort_by(f64::total_cmp);
    let first = offsets.first().copied().unwrap_or_default();
    let at = |part: f64| {
        let index = ((offsets.len() as f64 * part) as usize).min(offsets.len().saturating_sub(1));
        offsets.get(index).map_or("-".to_owned(), |offset| format!("{:.1}", (offset - first) * 1e6))
    };
    let mut cells: Vec<String> = [0.5, 0.99, 0.999, 1.0].map(at).to_vec();
    cells.extend([format!("{} logged", times.len()), "-".to_owned(), "-".to_owned()]);
    cells
}

/// Which place of the grid each time belongs to: some were not logged.
fn places(times: &[f64], step: f64) -> Vec<f64> {
    let mut place = 0.0;
    let later = times.windows(2).map(|pair| {
        place += ((pair[1] - pair[0]) / step).round();
        place
    });
    std::iter::once(0.0).chain(later).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_count_from_the_most_punctual() {
        // The sixth was not logged, the fourth was 10 us late, and the steps are 1 us short.
        let times = [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 7.0, 8.0].map(|place| 10.0 + place * 0.001_999);
        let mut late = times;
        late[3] += 0.000_01;
        assert_eq!(errors(&late)[..4], ["0.0", "10.0", "10.0", "10.0"]);
        assert_eq!(errors(&[])[0], "-");
    }
}
