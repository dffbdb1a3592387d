//! Whatever has the form of one of our names exists: metrics, flags, variables of the environment, and defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;
use xshell::{Shell, cmd};

use super::documents::Flags;
use super::{base_of, is_metric, metric_names};

/// Flags of other programs that documents, manual pages, rules and manifests name.
#[rustfmt::skip]
const FOREIGN: [&str; 35] = [
    "--bin", "--build", "--cap-drop", "--detach", "--env", "--example", "--file", "--filename", "--lint", "--locked", "--network",
    "--nofile", "--now", "--pid", "--publish", "--quiet", "--read-only", "--release", "--rm", "--security-opt", "--signal",
    "--spider", "--start", "--step", "--storage", "--sysctl", "--system", "--tag", "--tool", "--ulimit", "--volume", "--web",
    "--lint-fatal", "--no-run", "--workspace",
];

/// What looks like a metric: fields of the load generator's report, and a variable of its dashboard.
const FIELDS: [&str; 6] = [
    "relay_job",
    "relay_cpu_percent",
    "relay_dropped",
    "relay_kernel",
    "relay_missing",
    "relay_ns_per_delivery",
];

/// What exists.
struct Names {
    metrics: BTreeSet<String>,
    flags: BTreeSet<String>,
    variables: BTreeMap<String, String>,
}

/// Checks every document, manual page, rule, manifest and dashboard.
pub fn check(
    shell: &Shell,
    files: &[PathBuf],
    flags: &Flags,
    faults: &mut Vec<String>,
) -> anyhow::Result<()> {
    let mut names = Names {
        metrics: metric_names("relay/src/metrics/catalogue.rs")?,
        flags: flags.values().flatten().cloned().collect(),
        variables: BTreeMap::new(),
    };
    names.metrics.extend(metric_names("loadgen/src/exporter/catalogue.rs")?);
    for command in [&["relay"][..], &["loadgen", "worker"]] {
        let (program, task) = command.split_first().context("a program")?;
        let help = cmd!(shell, "cargo run --quiet --locked --bin {program} -- {task...} --help").quiet();
        names.variables.extend(variables(&help.read()?));
    }
    for path in files {
        let Some(text) = prose(path)? else { continue };
        for what in unknown(&text, &names) {
            faults.push(format!("{}: names {what}, which does not exist", path.display()));
        }
        for what in wrong_defaults(&text, &names.variables) {
            faults.push(format!("{}: {what}", path.display()));
        }
    }
    Ok(())
}

/// What a reader sees of a file; None if it is of another kind.
fn prose(path: &Path) -> anyhow::Result<Option<String>> {
    let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    let is_dashboard = path.ends_with("dashboards/relay.json") || path.ends_with("dashboards/loadgen.json");
    Ok(match kind {
        "md" | "yml" | "yaml" => Some(fs::read_to_string(path)?),
        "roff" => Some(fs::read_to_string(path)?.replace("\\-", "-")),
        "json" if is_dashboard => {
            let mut text = String::new();
            join(&serde_json::from_str(&fs::read_to_string(path)?)?, &mut text);
            Some(text)
        }
        _ => None,
    })
}

/// All strings of a dashboard, one in a line.
fn join(value: &Value, text: &mut String) {
    match value {
        Value::String(string) => *text += &format!("{string}\n"),
        Value::Array(values) => values.iter().for_each(|value| join(value, text)),
        Value::Object(fields) => fields.values().for_each(|value| join(value, text)),
        _ => {}
    }
}

/// Words that have the form of a metric, a flag or a variable of ours, and are none.
fn unknown<'a>(text: &'a str, names: &Names) -> BTreeSet<&'a str> {
    let known = |word: &str| {
        let is_family = word.ends_with('_') && names.metrics.iter().any(|name| name.starts_with(word));
        let is_known = names.metrics.contains(word) || names.metrics.contains(base_of(word));
        is_family || is_known || FIELDS.contains(&word)
    };
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$');
    let metrics = words.clone().filter(|word| is_metric(word) && !word.contains('$') && !known(word));
    let is_variable = |word: &&str| {
        ["RELAY_", "LOADGEN_"].iter().any(|start| word.len() > start.len() && word.starts_with(start))
    };
    let variables = words.filter(is_variable).filter(|word| !names.variables.contains_key(*word));
    let dashed = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let is_flag = |word: &&str| {
        word.strip_prefix("--").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
    };
    let flags = dashed.map(|word| word.trim_end_matches('-')).filter(is_flag);
    let flags = flags.filter(|word| !names.flags.contains(*word) && !FOREIGN.contains(word));
    metrics.chain(variables).chain(flags).collect()
}

/// The variables that a program's help names, with their defaults.
fn variables(help: &str) -> BTreeMap<String, String> {
    let between = |line: &str, start: &str| {
        let rest = line.split_once(start)?.1;
        Some(rest.split_once(']')?.0.to_owned())
    };
    let default = |line: &str| between(line, "[default: ").filter(|default| default != "no file");
    help.lines()
        .filter_map(|line| {
            let name = between(line, "[env: ")?;
            Some((name.trim_end_matches('=').to_owned(), default(line).unwrap_or_default()))
        })
        .collect()
}

/// Rows of tables, `| flag | variable | default |`, with another default than that of the program.
fn wrong_defaults(text: &str, variables: &BTreeMap<String, String>) -> Vec<String> {
    let rows = text.lines().filter(|line| line.starts_with("| `--"));
    let wrong = rows.filter_map(|row| {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let (name, default) = (cells.get(2)?, cells.get(3)?);
        let real = variables.get(*name)?;
        (real != default).then(|| format!("the default of {name} is {real:?}, not {default:?}"))
    });
    wrong.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            metrics: BTreeSet::from(["relay_turn_seconds".to_owned()]),
            flags: BTreeSet::from(["--port".to_owned()]),
            variables: variables(
                "  Port [default: 5000] [env: RELAY_PORT]\n  [default: no file] [env: RELAY_FILE]\n",
            ),
        }
    }

    #[test]
    fn what_does_not_exist_is_found() {
        let text = "relay_turn_seconds_sum relay_turn_* relay_turns, --port=5 x--y a --ports ---, RELAY_* RELAY_PORT RELAY_PORTS";
        assert_eq!(unknown(text, &names()), BTreeSet::from(["--ports", "RELAY_PORTS", "relay_turns"]));
    }

    #[test]
    fn defaults_are_those_of_the_program() {
        let rows = "| `--port` | `RELAY_PORT` | 5000 | x |\n| `--file` | `RELAY_FILE` | | x |\n";
        assert_eq!(wrong_defaults(rows, &names().variables), Vec::<String>::new());
        assert_eq!(wrong_defaults("| `--port` | `RELAY_PORT` | 5001 | x |", &names().variables).len(), 1);
    }
}
