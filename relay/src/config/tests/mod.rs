//! The configuration as a whole, from flags, variables and file to the error line.

mod errors;
mod fuzz;
mod printing;
mod reloading;
mod sources;
mod token;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Exit, Loaded, load};

/// A directory with a configuration file.
struct Case {
    directory: TempDir,
}

impl Case {
    fn new(content: &str) -> Self {
        let case = Self { directory: TempDir::new().unwrap() };
        case.write(content);
        case
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("relay.toml")
    }

    fn write(&self, content: &str) {
        fs::write(self.path(), content).unwrap();
    }

    /// Loads the file below these variables and flags; in the error line the directory is left out.
    fn load(&self, variables: &[(&str, &str)], flags: &[&str]) -> Result<Loaded, String> {
        let path = self.path().display().to_string();
        let flags: Vec<_> = ["--config", &path].iter().chain(flags).copied().collect();
        try_load(variables, &flags).map_err(|line| self.shorten(&line))
    }

    fn shorten(&self, line: &str) -> String {
        line.replace(&format!("{}/", self.directory.path().display()), "")
    }
}

fn try_load(variables: &[(&str, &str)], flags: &[&str]) -> Result<Loaded, String> {
    let args = ["relay"].iter().chain(flags).map(OsString::from);
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    load(args, variables).map_err(|exit| match exit {
        Exit::Text(text) => text,
        Exit::Problem(problem) => problem.to_string(),
    })
}
