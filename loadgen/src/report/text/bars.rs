//! The distribution of durations as bars of characters.

use std::fmt::Write;
use std::time::Duration;

use crate::hdr::Durations;
use crate::show::{count, limit as round, percent};

/// Characters of the longest bar.
const WIDTH: usize = 48;
/// More rows are drawn with fewer steps.
const MOST_ROWS: usize = 12;
/// Filled from the left by so many eighths.
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// Under a title, how many of the durations are in each step of 1, 2, 5, 10 and so on. Nothing if there are none.
pub(crate) fn distribution(text: &mut String, title: &str, times: &Durations) {
    if times.count() == 0 {
        return;
    }
    let mut rows = grouped(times, &[1, 2, 5]);
    if rows.len() > MOST_ROWS {
        rows = grouped(times, &[1]);
    }
    let most = rows.iter().map(|(_, number)| *number).max().unwrap_or(1);
    let _ = writeln!(text, "\n{title}");
    for (limit, number) in rows {
        let (limit, share) = (round(limit), percent(number, times.count()));
        let _ =
            writeln!(text, "  {limit:>9}  {:<WIDTH$} {:>14} {share:>12}", bar(number, most), count(number));
    }
}

/// Counts up to each limit, from the first that has any to the last.
fn grouped(times: &Durations, steps: &[u64]) -> Vec<(Duration, u64)> {
    let limits = (0..).flat_map(|power| steps.iter().map(move |step| step * 10_u64.pow(power)));
    let mut limits = limits.map(Duration::from_nanos);
    let mut limit = limits.next().unwrap_or_default();
    let mut rows: Vec<(Duration, u64)> = vec![(limit, 0)];
    for (time, number) in times.values() {
        while time > limit {
            limit = limits.next().unwrap_or(Duration::MAX);
            rows.push((limit, 0));
        }
        if let Some((_, sum)) = rows.last_mut() {
            *sum += number;
        }
    }
    rows.into_iter().skip_while(|(_, number)| *number == 0).collect()
}

/// At least the thinnest, if there is any.
fn bar(number: u64, most: u64) -> String {
    let eighths = (number as f64 / most as f64 * (WIDTH * 8) as f64).round() as usize;
    let eighths = if number > 0 { eighths.max(1) } else { 0 };
    let mut bar = EIGHTHS[7].to_string().repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8 - 1]);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_in_one_row() {
        let mut times = Durations::default();
        for us in [90, 100, 101, 150, 4000] {
            times.record(Duration::from_micros(us));
        }
        let rows = grouped(&times, &[1, 2, 5]);
        let counts: Vec<u64> = rows.iter().map(|(_, number)| *number).collect();
        assert_eq!(counts, [1, 3, 0, 0, 0, 1], "{rows:?}");
        assert_eq!(rows.last().unwrap().0, Duration::from_millis(5));
    }

    #[test]
    fn whatever_is_there_can_be_seen() {
        assert_eq!(bar(1, 1_000_000), "▏");
        assert_eq!(bar(0, 5), "");
        assert_eq!(bar(5, 5).chars().count(), WIDTH);
    }
}
