//! Puts flags, environment, file and defaults together.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use super::args::Args;
use super::file::{self, File, Time};
use super::groups::Declared;
use super::host::Host;
use super::options::OPTIONS;
use super::place::{Layer, Place, Source};
use super::problem::{Exit, Problem};
use super::setup::{self, Setup};
use super::task::Task;
use super::{doubt, environment, flags, host};

/// A checked configuration that remembers where each value comes from, and can be read anew.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What to run with.
    pub setup: Setup,
    /// What this run is for.
    pub task: Task,
    pub(super) merged: Merged,
    pub(super) flags: Layer,
    pub(super) environment: Layer,
}

/// Reads the whole configuration: `args` as of [`std::env::args_os`], the program's name first, and `variables` as of
/// [`std::env::vars_os`].
///
/// # Errors
/// [`Exit::Text`] if help or version was asked for, [`Exit::Problem`] if anything is wrong.
pub fn load(
    args: impl Iterator<Item = OsString>,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Loaded, Exit> {
    let (flags, task) = flags::read(args)?;
    let (environment, mut warnings) = environment::read(variables)?;
    let merged = merge(&flags, &environment, Time::Start)?;
    let hosts = merged.resolve(host::look_up)?;
    warnings.extend(doubt::doubts(&merged));
    let setup = setup::check(&merged, hosts, warnings)?;
    Ok(Loaded { setup, task, merged, flags, environment })
}

impl Loaded {
    /// The kind of place that the value of this option comes from; options are called as their flags without `--`.
    pub fn source(&self, option: &'static str) -> Source {
        self.merged.place(option).source()
    }

    /// The place that the value of this option comes from, for an error or a warning about it.
    pub fn place(&self, option: &'static str) -> Place {
        self.merged.place(option)
    }

    /// Every file that is read again at a reload.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let args = &self.merged.args;
        [&args.config, &args.status_token_file].into_iter().filter_map(Option::as_deref)
    }

    /// The configuration file.
    pub fn file(&self) -> Option<&Path> {
        self.merged.args.config.as_deref()
    }
}

/// All values with their places; host names are still names.
#[derive(Clone, Debug)]
pub(super) struct Merged {
    pub args: Args,
    pub places: BTreeMap<&'static str, Place>,
    pub groups: Vec<Declared>,
}

impl Merged {
    pub fn place(&self, option: &'static str) -> Place {
        self.places.get(option).cloned().unwrap_or(Place::Default(option))
    }

    /// The addresses of those hosts that are no names.
    pub fn addresses(&self) -> Result<Vec<IpAddr>, Problem> {
        let mut without_names = self.clone();
        without_names.args.hosts.retain(|host| matches!(host, Host::Address(_)));
        without_names.resolve(host::look_up)
    }

    /// The addresses of the hosts.
    pub fn resolve(&self, look_up: impl Fn(&str) -> io::Result<Vec<IpAddr>>) -> Result<Vec<IpAddr>, Problem> {
        host::resolve(&self.args.hosts, look_up)
            .map_err(|message| Problem::Conflict { place: self.place("host"), message })
    }
}

/// Reads the file that flags or environment name, and merges all.
pub(super) fn merge(flags: &Layer, environment: &Layer, time: Time) -> Result<Merged, Problem> {
    let named =
        flags.get("config").or_else(|| environment.get("config")).filter(|given| !given.text.is_empty());
    let file = named.map_or_else(
        || Ok(File::default()),
        |given| file::read(&given.place, Path::new(&given.text), time),
    )?;
    overlay(file, environment, flags)
}

/// Puts the stronger over the weaker.
pub(super) fn overlay(file: File, environment: &Layer, flags: &Layer) -> Result<Merged, Problem> {
    let mut merged = Merged { args: Args::blank(), places: BTreeMap::new(), groups: file.groups };
    for spec in OPTIONS {
        let set = |args: &mut Args, text: &str, place: &Place| {
            (spec.set)(args, text).map_err(|complaint| Problem::Value { place: place.clone(), complaint })
        };
        set(&mut merged.args, spec.default, &Place::Default(spec.name))?;
        for layer in [&file.layer, environment, flags] {
            if let Some(given) = layer.get(spec.name) {
                set(&mut merged.args, given.text.trim(), &given.place)?;
                merged.places.insert(spec.name, given.place.clone());
            }
        }
    }
    let ceilings = &mut merged.args.settings.ceilings;
    if !merged.places.contains_key("max-unjoined-groups") {
        ceilings.unjoined_groups = ceilings.unjoined_groups.min(ceilings.groups);
    }
    Ok(merged)
}
