//! `relay doctor`: looks at this machine and says what will hurt, each with the fix.
//!
//! **A check looks (reads files, tries system calls on sockets of its own) and then judges what it found by a pure
//! function**, so that machines that are not at hand are judged in tests. Nothing on the machine is changed, and nothing is
//! sent to a relay that runs: all trials use loopback ports of the kernel's choice.

mod checks;
mod finding;
mod link;
mod look;
mod measure;
mod patient;
mod report;
mod text;

use std::io;

use crate::config::{Examination, Loaded};

pub use finding::{Finding, Fix, How, Verdict};
pub use report::Report;

/// Looks at this machine as the relay of this configuration would find it.
///
/// # Errors
/// Not even the processors and interfaces could be listed, or no backend could be measured.
pub fn examine(loaded: &Loaded, how: Examination) -> io::Result<Report> {
    let patient = patient::Patient::new(&loaded.setup)?;
    let findings = checks::ALL.iter().flat_map(|check| check(&patient)).collect();
    let measurement = how.measure.then(|| measure::measure(&patient)).transpose()?;
    Ok(Report::new(&patient, findings, measurement))
}
