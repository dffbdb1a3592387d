//! Where a value comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The kinds of places that values come from, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The command line.
    Flag,
    /// A `RELAY_*` variable.
    Environment,
    /// The file of `--config`.
    File,
    /// Nobody gave a value.
    Default,
}

impl Source {
    /// True if somebody asked for the value; what nobody asked for and cannot be had is a warning only.
    pub fn asked_for(self) -> bool {
        self != Source::Default
    }
}

/// The exact place of a value. Displayed as what an error line begins with: `--port`, `RELAY_PORT`,
/// `/etc/relay.toml:7: port`, and `port` for a default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A flag of this option.
    Flag(&'static str),
    /// The variable of this name.
    Environment(String),
    /// A line of the configuration file.
    File {
        /// The file.
        path: Arc<str>,
        /// The line, from 1.
        line: usize,
        /// The key, with the tables that it is in.
        key: String,
    },
    /// The default of this option.
    Default(&'static str),
}

impl Place {
    /// The kind of place.
    pub fn source(&self) -> Source {
        match self {
            Place::Flag(_) => Source::Flag,
            Place::Environment(_) => Source::Environment,
            Place::File { .. } => Source::File,
            Place::Default(_) => Source::Default,
        }
    }

    /// What a comment behind a printed value says.
    pub(super) fn comment(&self) -> String {
        match self {
            Place::Flag(_) => "flag".to_owned(),
            Place::Environment(name) => format!("environment {name}"),
            Place::File { path, line, .. } => format!("file {path}:{line}"),
            Place::Default(_) => "default".to_owned(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Flag(name) => write!(f, "--{name}"),
            Place::Environment(name) => f.write_str(name),
            Place::File { path, line, key } => write!(f, "{path}:{line}: {key}"),
            Place::Default(name) => f.write_str(name),
        }
    }
}

/// A value as it was written, not yet parsed.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub text: String,
    pub place: Place,
}

/// All values of one source, by the option's name.
pub(super) type Layer = BTreeMap<&'static str, Given>;
