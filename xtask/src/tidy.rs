//! The house rules that no compiler knows: sizes of files, dead files, and documents that match the code.

mod documents;
mod names;
mod watched;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::bail;
use xshell::{Shell, cmd};

use crate::{alerts, reference};
use documents::flags;

/// No source file is longer, in lines.
const LONGEST_FILE: usize = 500;
/// Half of the source files are not longer than this, in lines.
const MEDIAN_FILE: usize = 150;

/// Fails with everything that is untidy.
pub fn check(shell: &Shell) -> anyhow::Result<()> {
    let files = tracked_files(shell)?;
    let mut faults = Vec::new();
    check_sizes(&files, &mut faults)?;
    check_headers(&files, &mut faults)?;
    check_modules(&files, &mut faults)?;
    check_words(&files, &mut faults)?;
    check_documented("docs/operations.md", &metric_names("relay/src/metrics/catalogue.rs")?, &mut faults)?;
    check_documented("docs/loadgen.md", &metric_names("loadgen/src/exporter/catalogue.rs")?, &mut faults)?;
    check_documented("docs/operations.md", &flags(shell, "relay", &["", "doctor"])?, &mut faults)?;
    let tasks = ["run", "capacity", "worker", "merge"];
    check_documented("docs/loadgen.md", &flags(shell, "loadgen", &tasks)?, &mut faults)?;
    reference::check(shell, &mut faults)?;
    alerts::check(&files, &mut faults)?;
    watched::check(&mut faults)?;
    documents::check(shell, &files, &mut faults)?;
    if !faults.is_empty() {
        bail!("{} faults\n{}", faults.len(), faults.join("\n"));
    }
    println!("tidy: {} files", files.len());
    Ok(())
}

fn tracked_files(shell: &Shell) -> anyhow::Result<Vec<PathBuf>> {
    let listed = cmd!(shell, "git ls-files --cached --others --exclude-standard").quiet().read()?;
    let root = shell.current_dir();
    Ok(listed.lines().map(|line| root.join(line)).filter(|path| path.is_file()).collect())
}

fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

fn check_sizes(files: &[PathBuf], faults: &mut Vec<String>) -> anyhow::Result<()> {
    let mut sizes = Vec::new();
    for file in files.iter().filter(|file| is_source(file)) {
        let lines = fs::read_to_string(file)?.lines().count();
        if lines > LONGEST_FILE {
            faults.push(format!("{}: {lines} lines, {LONGEST_FILE} at most", file.display()));
        }
        sizes.push(lines);
    }
    sizes.sort_unstable();
    let median = sizes.get(sizes.len() / 2).copied().unwrap_or(0);
    if median > MEDIAN_FILE {
        faults.push(format!("half of the source files have more than {median} lines, {MEDIAN_FILE} at most"));
    }
    Ok(())
}

fn check_headers(files: &[PathBuf], faults: &mut Vec<String>) -> anyhow::Result<()> {
    for file in files.iter().filter(|file| is_source(file)) {
        if !fs::read_to_string(file)?.starts_with("//! ") {
            faults.push(format!("{}: opens without a `//!` sentence that says what it is", file.display()));
        }
    }
    Ok(())
}

/// Every source file is a root (lib, main, a test, a build script) or declared as a module beside or above it.
fn check_modules(files: &[PathBuf], faults: &mut Vec<String>) -> anyhow::Result<()> {
    let by_path = paths_of_modules(files)?;
    for file in files.iter().filter(|file| is_source(file)) {
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let Some(folder) = file.parent() else { continue };
        let is_root = matches!(stem, "lib" | "main" | "build")
            || file.canonicalize().is_ok_and(|file| by_path.contains(&file))
            || folder.ends_with("tests")
            || folder.ends_with("examples")
            || folder.ends_with("benches")
            || folder.ends_with("fuzz/targets");
        let name = if stem == "mod" {
            folder.file_name().and_then(|name| name.to_str()).unwrap_or_default()
        } else {
            stem
        };
        let parents = if stem == "mod" { folder.parent().unwrap_or(folder) } else { folder };
        let beside = fs::read_dir(parents)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| is_source(path));
        let declaring = beside.chain([parents.with_extension("rs")]);
        let declares = |text: &str| {
            let declaration = format!("mod {name};");
            text.lines().any(|line| {
                line.trim().trim_start_matches("pub ").trim_start_matches("pub(crate) ") == declaration
            })
        };
        if !is_root && !declaring.filter_map(|path| fs::read_to_string(path).ok()).any(|text| declares(&text))
        {
            faults.push(format!("{}: no module declares it", file.display()));
        }
    }
    Ok(())
}

/// Files that a `#[path = "..."]` names.
fn paths_of_modules(files: &[PathBuf]) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut named = BTreeSet::new();
    for file in files.iter().filter(|file| is_source(file)) {
        for line in fs::read_to_string(file)?.lines() {
            let path = line.trim().strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]"));
            if let (Some(path), Some(folder)) = (path, file.parent()) {
                named.extend(folder.join(path).canonicalize());
            }
        }
    }
    Ok(named)
}

/// Left-overs that must not be committed.
fn check_words(files: &[PathBuf], faults: &mut Vec<String>) -> anyhow::Result<()> {
    // Spelled in two parts, so that this file does not find itself.
    let words = [
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("#[ign", "ore]"),
        concat!("allow(dead", "_code)"),
    ];
    // What several test programs share, no single one uses whole.
    let is_shared = |file: &&PathBuf| file.components().any(|part| part.as_os_str() == "common");
    for file in files.iter().filter(|file| is_source(file) && !is_shared(file)) {
        for (number, line) in fs::read_to_string(file)?.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                faults.push(format!("{}:{}: {word}", file.display(), number + 1));
            }
        }
    }
    Ok(())
}

/// What the names of our own metrics begin with.
const PREFIXES: [&str; 2] = ["relay_", "loadgen_"];

/// The names in a program's catalogue of metrics, and in that of any process.
fn metric_names(catalogue: &str) -> anyhow::Result<BTreeSet<String>> {
    let files = [catalogue, "crates/expose/src/process.rs"];
    let text = files.map(fs::read_to_string).into_iter().collect::<Result<String, _>>()?;
    let words = text.split('"').filter(|word| is_metric(word));
    Ok(words.filter(|word| !word.contains(' ')).map(str::to_owned).collect())
}

/// True if a word looks like a metric of ours, or of any process.
fn is_metric(word: &str) -> bool {
    PREFIXES.iter().chain(&["process_"]).any(|prefix| word.starts_with(prefix))
}

/// The histogram that a series is a part of, or the series itself.
fn base_of(word: &str) -> &str {
    ["_bucket", "_sum", "_count"].iter().find_map(|suffix| word.strip_suffix(suffix)).unwrap_or(word)
}

/// Everything that exists is in the document, and everything of the same form in the document exists.
fn check_documented(
    document: &str,
    names: &BTreeSet<String>,
    faults: &mut Vec<String>,
) -> anyhow::Result<()> {
    let text = fs::read_to_string(document)?;
    for name in names.iter().filter(|name| !text.contains(&format!("`{name}"))) {
        faults.push(format!("{document}: says nothing about {name}"));
    }
    let own = PREFIXES.iter().filter(|prefix| names.iter().any(|name| name.starts_with(**prefix)));
    let own: Vec<&str> = own.copied().collect();
    let is_metric =
        |word: &str| own.iter().any(|prefix| word.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()));
    for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        if is_metric(word) && !names.contains(word) && !names.contains(base_of(word)) {
            faults.push(format!("{document}: names {word}, which does not exist"));
        }
    }
    Ok(())
}
