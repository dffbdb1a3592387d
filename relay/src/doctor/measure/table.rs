//! The measurement for people.

use std::fmt::Write;

use super::judge::spread;
use super::{Measurement, Series};

/// A table, what it means, and what it does not.
pub fn render(measured: &Measurement) -> String {
    let mut out = String::new();
    let Measurement { seconds, rounds, payload_bytes, fan_out, recommendation, .. } = measured;
    // Writing to a string does not fail.
    let _ = writeln!(
        out,
        "\nBoth backends over loopback, one shard, {payload_bytes}-byte payloads, {rounds} rounds in turn, {seconds:.0} s in all: median (least..most)\n"
    );
    let head = [
        format!("to {fan_out} members"),
        "one to one".into(),
        "delay p50".into(),
        "delay p99".into(),
        "shard's core".into(),
    ];
    let units = ["thousand copies/CPU s", "thousand copies/CPU s", "us", "us", "%"];
    let _ =
        writeln!(out, "  {:<8}{:<24}{:<24}{:<20}{:<20}{}", "", head[0], head[1], head[2], head[3], head[4]);
    let _ = writeln!(
        out,
        "  {:<8}{:<24}{:<24}{:<20}{:<20}{}",
        "", units[0], units[1], units[2], units[3], units[4]
    );
    for series in &measured.backends {
        row(&mut out, series);
    }
    let _ = writeln!(
        out,
        "\nRecommended: {} ({}): {}.",
        recommendation.backend, recommendation.flag, recommendation.reason
    );
    let _ = writeln!(
        out,
        "This compares what a shard's processor does, loopback included. It does not measure the network card, other cores, \
         or your traffic: `loadgen` from another machine does."
    );
    out
}

fn row(out: &mut String, series: &Series) {
    let backend = series.backend;
    if let Some(why) = &series.unavailable {
        let _ = writeln!(out, "  {backend:<8}not available: {why}");
        return;
    }
    let show = |values: &[f64], scale: f64, digits: usize| {
        let (median, least, most) = spread(values);
        let [median, least, most] = [median, least, most].map(|value| value * scale);
        format!("{median:.digits$} ({least:.digits$}..{most:.digits$})")
    };
    let cells = [
        show(&series.fan_out, 1e-3, 0),
        show(&series.one_to_one, 1e-3, 0),
        show(&series.delay_p50, 1.0, 0),
        show(&series.delay_p99, 1.0, 0),
        show(&series.core, 100.0, 0),
    ];
    let _ = writeln!(
        out,
        "  {backend:<8}{:<24}{:<24}{:<20}{:<20}{}",
        cells[0], cells[1], cells[2], cells[3], cells[4]
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Backend;
    use crate::doctor::measure::judge;

    #[test]
    fn medians_and_spreads_in_a_line_for_each_backend() {
        let uring = Series { unavailable: Some("denied".into()), ..Series::of(Backend::Uring) };
        let mmsg = Series {
            fan_out: vec![1_234_000.0, 1_000_000.0, 2_000_000.0],
            delay_p50: vec![20.4, 30.0, 10.0],
            core: vec![0.5],
            ..Series::of(Backend::Mmsg)
        };
        let text = render(&Measurement {
            seconds: 9.6,
            rounds: 3,
            payload_bytes: 200,
            fan_out: 15,
            disturbed: false,
            recommendation: judge::recommend(&uring, &mmsg, None),
            backends: vec![uring, mmsg],
        });
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert!(lines[1].contains("3 rounds in turn, 10 s in all"), "{text}");
        assert_eq!(lines[5], "uring   not available: denied");
        assert!(
            lines[6].starts_with("mmsg    1234 (1000..2000) ") && lines[6].contains(" 20 (10..30) "),
            "{text}"
        );
        assert!(lines[6].ends_with(" 50 (50..50)"), "{text}");
        assert!(
            lines[8].starts_with("Recommended: mmsg (--backend auto): io_uring cannot be had (denied)"),
            "{text}"
        );
    }
}
