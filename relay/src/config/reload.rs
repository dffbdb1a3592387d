//! Reads the configuration anew while the relay runs.

use std::fmt;

use super::file::Time;
use super::load::{Loaded, merge};
use super::options::{Change, OPTIONS};
use super::place::Place;
use super::problem::{Problem, one_line};
use super::{doubt, setup};

/// A configuration to take over.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// What cannot change live is as it runs; keep this for the next [`reload()`].
    pub loaded: Loaded,
    /// What was changed and cannot change live, to warn about. It is listed again at each reload until the restart.
    pub pending: Vec<Pending>,
    /// What may not be meant, one line each.
    pub doubts: Vec<String>,
}

/// A change that needs a restart. Displayed as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Where the new value stands.
    pub place: Place,
    /// The value that runs.
    pub running: String,
    /// The value that was read.
    pub wanted: String,
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, running, wanted } = self;
        write!(f, "{}: the change from {running} to {wanted} needs a restart", one_line(place))
    }
}

/// Reads the file again, with the flags and the environment of the start.
///
/// # Errors
/// What is wrong; keep the running configuration then.
pub fn reload(running: &Loaded) -> Result<Reloaded, Problem> {
    let mut merged = merge(&running.flags, &running.environment, Time::Reload)?;
    // A confined relay has no resolver's files any more, and names count at the next start only.
    let addresses = merged.addresses()?;
    setup::check(&merged, addresses, Vec::new())?;

    let mut pending = Vec::new();
    for spec in OPTIONS.iter().filter(|spec| spec.change == Change::Restart) {
        let (old, new) = ((spec.show)(&running.merged.args), (spec.show)(&merged.args));
        let place = running.merged.place(spec.name);
        if old != new {
            (spec.set)(&mut merged.args, &old)
                .map_err(|complaint| Problem::Value { place: place.clone(), complaint })?;
            pending.push(Pending { place: merged.place(spec.name), running: old, wanted: new });
            merged.places.insert(spec.name, place);
        }
    }
    let setup = setup::check(&merged, running.setup.hosts.clone(), running.setup.warnings.clone())?;
    let (flags, environment) = (running.flags.clone(), running.environment.clone());
    let task = running.task;
    let doubts = doubt::doubts(&merged);
    Ok(Reloaded { loaded: Loaded { setup, task, merged, flags, environment }, pending, doubts })
}
