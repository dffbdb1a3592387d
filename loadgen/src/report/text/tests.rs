//! What the text must and must not say, of every sample.

use super::*;
use crate::report::samples;

#[test]
fn no_line_is_too_long_or_ends_in_a_space() {
    for (name, report) in samples::all() {
        let text = to_text(&report);
        samples::keep(name, "txt", &text);
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{name}: {line}");
            assert_eq!(line.trim_end(), line, "{name}");
        }
        assert!(!text.contains("\n\n\n") && !text.contains("NaN") && !text.contains("inf"), "{text}");
    }
}

#[test]
fn a_quiet_run_speaks_of_heartbeats_alone() {
    let text = to_text(&samples::heartbeat());
    assert!(text.contains("No payloads were sent, only heartbeats."), "{text}");
    assert!(text.contains("100,000 PINGs, 100,000 PONGs\n"), "{text}");
    assert!(!text.contains("Lost") && !text.contains("Latency") && !text.contains("Late sends"), "{text}");
}

#[test]
fn one_lost_copy_of_many_is_not_nothing() {
    let mut report = samples::perfect();
    report.outcome.totals.received -= 1;
    report.losses.unexplained = 1;
    let text = to_text(&report);
    let lost = text.lines().find(|line| line.contains("Lost")).unwrap();
    assert!(lost.ends_with("0.000019 %"), "{lost}");
    assert!(text.contains("Losses by cause"), "{text}");
}

#[test]
fn what_did_not_happen_is_left_out() {
    let text = to_text(&samples::perfect());
    for absent in ["Misdelivered", "Losses by cause", "repeated", "ended early"] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
    let text = to_text(&samples::nobody());
    assert!(text.contains("No client joined") && text.contains("0 members"), "{text}");
}

#[test]
fn the_verdict_and_its_reasons_come_last() {
    let text = to_text(&samples::invalid());
    let (_, last) = text.split_once("\n! Invalid run").unwrap();
    assert_eq!(last.lines().filter(|line| line.starts_with("  - ")).count(), 2, "{last}");
    assert!(text.contains("Relay           127.0.0.1:9500 did not answer"), "{text}");
}

#[test]
fn what_comes_from_outside_cannot_command_the_terminal() {
    let mut report = samples::lossy();
    report.reasons = vec!["\x1b]0;owned\x07 and ".to_owned() + &"long".repeat(100)];
    let relay = report.relay.as_mut().unwrap();
    relay.version = "1\x1b[2J".into();
    relay.dropped_copies = vec![("\n\x1b[A".into(), 3)];
    report.target = "\rhost:1".into();
    let text = to_text(&report);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
}
