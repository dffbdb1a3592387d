//! The licences of what is linked into the programs, from the sources of the crates: most of them ask to go along.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserialize;
use xshell::{Shell, cmd};

/// How the files with licences and notices are called, in lower case.
const NAMES: [&str; 6] = ["license", "licence", "copying", "copyright", "notice", "unlicense"];

const TITLE: &str = "\
The programs of this package contain the crates below, and parts of Rust's standard library (copyright: the Rust Project
contributors; MIT OR Apache-2.0). The text of the Apache License 2.0 is in /usr/share/common-licenses/Apache-2.0.
";

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
    authors: Vec<String>,
    manifest_path: String,
}

/// Writes the list of crates, and each different text once.
///
/// # Errors
/// A linked crate has neither a licence's text nor a licence that Debian has the text of.
pub fn write(shell: &Shell, path: &str) -> anyhow::Result<()> {
    let linked = linked(shell)?;
    let host = cmd!(shell, "rustc --print host-tuple").quiet().read()?;
    let metadata =
        cmd!(shell, "cargo metadata --locked --format-version 1 --filter-platform {host}").quiet().read()?;
    let metadata: Metadata = serde_json::from_str(&metadata)?;
    let mut texts = BTreeMap::<String, Vec<String>>::new();
    let mut list = String::new();
    for package in metadata.packages.iter().filter(|package| package.source.is_some()) {
        let name = format!("{} {}", package.name, package.version);
        if !linked.contains(&name) {
            continue;
        }
        let license = package.license.as_deref().with_context(|| format!("{name} has no licence"))?;
        list += &format!("{name}: {license}; {}\n", package.authors.join(", ")).replace("; \n", "\n");
        let found = found(package)?;
        if found.is_empty() && !license.contains("Apache-2.0") {
            bail!("{name} has no text of its licence, {license}");
        }
        for text in found {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    let mut texts: Vec<_> = texts.into_iter().map(|(text, crates)| (crates.join(", "), text)).collect();
    texts.sort();
    let texts: String =
        texts.iter().map(|(crates, text)| format!("\n{:=<100}\n{crates}\n\n{text}\n", "")).collect();
    Ok(fs::write(path, format!("{TITLE}\n{list}{texts}"))?)
}

/// The names and versions of all crates that the programs contain.
fn linked(shell: &Shell) -> anyhow::Result<BTreeSet<String>> {
    let programs = ["-p", "relay", "-p", "loadgen", "-p", "chat"];
    let tree =
        cmd!(shell, "cargo tree --locked {programs...} --edges normal --prefix none").quiet().read()?;
    Ok(tree.lines().filter_map(|line| line.split_once(" v")).map(short).collect())
}

fn short((name, rest): (&str, &str)) -> String {
    format!("{name} {}", rest.split(' ').next().unwrap_or_default())
}

/// The texts beside a crate's manifest, but for the Apache License.
fn found(package: &Package) -> anyhow::Result<Vec<String>> {
    let folder = Path::new(&package.manifest_path).parent().context("a manifest is in a folder")?;
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_file() && NAMES.iter().any(|start| name.starts_with(start)) {
            paths.push(path);
        }
    }
    paths.sort();
    let texts = paths.iter().map(|path| Ok(fs::read_to_string(path)?.trim_end().replace('\r', "")));
    let texts = texts.collect::<anyhow::Result<Vec<_>>>()?;
    // Every program of Debian refers to this one.
    let is_apache = |text: &str| {
        let start: Vec<_> = text.split_whitespace().take(5).collect();
        start.starts_with(&["Apache", "License", "Version", "2.0,"])
    };
    Ok(texts.into_iter().filter(|text| !is_apache(text)).collect())
}
