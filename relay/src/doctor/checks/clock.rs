//! Is reading the clock cheap?

use std::hint::black_box;
use std::time::Instant;

use crate::doctor::finding::{Finding, How};
use crate::doctor::look::{self, Seen};
use crate::doctor::patient::Patient;

const NAME: &str = "clock";
/// Readings for an average, and averages of which the best counts: some 200 us where the clock is cheap.
const READINGS: u32 = 250;
const ROUNDS: u32 = 20;
/// Nanoseconds of one reading: with the vDSO it takes 20 to 50, as a system call to a slow timer 500 to 2000.
const CHEAP: f64 = 250.0;

/// What was found.
struct Facts {
    source: Seen<String>,
    available: Seen<String>,
    nanoseconds: f64,
}

pub fn check(_: &Patient<'_>) -> Vec<Finding> {
    const FOLDER: &str = "/sys/devices/system/clocksource/clocksource0";
    vec![judge(&Facts {
        source: look::text(&format!("{FOLDER}/current_clocksource")),
        available: look::text(&format!("{FOLDER}/available_clocksource")),
        nanoseconds: cost(),
    })]
}

/// Of the best of a few rounds, so that an interruption does not count.
fn cost() -> f64 {
    let round = || {
        let start = Instant::now();
        for _ in 0..READINGS {
            black_box(Instant::now());
        }
        start.elapsed().as_nanos() as f64 / f64::from(READINGS)
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn judge(facts: &Facts) -> Finding {
    let source = facts.source.as_deref().unwrap_or("its source cannot be seen");
    let found = format!("{source}, {:.0} ns a reading", facts.nanoseconds);
    if facts.nanoseconds <= CHEAP {
        return Finding::ok(NAME, found).value("nanoseconds", facts.nanoseconds).value("source", source);
    }
    let finding = Finding::warning(NAME, found)
        .value("nanoseconds", facts.nanoseconds)
        .value("source", source)
        .why("A turn reads the clock several times; a source that takes a system call costs more than a datagram does.");
    let has_tsc = facts.available.as_ref().is_ok_and(|all| all.split_whitespace().any(|one| one == "tsc"));
    if has_tsc && source != "tsc" {
        const FILE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        finding
            .fix(How::Now, format!("echo tsc > {FILE}"))
            .fix(How::Persistent, "add to the kernel's command line: clocksource=tsc tsc=reliable")
    } else {
        finding.fix(How::Advice, "let the hypervisor offer a clock that is read without a system call (tsc, kvm-clock, hyperv_clocksource_tsc_page)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;
    use crate::doctor::look::Unseen;

    fn facts(source: &str, nanoseconds: f64) -> Facts {
        Facts { source: Ok(source.into()), available: Ok("tsc hpet acpi_pm".into()), nanoseconds }
    }

    #[test]
    fn what_it_costs_counts() {
        assert_eq!(judge(&facts("tsc", 30.0)).verdict, Verdict::Ok);
        let slow = judge(&facts("hpet", 900.0));
        assert_eq!((slow.verdict, slow.fixes.len()), (Verdict::Warning, 2));
        let none = Facts { available: Err(Unseen("x".into())), ..facts("acpi_pm", 900.0) };
        assert_eq!(judge(&none).fixes[0].how, How::Advice);
    }

    #[test]
    fn a_reading_takes_time() {
        assert!(cost() > 0.0);
    }
}
