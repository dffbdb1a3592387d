//! What everything is built of: each crate's licence, source and name against deny.toml, without a network.
//!
//! `cargo deny check licenses bans sources` says the same; building it would take longer than all other checks before it.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, bail};
use serde::Deserialize;
use spdx::{Expression, ParseMode};
use xshell::{Shell, cmd};

/// The part of cargo-deny's configuration that is kept here.
#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Bans {
    deny: Vec<Banned>,
    /// Several versions of a crate are no fault.
    #[serde(rename = "multiple-versions")]
    _multiple_versions: Allowed,
    #[serde(rename = "wildcards")]
    _wildcards: Denied,
}

#[derive(Deserialize)]
struct Banned {
    name: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Sources {
    #[serde(rename = "unknown-registry")]
    _unknown_registry: Denied,
    #[serde(rename = "unknown-git")]
    _unknown_git: Denied,
    allow_registry: BTreeSet<String>,
    allow_git: BTreeSet<String>,
}

/// The only value that these keys may have: another one would not be kept here.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Denied {
    Deny,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Allowed {
    Allow,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    license: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    req: String,
    path: Option<String>,
}

/// Fails with every crate that the rules do not let in, tests and tools included.
pub fn check(shell: &Shell) -> anyhow::Result<()> {
    let rules: Rules = toml::from_str(&fs::read_to_string("deny.toml")?).context("deny.toml")?;
    let metadata = cmd!(shell, "cargo metadata --locked --format-version 1").quiet().read()?;
    let metadata: Metadata = serde_json::from_str(&metadata)?;
    let faults: Vec<String> = metadata.packages.iter().flat_map(|package| rules.faults(package)).collect();
    if !faults.is_empty() {
        bail!("{} faults by deny.toml\n{}", faults.len(), faults.join("\n"));
    }
    println!("licences and sources: {} crates", metadata.packages.len());
    Ok(())
}

impl Rules {
    fn faults(&self, package: &Package) -> Vec<String> {
        let mut faults = Vec::new();
        let mut add = |what: String| faults.push(format!("{} {}: {what}", package.name, package.version));
        match package.license.as_deref() {
            None => add("has no licence".to_owned()),
            Some(license) if !self.allows(license) => add(format!("its licence is {license}")),
            Some(_) => {}
        }
        if let Some(source) = package.source.as_deref().filter(|source| !self.knows(source)) {
            add(format!("comes from {source}"));
        }
        for banned in self.bans.deny.iter().filter(|banned| banned.name == package.name) {
            add(format!("is banned: {}", banned.reason));
        }
        // Of crates of others the lock file names the version.
        let own = package.source.is_none();
        for wild in
            package.dependencies.iter().filter(|other| own && other.req == "*" && other.path.is_none())
        {
            add(format!("takes any version of {}", wild.name));
        }
        faults
    }

    fn allows(&self, license: &str) -> bool {
        // Older manifests write a slash for OR.
        let parsed = Expression::parse_mode(license, ParseMode::LAX);
        parsed.is_ok_and(|terms| terms.evaluate(|term| self.licenses.allow.contains(&term.to_string())))
    }

    fn knows(&self, source: &str) -> bool {
        let registry = source.strip_prefix("registry+");
        let git = source.strip_prefix("git+").map(|rest| rest.split(['?', '#']).next().unwrap_or(rest));
        registry.is_some_and(|url| self.sources.allow_registry.contains(url))
            || git.is_some_and(|url| self.sources.allow_git.contains(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(license: &str, source: Option<&str>, name: &str, req: &str) -> Vec<String> {
        let rules: Rules = toml::from_str(include_str!("../../deny.toml")).unwrap();
        let dependency = Dependency { name: "other".into(), req: req.into(), path: None };
        rules.faults(&Package {
            name: name.into(),
            version: "1.0.0".into(),
            source: source.map(str::to_owned),
            license: (!license.is_empty()).then(|| license.to_owned()),
            dependencies: vec![dependency],
        })
    }

    const CRATES: Option<&str> = Some("registry+https://github.com/rust-lang/crates.io-index");

    #[test]
    fn licences_are_terms_all_of_which_must_be_allowed() {
        for good in ["MIT", "MIT/Apache-2.0", "GPL-3.0-only OR MIT", "(MIT OR GPL-2.0-only) AND Unicode-3.0"]
        {
            assert_eq!(faults(good, CRATES, "some", "*"), [""; 0], "{good}");
        }
        for bad in ["GPL-3.0-only", "MIT AND LGPL-2.1-only", "", "of my own", "MIT AND"] {
            assert_eq!(faults(bad, CRATES, "some", "1").len(), 1, "{bad}");
        }
    }

    #[test]
    fn sources_names_and_versions() {
        for bad in ["git+https://example.org/some?rev=1#1", "registry+https://example.org/index"] {
            assert_eq!(faults("MIT", Some(bad), "some", "1").len(), 1, "{bad}");
        }
        assert_eq!(faults("MIT", CRATES, "openssl-sys", "1").len(), 1);
        assert_eq!(faults("MIT", None, "own", "*"), ["own 1.0.0: takes any version of other"]);
    }
}
