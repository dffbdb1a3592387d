//! Mail stored with durable commits, beside what the disk can do at all.

use std::collections::BTreeMap;

use anyhow::Context;

use super::Bench;
use super::process::Process;
use super::table::{Outcome, Table};

const NAME: &str = "relay: mailbox";

/// Measures both in the folder of the builds.
pub fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    if !bench.wants(NAME) {
        return Ok(Outcome::Unwanted);
    }
    let folder = bench.binaries.folder.to_string_lossy().into_owned();
    let cpus = format!("{},{}", bench.host.relay_cpu, bench.host.generator_cpu);
    let ended = Process::start_on(&cpus, &bench.binaries.mailbox, [folder])?.finish()?;
    let lines: Vec<Line> = ended.out.lines().map(fields).collect();
    let rows = of(&lines, "rate").map(|line| {
        let keys = ["senders", "mails_per_s", "commits_per_s", "syncs_per_s", "p50_us", "p99_us"];
        keys.map(|key| value(line, key)).into_iter().collect::<anyhow::Result<_>>()
    });
    Ok(Outcome::Measured(Table {
        title: "Mail stored with durable commits",
        method: "Each sender sends a mail of 200 bytes to one of 10,000 names, and the next one when that is on the disk \
                 (`cargo run --release -p store --example mailbox`); goal: 20,000 a second. The disk alone: a page of 4 KiB \
                 written and synced, again and again, just before. Two cores."
            .to_owned(),
        head: vec!["Senders", "Mails/s", "Commits/s", "The disk's syncs/s", "Commit p50, us", "p99"],
        rows: rows.collect::<anyhow::Result<_>>()?,
        notes: vec![killed(&lines)?, deleted(&lines)?],
    }))
}

type Line<'t> = BTreeMap<&'t str, &'t str>;

fn fields(line: &str) -> Line<'_> {
    line.split(' ').filter_map(|pair| pair.split_once('=')).collect()
}

fn of<'a, 't>(lines: &'a [Line<'t>], what: &'static str) -> impl Iterator<Item = &'a Line<'t>> {
    lines.iter().filter(move |line| line.get("what") == Some(&what))
}

fn value(line: &Line, key: &str) -> anyhow::Result<String> {
    Ok((*line.get(key).with_context(|| format!("the example does not say {key}"))?).to_owned())
}

fn killed(lines: &[Line]) -> anyhow::Result<String> {
    let line = of(lines, "killed").next().context("the example does not say what became of the kill")?;
    let says = |key| value(line, key);
    Ok(format!(
        "{} mails were stored in {} s with 4096 at a time. The file has {} MB, the process {} MB of its own memory. After \
         `kill -9` all of it is checked and open again in {} s.",
        says("mails")?,
        says("fill_s")?,
        says("file_mb")?,
        says("filled_mb")?,
        says("open_s")?
    ))
}

fn deleted(lines: &[Line]) -> anyhow::Result<String> {
    let line = of(lines, "deleted").next().context("the example does not say what became of all mail")?;
    Ok(format!(
        "All of it is read and deleted in {} s, by 64 recipients at a time; then the file has {} MB.",
        value(line, "seconds")?,
        value(line, "reopened_mb")?
    ))
}
